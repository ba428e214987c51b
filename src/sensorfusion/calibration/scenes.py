"""Which pictures of a recording show the same things, so that what is found in them errs alike."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

# Frames nearer in time than this see the same things.
_ALIKE_NS: Final = 2_000_000_000
# A view is another one once it has turned by half of what it sees, or come this share nearer.
_TURN_SHARE, _WAY_SHARE = 0.5, 0.5


def scenes_of(
    taken_ns: NDArray[np.int64], trajectory: Trajectory | None, view_rad: float, reach_m: float
) -> NDArray[np.int64]:
    """Return a number for the scene that each picture shows.

    Pictures belong to one scene as long as they are of the same two seconds, or, where the motion
    is known, their views overlap by half: the same walls, seen all the time or again, are one.

    Parameters
    ----------
    taken_ns : ndarray of int64, shape (F,)
        When each picture was taken.
    trajectory : Trajectory or None
        ``T_world_sensor`` of a sensor that is fixed to the camera.
    view_rad : float
        How wide the camera sees.
    reach_m : float
        How far away the things are that it sees.

    Returns
    -------
    ndarray of int64, shape (F,)
        Numbers from 0, by the first picture of each scene.
    """
    periods = (taken_ns - taken_ns[:1]) // _ALIKE_NS
    poses = [None if trajectory is None else trajectory.at(int(stamp)) for stamp in taken_ns]
    firsts: list[int] = []
    scenes = np.zeros(len(taken_ns), np.int64)
    for number, pose in enumerate(poses):
        alike = (
            place
            for place, first in enumerate(firsts)
            if periods[first] == periods[number] or _overlap(poses[first], pose, view_rad, reach_m)
        )
        scenes[number] = next(alike, len(firsts))
        if scenes[number] == len(firsts):
            firsts.append(number)
    return scenes


def _overlap(
    first: RigidTransform | None, second: RigidTransform | None, view_rad: float, reach_m: float
) -> bool:
    if first is None or second is None:
        return False
    relative = first.inverse() @ second
    cosine = (float(np.trace(relative.rotation)) - 1) / 2
    turn_rad = math.acos(min(max(cosine, -1.0), 1.0))
    way_m = float(np.linalg.norm(relative.translation_m))
    return turn_rad < _TURN_SHARE * view_rad and way_m < _WAY_SHARE * reach_m
