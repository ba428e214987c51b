"""Numba kernels that find edges in grids of points and lay them on pictures; one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
NOTHING, MEASURED, EMPTY = 0, 1, 2
"""State of a cell: nobody knows, a point, or a beam that found nothing."""
_NEAREST_M = 0.1


@njit(**_OPTIONS)
def _cell(row: int, column: int, rows: int, columns: int, wraps: bool) -> int:
    """Return the flat place of a cell, -1 outside the grid."""
    if row < 0 or row >= rows:
        return -1
    if column < 0 or column >= columns:
        if not wraps:
            return -1
        column %= columns
    return row * columns + column


@njit(**_OPTIONS)
def find_steps(
    xyz: Array,
    inverse_m: Array,
    state: Array,
    wraps: bool,
    gap: int,
    step: float,
    points: Array,
    kinds: Array,
    cells: Array,
) -> int:
    """Find where a near surface ends before a far one; return how many were written.

    ``xyz`` float32 (rows, columns, 3), ``inverse_m`` float32 and ``state`` uint8 (rows, columns).
    A place is the near point moved half a cell towards the far one, at its own range. ``points``
    float32 (N, 3), ``kinds`` uint8 (N,): 0 beside each other, 1 above each other; ``cells`` int32
    (N,) the near cell. On a plane the inverse of range changes evenly, so a slanted plane is none.
    """
    rows, columns = inverse_m.shape
    q, s = inverse_m.reshape(-1), state.reshape(-1)
    p = xyz.reshape(-1, 3)
    count = 0
    for row in range(rows):
        for column in range(columns):
            here = row * columns + column
            if s[here] != MEASURED:
                continue
            for way in range(4):
                across = (way < 2) * (1 - 2 * (way % 2))
                down = (way >= 2) * (1 - 2 * (way % 2))
                back = _cell(row - down, column - across, rows, columns, wraps)
                has_back = back >= 0 and s[back] == MEASURED
                reach, far = 1, -1
                while reach <= gap + 1:
                    far = _cell(row + reach * down, column + reach * across, rows, columns, wraps)
                    if far < 0 or s[far] != NOTHING:
                        break
                    reach += 1
                if far < 0 or reach > gap + 1 or s[far] == NOTHING:
                    continue
                here_q = q[here]
                if s[far] == EMPTY:
                    # A lone point before the sky is as likely a bird.
                    if not has_back or abs(q[back] - here_q) > step * here_q:
                        continue
                    for k in range(3):
                        toward = p[here, k] - p[back, k] * q[back] / here_q
                        points[count, k] = p[here, k] + 0.5 * toward
                else:
                    drop = here_q - q[far]
                    if has_back:
                        drop = min(drop, here_q + reach * (here_q - q[back]) - q[far])
                    beyond = _cell(
                        row + (reach + 1) * down,
                        column + (reach + 1) * across,
                        rows,
                        columns,
                        wraps,
                    )
                    if beyond >= 0 and s[beyond] == MEASURED:
                        drop = min(drop, here_q - q[far] - reach * (q[far] - q[beyond]))
                    if drop < step * here_q:
                        continue
                    for k in range(3):
                        toward = (p[far, k] * q[far] / here_q - p[here, k]) / reach
                        points[count, k] = p[here, k] + 0.5 * toward
                # Half the chord to the neighbour's direction lies a little inside the sphere.
                length = np.sqrt(
                    points[count, 0] ** 2 + points[count, 1] ** 2 + points[count, 2] ** 2
                )
                for k in range(3):
                    points[count, k] /= here_q * length
                kinds[count] = way // 2
                cells[count] = here
                count += 1
    return count


@njit(**_OPTIONS)
def find_changes(
    inverse_m: Array, state: Array, value: Array, wraps: bool, smooth: float, change: Array
) -> None:
    """Write how much brightness changes from each cell to the next, on one surface.

    ``value`` float32 (rows, columns); ``change`` float32 (2, rows, columns): to the cell on the
    right and to the one below. It is the difference of two cells on either side less what differs
    within a side; NaN where the four do not lie on one surface.
    """
    rows, columns = inverse_m.shape
    q, s, v = inverse_m.reshape(-1), state.reshape(-1), value.reshape(-1)
    for way in range(2):
        for row in range(rows):
            for column in range(columns):
                change[way, row, column] = np.nan
                down, across = way, 1 - way
                a = _cell(row - down, column - across, rows, columns, wraps)
                b = row * columns + column
                c = _cell(row + down, column + across, rows, columns, wraps)
                d = _cell(row + 2 * down, column + 2 * across, rows, columns, wraps)
                if a < 0 or c < 0 or d < 0:
                    continue
                if (
                    s[a] != MEASURED
                    or s[b] != MEASURED
                    or s[c] != MEASURED
                    or s[d] != MEASURED
                    or abs(q[a] - 2 * q[b] + q[c]) > smooth * q[b]
                    or abs(q[b] - 2 * q[c] + q[d]) > smooth * q[c]
                ):
                    continue
                difference = 0.5 * abs(v[c] + v[d] - v[a] - v[b])
                within = abs(v[b] - v[a]) + abs(v[d] - v[c])
                change[way, row, column] = max(difference - within, 0.0)


@njit(**_OPTIONS)
def _between(field: Array, row: int, column: int, across: float, down: float) -> float:
    """Return a field between four pixels."""
    return (1 - down) * (
        (1 - across) * field[row, column] + across * field[row, column + 1]
    ) + down * ((1 - across) * field[row + 1, column] + across * field[row + 1, column + 1])


@njit(**_OPTIONS)
def lay_on(
    points: Array,
    kinds: Array,
    frames: Array,
    blocks: Array,
    fields: Array,
    twists: Array,
    matrix: Array,
    late_s: float,
    pinhole: Array,
    derive: bool,
    scores: Array,
    slopes: Array,
    bend: Array,
    motion: Array,
) -> int:
    """Sum the fields under projected points, with derivatives; return how many lie in pictures.

    ``points`` float64 (N, 3) of the sensor, at the instants of their pictures; ``fields`` float32
    (frames, 2, height, width), the second axis by kind; ``twists`` float64 (frames, 6) velocity
    and turn rate of the sensor; ``matrix`` float64 (4, 4) to the camera; ``pinhole`` fx fy cx cy.
    Sums go to ``scores`` (blocks,), ``slopes`` (blocks, 7) and ``bend`` (7, 7): after a turn about
    the camera's axes (radians), its way along them (metres) and seconds that pictures were later.
    The curvature of the projection itself is left out. ``motion`` (7, 7) takes the mean product of
    how points move in the picture for a unit of each: its diagonal, square pixels. Without
    ``derive`` only the scores are made.
    """
    height, width = fields.shape[2], fields.shape[3]
    fx, fy, cx, cy = pinhole
    scores[:] = 0.0
    slopes[:] = 0.0
    bend[:] = 0.0
    motion[:] = 0.0
    step = np.zeros((7, 3))
    step[3, 0] = step[4, 1] = step[5, 2] = 1.0
    across, down = np.zeros(7), np.zeros(7)
    count = 0
    for n in range(points.shape[0]):
        x, y, z = points[n]
        vx, vy, vz, wx, wy, wz = twists[frames[n]]
        # What stands still moves against the sensor, and its motion turns with it.
        ax, ay, az = wy * z - wz * y + vx, wz * x - wx * z + vy, wx * y - wy * x + vz
        bx, by, bz = wy * az - wz * ay, wz * ax - wx * az, wx * ay - wy * ax
        half = 0.5 * late_s * late_s
        x += half * bx - late_s * ax
        y += half * by - late_s * ay
        z += half * bz - late_s * az
        turned_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z
        turned_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z
        turned_z = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z
        u, v, w = turned_x + matrix[0, 3], turned_y + matrix[1, 3], turned_z + matrix[2, 3]
        if w < _NEAREST_M:
            continue
        px, py = fx * u / w + cx, fy * v / w + cy
        if not (px >= 1 and py >= 1 and px < width - 2 and py < height - 2):
            continue
        count += 1
        column, row = int(px), int(py)
        da, db = px - column, py - row
        field = fields[frames[n], kinds[n]]
        middle = _between(field, row, column, da, db)
        block = blocks[n]
        scores[block] += middle
        if not derive:
            continue
        left, right = (
            _between(field, row, column - 1, da, db),
            _between(field, row, column + 1, da, db),
        )
        above, below = (
            _between(field, row - 1, column, da, db),
            _between(field, row + 1, column, da, db),
        )
        corners = (
            _between(field, row + 1, column + 1, da, db)
            + _between(field, row - 1, column - 1, da, db)
            - _between(field, row + 1, column - 1, da, db)
            - _between(field, row - 1, column + 1, da, db)
        )
        step[0, 1], step[0, 2] = -turned_z, turned_y
        step[1, 0], step[1, 2] = turned_z, -turned_x
        step[2, 0], step[2, 1] = -turned_y, turned_x
        ex, ey, ez = late_s * bx - ax, late_s * by - ay, late_s * bz - az
        for k in range(3):
            step[6, k] = matrix[k, 0] * ex + matrix[k, 1] * ey + matrix[k, 2] * ez
        slope_u, slope_v = (right - left) / 2, (below - above) / 2
        bend_uu, bend_vv = (right + left - 2 * middle), (below + above - 2 * middle)
        bend_uv = corners / 4
        for k in range(7):
            across[k] = fx * (step[k, 0] - step[k, 2] * u / w) / w
            down[k] = fy * (step[k, 1] - step[k, 2] * v / w) / w
            slopes[block, k] += slope_u * across[k] + slope_v * down[k]
        for k in range(7):
            for m in range(7):
                motion[k, m] += across[k] * across[m] + down[k] * down[m]
                bend[k, m] += (
                    bend_uu * across[k] * across[m]
                    + bend_vv * down[k] * down[m]
                    + bend_uv * (across[k] * down[m] + down[k] * across[m])
                )
    motion /= max(count, 1)
    return count
