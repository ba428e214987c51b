"""Rendering: depth and colour where geometry by hand says they are."""

import math

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion
from sensorfusion.rig import Rig
from sensorfusion.simulate._kernels import value_noise
from sensorfusion.simulate.motion import hand_held
from sensorfusion.simulate.room import room
from sensorfusion.simulate.scene import Material, Pattern, SceneBuilder
from sensorfusion.simulate.sensor import Eye, RgbdSensor, d435_rig
from sensorfusion.simulate.shapes import box
from sensorfusion.transform import RigidTransform

GREY = Material((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), grain=0.0)
RED = Material((0.9, 0.0, 0.0), (0.9, 0.0, 0.0), grain=0.0)
# The camera stands 1 m above the origin and looks along the world's y axis.
LOOKING_ALONG_Y = RigidTransform(
    "world", "depth", np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1.0]])
)
DEPTH = Camera("depth", 65, 49, 60.0, 60.0, 32.0, 24.0)


def _scene(*things):
    builder = SceneBuilder(np.random.default_rng(0))
    for thing in things:
        builder.add(*thing)
    return builder.scene()


def _wall(y_m, material=GREY):
    """A wall across the y axis whose front stands at y_m."""
    return (box(20.0, 0.2, 20.0), (0.0, y_m + 0.1, -9.0), material)


def _sensor(scene, color=None, T_depth_color=None):
    color = color or Camera("color", 65, 49, 60.0, 60.0, 32.0, 24.0)
    matrix = np.eye(4) if T_depth_color is None else T_depth_color
    return RgbdSensor(
        scene,
        Rig({"depth": DEPTH, "color": color}, (RigidTransform("depth", "color", matrix),)),
    )


def test_a_wall_across_the_view_has_one_depth_in_the_corners_too():
    view = _sensor(_scene(_wall(2.0))).depth(LOOKING_ALONG_Y)
    np.testing.assert_allclose(view.z_m, 2.0, atol=1e-5)


def test_the_cosine_is_that_of_the_ray_on_the_wall():
    view = _sensor(_scene(_wall(2.0))).depth(LOOKING_ALONG_Y)
    # Pixel (0, 24) looks 32 / 60 to the left.
    assert view.cosine[24, 0] == pytest.approx(1 / math.hypot(1, 32 / 60), abs=1e-5)
    assert view.cosine[24, 32] == pytest.approx(1.0)


def test_a_floor_under_the_camera_has_the_depth_of_similar_triangles():
    floor = (box(40.0, 40.0, 0.1), (0.0, 0.0, -0.1), GREY)
    view = _sensor(_scene(floor)).depth(LOOKING_ALONG_Y)
    # 1 m above the floor, pixel row v looks down by (v - 24) / 60 per metre of z.
    np.testing.assert_allclose(view.z_m[34, :], 6.0, atol=1e-4)
    np.testing.assert_allclose(view.z_m[48, :], 2.5, atol=1e-4)


def test_what_hits_nothing_has_no_depth_and_is_black():
    sensor = _sensor(_scene((box(0.2, 0.2, 0.2), (0.0, 2.0, 0.9), RED)))
    view, color = sensor.depth(LOOKING_ALONG_Y), sensor.color(LOOKING_ALONG_Y)
    assert view.z_m[0, 0] == 0.0
    assert view.triangles[0, 0] == -1
    assert color[0, 0].tolist() == [0, 0, 0]
    assert view.z_m[24, 32] == pytest.approx(1.9, abs=1e-5)


def test_a_distorted_pixel_sees_along_its_true_ray():
    k1 = -0.2
    lens = Distortion("brown_conrady", (k1, 0.0, 0.0, 0.0))
    camera = Camera("depth", 65, 49, 60.0, 60.0, 32.0, 24.0, lens)
    floor = _scene((box(40.0, 40.0, 0.1), (0.0, 0.0, -0.1), GREY))
    view = Eye(floor.mesh.vertices, floor.mesh.triangles).look(camera, LOOKING_ALONG_Y)
    # On the column through the centre: y (1 + k1 y^2) = 24 / 60, solved by bisection.
    low, high = 0.0, 1.0
    for _ in range(60):
        y = (low + high) / 2
        low, high = (y, high) if y * (1 + k1 * y * y) < 24 / 60 else (low, y)
    assert view.z_m[48, 32] == pytest.approx(1 / low, abs=1e-4)
    assert abs(1 / low - 2.5) > 0.05


def test_the_colour_camera_sees_from_its_own_place():
    # A post 0.12 m to the right stands straight ahead of a colour camera 0.12 m to the right.
    post = (box(0.1, 0.1, 4.0), (0.12, 2.05, -1.0), RED)
    T_depth_color = np.eye(4)
    T_depth_color[0, 3] = 0.12
    sensor = _sensor(_scene(_wall(4.0), post), T_depth_color=T_depth_color)
    picture = sensor.color(LOOKING_ALONG_Y).astype(int)
    red = np.flatnonzero(picture[24, :, 0] > 4 * picture[24, :, 1] + 20)
    # 0.1 m at z = 2 m is 3 px wide: the columns 31 to 33 about the middle one.
    assert red.tolist() == [31, 32, 33]


def test_colour_and_depth_cameras_agree_on_the_place_of_an_edge():
    post = (box(0.4, 0.1, 4.0), (0.3, 2.05, -1.0), RED)
    sensor = _sensor(_scene(_wall(4.0), post))
    near = sensor.depth(LOOKING_ALONG_Y).z_m[24] < 3.0
    picture = sensor.color(LOOKING_ALONG_Y).astype(int)
    np.testing.assert_array_equal(near, picture[24, :, 0] > 4 * picture[24, :, 1] + 20)


def test_checker_tiles_alternate_where_they_must():
    tiles = Material((0.9, 0.9, 0.9), (0.1, 0.1, 0.1), Pattern.CHECKER, 0.5, grain=0.0)
    picture = _sensor(_scene(_wall(2.0, tiles))).color(LOOKING_ALONG_Y).astype(int)
    # Tiles of 0.5 m at z = 2 m are 15 px; the wall stands at z = -9, a whole number of tiles.
    row = picture[24 - 7, :, 0]
    left, right, beyond = row[32 - 7], row[32 + 7], row[32 + 22]
    assert abs(left - right) > 60
    assert abs(left - beyond) < 20


def test_the_colour_of_a_place_does_not_depend_on_who_looks():
    scene = room(0)
    sensor = RgbdSensor(
        scene,
        Rig(
            {"depth": DEPTH, "color": d435_rig(0.25).cameras["color"]},
            (RigidTransform.identity("depth", "color"),),
        ),
    )
    first, second = hand_held(2).poses
    color = sensor.rig.cameras["color"]
    before, after = sensor.color(first).astype(float), sensor.color(second).astype(float)
    z_m = Eye(scene.mesh.vertices, scene.mesh.triangles).look(color, first).z_m
    v, u = np.mgrid[10:110:5, 10:200:5]
    rays = np.concatenate([color.unproject(np.stack([u, v], -1)), np.ones((*u.shape, 1))], -1)
    moved = (second.inverse() @ first).apply(rays * z_m[v, u, None])
    uv = np.round(color.project(moved)).astype(int)
    difference = np.abs(before[v, u] - after[uv[..., 1], uv[..., 0]]).mean(axis=-1)
    assert np.median(difference) < 6.0


def test_depth_carried_to_the_world_lies_on_the_triangle_that_was_hit():
    scene = room(2)
    rig = d435_rig(0.2)
    sensor = RgbdSensor(scene, rig)
    camera = rig.cameras["depth"]
    v, u = np.mgrid[: camera.height, : camera.width]
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    for pose in hand_held(600, seed=2).poses[::150]:
        view = sensor.depth(pose)
        points = pose.apply(rays * view.z_m[..., None]).reshape(-1, 3)
        corners = scene.mesh.vertices[scene.mesh.triangles[view.triangles.ravel()]].astype(float)
        a, b, c = corners.transpose(1, 0, 2)
        normals = np.cross(b - a, c - a)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        assert np.abs(np.einsum("ij,ij->i", points - a, normals)).max() < 3e-6
        for start, end in ((a, b), (b, c), (c, a)):
            inward = np.cross(normals, end - start)
            inward /= np.linalg.norm(inward, axis=1, keepdims=True)
            assert np.einsum("ij,ij->i", points - start, inward).min() > -1e-5


def test_a_room_of_another_seed_is_another_room():
    first, second = room(0).mesh.vertices, room(1).mesh.vertices
    assert first.shape != second.shape or np.abs(first - second).max() > 0.01


def test_the_same_seed_gives_the_same_picture():
    pose = hand_held(1).poses[0]
    first, second = (RgbdSensor(room(5), d435_rig(0.1)).color(pose) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_rig_has_unlike_cameras_and_a_baseline_of_15_mm():
    rig = d435_rig()
    depth, color = rig.cameras["depth"], rig.cameras["color"]
    assert (depth.width, depth.height) == (640, 480)
    assert (color.width, color.height) == (848, 480)
    assert color.distortion.model == "inverse_brown_conrady"
    assert color.distortion.largest_radius > 1.0
    assert rig.transform("depth", "color").translation_m[0] == pytest.approx(0.015)


def test_half_the_resolution_sees_the_same_rays():
    full, half = d435_rig(1.0).cameras["depth"], d435_rig(0.5).cameras["depth"]
    # The outer corner of the picture: pixel centres stand at integers, so it is at -0.5.
    corner = np.array([-0.5, -0.5])
    np.testing.assert_allclose(full.unproject(corner), half.unproject(corner), atol=1e-12)


def test_value_noise_is_as_smooth_interpolation_of_lattice_values_says():
    def smooth(x):
        return x * x * (3 - 2 * x)

    corners = np.array([[value_noise(4.0 + i, -2.0 + j, 9) for j in (0, 1)] for i in (0, 1)])
    x, y = smooth(0.3), smooth(0.8)
    expected = (corners[0] * (1 - x) + corners[1] * x) @ [1 - y, y]
    assert value_noise(4.3, -1.2, 9) == pytest.approx(expected)
    assert 0.0 <= corners.min() < corners.max() < 1.0
