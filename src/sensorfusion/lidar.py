"""Lidar: what is known of a scanning range sensor, beside where it sits."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lidar:
    """A laser scanner: rings of beams one above the other, fired column by column.

    Attributes
    ----------
    name : str
        Name of the sensor and of its coordinate system: x forward, y left, z up, unless the
        recording says otherwise. Ranges are measured from its origin.
    rings : int
        Beams one above the other; 0 where not known.
    columns : int
        Firings in one revolution or sweep; 0 where not known.
    elevation_rad : tuple of float
        Of each ring, from ring 0, above the xy plane; empty where not known.
    near_m, far_m : float
        Smallest and largest range that it can measure, metres.
    constant_m, linear : float
        Standard deviation of a range on a surface that faces the beam: ``constant_m + linear *
        range``, metres.
    beam_width_rad : float
        Standard deviation of a beam's intensity across it. On a slanted surface it spreads the
        range by ``range * beam_width_rad * tan(incidence)``.

    Raises
    ------
    CalibrationError
        If a number is negative or not finite (``far_m`` may be infinite), the range is empty, or
        the elevations are not one for each ring.
    """

    name: str
    rings: int = 0
    columns: int = 0
    elevation_rad: tuple[float, ...] = ()
    near_m: float = 0.0
    far_m: float = math.inf
    constant_m: float = 0.02
    linear: float = 0.0
    beam_width_rad: float = 0.001

    def __post_init__(self) -> None:
        numbers = (self.constant_m, self.linear, self.beam_width_rad, self.near_m)
        if not (
            all(map(math.isfinite, (*numbers, *self.elevation_rad)))
            and min(*numbers, self.rings, self.columns) >= 0
            and self.near_m < self.far_m
        ):
            msg = (
                f"lidar {self.name!r}: {self.rings} rings, {self.columns} columns, range "
                f"{self.near_m} to {self.far_m} m, noise {self.constant_m} m + {self.linear} r, "
                f"beam {self.beam_width_rad} rad; expected numbers >= 0 and a range that is not "
                "empty"
            )
            raise CalibrationError(msg)
        if self.elevation_rad and len(self.elevation_rad) != self.rings:
            msg = (
                f"lidar {self.name!r}: {len(self.elevation_rad)} elevations for {self.rings} rings"
            )
            raise CalibrationError(msg)

    def sigma_m(
        self, range_m: NDArray[np.floating], cos_incidence: NDArray[np.floating] | float = 1.0
    ) -> NDArray[np.floating]:
        """Return the standard deviation of measured ranges, metres.

        Parameters
        ----------
        range_m : ndarray of float, any shape
            Metres, > 0.
        cos_incidence : ndarray of float, or float
            Cosine of the angle between beam and surface normal, > 0 to 1.
        """
        along_m = self.constant_m + self.linear * range_m
        tan_squared = 1.0 / np.square(cos_incidence) - 1.0
        across_m2 = np.square(self.beam_width_rad * range_m) * np.maximum(tan_squared, 0.0)
        return np.asarray(np.sqrt(np.square(along_m) + across_m2))
