"""Poses between the samples of a motion capture system."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import (
    RigidTransform,
    quaternion_xyzw_from_rotation,
    rotation_from_quaternion_xyzw,
)


def interpolate(
    measured: Trajectory, instants_ns: Sequence[int], largest_gap_ns: int
) -> Trajectory:
    """Return the poses at given instants, between neighbours that are near enough in time.

    Parameters
    ----------
    measured : Trajectory
    instants_ns : sequence of int
        Strictly increasing.
    largest_gap_ns : int
        An instant whose two neighbours lie farther apart gets no pose, nor does one before the
        first or after the last.

    Returns
    -------
    Trajectory
        Position linear, rotation at constant speed about one axis.

    References
    ----------
    Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    stamps = measured.timestamps_ns
    poses = measured.poses
    result = Trajectory()
    for instant_ns in instants_ns:
        after = int(np.searchsorted(stamps, instant_ns, side="left"))
        if after < len(stamps) and stamps[after] == instant_ns:
            result.append(instant_ns, poses[after])
            continue
        if not 0 < after < len(stamps):
            continue
        gap_ns = int(stamps[after] - stamps[after - 1])
        if gap_ns <= largest_gap_ns:
            share = (instant_ns - int(stamps[after - 1])) / gap_ns
            result.append(instant_ns, _between(poses[after - 1], poses[after], share))
    return result


def _between(first: RigidTransform, second: RigidTransform, share: float) -> RigidTransform:
    matrix = np.eye(4)
    matrix[:3, 3] = (1 - share) * first.translation_m + share * second.translation_m
    matrix[:3, :3] = rotation_from_quaternion_xyzw(
        _slerp(
            quaternion_xyzw_from_rotation(first.rotation),
            quaternion_xyzw_from_rotation(second.rotation),
            share,
        )
    )
    return RigidTransform(first.target, first.source, matrix)


def _slerp(
    first: NDArray[np.float64], second: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    cosine = float(first @ second)
    # q and -q are one rotation: take the shorter way round.
    second, cosine = (second, cosine) if cosine >= 0 else (-second, -cosine)
    angle_rad = float(np.arccos(min(cosine, 1.0)))
    if angle_rad < 1e-6:
        return (1 - share) * first + share * second
    blend = np.sin((1 - share) * angle_rad) * first + np.sin(share * angle_rad) * second
    return np.asarray(blend / np.sin(angle_rad))
