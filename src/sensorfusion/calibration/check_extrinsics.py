"""Whether a transform between a sensor and a camera is the one that a recording shows."""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.edge_alignment import SECONDS, Sums, changed_transform
from sensorfusion.calibration.edge_observation import Observed
from sensorfusion.calibration.edge_search import EdgeSearch, Peak, usual_prior
from sensorfusion.transform import RigidTransform

Verdict = Literal["agrees", "flagged", "unknown"]

# Standard deviations above what places chosen by chance reach.
_CLEAR: Final = 6.0
_CERTAIN = 3.0
# Fewer edge points in all pictures agree somewhere by chance.
_FEWEST: Final = 300
# A meaning by another name must explain the pictures better by this share.
_BETTER = 1.25
_LATE_S, _TOLERATED_S = 0.05, 0.02
_BODY_TO_OPTICAL = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
_OPENGL = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, slots=True, eq=False)
class ExtrinsicsCheck:
    """What a recording says about a transform.

    Attributes
    ----------
    verdict : {"agrees", "flagged", "unknown"}
    reason : str
        A sentence.
    named : str
        What the transform was taken for, where it was another; else "".
    agreement, best_agreement : float
        Of edges with edges, as given and at the best place: standard deviations above chance.
    points : int
        Edge points within pictures.
    T_given, T_best : RigidTransform
        ``T_camera_sensor``.
    change, sigma : ndarray of float64, shape (7,)
        From given to best: turn about the camera's axes (rad), way along them (m), how much later
        than stamped the pictures were taken (s); and one standard deviation of each.
    turn_rad, turn_sigma_rad : ndarray of float64, shape (3,)
        The turn that alone explains most of how the picture moves: a way far off looks like it.
    off_px : float
        How far edges move in the picture from given to best, rms.
    profile : mapping of str to float
        The agreement after small changes of the given transform, in the same unit.
    """

    verdict: Verdict
    reason: str
    named: str
    agreement: float
    best_agreement: float
    points: int
    T_given: RigidTransform
    T_best: RigidTransform
    change: NDArray[np.float64]
    sigma: NDArray[np.float64]
    turn_rad: NDArray[np.float64]
    turn_sigma_rad: NDArray[np.float64]
    off_px: float
    profile: dict[str, float]


def check_extrinsics(
    observed: Observed, way_m: float, tolerance_rad: float = math.radians(0.5)
) -> ExtrinsicsCheck:
    """Judge a transform by how edges of depth and intensity lie on edges of pictures.

    The given place is compared with all near it, and with what the transform would be if it were
    the inverse, or if axes were meant otherwise. It is flagged if another place explains the
    pictures and is a turn of more than the tolerance away, or moves near things by as much.

    Parameters
    ----------
    observed : Observed
    way_m : float
        How far the translation may be off, one standard deviation, metres.
    tolerance_rad : float

    References
    ----------
    Levinson and Thrun, "Automatic online calibration of cameras and lasers", RSS 2013.
    """
    given = observed.T_camera_sensor
    search = EdgeSearch(observed, usual_prior(observed, way_m, _LATE_S))
    own = search.around(given)
    others = {name: search.near(T) for name, T in _other_meanings(given).items()}
    found, named = _best(own, others)
    if found is None:
        return _nothing_seen(given)
    best, finest = search.refined(found)
    mean, spread = search.by_chance(best.T_camera_sensor)

    def clear(agreement: float) -> float:
        return (agreement - mean) / max(spread, 1e-9)

    covariance = finest.covariance(best.change)
    turn, turn_sigma, rest_px, off_px = _apart(finest.sums(best.change), best.change, covariance)
    profile = search.profile(given, _small_changes(observed.moves))
    result = ExtrinsicsCheck(
        verdict="agrees",
        reason="",
        named=named,
        agreement=clear(search.profile(given, {"": np.zeros(7)})[""]),
        best_agreement=clear(best.agreement),
        points=best.points,
        T_given=given,
        T_best=changed_transform(best.T_camera_sensor, best.change),
        change=best.change,
        sigma=np.sqrt(np.diag(covariance)),
        turn_rad=turn,
        turn_sigma_rad=turn_sigma,
        off_px=off_px,
        profile={name: clear(value) for name, value in profile.items()},
    )
    return _judged(result, rest_px / observed.camera.fx, tolerance_rad)


def _other_meanings(given: RigidTransform) -> dict[str, RigidTransform]:
    """Return what the transform would be if the numbers were meant in another way."""
    matrix, inverse = given.matrix, given.inverse().matrix
    camera, sensor = given.target, given.source
    turn = np.eye(4)
    turn[:3, :3] = _BODY_TO_OPTICAL
    flip = np.eye(4)
    flip[:3, :3] = _OPENGL
    rotation_only = np.eye(4)
    rotation_only[:3, :3] = given.rotation.T
    rotation_only[:3, 3] = given.translation_m
    body = "ROS body axes (x forward, z up) instead of camera axes (z forward, y down)"
    inverted = f"it is the inverse, T_{sensor}_{camera}"
    meanings = {
        inverted: inverse,
        f"it gives {camera!r} {body}": turn @ matrix,
        f"{inverted}, and gives {camera!r} {body}": turn @ inverse,
        f"it takes points of {sensor!r} to have camera axes (z forward, y down) instead of body "
        "axes (x forward, z up)": matrix @ turn,
        f"it takes points of {sensor!r} to have body axes (x forward, z up) instead of camera axes "
        "(z forward, y down)": matrix @ turn.T,
        f"it stands between {body} of both": turn @ matrix @ turn.T,
        f"{inverted}, between {body} of both": turn @ inverse @ turn.T,
        f"it gives {camera!r} OpenGL's axes (y up, z backward) instead of camera axes (y down, z "
        "forward)": flip @ matrix,
        "its rotation is inverted, but not its translation": rotation_only,
    }
    return {name: RigidTransform(camera, sensor, each) for name, each in meanings.items()}


def _small_changes(moves: bool) -> dict[str, NDArray[np.float64]]:
    """Return changes of the given transform by name: turns, ways, instants."""
    parts = [
        *(
            (f"turn {axis} {deg:+g} deg", k, math.radians(deg))
            for k, axis in enumerate("xyz")
            for deg in (-1, -0.5, -0.25, 0.25, 0.5, 1)
        ),
        *(
            (f"way {axis} {cm:+d} cm", 3 + k, cm / 100)
            for k, axis in enumerate("xyz")
            for cm in (-10, -5, 5, 10)
        ),
    ]
    if moves:
        parts += [(f"time {ms:+d} ms", SECONDS, ms / 1000) for ms in (-50, -20, 20, 50)]
    changes = {}
    for name, place, value in parts:
        changes[name] = np.zeros(7)
        changes[name][place] = value
    return changes


def _best(own: Peak | None, others: dict[str, Peak | None]) -> tuple[Peak | None, str]:
    """Return the best peak, and what the transform was taken for if that is another meaning."""
    seen = {name: peak for name, peak in others.items() if peak is not None}
    least = _BETTER * max(0.0 if own is None else own.agreement, 0.0)
    highest = max((peak.agreement for peak in seen.values()), default=0.0)
    if own is not None and highest <= least:
        return own, ""
    # Two meanings may lead to one place; the nearer is meant.
    alike = [name for name, peak in seen.items() if peak.agreement > 0.8 * highest]
    if not alike:
        return own, ""
    name = min(alike, key=lambda name: float(np.linalg.norm(seen[name].change[:6])))
    return seen[name], name


def _apart(
    sums: Sums, change: NDArray[np.float64], covariance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Return the turn that a change looks like, its deviation, what is left, and all of it, px."""
    motion = sums.motion
    to_turn = np.linalg.solve(motion[:3, :3], motion[:3])
    turn = to_turn @ change
    deviation = np.sqrt(np.maximum(np.diag(to_turn @ covariance @ to_turn.T), 0.0))
    off_px = math.sqrt(max(float(change @ motion @ change), 0.0))
    rest_px = math.sqrt(max(off_px**2 - float(turn @ motion[:3, :3] @ turn), 0.0))
    return turn, deviation, rest_px, off_px


def _judged(found: ExtrinsicsCheck, rest_rad: float, tolerance_rad: float) -> ExtrinsicsCheck:
    """Return a finding with its verdict."""
    if found.best_agreement < _CLEAR or found.points < _FEWEST:
        reason = (
            f"the scene cannot say: the best place found is {found.best_agreement:.1f} "
            f"standard deviations above chance ({_CLEAR:g} are asked for), of {found.points} edge "
            f"points ({_FEWEST} are asked for); take frames with near things before far "
            "ones, or the transform is off by more than was searched"
        )
        return replace(found, verdict="unknown", reason=reason, named="")
    if found.named:
        return replace(found, verdict="flagged", reason=f"{found.T_given.name}: {found.named}")
    turned = np.abs(found.turn_rad)
    certain = turned > _CERTAIN * found.turn_sigma_rad
    size_rad = float(np.linalg.norm(found.turn_rad))
    late_s, late_sigma_s = found.change[SECONDS], found.sigma[SECONDS]
    if size_rad > tolerance_rad and certain.any():
        reason = f"edges lie best after a turn of {math.degrees(size_rad):.2f} degrees"
    elif (
        rest_rad > tolerance_rad and (np.abs(found.change[3:6]) > _CERTAIN * found.sigma[3:6]).any()
    ):
        way_m = float(np.linalg.norm(found.change[3:6]))
        reason = f"edges lie best after a way of {way_m:.3f} m"
    elif abs(late_s) > _TOLERATED_S and abs(late_s) > _CERTAIN * late_sigma_s:
        reason = f"edges lie best if pictures were taken {1e3 * late_s:.0f} ms later than stamped"
    else:
        reason = "edges lie best within tolerance of where it puts them"
        return replace(found, reason=f"{found.T_given.name}: {reason}")
    named = _nearest_meaning(found)
    said = f", as if {named}" if named else ""
    reason = f"{found.T_given.name}: {reason}{said}"
    return replace(found, verdict="flagged", reason=reason, named=named)


def _nearest_meaning(found: ExtrinsicsCheck) -> str:
    """Return the meaning by which the given numbers are far nearer to the best place, or ""."""

    def apart(T: RigidTransform) -> float:
        between = T.inverse().matrix @ found.T_best.matrix
        cosine = (np.trace(between[:3, :3]) - 1) / 2
        angle_rad = math.acos(min(max(float(cosine), -1.0), 1.0))
        return angle_rad + float(np.linalg.norm(between[:3, 3]))

    meanings = _other_meanings(found.T_given)
    name = min(meanings, key=lambda name: apart(meanings[name]))
    return name if apart(meanings[name]) < 0.3 * apart(found.T_given) else ""


def _nothing_seen(given: RigidTransform) -> ExtrinsicsCheck:
    nothing = np.zeros(7)
    reason = (
        f"{given.name}: hardly a point lies in a picture, as it is and by every other meaning; "
        "does the sensor look where the camera does?"
    )
    return ExtrinsicsCheck(
        "unknown",
        reason,
        "",
        0.0,
        0.0,
        0,
        given,
        given,
        nothing,
        nothing,
        nothing[:3],
        nothing[:3],
        0.0,
        {},
    )
