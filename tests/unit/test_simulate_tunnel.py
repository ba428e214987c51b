"""The simulated tunnel and the drive through it."""

import numpy as np

from sensorfusion.simulate.lidar import LidarSensor, ScanErrors, spinning_lidar
from sensorfusion.simulate.moving import MovingEye
from sensorfusion.simulate.tunnel import FIRST_M, LAST_M, LONGEST_S, SMOOTH_M, tunnel, tunnel_drive
from sensorfusion.sources.registry import open_source


def test_the_drive_stays_within_the_tunnel_and_passes_its_smooth_part():
    way = tunnel_drive(np.linspace(0, LONGEST_S, 200))[:, :3, 3]
    assert FIRST_M + 100 < way[0, 0] < SMOOTH_M[0]
    assert SMOOTH_M[1] < way[-1, 0] < LAST_M - 100
    np.testing.assert_allclose(np.diff(way[:, 0]) / (LONGEST_S / 199), 22.0, rtol=1e-6)


def test_nothing_stands_within_a_metre_of_the_way_but_the_road():
    eye = MovingEye(tunnel(0))
    ways = tunnel_drive(np.linspace(0, LONGEST_S, 400))[:, :3, 3]
    angles = np.linspace(0, 2 * np.pi, 72)
    rays = np.zeros((1, 400 * 72, 6), dtype=np.float32)
    rays[0, :, :3] = np.repeat(ways, 72, axis=0)
    rays[0, :, 3], rays[0, :, 4] = np.tile(np.cos(angles), 400), np.tile(np.sin(angles), 400)
    hits = eye.cast(rays, np.zeros(1))
    assert hits.z_m[hits.triangles >= 0].min() > 1.0


def test_in_its_smooth_part_every_surface_runs_along_it():
    def still(time_s):
        pose = np.tile(np.eye(4), (len(time_s), 1, 1))
        pose[:, :3, 3] = (240.0, -1.7, 1.8)
        return pose

    lidar = spinning_lidar(32, 256, highest_deg=15.0, lowest_deg=-24.8)
    sensor = LidarSensor(MovingEye(tunnel(0)), lidar, still, errors=ScanErrors.none())
    surface_m = sensor.scan(0, np.random.default_rng(0)).surface_m
    # Road, wall or vault: z = 0, |y| = 4.6, or a circle about (0, 1.6), cut short by facets.
    y, z = np.abs(surface_m[:, 1]), surface_m[:, 2]
    on_road, on_wall = np.abs(z) < 1e-3, np.abs(y - 4.6) < 1e-3
    on_vault = np.abs(np.hypot(y, z - 1.6) - 4.6) < 0.02
    assert (on_road | on_wall | on_vault).all()


def test_the_tunnel_is_a_source():
    options = {"frames": "2", "noise": "lidar", "rings": "16", "columns": "64", "scale": "0.05"}
    with open_source("synthetic:tunnel", None, options) as source:
        assert len(source) == 2
        assert len(source[1].measurement) > 500
        travelled = np.linalg.inv(source.trajectory.matrices[0]) @ source.trajectory.matrices[1]
        np.testing.assert_allclose(travelled[0, 3], 2.2, atol=0.01)
