"""ImuSamples: what a gyroscope and an accelerometer measured over a recording."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ImuSamples:
    """Turn rates and specific forces of one inertial sensor, in order of time.

    Attributes
    ----------
    name : str
        The sensor's coordinate system in the rig.
    timestamps_ns : ndarray of int64, shape (N,)
        Strictly increasing, on the clock of the frames.
    gyro_rad_s : ndarray of float64, shape (N, 3)
        Turn rate against the world, in the sensor's coordinates, radians per second.
    accel_m_s2 : ndarray of float64, shape (N, 3)
        Specific force at the same instants, in the sensor's coordinates, metres per second
        squared: acceleration less gravity, so that a sensor at rest measures 9.8 upwards.

    Raises
    ------
    ValueError
        If a dtype or shape is another, time does not increase or a value is not finite.
    """

    name: str
    timestamps_ns: NDArray[np.int64]
    gyro_rad_s: NDArray[np.float64]
    accel_m_s2: NDArray[np.float64]

    def __post_init__(self) -> None:
        stamps = self.timestamps_ns
        if stamps.dtype != np.int64 or stamps.ndim != 1:
            msg = f"IMU {self.name!r}: time stamps are {stamps.dtype} {stamps.shape}"
            raise ValueError(msg + "; expected int64 (N,)")
        for kind, values in (("gyro", self.gyro_rad_s), ("accel", self.accel_m_s2)):
            if values.dtype != np.float64 or values.shape != (len(stamps), 3):
                expected = f"float64 ({len(stamps)}, 3)"
                msg = f"IMU {self.name!r}: {kind} is {values.dtype} {values.shape}"
                raise ValueError(msg + "; expected " + expected)
            if not np.isfinite(values).all():
                msg = f"IMU {self.name!r}: {kind} holds NaN or infinity; expected finite values"
                raise ValueError(msg)
        backwards = np.flatnonzero(np.diff(stamps) <= 0)
        if len(backwards):
            first = int(backwards[0])
            msg = f"IMU {self.name!r}: time {stamps[first + 1]} ns follows {stamps[first]} ns"
            raise ValueError(msg + "; expected time to increase")

    def __len__(self) -> int:
        return len(self.timestamps_ns)


@dataclass(frozen=True, slots=True, eq=False)
class ImuReading:
    """What an inertial sensor delivered at one instant: either half, or both.

    Many sensors read their gyroscope and their accelerometer at different rates; each then gives
    readings of its own.

    Attributes
    ----------
    name : str
        The sensor's coordinate system in the rig.
    timestamp_ns : int
        On the clock of the frames.
    gyro_rad_s : tuple of float or None
        Turn rate about x, y, z as in :class:`ImuSamples`; None if only the other half was read.
    accel_m_s2 : tuple of float or None
        Specific force along x, y, z as in :class:`ImuSamples`; None if only the other was read.

    Raises
    ------
    ValueError
        If there is neither, or a value is not finite.
    """

    name: str
    timestamp_ns: int
    gyro_rad_s: tuple[float, float, float] | None = None
    accel_m_s2: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        halves = [half for half in (self.gyro_rad_s, self.accel_m_s2) if half is not None]
        if not halves or not all(
            len(half) == 3 and all(map(math.isfinite, half)) for half in halves
        ):
            msg = f"IMU {self.name!r}: gyro {self.gyro_rad_s}, accel {self.accel_m_s2}"
            raise ValueError(msg + "; expected three finite numbers for one of them at least")
