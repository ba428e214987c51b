"""Occlusion: what a scan shows through surfaces that hide it from the camera."""

import math

import numpy as np

from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth_map import DepthMap, Origin

_NEARER, _NEARER_M = 0.05, 0.3


def remove_hidden(depth: DepthMap, spacing: BeamSpacing) -> DepthMap:
    """Return a depth map without points that nearer surfaces hide from the camera.

    A scanner beside the camera sees past surfaces that stand before the camera, and between its
    beams what lies behind shines through. A pixel is hidden when a window that no surface leaves
    empty, two beams high and four wide, holds points that are nearer by more than 5 % and 0.3 m.

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
    """
    import cv2

    camera, metres = depth.camera, depth.metres
    rows = 2 * math.ceil(camera.fy * spacing.vertical_rad) + 1
    columns = 2 * math.ceil(2 * camera.fx * spacing.horizontal_rad) + 1
    far = np.where(metres > 0, metres, np.float32(1e6))
    nearest = cv2.erode(far, np.ones((rows, columns), np.uint8))
    hidden = metres > nearest * np.float32(1 + _NEARER) + np.float32(_NEARER_M)
    origin = depth.origins()
    origin[hidden] = Origin.OCCLUDED
    kept = np.where(hidden, np.float32(0), metres)
    sigma_m = None if depth.sigma_m is None else np.where(hidden, np.float32(0), depth.sigma_m)
    return DepthMap(kept, camera, depth.timestamp_ns, sigma_m, origin)
