"""Projection: the points of a scan as a depth map of any camera."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth import _projection_kernels
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform

NEAR_M = 0.05
"""Nothing nearer than this is projected: closer to the lens no scanner measures."""
_MODELS = {
    "none": _projection_kernels.PINHOLE,
    "brown_conrady": _projection_kernels.BROWN_CONRADY,
    "inverse_brown_conrady": _projection_kernels.INVERSE_BROWN_CONRADY,
    "kannala_brandt": _projection_kernels.KANNALA_BRANDT,
    "spherical": _projection_kernels.SPHERICAL,
}
_NO_ROWS = np.empty((0, 0), np.int32)
# Of a beam across the optical axis an error moves the pixel, hardly z; some is left always.
_SMALLEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A scan in the picture of a camera.

    Attributes
    ----------
    depth : DepthMap
        The nearest of the points on each pixel: z of the camera, or range in a spherical one,
        metres. ``origin`` is MEASURED, NO_RETURN where a beam went and found nothing, and UNSEEN
        elsewhere; ``sigma_m`` that of the LiDAR's range, along the beam.
    index : ndarray of int32, shape (H, W)
        Row of the cloud that each pixel shows, -1 where there is none: ``cloud.intensity[index]``
        is the intensity, and so on for every layer.
    points_in_image : int
        Points whose nearest pixel lies in the picture, hidden or not.
    """

    depth: DepthMap
    index: NDArray[np.int32]
    points_in_image: int


def project_cloud(
    cloud: PointCloud, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> Projection:
    """Return the depth map that a scan makes in the picture of a camera.

    Parameters
    ----------
    cloud : PointCloud
        In the coordinate system that ``T_camera_lidar`` leads from.
    camera : Camera
        Any model; points beyond the angle at which it stops being one to one are left out.
    T_camera_lidar : RigidTransform
    lidar : Lidar
        Says how far its ranges spread, and how far empty beams looked.

    Returns
    -------
    Projection

    Raises
    ------
    CoordinateSystemMismatchError
        If the transform does not lead from the cloud's coordinates to the camera's.
    """
    if (T_camera_lidar.target, T_camera_lidar.source) != (camera.name, cloud.coordinate_system):
        msg = (
            f"{T_camera_lidar.name} was given to take points of {cloud.coordinate_system!r} to "
            f"camera {camera.name!r}; expected T_{camera.name}_{cloud.coordinate_system}"
        )
        raise CoordinateSystemMismatchError(msg)
    index = np.full((camera.height, camera.width), -1, np.int32)
    metres, inside = project_points(cloud.points, camera, T_camera_lidar, index)
    shown = index >= 0
    origin = looked_at(cloud, camera, T_camera_lidar, lidar)
    origin[shown] = Origin.MEASURED
    sigma_m = np.zeros(metres.shape, np.float32)
    sigma_m[shown] = _sigma_m(
        cloud.points[index[shown]], metres[shown], camera, T_camera_lidar, lidar
    )
    depth = DepthMap(metres, camera, cloud.timestamp_ns, sigma_m, origin)
    return Projection(depth, index, inside)


def project_points(
    points: NDArray[np.float32],
    camera: Camera,
    T_camera_points: RigidTransform,
    index: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Draw points into the picture of a camera, the nearest of several on one pixel.

    Parameters
    ----------
    points : ndarray of float32, shape (N, 3) or (N, 4)
        x, y, z in metres, finite; a fourth column is passed over.
    camera : Camera
    T_camera_points : RigidTransform
    index : ndarray of int32, shape (H, W), contiguous, optional
        Filled with the row of the point that each pixel shows, -1 where there is none.

    Returns
    -------
    metres : ndarray of float32, shape (H, W)
        z of the camera, or range in a spherical one; 0 = no point.
    inside : int
        Points more than :data:`NEAR_M` away whose nearest pixel lies in the picture.

    Raises
    ------
    ValueError
        If an array has another dtype or shape.
    """
    if points.dtype != np.float32 or points.ndim != 2 or points.shape[1] not in (3, 4):
        msg = f"points are {points.dtype} {points.shape}; expected float32 (N, 3) or (N, 4)"
        raise ValueError(msg)
    shape = (camera.height, camera.width)
    if index is None:
        index = _NO_ROWS
    elif index.dtype != np.int32 or index.shape != shape or not index.flags.c_contiguous:
        msg = f"index is {index.dtype} {index.shape}; expected contiguous int32 {shape}"
        raise ValueError(msg)
    index.fill(-1)
    metres = np.zeros(shape, np.float32)
    flat = np.ascontiguousarray(points).reshape(-1)
    view = view_of_cloud(camera, T_camera_points.matrix)
    model = _MODELS[camera.distortion.model]
    inside = _projection_kernels.project(flat, points.shape[1], model, view, metres, index)
    return metres, int(inside)


def view_of_cloud(camera: Camera, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what the kernels need to project points into a camera.

    Parameters
    ----------
    camera : Camera
    matrix : ndarray of float64, shape (4, 4)
        From the points' coordinates to the camera's.

    Returns
    -------
    ndarray of float32, shape (31,)
        The upper three rows of the matrix; the smallest z (range); the smallest and largest x / z
        and y / z of the picture; the square of the largest radius of the lens; fx, fy, cx, cy; a
        turn in pixels; the lens coefficients.
    """
    return np.concatenate([matrix[:3].ravel(), _lens(camera)]).astype(np.float32)


@lru_cache(maxsize=16)
def _lens(camera: Camera) -> NDArray[np.float64]:
    distortion = camera.distortion
    coefficients = (*distortion.coefficients, *(0.0,) * 8)[:8]
    turn_px, cx = 2 * np.pi * camera.fx, camera.cx
    if camera.is_spherical:
        # So that one turn more or less always leads into the picture.
        cx = np.mod(cx, turn_px)
    numbers = (distortion.largest_radius**2, camera.fx, camera.fy, cx, camera.cy, turn_px)
    return np.array([NEAR_M, *_box(camera), *numbers, *coefficients])


def _box(camera: Camera) -> NDArray[np.float64]:
    """Return the smallest and largest x / z, then y / z, of the rays that a picture shows.

    A lens that is one to one maps the rim of what it shows to the rim of the picture.
    """
    everything = np.array([-np.inf, np.inf, -np.inf, np.inf])
    if camera.is_spherical:
        return everything
    right, bottom = camera.width - 0.5, camera.height - 0.5
    u, v = np.linspace(-0.5, right, 2 * camera.width + 1), np.linspace(-0.5, bottom, 513)
    top_and_bottom = np.stack(np.meshgrid(u, [-0.5, bottom]), axis=-1)
    left_and_right = np.stack(np.meshgrid([-0.5, right], v), axis=-1)
    rim = np.concatenate([top_and_bottom.reshape(-1, 2), left_and_right.reshape(-1, 2)])
    rays_on_rim = camera.unproject(rim)
    if np.isnan(rays_on_rim).any():
        return everything
    low, high = rays_on_rim.min(axis=0), rays_on_rim.max(axis=0)
    # Rounding, and the rim between two samples of it.
    margin = 1e-3 * (high - low) + 1e-5
    low, high = low - margin, high + margin
    return np.array([low[0], high[0], low[1], high[1]])


def looked_at(
    cloud: PointCloud, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> NDArray[np.uint8]:
    """Return where in a picture beams of a scan looked and found nothing.

    Parameters
    ----------
    cloud : PointCloud
        Whose ``empty_beams`` are drawn, not its points.
    camera : Camera
    T_camera_lidar : RigidTransform
    lidar : Lidar
        Says how far they looked.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        NO_RETURN, elsewhere UNSEEN.
    """
    origin = np.full((camera.height, camera.width), Origin.UNSEEN, np.uint8)
    beams = cloud.empty_beams
    if beams is None or not len(beams):
        return origin
    matrix = T_camera_lidar.matrix.copy()
    reach_m = 1.0
    if np.isfinite(lidar.far_m):
        reach_m = lidar.far_m
    else:
        # At infinity the camera sees a beam where the beam points, wherever it stands.
        matrix[:3, 3] = 0.0
    ends = np.ascontiguousarray(beams * np.float32(reach_m)).reshape(-1)
    pixels = np.empty(len(beams), np.int32)
    model = _MODELS[camera.distortion.model]
    _projection_kernels.find_pixels(
        ends, model, view_of_cloud(camera, matrix), origin.shape, pixels
    )
    origin.reshape(-1)[pixels[pixels >= 0]] = Origin.NO_RETURN
    return origin


def rows_in_box(
    cloud: PointCloud, camera: Camera, T_camera_lidar: RigidTransform, rim: float
) -> NDArray[np.int32] | None:
    """Return the points that a picture may show, or would if it were a little larger.

    Parameters
    ----------
    cloud : PointCloud
    camera : Camera
    T_camera_lidar : RigidTransform
    rim : float
        By how much larger, on each side, as x / z and y / z.

    Returns
    -------
    ndarray of int32, shape (K,), or None
        Rows of the cloud, rising; None for a spherical camera, which looks everywhere.
    """
    if camera.is_spherical:
        return None
    view = view_of_cloud(camera, T_camera_lidar.matrix)
    view[12] = 0.0
    view[13:17] += np.array([-rim, rim, -rim, rim], np.float32)
    numbers = np.empty(len(cloud) + 8, np.int32)
    flat = np.ascontiguousarray(cloud.points).reshape(-1)
    return numbers[: _projection_kernels.number_in_box(flat, view, numbers)]


def _sigma_m(
    points: NDArray[np.float32],
    metres: NDArray[np.float32],
    camera: Camera,
    T_camera_lidar: RigidTransform,
    lidar: Lidar,
) -> NDArray[np.float32]:
    """Return what an error of the range along the beam changes in depth, float32 (N,) metres."""
    range_m = np.maximum(np.linalg.norm(points, axis=1), np.float32(1e-3))
    rotation = T_camera_lidar.rotation.astype(np.float32)
    if camera.is_spherical:
        moved = points @ rotation.T
        seen = moved + T_camera_lidar.translation_m.astype(np.float32)
        share = np.abs(np.einsum("ij,ij->i", moved, seen)) / (range_m * metres)
    else:
        share = np.abs(points @ rotation[2]) / range_m
    share = np.maximum(share, np.float32(_SMALLEST_SHARE))
    return np.asarray(lidar.sigma_m(range_m) * share, dtype=np.float32)
