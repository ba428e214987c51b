"""The surface in a volume as a mesh, the same bytes on every run."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.fusion import _vertex_kernels
from sensorfusion.fusion._kernels import UNIT_WEIGHT_M
from sensorfusion.fusion.volume import Volume
from sensorfusion.triangle_mesh import TriangleMesh

UNSEEN_GREY = 128
"""Grey level of surface that no picture has seen."""


def extract_mesh(volume: Volume, smallest_weight: float) -> TriangleMesh:
    """Return the zero level of a volume, vertices and triangles in sorted order.

    Parameters
    ----------
    volume : Volume
    smallest_weight : float
        Voxels with less weight count as unseen.

    Returns
    -------
    TriangleMesh
        Metres, world; triangles wound so that normals point into free space. No colours when
        no picture was fused; surface that no picture has seen is grey.

    References
    ----------
    Lorensen and Cline, "Marching cubes", 1987.
    """
    nothing = np.zeros((0, 3), np.float32)
    if not len(volume):
        return TriangleMesh(nothing, nothing.astype(np.int32), nothing)
    found = volume.grid.extract_triangle_mesh(weight_threshold=smallest_weight).cpu()
    if not found.triangle or "indices" not in found.triangle:
        return TriangleMesh(nothing, nothing.astype(np.int32), nothing)
    positions = np.asarray(found.vertex["positions"].numpy(), np.float32)
    normals = np.asarray(found.vertex["normals"].numpy(), np.float32)
    # Where a voxel's distance is exactly 0, several vertices share one place: keep one of them.
    order = np.lexsort((*normals.T[::-1], *positions.T[::-1]))
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = (positions[order[1:]] != positions[order[:-1]]).any(axis=1)
    place = np.empty(len(order), np.int32)
    place[order] = np.cumsum(kept, dtype=np.int32) - 1
    chosen = order[kept]
    vertices = positions[chosen]
    triangles = _sorted_triangles(place[found.triangle["indices"].numpy()])
    unit_normals = _unit_normals(normals[chosen], vertices, triangles)
    if not volume.own_kernels:
        colors = np.rint(found.vertex["colors"].numpy()[chosen] * 255).clip(0, 255).astype(np.uint8)
        return TriangleMesh(vertices, triangles, unit_normals, colors)
    sigma_m, observations = _certainty(volume, vertices)
    colors = _colors(volume, vertices)
    return TriangleMesh(vertices, triangles, unit_normals, colors, sigma_m, observations)


def _sorted_triangles(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return triangles with three corners, smallest index first, sorted."""
    a, b, c = triangles.T
    moved = triangles[(a != b) & (b != c) & (c != a)]
    turn = (moved.argmin(axis=1)[:, None] + np.arange(3)) % 3
    turned = np.take_along_axis(moved, turn, axis=1)
    return np.ascontiguousarray(turned[np.lexsort(turned.T[::-1])])


def _unit_normals(
    normals: NDArray[np.float32], vertices: NDArray[np.float32], triangles: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return normals of length 1; at the rim of what was seen, those of the triangles."""
    length = np.linalg.norm(normals, axis=1)
    bad = ~(length > 1e-6)
    if bad.any():
        touching = triangles[bad[triangles].any(axis=1)]
        a, b, c = (vertices[touching[:, k]] for k in range(3))
        of_triangle = np.cross(b - a, c - a)
        summed = np.zeros_like(normals)
        for corner in range(3):
            np.add.at(summed, touching[:, corner], of_triangle)
        normals = np.where(bad[:, None], summed, normals)
        length = np.linalg.norm(normals, axis=1)
    flat = ~(length > 0)
    normals = np.where(flat[:, None], np.array([0, 0, 1], np.float32), normals)
    return (normals / np.where(flat, 1, length)[:, None]).astype(np.float32)


def _colors(volume: Volume, vertices: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Return the mean colour of the coloured voxels around each vertex, or None without any."""
    views = volume.views
    colors = np.full(vertices.shape, UNSEEN_GREY, np.uint8)
    seen = _vertex_kernels.vertex_colors(
        vertices, views.keys, views.indices, views.color, volume.voxel_size_m, colors
    )
    return colors if seen else None


def _certainty(
    volume: Volume, vertices: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return one standard deviation of each vertex, metres, and how many frames measured it."""
    views = volume.views
    found = np.empty((len(vertices), 2), np.float32)
    _vertex_kernels.vertex_weights(
        vertices,
        views.keys,
        views.indices,
        views.weight,
        views.observations,
        volume.voxel_size_m,
        found,
    )
    sigma_m = UNIT_WEIGHT_M / np.sqrt(np.maximum(found[:, 0], 1.0))
    return sigma_m.astype(np.float32), np.rint(found[:, 1]).astype(np.uint32)
