"""JPEG: what a picture says about itself, and whether its end is there, before it is decoded.

Decoders fill the missing rows of a cut file with grey and report success. JPEG has no checksum:
a byte changed inside the compressed data cannot be told from a picture.

References
----------
ITU-T T.81, annex B (markers, frame header).
"""

from pathlib import Path
from typing import Final

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.picture import MAX_PIXELS, PictureHeader

SIGNATURE: Final = b"\xff\xd8\xff"

_END_OF_IMAGE = b"\xff\xd9"
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC), which share the range.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA


def read_header(data: bytes, path: Path | str) -> PictureHeader:
    """Read the frame header of a JPEG.

    Parameters
    ----------
    data : bytes
        The file from its start.
    path : Path or str
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If the bytes are not a JPEG with a frame header, or claim more than 64 million pixels.
    """
    if data[:3] != SIGNATURE:
        raise _corrupt(path, 0, f"{bytes(data[:3])!r}", "the JPEG signature")
    offset = 2
    while offset + 10 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # fill byte before a marker
            offset += 1
            continue
        if marker in _START_OF_FRAME:
            return _frame_header(data, offset, path)
        if marker == _START_OF_SCAN:
            break
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4])
    raise _corrupt(path, offset, "no frame header (SOF)", "one before the compressed data")


def check_complete(data: bytes, path: Path | str) -> None:
    """Check that a JPEG ends with its end marker (zero padding after it is allowed).

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path or str
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If the end marker is missing: the file was cut, or something else was appended.
    """
    if not data.rstrip(b"\x00").endswith(_END_OF_IMAGE):
        raise _corrupt(path, len(data), f"an end in {bytes(data[-2:])!r}", "the end marker ff d9")


def _frame_header(data: bytes, offset: int, path: Path | str) -> PictureHeader:
    bit_depth = data[offset + 4]
    height = int.from_bytes(data[offset + 5 : offset + 7])
    width = int.from_bytes(data[offset + 7 : offset + 9])
    channels = data[offset + 9]
    if not 1 <= width * height <= MAX_PIXELS or channels not in (1, 3, 4):
        found = f"{width} x {height} pixels with {channels} channels"
        expected = f"1 to {MAX_PIXELS} pixels with 1, 3 or 4 channels"
        raise _corrupt(path, offset, found, expected)
    return PictureHeader(width, height, bit_depth, channels)


def _corrupt(path: Path | str, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, "copy or export the picture again")
