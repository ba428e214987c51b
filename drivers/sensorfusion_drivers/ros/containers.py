"""Which container a recording is: told by its first bytes, never by the ending of its name."""

from pathlib import Path
from typing import Final, Literal

from sensorfusion.errors import SensorFusionError, SourceError
from sensorfusion.formats import mcap_records, ros1_records, ros1_scan, sqlite_file
from sensorfusion.formats.rosbag2_folder import METADATA, listed_files
from sensorfusion_drivers.ros import db3
from sensorfusion_drivers.ros.chunked import BagRecording, McapRecording
from sensorfusion_drivers.ros.db3 import Db3Recording
from sensorfusion_drivers.ros.recording import Joined, Recording

# Recordings of librealsense are bags, too, but no ROS message stands in them as ROS defines it.
_REALSENSE: Final = b"/device_0/sensor_"
_BEGIN_BYTES: Final = 9 << 19
_ROSBAG2: Final = b"rosbag2_bagfile_information"
_Container = Literal["bag", "db3", "mcap"]


def container_of(path: Path) -> _Container | None:
    """Tell the container by its first bytes; None if it is none, or cannot be read."""
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
    if begin.startswith(mcap_records.MAGIC):
        return "mcap"
    return "db3" if begin == sqlite_file.MAGIC else None


def is_recording(path: Path) -> bool:
    """Tell whether this is a recording of ROS and not of librealsense; never raises."""
    try:
        if path.is_dir():
            with (path / METADATA).open("rb") as file:
                if _ROSBAG2 not in file.read(_BEGIN_BYTES):
                    return False
            return not _holds_realsense(path)
        container = container_of(path)
        if container is None or container == "mcap":
            return container is not None
        with path.open("rb") as file:
            begin = file.read(_BEGIN_BYTES)
    except (OSError, ValueError):
        return False
    if container == "db3":
        return _REALSENSE not in begin and _is_bag(path, begin)
    return _REALSENSE not in begin and not ros1_scan.first_chunk_holds(begin, _REALSENSE)


def open_recording(path: Path) -> Recording:
    """Open a file, or a folder of rosbag2.

    Raises
    ------
    SourceError
        If it is neither, or as the container says.
    """
    if path.is_dir():
        return _open_folder(path)
    container = container_of(path)
    if container == "bag":
        return BagRecording(path)
    if container == "db3":
        return Db3Recording(path)
    if container == "mcap":
        return McapRecording(path)
    found = "another kind of file, or one that may not be read" if path.exists() else "no such file"
    msg = f"{path}: found {found}; expected a ROS recording: .bag, .db3, .mcap or a rosbag2 folder"
    raise SourceError(msg)


def _open_folder(folder: Path) -> Recording:
    parts: list[Recording] = []
    try:
        for name in listed_files(folder):
            path = folder / name
            _check_listed(path)
            parts.append(open_recording(path))
        return Joined(folder, parts)
    except BaseException:
        for part in parts:
            part.close()
        raise


def _check_listed(path: Path) -> None:
    if container_of(path) is not None:
        return
    found = "is missing or is no ROS recording; copy the whole folder again"
    if path.suffix == ".zstd" and path.exists():
        found = f"is compressed as a whole; unpack it with `zstd -d` and name that in {METADATA}"
    msg = f"{path}: listed in {METADATA}, but {found}"
    raise SourceError(msg)


def _holds_realsense(folder: Path) -> bool:
    """Tell whether the files of a folder are a recording of librealsense."""
    try:
        paths = [folder / name for name in listed_files(folder)]
    except SensorFusionError:
        return False
    names = [db3.topic_names(path) for path in paths if container_of(path) == "db3"]
    return any(name.startswith(_REALSENSE.decode()) for topics in names for name in topics or ())


def _is_bag(path: Path, begin: bytes) -> bool:
    """Tell whether a SQLite file is a bag of ROS 2, and not one of librealsense."""
    names = db3.topic_names(path)
    if names is None:
        # Damaged: its definitions stand on the first page.
        return b"CREATE TABLE messages" in begin and b"CREATE TABLE topics" in begin
    return not any(name.startswith(_REALSENSE.decode()) for name in names)
