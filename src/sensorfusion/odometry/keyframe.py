"""The motion since a keyframe, found from small pictures.

References
----------
Steinbruecker, Sturm, Cremers, "Real-time visual odometry from dense RGB-D images", 2011; Kerl,
Sturm, Cremers, "Robust odometry estimation for RGB-D cameras", 2013.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry import _picture_kernels, _step_kernels
from sensorfusion.odometry.pyramid import Level

# At the two coarsest levels.
_STEPS = (8, 6)
_SMALLEST_STEP = 1e-4  # metres and radians
GREY_SIGMA = 8.0
COMPARED = 1
"""The level of which two frames are compared."""
_FEWEST_SHARED = 100.0
_HUBER = 1.5


@dataclass(slots=True, eq=False)
class Keyframe:
    """A frame that later ones are compared with.

    Attributes
    ----------
    levels : tuple of Level
    pose : ndarray of float64, shape (4, 4)
        T_world_camera.
    light : ndarray of float64, shape (2,)
        The last frame's grey is ``light[0]`` times this one's plus ``light[1]``.
    """

    levels: tuple[Level, ...]
    pose: NDArray[np.float64]
    light: NDArray[np.float64] = field(default_factory=lambda: np.array([1.0, 0.0]))


def motion_since(
    keyframe: Keyframe, levels: tuple[Level, ...], T_current_keyframe: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the motion from a keyframe to the current frame, and the share that agrees.

    The keyframe's ``light`` follows the brightness of the current frame. Where the search ends
    farther from the keyframe's picture than it began, the guess is returned.

    Parameters
    ----------
    keyframe : Keyframe
    levels : tuple of Level
        The current frame.
    T_current_keyframe : ndarray of float64, shape (4, 4)
        First guess.

    Returns
    -------
    tuple of ndarray of float64, shape (4, 4), and float
        T_current_keyframe; share of the keyframe's depth pixels that the current depth confirms,
        0 to 1.
    """
    pose = T_current_keyframe.copy()
    scales = np.array([GREY_SIGMA, 1.0, 1.0, _HUBER])
    agreed = 0.0
    for before, now, steps in zip(keyframe.levels, levels, _STEPS, strict=False):
        sums = _step_kernels.align_pictures(
            before.picture,
            now.picture,
            before.lens,
            pose,
            keyframe.light,
            scales,
            np.array([steps, _SMALLEST_STEP]),
        )
        agreed = sums[29] / max(sums[30], 1.0)
        if not agreed:
            break
    misfits = [picture_misfit(keyframe, levels, one) for one in (pose, T_current_keyframe)]
    return (pose if misfits[0] <= misfits[1] else T_current_keyframe), float(agreed)


def picture_misfit(
    keyframe: Keyframe, levels: tuple[Level, ...], T_current_keyframe: NDArray[np.float64]
) -> float:
    """Return how far a frame is from a keyframe's picture and depth where both see the same.

    Parameters
    ----------
    keyframe : Keyframe
    levels : tuple of Level
        The current frame.
    T_current_keyframe : ndarray of float64, shape (4, 4)

    Returns
    -------
    float
        Robust mean square difference in standard deviations; 0 where they share next to nothing.
    """
    sums = _picture_kernels.picture_equations(
        keyframe.levels[COMPARED].picture,
        levels[COMPARED].picture,
        levels[COMPARED].lens,
        T_current_keyframe,
        keyframe.light.copy(),
        np.array([GREY_SIGMA, 1.0, 1.0, _HUBER]),
    )
    return float(sums[27] / sums[28]) if sums[28] > _FEWEST_SHARED else 0.0
