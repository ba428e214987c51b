"""Which container a recording is: told by its first bytes, never by the ending of its name."""

import sqlite3
from pathlib import Path
from typing import Final, Literal

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats import ros1_records, ros1_scan, sqlite_file
from sensorfusion.formats.rosbag2_folder import METADATA, listed_files
from sensorfusion_drivers.realsense.bag import BagRecording
from sensorfusion_drivers.realsense.db3 import Db3Recording
from sensorfusion_drivers.realsense.settings import Reading
from sensorfusion_drivers.realsense.streams import Recording

_TOPIC: Final = b"/device_0/sensor_"
# librealsense writes what it knows about the sensors before the first image, and a block of LZ4
# is at most 4 MiB.
_BEGIN_BYTES: Final = 9 << 19


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
    return "db3" if begin == sqlite_file.MAGIC else None


def is_recording(path: Path) -> bool:
    """Tell whether the file is a RealSense recording, whole or damaged; never raises."""
    try:
        path = recording_file(path)
    except (SourceError, OSError, ValueError):
        return False
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
    return _TOPIC in begin or ros1_scan.first_chunk_holds(begin, _TOPIC)


def open_recording(path: Path, *, strict: bool = False, unit_m: float | None = None) -> Recording:
    """Open a recording of either kind.

    Parameters
    ----------
    path : Path
        A file, or a folder of rosbag2 with one file.
    strict : bool
        Refuse a damaged file; else what is whole of it is taken, and a note says so.
    unit_m : float or None
        Metres per unit of depth, in place of what the recording says.

    Raises
    ------
    SourceError
        If it is neither, or as the container says.
    """
    path = recording_file(path)
    container = container_of(path)
    if container is not None:
        opened = BagRecording if container == "bag" else Db3Recording
        try:
            return opened(path, Reading(unit_m=unit_m))
        except CorruptRecordingError as error:
            if strict:
                raise
            return _salvaged(opened, path, unit_m, error)
    found = "no such file"
    if path.is_dir():
        found = "a folder"
    elif path.exists():
        found = "another kind of file, or one that may not be read"
    msg = f"{path}: found {found}; expected a RealSense recording, one .bag or .db3 file"
    raise SourceError(msg)


def recording_file(path: Path) -> Path:
    """Return the file of a rosbag2 folder, and any other path as it is.

    Raises
    ------
    SourceError
        If the folder's list cannot be read, or names several files.
    """
    if not (path / METADATA).is_file():
        return path
    names = listed_files(path)
    if len(names) > 1:
        msg = f"{path}: {METADATA} lists {len(names)} files; expected one; join them first"
        raise SourceError(msg)
    return path / names[0]


def _salvaged(
    opened: type[BagRecording | Db3Recording],
    path: Path,
    unit_m: float | None,
    damage: CorruptRecordingError,
) -> Recording:
    """Take what is whole of a damaged file."""
    try:
        recording = opened(path, Reading(salvage=True, unit_m=unit_m))
    except SourceError as error:
        if str(error) == str(damage):
            raise damage from error
        msg = f"{damage}; and what is left of it does not do: {error}"
        raise SourceError(msg) from error
    missing = "; ".join(recording.faults) or str(damage)
    recording.notes.append(
        f"the file is damaged and was read as far as it is whole, not read: {missing} "
        "(-o strict=true refuses such a file)"
    )
    return recording


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
