"""LZF, the light compression of Marc Lehmann's LibLZF, as PCD files use it."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.formats import _lzf_kernels

# Three bytes say at most 264: a size beyond that cannot come out, whatever a header claims.
_LARGEST_GROWTH = 88


class LzfError(ValueError):
    """Bytes that are no LZF stream of the size that was asked for.

    Attributes
    ----------
    offset : int
        Byte of the stream at which the fault was seen.
    """

    def __init__(self, offset: int, found: str) -> None:
        super().__init__(found)
        self.offset = offset


def lzf_decompress(data: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the bytes that an LZF stream stands for.

    Parameters
    ----------
    data : ndarray of uint8, shape (M,), contiguous
    size : int
        Bytes that must come out.

    Returns
    -------
    ndarray of uint8, shape (size,)

    Raises
    ------
    LzfError
        If the stream is damaged, or stands for another number of bytes.

    References
    ----------
    Lehmann, LibLZF 3.6: a control byte below 32 announces that many literals and one more; else
    its upper three bits are a length and the rest, with the next byte, a distance back.
    """
    if size > len(data) * _LARGEST_GROWTH:
        raise LzfError(0, f"{len(data)} bytes that shall stand for {size}")
    target = np.empty(size, dtype=np.uint8)
    written = _lzf_kernels.decompress(data, target)
    if written < 0:
        raise LzfError(-1 - written, "a run that leaves the stream or what it stands for")
    if written != size:
        raise LzfError(len(data), f"the end of the stream after {written} of {size} bytes")
    return target


def lzf_compress(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an LZF stream that stands for ``data``, at most 1/32 larger than it.

    Parameters
    ----------
    data : ndarray of uint8, shape (N,), contiguous

    Returns
    -------
    ndarray of uint8, shape (M,)
    """
    target = np.empty(len(data) + len(data) // 32 + 1, dtype=np.uint8)
    return target[: _lzf_kernels.compress(data, target)]
