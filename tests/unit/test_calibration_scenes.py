"""What errs alike in a recording: scenes by time and motion, and results without each of them."""

import numpy as np
import pytest

from sensorfusion.calibration.left_out import covariance_by_leaving_out, larger_covariance
from sensorfusion.calibration.scenes import scenes_of
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_vector

SECOND_NS = 1_000_000_000
VIEW_RAD, REACH_M = 1.2, 10.0


def pose(x_m, turn_rad=0.0):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array([0.0, 0.0, turn_rad]))
    matrix[0, 3] = x_m
    return RigidTransform("world", "lidar", matrix)


def scenes(*poses, every_s=3):
    stamps_ns = np.arange(len(poses)) * every_s * SECOND_NS
    return scenes_of(stamps_ns, Trajectory(stamps_ns, list(poses)), VIEW_RAD, REACH_M).tolist()


def test_without_motion_each_two_seconds_are_a_scene():
    stamps_ns = np.array([0, 1, 2, 3, 7]) * SECOND_NS
    assert scenes_of(stamps_ns, None, VIEW_RAD, REACH_M).tolist() == [0, 0, 1, 1, 2]


def test_a_sensor_that_stands_still_sees_one_scene():
    assert scenes(*[pose(0.01 * k) for k in range(5)]) == [0, 0, 0, 0, 0]


def test_a_drive_comes_to_another_scene_half_way_to_what_it_sees():
    assert scenes(*[pose(2.0 * k) for k in range(7)]) == [0, 0, 0, 1, 1, 1, 2]


def test_what_is_seen_again_is_the_scene_that_it_was():
    assert scenes(pose(0.0), pose(0.0, 1.0), pose(0.0, 2.0), pose(0.2, 1.1), pose(0.0)) == [
        0, 1, 2, 1, 0,
    ]  # fmt: skip


def test_leaving_out_scenes_tells_the_deviation_of_a_mean():
    scene = np.repeat(np.arange(8), 5)
    values = np.random.default_rng(1).normal(0, 2, (8, 2))[scene]
    found = covariance_by_leaving_out(lambda rows: values[rows].mean(axis=0), scene)
    # Eight values, each seen five times: the covariance of their mean is theirs over eight.
    assert found == pytest.approx(np.cov(values[::5].T) / 8)


def test_three_scenes_are_too_few_to_leave_one_out():
    assert covariance_by_leaving_out(lambda rows: rows[:1] * 1.0, np.repeat([0, 4, 9], 4)) is None


def test_of_many_scenes_neighbours_are_left_out_together():
    left = []

    def result_of(rows):
        left.append(len(rows))
        return np.zeros(1)

    covariance_by_leaving_out(result_of, np.arange(40))
    assert left == [36] * 10


def test_the_larger_covariance_is_that_of_either_in_each_direction():
    found = larger_covariance(np.diag([4.0, 1.0]), np.diag([1.0, 9.0]))
    assert found == pytest.approx(np.diag([4.0, 9.0]))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    wide = turn @ np.diag([100.0, 0.0]) @ turn.T
    found = larger_covariance(np.eye(2), wide)
    assert found == pytest.approx(turn @ np.diag([100.0, 1.0]) @ turn.T)
