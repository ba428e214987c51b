"""Numba kernels shared by stages: the table from block coordinates to buffer indices; small planes.

Open addressing with linear probing: ``keys`` int64 (power of two,), -1 where free, and ``values``
int32 of the same length.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

EMPTY = np.int64(-1)
_SCRAMBLE = np.int64(-7046029254386353131)  # 2^64 / golden ratio: Fibonacci hashing
BIAS = 1 << 20  # what a key adds to each coordinate


@njit(cache=True, nogil=True)
def pack(x: int, y: int, z: int) -> int:
    """Return the key of a block coordinate, each part within +-2^20; keys sort as (x, y, z)."""
    return ((np.int64(x) + BIAS) << 42) | ((np.int64(y) + BIAS) << 21) | (np.int64(z) + BIAS)


@njit(cache=True, nogil=True)
def find_slot(keys: NDArray[Any], key: int) -> int:
    """Return the slot that holds a key, or the free slot that it would take."""
    mask = keys.shape[0] - 1
    slot = ((key * _SCRAMBLE) >> 32) & mask
    while keys[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def insert_all(
    keys: NDArray[Any], values: NDArray[Any], new_keys: NDArray[Any], indices: NDArray[Any]
) -> None:
    """Enter block keys int64 (N,) and their buffer indices int32 (N,) in a table."""
    for n in range(new_keys.shape[0]):
        slot = find_slot(keys, new_keys[n])
        keys[slot] = new_keys[n]
        values[slot] = indices[n]


@njit(cache=True, nogil=True)
def look_up(keys: NDArray[Any], values: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Return the buffer index of each wanted key, int32 (N,), -1 where there is none."""
    found = np.empty(wanted.shape[0], np.int32)
    for n in range(wanted.shape[0]):
        slot = find_slot(keys, wanted[n])
        found[n] = values[slot] if keys[slot] == wanted[n] else -1
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def plane_of(scatter: NDArray[Any], spread: NDArray[Any], normal: NDArray[Any]) -> bool:
    """Write the spread of points along three axes, and the axis of the least: their plane's normal.

    ``scatter`` float64 (6,): xx, xy, xz, yy, yz, zz about their mean; ``spread`` float64 (3,), its
    eigenvalues, rising; ``normal`` float64 (3,), a unit vector. False, and no normal, where two
    axes are as good. After Smith, "Eigenvalues of a symmetric 3 x 3 matrix", 1961.
    """
    xx, xy, xz, yy, yz, zz = scatter
    mean = (xx + yy + zz) / 3.0
    a, b, c = xx - mean, yy - mean, zz - mean
    size = np.sqrt((a * a + b * b + c * c + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0)
    if not size > 1e-12 * abs(mean):
        spread[:] = mean
        return False
    det = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    angle = np.arccos(min(1.0, max(-1.0, det / (2.0 * size * size * size)))) / 3.0
    spread[2] = mean + 2.0 * size * np.cos(angle)
    spread[0] = mean + 2.0 * size * np.cos(angle + 2.0 * np.pi / 3.0)
    spread[1] = 3.0 * mean - spread[0] - spread[2]
    # Every row of (scatter - spread I) is perpendicular to the axis: the best pair tells it.
    a, b, c = xx - spread[0], yy - spread[0], zz - spread[0]
    rows = ((a, xy, xz), (xy, b, yz), (xz, yz, c))
    longest = 0.0
    for one, other in ((0, 1), (0, 2), (1, 2)):
        (x0, y0, z0), (x1, y1, z1) = rows[one], rows[other]
        x, y, z = y0 * z1 - z0 * y1, z0 * x1 - x0 * z1, x0 * y1 - y0 * x1
        square = x * x + y * y + z * z
        if square > longest:
            longest = square
            normal[0], normal[1], normal[2] = x, y, z
    if not longest > 1e-20 * size**4:
        return False
    normal /= np.sqrt(longest)
    return True


def unpack(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the block coordinates of keys, int32 (N, 3)."""
    mask = (1 << 21) - 1
    parts = np.stack([keys >> 42, (keys >> 21) & mask, keys & mask], axis=-1)
    return (parts - BIAS).astype(np.int32)


def pack_all(coordinates: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the keys of block coordinates int32 (N, 3), int64 (N,)."""
    x, y, z = coordinates.astype(np.int64).T + BIAS
    return np.asarray((x << 42) | (y << 21) | z)
