"""What tracking of LiDAR scans needs, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry import _scan_kernels
from sensorfusion.odometry._screw_kernels import exponential
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform

NormalsOf = Callable[[NDArray[np.bool_]], NDArray[np.float32]]
"""Returns normals float32 (N, 3) of a scan's points where a mask (N,) wants them."""

_TRACKED_POINTS: Final = 15_000
_EDGE_SHARE, _EDGE_LIMITS_M = 0.15, (0.25, 1.0)
_FAR_PERCENTILE, _FAR_MARGIN = 99.5, 1.2
_ROUNDS = 8
_USUAL_PERIOD_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class ScanScale:
    """How large the surroundings are, and how fast the scans come: what a recording's data say.

    Attributes
    ----------
    edge_m : float
        As far as surfaces count as flat: the edge of the map's cubes.
    spacing_m : float
        Edge of the cubes of which one point each is tracked.
    near_m, far_m : float
        Range of the points that are tracked.
    period_ns : int
        From one scan to the next.
    """

    edge_m: float
    spacing_m: float
    near_m: float
    far_m: float
    period_ns: int

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"voxels of {self.edge_m:.2f} m, range {self.near_m:.1f} to {self.far_m:.0f} m, "
            f"{1e9 / self.period_ns:.1f} scans/s"
        )


def estimate_scale(
    clouds: Sequence[PointCloud],
    edge_m: float | None = None,
    near_m: float = 0.0,
    far_m: float | None = None,
) -> ScanScale:
    """Return the scale that some scans show.

    Parameters
    ----------
    clouds : sequence of PointCloud
        The first few scans of a recording, in order of time.
    edge_m, near_m, far_m : float, optional
        What is known already.
    """
    points = np.concatenate([np.zeros((0, 3), np.float32), *(cloud.points for cloud in clouds)])
    range_m = np.linalg.norm(points, axis=1)
    range_m = range_m[(range_m > near_m) & (range_m < (np.inf if far_m is None else far_m))]
    if far_m is None:
        seen_m = float(np.percentile(range_m, _FAR_PERCENTILE)) if len(range_m) else 1.0
        far_m = max(_FAR_MARGIN * seen_m, 2.0 * near_m)
    if edge_m is None:
        middle_m = float(np.median(range_m)) if len(range_m) else 1.0
        edge_m = float(np.clip(_EDGE_SHARE * middle_m, *_EDGE_LIMITS_M))
    spacing_m = _spacing_m(max(clouds, key=len), edge_m, (near_m, far_m)) if clouds else edge_m
    stamps_ns = np.array([cloud.timestamp_ns for cloud in clouds], np.int64)
    steps_ns = np.diff(stamps_ns)[np.diff(stamps_ns) > 0] if len(stamps_ns) else stamps_ns
    period_ns = int(np.median(steps_ns)) if len(steps_ns) else _USUAL_PERIOD_NS
    return ScanScale(edge_m, spacing_m, near_m, far_m, period_ns)


def _spacing_m(cloud: PointCloud, edge_m: float, limits_m: tuple[float, float]) -> float:
    """Return at which spacing a scan has about as many points as are tracked."""
    least_m, most_m = 0.02 * edge_m, 0.5 * edge_m
    keys = _room_for(len(cloud))
    for _ in range(_ROUNDS):
        middle_m = float(np.sqrt(least_m * most_m))
        count = len(_scan_kernels.choose(cloud.points, middle_m, keys, *limits_m))
        least_m, most_m = (middle_m, most_m) if count > _TRACKED_POINTS else (least_m, middle_m)
    return most_m


def _room_for(points: int) -> NDArray[np.int64]:
    return np.empty(2 << max(points, 1).bit_length(), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScan:
    """A scan with all that tracking needs and that does not depend on other scans.

    Attributes
    ----------
    cloud : PointCloud
        As the LiDAR measured it.
    rows : ndarray of int32, shape (K,)
        The points that are tracked.
    normals : ndarray of float32, shape (K, 3)
        Theirs: unit vectors towards the sensor, 0 where there is no surface.
    """

    cloud: PointCloud
    rows: NDArray[np.int32]
    normals: NDArray[np.float32]

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return when the first and the last point were measured, nanoseconds."""
        offsets_ns, start_ns = self.cloud.time_offset_ns, self.cloud.timestamp_ns
        if offsets_ns is None or not len(offsets_ns):
            return start_ns, start_ns
        return start_ns + int(offsets_ns.min()), start_ns + int(offsets_ns.max())


def prepare_scan(cloud: PointCloud, scale: ScanScale, normals_of: NormalsOf) -> PreparedScan:
    """Choose the points that are tracked, evenly in space; any thread may ask.

    Parameters
    ----------
    cloud : PointCloud
    scale : ScanScale
    normals_of : callable
        Asked for the normals of the chosen points, unless the cloud has its own.
    """
    keys = _room_for(len(cloud))
    rows = _scan_kernels.choose(cloud.points, scale.spacing_m, keys, scale.near_m, scale.far_m)
    if cloud.normals is not None:
        return PreparedScan(cloud, rows, np.ascontiguousarray(cloud.normals[rows]))
    wanted = np.zeros(len(cloud), np.bool_)
    wanted[rows] = True
    return PreparedScan(cloud, rows, np.ascontiguousarray(normals_of(wanted)[rows]))


@dataclass(frozen=True, slots=True, eq=False)
class ScanMotion:
    """Where a LiDAR was at a scan's time stamp, and how it moved while it measured.

    Attributes
    ----------
    T_world_lidar : RigidTransform
        At the scan's ``timestamp_ns``.
    linear_m_s, angular_rad_s : ndarray of float64, shape (3,)
        Velocity and turn rate in the axes of the LiDAR, constant during the scan; 0 where the
        scan does not say when its points were measured.
    """

    T_world_lidar: RigidTransform
    linear_m_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    angular_rad_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    def after(self, seconds: float) -> RigidTransform:
        """Return ``T_world_lidar`` some seconds after the time stamp, or before it."""
        T = self.T_world_lidar
        twist = seconds * np.concatenate([self.linear_m_s, self.angular_rad_s])
        return RigidTransform.nearest(T.target, T.source, T.matrix @ exponential(twist))


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """Where a scan was taken, and how well that is known; None for what an engine does not say.

    Attributes
    ----------
    motion : ScanMotion
    overlap : float or None
        Share of the tracked points with a normal that lie on known surface, 0 to 1.
    residual_m : float or None
        How far they are from it: 1.48 times the median, metres.
    conditioning : float or None
        How well the map holds the weakest direction of motion, 0 (free to slide) to 1/3.
    free : ndarray of float64, shape (K, 6)
        Directions in which nothing holds the scan, where the prediction was kept: unit vectors,
        world axes, of a translation (m) and a turn (scaled to the length of its arm). A tunnel
        has one, along itself.
    sigma_m : float
        One standard deviation of where the LiDAR was, metres; grows while a direction is free and
        stays so.
    refused : str
        Why the pose must not be used, or empty.
    notes : tuple of str
        What was out of the ordinary and was overcome.
    first : ScanMotion or None
        With the second scan: how the first one moved, which nobody knew before.
    """

    motion: ScanMotion
    overlap: float | None = 1.0
    residual_m: float | None = 0.0
    conditioning: float | None = 1.0
    free: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 6)))
    sigma_m: float = 0.0
    refused: str = ""
    notes: tuple[str, ...] = ()
    first: ScanMotion | None = None


class ScanTracker(Protocol):
    """Finds out where scans were taken, one after the other."""

    def track(self, scan: PreparedScan) -> ScanResult:
        """Return where a scan was taken; scans come in order of time."""
