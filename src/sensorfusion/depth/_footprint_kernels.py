"""Numba kernel: how much depth changes over a pixel, from the nearest points around it."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def _slope(metres: Array, row: int, column: int, way: tuple[int, int], reach: int) -> float:
    """Return the smaller change of depth per pixel to both sides along a way, 0 if there is none.

    A point one pixel beside the way counts, too: rings are no straight lines in a picture.
    """
    rows, columns = metres.shape
    here = metres[row, column]
    best = np.float32(-1.0)
    for side in (-1, 1):
        found = False
        for step in range(1, reach + 1):
            for beside in (0, -1, 1):
                r = row + side * step * way[0] + beside * way[1]
                c = column + side * step * way[1] + beside * way[0]
                if 0 <= r < rows and 0 <= c < columns and metres[r, c] > 0:
                    slope = abs(metres[r, c] - here) / np.float32(step)
                    best = slope if best < 0 or slope < best else best
                    found = True
                    break
            if found:
                break
    return max(best, np.float32(0.0))


@njit(cache=True, nogil=True)
def add_footprint(metres: Array, reach: tuple[int, int], share: float, sigma_m: Array) -> None:
    """Add to standard deviations, float32 (H, W), what depth changes within each pixel.

    ``share`` is the variance of where in its pixel a point lies, pixels squared.
    """
    for row in range(metres.shape[0]):
        for column in range(metres.shape[1]):
            if metres[row, column] > 0:
                down = _slope(metres, row, column, (1, 0), reach[0])
                across = _slope(metres, row, column, (0, 1), reach[1])
                variance = sigma_m[row, column] * sigma_m[row, column]
                variance += np.float32(share) * (down * down + across * across)
                sigma_m[row, column] = np.sqrt(variance)
