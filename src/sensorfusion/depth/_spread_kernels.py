"""Numba kernels that spread sparse points by a Gaussian over their rows and add rows up; no GIL.

float32. Loops over a row are short functions without branches, so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth_map import Origin

Array = NDArray[Any]
F32 = np.float32

NO_RETURN = np.uint8(Origin.NO_RETURN)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_SUMS = {**_OPTIONS, "fastmath": {"reassoc", "contract", "nsz"}}

# Sums over points, weighted by a Gaussian w: w, w q, w (q^2 + 3 s^2) with s the standard deviation
# of the measured q: a few points that agree by chance are no more certain than that.
SUMS = 3
_NOISE = F32(3)


@njit(**_OPTIONS)
def _count(metres: Array) -> int:
    n = 0
    for z in metres.flat:
        n += z > F32(0)
    return n


@njit(**_OPTIONS)
def spread_rows(
    metres: Array, sigma_m: Array, weights: Array, starts: Array, points: Array, across: Array
) -> None:
    """Spread the points of each row sideways, and list them.

    Parameters: ``metres``, ``sigma_m`` float32 (H, W); ``weights`` float32 (2 r + 1); filled:
    ``starts`` int64 (H + 1) and ``points`` float32 (2, N), column and q of the points of row v
    from ``starts[v]`` to ``starts[v + 1]``; ``across`` float32 (H, SUMS, W + 2 r), where pixel u
    stands at u + r, of rows that have points.
    """
    rows, columns = metres.shape
    size = weights.shape[0]
    n = 0
    for v in range(rows):
        starts[v] = n
        row = across[v]
        for u in range(columns):
            z = metres[v, u]
            if z > F32(0):
                if n == starts[v]:
                    row[:] = F32(0)
                q = F32(1) / z
                points[0, n], points[1, n] = F32(u), q
                n += 1
                s = sigma_m[v, u] * q * q
                square = q * q + _NOISE * s * s
                for i in range(size):
                    w = weights[i]
                    row[0, u + i] += w
                    row[1, u + i] += w * q
                    row[2, u + i] += w * square
    starts[rows] = n


@njit(**_OPTIONS)
def spread_empty(origin: Array, weights: Array, across: Array) -> bool:
    """Spread beams that found nothing sideways into ``across`` float32 (H, 1 + W + 2 r).

    The first column says whether a row has any; only then there is more in it.
    """
    found = False
    for v in range(origin.shape[0]):
        across[v, 0] = F32(0)
        for u in range(origin.shape[1]):
            if origin[v, u] == NO_RETURN:
                found = True
                if across[v, 0] == F32(0):
                    across[v] = F32(0)
                    across[v, 0] = F32(1)
                for i in range(weights.shape[0]):
                    across[v, 1 + u + i] += weights[i]
    return found


@njit(**_OPTIONS)
def spread(
    across: Array, metres: Array, sigma_m: Array, origin: Array, rows: Array, empty: Array
) -> tuple[Array, Array, Array, Array]:
    """Spread measurements, and beams that found nothing, sideways.

    ``rows`` float32 (H, SUMS, W + 2 r) and ``empty`` float32 (H, 1 + W + 2 r) are filled. Returns
    ``rows`` as (H, SUMS * (W + 2 r)), ``empty`` or no rows of it where every beam found something,
    and the list of points, see :func:`spread_rows`.
    """
    height = metres.shape[0]
    starts, points = np.zeros(height + 1, np.int64), np.empty((2, _count(metres)), np.float32)
    spread_rows(metres, sigma_m, across, starts, points, rows)
    if not spread_empty(origin, across, empty):
        empty = empty[:0]
    return rows.reshape(height, SUMS * rows.shape[2]), empty, starts, points


@njit(**_SUMS)
def _add_four(line: Array, a: Array, b: Array, c: Array, d: Array, w: Array) -> None:
    e, f, g, h = w[0], w[1], w[2], w[3]
    for u in range(line.shape[0]):
        line[u] += e * a[u] + f * b[u] + g * c[u] + h * d[u]


@njit(**_OPTIONS)
def sum_rows(rows: Array, which: Array, weights: Array, line: Array) -> None:
    """Add the rows ``which`` (N) times ``weights`` float32 (N) to ``line``, four at a time.

    ``rows`` float32 (H, M); N is a multiple of four.
    """
    for i in range(0, which.shape[0], 4):
        a, b, c, d = rows[which[i]], rows[which[i + 1]], rows[which[i + 2]], rows[which[i + 3]]
        _add_four(line, a, b, c, d, weights[i : i + 4])


@njit(**_OPTIONS)
def choose_rows(
    first: int, last: int, v: int, weights: Array, filled: Array, which: Array, chosen: Array
) -> int:
    """List rows that hold anything and their weights, to a multiple of four; return how many."""
    reach = weights.shape[0] // 2
    n = 0
    for i in range(max(first, 0), min(last + 1, filled.shape[0])):
        if filled[i]:
            which[n], chosen[n] = i, weights[i - v + reach]
            n += 1
    while n % 4:
        # A row that holds something: of others the memory is not set.
        which[n], chosen[n] = which[0], F32(0)
        n += 1
    return n


@njit(**_OPTIONS)
def sum_enclosing(
    v: int, rows: Array, side: int, down: Array, filled: Array, line: Array, sums: Array
) -> bool:
    """Sum the rows around row v into ``line`` (SUMS * M) and its parts into ``sums``."""
    reach, columns = down.shape[0] // 2, sums.shape[1]
    which, chosen = np.empty(2 * reach + 8, np.int64), np.empty(2 * reach + 8, np.float32)
    above = choose_rows(v - reach, v, v, down, filled, which, chosen)
    if above == 0:
        return False
    line[:] = F32(0)
    sum_rows(rows, which[:above], chosen[:above], line)
    for u in range(columns):
        sums[1, u] = line[side + u]
    below = choose_rows(v + 1, v + reach, v, down, filled, which, chosen)
    sum_rows(rows, which[:below], chosen[:below], line)
    for u in range(columns):
        sums[0, u] = line[side + u]
        sums[2, u] = line[side + u] - sums[1, u]
    if filled[v]:
        own = rows[v]
        for u in range(columns):
            sums[2, u] += own[side + u]
    return True


@njit(**_SUMS)
def _add_one(line: Array, row: Array, weight: float) -> None:
    for u in range(line.shape[0]):
        line[u] += weight * row[u]


@njit(**_OPTIONS)
def sum_empty(v: int, empty: Array, side: int, down: Array, line: Array, sums: Array) -> None:
    reach = down.shape[0] // 2
    first, last = max(v - reach, 0), min(v + reach + 1, empty.shape[0])
    line[:] = F32(0)
    for i in range(first, last):
        if empty[i, 0] > F32(0):
            _add_one(line, empty[i, 1:], down[i - v + reach])
    for u in range(sums.shape[1]):
        sums[3, u] = line[side + u]
