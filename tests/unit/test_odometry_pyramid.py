"""Small pictures: means of what was seen, and nothing where nothing was."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap
from sensorfusion.odometry.pyramid import build_pyramid


def frame(width, height):
    camera = Camera("depth", width, height, 150.0, 150.0, (width - 1) / 2, (height - 1) / 2)
    depth = DepthMap(np.full((height, width), 2.0, np.float32), camera, 0)
    return depth, np.full((height, width, 4), 255, np.uint8)


@pytest.mark.parametrize("width", [160, 320, 640])
def test_pixels_without_depth_or_colour_are_unknown_at_every_size(width):
    depth, colors = frame(width, width * 3 // 4)
    depth.metres[:, : width // 2] = 0
    colors[: width // 4, :, 3] = 0
    for level in build_pyramid(depth, colors):
        rows, columns = level.grey.shape
        assert (level.depth[:, : columns // 2] == 0).all()
        assert (level.sigma_m[:, : columns // 2] == 0).all()
        np.testing.assert_allclose(level.depth[:, columns // 2 :], 2.0, rtol=1e-6)
        assert (level.grey[: rows // 3] == -1).all()
        np.testing.assert_allclose(level.grey[rows // 3 :], 255.0, rtol=1e-5)


def test_points_of_every_level_lie_where_the_pixels_looked():
    """A plane z = 2 + 0.3 x: each level's points lie on it, so no level is shifted."""
    depth, _ = frame(320, 240)
    x = (np.arange(320) - 159.5) / 150.0
    depth.metres[:] = (2.0 / (1.0 - 0.3 * x)).astype(np.float32)
    for level in build_pyramid(depth, None):
        np.testing.assert_allclose(level.points[2], 2.0 + 0.3 * level.points[0], atol=1e-4)


def test_a_square_across_an_edge_keeps_the_near_surface_and_counts_less():
    depth, _ = frame(320, 240)
    # The edge runs through the middle of a pixel of the finest level, which is two pixels wide.
    depth.metres[:, 161:] = 3.0
    finest = build_pyramid(depth, None)[-1]
    edge, flat = finest.depth[10, 80], finest.depth[10, 79]
    assert edge == flat == 2.0
    # An edge is taken to be ten times as uncertain.
    assert finest.sigma_m[10, 80] == pytest.approx(10 * finest.sigma_m[10, 79])
