"""Depth that one camera has of several others becomes one map."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sensorfusion.depth import _stereo_kernels as kernels
from sensorfusion.depth_map import DepthMap, Origin

_AGREE_SIGMAS = 3.0
# Of simulated views that nobody confirmed, 0.4 % were off by 2 px below this deviation, and 14 %
# above it.
_ALONE_PX = 0.3
# What views of one pixel have in common is the reference picture, with its noise.
_SHARED = 0.3
_ORDER = (Origin.OCCLUDED, Origin.FILTERED, Origin.TOO_NEAR, Origin.TOO_FAR)


def fuse_views(views: Sequence[DepthMap], focal_baselines_px_m: Sequence[float]) -> DepthMap:
    """Return one depth map of several of one camera at one instant.

    At each pixel, depths that agree within three standard deviations are averaged by their
    variances in inverse depth, where stereo errs evenly; the largest group wins, of equal ones the
    more certain. Where views contradict each other and no two agree, nothing is kept. What one
    view alone sees, such as behind an edge, is kept where it is certain to 0.3 px.

    Parameters
    ----------
    views : sequence of DepthMap
        With ``sigma_m``, all of one camera.
    focal_baselines_px_m : sequence of float
        Focal length times baseline of each, pixels times metres.

    Returns
    -------
    DepthMap
        ``sigma_m`` grants that views share the noise of the reference picture; ``origin`` of a
        pixel without depth is that of the view that says most.
    """
    metres = np.stack([view.metres for view in views])
    sigma_m = np.stack([view.sigmas_m() for view in views])
    fused, fused_sigma_m = np.zeros_like(metres[0]), np.zeros_like(metres[0])
    alone_per_m = np.array([_ALONE_PX / each for each in focal_baselines_px_m], np.float32)
    settings = np.array((_AGREE_SIGMAS, _SHARED), np.float32)
    kernels.fuse(metres, sigma_m, alone_per_m, settings, fused, fused_sigma_m)
    origin = np.zeros(fused.shape, np.uint8)
    for kind in _ORDER:
        for view in views:
            origin[view.origins() == kind] = kind
    origin[(metres > 0).any(axis=0)] = Origin.FILTERED
    origin[fused > 0] = Origin.MEASURED
    return replace(views[0], metres=fused, sigma_m=fused_sigma_m, origin=origin)
