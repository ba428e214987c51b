from dataclasses import replace

import numpy as np
import pytest

from board_scene import many_places, placed, seen, small_camera, turned
from sensorfusion.calibration.board import Chessboard
from sensorfusion.calibration.board_view import BoardView
from sensorfusion.calibration.estimate_camera import NAMES, estimate_camera
from sensorfusion.calibration.estimate_stereo import estimate_stereo
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError
from sensorfusion.transform import RigidTransform

BOARD = Chessboard(8, 5, 0.03)
SIZE_PX = (480, 360)
NOISE_PX = 0.15
BROWN = Distortion("brown_conrady", (-0.25, 0.09, 0.001, -0.0015, 0.0))
FISHEYE = Distortion("kannala_brandt", (0.03, -0.01, 0.0, 0.0))
T_RIGHT_LEFT = RigidTransform("right", "left", np.eye(4))


def _numbers(camera, model):
    zeros = (0.0,) * (len(NAMES[model]) - 4 - len(camera.distortion.coefficients))
    lens = (*camera.distortion.coefficients, *zeros)
    return dict(zip(NAMES[model], (camera.fx, camera.fy, camera.cx, camera.cy, *lens), strict=True))


def _views(camera, count, seed):
    rng = np.random.default_rng(seed)
    return [seen(BOARD, camera, T, NOISE_PX, rng) for T in many_places(BOARD, count, seed)]


def _pairs(seed, count=8, shift_m=(-0.06, 0.002, -0.001)):
    """Return pairs of views, and the true cameras and their place."""
    rng = np.random.default_rng(seed)
    left = replace(small_camera(BROWN), name="left")
    right = replace(left, name="right", fx=431.0, fy=430.0, cx=236.0, cy=183.0)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turned(0.6, -1.1, 0.4), shift_m
    T_right_left = RigidTransform("right", "left", matrix)
    pairs = []
    for T in many_places(BOARD, count, seed):
        T_left_board = RigidTransform("left", "board", T.matrix)
        one = seen(BOARD, left, T_left_board, NOISE_PX, rng)
        two = seen(BOARD, right, T_right_left @ T_left_board, NOISE_PX, rng)
        pairs.append((one, two))
    return pairs, left, right, T_right_left


@pytest.mark.parametrize(
    ("distortion", "model"),
    [(BROWN, "brown_conrady"), (FISHEYE, "kannala_brandt"), (None, "brown_conrady")],
)
def test_every_number_of_a_camera_lies_within_three_of_its_standard_deviations(distortion, model):
    camera = small_camera(distortion)
    found = estimate_camera(_views(camera, 14, 3), SIZE_PX, model=model)
    truth, estimate = _numbers(camera, model), _numbers(found.camera, model)
    assert {"fx", "fy", "cx", "cy"} <= set(found.sigma)
    for name, sigma in found.sigma.items():
        assert abs(estimate[name] - truth[name]) < 3 * sigma, name
    # What was not determined is left at zero, and was so small that it could not be.
    for name in set(truth) - set(found.sigma):
        assert estimate[name] == 0
    assert found.rms_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.1)
    assert all(picture.used for picture in found.pictures)


def test_errors_of_repeated_calibrations_are_as_large_as_stated():
    camera = small_camera(BROWN)
    places = many_places(BOARD, 8, 5)
    rng = np.random.default_rng(6)
    errors = []
    for _ in range(4):
        views = [seen(BOARD, camera, T, NOISE_PX, rng) for T in places]
        found = estimate_camera(views, SIZE_PX)
        estimate, truth = (_numbers(one, "brown_conrady") for one in (found.camera, camera))
        errors += [
            (estimate[name] - truth[name]) / found.sigma[name] for name in ("fx", "cx", "cy", "k1")
        ]
    # In units of the stated deviations; 16 draws tell their size to a quarter, or less well, as
    # some go together.
    assert 0.5 < np.sqrt(np.mean(np.square(errors))) < 1.5


def test_a_lens_without_distortion_is_given_none():
    found = estimate_camera(_views(small_camera(), 14, 3), SIZE_PX)
    assert found.camera.distortion.is_none
    assert set(found.sigma) == {"fx", "fy", "cx", "cy"}


def test_pictures_of_something_else_are_left_out_and_the_camera_stays_right():
    camera = small_camera(BROWN)
    views = _views(camera, 12, 7)
    rng = np.random.default_rng(8)
    shuffled = BoardView(views[2].points_m, rng.permutation(views[2].pixels))
    zoomed = seen(BOARD, replace(camera, fx=600.0, fy=597.0), many_places(BOARD, 1, 9)[0])
    slipped = BoardView(views[9].points_m, views[9].pixels + rng.normal(0, 1.5, (40, 2)))
    views[2], views[5], views[9] = shuffled, zoomed, slipped
    found = estimate_camera(views, SIZE_PX)
    assert [i for i, picture in enumerate(found.pictures) if not picture.used] == [2, 5, 9]
    assert abs(found.camera.fx - camera.fx) < 3 * found.sigma["fx"]
    assert found.pictures[2].rms_px > 20


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_pictures_are_refused(count):
    with pytest.raises(CalibrationError, match=f"{count} pictures show the board; expected 3"):
        estimate_camera(_views(small_camera(), count, 1), SIZE_PX)


@pytest.mark.parametrize("noise_px", [0.0, NOISE_PX])
def test_a_board_in_one_orientation_is_refused(noise_px):
    rng = np.random.default_rng(2)
    places = [(x, y, z) for z in (0.4, 0.5) for x in (-0.05, 0.05) for y in (-0.04, 0.04)]
    straight = [placed(BOARD, turned(0, 0, 0), place) for place in places]
    views = [seen(BOARD, small_camera(), T, noise_px, rng) for T in straight]
    with pytest.raises(CalibrationError, match="nearly one orientation in all 8 pictures"):
        estimate_camera(views, SIZE_PX)


def test_a_board_that_is_seen_in_a_small_part_of_the_picture_is_refused():
    far = many_places(BOARD, 8, 4, distance_m=(2.5, 2.6), aside=0.01)
    views = [seen(BOARD, small_camera(), T) for T in far]
    with pytest.raises(CalibrationError, match="% of the picture only, all pictures together"):
        estimate_camera(views, SIZE_PX)


def test_pictures_that_agree_on_no_camera_are_refused():
    rng = np.random.default_rng(1)
    views = [
        BoardView(view.points_m, rng.permutation(view.pixels))
        for view in _views(small_camera(), 6, 1)
    ]
    with pytest.raises(CalibrationError, match=r"contradict each other|no camera explains"):
        estimate_camera(views, SIZE_PX)


def test_two_cameras_and_their_place_lie_within_three_standard_deviations():
    pairs, left, right, T_right_left = _pairs(11)
    found = estimate_stereo(pairs, SIZE_PX, BOARD)
    for one, camera in ((found.left, left), (found.right, right)):
        truth, estimate = (_numbers(each, "brown_conrady") for each in (camera, one.camera))
        for name, sigma in one.sigma.items():
            assert abs(estimate[name] - truth[name]) < 3 * sigma, name
    off_m = np.abs(found.T_right_left.translation_m - T_right_left.translation_m)
    assert (off_m < 3 * found.sigma_shift_m).all()
    turn = found.T_right_left.rotation @ T_right_left.rotation.T
    axis_rad = 0.5 * np.array(
        [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    )
    assert (np.abs(axis_rad) < 3 * found.sigma_turn_rad).all()
    assert found.rms_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.1)
    in_rig = found.rig.transform("right", "left")
    np.testing.assert_allclose(in_rig.matrix, found.T_right_left.matrix, atol=1e-12)


def test_pairs_that_were_mixed_up_are_left_out():
    pairs, *_, T_right_left = _pairs(12)
    pairs[3], pairs[6] = (pairs[3][0], pairs[6][1]), (pairs[6][0], pairs[3][1])
    found = estimate_stereo(pairs, SIZE_PX, BOARD)
    assert [i for i, one in enumerate(found.left.pictures) if not one.used] == [3, 6]
    off_m = found.T_right_left.translation_m - T_right_left.translation_m
    assert (np.abs(off_m) < 3 * found.sigma_shift_m).all()


def test_a_board_that_looks_the_same_when_turned_is_named_alike_in_both_pictures():
    pairs, *_, T_right_left = _pairs(13)
    # As a detector may: the other end first, in some right pictures.
    flipped = [
        (one, BoardView(two.points_m, two.pixels[::-1].copy()) if index % 3 else two)
        for index, (one, two) in enumerate(pairs)
    ]
    found = estimate_stereo(flipped, SIZE_PX, BOARD)
    off_m = found.T_right_left.translation_m - T_right_left.translation_m
    assert (np.abs(off_m) < 3 * found.sigma_shift_m).all()
    assert all(one.used for one in found.right.pictures)


def test_sides_that_are_swapped_are_called_so():
    pairs, *_ = _pairs(14)
    with pytest.raises(
        CalibrationError, match=r"0\.0[56]\d* m to the right of the other: the sides"
    ):
        estimate_stereo([(two, one) for one, two in pairs], SIZE_PX, BOARD)


def test_a_pair_of_cameras_one_above_the_other_is_not_taken_for_swapped():
    pairs, *_ = _pairs(15, shift_m=(0.002, -0.06, 0.0))
    found = estimate_stereo(pairs, SIZE_PX, BOARD)
    assert found.baseline_m == pytest.approx(0.06, abs=1e-3)


def test_pairs_that_agree_on_no_place_are_refused():
    pairs, *_ = _pairs(16, count=8)
    mixed = [(pairs[i][0], pairs[(i * 3 + 1) % 8][1]) for i in range(8)]
    with pytest.raises(CalibrationError, match="the pairs contradict each other"):
        estimate_stereo(mixed, SIZE_PX, BOARD)
