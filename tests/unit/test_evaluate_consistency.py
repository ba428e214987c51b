"""Depth that means the same metres in every frame, and depth that does not."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap
from sensorfusion.distortion import Distortion
from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.consistency import SCANS_APART, ConsistencyCheck, log_ratios
from sensorfusion.transform import RigidTransform

CAMERA = Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5)
# A full turn in 360 columns, and 41 rows from 20 degrees below to 20 above.
PER_RAD = 180 / np.pi
AROUND = Camera("scan", 360, 41, PER_RAD, PER_RAD, 179.5, 20.0, Distortion("spherical"))


def wall(z_m):
    return DepthMap(np.full((120, 160), z_m, np.float32), CAMERA, 0)


def forward(z_m):
    matrix = np.eye(4)
    matrix[2, 3] = z_m
    return RigidTransform("world", "depth", matrix)


def checked(scale_of_frame, frames=41, step_m=0.01):
    """A camera that moves towards a wall at 3 m, its depth scaled as the function says."""
    check = ConsistencyCheck()
    for n in range(frames):
        check.add(wall((3.0 - n * step_m) * scale_of_frame(n)), forward(n * step_m))
    return check.result()


def test_a_wall_approached_in_true_metres_agrees():
    result = checked(lambda n: 1.0)
    assert result.pairs == 4
    assert abs(result.median_log_ratio) < 1e-6
    assert result.spread_log_ratio < 1e-6


def test_a_scale_that_grows_by_a_percent_in_ten_frames_shows_as_a_percent():
    # Depth of the earlier frame is moved by 0.1 m of true motion: (3 s - 0.1) / (2.9 s 1.01).
    result = checked(lambda n: 1.01 ** (n / 10), frames=11)
    assert result.median_log_ratio == pytest.approx(np.log(2.9 / (2.9 * 1.01)), abs=1e-6)


def test_a_scale_that_jumps_shows_in_the_spread():
    result = checked(lambda n: 1.0 if (n // 10) % 2 else 1.1, frames=81)
    assert result.spread_log_ratio > 0.05


def test_points_that_the_other_frame_does_not_see_are_left_out():
    half = wall(2.0).metres.copy()
    half[:, :80] = 0
    ratios = log_ratios(
        wall(2.0), DepthMap(half, CAMERA, 0), RigidTransform.identity("depth", "depth")
    )
    # Every second pixel of 160 x 120, and half of those.
    assert ratios.size == 80 * 60 / 2
    np.testing.assert_allclose(ratios, 0, atol=1e-7)


def test_frames_that_share_no_surface_cannot_be_compared():
    check = ConsistencyCheck()
    for n in range(11):
        check.add(wall(2.0 if n == 0 else 0.0), forward(0.0))
    with pytest.raises(EvaluationError, match="no two of 11 frames"):
        check.result()


def inside_a_ball(x_m, radius_m=10.0, scale=1.0):
    """Range to a ball around the world's origin, seen from x on its inside."""
    v, u = np.mgrid[0:41, 0:360]
    across, down = (u - 179.5) / PER_RAD, (v - 20.0) / PER_RAD
    along_x = np.cos(down) * np.sin(across)
    # |(x, 0, 0) + r d| = radius, solved for r.
    range_m = -x_m * along_x + np.sqrt(x_m**2 * (along_x**2 - 1) + radius_m**2)
    return DepthMap((range_m * scale).astype(np.float32), AROUND, 0)


def aside(x_m):
    matrix = np.eye(4)
    matrix[0, 3] = x_m
    return RigidTransform("scan", "scan", matrix)


def test_range_images_of_a_lidar_agree_from_two_places():
    # From 2 m aside: what lay at x is now at x - 2.
    ratios = log_ratios(inside_a_ball(0.0), inside_a_ball(2.0), aside(-2.0))
    assert ratios.size > 3000
    assert np.abs(np.median(ratios)) < 1e-4
    assert np.abs(ratios).max() < 1e-3


def test_the_last_column_of_a_turn_is_beside_the_first():
    behind = inside_a_ball(0.0).metres.copy()
    behind[:, 1:-1] = 0
    back = RigidTransform("scan", "scan", turned_about_y(0.5 / PER_RAD))
    ratios = log_ratios(DepthMap(behind, AROUND, 0), inside_a_ball(0.0), back)
    assert ratios.size > 0
    np.testing.assert_allclose(ratios, 0, atol=1e-6)


def turned_about_y(angle_rad):
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, 0, sine, 0], [0, 1, 0, 0], [-sine, 0, cosine, 0], [0, 0, 0, 1]])


def test_ranges_that_are_a_percent_too_long_show_as_a_percent():
    ratios = log_ratios(inside_a_ball(0.0, scale=1.01), inside_a_ball(0.0), aside(0.0))
    assert np.median(ratios) == pytest.approx(np.log(1.01), abs=1e-5)


def test_edges_of_a_range_image_are_left_out():
    now = inside_a_ball(0.0).metres.copy()
    now[:, 180:] = 5.0
    ratios = log_ratios(inside_a_ball(0.0), DepthMap(now, AROUND, 0), aside(0.0))
    # Either side as it is; nothing between 5 m and 10 m was made up.
    assert set(np.round(ratios, 4)) == {0.0, round(np.log(2.0), 4)}


def test_scans_are_compared_three_apart():
    check = ConsistencyCheck(SCANS_APART)
    for n in range(10):
        check.add(inside_a_ball(0.3 * n), world_from(0.3 * n))
    assert check.result().pairs == 3
    assert abs(check.result().median_log_ratio) < 1e-4


def world_from(x_m):
    matrix = np.eye(4)
    matrix[0, 3] = x_m
    return RigidTransform("world", "scan", matrix)
