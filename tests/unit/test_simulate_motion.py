"""Hand-held motion: smooth, within limits, never into furniture."""

import numpy as np
import pytest

from sensorfusion.simulate.motion import hand_held, hand_motion
from sensorfusion.simulate.room import HALF_X_M, HALF_Y_M, HEIGHT_M, room

SEEDS = range(5)


def _speeds_m_s(matrices):
    return np.linalg.norm(np.diff(matrices[:, :3, 3], axis=0), axis=1) * 30.0


def _rates_deg_s(matrices):
    rotations = matrices[:, :3, :3]
    # Chord of the relative rotation: |R1 - R2| = 2 sqrt(2) sin(angle / 2).
    chords = np.linalg.norm(np.diff(rotations, axis=0), axis=(1, 2))
    return np.rad2deg(2 * np.arcsin(chords / np.sqrt(8))) * 30.0


@pytest.mark.parametrize("seed", SEEDS)
def test_600_frames_are_about_8_metres(seed):
    matrices = hand_held(600, seed=seed).matrices
    assert 7.5 < _speeds_m_s(matrices).sum() / 30.0 < 8.5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_hand_stays_below_its_fastest_speeds(seed):
    matrices = hand_held(3000, seed=seed).matrices
    assert 0.3 < _speeds_m_s(matrices).max() <= 0.6
    assert 30.0 < _rates_deg_s(matrices).max() <= 60.0


@pytest.mark.parametrize("bursts", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_camera_keeps_clear_of_everything_in_the_room(seed, bursts):
    import open3d as o3d

    mesh = room(seed).mesh
    scene = o3d.t.geometry.RaycastingScene()
    tensor = o3d.core.Tensor.from_numpy
    scene.add_triangles(tensor(mesh.vertices), tensor(mesh.triangles.astype(np.uint32)))
    places = hand_held(3000, seed=seed, bursts=bursts).matrices[:, :3, 3]
    assert (np.abs(places) < (HALF_X_M, HALF_Y_M, HEIGHT_M)).all()
    assert scene.compute_distance(tensor(places.astype(np.float32))).numpy().min() > 0.4


@pytest.mark.parametrize("bursts", [False, True])
def test_the_camera_is_held_upright(bursts):
    down_world = hand_held(3000, bursts=bursts).matrices[:, :3, 1]
    assert (down_world[:, 2] < -0.7).all()


def test_a_long_motion_begins_with_the_short_one():
    short, long = hand_held(50, seed=3), hand_held(80, seed=3)
    np.testing.assert_array_equal(short.matrices, long.matrices[:50])
    np.testing.assert_array_equal(short.timestamps_ns, long.timestamps_ns[:50])


def test_frames_come_at_30_hz_from_time_0():
    assert hand_held(4).timestamps_ns.tolist() == [0, 33_333_333, 66_666_667, 100_000_000]


def test_twice_the_speed_reaches_every_second_place():
    usual, fast = hand_held(41, seed=1).matrices, hand_held(21, seed=1, speed=2.0).matrices
    np.testing.assert_allclose(fast, usual[::2], atol=1e-6)


def test_another_seed_is_another_motion():
    first, second = hand_held(1, seed=0).matrices[0], hand_held(1, seed=1).matrices[0]
    assert np.linalg.norm(first[:3, 3] - second[:3, 3]) > 0.01


def _every_millisecond(seed):
    """Speeds and turn rates of 20 s with bursts, a row for each 2 s."""
    matrices = hand_motion(seed, bursts=True)(np.arange(20_001) * 1e-3)
    speeds, rates = _speeds_m_s(matrices) / 30e-3, _rates_deg_s(matrices) / 30e-3
    return speeds.reshape(10, 2000), rates.reshape(10, 2000)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_burst_every_two_seconds_peaks_at_1_m_s_and_120_degrees_s(seed):
    speeds, rates = _every_millisecond(seed)
    np.testing.assert_allclose(speeds.max(axis=1), 1.0, atol=0.002)
    np.testing.assert_allclose(rates.max(axis=1), 120.0, atol=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_are_over_in_less_than_a_second(seed):
    speeds, rates = _every_millisecond(seed)
    assert ((speeds > 0.75).mean(axis=1) * 2.0 < 0.5).all()
    assert ((rates > 90.0).mean(axis=1) * 2.0 < 0.5).all()


def test_bursts_begin_and_end_smoothly():
    places = hand_motion(4, bursts=True)(np.arange(8001) * 1e-3)[:, :3, 3]
    accelerations = np.linalg.norm(np.diff(places, 2, axis=0), axis=1) * 1e6
    # Half a metre per second more within a quarter of a second is some 4 m/s^2.
    assert 2.0 < accelerations.max() < 10.0
    # Without a jump, a thousandth of a second changes it by little.
    assert np.abs(np.diff(accelerations)).max() < 0.2


def test_between_the_bursts_the_motion_is_the_usual_one():
    times_s = np.arange(5) * 2.0
    usual, with_bursts = hand_motion(1)(times_s), hand_motion(1, bursts=True)(times_s)
    np.testing.assert_array_equal(with_bursts, usual)


def test_twice_the_speed_makes_bursts_twice_as_fast():
    usual = hand_held(41, seed=1, bursts=True).matrices
    fast = hand_held(21, seed=1, speed=2.0, bursts=True).matrices
    np.testing.assert_allclose(fast, usual[::2], atol=1e-6)
