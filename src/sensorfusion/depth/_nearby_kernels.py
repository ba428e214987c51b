"""Numba kernels of predicted depth: what the measured pixels nearby say; float32, no GIL."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def average_nearby(
    wanted: Array, nearest_px: Array, log_z: Array, guide: Array, numbers: Array, out: Array
) -> None:
    """Average what was measured around each wanted pixel, by distance and by likeness.

    Parameters
    ----------
    wanted : int64 (N, 2)
        Row and column.
    nearest_px : float32 (N,)
        Distance to the nearest measured pixel: the deviation of the weights over the picture.
    log_z : float32 (H, W)
        Of what was measured, NaN elsewhere.
    guide : float32 (H, W, C)
        Surfaces differ by about 1 in it.
    numbers : float32 (3,)
        Least and greatest deviation, pixels; samples along the side of a window.
    out : float32 (N, 4)
        Sum of weights, mean and variance, and the variance by distance alone; 0 where there is
        nothing.
    """
    height, width, channels = guide.shape
    least, most, side = numbers[0], numbers[1], numbers[2]
    for n in range(wanted.shape[0]):
        row, column = wanted[n, 0], wanted[n, 1]
        sigma = min(max(nearest_px[n], least), most)
        of_place = F32(1) / (sigma * sigma)
        steps = int(np.ceil(F32(2.5) * sigma))
        step = max(1, int((2 * steps + 1) / side))
        steps //= step
        total, first, second = F32(0), F32(0), F32(0)
        near, near_first, near_second = F32(0), F32(0), F32(0)
        for down in range(-steps, steps + 1):
            v = row + down * step
            if v < 0 or v >= height:
                continue
            for across in range(-steps, steps + 1):
                u = column + across * step
                if u < 0 or u >= width or not np.isfinite(log_z[v, u]):
                    continue
                apart = F32((v - row) ** 2 + (u - column) ** 2) * of_place
                weight = np.exp(F32(-0.5) * apart)
                near += weight
                near_first += weight * log_z[v, u]
                near_second += weight * log_z[v, u] * log_z[v, u]
                for c in range(channels):
                    unlike = guide[v, u, c] - guide[row, column, c]
                    apart += unlike * unlike
                weight = np.exp(F32(-0.5) * apart)
                total += weight
                first += weight * log_z[v, u]
                second += weight * log_z[v, u] * log_z[v, u]
        out[n] = F32(0)
        if total > F32(1e-12):
            mean = first / total
            out[n, 0] = total * F32(step * step)
            out[n, 1] = mean
            out[n, 2] = max(F32(0), second / total - mean * mean)
            mean = near_first / near
            out[n, 3] = max(F32(0), near_second / near - mean * mean)
