"""Depth that looks like depth, and what wrong units, bytes and previews leave."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.plausible import doubts, share_of_jumps
from sensorfusion.depth_map import DepthMap, RawDepth

CAMERA = Camera("depth", 64, 48, 60.0, 60.0, 31.5, 23.5)
# A floor that runs from 1 m to 3 m, in millimetres.
FLOOR = np.repeat(np.linspace(1000, 3000, 48).astype(np.uint16)[:, None], 64, axis=1)


def raw(values, unit_m=0.001):
    return RawDepth(values, unit_m, CAMERA, 0)


def test_a_floor_leaves_no_doubt():
    assert doubts([raw(FLOOR)]) == ()
    metres = (FLOOR * 0.001).astype(np.float32)
    assert doubts([DepthMap(metres, CAMERA, 0)]) == ()


def test_a_wall_of_one_depth_leaves_no_doubt():
    assert doubts([raw(np.full_like(FLOOR, 2000))]) == ()


@pytest.mark.parametrize(("unit_m", "median"), [(1e-5, "0.02 m"), (0.02, "40 m")])
def test_depth_that_no_camera_sees_is_told(unit_m, median):
    (said,) = doubts([raw(FLOOR, unit_m)])
    assert f"the median depth is {median}" in said
    assert "is the unit right?" in said


def test_bytes_in_another_order_are_told():
    assert any("neighbouring pixels" in said for said in doubts([raw(noisy().byteswap())]))


def test_rotated_bits_are_told():
    values = noisy()
    assert any(
        "neighbouring pixels" in said for said in doubts([raw((values >> 3) | (values << 13))])
    )


def test_saturated_pixels_are_told():
    values = FLOOR.copy()
    values[:30] = 65535
    (said,) = doubts([raw(values)])
    assert "62% of the pixels hold 65535" in said


def test_a_label_picture_is_told():
    (said,) = doubts([raw((FLOOR // 500 * 500).astype(np.uint16))])
    assert "only 5 different values" in said


def test_a_preview_of_eight_bits_is_told():
    (said,) = doubts(
        [raw((np.linspace(20, 200, 48).astype(np.uint16) * 257)[:, None].repeat(64, 1), 1e-4)]
    )
    assert "steps of 8 bits" in said


def test_depth_that_is_cut_off_at_its_far_end_is_told():
    (said,) = doubts([raw(np.minimum(FLOOR, 2500))])
    assert "are the largest one, 2.5 m" in said


def test_jumps_are_counted_between_pixels_with_depth():
    metres = np.array([[1.0, 1.2, 2.0, 0.0, 5.0]], np.float32)
    # Of 1-1.2 and 1.2-2 the second is one; nothing is compared with a hole.
    assert share_of_jumps(metres) == 0.5
    assert share_of_jumps(np.zeros((3, 3), np.float32)) == 0.0


def test_little_depth_is_not_judged():
    values = np.zeros_like(FLOOR)
    values[0, 0] = 60000
    assert doubts([raw(values)]) == ()


def noisy():
    return (FLOOR + np.random.default_rng(3).integers(-5, 6, FLOOR.shape)).astype(np.uint16)
