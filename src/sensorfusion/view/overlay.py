"""Measured points over a picture, so that a wrong transform is seen at once."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.image import Image
from sensorfusion.view.colormap import colorize

_DOT_PX = 3
_NOTHING_M = np.float32(1e9)


def overlay(
    depth: DepthMap, image: Image, near_m: float, far_m: float, colormap: str = "turbo"
) -> NDArray[np.uint8]:
    """Return a picture with the measured points of a depth map drawn over it in colours.

    Parameters
    ----------
    depth : DepthMap
        Metres; only pixels that were measured are drawn, as dots of 3 pixels, the nearer in front.
    image : Image
        Grey or RGB, of the camera that the map belongs to.
    near_m, far_m : float
        Depths of the first and the last colour, metres.
    colormap : str
        As for :func:`sensorfusion.view.colormap.colorize`.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green, blue; the picture stands at half its contrast towards grey.

    Raises
    ------
    ValueError
        If the picture has another size than the map.
    """
    import cv2

    if image.pixels.shape[:2] != depth.metres.shape:
        msg = f"a picture of {image.pixels.shape} under a depth map of {depth.metres.shape}"
        raise ValueError(msg)
    picture = image.pixels
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    # Without colour of its own, so that the dots' colours alone mean depth.
    grey = picture.mean(axis=2, keepdims=True)
    faded = np.broadcast_to(64 + grey / 2, picture.shape).astype(np.uint8)
    is_measured = depth.valid & (depth.origins() == Origin.MEASURED)
    measured = np.where(is_measured, depth.metres, _NOTHING_M)
    dots = cv2.erode(measured, np.ones((_DOT_PX, _DOT_PX), np.uint8))
    drawn = dots < _NOTHING_M
    colors = colorize(np.where(drawn, dots, 0).astype(np.float32), near_m, far_m, colormap)
    return np.where(drawn[..., None], colors, faded)
