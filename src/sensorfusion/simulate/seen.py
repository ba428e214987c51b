"""The part of a scene's surface that cameras have seen: the truth for a reconstruction."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.simulate.sensor import Eye
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh


def surface_seen(
    mesh: TriangleMesh,
    camera: Camera,
    poses: Iterable[RigidTransform],
    *,
    limits_m: tuple[float, float] = (0.0, np.inf),
    edge_m: float = 0.03,
) -> TriangleMesh:
    """Return the small triangles of a surface that at least one pixel of one picture hits.

    Parameters
    ----------
    mesh : TriangleMesh
        World coordinates; nothing of it is see-through.
    camera : Camera
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
    corners = _cut(mesh.vertices[mesh.triangles], edge_m)
    eye = Eye(corners.reshape(-1, 3), np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3))
    seen = np.zeros(len(corners), dtype=bool)
    for T_world_camera in poses:
        view = eye.look(camera, T_world_camera)
        hit = (view.z_m > limits_m[0]) & (view.z_m < limits_m[1])
        seen[view.triangles[hit]] = True
    return _joined(corners[seen])


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
