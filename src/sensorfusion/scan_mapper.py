"""Mapping of LiDAR scans: where each was taken, how it moved, and what it adds to the volume."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sensorfusion.config import Settings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import color_of_first
from sensorfusion.depth.deskew import Twist, deskew, firing_origins, twist_of
from sensorfusion.depth.grid_scan import grid_scan
from sensorfusion.depth.into_cloud import rows_within
from sensorfusion.depth.normals import cloud_normals, scan_normals
from sensorfusion.depth.organise import organise
from sensorfusion.depth.scan_colors import ScanColors
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import SourceError, UnsupportedRecordingError
from sensorfusion.frame import Frame
from sensorfusion.fusion.carve import forget_passed
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.integrate_rays import integrate_rays
from sensorfusion.fusion.panorama import RayScan
from sensorfusion.fusion.volume import Volume
from sensorfusion.mesh.uncertainty import with_scan_errors
from sensorfusion.odometry.engines import scan_tracker
from sensorfusion.odometry.given import known_pose
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.odometry.scan import (
    ScanMotion,
    ScanResult,
    ScanScale,
    ScanTracker,
    estimate_scale,
    prepare_scan,
)
from sensorfusion.odometry.scan_quality import ScanQuality
from sensorfusion.perception.voxels import SeenVoxels, seen_voxels
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import RangeImage
from sensorfusion.report import Report
from sensorfusion.sources.driver import FrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

# Axes of a camera (x right, y down, z forward) in those of a LiDAR (x forward, y left, z up).
_LIDAR_VIEW = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScanFrame:
    """A frame with all that does not depend on other frames.

    Attributes
    ----------
    frame : Frame
    image : RangeImage
        The points that are kept, as rings and firings; its cloud has normals.
    depths : tuple of (DepthMap, ndarray of uint8, shape (H, W, 4), or None)
        What the depth cameras of the rig measured, and the colours of its pixels.
    """

    frame: Frame
    image: RangeImage
    depths: tuple[tuple[DepthMap, NDArray[np.uint8] | None], ...]

    @property
    def cloud(self) -> PointCloud:
        """Return the whole scan, as it was measured."""
        return self.image.cloud


class ScanMapper:
    """Places and fuses one scan after the other, with the cameras of its rig.

    As :class:`sensorfusion.mapper.Mapper`, for sources whose frames are scans.
    """

    def __init__(self, source: FrameSource, settings: Settings, given: Trajectory | None) -> None:
        self.settings, self._rig, self._given = settings, source.rig, given
        self._recorded, self._imu = source.trajectory, source.imu
        self.keeps_world = given is not None
        self.trajectory = Trajectory()
        self._last_ns = -(2**63)
        self._scale: ScanScale | None = None
        self._tracker: ScanTracker | None = None
        self._volume: Volume | None = None
        self._colors = ScanColors(source.rig)
        # How the first scan moved is known with the second.
        self._waiting: tuple[PreparedScanFrame, ScanMotion] | None = None
        self._quality = ScanQuality()
        self._forgotten = 0

    def work_on(self, frame: Frame) -> Callable[[Report], None]:
        """Prepare a frame, in a thread; return what places and fuses it, to be called in order."""
        return partial(self.add, self.prepare(frame))

    def prepare(self, frame: Frame) -> PreparedScanFrame:
        """Do what does not depend on other frames; runs ahead in a thread."""
        cloud = frame.measurement
        if not isinstance(cloud, PointCloud):
            msg = (
                f"frame {frame.index} of {frame.sensor!r} is no scan, and others of its recording "
                "are; reconstruct one sensor at a time"
            )
            raise UnsupportedRecordingError(msg)
        lidar = self._rig.lidars[frame.sensor]
        kept = rows_within(cloud, lidar, self.settings.depth).astype(np.int32)
        try:
            image = organise(cloud, lidar, kept)
            normals = scan_normals(image)
        except SourceError:
            image = grid_scan(cloud, lidar, kept)
            normals = cloud_normals(cloud)
        image = replace(image, cloud=replace(cloud, normals=normals))
        return PreparedScanFrame(frame, image, tuple(self._depths(frame)))

    def add(self, prepared: PreparedScanFrame, report: Report) -> None:
        """Place and fuse a scan, or say in the report why not."""
        timestamp_ns = prepared.frame.timestamp_ns
        if timestamp_ns <= self._last_ns:
            report.drop("time stamp does not increase", timestamp_ns)
            return
        if not len(prepared.cloud):
            report.drop("no points", timestamp_ns)
            return
        if len(self.trajectory) and prepared.frame.sensor != self.trajectory.poses[0].source:
            report.drop("of another LiDAR than the first scan", timestamp_ns)
            return
        with report.timed("tracking"):
            result = self._place(prepared)
        self._quality.add(result, timestamp_ns)
        if result.refused:
            report.drop(result.refused, timestamp_ns, lost=self._given is None)
            return
        with report.timed("fusion"):
            if self._waiting is not None:
                first, motion = self._waiting
                self._fuse(first, result.first or motion)
                self._waiting = None
            if self._given is None and not len(self.trajectory):
                self._waiting = (prepared, result.motion)
            else:
                self._fuse(prepared, result.motion)
        self.trajectory.append(timestamp_ns, result.motion.T_world_lidar)
        self._last_ns = timestamp_ns
        report.use()

    def space(self) -> SeenVoxels:
        """Return where the volume holds surface and where free space, in its world."""
        volume, least_weight = self._finished()
        return seen_voxels(volume.views, least_weight)

    def surface(self) -> TriangleMesh:
        """Return the surface of everything fused, and give up the volume: this is the end."""
        volume, least_weight = self._finished()
        voxel_size_m = volume.voxel_size_m
        surface = extract_mesh(volume, least_weight)
        del self._volume, volume
        lidar = self._rig.lidars[self.trajectory.poses[0].source]
        tracking_m = self._quality.median("sigma_m") or 0.0
        return with_scan_errors(surface, lidar, voxel_size_m, tracking_m)

    @property
    def views(self) -> Trajectory:
        """Return the trajectory of a camera that looks along the LiDAR's x, held as it is."""
        lidar = self.trajectory.poses[0].source
        return self.trajectory.carried(RigidTransform(lidar, "view", _LIDAR_VIEW))

    def quality(self) -> dict[str, object]:
        """Return how well scans were placed, for the report."""
        scale = "" if self._scale is None else self._scale.describe()
        facts = {"consistency": None, "scale": scale, "forgotten_voxels": self._forgotten}
        return facts | self._quality.to_dict()

    def _finished(self) -> tuple[Volume, float]:
        """Return the volume with all scans and without what moved, and what is left out of it."""
        if self._waiting is not None:
            self._fuse(*self._waiting)
            self._waiting = None
        volume = self._volume_now()
        self._forgotten += forget_passed(volume)
        # What is not certain to half a voxel; of few scans, nothing.
        certain = volume.weight_of(volume.voxel_size_m / 2)
        return volume, min(certain, len(self.trajectory) - 0.5)

    def _depths(self, frame: Frame) -> list[tuple[DepthMap, NDArray[np.uint8] | None]]:
        """Return what the depth cameras of the rig measured in a frame, in metres."""
        found = []
        for name, measured in frame.depths.items():
            alone = replace(frame, sensor=name, measurement=measured)
            depth = absolute_depth(alone, self.settings.depth, self._rig)
            found.append((depth, color_of_first(depth, frame.images, self._rig)))
        return found

    def _place(self, prepared: PreparedScanFrame) -> ScanResult:
        """Return where a scan was taken and how it moved, or why that is not known."""
        frame, cloud = prepared.frame, prepared.cloud
        scale = self._scale_of(cloud)
        if self._given is not None:
            pose = known_pose(self._given, frame)
            if pose is None:
                nowhere = ScanMotion(RigidTransform.identity("world", frame.sensor))
                return ScanResult(nowhere, None, None, None, refused="no pose")
            twist = twist_of(cloud, self._given)
            if twist is None:
                return ScanResult(ScanMotion(pose), None, None, None)
            motion = ScanMotion(pose, twist.linear_m_s, twist.angular_rad_s)
            return ScanResult(motion, None, None, None)
        if self._tracker is None or not len(self.trajectory):
            # Until a scan is placed, each may be the first.
            first = known_pose(self._recorded, frame)
            self.keeps_world = first is not None
            first = first or RigidTransform.identity("world", frame.sensor)
            engine = self.settings.lidar.engine
            self._tracker = scan_tracker(engine, scale, first, self._gyro(frame.sensor))
        normals = cloud.normals
        scan = prepare_scan(cloud, scale, lambda _: np.asarray(normals))
        return self._tracker.track(scan)

    def _scale_of(self, cloud: PointCloud) -> ScanScale:
        """Return how large the surroundings are, as the first scan shows it."""
        if self._scale is None:
            depth, lidar = self.settings.depth, self._rig.lidars[cloud.coordinate_system]
            far_m = depth.far_m or (lidar.far_m if np.isfinite(lidar.far_m) else None)
            edge_m = self.settings.lidar.voxel_size_m
            self._scale = estimate_scale([cloud], edge_m, max(depth.near_m, lidar.near_m), far_m)
            range_m = float(np.median(np.linalg.norm(cloud.points, axis=1)))
            self.settings = self.settings.for_scan(range_m)
        return self._scale

    def _volume_now(self) -> Volume:
        if self._volume is None:
            fusion = self.settings.fusion
            self._volume = Volume(
                fusion.edge_m, fusion.truncation_m, fusion.device, with_passes=fusion.static
            )
        return self._volume

    def _fuse(self, prepared: PreparedScanFrame, motion: ScanMotion) -> None:
        """Add a scan, and what the depth cameras saw meanwhile, to the volume."""
        frame, cloud, volume = prepared.frame, prepared.cloud, self._volume_now()
        lidar = self._rig.lidars[frame.sensor]
        twist = Twist(cloud.coordinate_system, motion.linear_m_s, motion.angular_rad_s)
        moved = deskew(cloud, twist, cloud.timestamp_ns)
        colors = self._colors(frame, cloud, lambda to_ns: deskew(cloud, twist, to_ns))
        scan = RayScan(
            replace(prepared.image, cloud=moved),
            lidar,
            np.asarray(moved.normals),
            colors,
            firing_origins(prepared.image, twist),
        )
        integrate_rays(volume, scan, motion.T_world_lidar)
        for depth, its_colors in prepared.depths:
            seconds = 1e-9 * (depth.timestamp_ns - cloud.timestamp_ns)
            T_lidar_camera = self._rig.transform(frame.sensor, depth.camera.name)
            integrate_depth(volume, depth, motion.after(seconds) @ T_lidar_camera, its_colors)

    def _gyro(self, lidar: str) -> GyroPrior | None:
        """Return what the recording's gyroscope says about a LiDAR's turns, if it has one."""
        if self._imu is None:
            return None
        return GyroPrior(self._imu, self._rig.transform(lidar, self._imu.name).rotation)
