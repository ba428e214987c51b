"""Numba kernels: rays through the signed distance field; float32, no GIL."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import find_slot, pack

Array = NDArray[Any]
F32 = np.float32

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def cast(
    rays: Array, pose: Array, limits: Array, keys: Array, indices: Array, tsdf: Array,
    weight: Array, out: Array,
) -> None:  # fmt: skip
    """Follow rays from free space to the first surface.

    ``rays`` float32 (N, 2): x / z and y / z; ``pose`` float64 (3, 4): to the world; ``limits``
    float64 (4,): nearest and farthest z, voxel size and truncation, metres; ``keys``, ``indices``,
    ``tsdf``, ``weight`` as in :class:`BlockViews`; ``out`` float32 (N, 2): z in metres and weight,
    0 where nothing is met.
    """
    near_m, far_m, voxel_m, truncation_m = limits[0], limits[1], limits[2], limits[3]
    for n in range(rays.shape[0]):
        out[n] = F32(0)
        x, y = np.float64(rays[n, 0]), np.float64(rays[n, 1])
        if np.isnan(x):
            continue
        dx = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2]
        dy = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2]
        dz = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2]
        # Metres along the ray for one metre of z.
        length = np.sqrt(dx * dx + dy * dy + dz * dz)
        z = near_m
        before, z_before = F32(0), z
        last_key, row = np.int64(-1), np.int32(-1)
        while z < far_m:
            i = np.int64(np.floor((pose[0, 3] + dx * z) / voxel_m + 0.5))
            j = np.int64(np.floor((pose[1, 3] + dy * z) / voxel_m + 0.5))
            k = np.int64(np.floor((pose[2, 3] + dz * z) / voxel_m + 0.5))
            key = pack(i >> 3, j >> 3, k >> 3)
            if key != last_key:
                slot = find_slot(keys, key)
                row = indices[slot] if keys[slot] == key else np.int32(-1)
                last_key = key
            if row < 0:
                before = F32(0)
                z += 4.0 * voxel_m / length
                continue
            voxel = ((k & 7) << 6) | ((j & 7) << 3) | (i & 7)
            value, seen = tsdf[row, voxel], weight[row, voxel]
            if seen == 0:
                value = F32(0)
            elif value <= F32(0) and before > F32(0):
                share = before / (before - value)
                out[n, 0] = F32(z_before + share * (z - z_before))
                out[n, 1] = F32(seen)
                break
            before, z_before = value, z
            z += max(0.5 * abs(np.float64(value)) * truncation_m, 0.7 * voxel_m) / length
