"""Frames as coloured points: scans, and the pixels of depth cameras."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, ray_table
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import color_of_first
from sensorfusion.depth.beams import BeamSpacing, beam_spacing
from sensorfusion.depth.deskew import deskew_along
from sensorfusion.depth.occlusion import remove_hidden
from sensorfusion.depth.projection import project_cloud
from sensorfusion.depth_map import DepthMap
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

# A point may lie behind the one that a pixel shows by so much and still be of its surface.
_BEHIND, _BEHIND_M = 0.05, 0.3


class IntoCloud:
    """Turns the frames of one source into points in the coordinates of what measured them.

    Parameters
    ----------
    rig : Rig
    settings : DepthSettings
        Range that is kept.
    trajectory : Trajectory or None
        ``T_world_sensor``; scans are compensated for this motion, to their own beginning.
    with_color : bool
        Look up the colour of each point in the frame's pictures; black where none sees it.
    """

    def __init__(
        self,
        rig: Rig,
        settings: DepthSettings,
        trajectory: Trajectory | None = None,
        *,
        with_color: bool = False,
    ) -> None:
        self._rig, self._settings, self._trajectory = rig, settings, trajectory
        self._with_color = with_color
        self._spacing: BeamSpacing | None = None

    def __call__(self, frame: Frame) -> PointCloud:
        """Return the points of a frame.

        Raises
        ------
        SensorFusionError
            If depth cannot be metres or nothing connects the sensors.
        """
        images = frame.images if self._with_color else {}
        if not isinstance(frame.measurement, PointCloud):
            depth = absolute_depth(frame, self._settings, self._rig)
            return cloud_of(depth, color_of_first(depth, images, self._rig))
        lidar, cloud = self._rig.lidars[frame.sensor], frame.measurement
        kept = rows_within(cloud, lidar, self._settings)
        if not images or not len(cloud):
            return self._at(cloud.subset(kept), cloud.timestamp_ns)
        # Once for a recording: where nothing is known of the LiDAR it takes longer than the rest.
        spacing = self._spacing = self._spacing or beam_spacing(cloud, lidar)
        # Of all points: what is too near to be kept still hides what is behind it.
        _, colors = color_of_scan(frame, self._rig, spacing, lambda ns: self._at(cloud, ns))
        return self._at(replace(cloud, color=colors).subset(kept), cloud.timestamp_ns)

    def _at(self, cloud: PointCloud, to_ns: int) -> PointCloud:
        moved = deskew_along(cloud, self._trajectory, to_ns)
        return cloud if moved is None else moved


def rows_within(cloud: PointCloud, lidar: Lidar, settings: DepthSettings) -> NDArray[np.intp]:
    """Return which points of a scan are within range, rising row numbers, int (K,)."""
    far_m = settings.far_m or lidar.far_m
    range_m = np.linalg.norm(cloud.points, axis=1)
    return np.flatnonzero((range_m >= settings.near_m) & (range_m <= far_m))


def color_of_scan(
    frame: Frame, rig: Rig, spacing: BeamSpacing, scan_at: Callable[[int], PointCloud]
) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Return which points of a frame's scan its pictures show, and their colours.

    Where several do, the first one counts.

    Parameters
    ----------
    frame : Frame
        Of a LiDAR, with pictures.
    rig : Rig
    spacing : BeamSpacing
        Of the LiDAR's beams.
    scan_at : callable
        Returns the frame's points as they were at an instant in nanoseconds.

    Returns
    -------
    seen : ndarray of bool, shape (N,)
    colors : ndarray of uint8, shape (N, 3)
        Red, green, blue; 0 where not seen.
    """
    lidar, images = rig.lidars[frame.sensor], frame.images
    found = [
        color_of_points(
            scan_at(image.timestamp_ns),
            image,
            rig.cameras[name],
            rig.transform(name, frame.sensor),
            lidar,
            spacing,
        )
        for name, image in images.items()
    ]
    seen, colors = found[0]
    for also, theirs in found[1:]:
        colors = np.where(seen[:, None], colors, theirs)
        seen = seen | also
    return seen, colors


def cloud_of(depth: DepthMap, colors: NDArray[np.uint8] | None = None) -> PointCloud:
    """Return the pixels of a depth map as points.

    Parameters
    ----------
    depth : DepthMap
    colors : ndarray of uint8, shape (H, W, 4), or None
        As :func:`sensorfusion.depth.align.color_at_depth` gives them.

    Returns
    -------
    PointCloud
        In the coordinates of the camera, row by row; ``sigma_m`` in ``extra`` where it is known.
    """
    valid = depth.valid
    rays = np.insert(ray_table(depth.camera)[valid], 2, 1.0, axis=1)
    extra = {} if depth.sigma_m is None else {"sigma_m": depth.sigma_m[valid]}
    return PointCloud(
        np.ascontiguousarray(rays * depth.metres[valid, None], np.float32),
        depth.camera.name,
        depth.timestamp_ns,
        color=None if colors is None else np.ascontiguousarray(colors[valid, :3]),
        extra=extra,
    )


def color_of_points(
    cloud: PointCloud,
    image: Image,
    camera: Camera,
    T_camera_lidar: RigidTransform,
    lidar: Lidar,
    spacing: BeamSpacing,
) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Return which points a camera sees, and their colours.

    A point is seen when its pixel shows it, or a point less than 5 % and 0.3 m before it, and
    no nearer surface hides that.

    Parameters
    ----------
    cloud : PointCloud
        As it was when the picture was taken.
    image : Image
        Grey or RGB, of ``camera``.
    camera : Camera
    T_camera_lidar : RigidTransform
    lidar : Lidar
    spacing : BeamSpacing
        Of its beams.

    Returns
    -------
    seen : ndarray of bool, shape (N,)
    colors : ndarray of uint8, shape (N, 3)
        Red, green, blue; 0 where not seen.

    Raises
    ------
    CoordinateSystemMismatchError
        If the transform does not lead from the points to the camera.
    """
    shown = remove_hidden(project_cloud(cloud, camera, T_camera_lidar, lidar).depth, spacing)
    in_camera = T_camera_lidar.apply(cloud.points.astype(np.float64))
    with np.errstate(invalid="ignore"):
        pixels = np.rint(camera.project(in_camera))
        size = (camera.width, camera.height)
        inside = ((pixels >= 0) & (pixels < size)).all(axis=1)
    column, row = pixels[inside].astype(np.intp).T
    surface_m = shown.metres[row, column]
    limit_m = surface_m * (1 + _BEHIND) + _BEHIND_M
    seen = np.zeros(len(cloud), np.bool_)
    seen[inside] = (surface_m > 0) & (in_camera[inside, 2] <= limit_m)
    colors = np.zeros((len(cloud), 3), np.uint8)
    picture = image.pixels if image.pixels.ndim == 3 else image.pixels[..., None]
    colors[inside] = picture[row, column]
    colors[~seen] = 0
    return seen, colors
