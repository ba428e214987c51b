"""Occlusion: what shines through goes, what is seen stays."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.beams import BeamSpacing, beam_spacing
from sensorfusion.depth.occlusion import remove_hidden
from sensorfusion.depth.projection import project_cloud
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, hall_rig
from sensorfusion.simulate.moving import MovingScene
from sensorfusion.transform import RigidTransform

# Camera axes throughout: x right, y down, z ahead. Five pixels between rings, 2.4 between firings.
CAMERA = Camera("camera", 640, 480, 400.0, 400.0, 319.5, 239.5)
VERTICAL_RAD, HORIZONTAL_RAD = np.deg2rad(45 / 63), 2 * np.pi / 1024
SPACING = BeamSpacing(VERTICAL_RAD, HORIZONTAL_RAD)
ELEVATIONS = VERTICAL_RAD * (np.arange(64) - 31.5)
AZIMUTHS = HORIZONTAL_RAD * (np.arange(256) - 127.5)
LIDAR = Lidar(name="lidar", rings=64, columns=1024, elevation_rad=tuple(ELEVATIONS))
# Where the LiDAR sits in the camera's coordinates: the camera is 0.3 m to its right, 0.15 m below.
LIDAR_M = np.array([-0.3, -0.15, 0.0])


def beams():
    elevation, azimuth = np.meshgrid(ELEVATIONS, AZIMUTHS)
    level = np.cos(elevation)
    directions = [level * np.sin(azimuth), -np.sin(elevation), level * np.cos(azimuth)]
    return np.stack(directions, axis=-1).reshape(-1, 3)


def plane(origin_m, directions, normal, offset_m, inside=None):
    """Return how far along its ray a plane normal . x = offset is met; infinity where not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        range_m = (offset_m - origin_m @ normal) / (directions @ np.asarray(normal, float))
        range_m = np.where(range_m > 0, range_m, np.inf)
        hit = origin_m + directions * range_m[:, None]
    if inside is not None:
        range_m = np.where(inside(hit), range_m, np.inf)
    return range_m


def measured(surfaces):
    """Return the depth map of a scan, and which of its pixels the camera really sees."""
    directions = beams()
    range_m = np.min([plane(LIDAR_M, directions, *one) for one in surfaces], axis=0)
    hit = np.isfinite(range_m) & (range_m < 80)
    points = (directions * range_m[:, None])[hit]
    T_camera_lidar = np.eye(4)
    T_camera_lidar[:3, 3] = LIDAR_M
    link = RigidTransform("camera", "lidar", T_camera_lidar)
    cloud = PointCloud(points.astype(np.float32), "lidar")
    found = project_cloud(cloud, CAMERA, link, LIDAR)
    shown = points[found.index[found.index >= 0]] + LIDAR_M
    length_m = np.linalg.norm(shown, axis=1)
    seen_m = np.min(
        [plane(np.zeros(3), shown / length_m[:, None], *one) for one in surfaces], axis=0
    )
    visible = np.zeros(found.index.shape, bool)
    visible[found.index >= 0] = seen_m > length_m - 0.3
    return found.depth, visible


def wall(z_m):
    return ((0, 0, 1), z_m)


def plate(z_m, left, right, top, bottom):
    def inside(hit):
        x, y = hit[:, 0], hit[:, 1]
        return (x > left) & (x < right) & (y > top) & (y < bottom)

    return ((0, 0, 1), z_m, inside)


def test_a_wall_does_not_shine_through_a_plate_before_it():
    depth, visible = measured([wall(10.0), plate(3.0, -0.6, 0.6, -0.8, 0.8)])
    hidden = depth.valid & ~visible
    assert hidden.sum() > 100
    result = remove_hidden(depth, SPACING)
    assert (result.valid & hidden).sum() < 0.05 * hidden.sum()
    assert (result.valid & visible).sum() > 0.99 * visible.sum()


def test_what_was_removed_says_so_and_the_rest_stays_as_it_was():
    depth, _ = measured([wall(10.0), plate(3.0, -0.6, 0.6, -0.8, 0.8)])
    result = remove_hidden(depth, SPACING)
    gone = depth.valid & ~result.valid
    assert (result.origin[gone] == Origin.OCCLUDED).all()
    assert not result.sigma_m[gone].any()
    np.testing.assert_array_equal(result.metres[~gone], depth.metres[~gone])
    np.testing.assert_array_equal(result.sigma_m[~gone], depth.sigma_m[~gone])
    np.testing.assert_array_equal(result.origin[~gone], depth.origin[~gone])


def test_ground_seen_at_a_grazing_angle_stays_whole():
    # 1.65 m below the camera, to 57 m, which is 1.7 degrees.
    depth, _ = measured([((0, 1, 0), 1.65)])
    assert depth.metres.max() > 55
    np.testing.assert_array_equal(remove_hidden(depth, SPACING).metres, depth.metres)


def test_of_ground_close_below_the_camera_one_in_thirty_goes_at_most():
    # 0.4 m below the camera and 0.55 m below the LiDAR: rings come closer than they left it.
    depth, _ = measured([((0, 1, 0), 0.4)])
    assert depth.metres.max() > 15
    assert remove_hidden(depth, SPACING).valid.sum() > 29 / 30 * depth.valid.sum()


@pytest.mark.parametrize("x_m", [-1.5, 1.5])
def test_of_a_wall_seen_at_a_grazing_angle_one_in_fifty_goes_at_most(x_m):
    depth, _ = measured([((1, 0, 0), x_m)])
    assert depth.metres.max() > 60
    assert remove_hidden(depth, SPACING).valid.sum() > 0.98 * depth.valid.sum()


@pytest.mark.parametrize("tilt", [(0.5, 0.0), (0.0, 0.5), (-0.6, 0.6)])
def test_a_slanted_wall_stays_whole(tilt):
    depth, _ = measured([((*tilt, 1.0), 8.0)])
    np.testing.assert_array_equal(remove_hidden(depth, SPACING).metres, depth.metres)


def test_the_corner_of_a_room_stays_whole():
    surfaces = [wall(9.0), ((1, 0, 0), -3.0), ((1, 0, 0), 3.0), ((0, 1, 0), 1.2)]
    depth, _ = measured(surfaces)
    np.testing.assert_array_equal(remove_hidden(depth, SPACING).metres, depth.metres)


def test_ground_beside_a_pole_stays():
    depth, visible = measured([((0, 1, 0), 1.65), plate(6.0, -0.15, 0.15, -4.0, 1.65)])
    result = remove_hidden(depth, SPACING)
    ground = visible & (np.abs(depth.metres - 6.0) > 0.01)
    assert (result.valid & ground).sum() > 0.98 * ground.sum()


def test_by_hand_a_point_between_two_nearer_rings_goes_and_one_above_both_stays():
    metres = np.zeros((480, 640), np.float32)
    metres[[100, 105], 300] = 3.0
    metres[[95, 103], 300] = 9.0
    result = remove_hidden(DepthMap(metres, CAMERA, 0), SPACING)
    assert np.argwhere(result.metres > 0).tolist() == [[95, 300], [100, 300], [105, 300]]


def test_where_beams_share_pixels_nothing_shows_between_them():
    metres = np.full((480, 640), 9.0, np.float32)
    metres[:, ::2] = 3.0
    fine = BeamSpacing(1 / 400, 1 / 400)
    np.testing.assert_array_equal(remove_hidden(DepthMap(metres, CAMERA, 0), fine).metres, metres)


def test_an_empty_map_stays_empty():
    empty = DepthMap(np.zeros((480, 640), np.float32), CAMERA, 0)
    assert not remove_hidden(empty, SPACING).valid.any()


def test_in_a_furnished_hall_two_in_a_thousand_leak_and_one_in_a_hundred_is_lost():
    lidar = spinning_lidar()
    rig = hall_rig(lidar)
    T_depth_lidar = rig.transform("depth", "lidar")
    leaked = remained = kept = good = 0
    for seed in range(5):
        moved = LidarRig(MovingScene(hall(seed)), rig, hall_walk, shutter="global")
        for second in (3, 18, 34):
            cloud = moved.scan(second * 10**9, np.random.default_rng(second)).cloud
            depth = project_cloud(cloud, rig.cameras["depth"], T_depth_lidar, lidar).depth
            behind = depth.metres > moved.view("depth", second * 10**9).z_m + 0.3
            result = remove_hidden(depth, beam_spacing(cloud, lidar)).valid
            leaked, remained = leaked + (result & behind).sum(), remained + result.sum()
            kept, good = kept + (result & ~behind).sum(), good + (depth.valid & ~behind).sum()
    assert leaked <= 0.002 * remained
    assert kept >= 0.99 * good
