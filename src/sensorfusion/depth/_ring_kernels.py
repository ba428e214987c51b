"""Numba kernels that tell the rings of a scan apart; float32, without the GIL, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

PI, HALF_PI, TURN = F32(np.pi), F32(np.pi / 2), F32(2 * np.pi)
_TINY = F32(1e-30)
# Motion compensation moves points near the seam by as much to its other side.
_JITTER = F32(np.radians(3.0))
# A ring that steps back by more than this has ended before it was full.
BACK = F32(np.radians(20.0))
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def azimuths(flat: Array, out: Array) -> None:
    """Write atan2(y, x) of points, float32 (N * 3,), to ``out`` float32 (N,), within 1e-5 rad.

    The polynomial is formula 4.4.49 of Abramowitz and Stegun, "Handbook of mathematical
    functions", 1964; without branches, and over one axis, so that the loop is vectorised.
    """
    for n in range(out.shape[0]):
        x, y = flat[3 * n], flat[3 * n + 1]
        ax, ay = abs(x), abs(y)
        steep = ay > ax
        large, small = (ay, ax) if steep else (ax, ay)
        a = small / (large + _TINY)
        s = a * a
        angle = a * (
            F32(0.9998660)
            + s
            * (F32(-0.3302995) + s * (F32(0.1801410) + s * (F32(-0.0851330) + s * F32(0.0208351))))
        )
        angle = HALF_PI - angle if steep else angle
        angle = PI - angle if x < F32(0) else angle
        out[n] = -angle if y < F32(0) else angle


@njit(**_OPTIONS)
def positions(azimuth: Array, seam_rad: float, sign: float, out: Array) -> None:
    """Write the angle of each azimuth past the seam, 0 to 2 pi, turning with ``sign``."""
    seam, way = F32(seam_rad), F32(sign)
    for n in range(azimuth.shape[0]):
        out[n] = _position(azimuth[n], seam, way)


@njit(inline="always", **_OPTIONS)
def _position(azimuth: np.floating, seam: np.floating, way: np.floating) -> np.floating:
    turned = (azimuth - seam) * way
    turned = turned + TURN if turned < F32(0) else turned
    turned = turned - TURN if turned >= TURN else turned
    return turned + TURN if turned < F32(0) else turned


@njit(**_OPTIONS)
def split_rings(position: Array, ring: Array) -> int:
    """Return how many rings there are in points that are stored ring by ring, and number them.

    ``position`` float32 (N,) as of :func:`positions`. ``ring`` uint16 (N,) is written.
    """
    current, farthest = 0, F32(0)
    for n in range(position.shape[0]):
        at = position[n]
        behind = farthest - at
        if behind > BACK:
            current += 1
            farthest = at
        elif not (farthest < _JITTER and at > TURN - _JITTER):
            farthest = max(farthest, at)
        ring[n] = np.uint16(min(current, 65535))
    return current + 1


@njit(**_OPTIONS)
def find_leaps(
    flat: Array, azimuth: Array, start_rad: float, sign: float, limits: Array, middles: Array
) -> int:
    """Write where, shortly past an azimuth, the elevation leaps from one point to the next.

    ``flat`` float32 (N * 3,); ``limits`` float32 (3,): how far past ``start_rad`` is asked, the
    sign of a leap, and the least change of the elevation's tangent. ``middles`` float32 (N,) gets
    the angle past ``start_rad`` between the two points. Returns how many there are.
    """
    start, way, found = F32(start_rad), F32(sign), 0
    before = TURN
    for n in range(azimuth.shape[0]):
        at = _position(azimuth[n], start, way)
        if (at <= limits[0]) & (before < at):
            leap = limits[1] * (_slope(flat, n) - _slope(flat, n - 1))
            middles[found] = F32(0.5) * (before + at)
            found += 1 if leap > limits[2] else 0
        before = at
    return found


@njit(inline="always", **_OPTIONS)
def _slope(flat: Array, n: int) -> float:
    x, y = flat[3 * n], flat[3 * n + 1]
    return flat[3 * n + 2] / max(np.sqrt(x * x + y * y), F32(1e-9))


@njit(**_OPTIONS)
def ring_sums(flat: Array, ring: Array, sums: Array) -> None:
    """Add up, for each ring, the points, their z and their distance from the z axis.

    ``flat`` float32 (N * 3,); ``sums`` float64 (rings, 3), zero before.
    """
    start, count = 0, ring.shape[0]
    while start < count:
        row = ring[start]
        end = start + 1
        while end < count and ring[end] == row:
            end += 1
        height, level = _sums_of_run(flat[3 * start : 3 * end])
        sums[row, 0] += end - start
        sums[row, 1] += height
        sums[row, 2] += level
        start = end


@njit(fastmath={"reassoc", "contract", "nsz"}, **_OPTIONS)
def _sums_of_run(flat: Array) -> tuple[float, float]:
    height, level = F32(0), F32(0)
    for n in range(flat.shape[0] // 3):
        x, y = flat[3 * n], flat[3 * n + 1]
        height += flat[3 * n + 2]
        level += np.sqrt(x * x + y * y)
    return height, level


@njit(**_OPTIONS)
def rising(azimuth: Array) -> tuple[int, int]:
    """Return how many azimuths are beyond the one before them, and how many are not."""
    count = 0
    for n in range(1, azimuth.shape[0]):
        step = azimuth[n] - azimuth[n - 1]
        step = step - TURN if step >= PI else step
        step = step + TURN if step < -PI else step
        count += 1 if step > F32(0) else 0
    return count, azimuth.shape[0] - 1 - count
