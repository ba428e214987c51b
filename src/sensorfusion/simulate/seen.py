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
    vertices, triangles = _cut(mesh.vertices, mesh.triangles, edge_m)
    eye = Eye(vertices, triangles)
    seen = np.zeros(len(triangles), dtype=bool)
    for T_world_camera in poses:
        view = eye.look(camera, T_world_camera)
        hit = (view.z_m > limits_m[0]) & (view.z_m < limits_m[1]) & (view.triangles >= 0)
        seen[view.triangles[hit]] = True
    used, compact = np.unique(triangles[seen], return_inverse=True)
    return TriangleMesh(vertices[used], compact.reshape(-1, 3).astype(np.int32))


def _cut(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], edge_m: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Halve the longest edge of every triangle until all edges are short enough."""
    corners = vertices[triangles]
    finished = []
    while len(corners):
        edges = corners[:, [1, 2, 0]] - corners[:, [2, 0, 1]]
        lengths_m = np.sqrt((edges**2).sum(axis=-1))
        short = lengths_m.max(axis=1) <= edge_m
        finished.append(corners[short])
        corners, longest = corners[~short], lengths_m[~short].argmax(axis=1)
        row = np.arange(len(corners))
        top, left, right = (corners[row, (longest + k) % 3] for k in range(3))
        # Adding the ends in one order gives both neighbours the same middle, to the last bit.
        middle = (left + right) * np.float32(0.5)
        first, second = np.stack([top, left, middle], 1), np.stack([top, middle, right], 1)
        corners = np.concatenate([first, second])
    soup = np.concatenate(finished).reshape(-1, 3)
    keys = np.ascontiguousarray(soup + np.float32(0)).view(np.dtype((np.void, 12))).ravel()
    _, first_use, compact = np.unique(keys, return_index=True, return_inverse=True)
    return soup[first_use], compact.reshape(-1, 3).astype(np.int32)
