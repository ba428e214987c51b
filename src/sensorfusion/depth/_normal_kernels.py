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

_WIDEST_COLUMNS, _WIDEST_ROWS = 16, 8
# So many steps to each side are asked at most: a wide window is looked at with gaps.
_COLUMN_STEPS, _ROW_STEPS = 3, 2
# Fewest points of a plane, their share of the window, and where a direction is too badly spanned.
_FEWEST, _SHARE = 5, F32(0.4)
_FLAT, _THIN = F32(1e-3), F32(0.01)
# Beams do not point quite where they are said to, radians.
_AIM = F32(0.001)
_GRAZING = F32(0.03)
# Rows nearer to each other than this share of the window do not tell a slope.
_NARROW = F32(0.15)
# A neighbour lies on the plane within so many standard deviations, or this share of the window.
_SIGMAS, _BEND = F32(3.5), F32(0.04)
# So much of the square of that may be left of all of them.
_ROUGH = F32(0.3)


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
def _look(grid: Array, i: int, j: int, frame: tuple[float, ...]) -> tuple[float, float, float]:
    """Return x / z, y / z and 1 / z of a cell's point, seen along the beam of another.

    1 / z is 0 where there is no point, or one behind the beam.
    """
    x, y, z = grid[i, j, 0], grid[i, j, 1], grid[i, j, 2]
    ahead = frame[6] * x + frame[7] * y + frame[8] * z
    q = F32(1) / ahead if ahead > F32(0) else F32(0)
    return (
        (frame[0] * x + frame[1] * y + frame[2] * z) * q,
        (frame[3] * x + frame[4] * y + frame[5] * z) * q,
        q,
    )


@njit(**_OPTIONS)
def _column(j: int, columns: int, wraps: bool) -> int:
    """Return a column of the image, -1 for one beyond it."""
    if 0 <= j < columns:
        return j
    if not wraps:
        return -1
    return j + columns if j < 0 else j - columns


@njit(**_OPTIONS)
def _column_slope(
    grid: Array,
    i: int,
    j: int,
    reach: int,
    wraps: bool,
    frame: tuple[float, ...],
    q0: float,
    limit: float,
) -> float:
    """Return dq / d(x / z) along the row, from both sides or, at an edge, from one; NaN if none."""
    columns = grid.shape[1]
    step = reach
    while step >= 1:
        a, b = _column(j - step, columns, wraps), _column(j + step, columns, wraps)
        if a >= 0 and b >= 0:
            ua, _, qa = _look(grid, i, a, frame)
            ub, _, qb = _look(grid, i, b, frame)
            if qa > F32(0) and qb > F32(0):
                slope = (qb - qa) / (ub - ua)
                if abs(qa - slope * ua - q0) <= limit:
                    return slope
        step //= 2
    step = max(1, reach // 2)
    while step >= 1:
        for way in (-1, 1):
            a = _column(j + way * step, columns, wraps)
            b = _column(j + 2 * way * step, columns, wraps)
            if a >= 0 and b >= 0:
                ua, _, qa = _look(grid, i, a, frame)
                ub, _, qb = _look(grid, i, b, frame)
                if qa > F32(0) and qb > F32(0):
                    slope = (qb - q0) / ub
                    if abs(qa - slope * ua - q0) <= limit:
                        return slope
        step //= 2
    return F32(np.nan)


@njit(**_OPTIONS)
def _row_slope(
    grid: Array,
    i: int,
    j: int,
    rows: tuple[int, int],
    frame: tuple[float, ...],
    q0: float,
    slope: float,
    limits: tuple[float, float],
) -> float:
    """Return dq / d(y / z) across the rows where the one along them is known; NaN if none.

    From the rows on both sides, else from the next one alone, which only the fit then tests.
    ``limits``: what q may be off, and how far apart in angle rows must be.
    """
    limit, narrow = limits
    fallback = F32(np.nan)
    step = max(rows[0], rows[1])
    while step >= 1:
        ua, va, qa, ub, vb, qb = F32(0), F32(0), F32(0), F32(0), F32(0), F32(0)
        if rows[0] > 0:
            ua, va, qa = _look(grid, i - min(step, rows[0]), j, frame)
        if rows[1] > 0:
            ub, vb, qb = _look(grid, i + min(step, rows[1]), j, frame)
        # Rings out of order, or at one elevation, have no slope between them.
        has_a, has_b = qa > F32(0) and va > narrow, qb > F32(0) and -vb > narrow
        qa, qb = qa - slope * ua, qb - slope * ub
        if has_a and has_b:
            found = (qa - qb) / (va - vb)
            if abs(qa - found * va - q0) <= limit + _AIM * abs(found):
                return found
        # The flatter of the two leads along the surface, the other one over its edge.
        if has_a:
            fallback = (qa - q0) / va
        if has_b:
            other = (qb - q0) / vb
            if not has_a or abs(other) < abs(fallback):
                fallback = other
        step //= 2
    return fallback


@njit(**_OPTIONS)
def _frame_of(x: float, y: float, z: float, length: float) -> tuple[float, ...]:
    """Return the axes of a beam's picture, one after the other: level, up, along the beam."""
    flat = np.sqrt(x * x + y * y)
    c, s = F32(1), F32(0)
    if flat > F32(1e-6) * length:
        c, s = x / flat, y / flat
    rise, level = z / length, flat / length
    return (-s, c, F32(0), -c * rise, -s * rise, level, c * level, s * level, rise)


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
    for i in range(rows):
        for j in range(columns):
            n = index[i, j]
            if n < 0 or (wanted.shape[0] > 0 and not wanted[n]):
                continue
            r = range_m[i, j]
            if not r > F32(0):
                continue
            frame = _frame_of(grid[i, j, 0], grid[i, j, 1], grid[i, j, 2], r)
            reach_rad = (half_m + half_share * r) / r
            across = min(max(2, int(reach_rad / step_rad + F32(0.5))), _WIDEST_COLUMNS)
            across = min(across, (columns - 1) // 2)
            up, down = min(i, 1), min(rows - 1 - i, 1)
            while up < min(i, _WIDEST_ROWS) and elevation[i - up - 1] - elevation[i] <= reach_rad:
                up += 1
            while (
                down < min(rows - 1 - i, _WIDEST_ROWS)
                and elevation[i] - elevation[i + down + 1] <= reach_rad
            ):
                down += 1
            q0 = F32(1) / r
            # What may be off in range, as inverse range.
            limit = (_SIGMAS * sigma_m + _BEND * reach_rad * r) * q0 * q0
            slope_x = _column_slope(grid, i, j, across, wraps, frame, q0, limit)
            if np.isnan(slope_x):
                continue
            limits = (limit, _NARROW * reach_rad)
            slope_y = _row_slope(grid, i, j, (up, down), frame, q0, slope_x, limits)
            if np.isnan(slope_y):
                continue
            limit += _AIM * np.sqrt(slope_x * slope_x + slope_y * slope_y)
            column_step = (across + _COLUMN_STEPS - 1) // _COLUMN_STEPS
            row_step = (max(up, down, 1) + _ROW_STEPS - 1) // _ROW_STEPS
            valid, held = 0, 0
            # Sums of u, v, w, uu, uv, vv, uw, vw, ww; w is what the first guess leaves.
            su, sv, sw = F32(0), F32(0), F32(0)
            suu, suv, svv, suw, svw, sww = F32(0), F32(0), F32(0), F32(0), F32(0), F32(0)
            for a in range(i - up // row_step * row_step, i + down + 1, row_step):
                for k in range(-(across // column_step) * column_step, across + 1, column_step):
                    b = _column(j + k, columns, wraps)
                    if b < 0:
                        continue
                    u, v, q = _look(grid, a, b, frame)
                    if q == F32(0):
                        continue
                    valid += 1
                    w = q - q0 - slope_x * u - slope_y * v
                    if abs(w) > F32(1.5) * limit:
                        continue
                    held += 1
                    su += u
                    sv += v
                    sw += w
                    suu += u * u
                    suv += u * v
                    svv += v * v
                    suw += u * w
                    svw += v * w
                    sww += w * w
            count = F32(held)
            if held < _FEWEST or count < _SHARE * F32(valid):
                continue
            u, v, w = su / count, sv / count, sw / count
            suu, suv, svv = suu / count - u * u, suv / count - u * v, svv / count - v * v
            suw, svw, sww = suw / count - u * w, svw / count - v * w, sww / count - w * w
            determinant = suu * svv - suv * suv
            thin = _THIN * reach_rad * reach_rad
            if not (determinant > _FLAT * suu * svv and suu > thin and svv > thin):
                continue
            du, dv = (
                (suw * svv - svw * suv) / determinant,
                (svw * suu - suw * suv) / determinant,
            )
            if sww - du * suw - dv * svw > _ROUGH * limit * limit:
                continue
            a0, b0 = slope_x + du, slope_y + dv
            c0 = q0 + w - du * u - dv * v
            length = np.sqrt(a0 * a0 + b0 * b0 + c0 * c0)
            if not c0 > _GRAZING * length:
                continue
            for axis in range(3):
                normals[n, axis] = (
                    -(a0 * frame[axis] + b0 * frame[3 + axis] + c0 * frame[6 + axis]) / length
                )
