"""What a gyroscope and an accelerometer measure along an exactly known motion."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.imu import ImuSamples
from sensorfusion.rig import Rig
from sensorfusion.simulate.bursts import Motion
from sensorfusion.transform import RigidTransform, rotation_from_vector

RATE_HZ = 200
GRAVITY_M_S2 = 9.80665
"""Standard gravity; it points along -z of the world."""

_PERIOD_NS = 1_000_000_000 // RATE_HZ
_DIFFERENCE_S = 5e-4
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class ImuErrors:
    """How a sensor errs; by default like the Bosch BMI055 of a RealSense D435i.

    Its datasheet says 0.014 degrees/s/sqrt(Hz) and 150 micro-g/sqrt(Hz), and allows biases of 1
    degree/s and 70 milli-g; devices that were calibrated once stay well below.

    Attributes
    ----------
    gyro_noise_rad_s_sqrt_hz, accel_noise_m_s2_sqrt_hz : float
        White noise: a sample's standard deviation is this times the root of the rate.
    gyro_bias_rad_s, accel_bias_m_s2 : float
        Largest bias of each axis when the sensor is turned on; all up to it are as likely.
    gyro_walk_rad_s_sqrt_s, accel_walk_m_s2_sqrt_s : float
        How far each bias wanders within a second (one standard deviation).
    """

    gyro_noise_rad_s_sqrt_hz: float = float(np.deg2rad(0.010))
    gyro_bias_rad_s: float = float(np.deg2rad(0.5))
    gyro_walk_rad_s_sqrt_s: float = float(np.deg2rad(0.001))
    accel_noise_m_s2_sqrt_hz: float = 170e-6 * GRAVITY_M_S2
    accel_bias_m_s2: float = 20e-3 * GRAVITY_M_S2
    accel_walk_m_s2_sqrt_s: float = 1e-4

    @classmethod
    def none(cls) -> "ImuErrors":
        """Return those of an exact sensor."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def with_imu(rig: Rig) -> Rig:
    """Return a rig with the IMU "imu" where a D435i has it.

    Right of, above and behind the "depth" camera, its axes turned by 0.8 degrees in all.
    """
    T_depth_imu = np.eye(4)
    T_depth_imu[:3, :3] = rotation_from_vector(np.array([0.009, -0.006, 0.008]))
    T_depth_imu[:3, 3] = 0.0055, -0.0051, -0.0117
    link = RigidTransform("depth", "imu", T_depth_imu)
    return replace(rig, transforms=(*rig.transforms, link), imus=("imu",))


def measure_motion(
    motion: Motion,
    T_camera_imu: RigidTransform,
    last_ns: int,
    errors: ImuErrors,
    rng: np.random.Generator,
) -> ImuSamples:
    """Return what an IMU measures along a motion, 200 times a second.

    Parameters
    ----------
    motion : callable
        ``T_world_camera`` by time, in a world whose z axis points up, smooth around every
        instant, also before 0.
    T_camera_imu : RigidTransform
        Where the IMU sits; its source names the samples' coordinate system.
    last_ns : int
        Samples begin at 0 and do not end before this, nanoseconds.
    errors : ImuErrors
    rng : numpy.random.Generator
        One per recording.
    """
    count = -(-last_ns // _PERIOD_NS) + 1
    timestamps_ns = _PERIOD_NS * np.arange(count, dtype=np.int64)
    gyro_rad_s, accel_m_s2 = np.empty((count, 3)), np.empty((count, 3))
    for first in range(0, count, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        time_s = 1e-9 * timestamps_ns[part].astype(np.float64)
        gyro_rad_s[part], accel_m_s2[part] = _exact(motion, T_camera_imu.matrix, time_s)
    gyro_rad_s += _errors(
        rng,
        count,
        errors.gyro_noise_rad_s_sqrt_hz,
        errors.gyro_bias_rad_s,
        errors.gyro_walk_rad_s_sqrt_s,
    )
    accel_m_s2 += _errors(
        rng,
        count,
        errors.accel_noise_m_s2_sqrt_hz,
        errors.accel_bias_m_s2,
        errors.accel_walk_m_s2_sqrt_s,
    )
    return ImuSamples(T_camera_imu.source, timestamps_ns, gyro_rad_s, accel_m_s2)


def _exact(
    motion: Motion, T_camera_imu: NDArray[np.float64], time_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return turn rates and specific forces in IMU coordinates, by central differences."""
    before, now, after = (
        motion(time_s + shift) @ T_camera_imu for shift in (-_DIFFERENCE_S, 0.0, _DIFFERENCE_S)
    )
    R_imu_world = np.swapaxes(now[:, :3, :3], 1, 2)
    spin = R_imu_world @ (after[:, :3, :3] - before[:, :3, :3]) / (2 * _DIFFERENCE_S)
    # The part of R^T dR/dt that is not antisymmetric is the differences' own error.
    spin = (spin - np.swapaxes(spin, 1, 2)) / 2
    gyro_rad_s = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
    force_m_s2 = (after[:, :3, 3] - 2 * now[:, :3, 3] + before[:, :3, 3]) / _DIFFERENCE_S**2
    force_m_s2[:, 2] += GRAVITY_M_S2
    return gyro_rad_s, (R_imu_world @ force_m_s2[..., None])[..., 0]


def _errors(
    rng: np.random.Generator, count: int, noise: float, bias: float, walk: float
) -> NDArray[np.float64]:
    """Return white noise plus a bias that walks, float64 (count, 3)."""
    white = noise * np.sqrt(RATE_HZ) * rng.standard_normal((count, 3))
    steps = walk / np.sqrt(RATE_HZ) * rng.standard_normal((count, 3))
    return np.asarray(white + bias * rng.uniform(-1.0, 1.0, 3) + np.cumsum(steps, axis=0))
