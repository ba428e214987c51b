"""Camera: which pixel sees which ray."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.distortion import NO_DISTORTION, Distortion
from sensorfusion.errors import CalibrationError

_NARROWEST_RAD, _WIDEST_RAD = math.radians(1.0), math.radians(170.0)
# A fisheye's pixels are nearly as many per radian everywhere; its rim may show more than 180
# degrees, of which the part in front of the camera is used.
_WIDEST_FISHEYE_RAD = 2 * math.pi
# Beyond the poles and a full turn, a pixel is rounding: rows and columns are whole numbers.
_ROUNDING_PX = 1.0


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
        Focal lengths and principal point, pixels; of a spherical camera pixels per radian, and
        the pixel that looks along z.
    distortion : Distortion

    Raises
    ------
    CalibrationError
        If a size or a focal length is not positive, a value is not finite, the field of view is
        under 1 or over 170 degrees (fisheye: 360), or the principal point lies farther than one
        picture outside the picture. A spherical camera must end within one turn and between the
        poles.

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
        if self.is_spherical:
            self._check_sphere()
        else:
            self._check_view()

    def _check_view(self) -> None:
        spread = self.width / (2 * self.fx), self.height / (2 * self.fy)
        if self.distortion.model == "kannala_brandt":
            angles_rad, widest_rad = (2 * spread[0], 2 * spread[1]), _WIDEST_FISHEYE_RAD
        else:
            angles_rad = 2 * math.atan(spread[0]), 2 * math.atan(spread[1])
            widest_rad = _WIDEST_RAD
        if min(angles_rad) < _NARROWEST_RAD or max(angles_rad) > widest_rad:
            msg = (
                f"camera {self.name!r}: fx {self.fx:g} and fy {self.fy:g} pixels give a picture of "
                f"{self.width}x{self.height} a field of view of "
                f"{math.degrees(angles_rad[0]):.3g} x {math.degrees(angles_rad[1]):.3g} degrees; "
                f"expected 1 to {math.degrees(widest_rad):.0f}; are the intrinsics in pixels of "
                "this size?"
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

    def _check_sphere(self) -> None:
        turn_px, quarter_px = 2 * math.pi * self.fx, math.pi / 2 * self.fy
        top_px, bottom_px = self.cy + 0.5, self.height - 0.5 - self.cy
        if not (
            self.width <= turn_px + _ROUNDING_PX
            and max(top_px, bottom_px) <= quarter_px + _ROUNDING_PX
            and -turn_px <= self.cx <= 2 * turn_px
        ):
            msg = (
                f"spherical camera {self.name!r}: {self.width}x{self.height} pixels, {self.fx:g} "
                f"x {self.fy:g} pixels per radian and ({self.cx:g}, {self.cy:g}) straight ahead; "
                "expected at most one turn from left to right, and rows between the poles"
            )
            raise CalibrationError(msg)

    @property
    def is_spherical(self) -> bool:
        """Tell whether pixels are angles all around instead of places on a plane in front."""
        return self.distortion.model == "spherical"

    @property
    def depth_kind(self) -> Literal["z", "range"]:
        """Return what depth means here: ``range``, the ray's length, in a spherical camera."""
        return "range" if self.is_spherical else "z"

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
            beyond the angle at which the distortion model stops being one to one. A spherical
            camera looks everywhere: u is in the turn that begins at -0.5, and only its centre
            has no pixel.
        """
        exact: NDArray[np.float64] = np.asarray(points, dtype=np.float64)
        if self.is_spherical:
            return self._project_on_sphere(exact)
        z = exact[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = np.where(z > 0, exact[..., :2] / z, np.nan)
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

        Raises
        ------
        CalibrationError
            If the camera is spherical; see :meth:`directions`.
        """
        xy = (np.asarray(pixels, dtype=np.float64) - (self.cx, self.cy)) / (self.fx, self.fy)
        return self.distortion.undistort(xy)

    def directions(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where pixels look, in any camera model.

        Parameters
        ----------
        pixels : ndarray of float, shape (..., 2)
            (u, v) pixels.

        Returns
        -------
        ndarray of float64, shape (..., 3)
            Unit vectors in this camera's coordinate system; NaN where the model has no ray.
        """
        pixels = np.asarray(pixels, dtype=np.float64)
        if not self.is_spherical:
            rays = self.unproject(pixels)
            along = np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], axis=-1)
            return np.asarray(along / np.linalg.norm(along, axis=-1, keepdims=True))
        across, down = np.moveaxis((pixels - (self.cx, self.cy)) / (self.fx, self.fy), -1, 0)
        level = np.where(np.abs(down) <= np.pi / 2 + _ROUNDING_PX / self.fy, np.cos(down), np.nan)
        return np.stack(
            [level * np.sin(across), np.sin(down) + 0 * level, level * np.cos(across)], axis=-1
        )

    def _project_on_sphere(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = np.moveaxis(points, -1, 0)
        turn_px = 2 * np.pi * self.fx
        u = np.mod(self.cx + self.fx * np.arctan2(x, z) + 0.5, turn_px)
        # The remainder of the least negative numbers is rounded up to the turn itself.
        u = np.where(u < turn_px, u, 0.0) - 0.5
        v = self.cy + self.fy * np.arctan2(y, np.hypot(x, z))
        centre = (x == 0) & (y == 0) & (z == 0)
        return np.where(centre[..., None], np.nan, np.stack([u, v], axis=-1))


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

    Raises
    ------
    CalibrationError
        If the camera is spherical.
    """
    pixels = camera.distortion.distort(rays) * (camera.fx, camera.fy) + (camera.cx, camera.cy)
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

    Raises
    ------
    CalibrationError
        If the camera is spherical: its pixels have directions, but no x / z.
    """
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    table = camera.unproject(np.stack([u, v], axis=-1)).astype(np.float32)
    table.flags.writeable = False
    return table
