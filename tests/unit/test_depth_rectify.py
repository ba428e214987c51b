"""Rectification: rows of two pictures see the same points, wherever the cameras sit."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.rectify import rectification
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError, DepthScaleError
from sensorfusion.transform import RigidTransform, rotation_from_vector

LENS = Distortion("brown_conrady", (-0.12, 0.05, 0.001, -0.002))
LEFT = Camera("left", 80, 60, 70.0, 71.0, 39.2, 30.4, LENS)
RIGHT = Camera(
    "right", 96, 64, 90.0, 88.0, 47.0, 33.0, Distortion("brown_conrady", (0.08, 0, 0, 0))
)


def placed(at_m, turn_rad=(0.0, 0.0, 0.0)):
    """Return T_right_left of a right camera at a place in the left one's coordinates."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(turn_rad))
    matrix[:3, 3] = at_m
    return RigidTransform("left", "right", matrix).inverse()


def read(pixels, u, v):
    """Read a map of pixels between four of its own, linearly."""
    j, i = np.floor(u).astype(int), np.floor(v).astype(int)
    a, b = (u - j)[:, None], (v - i)[:, None]
    upper = pixels[i, j] * (1 - a) + pixels[i, j + 1] * a
    lower = pixels[i + 1, j] * (1 - a) + pixels[i + 1, j + 1] * a
    return upper * (1 - b) + lower * b


@pytest.mark.parametrize(
    "at_m",
    [(0.1, 0.0, 0.0), (-0.1, 0.002, 0.001), (0.003, 0.1, 0.0), (0.0, -0.1, 0.01), (0.08, 0.06, 0)],
)
@pytest.mark.parametrize("turn_rad", [(0.0, 0.0, 0.0), (0.02, -0.05, 0.03)])
def test_a_point_lies_on_one_row_and_its_disparity_says_its_depth(at_m, turn_rad):
    T_right_left = placed(at_m, turn_rad)
    found = rectification(LEFT, RIGHT, T_right_left)
    # Points at known depth, on pixels of the left camera.
    rng = np.random.default_rng(3)
    u, v = rng.integers(20, 60, 200), rng.integers(15, 45, 200)
    z_m = rng.uniform(0.8, 5.0, 200)
    rays = LEFT.unproject(np.stack([u, v], axis=1).astype(float))
    points = np.concatenate([rays, np.ones((200, 1))], axis=1) * z_m[:, None]
    in_right = RIGHT.project(T_right_left.apply(points))
    # Where depth comes back from, and the disparity that these points have by the formula.
    rectified = found.back[v, u].astype(float)
    along_m = z_m / found.z_per_depth[v, u]
    disparity = found.focal_px * found.baseline_m / along_m - found.doffs_px
    place = rectified[:, 0] - disparity
    height, width = found.other.seen.shape
    inside = (
        (place > 0) & (place < width - 1) & (rectified[:, 1] > 0) & (rectified[:, 1] < height - 1)
    )
    assert inside.sum() > 50
    expected = in_right[inside]
    seen = read(found.other.pixels.astype(float), place[inside], rectified[inside, 1])
    np.testing.assert_allclose(seen, expected, atol=0.02)


def test_a_rectified_pair_is_not_resampled_and_keeps_its_principal_points():
    left = Camera("left", 741, 500, 994.978, 994.978, 311.193, 254.877)
    right = Camera("right", 741, 500, 994.978, 994.978, 342.279, 254.877)
    found = rectification(left, right, placed((0.193001, 0.0, 0.0)))
    assert found.passes_through
    assert found.other.pixels is None
    assert found.doffs_px == pytest.approx(31.086, abs=1e-9)
    assert (found.focal_px, found.baseline_m) == pytest.approx((994.978, 0.193001), abs=1e-12)
    picture = np.zeros((500, 741), np.uint8)
    assert found.reference.look(picture) is picture


def test_a_camera_to_the_left_turns_the_pictures_without_blurring_them():
    camera = Camera("left", 80, 60, 70.0, 70.0, 39.0, 30.0)
    other = Camera("right", 80, 60, 70.0, 70.0, 39.0, 30.0)
    found = rectification(camera, other, placed((-0.1, 0.0, 0.0)))
    picture = np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)
    np.testing.assert_array_equal(found.reference.look(picture), picture[::-1, ::-1])


def test_what_a_camera_does_not_see_is_marked():
    found = rectification(LEFT, RIGHT, placed((0.1, 0.0, 0.0), (0.0, 0.2, 0.0)))
    seen = found.other.seen
    pixels = found.other.pixels
    inside = (pixels[..., 0] >= -0.5) & (pixels[..., 0] <= 95.5)
    inside &= (pixels[..., 1] >= -0.5) & (pixels[..., 1] <= 63.5)
    assert 0.2 < seen.mean() < 0.95
    np.testing.assert_array_equal(seen, inside)


def test_the_maps_of_a_pair_are_made_once():
    T_right_left = placed((0.1, 0.0, 0.0))
    again = RigidTransform("right", "left", T_right_left.matrix.copy())
    assert rectification(LEFT, RIGHT, T_right_left) is rectification(LEFT, RIGHT, again)


@pytest.mark.parametrize(
    ("at_m", "question"),
    [
        ((193.0, 0, 0), "did you pass millimetres as metres"),
        ((0.0, 5e-5, 0), "did you pass metres as millimetres"),
    ],
)
def test_cameras_that_cannot_be_so_far_apart_are_refused(at_m, question):
    with pytest.raises(DepthScaleError, match=question):
        rectification(LEFT, RIGHT, placed(at_m))


@pytest.mark.parametrize(
    ("at_m", "turn_rad"), [((0.0, 0.0, 0.1), (0, 0, 0)), ((0.1, 0.0, 0.0), (0, np.pi, 0))]
)
def test_cameras_that_look_past_each_other_are_refused(at_m, turn_rad):
    with pytest.raises(CalibrationError, match="look along the line between them, or away"):
        rectification(LEFT, RIGHT, placed(at_m, turn_rad))


def test_a_panorama_is_refused():
    sphere = Camera(
        "right", 80, 40, 80 / 2 / np.pi, 80 / 2 / np.pi, 39.5, 19.5, Distortion("spherical")
    )
    with pytest.raises(CalibrationError, match="one is a panorama"):
        rectification(LEFT, sphere, placed((0.1, 0, 0)))
