"""Search for the place of a sensor at which its edges lie on those of pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.edge_alignment import SECONDS, EdgeAlignment
from sensorfusion.calibration.edge_observation import MovedEdges, Observed
from sensorfusion.transform import RigidTransform

LEVELS_RAD: Final = tuple(map(math.radians, (0.6, 0.3, 0.15)))
"""How blunt the pictures' edges are made, coarse to fine."""
_GRID_STEP_RAD = math.radians(0.4)
_ROLL_STEP_RAD = math.radians(1.0)
_GRID_STEPS = (5, 5, 2)
_BEST_OF_GRID = 6
_GRID_POINTS, _CLIMBING_POINTS = 3000, 10_000
_LEAST_POINTS = 100
_BY_CHANCE, _FARTHEST_RAD = 60, (math.radians(5.0), math.radians(12.0))
_SEED = 3
# Points so far outside the picture, in its widths, may come into it.
_MARGIN = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The place near a transform at which edges lie best.

    Attributes
    ----------
    T_camera_sensor : RigidTransform
        Where the search began, from which the change counts.
    change : ndarray of float64, shape (7,)
        As :class:`~sensorfusion.calibration.edge_alignment.EdgeAlignment` has it.
    agreement : float
        Score divided by the square root of the points in pictures.
    points : int
        That lie in pictures there.
    """

    T_camera_sensor: RigidTransform
    change: NDArray[np.float64]
    agreement: float
    points: int


class EdgeSearch:
    """Finds peaks of the agreement; the fields of the pictures are made once.

    Parameters
    ----------
    observed : Observed
    prior : ndarray of float64, shape (7,)
        How far a transform may be off; see :func:`usual_prior`.
    """

    def __init__(self, observed: Observed, prior: NDArray[np.float64]) -> None:
        self._camera, self._edges = observed.camera, observed.edges_at(0)
        focal_px = observed.camera.fx
        self._levels = [
            EdgeAlignment(observed, self._edges, level * focal_px, prior) for level in LEVELS_RAD
        ]

    def near(self, T_camera_sensor: RigidTransform) -> Peak | None:
        """Return the peak of some points that is reached from a transform.

        None where hardly a point would lie in a picture.
        """
        return self._highest(T_camera_sensor, [])

    def around(self, T_camera_sensor: RigidTransform) -> Peak | None:
        """Return the highest peak of some points within two degrees of a transform.

        None where hardly a point would lie in a picture.
        """
        return self._highest(T_camera_sensor, self._best_of_grid(T_camera_sensor))

    def refined(self, peak: Peak) -> tuple[Peak, EdgeAlignment]:
        """Return a peak of all points in place of some, and what tells how sharp it is."""
        finest = self._finest(peak.T_camera_sensor)
        change = finest.climb(peak.change)
        return Peak(peak.T_camera_sensor, change, *_agreement(finest, change)), finest

    def by_chance(self, T_camera_sensor: RigidTransform) -> tuple[float, float]:
        """Return mean and standard deviation of the agreement 5 to 12 degrees beside."""
        rng = np.random.default_rng(_SEED)
        here = self._finest(T_camera_sensor)
        found = []
        for _ in range(_BY_CHANCE):
            axis = rng.standard_normal(3)
            change = np.zeros(7)
            change[:3] = axis * rng.uniform(*_FARTHEST_RAD) / np.linalg.norm(axis)
            found.append(_agreement(here, change)[0])
        return float(np.mean(found)), float(np.std(found))

    def profile(
        self, T_camera_sensor: RigidTransform, changes: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, float]:
        """Return the agreement after each of some changes."""
        here = self._finest(T_camera_sensor)
        return {name: _agreement(here, change)[0] for name, change in changes.items()}

    def _highest(
        self, T_camera_sensor: RigidTransform, starts: list[NDArray[np.float64]]
    ) -> Peak | None:
        seen = self._in_view(T_camera_sensor)
        if len(seen.points) < _LEAST_POINTS:
            return None
        few = _some(seen, _CLIMBING_POINTS)
        levels = [level.of(few).about(T_camera_sensor) for level in self._levels]
        reached = []
        # Blunt edges of one picture can lead away from a place that is all but right.
        own = [(np.zeros(7), first) for first in range(len(levels))]
        for start, first in (*own, *((turn, 1) for turn in starts)):
            change = start
            for level in levels[first:]:
                change = level.climb(change)
            reached.append(Peak(T_camera_sensor, change, *_agreement(levels[-1], change)))
        return max(reached, key=lambda peak: peak.agreement)

    def _best_of_grid(self, T_camera_sensor: RigidTransform) -> list[NDArray[np.float64]]:
        """Return turns of a grid at which blunt edges agree best, none beside another."""
        few = _some(self._in_view(T_camera_sensor), _GRID_POINTS)
        if not len(few.points):
            return []
        grid = self._levels[1].of(few).about(T_camera_sensor)
        steps = (range(-most, most + 1) for most in _GRID_STEPS)
        turns = np.zeros((math.prod(2 * most + 1 for most in _GRID_STEPS), 7))
        turns[:, :3] = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
        turns[:, :3] *= (_GRID_STEP_RAD, _GRID_STEP_RAD, _ROLL_STEP_RAD)
        scores = np.array([grid.sums(turn, derive=False).scores.sum() for turn in turns])
        best: list[NDArray[np.float64]] = []
        for index in np.argsort(-scores, kind="stable"):
            turn = turns[index]
            if all(np.abs(turn[:2] - other[:2]).max() > 1.5 * _GRID_STEP_RAD for other in best):
                best.append(turn)
            if len(best) == _BEST_OF_GRID:
                break
        return best

    def _finest(self, T_camera_sensor: RigidTransform) -> EdgeAlignment:
        return self._levels[-1].of(self._in_view(T_camera_sensor)).about(T_camera_sensor)

    def _in_view(self, T_camera_sensor: RigidTransform) -> MovedEdges:
        """Return the points that a camera there may see, with some margin."""
        camera = self._camera
        x, y, z = T_camera_sensor.apply(self._edges.points).T
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
            across = np.abs(u / camera.width - 0.5) < 0.5 + _MARGIN
            down = np.abs(v / camera.height - 0.5) < 0.5 + _MARGIN * camera.width / camera.height
        return self._edges.chosen(np.flatnonzero((z > 0) & across & down))


def usual_prior(observed: Observed, way_m: float, late_s: float) -> NDArray[np.float64]:
    """Return how far a transform may be off: 2 degrees, and time only of a sensor that moves.

    Parameters
    ----------
    observed : Observed
    way_m, late_s : float
        Standard deviations of the translation's parts and of the time offset.

    Returns
    -------
    ndarray of float64, shape (7,)
    """
    prior = np.full(7, math.radians(2.0))
    prior[3:6] = way_m
    prior[SECONDS] = late_s if observed.moves else 0.0
    return prior


def _agreement(alignment: EdgeAlignment, change: NDArray[np.float64]) -> tuple[float, int]:
    sums = alignment.sums(change, derive=False)
    return float(sums.scores.sum()) / math.sqrt(max(sums.count, 1)), sums.count


def _some(edges: MovedEdges, most: int) -> MovedEdges:
    """Return at most so many points, evenly chosen."""
    every = -(-len(edges.points) // most)
    return edges if every <= 1 else edges.chosen(np.arange(0, len(edges.points), every))
