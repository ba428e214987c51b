"""The two halves of a RealSense inertial sensor as one, at the gyroscope's instants."""

import numpy as np

from sensorfusion.imu import ImuSamples
from sensorfusion_drivers.realsense.streams import ACCEL, GYRO, Recording


def join_halves(recording: Recording, name: str, clock: str) -> ImuSamples | None:
    """Return what the inertial sensor measured; the accelerometer's values are interpolated.

    Parameters
    ----------
    recording : Recording
        A note in it says why, if the result is None although there are readings.
    name : str
        The sensor's coordinate system.
    clock : str
        What the frames' time stamps count.

    Returns
    -------
    ImuSamples or None
        None if a half is missing or stamped by another clock than the frames.
    """
    motion = recording.motion
    if not motion:
        return None
    if not {GYRO, ACCEL} <= motion.keys():
        recording.notes.append(f"of the inertial sensor only {', '.join(motion)} was recorded")
        return None
    gyro, accel = motion[GYRO], motion[ACCEL]
    if {gyro.clock, accel.clock} != {clock}:
        recording.notes.append(
            f"the inertial sensor is stamped by {gyro.clock!r} and depth by {clock!r}: not used "
            "to track"
        )
        return None
    gyro_ns, first = np.unique(gyro.timestamps_ns, return_index=True)
    accel_ns, second = np.unique(accel.timestamps_ns, return_index=True)
    if not len(gyro_ns) or not len(accel_ns):
        return None
    # From the first stamp: a date in ns is too long for a float.
    begin_ns = gyro_ns[0]
    accel_m_s2 = [
        np.interp(gyro_ns - begin_ns, accel_ns - begin_ns, accel.values[second, axis])
        for axis in range(3)
    ]
    return ImuSamples(name, gyro_ns, gyro.values[first], np.stack(accel_m_s2, axis=-1))
