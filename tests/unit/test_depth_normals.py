"""Normals of scans: with rings, and without."""

import numpy as np
import pytest

from sensorfusion._kernels import plane_of
from sensorfusion.depth.normals import cloud_normals, scan_normals
from sensorfusion.depth.organise import organise
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud

LIDAR = Lidar(name="lidar", near_m=0.1)
ROWS, COLUMNS = 32, 512


def beams():
    """Return the directions of a scanner, float64 (rows, columns, 3)."""
    elevation = np.deg2rad(np.linspace(15, -25, ROWS))[:, None]
    azimuth = np.pi - 2 * np.pi * (np.arange(COLUMNS) + 0.5)[None] / COLUMNS
    flat = np.cos(elevation)
    return np.stack(
        [flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation) + 0 * azimuth], axis=-1
    )


def image_of(range_m):
    """Return an organised scan with these ranges (rows, columns), inf or 0 where there is none."""
    row, column = np.nonzero(np.isfinite(range_m) & (range_m > 0))
    points = (beams()[row, column] * range_m[row, column, None]).astype(np.float32)
    ring, column = row.astype(np.uint16), column.astype(np.int32)
    return organise(PointCloud(points, "lidar", ring=ring, column=column), LIDAR)


def to_plane(normal, distance_m):
    """Return the range at which each beam meets the plane normal . x = distance, inf if never."""
    cosine = beams() @ np.asarray(normal, float)
    with np.errstate(divide="ignore"):
        range_m = distance_m / cosine
    return np.where((cosine * distance_m > 0) & (range_m < 60), range_m, np.inf)


def room():
    """Return ranges within a box of 10 x 8 x 3 m, and the inward normal that each beam meets."""
    faces = [
        ((1, 0, 0), 5.0),
        ((-1, 0, 0), 5.0),
        ((0, 1, 0), 4.0),
        ((0, -1, 0), 4.0),
        ((0, 0, 1), 1.7),
        ((0, 0, -1), 1.3),
    ]
    ranges = np.stack([to_plane(normal, distance_m) for normal, distance_m in faces])
    inward = -np.array([normal for normal, _ in faces], float)
    return ranges.min(axis=0), inward[ranges.argmin(axis=0)]


def degrees_between(normals, truth):
    return np.degrees(np.arccos(np.clip((normals * truth).sum(axis=1), -1, 1)))


def truth_of(image, normal_of_cell):
    row, column = np.nonzero(image.index >= 0)
    truth = np.zeros((len(image.cloud), 3))
    truth[image.index[row, column]] = normal_of_cell[row, column]
    return truth


@pytest.mark.parametrize("normal", [(0.0, 0.0, -1.0), (0.8, 0.0, 0.6), (0.6, 0.64, -0.48)])
def test_a_plane_has_its_own_normal_at_any_incidence(normal):
    image = image_of(to_plane(normal, 2.0))
    normals = scan_normals(image)
    known = normals.any(axis=1)
    assert known.mean() > 0.97
    assert degrees_between(normals[known], -np.array(normal)).max() < 0.3


def test_normals_are_unit_vectors_towards_the_sensor():
    range_m, _ = room()
    image = image_of(range_m)
    normals = scan_normals(image)
    known = normals.any(axis=1)
    np.testing.assert_allclose(np.linalg.norm(normals[known], axis=1), 1.0, atol=1e-5)
    assert ((normals * image.cloud.points).sum(axis=1)[known] < 0).all()


def test_noise_of_a_centimetre_turns_normals_by_a_degree_or_two():
    range_m, truth = room()
    noisy = image_of(range_m + np.random.default_rng(0).normal(0, 0.012, range_m.shape))
    normals = scan_normals(noisy)
    known = normals.any(axis=1)
    off_deg = degrees_between(normals[known], truth_of(noisy, truth)[known])
    assert known.mean() > 0.9
    assert np.median(off_deg) < 2.0
    assert np.percentile(off_deg, 90) < 10.0


def test_at_an_edge_the_normal_is_that_of_one_side():
    range_m, truth = room()
    image = image_of(range_m)
    normals = scan_normals(image)
    known = normals.any(axis=1)
    faces = np.unique(truth.reshape(-1, 3), axis=0)
    nearest = (normals[known] @ faces.T).max(axis=1)
    assert known.mean() > 0.95
    # Cosine of five degrees; between two walls it would be 0.7.
    assert (nearest > np.cos(np.deg2rad(5))).mean() > 0.97


def test_a_fifth_of_the_beams_may_be_lost():
    range_m, truth = room()
    lost = np.random.default_rng(1).random(range_m.shape) < 0.2
    image = image_of(np.where(lost, 0.0, range_m))
    normals = scan_normals(image)
    known = normals.any(axis=1)
    assert known.mean() > 0.85
    assert np.median(degrees_between(normals[known], truth_of(image, truth)[known])) < 0.3


def test_what_has_no_surface_gets_no_normal():
    range_m = np.random.default_rng(2).uniform(4, 12, (ROWS, COLUMNS))
    assert scan_normals(image_of(range_m)).any(axis=1).mean() < 0.1


def test_only_the_wanted_points_are_computed_and_as_they_are_among_all():
    range_m, _ = room()
    image = image_of(range_m)
    wanted = np.arange(len(image.cloud)) % 7 == 0
    some, everything = scan_normals(image, wanted), scan_normals(image)
    np.testing.assert_array_equal(some[wanted], everything[wanted])
    assert not some[~wanted].any()


@pytest.mark.parametrize("count", [0, 1])
def test_a_scan_of_no_or_one_point_gives_no_normals(count):
    points = np.ones((count, 3), np.float32)
    ring, column = np.zeros(count, np.uint16), np.zeros(count, np.int32)
    cloud = PointCloud(points, "lidar", ring=ring, column=column)
    assert scan_normals(organise(cloud, LIDAR)).shape == (count, 3)
    assert cloud_normals(PointCloud(points, "lidar")).shape == (count, 3)


def test_without_rings_points_that_are_dense_on_a_plane_have_its_normal():
    rng = np.random.default_rng(3)
    axes = np.array([[0.8, -0.6, 0.0], [0.0, 0.0, 1.0]])
    flat = rng.uniform(-2, 2, (4000, 2)) @ axes + np.array([0.6, 0.8, 0.0]) * 5
    cloud = PointCloud(
        np.ascontiguousarray(flat + rng.normal(0, 0.005, flat.shape), np.float32), "lidar"
    )
    normals = cloud_normals(cloud)
    known = normals.any(axis=1)
    assert known.mean() > 0.95
    assert np.median(degrees_between(normals[known], np.array([-0.6, -0.8, 0.0]))) < 2.0


def test_without_rings_points_along_one_line_have_no_normal():
    azimuth = np.linspace(-1, 1, 3000)
    ring = np.stack([5 + 0 * azimuth, 5 * np.tan(azimuth), 0 * azimuth - 1], axis=-1)
    assert not cloud_normals(PointCloud(ring.astype(np.float32), "lidar")).any()


def test_without_rings_points_that_fill_space_have_no_normal():
    filled = np.random.default_rng(4).uniform(4, 8, (20_000, 3)).astype(np.float32)
    assert cloud_normals(PointCloud(filled, "lidar")).any(axis=1).mean() < 0.05


def test_a_plane_is_that_of_numpy_s_eigenvectors():
    rng = np.random.default_rng(5)
    for _ in range(200):
        root = rng.normal(size=(3, 3)) * rng.uniform(0.01, 1, 3)
        matrix = root @ root.T
        spread, normal = np.empty(3), np.empty(3)
        assert plane_of(matrix[np.triu_indices(3)], spread, normal)
        values, vectors = np.linalg.eigh(matrix)
        np.testing.assert_allclose(spread, values, rtol=1e-6, atol=1e-9 * values[2])
        assert abs(normal @ vectors[:, 0]) > 1 - 1e-6


def test_what_spreads_alike_in_all_directions_has_no_plane():
    spread, normal = np.empty(3), np.empty(3)
    assert not plane_of(np.array([2.0, 0.0, 0.0, 2.0, 0.0, 2.0]), spread, normal)
    np.testing.assert_allclose(spread, 2.0)
