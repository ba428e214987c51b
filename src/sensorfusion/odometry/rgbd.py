"""Track RGB-D frames against the volume.

Each frame starts where constant velocity and the motion since the last keyframe put it,
whichever fits the model better, and is then moved until its points lie on the zero level of the
signed distance field, coarse to fine. No ray is cast.

References
----------
Bylow et al., "Real-time camera tracking and 3D reconstruction using signed distance functions",
2013; Canelhas, Stoyanov, Lilienthal, "SDF Tracker", 2013.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import ray_table
from sensorfusion.config import TrackingSettings
from sensorfusion.depth_map import DepthMap
from sensorfusion.odometry import _kernels
from sensorfusion.odometry.keyframe import Level, build_pyramid, motion_between
from sensorfusion.odometry.tracker import (
    NormalEquations,
    SignedDistanceBlocks,
    TrackingResult,
    step_matrix,
)
from sensorfusion.transform import RigidTransform

_SAMPLES_WIDE = (53, 107, 160)
_STEPS = (4, 4, 3)
_SMALLEST_STEP = 1e-4  # metres and radians
_HUBER = (6.0, 3.0, 2.0)
_NOISE_M = 0.002
_SMALLEST_FILL = 0.005
_KEYFRAME_AGREEMENT = 0.7
_KEYFRAME_ANGLE_RAD = 0.2
_KEYFRAME_DISTANCE_M = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A frame made ready for tracking; :func:`observe` makes it, in any thread.

    Attributes
    ----------
    depth : DepthMap
    levels : tuple of Level
        The small pictures of the frame.
    """

    depth: DepthMap
    levels: tuple[Level, ...]


def observe(depth: DepthMap, colors: NDArray[np.uint8] | None) -> Observation:
    """Make a frame ready for tracking.

    Parameters
    ----------
    depth : DepthMap
    colors : ndarray of uint8, shape (H, W, 4), or None
        Colour of each depth pixel, 255 in the last channel where it is known.
    """
    return Observation(depth, build_pyramid(depth, colors))


@dataclass(frozen=True, slots=True, eq=False)
class _Keyframe:
    levels: tuple[Level, ...]
    pose: NDArray[np.float64]


class RgbdTracker:
    """Places one frame after the other in the world of the first.

    Parameters
    ----------
    settings : TrackingSettings
    T_world_camera : RigidTransform
        Where the first frame was.
    """

    def __init__(self, settings: TrackingSettings, T_world_camera: RigidTransform) -> None:
        self._settings = settings
        self._target, self._source = T_world_camera.target, T_world_camera.source
        self._pose: NDArray[np.float64] = T_world_camera.matrix
        self._motion = np.eye(4)
        self._keyframe: _Keyframe | None = None
        self._is_lost = False

    def track(self, observation: Observation, model: SignedDistanceBlocks) -> TrackingResult:
        """Place a frame; the first one is placed where it was said to be.

        Parameters
        ----------
        observation : Observation
            The frame.
        model : SignedDistanceBlocks
            What has been fused so far.
        """
        depth, levels = observation.depth, observation.levels
        if self._keyframe is None:
            if np.count_nonzero(depth.metres) < _SMALLEST_FILL * depth.metres.size:
                return TrackingResult(
                    self._transform(self._pose), 0.0, 0.0, 0.0, "too little depth"
                )
            self._keyframe = _Keyframe(levels, self._pose)
            return TrackingResult(self._transform(self._pose), 1.0, 0.0, 1.0)
        start, agreed = self._start(depth, levels, self._keyframe, model)
        pose, equations = _refine(depth, start, model)
        result = self._judge(depth, pose, equations)
        self._is_lost = bool(result.refused)
        if result.refused:
            self._motion = np.eye(4)
            return result
        self._motion = np.linalg.inv(self._pose) @ pose
        self._pose = result.T_world_camera.matrix
        if agreed < _KEYFRAME_AGREEMENT or _is_far(np.linalg.inv(self._keyframe.pose) @ pose):
            self._keyframe = _Keyframe(levels, self._pose)
        return result

    def _start(
        self,
        depth: DepthMap,
        levels: tuple[Level, ...],
        keyframe: _Keyframe,
        model: SignedDistanceBlocks,
    ) -> tuple[NDArray[np.float64], float]:
        """Return the better of the two first guesses, and the agreement with the keyframe."""
        predicted = self._pose @ self._motion
        guess = np.linalg.inv(predicted) @ keyframe.pose
        motion, agreed = motion_between(keyframe.levels, levels, guess)
        aligned = keyframe.pose @ np.linalg.inv(motion)
        candidates = (predicted, aligned)
        misfits = [_misfit(_equations(depth, pose, model, 0)) for pose in candidates]
        return candidates[int(np.argmin(misfits))], agreed

    def _judge(
        self, depth: DepthMap, pose: NDArray[np.float64], equations: NormalEquations
    ) -> TrackingResult:
        settings = self._settings
        enough = settings.overlap_to_regain if self._is_lost else settings.smallest_overlap
        # At 1 m the noise model's standard deviation is 2 c.
        residual_m = float(2.0 * _NOISE_M * np.sqrt(equations.cost))
        conditioning = _conditioning(equations, depth)
        refused = ""
        if equations.pixels < 100:
            refused = "too little depth"
        elif equations.overlap < enough:
            refused = "overlap too small"
        elif equations.contradiction > settings.largest_contradiction:
            refused = "surface where the model has seen empty space"
        elif residual_m > settings.largest_residual_m:
            refused = "residual too large"
        elif conditioning < settings.smallest_conditioning:
            refused = "free to slide along the surface"
        elif _is_far(np.linalg.inv(self._pose) @ pose, settings.largest_jump_m, np.pi / 4):
            refused = "jump"
        transform = self._transform(self._pose if refused else pose)
        return TrackingResult(transform, equations.overlap, residual_m, conditioning, refused)

    def _transform(self, pose: NDArray[np.float64]) -> RigidTransform:
        return RigidTransform.nearest(self._target, self._source, pose)


def _equations(
    depth: DepthMap, pose: NDArray[np.float64], model: SignedDistanceBlocks, level: int
) -> NormalEquations:
    sums = _kernels.distance_equations(
        depth.metres,
        ray_table(depth.camera),
        max(1, depth.camera.width // _SAMPLES_WIDE[level]),
        pose,
        model.keys,
        model.indices,
        model.tsdf,
        model.weight,
        np.array([model.voxel_size_m, model.truncation_m, _HUBER[level], _NOISE_M]),
    )
    return NormalEquations.from_sums(sums)


def _refine(
    depth: DepthMap, pose: NDArray[np.float64], model: SignedDistanceBlocks
) -> tuple[NDArray[np.float64], NormalEquations]:
    """Move a frame onto the zero level, coarse to fine; return how it lies there, too."""
    finest = len(_STEPS) - 1
    for level, steps in enumerate(_STEPS):
        for _ in range(steps):
            equations = _equations(depth, pose, model, level)
            step = equations.step()
            if step is None:
                return pose, equations
            pose = step_matrix(step, pose[:3, 3]) @ pose
            if np.abs(step).max() < _SMALLEST_STEP:
                if level == finest:
                    return pose, equations
                break
    return pose, _equations(depth, pose, model, finest)


def _misfit(equations: NormalEquations) -> float:
    """Return a cost that a pose cannot lower by moving its pixels off the model."""
    if not equations.pixels or not equations.hits:
        return float(np.inf)
    outside = 2.0 * _HUBER[0] ** 2
    missed = equations.misplaced
    return (
        (min(equations.cost, outside) * equations.hits + outside * missed)
        / (equations.hits + missed)
        / (0.1 + equations.overlap)
    )


def _conditioning(equations: NormalEquations, depth: DepthMap) -> float:
    """Return the smallest eigenvalue of J^T J per unit of weight, rotations scaled to metres."""
    trace = float(np.trace(equations.matrix[:3, :3]))
    if not trace > 0:
        return 0.0
    metres = depth.metres[:: max(1, depth.camera.height // 60), :: max(1, depth.camera.width // 80)]
    scale_m = float(np.median(metres[metres > 0])) if (metres > 0).any() else 1.0
    scaling = np.array([1.0, 1.0, 1.0, scale_m, scale_m, scale_m])
    scaled = equations.matrix / np.outer(scaling, scaling) / trace
    return float(np.linalg.eigvalsh(scaled)[0])


def _is_far(
    motion: NDArray[np.float64],
    distance_m: float = _KEYFRAME_DISTANCE_M,
    angle_rad: float = _KEYFRAME_ANGLE_RAD,
) -> bool:
    cosine = np.clip((np.trace(motion[:3, :3]) - 1.0) / 2.0, -1.0, 1.0)
    return bool(np.linalg.norm(motion[:3, 3]) > distance_m or np.arccos(cosine) > angle_rad)
