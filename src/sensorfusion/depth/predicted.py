"""Predicted depth: what a monocular model adds to a frame, once metres in the frame hold it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import nearest_pixels, ray_table
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth, with_rays
from sensorfusion.depth.align import align_depth
from sensorfusion.depth.anchor_fit import Fit
from sensorfusion.depth.filters import limit_range, remove_flying_pixels
from sensorfusion.depth.model_file import load_model
from sensorfusion.depth.monocular import anchored_depth
from sensorfusion.depth.uncertainty import with_uncertainty
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import AnchorError, ConfigError
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.rig import Rig
from sensorfusion.stereo_pair import StereoPair

# Where nothing was measured. A LiDAR's NO_RETURN is free space, that of a camera is not known.
_HOLES = (Origin.UNSEEN, Origin.FILTERED, Origin.OCCLUDED)
# A hole is filled with what is certain to this share of depth: what may as well lie on the surface
# behind is left empty.
_LARGEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Depth of a picture, measured in places and predicted in others.

    Attributes
    ----------
    depth : DepthMap
    measured : DepthMap
        The anchors, in the same camera.
    relative : RelativeDepth or None
        What the model said, in the camera that took the picture.
    fit : Fit or None
        None where a model's own metres are trusted, because nothing else is known.
    """

    depth: DepthMap
    measured: DepthMap
    relative: RelativeDepth | None
    fit: Fit | None

    def seen_by(self, camera: str, rig: Rig) -> "Predicted":
        """Return the same in another camera of the rig."""
        if camera == self.depth.camera.name:
            return self
        T_camera_depth = rig.transform(camera, self.depth.camera.name)
        target = rig.cameras[camera]
        depth = align_depth(self.depth, target, T_camera_depth)
        measured = align_depth(self.measured, target, T_camera_depth)
        return Predicted(depth, measured, self.relative, self.fit)


def is_picture(frame: Frame) -> bool:
    """Tell whether a frame measures no metres itself, but shows a picture or relative depth."""
    return isinstance(frame.measurement, (Image, RelativeDepth))


def depth_of_picture(frame: Frame, settings: DepthSettings, rig: Rig) -> Predicted:
    """Return the depth of a frame that shows a picture, held by what other sensors measured.

    Parameters
    ----------
    frame : Frame
        Of a picture or relative depth; ``frame.depths`` are the anchors.
    settings : DepthSettings
    rig : Rig

    Raises
    ------
    AnchorError
        If nothing in the frame says how long a metre is.
    ConfigError
        If the frame holds a picture alone and no model is named.
    ModelError
        If the model cannot be loaded or run.
    """
    anchors = _anchors(frame, settings, rig)
    if anchors.valid.any():
        return hold(*relative_depth(frame, settings, rig), anchors, settings)
    reason = "nothing in the frame is known in metres"
    if isinstance(frame.measurement, Image) and settings.model.file is not None:
        model = load_model(settings.model)
        own = model.in_its_own_metres(frame.measurement, anchors.camera)
        if own is not None:
            return Predicted(_kept(own, settings), anchors, None, None)
        if model.settings.output == "metric":
            reason += ", and the model's own metres are used only with --trust-model"
    raise AnchorError(reason, "a LiDAR, a depth camera, stereo or --poses would say")


def relative_depth(
    frame: Frame, settings: DepthSettings, rig: Rig
) -> tuple[RelativeDepth, Image | None]:
    """Return what a frame measured, or what the model says about its picture, and that picture.

    Raises
    ------
    ConfigError, ModelError
        As :func:`depth_of_picture`.
    """
    if isinstance(frame.measurement, RelativeDepth):
        return frame.measurement, frame.images.get(frame.sensor)
    image = _picture(frame, frame.sensor)
    if settings.model.file is None:
        msg = (
            f"frame {frame.index} of {image.camera_name!r} is a picture; a monocular model must "
            "say how far things are: -o model=FILE.onnx"
        )
        raise ConfigError(msg)
    return load_model(settings.model)(image, rig.cameras[image.camera_name]), image


def hold(
    relative: RelativeDepth, picture: Image | None, anchors: DepthMap, settings: DepthSettings
) -> Predicted:
    """Return relative depth in metres, within range; see :func:`anchored_depth`."""
    depth, fit = anchored_depth(relative, anchors, None if picture is None else picture.pixels)
    return Predicted(_kept(depth, settings), anchors, relative, fit)


def fill_holes(depth: DepthMap, frame: Frame, settings: DepthSettings, rig: Rig) -> Predicted:
    """Fill the pixels of a frame that have no depth with what a model says about its picture.

    The picture may be that of another camera: measured depth is moved into it, and what the model
    predicts there is moved back. Pixels that were measured out of range stay empty, as do those
    where a LiDAR found free space.

    Parameters
    ----------
    depth : DepthMap
        What the frame measured, with ``sigma_m``.
    frame : Frame
    settings : DepthSettings
    rig : Rig

    Raises
    ------
    AnchorError
        If too little was measured.
    ConfigError, ModelError
        As :func:`depth_of_picture`.
    """
    of_camera = replace(frame, sensor=depth.camera.name)
    relative, picture = relative_depth(of_camera, settings, rig)
    found = hold(relative, picture, _moved(depth, relative.camera.name, rig), settings)
    metres, sigma_m = found.depth.metres, found.depth.sigmas_m()
    if relative.camera.name != depth.camera.name:
        metres, sigma_m = _moved_back(found.depth, depth, rig)
    holes = _HOLES if isinstance(frame.measurement, PointCloud) else (*_HOLES, Origin.NO_RETURN)
    filled = ~depth.valid & np.isin(depth.origins(), holes) & (metres > 0)
    filled &= sigma_m < _LARGEST_SHARE * metres
    filled_depth = replace(
        depth,
        metres=np.where(filled, metres, depth.metres),
        sigma_m=np.where(filled, sigma_m, depth.sigmas_m() * depth.valid),
        origin=np.where(filled, np.uint8(Origin.PREDICTED), depth.origins()),
    )
    return Predicted(_in_range(filled_depth, settings), depth, relative, found.fit)


def _picture(frame: Frame, camera: str) -> Image:
    """Return the picture of a camera, else the first of the frame."""
    pictures = dict(frame.images)
    if isinstance(frame.measurement, Image):
        return frame.measurement
    if isinstance(frame.measurement, StereoPair):
        pictures = {image.camera_name: image for image in frame.measurement.images} | pictures
    if not pictures:
        msg = (
            f"frame {frame.index} of {frame.sensor!r} holds no picture that a model could be shown"
        )
        raise ConfigError(msg)
    return pictures.get(camera) or next(iter(pictures.values()))


def _anchors(frame: Frame, settings: DepthSettings, rig: Rig) -> DepthMap:
    """Return what further sensors measured, in the camera of the picture; the surest counts."""
    camera = rig.cameras[frame.sensor]
    metres = np.zeros((camera.height, camera.width), np.float32)
    sigma_m = np.full(metres.shape, np.inf, np.float32)
    for name, measured in frame.depths.items():
        other = absolute_depth(replace(frame, sensor=name, measurement=measured), settings, rig)
        moved = _moved(other, camera.name, rig)
        surer = moved.valid & (moved.sigmas_m() < sigma_m)
        metres, sigma_m = (
            np.where(surer, moved.metres, metres),
            np.where(surer, moved.sigmas_m(), sigma_m),
        )
    sigma_m[metres == 0] = 0
    return DepthMap(metres, camera, frame.timestamp_ns, sigma_m)


def _moved(depth: DepthMap, camera: str, rig: Rig) -> DepthMap:
    """Return depth in another camera of the rig, with ``sigma_m``."""
    if camera == depth.camera.name:
        return depth
    T_camera_depth = rig.transform(camera, depth.camera.name)
    moved = align_depth(depth, rig.cameras[camera], T_camera_depth)
    return with_uncertainty(moved, rig.noise_of(depth.camera.name))


def _moved_back(
    found: DepthMap, into: DepthMap, rig: Rig
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return metres and deviations of predicted depth as another camera would see it."""
    moved = align_depth(found, into.camera, rig.transform(into.camera.name, found.camera.name))
    there = np.flatnonzero(moved.valid)
    rays = np.insert(ray_table(into.camera).reshape(-1, 2)[there], 2, 1.0, axis=1)
    z_m = moved.metres.ravel()[there]
    T_found_into = rig.transform(found.camera.name, into.camera.name)
    points = T_found_into.apply(rays * z_m[:, None])
    pixels = nearest_pixels(found.camera, points[:, :2] / points[:, 2:])
    known = pixels >= 0
    share = np.zeros(len(there), np.float32)
    source_m = found.metres.ravel()[pixels[known]]
    share[known] = found.sigmas_m().ravel()[pixels[known]] / np.maximum(source_m, 1e-6)
    metres, sigma_m = np.zeros_like(into.metres), np.zeros_like(into.metres)
    # A pixel that the picture's camera does not see from there says nothing.
    sure = share > 0
    metres.ravel()[there[sure]] = z_m[sure]
    sigma_m.ravel()[there[sure]] = share[sure] * z_m[sure]
    return metres, sigma_m


def _kept(depth: DepthMap, settings: DepthSettings) -> DepthMap:
    """Return depth where the camera has rays, in the range that is kept, without flying pixels."""
    kept = _in_range(with_rays(depth), settings)
    return remove_flying_pixels(kept) if settings.flying_pixel_filter else kept


def _in_range(depth: DepthMap, settings: DepthSettings) -> DepthMap:
    far_m = np.inf if settings.far_m is None else settings.far_m
    return limit_range(depth, settings.near_m, far_m)
