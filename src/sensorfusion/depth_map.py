"""Depth: raw as the sensor stored it, and absolute in metres."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.noise import DepthNoise

DepthKind = Literal["z", "range"]
"""``z``: along the optical axis; ``range``: length of the ray from the camera's centre."""


class Origin(IntEnum):
    """Where a pixel of a depth map comes from, or why it is empty.

    Of a camera, NO_RETURN says that a pixel has no depth. Of a LiDAR it says that a beam looked
    there and found free space, and UNSEEN that none looked.
    """

    NO_RETURN = 0
    MEASURED = 1
    TOO_NEAR = 2
    TOO_FAR = 3
    FILTERED = 4
    OCCLUDED = 5
    FILLED = 6
    PREDICTED = 7
    UNSEEN = 8


@dataclass(frozen=True, slots=True, eq=False)
class RawDepth:
    """Depth as a sensor or file stores it; ``depth/scale.py`` alone turns it into metres.

    Attributes
    ----------
    values : ndarray of uint16 or float32, shape (H, W)
        In units of ``unit_m``; 0 (or NaN) is no measurement, as is 65535 in uint16.
    unit_m : float
        Metres per unit, from the device or the recording, never from a default.
    camera : Camera
        The camera that measured it.
    timestamp_ns : int
    kind : {"z", "range"}

    Raises
    ------
    ValueError
        If dtype or shape are others.
    """

    values: NDArray[np.uint16] | NDArray[np.float32]
    unit_m: float
    camera: Camera
    timestamp_ns: int
    kind: DepthKind = "z"

    def __post_init__(self) -> None:
        if self.values.dtype not in (np.dtype(np.uint16), np.dtype(np.float32)):
            msg = f"raw depth is {self.values.dtype}; expected uint16 or float32"
            raise ValueError(msg)
        _check_shape("raw depth", self.values.shape, self.camera)


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """Absolute depth: z of the camera that the map belongs to, in metres.

    Attributes
    ----------
    metres : ndarray of float32, shape (H, W)
        z in metres, or range in a spherical camera (``camera.depth_kind``); 0 = no depth.
    camera : Camera
    timestamp_ns : int
    sigma_m : ndarray of float32, shape (H, W), or None
        One standard deviation of ``metres``, metres; 0 where there is no depth.
    origin : ndarray of uint8, shape (H, W), or None
        :class:`Origin` of each pixel; None means measured where ``metres`` > 0, else no return.

    Raises
    ------
    ValueError
        If a dtype or shape is another, or a depth is negative or not finite.
    """

    metres: NDArray[np.float32]
    camera: Camera
    timestamp_ns: int
    sigma_m: NDArray[np.float32] | None = None
    origin: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        _check_shape("depth map", self.metres.shape, self.camera)
        if self.metres.dtype != np.float32:
            msg = f"depth map is {self.metres.dtype}; expected float32 metres"
            raise ValueError(msg)
        # One pass each and no temporary: this runs for every frame.
        smallest, largest = self.metres.min(), self.metres.max()
        if not (smallest >= 0 and largest < np.inf):
            msg = f"depth map holds values from {smallest} to {largest}; expected finite, >= 0"
            raise ValueError(msg)
        for name, layer, dtype in (
            ("sigma_m", self.sigma_m, np.float32),
            ("origin", self.origin, np.uint8),
        ):
            if layer is not None and (layer.shape != self.metres.shape or layer.dtype != dtype):
                msg = f"{name} is {layer.dtype} {layer.shape}; expected {dtype} {self.metres.shape}"
                raise ValueError(msg)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Return where there is depth, bool (H, W)."""
        return np.asarray(self.metres > 0)

    def sigmas_m(self) -> NDArray[np.float32]:
        """Return ``sigma_m``, float32 (H, W); as of an unknown sensor where there is none."""
        if self.sigma_m is not None:
            return self.sigma_m
        return DepthNoise.unknown().sigma_m(self.metres).astype(np.float32)

    def origins(self) -> NDArray[np.uint8]:
        """Return :class:`Origin` of each pixel, uint8 (H, W), in an array of the caller's own."""
        if self.origin is not None:
            return np.array(self.origin, order="C")
        # MEASURED is 1 and NO_RETURN 0, so the comparison is the origin already.
        return np.greater(self.metres, 0, order="C").view(np.uint8)


def _check_shape(what: str, shape: tuple[int, ...], camera: Camera) -> None:
    if shape != (camera.height, camera.width):
        msg = (
            f"{what} has shape {shape}; camera {camera.name!r} has {camera.height} rows and "
            f"{camera.width} columns"
        )
        raise ValueError(msg)
