"""Motion compensation: against the matrix exponential, and against exact simulated truth."""

import numpy as np
import pytest

from sensorfusion.depth.deskew import Twist, deskew, deskew_along, firing_origins, twist_at
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import UNSEEN, RangeImage
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import PERIOD_NS, spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, hall_rig, street_rig
from sensorfusion.simulate.moving import MovingScene
from sensorfusion.simulate.street import street, street_drive
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform


def exponential(twist, seconds):
    """T_now_then of a sensor that moves by a twist: the power series of the 4x4 matrix."""
    x, y, z = twist.angular_rad_s * seconds
    step = np.zeros((4, 4))
    step[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    step[:3, 3] = twist.linear_m_s * seconds
    total, term = np.eye(4), np.eye(4)
    for power in range(1, 40):
        term = term @ step / power
        total = total + term
    return total


def cloud_of(points, offsets_ns=None, stamp_ns=0, **layers):
    offsets_ns = None if offsets_ns is None else np.asarray(offsets_ns, dtype=np.int64)
    points = np.asarray(points, dtype=np.float32)
    return PointCloud(points, "lidar", stamp_ns, time_offset_ns=offsets_ns, **layers)


def random_cloud(count=500):
    rng = np.random.default_rng(5)
    normals = rng.normal(size=(count, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    offsets_ns = rng.integers(0, 100_000_000, count)
    return cloud_of(rng.uniform(-60, 60, (count, 3)), offsets_ns, 7_000_000_000, normals=normals)


TWIST = Twist("lidar", np.array([9.0, -1.5, 0.4]), np.array([0.2, -0.3, 0.8]))


@pytest.mark.parametrize("to_ns", [7_000_000_000, 7_050_000_000, 6_900_000_000])
@pytest.mark.parametrize(
    "twist",
    [
        TWIST,
        Twist("lidar", np.array([9.0, 0.0, 0.0]), np.zeros(3)),
        Twist("lidar", np.array([9.0, 0.0, 0.0]), np.array([1e-7, 0.0, 0.0])),
        Twist("lidar", np.array([1.0, 2.0, 3.0]), np.array([3.0, -25.0, 7.0])),
    ],
)
def test_points_move_as_the_matrix_exponential_says(twist, to_ns):
    cloud = random_cloud()
    moved = deskew(cloud, twist, to_ns)
    for n in range(0, len(cloud), 25):
        seconds = 1e-9 * (cloud.timestamp_ns + cloud.time_offset_ns[n] - to_ns)
        T_to_then = exponential(twist, seconds)
        expected = T_to_then[:3, :3] @ cloud.points[n] + T_to_then[:3, 3]
        np.testing.assert_allclose(moved.points[n], expected, atol=5e-5)
        normal = T_to_then[:3, :3] @ cloud.normals[n]
        np.testing.assert_allclose(moved.normals[n], normal, atol=2e-6)
    assert moved.timestamp_ns == to_ns
    assert moved.time_offset_ns is None


def test_a_point_ahead_of_a_sensor_that_drives_on_was_farther_away_when_seen():
    # 10 m/s for 0.1 s: the point seen 20 m ahead at 0.1 s is 21 m ahead of the start.
    forward = Twist("lidar", np.array([10.0, 0, 0]), np.zeros(3))
    cloud = cloud_of([[20, 0, 0], [20, 0, 0]], [0, 100_000_000])
    np.testing.assert_allclose(deskew(cloud, forward, 0).points[:, 0], [20, 21])
    np.testing.assert_allclose(deskew(cloud, forward, 100_000_000).points[:, 0], [19, 20])


def test_a_point_seen_after_a_left_turn_lay_to_the_left():
    # A quarter turn in 0.1 s.
    left = Twist("lidar", np.zeros(3), np.array([0, 0, np.pi / 2 / 0.1]))
    moved = deskew(cloud_of([[5, 0, 0]], [100_000_000]), left, 0)
    np.testing.assert_allclose(moved.points, [[0, 5, 0]], atol=1e-5)


def test_without_times_the_whole_scan_moves_as_one():
    forward = Twist("lidar", np.array([10.0, 0, 0]), np.zeros(3))
    moved = deskew(cloud_of([[20, 1, 0], [30, 2, 0]], stamp_ns=50_000_000), forward, 0)
    np.testing.assert_allclose(moved.points, [[20.5, 1, 0], [30.5, 2, 0]], atol=1e-6)


def test_there_and_on_is_the_same_as_at_once():
    cloud = random_cloud()
    by_way = deskew(deskew(cloud, TWIST, 7_020_000_000), TWIST, 7_090_000_000)
    at_once = deskew(cloud, TWIST, 7_090_000_000)
    np.testing.assert_allclose(by_way.points, at_once.points, atol=3e-5)


def test_what_is_known_of_each_point_stays_with_it():
    ring = np.arange(500, dtype=np.uint16)
    empty = np.array([[0, 0, 1]], dtype=np.float32)
    cloud = PointCloud(random_cloud().points, "lidar", ring=ring, empty_beams=empty, missing=3)
    moved = deskew(cloud, TWIST, 10_000_000)
    np.testing.assert_array_equal(moved.ring, ring)
    np.testing.assert_array_equal(moved.empty_beams, empty)
    assert moved.missing == 3


def test_an_empty_scan_stays_empty():
    assert len(deskew(cloud_of(np.zeros((0, 3)), []), TWIST, 5)) == 0


def test_the_twist_of_another_sensor_is_refused():
    other = Twist("camera", np.zeros(3), np.zeros(3))
    with pytest.raises(CoordinateSystemMismatchError, match="points of 'lidar'"):
        deskew(random_cloud(), other, 0)


def test_a_twist_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="linear_m_s"):
        Twist("lidar", np.array([np.nan, 0, 0]), np.zeros(3))


@pytest.mark.parametrize("turn", [0.0, 1e-6, 0.5, 3.0])
def test_the_twist_between_two_places_leads_from_one_to_the_other(turn):
    known = Twist("lidar", np.array([4.0, 1.0, -2.0]), turn * np.array([0.6, 0.0, 0.8]))
    start = exponential(Twist("lidar", np.array([1.0, 2, 3]), np.array([0.3, 0.1, -2])), 1.0)
    first = RigidTransform.nearest("world", "lidar", start)
    second = RigidTransform.nearest("world", "lidar", start @ exponential(known, 0.5))
    found = Twist.between(1_000, first, 500_001_000, second)
    assert found.coordinate_system == "lidar"
    np.testing.assert_allclose(found.linear_m_s, known.linear_m_s, atol=1e-7)
    np.testing.assert_allclose(found.angular_rad_s, known.angular_rad_s, atol=1e-7)


def test_a_twist_needs_time_to_pass():
    here = RigidTransform.identity("world", "lidar")
    with pytest.raises(ValueError, match="time must increase"):
        Twist.between(5, here, 5, here)


def test_a_twist_is_of_one_sensor_in_one_world():
    here, other = (RigidTransform.identity("world", name) for name in ("lidar", "camera"))
    with pytest.raises(CoordinateSystemMismatchError):
        Twist.between(5, here, 6, other)


def accelerating(count=6, gap_ns=100_000_000):
    """Along x with 2 m/s^2 from rest."""
    stamps_ns = [n * gap_ns for n in range(count)]
    poses = []
    for stamp_ns in stamps_ns:
        matrix = np.eye(4)
        matrix[0, 3] = (1e-9 * stamp_ns) ** 2
        poses.append(RigidTransform("world", "lidar", matrix))
    return Trajectory(stamps_ns, poses)


@pytest.mark.parametrize("at_ns", [50_000_000, 120_000_000, 200_000_000, 333_000_000, 450_000_000])
def test_the_speed_at_an_instant_is_that_of_even_acceleration(at_ns):
    found = twist_at(accelerating(), at_ns)
    np.testing.assert_allclose(found.linear_m_s, [2 * 1e-9 * at_ns, 0, 0], atol=1e-9)


def test_outside_of_the_poses_the_last_twist_holds_for_a_while():
    trajectory = accelerating()
    np.testing.assert_allclose(twist_at(trajectory, 550_000_000).linear_m_s, [0.9, 0, 0])
    np.testing.assert_allclose(twist_at(trajectory, -10).linear_m_s, [0.1, 0, 0])
    assert twist_at(trajectory, 800_000_000) is None
    assert twist_at(trajectory, -300_000_000) is None


def test_over_a_gap_nothing_is_known():
    assert twist_at(accelerating(gap_ns=300_000_000), 100) is None
    assert twist_at(accelerating(count=1), 0) is None
    assert twist_at(Trajectory(), 0) is None


def in_the_hall():
    return LidarRig(MovingScene(hall(1)), hall_rig(spinning_lidar(), 0.1), hall_walk)


def in_the_street():
    lidar = spinning_lidar(highest_deg=2.0, lowest_deg=-24.8)
    return LidarRig(MovingScene(street(1).still), street_rig(lidar, 0.1), street_drive)


@pytest.mark.parametrize("place", [in_the_hall, in_the_street])
def test_deskewed_points_err_no_more_than_the_sensor_itself(place):
    rig = place()
    before_m, after_m, floor_m = [], [], []
    for index in (3, 20, 47, 110, 160):
        start_ns = index * PERIOD_NS
        scan = rig.scan(start_ns, np.random.default_rng(index))
        picture_ns = start_ns + PERIOD_NS // 2
        twist = Twist.between(
            start_ns,
            rig.T_world_lidar(start_ns),
            start_ns + PERIOD_NS,
            rig.T_world_lidar(start_ns + PERIOD_NS),
        )
        moved = deskew(scan.cloud, twist, picture_ns)
        T_world_lidar = rig.T_world_lidar(picture_ns)
        for points, errors_m in ((scan.cloud.points, before_m), (moved.points, after_m)):
            errors_m.append(np.linalg.norm(T_world_lidar.apply(points) - scan.surface_m, axis=1))
        own = scan.T_world_lidar[scan.cloud.column]
        seen = np.einsum("nji,nj->ni", own[:, :3, :3], scan.surface_m - own[:, :3, 3])
        floor_m.append(np.linalg.norm(scan.cloud.points - seen, axis=1))
    before, after, floor = (np.concatenate(x) for x in (before_m, after_m, floor_m))
    assert before.mean() > 3 * floor.mean()
    assert after.mean() <= 1.1 * floor.mean()
    assert np.sqrt((after**2).mean()) <= 1.1 * np.sqrt((floor**2).mean())
    assert np.percentile(after, 95) <= 1.1 * np.percentile(floor, 95)


def test_a_trajectory_moves_a_scan_whatever_it_calls_the_sensor():
    """1 m/s ahead: after 0.1 s what was 10 m ahead is 9.9 m ahead."""
    poses = [RigidTransform("world", "camera", np.eye(4))]
    ahead = np.eye(4)
    ahead[0, 3] = 0.1
    poses.append(RigidTransform("world", "camera", ahead))
    cloud = PointCloud(np.array([[10, 0, 0]], np.float32), "lidar", 0)
    moved = deskew_along(cloud, Trajectory([0, 100_000_000], poses), 100_000_000)
    assert moved.points[0] == pytest.approx([9.9, 0, 0], abs=1e-6)
    assert moved.coordinate_system == "lidar"


def test_a_scan_is_left_where_the_motion_is_not_known():
    cloud = PointCloud(np.array([[10, 0, 0]], np.float32), "lidar", 0)
    assert deskew_along(cloud, Trajectory(), 100_000_000) is None


def test_a_lidar_that_drives_fired_each_column_from_where_it_was_then():
    # Two rings, four columns 25 ms apart, one of them without a point; 2 m/s along x.
    index = np.array([[0, UNSEEN, UNSEEN, 1], [UNSEEN, 2, UNSEEN, UNSEEN]], np.int32)
    offsets_ns = [0, 75_000_000, 25_000_000]
    cloud = cloud_of(np.ones((3, 3)), offsets_ns)
    image = RangeImage(cloud, index, np.ones(index.shape, np.float32), wraps=False)
    origins_m = firing_origins(image, Twist("lidar", np.array([2.0, 0, 0]), np.zeros(3)))
    assert origins_m.dtype == np.float32
    expected = [[0, 0, 0], [0.05, 0, 0], [0.10, 0, 0], [0.15, 0, 0]]
    np.testing.assert_allclose(origins_m, expected, atol=1e-6)


def test_without_times_nothing_is_said_about_where_a_lidar_fired():
    index = np.zeros((1, 1), np.int32)
    image = RangeImage(cloud_of(np.ones((1, 3))), index, np.ones((1, 1), np.float32), wraps=False)
    assert firing_origins(image, Twist("lidar", np.ones(3), np.zeros(3))) is None
