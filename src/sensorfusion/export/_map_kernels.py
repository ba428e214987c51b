"""Numba kernel that adds the points of a scan to the voxels of a map."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import BIAS, EMPTY, find_slot, pack

Array = NDArray[Any]

X, Y, Z, INTENSITY, BRIGHT, RED, GREEN, BLUE, COLORED, COUNT = range(10)
SUMS = 10
"""Columns of a voxel's sums: place (metres), intensity and how many had one, colour and how many
had one, how many points."""


@njit(cache=True, nogil=True)
def gather(
    points: Array,
    layers: tuple[Array, Array],
    pose: Array,
    voxel_size_m: float,
    table: tuple[Array, Array],
    voxels: tuple[Array, Array],
    count: int,
) -> int:
    """Add points to the sums of their voxels; return the number of voxels then, -1 if one is away.

    ``points`` float32 (N, 3), metres, of the sensor; ``layers``: intensity float32 (N,) and colour
    uint8 (N, 3), each empty where there is none, and black = no colour; ``pose`` float64 (4, 4)
    T_world_sensor; ``table`` keys int64 and values int32 (power of two,); ``voxels``: keys int64
    (room,) and sums float64 (room, SUMS), of which ``count`` rows are in use and N more are free.
    A voxel that no key can name ends it, with what came before added.
    """
    intensity, color = layers
    keys, rows = table
    keys_of_rows, sums = voxels
    farthest = np.float64(BIAS - 1)
    for n in range(points.shape[0]):
        px, py, pz = np.float64(points[n, 0]), np.float64(points[n, 1]), np.float64(points[n, 2])
        x = pose[0, 0] * px + pose[0, 1] * py + pose[0, 2] * pz + pose[0, 3]
        y = pose[1, 0] * px + pose[1, 1] * py + pose[1, 2] * pz + pose[1, 3]
        z = pose[2, 0] * px + pose[2, 1] * py + pose[2, 2] * pz + pose[2, 3]
        i, j, k = np.floor(x / voxel_size_m), np.floor(y / voxel_size_m), np.floor(z / voxel_size_m)
        if not max(abs(i), abs(j), abs(k)) < farthest:
            return -1
        key = pack(np.int64(i), np.int64(j), np.int64(k))
        slot = find_slot(keys, key)
        if keys[slot] == EMPTY:
            keys[slot] = key
            rows[slot] = count
            keys_of_rows[count] = key
            sums[count] = 0.0
            count += 1
        row = rows[slot]
        sums[row, X] += x
        sums[row, Y] += y
        sums[row, Z] += z
        sums[row, COUNT] += 1.0
        if intensity.shape[0] > 0 and np.isfinite(intensity[n]):
            sums[row, INTENSITY] += intensity[n]
            sums[row, BRIGHT] += 1.0
        if color.shape[0] > 0 and (color[n, 0] | color[n, 1] | color[n, 2]):
            sums[row, RED] += color[n, 0]
            sums[row, GREEN] += color[n, 1]
            sums[row, BLUE] += color[n, 2]
            sums[row, COLORED] += 1.0
    return count
