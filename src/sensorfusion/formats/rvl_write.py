"""RVL, the lossless code for depth pictures, written; the driver for ROS reads it.

References
----------
Wilson, "Fast Lossless Depth Image Compression", ISS 2017; ros-perception/image_transport_plugins,
compressed_depth_image_transport, which puts width and height before it.
"""

import struct
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SIZE: Final = struct.Struct("<ii")


@cache
def _codes() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    from sensorfusion.formats import _rvl_kernels  # noqa: PLC0415

    return _rvl_kernels.code_table()


def encode_rvl(picture: NDArray[np.uint16]) -> bytes:
    """Return width, height and the code of a picture.

    Parameters
    ----------
    picture : ndarray of uint16, shape (H, W)
    """
    # Imported here: numba takes half a second, and recordings without depth do without it.
    from sensorfusion.formats import _rvl_kernels  # noqa: PLC0415

    height, width = picture.shape
    pixels = np.ascontiguousarray(picture).reshape(-1)
    # A difference takes at most six groups; the counts of two runs never more than the pixels
    # that they stand for, but for the first.
    words = np.empty(pixels.size * 6 // 8 + 16, np.uint32)
    used = int(_rvl_kernels.encode(pixels, words, *_codes()))
    return _SIZE.pack(width, height) + words[:used].tobytes()
