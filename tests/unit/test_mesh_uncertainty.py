"""From the weights in the volume to how far each vertex may be off."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.mesh.uncertainty import with_errors
from sensorfusion.noise import DepthNoise
from sensorfusion.triangle_mesh import TriangleMesh

CAMERA = Camera("depth", 640, 480, 400.0, 400.0, 319.5, 239.5)
TRIANGLE = np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)
MESH = TriangleMesh(*TRIANGLE, sigma_m=np.full(3, 0.002, np.float32))


def stated_m(noise, tracking_sigma_m=0.0):
    mesh = with_errors(MESH, noise, CAMERA, 0.01, tracking_sigma_m)
    assert mesh.sigma_m is not None
    return mesh.sigma_m


def test_between_two_independent_voxels_half_of_the_variance_is_left():
    alone = DepthNoise(name="each pixel for itself", constant_m=0.002)
    np.testing.assert_allclose(stated_m(alone), 0.94 * 0.002 * np.sqrt(1 / 2), rtol=1e-5)


def test_voxels_that_err_alike_gain_nothing_from_one_another():
    alike = DepthNoise(name="all alike", constant_m=0.002, correlation_px=1e4)
    np.testing.assert_allclose(stated_m(alike), 0.94 * 0.002, rtol=1e-5)


def test_what_tracking_errs_is_added_in_squares():
    alike = DepthNoise(name="all alike", constant_m=0.002, correlation_px=1e4)
    np.testing.assert_allclose(stated_m(alike, 0.0024), np.hypot(0.00188, 0.0024), rtol=1e-5)


def test_a_mesh_without_sigma_stays_without():
    mesh = TriangleMesh(*TRIANGLE)
    assert with_errors(mesh, DepthNoise.unknown(), CAMERA, 0.01, 0.001) is mesh


def test_the_variance_between_two_pixels_falls_with_their_distance():
    noise = DepthNoise(name="some", constant_m=0.002, correlation_px=2.0)
    # Correlation 1/e two pixels apart.
    assert noise.variance_between(2.0) == pytest.approx(1 - (1 - np.exp(-1)) / 2)
    assert noise.variance_between(0.0) == 1.0
