"""Completion by the surface that a scan shows: triangles between its beams, drawn into a camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth import _mesh_kernels, _view_kernels
from sensorfusion.depth.align import view_of
from sensorfusion.depth.projection import project_cloud, view_of_cloud
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import RangeImage
from sensorfusion.transform import RigidTransform

_STEEPEST = 5.0
_JUMP = 0.1
_PLANE = 0.3
_LIMITS = np.array([_STEEPEST, _JUMP, _PLANE], np.float32)
# Neighbours in azimuth are at most so many steps, or rings, apart.
_STEPS, _RINGS = 1.6, 1.3
_REACH = np.float32(1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Vertices:
    """Points of a scan that the camera may see, row by row."""

    table: NDArray[np.float32]
    starts: NDArray[np.int64]
    blocked: NDArray[np.uint8]
    number: NDArray[np.int32]
    widest: float
    steps: NDArray[np.float32]


def complete_mesh(
    range_image: RangeImage, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> DepthMap:
    """Return what a camera sees of the surfaces between the beams of a scan."""
    origin = _origin(range_image.cloud, camera, T_camera_lidar, lidar)
    layer = np.zeros(origin.shape)
    vertices = _vertices(range_image, camera, T_camera_lidar, lidar)
    triangles, rim = _triangles(vertices)
    table = vertices.table
    turn_px = 2 * np.pi * camera.fx if camera.is_spherical else 0.0
    _mesh_kernels.draw_triangles(table, triangles, turn_px, layer)
    lens = (camera.fx, camera.fy, camera.cx, camera.cy)
    view = np.array([*T_camera_lidar.matrix[:3].ravel(), *lens], np.float32)
    _mesh_kernels.hide_rims(table, rim, view, vertices.steps * _REACH, layer)
    _mesh_kernels.draw_points(table, layer, origin)
    metres, sigma_m = np.empty(layer.shape, np.float32), np.empty(layer.shape, np.float32)
    _mesh_kernels.finish(layer, metres, sigma_m, origin)
    return DepthMap(metres, camera, range_image.cloud.timestamp_ns, sigma_m, origin)


def _origin(
    cloud: PointCloud, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> NDArray[np.uint8]:
    """Return NO_RETURN where beams of the scan found nothing, elsewhere UNSEEN; uint8 (H, W)."""
    beams = cloud.empty_beams
    if beams is None or not len(beams):
        return np.full((camera.height, camera.width), Origin.UNSEEN, np.uint8)
    alone = PointCloud(cloud.points[:0], cloud.coordinate_system, empty_beams=beams)
    return project_cloud(alone, camera, T_camera_lidar, lidar).depth.origins()


def _triangles(vertices: _Vertices) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return the triangles of the surface, and which vertices stand where it ends."""
    table, starts = vertices.table, vertices.starts
    joined, rim = np.zeros(len(table), np.uint8), np.zeros(len(table), np.uint8)
    widest = np.sin(vertices.widest)
    _mesh_kernels.lean_rows(table, starts, widest)
    _mesh_kernels.join_rows(table, starts, vertices.blocked, widest, _LIMITS, joined)
    triangles = np.empty((2 * len(table), 3), np.int32)
    found = _mesh_kernels.triangulate(table, starts, joined, widest, _LIMITS, triangles, rim)
    return triangles[:found], rim


def _vertices(
    range_image: RangeImage, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> _Vertices:
    points, index = range_image.cloud.points, range_image.index
    count = int(np.count_nonzero(index >= 0))
    table = np.empty((count, _mesh_kernels.VERTEX), np.float32)
    in_camera, number = np.empty((3, count), np.float32), np.empty(count, np.int32)
    blocked, starts = np.empty(count, np.uint8), np.empty(len(index) + 1, np.int64)
    way, step_rad = _mesh_kernels.measure_steps(points, index, 4)
    ahead = T_camera_lidar.rotation[2]
    level = np.hypot(ahead[0], ahead[1])
    seam = (-ahead[0] / level, -ahead[1] / level, way) if level > 1e-6 else (-1.0, 0.0, way)
    view = view_of_cloud(camera, T_camera_lidar.matrix)
    bounds = np.array([*_widened(view[13:17]), 0.0 if camera.is_spherical else 1.0], np.float32)
    matrix = np.ascontiguousarray(T_camera_lidar.matrix[:3], np.float32)
    _mesh_kernels.gather(
        points,
        index,
        range_image.range_m,
        matrix,
        bounds,
        seam,
        table,
        in_camera,
        number,
        blocked,
        starts,
    )
    count = int(starts[-1])
    table, number = table[:count], number[:count]
    in_camera = np.ascontiguousarray(in_camera[:, :count])
    out = np.empty((3, count), np.float32)
    if camera.is_spherical:
        pixels = camera.project(in_camera.T)
        out[0], out[1] = pixels[:, 0], pixels[:, 1]
        out[2] = np.linalg.norm(in_camera, axis=0)
    else:
        x, y, z = in_camera
        same = RigidTransform.identity(camera.name, camera.name)
        _view_kernels.project_row(z, np.stack([x / z, y / z]), view_of(camera, same), out)
    out[2] = 1 / out[2]
    table[:, :3] = out.T
    ranges = table[:, _mesh_kernels.RANGE]
    table[:, _mesh_kernels.NOISE] = lidar.sigma_m(ranges) / ranges
    ring_rad = _ring_step_rad(table, starts)
    widest = max(_STEPS * step_rad, _RINGS * ring_rad)
    steps = np.array([step_rad, ring_rad], np.float32)
    return _Vertices(table, starts, blocked[:count], number, widest, steps)


def _widened(box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the box of rays with a rim, so that triangles at the border keep their vertices."""
    left, right, top, bottom = box
    rim = 0.1 * np.array([-1, 1, -1, 1], np.float32)
    return np.asarray(np.array([left, right, top, bottom], np.float32) + rim)


def _ring_step_rad(table: NDArray[np.float32], starts: NDArray[np.int64]) -> float:
    filled = starts[:-1][np.diff(starts) > 0]
    if len(filled) < 2:
        return 0.0
    elevation = np.arctan(
        np.add.reduceat(table[:, _mesh_kernels.SLOPE], filled)
        / np.diff(np.append(filled, starts[-1]))
    )
    return float(np.median(np.abs(np.diff(elevation))))
