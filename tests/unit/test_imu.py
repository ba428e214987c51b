"""Samples of an inertial sensor check once what they hold; a rig knows where the sensor sits."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.imu import ImuSamples
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

STAMPS = np.array([0, 5, 10], dtype=np.int64)
RATES = np.zeros((3, 3))


def test_samples_are_counted():
    assert len(ImuSamples("imu", STAMPS, RATES, RATES)) == 3
    assert len(ImuSamples("imu", STAMPS[:0], RATES[:0], RATES[:0])) == 0


@pytest.mark.parametrize(
    ("stamps", "gyro", "accel", "complaint"),
    [
        (STAMPS.astype(float), RATES, RATES, r"time stamps are float64 \(3,\); expected int64"),
        (STAMPS, RATES[:2], RATES, r"gyro is float64 \(2, 3\); expected float64 \(3, 3\)"),
        (STAMPS, RATES, RATES.astype(np.float32), "accel is float32"),
        (STAMPS, RATES, RATES + np.nan, "accel holds NaN"),
        (STAMPS[[0, 2, 1]], RATES, RATES, "time 5 ns follows 10 ns"),
        (STAMPS[[0, 1, 1]], RATES, RATES, "time 5 ns follows 5 ns"),
    ],
)
def test_samples_that_are_none_are_refused_in_a_sentence(stamps, gyro, accel, complaint):
    with pytest.raises(ValueError, match=complaint):
        ImuSamples("imu", stamps, gyro, accel)


def test_a_rig_reaches_its_imu():
    cameras = {"depth": Camera("depth", 4, 3, 2.0, 2.0, 1.5, 1.0)}
    matrix = np.eye(4)
    matrix[2, 3] = 0.25
    rig = Rig(cameras, (RigidTransform("imu", "depth", matrix),), imus=("imu",))
    assert rig.transform("depth", "imu").translation_m.tolist() == [0.0, 0.0, -0.25]


def test_a_rig_with_a_loose_imu_is_refused():
    cameras = {"depth": Camera("depth", 4, 3, 2.0, 2.0, 1.5, 1.0)}
    with pytest.raises(CalibrationError, match="nothing connects 'imu' to 'depth'"):
        Rig(cameras, imus=("imu",))


def test_two_sensors_of_one_name_are_refused():
    cameras = {"depth": Camera("depth", 4, 3, 2.0, 2.0, 1.5, 1.0)}
    with pytest.raises(CalibrationError, match="depth, depth; expected each name once"):
        Rig(cameras, imus=("depth",))
