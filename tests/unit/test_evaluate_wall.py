"""Noise around a plane that is known exactly."""

import numpy as np
import pytest

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.distortion import Distortion
from sensorfusion.evaluate.wall import wall_noise

LENS = Distortion("brown_conrady", (0.1, -0.2, 0.001, -0.001, 0.05))
CAMERA = Camera("depth", 160, 120, 150.0, 150.0, 80.0, 60.0, LENS)


def slanted_wall(sigma_m=0.0):
    """z of the plane 0.3 x - 0.2 y + z = 2 m, and noise of z."""
    rays = ray_table(CAMERA)
    z_m = 2.0 / (0.3 * rays[..., 0] - 0.2 * rays[..., 1] + 1.0)
    return z_m + np.random.default_rng(0).normal(0, sigma_m, z_m.shape)


def measured(z_m):
    return wall_noise(DepthMap(z_m.astype(np.float32), CAMERA, 0))


def test_a_perfect_wall_has_no_noise_however_it_is_slanted():
    found = measured(slanted_wall())
    assert found.sigma_m < 1e-6
    assert found.on_plane > 0.99
    assert found.distance_m == pytest.approx(2.0, abs=0.02)


def test_noise_comes_out_as_it_went_in():
    found = measured(slanted_wall(0.004))
    assert found.sigma_m == pytest.approx(0.004, rel=0.05)
    # Three standard deviations hold 99.7 % of a normal distribution.
    assert found.on_plane == pytest.approx(0.997, abs=0.004)


def test_a_thing_before_the_wall_is_not_noise_but_not_on_the_plane_either():
    z_m = slanted_wall(0.004)
    z_m[50:70, 60:100] = 1.0
    found = measured(z_m)
    assert found.sigma_m == pytest.approx(0.004, rel=0.1)
    # 20 x 40 of the 60 x 80 pixels in the middle.
    assert found.on_plane == pytest.approx(1 - 800 / 4800, abs=0.01)


def test_holes_are_told_as_fill():
    z_m = slanted_wall(0.004)
    z_m[:, ::4] = 0
    assert measured(z_m).fill == 0.75


def test_too_little_depth_is_no_wall():
    assert measured(np.zeros((120, 160))) is None
