"""Noise: how far a depth sensor's measurements spread around the truth."""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError

# Distance of the two imagers, metres, by Intel's data sheet of the D400 family (revision 2023).
_BASELINES_M = {"d405": 0.018, "d415": 0.055, "d435": 0.050, "d455": 0.095}
# Modules and variants that share those imagers.
_SAME_IMAGERS = {
    "d400": "d415",
    "d401": "d405",
    "d410": "d415",
    "d430": "d435",
    "d450": "d455",
    "d456": "d455",
    "d457": "d455",
}
_STEREO_SIGMA_PX = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthNoise:
    """The spread of a sensor's z: ``constant_m + linear * z + quadratic_per_m * z^2``.

    Attributes
    ----------
    name : str
        Kind of sensor.
    constant_m : float
        Metres.
    linear : float
        Metres per metre of z; may be negative as long as the sum is not.
    quadratic_per_m : float
        Metres per square metre of z.
    lateral_px : float
        Standard deviation of where the ray of a pixel really hits, pixels: what makes slanted
        surfaces noisier.
    correlation_px : float
        Distance at which the correlation of two pixels' errors has fallen to 1/e, pixels; 0 where
        each errs for itself. About ``pi * correlation_px**2`` pixels share one error.

    Raises
    ------
    CalibrationError
        If a value is not finite, or the spread is negative at some z >= 0.
    """

    name: str
    constant_m: float = 0.0
    linear: float = 0.0
    quadratic_per_m: float = 0.0
    lateral_px: float = 0.5
    correlation_px: float = 0.0

    def __post_init__(self) -> None:
        c, b, a = self.constant_m, self.linear, self.quadratic_per_m
        numbers = (c, b, a, self.lateral_px, self.correlation_px)
        # A parabola that begins at c >= 0 and falls stays above 0 if it has at most one root.
        lowest_sound = b >= 0 or b * b <= 4 * a * c
        if not (all(map(math.isfinite, numbers)) and min(c, a, *numbers[3:]) >= 0 and lowest_sound):
            msg = (
                f"depth noise {self.name!r}: {c} m + {b} z + {a} z^2 per m, lateral "
                f"{self.lateral_px} px, correlation {self.correlation_px} px; expected finite "
                "numbers, and a spread that is nowhere negative"
            )
            raise CalibrationError(msg)

    @classmethod
    def stereo(
        cls, baseline_m: float, focal_px: float, sigma_px: float = _STEREO_SIGMA_PX
    ) -> "DepthNoise":
        """Return the noise of a stereo camera: z^2 sd / (f b).

        Parameters
        ----------
        baseline_m : float
            Distance of the two imagers, metres.
        focal_px : float
            Of the depth picture, pixels.
        sigma_px : float
            Standard deviation of the disparity, pixels.

        Raises
        ------
        CalibrationError
            If baseline or focal length is not positive.

        References
        ----------
        Keselman et al., "Intel RealSense stereoscopic depth cameras", CVPR workshops 2017: errors
        are normal in disparity, and the matching window makes neighbours err alike. That window
        averages along a slanted surface, so that little of the lateral error is left.
        """
        if not (baseline_m > 0 and focal_px > 0):
            msg = (
                f"stereo with a baseline of {baseline_m} m and a focal length of {focal_px} px; "
                "expected positive numbers"
            )
            raise CalibrationError(msg)
        return cls(
            name="stereo",
            quadratic_per_m=sigma_px / (focal_px * baseline_m),
            lateral_px=0.2,
            correlation_px=5.4,
        )

    @classmethod
    def structured_light(cls) -> "DepthNoise":
        """Return the noise of a first-generation Kinect: 0.0012 + 0.0019 (z - 0.4)^2 metres.

        ``lateral_px`` stands for the term that the paper adds beyond 60 degrees of incidence; the
        0.8 px and more that it measures across the ray are those of silhouettes.

        References
        ----------
        Nguyen, Izadi and Lovell, "Modeling Kinect sensor noise for improved 3D reconstruction and
        tracking", 3DIMPVT 2012.
        """
        return cls(
            name="structured light",
            constant_m=0.0012 + 0.0019 * 0.4**2,
            linear=-2 * 0.0019 * 0.4,
            quadratic_per_m=0.0019,
            lateral_px=0.35,
            correlation_px=1.0,
        )

    @classmethod
    def time_of_flight(cls) -> "DepthNoise":
        """Return the noise of a RealSense L515: 2.5 mm at 1 m, 15.5 mm at 9 m, a line between.

        References
        ----------
        Intel, "RealSense LiDAR camera L515" data sheet, 2021, depth standard deviation on a
        surface of 95 % reflectivity.
        """
        return cls(name="time of flight", constant_m=0.0009, linear=0.0016, correlation_px=1.0)

    @classmethod
    def unknown(cls) -> "DepthNoise":
        """Return the noise of a sensor of which nothing is known: 1 mm + 0.0025 z^2 metres.

        Between a Kinect (0.0019 z^2) and a D435 (about 0.004 z^2 at 640 columns).
        """
        return cls(name="unknown", constant_m=0.001, quadratic_per_m=0.0025, correlation_px=2.0)

    @classmethod
    def of_device(cls, name: str, focal_px: float) -> "DepthNoise":
        """Return the noise of a camera by the name of the product, :meth:`unknown` for others.

        Parameters
        ----------
        name : str
            As the camera says it ("Intel RealSense D435I"); also "kinect", for the first one.
        focal_px : float
            Of its depth picture, pixels; matters for stereo only.
        """
        text = name.lower()
        model = re.search(r"\bd4\d\d", text)
        if model:
            number = _SAME_IMAGERS.get(model[0], model[0])
            # Most of the family are 50 mm apart.
            return cls.stereo(_BASELINES_M.get(number, _BASELINES_M["d435"]), focal_px)
        if re.search(r"\bl5\d\d", text):
            return cls.time_of_flight()
        # The F200 and SR300 project patterns as the Kinect does.
        if re.search(r"\b(sr30\d|f200)|^kinect$", text):
            return cls.structured_light()
        return cls.unknown()

    def sigma_m(self, z_m: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the standard deviation of z, metres, for any shape of z in metres, > 0."""
        return self.constant_m + z_m * (self.linear + z_m * self.quadratic_per_m)

    def range_m(self, largest_sigma_m: float) -> float:
        """Return the z beyond which the standard deviation is larger than a bound, metres.

        Infinity where it never is, 0 where it always is.
        """
        above_m = self.constant_m - largest_sigma_m
        a, b = self.quadratic_per_m, self.linear
        if a > 0:
            square = b * b - 4 * a * above_m
            return max(0.0, (math.sqrt(square) - b) / (2 * a)) if square >= 0 else 0.0
        if above_m > 0:
            return 0.0
        return -above_m / b if b > 0 else math.inf

    def variance_between(self, distance_px: float) -> float:
        """Return the share of the variance that is left on a surface between voxels, 1/2 to 1.

        Where neighbouring voxels see pixels that err alike it is all of it. Where each errs for
        itself, a vertex between them errs less: a half is left, measured on simulated rooms (a
        value interpolated between two would keep two thirds in the mean).

        Parameters
        ----------
        distance_px : float
            Between the pixels of two neighbouring voxels.
        """
        if not self.correlation_px:
            return 0.5
        correlation = math.exp(-((distance_px / self.correlation_px) ** 2))
        return 1.0 - (1.0 - correlation) / 2.0
