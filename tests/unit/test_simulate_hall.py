"""The simulated hall and the walk through it."""

import numpy as np
import pytest

from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import ScanErrors, spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, hall_rig
from sensorfusion.simulate.moving import MovingEye, MovingScene


def test_a_walk_is_as_fast_as_a_walker_and_comes_back():
    time_s = np.arange(0, 47.0, 0.01)
    T_world_lidar = hall_walk(time_s)
    speeds_m_s = np.linalg.norm(np.diff(T_world_lidar[:, :3, 3], axis=0), axis=1) / 0.01
    assert 0.3 < speeds_m_s.min() < speeds_m_s.max() < 1.3
    start, end = hall_walk(np.array([0.0, 47.0]))
    np.testing.assert_allclose(start[:2, 3], end[:2, 3], atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_stands_within_half_a_metre_of_the_way(seed):
    eye = MovingEye(MovingScene(hall(seed)))
    ways = hall_walk(np.linspace(0, 47, 120))[:, :3, 3]
    angles = np.linspace(0, 2 * np.pi, 72)
    rays = np.zeros((1, 120 * 72, 6), dtype=np.float32)
    rays[0, :, :2] = np.repeat(ways[:, :2], 72, axis=0)
    rays[0, :, 3] = np.tile(np.cos(angles), 120)
    rays[0, :, 4] = np.tile(np.sin(angles), 120)
    for height_m in (0.2, 0.7, 1.2, 1.9, 2.6):
        rays[0, :, 2] = height_m
        assert eye.cast(rays, np.zeros(1)).z_m.min() > 0.5


def test_every_beam_meets_something_indoors():
    lidar = spinning_lidar(16, 128)
    rig = LidarRig(MovingScene(hall(0)), hall_rig(lidar, 0.1), hall_walk, errors=ScanErrors.none())
    cloud = rig.scan(0, np.random.default_rng(0)).cloud
    assert len(cloud.empty_beams) == 0
    # All but the faintest echoes, of beams that graze.
    assert len(cloud) > 0.99 * 16 * 128
    assert np.abs(rig.scan(0, np.random.default_rng(0)).surface_m[:, 2] - 1.6).max() < 1.6 + 1e-4


def test_the_depth_camera_beside_the_lidar_sees_the_same_hall():
    lidar = spinning_lidar(16, 128)
    rig = hall_rig(lidar, 0.1)
    assert list(rig.cameras) == ["depth", "color"]
    np.testing.assert_allclose(rig.transform("lidar", "depth").translation_m, (0, -0.3, -0.15))
    both = LidarRig(MovingScene(hall(0)), rig, hall_walk)
    assert (both.view("depth", 0).z_m > 0.5).all()
