"""Numba kernels of the exact Euclidean distance transform, one axis at a time."""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Array = NDArray[Any]

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _line(values: Array, roots: Array, borders: Array, out: Array) -> None:
    """Write the lower envelope of parabolas that stand at each cell, as high as its value."""
    count = values.shape[0]
    last = -1
    for q in range(count):
        if values[q] == np.inf:
            continue
        at = -np.inf
        while last >= 0:
            p = roots[last]
            at = 0.5 * ((values[q] - values[p]) / (q - p) + (q + p))
            if at > borders[last]:
                break
            last -= 1
        last += 1
        roots[last] = q
        borders[last] = at if last > 0 else -np.inf
    if last < 0:
        out[:] = np.inf
        return
    k = 0
    for q in range(count):
        while k < last and borders[k + 1] < q:
            k += 1
        step = q - roots[k]
        out[q] = step * step + values[roots[k]]


@njit(parallel=True, **_OPTIONS)
def squared_distances(lines: Array) -> None:
    """Replace each line of float64 (N, L) by squared distances along it, in cells.

    The value of a cell is the squared distance known so far, infinite where none is.
    """
    count, length = lines.shape
    for n in prange(count):
        roots, borders = np.empty(length, np.int64), np.empty(length, np.float64)
        out = np.empty(length, np.float64)
        _line(lines[n], roots, borders, out)
        lines[n] = out
