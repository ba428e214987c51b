"""Numba kernels of motions: twists, the transforms they lead to, and one step of registration."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.odometry._kernels import multiply, rotation, rotation_vector

Array = NDArray[Any]
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
# Each direction is held a little, so that equations that say nothing of it can be solved.
_LITTLE = 1e-6


@njit(**_OPTIONS)
def _add_crosses(turn: Array, first: float, second: float, vector: Array, out: Array) -> None:
    """Write vector + first w x vector + second w x (w x vector)."""
    wx, wy, wz = turn
    x, y, z = vector
    ax, ay, az = wy * z - wz * y, wz * x - wx * z, wx * y - wy * x
    out[0] = x + first * ax + second * (wy * az - wz * ay)
    out[1] = y + first * ay + second * (wz * ax - wx * az)
    out[2] = z + first * az + second * (wx * ay - wy * ax)


@njit(**_OPTIONS)
def exponential(twist: Array) -> Array:
    """Return where a twist (6,) leads in one unit of time, float64 (4, 4)."""
    turn = twist[3:]
    square = turn[0] ** 2 + turn[1] ** 2 + turn[2] ** 2
    angle = np.sqrt(square)
    first, second = 0.5, 1.0 / 6.0
    if angle > 1e-4:
        first, second = (1.0 - np.cos(angle)) / square, (angle - np.sin(angle)) / (square * angle)
    matrix = np.zeros((4, 4))
    matrix[:3, :3] = rotation(turn)
    _add_crosses(turn, first, second, twist[:3], matrix[:3, 3])
    matrix[3, 3] = 1.0
    return matrix


@njit(**_OPTIONS)
def logarithm(matrix: Array) -> Array:
    """Return the twist (6,) that leads to a transform (4, 4) of less than half a turn."""
    twist = np.empty(6)
    turn = rotation_vector(matrix[:3, :3])
    square = turn[0] ** 2 + turn[1] ** 2 + turn[2] ** 2
    angle = np.sqrt(square)
    factor = 1.0 / 12.0
    if angle > 1e-4:
        factor = (1.0 - 0.5 * angle / np.tan(0.5 * angle)) / square
    _add_crosses(turn, -0.5, factor, matrix[:3, 3], twist[:3])
    twist[3:] = turn
    return twist


@njit(**_OPTIONS)
def between(one: Array, other: Array) -> Array:
    """Return the inverse of one rigid transform (4, 4) times another."""
    way = np.zeros((4, 4))
    for a in range(3):
        for b in range(4):
            for k in range(3):
                off = other[k, b] - (one[k, 3] if b == 3 else 0.0)
                way[a, b] += one[k, a] * off
    way[3, 3] = 1.0
    return way


@njit(**_OPTIONS)
def _solve(matrix: Array, vector: Array) -> None:
    """Overwrite ``vector`` by the solution of a symmetric positive definite system (Cholesky)."""
    size = vector.shape[0]
    for a in range(size):
        for b in range(a + 1):
            value = matrix[a, b]
            for k in range(b):
                value -= matrix[a, k] * matrix[b, k]
            matrix[a, b] = np.sqrt(max(value, 1e-30)) if a == b else value / matrix[b, b]
    for a in range(size):
        for k in range(a):
            vector[a] -= matrix[a, k] * vector[k]
        vector[a] /= matrix[a, a]
    for a in range(size - 1, -1, -1):
        for k in range(a + 1, size):
            vector[a] -= matrix[k, a] * vector[k]
        vector[a] /= matrix[a, a]


@njit(**_OPTIONS)
def step(
    blocks: Array,
    vectors: Array,
    motion: tuple[Array, Array],
    expected: tuple[Array, Array],
    information: Array,
    kept: Array,
) -> tuple[float, float]:
    """Move ``motion`` (pose and twist, changed in place) by one Gauss-Newton step; return its size.

    ``blocks`` float64 (3, 6, 6): J^T W J times 1, tau and tau^2; ``vectors`` float64 (2, 6): J^T W
    r times 1 and tau; world axes. ``information`` float64 (6,): of each part of the expected
    twist, axes of the LiDAR; ``kept`` (6, 6): how strongly the pose is held to the expected one,
    and the twist a twelfth of that, which is the mean of tau^2. The size is in metres and radians.
    """
    pose, twist = motion
    matrix, vector = np.empty((12, 12)), np.empty(12)
    off_twist, off_pose = np.zeros(6), np.zeros(6)
    off = logarithm(between(expected[0], pose))
    for a in range(3):
        for b in range(3):
            off_pose[a] += expected[0][a, b] * off[b]
            off_pose[3 + a] += expected[0][a, b] * off[3 + b]
            off_twist[a] += pose[a, b] * (twist[b] - expected[1][b])
            off_twist[3 + a] += pose[a, b] * (twist[3 + b] - expected[1][3 + b])
    for a in range(6):
        vector[a], vector[6 + a] = vectors[0, a], vectors[1, a]
        for b in range(6):
            held = kept[a, b] / 12.0
            if a // 3 == b // 3:
                part = 3 * (a // 3)
                for k in range(3):
                    held += pose[a % 3, k] * information[part + k] * pose[b % 3, k]
            matrix[a, b] = blocks[0, a, b] + kept[a, b]
            matrix[a, 6 + b] = matrix[6 + a, b] = blocks[1, a, b]
            matrix[6 + a, 6 + b] = blocks[2, a, b] + held
            vector[a] += kept[a, b] * off_pose[b]
            vector[6 + a] += held * off_twist[b]
    for a in range(12):
        matrix[a, a] += _LITTLE * matrix[a, a] + _LITTLE
        vector[a] = -vector[a]
    _solve(matrix, vector)
    turned = multiply(rotation(vector[3:6]), pose[:3, :3])
    for a in range(3):
        for b in range(3):
            twist[a] += pose[b, a] * vector[6 + b]
            twist[3 + a] += pose[b, a] * vector[9 + b]
    for a in range(3):
        pose[a, 3] += vector[a]
    _orthonormal(turned, pose)
    moved = np.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2)
    return moved, np.sqrt(vector[3] ** 2 + vector[4] ** 2 + vector[5] ** 2)


@njit(**_OPTIONS)
def _orthonormal(near: Array, pose: Array) -> None:
    """Write a nearly orthonormal matrix (3, 3), its rounding mended, into a pose."""
    for _ in range(2):
        # Newton's iteration for the polar factor: R (3 I - R^T R) / 2.
        square = multiply(near.T, near)
        for a in range(3):
            for b in range(3):
                square[a, b] = (1.5 if a == b else 0.0) - 0.5 * square[a, b]
        near = multiply(near, square)
    pose[:3, :3] = near
