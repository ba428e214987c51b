"""Numba kernels that find the blocks which a scan changes."""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion._kernels import BIAS, EMPTY, find_slot
from sensorfusion.fusion._panorama_kernels import TILE
from sensorfusion.fusion._ray_kernels import column_of
from sensorfusion.fusion._sample_kernels import NX, NY, NZ, PI, SIGMA, X, Y, Z

Array = NDArray[Any]
F32 = np.float32

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def touch(
    samples: Array,
    joins: Array,
    matrix: Array,
    band_m: Array,
    largest: float,
    block_size_m: float,
    scratch: Array,
) -> tuple[Array, bool]:
    """Return the keys of all blocks near the surface that a scan shows, sorted.

    ``band_m`` float64 (2,): how far they reach before it along the normal, and behind it, where
    three standard deviations are not more. ``samples`` and ``joins`` by
    ``_panorama_kernels``; ``matrix`` float64 (4, 4) T_world_lidar; ``largest``: sigma that is
    believed; ``scratch`` int64 (power of two,): room for a table. The second value is False when
    the table is too small.
    """
    scratch[:] = EMPTY
    found = np.empty(scratch.shape[0] // 2, np.int64)
    count = 0
    scale = 1.0 / block_size_m
    place, normal = np.empty(3), np.empty(3)
    # Where columns are less than a tenth of a block apart, every fourth is enough.
    near_m = 0.1 * block_size_m * samples.shape[1] / (2.0 * np.pi)
    for i in range(samples.shape[0]):
        last = EMPTY
        for u in range(samples.shape[1]):
            a = samples[i, u]
            if not a[SIGMA] > F32(0) or a[SIGMA] > largest:
                continue
            if u & 3 and a[X] * a[X] + a[Y] * a[Y] < near_m * near_m:
                continue
            steps = 1
            b = a
            if joins[i, u]:
                b = samples[i + 1, u]
                x, y, z = b[X] - a[X], b[Y] - a[Y], b[Z] - a[Z]
                steps = int(np.sqrt(x * x + y * y + z * z) * scale / 0.45) + 1
            for c in range(3):
                normal[c] = matrix[c, 0] * a[NX] + matrix[c, 1] * a[NY] + matrix[c, 2] * a[NZ]
            if a[NX] == F32(0) and a[NY] == F32(0) and a[NZ] == F32(0):
                r = np.sqrt(a[X] * a[X] + a[Y] * a[Y] + a[Z] * a[Z]) + F32(1e-6)
                for c in range(3):
                    normal[c] = (
                        -(matrix[c, 0] * a[X] + matrix[c, 1] * a[Y] + matrix[c, 2] * a[Z]) / r
                    )
            deepest = max(band_m[1], 3.0 * a[SIGMA])
            deep = int(np.ceil((deepest + band_m[0]) * scale / 0.9))
            for k in range(steps):
                t = k / steps
                for c in range(3):
                    place[c] = (
                        matrix[c, 0] * (a[X] + t * (b[X] - a[X]))
                        + matrix[c, 1] * (a[Y] + t * (b[Y] - a[Y]))
                        + matrix[c, 2] * (a[Z] + t * (b[Z] - a[Z]))
                        + matrix[c, 3]
                    )
                for d in range(deep + 1):
                    off = band_m[0] - (deepest + band_m[0]) * d / deep
                    x = int(np.floor((place[0] + off * normal[0]) * scale)) + BIAS
                    y = int(np.floor((place[1] + off * normal[1]) * scale)) + BIAS
                    z = int(np.floor((place[2] + off * normal[2]) * scale)) + BIAS
                    key = np.int64((x << 42) | (y << 21) | z)
                    if key == last:
                        continue
                    last = key
                    slot = find_slot(scratch, key)
                    if scratch[slot] == EMPTY:
                        if count == found.shape[0]:
                            return found, False
                        scratch[slot] = key
                        found[count] = key
                        count += 1
    return np.sort(found[:count]), True


@njit(parallel=True, **_OPTIONS)
def may_be_passed(
    corners: Array,
    radius_m: float,
    middle: Array,
    view: Array,
    origins: Array,
    farthest: Array,
    chosen: Array,
) -> None:
    """Tell which blocks a beam may go through: not those hidden behind all that stands before.

    ``corners`` and ``middle`` as for :func:`integrate`; ``farthest`` float32 (U / TILE, V / TILE):
    the farthest range in each tile of the panorama; ``chosen`` bool (N,).
    """
    count, high = farthest.shape
    for n in prange(corners.shape[0]):
        u = column_of(corners[n], middle, origins, view[0])
        x = corners[n, 0] + middle[0] - origins[u, 0]
        y = corners[n, 1] + middle[1] - origins[u, 1]
        z = corners[n, 2] + middle[2] - origins[u, 2]
        flat = np.sqrt(x * x + y * y)
        r = np.sqrt(flat * flat + z * z)
        chosen[n] = True
        if r <= F32(2) * radius_m or flat <= F32(2) * radius_m:
            continue
        wide = radius_m / flat * view[0]
        tall = radius_m / r * F32(1.1) * view[2]
        at = (np.arctan2(y, x) + PI) * view[0]
        row = (view[1] - np.arctan2(z, flat)) * view[2]
        first, end = int(np.floor((at - wide) / TILE)), int(np.floor((at + wide) / TILE))
        top = max(int(np.floor((row - tall) / TILE)), 0)
        bottom = min(int(np.floor((row + tall) / TILE)), high - 1)
        deepest = F32(0)
        for i in range(first, end + 1):
            for j in range(top, bottom + 1):
                deepest = max(deepest, farthest[i % count, j])
        chosen[n] = r - radius_m < deepest
