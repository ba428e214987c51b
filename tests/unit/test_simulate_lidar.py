"""A simulated LiDAR: ranges, times and empty beams where geometry by hand says they are."""

import numpy as np
import pytest

from sensorfusion.simulate.lidar import (
    LidarSensor,
    ScanErrors,
    flight_range_m,
    flight_time_s,
    spinning_lidar,
)
from sensorfusion.simulate.moving import Body, MovingEye, MovingScene
from sensorfusion.simulate.scene import Material, SceneBuilder
from sensorfusion.simulate.shapes import box

WHITE = Material((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), grain=0.0)
EXACT = ScanErrors.none()


def scene(*things):
    builder = SceneBuilder(np.random.default_rng(0))
    for solid, position_m in things:
        builder.add(solid, position_m, WHITE)
    return builder.scene()


def still(time_s):
    return np.tile(np.eye(4), (len(time_s), 1, 1))


def ahead_at(speed_m_s):
    def motion(time_s):
        T_world_body = still(time_s)
        T_world_body[:, 0, 3] = speed_m_s * time_s
        return T_world_body

    return motion


# A cell of 20 x 20 x 20 m around the sensor: walls 10 m away on all six sides.
CELL = [
    (box(1.0, 22.0, 20.0), (10.5, 0.0, -10.0)),
    (box(1.0, 22.0, 20.0), (-10.5, 0.0, -10.0)),
    (box(20.0, 1.0, 20.0), (0.0, 10.5, -10.0)),
    (box(20.0, 1.0, 20.0), (0.0, -10.5, -10.0)),
    (box(22.0, 22.0, 1.0), (0.0, 0.0, 10.0)),
    (box(22.0, 22.0, 1.0), (0.0, 0.0, -11.0)),
]


def sensor(*things, motion=still, errors=EXACT, lidar=None, bodies=(), shutter="rolling"):
    eye = MovingEye(MovingScene(scene(*things), bodies))
    lidar = spinning_lidar(16, 360) if lidar is None else lidar
    return LidarSensor(eye, lidar, motion, shutter=shutter, errors=errors)


def scan(one, start_ns=0, seed=0):
    return one.scan(start_ns, np.random.default_rng(seed))


def test_light_needs_a_microsecond_for_149_896_metres_and_back():
    # c = 299,792,458 m/s, by definition of the metre.
    assert flight_time_s(np.array([149.896229])) == pytest.approx(1e-6)
    assert flight_range_m(np.array([1e-6])) == pytest.approx(149.896229)


def test_ranges_are_those_of_whole_steps_of_the_timer():
    # A step of 1 ns is 0.149896229 m of range; all walls are farther than 10 m.
    measured = scan(sensor(*CELL, errors=ScanErrors(spread=False, dropped=0.0, timer_s=1e-9)))
    steps = np.linalg.norm(measured.cloud.points, axis=1) / 0.149896229
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    assert len(set(np.round(steps).tolist())) > 10


def test_points_of_a_still_sensor_lie_on_the_walls():
    points = scan(sensor(*CELL)).cloud.points
    np.testing.assert_allclose(np.abs(points).max(axis=1), 10.0, atol=1e-4)
    assert len(points) == 16 * 360


def test_a_scan_begins_behind_and_turns_clockwise():
    cloud = scan(sensor(*CELL)).cloud
    azimuth_deg = np.rad2deg(np.arctan2(cloud.points[:, 1], cloud.points[:, 0]))
    # 360 columns of one degree; the middle of the first stands half a degree past 180.
    np.testing.assert_allclose(azimuth_deg, 179.5 - cloud.column, atol=1e-3)
    np.testing.assert_array_equal(cloud.time_offset_ns, cloud.column * np.int64(100_000_000) // 360)


def test_rings_count_from_the_highest():
    cloud = scan(sensor(*CELL)).cloud
    flat = np.linalg.norm(cloud.points[:, :2], axis=1)
    elevation_deg = np.rad2deg(np.arctan2(cloud.points[:, 2], flat))
    np.testing.assert_allclose(elevation_deg, 22.5 - 3.0 * cloud.ring, atol=1e-3)


def test_each_column_is_measured_from_where_the_sensor_then_is():
    cloud = scan(sensor(*CELL, motion=ahead_at(10.0))).cloud
    ahead = (np.abs(cloud.points[:, 1]) < 5) & (cloud.points[:, 0] > 0)
    low = ahead & (np.abs(cloud.points[:, 2]) < 1.5)
    # 10 m to the wall, less 10 m/s times the time since the scan began.
    expected_m = 10.0 - 10.0 * cloud.column[low] / 360 * 0.1
    np.testing.assert_allclose(cloud.points[low, 0], expected_m, atol=1e-4)


def test_a_global_shutter_measures_all_at_the_start():
    cloud = scan(sensor(*CELL, motion=ahead_at(10.0), shutter="global"), 200_000_000).cloud
    assert not cloud.time_offset_ns.any()
    # The scan begins 2 m ahead of where the cell's middle is.
    low = np.abs(cloud.points[:, 1:]).max(axis=1) < 2
    assert set(np.round(cloud.points[low, 0], 3).tolist()) == {8.0, -12.0}


def test_the_truth_is_where_the_beams_met_the_walls():
    found = scan(sensor(*CELL, motion=ahead_at(10.0)))
    np.testing.assert_allclose(np.abs(found.surface_m).max(axis=1), 10.0, atol=1e-5)
    T_world_lidar = found.T_world_lidar[found.cloud.column]
    moved = np.einsum("nij,nj->ni", T_world_lidar[:, :3, :3], found.cloud.points)
    np.testing.assert_allclose(moved + T_world_lidar[:, :3, 3], found.surface_m, atol=2e-5)


def test_ranges_spread_as_the_lidar_says():
    lidar = spinning_lidar(64, 512)
    found = scan(sensor(*CELL, lidar=lidar, errors=ScanErrors(dropped=0.0)))
    errors_m = np.linalg.norm(found.cloud.points, axis=1) - np.linalg.norm(found.surface_m, axis=1)
    true_m = np.linalg.norm(found.surface_m, axis=1)
    # 12 mm x (1 + 0.02 r) along the beam; 0.2 mrad x r x tan(incidence) from the slant.
    tangent = np.sqrt(1 / found.cosine.astype(float) ** 2 - 1)
    sigma_m = np.hypot(0.012 * (1 + 0.02 * true_m), 0.0002 * true_m * tangent)
    assert np.std(errors_m / sigma_m) == pytest.approx(1.0, abs=0.02)
    assert abs(np.mean(errors_m / sigma_m)) < 0.02


def test_a_lost_beam_is_missing_and_not_empty():
    found = scan(sensor(*CELL, errors=ScanErrors(spread=False, dropped=0.25)))
    assert found.cloud.missing == pytest.approx(0.25 * 16 * 360, rel=0.1)
    assert len(found.cloud) + found.cloud.missing == 16 * 360
    assert len(found.cloud.empty_beams) == 0


def test_beams_into_the_open_and_beyond_the_reach_are_empty():
    lidar = spinning_lidar(16, 360, far_m=50.0)
    walls = [(box(1.0, 200.0, 20.0), (30.5, 0.0, -10.0)), (box(1.0, 200.0, 20.0), (-60.5, 0.0, -9))]
    cloud = scan(sensor(*walls, lidar=lidar)).cloud
    assert len(cloud) + len(cloud.empty_beams) == 16 * 360
    assert cloud.missing == 0
    np.testing.assert_allclose(cloud.points[:, 0], 30.0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(cloud.empty_beams, axis=1), 1.0, atol=1e-6)
    # Beams straight back meet the wall at 60 m, beyond 50 m.
    assert cloud.empty_beams[:, 0].min() < -0.99


def test_a_body_is_met_where_it_is_at_the_instant_of_the_beam():
    # The front of a cube drives from 20 m towards the sensor at 40 m/s: 18 m in the middle.
    def coming(time_s):
        T_world_body = still(time_s)
        T_world_body[:, 0, 3] = 21.0 - 40.0 * time_s
        return T_world_body

    cube = Body(scene((box(2.0, 2.0, 2.0), (0.0, 0.0, -1.0))), coming)

    far_away = (box(1.0, 1.0, 1.0), (-40.0, 0.0, -40.0))
    found = scan(sensor(far_away, bodies=(cube,)))
    expected_m = 20.0 - 40.0 * found.cloud.column / 360 * 0.1
    assert len(found.cloud) > 10
    np.testing.assert_allclose(found.cloud.points[:, 0], expected_m, atol=1e-4)


def test_intensity_falls_with_the_slant():
    found = scan(sensor(*CELL))
    # White paint: nothing but the cosine is left.
    cosine = 10.0 / np.linalg.norm(found.cloud.points, axis=1)
    np.testing.assert_allclose(found.cloud.intensity, cosine, atol=1e-4)


def test_the_same_seed_gives_the_same_bytes():
    one = sensor(*CELL, motion=ahead_at(5.0), errors=ScanErrors())
    first, second, other = scan(one, seed=3), scan(one, seed=3), scan(one, seed=4)
    assert first.cloud.points.tobytes() == second.cloud.points.tobytes()
    assert first.cloud.points.tobytes() != other.cloud.points.tobytes()
