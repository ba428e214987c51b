"""Numba kernels: how much depth changes over a pixel, from the nearest points around it."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_NONE = np.float32(-1.0)
_LONG_AGO = np.int32(-(1 << 20))


@njit(cache=True, nogil=True)
def _smaller(best: float, slope: float) -> float:
    return slope if best < 0 or slope < best else best


@njit(cache=True, nogil=True)
def _beside(metres: Array, row: int, column: int, side: int, reach: int) -> float:
    """Return the change of depth per pixel to the nearest point on one side, -1 without one.

    A point one pixel above or below counts, too: rings are no straight lines in a picture.
    """
    rows, columns = metres.shape
    for step in range(1, reach + 1):
        c = column + side * step
        if c < 0 or c >= columns:
            return _NONE
        for r in (row, row - 1, row + 1):
            if 0 <= r < rows and metres[r, c] > 0:
                return abs(metres[r, c] - metres[row, column]) / np.float32(step)
    return _NONE


@njit(cache=True, nogil=True)
def _across(metres: Array, row: int, column: int, reach: int) -> float:
    left = _beside(metres, row, column, -1, reach)
    right = _beside(metres, row, column, 1, reach)
    if left < 0:
        return right
    return _smaller(left, right) if right >= 0 else left


@njit(cache=True, nogil=True)
def slopes(metres: Array, reach: tuple[int, int], places: Array, down: Array, across: Array) -> int:
    """Find the points of a map and the smaller slopes to both sides of each; -1 for none.

    Written are ``places`` int32 (N,), the points' pixels, ``down`` and ``across`` float32 (N,);
    returned is their number. What lies above is remembered column by column, so that each point
    meets the ones above and below it once.
    """
    rows, columns = metres.shape
    seen_at = np.full(columns + 2, _LONG_AGO, np.int32)
    seen = np.zeros(columns + 2, np.int32)
    count = 0
    for row in range(rows):
        first = count
        for column in range(columns):
            if metres[row, column] > 0:
                places[count] = row * columns + column
                down[count] = _NONE
                across[count] = _across(metres, row, column, reach[1])
                # Columns stand one further on, so that there is one on each side of every one.
                nearest = column + 1
                for near in (column, column + 2):
                    if seen_at[near] > seen_at[nearest]:
                        nearest = near
                step = row - seen_at[nearest]
                if step <= reach[0]:
                    other = seen[nearest]
                    r, c = divmod(places[other], columns)
                    slope = abs(metres[r, c] - metres[row, column]) / np.float32(step)
                    down[count] = slope
                    down[other] = _smaller(down[other], slope)
                count += 1
        for point in range(first, count):
            column = places[point] - row * columns + 1
            seen_at[column], seen[column] = row, point
    return count


@njit(cache=True, nogil=True)
def add_footprint(
    places: Array, down: Array, across: Array, share: float, flat_sigma_m: Array
) -> None:
    """Add to standard deviations, float32 (H * W,), what depth changes within each pixel.

    ``share`` is the variance of where in its pixel a point lies, pixels squared.
    """
    for point in range(len(places)):
        place = places[point]
        slope_down, slope_across = max(down[point], _NONE + 1), max(across[point], _NONE + 1)
        variance = flat_sigma_m[place] * flat_sigma_m[place]
        squares = slope_down * slope_down + slope_across * slope_across
        flat_sigma_m[place] = np.sqrt(variance + np.float32(share) * squares)
