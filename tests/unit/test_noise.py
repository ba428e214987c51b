"""Noise models: what is published, and where they end."""

import math

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig


def test_stereo_noise_is_the_noise_of_disparity_seen_as_depth():
    # f b = 20 px m: a metre and a half is 13.333 px, and 0.08 px less is 1.50905 m.
    sigma_m = DepthNoise.stereo(0.05, 400.0, 0.08).sigma_m(np.array([1.5]))
    assert sigma_m[0] == pytest.approx(20 / (20 / 1.5 - 0.08) - 1.5, rel=0.01)


@pytest.mark.parametrize(
    ("z_m", "sigma_m"), [(0.4, 0.0012), (1.0, 0.001884), (2.0, 0.006064), (3.0, 0.014044)]
)
def test_structured_light_is_as_noisy_as_nguyen_measured(z_m, sigma_m):
    assert DepthNoise.structured_light().sigma_m(np.array([z_m]))[0] == pytest.approx(sigma_m)


@pytest.mark.parametrize(("z_m", "sigma_m"), [(1.0, 0.0025), (9.0, 0.0155)])
def test_time_of_flight_is_as_noisy_as_the_data_sheet_says(z_m, sigma_m):
    found = DepthNoise.time_of_flight().sigma_m(np.array([z_m]))[0]
    assert found == pytest.approx(sigma_m, rel=0.05)


def test_spread_keeps_shape_and_precision():
    sigma_m = DepthNoise.unknown().sigma_m(np.ones((3, 4), np.float32))
    assert (sigma_m.shape, sigma_m.dtype) == ((3, 4), np.float32)


@pytest.mark.parametrize(
    ("noise", "bound_m", "range_m"),
    [
        # 0.0012 + 0.0019 (z - 0.4)^2 = 0.0202 at z - 0.4 = sqrt(10)
        (DepthNoise.structured_light(), 0.0202, 0.4 + math.sqrt(10)),
        (DepthNoise.stereo(0.05, 400.0, 0.08), 0.016, 2.0),
        (DepthNoise(name="line", constant_m=0.001, linear=0.002), 0.007, 3.0),
        (DepthNoise(name="same everywhere", constant_m=0.001), 0.007, math.inf),
        (DepthNoise(name="same everywhere", constant_m=0.01), 0.007, 0.0),
        (DepthNoise(name="parabola", constant_m=0.01, quadratic_per_m=0.001), 0.007, 0.0),
        (DepthNoise.structured_light(), 0.001, 0.0),
    ],
)
def test_range_ends_where_the_spread_reaches_its_bound(noise, bound_m, range_m):
    assert noise.range_m(bound_m) == pytest.approx(range_m)


@pytest.mark.parametrize(
    "values",
    [
        {"constant_m": -0.001},
        {"quadratic_per_m": -0.001},
        {"linear": -0.001},
        {"constant_m": 0.001, "linear": -0.003, "quadratic_per_m": 0.002},
        {"lateral_px": -1.0},
        {"correlation_px": math.nan},
    ],
)
def test_a_spread_that_is_somewhere_negative_is_refused(values):
    with pytest.raises(CalibrationError, match="nowhere negative"):
        DepthNoise(name="odd", **values)


@pytest.mark.parametrize(("baseline_m", "focal_px"), [(0.0, 400.0), (0.05, -1.0)])
def test_stereo_without_a_baseline_or_a_focal_length_is_refused(baseline_m, focal_px):
    with pytest.raises(CalibrationError, match="expected positive"):
        DepthNoise.stereo(baseline_m, focal_px)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Intel RealSense D435", DepthNoise.stereo(0.050, 400.0)),
        ("Intel RealSense D435IF", DepthNoise.stereo(0.050, 400.0)),
        ("d415", DepthNoise.stereo(0.055, 400.0)),
        ("Intel RealSense D457", DepthNoise.stereo(0.095, 400.0)),
        ("Intel RealSense D405", DepthNoise.stereo(0.018, 400.0)),
        ("Intel RealSense D499", DepthNoise.stereo(0.050, 400.0)),
        ("Intel RealSense L515", DepthNoise.time_of_flight()),
        ("Intel RealSense SR300", DepthNoise.structured_light()),
        ("kinect", DepthNoise.structured_light()),
        ("Azure Kinect", DepthNoise.unknown()),
        ("", DepthNoise.unknown()),
    ],
)
def test_a_product_has_the_noise_of_its_kind(name, expected):
    assert DepthNoise.of_device(name, 400.0) == expected


def test_a_rig_knows_the_noise_of_the_cameras_it_was_told_of():
    cameras = {"depth": Camera("depth", 4, 3, 10.0, 10.0, 1.5, 1.0)}
    kinect = DepthNoise.structured_light()
    assert Rig(cameras, depth_noise={"depth": kinect}).noise_of("depth") == kinect
    assert Rig(cameras).noise_of("depth") == DepthNoise.unknown()


def test_noise_of_a_camera_that_the_rig_has_not_is_refused():
    with pytest.raises(CalibrationError, match="'left'; there are none"):
        Rig({}, depth_noise={"left": DepthNoise.unknown()})
