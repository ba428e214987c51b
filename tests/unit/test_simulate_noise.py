"""Noise profiles: as large, as alike and as one-sided as their sensors are."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.simulate.noise import measure
from sensorfusion.simulate.sensor import View

CAMERA = Camera("depth", 320, 240, 385.7, 385.7, 160.0, 120.0)
FB_PX_M = 385.7 * 0.05


def _view(z_m, cosine=1.0):
    z_m = np.broadcast_to(np.asarray(z_m, dtype=np.float32), (240, 320)).copy()
    return View(CAMERA, z_m, np.full_like(z_m, cosine), np.zeros(z_m.shape, np.int32))


def _metres(view, noise, seed=0):
    raw = measure(view, 0, noise, np.random.default_rng([seed, 0]))
    return raw.values.astype(np.float64) * raw.unit_m


def _square():
    """A square at 1 m, columns 150 to 199, rows 80 to 159, before a wall at 2 m."""
    z_m = np.full((240, 320), 2.0)
    z_m[80:160, 150:200] = 1.0
    return _view(z_m)


def test_no_noise_is_exact_metres():
    view = _view(1.234)
    raw = measure(view, 7, "none", np.random.default_rng(0))
    assert (raw.unit_m, raw.timestamp_ns, raw.values.dtype) == (1.0, 7, np.float32)
    np.testing.assert_array_equal(raw.values, view.z_m)


@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_sensors_report_millimetres_in_16_bits(noise):
    raw = measure(_view(1.0), 0, noise, np.random.default_rng(0))
    assert (raw.unit_m, raw.values.dtype) == (0.001, np.uint16)


@pytest.mark.parametrize(("z_m", "sigma_m"), [(1.0, 0.00188), (2.0, 0.00606), (3.0, 0.01404)])
def test_kinect_noise_grows_as_nguyen_measured(z_m, sigma_m):
    # Slightly tilted, so that the quantiser's steps are met everywhere.
    planes = _view(np.linspace(0.98, 1.02, 320) * z_m)
    error = _metres(planes, "kinect") - planes.z_m
    assert error.std() == pytest.approx(sigma_m, rel=0.15)
    assert abs(error.mean()) < 0.15 * sigma_m


def test_kinect_depth_comes_in_steps_of_an_eighth_of_a_pixel():
    found = np.unique(_metres(_view(3.0), "kinect"))
    eighths = 8 * 580 * 0.075 / found
    assert np.abs(np.round(eighths) - eighths).max() < 0.03


@pytest.mark.parametrize("z_m", [1.0, 2.0, 4.0])
def test_d435_disparity_noise_is_8_hundredths_of_a_pixel(z_m):
    errors = []
    for seed in range(4):
        found = _metres(_view(z_m), "d435", seed)
        errors.append(FB_PX_M / found[found > 0] - FB_PX_M / z_m)
    assert np.concatenate(errors).std() == pytest.approx(0.08, rel=0.12)


def test_d435_noise_is_alike_over_about_nine_pixels():
    found = _metres(_view(2.0), "d435")
    error = np.where(found > 0, found - 2.0, 0.0)[:, 40:]

    def alike(lag):
        return (error[:, lag:] * error[:, :-lag]).mean() / (error**2).mean()

    assert alike(3) > 0.6
    assert 0.15 < alike(5) < 0.6
    assert abs(alike(14)) < 0.12


def test_d435_depth_comes_in_steps_of_a_32nd_of_a_pixel():
    found = np.unique(_metres(_view(4.0), "d435"))
    steps = 32 * FB_PX_M / found[found > 0]
    assert np.abs(np.round(steps) - steps).max() < 0.05


@pytest.mark.parametrize(("noise", "baseline_m"), [("kinect", 0.075), ("d435", 0.05)])
def test_shadows_lie_left_of_near_things_only(noise, baseline_m):
    lost = _metres(_square(), noise)[90:150] == 0
    # The second eye sees the square f b (1/1 - 1/2) pixels farther left than the wall.
    width_px = 385.7 * baseline_m * 0.5
    first = 150 - int(width_px)
    assert lost[:, first:150].mean() > 0.9
    assert lost[:, 200:230].mean() < 0.03
    assert lost[:, 60 : first - 4].mean() < 0.03


def test_the_d435_is_blind_where_its_second_imager_does_not_reach():
    found = _metres(_view(1.0), "d435")
    # 19.3 px of disparity at 1 m.
    assert (found[:, :18] == 0).all()
    assert (found[:, 22:] > 0).mean() > 0.98


def test_the_d435_invents_depth_between_near_and_far_at_silhouettes():
    found = _metres(_square(), "d435")
    between = (found > 1.15) & (found < 1.75)
    rows, columns = np.nonzero(between)
    assert between.sum() > 50
    assert (
        (np.abs(rows - 79.5) < 2)
        | (np.abs(rows - 159.5) < 2)
        | (np.abs(columns - 199.5) < 2)
        | (np.abs(columns - 149.5) < 2)
    ).all()


@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_surfaces_seen_at_grazing_incidence_are_lost(noise):
    assert (_metres(_view(1.5, cosine=0.05), noise) == 0).mean() > 0.25
    assert (_metres(_view(1.5, cosine=0.8), noise)[:, 40:] == 0).mean() < 0.02


@pytest.mark.parametrize(("noise", "near_m", "far_m"), [("kinect", 0.45, 4.8), ("d435", 0.25, 7.0)])
def test_depth_outside_of_the_range_is_not_reported(noise, near_m, far_m):
    assert not _metres(_view(near_m), noise).any()
    assert (_metres(_view(far_m), noise) == 0).mean() > 0.95


@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_the_same_seed_gives_the_same_noise_and_another_another(noise):
    first, again, other = (_metres(_square(), noise, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_pixels_that_hit_nothing_stay_empty(noise):
    assert not _metres(_view(0.0), noise).any()
