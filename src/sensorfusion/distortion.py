"""Lens distortion: from an ideal ray to where the lens really puts it, and back."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError

DistortionModel = Literal[
    "none", "brown_conrady", "inverse_brown_conrady", "kannala_brandt", "spherical"
]
"""``brown_conrady``: OpenCV's model, coefficients k1 k2 p1 p2 [k3 [k4 k5 k6]].

``inverse_brown_conrady``: librealsense's model of that name (and "modified"), which applies the
tangential term to the radially distorted point; k1 k2 p1 p2 k3.

``kannala_brandt``: fisheye, OpenCV's ``fisheye`` and Kalibr's ``equidistant``; k1 k2 k3 k4. The
distance from the centre is ``theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8)`` of the
angle theta off the axis, here below 90 degrees.

``spherical``: no lens but a panorama: columns are angles about the y axis and rows are elevations,
so that fx and fy are pixels per radian; no coefficients. It looks all around and has no x / z.
"""

_COUNTS = {
    "none": (0,),
    "brown_conrady": (4, 5, 8),
    "inverse_brown_conrady": (5,),
    "kannala_brandt": (4,),
    "spherical": (0,),
}
_ITERATIONS = 20
# Halving 90 degrees so often leaves less than float64 resolves.
_HALVINGS = 52


@dataclass(frozen=True, slots=True)
class Distortion:
    """A lens model in normalised image coordinates (x / z, y / z of the camera).

    Attributes
    ----------
    model : {"none", "brown_conrady", "inverse_brown_conrady", "kannala_brandt", "spherical"}
    coefficients : tuple of float
        k1, k2, p1, p2, k3, k4, k5, k6 as far as the model has them; k1, k2, k3, k4 of
        ``kannala_brandt``; no unit.
    largest_radius : float
        Length of (x, y) up to which the radial part still rises, so that the model is one to
        one; infinity when it rises for ever. Computed, not given.

    Raises
    ------
    CalibrationError
        If the number of coefficients does not fit the model, or one is not finite.

    References
    ----------
    Brown, "Close-range camera calibration", 1971; OpenCV documentation, "Camera Calibration and
    3D Reconstruction"; librealsense, doc/projection.md, "Distortion Models"; Kannala and Brandt,
    "A generic camera model and calibration method for conventional, wide-angle, and fish-eye
    lenses", TPAMI 2006.
    """

    model: DistortionModel = "none"
    coefficients: tuple[float, ...] = ()
    largest_radius: float = field(default=np.inf, init=False)

    def __post_init__(self) -> None:
        expected = _COUNTS.get(self.model)
        if expected is None or len(self.coefficients) not in expected:
            msg = (
                f"distortion {self.model!r} with {len(self.coefficients)} coefficients; expected "
                + " or ".join(f"{name!r} with {counts}" for name, counts in _COUNTS.items())
            )
            raise CalibrationError(msg)
        if not np.isfinite(self.coefficients).all():
            msg = f"distortion coefficients {self.coefficients} must be finite"
            raise CalibrationError(msg)
        object.__setattr__(self, "largest_radius", self._turning_radius())

    @classmethod
    def of(cls, model: DistortionModel, coefficients: tuple[float, ...]) -> "Distortion":
        """Return the model, or ``none`` when it bends no ray."""
        # A fisheye without coefficients still bends: theta instead of tan(theta).
        bends = any(coefficients) or model in ("kannala_brandt", "spherical")
        return cls(model, coefficients) if bends else cls()

    @property
    def is_none(self) -> bool:
        """Tell whether rays pass straight."""
        return self.model == "none"

    def distort(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where the lens puts ideal rays.

        Parameters
        ----------
        xy : ndarray of float64, shape (..., 2)
            Ideal (x / z, y / z). Rays longer than ``largest_radius`` come back as NaN.

        Returns
        -------
        ndarray of float64, shape (..., 2)
            Distorted (x / z, y / z).

        Raises
        ------
        CalibrationError
            If the model is ``spherical``, which has no such coordinates.
        """
        self._refuse_spherical()
        if self.is_none:
            return xy
        if self.model == "kannala_brandt":
            return self._distort_fisheye(xy)
        x, y = xy[..., 0], xy[..., 1]
        r2 = x * x + y * y
        radial = self._radial(r2)
        xr, yr = x * radial, y * radial
        p1, p2 = self.coefficients[2:4]
        tx, ty = (xr, yr) if self.model == "inverse_brown_conrady" else (x, y)
        distorted = np.stack(
            [
                xr + 2 * p1 * tx * ty + p2 * (r2 + 2 * tx * tx),
                yr + 2 * p2 * tx * ty + p1 * (r2 + 2 * ty * ty),
            ],
            axis=-1,
        )
        distorted[r2 > self.largest_radius**2] = np.nan
        return distorted

    def undistort(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the ideal rays that the lens puts at ``xy``: the inverse of :meth:`distort`.

        Parameters
        ----------
        xy : ndarray of float64, shape (..., 2)
            Distorted (x / z, y / z).

        Returns
        -------
        ndarray of float64, shape (..., 2)
            Ideal (x / z, y / z); NaN where no ray of the one-to-one region lands there.

        Raises
        ------
        CalibrationError
            If the model is ``spherical``, which has no such coordinates.
        """
        self._refuse_spherical()
        if self.is_none:
            return xy
        if self.model == "kannala_brandt":
            return self._undistort_fisheye(np.asarray(xy, dtype=np.float64))
        ideal = self._within(np.array(xy, dtype=np.float64))
        step = 1e-6
        step_x, step_y = np.array([step, 0.0]), np.array([0.0, step])
        for _ in range(_ITERATIONS):
            error = self.distort(ideal) - xy
            dx = (self.distort(ideal + step_x) - error - xy) / step
            dy = (self.distort(ideal + step_y) - error - xy) / step
            determinant = dx[..., 0] * dy[..., 1] - dy[..., 0] * dx[..., 1]
            ideal[..., 0] -= (dy[..., 1] * error[..., 0] - dy[..., 0] * error[..., 1]) / determinant
            ideal[..., 1] -= (dx[..., 0] * error[..., 1] - dx[..., 1] * error[..., 0]) / determinant
            ideal = self._within(ideal)
        off = np.abs(self.distort(ideal) - xy).max(axis=-1)
        ideal[~(off < 1e-6)] = np.nan
        return ideal

    def _refuse_spherical(self) -> None:
        if self.model == "spherical":
            msg = (
                "a spherical camera looks all around, so its pixels have directions but no "
                "x / z; give a camera with a pinhole or fisheye lens here"
            )
            raise CalibrationError(msg)

    def _distort_fisheye(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        radius = np.hypot(xy[..., 0], xy[..., 1])
        bent = self._bend(np.arctan(radius)) / np.maximum(radius, 1e-12)
        bent = np.where(radius > 1e-12, bent, 1.0)
        bent[radius > self.largest_radius] = np.nan
        return np.asarray(xy * bent[..., None])

    def _undistort_fisheye(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        bent = np.hypot(xy[..., 0], xy[..., 1])
        # Halving needs no slope, which is 0 at the angle where the model turns.
        low, high = np.zeros_like(bent), np.full_like(bent, np.arctan(self.largest_radius))
        reached = bent <= self._bend(high)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            beyond = self._bend(middle) > bent
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        scale = np.where(bent > 1e-12, np.tan(low) / np.maximum(bent, 1e-12), 1.0)
        return np.asarray(xy * np.where(reached, scale, np.nan)[..., None])

    def _bend(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance from the centre at which a fisheye shows an angle."""
        k1, k2, k3, k4 = self.coefficients
        t2 = theta * theta
        return np.asarray(theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))))

    def _within(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pull rays back to where the model is one to one, so that a Newton step stays there."""
        if not np.isfinite(self.largest_radius):
            return xy
        radius = np.maximum(np.hypot(xy[..., 0], xy[..., 1]), 1e-12)
        shrink = np.minimum(1.0, 0.999 * self.largest_radius / radius)
        return np.asarray(xy * shrink[..., None])

    def _radial(self, r2: NDArray[np.float64]) -> NDArray[np.float64]:
        k1, k2, _, _, k3, k4, k5, k6 = (*self.coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
        numerator = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return numerator / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))

    def _turning_radius(self) -> float:
        """Return the smallest radius at which the radial part stops to rise."""
        if self.model in ("none", "spherical"):
            return float(np.inf)
        if self.model == "kannala_brandt":
            k1, k2, k3, k4 = self.coefficients
            theta = _smallest_root(np.poly1d([9 * k4, 0, 7 * k3, 0, 5 * k2, 0, 3 * k1, 0, 1]).r)
            return float(np.tan(theta)) if theta < np.pi / 2 else float(np.inf)
        k1, k2, _, _, k3, k4, k5, k6 = (*self.coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
        top = np.poly1d([k3, 0, k2, 0, k1, 0, 1, 0])
        bottom = np.poly1d([k6, 0, k5, 0, k4, 0, 1])
        return _smallest_root(np.r_[(top.deriv() * bottom - top * bottom.deriv()).r, bottom.r])


def _smallest_root(roots: NDArray[np.complex128]) -> float:
    """Return the smallest root that is real and positive; infinity if there is none."""
    real = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 1e-9)]
    return float(real.min()) if real.size else float(np.inf)


NO_DISTORTION = Distortion()
