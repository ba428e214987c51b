"""PGM and PPM: grey and colour pictures of the Netpbm family, as text and in binary.

References
----------
Netpbm, "PGM Format Specification" and "PPM Format Specification": samples above one byte have two,
the most significant first; a comment runs from ``#`` to the end of its line.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.picture import MAX_PIXELS

MAGICS: Final = (b"P2", b"P3", b"P5", b"P6")

_GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
# One white space ends the header of a binary picture: what follows may be a pixel that looks like
# white space, too.
_HEADER = re.compile(
    rb"P([2356])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})[ \t\r\n\v\f]"
)
_COMMENT = re.compile(rb"#[^\r\n]*")
_NUMBERS = re.compile(rb"[\d \t\r\n\v\f]*")
_LARGEST = 65535


@dataclass(frozen=True, slots=True)
class PnmHeader:
    """What stands before the pixels.

    Attributes
    ----------
    width, height : int
        Pixels.
    largest : int
        The value of white, 1 to 65535; above 255 a sample has two bytes.
    channels : int
        1 grey, 3 colour.
    plain : bool
        Whether the samples are numbers in text.
    pixels_at : int
        Byte offset of the first sample.
    """

    width: int
    height: int
    largest: int
    channels: int
    plain: bool
    pixels_at: int


def read_header(data: bytes, path: Path | str) -> PnmHeader:
    """Read the header of a PGM or PPM.

    Parameters
    ----------
    data : bytes
        The file from its start.
    path : Path or str
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If the bytes are no such header, or claim more than 64 million pixels.
    """
    found = _HEADER.match(data)
    if found is None:
        raise _corrupt(path, 0, f"{bytes(data[:16])!r}", "P2, P3, P5 or P6, width, height, maxval")
    kind, width, height, largest = (int(word) for word in found.groups())
    if not 1 <= width * height <= MAX_PIXELS:
        size = f"{width} x {height} pixels"
        raise _corrupt(path, found.start(2), size, f"1 to {MAX_PIXELS} pixels")
    if not 1 <= largest <= _LARGEST:
        raise _corrupt(path, found.start(4), f"maxval {largest}", f"1 to {_LARGEST}")
    return PnmHeader(width, height, largest, 3 if kind in (3, 6) else 1, kind < 5, found.end())


def read_pixels(data: bytes, path: Path | str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read the samples of a PGM or PPM.

    Returns
    -------
    ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        As stored, 0 to maxval; uint16 where maxval is above 255.

    Raises
    ------
    CorruptRecordingError
        If the file is cut, bytes follow the picture, or a sample is above maxval.
    """
    header = read_header(data, path)
    count = header.width * header.height * header.channels
    samples = (_numbers if header.plain else _packed)(data, header, count, path)
    above = np.flatnonzero(samples > header.largest)
    if above.size:
        found = f"sample {above[0]} of value {samples[above[0]]}"
        raise _corrupt(path, header.pixels_at, found, f"at most the maxval {header.largest}")
    values: NDArray[np.uint8] | NDArray[np.uint16] = (
        samples.astype(np.uint8) if header.largest < 256 else samples.astype(np.uint16)
    )
    shape = (header.height, header.width)
    return values.reshape(shape if header.channels == 1 else (*shape, 3))


def _packed(data: bytes, header: PnmHeader, count: int, path: Path | str) -> NDArray[np.integer]:
    dtype = np.dtype(">u2" if header.largest > 255 else "u1")
    left, expected = len(data) - header.pixels_at, count * dtype.itemsize
    if left != expected:
        size = f"{expected} for {header.width} x {header.height} pixels"
        raise _corrupt(path, header.pixels_at, f"{left} bytes of pixels", size)
    return np.frombuffer(data, dtype, count, header.pixels_at)


def _numbers(data: bytes, header: PnmHeader, count: int, path: Path | str) -> NDArray[np.integer]:
    text = _COMMENT.sub(b"", data[header.pixels_at :])
    if not _NUMBERS.fullmatch(text):
        raise _corrupt(path, header.pixels_at, "samples that are no numbers", "digits and gaps")
    words = text.split()
    longest = max(map(len, words), default=0)
    if len(words) != count or longest > 9:
        found = f"{len(words)} samples of up to {longest} digits"
        raise _corrupt(path, header.pixels_at, found, f"{count} of at most {header.largest}")
    return np.array(words).astype(np.int64)


def _corrupt(path: Path | str, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, "copy or export the picture again")
