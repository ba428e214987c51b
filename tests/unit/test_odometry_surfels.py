"""The map of small planes that scans are laid on."""

import numpy as np

from sensorfusion.odometry._surfel_kernels import POINTS, SIDES, kind_of, nearest_piece
from sensorfusion.odometry.surfels import SurfelMap

CENTRE = np.zeros(3)


def wall(x_m, facing, *, count=380, noise_m=0.0, seed=0):
    """Return points on a piece of a wall across x, within one cube of 1 m, and their normals."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.05, 0.95, (count, 3))
    points[:, 0] = x_m + rng.normal(0, noise_m, count) if noise_m else x_m
    return points, np.tile([float(facing), 0.0, 0.0], (count, 1))


def piece_at(surfels, place, normal, limit_m=0.5):
    row = nearest_piece(
        surfels.table, surfels.pieces, place, kind_of(*normal), (surfels.edge_m, limit_m, 1)
    )
    return None if row < 0 else surfels.pieces[row]


def test_a_plane_is_that_of_its_points():
    surfels = SurfelMap(1.0, 100.0)
    rng = np.random.default_rng(0)
    normal = np.array([0.28, 0.0, 0.96])
    across = np.array([[0.96, 0.0, -0.28], [0.0, 1.0, 0.0]])
    points = (
        0.5 + rng.uniform(-0.3, 0.3, (300, 2)) @ across + rng.normal(0, 0.01, (300, 1)) * normal
    )
    noisy = normal + rng.normal(0, 0.05, (300, 3))
    surfels.insert(points, noisy / np.linalg.norm(noisy, axis=1, keepdims=True), CENTRE, 0.01)
    piece = piece_at(surfels, (0.5, 0.5, 0.5), normal)
    np.testing.assert_allclose(piece[:3], points.mean(axis=0), atol=1e-9)
    assert piece[3:6] @ normal > np.cos(np.deg2rad(0.5))
    np.testing.assert_allclose(np.sqrt(piece[6]), 0.01, rtol=0.1)


def test_the_two_sides_of_a_thin_wall_are_two_pieces():
    surfels = SurfelMap(1.0, 100.0)
    for x_m, facing in ((0.48, -1), (0.52, 1)):
        surfels.insert(*wall(x_m, facing), CENTRE, 0.01)
    assert len(surfels) == 2
    for x_m, facing in ((0.48, -1), (0.52, 1)):
        piece = piece_at(surfels, (0.5, 0.5, 0.5), (facing, 0.0, 0.0))
        np.testing.assert_allclose(piece[0], x_m, atol=1e-9)
        np.testing.assert_allclose(piece[3], facing, atol=1e-9)


def test_a_surface_along_the_face_of_two_cubes_is_one_piece():
    surfels = SurfelMap(1.0, 100.0)
    points, normals = wall(1.0, 1, noise_m=0.01)
    # Half of the points lie in the next cube.
    assert 0.3 < (points[:, 0] >= 1.0).mean() < 0.7
    surfels.insert(points, normals, CENTRE, 0.01)
    assert len(surfels) == 1
    np.testing.assert_allclose(
        piece_at(surfels, (0.9, 0.5, 0.5), (1.0, 0.0, 0.0))[0], points[:, 0].mean(), atol=1e-9
    )


def test_points_without_normals_are_a_distribution():
    surfels = SurfelMap(1.0, 100.0)
    points = np.random.default_rng(1).normal(0.5, (0.02, 0.05, 0.1), (380, 3))
    surfels.insert(points, np.zeros_like(points), CENTRE, 0.01)
    piece = piece_at(surfels, (0.5, 0.5, 0.5), (0.0, 0.0, 0.0))
    assert kind_of(0.0, 0.0, 0.0) == SIDES
    root = np.array([[piece[3], 0, 0], [piece[4], piece[5], 0], [piece[6], piece[7], piece[8]]])
    expected = np.linalg.inv(np.cov(points.T, bias=True) + 0.01**2 * np.eye(3))
    np.testing.assert_allclose(root @ root.T, expected, rtol=1e-6, atol=1e-6)
    assert piece[POINTS] == 380


def test_a_place_where_nothing_is_has_no_piece():
    surfels = SurfelMap(1.0, 100.0)
    surfels.insert(*wall(0.5, 1), CENTRE, 0.01)
    assert piece_at(surfels, (0.5, 5.5, 0.5), (1.0, 0.0, 0.0)) is None
    assert piece_at(surfels, (0.5, 0.5, 0.5), (0.0, 1.0, 0.0)) is None
    assert piece_at(surfels, (0.9, 0.5, 0.5), (1.0, 0.0, 0.0), limit_m=0.1) is None


def test_what_lies_far_behind_is_given_up_and_what_is_near_stays():
    surfels = SurfelMap(0.5, 30.0)
    rng = np.random.default_rng(2)
    for place in range(0, 400, 10):
        points = rng.uniform(-8, 8, (3000, 3)) + np.array([place, 0.0, 0.0])
        normals = np.tile([0.0, 0.0, 1.0], (3000, 1))
        surfels.insert(points, normals, np.array([place, 0.0, 0.0]), 0.01)
    assert piece_at(surfels, tuple(points[-1]), (0.0, 0.0, 1.0)) is not None
    assert surfels.pieces[: len(surfels), 0].min() > 100.0
    assert len(surfels) < 60_000
