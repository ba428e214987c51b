import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.beams import BeamSpacing
from sensorfusion.depth.footprint import with_footprint
from sensorfusion.depth_map import DepthMap

CAMERA = Camera("camera", 60, 40, 100.0, 100.0, 29.5, 19.5)
# Rings fall on every fourth row, firings on every second column.
SPACING = BeamSpacing(0.04, 0.02)


def sparse(z_of_row_and_column, sigma_m=0.01):
    row, column = np.mgrid[:40, :60]
    z = z_of_row_and_column(row, column).astype(np.float32)
    drawn = (row % 4 == 0) & (column % 2 == 0)
    metres = np.where(drawn, z, np.float32(0))
    sigma = np.where(drawn, np.float32(sigma_m), np.float32(0))
    return with_footprint(DepthMap(metres, CAMERA, 0, sigma), SPACING), drawn


def test_a_wall_that_faces_the_camera_keeps_its_sigma():
    found, drawn = sparse(lambda row, column: 5.0 + 0 * row)
    assert found.sigma_m[drawn] == pytest.approx(0.01)


def test_a_slope_down_and_one_across_add_their_squares():
    found, _ = sparse(lambda row, column: 5.0 + 0.03 * row + 0.04 * column)
    # 0.01^2 + (0.03^2 + 0.04^2) / 8
    assert found.sigma_m[20, 30] == pytest.approx(np.sqrt(1e-4 + 0.0025 / 8), rel=1e-4)


def test_at_an_edge_the_side_of_the_same_surface_counts():
    found, _ = sparse(lambda row, column: np.where(column < 30, 5.0, 9.0) + 0 * row)
    assert found.sigma_m[20, [28, 30]] == pytest.approx(0.01)


def test_a_point_without_neighbours_keeps_its_sigma():
    metres = np.zeros((40, 60), np.float32)
    metres[20, 30] = 5.0
    sigma = np.where(metres > 0, np.float32(0.02), np.float32(0))
    found = with_footprint(DepthMap(metres, CAMERA, 0, sigma), SPACING)
    assert found.sigma_m[20, 30] == pytest.approx(0.02)


def test_pixels_without_depth_have_no_sigma():
    found, drawn = sparse(lambda row, column: 5.0 + 0.03 * row)
    assert (found.sigma_m[~drawn] == 0).all()
