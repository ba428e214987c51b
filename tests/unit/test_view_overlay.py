import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.image import Image
from sensorfusion.view.colormap import colorize
from sensorfusion.view.overlay import overlay

CAMERA = Camera("camera", 12, 10, 10.0, 10.0, 5.5, 4.5)


def drawn(points, origin=None, grey=100):
    metres = np.zeros((10, 12), np.float32)
    for (row, column), z in points.items():
        metres[row, column] = z
    picture = Image(np.full((10, 12, 3), grey, np.uint8), "camera", 0)
    return overlay(DepthMap(metres, CAMERA, 0, origin=origin), picture, 1.0, 9.0)


def color_of(z):
    return colorize(np.array([[z]], np.float32), 1.0, 9.0)[0, 0].tolist()


def test_a_point_is_a_dot_of_three_pixels_in_the_colour_of_its_depth():
    picture = drawn({(5, 6): 4.0})
    assert (picture[4:7, 5:8] == color_of(4.0)).all()


def test_the_picture_around_is_faded():
    picture = drawn({(5, 6): 4.0})
    assert picture[0, 0].tolist() == [64 + 50] * 3


def test_the_nearer_of_two_dots_is_in_front():
    picture = drawn({(5, 5): 8.0, (5, 6): 2.0})
    assert picture[5, 5].tolist() == color_of(2.0)


def test_what_was_filled_is_not_drawn():
    filled = np.full((10, 12), Origin.FILLED, np.uint8)
    picture = drawn({(5, 6): 4.0}, filled)
    assert (picture == 114).all()


def test_a_picture_of_another_size_is_refused():
    depth = DepthMap(np.zeros((10, 12), np.float32), CAMERA, 0)
    with pytest.raises(ValueError, match="under a depth map"):
        overlay(depth, Image(np.zeros((5, 6), np.uint8), "camera", 0), 1.0, 9.0)
