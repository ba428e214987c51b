"""Where a sensor sits to a camera, and how late its pictures are stamped, from a recording."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.edge_alignment import SECONDS, EdgeAlignment, changed_transform
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
# A number whose deviation is this share of what was thought possible is not found but believed.
_TOLD = 0.5


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
    agreement_before, agreement : float
        Of edges with edges, standard deviations above chance.
    points, frames : int
        Edge points within pictures, and pictures, that were used.
    untold : tuple of str
        What the recording does not tell apart from what was believed before, in words.
    """

    T_camera_sensor: RigidTransform
    late_ns: int
    turn_sigma_rad: NDArray[np.float64]
    way_sigma_m: NDArray[np.float64]
    late_sigma_s: float | None
    change: NDArray[np.float64]
    agreement_before: float
    agreement: float
    points: int
    frames: int
    untold: tuple[str, ...]


def estimate_rig(observed: Observed, way_m: float) -> RigEstimate:
    """Refine a transform, and the time offset of the pictures where the sensor moves.

    Edges of depth and intensity are laid on edges of pictures, from blunt to sharp, with all
    frames at once; after each round the points are moved to the instants found. Deviations come
    from how differently parts of the recording pull, see
    :meth:`~sensorfusion.calibration.edge_alignment.EdgeAlignment.covariance`.

    Parameters
    ----------
    observed : Observed
    way_m : float
        How far the translation may be off, one standard deviation, metres.

    Raises
    ------
    CalibrationError
        If edges agree nowhere near the transform better than by chance.

    References
    ----------
    Levinson and Thrun, "Automatic online calibration of cameras and lasers", RSS 2013.
    """
    prior = usual_prior(observed, way_m, _LATE_S)
    given = observed.T_camera_sensor
    search = EdgeSearch(observed, prior)
    found = search.around(given)
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
    deviations = np.sqrt(np.diag(covariance))
    return RigEstimate(
        T_camera_sensor=T,
        late_ns=late_ns,
        turn_sigma_rad=deviations[:3],
        way_sigma_m=deviations[3:6],
        late_sigma_s=float(deviations[SECONDS]) if observed.moves else None,
        change=_change_between(given, T),
        agreement_before=before,
        agreement=after,
        points=points,
        frames=len(observed.strengths),
        untold=_untold(deviations, prior),
    )


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


def _change_between(before: RigidTransform, after: RigidTransform) -> NDArray[np.float64]:
    """Return turn (rad) and way (m) that lead from one transform to another."""
    turn = after.rotation @ before.rotation.T
    around = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    sine = float(np.linalg.norm(around)) / 2
    angle_rad = math.atan2(sine, (float(np.trace(turn)) - 1) / 2)
    axis = around / (2 * sine) if sine > 1e-12 else np.zeros(3)
    return np.concatenate([axis * angle_rad, after.translation_m - before.translation_m])


def _untold(deviations: NDArray[np.float64], prior: NDArray[np.float64]) -> tuple[str, ...]:
    names = ("turn about x", "turn about y", "turn about z", "x", "y", "z", "time offset")
    told = deviations < _TOLD * prior
    return tuple(
        name
        for name, is_told, free in zip(names, told, prior > 0, strict=True)
        if free and not is_told
    )
