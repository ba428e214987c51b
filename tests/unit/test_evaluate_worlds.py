"""How one world lies in another."""

import numpy as np
import pytest

from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.worlds import fit_world
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_vector


def transform(target, source, vector_rad, translation_m):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(vector_rad, dtype=float))
    matrix[:3, 3] = translation_m
    return RigidTransform(target, source, matrix)


POSES = [
    transform("world", "camera", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    transform("world", "camera", (0.0, 0.2, 0.0), (0.1, 0.0, 0.0)),
    transform("world", "camera", (0.1, 0.3, 0.0), (0.2, 0.1, 0.0)),
]
STAMPS = [0, 100_000_000, 200_000_000]


def test_the_motion_between_two_worlds_is_found():
    T_truth_world = transform("truth", "world", (0.3, -0.5, 1.2), (1.0, -2.0, 0.5))
    estimate = Trajectory(STAMPS, POSES)
    found = fit_world(estimate, estimate.moved(T_truth_world))
    np.testing.assert_allclose(found.matrix, T_truth_world.matrix, atol=1e-12)
    assert found.name == "T_truth_estimate"


def test_a_camera_that_only_turned_is_enough():
    still = [
        transform("world", "camera", vector, (0.0, 0.0, 0.0)) for vector in ((0, 0, 0), (0, 1, 0))
    ]
    T_truth_world = transform("truth", "world", (0.0, 0.0, 0.7), (3.0, 0.0, 0.0))
    estimate = Trajectory(STAMPS[:2], still)
    found = fit_world(estimate, estimate.moved(T_truth_world))
    np.testing.assert_allclose(found.matrix, T_truth_world.matrix, atol=1e-12)


def test_poses_of_another_time_do_not_count():
    estimate = Trajectory(STAMPS, POSES)
    late = Trajectory([stamp + 30_000_000 for stamp in STAMPS], POSES)
    with pytest.raises(EvaluationError, match="none of 3 poses matches one of 3 true poses"):
        fit_world(estimate, late)
