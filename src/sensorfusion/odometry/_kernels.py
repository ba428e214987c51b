"""Numba kernels of least squares in six unknowns: add up, solve, move.

Unknowns are a translation (m) and then a rotation (rad). Everything runs on one thread: there are
some thirty steps a frame, and on a busy machine each meeting of threads costs more than it saves.
The other core decodes, filters and shrinks the frames ahead.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

SUMS = 32
"""21 upper-triangle entries of J^T W J, 6 of J^T W r, cost, weight, pixels that met the model,
pixels looked at, pixels that lie where the model has seen empty space."""
CHUNK = 512
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


# Sums may be taken in any order, so that LLVM vectorises them; the order is the same on every run.
@njit(fastmath={"reassoc", "contract", "nsz"}, **_OPTIONS)
def _dot(one: Array, other: Array) -> float:
    total = F32(0.0)
    for i in range(CHUNK):
        total += one[i] * other[i]
    return total


@njit(**_OPTIONS)
def add_up(rows: Array, weight: Array, weighted: Array, sums: Array) -> None:
    """Add what ``CHUNK`` samples say: ``rows`` float32 (7, CHUNK) are J and the residual.

    ``weight`` float32 (CHUNK,), 0 for samples that do not count; ``weighted`` float32 (CHUNK,) is
    room to work in.
    """
    k = 0
    for a in range(6):
        row = rows[a]
        for i in range(CHUNK):
            weighted[i] = weight[i] * row[i]
        for b in range(a, 6):
            sums[k] += _dot(weighted, rows[b])
            k += 1
        sums[21 + a] += _dot(weighted, rows[6])


@njit(**_OPTIONS)
def solve(matrix: Array, vector: Array, step: Array) -> bool:
    """Write the solution of ``matrix @ step = -vector`` (6 x 6, positive definite) to ``step``.

    False when the matrix is not positive definite: nothing holds some motion.
    """
    lower = np.zeros((6, 6))
    for a in range(6):
        for b in range(a + 1):
            value = matrix[a, b]
            for k in range(b):
                value -= lower[a, k] * lower[b, k]
            if a != b:
                lower[a, b] = value / lower[b, b]
            elif value > 0.0:
                lower[a, a] = np.sqrt(value)
            else:
                return False
    for a in range(6):
        value = -vector[a]
        for k in range(a):
            value -= lower[a, k] * step[k]
        step[a] = value / lower[a, a]
    for a in range(5, -1, -1):
        value = step[a]
        for k in range(a + 1, 6):
            value -= lower[k, a] * step[k]
        step[a] = value / lower[a, a]
    return True


@njit(**_OPTIONS)
def unpack_sums(sums: Array, matrix: Array, vector: Array) -> None:
    """Write the symmetric 6 x 6 matrix and the vector that ``sums`` hold."""
    k = 0
    for a in range(6):
        vector[a] = sums[21 + a]
        for b in range(a, 6):
            matrix[a, b] = matrix[b, a] = sums[k]
            k += 1


@njit(**_OPTIONS)
def damp(matrix: Array) -> None:
    """Keep a direction that nothing holds from moving, and change the others hardly."""
    for a in range(6):
        matrix[a, a] += 1e-6 * matrix[a, a] + 1e-9


@njit(**_OPTIONS)
def rotation(vector: Array) -> Array:
    """Return the 3x3 rotation matrix of a rotation vector (Rodrigues)."""
    x, y, z = vector[0], vector[1], vector[2]
    square = x * x + y * y + z * z
    angle = np.sqrt(square)
    s = np.sin(angle) / angle if angle > 1e-8 else 1.0
    c = (1.0 - np.cos(angle)) / square if angle > 1e-8 else 0.5
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = 1 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y
    out[1, 0], out[1, 1], out[1, 2] = c * x * y + s * z, 1 - c * (x * x + z * z), c * y * z - s * x
    out[2, 0], out[2, 1], out[2, 2] = c * x * z - s * y, c * y * z + s * x, 1 - c * (x * x + y * y)
    return out


@njit(**_OPTIONS)
def multiply(one: Array, other: Array) -> Array:
    """Return the product of two small matrices; numba's own asks for SciPy."""
    product = np.zeros((one.shape[0], other.shape[1]))
    for a in range(one.shape[0]):
        for b in range(other.shape[1]):
            for k in range(one.shape[1]):
                product[a, b] += one[a, k] * other[k, b]
    return product


@njit(**_OPTIONS)
def move(pose: Array, step: Array, about_own_centre: bool) -> None:
    """Move a pose (4, 4) by a step in its target's axes.

    The rotation is about the source's own origin, or else about the target's.
    """
    turned = multiply(rotation(step[3:]), pose[:3, :])
    for a in range(3):
        if about_own_centre:
            pose[a, 3] += step[a]
        for b in range(3):
            pose[a, b] = turned[a, b]
    if not about_own_centre:
        for a in range(3):
            pose[a, 3] = turned[a, 3] + step[a]


@njit(**_OPTIONS)
def rotation_vector(matrix: Array) -> Array:
    """Return the rotation vector (rad) of a 3x3 rotation matrix of less than half a turn."""
    axis = np.empty(3)
    axis[0] = matrix[2, 1] - matrix[1, 2]
    axis[1] = matrix[0, 2] - matrix[2, 0]
    axis[2] = matrix[1, 0] - matrix[0, 1]
    sine = 0.5 * np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    cosine = 0.5 * (matrix[0, 0] + matrix[1, 1] + matrix[2, 2] - 1.0)
    scale = 0.5 * np.arctan2(sine, cosine) / sine if sine > 1e-12 else 0.5
    return axis * scale
