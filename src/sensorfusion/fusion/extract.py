"""The surface in a volume as a mesh, the same bytes on every run."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.fusion import _vertex_kernels
from sensorfusion.fusion._kernels import UNIT_WEIGHT_M
from sensorfusion.fusion.marching_cubes import zero_level
from sensorfusion.fusion.volume import Volume
from sensorfusion.triangle_mesh import TriangleMesh

UNSEEN_GREY = 128
"""Grey level of surface that no picture has seen."""


def extract_mesh(volume: Volume, smallest_weight: float) -> TriangleMesh:
    """Return the zero level of a volume, in an order that depends on what it holds alone.

    With own kernels vertices and triangles stand in the order of their blocks and voxels, else in
    that of their coordinates.

    Parameters
    ----------
    volume : Volume
    smallest_weight : float
        Voxels of this weight or less count as unseen.

    Returns
    -------
    TriangleMesh
        Metres, world; triangles wound so that normals point into free space. No colours when
        no picture was fused; surface that no picture has seen is grey.

    References
    ----------
    Lorensen and Cline, "Marching cubes", 1987.
    """
    if volume.own_kernels:
        vertices, normals, triangles = zero_level(volume.views, smallest_weight)
        _make_unit(normals, vertices, triangles)
        colors = _colors(volume, vertices)
        return TriangleMesh(vertices, triangles, normals, colors, *_certainty(volume, vertices))
    nothing = np.zeros((0, 3), np.float32)
    empty = TriangleMesh(nothing, nothing.astype(np.int32), nothing)
    if not len(volume):
        return empty
    found = volume.grid.extract_triangle_mesh(weight_threshold=smallest_weight).cpu()
    if not found.triangle or "indices" not in found.triangle:
        return empty
    positions = np.asarray(found.vertex["positions"].numpy(), np.float32)
    normals = np.asarray(found.vertex["normals"].numpy(), np.float32)
    # Where a voxel's distance is exactly 0, several vertices share one place: keep one of them.
    order = np.lexsort((*normals.T[::-1], *positions.T[::-1]))
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = (positions[order[1:]] != positions[order[:-1]]).any(axis=1)
    place = np.empty(len(order), np.int32)
    place[order] = np.cumsum(kept, dtype=np.int32) - 1
    chosen = order[kept]
    vertices, normals = positions[chosen], normals[chosen]
    triangles = _sorted_triangles(place[found.triangle["indices"].numpy()])
    _make_unit(normals, vertices, triangles)
    colors = np.rint(found.vertex["colors"].numpy()[chosen] * 255).clip(0, 255).astype(np.uint8)
    return TriangleMesh(vertices, triangles, normals, colors)


def _sorted_triangles(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return triangles with three corners, smallest index first, sorted."""
    a, b, c = triangles.T
    moved = triangles[(a != b) & (b != c) & (c != a)]
    turn = (moved.argmin(axis=1)[:, None] + np.arange(3)) % 3
    turned = np.take_along_axis(moved, turn, axis=1)
    return np.ascontiguousarray(turned[np.lexsort(turned.T[::-1])])


def _make_unit(
    normals: NDArray[np.float32], vertices: NDArray[np.float32], triangles: NDArray[np.int32]
) -> None:
    """Make normals, in place, of length 1; at the rim of what was seen, those of the triangles."""
    length = _lengths(normals)
    bad = ~(length > 1e-6)
    if bad.any():
        touching = triangles[bad[triangles].any(axis=1)]
        a, b, c = (vertices[touching[:, k]] for k in range(3))
        of_triangle = np.cross(b - a, c - a)
        summed = np.zeros(normals.shape, np.float32)
        for corner in range(3):
            np.add.at(summed, touching[:, corner], of_triangle)
        normals[bad] = summed[bad]
        length[bad] = _lengths(summed[bad])
        flat = ~(length > 0)
        normals[flat], length[flat] = (0, 0, 1), 1
    normals /= length[:, None]


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    # Without the squares of all of them beside them, as np.linalg.norm has.
    return np.asarray(np.sqrt(np.einsum("nc,nc->n", vectors, vectors)))


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
