"""Odometry sequences: ``velodyne``, ``image_2``, ``calib.txt``, ``times.txt``, and the poses.

Poses stand in ``poses/NN.txt`` beside ``sequences``, or as ``poses.txt`` or ``poses_NN.txt`` in the
sequence. The scans may also stand beside ``calib.txt``, without a folder of their own.
"""

from functools import partial
from pathlib import Path

from sensorfusion.calibration.kitti import RECTIFIED, VELODYNE
from sensorfusion.errors import CalibrationError, SourceError
from sensorfusion.formats.kitti_text import is_kitti_text
from sensorfusion.formats.parse_text import read_text
from sensorfusion.rig import Rig
from sensorfusion.trajectory import Trajectory
from sensorfusion_drivers.kitti.listing import (
    WITHOUT_TIMES,
    Item,
    Listing,
    clock,
    has_scans,
    items,
    numbered_pictures,
    numbered_scans,
    ordered,
)
from sensorfusion_drivers.kitti.poses import read_pose_rows, read_seconds
from sensorfusion_drivers.kitti.rig import read_kitti_text, rig_for

_CAMERAS = ("image_0", "image_1", "image_2", "image_3")
_TEXT = "calib.txt"


def is_odometry(folder: Path) -> bool:
    """Say whether a folder holds scans and ``calib.txt``, which is one of KITTI's."""
    if not (folder / _TEXT).is_file() or not (has_scans(folder / VELODYNE) or has_scans(folder)):
        return False
    try:
        return is_kitti_text(read_text(folder / _TEXT))
    except CalibrationError:
        return False


def list_odometry(folder: Path) -> Listing:
    """List a sequence.

    Raises
    ------
    SourceError
        If a file cannot be read, or there are several files of poses.
    CalibrationError
        If the calibration does not fit the pictures.
    """
    cameras = {name: numbered_pictures(folder / name) for name in _CAMERAS}
    taken = {name: paths for name, paths in cameras.items() if paths}
    rig = rig_for([read_kitti_text(folder / _TEXT)], taken, folder)
    times = folder / "times.txt"
    timed = times.is_file()
    instant = clock(read_seconds(times) if timed else None, times)
    paths = numbered_scans(folder / VELODYNE) or numbered_scans(folder)
    scans = ordered(items(paths, instant).values())
    return Listing(
        rig=rig,
        scans=scans,
        pictures={name: items(files, instant) for name, files in taken.items()},
        read_poses=partial(_poses, folder, rig, scans),
        notes=() if timed else (WITHOUT_TIMES,),
    )


def _poses(folder: Path, rig: Rig, scans: tuple[Item, ...]) -> Trajectory | None:
    path = _pose_file(folder)
    if path is None:
        return None
    T_rectified_velodyne = rig.transform(RECTIFIED, VELODYNE)
    rows = read_pose_rows(path, RECTIFIED, [scan.number for scan in scans])
    posed = [scan for scan in scans if scan.number in rows]
    return Trajectory(
        [scan.timestamp_ns for scan in posed],
        [rows[scan.number] @ T_rectified_velodyne for scan in posed],
    )


def _pose_file(folder: Path) -> Path | None:
    within = sorted({*folder.glob("poses.txt"), *folder.glob("poses_*.txt")})
    if len(within) > 1:
        msg = (
            f"{folder}: {' and '.join(path.name for path in within)} both hold poses; expected "
            "one; move the others away"
        )
        raise SourceError(msg)
    here = folder.resolve()
    beside = here.parent.parent / "poses" / f"{here.name}.txt"
    return within[0] if within else beside if beside.is_file() else None
