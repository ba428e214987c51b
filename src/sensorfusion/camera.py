"""Camera: which pixel sees which ray."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.distortion import NO_DISTORTION, Distortion
from sensorfusion.errors import CalibrationError

_NARROWEST_RAD, _WIDEST_RAD = math.radians(1.0), math.radians(170.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera with x right, y down, z forward and pixel centres at integers.

    A picture covers ``-0.5 <= u < width - 0.5`` and ``-0.5 <= v < height - 0.5``.

    Attributes
    ----------
    name : str
        Name of the camera and of its coordinate system.
    width, height : int
        Pixels.
    fx, fy, cx, cy : float
        Focal lengths and principal point, pixels.
    distortion : Distortion

    Raises
    ------
    CalibrationError
        If a size or a focal length is not positive, a value is not finite, the field of view is
        under 1 or over 170 degrees, or the principal point lies farther than one picture outside
        the picture.

    References
    ----------
    Hartley and Zisserman, "Multiple View Geometry", 2nd ed., section 6.1.
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Distortion = NO_DISTORTION

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if (
            self.width < 1
            or self.height < 1
            or not np.isfinite(values).all()
            or min(values[:2]) <= 0
        ):
            msg = (
                f"camera {self.name!r}: {self.width}x{self.height} pixels, fx {self.fx}, fy "
                f"{self.fy}, cx {self.cx}, cy {self.cy}; sizes and focal lengths must be positive"
            )
            raise CalibrationError(msg)
        angles_rad = (
            2 * math.atan(self.width / (2 * self.fx)),
            2 * math.atan(self.height / (2 * self.fy)),
        )
        if min(angles_rad) < _NARROWEST_RAD or max(angles_rad) > _WIDEST_RAD:
            msg = (
                f"camera {self.name!r}: fx {self.fx:g} and fy {self.fy:g} pixels give a picture of "
                f"{self.width}x{self.height} a field of view of "
                f"{math.degrees(angles_rad[0]):.3g} x {math.degrees(angles_rad[1]):.3g} degrees; "
                "expected 1 to 170; are the intrinsics in pixels of this size?"
            )
            raise CalibrationError(msg)
        if not (-self.width <= self.cx <= 2 * self.width) or not (
            -self.height <= self.cy <= 2 * self.height
        ):
            msg = (
                f"camera {self.name!r}: principal point ({self.cx}, {self.cy}) lies far outside "
                f"the {self.width}x{self.height} picture; do the intrinsics belong to another size?"
            )
            raise CalibrationError(msg)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Return the 3x3 matrix that takes normalised coordinates to pixels, float64."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pixels that see points, inside the picture or not.

        Parameters
        ----------
        points : ndarray of float, shape (..., 3)
            Metres, in this camera's coordinate system.

        Returns
        -------
        ndarray of float64, shape (..., 2)
            (u, v) pixels; NaN for points that are not in front of the camera and for those
            beyond the angle at which the distortion model stops being one to one.
        """
        points = np.asarray(points, dtype=np.float64)
        z = points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = np.where(z > 0, points[..., :2] / z, np.nan)
        return np.asarray(self.distortion.distort(xy) * (self.fx, self.fy) + (self.cx, self.cy))

    def unproject(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the rays (x / z, y / z) that pixels see, the inverse of :meth:`project`.

        Parameters
        ----------
        pixels : ndarray of float, shape (..., 2)
            (u, v) pixels.

        Returns
        -------
        ndarray of float64, shape (..., 2)
            Multiply by depth z in metres for x and y in metres.
        """
        xy = (np.asarray(pixels, dtype=np.float64) - (self.cx, self.cy)) / (self.fx, self.fy)
        return self.distortion.undistort(xy)


def nearest_pixels(camera: Camera, rays: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the pixel that sees each ray best.

    Parameters
    ----------
    camera : Camera
    rays : ndarray of float64, shape (..., 2)
        (x / z, y / z).

    Returns
    -------
    ndarray of int64, shape (...)
        Flat index (row * width + column); -1 for rays outside the picture.
    """
    pixels = camera.project(np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], axis=-1))
    with np.errstate(invalid="ignore"):
        u, v = np.rint(pixels[..., 0]), np.rint(pixels[..., 1])
        inside = (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    index = np.full(inside.shape, -1)
    index[inside] = (v[inside] * camera.width + u[inside]).astype(np.int64)
    return index


@lru_cache(maxsize=4)
def ray_table(camera: Camera) -> NDArray[np.float32]:
    """Return the ray of every pixel of a camera, computed once.

    Returns
    -------
    ndarray of float32, shape (height, width, 2)
        (x / z, y / z), lens distortion undone; NaN where the model has no ray. Read-only.
    """
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    table = camera.unproject(np.stack([u, v], axis=-1)).astype(np.float32)
    table.flags.writeable = False
    return table
