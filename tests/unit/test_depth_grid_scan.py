import numpy as np
import pytest

from sensorfusion.depth.grid_scan import grid_scan
from sensorfusion.errors import CalibrationError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud

LIDAR = Lidar(name="lidar")


def directions(azimuth_deg, elevation_deg):
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    level = np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1)


def patch():
    """Return 21 rows and 41 columns of points, one degree apart, 5 m away, in shuffled order."""
    azimuth, elevation = np.meshgrid(np.arange(20, -21, -1.0), np.arange(10, -11, -1.0))
    points = 5 * directions(azimuth, elevation).reshape(-1, 3)
    order = np.random.default_rng(1).permutation(len(points))
    return points[order].astype(np.float32), order


def test_each_point_of_a_patch_lies_in_the_cell_of_its_direction():
    points, order = patch()
    image = grid_scan(PointCloud(points, "lidar"), LIDAR, np.arange(len(points), dtype=np.int32))
    rows, columns = np.nonzero(image.index >= 0)
    assert len(rows) == len(points)
    # Cells from the top left are those of the patch before it was shuffled.
    np.testing.assert_array_equal(order[image.index[rows, columns]], np.arange(len(points)))
    np.testing.assert_allclose(image.range_m[rows, columns], 5.0, rtol=1e-6)
    assert not image.wraps


def test_of_two_points_in_one_direction_the_nearer_stays():
    points, _ = patch()
    behind = np.concatenate([2 * points[:1], points])
    image = grid_scan(PointCloud(behind, "lidar"), LIDAR, np.arange(len(behind), dtype=np.int32))
    assert 0 not in image.index
    assert 1 in image.index


def test_points_that_were_not_chosen_are_not_laid_out():
    points, _ = patch()
    chosen = np.arange(0, len(points), 2, dtype=np.int32)
    image = grid_scan(PointCloud(points, "lidar"), LIDAR, chosen)
    np.testing.assert_array_equal(np.sort(image.index[image.index >= 0]), chosen)


def test_too_few_points_are_refused():
    cloud = PointCloud(np.ones((2, 3), np.float32), "lidar")
    with pytest.raises(CalibrationError):
        grid_scan(cloud, LIDAR, np.arange(2, dtype=np.int32))
