"""The depth stage as a whole: whatever a frame measured, as depth in the picture of a camera."""

from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Literal

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import align_depth, count_in_picture
from sensorfusion.depth.beams import BeamSpacing, beam_spacing, panorama
from sensorfusion.depth.combine import Correction, combine
from sensorfusion.depth.completion import complete_smooth
from sensorfusion.depth.deskew import deskew_along
from sensorfusion.depth.filters import limit_range
from sensorfusion.depth.footprint import with_footprint
from sensorfusion.depth.guided import complete_guided
from sensorfusion.depth.mesh_completion import complete_mesh, points_in_view
from sensorfusion.depth.occlusion import remove_hidden
from sensorfusion.depth.organise import organise
from sensorfusion.depth.predicted import Predicted, depth_of_picture, fill_holes, is_picture
from sensorfusion.depth.projection import project_cloud
from sensorfusion.depth.uncertainty import with_uncertainty
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import AnchorError, CalibrationError, ConfigError
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

Completion = Literal["none", "smooth", "mesh", "guided", "predicted"]
"""How pixels without depth are filled: not at all, by smoothing between measurements, by the
surface between a LiDAR's beams, by smoothing that follows the picture's edges, or by what a
monocular model says about the picture, held by what was measured."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraDepth:
    """Depth of one frame in the picture of a camera, and how it came about.

    Attributes
    ----------
    frame : Frame
    depth : DepthMap
    measured : DepthMap
        The same before anything was filled or merged.
    points_in_image : int or None
        Measured points that fell into the picture, hidden ones too; None for depth in the camera
        that measured it.
    completion : str
        What filled it; differs from what was asked where a frame has no picture.
    correction : Correction or None
        Where a depth camera was merged with a LiDAR: what that said about it.
    moved : bool
        Whether a scan was compensated for its motion.
    T_camera_sensor : RigidTransform or None
        Of a scan, where the camera of ``depth`` sits: of a panorama the rig does not say it.
    predicted : Predicted or None
        What a monocular model said, and how it was held.
    refused : str
        Why what a model said is not used in this frame.
    """

    frame: Frame
    depth: DepthMap
    measured: DepthMap
    points_in_image: int | None = None
    completion: Completion = "none"
    correction: Correction | None = None
    moved: bool = False
    T_camera_sensor: RigidTransform | None = None
    predicted: Predicted | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Filled:
    """Depth without its holes, and what filled them."""

    depth: DepthMap
    completion: Completion
    predicted: Predicted | None = None
    refused: str = ""


class IntoCamera:
    """Turns the frames of one source into depth of one camera; call it with each frame in turn.

    Parameters
    ----------
    rig : Rig
    settings : DepthSettings
    camera : str or None
        Camera of the rig; None leaves depth where it was measured, which for a LiDAR is its range
        image.
    completion : {"none", "smooth", "mesh", "guided", "predicted"}
    trajectory : Trajectory or None
        ``T_world_sensor`` of what measures. A scan is moved to the instant of the camera's
        picture with it, or to its own beginning.

    Raises
    ------
    CalibrationError
        If there is no such camera.
    """

    def __init__(
        self,
        rig: Rig,
        settings: DepthSettings,
        camera: str | None = None,
        completion: Completion = "none",
        trajectory: Trajectory | None = None,
    ) -> None:
        if camera is not None and camera not in rig.cameras:
            msg = f"there is no camera {camera!r}; the rig has {', '.join(rig.cameras) or 'none'}"
            raise CalibrationError(msg)
        self._rig, self._settings, self._trajectory = rig, settings, trajectory
        self._camera, self._completion = camera, completion
        self._panorama: tuple[Camera, RigidTransform] | None = None
        self._spacing: BeamSpacing | None = None

    def __call__(self, frame: Frame) -> CameraDepth:
        """Return the depth of a frame.

        Raises
        ------
        SensorFusionError
            If depth cannot be metres, nothing connects the sensors, or the completion asked for
            cannot be made of what the frame holds.
        """
        if isinstance(frame.measurement, PointCloud):
            return self._scan(frame, frame.measurement)
        if is_picture(frame):
            return self._picture(frame)
        depth = absolute_depth(frame, self._settings, self._rig)
        points = None
        if self._camera is not None and self._camera != depth.camera.name:
            T_camera_depth = self._rig.transform(self._camera, depth.camera.name)
            target = self._rig.cameras[self._camera]
            points = count_in_picture(depth, target, T_camera_depth)
            depth = align_depth(depth, target, T_camera_depth)
            if self._completion == "predicted":
                depth = with_uncertainty(depth, self._rig.noise_of(frame.sensor))
        if self._completion == "mesh":
            msg = (
                "mesh completion draws the surface between a LiDAR's beams, and this is a depth "
                "camera, whose pixels --camera joins already; use smooth or guided"
            )
            raise ConfigError(msg)
        if self._completion == "none":
            return CameraDepth(frame, depth, depth, points)
        spacing = BeamSpacing(1.0 / depth.camera.fy, 1.0 / depth.camera.fx)
        # What a depth camera does not return is no free space, as with a LiDAR, but not known.
        open_holes = _with_origin(depth, Origin.NO_RETURN, Origin.UNSEEN)
        filled = self._filled(frame, open_holes, spacing)
        return CameraDepth(
            frame,
            _with_origin(filled.depth, Origin.UNSEEN, Origin.NO_RETURN),
            depth,
            points,
            filled.completion,
            predicted=filled.predicted,
            refused=filled.refused,
        )

    def _picture(self, frame: Frame) -> CameraDepth:
        """Return the depth of a frame that measures none itself; empty where nothing holds it."""
        camera = self._rig.cameras[frame.sensor]
        nothing = np.zeros((camera.height, camera.width), np.float32)
        empty = DepthMap(nothing, camera, frame.timestamp_ns)
        if self._completion not in ("none", "predicted"):
            msg = f"{camera.name!r} measures no depth to complete; leave out --completion"
            raise ConfigError(msg)
        try:
            found = depth_of_picture(frame, self._settings, self._rig)
        except AnchorError as error:
            return CameraDepth(frame, empty, empty, completion="predicted", refused=error.reason)
        seen = found.seen_by(self._camera or camera.name, self._rig)
        return CameraDepth(frame, seen.depth, seen.measured, completion="predicted", predicted=seen)

    def _scan(self, frame: Frame, cloud: PointCloud) -> CameraDepth:
        lidar = self._rig.lidars[frame.sensor]
        camera, T_camera_lidar = self._view(frame.sensor, cloud)
        at_exposure = deskew_along(cloud, self._trajectory, _exposure_ns(frame, camera.name))
        cloud = cloud if at_exposure is None else at_exposure
        projection = project_cloud(cloud, camera, T_camera_lidar, lidar)
        # A scan without points says nothing of its beams, and leaves nothing to fill.
        sparse = depth = projection.depth
        filled = _Filled(depth, "none")
        if len(cloud):
            sparse, filled = self._completed(frame, cloud, depth, T_camera_lidar)
            depth = filled.depth
        correction = None
        if camera.name in frame.depths:
            other = changed(frame, sensor=camera.name, measurement=frame.depths[camera.name])
            depth, correction = combine(depth, absolute_depth(other, self._settings, self._rig))
        points = projection.points_in_image
        return CameraDepth(
            frame,
            depth,
            sparse,
            points,
            filled.completion,
            correction,
            at_exposure is not None,
            T_camera_lidar,
            filled.predicted,
            filled.refused,
        )

    def _completed(
        self, frame: Frame, cloud: PointCloud, drawn: DepthMap, T_camera_lidar: RigidTransform
    ) -> tuple[DepthMap, _Filled]:
        """Return the points of a scan that are kept, and the map they are completed to."""
        lidar, camera = self._rig.lidars[frame.sensor], drawn.camera
        near_m, far_m = self._settings.near_m, self._settings.far_m or lidar.far_m
        # Once for a recording: where nothing is known of the LiDAR it takes longer than the rest.
        spacing = self._spacing = self._spacing or beam_spacing(cloud, lidar)
        if self._camera is not None:
            # From where it was measured, a LiDAR's own range image hides nothing. What is too
            # near to be kept still hides what is behind it.
            drawn = remove_hidden(drawn, spacing)
        sparse = with_footprint(limit_range(drawn, near_m, far_m), spacing)
        if self._completion != "mesh":
            return sparse, self._filled(frame, sparse, spacing)
        image = organise(cloud, lidar, points_in_view(cloud, camera, T_camera_lidar))
        depth = limit_range(complete_mesh(image, camera, T_camera_lidar, lidar), near_m, far_m)
        if self._camera is None:
            depth = _with_measured(depth, sparse)
        return sparse, _Filled(depth, "mesh")

    def _view(self, sensor: str, cloud: PointCloud) -> tuple[Camera, RigidTransform]:
        """Return the camera that scans are drawn into, the same for all frames."""
        if self._camera is not None:
            return self._rig.cameras[self._camera], self._rig.transform(self._camera, sensor)
        if self._panorama is None:
            self._panorama = panorama(self._rig.lidars[sensor], cloud)
        return self._panorama

    def _filled(self, frame: Frame, depth: DepthMap, spacing: BeamSpacing) -> _Filled:
        if self._completion == "predicted":
            try:
                found = fill_holes(depth, frame, self._settings, self._rig)
            except AnchorError as error:
                return _Filled(depth, "none", refused=error.reason)
            return _Filled(found.depth, "predicted", found)
        if self._completion == "guided":
            image = self._guide(frame, depth.camera)
            if image is not None:
                return _Filled(complete_guided(depth, image, spacing), "guided")
        if self._completion in ("guided", "smooth"):
            return _Filled(complete_smooth(depth, spacing), "smooth")
        return _Filled(depth, "none")

    def _guide(self, frame: Frame, camera: Camera) -> Image | None:
        """Return the picture that guides, or None where this frame alone has none."""
        if camera.name not in self._rig.cameras or (
            camera.name == frame.sensor and camera.name not in frame.images
        ):
            msg = (
                f"guided completion follows the edges of a picture, and {camera.name!r} takes "
                "none; choose one with --camera: "
                f"{', '.join(self._rig.cameras) or 'the rig has none'}"
            )
            raise ConfigError(msg)
        return frame.images.get(camera.name)


def _exposure_ns(frame: Frame, camera: str) -> int:
    """Return when a camera took its picture; else when the scan began."""
    taken = frame.images.get(camera) or frame.depths.get(camera)
    return frame.timestamp_ns if taken is None else taken.timestamp_ns


def _with_origin(depth: DepthMap, found: Origin, told: Origin) -> DepthMap:
    """Return a map in which pixels of one origin have another."""
    origin = depth.origins()
    origin[origin == found] = told
    return changed(depth, origin=origin)


def _with_measured(depth: DepthMap, measured: DepthMap) -> DepthMap:
    """Return completed depth with everything that was measured in it, edges too."""
    kept = measured.valid
    return changed(
        depth,
        metres=np.where(kept, measured.metres, depth.metres),
        sigma_m=np.where(kept, measured.sigmas_m(), depth.sigmas_m() * depth.valid),
        origin=np.where(kept, measured.origins(), depth.origins()),
    )
