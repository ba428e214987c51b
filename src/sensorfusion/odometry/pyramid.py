"""The small pictures of a frame, from which its motion is found."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, nearest_pixels
from sensorfusion.depth_map import DepthMap
from sensorfusion.odometry import _picture_kernels

WIDTHS_PX = (40, 80, 160)
"""Least width of each level, coarse to fine."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One small picture.

    Attributes
    ----------
    depth : ndarray of float32, shape (h, w)
        Metres, 0 = none.
    sigma_m : ndarray of float32, shape (h, w)
        One standard deviation of a pixel of the frame there, metres, 0 = no depth.
    grey : ndarray of float32, shape (h, w)
        0 to 255, -1 = unknown.
    lens : ndarray of float64, shape (4,)
        fx, fy, cx, cy of the level, pixels; no distortion.
    points : ndarray of float32, shape (3, N)
        The pixels with depth, camera coordinates, metres.
    certainty : ndarray of float32, shape (N,)
        1 / sigma_m of each point, 1/m.
    """

    depth: NDArray[np.float32]
    sigma_m: NDArray[np.float32]
    grey: NDArray[np.float32]
    lens: NDArray[np.float64]
    points: NDArray[np.float32]
    certainty: NDArray[np.float32]

    @property
    def picture(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return depth, sigma_m and grey."""
        return self.depth, self.sigma_m, self.grey


def build_pyramid(depth: DepthMap, colors: NDArray[np.uint8] | None) -> tuple[Level, ...]:
    """Return the small pictures of a frame, coarse to fine, lens distortion undone.

    Each pixel of the finest level is the mean of a square of the frame, and each of a coarser one
    the mean of four, on the nearest surface only.

    Parameters
    ----------
    depth : DepthMap
        Without ``sigma_m`` it counts as that of an unknown sensor.
    colors : ndarray of uint8, shape (H, W, 4), or None
        Colour of each depth pixel, 255 in the last channel where it is known.
    """
    camera, metres, sigma_m = depth.camera, depth.metres, depth.sigmas_m()
    if not camera.distortion.is_none:
        table = _straight_pixels(camera)
        metres = np.where(table >= 0, metres.ravel()[table], np.float32(0))
        sigma_m = sigma_m.ravel()[table]
        if colors is not None:
            colors = np.where(table[..., None] >= 0, colors.reshape(-1, 4)[table], np.uint8(0))
    factor = max(1, camera.width // WIDTHS_PX[-1])
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    grey: NDArray[np.float32] = np.empty(
        (camera.height // factor, camera.width // factor), np.float32
    )
    if colors is None:
        grey.fill(-1.0)
    else:
        _picture_kernels.shrink_colors(np.ascontiguousarray(colors), factor, grey)
    levels = [_level(metres, sigma_m, grey, lens, factor)]
    while len(levels) < len(WIDTHS_PX):
        finer = levels[-1]
        grey = np.empty((finer.grey.shape[0] // 2, finer.grey.shape[1] // 2), np.float32)
        _picture_kernels.shrink_grey(finer.grey, grey)
        levels.append(_level(finer.depth, finer.sigma_m, grey, finer.lens, 2))
    return tuple(levels[::-1])


def _level(
    depth: NDArray[np.float32],
    sigma_m: NDArray[np.float32],
    grey: NDArray[np.float32],
    lens: NDArray[np.float64],
    factor: int,
) -> Level:
    """Return the picture whose pixels are squares of ``factor`` pixels."""
    small, sigma_small = np.empty_like(grey), np.empty_like(grey)
    _picture_kernels.shrink_depth(depth, sigma_m, factor, small, sigma_small)
    center = (lens[2:] + 0.5) / factor - 0.5
    small_lens = np.array([*(lens[:2] / factor), *center])
    points, certainty = np.empty((3, small.size), np.float32), np.empty(small.size, np.float32)
    count = _picture_kernels.gather_points(small, sigma_small, small_lens, points, certainty)
    kept = np.ascontiguousarray(points[:, :count])
    return Level(small, sigma_small, grey, small_lens, kept, certainty[:count])


@lru_cache(maxsize=4)
def _straight_pixels(camera: Camera) -> NDArray[np.int64]:
    """Return, for each pixel of the same camera without distortion, the real pixel or -1."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    return nearest_pixels(camera, np.stack([x, y], axis=-1))
