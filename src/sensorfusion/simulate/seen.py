"""The part of a scene's surface that sensors have seen: the truth for a reconstruction."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.lidar import Lidar
from sensorfusion.simulate.sensor import Eye
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

_REACHED = 1 - 2e-4


def surface_seen(
    mesh: TriangleMesh,
    camera: Camera,
    poses: Iterable[RigidTransform],
    *,
    limits_m: tuple[float, float] = (0.0, np.inf),
    edge_m: float = 0.03,
) -> TriangleMesh:
    """Return the small triangles of a surface whose middle at least one picture shows.

    A triangle counts when it faces the camera, its middle lies within picture and range, and
    nothing stands before it.

    Parameters
    ----------
    mesh : TriangleMesh
        World coordinates; nothing of it is see-through.
    camera : Camera
        Only its field of view matters, not how fine its pixels are.
    poses : iterable of RigidTransform
        ``T_world_camera``.
    limits_m : (float, float)
        Depths outside of these count as not seen, metres.
    edge_m : float
        The surface is cut until no edge is longer.

    Returns
    -------
    TriangleMesh
        World coordinates; without normals and colours.
    """
    # Imported here: numba takes half a second, and a driver must be cheap to import.
    from sensorfusion.simulate._kernels import facing  # noqa: PLC0415

    corners = _cut(mesh.vertices[mesh.triangles], edge_m)
    middles = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    eye = Eye(mesh.vertices, mesh.triangles)
    seen = np.zeros(len(corners), dtype=bool)
    for T_world_camera in poses:
        origin_m = T_world_camera.translation_m.astype(np.float32)
        rotation = T_world_camera.rotation.astype(np.float32)
        unseen = facing(middles, normals, seen, origin_m, np.ascontiguousarray(rotation[:, 2]))
        towards = middles[unseen] - origin_m
        shown = _shown(camera, towards @ rotation, limits_m)
        unseen, towards = unseen[shown], towards[shown]
        seen[unseen[eye.reach(origin_m, towards) > _REACHED]] = True
    return _joined(corners[seen])


def surface_scanned(
    mesh: TriangleMesh,
    lidar: Lidar,
    poses: Iterable[RigidTransform],
    *,
    far_m: float = np.inf,
    edge_m: float = 0.05,
) -> TriangleMesh:
    """Return the small triangles of a surface whose middle at least one scan could see.

    As :func:`surface_seen`, for a LiDAR that looks all around, between its highest and its lowest
    ring; how far its beams are apart does not matter.

    Parameters
    ----------
    mesh : TriangleMesh
        World coordinates.
    lidar : Lidar
        With elevations.
    poses : iterable of RigidTransform
        ``T_world_lidar``.
    far_m : float
        What is farther away counts as not seen, as does what ``lidar`` cannot measure.
    edge_m : float
        The surface is cut until no edge is longer.

    Returns
    -------
    TriangleMesh
        World coordinates; without normals and colours.
    """
    corners = _cut(mesh.vertices[mesh.triangles], edge_m)
    middles = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    eye = Eye(mesh.vertices, mesh.triangles)
    lowest, highest = min(lidar.elevation_rad), max(lidar.elevation_rad)
    far_m = min(far_m, lidar.far_m)
    unseen = np.arange(len(corners))
    for T_world_lidar in poses:
        origin_m = T_world_lidar.translation_m.astype(np.float32)
        towards = middles[unseen] - origin_m
        beams = towards @ T_world_lidar.rotation.astype(np.float32)
        elevation_rad = np.arctan2(beams[:, 2], np.hypot(beams[:, 0], beams[:, 1]))
        range_m = np.linalg.norm(beams, axis=1)
        shown = np.einsum("ij,ij->i", towards, normals[unseen]) < 0
        shown &= (elevation_rad >= lowest) & (elevation_rad <= highest)
        shown &= (range_m >= lidar.near_m) & (range_m <= far_m)
        shown[shown] = eye.reach(origin_m, towards[shown]) > _REACHED
        unseen = unseen[~shown]
    seen = np.ones(len(corners), dtype=bool)
    seen[unseen] = False
    return _joined(corners[seen])


def _shown(
    camera: Camera, points: NDArray[np.float32], limits_m: tuple[float, float]
) -> NDArray[np.bool_]:
    """Tell which points (N, 3), in camera coordinates, lie within picture and range."""
    shown = (points[:, 2] > max(0.0, limits_m[0])) & (points[:, 2] < limits_m[1])
    u, v = camera.project(points[shown]).T
    shown[shown] = (u >= -0.5) & (u < camera.width - 0.5) & (v >= -0.5) & (v < camera.height - 0.5)
    return shown


def _cut(corners: NDArray[np.float32], edge_m: float) -> NDArray[np.float32]:
    """Halve the longest edge of every triangle (M, 3 corners, 3) until all are short enough."""
    finished = []
    while len(corners):
        edges = corners[:, [1, 2, 0]] - corners[:, [2, 0, 1]]
        squares = np.einsum("ijk,ijk->ij", edges, edges)
        short = squares.max(axis=1) <= edge_m**2
        finished.append(corners[short])
        corners, longest = corners[~short], squares[~short].argmax(axis=1)
        row = np.arange(len(corners))
        top, left, right = (corners[row, (longest + k) % 3] for k in range(3))
        middle = (left + right) * np.float32(0.5)
        first, second = np.stack([top, left, middle], 1), np.stack([top, middle, right], 1)
        corners = np.concatenate([first, second])
    return np.concatenate(finished)


def _joined(corners: NDArray[np.float32]) -> TriangleMesh:
    """Return a mesh in which triangles that touch share the vertex."""
    points = corners.reshape(-1, 3)
    if not len(points):
        return TriangleMesh(points, np.zeros((0, 3), np.int32))
    low = points.min(axis=0).astype(np.float64)
    # 21 bits an axis: micrometres in a room, far below any edge.
    steps = ((points - low) * ((2**21 - 1) / max(float(np.ptp(points)), 1e-9))).round()
    keys = steps.astype(np.int64) @ np.array([1 << 42, 1 << 21, 1], dtype=np.int64)
    _, first, compact = np.unique(keys, return_index=True, return_inverse=True)
    return TriangleMesh(points[first], compact.reshape(-1, 3).astype(np.int32))
