"""One scan: four little-endian float32 a point, x y z in metres and the reflectance."""

from pathlib import Path

import numpy as np

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.read_file import read_whole
from sensorfusion.point_cloud import PointCloud

_POINT_BYTES = 16


def read_scan(path: Path, coordinate_system: str, timestamp_ns: int) -> PointCloud:
    """Read a scan; a point that is not finite, or at the origin, is left out and counted.

    Parameters
    ----------
    path : Path
    coordinate_system : str
        Name of the LiDAR.
    timestamp_ns : int

    Raises
    ------
    CorruptRecordingError
        If the file does not end with a whole point.
    SourceError
        If it cannot be read.

    References
    ----------
    Geiger, Lenz, Stiller and Urtasun, "Vision meets robotics: the KITTI dataset", IJRR 2013.
    """
    data = read_whole(path, "points of 16 bytes each")
    extra = len(data) % _POINT_BYTES
    if extra:
        raise CorruptRecordingError(
            path,
            len(data) - extra,
            f"{extra} bytes at the end",
            "points of 16 bytes each: x, y, z and reflectance as float32",
            "copy the scan again",
        )
    values = np.frombuffer(data, dtype="<f4").reshape(-1, 4)
    # Every KITTI scan is finite: one pass tells, and the longer way is for what is not.
    valid = np.any(values[:, :3] != 0, axis=1)
    if not np.isfinite(values[:, :3]).all():
        valid &= np.isfinite(values[:, :3]).all(axis=1)
    kept = values if valid.all() else values[valid]
    return PointCloud(
        points=np.ascontiguousarray(kept[:, :3], dtype=np.float32),
        coordinate_system=coordinate_system,
        timestamp_ns=timestamp_ns,
        intensity=np.ascontiguousarray(kept[:, 3], dtype=np.float32),
        missing=len(values) - len(kept),
    )
