"""Numba kernels that sort a scan into rings and firings; float32, without the GIL, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.range_image import UNSEEN

Array = NDArray[Any]
F32 = np.float32
EMPTY = np.int32(UNSEEN)

PI, HALF_PI, TURN = F32(np.pi), F32(np.pi / 2), F32(2 * np.pi)
_TINY = F32(1e-30)
# Motion compensation moves points near the seam by as much to its other side.
_JITTER = F32(np.radians(3.0))
# A ring that steps back by more than this has ended before it was full.
_BACK = F32(np.radians(20.0))
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def azimuths(points: Array, out: Array) -> None:
    """Write atan2(y, x) of ``points`` float32 (N, 3) to ``out`` float32 (N,), within 1e-5 rad.

    The polynomial is formula 4.4.49 of Abramowitz and Stegun, "Handbook of mathematical
    functions", 1964; without branches, so that the loop is vectorised.
    """
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
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
        turned = (azimuth[n] - seam) * way
        turned = turned + TURN if turned < F32(0) else turned
        turned = turned - TURN if turned >= TURN else turned
        out[n] = turned + TURN if turned < F32(0) else turned


@njit(**_OPTIONS)
def split_rings(position: Array, ring: Array) -> int:
    """Return how many rings there are in points that are stored ring by ring, and number them.

    ``position`` float32 (N,) as of :func:`positions`. ``ring`` uint16 (N,) is written.
    """
    current, farthest = 0, F32(0)
    for n in range(position.shape[0]):
        at = position[n]
        behind = farthest - at
        if behind > _BACK:
            current += 1
            farthest = at
        elif not (farthest < _JITTER and at > TURN - _JITTER):
            farthest = max(farthest, at)
        ring[n] = np.uint16(min(current, 65535))
    return current + 1


@njit(**_OPTIONS)
def ring_sums(points: Array, ring: Array, sums: Array) -> None:
    """Add up, for each ring, the points, their z and their distance from the z axis.

    ``sums`` float64 (rings, 3), zero before.
    """
    start = 0
    while start < points.shape[0]:
        row = ring[start]
        end = start
        # Sums of a ring's run stand in registers: adding in memory waits for the store before.
        height, level = F32(0), F32(0)
        while end < points.shape[0] and ring[end] == row:
            x, y = points[end, 0], points[end, 1]
            height += points[end, 2]
            level += np.sqrt(x * x + y * y)
            end += 1
        sums[row, 0] += end - start
        sums[row, 1] += height
        sums[row, 2] += level
        start = end


@njit(**_OPTIONS)
def order_by_row(row: Array, starts: Array, order: Array) -> None:
    """Write the points of each row, in the order in which they are stored, to ``order``.

    ``row`` int32 (N,); ``starts`` int64 (rows + 1,), the first place of each row in ``order``.
    """
    nexts = starts.copy()
    for n in range(row.shape[0]):
        order[nexts[row[n]]] = n
        nexts[row[n]] += 1


@njit(**_OPTIONS)
def sort_rows(position: Array, starts: Array, order: Array) -> bool:
    """Sort the points of each row by position; give up, and say so, where that takes long.

    By insertion: rings come sorted but for jitter.
    """
    budget = 4 * order.shape[0] + 100_000
    for r in range(starts.shape[0] - 1):
        first = starts[r]
        for k in range(first + 1, starts[r + 1]):
            held = order[k]
            at = position[held]
            m = k
            while m > first and position[order[m - 1]] > at:
                order[m] = order[m - 1]
                m -= 1
            order[m] = held
            budget -= k - m
            if budget < 0:
                return False
    return True


@njit(**_OPTIONS)
def assign_columns(
    position: Array,
    starts: Array,
    order: Array,
    columns: int,
    columns_per_rad: float,
    column: Array,
) -> None:
    """Give the sorted points of each row rising columns, each as near to its position as can be.

    ``column`` int32 (N,) of each point. The rows have at most ``columns`` points, which the
    caller sees to; encoders round, so that two points can claim one column.
    """
    per_rad = F32(columns_per_rad)
    for r in range(starts.shape[0] - 1):
        past = -1
        for k in range(starts[r], starts[r + 1]):
            past = max(past + 1, int(position[order[k]] * per_rad + F32(0.5)))
            column[order[k]] = past
        limit = columns
        for k in range(starts[r + 1] - 1, starts[r] - 1, -1):
            if column[order[k]] < limit:
                break
            limit -= 1
            column[order[k]] = limit


@njit(**_OPTIONS)
def place(
    points: Array, ring: Array, row_of_ring: Array, column: Array, index: Array, range_m: Array
) -> None:
    """Write each point's number and range to its cell; of several points the nearest stays.

    ``index`` int32 and ``range_m`` float32, both (rows, columns), are written whole.
    """
    index[:] = EMPTY
    range_m[:] = F32(0)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        length = np.sqrt(x * x + y * y + z * z)
        i, j = row_of_ring[ring[n]], column[n]
        if index[i, j] < 0 or length < range_m[i, j]:
            index[i, j] = np.int32(n)
            range_m[i, j] = length


@njit(**_OPTIONS)
def measure_steps(points: Array, index: Array, every: int) -> tuple[float, float]:
    """Return the direction in which columns turn (1 or -1) and the angle between two of them.

    Asks every so many rows; 0 radians where no two columns stand side by side.
    """
    turns, total, count = 0, F32(0), 0
    for i in range(0, index.shape[0], every):
        for j in range(1, index.shape[1]):
            a, b = index[i, j - 1], index[i, j]
            if a < 0 or b < 0:
                continue
            cross = points[a, 0] * points[b, 1] - points[a, 1] * points[b, 0]
            dot = points[a, 0] * points[b, 0] + points[a, 1] * points[b, 1]
            turns += 1 if cross > F32(0) else -1
            total += abs(cross) / np.sqrt(cross * cross + dot * dot + F32(1e-20))
            count += 1
    return (1.0 if turns >= 0 else -1.0), (total / F32(count) if count else F32(0))


@njit(**_OPTIONS)
def fit_rows(azimuth: Array, index: Array, step_rad: float, offset: Array) -> float:
    """Fit a line of this step through the azimuths of each row; return by how much it errs.

    ``offset`` float64 (rows,): azimuth at column 0, radians; NaN for a row without points. The
    return value is what the step lacks, by least squares over all rows.
    """
    top, bottom = 0.0, 0.0
    middle = 0.5 * index.shape[1]
    for i in range(index.shape[0]):
        count, first, total = 0, 0.0, 0.0
        across, across2, product = 0.0, 0.0, 0.0
        for j in range(index.shape[1]):
            n = index[i, j]
            if n < 0:
                continue
            off = azimuth[n] - step_rad * j
            if count == 0:
                first = off
            off -= first
            off -= 2.0 * np.pi * np.rint(off / (2.0 * np.pi))
            column = j - middle
            count += 1
            total += off
            across += column
            across2 += column * column
            product += off * column
        offset[i] = first + total / count if count else np.nan
        if count:
            top += product - total * across / count
            bottom += across2 - across * across / count
    return top / bottom if bottom > 0.0 else 0.0
