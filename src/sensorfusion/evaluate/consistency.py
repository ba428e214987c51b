"""Whether depth means the same metres in every frame.

Depth of one frame, moved into a later one by the poses, is compared with what was measured
there. Measured sensors agree over time; a monocular network, whose scale jumps from frame to
frame, does not.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import nearest_pixels, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import EvaluationError
from sensorfusion.transform import RigidTransform

FRAMES_APART: Final = 10
"""Frames between two that are compared: a third of a second of a camera."""
SCANS_APART: Final = 3
"""The same of a LiDAR, which turns ten times a second."""
_PIXELS_WIDE = 80
_FEWEST_POINTS = 100
_MAD_TO_SIGMA = 1.4826
# Four pixels around a place are of one surface if none is so many times as far as another.
_LARGEST_STEP = 1.1


@dataclass(frozen=True, slots=True)
class Consistency:
    """How depth agrees with itself over time.

    Attributes
    ----------
    median_log_ratio : float
        Median over the pairs of frames of log(moved depth / measured depth); 0.01 is about 1 %.
    spread_log_ratio : float
        Robust standard deviation (1.4826 times the median absolute deviation) of the pairs'
        medians: how much the scale jumps.
    pairs : int
        Pairs of frames that were compared.
    """

    median_log_ratio: float
    spread_log_ratio: float
    pairs: int


class ConsistencyCheck:
    """Compares every tenth frame with the one ten frames before, as frames come by.

    Parameters
    ----------
    frames_apart : int
        In place of ten.
    """

    def __init__(self, frames_apart: int = FRAMES_APART) -> None:
        self._apart = frames_apart
        self._count = 0
        self._before: tuple[DepthMap, RigidTransform] | None = None
        self._medians: list[float] = []

    def add(self, depth: DepthMap, T_world_camera: RigidTransform) -> None:
        """Take a frame and where it was."""
        self._count += 1
        if self._count % self._apart != 1:
            return
        if self._before is not None:
            depth_before, T_world_before = self._before
            T_camera_before = T_world_camera.inverse() @ T_world_before
            ratios = log_ratios(depth_before, depth, T_camera_before)
            if ratios.size >= _FEWEST_POINTS:
                self._medians.append(float(np.median(ratios)))
        self._before = (depth, T_world_camera)

    @property
    def pairs(self) -> int:
        """Return how many pairs of frames have been compared."""
        return len(self._medians)

    def result(self) -> Consistency:
        """Return what all pairs say.

        Raises
        ------
        EvaluationError
            If no two frames so far apart saw the same surface.
        """
        if not self._medians:
            msg = (
                f"no two of {self._count} frames, {self._apart} apart, saw the same surface; "
                "a longer recording or other poses are needed"
            )
            raise EvaluationError(msg)
        median = float(np.median(self._medians))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(np.array(self._medians) - median)))
        return Consistency(median, spread, len(self._medians))


def log_ratios(
    before: DepthMap, now: DepthMap, T_now_before: RigidTransform
) -> NDArray[np.float64]:
    """Compare depth moved from one frame with depth measured in another.

    What is hidden in one of the two frames gives wild ratios: take the median.

    Parameters
    ----------
    before, now : DepthMap
        Metres along z, or range where both cameras are spherical. There the rows are rings, far
        apart on slanted ground: measured range is interpolated between them, and left out where
        the four pixels around differ by more than a tenth.
    T_now_before : RigidTransform
        Takes the camera coordinates of ``before`` to those of ``now``.

    Returns
    -------
    ndarray of float64, shape (N,)
        log(moved depth / measured depth) of up to some thousand points that both frames saw.
    """
    points = T_now_before.apply(_points(before))
    if now.camera.is_spherical:
        moved, measured = np.linalg.norm(points, axis=-1), _between_pixels(now, points)
    else:
        points = points[points[:, 2] > 0]
        moved, measured = points[:, 2], _nearest(now, points)
    both = measured > 0
    return np.asarray(np.log(moved[both] / measured[both]))


def _points(depth: DepthMap) -> NDArray[np.float64]:
    """Return some of the points that a frame saw, float64 (N, 3), metres in its camera."""
    camera = depth.camera
    step = max(1, camera.width // _PIXELS_WIDE)
    # A LiDAR's rings are few: all of them count.
    rows = 1 if camera.is_spherical else step
    metres = depth.metres[::rows, ::step].astype(np.float64)
    there = metres > 0
    if camera.is_spherical:
        v, u = np.nonzero(there)
        rays = camera.directions(np.stack([u * step, v], axis=-1))
    else:
        rays = np.insert(ray_table(camera)[::step, ::step].astype(np.float64)[there], 2, 1.0, -1)
    return np.asarray(rays * metres[there][:, None])


def _nearest(depth: DepthMap, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the pixel that sees each point measured, metres; 0 where there is none."""
    pixels = nearest_pixels(depth.camera, points[:, :2] / points[:, 2:])
    return np.where(pixels >= 0, depth.metres.ravel()[pixels], 0.0).astype(np.float64)


def _between_pixels(depth: DepthMap, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return range where a spherical camera sees points, metres; 0 where it cannot be told."""
    camera = depth.camera
    u, v = camera.project(points).T
    left, top = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    # Between the last column and the first lies a gap like any other, of a full turn.
    turn = round(2 * np.pi * camera.fx) == camera.width
    columns = camera.width if turn else camera.width - 1
    inside = (top >= 0) & (top < camera.height - 1) & (left >= -turn) & (left < columns)
    left, top = np.where(inside, left, 0), np.where(inside, top, 0)
    right = (left + 1) % camera.width
    corners = np.stack(
        [depth.metres[row, column] for row in (top, top + 1) for column in (left, right)], axis=-1
    ).astype(np.float64)
    nearest, farthest = corners.min(axis=-1), corners.max(axis=-1)
    smooth = inside & (nearest > 0) & (farthest < _LARGEST_STEP * nearest)
    across, down = u - np.floor(u), v - np.floor(v)
    weights = np.stack([y * x for y in (1 - down, down) for x in (1 - across, across)], axis=-1)
    # Planes are straight in inverse range.
    inverse = (weights[smooth] / corners[smooth]).sum(axis=-1)
    measured = np.zeros(len(points))
    measured[smooth] = 1.0 / inverse
    return measured
