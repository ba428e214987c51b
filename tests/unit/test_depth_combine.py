import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.combine import combine, fit_correction
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CoordinateSystemMismatchError

CAMERA = Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5)
SHAPE = (120, 160)


def depth_map(metres, sigma_m, origin=None, camera=CAMERA):
    metres = np.broadcast_to(metres, SHAPE).astype(np.float32)
    sigma = np.where(metres > 0, np.broadcast_to(sigma_m, SHAPE), 0).astype(np.float32)
    return DepthMap(metres, camera, 5, sigma, origin)


def ramp():
    """A true scene from 2 m to 6 m."""
    return np.broadcast_to(np.linspace(2, 6, 160), SHAPE)


def noisy(true, sigma_m, seed, scale=1.0, bias_m=0.0):
    rng = np.random.default_rng(seed)
    return depth_map(((true - bias_m) / scale + rng.normal(0, sigma_m, SHAPE)), sigma_m)


def test_two_sensors_are_weighted_by_inverse_variance():
    # Too few pixels in common for a correction: only a stripe of the LiDAR.
    lidar = np.zeros(SHAPE)
    lidar[0, :100] = 2.0
    merged, correction = combine(depth_map(lidar, 0.01), depth_map(2.02, 0.02))
    assert correction.pixels == 0
    # (2.00 * 4 + 2.02 * 1) / 5 and 0.01 * sqrt(4 / 5).
    assert merged.metres[0, 0] == pytest.approx(2.004)
    assert merged.sigma_m[0, 0] == pytest.approx(0.01 * np.sqrt(0.8), rel=1e-5)


def test_what_one_sensor_alone_saw_is_kept():
    left, right = np.zeros(SHAPE), np.zeros(SHAPE)
    left[:, :50], right[:, 100:] = 3.0, 4.0
    merged, _ = combine(depth_map(left, 0.01), depth_map(right, 0.02))
    assert merged.metres[5, [10, 75, 120]].tolist() == [3.0, 0.0, 4.0]
    assert merged.sigma_m[5, [10, 75, 120]] == pytest.approx([0.01, 0.0, 0.02])


def test_scale_and_bias_of_the_camera_are_found_and_taken_out():
    lidar = noisy(ramp(), 0.02, seed=1)
    camera = noisy(ramp(), 0.01, seed=2, scale=1.03, bias_m=-0.05)
    merged, correction = combine(lidar, camera)
    assert correction.scale == pytest.approx(1.03, abs=0.001)
    assert correction.bias_m == pytest.approx(-0.05, abs=0.004)
    assert np.abs((merged.metres - ramp()).mean()) < 0.001


def test_merged_depth_is_better_than_either_sensor():
    lidar, camera = noisy(ramp(), 0.02, seed=3), noisy(ramp(), 0.015, seed=4)
    merged, _ = combine(lidar, camera)
    errors = [np.std(depth.metres - ramp()) for depth in (lidar, camera, merged)]
    # 1 / sqrt(1 / 0.02^2 + 1 / 0.015^2) = 0.012
    assert errors == pytest.approx([0.02, 0.015, 0.012], rel=0.03)
    assert merged.sigma_m.mean() == pytest.approx(0.012, rel=0.01)


def test_a_third_of_wild_pixels_does_not_move_the_correction():
    lidar, camera = noisy(ramp(), 0.02, seed=5), noisy(ramp(), 0.01, seed=6, scale=1.02)
    wild = camera.metres.copy()
    wild[:40] += 1.5
    correction = fit_correction(lidar, depth_map(wild, 0.01))
    assert correction.scale == pytest.approx(1.02, abs=0.002)


def test_a_flat_wall_gives_a_bias_and_no_scale():
    wall = np.full(SHAPE, 3.0)
    correction = fit_correction(noisy(wall, 0.02, seed=7), noisy(wall, 0.01, seed=8, bias_m=0.04))
    assert correction.scale == 1.0
    assert correction.bias_m == pytest.approx(0.04, abs=0.002)


def test_filled_pixels_do_not_correct():
    filled = np.full(SHAPE, Origin.FILLED, np.uint8)
    lidar = depth_map(ramp(), 0.02, filled)
    assert fit_correction(lidar, noisy(ramp(), 0.01, seed=9, scale=1.1)).pixels == 0


def test_where_both_saw_different_things_the_nearer_stands_and_is_doubted():
    lidar = np.full(SHAPE, 4.0)
    lidar[60, 80] = 2.0
    merged, _ = combine(depth_map(lidar, 0.02), depth_map(4.0, 0.02))
    assert merged.metres[60, 80] == pytest.approx(2.0)
    assert merged.sigma_m[60, 80] > 0.9


def test_a_pixel_is_measured_when_either_sensor_measured_it():
    origin = np.full(SHAPE, Origin.FILLED, np.uint8)
    only_lidar = np.zeros(SHAPE)
    only_lidar[:, :80] = 2.0
    merged, _ = combine(depth_map(2.0, 0.02, origin), depth_map(only_lidar, 0.02))
    assert (merged.origin[:, :80] == Origin.MEASURED).all()
    assert (merged.origin[:, 80:] == Origin.FILLED).all()


def test_free_space_that_a_beam_saw_stays_free():
    empty = np.full(SHAPE, Origin.NO_RETURN, np.uint8)
    merged, _ = combine(depth_map(0.0, 0.0, empty), depth_map(0.0, 0.0))
    assert (merged.origin == Origin.NO_RETURN).all()


def test_maps_of_two_cameras_are_refused():
    other = Camera("color", 160, 120, 150.0, 150.0, 79.5, 59.5)
    with pytest.raises(CoordinateSystemMismatchError, match="'depth' cannot be merged"):
        combine(depth_map(2.0, 0.01), depth_map(2.0, 0.01, camera=other))
