"""Where a sensor sits to a camera, and how late its pictures are stamped, from a recording."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.belief import Belief
from sensorfusion.calibration.board_alignment import (
    FEWEST_POINTS,
    BoardFit,
    BoardSeen,
    lay_on_boards,
)
from sensorfusion.calibration.edge_alignment import (
    SECONDS,
    EdgeAlignment,
    change_between,
    changed_transform,
)
from sensorfusion.calibration.edge_observation import Observed
from sensorfusion.calibration.edge_search import EdgeSearch, usual_prior
from sensorfusion.errors import CalibrationError
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

_LATE_S: Final = 0.1
_FINEST_RAD = math.radians(0.1)
# The points are moved anew to the instants found, until these change no more.
_ROUNDS, _SAME_INSTANT_NS = 3, 100_000
_CLEAR = 6.0
# Edges so far from what boards say, in both deviations, lie on something else.
_CONTRADICT = 4.0
# A number whose deviation is this share of what was thought possible is not found but believed.
_TOLD = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFit:
    """A transform by edges.

    Attributes
    ----------
    found : Belief
    agreement_before, agreement : float
        Of edges with edges, as given and as found, standard deviations above chance.
    points, frames : int
        Edge points within pictures, and pictures, that were used.
    """

    found: Belief
    agreement_before: float
    agreement: float
    points: int
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class RigEstimate:
    """A transform and a time offset with their standard deviations.

    Attributes
    ----------
    T_camera_sensor : RigidTransform
    late_ns : int
        How much later than stamped the pictures were taken, against the sensor's stamps; 0 where
        the motion is not known.
    turn_sigma_rad : ndarray of float64, shape (3,)
        Standard deviations of a turn about the camera's axes.
    way_sigma_m : ndarray of float64, shape (3,)
        Of the translation along the camera's axes.
    late_sigma_s : float or None
        Of the time offset; None where it was not estimated.
    change : ndarray of float64, shape (6,)
        From the transform as it was: turn about the camera's axes (rad) and way (m).
    edges : EdgeFit or None
        What edges alone say; None where they were not used.
    boards : BoardFit or None
        What boards say, together with the edges where these were used.
    remark : str
        Why edges were not used, for people; else empty.
    untold : tuple of str
        What the recording does not tell apart from what was believed before, in words.
    """

    T_camera_sensor: RigidTransform
    late_ns: int
    turn_sigma_rad: NDArray[np.float64]
    way_sigma_m: NDArray[np.float64]
    late_sigma_s: float | None
    change: NDArray[np.float64]
    edges: EdgeFit | None
    boards: BoardFit | None
    remark: str
    untold: tuple[str, ...]


def estimate_rig(observed: Observed, way_m: float, boards: Sequence[BoardSeen] = ()) -> RigEstimate:
    """Refine a transform, and the time offset of the pictures where the sensor moves.

    Edges of depth and intensity are laid on edges of pictures, from blunt to sharp, with all
    frames at once; after each round the points are moved to the instants found. Deviations come
    from how differently parts of the recording pull, see
    :meth:`~sensorfusion.calibration.edge_alignment.EdgeAlignment.covariance`. Boards, where there
    are any, come first and are laid on once more from where edges say, both by their covariances;
    edges that contradict them, or cannot say, are left out.

    Parameters
    ----------
    observed : Observed
    way_m : float
        How far the translation may be off, one standard deviation, metres.
    boards : sequence of BoardSeen
        In pictures of the same camera, with points of the same sensor.

    Raises
    ------
    CalibrationError
        If edges agree nowhere near the transform better than by chance, and there are no boards;
        or if there are boards but too few points on them.

    References
    ----------
    Levinson and Thrun, "Automatic online calibration of cameras and lasers", RSS 2013. For boards
    see :func:`~sensorfusion.calibration.board_alignment.lay_on_boards`.
    """
    prior = usual_prior(observed, way_m, _LATE_S)
    given = Belief(observed.T_camera_sensor, 0, np.diag(prior**2))
    if not boards:
        edges = _by_edges(observed, given, prior)
        return _estimate(given, edges.found, edges, None, "")
    fit = lay_on_boards(boards, given)
    if not fit.boards:
        msg = (
            f"{given.T_camera_sensor.name}: boards in {len(boards)} pictures, but on none so many "
            f"as {FEWEST_POINTS} points of {given.T_camera_sensor.source!r}; expected a transform "
            "right to two degrees and a few centimetres, and boards nearer or larger"
        )
        raise CalibrationError(msg)
    try:
        edges = _by_edges(observed, fit.found, prior)
    except CalibrationError as error:
        return _estimate(given, fit.found, None, fit, f"edges are not used: {error}")
    apart = _apart(fit.found, edges.found)
    if apart > _CONTRADICT:
        told = (
            f"edges are not used: they lie {apart:.1f} of both deviations from what boards say; "
            "is the board's size right? `sensorfusion calibrate check-depth` tells"
        )
        return _estimate(given, fit.found, None, fit, told)
    joined = lay_on_boards(boards, edges.found, fit)
    covariance = joined.found.covariance * max(apart, 1.0) ** 2
    return _estimate(given, replace(joined.found, covariance=covariance), edges, joined, "")


def refined_rig(rig: Rig, found: RigEstimate) -> Rig:
    """Return a rig with what was found: the camera moves against all else, and its clock.

    Parameters
    ----------
    rig : Rig
        With the time offsets that were applied to the recording.
    found : RigEstimate

    Raises
    ------
    CalibrationError
        If the rig has no transform that ends at the camera.
    """
    camera, sensor = found.T_camera_sensor.target, found.T_camera_sensor.source
    T_old_new = rig.transform(camera, sensor) @ found.T_camera_sensor.inverse()
    links = []
    for link in rig.transforms:
        if link.source == camera:
            links.append(replace(link, matrix=(link @ T_old_new).matrix))
        elif link.target == camera:
            links.append(replace(link, matrix=(T_old_new.inverse() @ link).matrix))
        else:
            links.append(link)
    offsets = dict(rig.time_offsets_ns)
    if found.late_sigma_s is not None:
        offsets[camera] = rig.time_offset_ns(camera) + found.late_ns
    return replace(rig, transforms=tuple(links), time_offsets_ns=offsets)


def _estimate(
    given: Belief, found: Belief, edges: EdgeFit | None, boards: BoardFit | None, remark: str
) -> RigEstimate:
    deviations, prior = (np.sqrt(np.diag(each.covariance)) for each in (found, given))
    return RigEstimate(
        T_camera_sensor=found.T_camera_sensor,
        late_ns=found.late_ns,
        turn_sigma_rad=deviations[:3],
        way_sigma_m=deviations[3:6],
        late_sigma_s=float(deviations[SECONDS]) if prior[SECONDS] > 0 else None,
        change=change_between(given.T_camera_sensor, found.T_camera_sensor),
        edges=edges,
        boards=boards,
        remark=remark,
        untold=_untold(deviations, prior),
    )


def _apart(first: Belief, second: Belief) -> float:
    """Return how far two results lie apart, in their deviations (root mean square)."""
    free = np.flatnonzero(np.diag(first.covariance) > 0)
    off = first.change_to(second)[free]
    both = (first.covariance + second.covariance)[np.ix_(free, free)]
    return math.sqrt(float(off @ np.linalg.solve(both, off)) / len(free))


def _by_edges(observed: Observed, start: Belief, prior: NDArray[np.float64]) -> EdgeFit:
    """Return where edges lie best about a start; agreement is told from what was given."""
    given = observed.T_camera_sensor
    observed = replace(observed, T_camera_sensor=start.T_camera_sensor)
    search = EdgeSearch(observed, prior)
    found = search.around(start.T_camera_sensor)
    if found is None:
        msg = (
            f"{given.name}: hardly a point of {given.source!r} lies in a picture of "
            f"{given.target!r}; `sensorfusion calibrate check-extrinsics` says whether the "
            "transform is meant otherwise"
        )
        raise CalibrationError(msg)
    best, _ = search.refined(found)
    mean, spread = search.by_chance(given)
    before, after = (
        (value - mean) / max(spread, 1e-9)
        for value in (search.profile(given, {"": np.zeros(7)})[""], best.agreement)
    )
    if after < _CLEAR:
        msg = (
            f"{given.name}: edges agree nowhere within 2 degrees clearly better than by chance "
            f"({after:.1f} standard deviations, {_CLEAR:g} are asked for); the scene has too few "
            "edges, or the transform is farther off: see `sensorfusion calibrate "
            "check-extrinsics`"
        )
        raise CalibrationError(msg)
    T, late_ns, covariance, points = _sharpened(observed, best.change, prior)
    sharp = Belief(T, late_ns, covariance)
    return EdgeFit(sharp, before, after, points, len(observed.strengths))


def _sharpened(
    observed: Observed, change: NDArray[np.float64], prior: NDArray[np.float64]
) -> tuple[RigidTransform, int, NDArray[np.float64], int]:
    """Return transform, lateness, covariance and points with the sharpest edges."""
    sigma_px = _FINEST_RAD * observed.camera.fx
    level = EdgeAlignment(observed, observed.edges_at(0), sigma_px, prior)
    here, late_ns = level, 0
    for _ in range(_ROUNDS):
        T = changed_transform(observed.T_camera_sensor, change)
        observed, late_ns = replace(observed, T_camera_sensor=T), late_ns + _late_ns(change)
        here = level.about(T).of(observed.edges_at(late_ns))
        change = here.climb(np.zeros(7))
        if abs(_late_ns(change)) < _SAME_INSTANT_NS:
            break
    return (
        changed_transform(observed.T_camera_sensor, change),
        late_ns + _late_ns(change),
        here.covariance(change),
        here.sums(change).count,
    )


def _late_ns(change: NDArray[np.float64]) -> int:
    return round(1e9 * float(change[SECONDS]))


def _untold(deviations: NDArray[np.float64], prior: NDArray[np.float64]) -> tuple[str, ...]:
    names = ("turn about x", "turn about y", "turn about z", "x", "y", "z", "time offset")
    told = deviations < _TOLD * prior
    return tuple(
        name
        for name, is_told, free in zip(names, told, prior > 0, strict=True)
        if free and not is_told
    )
