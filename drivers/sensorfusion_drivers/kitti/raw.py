"""Raw drives: ``velodyne_points/data``, ``image_02/data`` and ``oxts/data``, paired by number.

The calibration stands in the drive's folder or the one above it. A folder that holds a date or
a drive (``2011_09_26``, ``2011_09_26_drive_0005_sync``) opens like the drive, if there is one.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sensorfusion.calibration.kitti import IMU, VELODYNE
from sensorfusion.errors import SourceError
from sensorfusion.formats.kitti_text import KittiText
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
    numbered_texts,
    ordered,
)
from sensorfusion_drivers.kitti.poses import read_instants, read_oxts
from sensorfusion_drivers.kitti.rig import read_kitti_text, rig_for

_SCANS = Path("velodyne_points", "data")
_CAMERAS = ("image_00", "image_01", "image_02", "image_03")
_TEXTS = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt")
_DATED = re.compile(r"\d{4}_\d\d_\d\d(_drive_\d+_\w+)?", re.ASCII)
_WITHOUT_IMU = "oxts holds the car's motion, but no calib_imu_to_velo.txt says where its IMU sat"
# Records stand 0.1 s apart; of a scan outside of them the nearest serves if it is one packet away.
_LARGEST_GAP_NS, _TOLERANCE_NS = 250_000_000, 10_000_000


def is_raw(folder: Path) -> bool:
    """Say whether a folder is a drive, or holds one or more."""
    return next(_drives(folder), None) is not None


def list_raw(folder: Path) -> Listing:
    """List a drive.

    Raises
    ------
    SourceError
        If there are several drives, or a file cannot be read.
    CalibrationError
        If there are pictures without calibration.
    """
    drive = _the_drive(folder)
    cameras = {name: numbered_pictures(drive / name / "data") for name in _CAMERAS}
    taken = {name: paths for name, paths in cameras.items() if paths}
    rig = rig_for(_texts(drive), taken, drive)
    stamps = drive / "velodyne_points" / "timestamps.txt"
    timed = stamps.is_file()
    instant = clock(read_instants(stamps) if timed else None, stamps)
    scans = ordered(items(numbered_scans(drive / _SCANS), instant).values())
    oxts = numbered_texts(drive / "oxts" / "data")
    notes = () if timed else (WITHOUT_TIMES,)
    return Listing(
        rig=rig,
        scans=scans,
        pictures={
            name: items(paths, _own_clock(drive / name, instant) if timed else instant)
            for name, paths in taken.items()
        },
        read_poses=partial(_poses, drive, rig, scans, timed),
        notes=(*notes, _WITHOUT_IMU) if oxts and IMU not in rig.imus else notes,
        z_up=True,
    )


def _drives(folder: Path) -> Iterator[Path]:
    """Yield the drives at most two dated folders below."""
    waiting = [(folder, 0)]
    while waiting:
        here, depth = waiting.pop()
        if has_scans(here / _SCANS):
            yield here
        elif depth < 2 and here.is_dir():
            below = [entry for entry in here.iterdir() if _DATED.fullmatch(entry.name)]
            waiting += [(entry, depth + 1) for entry in sorted(below, reverse=True)]


def _the_drive(folder: Path) -> Path:
    found = list(_drives(folder))
    if len(found) > 1:
        listed = ", ".join(str(drive.relative_to(folder)) for drive in found[:5])
        msg = f"{folder}: holds {len(found)} drives ({listed}); expected one; give its folder"
        raise SourceError(msg)
    return found[0]


def _texts(drive: Path) -> list[KittiText]:
    places = (drive, drive.resolve().parent)
    found = (next((p / name for p in places if (p / name).is_file()), None) for name in _TEXTS)
    return [read_kitti_text(path) for path in found if path is not None]


def _own_clock(folder: Path, instant: Callable[[int], int]) -> Callable[[int], int]:
    """Return the clock of a camera, or that of the LiDAR where it has none."""
    stamps = folder / "timestamps.txt"
    return clock(read_instants(stamps), stamps) if stamps.is_file() else instant


def _poses(drive: Path, rig: Rig, scans: tuple[Item, ...], timed: bool) -> Trajectory | None:
    records = numbered_texts(drive / "oxts" / "data")
    if not records or IMU not in rig.imus:
        return None
    T_imu_velodyne = rig.transform(IMU, VELODYNE)
    measured = {
        number: T_world_imu @ T_imu_velodyne
        for number, T_world_imu in read_oxts(records, IMU).items()
    }
    stamps = drive / "oxts" / "timestamps.txt"
    if not (timed and stamps.is_file()):
        # Synchronised drives hold, under each scan's number, the record nearest in time.
        placed = [(scan.timestamp_ns, measured.get(scan.number)) for scan in scans]
    else:
        instant = clock(read_instants(stamps), stamps)
        recorded = ordered(items(records, instant).values())
        track = Trajectory(
            [item.timestamp_ns for item in recorded], [measured[item.number] for item in recorded]
        )
        placed = [
            (scan.timestamp_ns, track.at(scan.timestamp_ns, _LARGEST_GAP_NS, _TOLERANCE_NS))
            for scan in scans
        ]
    known = [(timestamp_ns, pose) for timestamp_ns, pose in placed if pose is not None]
    return Trajectory(*zip(*known, strict=True)) if known else None
