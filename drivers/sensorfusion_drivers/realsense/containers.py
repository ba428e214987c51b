"""Which container a recording is: told by its first bytes, never by the ending of its name."""

import sqlite3
from pathlib import Path
from typing import Final, Literal

from sensorfusion.errors import SensorFusionError, SourceError
from sensorfusion.formats import ros1_records
from sensorfusion_drivers.realsense import db3
from sensorfusion_drivers.realsense.bag import BagRecording
from sensorfusion_drivers.realsense.db3 import Db3Recording
from sensorfusion_drivers.realsense.streams import Recording

_TOPIC: Final = b"/device_0/sensor_"
# librealsense writes what it knows about the sensors before the first image, and a block of LZ4
# is at most 4 MiB.
_BEGIN_BYTES: Final = 9 << 19
_UNPACKED_BYTES: Final = 1 << 18


def container_of(path: Path) -> Literal["bag", "db3"] | None:
    """Tell the container by its first bytes; None if it is neither, or cannot be read."""
    try:
        # Opening a pipe would wait for its writer.
        if not path.is_file():
            return None
        with path.open("rb") as file:
            begin = file.read(16)
    except (OSError, ValueError):
        return None
    if begin.startswith(ros1_records.MAGIC):
        return "bag"
    return "db3" if begin == db3.MAGIC else None


def is_recording(path: Path) -> bool:
    """Tell whether the file is a RealSense recording, whole or damaged; never raises."""
    container = container_of(path)
    if container is None:
        return False
    try:
        with path.open("rb") as file:
            begin = file.read(_BEGIN_BYTES)
    except OSError:
        return False
    if container == "db3":
        return _TOPIC in begin or _database_has_topic(path)
    return _TOPIC in begin or _first_chunk_has_topic(begin)


def open_recording(path: Path) -> Recording:
    """Open a recording of either kind.

    Raises
    ------
    SourceError
        If it is neither, or as the container says.
    """
    container = container_of(path)
    if container == "bag":
        return BagRecording(path)
    if container == "db3":
        return Db3Recording(path)
    found = "no such file"
    if path.is_dir():
        found = "a folder"
    elif path.exists():
        found = "another kind of file, or one that may not be read"
    msg = f"{path}: found {found}; expected a RealSense recording, one .bag or .db3 file"
    raise SourceError(msg)


def _database_has_topic(path: Path) -> bool:
    try:
        database = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)
        try:
            query = "SELECT 1 FROM topics WHERE name LIKE '/device_0/sensor_%' LIMIT 1"
            return database.execute(query).fetchone() is not None
        finally:
            database.close()
    except (sqlite3.Error, OSError):
        return False


def _first_chunk_has_topic(begin: bytes) -> bool:
    try:
        header = ros1_records.read_record(begin, len(ros1_records.MAGIC), "")
        # The chunk itself may be longer than what was read, its header is not.
        size = int.from_bytes(begin[header.end : header.end + 4], "little")
        named = begin[header.end + 4 : header.end + 4 + size]
        compression = next(
            (kind for kind in ("lz4", "bz2") if b"compression=" + kind.encode() in named), "none"
        )
        data = begin[header.end + 8 + size :]
        return _TOPIC in ros1_records.unpack_chunk(data, compression, _UNPACKED_BYTES)
    except SensorFusionError:
        return False
