"""Numba kernels that find points seen through nearer surfaces; float32, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def find_hidden(
    depth: Array,
    reach: tuple[int, int, int, int],
    beside: tuple[float, float],
    around: tuple[float, float],
    hidden: Array,
) -> int:
    """Write the flat pixels whose point something nearer hides to ``hidden``; return how many.

    ``depth`` float32 (H, W), contiguous, 0 where there is no point; ``hidden`` int32, one longer
    than there are pixels. ``reach``: rows and columns within which one nearer point hides, then
    those within which two on opposite sides do. ``beside`` and ``around``: factor and metres by
    which a point must be nearer to count in either case.
    """
    half_rows, half_columns, rows, columns = reach
    count = 0
    height, width = depth.shape
    pixels = np.empty(width, np.int32)
    # The nearest of all cells that a window touches: where it is not near enough, the window,
    # which costs a hundred times as much, need not be looked at.
    cell_rows, cell_columns = max(rows, half_rows, 4), max(columns, half_columns, 4)
    nearest = _nearest_around(depth, cell_rows, cell_columns)
    slope = min(F32(beside[0]), F32(around[0]))
    least_m = min(F32(beside[1]), F32(around[1]))
    for v in range(height):
        line = depth[v]
        found = 0
        for u in range(width):
            pixels[found] = u
            found += line[u] > F32(0)
        for n in range(found):
            u = pixels[n]
            z = line[u]
            if nearest[v // cell_rows, u // cell_columns] * slope + least_m >= z:
                continue
            limit = (z - F32(beside[1])) / F32(beside[0])
            close = _any_nearer(
                depth, v - half_rows, v + half_rows, u - half_columns, u + half_columns, limit
            )
            limit = (z - F32(around[1])) / F32(around[0])
            if not close:
                left, right = u - half_columns, u + half_columns
                close = _any_nearer(depth, v - rows, v - 1, left, right, limit) and _any_nearer(
                    depth, v + 1, v + rows, left, right, limit
                )
            if not close:
                top, bottom = v - half_rows, v + half_rows
                close = _any_nearer(depth, top, bottom, u - columns, u - 1, limit) and _any_nearer(
                    depth, top, bottom, u + 1, u + columns, limit
                )
            hidden[count] = v * width + u
            count += close
    return count


@njit(**_OPTIONS)
def _any_nearer(depth: Array, top: int, bottom: int, left: int, right: int, limit: float) -> bool:
    """Tell whether a window, all ends included, holds a point nearer than ``limit``."""
    left, right = max(left, 0), min(right, depth.shape[1] - 1)
    for i in range(max(top, 0), min(bottom, depth.shape[0] - 1) + 1):
        for j in range(left, right + 1):
            if F32(0) < depth[i, j] < limit:
                return True
    return False


@njit(**_OPTIONS)
def _nearest_around(depth: Array, cell_rows: int, cell_columns: int) -> Array:
    """Return the nearest point of each cell and the eight around it, float32 (rows, columns)."""
    height, width = depth.shape
    shape = ((height - 1) // cell_rows + 1, (width - 1) // cell_columns + 1)
    cells = np.empty(shape, np.float32)
    # As whole numbers positive floats keep their order, and 0 less 1 is the largest: so that one
    # smallest number passes over empty pixels, and LLVM takes eight at once.
    bits = depth.view(np.uint32)
    smallest = np.empty(width, np.uint32)
    for row in range(shape[0]):
        smallest[:] = np.uint32(0xFFFFFFFF)
        for v in range(row * cell_rows, min((row + 1) * cell_rows, height)):
            line = bits[v]
            for u in range(width):
                smallest[u] = min(smallest[u], np.uint32(line[u] - np.uint32(1)))
        for column in range(shape[1]):
            key = np.uint32(0xFFFFFFFF)
            for u in range(column * cell_columns, min((column + 1) * cell_columns, width)):
                key = min(key, smallest[u])
            cells.view(np.uint32)[row, column] = np.uint32(key + np.uint32(1))
    around = np.empty_like(cells)
    for i in range(shape[0]):
        for j in range(shape[1]):
            near = F32(np.inf)
            for k in range(max(i - 1, 0), min(i + 2, shape[0])):
                for m in range(max(j - 1, 0), min(j + 2, shape[1])):
                    if F32(0) < cells[k, m] < near:
                        near = cells[k, m]
            around[i, j] = near
    return around
