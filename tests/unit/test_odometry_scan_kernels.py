"""The kernels of scan registration against plain numpy."""

import numpy as np
import pytest

from sensorfusion.odometry import _scan_kernels
from sensorfusion.odometry._kernels import unpack_sums
from sensorfusion.odometry._screw_kernels import between, exponential, logarithm, step
from sensorfusion.odometry.surfels import SurfelMap

RNG = np.random.default_rng(0)


def exponential_by_series(twist):
    """Return exp of the 4 x 4 matrix of a twist, by its power series in float64."""
    x, y, z = twist[3:]
    generator = np.zeros((4, 4))
    generator[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    generator[:3, 3] = twist[:3]
    total, power = np.eye(4), np.eye(4)
    for order in range(1, 40):
        power = power @ generator / order
        total += power
    return total


@pytest.mark.parametrize("size", [0.0, 1e-7, 1e-3, 0.3, 2.5])
def test_a_twist_leads_where_its_power_series_does_and_back(size):
    for _ in range(20):
        turn = RNG.normal(size=3)
        twist = np.concatenate([RNG.normal(size=3), size * turn / np.linalg.norm(turn)])
        matrix = exponential(twist)
        np.testing.assert_allclose(matrix, exponential_by_series(twist), atol=1e-9)
        np.testing.assert_allclose(logarithm(matrix), twist, atol=1e-7)


def test_the_way_between_two_transforms_is_the_inverse_of_one_times_the_other():
    one, other = exponential(RNG.normal(size=6)), exponential(RNG.normal(size=6))
    np.testing.assert_allclose(between(one, other), np.linalg.inv(one) @ other, atol=1e-12)


def test_points_are_placed_by_the_twist_at_their_own_instant():
    points = RNG.uniform(-20, 20, (50, 3)).astype(np.float32)
    normals = RNG.normal(size=(50, 3)).astype(np.float32)
    tau = RNG.uniform(-0.5, 0.5, 50).astype(np.float32)
    pose, twist = exponential(RNG.normal(size=6)), np.array([1.0, -0.5, 0.2, 0.05, -0.1, 0.25])
    at, facing = np.empty((50, 3)), np.empty((50, 3))
    _scan_kernels.place(points, normals, tau, pose, twist, at, facing)
    for n in range(50):
        moved = pose @ exponential_by_series(float(tau[n]) * twist)
        np.testing.assert_allclose(at[n], moved[:3, :3] @ points[n] + moved[:3, 3], atol=1e-4)
        np.testing.assert_allclose(facing[n], moved[:3, :3] @ normals[n], atol=1e-5)


def flat_map(noise_m=0.0):
    """Return a map of three walls that meet in a corner, and points on them (world, normals)."""
    rng = np.random.default_rng(1)
    flat = rng.uniform(0.3, 6, (6000, 3))
    axis = rng.integers(3, size=6000)
    normals = np.eye(3)[axis]
    flat[np.arange(6000), axis] = rng.normal(0, noise_m, 6000) if noise_m else 0.0
    surfels = SurfelMap(1.0, 100.0)
    surfels.insert(flat, normals, np.zeros(3), 0.01)
    return surfels, flat, normals


def residual_of(surfels, points, normals, tau, pose, twist):
    out = np.empty(len(points), np.float32)
    scales = np.array([1.0, 0.5, 0.005, 1e3, 1.0, 0.5, 4.0, 0.3])
    sums = _scan_kernels.scan_equations(
        points, normals, tau, (pose, twist), surfels.table, surfels.pieces, scales, out
    )
    return sums, out.astype(np.float64)


def test_the_sums_of_a_step_are_those_of_finite_differences():
    surfels, flat, facing = flat_map()
    pose, twist = (
        exponential(np.array([2.0, 2.5, 1.5, 0.1, -0.2, 0.5])),
        np.array([0.3, -0.2, 0.1, 0.02, 0.03, -0.05]),
    )
    chosen = np.arange(0, 6000, 20)
    tau = np.linspace(-0.5, 0.5, len(chosen)).astype(np.float32)
    inverse = [np.linalg.inv(pose @ exponential(float(t) * twist)) for t in tau]
    points = np.array(
        [m[:3, :3] @ p + m[:3, 3] for m, p in zip(inverse, flat[chosen] + 0.02, strict=True)]
    ).astype(np.float32)
    normals = np.array(
        [m[:3, :3] @ n for m, n in zip(inverse, facing[chosen], strict=True)]
    ).astype(np.float32)
    sums, residuals = residual_of(surfels, points, normals, tau, pose, twist)
    found = np.isfinite(residuals)
    assert found.mean() > 0.95
    small = 1e-3
    jacobian = np.empty((len(chosen), 12))
    for k in range(6):
        by = np.zeros(6)
        by[k] = small
        moved = pose.copy()
        moved[:3, :3] = exponential(np.concatenate([np.zeros(3), by[3:]]))[:3, :3] @ pose[:3, :3]
        moved[:3, 3] += by[:3]
        _, after = residual_of(surfels, points, normals, tau, moved, twist)
        jacobian[:, k] = (after - residuals) / small
        local = np.concatenate([pose[:3, :3].T @ by[:3], pose[:3, :3].T @ by[3:]])
        _, after = residual_of(surfels, points, normals, tau, pose, twist + local)
        jacobian[:, 6 + k] = (after - residuals) / small
    same = found & np.isfinite(jacobian).all(axis=1)
    assert same.sum() > 0.9 * found.sum()
    matrix = np.empty((6, 6))
    unpack_sums(sums[0], matrix, np.empty(6))
    # All pieces of the exact walls are as certain, so that one weight serves for all points.
    weight = sums[0, 0] / (jacobian[same, 0] ** 2).sum()
    expected = weight * jacobian[same].T @ jacobian[same]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(matrix, expected[:6, :6], atol=0.06 * scale)
    unpack_sums(sums[1], matrix, np.empty(6))
    np.testing.assert_allclose(matrix, expected[:6, 6:], atol=0.06 * scale)
    unpack_sums(sums[2], matrix, np.empty(6))
    np.testing.assert_allclose(matrix, expected[6:, 6:], atol=0.06 * scale)


def test_a_step_solves_the_equations_with_what_is_expected():
    root = RNG.normal(size=(40, 6))
    tau = RNG.uniform(-0.5, 0.5, 40)
    residuals = RNG.normal(size=40) * 0.01
    blocks = np.stack([root.T @ (root * tau[:, None] ** k) for k in range(3)])
    vectors = np.stack([root.T @ (residuals * tau**k) for k in range(2)])
    pose, twist = np.eye(4), np.zeros(6)
    information, kept = np.full(6, 2.0), np.zeros((6, 6))
    before = (np.eye(4), np.full(6, 0.01))
    step(blocks, vectors, (pose, twist), before, information, kept)
    rows = np.concatenate([root, root * tau[:, None]], axis=1)
    matrix = rows.T @ rows + np.diag([0.0] * 6 + [2.0] * 6)
    vector = rows.T @ residuals - np.concatenate([np.zeros(6), np.full(6, 0.02)])
    expected = -np.linalg.solve(matrix, vector)
    np.testing.assert_allclose(pose[:3, 3], expected[:3], atol=1e-5)
    np.testing.assert_allclose(twist, expected[6:], atol=1e-5)
    turned = exponential(np.concatenate([np.zeros(3), expected[3:6]]))
    np.testing.assert_allclose(pose[:3, :3], turned[:3, :3], atol=1e-5)


def test_a_pose_that_is_kept_does_not_follow_the_points():
    blocks = np.stack([np.diag([1e4] * 6), np.zeros((6, 6)), np.diag([1e3] * 6)])
    vectors = np.full((2, 6), 50.0)
    kept = np.zeros((6, 6))
    kept[0, 0] = 1e9
    pose, twist = np.eye(4), np.zeros(6)
    step(blocks, vectors, (pose, twist), (np.eye(4), np.zeros(6)), np.ones(6), kept)
    assert abs(pose[0, 3]) < 1e-6
    np.testing.assert_allclose(pose[1, 3], -50.0 / 1e4, rtol=1e-4)


def test_one_point_of_each_cube_is_chosen_within_the_range():
    points = np.array(
        [[1.01, 0, 0], [1.05, 0, 0], [1.15, 0, 0], [-0.05, 5, 0], [0.05, 5, 0], [90, 0, 0]],
        np.float32,
    )
    keys = np.empty(64, np.int64)
    chosen = _scan_kernels.choose(points, 0.1, keys, 0.5, 50.0)
    np.testing.assert_array_equal(chosen, [0, 2, 3, 4])
