"""Track RGB-D frames against the volume.

Each frame starts where constant velocity (its rotation by the gyroscope, if there is one) and the
motion since the last keyframe put it, whichever fits the model better, and is then moved until
its points lie on the zero level of the signed distance field (and, where the surface lets it slide,
its picture on that of the keyframe), coarse to fine. No ray is cast.

References
----------
Bylow et al., "Real-time camera tracking and 3D reconstruction using signed distance functions",
2013; Canelhas, Stoyanov, Lilienthal, "SDF Tracker", 2013.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.config import TrackingSettings
from sensorfusion.depth_map import DepthMap
from sensorfusion.noise import DepthNoise
from sensorfusion.odometry.imu import GyroPrior, GyroRotation
from sensorfusion.odometry.keyframe import Keyframe, picture_misfit
from sensorfusion.odometry.pyramid import Level, build_pyramid
from sensorfusion.odometry.surface import Expected, better_start, refine
from sensorfusion.odometry.tracker import SignedDistanceBlocks, SurfaceFit, TrackingResult
from sensorfusion.transform import RigidTransform, rotation_from_vector

_SMALLEST_FILL = 0.005
# A frame this far from where it was expected must fit the keyframe's picture about as well as
# frames usually do: a surface alone may hold it at a wrong place.
_SURPRISE = (0.04, 0.035)
_WORSE, _WORSE_BY, _FORGETTING = 3.0, 0.3, 0.1
_KEYFRAME_AGREEMENT = 0.7
_KEYFRAME_ANGLE_RAD = 0.2
_KEYFRAME_DISTANCE_M = 0.2
# What a hand does between two frames that constant velocity does not foresee.
_VELOCITY_SIGMA_M, _VELOCITY_SIGMA_RAD = 0.02, 0.02
# So many points err alike as lie within this many correlation lengths of one another.
_ALIKE_WITHIN = 2.0
# What tracking against voxels errs systematically; measured on simulated rooms.
_BIAS_VOXELS = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A frame made ready for tracking; :func:`observe` makes it, in any thread.

    Attributes
    ----------
    timestamp_ns : int
    levels : tuple of Level
        The small pictures of the frame.
    fill : float
        Share of pixels with depth, 0 to 1.
    pixels_per_point : float
        Of the frame, in each point of the finest level.
    """

    timestamp_ns: int
    levels: tuple[Level, ...]
    fill: float
    pixels_per_point: float


def observe(depth: DepthMap, colors: NDArray[np.uint8] | None) -> Observation:
    """Make a frame ready for tracking.

    Parameters
    ----------
    depth : DepthMap
    colors : ndarray of uint8, shape (H, W, 4), or None
        Colour of each depth pixel, 255 in the last channel where it is known.
    """
    fill = np.count_nonzero(depth.metres) / depth.metres.size
    levels = build_pyramid(depth, colors)
    pixels_per_point = depth.metres.size / levels[-1].depth.size
    return Observation(depth.timestamp_ns, levels, fill, pixels_per_point)


class RgbdTracker:
    """Places one frame after the other in the world of the first.

    Parameters
    ----------
    settings : TrackingSettings
    T_world_camera : RigidTransform
        Where the first frame was.
    noise : DepthNoise
        Of the camera.
    gyro : GyroPrior, optional
        Turns of the camera, where the recording has an IMU.
    """

    def __init__(
        self,
        settings: TrackingSettings,
        T_world_camera: RigidTransform,
        noise: DepthNoise,
        gyro: GyroPrior | None = None,
    ) -> None:
        self._settings, self._noise, self._gyro = settings, noise, gyro
        self._target, self._source = T_world_camera.target, T_world_camera.source
        self._pose: NDArray[np.float64] = T_world_camera.matrix
        self._motion: NDArray[np.float64] = np.eye(4)
        self._seen = self._pose[:3, :3]
        # Of the pose: m and rad, world axes.
        self._covariance: NDArray[np.float64] = np.zeros((6, 6))
        self._timestamp_ns = 0
        self._keyframe: Keyframe | None = None
        self._is_lost = False
        self._misfit = _WORSE_BY

    def track(self, observation: Observation, model: SignedDistanceBlocks) -> TrackingResult:
        """Place a frame; the first one is placed where it was said to be.

        Parameters
        ----------
        observation : Observation
            The frame.
        model : SignedDistanceBlocks
            What has been fused so far.
        """
        keyframe = self._keyframe
        if keyframe is None:
            if observation.fill < _SMALLEST_FILL:
                return TrackingResult(
                    self._transform(self._pose), 0.0, 0.0, 0.0, "too little depth"
                )
            self._keyframe = Keyframe(observation.levels, self._pose)
            self._timestamp_ns = observation.timestamp_ns
            return TrackingResult(self._transform(self._pose), 1.0, 0.0, 1.0)
        turn = self._turn(observation.timestamp_ns)
        alike = self._points_alike(observation)
        expected = self._expected(turn, alike)
        start, agreed = better_start(observation.levels, expected.pose, keyframe, model)
        pose, fit = refine(observation.levels, start, model, keyframe, expected)
        result = self._judge(pose, fit)
        misfit = picture_misfit(keyframe, observation.levels, np.linalg.inv(pose) @ keyframe.pose)
        surprising = _is_far(np.linalg.inv(expected.pose) @ pose, *_SURPRISE)
        if not result.refused and surprising and misfit > self._largest_misfit():
            result = replace(
                result,
                T_world_camera=self._transform(self._pose),
                refused="the picture says otherwise than the surface",
            )
        self._is_lost = bool(result.refused)
        if result.refused:
            self._motion = np.eye(4)
            self._covariance += _velocity_covariance(_VELOCITY_SIGMA_RAD)
            return result
        if self._gyro:
            self._learn(self._gyro, pose, fit, observation.timestamp_ns)
        self._accept(result.T_world_camera.matrix, observation)
        self._misfit += _FORGETTING * (misfit - self._misfit)
        self._covariance = alike * _inverse(fit.matrix + expected.information)
        variance = float(np.trace(self._covariance[:3, :3])) / 3.0
        variance += (_BIAS_VOXELS * model.voxel_size_m) ** 2
        if agreed < _KEYFRAME_AGREEMENT or _is_far(np.linalg.inv(keyframe.pose) @ self._pose):
            self._keyframe = Keyframe(observation.levels, self._pose)
        return replace(result, sigma_m=float(np.sqrt(variance)))

    def _largest_misfit(self) -> float:
        """Return how far a frame may be from the keyframe's picture, as frames usually are."""
        return _WORSE * self._misfit + _WORSE_BY

    def _points_alike(self, observation: Observation) -> float:
        """Return how many neighbouring points share one error, at least 1."""
        pixels = np.pi * (_ALIKE_WITHIN * self._noise.correlation_px) ** 2
        return max(1.0, float(pixels) / observation.pixels_per_point)

    def _turn(self, timestamp_ns: int) -> GyroRotation | None:
        """Return how the camera turned since the last placed frame, if that is known."""
        return self._gyro.rotation(self._timestamp_ns, timestamp_ns) if self._gyro else None

    def _expected(self, turn: GyroRotation | None, alike: float) -> Expected:
        pose = self._pose @ self._motion
        sigma_rad = _VELOCITY_SIGMA_RAD
        if turn is not None:
            pose[:3, :3] = self._pose[:3, :3] @ turn.R_from_to
            sigma_rad = turn.sigma_rad
        change = _velocity_covariance(sigma_rad)
        return Expected(pose, alike * _inverse(self._covariance + change))

    def _learn(
        self, gyro: GyroPrior, pose: NDArray[np.float64], fit: SurfaceFit, timestamp_ns: int
    ) -> None:
        """Tell the gyroscope how the camera turned by what it saw alone."""
        seen = rotation_from_vector(fit.free_step[3:]) @ pose[:3, :3]
        gyro.learn(self._timestamp_ns, timestamp_ns, self._seen.T @ seen)
        self._seen = seen

    def _accept(self, pose: NDArray[np.float64], observation: Observation) -> None:
        self._motion = np.linalg.inv(self._pose) @ pose
        self._pose = pose
        self._timestamp_ns = observation.timestamp_ns

    def _judge(self, pose: NDArray[np.float64], fit: SurfaceFit) -> TrackingResult:
        settings = self._settings
        enough = settings.overlap_to_regain if self._is_lost else settings.smallest_overlap
        refused = ""
        if fit.points < 100:
            refused = "too little depth"
        elif fit.overlap < enough:
            refused = "overlap too small"
        elif fit.contradiction > settings.largest_contradiction:
            refused = "surface where the model has seen empty space"
        elif fit.residual_m > settings.largest_residual_m + fit.noise_m:
            refused = "residual too large"
        elif fit.conditioning < settings.smallest_conditioning:
            refused = "free to slide along the surface"
        elif _is_far(np.linalg.inv(self._pose) @ pose, settings.largest_jump_m, np.pi / 4):
            refused = "jump"
        transform = self._transform(self._pose if refused else pose)
        return TrackingResult(transform, fit.overlap, fit.residual_m, fit.conditioning, refused)

    def _transform(self, pose: NDArray[np.float64]) -> RigidTransform:
        return RigidTransform.nearest(self._target, self._source, pose)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _velocity_covariance(sigma_rad: float) -> NDArray[np.float64]:
    """Return how far a frame may lie from where constant velocity puts it, float64 (6, 6)."""
    return np.diag([_VELOCITY_SIGMA_M**2] * 3 + [sigma_rad**2] * 3)


def _is_far(
    motion: NDArray[np.float64],
    distance_m: float = _KEYFRAME_DISTANCE_M,
    angle_rad: float = _KEYFRAME_ANGLE_RAD,
) -> bool:
    cosine = np.clip((np.trace(motion[:3, :3]) - 1.0) / 2.0, -1.0, 1.0)
    return bool(np.linalg.norm(motion[:3, 3]) > distance_m or np.arccos(cosine) > angle_rad)
