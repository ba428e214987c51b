"""Poses that stand beside a packet capture, one line of twelve numbers for each scan.

References
----------
KITTI odometry benchmark, development kit: the first three rows of ``T_world_sensor``.
"""

from pathlib import Path

import numpy as np

from sensorfusion.errors import CalibrationError
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

_SUFFIX = "_poses_kitti.txt"


def read_poses_beside(
    capture: Path, timestamps_ns: list[int], lidar: str
) -> tuple[Trajectory | None, list[str]]:
    """Read ``NAME_poses_kitti.txt`` beside ``NAME.pcap``, if it is there.

    Parameters
    ----------
    capture : Path
    timestamps_ns : list of int
        Of the scans; pose i is taken for the beginning of scan i.
    lidar : str
        Name of the LiDAR.

    Returns
    -------
    Trajectory or None
        ``T_world_lidar`` at the scans.
    list of str
        Why the file is not used, if it is there and is not.
    """
    path = capture.with_name(capture.stem + _SUFFIX)
    if not path.is_file():
        return None, []
    try:
        lines = path.read_text().splitlines()
        rows = [[float(number) for number in line.split()] for line in lines if line.strip()]
        if len(rows) != len(timestamps_ns):
            return None, [f"{path.name} holds {len(rows)} poses for {len(timestamps_ns)} scans"]
        poses = []
        for row in rows:
            matrix = np.vstack([np.array(row).reshape(3, 4), (0.0, 0.0, 0.0, 1.0)])
            poses.append(RigidTransform.nearest("world", lidar, matrix))
    except (OSError, ValueError, CalibrationError) as error:
        return None, [f"{path.name} is not used: {error}"]
    return Trajectory(timestamps_ns, poses), []
