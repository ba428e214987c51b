"""Completion: depth between the beams of a scan."""

import math
from threading import Thread
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth._completion_kernels import complete_rows
from sensorfusion.depth._spread_kernels import SUMS, spread
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.scratch import Scratch
from sensorfusion.depth_map import DepthMap

# Of the Gaussian, in spacings of the beams: down, where a plane between two rings then comes out
# nearly straight, and across, where single lost beams are to be bridged.
_SIGMA_DOWN, _SIGMA_ACROSS = 0.5, 0.6
_REACH_SIGMAS = 2.2
# Two depths are two surfaces when they differ by more than this share of 1 / z, and by more than
# a plane that passes the camera at this distance changes from one ring to the next.
_JUMP, _PLANE_M = 0.06, 1.5
# Spreads above this part of such a difference are looked at.
_TORN = 0.5
# What counts in the square of sigma: what points around a plane differ by, what a plane's slope
# makes them differ by, and what a choice between two surfaces decided.
_ROUGH, _SLOPE, _CHOICE = 0.14, 0.011, 0.6
_STEPS: Final = 16
_SCRATCH = Scratch()


def complete_smooth(depth: DepthMap, spacing: BeamSpacing) -> DepthMap:
    """Fill the pixels between the beams of a scan with a normalised Gaussian of inverse depth.

    A plane is linear in 1 / z over the picture, so that 1 / z is what may be averaged. Where the
    points around a pixel part into two surfaces, those of one surface count, so that nothing
    hangs between a near edge and what is behind it: of the nearer one, unless the farther has
    half as much weight again. Filled are pixels with measured points above and below within a
    little over one spacing of the beams: nothing grows over the highest ring into the sky. Where
    beams found nothing, their weight stands against that of the points.

    Parameters
    ----------
    depth : DepthMap
        Of projected points, hidden ones removed, with ``origin``, and with ``sigma_m`` of whole
        pixels (:func:`sensorfusion.depth.footprint.with_footprint`).
    spacing : BeamSpacing
        Of the scanner that measured it.

    Returns
    -------
    DepthMap
        Metres of the same kind. Measured pixels stay; what was filled is :attr:`Origin.FILLED`.
        Pixels that stay empty keep their origin. ``sigma_m`` grows with the noise of the points,
        their deviation from a plane, the slope of that plane over a pixel, and, beside an edge,
        with what taking the wrong side would change; that of measured pixels stays.

    References
    ----------
    Nadaraya, "On estimating regression", 1964, and Knutsson and Westin, "Normalized and
    differential convolution", CVPR 1993 (normalised averaging of scattered samples).
    """
    down_px, across_px = beam_spacing_px(depth.camera, spacing)
    down, across = _gaussian(_SIGMA_DOWN * down_px), _gaussian(_SIGMA_ACROSS * across_px)
    variances_px2 = (_variance(across), _variance(down))
    jump = (spacing.vertical_rad / _PLANE_M, _JUMP, _TORN)
    numbers = np.array((*jump, _ROUGH, _SLOPE, _CHOICE, *variances_px2), np.float32)
    metres, sigma_m = _copied(depth.metres), _copied(depth.sigmas_m())
    origin = depth.origins()
    height, width = metres.shape
    wide = width + len(across) - 1
    rows = _SCRATCH.array("rows", (height, SUMS, wide), np.float32)
    empty = _SCRATCH.array("empty", (height, 1 + wide), np.float32)
    rows, empty, starts, points = spread(across, metres, sigma_m, origin, rows, empty)
    sums = (rows, empty, across, down, starts, points, numbers)
    # Half of the points to each of two threads; no row depends on what another one becomes.
    middle = int(np.searchsorted(starts, starts[-1] / 2))
    upper = Thread(target=complete_rows, args=(0, middle, *sums, metres, sigma_m, origin))
    upper.start()
    complete_rows(middle, len(metres), *sums, metres, sigma_m, origin)
    upper.join()
    return DepthMap(metres, depth.camera, depth.timestamp_ns, sigma_m, origin)


def beam_spacing_px(camera: Camera, spacing: BeamSpacing) -> tuple[float, float]:
    """Return how far beams are apart in a picture, down and across, in pixels.

    The mean over the middle column and row: towards the rim of a wide picture, a pixel covers
    less.
    """
    columns = np.linspace(-0.5, camera.width - 0.5, _STEPS + 1)
    rows = np.linspace(-0.5, camera.height - 0.5, _STEPS + 1)
    middle = ((camera.width - 1) / 2, (camera.height - 1) / 2)
    down = np.stack([np.full_like(rows, middle[0]), rows], axis=-1)
    across = np.stack([columns, np.full_like(columns, middle[1])], axis=-1)
    return (
        spacing.vertical_rad * _pixels_per_rad(camera, down, camera.height),
        spacing.horizontal_rad * _pixels_per_rad(camera, across, camera.width),
    )


def _pixels_per_rad(camera: Camera, line: NDArray[np.float64], length_px: int) -> float:
    if camera.is_spherical:
        return camera.fy if length_px == camera.height else camera.fx
    directions = camera.directions(line)
    steps_rad = np.arccos(np.clip((directions[1:] * directions[:-1]).sum(axis=-1), -1.0, 1.0))
    # A lens that bends too far has no ray at the rim.
    seen = np.isfinite(steps_rad)
    return float(length_px * seen.mean() / steps_rad[seen].sum())


def _gaussian(sigma_px: float) -> NDArray[np.float32]:
    reach = max(1, math.ceil(_REACH_SIGMAS * sigma_px))
    away = np.arange(-reach, reach + 1) / max(sigma_px, 0.5)
    return np.exp(-0.5 * away**2).astype(np.float32)


def _variance(weights: NDArray[np.float32]) -> float:
    away = np.arange(len(weights)) - len(weights) // 2
    return float((weights * away**2).sum() / weights.sum())


def _copied(layer: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array(layer, order="C")
