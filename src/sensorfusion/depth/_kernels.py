"""Numba kernels over one depth map; float32, without the GIL, one thread.

Loops over a row are short functions without branches, so that LLVM vectorises them.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth_map import Origin

Array = NDArray[Any]
F32 = np.float32

TOO_NEAR, TOO_FAR = np.uint8(Origin.TOO_NEAR), np.uint8(Origin.TOO_FAR)
FILTERED = np.uint8(Origin.FILTERED)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def metres(values: Array, unit_m: float, end: float, out: Array) -> None:
    """Write ``values`` (N,) times the unit to ``out`` float32 (N,), 0 where there is no depth.

    No depth: 0, negative, NaN, and from ``end`` on; also what overflows float32.
    """
    unit, last = F32(unit_m), F32(end)
    for n in range(out.shape[0]):
        value = F32(values[n])
        z = value * unit
        sound = (value > F32(0)) & (value < last) & (z < F32(np.inf))
        out[n] = z if sound else F32(0)


@njit(**_OPTIONS)
def limit(values: Array, near_m: float, far_m: float, out: Array, origin: Array) -> None:
    """Write ``values`` float32 (N,) within the range to ``out`` and the others' ``origin``."""
    near, far = F32(near_m), F32(far_m)
    for n in range(out.shape[0]):
        z = values[n]
        too_near = (z > F32(0)) & (z < near)
        too_far = z > far
        out[n] = F32(0) if too_near | too_far else z
        origin[n] = TOO_NEAR if too_near else (TOO_FAR if too_far else origin[n])


@njit(**_OPTIONS)
def remove_flying(
    padded: Array, slope: float, noise_per_m: float, out: Array, origin: Array
) -> None:
    """Write depth without flying pixels to ``out`` float32 (H, W), and FILTERED to ``origin``.

    ``padded`` float32 (H + 2, W + 2): metres with a rim of no depth.
    """
    for v in range(out.shape[0]):
        _remove_flying_row(padded[v : v + 3], F32(slope), F32(noise_per_m), out[v], origin[v])


@njit(**_OPTIONS)
def _remove_flying_row(
    rows: Array, slope: float, noise_per_m: float, out: Array, origin: Array
) -> None:
    above, here, below = rows[0], rows[1], rows[2]
    for u in range(out.shape[0]):
        z = here[u + 1]
        tolerance = z * (slope + noise_per_m * z)
        near, far = max(z - tolerance, F32(1e-6)), z + tolerance
        a, b, c, d = above[u], above[u + 1], above[u + 2], here[u]
        e, f, g, h = here[u + 2], below[u], below[u + 1], below[u + 2]
        between = (
            _between(a, h, near, far)
            | _between(b, g, near, far)
            | _between(c, f, near, far)
            | _between(d, e, near, far)
        )
        jump = (
            _jumps(a, near, far)
            | _jumps(b, near, far)
            | _jumps(c, near, far)
            | _jumps(d, near, far)
            | _jumps(e, near, far)
            | _jumps(f, near, far)
            | _jumps(g, near, far)
            | _jumps(h, near, far)
        )
        support = (
            _supports(a, near, far)
            + _supports(b, near, far)
            + _supports(c, near, far)
            + _supports(d, near, far)
            + _supports(e, near, far)
            + _supports(f, near, far)
            + _supports(g, near, far)
            + _supports(h, near, far)
        )
        flying = (z > F32(0)) & (
            (between & (support <= np.int32(4))) | (jump & (support <= np.int32(2)))
        )
        out[u] = F32(0) if flying else z
        origin[u] = FILTERED if flying else origin[u]


@njit(**_OPTIONS)
def _between(one: float, other: float, near: float, far: float) -> bool:
    """Tell whether one of two opposite neighbours is nearer and the other one farther."""
    return ((one > F32(0)) & (one < near) & (other > far)) | (
        (other > F32(0)) & (other < near) & (one > far)
    )


@njit(**_OPTIONS)
def _jumps(z: float, near: float, far: float) -> bool:
    return (z > far) | ((z > F32(0)) & (z < near))


@njit(**_OPTIONS)
def _supports(z: float, near: float, far: float) -> int:
    return np.int32(1) if (z >= near) & (z <= far) else np.int32(0)


@njit(**_OPTIONS)
def uncertainty(metres: Array, along: Array, step: int, across: Array, out: Array) -> None:
    """Write one standard deviation of ``metres`` float32 (H, W) to ``out``; 0 without depth.

    ``along`` float32 (3,): of z, as a polynomial of z, constant first. ``across`` float32 (2,):
    standard deviation of the ray over ``step``, and the largest change of z over ``step`` pixels
    by z.
    """
    height, width = metres.shape
    # Rims of no depth, so that a row needs no branch at its ends.
    line = np.zeros(width + 2 * step, F32)
    nothing = np.zeros(width, F32)
    for v in range(height):
        line[step : step + width] = metres[v]
        above = metres[v - step] if v >= step else nothing
        below = metres[v + step] if v + step < height else nothing
        _uncertainty_row(
            (metres[v], line[:width], line[2 * step :], above, below),
            (along[0], along[1], along[2], across[0], across[1]),
            out[v],
        )


@njit(**_OPTIONS)
def _uncertainty_row(rows: tuple[Array, ...], numbers: tuple[float, ...], out: Array) -> None:
    here, left, right, above, below = rows
    constant, linear, quadratic, lateral, steepest = numbers
    for u in range(out.shape[0]):
        z = here[u]
        largest = steepest * z
        across = min(_rise(left[u], z, largest), _rise(right[u], z, largest))
        down = min(_rise(above[u], z, largest), _rise(below[u], z, largest))
        along = constant + z * (linear + z * quadratic)
        variance = along * along + lateral * lateral * (across * across + down * down)
        out[u] = math.sqrt(variance) if z > F32(0) else F32(0)


@njit(**_OPTIONS)
def _rise(other: float, z: float, largest: float) -> float:
    """Return how far a neighbour's depth differs, at most ``largest``; that if it has none."""
    rise = min(abs(other - z), largest)
    return rise if other > F32(0) else largest
