"""Uncertainty: how far each pixel of a depth map may be off."""

from dataclasses import replace

import numpy as np

from sensorfusion.depth import _kernels
from sensorfusion.depth.filters import jump_tolerance
from sensorfusion.depth_map import DepthMap
from sensorfusion.noise import DepthNoise

SLOPE_BASELINE_PX = 4
"""Pixels over which slope is taken: so many that noise of z hardly counts as slope."""


def with_uncertainty(depth: DepthMap, noise: DepthNoise) -> DepthMap:
    """Return a depth map whose ``sigma_m`` says how far each pixel may be off.

    Along z a sensor errs as :meth:`DepthNoise.sigma_m` says; across, its ray hits
    ``noise.lateral_px`` beside the place that the pixel stands for, which on a slanted surface
    changes z by as much as it falls per pixel. The two are independent::

        sigma_m = sqrt(sigma_z(z)^2 + lateral_px^2 * (dz/du^2 + dz/dv^2))

    Slope is taken over ``SLOPE_BASELINE_PX`` pixels to both sides of a pixel, and the smaller of
    the two counts: at an edge that is the one which stays on the surface. Where neither side does,
    it counts as the steepest that a sensor sees (:func:`jump_tolerance`).

    Parameters
    ----------
    depth : DepthMap
        Returned as it is if it has ``sigma_m``: its sensor knows best.
    noise : DepthNoise

    Returns
    -------
    DepthMap
        With ``sigma_m`` float32 (H, W), one standard deviation in metres, 0 where there is no
        depth.

    References
    ----------
    Nguyen, Izadi and Lovell, "Modeling Kinect sensor noise for improved 3D reconstruction and
    tracking", 3DIMPVT 2012, for noise along and across the ray.
    """
    if depth.sigma_m is not None:
        return depth
    metres = np.ascontiguousarray(depth.metres)
    sigma_m = np.empty_like(metres)
    steepest, _ = jump_tolerance(depth.camera)
    _kernels.uncertainty(
        metres,
        np.array((noise.constant_m, noise.linear, noise.quadratic_per_m), np.float32),
        SLOPE_BASELINE_PX,
        np.array((noise.lateral_px / SLOPE_BASELINE_PX, steepest * SLOPE_BASELINE_PX), np.float32),
        sigma_m,
    )
    return replace(depth, sigma_m=sigma_m)
