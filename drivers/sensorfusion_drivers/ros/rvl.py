"""RVL: the lossless code for depth pictures that compressedDepth offers beside PNG.

References
----------
Wilson, "Fast Lossless Depth Image Compression", ISS 2017; ros-perception/image_transport_plugins,
compressed_depth_image_transport, which puts width and height before it.
"""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.picture import MAX_PIXELS

_SIZE: Final = struct.Struct("<ii")


def picture_size(data: memoryview, cursor: Cursor) -> tuple[int, int]:
    """Return width and height in pixels.

    Raises
    ------
    CorruptRecordingError
        If they are not there, or claim more than 64 million pixels.
    """
    width, height = _SIZE.unpack_from(data) if len(data) >= _SIZE.size else (0, 0)
    if not (width > 0 and height > 0 and width * height <= MAX_PIXELS):
        found = f"an RVL picture of {width}x{height} pixels in {len(data)} bytes"
        raise cursor.corrupt(found, f"1 to {MAX_PIXELS} pixels")
    return width, height


def decode(data: memoryview, cursor: Cursor) -> NDArray[np.uint16]:
    """Return the picture, uint16 (H, W).

    Parameters
    ----------
    data : memoryview
        Width and height, then the code.
    cursor : Cursor
        Knows the place, for errors.

    Raises
    ------
    CorruptRecordingError
        If the code ends before the picture does, or goes on over its end.
    """
    # Imported here: a driver's module must be cheap to import.
    from sensorfusion.formats import _rvl_kernels  # noqa: PLC0415

    width, height = picture_size(data, cursor)
    code = data[_SIZE.size :]
    words = np.frombuffer(bytes(code[: len(code) // 4 * 4]), "<u4")
    pixels = np.zeros(width * height, np.uint16)
    found = int(_rvl_kernels.decode(words, pixels))
    if found < 0:
        text = f"code for {-1 - found} of {len(pixels)} pixels"
        raise cursor.corrupt(text, "runs that fill the picture")
    return pixels.reshape(height, width)
