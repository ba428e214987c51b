"""Where a LiDAR is, by its scans alone."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.depth.normals import cloud_normals, scan_normals
from sensorfusion.depth.organise import organise
from sensorfusion.errors import ConfigError
from sensorfusion.imu import ImuSamples
from sensorfusion.odometry.engines import scan_tracker
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.odometry.lidar import PlaneTracker
from sensorfusion.odometry.scan import ScanScale, estimate_scale, prepare_scan
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import PERIOD_NS, LidarSensor, ScanErrors, spinning_lidar
from sensorfusion.simulate.moving import MovingEye, MovingScene, turned
from sensorfusion.simulate.scene import Material, SceneBuilder
from sensorfusion.simulate.shapes import box
from sensorfusion.simulate.tunnel import tunnel, tunnel_drive
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared/data"))
LIDAR = spinning_lidar()
FEWER = spinning_lidar(32, 512)


def simulated(eye, motion, scans, lidar=LIDAR, **options):
    """Return clouds and where the LiDAR truly was at their time stamps."""
    sensor = LidarSensor(eye, lidar, motion, **options)
    clouds = [sensor.scan(k * PERIOD_NS, np.random.default_rng([7, k])).cloud for k in scans]
    return clouds, motion(1e-9 * np.array([cloud.timestamp_ns for cloud in clouds], float))


def track(clouds, true=None, lidar=LIDAR, **options):
    """Return what our engine says of scans, in the world of the truth."""
    scale = estimate_scale(clouds[:5])
    first = np.eye(4) if true is None else true[0]
    name = clouds[0].coordinate_system
    tracker = PlaneTracker(scale, RigidTransform("world", name, first), **options)
    return [tracker.track(prepared(cloud, scale, lidar)) for cloud in clouds]


def prepared(cloud, scale, lidar=LIDAR):
    if not len(cloud):
        return prepare_scan(cloud, scale, lambda wanted: np.zeros((0, 3), np.float32))
    image = organise(cloud, lidar)
    return prepare_scan(cloud, scale, lambda wanted: scan_normals(image, wanted))


def off_m(results, true):
    """Return the distance from the truth of each pose that may be used."""
    return np.array(
        [
            np.linalg.norm(result.motion.T_world_lidar.translation_m - pose[:3, 3])
            for result, pose in zip(results, true, strict=True)
            if not result.refused
        ]
    )


def standing(time_s, yaw_rad):
    T_world_lidar = np.zeros((len(time_s), 4, 4))
    T_world_lidar[:, :3, :3] = turned(yaw_rad, 0 * time_s, 0 * time_s)
    T_world_lidar[:, :3, 3] = (0.0, -3.2, 1.2)
    T_world_lidar[:, 3, 3] = 1.0
    return T_world_lidar


def turning(time_s):
    """Turn 360 degrees in two seconds."""
    return standing(time_s, np.pi * time_s)


def wall_room():
    """Return a room of 20 x 12 m with furniture and a wall of 5 cm in its middle."""
    builder = SceneBuilder(np.random.default_rng(3))
    paint = Material((0.5, 0.5, 0.5))
    builder.add(box(20, 12, 0.2), (0, 0, -0.2), paint)
    builder.add(box(20, 12, 0.2), (0, 0, 3.0), paint)
    for side in (-1, 1):
        builder.add(box(0.2, 12, 3), (side * 10, 0, 0), paint)
        builder.add(box(20, 0.2, 3), (0, side * 6, 0), paint)
    builder.add(box(6, 0.05, 3), (0, 0, 0), paint)
    rng = np.random.default_rng(5)
    for _ in range(24):
        x, y = rng.uniform(-9, 9), rng.uniform(1.6, 5.4) * rng.choice([-1, 1])
        size = rng.uniform((0.3, 0.3, 0.5), (1.2, 1.2, 2.5)).tolist()
        builder.add(box(*size), (x, y, 0), paint, yaw_rad=rng.uniform(0, 3))
    return MovingScene(builder.scene())


def past_the_wall(time_s):
    """Walk along the wall, 0.4 m from it, round its end and back on the other side."""
    around = -1.9 + 0.45 * time_s
    T_world_lidar = standing(time_s, 0.3 * np.sin(time_s))
    T_world_lidar[:, 0, 3] = 3.8 * np.sin(around + np.pi / 2 + 0.4)
    T_world_lidar[:, 1, 3] = -0.9 * np.cos(around + np.pi / 2 + 0.4)
    return T_world_lidar


@pytest.fixture(scope="module")
def hall_eye():
    return MovingEye(MovingScene(hall(0)))


@pytest.fixture(scope="module")
def walk(hall_eye):
    return simulated(hall_eye, hall_walk, range(14))


@pytest.fixture(scope="module")
def walked(walk):
    return track(*walk)


def test_a_walk_is_followed_to_millimetres(walk, walked):
    _, true = walk
    assert not any(result.refused for result in walked)
    assert off_m(walked, true).max() < 0.012


def test_the_motion_within_each_scan_is_told(walk, walked):
    clouds, true = walk
    after = hall_walk(1e-9 * np.array([cloud.timestamp_ns + PERIOD_NS for cloud in clouds], float))
    for result, start, end in list(zip(walked, true, after, strict=True))[2:]:
        way = np.linalg.inv(start) @ end
        np.testing.assert_allclose(0.1 * result.motion.linear_m_s, way[:3, 3], atol=0.015)
        yaw_rad = np.arctan2(way[1, 0], way[0, 0])
        np.testing.assert_allclose(0.1 * result.motion.angular_rad_s[2], yaw_rad, atol=0.004)


def test_with_the_second_scan_the_motion_of_the_first_is_told(walk, walked):
    _, true = walk
    assert [result.first is not None for result in walked] == [False, True] + 12 * [False]
    way = np.linalg.inv(true[0]) @ true[1]
    np.testing.assert_allclose(0.1 * walked[1].first.linear_m_s, way[:3, 3], atol=0.015)
    np.testing.assert_allclose(walked[1].first.T_world_lidar.matrix, true[0], atol=1e-9)


def test_poses_are_the_same_bytes_on_every_run(walk, walked):
    again = track(*walk)
    for one, other in zip(walked, again, strict=True):
        assert one.motion.T_world_lidar.matrix.tobytes() == (
            other.motion.T_world_lidar.matrix.tobytes()
        )


def test_a_pose_says_how_certain_it_is(walk, walked):
    _, true = walk
    off = off_m(walked, true)[1:]
    sigma_m = np.array([result.sigma_m for result in walked[1:]])
    assert 0.2e-3 < sigma_m.min() < sigma_m.max() < 5e-3
    assert (off < 8 * sigma_m).mean() > 0.7


def test_a_turn_of_360_degrees_in_two_seconds_is_followed(hall_eye):
    clouds, true = simulated(hall_eye, turning, range(8))
    results = track(clouds, true)
    assert not any(result.refused for result in results)
    assert off_m(results, true).max() < 0.02
    turned_rad = [result.motion.angular_rad_s[2] for result in results[2:]]
    np.testing.assert_allclose(turned_rad, np.pi, atol=0.05)


def test_a_fifth_of_the_points_may_be_lost(hall_eye):
    clouds, true = simulated(hall_eye, hall_walk, range(8), errors=ScanErrors(dropped=0.2))
    results = track(clouds, true)
    assert not any(result.refused for result in results)
    assert off_m(results, true).max() < 0.012


def test_a_scan_that_comes_twice_is_refused_and_the_next_is_not(walk):
    clouds, true = walk
    again = replace(clouds[4], timestamp_ns=clouds[4].timestamp_ns + PERIOD_NS // 2)
    results = track([*clouds[:5], again, *clouds[5:8]], true)
    assert results[5].refused == "the same scan again"
    used = [*results[:5], *results[6:]]
    assert not any(result.refused for result in used)
    assert off_m(used, true[:8]).max() < 0.012


def test_scans_without_points_are_refused_and_the_way_goes_on(walk):
    clouds, true = walk
    empty = [clouds[k].subset(np.arange(0)) if k in (4, 5, 6) else clouds[k] for k in range(10)]
    results = track(empty, true)
    assert [result.refused for result in results] == 4 * [""] + 3 * ["too few points"] + 3 * [""]
    assert off_m(results, true[:10]).max() < 0.012


def test_a_scan_out_of_order_is_refused(walk):
    clouds, true = walk
    results = track([*clouds[:4], clouds[2], clouds[4]], true)
    assert [result.refused for result in results] == 4 * [""] + ["time does not increase", ""]


def test_another_place_is_no_place_of_this_one(walk):
    clouds, true = walk
    eye = MovingEye(wall_room())
    elsewhere, _ = simulated(eye, past_the_wall, range(6, 8))
    results = track([*clouds[:6], *elsewhere, *clouds[8:10]], true)
    assert all(result.refused for result in results[6:8])
    assert not any(result.refused for result in results[8:])
    assert off_m(results, true[:10]).max() < 0.012


def test_the_way_past_a_thin_wall_is_followed_or_refused():
    clouds, true = simulated(MovingEye(wall_room()), past_the_wall, range(0, 70), FEWER)
    results = track(clouds, true, FEWER)
    assert true[:, 1, 3].min() < -0.3 < 0.3 < true[:, 1, 3].max()
    assert sum(bool(result.refused) for result in results) < 5
    assert off_m(results, true).max() < 0.03


def test_a_smooth_tunnel_holds_no_scan_along_itself_and_the_results_say_so():
    eye = MovingEye(tunnel(0))
    clouds, true = simulated(eye, tunnel_drive, range(12, 60), FEWER)
    results = track(clouds, true, FEWER)
    free = [len(result.free) > 0 for result in results]
    # Cabinets until 60 m; 22 m/s.
    assert not any(free[:15])
    assert all(free[-10:])
    for result in results[-10:]:
        assert not result.refused
        assert abs(result.free[0, 0]) > 0.99
        # What was predicted errs, and says so.
        assert result.sigma_m > 0.05
    assert off_m(results, true).max() < 3 * results[-1].sigma_m


def test_a_start_in_a_smooth_tunnel_is_refused():
    clouds, _ = simulated(MovingEye(tunnel(0)), tunnel_drive, range(90, 93))
    results = track(clouds)
    assert [result.refused for result in results] == [
        "",
        *2 * ["free to slide, and nothing says how fast"],
    ]


def test_without_times_within_scans_poses_are_found_all_the_same(hall_eye):
    clouds, true = simulated(hall_eye, hall_walk, range(8), shutter="global")
    results = track([replace(cloud, time_offset_ns=None) for cloud in clouds], true)
    assert off_m(results, true).max() < 0.004
    assert not any(result.motion.linear_m_s.any() for result in results)


def test_a_cloud_without_rings_columns_or_times_is_tracked(hall_eye):
    clouds, true = simulated(hall_eye, hall_walk, range(6), shutter="global")
    rng = np.random.default_rng(0)
    bare = [
        PointCloud(np.ascontiguousarray(rng.permutation(cloud.points)), "lidar", cloud.timestamp_ns)
        for cloud in clouds
    ]
    scale = estimate_scale(bare)
    tracker = PlaneTracker(scale, RigidTransform("world", "lidar", true[0]))
    results = [
        tracker.track(prepare_scan(cloud, scale, lambda _, c=cloud: cloud_normals(c)))
        for cloud in bare
    ]
    assert not any(result.refused for result in results)
    assert off_m(results, true).max() < 0.015


def test_a_gyroscope_leads_to_where_a_sudden_turn_went(hall_eye):
    def sudden(time_s):
        return standing(time_s, 2.0 * np.maximum(time_s - 0.5, 0.0))

    clouds, true = simulated(hall_eye, sudden, range(9), shutter="global")
    stamps_s = np.arange(-0.1, 1.2, 0.005)
    rates = np.zeros((len(stamps_s), 3))
    rates[stamps_s >= 0.5, 2] = 2.0
    stamps_ns = np.round(1e9 * stamps_s).astype(np.int64)
    imu = ImuSamples("imu", stamps_ns, rates, np.tile([0, 0, 9.81], (len(stamps_s), 1)))
    results = track(clouds, true, gyro=GyroPrior(imu, np.eye(3)))
    assert not any(result.refused or result.notes for result in results)
    assert off_m(results, true).max() < 0.01


def test_the_scale_of_a_hall_is_estimated_from_its_scans(walk):
    scale = estimate_scale(walk[0][:5])
    assert 0.4 < scale.edge_m < 0.9
    assert 12.0 < scale.far_m < 26.0
    assert scale.period_ns == PERIOD_NS
    count = len(prepared(walk[0][0], scale).rows)
    assert 10_000 < count <= 16_000


def test_the_scale_of_nothing_is_something(walk):
    empty = walk[0][0].subset(np.arange(0))
    assert estimate_scale([]).edge_m > 0
    assert estimate_scale([empty]).far_m > 0


def test_a_scale_is_described_in_one_line():
    scale = ScanScale(0.5, 0.1, 0.3, 20.0, PERIOD_NS)
    assert scale.describe() == "voxels of 0.50 m, range 0.3 to 20 m, 10.0 scans/s"


@pytest.mark.parametrize(("engine", "most_m"), [("kiss", 0.2), ("small_gicp", 0.1)])
def test_engines_of_others_answer_alike(walk, engine, most_m):
    clouds, true = walk
    scale = estimate_scale(clouds[:5])
    tracker = scan_tracker(engine, scale, RigidTransform("world", "lidar", true[0]))
    results = [tracker.track(prepared(cloud, scale)) for cloud in clouds[:8]]
    assert not any(result.refused for result in results)
    assert off_m(results, true[:8]).max() < most_m
    assert tracker.track(prepared(clouds[0].subset(np.arange(0)), scale)).refused


def test_an_engine_that_is_not_installed_is_said_to_be(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "small_gicp", None)
    scale = ScanScale(0.5, 0.1, 0.3, 20.0, PERIOD_NS)
    with pytest.raises(ConfigError, match="small-gicp, which is not installed; install sensorfus"):
        scan_tracker("small_gicp", scale, RigidTransform.identity("world", "lidar"))


def tracked(location):
    """Return the results and frames of a recording that is here."""
    if not (DATA / location).exists():
        pytest.skip(f"{DATA / location} is not here")
    with open_source(DATA / location) as source:
        frames = list(source)
        lidar = source.rig.lidars[frames[0].sensor]
        results = track([frame.measurement for frame in frames], lidar=lidar)
        return results, source.trajectory


def test_the_pair_of_kitti_scans_lies_as_its_truth_says():
    results, truth = tracked("kitti-odometry-pair")
    way = np.linalg.inv(results[0].motion.T_world_lidar.matrix) @ (
        results[1].motion.T_world_lidar.matrix
    )
    true = np.linalg.inv(truth.matrices[0]) @ truth.matrices[1]
    assert np.linalg.norm(way[:3, 3] - true[:3, 3]) < 0.015
    cosine = (np.trace(way[:3, :3].T @ true[:3, :3]) - 1) / 2
    assert np.degrees(np.arccos(min(cosine, 1.0))) < 0.05


def test_a_pair_of_scans_without_rings_or_times_lies_where_others_lay_it():
    results, _ = tracked("lidar-pair")
    way = np.linalg.inv(results[1].motion.T_world_lidar.matrix)
    reference = np.loadtxt(DATA / "lidar-pair" / "T_target_source.txt")
    assert np.linalg.norm(way[:3, 3] - reference[:3, 3]) < 0.015
    # That is the result of another registration, which moves by 0.3 degrees with its settings.
    cosine = (np.trace(way[:3, :3].T @ reference[:3, :3]) - 1) / 2
    assert np.degrees(np.arccos(min(cosine, 1.0))) < 0.4


def test_a_real_drive_goes_as_far_as_its_pictures_say():
    results, _ = tracked("kitti-raw-drive")
    assert not any(result.refused for result in results)
    places = np.array([result.motion.T_world_lidar.translation_m for result in results])
    steps_m = np.linalg.norm(np.diff(places, axis=0), axis=1)
    # From points of the scans followed through image_02 (optical flow, then pose from points).
    pictures_m = [0.250, 0.242, 0.240, 0.237, 0.239, 0.235, 0.240, 0.237, 0.231, 0.237, 0.236]
    assert abs(steps_m.sum() / sum(pictures_m) - 1) < 0.02
    np.testing.assert_allclose(steps_m, pictures_m, atol=0.01)
