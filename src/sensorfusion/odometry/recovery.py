"""Where a scan may lie that does not lie where it was expected."""

from collections.abc import Iterable, Iterator

import numpy as np

from sensorfusion.odometry.registration import Expected, Fit, Motion, ScanPoints, lay_on_map
from sensorfusion.odometry.surfels import SurfelMap
from sensorfusion.transform import rotation_from_vector

# A turn of half a turn a second, and steps as far apart as registration reaches.
_YAWS_DEG = (0.0, 9.0, -9.0, 18.0, -18.0)
_STEPS = (1.0, -1.0, 2.0, -2.0, 3.0, -3.0)
_BETTER, _BETTER_BY = 1.1, 0.02


def starts(expected: Motion, others: Iterable[Motion], step_m: float) -> Iterator[Motion]:
    """Yield motions to begin from: turned, and displaced to all sides, from each given one.

    Parameters
    ----------
    expected : Motion
        Comes first, and is displaced, too.
    others : iterable of Motion
        Are only turned.
    step_m : float
        How far a registration reaches, metres.
    """
    for motion in (expected, *others):
        for yaw_deg in _YAWS_DEG:
            pose = motion.pose.copy()
            pose[:3, :3] = pose[:3, :3] @ rotation_from_vector(
                np.array([0.0, 0.0, np.deg2rad(yaw_deg)])
            )
            yield Motion(pose, motion.twist)
    for axis in (0, 1):
        for step in _STEPS:
            pose = expected.pose.copy()
            pose[:3, 3] += step * step_m * pose[:3, axis]
            yield Motion(pose, expected.twist)


def search(
    scan: ScanPoints,
    surfels: SurfelMap,
    candidates: Iterable[Motion],
    noise_m: float,
    best: Fit | None = None,
) -> Fit | None:
    """Return the coarse fit that lies clearly best on the map, None if that is ``best`` itself.

    Parameters
    ----------
    scan : ScanPoints
    surfels : SurfelMap
    candidates : iterable of Motion
        Where to begin.
    noise_m : float
        Standard deviation of points, metres.
    best : Fit, optional
        What is known already.
    """
    found, to_beat = None, 0.0 if best is None else best.score * _BETTER + _BETTER_BY
    for start in candidates:
        fit = lay_on_map(scan, surfels, Expected(start), (surfels.edge_m, noise_m), coarse=True)
        if fit.score > to_beat:
            found, to_beat = fit, fit.score
    return found
