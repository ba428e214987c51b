"""Numba kernels that lay a scan out in rings and firings; float32, without the GIL, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth._ring_kernels import BACK
from sensorfusion.range_image import UNSEEN

Array = NDArray[Any]
F32 = np.float32
EMPTY = np.int32(UNSEEN)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


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

    By insertion: rings come sorted but for jitter, and for a seam that lies in the middle.
    """
    budget = 4 * order.shape[0] + 100_000
    for r in range(starts.shape[0] - 1):
        first = starts[r]
        _turn_to_seam(position, order[first : starts[r + 1]])
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
def _turn_to_seam(position: Array, order: Array) -> None:
    """Let a row begin after its one large step back."""
    seam, worst = 0, BACK
    for k in range(1, order.shape[0]):
        back = position[order[k - 1]] - position[order[k]]
        if back > worst:
            seam, worst = k, back
    if seam:
        start = order[:seam].copy()
        end = order.shape[0] - seam
        for k in range(end):
            order[k] = order[seam + k]
        order[end:] = start


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
    flat: Array, rows: Array, row: Array, column: Array, index: Array, range_m: Array
) -> None:
    """Write points' numbers and ranges to their cells; of several points the nearest stays.

    ``flat`` float32 (N * 3,); ``rows`` int32 (K,): the points that are placed, at ``row`` and
    ``column`` int32 (K,). ``index`` int32 and ``range_m`` float32, both (rows, columns), are
    written whole.
    """
    index[:] = EMPTY
    range_m[:] = F32(0)
    for k in range(rows.shape[0]):
        n = rows[k]
        x, y, z = flat[3 * n], flat[3 * n + 1], flat[3 * n + 2]
        length = np.sqrt(x * x + y * y + z * z)
        i, j = row[k], column[k]
        if index[i, j] < 0 or length < range_m[i, j]:
            index[i, j] = n
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
