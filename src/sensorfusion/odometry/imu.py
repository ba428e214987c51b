"""How far a camera turned, from a gyroscope whose bias is learned on the way.

The rates between two instants are integrated to a rotation; what tracking then finds corrects the
bias in an error-state Kalman filter over (attitude, bias). Attitudes are compared, not turns:
the error of one tracked pose is in two turns with opposite signs, and cancels.

References
----------
Lefferts, Markley, Shuster, "Kalman filtering for spacecraft attitude estimation", 1982 (the
filter). Blanes et al., "The Magnus expansion and some of its applications", 2009 (integration).
Forster et al., "On-manifold preintegration for real-time visual-inertial odometry", 2017 (what a
bias does to an integrated rotation).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.imu import ImuSamples
from sensorfusion.transform import quaternion_xyzw_from_rotation, rotation_from_vector

LARGEST_GAP_NS = 50_000_000
"""Samples farther apart than this do not say how a hand turned between them."""

# A consumer gyroscope (Bosch BMI055: 0.014 degrees/s/sqrt(Hz), sensitivity to about 1 %).
_NOISE_RAD_S_SQRT_HZ = np.deg2rad(0.014)
_SCALE_SIGMA = 0.005
_BIAS_SIGMA_RAD_S = np.deg2rad(0.5)
_BIAS_WALK_RAD_S_SQRT_S = np.deg2rad(0.002)
# How fast a tracked attitude wanders off, beside the error of each pose.
_TRACKED_WALK_RAD_SQRT_S = np.deg2rad(0.015)
# Of a chi-square variable with three degrees of freedom, one in a hundred is larger.
_UNLIKELY = 11.3
# How fast the variance of tracked attitudes follows what is seen of it, a share for each frame.
_ADAPTATION = 0.1
# After so many unlikely attitudes in a row, tracking has another idea of the world.
_PATIENCE = 5


@dataclass(frozen=True, slots=True, eq=False)
class GyroRotation:
    """A turn of the camera as the gyroscope measured it.

    Attributes
    ----------
    R_from_to : ndarray of float64, shape (3, 3)
        Takes directions in the camera's coordinates at the end of the turn to its coordinates at
        the start.
    sigma_rad : float
        One standard deviation about each axis.
    """

    R_from_to: NDArray[np.float64]
    sigma_rad: float


class GyroPrior:
    """Turns of a camera from the gyroscope that is fixed to it.

    Parameters
    ----------
    imu : ImuSamples
    R_camera_imu : ndarray of float64, shape (3, 3)
        Takes directions in the IMU's coordinates to those of the camera:
        ``rig.transform(camera, imu.name).rotation``.
    """

    def __init__(self, imu: ImuSamples, R_camera_imu: NDArray[np.float64]) -> None:
        self._imu = imu
        self._R_camera_imu = R_camera_imu
        self._bias_rad_s = np.zeros(3)
        # Of the attitude's error, then of the bias; the former starts with each chain of frames.
        self._covariance = np.diag([0.0] * 3 + [_BIAS_SIGMA_RAD_S**2] * 3)
        self._discrepancy = np.eye(3)
        self._unlikely = 0
        # How much larger the variance of tracked attitudes is than it is said to be.
        self._excess = 1.0
        self._learned_ns: int | None = None

    @property
    def bias_rad_s(self) -> NDArray[np.float64]:
        """Return what is taken off the measured rates, float64 (3,), IMU coordinates."""
        return self._bias_rad_s.copy()

    @property
    def bias_sigma_rad_s(self) -> float:
        """Return one standard deviation of the bias about the axis where it is known least."""
        return float(np.sqrt(np.linalg.eigvalsh(self._covariance[3:, 3:])[-1]))

    def rotation(self, from_ns: int, to_ns: int) -> GyroRotation | None:
        """Return how the camera turned between two instants.

        Parameters
        ----------
        from_ns, to_ns : int
            On the IMU's clock, in order of time.

        Returns
        -------
        GyroRotation or None
            None where the samples do not cover the time without gaps above 50 ms.

        Raises
        ------
        ValueError
            If the end comes before the start.
        """
        turned = self._integrate(from_ns, to_ns)
        if turned is None:
            return None
        seconds = (to_ns - from_ns) * 1e-9
        cosine = np.clip((np.trace(turned[0]) - 1.0) / 2.0, -1.0, 1.0)
        age_s = 0.0 if self._learned_ns is None else abs(to_ns - self._learned_ns) * 1e-9
        bias_variance = self.bias_sigma_rad_s**2 + _BIAS_WALK_RAD_S_SQRT_S**2 * age_s
        variance = bias_variance * seconds**2 + _NOISE_RAD_S_SQRT_HZ**2 * seconds
        variance += (_SCALE_SIGMA * np.arccos(cosine)) ** 2
        R_from_to = self._R_camera_imu @ turned[0] @ self._R_camera_imu.T
        return GyroRotation(R_from_to, float(np.sqrt(variance)))

    def learn(
        self, from_ns: int, to_ns: int, R_from_to: NDArray[np.float64], sigma_rad: float = 1e-3
    ) -> None:
        """Correct the bias by a turn that tracking found.

        Turns that follow each other without a gap teach more than single ones. A turn that no
        bias explains hardly counts.

        Parameters
        ----------
        from_ns, to_ns : int
            On the IMU's clock, in order of time.
        R_from_to : ndarray of float64, shape (3, 3)
            As in :class:`GyroRotation`. Found without leaning on this prior: else the bias is
            learned more slowly than it is said to be.
        sigma_rad : float
            One standard deviation of each tracked attitude about each axis, above 0; where the
            turns show that it is larger, a larger one is used.

        Raises
        ------
        ValueError
            If the end comes before the start.
        """
        turned = self._integrate(from_ns, to_ns)
        if turned is None:
            return
        if self._learned_ns is not None:
            # The bias walks on while nothing is learned.
            silent_s = max(0, from_ns - self._learned_ns) * 1e-9
            self._covariance[3:, 3:] += _BIAS_WALK_RAD_S_SQRT_S**2 * silent_s * np.eye(3)
        if from_ns != self._learned_ns:
            self._start_chain(sigma_rad)
        self._learned_ns = to_ns
        R_tracked = self._R_camera_imu.T @ R_from_to @ self._R_camera_imu
        self._predict(turned[0], turned[1], R_tracked, (to_ns - from_ns) * 1e-9)
        self._update(sigma_rad)

    def _start_chain(self, sigma_rad: float) -> None:
        """Begin with an attitude that is as uncertain as any tracked one."""
        self._discrepancy = np.eye(3)
        self._unlikely = 0
        self._covariance[:3] = self._covariance[:, :3] = 0.0
        self._covariance[:3, :3] = self._excess * sigma_rad**2 * np.eye(3)

    def _predict(
        self,
        R_from_to: NDArray[np.float64],
        effect_s: NDArray[np.float64],
        R_tracked: NDArray[np.float64],
        seconds: float,
    ) -> None:
        """Carry the attitude's error over a turn."""
        self._discrepancy = R_from_to.T @ self._discrepancy @ R_tracked
        step = np.eye(6)
        step[:3, :3], step[:3, 3:] = R_from_to.T, -effect_s
        attitude_walk = _NOISE_RAD_S_SQRT_HZ**2 + _TRACKED_WALK_RAD_SQRT_S**2
        noise = seconds * np.repeat([attitude_walk, _BIAS_WALK_RAD_S_SQRT_S**2], 3)
        self._covariance = step @ self._covariance @ step.T + np.diag(noise)

    def _update(self, sigma_rad: float) -> None:
        """Correct attitude and bias by the tracked attitude."""
        found = _rotation_vector(self._discrepancy)
        spread = self._covariance[:3, :3] + self._excess * sigma_rad**2 * np.eye(3)
        distance = float(found @ np.linalg.solve(spread, found))
        # On average 1 for each axis, where the noise is what it was said to be.
        growth = _ADAPTATION * (min(distance / 3.0, 2.0) - 1.0)
        self._excess = max(1.0, self._excess * (1.0 + growth))
        surprise = distance / _UNLIKELY
        self._unlikely = self._unlikely + 1 if surprise > 1 else 0
        if self._unlikely == _PATIENCE:
            self._start_chain(sigma_rad)
            return
        if surprise > 1:
            # An attitude so far off says as little as its distance makes likely.
            spread = spread + (surprise - 1) * (spread + found @ found * np.eye(3))
        gain = np.linalg.solve(spread, self._covariance[:3]).T
        correction = gain @ found
        self._bias_rad_s = self._bias_rad_s + correction[3:]
        self._discrepancy = rotation_from_vector(-correction[:3]) @ self._discrepancy
        covariance = self._covariance - gain @ self._covariance[:3]
        self._covariance = (covariance + covariance.T) / 2

    def _integrate(
        self, from_ns: int, to_ns: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return ``R_from_to`` of the IMU and minus its derivative by the bias, seconds (3, 3).

        Rates are linear between samples; the Magnus series is cut after its second term.
        """
        if to_ns < from_ns:
            msg = f"a turn from {from_ns} ns to {to_ns} ns: the end must not come before the start"
            raise ValueError(msg)
        stamps_ns = self._imu.timestamps_ns
        first = int(np.searchsorted(stamps_ns, from_ns, side="right")) - 1
        last = int(np.searchsorted(stamps_ns, to_ns, side="left"))
        if first < 0 or last >= len(stamps_ns):
            return None
        around_ns = stamps_ns[first : last + 1]
        if np.diff(around_ns).max(initial=0) > LARGEST_GAP_NS:
            return None
        instants_s = np.array([from_ns, *stamps_ns[first + 1 : last], to_ns]) - from_ns
        instants_s = instants_s * 1e-9
        around_s = (around_ns - from_ns) * 1e-9
        measured = self._imu.gyro_rad_s[first : last + 1]
        rates = [np.interp(instants_s, around_s, measured[:, axis]) for axis in range(3)]
        rates_rad_s = np.stack(rates, axis=-1) - self._bias_rad_s
        steps_s = np.diff(instants_s)[:, None]
        before, after = rates_rad_s[:-1], rates_rad_s[1:]
        turns_rad = steps_s / 2 * (before + after) + steps_s**2 / 12 * np.cross(before, after)
        R_from_to, effect_s = np.eye(3), np.zeros((3, 3))
        for turn_rad, step_s in zip(turns_rad, steps_s[:, 0], strict=True):
            R_step = rotation_from_vector(turn_rad)
            R_from_to = R_from_to @ R_step
            effect_s = R_step.T @ effect_s + step_s * np.eye(3)
        return R_from_to, effect_s


def _rotation_vector(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return axis times angle of a rotation, radians, float64 (3,)."""
    quaternion = quaternion_xyzw_from_rotation(rotation)
    sine = float(np.linalg.norm(quaternion[:3]))
    if sine < 1e-12:
        return 2.0 * quaternion[:3]
    return np.asarray(2.0 * np.arctan2(sine, quaternion[3]) / sine * quaternion[:3])
