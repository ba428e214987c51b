"""The simulated street: its ground, its traffic, and the way through it."""

import numpy as np
import pytest

from sensorfusion.simulate.lidar import PERIOD_NS, ScanErrors, spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, street_rig
from sensorfusion.simulate.moving import MovingEye, MovingScene
from sensorfusion.simulate.plants import foliage
from sensorfusion.simulate.street import LONGEST_S, ground_m, street, street_drive

LIDAR = spinning_lidar(32, 256, highest_deg=2.0, lowest_deg=-24.8)


@pytest.fixture(scope="module")
def scene():
    return street(3)


@pytest.fixture(scope="module")
def rig(scene):
    return LidarRig(scene, street_rig(LIDAR, 0.1), street_drive, errors=ScanErrors.none())


def rays_from(origins_m, directions):
    rays = np.empty((len(origins_m), len(directions), 6), dtype=np.float32)
    rays[..., :3] = np.asarray(origins_m)[:, None]
    rays[..., 3:] = directions
    return rays


def test_the_kerb_is_a_step_of_12_centimetres():
    low, high = ground_m(np.zeros(2), np.array([3.6, 3.66]))
    assert high - low == pytest.approx(0.12)


def test_the_road_falls_to_both_sides():
    # 2.5 % over 3.6 m.
    left, middle, right = ground_m(np.full(3, 50.0), np.array([3.6, 0.0, -3.6]))
    assert middle - left == pytest.approx(0.09)
    assert middle - right == pytest.approx(0.09)


def test_the_drive_is_as_fast_as_a_car_in_town_and_smooth():
    time_s = np.arange(0, LONGEST_S, 0.01)
    T_world_lidar = street_drive(time_s)
    speeds_m_s = np.linalg.norm(np.diff(T_world_lidar[:, :3, 3], axis=0), axis=1) / 0.01
    assert 8.0 < speeds_m_s.min() < speeds_m_s.max() < 10.0
    np.testing.assert_allclose(np.linalg.det(T_world_lidar[:, :3, :3]), 1.0)
    # It turns: headings differ by more than 20 degrees.
    heading_deg = np.rad2deg(np.arctan2(T_world_lidar[:, 1, 0], T_world_lidar[:, 0, 0]))
    assert np.ptp(heading_deg) > 20


def test_the_lidar_hangs_over_the_road_and_nothing_comes_near_it(scene):
    eye = MovingEye(scene)
    time_s = np.arange(0, LONGEST_S, 0.25)
    origins_m = street_drive(time_s)[:, :3, 3]
    down = eye.cast(rays_from(origins_m, np.array([[0, 0, -1]])), time_s)
    assert 1.7 < down.z_m.min() < down.z_m.max() < 1.95
    angles = np.linspace(0, 2 * np.pi, 90)
    around = np.stack([np.cos(angles), np.sin(angles), np.zeros(90)], axis=-1)
    found = eye.cast(rays_from(origins_m, around), time_s)
    assert found.z_m[found.triangles >= 0].min() > 0.9


def test_a_scan_holds_road_far_things_and_open_sky(rig):
    cloud = rig.scan(2 * PERIOD_NS, np.random.default_rng(0)).cloud
    ranges_m = np.linalg.norm(cloud.points, axis=1)
    assert ranges_m.min() < 5
    assert 50 < ranges_m.max() <= LIDAR.far_m
    assert 50 < len(cloud.empty_beams) < 0.2 * 32 * 256
    assert cloud.missing < 0.02 * 32 * 256


def test_traffic_moves_and_houses_do_not(scene):
    still = MovingScene(scene.still)
    moving, fixed = MovingEye(scene), MovingEye(still)
    # From above the lane of the cars that come towards us.
    x_m = np.linspace(30, 120, 400)
    y_m = 8.0 * np.sin(x_m / 24.0) + 1.75
    rays = rays_from([[0, 0, 0]], np.tile([0, 0, -1], (400, 1)))
    rays[0, :, 0], rays[0, :, 1], rays[0, :, 2] = x_m, y_m, 30.0
    heights = [30.0 - moving.cast(rays, np.array([t])).z_m for t in (0.0, 0.5)]
    again = [30.0 - fixed.cast(rays, np.array([t])).z_m for t in (0.0, 0.5)]
    np.testing.assert_array_equal(*again)
    higher = heights[0] > heights[1] + 0.5
    assert 5 < higher.sum() < 200


def test_a_car_stands_with_its_wheels_on_the_road(scene):
    for body in scene.bodies:
        vertices = body.scene.mesh.vertices
        assert abs(vertices[:, 2].min()) < 0.011
        T_world_car = body.motion(np.array([3.0]))[0]
        road = MovingEye(MovingScene(scene.still))
        for wheel_m in ((1.3, 0.8, 0.0), (-1.3, -0.8, 0.0)):
            place = T_world_car[:3, :3] @ wheel_m + T_world_car[:3, 3]
            above = np.add(place, (0, 0, 1.0))
            down = rays_from([above], np.array([[0, 0, -1]]))
            assert road.cast(down, np.zeros(1)).z_m[0] == pytest.approx(1.0, abs=0.04)


def test_foliage_lets_some_rays_through():
    leaves = foliage(np.random.default_rng(0), (4.0, 4.0, 4.0), 600, 0.1)
    import open3d as o3d

    tensor = o3d.core.Tensor.from_numpy
    crown = o3d.t.geometry.RaycastingScene()
    crown.add_triangles(
        tensor(leaves.vertices.astype(np.float32)), tensor(leaves.triangles.astype(np.uint32))
    )
    y, z = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(1, 3, 40))
    rays = np.zeros((1600, 6), dtype=np.float32)
    rays[:, 0], rays[:, 1], rays[:, 2], rays[:, 3] = -10, y.ravel(), z.ravel(), 1
    hit = np.isfinite(crown.cast_rays(tensor(rays))["t_hit"].numpy())
    assert 0.2 < hit.mean() < 0.9


def test_a_camera_sees_the_sky_blue_and_without_depth(rig):
    view = rig.view("color", 50_000_000)
    picture = rig.picture("color", 50_000_000)
    sky = view.triangles < 0
    assert 0.02 < sky.mean() < 0.5
    assert not view.z_m[sky].any()
    assert (picture[sky][:, 2] > picture[sky][:, 0]).all()


def test_the_camera_sits_right_of_the_lidar_and_below():
    T_lidar_camera = street_rig(LIDAR).transform("lidar", "color")
    np.testing.assert_allclose(T_lidar_camera.translation_m, (0.0, -0.3, -0.15))
    # It looks along x; its own x points to the right, which is -y.
    np.testing.assert_allclose(T_lidar_camera.apply(np.array([0, 0, 1.0])), (1.0, -0.3, -0.15))
    np.testing.assert_allclose(T_lidar_camera.apply(np.array([1.0, 0, 0])), (0.0, -1.3, -0.15))


def test_exact_points_are_where_the_camera_sees_depth(rig):
    # All at the instant of the picture: the scan that begins then, with a global shutter.
    still = LidarRig(street(3), rig.rig, street_drive, shutter="global", errors=ScanErrors.none())
    cloud = still.scan(PERIOD_NS, np.random.default_rng(0)).cloud
    camera = rig.rig.cameras["color"]
    view = still.view("color", PERIOD_NS)
    points = rig.rig.transform("color", "lidar").apply(cloud.points)
    pixels = camera.project(points)
    inside = (points[:, 2] > 0.1) & (pixels > 0).all(axis=1)
    inside &= (pixels < (camera.width - 1, camera.height - 1)).all(axis=1)
    u, v = np.round(pixels[inside]).astype(int).T
    z_m = view.z_m[v, u]
    agree = np.abs(z_m / points[inside, 2] - 1) < 0.05
    assert inside.sum() > 300
    # The rest lies on edges, leaves and what is hidden from the camera.
    assert agree.mean() > 0.8
