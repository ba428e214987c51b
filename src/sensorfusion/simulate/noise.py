"""What real depth cameras make of the exact depth."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.noise import DepthNoise
from sensorfusion.simulate.sensor import View

Noise = Literal["none", "kinect", "d435"]
"""``none``: float32 metres, exact; ``kinect``: structured light; ``d435``: active stereo."""

LIMITS_M: dict[Noise, tuple[float, float]] = {
    "none": (0.0, np.inf),
    "kinect": (0.5, 4.5),
    "d435": (0.3, 6.0),
}
"""Least and greatest depth that each kind of camera reports, metres."""

_UNIT_M = 0.001
_KINECT_BASELINE_M = 0.075
_KINECT_FB_PX_M = 580.0 * _KINECT_BASELINE_M
_KINECT_STEP_PX = 1 / 8
_D435_BASELINE_M = 0.050
_D435_SIGMA_PX = 0.08
_D435_STEP_PX = 1 / 32
_D435_BLUR_PX = 2.7
_SHADOW_TOLERANCE_PX = 0.5


def measure(view: View, timestamp_ns: int, noise: Noise, rng: np.random.Generator) -> RawDepth:
    """Return what a depth camera of some kind reports for a view.

    Parameters
    ----------
    view : View
        Exact.
    timestamp_ns : int
    noise : {"none", "kinect", "d435"}
        ``kinect``: axial noise by Nguyen et al., disparity in steps of 1/8 px, the projector's
        shadow left of near things, holes at grazing incidence. ``d435``: disparity noise of 0.08
        px that is alike over about 9 px, steps of 1/32 px, the second imager's shadow and blind
        left margin, flying pixels at silhouettes, holes.
    rng : numpy.random.Generator
        One per frame.

    Returns
    -------
    RawDepth
        float32 metres for ``none``; else uint16 millimetres, 0 outside of ``LIMITS_M``.

    References
    ----------
    Nguyen, Izadi and Lovell, "Modeling Kinect sensor noise for improved 3D reconstruction and
    tracking", 3DIMPVT 2012. Keselman et al., "Intel RealSense stereoscopic depth cameras", CVPR
    workshops 2017, for the form of stereo noise and the invalid band.
    """
    if noise == "none":
        return RawDepth(view.z_m, 1.0, view.camera, timestamp_ns)
    z_m = _kinect(view, rng) if noise == "kinect" else _d435(view, rng)
    near_m, far_m = LIMITS_M[noise]
    z_m[(z_m < near_m) | (z_m > far_m)] = 0.0
    values = np.round(z_m / _UNIT_M).astype(np.uint16)
    return RawDepth(values, _UNIT_M, view.camera, timestamp_ns)


def model_of(noise: Noise, camera: Camera) -> DepthNoise:
    """Return what is known of the noise that :func:`measure` makes with a camera."""
    if noise == "kinect":
        return DepthNoise.structured_light()
    if noise == "d435":
        return DepthNoise.stereo(_D435_BASELINE_M, camera.fx, _D435_SIGMA_PX)
    # A tenth of a millimetre, far more than float32 rounds: nothing is exact.
    return DepthNoise(name="none", constant_m=1e-4, lateral_px=0.0)


def _kinect(view: View, rng: np.random.Generator) -> NDArray[np.float64]:
    z_m = view.z_m.astype(np.float64)
    valid = z_m > 0
    z_m[~valid] = 1.0
    step_m = z_m**2 * _KINECT_STEP_PX / _KINECT_FB_PX_M
    angle = np.minimum(np.arccos(np.clip(view.cosine, 0, 1)), np.deg2rad(82.0))
    sigma_m = 0.0012 + 0.0019 * (z_m - 0.4) ** 2
    sigma_m += np.where(
        angle > np.pi / 3, 1e-4 / np.sqrt(z_m) * (angle / (np.pi / 2 - angle)) ** 2, 0.0
    )
    # The published figure was measured behind the quantiser, so its share is taken out first.
    before_m = np.sqrt(np.maximum(sigma_m**2 - step_m**2 / 12, 0.0))
    z_m += before_m * _alike(rng, z_m.shape, 0.5)
    disparity_px = np.round(_KINECT_FB_PX_M / z_m / _KINECT_STEP_PX) * _KINECT_STEP_PX
    lost = ~valid | _shadow(view, _KINECT_BASELINE_M)
    lost |= view.cosine < 0.17 + 0.15 * rng.random(z_m.shape) ** 2
    return np.where(lost, 0.0, _KINECT_FB_PX_M / disparity_px)


def _d435(view: View, rng: np.random.Generator) -> NDArray[np.float64]:
    fb_px_m = view.camera.fx * _D435_BASELINE_M
    valid = view.z_m > 0
    disparity_px = np.where(valid, fb_px_m / np.where(valid, view.z_m, 1.0), 0.0)
    lost = ~valid | _shadow(view, _D435_BASELINE_M)
    # What the second imager would see left of its picture has no partner.
    lost |= np.arange(view.camera.width) - disparity_px < -0.5
    disparity_px = _flying(disparity_px, rng)
    disparity_px += _D435_SIGMA_PX * _alike(rng, disparity_px.shape, _D435_BLUR_PX)
    grazing = np.maximum(0.0, 1 - view.cosine / 0.3)
    lost |= _alike(rng, disparity_px.shape, _D435_BLUR_PX) > 3.2 - 0.25 * view.z_m - 2.5 * grazing
    steps = np.round(disparity_px / _D435_STEP_PX)
    lost |= steps < 1
    return np.where(lost, 0.0, fb_px_m / (np.maximum(steps, 1) * _D435_STEP_PX))


def _shadow(view: View, baseline_m: float) -> NDArray[np.bool_]:
    """Tell which pixels a second eye, ``baseline_m`` to the right, cannot see.

    On its row the second eye sees pixel u at u - f b / z. Going left, whatever lands right of a
    place already taken is hidden behind the nearer surface that took it.
    """
    z_m = view.z_m
    with np.errstate(divide="ignore"):
        place = np.arange(view.camera.width) - view.camera.fx * baseline_m / z_m
    place[z_m <= 0] = np.inf
    taken = np.full_like(place, np.inf)
    taken[:, :-1] = np.minimum.accumulate(place[:, :0:-1], axis=1)[:, ::-1]
    return np.asarray(place > taken + _SHADOW_TOLERANCE_PX)


def _flying(disparity_px: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return disparities of which half of those at silhouettes lie between near and far.

    A correlation window that straddles a silhouette matches a blend of both sides.
    """
    import cv2

    window = np.ones((3, 3), np.uint8)
    near, far = cv2.dilate(disparity_px, window), cv2.erode(disparity_px, window)
    flying = (near - far > 1.0) & (near > 1.08 * far) & (rng.random(near.shape) < 0.5)
    blend = far + rng.random(near.shape) * (near - far)
    return np.where(flying, blend, disparity_px)


def _alike(rng: np.random.Generator, shape: tuple[int, ...], blur_px: float) -> NDArray[np.float64]:
    """Return normal noise of unit variance that neighbours share: white noise, blurred."""
    import cv2

    margin = int(np.ceil(3 * blur_px))
    padded = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    white = rng.standard_normal(padded, dtype=np.float32)
    kernel = cv2.getGaussianKernel(2 * margin + 1, blur_px)
    blurred = cv2.sepFilter2D(white, -1, kernel, kernel)[margin:-margin, margin:-margin]
    # Independent values: the variance of a weighted sum is the sum of the squared weights.
    return np.asarray(blurred / (kernel**2).sum(), dtype=np.float64)
