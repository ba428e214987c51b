"""Range images: rings and firings of a scan."""

import os
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.depth import _ring_kernels
from sensorfusion.depth.organise import organise
from sensorfusion.errors import SourceError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import NO_RETURN, UNSEEN

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared/data"))
LIDAR = Lidar(name="lidar")


def directions(azimuth_deg, elevation_deg):
    """Return unit vectors, float32 (N, 3)."""
    azimuth, elevation = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    level = np.cos(elevation)
    xyz = np.stack(
        np.broadcast_arrays(level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)),
        axis=-1,
    )
    return np.ascontiguousarray(xyz.reshape(-1, 3), np.float32)


def scan(elevations_deg, azimuths_deg, range_m=10.0):
    """Return the points of a scan stored ring by ring, and the ring of each."""
    rings = np.repeat(np.arange(len(elevations_deg)), len(azimuths_deg)).astype(np.uint16)
    grid = np.meshgrid(elevations_deg, azimuths_deg, indexing="ij")
    return directions(grid[1], grid[0]) * np.float32(range_m), rings


def test_rings_and_columns_that_the_cloud_names_are_its_cells():
    points, _ = scan([1.0, -1.0], [0.0, 1.0, 2.0])
    ring = np.array([0, 0, 0, 1, 1, 1], np.uint16)
    column = np.array([0, 1, 2, 0, 1, 2], np.int32)
    image = organise(PointCloud(points, "lidar", ring=ring, column=column), LIDAR)
    np.testing.assert_array_equal(image.index, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_allclose(image.range_m, 10.0, rtol=1e-6)
    assert not image.wraps


def test_the_highest_ring_is_the_first_row_whatever_its_number():
    points, ring = scan([-5.0, 0.0, 5.0], np.arange(0.0, 360.0, 2.0))
    image = organise(PointCloud(points, "lidar", ring=ring), LIDAR)
    assert (ring[image.index[0]] == 2).all()
    assert (ring[image.index[2]] == 0).all()


def test_lasers_that_are_numbered_out_of_order_are_ordered_by_height():
    points, ring = scan([-5.0, 3.0, -1.0, 7.0, 1.0, 9.0], np.arange(0.0, 360.0, 2.0))
    image = organise(PointCloud(points, "lidar", ring=ring), LIDAR)
    assert [int(ring[row[0]]) for row in image.index] == [5, 3, 1, 4, 2, 0]


def test_the_data_sheet_s_elevations_give_a_ring_without_points_its_row():
    points, ring = scan([4.0, 0.0], np.arange(0.0, 360.0, 2.0))
    lidar = Lidar(name="lidar", rings=3, elevation_rad=tuple(np.deg2rad([4.0, 2.0, 0.0])))
    image = organise(PointCloud(points, "lidar", ring=(2 * ring).astype(np.uint16)), lidar)
    assert image.index.shape[0] == 3
    assert (image.index[1] == UNSEEN).all()


def test_columns_follow_the_azimuth_and_close_a_full_turn():
    points, ring = scan([1.0, -1.0], np.arange(0.5, 360.0, 1.0))
    image = organise(PointCloud(points, "lidar", ring=ring), LIDAR)
    assert image.index.shape == (2, 360)
    assert (image.index >= 0).all()
    assert image.wraps


def test_a_lost_point_leaves_its_cell_unseen():
    points, ring = scan([1.0, -1.0], np.arange(0.5, 360.0, 1.0))
    kept = np.arange(len(points)) != 100
    cloud = PointCloud(np.ascontiguousarray(points[kept]), "lidar", ring=ring[kept])
    image = organise(cloud, LIDAR)
    assert image.index.shape == (2, 360)
    assert image.index[0, 100] == UNSEEN
    assert (image.index == UNSEEN).sum() == 1


def test_a_beam_that_found_nothing_is_marked_in_its_cell():
    points, ring = scan([3.0, 1.0, -1.0], np.arange(0.5, 360.0, 1.0))
    kept = np.arange(len(points)) != 360 + 200
    cloud = PointCloud(
        np.ascontiguousarray(points[kept]),
        "lidar",
        ring=ring[kept],
        empty_beams=directions([200.5], [1.0]),
    )
    image = organise(cloud, LIDAR)
    assert image.index[1, 200] == NO_RETURN
    assert (image.index < 0).sum() == 1


def test_a_sector_does_not_wrap():
    points, ring = scan([1.0, -1.0], np.arange(-60.0, 60.0, 0.5))
    image = organise(PointCloud(points, "lidar", ring=ring), LIDAR)
    assert not image.wraps
    assert image.index.shape == (2, 240)


def test_points_in_any_order_are_laid_out_alike():
    points, ring = scan([1.0, -1.0], np.arange(0.5, 360.5, 0.25))
    order = np.random.default_rng(0).permutation(len(points))
    straight = organise(PointCloud(points, "lidar", ring=ring), LIDAR)
    shuffled = organise(
        PointCloud(np.ascontiguousarray(points[order]), "lidar", ring=ring[order]), LIDAR
    )
    places = points[straight.index]
    moved = points[order][shuffled.index]
    # The shuffled cloud may begin at another azimuth, and turn the other way.
    assert straight.index.shape == shuffled.index.shape
    assert sorted(map(tuple, places[0])) == sorted(map(tuple, moved[0]))
    steps = np.diff(np.unwrap(np.arctan2(moved[0, :, 1], moved[0, :, 0])))
    np.testing.assert_allclose(np.abs(steps), np.deg2rad(0.25), rtol=1e-3)


def test_of_two_returns_of_one_beam_the_nearer_stays():
    points, _ = scan([1.0, -1.0], [0.0, 1.0])
    twice = np.concatenate([points, points[:1] * np.float32(0.5)])
    ring, column = np.array([0, 0, 1, 1, 0], np.uint16), np.array([0, 1, 0, 1, 0], np.int32)
    image = organise(PointCloud(twice, "lidar", ring=ring, column=column), LIDAR)
    assert image.index[0, 0] == 4
    assert image.range_m[0, 0] == pytest.approx(5.0)


def test_rings_that_are_stored_one_after_the_other_are_found():
    azimuths = np.arange(0.1, 360.0, 0.4)
    points, ring = scan(np.linspace(2.0, -20.0, 12), azimuths)
    kept = np.random.default_rng(1).random(len(points)) > 0.1
    image = organise(PointCloud(np.ascontiguousarray(points[kept]), "lidar"), LIDAR)
    assert image.index.shape[0] == 12
    for row, cells in enumerate(image.index):
        assert (ring[kept][cells[cells >= 0]] == row).all()
    assert (image.index >= 0).sum() == kept.sum()


def test_separate_elevations_are_rings_though_the_points_lie_in_any_order():
    points, ring = scan(np.linspace(10.0, -10.0, 9), np.arange(0.1, 360.0, 1.0))
    order = np.random.default_rng(2).permutation(len(points))
    image = organise(PointCloud(np.ascontiguousarray(points[order]), "lidar"), LIDAR)
    assert image.index.shape[0] == 9
    for row, cells in enumerate(image.index):
        assert (ring[order][cells[cells >= 0]] == row).all()


@pytest.mark.parametrize("named", [True, False])
def test_chosen_points_are_laid_out_as_in_the_whole_scan(named):
    # Rings begin straight ahead: the seam lies in the middle of what is chosen.
    points, ring = scan(np.linspace(2.0, -20.0, 12), np.arange(0.1, 360.0, 0.4))
    cloud = PointCloud(points, "lidar", ring=ring if named else None)
    ahead = np.abs(np.arctan2(points[:, 1], points[:, 0])) < np.deg2rad(40.0)
    chosen = np.flatnonzero(ahead).astype(np.int32)
    image = organise(cloud, LIDAR, chosen)
    whole = organise(cloud, LIDAR)
    assert not image.wraps
    assert image.index.shape == (12, 200)
    for cells, all_cells in zip(image.index, whole.index, strict=True):
        in_all = all_cells[np.isin(all_cells, chosen)]
        assert set(cells) == set(in_all)
        azimuth = np.arctan2(points[cells, 1], points[cells, 0])
        assert (np.diff(azimuth) > 0).all()


def test_columns_of_chosen_points_begin_with_the_first_of_them():
    points, ring = scan([1.0, -1.0], np.arange(0.5, 360.5, 1.0))
    column = np.tile(np.arange(360, dtype=np.int32), 2)
    cloud = PointCloud(points, "lidar", ring=ring, column=column)
    chosen = np.array([100, 103, 462], np.int32)
    image = organise(cloud, LIDAR, chosen)
    assert image.index.tolist() == [[100, -1, -1, 103], [-1, -1, 462, -1]]
    assert not image.wraps


def test_a_cloud_without_rings_is_refused_with_what_works_instead():
    points = np.random.default_rng(3).normal(size=(5000, 3)).astype(np.float32)
    with pytest.raises(SourceError, match="'smooth' or 'guided'"):
        organise(PointCloud(points, "lidar"), LIDAR)


def test_a_column_beyond_all_measure_is_refused_before_it_takes_memory():
    points, ring = scan([1.0, -1.0], [0.0, 1.0])
    column = np.array([0, 1, 0, 2_000_000_000], np.int32)
    with pytest.raises(SourceError, match="columns"):
        organise(PointCloud(points, "lidar", ring=ring, column=column), LIDAR)


def test_rows_of_a_depth_camera_are_no_rings_and_are_refused():
    v, u = np.mgrid[-24:24, -32:32].reshape(2, -1)
    points = np.stack([u / 40, v / 40, np.ones(u.size)], axis=-1).astype(np.float32)
    ring, column = (v + 24).astype(np.uint16), (u + 32).astype(np.int32)
    with pytest.raises(SourceError, match="rings around the z axis"):
        organise(PointCloud(points, "lidar", ring=ring, column=column), LIDAR)


def test_a_negative_column_is_refused():
    points, ring = scan([1.0, -1.0], [0.0, 1.0])
    column = np.array([0, 1, 0, -1], np.int32)
    with pytest.raises(SourceError, match="count from 0"):
        organise(PointCloud(points, "lidar", ring=ring, column=column), LIDAR)


def test_a_cloud_without_points_has_no_cell_in_use():
    lidar = Lidar(name="lidar", rings=4, columns=16)
    image = organise(PointCloud(np.empty((0, 3), np.float32), "lidar"), lidar)
    assert image.index.shape == (4, 16)
    assert (image.index == UNSEEN).all()


def test_the_fast_azimuth_is_the_arc_tangent():
    points = np.random.default_rng(4).normal(size=(1000, 3)).astype(np.float32)
    points[:4, :2] = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    azimuth = np.empty(1000, np.float32)
    _ring_kernels.azimuths(points.reshape(-1), azimuth)
    off = azimuth - np.arctan2(points[:, 1], points[:, 0])
    assert np.abs((off + np.pi) % (2 * np.pi) - np.pi).max() < 2e-5


def kitti_scans():
    folders = ("kitti-raw-drive/2011_09_26/velodyne_points/data", "kitti-object/velodyne")
    scans = [path for folder in folders for path in sorted((DATA / folder).glob("*.bin"))]
    return scans + sorted((DATA / "kitti-odometry-pair").glob("00*.bin"))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recordings at {DATA}")
def test_every_kitti_scan_has_64_rings_and_keeps_every_point():
    for path in kitti_scans()[::3]:
        points = np.ascontiguousarray(np.fromfile(path, np.float32).reshape(-1, 4)[:, :3])
        image = organise(PointCloud(points, "velodyne"), Lidar(name="velodyne"))
        assert image.index.shape[0] == 64, path
        assert (image.index >= 0).sum() == len(points), path
        assert image.wraps
