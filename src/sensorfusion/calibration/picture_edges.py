"""Edges in pictures, as fields that say how well a point lies on one."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.image import Image

_FINE_PX: Final = 1.0
# Around an edge, this far, the mean gradient says what counts as strong there.
_AROUND_PX = 15.0
_FLOOR = 4.0
_STRONGEST = 2.0
# An edge counts against the mean of its surroundings, so many times as wide.
_WIDER = 4.0


def edge_strength(image: Image, camera: Camera) -> NDArray[np.float16]:
    """Return how strong the edges of a picture are for their surroundings.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    camera : Camera
        Whose lens is undone: the field is that of a pinhole with the same focal lengths.

    Returns
    -------
    ndarray of float16, shape (2, H, W)
        0 to 1: of edges across which brightness changes along u, and along v.
    """
    import cv2

    pixels = image.pixels
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _FINE_PX)
    # Sobel's kernel sums to 8 times a difference of neighbours.
    along = [np.abs(cv2.Sobel(grey, cv2.CV_32F, *way, ksize=3)) / 8 for way in ((1, 0), (0, 1))]
    usual = cv2.GaussianBlur(np.hypot(*along), (0, 0), _AROUND_PX) + _FLOOR
    strength = [np.minimum(each / usual, _STRONGEST) / _STRONGEST for each in along]
    if not camera.distortion.is_none:
        u, v = _where_pinhole_looks(camera)
        return np.stack(
            [cv2.remap(each, u, v, cv2.INTER_LINEAR) for each in strength], dtype=np.float16
        )
    return np.stack(strength).astype(np.float16)


def edge_field(strength: NDArray[np.float16], sigma_px: float) -> NDArray[np.float32]:
    """Return what a point that may be off by so much finds, on an edge and beside it.

    Parameters
    ----------
    strength : ndarray of float16, shape (2, H, W)
        As :func:`edge_strength` gives it.
    sigma_px : float

    Returns
    -------
    ndarray of float32, shape (2, H, W)
        Strength blurred by ``sigma_px``, less its mean in the surroundings: random points sum
        to nothing, so that busy parts of a picture do not draw them.
    """
    import cv2

    field = np.empty(strength.shape, np.float32)
    for way, each in enumerate(strength.astype(np.float32)):
        near = cv2.GaussianBlur(each, (0, 0), sigma_px)
        # A wide blur may be made of the narrow one, at a quarter of the pixels.
        field[way] = near - _wide_blur(each, _WIDER * sigma_px)
    return field


def _wide_blur(values: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    import cv2

    height, width = values.shape
    shrink = max(1, int(sigma_px / 4))
    small = (max(1, width // shrink), max(1, height // shrink))
    less = cv2.resize(values, small, interpolation=cv2.INTER_AREA)
    less = cv2.GaussianBlur(less, (0, 0), sigma_px * small[0] / width)
    return np.asarray(cv2.resize(less, (width, height), interpolation=cv2.INTER_LINEAR))


def _where_pinhole_looks(camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return u and v in the picture of what a lens without distortion sees at each pixel."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy], axis=-1)
    pixels = camera.project(np.insert(rays, 2, 1.0, axis=-1))
    outside = np.nan_to_num(pixels, nan=-1e4).astype(np.float32)
    return np.ascontiguousarray(outside[..., 0]), np.ascontiguousarray(outside[..., 1])
