"""Disparity: where the points of one rectified picture lie in the other, and how sure that is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth import _stereo_kernels as kernels
from sensorfusion.depth_map import Origin

Pictures = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Of the reference and of the other camera, rectified, grey (H, W) or RGB (H, W, 3)."""
Matcher = Callable[[NDArray[np.uint8], NDArray[np.uint8], "Search"], NDArray[np.float32]]
"""Returns the disparity of each pixel of the first picture, float32 (H, W), NaN for none."""

# Of OpenCV's matcher; measured best among block sizes 1 to 5 and penalties from half to thrice.
_BLOCK_PX = 3
_SMALL_STEP, _LARGE_STEP = 8 * _BLOCK_PX**2, 32 * _BLOCK_PX**2
_UNIQUE_PERCENT = 5
_STEPS_PER_PX = 16

_BOTH_WAYS_PX = 1.0
_SPECKLE_PX = 1.0
_PIXELS_PER_SPECKLE, _SMALLEST_SPECKLE = 4000, 40

# Refinement: a window of 7 pixels, one surface within 1 px, grey levels that err by 2, and what
# matching in whole pixels says taken for certain to 0.12 px.
_RADIUS_PX = 3
_SURFACE_PX = 1.0
_GREY_VARIANCE = 4.0
_PLANE_SIGMA_PX = 0.12

# Logarithm of sigma: a constant, then slopes of the logarithm of residual grey levels over
# gradients (root mean squares), of the root of the share of the window that is missing, and of the
# logarithm of roughness and its square; beside it what no window tells, such as a calibration that
# is not quite right. Fitted so that 68 % of errors are smaller: on one real scene and on four
# simulated views with noise of 2 grey levels.
_CERTAINTY = (5.185, 0.297, 1.629, 7.437, 1.942)
_BESIDE_PX = 0.05
_LEAST_REST, _LEAST_GRADIENT = 0.5, 1.0
_SMOOTHEST_PX, _ROUGHNESS_OFFSET_PX = 0.1165, 0.05
_LARGEST_SIGMA_PX = 1.0
# Noise alone makes gradients, too: a quarter of the residual variance for each pixel.
_LEAST_TEXTURE = 2.0

_GLIMPSE_PX = 256
_NEARER_SHARE = 0.002


@dataclass(frozen=True, slots=True)
class Search:
    """Disparities that are looked for, whole pixels: from ``least`` on, ``count`` of them."""

    least: int
    count: int

    @classmethod
    def between(cls, least: float, largest: float) -> "Search":
        """Return the search that holds two disparities; the matcher counts in sixteens."""
        first = int(np.floor(least)) - 1
        return cls(first, _STEPS_PER_PX * max(1, -int(-(largest + 2 - first) // _STEPS_PER_PX)))

    @property
    def largest(self) -> int:
        """Return the largest disparity that is looked for."""
        return self.least + self.count - 1


@dataclass(frozen=True, slots=True, eq=False)
class Disparity:
    """What matching found.

    Attributes
    ----------
    values : ndarray of float32, shape (H, W)
        Pixels, NaN where there is none.
    sigma_px : ndarray of float32, shape (H, W)
        One standard deviation of ``values``, pixels.
    origin : ndarray of uint8, shape (H, W)
        :class:`Origin`: MEASURED, OCCLUDED (the other camera does not see it), TOO_NEAR (at the
        end of the search), FILTERED (contradicted, speckle, no texture, not certain), or
        NO_RETURN.
    """

    values: NDArray[np.float32]
    sigma_px: NDArray[np.float32]
    origin: NDArray[np.uint8]


def find_disparity(pictures: Pictures, search: Search, matcher: Matcher | None = None) -> Disparity:
    """Match two rectified pictures, in both directions.

    What the two directions do not agree on is left out, as are speckles, pixels without texture
    and those that are not certain to a pixel. The rest is refined below a pixel on the grey levels
    themselves: parabolas through matching costs prefer whole pixels.

    Parameters
    ----------
    pictures : (ndarray, ndarray) of uint8
    search : Search
    matcher : callable, optional
        By default semi-global matching.

    References
    ----------
    Hirschmueller, "Stereo processing by semiglobal matching and mutual information", TPAMI 2008;
    Shimizu and Okutomi, "Sub-pixel estimation error cancellation on area-based matching", IJCV
    2005, for the pull of whole pixels.
    """
    left, right = pictures
    values, origin = _checked(left, right, search, matcher or semi_global)
    values[np.isnan(_without_speckles(values, search))] = np.nan
    refined, told = np.empty_like(values), np.zeros((*values.shape, 4), np.float32)
    settings = (_RADIUS_PX, _SURFACE_PX, _GREY_VARIANCE, _PLANE_SIGMA_PX**-2)
    kernels.refine(
        grey(left).astype(np.float32),
        grey(right).astype(np.float32),
        values,
        np.array(settings, np.float32),
        refined,
        told,
    )
    sigma_px = _sigma(told)
    pixels = told[..., 2] * (2 * _RADIUS_PX + 1) ** 2
    plain = told[..., 1] < _LEAST_TEXTURE / 4 * pixels * np.maximum(told[..., 0], 1 / 4)
    refined[plain | (sigma_px > _LARGEST_SIGMA_PX)] = np.nan
    lost = np.isnan(refined)
    origin[lost & (origin == Origin.MEASURED)] = Origin.FILTERED
    near = ~lost & (refined > search.largest - 1)
    origin[near], refined[near] = Origin.TOO_NEAR, np.nan
    return Disparity(refined, sigma_px, origin)


def semi_global(
    left: NDArray[np.uint8], right: NDArray[np.uint8], search: Search
) -> NDArray[np.float32]:
    """Match by OpenCV's semi-global matcher in three directions; see :data:`Matcher`.

    It asks three directions and keeps one row of costs in memory, not the whole volume. Five and
    eight directions took four times as long for the same errors behind refinement.
    """
    import cv2

    # OpenCV leaves out columns from which a part of the search leads out of the picture.
    before, behind = max(search.largest + 1, 0), max(-search.least, 0)
    padded = [
        cv2.copyMakeBorder(grey(picture), 0, 0, before, behind, cv2.BORDER_REPLICATE)
        for picture in (left, right)
    ]
    matcher = cv2.StereoSGBM.create(
        minDisparity=search.least,
        numDisparities=search.count,
        blockSize=_BLOCK_PX,
        P1=_SMALL_STEP,
        P2=_LARGE_STEP,
        disp12MaxDiff=-1,
        preFilterCap=31,
        uniquenessRatio=_UNIQUE_PERCENT,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    found = matcher.compute(padded[0], padded[1])[:, before : before + left.shape[1]]
    values = found.astype(np.float32) / np.float32(_STEPS_PER_PX)
    values[found < search.least * _STEPS_PER_PX] = np.nan
    return np.ascontiguousarray(values)


def glimpse(pictures: Pictures, least: float) -> tuple[NDArray[np.float32], float]:
    """Match small copies of two pictures, up to half of their width.

    Parameters
    ----------
    pictures : (ndarray, ndarray) of uint8
    least : float
        Least disparity, pixels.

    Returns
    -------
    disparity : ndarray of float32, shape (h, w)
        In pixels of the pictures as given, NaN for none.
    scale : float
        How many of their pixels one of these is wide.
    """
    import cv2

    height, width = pictures[0].shape[:2]
    size = max(1, round(width / max(1.0, width / _GLIMPSE_PX))), 0
    scale = width / size[0]
    size = size[0], max(1, round(height / scale))
    left, right = (cv2.resize(grey(p), size, interpolation=cv2.INTER_AREA) for p in pictures)
    search = Search.between(least / scale, least / scale + size[0] / 2)
    values, _ = _checked(np.asarray(left), np.asarray(right), search, semi_global)
    return _without_speckles(values, search) * np.float32(scale), scale


def largest_seen(disparity: NDArray[np.float32], scale: float) -> float | None:
    """Return the disparity of the nearest things of a :func:`glimpse`, None where it is empty.

    With a margin of a tenth and two of its pixels for what a glimpse is too coarse to show.
    """
    found = disparity[np.isfinite(disparity)]
    if not found.size:
        return None
    nearest = float(np.quantile(found, 1 - _NEARER_SHARE))
    return nearest + 0.1 * abs(nearest) + 2 * scale


def grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture as grey levels, uint8 (H, W)."""
    import cv2

    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _checked(
    left: NDArray[np.uint8], right: NDArray[np.uint8], search: Search, matcher: Matcher
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the disparities on which both directions agree, and the origin of each pixel."""
    there = matcher(left, right, search)
    # Seen in a mirror, the other picture is the left one.
    mirrored = matcher(
        np.ascontiguousarray(right[:, ::-1]), np.ascontiguousarray(left[:, ::-1]), search
    )
    origin = np.full(there.shape, Origin.NO_RETURN, np.uint8)
    back = np.ascontiguousarray(mirrored[:, ::-1])
    kernels.check(there, back, _BOTH_WAYS_PX, origin)
    kernels.explain(there, back, _BOTH_WAYS_PX, origin)
    return there, origin


def _without_speckles(values: NDArray[np.float32], search: Search) -> NDArray[np.float32]:
    """Return disparities without pieces that are too small to be believed."""
    import cv2

    none = (search.least - 2) * _STEPS_PER_PX
    steps = np.where(np.isnan(values), none, np.rint(values * _STEPS_PER_PX)).astype(np.int16)
    most = max(values.size // _PIXELS_PER_SPECKLE, _SMALLEST_SPECKLE)
    cv2.filterSpeckles(steps, none, most, _SPECKLE_PX * _STEPS_PER_PX)
    return np.where(steps == none, np.float32(np.nan), values)


def _sigma(told: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation of refined disparities, pixels, by what the kernel told."""
    rest, gradients, share, scatter = np.moveaxis(told, 2, 0)
    rough = np.log(np.maximum(np.sqrt(scatter) + _ROUGHNESS_OFFSET_PX, _SMOOTHEST_PX))
    gradient = gradients / (2 * _RADIUS_PX + 1) ** 2 + _LEAST_GRADIENT
    constant, by_signal, by_gap, by_rough, by_square = _CERTAINTY
    logarithm = (
        constant
        + by_signal / 2 * np.log(np.maximum(rest, _LEAST_REST) / gradient)
        + by_gap * np.sqrt(1 - share)
        + rough * (by_rough + by_square * rough)
    )
    return np.asarray(np.hypot(np.exp(logarithm), _BESIDE_PX), np.float32)
