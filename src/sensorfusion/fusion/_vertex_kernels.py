"""Numba kernels that read the volume at the vertices of its surface."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import find_slot, pack
from sensorfusion.fusion._kernels import COLOR_STEPS

Array = NDArray[Any]

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _corners(vertex: Array, voxel_size_m: float, keys: Array, rows: Array, places: Array) -> Array:
    """Write buffer row and voxel of the eight samples around a vertex to ``places`` int64 (8, 2).

    Returns their trilinear shares, float64 (8,), 0 where the volume has no block.
    """
    shares = np.zeros(8)
    gx = np.float64(vertex[0]) / voxel_size_m
    gy = np.float64(vertex[1]) / voxel_size_m
    gz = np.float64(vertex[2]) / voxel_size_m
    ix, iy, iz = int(np.floor(gx)), int(np.floor(gy)), int(np.floor(gz))
    for c in range(8):
        x, y, z = ix + (c & 1), iy + ((c >> 1) & 1), iz + (c >> 2)
        share = (1.0 - abs(gx - x)) * (1.0 - abs(gy - y)) * (1.0 - abs(gz - z))
        if share < 1e-4:
            continue
        key = pack(x >> 3, y >> 3, z >> 3)
        slot = find_slot(keys, key)
        if keys[slot] == key:
            shares[c] = share
            places[c, 0] = rows[slot]
            places[c, 1] = ((z & 7) << 6) | ((y & 7) << 3) | (x & 7)
    return shares


@njit(**_OPTIONS)
def vertex_colors(
    vertices: Array, keys: Array, rows: Array, color: Array, voxel_size_m: float, out: Array
) -> int:
    """Write the colour of each vertex to ``out`` uint8 (N, 3); return how many have one.

    ``vertices`` float32 (N, 3) metres; buffers as in the volume's views. The colour is the
    trilinear mean over those of the eight voxels around that have one; ``out`` keeps its value
    where none has.
    """
    count = 0
    mean = np.empty(3)
    places = np.empty((8, 2), np.int64)
    for n in range(vertices.shape[0]):
        shares = _corners(vertices[n], voxel_size_m, keys, rows, places)
        mean[:] = 0.0
        total = 0.0
        for c in range(8):
            row, voxel = places[c]
            if shares[c] == 0.0 or color[row, 3 * voxel] == 0:
                continue
            total += shares[c]
            for channel in range(3):
                mean[channel] += shares[c] * color[row, 3 * voxel + channel]
        if total > 0.0:
            count += 1
            for channel in range(3):
                level = mean[channel] / (total * COLOR_STEPS)
                out[n, channel] = np.uint8(min(level + 0.5, 255.0))
    return count


@njit(**_OPTIONS)
def vertex_weights(
    vertices: Array,
    keys: Array,
    rows: Array,
    weight: Array,
    observations: Array,
    voxel_size_m: float,
    out: Array,
) -> None:
    """Write weight and observations of each vertex to ``out`` float32 (N, 2).

    ``vertices`` float32 (N, 3) metres; buffers as in the volume's views. Both are trilinear means
    over those of the eight voxels around that were seen.
    """
    places = np.empty((8, 2), np.int64)
    for n in range(vertices.shape[0]):
        shares = _corners(vertices[n], voxel_size_m, keys, rows, places)
        total, weights, counts = 0.0, 0.0, 0.0
        for c in range(8):
            row, voxel = places[c]
            if shares[c] > 0.0 and weight[row, voxel] > 0:
                total += shares[c]
                weights += shares[c] * weight[row, voxel]
                counts += shares[c] * observations[row, voxel]
        out[n, 0] = weights / total if total > 0.0 else 0.0
        out[n, 1] = counts / total if total > 0.0 else 0.0
