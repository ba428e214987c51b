"""Poses that are given instead of tracked."""

import numpy as np

from sensorfusion.errors import SourceError
from sensorfusion.frame import Frame
from sensorfusion.trajectory import SAME_TIME_NS, Trajectory
from sensorfusion.transform import RigidTransform

_FARTHEST_POSE_M = 10_000.0


def known_pose(poses: Trajectory | None, frame: Frame) -> RigidTransform | None:
    """Return where a trajectory says that a frame was taken, or None.

    A pose file names no camera: it is taken to be the one that measures depth.

    Parameters
    ----------
    poses : Trajectory or None
    frame : Frame

    Returns
    -------
    RigidTransform or None
        ``T_world_camera`` of the frame's sensor.

    Raises
    ------
    SourceError
        If the pose lies so far from the origin that float32 loses millimetres.
    """
    pose = poses.at(frame.timestamp_ns, tolerance_ns=SAME_TIME_NS) if poses else None
    if pose is None:
        return None
    distance_m = float(np.abs(pose.translation_m).max())
    if distance_m > _FARTHEST_POSE_M:
        msg = (
            f"a pose lies {distance_m:.0f} m from the origin of its world; expected at most "
            f"{_FARTHEST_POSE_M:.0f} m, beyond which float32 loses millimetres: subtract an "
            "offset from the poses"
        )
        raise SourceError(msg)
    return RigidTransform(pose.target, frame.sensor, pose.matrix)
