"""Footprint: a projected point lies somewhere in its pixel, not at its centre."""

import math
from dataclasses import replace

from sensorfusion.depth._footprint_kernels import add_footprint
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.completion import beam_spacing_px
from sensorfusion.depth_map import DepthMap

# A point lies anywhere in its pixel: 1/12 of a pixel squared. The smaller of two slopes is less
# than the slope; on simulated streets and halls half as much again makes up for it.
_VARIANCE_PX2 = 1.5 / 12
_REACH = 1.5


def with_footprint(depth: DepthMap, spacing: BeamSpacing) -> DepthMap:
    """Return projected depth whose ``sigma_m`` holds at the centres of the pixels.

    A point is drawn on the pixel that is nearest to it. On a slanted surface the centre of that
    pixel sees another depth: a road 20 m ahead of a camera that stands 1.65 m above it and has a
    focal length of 720 pixels changes by 0.34 m from one row to the next (z^2 / (f h)). How much,
    the nearest points above, below and beside say.

    Parameters
    ----------
    depth : DepthMap
        Of projected points, hidden ones removed, with ``sigma_m`` of the points themselves.
    spacing : BeamSpacing
        Of the scanner that measured it: neighbours are looked for up to one and a half of it.

    Returns
    -------
    DepthMap
        The same depth, with larger ``sigma_m``.
    """
    down_px, across_px = beam_spacing_px(depth.camera, spacing)
    sigma_m = depth.sigmas_m() * depth.valid
    reach = (math.ceil(_REACH * down_px), math.ceil(_REACH * across_px))
    add_footprint(depth.metres, reach, _VARIANCE_PX2, sigma_m)
    return replace(depth, sigma_m=sigma_m)
