"""Guided completion: depth between the beams of a scan, with the edges of a picture."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth import _guided_kernels as kernels
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.completion import beam_spacing_px, complete_smooth
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CalibrationError
from sensorfusion.image import Image

# A difference of neighbouring pixels, in grey levels, that leaves 1 / e of their connection.
_EDGE_LEVELS = 6.0
# The smoother reaches as far as the square root of its lambda, in spacings of the beams.
_REACH = 0.8
_ROUNDS: Final = 2
_LEAST = 1e-6
# Where smooth completion is sure to this share of depth, there is no edge to look for.
_UNSURE = 0.01
# What counts in the square of sigma: that of smooth completion, and what both ways differ by.
_SMOOTH, _DIFFERENCE = 0.3, 0.24


def complete_guided(depth: DepthMap, image: Image, spacing: BeamSpacing) -> DepthMap:
    """Fill the pixels between the beams of a scan, smooth where the picture is smooth.

    What :func:`sensorfusion.depth.completion.complete_smooth` fills is filled here, the same way
    where that is certain. Elsewhere, at edges and on rough things, a fast global smoother spreads
    inverse depth and its weight over the picture, less across differences of colour, and divides
    the two: the edge of an object is put where the picture has it.

    Parameters
    ----------
    depth : DepthMap
        Of projected points, hidden ones removed, with ``origin``.
    image : Image
        Of the same camera, grey or colour.
    spacing : BeamSpacing
        Of the scanner that measured it.

    Returns
    -------
    DepthMap
        Metres of the same kind. Measured pixels stay; what was filled is :attr:`Origin.FILLED`.
        ``sigma_m`` is that of smooth completion and what the two fillings differ by.

    Raises
    ------
    CalibrationError
        If the picture is that of another camera, or has another size.

    References
    ----------
    Min et al., "Fast global image smoothing based on weighted least squares", TIP 2014.
    """
    camera, shape = depth.camera, depth.metres.shape
    if image.camera_name != camera.name or image.pixels.shape[:2] != shape:
        height, width = image.pixels.shape[:2]
        msg = (
            f"a picture of {image.camera_name!r} with {width}x{height} pixels was given to guide "
            f"depth of {camera.name!r} with {camera.width}x{camera.height}; expected a picture of "
            "the same camera and size"
        )
        raise CalibrationError(msg)
    smooth = complete_smooth(depth, spacing)
    q, weight = _smoothed(depth, image, beam_spacing_px(camera, spacing))
    unsure = smooth.sigmas_m() > _UNSURE * smooth.metres
    fills = unsure & (smooth.origins() == Origin.FILLED) & (weight > _LEAST) & (q > 0)
    metres = np.where(fills, weight / np.where(fills, q, 1), smooth.metres)
    sigma_m = smooth.sigmas_m()
    squares = _SMOOTH * sigma_m**2 + _DIFFERENCE * (metres - smooth.metres) ** 2
    sigma_m = np.where(fills, np.sqrt(squares), sigma_m)
    return DepthMap(metres, camera, depth.timestamp_ns, sigma_m, smooth.origin)


def _smoothed(
    depth: DepthMap, image: Image, spacing_px: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return inverse depth times weight, and weight, both spread over the picture."""
    pixels = np.ascontiguousarray(image.pixels)
    picture = pixels.reshape(*depth.metres.shape, -1)
    down, across = _empty(depth.metres.shape), _empty(depth.metres.shape[::-1])
    alike = np.exp(-np.arange(256) / _EDGE_LEVELS).astype(np.float32)
    kernels.weights(picture, alike, down, across)
    q, weight = np.zeros_like(down), np.zeros_like(down)
    measured = depth.valid
    np.divide(1.0, depth.metres, out=q[1:], where=measured)
    weight[1:] = measured
    turned = np.zeros_like(across), np.zeros_like(across)
    ahead_down, ahead_across = np.empty_like(down), np.empty_like(across)
    for number in range(_ROUNDS):
        # Rounds that weaken by four leave no streaks: equation 14 of the paper.
        part = 1.5 * 4.0 ** (_ROUNDS - 1 - number) / (4.0**_ROUNDS - 1.0)
        lambda_down, lambda_across = (part * (_REACH * px) ** 2 for px in spacing_px)
        kernels.transpose(q, turned[0])
        kernels.transpose(weight, turned[1])
        kernels.solve_columns(across, lambda_across, ahead_across, *turned)
        kernels.transpose(turned[0], q)
        kernels.transpose(turned[1], weight)
        kernels.solve_columns(down, lambda_down, ahead_down, q, weight)
    return q[1:], weight[1:]


def _empty(shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.zeros((shape[0] + 1, shape[1]), np.float32)
