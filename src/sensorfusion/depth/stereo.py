"""Stereo: what two or more cameras saw becomes depth of the first, in metres."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.config_pictures import StereoSettings
from sensorfusion.depth import _stereo_kernels as kernels
from sensorfusion.depth.disparity import (
    Disparity,
    Matcher,
    Pictures,
    Search,
    find_disparity,
    glimpse,
    largest_seen,
    semi_global,
)
from sensorfusion.depth.network import Network
from sensorfusion.depth.rectify import Rectification, rectification
from sensorfusion.depth.stereo_fuse import fuse_views
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CalibrationError
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.stereo_pair import StereoPair

# Where nothing is seen in the small pictures, things are looked for up to this share of the width.
_USUAL_SHARE = 1 / 8
# Disparities that are not so many deviations off infinity are no distance; of a glimpse, pixels.
_OFF_INFINITY_SIGMAS = 2.0
_LEAST_PX = 0.05


def stereo_depth(pair: StereoPair, rig: Rig, settings: StereoSettings) -> DepthMap:
    """Return the depth of a stereo pair, of more cameras fused from each with the first.

    Parameters
    ----------
    pair : StereoPair
    rig : Rig
        With its cameras and where they sit.
    settings : StereoSettings

    Returns
    -------
    DepthMap
        z of the left camera in its own picture, whatever was rectified: ``z = f B / (d + doffs)``,
        ``sigma_m = z^2 / (f B) * sigma_d``; ``origin`` as :class:`Disparity` has it.

    Raises
    ------
    CalibrationError
        If a camera is missing, a picture has another size than its camera, or a pair cannot be
        rectified.
    DepthScaleError
        If the cameras are so far apart, or so near, that lengths must be in another unit.
    ModelError
        If a network cannot be loaded, or fails.
    """
    matcher = _matcher(settings)
    camera = _camera(rig, pair.left)
    views, focal_baselines_px_m = [], []
    for image in pair.images[1:]:
        rectified = _rectified(rig, pair.left, image)
        pictures = rectified.reference.look(pair.left.pixels), rectified.other.look(image.pixels)
        search = _search(pictures, rectified, settings.nearest_m)
        disparity = find_disparity(pictures, search, matcher)
        views.append(_depth(disparity, rectified, camera, pair.left.timestamp_ns))
        focal_baselines_px_m.append(rectified.focal_px * rectified.baseline_m)
    return views[0] if len(views) == 1 else fuse_views(views, focal_baselines_px_m)


def glimpse_depth(pair: StereoPair, rig: Rig) -> DepthMap:
    """Return coarse depth of a pair, in a hundredth of the time: to judge a unit, or to inform.

    Returns
    -------
    DepthMap
        At most 256 columns, of the rectified camera.

    Raises
    ------
    CalibrationError, DepthScaleError
        As :func:`stereo_depth`.
    """
    rectified = _rectified(rig, pair.left, pair.right)
    pictures = rectified.reference.look(pair.left.pixels), rectified.other.look(pair.right.pixels)
    disparity, scale = glimpse(pictures, -rectified.doffs_px)
    above_px = disparity + rectified.doffs_px
    with np.errstate(invalid="ignore", divide="ignore"):
        metres = rectified.focal_px * rectified.baseline_m / above_px
        metres = np.where(above_px > scale * _LEAST_PX, metres, 0)
    height, width = metres.shape
    focal_px = rectified.focal_px / scale
    middle = (width - 1) / 2, (height - 1) / 2
    camera = Camera(pair.left.camera_name, width, height, focal_px, focal_px, *middle)
    return DepthMap(metres.astype(np.float32), camera, pair.left.timestamp_ns)


def _camera(rig: Rig, image: Image) -> Camera:
    """Return the camera of a picture, and refuse one that the picture does not fit."""
    camera = rig.cameras.get(image.camera_name)
    if camera is None:
        known = ", ".join(rig.cameras) or "none"
        msg = f"stereo: picture of {image.camera_name!r}; the rig has the cameras {known}"
        raise CalibrationError(msg)
    height, width = image.pixels.shape[:2]
    if (width, height) != (camera.width, camera.height):
        msg = (
            f"stereo: picture of {camera.name!r} has {width}x{height} pixels; the calibration is "
            f"for {camera.width}x{camera.height}; give the calibration of these pictures"
        )
        raise CalibrationError(msg)
    return camera


def _rectified(rig: Rig, left: Image, other: Image) -> Rectification:
    T_other_left = rig.transform(other.camera_name, left.camera_name)
    return rectification(_camera(rig, left), _camera(rig, other), T_other_left)


def _search(pictures: Pictures, rectified: Rectification, nearest_m: float | None) -> Search:
    """Return the disparities from infinity to the nearest things."""
    width = pictures[0].shape[1]
    if nearest_m is not None:
        largest = rectified.focal_px * rectified.baseline_m / nearest_m - rectified.doffs_px
    else:
        seen = largest_seen(*glimpse(pictures, -rectified.doffs_px))
        largest = width * _USUAL_SHARE - rectified.doffs_px if seen is None else seen
    # Behind the far side of the other picture there is nothing.
    return Search.between(-rectified.doffs_px, min(max(largest, -rectified.doffs_px), width - 1))


def _depth(
    disparity: Disparity, rectified: Rectification, camera: Camera, timestamp_ns: int
) -> DepthMap:
    """Return disparity as depth in the reference camera's own picture."""
    values, origin = disparity.values, disparity.origin
    origin[~rectified.reference.seen] = Origin.NO_RETURN
    hidden = _unseen_by_other(values, rectified.other.seen)
    lost = hidden | ~rectified.reference.seen
    values[lost] = np.nan
    origin[hidden & rectified.reference.seen] = Origin.OCCLUDED
    shape = (camera.height, camera.width)
    found = np.zeros((*shape, 2), np.float32)
    own_origin = np.zeros(shape, np.uint8)
    if rectified.passes_through:
        found[..., 0], found[..., 1] = values, disparity.sigma_px
        own_origin = origin
    else:
        kernels.bring_back(values, disparity.sigma_px, origin, rectified.back, found, own_origin)
    matched = own_origin == Origin.MEASURED
    above_px = np.where(matched, found[..., 0] + np.float32(rectified.doffs_px), 1)
    far = matched & (above_px <= _OFF_INFINITY_SIGMAS * found[..., 1])
    own_origin[far] = Origin.TOO_FAR
    matched &= ~far
    unit_m_px = np.float32(rectified.focal_px * rectified.baseline_m)
    along_m = unit_m_px / np.where(matched, above_px, np.float32(1))
    metres = np.where(matched, along_m * rectified.z_per_depth, 0).astype(np.float32)
    sigma_m = along_m * along_m / unit_m_px * found[..., 1] * rectified.z_per_depth
    kept_m = np.where(matched, sigma_m, 0).astype(np.float32)
    return DepthMap(metres, camera, timestamp_ns, kept_m, own_origin)


def _unseen_by_other(values: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which matched pixels land where the other camera saw nothing, bool (H, W)."""
    matched = ~np.isnan(values)
    if seen.all():
        return np.zeros_like(matched)
    width = values.shape[1]
    place = np.arange(width) - np.where(matched, values, 0)
    column = np.clip(np.rint(place), 0, width - 1).astype(np.intp)
    return matched & ~np.take_along_axis(seen, column, axis=1)


def _matcher(settings: StereoSettings) -> Matcher:
    """Return what matches: the user's network, or semi-global matching."""
    if settings.model is None:
        return semi_global
    network = _network(settings)

    def match(
        left: NDArray[np.uint8], right: NDArray[np.uint8], search: Search
    ) -> NDArray[np.float32]:
        scale = left.shape[1] / network.width_for(left.shape[1])
        values = network(left, right) * np.float32(scale)
        outside = (values < search.least) | (values > search.largest)
        return np.where(outside, np.float32(np.nan), values)

    return match


@lru_cache(maxsize=2)
def _network(settings: StereoSettings) -> Network:
    return Network(
        Path(settings.model or ""), 2, mean=settings.mean, std=settings.std, engine=settings.engine
    )
