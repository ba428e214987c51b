"""How well edges that a sensor measured lie on edges of pictures, and where they lie best."""

import math
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration import _edge_kernels
from sensorfusion.calibration.edge_observation import MovedEdges, Observed
from sensorfusion.calibration.left_out import covariance_by_leaving_out, larger_covariance
from sensorfusion.calibration.picture_edges import edge_field
from sensorfusion.transform import RigidTransform, rotation_from_vector

SECONDS: Final = 6
"""Place of the time offset among the seven numbers of a change: behind turn and way."""
_TILES = (6, 2)
# An edge between two neighbours is placed with a common error of this share of their spacing.
_COMMON = 0.05
_SMALLEST_STEP_PX, _MOST_STEPS = 0.02, 30


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Score and derivatives for one place of the sensor.

    Attributes
    ----------
    scores : ndarray of float64, shape (B,)
        Of each block of points that see the same things.
    slopes : ndarray of float64, shape (B, 7)
        After turn (rad), way (m) and lateness of the pictures (s).
    bend : ndarray of float64, shape (7, 7)
    motion : ndarray of float64, shape (7, 7)
        Mean product of how a unit of each moves points in the picture, square pixels.
    count : int
        Points within their pictures.
    """

    scores: NDArray[np.float64]
    slopes: NDArray[np.float64]
    bend: NDArray[np.float64]
    motion: NDArray[np.float64]
    count: int

    @property
    def motion_px(self) -> NDArray[np.float64]:
        """Return how far a unit of each moves points in the picture, rms, at least 1e-9 pixels."""
        return np.sqrt(np.maximum(np.diag(self.motion), 1e-18))


class EdgeAlignment:
    """Lays edge points on pictures, at one bluntness of the pictures' edges.

    A change is seven numbers: a turn of the sensor about the camera's axes (rotation vector,
    radians), its way along them (metres), and how much later than stamped pictures were taken
    (seconds).

    Parameters
    ----------
    observed : Observed
    edges : MovedEdges
    sigma_px : float
        Of the fields of the pictures' edges.
    prior : ndarray of float64, shape (7,)
        How far each number may be from 0, one standard deviation; 0 holds it at 0.
    """

    def __init__(
        self,
        observed: Observed,
        edges: MovedEdges,
        sigma_px: float,
        prior: NDArray[np.float64],
    ) -> None:
        camera = observed.camera
        self.sigma_px = max(sigma_px, 1.0)
        self._observed, self._edges, self._prior = observed, edges, prior
        self._free = np.flatnonzero(prior > 0)
        self._pinhole = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        # One of these for all places and points: they are the largest and the slowest to make.
        self._fields = np.stack([edge_field(one, self.sigma_px) for one in observed.strengths])
        self._blocks, self._block_count = _blocks(observed, edges)

    def of(self, edges: MovedEdges) -> "EdgeAlignment":
        """Return the same with other points of the same frames."""
        other = copy(self)
        other._edges = edges
        other._blocks, other._block_count = _blocks(self._observed, edges)
        return other

    def about(self, T_camera_sensor: RigidTransform) -> "EdgeAlignment":
        """Return the same with changes counted from another transform."""
        other = copy(self)
        other._observed = replace(self._observed, T_camera_sensor=T_camera_sensor)
        other._blocks, other._block_count = _blocks(other._observed, self._edges)
        return other

    def transform(self, change: NDArray[np.float64]) -> RigidTransform:
        """Return ``T_camera_sensor`` after a change."""
        return changed_transform(self._observed.T_camera_sensor, change)

    def sums(self, change: NDArray[np.float64], derive: bool = True) -> Sums:
        """Return score and derivatives after a change; zeros for these if not asked for."""
        edges, blocks = self._edges, self._block_count
        made = Sums(np.empty(blocks), np.empty((blocks, 7)), np.empty((7, 7)), np.empty((7, 7)), 0)
        count = _edge_kernels.lay_on(
            edges.points,
            edges.kinds,
            edges.frames,
            self._blocks,
            self._fields,
            edges.twists,
            self.transform(change).matrix,
            float(change[SECONDS]),
            self._pinhole,
            derive,
            made.scores,
            made.slopes,
            made.bend,
            made.motion,
        )
        return Sums(made.scores, made.slopes, made.bend, made.motion, count)

    def climb(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the change near a given one at which edges lie best on edges.

        Newton's method; directions in which the score does not bend are held by the prior.
        """
        change = change.copy()
        here = self.sums(change)
        weight = self._weight_of_prior(here)
        merit = self._merit(here, change, weight)
        for _ in range(_MOST_STEPS):
            step, length_px = self._step(here, change, weight)
            share = 1.0
            while share > 0.1:
                there = change + share * step
                sums = self.sums(there)
                new = self._merit(sums, there, weight)
                if new > merit - 1e-4 * abs(merit):
                    break
                share /= 2
            else:
                return change
            change, here, merit = there, sums, new
            if share * length_px < _SMALLEST_STEP_PX:
                return change
        return change

    def covariance(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance of a change at which the score is highest, (7, 7).

        From how differently blocks of points pull (a sandwich, the infinitesimal jackknife), the
        prior, and a common error of a twentieth of the sensor's spacing, which no number of
        points takes away. Where there are several scenes, it is at least by how much the place
        moves when each is left out: a flat or double peak moves farther than its bend says.

        References
        ----------
        Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", 1967.
        """
        here = self.sums(change)
        free, scale = self._free, here.motion_px[self._free]
        weight = self._weight_of_prior(here)
        own = np.diag(weight / (self._prior[free] * scale) ** 2)
        pull = self._pull(here)[np.ix_(free, free)] / np.outer(scale, scale)
        bend = -here.bend[np.ix_(free, free)] / np.outer(scale, scale)
        values, vectors = np.linalg.eigh(bend + own)
        values = np.maximum(values, np.diag(own).min())
        inverse = vectors @ np.diag(1.0 / values) @ vectors.T
        found = inverse @ (pull + weight * own) @ inverse
        found += np.eye(len(free)) * (_COMMON * self._spacing_px()) ** 2
        found /= np.outer(scale, scale)
        without = covariance_by_leaving_out(
            lambda rows: self.of(self._edges.chosen(rows)).climb(change)[free],
            self._observed.scenes[self._edges.frames],
        )
        covariance = np.zeros((7, 7))
        covariance[np.ix_(free, free)] = (
            found if without is None else larger_covariance(found, without)
        )
        return covariance

    def _spacing_px(self) -> float:
        return max(self._observed.spacing_rad * self._observed.camera.fx, 1.0)

    def _merit(self, sums: Sums, change: NDArray[np.float64], weight: float) -> float:
        off = change[self._free] / self._prior[self._free]
        return float(sums.scores.sum() - 0.5 * weight * off @ off)

    def _step(
        self, here: Sums, change: NDArray[np.float64], weight: float
    ) -> tuple[NDArray[np.float64], float]:
        """Return a step of at most one sigma in the picture, and its length there, pixels."""
        free, scale = self._free, here.motion_px[self._free]
        own = weight / self._prior[free] ** 2
        slope = (here.slopes.sum(axis=0)[free] - own * change[free]) / scale
        bend = (np.diag(own) - here.bend[np.ix_(free, free)]) / np.outer(scale, scale)
        values, vectors = np.linalg.eigh(bend)
        size = np.abs(values)
        step = vectors @ ((vectors.T @ slope) / np.maximum(size, 1e-3 * size.max() + 1e-12))
        length_px = float(np.linalg.norm(step))
        step *= min(1.0, self.sigma_px / max(length_px, 1e-12))
        whole = np.zeros(7)
        whole[free] = step / scale
        return whole, min(length_px, self.sigma_px)

    def _pull(self, here: Sums) -> NDArray[np.float64]:
        """Return the covariance of the sum of the blocks' slopes, (7, 7)."""
        used = here.slopes[here.scores != 0]
        off = used - used.mean(axis=0) if len(used) else used
        return np.asarray(off.T @ off * len(used) / max(len(used) - 1, 1))

    def _weight_of_prior(self, here: Sums) -> float:
        """Return what one unit of log likelihood is in units of the score.

        A sum whose slope spreads as much as it bends is a log likelihood; ours is one but for
        a factor.
        """
        free, scale = self._free, here.motion_px[self._free]
        pull = np.diag(self._pull(here))[free] / scale**2
        bend = np.abs(np.diag(here.bend)[free]) / scale**2
        return max(float(pull.sum() / max(bend.sum(), 1e-12)), 1e-9)


def changed_transform(
    T_camera_sensor: RigidTransform, change: NDArray[np.float64]
) -> RigidTransform:
    """Return a transform turned about the camera's axes through its sensor, and moved.

    Parameters
    ----------
    T_camera_sensor : RigidTransform
    change : ndarray of float64, shape (7,)
        Rotation vector (rad) and way (m) in camera coordinates; the rest is not looked at.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(change[:3]) @ T_camera_sensor.rotation
    matrix[:3, 3] = T_camera_sensor.translation_m + change[3:6]
    return RigidTransform.nearest(T_camera_sensor.target, T_camera_sensor.source, matrix)


def change_between(before: RigidTransform, after: RigidTransform) -> NDArray[np.float64]:
    """Return turn (rad) and way (m) that lead from one transform to another, float64 (6,)."""
    turn = after.rotation @ before.rotation.T
    around = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    sine = float(np.linalg.norm(around)) / 2
    angle_rad = math.atan2(sine, (float(np.trace(turn)) - 1) / 2)
    axis = around / (2 * sine) if sine > 1e-12 else np.zeros(3)
    return np.concatenate([axis * angle_rad, after.translation_m - before.translation_m])


def _blocks(observed: Observed, edges: MovedEdges) -> tuple[NDArray[np.int64], int]:
    """Return the block of each point: a part of the pictures of one scene."""
    camera = observed.camera
    in_camera = observed.T_camera_sensor.apply(edges.points)
    z = np.maximum(in_camera[:, 2], 1e-3)
    across = (camera.fx * in_camera[:, 0] / z + camera.cx) / camera.width
    down = (camera.fy * in_camera[:, 1] / z + camera.cy) / camera.height
    wide, high = _TILES
    column = np.clip(across * wide, 0, wide - 1).astype(np.int64)
    row = np.clip(down * high, 0, high - 1).astype(np.int64)
    blocks = (observed.scenes[edges.frames] * high + row) * wide + column
    _, numbered = np.unique(blocks, return_inverse=True)
    return numbered.astype(np.int64), int(numbered.max(initial=0)) + 1
