"""Numba kernels that make the zero level of the volume a mesh, block by block.

A vertex belongs to the voxel at the lower end of its edge and has its axis as slot 0-2; one that
lies on a voxel's sample belongs to that voxel, slot 3, whichever edges meet there. So each block
finds by itself which vertices are its own, and two never share a place.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.fusion._cube_kernels import (
    CELLS,
    SAMPLES,
    SIDE,
    STEPS,
    corner_of,
    own_sample,
    read_cube,
    sample_at,
)

Array = NDArray[Any]
F32 = np.float32

_ON_SAMPLE = 3
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _share(distance: Array, sample: int, axis: int) -> float:
    """Return where along an edge the distance is 0, from 0 at its lower end to 1."""
    first = distance[sample]
    return -first / (distance[sample + STEPS[axis]] - first)


@njit(**_OPTIONS)
def _vertex(distance: Array, sample: int, axis: int, corner: int, voxel_size_m: float) -> int:
    """Return 4 sample + slot of the vertex on an edge that begins at coordinate ``corner``."""
    # The same rounding as that of the vertices: two on one sample must be one.
    size, base = F32(voxel_size_m), F32(corner)
    place = size * (base + _share(distance, sample, axis))
    if place == size * base:
        return 4 * sample + _ON_SAMPLE
    if place == size * (base + F32(1.0)):
        return 4 * (sample + STEPS[axis]) + _ON_SAMPLE
    return 4 * sample + axis


@njit(**_OPTIONS)
def _find_vertices(
    key: int,
    distance: Array,
    case: Array,
    voxel_size_m: float,
    near: Array,
    vertices: Array,
    marks: Array,
) -> bool:
    """Find the vertices of all cells of a block's cube; return False where there are none.

    Writes to ``vertices`` the vertex of each crossed edge, 3 sample + axis, and sets in ``marks``
    the bits of the slots that hold one; ``near`` is scratch; both hold one uint8 a sample.
    """
    found = False
    near[:] = 0
    marks[:] = 0
    for k in range(9):
        for j in range(9):
            first = (k * SIDE + j) * SIDE
            for cell in range(first, first + 9):
                if case[cell] == 0 or case[cell] >= 255:
                    continue
                found = True
                for end in range(7):
                    # Of the cell's twelve edges, those that begin at this corner.
                    near[cell + sample_at(end & 1, end >> 1 & 1, end >> 2)] |= np.uint8(7 & ~end)
    if not found:
        return False
    for sample in range(near.shape[0]):
        if near[sample] == 0:
            continue
        corner = corner_of(key, sample)
        for axis in range(3):
            behind = distance[sample + STEPS[axis]] < F32(0.0)
            if near[sample] >> axis & 1 and behind != (distance[sample] < F32(0.0)):
                vertex = _vertex(distance, sample, axis, corner[axis], voxel_size_m)
                vertices[3 * sample + axis] = vertex
                marks[vertex >> 2] |= np.uint8(1 << (vertex & 3))
    return True


@njit(**_OPTIONS)
def _triangles(case: Array, table: Array, vertices: Array, triangles: Array) -> int:
    """Write the vertices of the triangles of a block's own cells; return how many there are."""
    count = 0
    for voxel in range(512):
        cell = own_sample(voxel)
        if case[cell] == 0 or case[cell] >= 255:
            continue
        edges = table[case[cell]]
        for n in range(edges.shape[0]):
            if edges[n, 0] < 0:
                break
            for side in range(3):
                end, axis = edges[n, side] // 3, edges[n, side] % 3
                sample = cell + sample_at(end & 1, end >> 1 & 1, end >> 2)
                triangles[count, side] = vertices[3 * sample + axis]
            a, b, c = triangles[count]
            count += 1 if b not in (a, c) and c != a else 0
    return count


@njit(**_OPTIONS)
def _slope(distance: Array, sample: int, axis: int) -> float:
    """Return the central difference, 0 where a neighbour has no block."""
    step = STEPS[axis]
    difference = distance[sample + step] - distance[sample - step]
    return F32(0.0) if np.isnan(difference) else difference


@njit(**_OPTIONS)
def _place(
    key: int, distance: Array, vertex: int, voxel_size_m: float, position: Array, normal: Array
) -> None:
    sample, slot = vertex >> 2, vertex & 3
    corner = corner_of(key, sample)
    share = F32(0.0) if slot == _ON_SAMPLE else _share(distance, sample, slot)
    other = sample if slot == _ON_SAMPLE else sample + STEPS[slot]
    length = F32(0.0)
    for axis in range(3):
        along = share if axis == slot else F32(0.0)
        position[axis] = F32(voxel_size_m) * (F32(corner[axis]) + along)
        slope = (F32(1.0) - share) * _slope(distance, sample, axis)
        normal[axis] = slope + share * _slope(distance, other, axis)
        length += normal[axis] * normal[axis]
    if length > F32(0.0):
        length = np.sqrt(length)
        for axis in range(3):
            normal[axis] /= length


@njit(**_OPTIONS)
def surface_vertices(
    order: Array,
    keys: Array,
    rows: Array,
    tsdf: Array,
    weight: Array,
    limits: Array,
    table: Array,
    starts: Array,
    counts: Array,
    codes: Array,
    positions: Array,
    normals: Array,
) -> None:
    """Count the vertices and triangles of each block, or write its vertices.

    ``order`` int64 (N,) keys of all blocks, sorted; ``keys``, ``rows``, ``tsdf``, ``weight`` as in
    the volume's views; ``limits`` float32 (2,): voxel size, metres, and the weight that a voxel
    must exceed; ``table`` int8 (256, T, 3): of each case up to T triangles by their edges, -1 where
    there are no more. With ``codes`` uint16 of length 0, ``counts`` int32 (N, 2) is written:
    vertices and triangles. Else, for vertices from ``starts`` int64 (N,) on, 4 voxel + slot to
    ``codes``, and ``positions`` and ``normals`` float32 (V, 3), metres and unit vectors, world; a
    normal is 0 where the distance has no slope.
    """
    distance, case = np.empty(SAMPLES, np.float32), np.empty(CELLS, np.uint16)
    near, marks = np.empty(SAMPLES, np.uint8), np.empty(SAMPLES, np.uint8)
    vertices, around = np.empty(3 * SAMPLES, np.int32), np.empty(27, np.int32)
    triangles = np.empty((512 * table.shape[1] + 1, 3), np.int32)
    write = codes.shape[0] > 0
    for n in range(order.shape[0]):
        if write and counts[n, 0] == 0:
            continue
        read_cube(order[n], keys, rows, tsdf, weight, limits[1], around, distance, case)
        if not _find_vertices(order[n], distance, case, limits[0], near, vertices, marks):
            continue
        vertex = starts[n] if write else 0
        for voxel in range(512):
            sample = own_sample(voxel)
            if marks[sample] == 0:
                continue
            for slot in range(4):
                if not marks[sample] >> slot & 1:
                    continue
                if write:
                    codes[vertex] = 4 * voxel + slot
                    place, normal = positions[vertex], normals[vertex]
                    _place(order[n], distance, 4 * sample + slot, limits[0], place, normal)
                vertex += 1
        if not write:
            counts[n, 0], counts[n, 1] = vertex, _triangles(case, table, vertices, triangles)


@njit(**_OPTIONS)
def _number(around: Array, ranks: Array, starts: Array, codes: Array, numbers: Array) -> None:
    """Write the number of each vertex of a block and of those behind it to 4 sample + slot."""
    for n in range(27):
        x, y, z = n % 3 - 1, n // 3 % 3 - 1, n // 9 - 1
        if around[n] < 0 or x < 0 or y < 0 or z < 0:
            continue
        rank = ranks[around[n]]
        for vertex in range(starts[rank], starts[rank + 1]):
            voxel = np.int64(codes[vertex]) >> 2
            i, j, k = 8 * x + (voxel & 7), 8 * y + (voxel >> 3 & 7), 8 * z + (voxel >> 6)
            if i <= 8 and j <= 8 and k <= 8:
                numbers[4 * sample_at(i + 1, j + 1, k + 1) + (np.int64(codes[vertex]) & 3)] = vertex


@njit(**_OPTIONS)
def surface_triangles(
    order: Array,
    keys: Array,
    rows: Array,
    tsdf: Array,
    weight: Array,
    limits: Array,
    table: Array,
    ranks: Array,
    vertex_starts: Array,
    triangle_starts: Array,
    codes: Array,
    triangles: Array,
) -> None:
    """Write the triangles of each block to ``triangles`` int32 (M, 3).

    As in :func:`surface_vertices`, and ``ranks`` int32 (capacity,): place in ``order`` of the block
    in each buffer row; ``vertex_starts`` and ``triangle_starts`` int64 (N + 1,). Triangles two
    corners of which fell together are left out.
    """
    distance, case = np.empty(SAMPLES, np.float32), np.empty(CELLS, np.uint16)
    near, marks = np.empty(SAMPLES, np.uint8), np.empty(SAMPLES, np.uint8)
    vertices, around = np.empty(3 * SAMPLES, np.int32), np.empty(27, np.int32)
    numbers = np.empty(4 * SAMPLES, np.int32)
    made = np.empty((512 * table.shape[1] + 1, 3), np.int32)
    for n in range(order.shape[0]):
        row = triangle_starts[n]
        if triangle_starts[n + 1] == row:
            continue
        read_cube(order[n], keys, rows, tsdf, weight, limits[1], around, distance, case)
        _find_vertices(order[n], distance, case, limits[0], near, vertices, marks)
        _number(around, ranks, vertex_starts, codes, numbers)
        count = _triangles(case, table, vertices, made)
        for t in range(count):
            for side in range(3):
                triangles[row + t, side] = numbers[made[t, side]]
