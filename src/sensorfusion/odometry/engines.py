"""Engines that find out where scans were taken: ours, and two of other packages."""

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.config import LidarEngine
from sensorfusion.errors import ConfigError
from sensorfusion.odometry import _scan_kernels
from sensorfusion.odometry._screw_kernels import between, exponential, logarithm
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.odometry.lidar import PlaneTracker
from sensorfusion.odometry.scan import (
    PreparedScan,
    ScanMotion,
    ScanResult,
    ScanScale,
    ScanTracker,
)
from sensorfusion.transform import RigidTransform

_FEWEST_POINTS = 100
_JUMP_EDGES = 3.0
_JUMP_RAD = np.deg2rad(30.0)
_LEAF_EDGES, _SPACING_EDGES, _NEIGHBOURS = 1.5, 0.3, 10


def scan_tracker(
    engine: LidarEngine,
    scale: ScanScale,
    T_world_first: RigidTransform,
    gyro: GyroPrior | None = None,
) -> ScanTracker:
    """Return the tracker of an engine.

    Parameters
    ----------
    engine : {"plane", "kiss", "small_gicp"}
        ``plane`` is ours; the others come with the extra ``lidar``, use no gyroscope, and say
        less about how well a scan was placed.
    scale : ScanScale
    T_world_first : RigidTransform
        Where the first scan was taken, at its time stamp.
    gyro : GyroPrior, optional

    Raises
    ------
    ConfigError
        If the engine's package is not installed.
    """
    if engine == "kiss":
        return _KissTracker(scale, T_world_first)
    if engine == "small_gicp":
        return _SmallGicpTracker(scale, T_world_first)
    return PlaneTracker(scale, T_world_first, gyro)


def _imported(name: str, package: str, engine: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        msg = (
            f"engine {engine} needs the package {package}, which is not installed; install "
            "sensorfusion[lidar], or choose the engine plane"
        )
        raise ConfigError(msg) from None


class _ForeignTracker:
    """What the engines of others have in common: they only register one scan after the other."""

    def __init__(self, scale: ScanScale, T_world_first: RigidTransform) -> None:
        self._scale, self._T_world_first = scale, T_world_first
        self._pose, self._velocity = T_world_first.matrix, np.zeros(6)
        self._last_ns: int | None = None
        self._motion = ScanMotion(T_world_first)

    def track(self, scan: PreparedScan) -> ScanResult:
        """Return where a scan was taken; see :class:`sensorfusion.odometry.scan.ScanTracker`."""
        if len(scan.rows) < _FEWEST_POINTS:
            return ScanResult(self._motion, None, None, None, refused="too few points")
        instant_ns = self._instant_ns(scan)
        if self._last_ns is not None and instant_ns <= self._last_ns:
            return ScanResult(self._motion, None, None, None, refused="time does not increase")
        elapsed_s = 0.0 if self._last_ns is None else 1e-9 * (instant_ns - self._last_ns)
        predicted = self._pose @ exponential(self._velocity * elapsed_s)
        pose, overlap = self._register(scan, predicted)
        off = logarithm(between(predicted, pose))
        first = self._last_ns is None
        moving = not first and bool(self._velocity.any())
        self._velocity = np.zeros(6) if first else logarithm(between(self._pose, pose)) / elapsed_s
        self._pose, self._last_ns = pose, instant_ns
        away_s = 1e-9 * (scan.cloud.timestamp_ns - instant_ns)
        T = RigidTransform.nearest(
            self._T_world_first.target,
            self._T_world_first.source,
            pose @ exponential(self._velocity * away_s),
        )
        timed = scan.cloud.time_offset_ns is not None
        velocity = self._velocity if timed else np.zeros(6)
        self._motion = ScanMotion(T, velocity[:3], velocity[3:])
        jump = float(np.linalg.norm(off[:3])) > _JUMP_EDGES * self._scale.edge_m
        jump |= float(np.linalg.norm(off[3:])) > _JUMP_RAD
        refused = "jump" if moving and jump else ""
        return ScanResult(self._motion, overlap, None, None, refused=refused)

    def _instant_ns(self, scan: PreparedScan) -> int:
        """Return the instant of the pose that the engine finds."""
        raise NotImplementedError

    def _register(
        self, scan: PreparedScan, predicted: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float | None]:
        """Return the pose of a scan, and its overlap if the engine says it."""
        raise NotImplementedError


class _KissTracker(_ForeignTracker):
    """KISS-ICP: point to point, its own motion compensation, to the end of the scan."""

    def __init__(self, scale: ScanScale, T_world_first: RigidTransform) -> None:
        super().__init__(scale, T_world_first)
        package = _imported("kiss_icp.kiss_icp", "kiss-icp", "kiss")
        config: Any = _imported("kiss_icp.config", "kiss-icp", "kiss").KISSConfig()
        config.data.max_range, config.data.min_range = scale.far_m, scale.near_m
        config.mapping.voxel_size = scale.edge_m
        self._engine: Any = package.KissICP(config)

    def _instant_ns(self, scan: PreparedScan) -> int:
        return scan.span_ns[1]

    def _register(
        self, scan: PreparedScan, predicted: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float | None]:
        first_ns, last_ns = scan.span_ns
        offsets_ns, share = scan.cloud.time_offset_ns, np.zeros(0)
        if offsets_ns is not None and last_ns > first_ns:
            share = (offsets_ns + (scan.cloud.timestamp_ns - first_ns)) / (last_ns - first_ns)
        self._engine.config.data.deskew = bool(share.size)
        self._engine.register_frame(scan.cloud.points.astype(np.float64), share)
        return self._T_world_first.matrix @ np.asarray(self._engine.last_pose), None


class _SmallGicpTracker(_ForeignTracker):
    """small_gicp: Gaussian voxel map; our motion compensation, to the middle of the scan."""

    def __init__(self, scale: ScanScale, T_world_first: RigidTransform) -> None:
        super().__init__(scale, T_world_first)
        self._package: Any = _imported("small_gicp", "small-gicp", "small_gicp")
        self._map: Any = self._package.GaussianVoxelMap(_LEAF_EDGES * scale.edge_m)

    def _instant_ns(self, scan: PreparedScan) -> int:
        return sum(scan.span_ns) // 2

    def _register(
        self, scan: PreparedScan, predicted: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float | None]:
        cloud, points = scan.cloud, scan.cloud.points
        tau_s = np.zeros(len(points), np.float32)
        if cloud.time_offset_ns is not None:
            from_middle_ns = cloud.time_offset_ns + (cloud.timestamp_ns - self._instant_ns(scan))
            tau_s = (1e-9 * from_middle_ns).astype(np.float32)
        at, facing = np.empty((len(points), 3)), np.empty((len(points), 3))
        _scan_kernels.place(points, points, tau_s, np.eye(4), self._velocity, at, facing)
        source, _ = self._package.preprocess_points(
            at, _SPACING_EDGES * self._scale.edge_m, _NEIGHBOURS
        )
        pose, overlap = predicted, 1.0
        if self._last_ns is not None:
            result = self._package.align(self._map, source, predicted)
            pose, overlap = np.array(result.T_target_source), result.num_inliers / source.size()
        self._map.insert(source, pose)
        return pose, float(overlap)
