"""Footprint: a projected point lies somewhere in its pixel, not at its centre."""

import math
from dataclasses import replace

import numpy as np

from sensorfusion.depth import _footprint_kernels
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.completion import beam_spacing_px
from sensorfusion.depth.scratch import Scratch
from sensorfusion.depth_map import DepthMap

# A point lies anywhere in its pixel: 1/12 of a pixel squared. The smaller of two slopes is less
# than the slope; on simulated streets and halls half as much again makes up for it.
_VARIANCE_PX2 = 1.5 / 12
_REACH = 1.5
_SCRATCH = Scratch()


def with_footprint(depth: DepthMap, spacing: BeamSpacing) -> DepthMap:
    """Return projected depth whose ``sigma_m`` holds at the centres of the pixels.

    A point is drawn on the pixel that is nearest to it. On a slanted surface the centre of that
    pixel sees another depth: a road 20 m ahead of a camera that stands 1.65 m above it and has a
    focal length of 720 pixels changes by 0.34 m from one row to the next (z^2 / (f h)). How much,
    the nearest points above, below and beside say.

    Parameters
    ----------
    depth : DepthMap
        Of projected points, hidden ones removed, with ``sigma_m`` of the points themselves, 0
        elsewhere.
    spacing : BeamSpacing
        Of the scanner that measured it: neighbours are looked for up to one and a half of it.

    Returns
    -------
    DepthMap
        The same depth, with larger ``sigma_m``.
    """
    down_px, across_px = beam_spacing_px(depth.camera, spacing)
    reach = (math.ceil(_REACH * down_px), math.ceil(_REACH * across_px))
    metres = np.ascontiguousarray(depth.metres)
    places = _SCRATCH.array("places", (metres.size,), np.int32)
    down = _SCRATCH.array("down", (metres.size,), np.float32)
    across = _SCRATCH.array("across", (metres.size,), np.float32)
    count = _footprint_kernels.slopes(metres, reach, places, down, across)
    sigma_m = np.array(depth.sigmas_m(), order="C")
    _footprint_kernels.add_footprint(
        places[:count], down[:count], across[:count], _VARIANCE_PX2, sigma_m.reshape(-1)
    )
    return replace(depth, sigma_m=sigma_m)
