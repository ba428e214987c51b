"""Numba kernels that fit planes to the neighbours of a scan's points; one thread, without the GIL.

In the picture that a beam sees, x / z and y / z beside it, the inverse depth of a plane is linear:
q = a x / z + b y / z + c, whose normal is along (a, b, c). That holds at any incidence.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}

_WIDEST_COLUMNS, _WIDEST_ROWS = 8, 2
# Fewest points of a plane, their share of the window, and where a direction is too badly spanned.
_FEWEST, _SHARE = 5, F32(0.4)
_THIN = F32(1e-3)
_GRAZING = F32(0.03)
# A neighbour lies on the plane within so many standard deviations, or this share of the window.
_SIGMAS, _BEND = F32(3.5), F32(0.04)


@njit(**_OPTIONS)
def lay_out(points: Array, index: Array, grid: Array) -> None:
    """Copy points (N, 3) to their cells: ``grid`` float32 (rows, columns, 3), 0 without a point."""
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            n = index[i, j]
            for c in range(3):
                grid[i, j, c] = points[n, c] if n >= 0 else F32(0)


@njit(**_OPTIONS)
def second_differences(range_m: Array, every: int, found: Array) -> int:
    """Write how far points lie from the middle of those beside them in their row; return how many.

    Of every so many rows, in metres, signless; ``found`` float32, as long as the image.
    """
    count = 0
    for i in range(0, range_m.shape[0], every):
        for j in range(1, range_m.shape[1] - 1):
            a, b, c = range_m[i, j - 1], range_m[i, j], range_m[i, j + 1]
            if a > F32(0) and b > F32(0) and c > F32(0):
                found[count] = abs(b - F32(0.5) * (a + c))
                count += 1
    return count


@njit(**_OPTIONS)
def _look(grid: Array, i: int, j: int, frame: Array, seen: Array) -> bool:
    """Write x / z, y / z and 1 / z of a cell's point, seen along the beam of another."""
    x, y, z = grid[i, j, 0], grid[i, j, 1], grid[i, j, 2]
    ahead = frame[6] * x + frame[7] * y + frame[8] * z
    if ahead <= F32(0):
        return False
    q = F32(1) / ahead
    seen[0] = (frame[0] * x + frame[1] * y + frame[2] * z) * q
    seen[1] = (frame[3] * x + frame[4] * y + frame[5] * z) * q
    seen[2] = q
    return True


@njit(**_OPTIONS)
def _column_slope(
    grid: Array, i: int, j: int, reach: int, wraps: bool, frame: Array, q0: float, limit: float
) -> float:
    """Return dq / d(x / z) along the row, from both sides or, at an edge, from one; NaN if none."""
    columns = grid.shape[1]
    near, far = np.empty(3, np.float32), np.empty(3, np.float32)
    step = reach
    while step >= 1:
        a, b = j - step, j + step
        if wraps:
            a, b = a % columns, b % columns
        if (
            a >= 0
            and b < columns
            and _look(grid, i, a, frame, near)
            and _look(grid, i, b, frame, far)
        ):
            slope = (far[2] - near[2]) / (far[0] - near[0])
            if abs(near[2] - slope * near[0] - q0) <= limit:
                return slope
        step //= 2
    step = max(1, reach // 2)
    while step >= 1:
        for way in (-1, 1):
            a, b = j + way * step, j + 2 * way * step
            if wraps:
                a, b = a % columns, b % columns
            if (
                0 <= a < columns
                and 0 <= b < columns
                and _look(grid, i, a, frame, near)
                and _look(grid, i, b, frame, far)
            ):
                slope = (far[2] - q0) / far[0]
                if abs(near[2] - slope * near[0] - q0) <= limit:
                    return slope
        step //= 2
    return F32(np.nan)


@njit(**_OPTIONS)
def _row_slope(
    grid: Array,
    i: int,
    j: int,
    rows: tuple[int, int],
    frame: Array,
    q0: float,
    slope: float,
    limit: float,
) -> float:
    """Return dq / d(y / z) across the rows where the one along them is known; NaN if none.

    From the rows on both sides, else from the next one alone, which only the fit then tests.
    """
    above, below = np.empty(3, np.float32), np.empty(3, np.float32)
    fallback = F32(np.nan)
    for step in range(max(rows[0], rows[1]), 0, -1):
        a, b = i - min(step, rows[0]), i + min(step, rows[1])
        has_a = a < i and _look(grid, a, j, frame, above)
        has_b = b > i and _look(grid, b, j, frame, below)
        if has_a:
            above[2] -= slope * above[0]
        if has_b:
            below[2] -= slope * below[0]
        if has_a and has_b:
            found = (above[2] - below[2]) / (above[1] - below[1])
            if abs(above[2] - found * above[1] - q0) <= limit:
                return found
        if step == 1:
            # The flatter of the two leads along the surface, the other one over its edge.
            if has_a:
                fallback = (above[2] - q0) / above[1]
            if has_b:
                other = (below[2] - q0) / below[1]
                if not has_a or abs(other) < abs(fallback):
                    fallback = other
    return fallback


@njit(**_OPTIONS)
def _solve(sums: Array, plane: Array) -> bool:
    """Write a, b, c of the plane that ``sums`` (weight, x, y, q, xx, xy, yy, xq, yq) say."""
    count = sums[0]
    x, y, q = sums[1] / count, sums[2] / count, sums[3] / count
    xx, xy, yy = sums[4] / count - x * x, sums[5] / count - x * y, sums[6] / count - y * y
    xq, yq = sums[7] / count - x * q, sums[8] / count - y * q
    determinant = xx * yy - xy * xy
    if not determinant > _THIN * xx * yy:
        return False
    plane[0] = (xq * yy - yq * xy) / determinant
    plane[1] = (yq * xx - xq * xy) / determinant
    plane[2] = q - plane[0] * x - plane[1] * y
    return plane[2] > F32(0)


@njit(**_OPTIONS)
def _frame_of(x: float, y: float, z: float, length: float, frame: Array) -> None:
    """Write axes of a beam's picture: level, up, along the beam."""
    flat = np.sqrt(x * x + y * y)
    if flat < F32(1e-6) * length:
        frame[0], frame[1], frame[2] = F32(0), F32(1), F32(0)
        frame[3], frame[4], frame[5] = F32(1), F32(0), F32(0)
    else:
        frame[0], frame[1], frame[2] = -y / flat, x / flat, F32(0)
        frame[3], frame[4] = -x * z / (flat * length), -y * z / (flat * length)
        frame[5] = flat / length
    frame[6], frame[7], frame[8] = x / length, y / length, z / length


@njit(**_OPTIONS)
def fit_normals(
    grid: Array,
    index: Array,
    range_m: Array,
    elevation: Array,
    wraps: bool,
    scales: Array,
    wanted: Array,
    normals: Array,
) -> None:
    """Write the normal of each wanted point, 0 where no plane goes through its neighbours.

    ``grid`` float32 (rows, columns, 3) as :func:`lay_out` fills it; ``elevation`` float32 (rows,)
    radians; ``scales`` float32 (4,): azimuth between columns (rad), standard deviation of ranges
    (m), half width of the window at the sensor (m), and what range adds to it (m/m). ``wanted``
    bool (N,), or (0,) for all; ``normals`` float32 (N, 3).
    """
    rows, columns = index.shape
    step_rad, sigma_m, half_m, half_share = scales[0], scales[1], scales[2], scales[3]
    frame, seen = np.empty(9, np.float32), np.empty(3, np.float32)
    sums, plane = np.empty(9, np.float32), np.empty(3, np.float32)
    for i in range(rows):
        for j in range(columns):
            n = index[i, j]
            if n < 0 or (wanted.shape[0] > 0 and not wanted[n]):
                continue
            r = range_m[i, j]
            if not r > F32(0):
                continue
            x, y, z = grid[i, j, 0], grid[i, j, 1], grid[i, j, 2]
            _frame_of(x, y, z, r, frame)
            reach_rad = (half_m + half_share * r) / r
            across = min(max(2, int(reach_rad / step_rad + F32(0.5))), _WIDEST_COLUMNS)
            up, down = 1, 1
            while (
                up < _WIDEST_ROWS
                and i - up - 1 >= 0
                and elevation[i - up - 1] - elevation[i] <= reach_rad
            ):
                up += 1
            while (
                down < _WIDEST_ROWS
                and i + down + 1 < rows
                and elevation[i] - elevation[i + down + 1] <= reach_rad
            ):
                down += 1
            up, down = min(up, i), min(down, rows - 1 - i)
            q0 = F32(1) / r
            # What may be off in range, as inverse range.
            limit = (_SIGMAS * sigma_m + _BEND * reach_rad * r) * q0 * q0
            slope_x = _column_slope(grid, i, j, across, wraps, frame, q0, limit)
            if np.isnan(slope_x):
                continue
            slope_y = _row_slope(grid, i, j, (up, down), frame, q0, slope_x, limit)
            if np.isnan(slope_y):
                continue
            stride = 2 if across > 4 else 1
            valid, held, squares = 0, 0, F32(0)
            sums[:] = F32(0)
            for a in range(i - up, i + down + 1):
                for k in range(-across, across + 1, stride):
                    b = j + k
                    if wraps:
                        b = b + columns if b < 0 else (b - columns if b >= columns else b)
                    elif b < 0 or b >= columns:
                        continue
                    if index[a, b] < 0 or not _look(grid, a, b, frame, seen):
                        continue
                    valid += 1
                    u, v, q = seen[0], seen[1], seen[2]
                    off = q - q0 - slope_x * u - slope_y * v
                    if abs(off) > F32(1.5) * limit:
                        continue
                    held += 1
                    squares += off * off
                    sums[1] += u
                    sums[2] += v
                    sums[3] += off
                    sums[4] += u * u
                    sums[5] += u * v
                    sums[6] += v * v
                    sums[7] += u * off
                    sums[8] += v * off
            if held < _FEWEST or F32(held) < _SHARE * F32(valid):
                continue
            sums[0] = F32(held)
            # The offsets are small; the plane itself is what they leave of it and the first guess.
            sums[3] += sums[0] * q0
            sums[7] += q0 * sums[1]
            sums[8] += q0 * sums[2]
            if not _solve(sums, plane):
                continue
            sums[3] -= sums[0] * q0
            sums[7] -= q0 * sums[1]
            sums[8] -= q0 * sums[2]
            c = plane[2] - q0
            spread = squares - plane[0] * sums[7] - plane[1] * sums[8] - c * sums[3]
            if spread > F32(0.3) * limit * limit * sums[0]:
                continue
            nx = plane[0] + slope_x
            ny = plane[1] + slope_y
            nz = plane[2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            if nz < _GRAZING * length:
                continue
            scale = F32(-1) / length
            for axis in range(3):
                normals[n, axis] = scale * (
                    nx * frame[axis] + ny * frame[3 + axis] + nz * frame[6 + axis]
                )
