"""Points of several frames, merged by voxels: sums by hand."""

import numpy as np
import pytest

from sensorfusion.errors import CoordinateSystemMismatchError, OutputError
from sensorfusion.export.map_cloud import MapCloud
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform


def at(*translation_m, turned=False):
    matrix = np.eye(4)
    matrix[:3, 3] = translation_m
    if turned:
        # A quarter turn to the left: x becomes y.
        matrix[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    return RigidTransform("world", "lidar", matrix)


def cloud(points, **layers):
    return PointCloud(np.array(points, np.float32), "lidar", **layers)


def test_points_of_one_voxel_become_their_mean():
    merged = MapCloud(0.5)
    merged.add(
        cloud(
            [(0.1, 0.1, 0.1), (0.3, 0.1, 0.1), (0.7, 0.1, 0.1)],
            intensity=np.float32([1, 2, 9]),
            color=np.uint8([(10, 0, 0), (0, 0, 0), (7, 7, 7)]),
        ),
        at(0, 0, 0),
    )
    merged.add(cloud([(0.2, 0.1, 0.4)], color=np.uint8([(20, 10, 0)])), at(0, 0, 0))
    found = merged.cloud()
    np.testing.assert_allclose(found.points, [(0.2, 0.1, 0.2), (0.7, 0.1, 0.1)], atol=1e-7)
    # The fourth point has no intensity, the second no colour.
    assert found.intensity.tolist() == [1.5, 9.0]
    assert found.color.tolist() == [[15, 5, 0], [7, 7, 7]]
    assert found.extra["observations"].tolist() == [3, 1]
    assert found.coordinate_system == "world"


def test_points_are_moved_to_the_world():
    merged = MapCloud(0.1)
    merged.add(cloud([(1.02, 0.04, 0.03)]), at(10, 20, 30, turned=True))
    np.testing.assert_allclose(merged.cloud().points, [(9.96, 21.02, 30.03)], atol=1e-5)


def test_voxels_stand_in_the_order_of_their_places_whoever_came_first():
    merged = MapCloud(1.0)
    merged.add(cloud([(5.5, 0, 0), (-3.5, 0, 0)]), at(0, 0, 0))
    merged.add(cloud([(-3.5, -2, 0), (0.5, 0, 7)]), at(0, 0, 0))
    expected = [(-3.5, -2, 0), (-3.5, 0, 0), (0.5, 0, 7), (5.5, 0, 0)]
    assert [tuple(point) for point in merged.cloud().points.tolist()] == expected


def test_a_map_that_outgrows_its_room_loses_nothing():
    rng = np.random.default_rng(0)
    scans = [rng.uniform(-40, 40, (50_000, 3)).astype(np.float32) for _ in range(5)]
    merged = MapCloud(0.5)
    for scan in scans:
        merged.add(cloud(scan), at(0, 0, 0))
    every = np.concatenate(scans).astype(np.float64)
    voxels, place, counts = np.unique(
        np.floor(every / 0.5).astype(int), axis=0, return_inverse=True, return_counts=True
    )
    means = np.stack([np.bincount(place.ravel(), every[:, k]) for k in range(3)], 1)
    found = merged.cloud()
    assert len(merged) == len(voxels)
    assert np.array_equal(found.extra["observations"], counts)
    np.testing.assert_allclose(found.points, means / counts[:, None], atol=1e-5)


def test_without_intensity_and_colour_there_are_none():
    merged = MapCloud(1.0)
    merged.add(cloud([(0, 0, 0)], color=np.zeros((1, 3), np.uint8)), at(0, 0, 0))
    assert merged.cloud().intensity is None
    assert merged.cloud().color is None


def test_an_empty_map_is_an_empty_cloud():
    assert len(MapCloud(1.0).cloud()) == 0


def test_a_point_that_no_voxel_can_name_is_refused():
    merged = MapCloud(0.001)
    with pytest.raises(OutputError, match=r"more than 1048\.58 m from the origin"):
        merged.add(cloud([(2000, 0, 0)]), at(0, 0, 0))


def test_points_of_another_sensor_are_refused():
    camera = RigidTransform("world", "camera", np.eye(4))
    with pytest.raises(CoordinateSystemMismatchError, match="'lidar' cannot be moved"):
        MapCloud(1.0).add(cloud([(0, 0, 0)]), camera)


def test_a_voxel_without_an_edge_is_refused():
    with pytest.raises(ValueError, match="positive edge"):
        MapCloud(0.0)
