"""A simulated IMU: exact along known motions, and wrong by as much as it says."""

import numpy as np
import pytest

from sensorfusion.simulate.imu import ImuErrors, measure_motion, with_imu
from sensorfusion.simulate.motion import hand_motion
from sensorfusion.simulate.sensor import d435_rig
from sensorfusion.transform import RigidTransform

SECOND_NS = 1_000_000_000
SAME = RigidTransform.identity("camera", "imu")
# A camera that looks along world y: x right, y down (-z of the world), z forward.
LEVEL = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def at_rest(time_s):
    return np.tile(LEVEL, (len(time_s), 1, 1))


def turntable(time_s):
    """A camera upright at the origin that turns left about world z at 2 rad/s."""
    poses = np.tile(np.eye(4), (len(time_s), 1, 1))
    cosine, sine = np.cos(2 * time_s), np.sin(2 * time_s)
    poses[:, 0, 0], poses[:, 0, 1] = cosine, -sine
    poses[:, 1, 0], poses[:, 1, 1] = sine, cosine
    return poses @ LEVEL


def exact(motion, T_camera_imu=SAME, last_ns=SECOND_NS):
    rng = np.random.default_rng(0)
    return measure_motion(motion, T_camera_imu, last_ns, ImuErrors.none(), rng)


def test_at_rest_the_accelerometer_reads_gravity_upwards():
    samples = exact(at_rest)
    np.testing.assert_allclose(samples.accel_m_s2, np.tile([0, -9.80665, 0], (201, 1)), atol=1e-9)
    np.testing.assert_array_equal(samples.gyro_rad_s, 0.0)


def test_samples_come_at_200_hz_and_cover_the_last_frame():
    samples = exact(at_rest, last_ns=33_333_333)
    assert samples.timestamps_ns.tolist() == [5_000_000 * k for k in range(8)]
    assert exact(at_rest, last_ns=0).timestamps_ns.tolist() == [0]


def test_a_turn_to_the_left_is_a_rate_about_the_axis_that_points_up():
    samples = exact(turntable)
    # Up is -y of the camera.
    np.testing.assert_allclose(samples.gyro_rad_s, np.tile([0, -2.0, 0], (201, 1)), atol=1e-5)


def test_an_imu_beside_the_axis_is_pulled_towards_it():
    # 0.1 m in front of the axis: 2^2 * 0.1 = 0.4 m/s^2 back to it, along -z of the camera.
    matrix = np.eye(4)
    matrix[2, 3] = 0.1
    samples = exact(turntable, RigidTransform("camera", "imu", matrix))
    expected = np.tile([0, -9.80665, -0.4], (201, 1))
    np.testing.assert_allclose(samples.accel_m_s2, expected, atol=1e-5)


def test_an_imu_turned_on_its_side_measures_in_its_own_axes():
    # The IMU's x axis is the camera's y axis: R_camera_imu has columns y, -x, z.
    matrix = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    samples = exact(turntable, RigidTransform("camera", "imu", matrix))
    np.testing.assert_allclose(samples.gyro_rad_s[0], [-2.0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(samples.accel_m_s2[0], [-9.80665, 0, 0], atol=1e-5)


def test_specific_force_along_a_hand_held_motion_adds_up_to_the_way_gone():
    motion = hand_motion(2, bursts=True)
    samples = exact(motion, last_ns=2 * SECOND_NS)
    poses = motion(1e-9 * samples.timestamps_ns)
    accelerations = np.einsum("nij,nj->ni", poses[:, :3, :3], samples.accel_m_s2)
    accelerations[:, 2] -= 9.80665
    # With p(0) and p'(0): p(T) = p(0) + T p'(0) + integral of (T - t) a(t).
    time_s = 1e-9 * samples.timestamps_ns
    start_m_s = np.diff(motion(np.array([-1e-5, 1e-5]))[:, :3, 3], axis=0)[0] / 2e-5
    gone_m = np.trapezoid((2.0 - time_s)[:, None] * accelerations, time_s, axis=0)
    expected_m = poses[-1, :3, 3] - poses[0, :3, 3]
    np.testing.assert_allclose(2.0 * start_m_s + gone_m, expected_m, atol=1e-4)


def test_noise_has_the_density_that_was_asked_for():
    errors = ImuErrors(gyro_bias_rad_s=0.0, accel_bias_m_s2=0.0)
    samples = measure_motion(at_rest, SAME, 60 * SECOND_NS, errors, np.random.default_rng(5))
    # 0.010 degrees/s and 170e-6 * 9.80665 m/s^2, each times sqrt(200).
    assert np.rad2deg(samples.gyro_rad_s.std()) == pytest.approx(0.1414, rel=0.02)
    noise_m_s2 = (samples.accel_m_s2 - [0, -9.80665, 0]).std()
    assert noise_m_s2 == pytest.approx(0.02358, rel=0.02)


def test_the_bias_of_a_recording_stays_and_stays_small():
    biases = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        samples = measure_motion(at_rest, SAME, 40 * SECOND_NS, ImuErrors(), rng)
        first, second = np.rad2deg(samples.gyro_rad_s.reshape(-1, 3)[:8000]).reshape(2, 4000, 3)
        # Over 20 s white noise leaves 0.002 degrees/s, and the bias walks some 0.004.
        np.testing.assert_allclose(first.mean(axis=0), second.mean(axis=0), atol=0.02)
        biases.append(first.mean(axis=0))
    assert 0.2 < np.abs(biases).mean() < 0.3
    assert np.abs(biases).max() < 0.52


def test_a_walking_bias_goes_as_far_as_the_root_of_time_says():
    errors = ImuErrors(0.0, 0.0, 1e-3, 0.0, 0.0, 0.0)
    ends = [
        measure_motion(at_rest, SAME, 4 * SECOND_NS, errors, np.random.default_rng(seed))
        for seed in range(60)
    ]
    # 1e-3 * sqrt(4) over 180 walks.
    assert np.std([samples.gyro_rad_s[-1] for samples in ends]) == pytest.approx(2e-3, rel=0.2)


def test_the_same_seed_gives_the_same_bytes():
    first, second = (
        measure_motion(hand_motion(1), SAME, SECOND_NS, ImuErrors(), np.random.default_rng(9))
        for _ in range(2)
    )
    assert first.gyro_rad_s.tobytes() == second.gyro_rad_s.tobytes()
    assert first.accel_m_s2.tobytes() == second.accel_m_s2.tobytes()


def test_a_rig_with_an_imu_knows_where_it_sits():
    T_depth_imu = with_imu(d435_rig()).transform("depth", "imu")
    assert 0.005 < np.linalg.norm(T_depth_imu.translation_m) < 0.02
    angle_rad = np.arccos((np.trace(T_depth_imu.rotation) - 1) / 2)
    assert np.rad2deg(angle_rad) == pytest.approx(0.77, abs=0.02)
