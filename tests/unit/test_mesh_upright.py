import numpy as np
import pytest

from sensorfusion.mesh.upright import find_up
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_vector
from sensorfusion.triangle_mesh import TriangleMesh

EMPTY = TriangleMesh(np.empty((0, 3), np.float32), np.empty((0, 3), np.int32))
# Columns: the camera's x, y, z axes; it looks along +y of a z-up world.
LEVEL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0.0]])


def rectangle(corner, side, other, noise=0.0, step=0.05):
    """A rectangle that faces side x other."""
    corner, side, other = (np.array(v, dtype=float) for v in (corner, side, other))
    n, m = (round(np.linalg.norm(v) / step) + 1 for v in (side, other))
    a, b = (g.ravel()[:, None] for g in np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, m)))
    points = corner + a * side + b * other
    normal = np.cross(side, other) / np.linalg.norm(np.cross(side, other))
    points += noise * np.random.default_rng(0).standard_normal((len(points), 1)) * normal
    i = (np.arange(m - 1)[:, None] * n + np.arange(n - 1)).ravel()
    upper = np.stack([i, i + 1, i + n + 1], axis=1)
    lower = np.stack([i, i + n + 1, i + n], axis=1)
    return points, np.vstack([upper, lower])


def room(noise=0.0):
    """Floor 4 x 3 m at z = 0, a larger table top at 0.75 m, walls, a ceiling at 2.5 m."""
    parts = [
        rectangle([0, 0, 0], [4, 0, 0], [0, 1.2, 0], noise),
        rectangle([0, 1.2, 0.75], [4, 0, 0], [0, 1.8, 0], noise),
        rectangle([0, 0, 2.5], [0, 3, 0], [4, 0, 0], noise),
        rectangle([0, 3, 0], [4, 0, 0], [0, 0, 2.5], noise),
        rectangle([0, 0, 0], [0, 3, 0], [0, 0, 2.5], noise),
    ]
    vertices, triangles, start = [], [], 0
    for points, corners in parts:
        vertices.append(points)
        triangles.append(corners + start)
        start += len(points)
    return TriangleMesh(
        np.vstack(vertices).astype(np.float32), np.vstack(triangles).astype(np.int32)
    )


def camera(rotation_vector=(0, 0, 0), position=(2, 1, 1.5)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(rotation_vector, dtype=float)) @ LEVEL
    matrix[:3, 3] = position
    return RigidTransform("world", "camera", matrix)


def tilt_deg(T_up_world, up_world):
    return np.degrees(np.arccos(np.clip(T_up_world.rotation[2] @ up_world, -1, 1)))


def in_world_of_first_camera(mesh, pose):
    """What odometry delivers: the world is the first camera, so x right, y down, z ahead."""
    T_world_room = RigidTransform("world", "world", pose.inverse().matrix)
    return mesh.moved(T_world_room), T_world_room.rotation[:, 2]


def test_known_gravity_is_used_as_it_is():
    found = find_up(room(), Trajectory([0], [camera()]), np.array([0, 0, -9.81]))
    assert found.how == "gravity"
    np.testing.assert_allclose(found.T_up_world.rotation, np.eye(3), atol=1e-12)


def test_the_origin_is_the_first_camera_and_y_is_ahead_of_it():
    # It looks along +x of the world, 30 degrees down.
    pose = camera((0, 0, -np.pi / 2), (2, 1, 1.5))
    pitch = rotation_from_vector(np.array([-np.radians(30), 0, 0]))
    matrix = pose.matrix.copy()
    matrix[:3, :3] = matrix[:3, :3] @ pitch
    first = RigidTransform("world", "camera", matrix)
    assert first.rotation[2, 2] == pytest.approx(-0.5)
    found = find_up(EMPTY, Trajectory([0], [first]), np.array([0, 0, -1.0])).T_up_world
    np.testing.assert_allclose(found.apply(np.array([2, 1, 1.5])), [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found.apply(np.array([3, 1, 1.5])), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(found.apply(np.array([2, 0, 2.5])), [1, 0, 1], atol=1e-12)
    assert (found.target, found.source) == ("up", "world")


@pytest.mark.parametrize(("noise_m", "allowed_deg"), [(0.0, 0.01), (0.005, 0.1)])
@pytest.mark.parametrize("held", [(0, 0, 0), (-0.5, 0, 0), (-0.4, 0.3, 1.0), (0.3, -0.4, 0)])
def test_the_floor_is_level_however_the_camera_was_held(held, noise_m, allowed_deg):
    pose = camera(held)
    mesh, up_world = in_world_of_first_camera(room(noise_m), pose)
    start = RigidTransform.identity("world", "camera")
    found = find_up(mesh, Trajectory([0], [start]))
    assert found.how == "floor plane"
    assert tilt_deg(found.T_up_world, up_world) < allowed_deg


def test_a_sloping_table_does_not_turn_the_room():
    points, corners = rectangle([0.5, 0.5, 1], [1.2, 0, 0.4], [0, 1, 0])
    flat = room()
    mesh = TriangleMesh(
        np.vstack([flat.vertices, points]).astype(np.float32),
        np.vstack([flat.triangles, corners + len(flat.vertices)]).astype(np.int32),
    )
    found = find_up(mesh, Trajectory([0], [camera((-0.3, 0, 0))]))
    assert tilt_deg(found.T_up_world, np.array([0, 0, 1])) < 0.01


def test_without_a_floor_up_is_that_of_the_first_camera():
    points, corners = rectangle([0, 3, 0], [4, 0, 0], [0, 0, 2.5])
    wall = TriangleMesh(points.astype(np.float32), corners.astype(np.int32))
    for mesh in (EMPTY, wall):
        found = find_up(mesh, Trajectory([0], [camera()]))
        assert found.how == "first camera"
        np.testing.assert_allclose(found.T_up_world.rotation, np.eye(3), atol=1e-12)


def test_a_camera_that_looks_straight_down_has_the_top_of_its_picture_ahead():
    # x right, the picture's top along +y, z down.
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]])
    pose = RigidTransform("world", "camera", matrix)
    found = find_up(EMPTY, Trajectory([0], [pose]), np.array([0, 0, -1.0]))
    np.testing.assert_allclose(found.T_up_world.rotation, np.eye(3), atol=1e-12)
