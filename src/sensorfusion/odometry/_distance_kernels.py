"""Numba kernels: points against the signed distance field, 512 points at a time.

Each pass is a short loop over contiguous values without branches, so that LLVM vectorises it;
only the look-up of blocks is not.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import find_slot, pack
from sensorfusion.odometry._kernels import CHUNK, SUMS, add_up

Array = NDArray[Any]
F32 = np.float32
_SURFACE = F32(0.98)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _place(
    points: Array, pose: Array, voxel_size_m: float, turned: Array, cell: Array, share: Array
) -> None:
    """Write points in world axes, the voxel below each, and how far into its cell each lies."""
    inverse = 1.0 / voxel_size_m
    for axis in range(3):
        a, b, c = F32(pose[axis, 0]), F32(pose[axis, 1]), F32(pose[axis, 2])
        start = pose[axis, 3] * inverse
        for i in range(points.shape[1]):
            here = a * points[0, i] + b * points[1, i] + c * points[2, i]
            place = np.float64(here) * inverse + start
            below = np.floor(place)
            turned[axis, i] = here
            cell[axis, i] = np.int32(below)
            share[axis, i] = F32(place - below)


@njit(**_OPTIONS)
def _read(keys: Array, rows: Array, tsdf: Array, weight: Array, cell: Array, values: Array) -> None:
    """Read the eight samples around each cell, 0 without a block, and the weight of the first."""
    last_key, row = np.int64(-1), np.int32(-1)
    for i in range(cell.shape[1]):
        x, y, z = np.int64(cell[0, i]), np.int64(cell[1, i]), np.int64(cell[2, i])
        lx, ly, lz = x & 7, y & 7, z & 7
        if lx < 7 and ly < 7 and lz < 7:
            key = pack(x >> 3, y >> 3, z >> 3)
            if key != last_key:
                slot = find_slot(keys, key)
                row = rows[slot] if keys[slot] == key else np.int32(-1)
                last_key = key
            if row < 0:
                values[:, i] = F32(0.0)
                continue
            block = tsdf[row]
            voxel = (lz << 6) | (ly << 3) | lx
            values[0, i], values[1, i] = block[voxel], block[voxel + 1]
            values[2, i], values[3, i] = block[voxel + 8], block[voxel + 9]
            values[4, i], values[5, i] = block[voxel + 64], block[voxel + 65]
            values[6, i], values[7, i] = block[voxel + 72], block[voxel + 73]
            values[8, i] = F32(weight[row, voxel])
            continue
        for c in range(8):
            cx, cy, cz = lx + (c & 1), ly + ((c >> 1) & 1), lz + (c >> 2)
            key = pack((x >> 3) + (cx >> 3), (y >> 3) + (cy >> 3), (z >> 3) + (cz >> 3))
            if key != last_key:
                slot = find_slot(keys, key)
                row = rows[slot] if keys[slot] == key else np.int32(-1)
                last_key = key
            voxel = ((cz & 7) << 6) | ((cy & 7) << 3) | (cx & 7)
            values[c, i] = tsdf[row, voxel] if row >= 0 else F32(0.0)
            if c == 0:
                values[8, i] = F32(weight[row, voxel]) if row >= 0 else F32(0.0)


@njit(**_OPTIONS)
def _linearize(
    values: Array,
    share: Array,
    turned: Array,
    certainty: Array,
    scales: Array,
    rows: Array,
    weight: Array,
    counts: Array,
) -> None:
    """Write J, residual and weight of each point; add to ``counts`` what became of them."""
    steepness = F32(scales[1] / scales[0])
    truncation_m, huber = F32(scales[1]), F32(scales[2])
    unit_variance = F32(scales[3] * scales[3])
    hits, misplaced = np.int32(0), np.int32(0)
    for i in range(share.shape[1]):
        v0, v1, v2, v3 = values[0, i], values[1, i], values[2, i], values[3, i]
        v4, v5, v6, v7 = values[4, i], values[5, i], values[6, i], values[7, i]
        # A voxel that no frame has seen holds exactly 0, and one deep behind a surface -1.
        seen = (v0 != F32(0.0)) & (v1 != F32(0.0)) & (v2 != F32(0.0)) & (v3 != F32(0.0))
        seen &= (v4 != F32(0.0)) & (v5 != F32(0.0)) & (v6 != F32(0.0)) & (v7 != F32(0.0))
        lowest = min(min(min(v0, v1), min(v2, v3)), min(min(v4, v5), min(v6, v7)))
        highest = max(max(max(v0, v1), max(v2, v3)), max(max(v4, v5), max(v6, v7)))
        seen &= lowest >= -_SURFACE
        hit = seen & (highest <= _SURFACE)
        x, y, w = share[0, i], share[1, i], share[2, i]
        # Trilinear value and its exact gradient.
        x00, x10 = v0 + (v1 - v0) * x, v2 + (v3 - v2) * x
        x01, x11 = v4 + (v5 - v4) * x, v6 + (v7 - v6) * x
        y0, y1 = x00 + (x10 - x00) * y, x01 + (x11 - x01) * y
        d0 = (v1 - v0) + ((v3 - v2) - (v1 - v0)) * y
        d1 = (v5 - v4) + ((v7 - v6) - (v5 - v4)) * y
        nx = (d0 + (d1 - d0) * w) * steepness
        ny = ((x10 - x00) + ((x11 - x01) - (x10 - x00)) * w) * steepness
        nz = (y1 - y0) * steepness
        residual = (y0 + (y1 - y0) * w) * truncation_m
        ax, ay, az = turned[0, i], turned[1, i], turned[2, i]
        rows[0, i], rows[1, i], rows[2, i] = nx, ny, nz
        rows[3, i] = ay * nz - az * ny
        rows[4, i] = az * nx - ax * nz
        rows[5, i] = ax * ny - ay * nx
        rows[6, i] = residual
        # Where the model is young it errs as much as the frame, and its slopes mean little.
        variance = F32(1.0) / (certainty[i] * certainty[i])
        variance += unit_variance / max(values[8, i], F32(1.0))
        known = F32(1.0) / np.sqrt(variance)
        deviation = abs(residual) * known
        robust = min(F32(1.0), huber / max(deviation, F32(1e-6)))
        robust = robust if hit else F32(0.0)
        weight[i] = robust * known * known
        counts[0, i] = robust * deviation * deviation
        counts[1, i] = robust
        hits += np.int32(1 if hit else 0)
        misplaced += np.int32(1 if seen & (highest > _SURFACE) else 0)
    counts[2, 0], counts[2, 1] = F32(hits), F32(misplaced)


@njit(fastmath={"reassoc", "contract", "nsz"}, **_OPTIONS)
def _total(values: Array, count: int) -> float:
    total = F32(0.0)
    for i in range(count):
        total += values[i]
    return total


@njit(**_OPTIONS)
def distance_equations(
    points: Array, certainty: Array, pose: Array, model: tuple[Array, ...], scales: Array
) -> Array:
    """Return the sums of one step of points against the signed distance field, float64 (32,).

    ``points`` float32 (3, N), camera coordinates, metres; ``certainty`` float32 (N,): 1 over the
    standard deviation, 1/m; ``pose`` float64 (4, 4) T_world_camera; ``model``: keys, rows,
    tsdf and weight as in the volume's views; ``scales`` float64 (4,): voxel size, truncation,
    Huber threshold in standard deviations, and the standard deviation of what weighs 1. The
    unknowns are a translation (m) and a rotation (rad) about the camera's centre, world axes.
    """
    keys, rows_of, tsdf, model_weight = model
    sums = np.zeros(SUMS)
    turned, share = np.empty((3, CHUNK), np.float32), np.empty((3, CHUNK), np.float32)
    cell = np.empty((3, CHUNK), np.int32)
    values = np.empty((9, CHUNK), np.float32)
    rows, counts = np.zeros((7, CHUNK), np.float32), np.empty((3, CHUNK), np.float32)
    weight, weighted = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for first in range(0, points.shape[1], CHUNK):
        count = min(CHUNK, points.shape[1] - first)
        if count < CHUNK:
            weight[count:] = F32(0.0)
        some = points[:, first : first + count]
        _place(some, pose, scales[0], turned, cell, share)
        _read(keys, rows_of, tsdf, model_weight, cell[:, :count], values)
        _linearize(
            values,
            share[:, :count],
            turned,
            certainty[first : first + count],
            scales,
            rows,
            weight,
            counts,
        )
        add_up(rows, weight, weighted, sums)
        sums[27] += _total(counts[0], count)
        sums[28] += _total(counts[1], count)
        sums[29] += counts[2, 0]
        sums[31] += counts[2, 1]
    sums[30] = points.shape[1]
    return sums
