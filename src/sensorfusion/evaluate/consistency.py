"""Whether depth means the same metres in every frame.

Depth of one frame, moved into a later one by the poses, is compared with what was measured
there. Measured sensors agree over time; a monocular network, whose scale jumps from frame to
frame, does not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import nearest_pixels, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import EvaluationError
from sensorfusion.transform import RigidTransform

_FRAMES_APART = 10
_PIXELS_WIDE = 80
_FEWEST_POINTS = 100
_MAD_TO_SIGMA = 1.4826


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
    """Compares every tenth frame with the one ten frames before, as frames come by."""

    def __init__(self) -> None:
        self._count = 0
        self._before: tuple[DepthMap, RigidTransform] | None = None
        self._medians: list[float] = []

    def add(self, depth: DepthMap, T_world_camera: RigidTransform) -> None:
        """Take a frame and where it was."""
        self._count += 1
        if self._count % _FRAMES_APART != 1:
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
            If no two frames ten apart saw the same surface.
        """
        if not self._medians:
            msg = (
                f"no two of {self._count} frames, {_FRAMES_APART} apart, saw the same surface; "
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
        Metres.
    T_now_before : RigidTransform
        Takes the camera coordinates of ``before`` to those of ``now``.

    Returns
    -------
    ndarray of float64, shape (N,)
        log(moved depth / measured depth) of up to some thousand points that both frames saw.
    """
    step = max(1, before.camera.width // _PIXELS_WIDE)
    metres = before.metres[::step, ::step].astype(np.float64)
    rays = ray_table(before.camera)[::step, ::step].astype(np.float64)
    there = metres > 0
    points = T_now_before.apply(np.insert(rays[there], 2, 1.0, axis=-1) * metres[there][:, None])
    points = points[points[:, 2] > 0]
    pixels = nearest_pixels(now.camera, points[:, :2] / points[:, 2:])
    seen = pixels >= 0
    measured = now.metres.ravel()[pixels[seen]]
    both = measured > 0
    return np.asarray(np.log(points[seen, 2][both] / measured[both]))
