import numpy as np
import pytest

from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.trajectory import compare_trajectories
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_vector

PERIOD_NS = 33_333_333


def pose(rotation_vector, position):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(rotation_vector, dtype=float))
    matrix[:3, 3] = position
    return RigidTransform("world", "camera", matrix)


def walk(count=100, start=0):
    """A helix: positions that no line or plane holds."""
    angles = 0.1 * np.arange(count)
    return Trajectory(
        [start + i * PERIOD_NS for i in range(count)],
        [pose([0, 0, a], [np.cos(a), np.sin(a), 0.05 * a]) for a in angles],
    )


def test_the_truth_has_no_error_in_another_world():
    truth = walk()
    elsewhere = RigidTransform("elsewhere", "world", pose([0.3, -1, 2], [5, 6, -7]).matrix)
    found = compare_trajectories(truth.moved(elsewhere), truth)
    assert found.ate_rmse_m == pytest.approx(0, abs=1e-12)
    assert found.rpe_1_rmse_m == pytest.approx(0, abs=1e-12)
    assert found.rpe_30_rmse_rad == pytest.approx(0, abs=1e-9)
    assert found.scale == pytest.approx(1)
    assert (found.matched, found.coverage) == (100, 1)


def test_the_absolute_error_is_the_distance_that_alignment_leaves():
    # A cross whose four arms are 1 m; one axis is estimated 1.1 m: no motion helps, so two of
    # four poses are 0.1 m off: the root mean square is 0.1 / sqrt(2).
    cross = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=float)
    stamps = [0, 1, 2, 3]
    truth = Trajectory(stamps, [pose([0, 0, 0], p) for p in cross])
    estimate = Trajectory(stamps, [pose([0, 0, 0], p * [1.1, 1, 1]) for p in cross])
    found = compare_trajectories(estimate, truth)
    assert found.ate_rmse_m == pytest.approx(0.1 / np.sqrt(2))
    # sum of x.y over sum of x.x: (2 * 1.1 + 2) / (2 * 1.21 + 2).
    assert found.scale == pytest.approx(4.2 / 4.42)


def test_a_drift_of_1_mm_a_frame_is_1_mm_over_1_frame_and_30_mm_over_30():
    truth = Trajectory(
        [i * PERIOD_NS for i in range(50)], [pose([0, 0, 0], [0, 0, 0.01 * i]) for i in range(50)]
    )
    estimate = Trajectory(
        truth.timestamps_ns.tolist(), [pose([0, 0, 0], [0, 0, 0.011 * i]) for i in range(50)]
    )
    found = compare_trajectories(estimate, truth)
    assert found.rpe_1_rmse_m == pytest.approx(0.001)
    assert found.rpe_30_rmse_m == pytest.approx(0.030)
    assert found.rpe_30_rmse_rad == pytest.approx(0, abs=1e-9)


def test_a_turn_of_2_mrad_a_frame_is_60_mrad_over_30():
    stamps = [i * PERIOD_NS for i in range(50)]
    positions = [[np.cos(i), np.sin(i), 0] for i in range(50)]
    truth = Trajectory(stamps, [pose([0, 0, 0], p) for p in positions])
    estimate = Trajectory(stamps, [pose([0, 0.002 * i, 0], p) for i, p in enumerate(positions)])
    found = compare_trajectories(estimate, truth)
    assert found.rpe_1_rmse_rad == pytest.approx(0.002)
    assert found.rpe_30_rmse_rad == pytest.approx(0.060)
    assert found.ate_rmse_m == pytest.approx(0, abs=1e-12)


def test_a_mirrored_trajectory_is_not_mirrored_back():
    truth = walk()
    mirrored = Trajectory(
        truth.timestamps_ns.tolist(),
        [pose([0, 0, 0], p.translation_m * (1, 1, -1)) for p in truth.poses],
    )
    assert compare_trajectories(mirrored, truth).ate_rmse_m > 0.05


def test_coverage_is_the_share_of_true_poses_that_have_an_estimate():
    truth = walk(100)
    half = Trajectory(truth.timestamps_ns[:50].tolist(), truth.poses[:50])
    found = compare_trajectories(half, truth)
    assert (found.matched, found.coverage) == (50, 0.5)


def test_a_gap_in_the_estimate_is_no_error_over_one_frame():
    truth = walk(100)
    keep = [i for i in range(100) if not 40 <= i < 60]
    estimate = Trajectory(truth.timestamps_ns[keep].tolist(), [truth.poses[i] for i in keep])
    shifted = pose([0, 0, 0], [0, 0, 5]).matrix
    world = RigidTransform("world", "world", shifted)
    jumped = Trajectory(
        estimate.timestamps_ns.tolist(),
        [p if i < 40 else world @ p for i, p in zip(keep, estimate.poses, strict=True)],
    )
    found = compare_trajectories(jumped, truth)
    assert found.rpe_1_rmse_m == pytest.approx(0, abs=1e-12)
    assert found.ate_rmse_m > 0.5


def test_too_few_frames_have_no_error_over_30():
    found = compare_trajectories(walk(30), walk(30))
    assert found.rpe_30_rmse_m is None
    assert found.rpe_30_rmse_rad is None
    assert found.rpe_1_rmse_m == pytest.approx(0, abs=1e-12)


def test_a_camera_that_stands_still_has_no_scale():
    still = Trajectory([0, 1, 2], [pose([0, 0, 0], [1, 2, 3])] * 3)
    found = compare_trajectories(still, still)
    assert found.scale is None
    assert found.ate_rmse_m == pytest.approx(0, abs=1e-12)


def test_trajectories_of_different_times_cannot_be_compared():
    with pytest.raises(EvaluationError, match=r"0 poses match within 20 ms.*100\.000 s"):
        compare_trajectories(walk(start=100 * 10**9), walk())
    with pytest.raises(EvaluationError, match="estimate is empty"):
        compare_trajectories(Trajectory(), walk())
