"""Depth that one camera has of several others becomes one map."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sensorfusion.depth import _stereo_kernels as kernels
from sensorfusion.depth_map import DepthMap, Origin

# Errors of all views come from the reference picture, too: measured between views of one pixel.
_SHARED = 0.3
_AGREE_SIGMAS = 3.0
# A view that nobody confirms counts against others that disagree if it is so much more certain.
_SURER = 2.0
_ORDER = (Origin.OCCLUDED, Origin.FILTERED, Origin.TOO_NEAR, Origin.TOO_FAR)


def fuse_views(views: Sequence[DepthMap]) -> DepthMap:
    """Return one depth map of several of one camera at one instant.

    At each pixel, depths that agree within three standard deviations are averaged by their
    variances in inverse depth, where stereo errs evenly; the largest group wins, of equal ones the
    more certain. A depth that others contradict and none confirms is taken only where it is twice
    as certain, and left out else. What one view alone sees, such as behind an edge, is kept.

    Parameters
    ----------
    views : sequence of DepthMap
        With ``sigma_m``, all of one camera.

    Returns
    -------
    DepthMap
        ``sigma_m`` grants that views share the errors of the reference picture; ``origin`` of a
        pixel without depth is that of the view that says most.
    """
    metres = np.stack([view.metres for view in views])
    sigma_m = np.stack([view.sigmas_m() for view in views])
    fused, fused_sigma_m = np.zeros_like(metres[0]), np.zeros_like(metres[0])
    settings = np.array((_AGREE_SIGMAS, _SURER, _SHARED), np.float32)
    contradicted = np.zeros(fused.shape, np.bool_)
    kernels.fuse(metres, sigma_m, settings, fused, fused_sigma_m, contradicted)
    origin = np.zeros(fused.shape, np.uint8)
    for kind in _ORDER:
        for view in views:
            origin[view.origins() == kind] = kind
    origin[contradicted] = Origin.FILTERED
    origin[fused > 0] = Origin.MEASURED
    return replace(views[0], metres=fused, sigma_m=fused_sigma_m, origin=origin)
