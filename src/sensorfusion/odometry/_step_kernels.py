"""Numba kernels that repeat Gauss-Newton steps until a frame lies still."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.odometry._distance_kernels import distance_equations
from sensorfusion.odometry._kernels import (
    SUMS,
    damp,
    move,
    multiply,
    rotation_vector,
    solve,
    unpack_sums,
)
from sensorfusion.odometry._picture_kernels import picture_equations

Array = NDArray[Any]
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_FEWEST_HITS = 50


@njit(**_OPTIONS)
def align_pictures(
    reference: tuple[Array, ...],
    current: tuple[Array, ...],
    lens: Array,
    pose: Array,
    light: Array,
    scales: Array,
    limits: Array,
) -> Array:
    """Align two pictures in place of ``pose`` and ``light``; return the last step's sums.

    Arguments as for ``picture_equations``; ``limits`` float64 (2,): most steps, and the length of
    a step (m and rad) after which no more is needed. Sums 29 is 0 where nothing held the pose.
    """
    matrix, vector, step = np.empty((6, 6)), np.empty(6), np.empty(6)
    sums = np.zeros(SUMS)
    for _ in range(int(limits[0])):
        sums = picture_equations(reference, current, lens, pose, light, scales)
        unpack_sums(sums, matrix, vector)
        damp(matrix)
        if sums[29] < _FEWEST_HITS or not solve(matrix, vector, step):
            sums[29] = 0.0
            break
        move(pose, step, False)
        if np.abs(step).max() < limits[1]:
            break
    return sums


@njit(**_OPTIONS)
def _add_picture(
    picture: tuple[Any, ...], pose: Array, light: Array, matrix: Array, vector: Array
) -> None:
    """Add what a picture says about ``pose`` (T_world_camera) to the normal equations."""
    reference, current, lens, T_world_reference, scales = picture
    rotation = pose[:3, :3].copy()
    inverse = np.eye(4)
    inverse[:3, :3] = rotation.T
    inverse[:3, 3:] = -multiply(rotation.T, pose[:3, 3:])
    motion = multiply(inverse, T_world_reference)
    sums = picture_equations(reference, current, lens, motion, light, scales)
    of_picture, to_picture = np.empty((6, 6)), np.empty((6, 1))
    unpack_sums(sums, of_picture, to_picture[:, 0])
    # A step of the camera in the world is the opposite step of the world, in the camera's axes.
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = -rotation
    matrix += multiply(multiply(turn, of_picture), turn.T)
    vector += multiply(turn, to_picture)[:, 0]


@njit(**_OPTIONS)
def _add_prior(prior: tuple[Array, Array], pose: Array, matrix: Array, vector: Array) -> None:
    """Add that ``pose`` is expected at ``prior[0]`` (4, 4) with information ``prior[1]`` (6, 6)."""
    expected, information = prior
    off = np.empty((6, 1))
    off[:3, 0] = pose[:3, 3] - expected[:3, 3]
    off[3:, 0] = rotation_vector(multiply(pose[:3, :3], expected[:3, :3].T))
    matrix += information
    vector += multiply(information, off)[:, 0]


@njit(**_OPTIONS)
def refine(
    points: tuple[Array, Array],
    pose: Array,
    model: tuple[Array, ...],
    scales: Array,
    picture: tuple[Any, ...],
    light: Array,
    prior: tuple[Array, Array],
    limits: Array,
) -> tuple[Array, Array, Array]:
    """Move ``pose`` (T_world_camera, in place) onto the zero level; return how it lies there.

    Parameters
    ----------
    points : tuple
        Points and certainty, ``model`` and ``scales``: as for ``distance_equations``.
    picture : tuple
        Reference and current picture, lens, T_world_reference and scales as for
        ``picture_equations``; an empty reference for none. ``light`` as there.
    prior : tuple
        Expected T_world_camera (4, 4) and its information (6, 6).
    limits : ndarray of float64, shape (2,)
        Most steps, and the length of a step after which no more is needed.

    Returns
    -------
    tuple of ndarray
        The sums of ``distance_equations`` and J^T W J (6, 6) of surface and picture, without
        prior, at the last pose that was looked at; and the step (6,) from the pose as returned to
        where it would lie without the prior.
    """
    matrix, vector, step = np.empty((6, 6)), np.empty(6), np.empty(6)
    free, held = np.zeros(6), np.empty((6, 6))
    for n in range(int(limits[0]) + 1):
        sums = distance_equations(points[0], points[1], pose, model, scales)
        unpack_sums(sums, matrix, vector)
        if picture[0][0].shape[0] > 0:
            _add_picture(picture, pose, light, matrix, vector)
        held[:] = matrix
        if sums[29] < _FEWEST_HITS:
            break
        damp(matrix)
        if not solve(matrix, vector, free):
            break
        if n == int(limits[0]):
            break
        _add_prior(prior, pose, matrix, vector)
        solve(matrix, vector, step)
        move(pose, step, True)
        free -= step
        if np.abs(step).max() < limits[1]:
            break
    return sums, held, free
