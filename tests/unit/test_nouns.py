"""Rig, depth maps, meshes and trajectories check once what they hold."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.errors import CalibrationError
from sensorfusion.image import Image
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.rig import Rig
from sensorfusion.stereo_pair import StereoPair
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

CAMERA = Camera("depth", width=4, height=3, fx=10.0, fy=10.0, cx=1.5, cy=1.0)


def shifted(target, source, x_m):
    matrix = np.eye(4)
    matrix[0, 3] = x_m
    return RigidTransform(target, source, matrix)


def test_a_rig_chains_its_transforms_in_either_direction():
    cameras = {name: Camera(name, 4, 3, 10, 10, 1.5, 1) for name in ("a", "b", "c")}
    rig = Rig(cameras, (shifted("a", "b", 1.0), shifted("c", "b", 0.25)))
    assert rig.transform("a", "c").translation_m[0] == pytest.approx(0.75)


def test_a_rig_with_a_loose_camera_is_refused():
    cameras = {name: Camera(name, 4, 3, 10, 10, 1.5, 1) for name in ("a", "b")}
    with pytest.raises(CalibrationError, match="nothing connects 'b' to 'a'"):
        Rig(cameras)


@pytest.mark.parametrize(
    "metres",
    [
        np.full((3, 4), -1, np.float32),
        np.full((3, 4), np.nan, np.float32),
        np.full((3, 4), np.inf, np.float32),
        np.ones((4, 3), np.float32),
        np.ones((3, 4), np.float64),
    ],
)
def test_depth_that_is_not_metres_of_the_camera_is_refused(metres):
    with pytest.raises(ValueError, match="depth map"):
        DepthMap(metres, CAMERA, 0)


def test_raw_depth_of_another_type_is_refused():
    with pytest.raises(ValueError, match="int32"):
        RawDepth(np.ones((3, 4), np.int32), 0.001, CAMERA, 0)


def test_a_picture_with_four_channels_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        Image(np.zeros((3, 4, 4), np.uint8), "color", 0)


def test_what_is_fixed_to_a_camera_moves_with_it():
    turned = np.array([[0, -1, 0, 3.0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    trajectory = Trajectory([7], [RigidTransform("world", "camera", turned)])
    ahead = np.eye(4)
    ahead[0, 3] = 2.0
    carried = trajectory.carried(RigidTransform("camera", "other", ahead))
    assert carried.timestamps_ns.tolist() == [7]
    assert carried.poses[0].name == "T_world_other"
    np.testing.assert_allclose(carried.poses[0].translation_m, [3.0, 2.0, 0.0])


def test_a_stereo_pair_of_one_camera_is_refused():
    picture = Image(np.zeros((3, 4), np.uint8), "left", 0)
    with pytest.raises(ValueError, match="pictures are of left, left; expected each camera once"):
        StereoPair(picture, picture)
    right = Image(np.zeros((3, 4), np.uint8), "right", 0)
    with pytest.raises(ValueError, match="left, right, right; expected each camera once"):
        StereoPair(picture, right, (right,))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.zeros((3, 4), np.float64), "float64"),
        (np.zeros((4, 3), np.float32), "expects float32"),
        (np.full((3, 4), np.inf, np.float32), "infinite"),
    ],
)
def test_relative_depth_of_another_shape_or_kind_is_refused(values, complaint):
    camera = Camera("color", 4, 3, 4.0, 4.0, 1.5, 1.0)
    with pytest.raises(ValueError, match=complaint):
        RelativeDepth(values, "inverse", camera, 0)


def test_a_stereo_pair_of_two_sizes_is_refused():
    left = Image(np.zeros((3, 4), np.uint8), "left", 0)
    right = Image(np.zeros((3, 5), np.uint8), "right", 0)
    with pytest.raises(ValueError, match="expected pictures of one size"):
        StereoPair(left, right)


def test_a_mesh_whose_triangles_point_nowhere_is_refused():
    vertices = np.zeros((3, 3), np.float32)
    with pytest.raises(ValueError, match="there are 3"):
        TriangleMesh(vertices, np.array([[0, 1, 3]], np.int32))


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ({"sigma_m": np.ones(2, np.float32)}, r"sigma_m: float32 \(2,\); expected float32 \(3,\)"),
        ({"sigma_m": np.ones(3)}, "sigma_m: float64"),
        ({"sigma_m": np.float32([0.1, -0.1, 0.1])}, "sigma_m from -0.1"),
        ({"sigma_m": np.float32([0.1, np.nan, 0.1])}, "sigma_m from nan"),
        ({"sigma_m": np.float32([0.1, np.inf, 0.1])}, "expected finite"),
        ({"observations": np.ones(3, np.int32)}, "expected uint32"),
        ({"observations": np.ones((3, 1), np.uint32)}, "observations: uint32"),
    ],
)
def test_error_and_count_of_a_vertex_are_one_sound_number_each(layers, reason):
    with pytest.raises(ValueError, match=reason):
        TriangleMesh(np.zeros((3, 3), np.float32), np.zeros((0, 3), np.int32), **layers)


def test_a_mesh_that_moves_keeps_colours_errors_and_counts():
    vertices = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    mesh = TriangleMesh(
        vertices,
        np.int32([[0, 1, 2]]),
        vertices,
        np.uint8([[1, 2, 3]] * 3),
        np.float32([0.001, 0.002, 0.0]),
        np.uint32([7, 70_000, 0]),
    )
    found = mesh.moved(shifted("map", "world", 2.0))
    np.testing.assert_array_equal(found.vertices, vertices + np.float32([2, 0, 0]))
    for name in ("triangles", "normals", "colors", "sigma_m", "observations"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))


def test_time_must_increase_along_a_trajectory():
    poses = [shifted("world", "camera", 0.0)] * 2
    with pytest.raises(ValueError, match="follows"):
        Trajectory([5, 5], poses)


def test_between_poses_near_in_time_the_pose_is_interpolated():
    trajectory = Trajectory([0, 100, 250], [shifted("w", "c", x) for x in (0.0, 1.0, 2.0)])
    assert trajectory.at(25, largest_gap_ns=100).translation_m[0] == pytest.approx(0.25)
    assert trajectory.at(100, largest_gap_ns=100) is trajectory.poses[1]
    assert trajectory.at(175, largest_gap_ns=100) is None


def test_halfway_between_two_rotations_is_half_the_angle():
    turned = np.eye(4)
    turned[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    middle = shifted("w", "c", 0.0).toward(RigidTransform("w", "c", turned), 0.5)
    half = 0.5**0.5
    np.testing.assert_allclose(
        middle.rotation, [[half, -half, 0], [half, half, 0], [0, 0, 1]], atol=1e-12
    )


def test_elsewhere_the_nearest_pose_serves_within_the_tolerance():
    trajectory = Trajectory([0, 100, 250], [shifted("w", "c", x) for x in (0.0, 1.0, 2.0)])
    assert trajectory.at(160, 50, tolerance_ns=80).translation_m[0] == 1.0
    assert trajectory.at(180, 50, tolerance_ns=80).translation_m[0] == 2.0
    assert trajectory.at(-30, 50, tolerance_ns=20) is None
    assert trajectory.at(400, 50, tolerance_ns=150).translation_m[0] == 2.0
    assert Trajectory().at(0, 50, tolerance_ns=10) is None


def test_a_moved_trajectory_keeps_its_motion():
    trajectory = Trajectory([0, 1], [shifted("w", "c", x) for x in (0.0, 1.0)])
    moved = trajectory.moved(shifted("up", "w", 5.0))
    np.testing.assert_allclose(moved.matrices[:, 0, 3], [5, 6])
