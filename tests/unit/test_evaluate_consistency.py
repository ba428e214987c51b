"""Depth that means the same metres in every frame, and depth that does not."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.consistency import ConsistencyCheck, log_ratios
from sensorfusion.transform import RigidTransform

CAMERA = Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5)


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
