"""TUM RGB-D: ``rgb.txt`` and ``depth.txt`` name the pictures, ``groundtruth.txt`` has the poses.

Each line is a time stamp in seconds and a file; both lists run on one clock but are not
synchronised. Without ``rgb.txt`` there is depth alone. Depth 5000 is one metre. Ground truth lines
are ``t tx ty tz qx qy qz qw``, camera to world, metres.

References
----------
Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, and the data
set's page on file formats; pairs lie at most 20 ms apart, as in its tools.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

import numpy as np

from sensorfusion.errors import CalibrationError, CorruptRecordingError, SourceError
from sensorfusion.formats.read_file import read_whole
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_quaternion_xyzw
from sensorfusion_drivers.rgbd_folder.listing import (
    Listing,
    Picture,
    file_names,
    in_order,
)

PAIR_TOLERANCE_NS: Final = 20_000_000
_UNIT_M = 1.0 / 5000.0
_POSES = "groundtruth.txt"


def is_tum(folder: Path) -> bool:
    """Say whether a folder holds ``depth.txt``, with ``rgb.txt`` or naming PNG files."""
    names = set(file_names(folder))
    if "depth.txt" not in names:
        return False
    if "rgb.txt" in names:
        return True
    _, words = next(_lines(folder / "depth.txt"), (0, []))
    return len(words) == 2 and words[1].lower().endswith(".png")


def list_tum(folder: Path) -> Listing:
    """List the pictures that the lists name, also those whose files are missing."""
    return Listing(
        _read_list(folder, "depth.txt"),
        _read_color_list(folder),
        PAIR_TOLERANCE_NS,
        _UNIT_M,
        partial(_read_poses, folder / _POSES),
        sensor="kinect",
    )


def _read_color_list(folder: Path) -> tuple[Picture, ...]:
    """Return the colour pictures, none where neither a list nor a folder speaks of any."""
    if (folder / "rgb.txt").exists():
        return _read_list(folder, "rgb.txt")
    pictures = folder / "rgb"
    if pictures.is_dir() and file_names(pictures):
        msg = (
            f"{folder}: depth.txt and colour pictures in rgb/, but no rgb.txt; expected the list "
            "of their time stamps; add it, or move rgb/ away to use depth alone"
        )
        raise SourceError(msg)
    return ()


def _read_list(folder: Path, name: str) -> tuple[Picture, ...]:
    pictures = []
    for place, words in _lines(folder / name):
        if len(words) != 2:
            raise _corrupt(folder / name, place, " ".join(words), "a time stamp and a file name")
        path = _inside(folder, words[1], folder / name)
        pictures.append(Picture(_time_ns(words[0], folder / name, place), path, path.is_file()))
    return in_order(pictures)


def _inside(folder: Path, name: str, list_path: Path) -> Path:
    parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    if ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        msg = f"{list_path}: names {name!r}; expected a path inside the folder; mend this line"
        raise SourceError(msg)
    return folder / name


def _read_poses(path: Path, depth: Iterable[Picture]) -> Trajectory:
    if not path.is_file():
        return Trajectory()
    measured: dict[int, RigidTransform] = {}
    for place, words in _lines(path):
        if len(words) != 8:
            raise _corrupt(path, place, " ".join(words), "t tx ty tz qx qy qz qw")
        pose = _pose(words[1:], path, place)
        if pose is not None:
            measured.setdefault(_time_ns(words[0], path, place), pose)
    instants = sorted(measured)
    trajectory = Trajectory(instants, [measured[instant] for instant in instants])
    placed = [(picture.timestamp_ns, trajectory.at(picture.timestamp_ns)) for picture in depth]
    known = [(timestamp_ns, pose) for timestamp_ns, pose in placed if pose is not None]
    return Trajectory([timestamp_ns for timestamp_ns, _ in known], [pose for _, pose in known])


def _pose(words: list[str], path: Path, place: int) -> RigidTransform | None:
    """Return a pose, or None for NaN, which stands where the markers were lost."""
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise _corrupt(path, place, " ".join(words), "t tx ty tz qx qy qz qw") from error
    if not np.isfinite(values).all():
        return None
    matrix = np.eye(4)
    matrix[:3, 3] = values[:3]
    try:
        matrix[:3, :3] = rotation_from_quaternion_xyzw(values[3:])
    except CalibrationError as error:
        msg = f"{path}: at byte {place}: {error}"
        raise CalibrationError(msg) from error
    return RigidTransform("world", "depth", matrix)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (byte offset, words) of each line that is neither empty nor a comment."""
    offset = 0
    for line in read_whole(path, "lines that begin with a time stamp").split(b"\n"):
        words = line.decode(errors="replace").split()
        if words and not words[0].startswith("#"):
            yield offset, words
        offset += len(line) + 1


def _time_ns(word: str, path: Path, place: int) -> int:
    """Return seconds as nanoseconds, exactly: a float of 2011 is good to 200 ns only."""
    try:
        seconds = Decimal(word)
    except InvalidOperation:
        seconds = Decimal("NaN")
    if not (seconds.is_finite() and 0 <= seconds < 9_000_000_000):
        raise _corrupt(path, place, repr(word), "a time stamp in seconds")
    return int(seconds.scaleb(9))


def _corrupt(path: Path, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found[:80], expected, "mend or remove this line")
