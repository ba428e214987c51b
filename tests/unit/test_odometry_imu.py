"""The gyroscope's prior: exact where rates are known, and better the longer it is taught."""

import numpy as np
import pytest

from sensorfusion.imu import ImuSamples
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.simulate.imu import ImuErrors, measure_motion, with_imu
from sensorfusion.simulate.motion import hand_motion
from sensorfusion.simulate.sensor import d435_rig
from sensorfusion.transform import rotation_from_vector

FRAME_NS = 33_333_333
T_DEPTH_IMU = with_imu(d435_rig(0.1)).transform("depth", "imu")


def constant(rate_rad_s, timestamps_ns):
    stamps = np.array(timestamps_ns, dtype=np.int64)
    rates = np.tile(np.asarray(rate_rad_s, dtype=np.float64), (len(stamps), 1))
    return ImuSamples("imu", stamps, rates, np.zeros_like(rates))


def at_200_hz(seconds):
    return range(0, int(seconds * 1e9) + 1, 5_000_000)


def angle_rad(rotation):
    return float(2 * np.arcsin(min(1.0, np.linalg.norm(rotation - np.eye(3)) / np.sqrt(8))))


def hand_held(frames, *, errors, seed=3, bursts=True, bias_rad_s=(0.0, 0.0, 0.0)):
    """Frame times, true rotations R_world_camera, and the prior of an IMU that went along."""
    motion = hand_motion(seed, bursts=bursts)
    stamps_ns = FRAME_NS * np.arange(frames)
    rng = np.random.default_rng(seed)
    imu = measure_motion(motion, T_DEPTH_IMU, int(stamps_ns[-1]), errors, rng)
    rates = imu.gyro_rad_s + np.array(bias_rad_s)
    biased = ImuSamples("imu", imu.timestamps_ns, rates, imu.accel_m_s2)
    rotations = motion(1e-9 * stamps_ns)[:, :3, :3]
    return stamps_ns.tolist(), rotations, GyroPrior(biased, T_DEPTH_IMU.rotation)


def teach(prior, stamps_ns, rotations, *, noise_rad=0.0, seed=0):
    rng = np.random.default_rng(seed)
    noisy = [R @ rotation_from_vector(noise_rad * rng.standard_normal(3)) for R in rotations]
    for k in range(1, len(noisy)):
        prior.learn(stamps_ns[k - 1], stamps_ns[k], noisy[k - 1].T @ noisy[k])


def test_a_constant_rate_is_integrated_exactly():
    rate = np.array([0.4, -1.5, 2.0])
    prior = GyroPrior(constant(rate, at_200_hz(1.0)), np.eye(3))
    turned = prior.rotation(1_234_567, 901_234_567)
    np.testing.assert_allclose(turned.R_from_to, rotation_from_vector(0.9 * rate), atol=1e-12)


def test_the_turn_takes_directions_at_the_end_to_directions_at_the_start():
    # A quarter turn about z: what is ahead along x at the end was along y at the start.
    prior = GyroPrior(constant([0, 0, np.pi / 2], at_200_hz(1.0)), np.eye(3))
    ahead = prior.rotation(0, 1_000_000_000).R_from_to @ [1.0, 0.0, 0.0]
    np.testing.assert_allclose(ahead, [0, 1, 0], atol=1e-12)


def test_the_turn_is_in_the_camera_s_axes():
    # The IMU's x axis is the camera's y axis.
    R_camera_imu = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    prior = GyroPrior(constant([0.5, 0, 0], at_200_hz(1.0)), R_camera_imu)
    turned = prior.rotation(0, 1_000_000_000).R_from_to
    np.testing.assert_allclose(turned, rotation_from_vector(np.array([0, 0.5, 0])), atol=1e-12)


def test_no_time_is_no_turn():
    prior = GyroPrior(constant([1, 2, 3], at_200_hz(0.1)), np.eye(3))
    np.testing.assert_array_equal(prior.rotation(5_000_000, 5_000_000).R_from_to, np.eye(3))


@pytest.mark.parametrize("bursts", [False, True])
def test_a_hand_held_motion_is_integrated_to_a_thousandth_of_a_degree(bursts):
    stamps_ns, rotations, prior = hand_held(150, errors=ImuErrors.none(), bursts=bursts)
    for k in range(1, 150):
        turned = prior.rotation(stamps_ns[k - 1], stamps_ns[k])
        missed = turned.R_from_to.T @ rotations[k - 1].T @ rotations[k]
        assert np.rad2deg(angle_rad(missed)) < 1e-3


def test_sigma_is_as_large_as_the_error_before_anything_is_learned():
    ratios = []
    for seed in range(30):
        stamps_ns, rotations, prior = hand_held(16, errors=ImuErrors(), seed=seed)
        turned = prior.rotation(stamps_ns[0], stamps_ns[15])
        missed = angle_rad(turned.R_from_to.T @ rotations[0].T @ rotations[15])
        # sigma is about each axis, the angle is over three.
        ratios.append(missed / np.sqrt(3) / turned.sigma_rad)
    assert 0.3 < np.sqrt(np.mean(np.square(ratios))) < 1.2


def test_a_bias_of_a_third_of_a_degree_is_learned_in_60_frames():
    bias = np.deg2rad([0.3, -0.3, 0.3])
    errors, sigmas = [], []
    for seed in range(12):
        stamps_ns, rotations, prior = hand_held(
            61, errors=ImuErrors(gyro_bias_rad_s=0.0), seed=seed, bias_rad_s=bias
        )
        teach(prior, stamps_ns, rotations, noise_rad=np.deg2rad(0.03), seed=seed)
        errors.append(np.rad2deg(prior.bias_rad_s - bias))
        sigmas.append(np.rad2deg(prior.bias_sigma_rad_s))
    # The gyroscope's own white noise leaves 0.010 / sqrt(2 s) = 0.007 degrees/s.
    assert np.sqrt(np.mean(np.square(errors))) < 0.02
    assert np.abs(errors).max() < 0.04
    assert 0.005 < max(sigmas) < 0.025


def test_a_tracker_three_times_worse_than_it_says_is_found_out():
    bias = np.deg2rad([0.3, -0.3, 0.3])
    errors = []
    for seed in range(12):
        stamps_ns, rotations, prior = hand_held(
            91, errors=ImuErrors(gyro_bias_rad_s=0.0), seed=seed, bias_rad_s=bias
        )
        # Three times the 1 mrad that learning takes for granted.
        teach(prior, stamps_ns, rotations, noise_rad=0.003, seed=seed)
        errors.append(np.rad2deg(prior.bias_rad_s - bias))
    # A straight line through 91 such attitudes over 3 s leaves 0.02 degrees/s.
    assert np.sqrt(np.mean(np.square(errors))) < 0.06


def test_what_was_learned_makes_the_turn_and_its_sigma_better():
    bias = np.deg2rad([0.4, 0.2, -0.3])
    errors = ImuErrors(gyro_bias_rad_s=0.0)
    stamps_ns, rotations, prior = hand_held(121, errors=errors, bias_rad_s=bias)
    # The last second, unknown to the teacher.
    truth = rotations[90].T @ rotations[120]
    before = prior.rotation(stamps_ns[90], stamps_ns[120])
    teach(prior, stamps_ns[:91], rotations[:91], noise_rad=np.deg2rad(0.03))
    after = prior.rotation(stamps_ns[90], stamps_ns[120])
    missed_before, missed_after = (angle_rad(x.R_from_to.T @ truth) for x in (before, after))
    assert missed_after < 0.15 * missed_before
    assert after.sigma_rad < before.sigma_rad


def test_a_false_turn_teaches_nothing():
    bias = np.deg2rad([0.3, -0.3, 0.3])
    errors = ImuErrors(gyro_bias_rad_s=0.0)
    stamps_ns, rotations, prior = hand_held(61, errors=errors, bias_rad_s=bias)
    # Frame 20 is placed falsely; from frame 30 on the whole world is turned.
    false = rotations.copy()
    false[20] = rotation_from_vector(np.deg2rad([0.0, 5.0, 0.0])) @ false[20]
    false[30:] = rotation_from_vector(np.deg2rad([2.0, 0.0, 0.0])) @ false[30:]
    teach(prior, stamps_ns, false, noise_rad=np.deg2rad(0.03))
    assert np.abs(np.rad2deg(prior.bias_rad_s - bias)).max() < 0.04


def test_half_a_turn_in_one_frame_teaches_nothing():
    prior = GyroPrior(constant([0, 0, 0], at_200_hz(1.0)), np.eye(3))
    prior.learn(0, FRAME_NS, np.diag([1.0, -1.0, -1.0]))
    assert np.abs(np.rad2deg(prior.bias_rad_s)).max() < 1e-3


def test_the_same_turns_teach_the_same_bytes():
    learned = []
    for _ in range(2):
        stamps_ns, rotations, prior = hand_held(31, errors=ImuErrors())
        teach(prior, stamps_ns, rotations, noise_rad=np.deg2rad(0.03))
        learned.append(prior.bias_rad_s.tobytes())
    assert learned[0] == learned[1]


def test_nothing_is_known_of_the_bias_but_half_a_degree_at_first():
    prior = GyroPrior(constant([0, 0, 0], at_200_hz(1.0)), np.eye(3))
    np.testing.assert_array_equal(prior.bias_rad_s, 0.0)
    assert np.rad2deg(prior.bias_sigma_rad_s) == pytest.approx(0.5)
    # Half a degree per second over one second, and little else.
    assert np.rad2deg(prior.rotation(0, 1_000_000_000).sigma_rad) == pytest.approx(0.5, rel=0.01)


def test_turns_around_a_gap_of_lost_frames_go_on_teaching():
    bias = np.deg2rad([0.3, -0.3, 0.3])
    errors = ImuErrors(gyro_bias_rad_s=0.0)
    stamps_ns, rotations, prior = hand_held(151, errors=errors, bias_rad_s=bias)
    teach(prior, stamps_ns[:46], rotations[:46], noise_rad=np.deg2rad(0.03))
    once = prior.bias_sigma_rad_s
    teach(prior, stamps_ns[106:], rotations[106:], noise_rad=np.deg2rad(0.03))
    assert prior.bias_sigma_rad_s < once
    assert np.abs(np.rad2deg(prior.bias_rad_s - bias)).max() < 0.02


def test_a_gap_in_the_samples_is_no_turn():
    stamps_ns = [0, 5_000_000, 60_000_000, 65_000_000, 115_000_000]
    prior = GyroPrior(constant([1, 0, 0], stamps_ns), np.eye(3))
    assert prior.rotation(2_000_000, 62_000_000) is None
    assert prior.rotation(30_000_000, 40_000_000) is None
    assert prior.rotation(0, 5_000_000) is not None
    # 50 ms are still taken for smooth.
    assert prior.rotation(60_000_000, 115_000_000) is not None


def test_time_that_the_samples_do_not_cover_is_no_turn():
    prior = GyroPrior(constant([1, 0, 0], range(10_000_000, 50_000_000, 5_000_000)), np.eye(3))
    assert prior.rotation(9_999_999, 20_000_000) is None
    assert prior.rotation(20_000_000, 45_000_001) is None
    assert prior.rotation(10_000_000, 45_000_000) is not None
    nothing = GyroPrior(constant([1, 0, 0], []), np.eye(3))
    assert nothing.rotation(0, 1) is None


def test_a_turn_that_the_samples_do_not_cover_teaches_nothing():
    prior = GyroPrior(constant([1, 0, 0], [0, 5_000_000]), np.eye(3))
    prior.learn(0, FRAME_NS, np.eye(3))
    assert np.rad2deg(prior.bias_sigma_rad_s) == pytest.approx(0.5)


def test_a_turn_against_time_is_refused():
    prior = GyroPrior(constant([1, 0, 0], at_200_hz(0.1)), np.eye(3))
    with pytest.raises(ValueError, match="end must not come before the start"):
        prior.rotation(10_000_000, 5_000_000)
