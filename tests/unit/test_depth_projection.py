"""Projection: points of a scan in the picture of a camera."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.projection import NEAR_M, project_cloud, project_points
from sensorfusion.depth_map import Origin
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform, rotation_from_vector

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
LIDAR = Lidar(name="lidar", constant_m=0.02, linear=0.001)
# 64 pixels per unit of x / z, so that borders are exact in float32.
CAMERA = Camera("camera", 65, 33, 64.0, 64.0, 32.0, 16.0)
SAME = RigidTransform.identity("camera", "lidar")
# Of KITTI's second colour camera, before rectification: with k3 < 0 it folds far rays back.
BARREL = (-0.3691481, 0.1968681, 0.001353473, 0.0005677587, -0.06770705)
LENSES = [
    Distortion(),
    Distortion("brown_conrady", (-0.1, 0.13, -0.0038, -0.0048)),
    Distortion("brown_conrady", BARREL),
    Distortion("brown_conrady", (8.5, 5.2, 1e-4, 2e-5, 0.24, 8.8, 7.4, 1.4)),
    Distortion("inverse_brown_conrady", (0.14, -0.42, 0.0007, -0.0009, 0.38)),
    Distortion("kannala_brandt", (-0.02, 0.003, -0.001, 0.0002)),
    Distortion("kannala_brandt", (-0.5, 0.0, 0.0, 0.0)),
    Distortion("spherical"),
]


def cloud_of(*points, **layers):
    return PointCloud(np.array(points, np.float32).reshape(-1, 3), "lidar", **layers)


def project(*points, camera=CAMERA, **layers):
    T_camera_lidar = RigidTransform.identity(camera.name, "lidar")
    return project_cloud(cloud_of(*points, **layers), camera, T_camera_lidar, LIDAR)


def panorama(**changes):
    values = {"width": 360, "height": 90, "cx": 179.5, "cy": 44.5}
    values |= {"fx": 180 / np.pi, "fy": 180 / np.pi, "distortion": Distortion("spherical")}
    return Camera("panorama", **(values | changes))


def wide(lens):
    if lens.model == "spherical":
        return Camera("camera", 640, 160, 102.0, 102.0, 300.0, 70.0, lens)
    return Camera("camera", 640, 480, 300.0, 310.0, 318.0, 245.0, lens)


def everywhere(count=60_000, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 3)) * rng.uniform(0.2, 30, (count, 1))
    return points.astype(np.float32)


def turned(camera="camera"):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array([0.3, -0.7, 0.2]))
    matrix[:3, 3] = [0.3, -0.2, 0.1]
    return RigidTransform(camera, "lidar", matrix)


def in_float64(points, camera, T_camera_lidar):
    """Project in float64 with numpy alone: depth (H, W), the points inside and their pixels."""
    moved = T_camera_lidar.apply(points.astype(np.float64))
    depth = np.linalg.norm(moved, axis=1) if camera.is_spherical else moved[:, 2]
    with np.errstate(invalid="ignore"):
        pixels = np.floor(camera.project(moved) + 0.5)
        inside = (pixels >= 0).all(axis=1) & (pixels < (camera.width, camera.height)).all(axis=1)
    inside &= depth > NEAR_M
    metres = np.full(camera.height * camera.width, np.inf)
    flat = (pixels[inside, 1] * camera.width + pixels[inside, 0]).astype(int)
    np.minimum.at(metres, flat, depth[inside])
    metres[np.isinf(metres)] = 0
    return metres.reshape(camera.height, camera.width), int(inside.sum())


def test_the_nearer_of_two_points_wins():
    found = project((0, 0, 5), (0, 0, 2), (0, 0, 3))
    assert found.depth.metres[16, 32] == 2
    assert found.index[16, 32] == 1
    assert found.points_in_image == 3


def test_of_equally_near_points_the_first_wins():
    assert project((0, 0, 2), (0.001, 0, 2)).index[16, 32] == 0


def test_a_pixel_reaches_from_half_before_to_half_after_its_middle():
    # u = 64 x / z + 32: x / z = -32.5 / 64 is the left border, 32.5 / 64 the right one.
    assert project((-32.5 / 64, 0, 1)).points_in_image == 1
    assert project((32.5 / 64, 0, 1)).points_in_image == 0
    assert project((0, -16.5 / 64, 1)).points_in_image == 1
    assert project((0, 16.5 / 64, 1)).points_in_image == 0
    assert project((0.5 / 64, 0, 1)).index[16, 33] == 0


def test_points_behind_the_camera_and_on_its_lens_are_left_out():
    assert project((0, 0, -2), (0, 0, 0.04), (0, 0, 0)).points_in_image == 0


@pytest.mark.parametrize("lens", LENSES)
def test_every_model_agrees_with_float64_but_at_the_borders_of_pixels(lens):
    camera, points, T_camera_lidar = wide(lens), everywhere(), turned()
    expected, inside = in_float64(points, camera, T_camera_lidar)
    metres, count = project_points(points, camera, T_camera_lidar)
    assert abs(count - inside) <= 5
    different = ~np.isclose(metres, expected, rtol=1e-5, atol=1e-5)
    assert (expected > 0).sum() > 2000
    assert different.sum() <= 30


@pytest.mark.parametrize("lens", LENSES)
def test_no_point_is_folded_into_the_picture(lens):
    camera, points = wide(lens), everywhere(200_000, 1)
    index = np.empty((camera.height, camera.width), np.int32)
    project_points(points, camera, SAME, index)
    v, u = np.nonzero(index >= 0)
    # Where the pixel looks, undone within the part of the model that is one to one.
    looks = camera.directions(np.stack([u, v], axis=-1))
    shown = points[index[v, u]].astype(np.float64)
    shown /= np.linalg.norm(shown, axis=1, keepdims=True)
    # At the rim of what the lens shows the middle of a pixel may have no ray.
    known = np.isfinite(looks[:, 0])
    assert known.mean() > 0.95
    off_rad = np.arccos(np.clip((looks * shown).sum(axis=1)[known], -1, 1))
    focal = 300.0 if lens.model != "spherical" else 102.0
    # Half a pixel, but wider towards a rim where the lens hardly tells angles apart.
    assert np.quantile(off_rad, 0.9) < 1.5 / focal
    assert off_rad.max() < 0.1


def test_opencv_folds_points_that_are_refused_here():
    cv2 = pytest.importorskip("cv2")
    lens = Distortion("brown_conrady", BARREL)
    camera, points = wide(lens), everywhere(200_000, 1)
    front = points[points[:, 2] > NEAR_M].astype(np.float64)
    pixels, _ = cv2.projectPoints(
        front, np.zeros(3), np.zeros(3), camera.matrix, np.array(lens.coefficients)
    )
    theirs = ((pixels[:, 0] >= -0.5) & (pixels[:, 0] < (639.5, 479.5))).all(axis=1)
    folded = theirs & (np.hypot(front[:, 0], front[:, 1]) > lens.largest_radius * front[:, 2])
    _, inside = project_points(points, camera, SAME)
    assert folded.sum() > 1000
    assert abs(inside - (theirs.sum() - folded.sum())) <= 5


def test_a_fourth_column_changes_nothing():
    points = everywhere(5001)
    index, index_of_four = (np.empty((480, 640), np.int32) for _ in range(2))
    camera = wide(Distortion())
    with_intensity = np.column_stack([points, np.full(len(points), np.nan, np.float32)])
    metres, count = project_points(points, camera, turned(), index)
    metres_of_four, count_of_four = project_points(with_intensity, camera, turned(), index_of_four)
    assert count == count_of_four
    np.testing.assert_array_equal(metres, metres_of_four)
    np.testing.assert_array_equal(index, index_of_four)


def test_the_index_tells_which_point_a_pixel_shows():
    camera, points = wide(LENSES[2]), everywhere()
    index = np.empty((480, 640), np.int32)
    metres, _ = project_points(points, camera, turned(), index)
    np.testing.assert_array_equal(index >= 0, metres > 0)
    moved = turned().apply(points[index[index >= 0]].astype(np.float64))
    np.testing.assert_allclose(metres[index >= 0], moved[:, 2], atol=1e-5)
    pixels = camera.project(moved)
    v, u = np.nonzero(index >= 0)
    assert np.abs(pixels - np.stack([u, v], axis=-1)).max() < 0.501


def test_a_panorama_shows_ranges_all_around_and_below():
    found = project(
        (0, 0, 2), (0, 0, -3), (3, 4, 0), (0, 1, 1), camera=panorama(height=180, cy=89.5)
    )
    # Ahead is between columns 179 and 180, behind at the left border, atan(3 / 0) is 90 degrees.
    metres = found.depth.metres
    assert metres[90, 180] == 2
    assert metres[90, 0] == 3
    assert metres[90 + 53, 180 + 90] == pytest.approx(5)
    assert metres[90 + 45, 180] == pytest.approx(2**0.5)
    assert found.points_in_image == 4


def test_a_panorama_may_begin_anywhere():
    left = np.deg2rad(20.0)
    points = ((-np.sin(left), 0, np.cos(left)), (np.sin(left), 0, np.cos(left)))
    found = project(*points, camera=panorama(cx=10.0))
    assert found.index[44:46, 350].max() == 0
    assert found.index[44:46, 30].max() == 1


def test_sigma_is_that_of_the_range_along_the_beam():
    # Range 10 m ahead; and 10 m at 60 degrees to the side, where z changes half as much.
    camera = Camera("camera", 401, 3, 100.0, 100.0, 200.0, 1.0)
    side = (10 * np.sin(np.pi / 3), 0, 10 * np.cos(np.pi / 3))
    sigma_m = project((0, 0, 10), side, camera=camera).depth.sigma_m
    assert sigma_m[1, 200] == pytest.approx(0.03)
    assert sigma_m[1, 373] == pytest.approx(0.015)
    assert np.count_nonzero(sigma_m) == 2


def test_sigma_in_a_panorama_is_that_of_the_range():
    found = project((0, 0, 10), (0, 3, -4), camera=panorama(height=180, cy=89.5))
    assert sorted(found.depth.sigma_m[found.depth.valid]) == pytest.approx([0.025, 0.03])


def test_empty_beams_say_where_nothing_is():
    beams = np.array([[0, 0, 1], [0.1, 0, 1], [0, 0, -1]], np.float32)
    beams /= np.linalg.norm(beams, axis=1, keepdims=True)
    found = project((0, 0, 5), empty_beams=beams)
    origin = found.depth.origin
    assert origin[16, 32] == Origin.MEASURED
    assert origin[16, 38] == Origin.NO_RETURN
    assert (origin == Origin.UNSEEN).sum() == origin.size - 2
    assert found.depth.metres[16, 38] == 0


def test_an_empty_beam_ends_as_far_as_the_lidar_sees():
    # From 1 m to the right, straight ahead: at 8 m it is seen 64 / 8 pixels to the right.
    beam = np.array([[0, 0, 1]], np.float32)
    matrix = np.eye(4)
    matrix[0, 3] = 1.0
    T_camera_lidar = RigidTransform("camera", "lidar", matrix)
    cloud = cloud_of(empty_beams=beam)
    for far_m, column in ((8.0, 40), (np.inf, 32)):
        lidar = Lidar(name="lidar", far_m=far_m)
        origin = project_cloud(cloud, CAMERA, T_camera_lidar, lidar).depth.origin
        assert np.argwhere(origin == Origin.NO_RETURN).tolist() == [[16, column]]


def test_a_scan_without_points_is_an_empty_map():
    found = project()
    assert found.points_in_image == 0
    assert not found.depth.valid.any()


def test_a_transform_between_others_is_refused():
    with pytest.raises(CoordinateSystemMismatchError, match="expected T_camera_lidar"):
        project_cloud(cloud_of((0, 0, 1)), CAMERA, SAME.inverse(), LIDAR)


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.zeros((3, 2), np.float32)])
def test_arrays_of_another_kind_are_refused(points):
    with pytest.raises(ValueError, match=r"expected float32 \(N, 3\) or \(N, 4\)"):
        project_points(points, CAMERA, SAME)


def test_an_index_of_another_size_is_refused():
    with pytest.raises(ValueError, match="expected contiguous int32"):
        project_points(np.zeros((1, 3), np.float32), CAMERA, SAME, np.zeros((2, 2), np.int32))


def kitti_object(number):
    """Return points, camera and T_camera_lidar of a KITTI object frame."""
    folder = DATA / "kitti-object"
    lines = (folder / f"calib/{number:06d}.txt").read_text().split("\n")
    rows = {line.split(":")[0]: np.array(line.split()[1:], float) for line in lines if line}
    projection, rectified, velo = rows["P2"].reshape(3, 4), np.eye(4), np.eye(4)
    rectified[:3, :3], velo[:3] = (
        rows["R0_rect"].reshape(3, 3),
        rows["Tr_velo_to_cam"].reshape(3, 4),
    )
    moved = np.eye(4)
    moved[:3, 3] = np.linalg.solve(projection[:, :3], projection[:, 3])
    header = (folder / f"image_2/{number:06d}.png").read_bytes()[16:24]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")
    k = projection
    camera = Camera("camera", width, height, k[0, 0], k[1, 1], k[0, 2], k[1, 2])
    points = np.fromfile(folder / f"velodyne/{number:06d}.bin", np.float32).reshape(-1, 4)
    return points, camera, RigidTransform.nearest("camera", "lidar", moved @ rectified @ velo)


@pytest.mark.skipif(
    not (DATA / "kitti-object").is_dir(), reason=f"no recordings at {DATA}: set SENSORFUSION_DATA"
)
@pytest.mark.parametrize(("number", "expected"), [(0, 20259), (1, 18608), (2, 20181)])
def test_so_many_points_of_kitti_lie_in_the_picture(number, expected):
    points, camera, T_camera_lidar = kitti_object(number)
    assert project_points(points, camera, T_camera_lidar)[1] == expected


@pytest.mark.skipif(
    not (DATA / "lidar-camera-distorted").is_dir(),
    reason=f"no recordings at {DATA}: set SENSORFUSION_DATA",
)
def test_so_many_points_are_seen_through_a_real_lens():
    folder = DATA / "lidar-camera-distorted"
    (lens,) = json.loads((folder / "center_camera-intrinsic.json").read_text()).values()
    (link,) = json.loads(
        (folder / "top_center_lidar-to-center_camera-extrinsic.json").read_text()
    ).values()
    k = np.array(lens["param"]["cam_K"]["data"])
    distortion = Distortion("brown_conrady", tuple(lens["param"]["cam_dist"]["data"][0]))
    camera = Camera("camera", 1920, 1200, k[0, 0], k[1, 1], k[0, 2], k[1, 2], distortion)
    matrix = np.array(link["param"]["sensor_calib"]["data"])
    text = (folder / "0.pcd").read_text().split("DATA ascii\n")[1]
    points = np.array(text.split(), np.float32).reshape(-1, 4)
    T_camera_lidar = RigidTransform.nearest("camera", "lidar", matrix)
    assert project_points(points, camera, T_camera_lidar)[1] == 9964
    # Those who aligned it count from the middle of the first pixel: 0 <= u.
    pixels = camera.project(T_camera_lidar.apply(points[:, :3].astype(np.float64)))
    assert ((pixels >= 0) & (pixels < (1920, 1200))).all(axis=1).sum() == 9962
