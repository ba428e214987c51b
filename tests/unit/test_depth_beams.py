"""Beams: their spacing, from what is known or from points alone, and the panorama of a scan."""

import os
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.depth.beams import BeamSpacing, beam_spacing, panorama
from sensorfusion.depth.projection import project_cloud
from sensorfusion.errors import CalibrationError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
UNKNOWN = Lidar(name="lidar")


def scan(elevations_deg, azimuths_deg, *, dropped=0.2, named=False):
    """Return a scan of a wavy surface, its points shuffled and some of them missing."""
    rng = np.random.default_rng(3)
    elevation, azimuth = np.deg2rad(np.meshgrid(elevations_deg, azimuths_deg))
    ring = np.broadcast_to(np.arange(len(elevations_deg)), elevation.shape).ravel()
    range_m = 6 + 2 * np.sin(3 * azimuth) + rng.normal(0, 0.02, azimuth.shape)
    level = range_m * np.cos(elevation)
    points = np.stack(
        [level * np.cos(azimuth), level * np.sin(azimuth), range_m * np.sin(elevation)], axis=-1
    ).reshape(-1, 3)
    kept = rng.permutation(len(points))[: round(len(points) * (1 - dropped))]
    rings = ring[kept].astype(np.uint16) if named else None
    return PointCloud(points[kept].astype(np.float32), "lidar", ring=rings)


def turn(columns, share=0.0):
    return (np.arange(columns) + share) * 360 / columns - 180


EVEN = scan(np.linspace(15, -15, 16), turn(1800))


def in_degrees(spacing):
    return np.rad2deg([spacing.vertical_rad, spacing.horizontal_rad])


def test_what_is_known_of_the_lidar_counts():
    elevations = np.deg2rad(np.linspace(15, -15, 16))
    lidar = Lidar(name="lidar", rings=16, columns=1800, elevation_rad=tuple(elevations))
    np.testing.assert_allclose(in_degrees(beam_spacing(EVEN, lidar)), [2.0, 0.2], rtol=1e-9)


def test_of_uneven_rings_three_in_four_are_no_farther_apart():
    # 14 gaps of 1 degree, 4 of 3 degrees.
    elevations = np.concatenate([np.arange(-14.0, 0.5), np.arange(3.0, 12.5, 3.0)])
    lidar = Lidar(name="lidar", rings=19, elevation_rad=tuple(np.deg2rad(elevations)))
    spacing = beam_spacing(scan(elevations, turn(900)), lidar)
    assert in_degrees(spacing)[0] == pytest.approx(1.0)


def test_rings_that_are_named_tell_their_elevations():
    cloud = scan(np.linspace(10, -20, 31), turn(720), named=True)
    np.testing.assert_allclose(in_degrees(beam_spacing(cloud, UNKNOWN)), [1.0, 0.5], rtol=0.01)


@pytest.mark.parametrize("dropped", [0.0, 0.2, 0.4])
@pytest.mark.parametrize(
    ("rings", "highest", "columns"), [(16, 15.0, 1800), (64, 22.5, 1024), (128, 22.5, 2048)]
)
def test_points_alone_tell_the_spacing_in_any_order(rings, highest, columns, dropped):
    cloud = scan(np.linspace(highest, -highest, rings), turn(columns), dropped=dropped)
    expected = [2 * highest / (rings - 1), 360 / columns]
    np.testing.assert_allclose(in_degrees(beam_spacing(cloud, UNKNOWN)), expected, rtol=0.05)


def test_columns_of_a_sector_are_not_taken_for_those_of_a_turn():
    lidar = Lidar(name="lidar", columns=600)
    cloud = scan(np.linspace(12, -12, 64), np.linspace(-50, 50, 600))
    assert in_degrees(beam_spacing(cloud, lidar))[1] == pytest.approx(100 / 599, rel=0.01)


def test_of_one_ring_only_firings_have_neighbours():
    spacing = beam_spacing(scan([0.0], turn(1024)), UNKNOWN)
    assert spacing.vertical_rad == spacing.horizontal_rad


@pytest.mark.skipif(
    not (DATA / "kitti-object").is_dir(), reason=f"no recordings at {DATA}: set SENSORFUSION_DATA"
)
def test_a_scan_without_rings_is_that_of_its_sensor():
    # An HDL-64E: 26.8 degrees between 64 rings; 0.1728 degrees at 10 Hz.
    points = np.fromfile(DATA / "kitti-object/velodyne/000000.bin", np.float32).reshape(-1, 4)
    cloud = PointCloud(np.ascontiguousarray(points[:, :3]), "lidar")
    np.testing.assert_allclose(in_degrees(beam_spacing(cloud, UNKNOWN)), [0.425, 0.173], rtol=0.06)


def test_too_few_points_tell_nothing():
    with pytest.raises(CalibrationError, match="rig file"):
        beam_spacing(PointCloud(np.ones((3, 3), np.float32), "lidar"), UNKNOWN)


@pytest.mark.parametrize("spacing", [(0.0, 0.01), (0.01, np.nan), (0.6, 0.01)])
def test_impossible_spacings_are_refused(spacing):
    with pytest.raises(CalibrationError):
        BeamSpacing(*spacing)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_a_panorama_gives_every_beam_a_pixel_of_its_own(share):
    cloud = scan(np.linspace(15, -15, 16), turn(1800, share))
    camera, T_panorama_lidar = panorama(UNKNOWN, cloud)
    found = project_cloud(cloud, camera, T_panorama_lidar, UNKNOWN)
    assert (camera.name, camera.width, camera.height) == ("lidar_panorama", 1800, 16)
    assert found.points_in_image == len(cloud)
    assert np.count_nonzero(found.depth.metres) == len(cloud)


def test_ahead_is_in_the_middle_of_a_panorama_and_up_is_up():
    camera, T_panorama_lidar = panorama(UNKNOWN, EVEN)
    ahead, left, above = camera.project(
        T_panorama_lidar.apply(np.array([[5.0, 0, 0], [0.0, 5, 0], [5.0, 0, 1]]))
    )
    assert ahead == pytest.approx([899.5, 7.5], abs=1)
    assert left == pytest.approx([899.5 - 450, 7.5], abs=1)
    assert above == pytest.approx([899.5, 7.5 - np.rad2deg(np.arctan(0.2)) / 2], abs=1)


@pytest.mark.parametrize("facing", [0.0, 180.0])
def test_a_sensor_that_looks_one_way_has_a_narrow_panorama(facing):
    cloud = scan(np.linspace(12, -12, 64), facing + np.linspace(-50, 50, 600), dropped=0.1)
    camera, T_panorama_lidar = panorama(UNKNOWN, cloud)
    assert camera.width == pytest.approx(600, abs=6)
    found = project_cloud(cloud, camera, T_panorama_lidar, UNKNOWN)
    assert found.points_in_image == len(cloud)


def test_uneven_rings_get_rows_as_close_as_the_closest():
    elevations = np.concatenate([np.arange(-12.0, 0.5), np.arange(3.0, 12.5, 3.0)])
    lidar = Lidar(name="lidar", rings=17, columns=900, elevation_rad=tuple(np.deg2rad(elevations)))
    cloud = scan(elevations, turn(900))
    camera, T_panorama_lidar = panorama(lidar, cloud)
    assert camera.height == 25
    found = project_cloud(cloud, camera, T_panorama_lidar, lidar)
    assert np.count_nonzero(found.depth.metres) == len(cloud)


def test_a_panorama_of_millions_of_columns_is_refused():
    cloud = scan([0.0, 0.0012], np.linspace(-0.05, 0.05, 60), dropped=0.0)
    fine = Lidar(name="lidar", rings=2, columns=1 << 17, elevation_rad=(0.0, 1.5))
    with pytest.raises(CalibrationError, match="at most"):
        panorama(fine, PointCloud(cloud.points[:5], "lidar"))


def test_a_scan_without_points_makes_a_panorama_only_where_the_rings_are_known():
    nothing = PointCloud(np.zeros((0, 3), np.float32), "lidar")
    elevations = tuple(np.deg2rad(np.linspace(15, -15, 16)))
    known = Lidar(name="lidar", rings=16, columns=1800, elevation_rad=elevations)
    camera, _ = panorama(known, nothing)
    assert (camera.width, camera.height) == (1800, 16)
    with pytest.raises(CalibrationError, match="rig file"):
        panorama(Lidar(name="lidar", columns=1800), nothing)
