"""Numba kernels of completion: from sums over points around each pixel to depth; float32, no GIL.

What is averaged is inverse depth q = 1 / z. Loops over a row are short functions without branches,
so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth._spread_kernels import SUMS, sum_empty, sum_enclosing
from sensorfusion.depth_map import Origin

Array = NDArray[Any]
F32 = np.float32

UNSEEN, OCCLUDED = np.uint8(Origin.UNSEEN), np.uint8(Origin.OCCLUDED)
FILTERED, FILLED = np.uint8(Origin.FILTERED), np.uint8(Origin.FILLED)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_SUMS = {**_OPTIONS, "fastmath": {"reassoc", "contract", "nsz"}}

# The nearer of two surfaces is taken unless the farther has so many times its weight: things that
# few beams hit are thin more often than they are far.
_FRONT = F32(1.5)
# Weights so small that only a point at the very end of the reach has them.
_LEAST = F32(1e-4)


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

    ``across``, ``down``: the Gaussian sideways and down; ``near`` float32 (2, M) gets w and w q.
    """
    near[:] = F32(0)
    weights, products = near[0], near[1]
    reach, size = down.shape[0] // 2, np.uint64(across.shape[0])
    for i in range(max(v - reach, 0), min(v + reach + 1, starts.shape[0] - 1)):
        weight = down[i - v + reach]
        for n in range(starts[i], starts[i + 1]):
            # Unsigned, so that no index is looked at for being negative.
            u, q = np.uint64(points[0, n]), points[1, n]
            if marks[u + size] > marks[u]:
                for k in range(across.shape[0]):
                    at = u + np.uint64(k)
                    w = weight * across[k] if q > mean[at] else F32(0)
                    weights[at] += w
                    products[at] += w * q


@njit(**_OPTIONS)
def _plane_row(
    mean: Array, above: Array, across: float, down: float, variance: Array, planar: Array
) -> None:
    """Take from the variance what the slope of a plane explains, and write it to ``planar``.

    ``above``: the mean of the row above; ``across``, ``down``: squares of the Gaussians' sigmas.
    """
    for u in range(1, mean.shape[0] - 1):
        # Where points begin, the row above has none, and no slope is known.
        rise = mean[u] - above[u] if above[u] > F32(0.5) * mean[u] else F32(0)
        slope = F32(0.5) * (mean[u + 1] - mean[u - 1])
        plane = min(down * rise * rise + across * slope * slope, variance[u])
        planar[u] = plane
        variance[u] -= plane


@njit(**_OPTIONS)
def _settle_row(
    line: Array, near: Array, marks: Array, jump: Array, mean: Array, variance: Array, doubt: Array
) -> None:
    """Where points part into two depths with a jump between, take one: see ``_FRONT``.

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
        apart = (a - b > jump[0] + jump[1] * b) & (front > _LEAST) & (back > _LEAST)
        apart = apart & (marks[u + 1] > marks[u])
        between = front * back / (total * total) * (a - b) * (a - b)
        chosen = a if _FRONT * front > back else b
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


@njit(**_OPTIONS)
def _write_row(sums: Array, out: Array, metres: Array, sigma_m: Array, origin: Array) -> None:
    """Fill the pixels of a row that beams enclose.

    ``sums`` float32 (4, W): w, w of rows at or above, w of rows at or below, w of beams that found
    nothing.
    """
    for u in range(origin.shape[0]):
        code = origin[u]
        if (code == UNSEEN) | (code == OCCLUDED) | (code == FILTERED):
            enclosed = (sums[1, u] > _LEAST) & (sums[2, u] > _LEAST)
            if enclosed & (sums[0, u] > sums[3, u]):
                metres[u], sigma_m[u], origin[u] = out[0, u], out[1, u], FILLED


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

    Parameters: ``rows``, ``empty``, ``starts``, ``points`` of ``spread``; ``across``, ``down``
    float32 (2 r + 1): Gaussians sideways and down; ``numbers`` float32 (8): difference of q that
    parts two surfaces (1/m, and as a share of the farther), and the share of it from which on a
    spread is looked at; what variance, a plane's variance and doubt count in the square of
    sigma_m; squares of the Gaussians' sigmas across and down.
    """
    columns, side = metres.shape[1], across.shape[0] // 2
    width = columns + 2 * side
    jump, terms = numbers[:3], numbers[3:6]
    line, near = np.empty(SUMS * width, np.float32), np.zeros((2, width), np.float32)
    mean, above = np.zeros(width, np.float32), np.zeros(width, np.float32)
    variance, planar = np.zeros(width, np.float32), np.zeros(width, np.float32)
    doubt, marks = np.zeros(width, np.float32), np.zeros(width + 1, np.int32)
    sums, out = np.zeros((4, columns), np.float32), np.zeros((2, columns), np.float32)
    filled = starts[1:] > starts[:-1]
    # The row before the first is needed for its mean only.
    for v in range(max(first - 1, 0), last):
        mean, above = above, mean
        if not sum_enclosing(v, rows, side, down, filled, line, sums):
            mean[:] = F32(0)
            continue
        _mean_row(line, jump, mean, variance, marks)
        if v < first:
            continue
        if empty.shape[0]:
            sum_empty(v, empty, side, down, doubt, sums)
        _plane_row(mean, above, numbers[6], numbers[7], variance, planar)
        doubt[:] = F32(0)
        if marks[width] > 0:
            sum_nearer(v, across, down, starts, points, mean, marks, near)
            raw = mean.copy()
            _settle_row(line, near, marks, jump, raw, variance, doubt)
            _estimate_row(raw[side:], variance[side:], planar[side:], doubt[side:], terms, out)
        else:
            _estimate_row(mean[side:], variance[side:], planar[side:], doubt[side:], terms, out)
        _write_row(sums, out, metres[v], sigma_m[v], origin[v])
