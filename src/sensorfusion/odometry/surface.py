"""Move a frame onto the surface of the model, coarse to fine."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry import _step_kernels
from sensorfusion.odometry.keyframe import COMPARED, GREY_SIGMA, Keyframe, motion_since
from sensorfusion.odometry.pyramid import Level
from sensorfusion.odometry.tracker import SignedDistanceBlocks, SurfaceFit

_STEPS = (4, 4, 3)
_SMALLEST_STEP = 1e-4  # metres and radians
_HUBER = (6.0, 3.0, 1.0)
_WELL_HELD = 0.003
_NO_PICTURE = (np.zeros((0, 0), np.float32),) * 3


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Where a frame is expected before it is looked at, and how surely.

    Attributes
    ----------
    pose : ndarray of float64, shape (4, 4)
        T_world_camera.
    information : ndarray of float64, shape (6, 6)
        Inverse covariance of translation (m) and rotation (rad) about the camera's centre, world
        axes, times the number of points that share one error.
    """

    pose: NDArray[np.float64]
    information: NDArray[np.float64]


def better_start(
    levels: tuple[Level, ...],
    predicted: NDArray[np.float64],
    keyframe: Keyframe,
    model: SignedDistanceBlocks,
) -> tuple[NDArray[np.float64], float]:
    """Return the better of two first guesses, and the agreement with the keyframe.

    Parameters
    ----------
    levels : tuple of Level
        The frame.
    predicted : ndarray of float64, shape (4, 4)
        One guess, T_world_camera; the other one is what the keyframe's picture says.
    keyframe : Keyframe
    model : SignedDistanceBlocks

    Returns
    -------
    tuple of ndarray of float64, shape (4, 4), and float
        T_world_camera; as of :func:`sensorfusion.odometry.keyframe.motion_since`.
    """
    guess = np.linalg.inv(predicted) @ keyframe.pose
    motion, agreed = motion_since(keyframe, levels, guess)
    aligned = keyframe.pose @ np.linalg.inv(motion)
    candidates = (predicted, aligned)
    misfits = [_fit(levels, pose, model, 0).misfit for pose in candidates]
    return candidates[int(np.argmin(misfits))], agreed


def refine(
    levels: tuple[Level, ...],
    pose: NDArray[np.float64],
    model: SignedDistanceBlocks,
    keyframe: Keyframe,
    expected: Expected,
) -> tuple[NDArray[np.float64], SurfaceFit]:
    """Move a frame onto the zero level, coarse to fine; return how it lies there, too.

    Parameters
    ----------
    levels : tuple of Level
        The frame.
    pose : ndarray of float64, shape (4, 4)
        Where to begin, T_world_camera; is not changed.
    model : SignedDistanceBlocks
    keyframe : Keyframe
        With whose picture the frame is compared where the surface lets it slide.
    expected : Expected

    Returns
    -------
    tuple of ndarray of float64, shape (4, 4), and SurfaceFit
    """
    pose = pose.copy()
    fit = _fit(levels, pose, model, 0, expected)
    for level in range(1, len(_STEPS)):
        # Colour is never quite registered with depth, so the surface alone decides where it can.
        slides = level == len(_STEPS) - 1 and fit.conditioning < _WELL_HELD
        fit = _fit(levels, pose, model, level, expected, keyframe if slides else None)
    return pose, fit


def _fit(
    levels: tuple[Level, ...],
    pose: NDArray[np.float64],
    model: SignedDistanceBlocks,
    level: int,
    expected: Expected | None = None,
    keyframe: Keyframe | None = None,
) -> SurfaceFit:
    """Return how a frame lies on the model, moved there if it is said where to expect it.

    ``pose`` float64 (4, 4), T_world_camera, is changed in place then.
    """
    small = levels[COMPARED]
    reference, light, T_world_reference = _NO_PICTURE, np.array([1.0, 0.0]), pose
    if keyframe is not None:
        reference = keyframe.levels[COMPARED].picture
        light, T_world_reference = keyframe.light, keyframe.pose
    prior, steps = (pose, np.zeros((6, 6))), 0
    if expected is not None:
        prior, steps = (expected.pose, expected.information), _STEPS[level]
    sums, matrix, free_step = _step_kernels.refine(
        (levels[level].points, levels[level].certainty),
        pose,
        (model.keys, model.indices, model.tsdf, model.weight),
        np.array([model.voxel_size_m, model.truncation_m, _HUBER[level], model.unit_weight_m]),
        (
            reference,
            small.picture,
            small.lens,
            T_world_reference,
            np.array([GREY_SIGMA, 1.0, 0.0, _HUBER[level]]),
        ),
        light,
        prior,
        np.array([steps, _SMALLEST_STEP]),
    )
    return SurfaceFit.from_sums(sums, matrix, free_step, levels[0].depth)
