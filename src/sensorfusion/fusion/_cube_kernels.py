"""Numba kernels that read a block of the volume with the samples around it.

The cube of a block is 11 x 11 x 11 samples, x fastest: its own 8 x 8 x 8, one before them and two
behind, so that its cells and the slopes at their corners need no other.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import BIAS, find_slot, pack

Array = NDArray[Any]
F32 = np.float32

SIDE = 11
SAMPLES = SIDE**3
STEPS = (1, SIDE, SIDE * SIDE)
CELLS = 9 * SIDE * SIDE - SIDE  # up to the last one of the block
_UNSEEN = np.uint16(256)  # more than any sum of the eight signs of a cell
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _coordinates(key: int) -> tuple[int, int, int]:
    mask = (1 << 21) - 1
    return (key >> 42) - BIAS, ((key >> 21) & mask) - BIAS, (key & mask) - BIAS


@njit(**_OPTIONS)
def sample_at(i: int, j: int, k: int) -> int:
    """Return the place of a sample of the cube, or how far one is from another."""
    return (k * SIDE + j) * SIDE + i


@njit(**_OPTIONS)
def own_sample(voxel: int) -> int:
    """Return the sample in the cube of one of the block's 512 voxels."""
    return sample_at((voxel & 7) + 1, (voxel >> 3 & 7) + 1, (voxel >> 6) + 1)


@njit(**_OPTIONS)
def corner_of(key: int, sample: int) -> tuple[int, int, int]:
    """Return the voxel coordinate of a sample of a block's cube."""
    x, y, z = _coordinates(key)
    i, j, k = sample % SIDE, sample // SIDE % SIDE, sample // (SIDE * SIDE)
    return 8 * x + i - 1, 8 * y + j - 1, 8 * z + k - 1


@njit(**_OPTIONS)
def _neighbours(key: int, keys: Array, rows: Array, found: Array) -> None:
    """Write the buffer rows of a block and its 26 neighbours, x fastest; -1 where none is."""
    x, y, z = _coordinates(key)
    for n in range(27):
        wanted = pack(x + n % 3 - 1, y + n // 3 % 3 - 1, z + n // 9 - 1)
        slot = find_slot(keys, wanted)
        found[n] = rows[slot] if keys[slot] == wanted else -1


@njit(**_OPTIONS)
def _span(side: int) -> tuple[int, int, int]:
    """Return first sample in a neighbour, first in the cube, and count, along one axis."""
    if side == 0:
        return 7, 0, 1
    return (0, 1, 8) if side == 1 else (0, 9, 2)


@njit(**_OPTIONS)
def _load(around: Array, values: Array, cube: Array) -> None:
    """Copy samples to the cube, which keeps what it holds where there is no block."""
    for n in range(27):
        row = around[n]
        if row < 0:
            continue
        x0, tx, nx = _span(n % 3)
        y0, ty, ny = _span(n // 3 % 3)
        z0, tz, nz = _span(n // 9)
        for k in range(nz):
            for j in range(ny):
                source = ((z0 + k) * 8 + y0 + j) * 8 + x0
                target = sample_at(tx, ty + j, tz + k)
                for i in range(nx):
                    cube[target + i] = values[row, source + i]


@njit(**_OPTIONS)
def _cases(distance: Array, weight: Array, smallest: float, sign: Array, case: Array) -> None:
    """Write the signs of each cell's eight corners, bit x + 2 y + 4 z; > 255: some are unseen."""
    for i in range(sign.shape[0]):
        below = np.uint16(1 if distance[i] < F32(0.0) else 0)
        seen = (F32(np.int32(weight[i])) > F32(smallest)) & (not np.isnan(distance[i]))
        sign[i] = below if seen else _UNSEEN
    _, up, back = STEPS
    for i in range(case.shape[0]):
        low = sign[i] | sign[i + 1] << 1 | sign[i + up] << 2 | sign[i + up + 1] << 3
        j = i + back
        high = sign[j] | sign[j + 1] << 1 | sign[j + up] << 2 | sign[j + up + 1] << 3
        case[i] = low | high << 4


@njit(**_OPTIONS)
def read_cube(
    key: int,
    keys: Array,
    rows: Array,
    tsdf: Array,
    weight: Array,
    smallest: float,
    around: Array,
    distance: Array,
    case: Array,
) -> None:
    """Write a block's neighbours, its cube of distances, NaN where no block is, and its cases."""
    sign, heavy = np.empty(distance.shape[0], np.uint16), np.zeros(distance.shape[0], np.uint16)
    _neighbours(key, keys, rows, around)
    distance[:] = np.nan
    _load(around, tsdf, distance)
    _load(around, weight, heavy)
    _cases(distance, heavy, smallest, sign, case)
