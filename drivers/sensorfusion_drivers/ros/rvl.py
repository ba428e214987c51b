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
# A difference of two pixels has 17 bits and its sign, a run has fewer than 27: nine groups of 3.
_MOST_GROUPS: Final = 9


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
    width, height = picture_size(data, cursor)
    numbers = _numbers(data[_SIZE.size :], cursor)
    pixels = np.zeros(width * height, np.uint16)
    place = read = last = 0
    while place < len(pixels):
        # A run of empty pixels, then one of differences to the pixel before.
        empty, count = numbers[read : read + 2].tolist() if read + 2 <= len(numbers) else (-1, 0)
        begin, end = place + empty, place + empty + count
        steps = numbers[read + 2 : read + 2 + count]
        if empty < 0 or end > len(pixels) or len(steps) < count or not (empty or count):
            found = f"code for {place} of {len(pixels)} pixels"
            raise cursor.corrupt(found, "runs that fill the picture")
        values = last + np.cumsum((steps >> 1) ^ -(steps & 1))
        pixels[begin:end] = values.astype(np.uint16)
        last = int(values[-1]) if count else last
        place, read = end, read + 2 + count
    return pixels.reshape(height, width)


def _numbers(code: memoryview, cursor: Cursor) -> NDArray[np.int64]:
    """Return the whole numbers: groups of 3 bits, low ones first, each with a bit for "more"."""
    words = np.frombuffer(code[: len(code) // 4 * 4], "<u4")
    # The first four bits are the highest of their word.
    shifts = np.arange(28, -1, -4, dtype=np.uint32)
    groups = ((words[:, None] >> shifts) & 15).astype(np.int64).reshape(-1)
    ends = np.flatnonzero(groups < 8)
    if not len(ends):
        return np.empty(0, np.int64)
    begins = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - begins + 1
    if lengths.max() > _MOST_GROUPS:
        found = f"a number of {lengths.max()} groups"
        raise cursor.corrupt(found, f"at most {_MOST_GROUPS} groups of 3 bits")
    groups = groups[: ends[-1] + 1]
    position = np.arange(len(groups)) - np.repeat(begins, lengths)
    return np.add.reduceat((groups & 7) << (3 * position), begins)
