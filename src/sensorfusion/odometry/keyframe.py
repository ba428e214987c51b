"""A keyframe, and the motion since it found from small pictures.

References
----------
Steinbruecker, Sturm, Cremers, "Real-time visual odometry from dense RGB-D images", 2011; Kerl,
Sturm, Cremers, "Robust odometry estimation for RGB-D cameras", 2013.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, nearest_pixels
from sensorfusion.depth_map import DepthMap
from sensorfusion.odometry import _kernels
from sensorfusion.odometry.tracker import NormalEquations, step_matrix

_SMALLEST_WIDTH_PX = (40, 80)
_STEPS = (8, 6)
_GREY_SIGMA = 8.0
_NOISE_M = 0.004
_HUBER = 1.5
_NO_COLORS = np.zeros((0, 0, 4), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level of a pyramid.

    Attributes
    ----------
    depth : ndarray of float32, shape (h, w)
        Metres, 0 = none.
    grey : ndarray of float32, shape (h, w)
        0 to 255, -1 = unknown.
    lens : ndarray of float64, shape (4,)
        fx, fy, cx, cy of the level, pixels.
    """

    depth: NDArray[np.float32]
    grey: NDArray[np.float32]
    lens: NDArray[np.float64]


def build_pyramid(depth: DepthMap, colors: NDArray[np.uint8] | None) -> tuple[Level, ...]:
    """Return the small pictures of a frame, coarse to fine, lens distortion undone.

    Parameters
    ----------
    depth : DepthMap
    colors : ndarray of uint8, shape (H, W, 4), or None
        Colour of each depth pixel, 255 in the last channel where it is known.
    """
    camera = depth.camera
    metres = depth.metres
    pixels = _NO_COLORS if colors is None else colors
    if not camera.distortion.is_none:
        table = _straight_pixels(camera)
        metres = np.where(table >= 0, metres.ravel()[table], np.float32(0))
        if colors is not None:
            pixels = np.where(table[..., None] >= 0, colors.reshape(-1, 4)[table], np.uint8(0))
    levels = []
    for width in _SMALLEST_WIDTH_PX:
        factor = max(1, camera.width // width)
        shape = (camera.height // factor, camera.width // factor)
        small, grey = np.empty(shape, np.float32), np.empty(shape, np.float32)
        _kernels.shrink(metres, pixels, factor, small, grey)
        center = ((camera.cx + 0.5) / factor - 0.5, (camera.cy + 0.5) / factor - 0.5)
        lens = np.array([camera.fx / factor, camera.fy / factor, *center])
        levels.append(Level(small, grey, lens))
    return tuple(levels)


def motion_between(
    reference: tuple[Level, ...],
    current: tuple[Level, ...],
    T_current_reference: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Return the motion from a reference frame to the current one, and the share that agrees.

    Parameters
    ----------
    reference, current : tuple of Level
    T_current_reference : ndarray of float64, shape (4, 4)
        First guess.

    Returns
    -------
    tuple of ndarray of float64, shape (4, 4), and float
        T_current_reference; share of the reference's depth pixels that the current depth
        confirms, 0 to 1.
    """
    pose = T_current_reference
    agreed = 0.0
    for before, now, steps in zip(reference, current, _STEPS, strict=True):
        both = (before.grey >= 0) & (now.grey >= 0)
        brighter = 0.0
        if both.any():
            brighter = float(np.median(now.grey[both]) - np.median(before.grey[both]))
        scales = np.array([_GREY_SIGMA, _NOISE_M, _HUBER, np.clip(brighter, -20, 20)])
        for _ in range(steps):
            sums = _kernels.picture_equations(
                before.depth, before.grey, now.depth, now.grey, before.lens, pose, scales
            )
            equations = NormalEquations.from_sums(sums)
            agreed = equations.overlap
            step = equations.step()
            if step is None:
                return pose, 0.0
            pose = step_matrix(step, np.zeros(3)) @ pose
            if np.abs(step).max() < 1e-4:
                break
    return pose, agreed


@lru_cache(maxsize=4)
def _straight_pixels(camera: Camera) -> NDArray[np.int64]:
    """Return, for each pixel of the same camera without distortion, the real pixel or -1."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    return nearest_pixels(camera, np.stack([x, y], axis=-1))
