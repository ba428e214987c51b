"""Maps for robots: what stands is occupied, what was seen empty is free, the rest unknown."""

import json

import numpy as np
import pytest

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import ConfigError
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.perception.distance_field import distance_field, squared_distance_transform
from sensorfusion.perception.floor import LocalFloor
from sensorfusion.perception.occupancy import FREE, OCCUPIED, UNKNOWN, occupancy_grid
from sensorfusion.perception.voxels import SeenVoxels, seen_voxels
from sensorfusion.transform import RigidTransform

LEVEL = LocalFloor(np.zeros((1, 1), np.float32), (0, 0))
UPRIGHT = RigidTransform.identity("up", "world")


def voxels(surface, free=((0.0, 0.0, 0.0),), size_m=0.1):
    return SeenVoxels(np.array(surface, np.float32), np.array(free, np.float32), size_m)


def test_distances_are_exact():
    """Against every pair of cells."""
    rng = np.random.default_rng(3)
    full = rng.random((9, 7, 11)) < 0.02
    cells = np.argwhere(full)
    assert len(cells) > 3
    every = np.argwhere(np.ones(full.shape, bool))
    expected = ((every[:, None] - cells) ** 2).sum(axis=2).min(axis=1).reshape(full.shape)
    found = squared_distance_transform(np.where(full, 0.0, np.inf))
    np.testing.assert_array_equal(found, expected)


def test_without_a_surface_distances_are_infinite():
    assert np.isinf(squared_distance_transform(np.full((4, 5), np.inf))).all()


def test_a_field_says_where_its_cells_are_and_which_were_seen():
    field = distance_field(voxels([(0.0, 0.0, 0.0)], [(0.3, 0.4, 0.0)]), 0.1)
    assert field.distance_m.shape == (4, 5, 1)
    assert field.distance_m[3, 4, 0] == pytest.approx(0.5)
    assert field.origin_m == (0.0, 0.0, 0.0)
    assert field.seen.sum() == 2


def test_a_field_is_saved_with_its_header(tmp_path):
    distance_field(voxels([(1.0, -0.5, 0.2)], [(1.2, -0.5, 0.2)]), 0.1).save(tmp_path)
    header = json.loads((tmp_path / "esdf.json").read_text())
    stored = np.load(tmp_path / header["distance"])
    assert list(stored.shape) == header["shape"] == [3, 1, 1]
    np.testing.assert_allclose(stored[:, 0, 0], [0.0, 0.1, 0.2], atol=1e-6)
    np.testing.assert_allclose(header["origin_m"], [1.0, -0.5, 0.2], atol=1e-6)
    assert np.load(tmp_path / header["seen"]).dtype == bool


def test_a_field_too_large_for_memory_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match="make the cells larger"):
        distance_field(voxels([(0, 0, 0)], [(900.0, 900.0, 900.0)]), 0.1)


def test_cells_smaller_than_voxels_are_refused():
    with pytest.raises(ConfigError, match="not smaller"):
        distance_field(voxels([(0, 0, 0)]), 0.05)
    with pytest.raises(ConfigError, match="not smaller"):
        occupancy_grid(voxels([(0, 0, 0)]), LEVEL, (0.1, 1.0), 0.05)


def test_what_stands_in_the_band_is_occupied_and_the_floor_beside_it_free():
    things = [(0.05, 0.05, 0.0), (0.15, 0.05, 0.0), (0.15, 0.05, 0.5), (0.35, 0.25, 2.5)]
    grid = occupancy_grid(voxels(things, [(0.05, 0.25, 0.5)]), LEVEL, (0.1, 1.5), 0.1)
    assert grid.cells.tolist() == [
        [FREE, OCCUPIED],
        [UNKNOWN, UNKNOWN],
        [FREE, UNKNOWN],
    ]
    assert grid.origin_m == (0.0, 0.0)


def test_a_map_is_read_as_map_server_reads_it(tmp_path):
    import cv2

    things = [(-0.95, 0.05, 0.0), (-0.85, 0.05, 0.5), (-0.95, 0.15, 0.6)]
    occupancy_grid(voxels(things, np.zeros((0, 3))), LEVEL, (0.1, 1.5), 0.1).save(tmp_path)
    lines = dict(line.split(": ") for line in (tmp_path / "map.yaml").read_text().splitlines())
    assert float(lines["resolution"]) == 0.1
    assert json.loads(lines["origin"]) == pytest.approx([-1.0, 0.0, 0.0])
    picture = cv2.imread(str(tmp_path / lines["image"]), cv2.IMREAD_UNCHANGED)
    share = (255 - picture.astype(float)) / 255
    occupied = share > float(lines["occupied_thresh"])
    free = share < float(lines["free_thresh"])
    # The last row is the one with the smallest y.
    assert occupied.tolist() == [[True, False], [False, True]]
    assert free.tolist() == [[False, False], [True, False]]


def test_a_band_that_ends_below_where_it_begins_is_refused():
    with pytest.raises(ConfigError, match="lowest < highest"):
        occupancy_grid(voxels([(0, 0, 0)]), LEVEL, (1.0, 0.5), 0.1)


def test_a_map_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="nothing was seen"):
        occupancy_grid(voxels([(0, 0, 9)], [(0, 0, 9)]), LEVEL, (0.1, 1.0), 0.1)


def test_depth_of_a_wall_makes_a_wall_of_surface_with_free_space_before_it():
    camera = Camera("depth", 80, 60, 75.0, 75.0, 39.5, 29.5)
    volume = Volume(0.02, 0.08)
    metres = np.full(ray_table(camera).shape[:2], 2.0, np.float32)
    integrate_depth(volume, DepthMap(metres, camera, 0), RigidTransform.identity("world", "depth"))
    # The camera's z is made to point up.
    seen = seen_voxels(volume.views, 0.5).moved(UPRIGHT)
    assert np.abs(seen.surface_m[:, 2] - 2.0).max() <= 0.02
    assert len(seen.surface_m) > 1_000
    assert seen.free_m[:, 2].max() < 2.0
