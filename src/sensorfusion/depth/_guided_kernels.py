"""Numba kernels of guided completion: tridiagonal solves along columns and rows; float32, no GIL.

One solve of (I + lambda A) u = f along a line, where A is the Laplacian of the line weighted by
how alike neighbouring pixels of the picture are. Thomas' algorithm; the matrix is diagonally
dominant, so that it is stable.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

_SQUARE = 32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def weights(picture: Array, alike: Array, down: Array, across: Array) -> None:
    """Weigh each pixel against its neighbour below and to the right.

    ``picture`` uint8 (H, W, C); ``alike`` float32 (256): weight by the largest difference of a
    channel; ``down`` float32 (H + 1, W), ``across`` float32 (W + 1, H), zeros before: see
    :func:`solve_columns`.
    """
    height, width, channels = picture.shape
    for v in range(height):
        for u in range(width):
            below, right = np.int32(0), np.int32(0)
            for c in range(channels):
                value = np.int32(picture[v, u, c])
                if v + 1 < height:
                    below = max(below, np.int32(abs(value - np.int32(picture[v + 1, u, c]))))
                if u + 1 < width:
                    right = max(right, np.int32(abs(value - np.int32(picture[v, u + 1, c]))))
            if v + 1 < height:
                down[v + 1, u] = alike[below]
            if u + 1 < width:
                across[u + 1, v] = alike[right]


@njit(**_OPTIONS)
def _forward_row(
    above: Array, below: Array, strength: float, ahead: Array, a: Array, b: Array
) -> None:
    """Eliminate one row; ``ahead``, ``a``, ``b`` are rows v - 1 and v."""
    for u in range(below.shape[0]):
        over, under = strength * above[u], strength * below[u]
        inverse = F32(1) / (F32(1) + under + over * (F32(1) - ahead[0, u]))
        ahead[1, u] = under * inverse
        a[1, u] = (a[1, u] + over * a[0, u]) * inverse
        b[1, u] = (b[1, u] + over * b[0, u]) * inverse


@njit(**_OPTIONS)
def _backward_row(ahead: Array, a: Array, b: Array) -> None:
    for u in range(ahead.shape[0]):
        a[0, u] += ahead[u] * a[1, u]
        b[0, u] += ahead[u] * b[1, u]


@njit(**_OPTIONS)
def solve_columns(weight: Array, strength: float, ahead: Array, a: Array, b: Array) -> None:
    """Smooth columns 1 to H of ``a`` and ``b`` float32 (H + 1, W), in place; row 0 is 0.

    ``weight`` (H + 1, W): of each row to the one below, 0 in the first and the last; ``strength``:
    lambda; ``ahead`` (H + 1, W): scratch.
    """
    last = a.shape[0] - 1
    lam = F32(strength)
    ahead[0] = F32(0)
    for v in range(1, last + 1):
        rows = slice(v - 1, v + 1)
        _forward_row(weight[v - 1], weight[v], lam, ahead[rows], a[rows], b[rows])
    for v in range(last - 1, 0, -1):
        _backward_row(ahead[v], a[v : v + 2], b[v : v + 2])


@njit(**_OPTIONS)
def transpose(source: Array, target: Array) -> None:
    """Write ``source`` (H + 1, W) transposed to ``target`` (W + 1, H), the first row left out."""
    height, width = source.shape[0] - 1, source.shape[1]
    # Square by square, so that both sides stay in the cache.
    for top in range(0, height, _SQUARE):
        for left in range(0, width, _SQUARE):
            for v in range(top, min(top + _SQUARE, height)):
                for u in range(left, min(left + _SQUARE, width)):
                    target[u + 1, v] = source[v + 1, u]
