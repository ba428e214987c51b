"""Occlusion: what a scan shows through surfaces that hide it from the camera."""

import numpy as np

from sensorfusion.depth import _occlusion_kernels
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.scratch import Scratch
from sensorfusion.depth_map import DepthMap, Origin

# A surface ends, in the mean, half a gap beyond the last beam that hit it; with the rounding to
# pixels that is this share of the gap between rings, and between firings.
_HALF_RING, _HALF_FIRING = 0.65, 0.9
# Inside of a surface a point lies between beams that hit it, however the surface is slanted.
_BETWEEN = 1.5
# By how much a point must be nearer to hide, as factor and metres.
_BESIDE, _AROUND = (1.03, 0.25), (1.05, 0.3)
# Where neighbouring beams share pixels or border on each other, nothing shows between them.
_NO_GAP_PX = 1.25
_SCRATCH = Scratch()


def remove_hidden(depth: DepthMap, spacing: BeamSpacing) -> DepthMap:
    """Return a depth map without points that nearer surfaces hide from the camera.

    A scanner beside the camera sees past surfaces that stand before the camera, and what lies
    behind them shines through between their points. A pixel is hidden when a point within about
    half a gap between beams is nearer by 3 % and 0.25 m, or when points within one and a half
    gaps above and below it, or left and right of it, are nearer by 5 % and 0.3 m; but not where
    depth goes on rising beyond it as ground and walls seen at grazing angles do. Where a surface
    ends between two beams is not known; at its rim about as many visible points go as hidden
    ones stay.

    Parameters
    ----------
    depth : DepthMap
        Of projected points, between which there are empty pixels.
    spacing : BeamSpacing
        Of the scanner that measured it.

    Returns
    -------
    DepthMap
        float32 (H, W); what was removed is :attr:`Origin.OCCLUDED`.

    References
    ----------
    Katz, Tal and Basri, "Direct visibility of point sets", SIGGRAPH 2007, solve this for points
    without order; here the known gap between beams says how far a surface reaches.
    """
    camera = depth.camera
    ring_px, firing_px = camera.fy * spacing.vertical_rad, camera.fx * spacing.horizontal_rad
    reach = (
        _reach_px(_HALF_RING, ring_px),
        _reach_px(_HALF_FIRING, firing_px),
        _reach_px(_BETWEEN, ring_px),
        _reach_px(_BETWEEN, firing_px),
    )
    metres, origin = np.array(depth.metres, order="C"), depth.origins()
    # One more than there may be: what is written last may not count.
    pixels = _SCRATCH.array("pixels", (metres.size + 1,), np.int32)
    hidden = pixels[: _occlusion_kernels.find_hidden(metres, reach, _BESIDE, _AROUND, pixels)]
    metres.ravel()[hidden] = 0.0
    origin.ravel()[hidden] = Origin.OCCLUDED
    sigma_m = depth.sigma_m
    if sigma_m is not None:
        sigma_m = np.array(sigma_m, order="C")
        sigma_m.ravel()[hidden] = 0.0
    return DepthMap(metres, camera, depth.timestamp_ns, sigma_m, origin)


def _reach_px(share: float, gap_px: float) -> int:
    return int(share * gap_px) if gap_px > _NO_GAP_PX else 0
