"""Numba kernels of completion: normalised Gaussians over sparse points; float32, no GIL.

What is smoothed is inverse depth q = 1 / z. Loops over a row are short functions without branches,
so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth_map import Origin

Array = NDArray[Any]
F32 = np.float32

MEASURED, FILLED = np.uint8(Origin.MEASURED), np.uint8(Origin.FILLED)
NO_RETURN = np.uint8(Origin.NO_RETURN)
UNSEEN, OCCLUDED = np.uint8(Origin.UNSEEN), np.uint8(Origin.OCCLUDED)
FILTERED = np.uint8(Origin.FILTERED)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_SUMS = {**_OPTIONS, "fastmath": {"reassoc", "contract", "nsz"}}

# Sums over points, weighted by a Gaussian w: w, w q, w (q^2 + 3 s^2) with s the standard deviation
# of the measured q: a few points that agree by chance are no more certain than that.
SUMS = 3
_NOISE = F32(3)
# Weights so small that only a point at the very end of the reach has them.
_LEAST = F32(1e-4)


@njit(**_OPTIONS)
def spread_rows(
    metres: Array, sigma_m: Array, weights: Array, starts: Array, points: Array, across: Array
) -> None:
    """Spread the points of each row sideways, and list them.

    Parameters: ``metres``, ``sigma_m`` float32 (H, W); ``weights`` float32 (2 r + 1); filled:
    ``starts`` int64 (H + 1) and ``points`` float32 (2, N), column and q of the points of row v
    from ``starts[v]`` to ``starts[v + 1]``; ``across`` float32 (H, SUMS, W + 2 r), zeros before,
    where pixel u stands at u + r.
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
    """Spread beams that found nothing sideways into ``across`` float32 (H, W + 2 r)."""
    found = False
    for v in range(origin.shape[0]):
        for u in range(origin.shape[1]):
            if origin[v, u] == NO_RETURN:
                found = True
                for i in range(weights.shape[0]):
                    across[v, u + i] += weights[i]
    return found


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
        which[n], chosen[n] = v, F32(0)
        n += 1
    return n


@njit(**_OPTIONS)
def _mean_row(line: Array, jump: Array, mean: Array, variance: Array, marks: Array) -> None:
    """Write mean and variance of q, and how many pixels up to each are torn between two depths.

    ``marks`` int32 (M + 1): a running count of pixels whose points spread so far that two
    surfaces may meet there.
    """
    width = mean.shape[0]
    for u in range(width):
        share = F32(1) / max(line[u], _LEAST)
        m = line[width + u] * share
        square = line[2 * width + u] * share - m * m
        tolerance = jump[2] * (jump[0] + jump[1] * m)
        mean[u], variance[u] = m, max(square, F32(0))
        marks[u + 1] = (square > tolerance * tolerance) & (line[u] > _LEAST)
    for u in range(width):
        marks[u + 1] += marks[u]


@njit(**_SUMS)
def _add_nearer(near: Array, weights: Array, mean: Array, q: float, weight: float) -> None:
    for i in range(weights.shape[0]):
        w = weight * weights[i] if q > mean[i] else F32(0)
        near[0, i] += w
        near[1, i] += w * q
        near[2, i] += w * q * q


@njit(**_OPTIONS)
def sum_nearer(
    v: int,
    across: Array,
    down: Array,
    starts: Array,
    points: Array,
    mean: Array,
    marks: Array,
    near: Array,
) -> None:
    """Sum up, for torn pixels of row v, the points that are nearer than the mean.

    ``across``, ``down``: the Gaussian sideways and down; ``near`` float32 (3, M) gets w, w q and
    w q^2.
    """
    near[:] = F32(0)
    reach, size = down.shape[0] // 2, across.shape[0]
    for i in range(max(v - reach, 0), min(v + reach + 1, starts.shape[0] - 1)):
        weight = down[i - v + reach]
        for n in range(starts[i], starts[i + 1]):
            u = int(points[0, n])
            if marks[u + size] > marks[u]:
                _add_nearer(near[:, u : u + size], across, mean[u : u + size], points[1, n], weight)


@njit(**_OPTIONS)
def _plane_row(
    mean: Array, above: Array, across: float, down: float, variance: Array, planar: Array
) -> None:
    """Take from the variance what the slope of a plane explains, and write it to ``planar``.

    ``above``: the mean of the row above; ``across``, ``down``: squares of the Gaussians' sigmas.
    """
    for u in range(1, mean.shape[0] - 1):
        rise, slope = mean[u] - above[u], F32(0.5) * (mean[u + 1] - mean[u - 1])
        plane = min(down * rise * rise + across * slope * slope, variance[u])
        planar[u] = plane
        variance[u] -= plane


@njit(**_OPTIONS)
def _settle_row(
    line: Array, near: Array, jump: Array, mean: Array, variance: Array, doubt: Array
) -> None:
    """Where points part into two depths with a jump between, take the side with more weight.

    ``doubt`` gets the square of what the choice may be wrong by: the variance that it took away.
    """
    width = mean.shape[0]
    for u in range(width):
        total = max(line[u], _LEAST)
        front = near[0, u]
        back = total - front
        over_front, over_back = F32(1) / max(front, _LEAST), F32(1) / max(back, _LEAST)
        a = near[1, u] * over_front
        b = (line[width + u] - near[1, u]) * over_back
        apart = (front > _LEAST) & (back > _LEAST) & (a - b > jump[0] + jump[1] * b)
        between = front * back / (total * total) * (a - b) * (a - b)
        chosen = a if front > back else b
        mean[u] = chosen if apart else mean[u]
        variance[u] = max(variance[u] - between, F32(0)) if apart else variance[u]
        doubt[u] = between if apart else F32(0)


@njit(**_OPTIONS)
def _estimate_row(
    q: Array, variance: Array, planar: Array, doubt: Array, terms: Array, out: Array
) -> None:
    """Write z, its standard deviation and what a slope adds to that of measured pixels."""
    for u in range(out.shape[1]):
        z = F32(1) / max(q[u], F32(1e-6))
        squares = terms[0] * variance[u] + terms[1] * planar[u] + terms[2] * doubt[u]
        out[0, u] = z
        out[1, u] = z * z * np.sqrt(squares)
        out[2, u] = terms[1] * planar[u] * z * z * z * z


@njit(**_OPTIONS)
def _write_row(sums: Array, out: Array, metres: Array, sigma_m: Array, origin: Array) -> None:
    """Fill the pixels of a row that beams enclose.

    ``sums`` float32 (4, W): w, w of rows at or above, w of rows at or below, w of beams that found
    nothing.
    """
    for u in range(origin.shape[0]):
        code = origin[u]
        if code == MEASURED:
            sigma_m[u] = np.sqrt(sigma_m[u] * sigma_m[u] + out[2, u])
        elif (code == UNSEEN) | (code == OCCLUDED) | (code == FILTERED):
            enclosed = (sums[1, u] > _LEAST) & (sums[2, u] > _LEAST)
            if enclosed & (sums[0, u] > sums[3, u]):
                metres[u], sigma_m[u], origin[u] = out[0, u], out[1, u], FILLED


@njit(**_SUMS)
def _add_one(line: Array, row: Array, weight: float) -> None:
    for u in range(line.shape[0]):
        line[u] += weight * row[u]


@njit(**_OPTIONS)
def _sum_enclosing(
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
    own = rows[v]
    for u in range(columns):
        sums[0, u] = line[side + u]
        sums[2, u] = line[side + u] - sums[1, u] + own[side + u]
    return True


@njit(**_OPTIONS)
def _sum_empty(v: int, empty: Array, side: int, down: Array, line: Array, sums: Array) -> None:
    reach = down.shape[0] // 2
    line[:] = F32(0)
    for i in range(max(v - reach, 0), min(v + reach + 1, empty.shape[0])):
        _add_one(line, empty[i], down[i - v + reach])
    for u in range(sums.shape[1]):
        sums[3, u] = line[side + u]


@njit(**_OPTIONS)
def complete_rows(
    first: int,
    last: int,
    rows: Array,
    empty: Array,
    across: Array,
    down: Array,
    starts: Array,
    points: Array,
    numbers: Array,
    metres: Array,
    sigma_m: Array,
    origin: Array,
) -> None:
    """Fill between the points of rows ``first`` to ``last`` of a sparse depth map, in place.

    Parameters: ``rows``, ``empty``, ``starts``, ``points`` of :func:`spread`; ``across``, ``down``
    float32 (2 r + 1): Gaussians sideways and down; ``numbers`` float32 (8): difference of q that
    parts two surfaces (1/m, and as a share of the farther), and the share of it from which on a
    spread is looked at; what variance, a plane's variance and doubt count in the square of
    sigma_m; squares of the Gaussians' sigmas across and down.
    """
    columns, side = metres.shape[1], across.shape[0] // 2
    width = columns + 2 * side
    jump, terms = numbers[:3], numbers[3:6]
    line, near = np.empty(SUMS * width, np.float32), np.zeros((3, width), np.float32)
    mean, above = np.zeros(width, np.float32), np.zeros(width, np.float32)
    variance, planar = np.zeros(width, np.float32), np.zeros(width, np.float32)
    doubt, marks = np.zeros(width, np.float32), np.zeros(width + 1, np.int32)
    sums, out = np.zeros((4, columns), np.float32), np.zeros((3, columns), np.float32)
    filled = starts[1:] > starts[:-1]
    # The row before the first is needed for its mean only.
    for v in range(max(first - 1, 0), last):
        mean, above = above, mean
        if not _sum_enclosing(v, rows, side, down, filled, line, sums):
            continue
        _mean_row(line, jump, mean, variance, marks)
        if v < first:
            continue
        if empty.shape[0]:
            _sum_empty(v, empty, side, down, doubt, sums)
        _plane_row(mean, above, numbers[6], numbers[7], variance, planar)
        doubt[:] = F32(0)
        if marks[width] > 0:
            sum_nearer(v, across, down, starts, points, mean, marks, near)
            raw = mean.copy()
            _settle_row(line, near, jump, raw, variance, doubt)
            _estimate_row(raw[side:], variance[side:], planar[side:], doubt[side:], terms, out)
        else:
            _estimate_row(mean[side:], variance[side:], planar[side:], doubt[side:], terms, out)
        _write_row(sums, out, metres[v], sigma_m[v], origin[v])


@njit(**_OPTIONS)
def _count(metres: Array) -> int:
    n = 0
    for z in metres.flat:
        n += z > F32(0)
    return n


@njit(**_OPTIONS)
def spread(
    across: Array, metres: Array, sigma_m: Array, origin: Array
) -> tuple[Array, Array, Array, Array]:
    """Spread measurements, and beams that found nothing, sideways.

    Returns the sums float32 (H, SUMS * M), those of empty beams float32 (H, M), or (0, M) where
    there is none, and the list of points, see :func:`spread_rows`.
    """
    height, width = metres.shape
    wide = width + across.shape[0] - 1
    starts, points = np.zeros(height + 1, np.int64), np.empty((2, _count(metres)), np.float32)
    rows = np.zeros((height, SUMS, wide), np.float32)
    spread_rows(metres, sigma_m, across, starts, points, rows)
    empty = np.zeros((height, wide), np.float32)
    if not spread_empty(origin, across, empty):
        empty = empty[:0]
    return rows.reshape(height, SUMS * wide), empty, starts, points
