"""Filling along the edges of a picture; how it errs stands in test_depth_completion."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth import _guided_kernels as kernels
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.completion import complete_smooth
from sensorfusion.depth.guided import complete_guided
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CalibrationError
from sensorfusion.image import Image

CAMERA = Camera("camera", 80, 60, 60.0, 60.0, 39.5, 29.5)
SPACING = BeamSpacing(0.1, 0.1)
V, U = np.mgrid[:60, :80]
BEAMS = (V >= 10) & (V <= 52) & ((V - 10) % 6 == 0) & (U % 6 == 1)
# The edge runs right beside a column of beams, far from the middle between two.
NEAR = U < 38
DEPTH = np.where(NEAR, 2.0, 10.0)


def sparse():
    metres = np.where(BEAMS, DEPTH, 0).astype(np.float32)
    origin = np.where(BEAMS, np.uint8(Origin.MEASURED), np.uint8(Origin.UNSEEN))
    return DepthMap(metres, CAMERA, 5, np.where(BEAMS, np.float32(0.01), np.float32(0)), origin)


def picture(pixels):
    return Image(np.ascontiguousarray(pixels, dtype=np.uint8), "camera", 5)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_edge_of_an_object_is_put_where_the_picture_has_it(channels):
    pixels = np.where(NEAR, 40, 200).reshape(60, 80, *(1,) * len(channels))
    guided = complete_guided(
        sparse(), picture(np.broadcast_to(pixels, (60, 80, *channels))), SPACING
    )
    inside = np.s_[12:50, 6:72]
    wrong = np.abs(guided.metres - DEPTH)[inside] > 0.2
    smooth_wrong = np.abs(complete_smooth(sparse(), SPACING).metres - DEPTH)[inside] > 0.2
    assert wrong.sum() == 0
    assert smooth_wrong.sum() > 30


def test_measured_pixels_keep_their_depth_and_others_their_reason():
    depth, noise = sparse(), np.random.default_rng(2).integers(0, 255, (60, 80))
    guided, smooth = (
        complete_guided(depth, picture(noise), SPACING),
        complete_smooth(depth, SPACING),
    )
    np.testing.assert_array_equal(guided.metres[BEAMS], depth.metres[BEAMS])
    np.testing.assert_array_equal(guided.origin, smooth.origin)
    np.testing.assert_array_equal(guided.metres > 0, smooth.metres > 0)


def test_a_picture_of_another_camera_is_refused():
    other = Image(np.zeros((60, 80), np.uint8), "left", 0)
    with pytest.raises(CalibrationError, match=r"picture of 'left' with 80x60 pixels"):
        complete_guided(sparse(), other, SPACING)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(CalibrationError, match="same camera and size"):
        complete_guided(sparse(), picture(np.zeros((30, 40))), SPACING)


def test_columns_are_solved_as_the_linear_system_says():
    rng = np.random.default_rng(4)
    rows, columns, strength = 9, 5, 3.0
    weight = np.zeros((rows + 1, columns), np.float32)
    weight[1:rows] = rng.random((rows - 1, columns))
    a, b = (np.zeros((rows + 1, columns), np.float32) for _ in range(2))
    a[1:], b[1:] = rng.random((2, rows, columns))
    expected = []
    for layer in (a, b):
        solved = np.empty((rows, columns))
        for u in range(columns):
            w = np.diag(weight[1:rows, u].astype(float), 1)
            neighbours = w + w.T
            matrix = np.eye(rows) + strength * (np.diag(neighbours.sum(0)) - neighbours)
            solved[:, u] = np.linalg.solve(matrix, layer[1:, u])
        expected.append(solved)
    kernels.solve_columns(weight, strength, np.empty_like(a), a, b)
    np.testing.assert_allclose(a[1:], expected[0], rtol=1e-5)
    np.testing.assert_allclose(b[1:], expected[1], rtol=1e-5)


def test_pixels_are_as_alike_as_their_most_different_channel():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 1], pixels[1, 0] = (0, 7, 2), (30, 0, 1)
    down, across = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    kernels.weights(pixels, np.arange(256, dtype=np.float32), down, across)
    # Down: to the row below, in row 1; across, transposed: to the column on the right.
    np.testing.assert_array_equal(down, [[0, 0], [30, 7], [0, 0]])
    np.testing.assert_array_equal(across, [[0, 0], [7, 30], [0, 0]])
