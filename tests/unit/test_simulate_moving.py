"""Moving scenes: what is nearest wins, and paint moves with its body."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.simulate.moving import Body, MovingEye, MovingScene, turned
from sensorfusion.simulate.scene import Material, Pattern, SceneBuilder
from sensorfusion.simulate.shapes import box, sheet, upright
from sensorfusion.transform import RigidTransform

TILES = Material((0.9, 0.1, 0.1), (0.1, 0.2, 0.9), Pattern.MOSAIC, 0.2, 0.3)
CAMERA = Camera("camera", 64, 48, 60.0, 60.0, 31.5, 23.5)
# It looks along the world's x axis.
LOOKING = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])


def scene(*things):
    builder = SceneBuilder(np.random.default_rng(0))
    for solid, position_m in things:
        builder.add(solid, position_m, TILES)
    return builder.scene()


def along_x(start_m, speed_m_s):
    def motion(time_s):
        T_world_body = np.tile(np.eye(4), (len(time_s), 1, 1))
        T_world_body[:, 0, 3] = start_m + speed_m_s * time_s
        return T_world_body

    return motion


WALL = scene((box(1.0, 40.0, 40.0), (10.5, 0.0, -20.0)))
CUBE = scene((box(2.0, 2.0, 2.0), (0.0, 0.0, -1.0)))


def camera_at(x_m=0.0):
    matrix = LOOKING.copy()
    matrix[0, 3] = x_m
    return RigidTransform("world", "camera", matrix)


@pytest.mark.parametrize(("time_s", "depth_m"), [(0.0, 4.0), (2.0, 8.0), (3.0, 10.0)])
def test_the_nearer_of_body_and_wall_is_seen(time_s, depth_m):
    # The front of the cube is at 4 m and drives away with 2 m/s, into the wall at 10 m.
    eye = MovingEye(MovingScene(WALL, (Body(CUBE, along_x(5.0, 2.0)),)))
    view = eye.look(CAMERA, camera_at(), time_s)
    assert view.z_m[23, 31] == pytest.approx(depth_m, abs=1e-4)
    assert view.z_m[0, 0] == pytest.approx(10.0, abs=1e-4)


def test_triangles_and_solids_of_a_body_count_on_from_the_scene():
    eye = MovingEye(MovingScene(WALL, (Body(CUBE, along_x(5.0, 0.0)),)))
    view = eye.look(CAMERA, camera_at(), 0.0)
    assert eye.owners[view.triangles[23, 31]] == 1
    assert eye.owners[view.triangles[0, 0]] == 0
    assert eye.owners[-1] == -1


def test_a_body_behind_the_camera_is_not_seen():
    eye = MovingEye(MovingScene(WALL, (Body(CUBE, along_x(-5.0, 0.0)),)))
    np.testing.assert_allclose(eye.look(CAMERA, camera_at(), 0.0).z_m, 10.0, atol=1e-4)


def test_normals_of_a_turned_body_are_those_of_the_world():
    def quarter(time_s):
        T_world_body = along_x(5.0, 0.0)(time_s)
        angle = np.full(len(time_s), np.pi / 4)
        T_world_body[:, :3, :3] = turned(angle, 0 * angle, 0 * angle)
        return T_world_body

    eye = MovingEye(MovingScene(WALL, (Body(CUBE, quarter),)))
    rays = np.array([[[0, 0.3, 0, 1, 0, 0]]], dtype=np.float32)
    hits = eye.cast(rays, np.zeros(1))
    # An edge of the cube, sqrt(2) m from its middle, points at us; left of it, the ray meets a
    # face that looks 45 degrees to the left.
    assert hits.z_m[0] == pytest.approx(5.0 - np.sqrt(2) + 0.3, abs=1e-5)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(hits.normals[0], [-half, half, 0], atol=1e-6)


def test_paint_moves_with_its_body():
    # Far from the lamp at the origin, light is the same in both places.
    eye = MovingEye(MovingScene(WALL, (Body(CUBE, along_x(1005.0, 20.0)),)))
    first = eye.paint(CAMERA, camera_at(1001.5), 0.0)
    second = eye.paint(CAMERA, camera_at(1021.5), 1.0)
    third = eye.paint(CAMERA, camera_at(1001.5), 0.05)
    assert np.ptp(first[..., 0]) > 50
    differences = np.abs(first.astype(int) - second.astype(int))
    assert (differences <= 2).mean() > 0.98
    assert (np.abs(first.astype(int) - third.astype(int)) > 10).mean() > 0.05


def test_turned_bodies_point_where_yaw_pitch_and_roll_say():
    right_angle, none = np.array([np.pi / 2]), np.zeros(1)
    # Yaw: x turns to y. Pitch: the nose goes down. Roll: y goes up.
    np.testing.assert_allclose(turned(right_angle, none, none)[0, :, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(turned(none, right_angle, none)[0, :, 0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(turned(none, none, right_angle)[0, :, 1], [0, 0, 1], atol=1e-12)


def _signed_volume_m3(solid):
    a, b, c = np.moveaxis(solid.vertices[solid.triangles], 1, 0)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def test_an_upright_profile_faces_outwards_and_holds_its_volume():
    # A gable: 4 m wide, 1 m high at the eaves, 3 m at the ridge, 5 m long.
    gable = upright([(-2, 1), (0, 3), (2, 1)], 0.0, 5.0)
    assert _signed_volume_m3(gable) == pytest.approx(5.0 * (4 * 1 + 4 * 2 / 2))
    assert np.ptp(gable.vertices[:, 1]) == pytest.approx(5.0)


def test_a_sheet_faces_up():
    x, y = np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij")
    ground = sheet(np.stack([x, y, 0.1 * x], axis=-1))
    a, b, c = np.moveaxis(ground.vertices[ground.triangles], 1, 0)
    normals = np.cross(b - a, c - a)
    assert (normals[:, 2] > 0).all()
    assert normals[:, 2].sum() / 2 == pytest.approx(6.0)
