"""How far a pixel may be off: along its ray, and across it on slanted surfaces."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.scale import to_metres
from sensorfusion.depth.uncertainty import SLOPE_BASELINE_PX, with_uncertainty
from sensorfusion.depth_map import DepthMap
from sensorfusion.noise import DepthNoise
from sensorfusion.simulate.noise import measure, model_of
from sensorfusion.simulate.sensor import View

CAMERA = Camera("depth", 40, 30, 400.0, 400.0, 19.5, 14.5)
NOISE = DepthNoise(
    name="made up", constant_m=0.001, linear=0.0005, quadratic_per_m=0.001, lateral_px=0.5
)
FLAT_M = 0.001 + 0.0005 * 2 + 0.001 * 4  # of NOISE at 2 m
STEEPEST = np.tan(np.deg2rad(83)) / 400


def depth_map(metres, sigma_m=None):
    metres = np.broadcast_to(np.asarray(metres, np.float32), (30, 40)).copy()
    return DepthMap(metres, CAMERA, 0, sigma_m)


def sigma_of(metres, noise=NOISE):
    return with_uncertainty(depth_map(metres), noise).sigma_m


def plainly(metres, noise):
    """The same in numpy, pixel by pixel."""
    height, width = metres.shape
    step = SLOPE_BASELINE_PX
    found = np.zeros((height, width))
    for v in range(height):
        for u in range(width):
            z = float(metres[v, u])
            if z == 0:
                continue
            slopes = []
            for dv, du in ((0, step), (step, 0)):
                rises = [STEEPEST * step * z]
                for sign in (-1, 1):
                    y, x = v + sign * dv, u + sign * du
                    if 0 <= y < height and 0 <= x < width and metres[y, x] > 0:
                        rises.append(abs(float(metres[y, x]) - z))
                slopes.append(min(rises) / step)
            along = noise.sigma_m(np.array([z]))[0]
            found[v, u] = np.sqrt(along**2 + noise.lateral_px**2 * np.square(slopes).sum())
    return found


def test_on_a_wall_seen_head_on_only_noise_along_the_ray_counts():
    np.testing.assert_allclose(sigma_of(2.0), FLAT_M, rtol=1e-5)


@pytest.mark.parametrize("along_rows", [True, False])
def test_on_a_slanted_wall_half_a_pixel_is_half_of_what_it_falls_per_pixel(along_rows):
    # 2 m in the middle, 10 mm a pixel.
    shape = (1, 40) if along_rows else (30, 1)
    pixels = np.arange(max(shape)).reshape(shape)
    middle = max(shape) // 2
    sigma_m = sigma_of(2.0 + 0.010 * (pixels - middle))
    expected_m = np.hypot(FLAT_M, 0.005)
    assert sigma_m[15, 20] == pytest.approx(expected_m, rel=1e-4)


def test_an_edge_is_no_slope():
    metres = np.full((30, 40), 2.0)
    metres[:, 20:] = 3.0
    np.testing.assert_allclose(sigma_of(metres)[:, :20], FLAT_M, rtol=1e-5)


def test_what_is_thin_is_as_unsure_as_the_steepest_surface():
    metres = np.full((30, 40), 4.0)
    metres[:, 20] = 2.0
    expected_m = np.hypot(FLAT_M, 0.5 * 2.0 * STEEPEST)
    np.testing.assert_allclose(sigma_of(metres)[:, 20], expected_m, rtol=1e-4)


def test_without_depth_there_is_no_uncertainty():
    metres = np.full((30, 40), 2.0)
    metres[10:20, 10:20] = 0
    np.testing.assert_array_equal(sigma_of(metres) > 0, metres > 0)


def test_noise_of_depth_itself_hardly_counts_as_slope():
    rng = np.random.default_rng(0)
    noise = DepthNoise(name="even", constant_m=0.01, lateral_px=0.5)
    sigma_m = sigma_of(2.0 + 0.01 * rng.standard_normal((30, 40)), noise)
    assert np.median(sigma_m) < 1.02 * 0.01


def test_what_the_sensor_says_of_itself_is_kept():
    known = np.full((30, 40), 0.5, np.float32)
    depth = depth_map(2.0, known)
    assert with_uncertainty(depth, NOISE) is depth


def test_depth_and_everything_else_stay_as_they_are():
    depth = depth_map(2.0)
    found = with_uncertainty(depth, NOISE)
    assert found.metres is depth.metres
    assert found.sigma_m.dtype == np.float32


def test_the_kernel_does_what_numpy_does():
    rng = np.random.default_rng(3)
    metres = (1.0 + rng.integers(0, 3, (30, 40)) + 0.05 * rng.random((30, 40))).astype(np.float32)
    metres[rng.random((30, 40)) < 0.3] = 0
    np.testing.assert_allclose(sigma_of(metres), plainly(metres, NOISE), rtol=1e-4)


def test_maps_smaller_than_the_baseline_have_uncertainty_too():
    camera = Camera("depth", 3, 2, 40.0, 40.0, 1.0, 0.5)
    depth = DepthMap(np.full((2, 3), 2.0, np.float32), camera, 0)
    expected_m = np.hypot(FLAT_M, np.sqrt(2) * 0.5 * 2.0 * 10 * STEEPEST)
    np.testing.assert_allclose(with_uncertainty(depth, NOISE).sigma_m, expected_m, rtol=1e-4)


def slanted(z_m, angle_deg, columns=240):
    """A wall through the optical axis at z, turned about the vertical, by 1 / z = a + b x."""
    camera = Camera("depth", columns, 180, 585.0, 585.0, (columns - 1) / 2, 89.5)
    x = (np.arange(columns) - camera.cx) / camera.fx
    y = (np.arange(180) - camera.cy) / camera.fy
    tangent = np.tan(np.deg2rad(angle_deg))
    wall_m = np.broadcast_to(z_m / (1 - tangent * x), (180, columns)).astype(np.float32)
    along_normal = (1 - tangent * x) / np.hypot(1, tangent)
    cosine = along_normal / np.sqrt(1 + x**2 + y[:, np.newaxis] ** 2)
    return View(camera, wall_m, cosine.astype(np.float32), np.zeros(wall_m.shape, np.int32))


def errors_over_sigma(noise, views):
    """What a simulated sensor is off, over what it is said to be off."""
    found = []
    for seed, view in enumerate(views):
        depth = to_metres(measure(view, 0, noise, np.random.default_rng(seed)))
        depth = with_uncertainty(depth, model_of(noise, view.camera))
        seen = depth.valid
        found.append((depth.metres - view.z_m)[seen] / depth.sigma_m[seen])
    return np.concatenate(found)


@pytest.mark.parametrize("noise", ["kinect", "d435"])
@pytest.mark.parametrize("z_m", [0.8, 1.5, 2.5, 3.5])
def test_two_thirds_of_a_sensors_errors_are_within_one_sigma(noise, z_m):
    # Slightly turned, so that the steps of a Kinect's disparity are met everywhere.
    ratio = errors_over_sigma(noise, [slanted(z_m, 10)] * 4)
    assert np.percentile(np.abs(ratio), 68.27) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("noise", ["kinect", "d435"])
@pytest.mark.parametrize("angle_deg", [45, 60, 70])
def test_so_are_they_on_slanted_surfaces(noise, angle_deg):
    ratio = errors_over_sigma(noise, [slanted(1.5, angle_deg, columns=80)] * 8)
    assert np.percentile(np.abs(ratio), 68.27) == pytest.approx(1.0, abs=0.2)
