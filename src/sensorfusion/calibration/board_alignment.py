"""Where a sensor sits to a camera, by boards: what it measured on them must lie on their planes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.belief import Belief
from sensorfusion.calibration.board_plane import BoardPlane
from sensorfusion.calibration.edge_alignment import SECONDS

FEWEST_POINTS: Final = 10
"""Fewer points on a board say nothing of it."""
_ROUNDS, _FITS = 30, 8
_SMALLEST_STEP = 0.01
# Points farther from a plane than this many deviations are not the board's.
_GATE_SIGMAS, _TUKEY = 3.0, 4.685
_USUAL_NOISE_M, _LEAST_NOISE_M = 0.03, 1e-4
_MAD = 1.4826
# A board that is so many deviations off counts by less, as Huber has it.
_ODD = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class BoardSeen:
    """A board in one picture, and what the sensor measured about it.

    Attributes
    ----------
    plane : BoardPlane
        In the coordinates of the picture's camera.
    points_at : callable
        Returns the points if the picture was taken so many nanoseconds later than stamped:
        float64 (N, 3), metres, in the sensor's coordinates at that instant.
    twist : ndarray of float64, shape (6,)
        Velocity (m/s) and turn rate (rad/s) of the sensor then, in its own coordinates.
    alike : float
        How many neighbouring points share one error.
    """

    plane: BoardPlane
    points_at: Callable[[int], NDArray[np.float64]]
    twist: NDArray[np.float64]
    alike: float


@dataclass(frozen=True, slots=True, eq=False)
class BoardFit:
    """A transform by boards and what was believed before.

    Attributes
    ----------
    found : Belief
    boards : int
        Pictures of boards with enough points on them.
    points : int
        On these.
    before_m, after_m : float
        Median of the boards' distances between plane and points, as believed and as found.
    scatter_m, scatter_rad : float
        By how much boards lie and turn off their planes beyond what noise and corners explain,
        standard deviations: boards that were moved on, a sensor that errs by its own. The
        covariance knows of it.
    """

    found: Belief
    boards: int
    points: int
    before_m: float
    after_m: float
    scatter_m: float
    scatter_rad: float


def lay_on_boards(
    seen: Sequence[BoardSeen], believed: Belief, alone: BoardFit | None = None
) -> BoardFit:
    """Move a sensor until what it measured on boards lies on their planes.

    Gauss and Newton's method on the distances of points from planes. Each board's plane may be
    off itself, as its corners say and as the boards scatter; points are chosen anew in each
    round, and those that do not lie on the plane that the others of their board show do not
    count. One board holds three of the six numbers of a transform, three that are turned to
    different sides hold all; what boards do not hold stays as believed.

    Parameters
    ----------
    seen : sequence of BoardSeen
    believed : Belief
        Where to begin, and how certain that is.
    alone : BoardFit or None
        What the same boards said before something else was believed, which must not make them
        scatter.

    References
    ----------
    Zhang and Pless, "Extrinsic calibration of a camera and laser range finder", IROS 2004;
    Unnikrishnan and Hebert, "Fast extrinsic calibration of a laser rangefinder to a camera",
    CMU-RI-TR-05-09, 2005.
    """
    if alone is None:
        first = [part for one in seen if (part := _part(one, believed, np.zeros(3))) is not None]
        before_m = _median([part.off_m for part in first])
        found, parts, fitted = _settled(seen, believed, believed, None)
        # Not before: boards that are still to be laid on their planes do not scatter.
        scatter = _scatter(parts, fitted)
    else:
        found, before_m = believed, alone.before_m
        scatter = np.array([alone.scatter_m, alone.scatter_rad, alone.scatter_rad])
    found, parts, _ = _settled(seen, believed, found, scatter)
    return BoardFit(
        found,
        len(parts),
        sum(part.points for part in parts),
        before_m,
        _median([part.off_m for part in parts]),
        float(scatter[0]),
        float(scatter[1]),
    )


def _settled(
    seen: Sequence[BoardSeen],
    believed: Belief,
    here: Belief,
    scatter: NDArray[np.float64] | None,
) -> tuple[Belief, list["_Part"], float]:
    """Return where boards and belief hold a sensor, what each says there, and what boards hold.

    The last is how many of the numbers boards tell, in place of the belief. As long as it is
    not known how boards scatter, all count by how they contradict each other.
    """
    free = np.flatnonzero(np.diag(believed.covariance) > 0)
    known = np.zeros((7, 7))
    known[np.ix_(free, free)] = np.linalg.inv(believed.covariance[np.ix_(free, free)])
    for _ in range(_ROUNDS):
        more = np.zeros(3) if scatter is None else scatter
        parts = [part for one in seen if (part := _part(one, here, more)) is not None]
        weights = _weights(parts, alike=scatter is None)
        told = np.zeros((7, 7))
        pull = known @ here.change_to(believed)
        for weight, part in zip(weights, parts, strict=True):
            told += weight * part.bend
            pull -= weight * part.slope
        covariance = np.zeros((7, 7))
        covariance[np.ix_(free, free)] = np.linalg.inv((known + told)[np.ix_(free, free)])
        step = covariance @ pull
        here = replace(here.changed(step), covariance=covariance)
        if (np.abs(step[free]) < _SMALLEST_STEP * np.sqrt(np.diag(covariance)[free])).all():
            break
    return here, parts, float(np.trace(told @ covariance))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What one board says: derivatives of half its squared misfit, and that misfit.

    ``fitted`` is how its points lie to its plane: distance in its middle (m), and slopes; it
    would vary by ``variance`` if boards did not scatter.
    """

    slope: NDArray[np.float64]
    bend: NDArray[np.float64]
    squared: float
    fitted: NDArray[np.float64]
    variance: NDArray[np.float64]
    points: int
    off_m: float


def _part(seen: BoardSeen, here: Belief, scatter: NDArray[np.float64]) -> _Part | None:
    """Return what a board says at a place that is so certain; None with too few points on it."""
    plane, T = seen.plane, here.T_camera_sensor
    points = seen.points_at(here.late_ns)
    met = plane.met_by(points, T.inverse().matrix)
    points, on_board = points[met.inside], met.on_board[met.inside]
    normal, origin = plane.T_camera_board[:3, 2], plane.T_camera_board[:3, 3]
    turned = points @ T.rotation.T
    off = (turned + T.translation_m - origin) @ normal
    derived = np.empty((len(points), 7))
    derived[:, :3] = np.cross(turned, normal)
    derived[:, 3:6] = normal
    velocity = seen.twist[:3] + np.cross(seen.twist[3:], points)
    derived[:, SECONDS] = -(velocity @ T.rotation.T) @ normal
    spread = np.sqrt(np.einsum("ni,ij,nj->n", derived, here.covariance, derived))
    near = np.abs(off) < _GATE_SIGMAS * (spread + _USUAL_NOISE_M)
    if near.sum() < FEWEST_POINTS:
        return None
    off, derived = off[near], derived[near]
    middle = 0.5 * (plane.low_m + plane.high_m)
    shape = np.column_stack([np.ones(len(off)), on_board[near] - middle])
    fitted, kept, noise_m = _own_plane(shape, off)
    count = float(kept.sum())
    if count < FEWEST_POINTS:
        return None
    # Of points that err alike as many count as err for themselves. What errors of the board's
    # plane explain is taken out (Woodbury's identity).
    weight = kept / (noise_m**2 * max(seen.alike, 1.0))
    inner = shape.T @ (weight[:, None] * shape)
    about_middle = np.eye(3)
    about_middle[0, 1:] = middle
    corners = about_middle @ plane.covariance @ about_middle.T
    shared = np.linalg.inv(np.linalg.inv(corners + np.diag(scatter**2)) + inner)
    across = derived.T @ (weight[:, None] * shape)
    offs = shape.T @ (weight * off)
    slope = derived.T @ (weight * off) - across @ shared @ offs
    bend = derived.T @ (weight[:, None] * derived) - across @ shared @ across.T
    told = inner @ fitted
    squared = float(fitted @ told - told @ shared @ told)
    variance = np.diag(np.linalg.pinv(inner, rcond=1e-6, hermitian=True) + corners)
    return _Part(slope, bend, squared, fitted, variance, round(count), abs(float(np.median(off))))


def _own_plane(
    shape: NDArray[np.float64], off: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Fit the plane that most points lie on; return it, how much each counts, and their noise."""
    fitted = np.array([float(np.median(off)), 0.0, 0.0])
    kept, noise_m = np.ones(len(off)), _USUAL_NOISE_M
    for _ in range(_FITS):
        residual = off - shape @ fitted
        noise_m = max(_MAD * float(np.median(np.abs(residual))), _LEAST_NOISE_M)
        kept = np.square(np.maximum(1.0 - np.square(residual / (_TUKEY * noise_m)), 0.0))
        normal = shape.T @ (kept[:, None] * shape)
        fitted = np.linalg.pinv(normal, rcond=1e-6, hermitian=True) @ (shape.T @ (kept * off))
    return fitted, kept, noise_m


def _weights(parts: list[_Part], alike: bool) -> NDArray[np.float64]:
    """Return how much each board counts: one that is very odd beside the others counts less.

    ``alike``: all of them by what is spare, beyond the six numbers that they fit, too (Birge, "The
    calculation of errors by the method of least squares", Physical Review 1932).
    """
    if not parts:
        return np.empty(0)
    squared = np.array([part.squared for part in parts])
    usual = max(float(np.median(squared)), 3.0)
    weights = np.minimum(1.0, _ODD * np.sqrt(usual / np.maximum(squared, 1e-12)))
    spare = 3 * len(parts) - 6
    misfit = float(weights @ squared) / spare if alike and spare > 0 else 1.0
    return np.asarray(weights / max(misfit, 1.0))


def _scatter(parts: list[_Part], fitted: float) -> NDArray[np.float64]:
    """Return by how much boards are off beyond what is explained: distance (m), slopes (rad).

    What is left after some numbers were fitted to three of each board, by moments (DerSimonian and
    Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 1986); a very odd board
    counts less, as it does when the sensor is placed.
    """
    if len(parts) <= 2:
        return np.zeros(3)
    weights = np.square(_weights(parts, alike=False))
    lost = 3 * len(parts) / max(3 * len(parts) - fitted, 1.0)
    squared = lost * np.square([part.fitted for part in parts])
    more = weights @ (squared - [part.variance for part in parts]) / weights.sum()
    slopes = 0.5 * (more[1] + more[2])
    return np.asarray(np.sqrt(np.maximum(np.array([more[0], slopes, slopes]), 0.0)))


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else math.nan
