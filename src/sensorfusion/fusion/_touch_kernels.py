"""Numba kernels that find the blocks which a depth map changes."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import BIAS, EMPTY, find_slot
from sensorfusion.fusion._kernels import CERTAINTY_BITS, THREE_SIGMA

Array = NDArray[Any]
F32 = np.float32

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def touch(
    packed: Array,
    width: int,
    rays: Array,
    pose: Array,
    truncation_m: float,
    block_size_m: float,
    stride: int,
    near_m: float,
    scratch: Array,
) -> tuple[Array, bool]:
    """Return the keys of all blocks that a depth map changes, sorted.

    ``packed`` by ``_kernels.pack_depth``, of a picture ``width`` pixels wide, of which every
    ``stride``-th pixel is looked at, beginning with ``stride // 2``; ``rays`` float32 (h, w, 2) of
    those; where one is nearer than ``near_m`` only each second of them. ``pose`` float64 (4, 4)
    T_world_camera; ``scratch`` int64 (power of two,): room for a table. The second value is False
    when the table is too small.
    """
    scratch[:] = EMPTY
    found = np.empty(scratch.shape[0] // 2, np.int64)
    count = 0
    # The certainty in the lowest bits changes the depth by less than one part in 30000.
    depth = packed.view(np.float32)
    samples = np.empty((4, rays.shape[1]), np.float32)
    keys = np.empty(samples.shape[1], np.int64)
    front_m, scale = 0.5 * truncation_m, 1.0 / block_size_m
    for row in range(rays.shape[0]):
        length, deepest_m = 0, 0.0
        first = 1 + (stride // 2 + row * stride) * width + stride // 2
        for column in range(rays.shape[1]):
            pixel = first + column * stride
            z = depth[pixel]
            if not z > 0.0 or (z < near_m and (row | column) & 1):
                continue
            samples[0, length] = z - front_m
            samples[1, length] = rays[row, column, 0]
            samples[2, length] = rays[row, column, 1]
            three_sigma_m = THREE_SIGMA / F32(packed[pixel] & CERTAINTY_BITS)
            depth_m = front_m + max(truncation_m, np.float64(three_sigma_m))
            samples[3, length] = depth_m
            deepest_m = max(deepest_m, depth_m)
            length += 1
        for step in range(int(np.ceil(2.0 * deepest_m * scale)) + 1):
            _block_keys(samples[:, :length], pose, 0.5 * step / scale, scale, keys)
            last = EMPTY
            for n in range(length):
                key = keys[n]
                # Most neighbours lie in the same block.
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


@njit(**_OPTIONS)
def _block_keys(samples: Array, pose: Array, behind_m: float, scale: float, keys: Array) -> None:
    """Write the key of the block at some distance behind the front of each sample.

    ``samples`` float32 (4, N): z of the front, the ray's x and y at z = 1, and how far the sample
    reaches behind its front, which no distance exceeds.
    """
    a, b, c = pose[0, 0] * scale, pose[0, 1] * scale, pose[0, 2] * scale
    d, e, f = pose[1, 0] * scale, pose[1, 1] * scale, pose[1, 2] * scale
    g, h, k = pose[2, 0] * scale, pose[2, 1] * scale, pose[2, 2] * scale
    # With the bias all are positive, so that cutting the fraction off rounds down.
    x0, y0 = pose[0, 3] * scale + BIAS, pose[1, 3] * scale + BIAS
    z0 = pose[2, 3] * scale + BIAS
    for n in range(samples.shape[1]):
        rx, ry = np.float64(samples[1, n]), np.float64(samples[2, n])
        t = np.float64(samples[0, n]) + min(behind_m, np.float64(samples[3, n]))
        x = np.int64((a * rx + b * ry + c) * t + x0)
        y = np.int64((d * rx + e * ry + f) * t + y0)
        z = np.int64((g * rx + h * ry + k) * t + z0)
        keys[n] = (x << 42) | (y << 21) | z
