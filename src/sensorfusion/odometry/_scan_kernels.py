"""Numba kernels that lay a scan on the map: chosen points, moved points, one step's sums.

A scan moves while it is measured: T_world_lidar(tau) = T_world_middle Exp(tau xi), tau from -1/2
to 1/2, xi the twist of a whole scan (translation, then rotation) in the axes of the LiDAR.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.odometry._kernels import CHUNK, SUMS, add_up
from sensorfusion.odometry._surfel_kernels import POINTS, SIDES, find, kind_of, nearest_piece

Array = NDArray[Any]
F32 = np.float32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def choose(points: Array, edge_m: float, keys: Array, near_m: float, far_m: float) -> Array:
    """Return one point (its row, rising) of each cube, int32; ``keys`` int64 is room to work in.

    ``points`` float32 (N, 3); ``keys`` has a power of two of entries, more than N.
    """
    keys[:] = -1
    chosen = np.empty(points.shape[0], np.int32)
    count = 0
    least, most = near_m * near_m, far_m * far_m
    mask = np.int64((1 << 21) - 1)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        square = x * x + y * y + z * z
        if not least <= square <= most:
            continue
        i = np.int64(np.floor(x / edge_m)) & mask
        j = np.int64(np.floor(y / edge_m)) & mask
        k = np.int64(np.floor(z / edge_m)) & mask
        key = (i << 42) | (j << 21) | k
        slot = find(keys, key)
        if keys[slot] < 0:
            keys[slot] = key
            chosen[count] = n
            count += 1
    return chosen[:count].copy()


@njit(**_OPTIONS)
def _moved(point: Array, tau: float, twist: Array, out: Array) -> None:
    """Write Exp(tau xi) point: the first terms of the series, 0.1 mm at 10 m below 14 degrees."""
    vx, vy, vz, wx, wy, wz = twist
    x, y, z = np.float64(point[0]), np.float64(point[1]), np.float64(point[2])
    ax, ay, az = wy * z - wz * y + vx, wz * x - wx * z + vy, wx * y - wy * x + vz
    x, y, z = x + tau * ax, y + tau * ay, z + tau * az
    power = tau
    for order in range(2, 5):
        power *= tau / order
        ax, ay, az = wy * az - wz * ay, wz * ax - wx * az, wx * ay - wy * ax
        x, y, z = x + power * ax, y + power * ay, z + power * az
    out[0], out[1], out[2] = x, y, z


@njit(**_OPTIONS)
def place(
    points: Array, normals: Array, tau: Array, pose: Array, twist: Array, at: Array, facing: Array
) -> None:
    """Write points and normals in world axes, ``at`` and ``facing`` float64 (N, 3).

    ``points`` and ``normals`` float32 (N, 3), ``tau`` float32 (N,), as the LiDAR measured them;
    ``pose`` float64 (4, 4) T_world_middle; ``twist`` float64 (6,).
    """
    here, turned = np.empty(3), np.empty(3)
    turn = twist.copy()
    turn[:3] = 0.0
    for n in range(points.shape[0]):
        _moved(points[n], tau[n], twist, here)
        _moved(normals[n], tau[n], turn, turned)
        for a in range(3):
            at[n, a] = (
                pose[a, 0] * here[0] + pose[a, 1] * here[1] + pose[a, 2] * here[2] + pose[a, 3]
            )
            facing[n, a] = pose[a, 0] * turned[0] + pose[a, 1] * turned[1] + pose[a, 2] * turned[2]


@njit(**_OPTIONS)
def _emit(
    rows: Array, weight: Array, taus: Array, at: int, direction: Array, arm: Array, values: Array
) -> None:
    """Write one row: its direction, the turn that moves along it, residual, weight and time."""
    nx, ny, nz = direction[0], direction[1], direction[2]
    ax, ay, az = arm[0], arm[1], arm[2]
    rows[0, at], rows[1, at], rows[2, at] = F32(nx), F32(ny), F32(nz)
    rows[3, at] = F32(ay * nz - az * ny)
    rows[4, at] = F32(az * nx - ax * nz)
    rows[5, at] = F32(ax * ny - ay * nx)
    rows[6, at] = F32(values[0])
    weight[at] = F32(values[1])
    taus[at] = F32(values[2])


@njit(**_OPTIONS)
def _flush(
    rows: Array, weight: Array, taus: Array, count: int, weighted: Array, sums: Array
) -> None:
    """Add rows to the sums of 1, tau and tau^2, each float64 (32,)."""
    weight[count:] = F32(0)
    rows[:, count:] = F32(0)
    taus[count:] = F32(0)
    add_up(rows, weight, weighted, sums[0])
    for power in (1, 2):
        for i in range(CHUNK):
            weight[i] *= taus[i]
        add_up(rows, weight, weighted, sums[power])


@njit(**_OPTIONS)
def scan_equations(
    points: Array,
    normals: Array,
    tau: Array,
    motion: tuple[Array, Array],
    table: tuple[Array, Array],
    pieces: Array,
    scales: Array,
    residuals: Array,
) -> Array:
    """Return the sums of one step, float64 (3, 32): of 1, tau and tau^2 times J^T W J and J^T W r.

    ``motion``: pose and twist as for :func:`place`. ``scales`` float64 (8,): edge of a cube,
    largest distance from a piece, standard deviation of a point, where the robust kernel bends,
    cubes to look in, least cosine between normals, fewest points of a piece, and how much a
    distribution counts. ``residuals``
    float32 (N,): distances along the piece's normal, NaN without a piece. The unknowns are a
    translation (m) and a rotation (rad) about the LiDAR in the middle of the scan, world axes,
    and the same of the twist. [0, 27] and [0, 28]: points on a plane, and their robust
    weights; [0, 29] and [0, 30]: the same of points in a distribution.
    """
    pose, twist = motion
    edge_m, limit_m, sigma_m, bend_m = scales[0], scales[1], scales[2], scales[3]
    reach, cosine, fewest = int(scales[4]), scales[5], scales[6]
    sums = np.zeros((3, SUMS))
    rows, weighted = np.empty((7, CHUNK), np.float32), np.empty(CHUNK, np.float32)
    weight, taus = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    here, turned, arm, facing = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    direction, values = np.empty(3), np.empty(3)
    count = 0
    for n in range(points.shape[0]):
        residuals[n] = F32(np.nan)
        _moved(points[n], tau[n], twist, here)
        has = normals[n, 0] != F32(0) or normals[n, 1] != F32(0) or normals[n, 2] != F32(0)
        for a in range(3):
            arm[a] = pose[a, 0] * here[0] + pose[a, 1] * here[1] + pose[a, 2] * here[2]
        facing[:] = 0.0
        if has:
            # A normal only tells which piece it is: the first term of its turn will do.
            a0, a1, a2 = normals[n, 0], normals[n, 1], normals[n, 2]
            turned[0] = a0 + tau[n] * (twist[4] * a2 - twist[5] * a1)
            turned[1] = a1 + tau[n] * (twist[5] * a0 - twist[3] * a2)
            turned[2] = a2 + tau[n] * (twist[3] * a1 - twist[4] * a0)
            for a in range(3):
                facing[a] = pose[a, 0] * turned[0] + pose[a, 1] * turned[1] + pose[a, 2] * turned[2]
        x, y, z = arm[0] + pose[0, 3], arm[1] + pose[1, 3], arm[2] + pose[2, 3]
        kind = kind_of(facing[0], facing[1], facing[2])
        row = nearest_piece(table, pieces, (x, y, z), kind, (edge_m, limit_m, reach))
        if row < 0 or pieces[row, POINTS] < fewest:
            continue
        x, y, z = x - pieces[row, 0], y - pieces[row, 1], z - pieces[row, 2]
        values[2] = tau[n]
        if kind < SIDES:
            for a in range(3):
                direction[a] = pieces[row, 3 + a]
            agree = direction[0] * facing[0] + direction[1] * facing[1] + direction[2] * facing[2]
            if agree < cosine:
                continue
            residual = direction[0] * x + direction[1] * y + direction[2] * z
            residuals[n] = F32(residual)
            bent = bend_m * bend_m / (bend_m * bend_m + residual * residual)
            values[0] = residual
            values[1] = bent * bent / (sigma_m * sigma_m + pieces[row, 6])
            if count == CHUNK:
                _flush(rows, weight, taus, count, weighted, sums)
                count = 0
            _emit(rows, weight, taus, count, direction, arm, values)
            count += 1
            sums[0, 27] += 1.0
            sums[0, 28] += bent * bent
            continue
        if x * x + y * y + z * z > limit_m * limit_m * 4.0:
            continue
        # Along each column of the root, so that the squares add up to the distribution's own.
        whole = 0.0
        for c in range(3):
            direction[0] = pieces[row, 3] if c == 0 else 0.0
            direction[1] = pieces[row, 4] if c == 0 else (pieces[row, 5] if c == 1 else 0.0)
            direction[2] = (
                pieces[row, 6] if c == 0 else (pieces[row, 7] if c == 1 else pieces[row, 8])
            )
            along = direction[0] * x + direction[1] * y + direction[2] * z
            whole += along * along
        bent = 9.0 / (9.0 + whole)
        if count + 3 > CHUNK:
            _flush(rows, weight, taus, count, weighted, sums)
            count = 0
        for c in range(3):
            direction[0] = pieces[row, 3] if c == 0 else 0.0
            direction[1] = pieces[row, 4] if c == 0 else (pieces[row, 5] if c == 1 else 0.0)
            direction[2] = (
                pieces[row, 6] if c == 0 else (pieces[row, 7] if c == 1 else pieces[row, 8])
            )
            values[0] = direction[0] * x + direction[1] * y + direction[2] * z
            values[1] = scales[7] * bent * bent
            _emit(rows, weight, taus, count, direction, arm, values)
            count += 1
        sums[0, 29] += 1.0
        sums[0, 30] += bent * bent
    _flush(rows, weight, taus, count, weighted, sums)
    return sums
