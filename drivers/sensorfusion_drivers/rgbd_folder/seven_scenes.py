"""7-Scenes: ``frame-N.color.jpg`` (or png), ``frame-N.depth.png``, ``frame-N.pose.txt``.

Depth in millimetres; poses are 4x4 camera to world, metres. The format has no time stamps: N
counts pictures of a Kinect, so frame N stands at N / 30 s, a nominal time.

References
----------
Shotton et al., "Scene coordinate regression forests for camera relocalization in RGB-D images",
CVPR 2013, and the data set's readme.
"""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sensorfusion.errors import CalibrationError, CorruptRecordingError
from sensorfusion.formats.read_file import read_whole
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.rgbd_folder.listing import (
    Listing,
    Picture,
    file_names,
    in_order,
)

_NAME = re.compile(r"frame-(\d{1,9})\.(color\.(?:jpg|jpeg|png)|depth\.png)", re.ASCII)
_UNIT_M = 0.001
_EXPECTED_POSE = "the 16 numbers of a 4x4 matrix"


def is_seven_scenes(folder: Path) -> bool:
    """Say whether a folder holds ``frame-N.depth.png``."""
    return any(
        match[2] == "depth.png" for match in map(_NAME.fullmatch, file_names(folder)) if match
    )


def list_seven_scenes(folder: Path) -> Listing:
    """List the pictures of a 7-Scenes sequence; a missing picture leaves its partner unpaired."""
    depth: list[Picture] = []
    color: list[Picture] = []
    for match in filter(None, map(_NAME.fullmatch, file_names(folder))):
        picture = Picture(nominal_time_ns(int(match[1])), folder / match[0])
        (depth if match[2] == "depth.png" else color).append(picture)
    return Listing(in_order(depth), in_order(color), 0, _UNIT_M, _read_poses, sensor="kinect")


def nominal_time_ns(number: int) -> int:
    """Return the time of picture ``number`` at 30 Hz, rounded to a nanosecond."""
    return (number * 1_000_000_000 + 15) // 30


def _read_poses(depth: Iterable[Picture]) -> Trajectory:
    trajectory = Trajectory()
    for picture in depth:
        path = picture.path.with_name(picture.path.name.replace(".depth.png", ".pose.txt"))
        if path.is_file():
            pose = _read_pose(path)
            if pose is not None:
                trajectory.append(picture.timestamp_ns, pose)
    return trajectory


def _read_pose(path: Path) -> RigidTransform | None:
    """Return a pose, or None for the NaN or infinity that stand where tracking was lost."""
    words = read_whole(path, _EXPECTED_POSE).decode(errors="replace").split()
    try:
        # Windows programs write NaN and infinity as 1.#QNAN and 1.#INF.
        values = [math.nan if "#" in word else float(word) for word in words]
    except ValueError as error:
        raise _corrupt(path, str(error)) from error
    if len(values) != 16:
        raise _corrupt(path, f"{len(values)} numbers")
    if not all(map(math.isfinite, values)):
        return None
    try:
        return RigidTransform.nearest("world", "depth", np.array(values).reshape(4, 4))
    except CalibrationError as error:
        msg = f"{path}: {error}; mend or remove this pose file"
        raise CalibrationError(msg) from error


def _corrupt(path: Path, found: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, 0, found, _EXPECTED_POSE, "mend or remove this pose file")
