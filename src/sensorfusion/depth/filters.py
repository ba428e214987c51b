"""Filters: which pixels of a depth map are kept."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth import _kernels
from sensorfusion.depth_map import DepthMap

_STEEPEST_RAD = np.deg2rad(83.0)
_NOISE_PER_M = 0.005


def limit_range(depth: DepthMap, near_m: float, far_m: float) -> DepthMap:
    """Return a depth map without what lies outside a range of z.

    Parameters
    ----------
    depth : DepthMap
    near_m, far_m : float
        z in metres; both ends belong to the range.

    Returns
    -------
    DepthMap
        float32 (H, W), metres along z of the same camera; what was removed is
        :attr:`Origin.TOO_NEAR` or :attr:`Origin.TOO_FAR`.
    """
    metres, origin = np.empty_like(depth.metres), depth.origins()
    values = np.ascontiguousarray(depth.metres).reshape(-1)
    _kernels.limit(values, near_m, far_m, metres.reshape(-1), origin.reshape(-1))
    return _replaced(depth, metres, origin)


def remove_flying_pixels(depth: DepthMap) -> DepthMap:
    """Return a depth map without pixels that hang between a near edge and what is behind it.

    A pixel is compared with its eight neighbours; a difference counts as a jump when it is larger
    than a surface seen at 83 degrees makes, plus noise that grows with the square of depth
    (:func:`jump_tolerance`). Removed is a pixel that lies between a nearer and a farther one
    on opposite sides and has at most four neighbours of its own depth, and one beside a jump
    that has at most two. So a pole two pixels wide stays, as do the rims of objects.

    Parameters
    ----------
    depth : DepthMap

    Returns
    -------
    DepthMap
        float32 (H, W), metres along z of the same camera; what was removed is
        :attr:`Origin.FILTERED`.

    References
    ----------
    Reynolds et al., "Capturing time-of-flight data with confidence", CVPR 2011 (flying pixels);
    Khoshelham and Elberink, "Accuracy and resolution of Kinect depth data", Sensors 2012 (noise
    and quantisation grow with z^2).
    """
    padded = np.zeros((depth.camera.height + 2, depth.camera.width + 2), np.float32)
    padded[1:-1, 1:-1] = depth.metres
    metres, origin = np.empty(depth.metres.shape, np.float32), depth.origins()
    slope, noise_per_m = jump_tolerance(depth.camera)
    _kernels.remove_flying(padded, slope, noise_per_m, metres, origin)
    return _replaced(depth, metres, origin)


def jump_tolerance(camera: Camera) -> tuple[float, float]:
    """Return how much neighbouring pixels of one surface may differ in depth.

    Returns
    -------
    slope : float
        Difference over z of a surface whose normal is 83 degrees off the line of sight: the
        tangent of that angle times a pixel's width, in radians.
    noise_per_m : float
        Difference over z^2 that noise makes, 1/m: over three standard deviations of a Kinect
        (0.0015 z^2) or of a D435's neighbouring pixels.

    Both together: ``z * (slope + noise_per_m * z)`` metres.
    """
    return float(np.tan(_STEEPEST_RAD)) / min(camera.fx, camera.fy), _NOISE_PER_M


def _replaced(depth: DepthMap, metres: NDArray[np.float32], origin: NDArray[np.uint8]) -> DepthMap:
    sigma_m = depth.sigma_m
    if sigma_m is not None:
        sigma_m = np.where(metres > 0, sigma_m, np.float32(0))
    return DepthMap(metres, depth.camera, depth.timestamp_ns, sigma_m, origin)
