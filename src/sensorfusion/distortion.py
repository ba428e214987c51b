"""Lens distortion: from an ideal ray to where the lens really puts it, and back."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError

DistortionModel = Literal["none", "brown_conrady", "inverse_brown_conrady"]
"""``brown_conrady``: OpenCV's model, coefficients k1 k2 p1 p2 [k3 [k4 k5 k6]].

``inverse_brown_conrady``: librealsense's model of that name (and "modified"), which applies the
tangential term to the radially distorted point; k1 k2 p1 p2 k3.
"""

_COUNTS = {"none": (0,), "brown_conrady": (4, 5, 8), "inverse_brown_conrady": (5,)}
_ITERATIONS = 20


@dataclass(frozen=True, slots=True)
class Distortion:
    """A lens model in normalised image coordinates (x / z, y / z of the camera).

    Attributes
    ----------
    model : {"none", "brown_conrady", "inverse_brown_conrady"}
    coefficients : tuple of float
        k1, k2, p1, p2, k3, k4, k5, k6 as far as the model has them; no unit.
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
    3D Reconstruction"; librealsense, doc/projection.md, "Distortion Models".
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
        """Return the model, or ``none`` when every coefficient is 0."""
        return cls(model, coefficients) if any(coefficients) else cls()

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
        """
        if self.is_none:
            return xy
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
        """
        if self.is_none:
            return xy
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
        """Return the smallest radius at which d(r radial(r^2)) / dr is 0."""
        if self.is_none:
            return float(np.inf)
        k1, k2, _, _, k3, k4, k5, k6 = (*self.coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
        top = np.poly1d([k3, 0, k2, 0, k1, 0, 1, 0])
        bottom = np.poly1d([k6, 0, k5, 0, k4, 0, 1])
        roots = np.concatenate([(top.deriv() * bottom - top * bottom.deriv()).r, bottom.r])
        real = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 1e-9)]
        return float(real.min()) if real.size else float(np.inf)


NO_DISTORTION = Distortion()
