"""Marching cubes over the volume's own buffers, without a copy of it.

Open3D's extraction sets up four int32 for each voxel of each block, more than the volume itself
holds; this one sets up 2 bytes for each vertex. Which triangles a cell gets is Open3D's to say, so
that both make the same surface.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion._kernels import look_up
from sensorfusion.fusion import _surface_kernels
from sensorfusion.fusion.volume import BLOCK_VOXELS, BlockViews

_CASES = 256
_NO_MORE = -1
_MIDDLE = 3
_CORNERS = np.arange(8)
_OFFSETS = np.stack([_CORNERS & 1, _CORNERS >> 1 & 1, _CORNERS >> 2], axis=1)


def zero_level(
    views: BlockViews, smallest_weight: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Return vertices, normals and triangles of the surface, in the order of the sorted blocks.

    Parameters
    ----------
    views : BlockViews
        Of a volume.
    smallest_weight : float
        A cell with a corner of this weight or less has no surface.

    Returns
    -------
    vertices : ndarray of float32, shape (N, 3)
        Metres, world; no two in one place.
    normals : ndarray of float32, shape (N, 3)
        Unit vectors along the slope of the distance, into free space; 0 where there is none.
    triangles : ndarray of int32, shape (M, 3)
        Three different vertices each, wound so that their normals point into free space.

    References
    ----------
    Lorensen and Cline, "Marching cubes", 1987.
    """
    order = np.sort(views.keys[views.keys >= 0])
    volume = (order, views.keys, views.indices, views.tsdf, views.weight)
    limits = np.array([views.voxel_size_m, smallest_weight], np.float32)
    table = _triangles_of_cases()
    counts = np.zeros((len(order), 2), np.int32)
    starts = np.zeros((2, len(order) + 1), np.int64)
    codes, nothing = np.empty(0, np.uint16), np.empty((0, 3), np.float32)
    _surface_kernels.surface_vertices(
        *volume, limits, table, starts[0], counts, codes, nothing, nothing
    )
    starts[:, 1:] = counts.T.cumsum(axis=1)
    codes = np.empty(starts[0, -1], np.uint16)
    vertices, normals = np.empty((len(codes), 3), np.float32), np.empty((len(codes), 3), np.float32)
    triangles = np.empty((starts[1, -1], 3), np.int32)
    if len(codes):
        _surface_kernels.surface_vertices(
            *volume, limits, table, starts[0], counts, codes, vertices, normals
        )
        ranks = np.zeros(len(views.tsdf), np.int32)
        ranks[look_up(views.keys, views.indices, order)] = np.arange(len(order))
        _surface_kernels.surface_triangles(*volume, limits, table, ranks, *starts, codes, triangles)
    return vertices, normals, triangles


@cache
def _triangles_of_cases() -> NDArray[np.int8]:
    """Ask Open3D which triangles it makes of one cell, for each of the 256 ways to fill it.

    Returns
    -------
    ndarray of int8, shape (256, T, 3)
        Edges of the corners of up to T triangles, -1 beyond the last. Bit x + 2 y + 4 z of a case
        says that this corner lies behind the surface; edge 3 corner + axis begins at that corner.
    """
    import open3d as o3d

    core = o3d.core
    grid = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight"), (core.float32, core.float32), ((1), (1)), 1.0, BLOCK_VOXELS, _CASES
    )
    # One cell in the middle of a block, blocks so far apart that none has a neighbour.
    blocks = np.zeros((_CASES, 3), np.int32)
    blocks[:, 0] = 2 * np.arange(_CASES)
    rows, _ = grid.hashmap().activate(core.Tensor(blocks))
    x, y, z = (_OFFSETS + _MIDDLE).T
    behind = np.arange(_CASES)[:, None] >> _CORNERS & 1
    rows = rows.numpy()[:, None]
    grid.attribute("tsdf").numpy()[rows, z, y, x, 0] = 1.0 - 2.0 * behind
    grid.attribute("weight").numpy()[rows, z, y, x, 0] = 1
    found = grid.extract_triangle_mesh(weight_threshold=0)
    # Vertices lie in the middle of edges: twice their coordinates is whole.
    doubled = np.rint(2 * found.vertex["positions"].numpy()).astype(np.int64)
    block = doubled[:, 0] // (4 * BLOCK_VOXELS)
    doubled[:, 0] -= block * 4 * BLOCK_VOXELS
    doubled -= 2 * _MIDDLE
    edge = 3 * ((doubled >> 1) @ (1, 2, 4)) + (doubled & 1).argmax(axis=1)
    triangles = found.triangle["indices"].numpy()
    cases: list[list[list[int]]] = [[] for _ in range(_CASES)]
    for corners in triangles:
        cases[block[corners[0]]].append(_turned(edge[corners].tolist()))
    table = np.full((_CASES, max(map(len, cases)), 3), _NO_MORE, np.int8)
    for case, made in enumerate(cases):
        table[case, : len(made)] = np.array(sorted(made)).reshape(-1, 3)
    return table


def _turned(corners: list[int]) -> list[int]:
    """Return a triangle's corners, the smallest first, in the same sense of rotation."""
    first = corners.index(min(corners))
    return corners[first:] + corners[:first]
