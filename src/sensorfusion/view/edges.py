"""Edges that a sensor measured over a picture, as a transform puts them and as they lie best."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from sensorfusion.image import Image

GIVEN_RGB = (255, 60, 40)
BEST_RGB = (60, 230, 90)
_WIDTH_IN_DOTS = 500


def draw_edges(
    image: Image, given_px: NDArray[np.float64], best_px: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return a picture with points over it: in red as given, in green where they lie best.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    given_px, best_px : ndarray of float64, shape (N, 2)
        (u, v) pixels; NaN, and pixels outside, are left out.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green, blue; the picture is grey, at half its contrast.
    """
    pixels = image.pixels if image.pixels.ndim == 3 else image.pixels[..., None]
    grey = pixels.mean(axis=2, keepdims=True)
    drawn = np.repeat(64 + grey / 2, 3, axis=2).astype(np.uint8)
    height, width = drawn.shape[:2]
    dot_px = max(2, round(width / _WIDTH_IN_DOTS))
    for places, color in ((given_px, GIVEN_RGB), (best_px, BEST_RGB)):
        with np.errstate(invalid="ignore"):
            inside = (
                (places >= dot_px) & (places <= (width - 1 - dot_px, height - 1 - dot_px))
            ).all(axis=1)
        u, v = np.rint(places[inside]).astype(int).T
        for across, down in product(range(dot_px), repeat=2):
            drawn[v + down - dot_px // 2, u + across - dot_px // 2] = color
    return drawn
