"""Pictures of meshes whose look is known beforehand."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.errors import OutputError
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh
from sensorfusion.view.picture import render_mesh, view_from_above, write_picture

CAMERA = Camera("view", 64, 48, 60.0, 60.0, 31.5, 23.5)
AT_ORIGIN = RigidTransform.identity("mesh", "view")
WHITE = [255, 255, 255]
# Covers x from -1 to 1 and y from -1 to 1; counter-clockwise seen from the origin, which it faces.
CORNERS = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
FACING = np.array([[0, 2, 1], [0, 3, 2]], np.int32)


def square(z_m, color, triangles=FACING):
    colors = np.tile(np.array(color, np.uint8), (4, 1))
    return TriangleMesh(CORNERS + np.float32([0, 0, z_m]), triangles, None, colors)


def both(first, second):
    return TriangleMesh(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.triangles, second.triangles + len(first.vertices)]),
        None,
        np.concatenate([first.colors, second.colors]),
    )


def test_a_square_seen_head_on_has_its_own_colour():
    picture = render_mesh(square(10.0, (200, 100, 0)), AT_ORIGIN, CAMERA)
    # On the axis the light falls straight on; 12 pixels wide at 10 m.
    np.testing.assert_allclose(picture[23, 31], [200, 100, 0], atol=1)
    assert picture.shape == (48, 64, 3)


def test_a_square_covers_the_pixels_that_the_camera_model_says():
    picture = render_mesh(square(10.0, (0, 0, 0)), AT_ORIGIN, CAMERA)
    # u = 60 x / z + 31.5 for x = -1 and 1 at z = 10: from 25.5 to 37.5, that is 26 to 37.
    covered = np.flatnonzero((picture[23] != WHITE).any(axis=1))
    assert (covered.min(), covered.max(), len(covered)) == (26, 37, 12)


def test_a_square_is_not_seen_from_behind():
    picture = render_mesh(square(10.0, (0, 0, 0), FACING[:, ::-1].copy()), AT_ORIGIN, CAMERA)
    assert (picture == 255).all()


def test_through_the_back_of_a_near_square_a_far_one_is_seen():
    near = square(5.0, (0, 0, 255), FACING[:, ::-1].copy())
    picture = render_mesh(both(near, square(10.0, (0, 200, 0))), AT_ORIGIN, CAMERA)
    np.testing.assert_allclose(picture[23, 31], [0, 200, 0], atol=1)


def test_the_nearer_of_two_squares_is_seen():
    picture = render_mesh(
        both(square(5.0, (0, 0, 200)), square(10.0, (0, 200, 0))), AT_ORIGIN, CAMERA
    )
    np.testing.assert_allclose(picture[23, 31], [0, 0, 200], atol=1)


def test_colours_change_evenly_between_corners():
    colors = np.array([[0, 9, 0], [200, 9, 0], [200, 9, 0], [0, 9, 0]], np.uint8)
    mesh = TriangleMesh(CORNERS + np.float32([0, 0, 10]), FACING, None, colors)
    picture = render_mesh(mesh, AT_ORIGIN, CAMERA)
    # Red rises from 0 at u = 25.5 to 200 at u = 37.5: at u = 31, 200 * 5.5 / 12.
    assert picture[23, 31, 0] == pytest.approx(200 * 5.5 / 12, abs=1.5)


def test_the_view_from_above_looks_at_the_outside_of_a_wall():
    # Stands in the plane y = 0 with its outside toward -y.
    corners = np.array([[0, 0, 0], [4, 0, 0], [4, 0, 2], [0, 0, 2]], np.float32)
    wall = TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    T_up_view, _ = view_from_above(wall, 64, 48)
    assert T_up_view.translation_m[1] < -1
    assert T_up_view.translation_m[0] == pytest.approx(2.0, abs=0.2)


def test_an_empty_mesh_is_a_white_picture():
    empty = TriangleMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    view = view_from_above(empty, 32, 24)
    assert (render_mesh(empty, *view) == 255).all()


def test_the_view_from_above_shows_every_corner_and_looks_down():
    rng = np.random.default_rng(1)
    vertices = rng.uniform((-3, 0, 0), (2, 7, 2.5), (500, 3)).astype(np.float32)
    mesh = TriangleMesh(vertices, np.array([[0, 1, 2]], np.int32))
    T_up_view, camera = view_from_above(mesh, 320, 200)
    in_view = T_up_view.inverse().apply(vertices)
    pixels = camera.project(in_view)
    assert (in_view[:, 2] > 0).all()
    assert (pixels >= -0.5).all()
    assert (pixels < [319.5, 199.5]).all()
    assert T_up_view.rotation[2, 2] < 0


def test_a_picture_is_written_with_red_as_red(tmp_path):
    import cv2

    write_picture(tmp_path / "p.png", np.full((2, 3, 3), (255, 0, 10), np.uint8))
    assert cv2.imread(str(tmp_path / "p.png"))[0, 0].tolist() == [10, 0, 255]


def test_a_picture_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"no/p\.png"):
        write_picture(tmp_path / "no" / "p.png", np.zeros((2, 3, 3), np.uint8))
