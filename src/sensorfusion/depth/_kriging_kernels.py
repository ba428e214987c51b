"""Numba kernels of kriging: small symmetric matrices, on one thread; float64, no GIL.

A linear algebra library would set several threads on each of these, and wait for them longer than
the work takes when others use the machine.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def invert(matrix: Array, inverse: Array) -> None:
    """Write the inverse of a symmetric, positive definite matrix, float64 (N, N), by Cholesky."""
    size = matrix.shape[0]
    lower = np.zeros_like(matrix)
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = np.sqrt(total) if i == j else total / lower[j, j]
    # Rows of the inverse of the lower triangle, transposed so that both loops run along rows.
    upper = np.zeros_like(matrix)
    for j in range(size):
        upper[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, size):
            total = 0.0
            for k in range(j, i):
                total -= lower[i, k] * upper[j, k]
            upper[j, i] = total / lower[i, i]
    for i in range(size):
        for j in range(i, size):
            total = 0.0
            for k in range(j, size):
                total += upper[i, k] * upper[j, k]
            inverse[i, j] = total
            inverse[j, i] = total
