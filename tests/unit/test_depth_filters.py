import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.filters import jump_tolerance, limit_range, remove_flying_pixels
from sensorfusion.depth_map import DepthMap, Origin

CAMERA = Camera("depth", 320, 240, 585.0, 585.0, 159.5, 119.5)


def depth_map(metres, camera=CAMERA, **layers):
    return DepthMap(np.ascontiguousarray(metres, np.float32), camera, 3, **layers)


def wall(metres):
    return np.full((240, 320), metres, np.float32)


def kept(depth):
    filtered = remove_flying_pixels(depth)
    return float((filtered.metres > 0).sum() / (depth.metres > 0).sum())


def tilted(distance_m, tilt_deg):
    """z of a plane whose normal is tilted about the vertical axis."""
    x = (np.arange(320) - CAMERA.cx) / CAMERA.fx
    return np.tile(distance_m / (1 + x * np.tan(np.deg2rad(tilt_deg))), (240, 1))


def reference(metres, slope, noise_per_m):
    """The rule as the documentation says it, one pixel after the other."""
    padded = np.pad(metres.astype(np.float64), 1)
    out = metres.copy()
    for v, u in np.argwhere(metres > 0):
        around = padded[v : v + 3, u : u + 3].ravel()
        z = around[4]
        tolerance = z * (slope + noise_per_m * z)
        nearer = (around > 0) & (around < z - tolerance)
        farther = around > z + tolerance
        support = int(((around > 0) & ~nearer & ~farther).sum()) - 1
        between = bool((nearer & farther[::-1]).any())
        jump = bool((nearer | farther).any())
        if (between and support <= 4) or (jump and support <= 2):
            out[v, u] = 0
    return out


def test_what_is_out_of_range_goes_and_says_why():
    metres = wall(1.0)
    metres[0, :6] = [0.0, 0.05, 0.1, 3.0, 3.5, 1e9]
    limited = limit_range(depth_map(metres), 0.1, 3.0)
    np.testing.assert_array_equal(
        limited.metres[0, :6], np.array([0, 0, 0.1, 3.0, 0, 0], np.float32)
    )
    names = [Origin(value).name for value in limited.origin[0, :7]]
    assert names == [
        "NO_RETURN", "TOO_NEAR", "MEASURED", "MEASURED", "TOO_FAR", "TOO_FAR", "MEASURED",
    ]  # fmt: skip


def test_the_input_of_a_filter_stays_as_it_was():
    metres, origin = wall(1.0), np.ones((240, 320), np.uint8)
    metres[:, 160:] = 2.0
    metres[:, 160] = 1.5
    before = metres.copy()
    remove_flying_pixels(limit_range(depth_map(metres, origin=origin), 0.1, 1.7))
    np.testing.assert_array_equal(metres, before)
    assert (origin == Origin.MEASURED).all()


def test_an_origin_that_is_known_is_kept():
    origin = np.full((240, 320), Origin.FILLED, np.uint8)
    filtered = remove_flying_pixels(limit_range(depth_map(wall(1.0), origin=origin), 0.1, 3.0))
    assert (filtered.origin == Origin.FILLED).all()


def test_the_deviation_of_a_removed_pixel_is_zero():
    metres = wall(1.0)
    metres[0, 0] = 9.0
    limited = limit_range(depth_map(metres, sigma_m=wall(0.01)), 0.1, 3.0)
    assert limited.sigma_m[0, 0] == 0
    assert limited.sigma_m[0, 1] == np.float32(0.01)


@pytest.mark.parametrize("width_px", [1, 2, 3, 6])
def test_a_ramp_between_a_near_edge_and_the_wall_behind_it_is_removed(width_px):
    metres = wall(2.0)
    metres[:, :100] = 1.0
    metres[:, 100 : 100 + width_px] = np.linspace(1, 2, width_px + 2)[1:-1]
    filtered = remove_flying_pixels(depth_map(metres))
    np.testing.assert_array_equal(filtered.metres[:, 100 : 100 + width_px], 0)
    assert (filtered.origin[:, 100 : 100 + width_px] == Origin.FILTERED).all()
    np.testing.assert_array_equal(filtered.metres[:, :100], 1)
    np.testing.assert_array_equal(filtered.metres[:, 100 + width_px :], 2)


def test_a_flying_pixel_on_a_slanted_edge_is_removed():
    u, v = np.meshgrid(np.arange(320), np.arange(240))
    signed_px = (u - 160) * np.cos(0.4) + (v - 120) * np.sin(0.4)
    share = np.clip(signed_px / 2 + 0.5, 0, 1)
    metres = 1.0 + share
    filtered = remove_flying_pixels(depth_map(metres))
    flying = (share > 0.05) & (share < 0.95)
    inner = (slice(1, -1), slice(1, -1))
    assert (filtered.metres[inner][flying[inner]] == 0).mean() > 0.99
    assert (filtered.metres[inner][~flying[inner]] > 0).mean() > 0.99


def test_flying_pixels_beside_a_shadow_without_depth_are_removed():
    metres = wall(2.0)
    metres[:, :100] = 1.0
    metres[:, 100] = 1.4
    metres[:, 101:105] = 0.0
    filtered = remove_flying_pixels(depth_map(metres))
    np.testing.assert_array_equal(filtered.metres[:, 100], 0)
    np.testing.assert_array_equal(filtered.metres[:, 99], 1)
    np.testing.assert_array_equal(filtered.metres[:, 105], 2)


@pytest.mark.parametrize("width_px", [2, 3])
def test_a_thin_pole_before_a_wall_stays_whole(width_px):
    metres = wall(3.0)
    metres[:, 150 : 150 + width_px] = 1.0
    np.testing.assert_array_equal(remove_flying_pixels(depth_map(metres)).metres, metres)


def test_a_step_between_two_walls_loses_nothing():
    metres = wall(2.0)
    metres[60:180, 80:240] = 1.0
    np.testing.assert_array_equal(remove_flying_pixels(depth_map(metres)).metres, metres)


def test_holes_alone_remove_nothing():
    metres = wall(2.0)
    metres[np.random.default_rng(1).random(metres.shape) < 0.7] = 0
    np.testing.assert_array_equal(remove_flying_pixels(depth_map(metres)).metres, metres)


@pytest.mark.parametrize("distance_m", [1.0, 3.0, 4.0])
@pytest.mark.parametrize("tilt_deg", [0.0, 45.0, 70.0])
def test_a_plane_in_the_quantised_noise_of_a_kinect_keeps_its_pixels(distance_m, tilt_deg):
    # Disparity in steps of 1/8 px with a baseline of 75 mm: 4.6 cm between values at 4 m.
    disparity_px = 585 * 0.075 / tilted(distance_m, tilt_deg)
    noise_px = np.random.default_rng(2).normal(0, 0.06, disparity_px.shape)
    metres = 585 * 0.075 / (np.round((disparity_px + noise_px) * 8) / 8)
    assert kept(depth_map(metres)) > 0.99


@pytest.mark.parametrize("distance_m", [1.0, 3.0, 4.0])
def test_a_plane_in_the_correlated_noise_of_a_d435_keeps_its_pixels(distance_m):
    camera = Camera("depth", 320, 240, 385.0, 385.0, 159.5, 119.5)
    noise_px = np.random.default_rng(3).normal(0, 1, (248, 328))
    noise_px = np.lib.stride_tricks.sliding_window_view(noise_px, (9, 9)).mean(axis=(2, 3))
    noise_px *= 0.1 / noise_px.std()
    disparity_px = 385 * 0.05 / distance_m + noise_px
    metres = 385 * 0.05 / (np.round(disparity_px * 32) / 32)
    assert kept(depth_map(metres, camera)) > 0.99


def test_a_surface_seen_at_eighty_degrees_stays_and_one_at_eighty_seven_goes():
    # Near the axis z changes by tan(angle) / f of itself from pixel to pixel: 0.97 % and 3.3 %.
    steep = 1.0 * (1 + np.tan(np.deg2rad(80)) / 585) ** np.arange(-20, 20)
    steeper = 1.0 * (1 + np.tan(np.deg2rad(87)) / 585) ** np.arange(-20, 20)
    metres = np.zeros((240, 320))
    metres[:, :40], metres[:, 100:140] = steep, steeper
    filtered = remove_flying_pixels(depth_map(metres)).metres
    np.testing.assert_array_equal(filtered[:, :40], metres[:, :40].astype(np.float32))
    np.testing.assert_array_equal(filtered[:, 100:140], 0)


def test_random_depth_is_filtered_as_the_plain_rule_says():
    rng = np.random.default_rng(4)
    coarse = rng.choice([0.0, 0.5, 0.51, 0.53, 1.0, 1.02, 1.05, 2.0], (24, 32))
    metres = np.kron(coarse, np.ones((2, 2))) + rng.normal(0, 0.003, (48, 64))
    metres = np.where(metres > 0.3, metres, 0).astype(np.float32)
    camera = Camera("depth", 64, 48, 300.0, 310.0, 31.5, 23.5)
    slope, noise_per_m = jump_tolerance(camera)
    assert slope == pytest.approx(8.1443 / 300, rel=1e-4)
    filtered = remove_flying_pixels(depth_map(metres, camera))
    expected = reference(metres, slope, noise_per_m)
    assert 0 < (expected != metres).sum() < metres.size
    np.testing.assert_array_equal(filtered.metres, expected)
    np.testing.assert_array_equal(filtered.origin == Origin.FILTERED, expected != metres)
