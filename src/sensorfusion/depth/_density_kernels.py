"""Numba kernels that fit planes to points in cubes, for clouds without rings; one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import EMPTY, find_slot, pack, plane_of

Array = NDArray[Any]
F32 = np.float32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}

SUMS = 10
"""Of each cube: points, x, y, z, xx, xy, xz, yy, yz, zz about the cube's middle."""
# Fewest points; how flat a plane is, of its smaller extent; how narrow, of its larger.
_FEWEST, _FLAT, _NARROW = 8, 0.04, 0.04


@njit(**_OPTIONS)
def fill_cubes(points: Array, edge_m: float, keys: Array, cubes: Array, cube_of: Array) -> int:
    """Sum points (N, 3) up in cubes; return how many cubes there are.

    ``keys`` int64, a power of two above N, is written whole; ``cubes`` float64 (N, SUMS);
    ``cube_of`` int32, as long as keys: row of each slot's cube.
    """
    keys[:] = EMPTY
    count = 0
    for n in range(points.shape[0]):
        i = np.int64(np.floor(points[n, 0] / edge_m))
        j = np.int64(np.floor(points[n, 1] / edge_m))
        k = np.int64(np.floor(points[n, 2] / edge_m))
        key = pack(i, j, k)
        slot = find_slot(keys, key)
        if keys[slot] == EMPTY:
            keys[slot] = key
            cube_of[slot] = count
            cubes[count] = 0.0
            count += 1
        sums = cubes[cube_of[slot]]
        x, y, z = points[n, 0] / edge_m - i, points[n, 1] / edge_m - j, points[n, 2] / edge_m - k
        sums[0] += 1.0
        sums[1] += x
        sums[2] += y
        sums[3] += z
        sums[4] += x * x
        sums[5] += x * y
        sums[6] += x * z
        sums[7] += y * y
        sums[8] += y * z
        sums[9] += z * z
    return count


@njit(**_OPTIONS)
def _gather(
    keys: Array, cubes: Array, cube_of: Array, at: tuple[int, int, int], sums: Array
) -> None:
    """Sum up a cube and the 26 around it, about its own corner."""
    sums[:] = 0.0
    for i in range(-1, 2):
        for j in range(-1, 2):
            for k in range(-1, 2):
                key = pack(at[0] + i, at[1] + j, at[2] + k)
                slot = find_slot(keys, key)
                if keys[slot] == EMPTY:
                    continue
                other = cubes[cube_of[slot]]
                n, x, y, z = other[0], other[1], other[2], other[3]
                sums[0] += n
                sums[1] += x + n * i
                sums[2] += y + n * j
                sums[3] += z + n * k
                sums[4] += other[4] + 2 * i * x + n * i * i
                sums[5] += other[5] + i * y + j * x + n * i * j
                sums[6] += other[6] + i * z + k * x + n * i * k
                sums[7] += other[7] + 2 * j * y + n * j * j
                sums[8] += other[8] + j * z + k * y + n * j * k
                sums[9] += other[9] + 2 * k * z + n * k * k


@njit(**_OPTIONS)
def plane_normals(
    points: Array, edge_m: float, keys: Array, cubes: Array, cube_of: Array, normals: Array
) -> int:
    """Write normals (N, 3) of points that have none yet; return how many still have none.

    A cube and those around it give one plane for its points: if there are enough of them, and
    they spread in two directions and hardly in the third. Points of one ring do not.
    """
    planes = np.empty((cubes.shape[0], 3))
    state = np.zeros(cubes.shape[0], np.int8)
    sums, scatter = np.empty(SUMS), np.empty(6)
    spread, normal = np.empty(3), np.empty(3)
    missing = 0
    for n in range(points.shape[0]):
        if normals[n, 0] != F32(0) or normals[n, 1] != F32(0) or normals[n, 2] != F32(0):
            continue
        i = np.int64(np.floor(points[n, 0] / edge_m))
        j = np.int64(np.floor(points[n, 1] / edge_m))
        k = np.int64(np.floor(points[n, 2] / edge_m))
        cube = cube_of[find_slot(keys, pack(i, j, k))]
        if state[cube] == 0:
            state[cube] = 1
            _gather(keys, cubes, cube_of, (i, j, k), sums)
            count = sums[0]
            if count >= _FEWEST:
                x, y, z = sums[1] / count, sums[2] / count, sums[3] / count
                scatter[0] = sums[4] / count - x * x
                scatter[1] = sums[5] / count - x * y
                scatter[2] = sums[6] / count - x * z
                scatter[3] = sums[7] / count - y * y
                scatter[4] = sums[8] / count - y * z
                scatter[5] = sums[9] / count - z * z
                if (
                    plane_of(scatter, spread, normal)
                    and spread[0] < _FLAT * spread[1]
                    and spread[1] > _NARROW * spread[2]
                ):
                    state[cube] = 2
                    planes[cube] = normal
        if state[cube] != 2:
            missing += 1
            continue
        normal[:] = planes[cube]
        toward = normal[0] * points[n, 0] + normal[1] * points[n, 1] + normal[2] * points[n, 2]
        sign = -1.0 if toward > 0.0 else 1.0
        for c in range(3):
            normals[n, c] = F32(sign * normal[c])
    return missing
