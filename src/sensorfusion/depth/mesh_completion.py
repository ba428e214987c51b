"""Completion by the surface that a scan shows: triangles between its beams, drawn into a camera."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth import _mesh_draw_kernels, _mesh_kernels, _range_kernels
from sensorfusion.depth.mesh_lens import ends_of_steps, project
from sensorfusion.depth.projection import looked_at, rows_in_box, view_of_cloud
from sensorfusion.depth.scratch import Scratch
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import RangeImage
from sensorfusion.transform import RigidTransform

# A line between neighbours is surface when it leaves the beam by at least 1 in so many and covers
# this share of the range at most, or when one end lies where the surface leads that the other has
# with the next beam, to this share of the step. All were chosen on held-out beams of
# kitti-raw-drive; the first, and _REACH, with a look at the simulated street, too.
_STEEPEST, _JUMP, _OFF_PLANE = 3.0, 0.1, 0.3
_LIMITS = np.array([_STEEPEST, _JUMP, _OFF_PLANE], np.float32)
# Neighbours in azimuth are at most so many firings, or ring gaps, apart.
_STEPS, _RINGS = 1.6, 1.3
# What counts of a point's noise, and of how far the rings beyond deviate from the plane.
_NOISE, _DEVIATION = 0.7, 0.04
# Beyond its last beam a surface may reach up to the next, and a little for uneven steps.
_REACH = np.float32(1.2)
# Rays this far outside the picture, as x / z and y / z, still end triangles that reach into it.
_RIM = 0.08
_WIDEST_RAD = 1.0
# Firings stand as far apart in one row as in the next: so many rows tell.
_EVERY = 8

_SCRATCH = Scratch()


@dataclass(frozen=True, slots=True, eq=False)
class _Vertices:
    """Points of a scan that the camera may see, row by row."""

    table: NDArray[np.float32]
    starts: NDArray[np.int64]
    blocked: NDArray[np.uint8]
    widest_rad: float
    steps: NDArray[np.float32]


def points_in_view(
    cloud: PointCloud, camera: Camera, T_camera_lidar: RigidTransform
) -> NDArray[np.int32] | None:
    """Return the points that matter for what a camera sees of the surface between them.

    Parameters
    ----------
    cloud : PointCloud
    camera : Camera
    T_camera_lidar : RigidTransform

    Returns
    -------
    ndarray of int32, shape (K,), or None
        Rows of the cloud, rising, for :func:`sensorfusion.depth.organise.organise`; None for all.
    """
    return rows_in_box(cloud, camera, T_camera_lidar, _RIM)


def complete_mesh(
    range_image: RangeImage, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> DepthMap:
    """Return what a camera sees of the surfaces between the beams of a scan.

    Neighbouring points of neighbouring rings become triangles where they are of one surface: not
    across a jump in range, a beam without return, or a gap wider than beams are apart. They are
    drawn in inverse depth, which is linear over the picture of a plane; the nearest wins. Beyond
    its last beam a surface may reach up to the next one: what lies farther behind is left out
    there, because nobody knows whether the camera sees it. Nothing is filled beyond the beams.

    Parameters
    ----------
    range_image : RangeImage
        Of the scan, in the LiDAR's own coordinate system.
    camera : Camera
        Any model. A spherical one is taken to stand in the LiDAR, as the panorama does, and to
        hide nothing.
    T_camera_lidar : RigidTransform
    lidar : Lidar
        Says how far its ranges spread.

    Returns
    -------
    DepthMap
        float32 (H, W) of ``camera``: metres along z (ranges, in a panorama). ``origin`` is
        MEASURED where a point fell, FILLED between points, OCCLUDED where the only point may be
        hidden, NO_RETURN where a beam found nothing, and UNSEEN elsewhere. ``sigma_m`` counts
        the ranges' noise, that of slanted surfaces, and how far neighbouring rings deviate from
        the plane of a triangle.

    Raises
    ------
    CoordinateSystemMismatchError
        If the transform does not lead from the scan's coordinates to the camera's.

    References
    ----------
    Holz and Behnke, "Fast range image segmentation and smoothing using approximate surface
    reconstruction and region growing", IAS 2012, for triangles between neighbours of a scan.
    """
    source = range_image.cloud.coordinate_system
    if (T_camera_lidar.target, T_camera_lidar.source) != (camera.name, source):
        msg = (
            f"{T_camera_lidar.name} was given to take points of {source!r} to camera "
            f"{camera.name!r}; expected T_{camera.name}_{source}"
        )
        raise CoordinateSystemMismatchError(msg)
    origin = looked_at(range_image.cloud, camera, T_camera_lidar, lidar)
    vertices = _vertices(range_image, camera, T_camera_lidar, lidar)
    triangles, rim = _triangles(vertices)
    metres, sigma_m = np.empty(origin.shape, np.float32), np.empty(origin.shape, np.float32)
    turn_px = 2 * np.pi * camera.fx if camera.is_spherical else 0.0
    weights = np.array([_NOISE, _DEVIATION, lidar.beam_width_rad], np.float32)
    lens = (camera.fx, camera.fy, camera.cx, camera.cy)
    view = np.array([*T_camera_lidar.matrix[:3].ravel(), *lens], np.float32)
    steps = vertices.steps * _REACH
    ends = ends_of_steps(vertices.table, steps, camera, T_camera_lidar)
    scene = (vertices.table, *triangles, rim, weights, (view, steps, ends), turn_px)
    middle = _middle_row(vertices.table, camera)
    bands = np.array([[0, middle], [middle, camera.height]])
    spare = _mesh_draw_kernels.SPARE
    layer = _SCRATCH.array("layer", (camera.height + 2 * spare, camera.width), np.int64)
    upper, lower = layer[: middle + spare], layer[middle + spare :]
    target = (metres, sigma_m, origin)
    _in_two(
        lambda: _mesh_draw_kernels.draw(*scene, bands[0], upper, *target),
        lambda: _mesh_draw_kernels.draw(*scene, bands[1], lower, *target),
    )
    return DepthMap(metres, camera, range_image.cloud.timestamp_ns, sigma_m, origin)


def _middle_row(table: NDArray[np.float32], camera: Camera) -> int:
    """Return the row of a picture that has half of the points above it."""
    rows = table[:: 4 * _EVERY, _mesh_kernels.V]
    rows = np.sort(rows[(rows >= 0) & (rows < camera.height)])
    return int(rows[len(rows) // 2]) if rows.size else camera.height // 2


def _triangles(
    vertices: _Vertices,
) -> tuple[tuple[NDArray[np.int32], NDArray[np.int32]], NDArray[np.uint8]]:
    """Return the triangles of the surface, upper and lower, and which vertices stand at its end."""
    table, starts, blocked = vertices.table, vertices.starts, vertices.blocked
    starts = np.append(starts[:-1][np.diff(starts) > 0], starts[-1])
    rows = len(starts) - 1
    half = int(np.searchsorted(starts, len(table) / 2))
    joined, rims = np.zeros(len(table), np.uint8), np.zeros((2, len(table)), np.uint8)
    room = _SCRATCH.array("triangles", (2, 2 * len(table), 3), np.int32)
    found = [0, 0]

    def find(number: int, first: int, last: int) -> None:
        found[number] = _mesh_kernels.find_triangles(
            table,
            starts,
            blocked,
            np.sin(vertices.widest_rad),
            _LIMITS,
            (first, last),
            joined,
            room[number],
            rims[number],
        )

    if rows > 1:
        half = min(max(half, 1), rows - 1)
        _in_two(lambda: find(0, 0, half), lambda: find(1, half, rows - 1))
    return (room[0, : found[0]], room[1, : found[1]]), rims[0] | rims[1]


def _in_two(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Do two things at a time: kernels let go of the interpreter."""
    other = threading.Thread(target=first)
    other.start()
    second()
    other.join()


def _vertices(
    range_image: RangeImage, camera: Camera, T_camera_lidar: RigidTransform, lidar: Lidar
) -> _Vertices:
    points, index = range_image.cloud.points, range_image.index
    count = int(np.count_nonzero(index >= 0))
    table = _SCRATCH.array("table", (count, _mesh_kernels.VERTEX), np.float32)
    in_camera = _SCRATCH.array("in_camera", (3, count), np.float32)
    blocked = np.empty(count, np.uint8)
    starts = np.empty(len(index) + 1, np.int64)
    way, step_rad = _range_kernels.measure_steps(points, index, _EVERY)
    _mesh_kernels.gather(
        points,
        index,
        range_image.range_m,
        np.ascontiguousarray(T_camera_lidar.matrix[:3], np.float32),
        _bounds(camera, T_camera_lidar),
        _seam(T_camera_lidar, way),
        table,
        in_camera,
        blocked,
        starts,
    )
    count = int(starts[-1])
    table = table[:count]
    table[:, :3] = project(np.ascontiguousarray(in_camera[:, :count]), camera).T
    ranges = table[:, _mesh_kernels.RANGE].copy()
    table[:, _mesh_kernels.NOISE] = lidar.sigma_m(ranges) / np.maximum(ranges, np.float32(1e-6))
    ring_rad = _ring_step_rad(table, starts)
    widest_rad = min(max(_STEPS * step_rad, _RINGS * ring_rad), _WIDEST_RAD)
    steps = np.array([step_rad, ring_rad], np.float32)
    return _Vertices(table, starts, blocked[:count], widest_rad, steps)


def _bounds(camera: Camera, T_camera_lidar: RigidTransform) -> NDArray[np.float32]:
    """Return the smallest and largest x / z and y / z of points that matter, and 1 if any do."""
    left, right, top, bottom = view_of_cloud(camera, T_camera_lidar.matrix)[13:17]
    bounded = 0.0 if camera.is_spherical else 1.0
    box = (left - _RIM, right + _RIM, top - _RIM, bottom + _RIM, bounded)
    return np.array(box, np.float32)


def _seam(T_camera_lidar: RigidTransform, way: float) -> tuple[float, float, float]:
    """Return cosine and sine of the azimuth behind the camera, and how columns turn."""
    ahead = T_camera_lidar.rotation[2]
    level = float(np.hypot(ahead[0], ahead[1]))
    if level < 1e-6:
        return -1.0, 0.0, way
    return -float(ahead[0]) / level, -float(ahead[1]) / level, way


def _ring_step_rad(table: NDArray[np.float32], starts: NDArray[np.int64]) -> float:
    """Return the median angle between neighbouring rings, radians; 0 where there is one ring."""
    filled = starts[:-1][np.diff(starts) > 0]
    if len(filled) < 2:
        return 0.0
    counts = np.diff(np.append(filled, starts[-1]))
    slopes = np.add.reduceat(table[:, _mesh_kernels.SLOPE], filled) / counts
    return float(np.median(np.abs(np.diff(np.arctan(slopes)))))
