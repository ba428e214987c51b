"""OpenEXR: what a picture says about itself.

References
----------
Academy Software Foundation, "OpenEXR File Layout" (openexr.com): attributes, channel list, chunks.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.picture import MAX_PIXELS

SIGNATURE: Final = b"\x76\x2f\x31\x01"
NONE, RLE, ZIPS, ZIP = range(4)
COMPRESSIONS: Final = (
    *("none", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"),
    *("HTJ2K256", "HTJ2K32"),
)

_LINES = {NONE: 1, RLE: 1, ZIPS: 1, ZIP: 16}
_KINDS: dict[int, np.dtype[np.generic]] = {
    0: np.dtype("<u4"),
    1: np.dtype("<f2"),
    2: np.dtype("<f4"),
}
_FLAGS = {0x200: "tiles", 0x800: "deep pixels", 0x1000: "several parts"}
_VERSION = 2
_LONGEST_NAME = 255
_MOST_ATTRIBUTES = 1000
_LARGEST_COORDINATE = 1 << 24


@dataclass(frozen=True, slots=True)
class ExrHeader:
    """What stands before the chunks of a scan-line picture.

    Attributes
    ----------
    width, height : int
        Pixels.
    first_line : int
        Coordinate of the upper row.
    compression : int
        NONE, RLE, ZIPS or ZIP.
    channels : dict of str to dtype
        In the order in which a row holds them: half, float or 32-bit unsigned samples.
    offsets_at : int
        Byte offset of the table of chunks.
    """

    width: int
    height: int
    first_line: int
    compression: int
    channels: dict[str, np.dtype[np.generic]]
    offsets_at: int

    @property
    def lines_per_chunk(self) -> int:
        """Return how many rows are compressed together."""
        return _LINES[self.compression]

    @property
    def line_bytes(self) -> int:
        """Return how many bytes a row has once it is decompressed."""
        return self.width * sum(dtype.itemsize for dtype in self.channels.values())


def read_header(data: bytes, path: Path | str) -> ExrHeader:
    """Read the header of an OpenEXR file.

    Parameters
    ----------
    data : bytes
        The file from its start.
    path : Path or str
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If it is no OpenEXR header, is cut, or claims more than 64 million pixels.
    UnsupportedRecordingError
        If the file has tiles, deep pixels or several parts, or compression other than none, RLE,
        ZIPS and ZIP.
    """
    if data[:4] != SIGNATURE:
        raise corrupt(path, 0, f"{bytes(data[:4])!r}", "the OpenEXR signature")
    version = int.from_bytes(data[4:8], "little")
    if len(data) < 8 or version & 0xFF != _VERSION:
        raise corrupt(path, 4, f"version {version & 0xFF}", f"version {_VERSION}")
    for flag, name in _FLAGS.items():
        if version & flag:
            raise refused(path, name)
    attributes, end = _attributes(data, path)
    missing = {"channels", "compression", "dataWindow", "displayWindow"} - set(attributes)
    if missing:
        raise corrupt(path, end, f"no attribute {min(missing)!r}", "one in every header")
    compression = _compression(data, attributes["compression"], path)
    left, top, width, height = _window(data, attributes["dataWindow"], path)
    shown = _window(data, attributes["displayWindow"], path)
    if shown != (left, top, width, height):
        raise refused(path, f"{width} x {height} of {shown[2]} x {shown[3]} pixels, a crop")
    return ExrHeader(
        width, height, top, compression, _channels(data, attributes["channels"], path), end
    )


def refused(path: Path | str, found: str) -> UnsupportedRecordingError:
    """Return the error for a sound file that is not read here."""
    msg = (
        f"{path}: OpenEXR with {found}; read are scan lines of half or float pixels without "
        "compression or with RLE, ZIPS or ZIP; write the depth so, or as NPY or TIFF"
    )
    return UnsupportedRecordingError(msg)


def corrupt(path: Path | str, offset: int, found: str, expected: str) -> CorruptRecordingError:
    """Return the error for a damaged file."""
    return CorruptRecordingError(path, offset, found, expected, "copy or export the picture again")


def _attributes(data: bytes, path: Path | str) -> tuple[dict[str, tuple[int, int]], int]:
    """Return where the value of each attribute begins and ends, and where the header ends."""
    found: dict[str, tuple[int, int]] = {}
    offset = 8
    for _ in range(_MOST_ATTRIBUTES):
        name, offset = _name(data, offset, path)
        if not name:
            return found, offset
        _, offset = _name(data, offset, path)
        size = int.from_bytes(data[offset : offset + 4], "little")
        start = offset + 4
        if start + size > len(data):
            raise corrupt(path, offset, f"attribute {name!r} of {size} bytes", "one in the file")
        found[name] = (start, start + size)
        offset = start + size
    raise corrupt(path, offset, f"more than {_MOST_ATTRIBUTES} attributes", "the end of the header")


def _name(data: bytes, offset: int, path: Path | str) -> tuple[str, int]:
    end = data.find(b"\x00", offset, offset + _LONGEST_NAME + 1)
    if end < 0:
        found = "a name without an end"
        raise corrupt(path, offset, found, f"at most {_LONGEST_NAME} characters and a zero")
    return data[offset:end].decode("ascii", "replace"), end + 1


def _compression(data: bytes, place: tuple[int, int], path: Path | str) -> int:
    number = int.from_bytes(data[place[0] : place[1]], "little")
    if number not in _LINES:
        known = number < len(COMPRESSIONS)
        raise refused(path, f"compression {COMPRESSIONS[number] if known else number}")
    return number


def _window(data: bytes, place: tuple[int, int], path: Path | str) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a box of pixels."""
    start, end = place
    if end - start != 16:
        raise corrupt(path, start, f"a window of {end - start} bytes", "16 bytes")
    left, top, right, bottom = struct.unpack_from("<4i", data, start)
    width, height = right - left + 1, bottom - top + 1
    far = max(map(abs, (left, top, right, bottom))) > _LARGEST_COORDINATE
    if far or width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise corrupt(path, start, f"{width} x {height} pixels", f"1 to {MAX_PIXELS} pixels")
    return left, top, width, height


def _channels(
    data: bytes, place: tuple[int, int], path: Path | str
) -> dict[str, np.dtype[np.generic]]:
    offset, end = place
    channels: dict[str, np.dtype[np.generic]] = {}
    while offset < end:
        start = offset
        name, offset = _name(data, offset, path)
        if not name:
            break
        if offset + 16 > end:
            raise corrupt(path, start, f"channel {name!r} that is cut", "16 bytes after its name")
        kind, _, across, down = struct.unpack_from("<iIii", data, offset)
        if kind not in _KINDS:
            raise corrupt(path, offset, f"pixel type {kind}", "0, 1 or 2")
        if (across, down) != (1, 1):
            raise refused(path, f"channel {name!r} sampled every {across} x {down} pixels")
        channels[name] = _KINDS[kind]
        offset += 16
    if not channels:
        raise corrupt(path, place[0], "no channel", "at least one")
    return channels
