"""Numba kernels that find points seen through nearer surfaces; float32, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32
# From where on a slope can be told on the other side of a point, as a share of the distance to
# the nearer one on this side; and between which shares of it it may go on.
_FAR_ENOUGH, _FALLS_ON, _FALLS_OFF = F32(0.5), F32(0.6), F32(1.6)
# A surface does not fall off by a larger factor than these from a point beside, or within gaps.
_STEEPEST_BESIDE, _STEEPEST_AROUND = F32(1.3), F32(1.2)
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
    than there are points. ``reach``: rows and columns within which one nearer point hides, then
    those within which two on opposite sides do. ``beside`` and ``around``: factor and metres by
    which a point must be nearer to count in either case.
    """
    half_rows, half_columns, rows, columns = reach
    height, width = depth.shape
    cell_rows, cell_columns = max(rows, half_rows, 4), max(columns, half_columns, 4)
    nearest, farthest = _extremes(depth, cell_rows, cell_columns)
    slope = min(F32(beside[0]), F32(around[0]))
    least_m = min(F32(beside[1]), F32(around[1]))
    count = 0
    for i in range(nearest.shape[0]):
        for j in range(nearest.shape[1]):
            # A window touches this cell and those around it: where nothing in them is near enough
            # for the farthest point, no window need be looked at. That is nearly everywhere.
            threshold_m = nearest[i, j] * slope + least_m
            if not farthest[i, j] > threshold_m:
                continue
            for v in range(i * cell_rows, min((i + 1) * cell_rows, height)):
                for u in range(j * cell_columns, min((j + 1) * cell_columns, width)):
                    if depth[v, u] > threshold_m:
                        hidden[count] = v * width + u
                        count += _is_hidden(depth, (v, u), reach, beside, around)
    return count


@njit(**_OPTIONS)
def _is_hidden(
    depth: Array,
    pixel: tuple[int, int],
    reach: tuple[int, int, int, int],
    beside: tuple[float, float],
    around: tuple[float, float],
) -> bool:
    half_rows, half_columns, rows, columns = reach
    v, u = pixel
    z = depth[v, u]
    top, bottom, left, right = v - half_rows, v + half_rows, u - half_columns, u + half_columns
    limit = (z - F32(around[1])) / F32(around[0])
    if (
        _any_nearer(depth, v - rows, v - 1, left, right, limit)
        and _any_nearer(depth, v + 1, v + rows, left, right, limit)
    ) or (
        _any_nearer(depth, top, bottom, u - columns, u - 1, limit)
        and _any_nearer(depth, top, bottom, u + 1, u + columns, limit)
    ):
        return not _goes_on(depth, pixel, reach, _STEEPEST_AROUND)
    limit = (z - F32(beside[1])) / F32(beside[0])
    # Without corners: the middle between four beams is far from each of them.
    if _any_nearer(depth, top, bottom, u, u, limit) or _any_nearer(
        depth, min(top + 1, v), max(bottom - 1, v), left, right, limit
    ):
        return not _goes_on(depth, pixel, reach, _STEEPEST_BESIDE)
    return False


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
def _goes_on(
    depth: Array, pixel: tuple[int, int], reach: tuple[int, int, int, int], steepest: float
) -> bool:
    """Tell whether a point lies on one slanted surface with the nearest point beside it.

    On a plane 1 / z is linear in the picture: as much as it falls from the nearer point to this
    one, it falls on the other side, but for rounding to pixels and as far as the surface is flat.
    """
    half_rows, half_columns, rows, columns = reach
    height, width = depth.shape
    v, u = pixel
    near, down, across = depth[v, u], 0, 0
    for i in range(max(v - half_rows, 0), min(v + half_rows + 1, height)):
        for j in range(max(u - half_columns, 0), min(u + half_columns + 1, width)):
            if F32(0) < depth[i, j] < near:
                near, down, across = depth[i, j], i - v, j - u
    if depth[v, u] > steepest * near:
        return False
    per_m = F32(1) / depth[v, u]
    fall = F32(1) / near - per_m
    # In units of the window, so that rows and columns count alike.
    per_row, per_column = F32(1) / F32(max(rows, 1)), F32(1) / F32(max(columns, 1))
    y, x = F32(down) * per_row, F32(across) * per_column
    length2 = x * x + y * y
    for i in range(max(v - rows, 0), min(v + rows + 1, height)):
        for j in range(max(u - columns, 0), min(u + columns + 1, width)):
            if depth[i, j] > depth[v, u]:
                along = -(F32(i - v) * per_row * y + F32(j - u) * per_column * x) / length2
                fallen = per_m - F32(1) / depth[i, j]
                if along > _FAR_ENOUGH and _FALLS_ON < fallen / (along * fall) < _FALLS_OFF:
                    return True
    return False


@njit(**_OPTIONS)
def _extremes(depth: Array, cell_rows: int, cell_columns: int) -> tuple[Array, Array]:
    """Return the nearest point of each cell and the eight around it, and the farthest of each.

    Both float32 (rows, columns): infinity, and 0, where there is none.
    """
    height, width = depth.shape
    shape = ((height - 1) // cell_rows + 1, (width - 1) // cell_columns + 1)
    nearest, farthest = np.empty(shape, np.float32), np.empty(shape, np.float32)
    # As whole numbers positive floats keep their order, and 0 less 1 is the largest: so that the
    # smallest number passes over empty pixels, and LLVM takes eight at once.
    bits = depth.view(np.uint32)
    one, none = np.uint32(1), np.uint32(0xFFFFFFFF)
    low, high = np.empty(width, np.uint32), np.empty(width, np.uint32)
    for row in range(shape[0]):
        low[:] = none
        high[:] = 0
        for v in range(row * cell_rows, min((row + 1) * cell_rows, height)):
            line = bits[v]
            for u in range(width):
                low[u] = min(low[u], np.uint32(line[u] - one))
                high[u] = max(high[u], line[u])
        for column in range(shape[1]):
            lowest, highest = none, np.uint32(0)
            for u in range(column * cell_columns, min((column + 1) * cell_columns, width)):
                lowest, highest = min(lowest, low[u]), max(highest, high[u])
            nearest.view(np.uint32)[row, column] = np.uint32(lowest + one)
            farthest.view(np.uint32)[row, column] = highest
    around = np.empty_like(nearest)
    for i in range(shape[0]):
        for j in range(shape[1]):
            near = F32(np.inf)
            for k in range(max(i - 1, 0), min(i + 2, shape[0])):
                for m in range(max(j - 1, 0), min(j + 2, shape[1])):
                    if F32(0) < nearest[k, m] < near:
                        near = nearest[k, m]
            around[i, j] = near
    return around, farthest
