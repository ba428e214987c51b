"""The way into the depth stage: any measurement becomes absolute depth in metres."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from sensorfusion.camera import ray_table
from sensorfusion.config import DepthSettings
from sensorfusion.depth.filters import limit_range, remove_flying_pixels
from sensorfusion.depth.scale import FRAMES_CHECKED, check_scale, to_metres
from sensorfusion.depth.stereo import glimpse_depth, stereo_depth
from sensorfusion.depth.uncertainty import with_uncertainty
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.frame import Frame, Measurement
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.rig import Rig
from sensorfusion.stereo_pair import StereoPair


def absolute_depth(frame: Frame, settings: DepthSettings, rig: Rig) -> DepthMap:
    """Return what a frame measured as depth in metres, and how far each pixel may be off.

    Within range, and without flying pixels.

    Parameters
    ----------
    frame : Frame
        Its measurement may be raw or in metres already.
    settings : DepthSettings
    rig : Rig
        Says how noisy the measuring camera is, and where the cameras of a stereo pair sit.

    Returns
    -------
    DepthMap
        float32 (H, W), metres along z of the measuring camera; ``sigma_m`` as
        :func:`with_uncertainty` gives it, or as the source did; ``origin`` says why a pixel is
        empty.

    Raises
    ------
    DepthScaleError
        If the unit of the measurement is not a positive number, or stereo cameras cannot be as far
        apart as the rig says.
    CalibrationError
        If the rig's cameras cannot be rectified, or do not fit their pictures.
    UnsupportedRecordingError
        If the measurement is a point cloud, or relative: nothing in it says how long a metre is.
    """
    match frame.measurement:
        case RawDepth():
            depth = to_metres(frame.measurement)
        case DepthMap():
            depth = frame.measurement
        case PointCloud():
            msg = (
                f"frame {frame.index} is a scan of {frame.sensor!r}, which has no picture of its "
                "own; `sensorfusion depth` draws scans into a camera"
            )
            raise UnsupportedRecordingError(msg)
        case StereoPair():
            depth = stereo_depth(frame.measurement, rig, settings.stereo)
        case RelativeDepth() | Image():
            msg = (
                f"frame {frame.index} of {frame.sensor!r} holds no metres, only what a picture "
                "shows; an anchor (LiDAR, depth camera, stereo) must say how long they are"
            )
            raise UnsupportedRecordingError(msg)
    noise = rig.noise_of(frame.sensor)
    depth = limit_range(with_rays(depth), settings.near_m, settings.range_m(noise))
    if settings.flying_pixel_filter:
        depth = remove_flying_pixels(depth)
    return with_uncertainty(depth, noise)


def with_rays(depth: DepthMap) -> DepthMap:
    """Return a map without depth at pixels to which the lens model gives no ray."""
    if depth.camera.distortion.is_none:
        return depth
    rayless = np.isnan(ray_table(depth.camera)[..., 0])
    if not rayless.any():
        return depth
    return replace(depth, metres=np.where(rayless, np.float32(0), depth.metres))


def with_metric_scale(frames: Iterable[Frame], rig: Rig | None = None) -> Iterator[Frame]:
    """Pass frames through once the first of them have shown that their depth is metric.

    The first frames (ten; up to thirty while some of them are empty) are held back until
    :func:`check_scale` has judged them. Where all of those are empty, the first one with depth is
    judged alone, so that nothing is fused under a wrong unit.

    Parameters
    ----------
    frames : iterable of Frame
        Of one sensor, in order of time.
    rig : Rig, optional
        Of their cameras: stereo pairs are judged by a coarse match, and not without it.

    Yields
    ------
    Frame
        Every frame, once, in order.

    Raises
    ------
    DepthScaleError
        If the depth cannot be metres.
    """
    rest = iter(frames)
    first: list[Frame] = []

    def held_back() -> Iterator[Frame]:
        for frame in islice(rest, 3 * FRAMES_CHECKED):
            first.append(frame)
            yield frame

    judged = check_scale(_to_judge(frame, rig) for frame in held_back())
    yield from first
    for frame in rest:
        judged = judged or check_scale([_to_judge(frame, rig)])
        yield frame


def _to_judge(frame: Frame, rig: Rig | None) -> Measurement:
    """Return what a frame measured; of a stereo pair its coarse depth, where that is possible."""
    if isinstance(frame.measurement, StereoPair) and rig is not None:
        return glimpse_depth(frame.measurement, rig)
    return frame.measurement
