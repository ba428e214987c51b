import numpy as np
import pytest

from board_scene import picture, placed, small_camera, turned
from sensorfusion.calibration.board import Charuco, Chessboard, parse_charuco, parse_chessboard
from sensorfusion.calibration.board_view import BLURRED_PX, BoardView, view_board
from sensorfusion.errors import CalibrationError

CHESS = Chessboard(7, 5, 0.03)
CHARUCO = Charuco(6, 5, 0.04, 0.03, "DICT_4X4_50")
CAMERA = small_camera()


def _off_px(view, board, T):
    """Return how far corners are from where the camera projects the points they are called."""
    return np.linalg.norm(view.pixels - CAMERA.project(T.apply(view.points_m)), axis=1).max()


def test_boards_are_read_as_people_write_them():
    assert parse_chessboard("9x6:0.025") == Chessboard(9, 6, 0.025)
    written = parse_charuco("7x5:0.075:0.05625:DICT_4X4_50")
    assert written == Charuco(7, 5, 0.075, 0.05625, "DICT_4X4_50")
    assert parse_charuco("7x5:0.075:0.05625:4x4_50") == written


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9x6", "expected COLUMNSxROWS:SQUARE"),
        ("9x6:abc", "'abc' is no number"),
        ("9x6:25", "if these are millimetres, give 0.025"),
        ("9x6:-0.1", "squares of -0.1 m"),
        ("9x6:nan", "squares of nan m"),
        ("2x6:0.1", "expected 3 x 3"),
    ],
)
def test_a_chessboard_that_cannot_be_is_refused_with_what_was_expected(text, told):
    with pytest.raises(CalibrationError, match=told):
        parse_chessboard(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7x5:0.075", "expected COLUMNSxROWS:SQUARE:MARKER:DICTIONARY"),
        ("7x5:0.05:0.06:DICT_4X4_50", "markers of 0.06 m in squares of 0.05 m"),
        ("7x5:0.05:0.04:DICT_9X9", "there are DICT_4X4_100"),
    ],
)
def test_a_charuco_board_that_cannot_be_is_refused_with_what_was_expected(text, told):
    with pytest.raises(CalibrationError, match=told):
        parse_charuco(text)


def test_corners_of_a_chessboard_are_found_to_a_quarter_of_a_pixel():
    board = Chessboard(7, 4, 0.03)
    T = placed(board, turned(20, -25, 5), (0.01, 0.0, 0.4))
    view = view_board(board, picture(board, CAMERA, T))
    assert isinstance(view, BoardView)
    assert _off_px(view, board, T) < 0.25


@pytest.mark.parametrize("roll_deg", [0, 80, 100, 170, 190, 260, 280, 350])
def test_corners_keep_their_names_however_the_picture_is_turned(roll_deg):
    board = Chessboard(6, 5, 0.03)
    T = placed(board, turned(15, -20, roll_deg), (0.0, 0.0, 0.4))
    view = view_board(board, picture(board, CAMERA, T))
    assert isinstance(view, BoardView)
    # An even and an odd side: only one of its ends begins with a dark square.
    assert _off_px(view, board, T) < 0.25


def test_a_chessboard_without_a_first_corner_is_not_named_as_a_mirror_would_show_it():
    T = placed(CHESS, turned(15, -20, 170), (0.0, 0.0, 0.4))
    view = view_board(CHESS, picture(CHESS, CAMERA, T))
    assert isinstance(view, BoardView)
    half = placed(CHESS, turned(15, -20, 170) @ turned(0, 0, 180), (0.0, 0.0, 0.4))
    assert min(_off_px(view, CHESS, T), _off_px(view, CHESS, half)) < 0.25


@pytest.mark.parametrize("size", [(6, 5), (7, 4), (5, 3)])
def test_a_chessboard_of_another_size_is_not_taken_for_the_one_asked_for(size):
    T = placed(CHESS, turned(10, -15, 5), (0.0, 0.0, 0.4))
    told = view_board(Chessboard(*size, 0.03), picture(CHESS, CAMERA, T))
    assert told == f"shows 7x5 inner corners, not {size[0]}x{size[1]}"


def test_a_part_of_a_chessboard_is_said_to_be_one():
    board = Chessboard(8, 5, 0.03)
    T = placed(board, turned(10, -14, 5), (-0.12, -0.03, 0.4))
    told = view_board(board, picture(board, CAMERA, T))
    assert told == "shows 7x5 of 8x5 inner corners: a part, or another board"


def test_who_counts_squares_is_told_that_inner_corners_are_fewer():
    T = placed(CHESS, turned(10, -15, 5), (0.0, 0.0, 0.4))
    told = view_board(Chessboard(8, 6, 0.03), picture(CHESS, CAMERA, T))
    assert told == "shows 7x5 inner corners, not 8x6 (inner corners are one fewer than squares)"


def test_a_picture_without_a_board_shows_none():
    assert view_board(CHESS, np.full((360, 480), 128, np.uint8)) == "no chessboard was found"


def test_a_blurred_picture_has_wide_edges():
    import cv2

    T = placed(CHESS, turned(10, -15, 5), (0.0, 0.0, 0.35))
    sharp = picture(CHESS, CAMERA, T)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3.5), np.uint8)
    views = [view_board(CHESS, one) for one in (sharp, blurred)]
    assert all(isinstance(view, BoardView) for view in views)
    assert views[0].edge_px < BLURRED_PX < views[1].edge_px


def test_a_large_picture_is_searched_small_and_measured_large():
    import cv2

    board = Chessboard(7, 4, 0.03)
    T = placed(board, turned(20, -25, 5), (0.01, 0.0, 0.4))
    large = cv2.resize(picture(board, CAMERA, T), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    view = view_board(board, np.asarray(large, np.uint8))
    expected = (CAMERA.project(T.apply(board.points_m)) + 0.5) * 4 - 0.5
    assert np.linalg.norm(view.pixels - expected, axis=1).max() < 4 * 0.25


@pytest.mark.parametrize(("rows", "legacy"), [(5, False), (6, False), (6, True)])
def test_corners_of_charuco_boards_are_called_by_number_old_patterns_too(rows, legacy):
    board = Charuco(6, rows, 0.04, 0.03, "DICT_4X4_50")
    T = placed(board, turned(15, -20, 30), (0.0, 0.0, 0.4))
    view = view_board(board, picture(board, CAMERA, T, legacy))
    assert isinstance(view, BoardView)
    assert len(view.pixels) >= 20
    assert _off_px(view, board, T) < 0.3


def test_a_part_of_a_charuco_board_is_enough():
    T = placed(CHARUCO, turned(5, -5, 3), (0.12, 0.0, 0.4))
    view = view_board(CHARUCO, picture(CHARUCO, CAMERA, T))
    assert isinstance(view, BoardView)
    assert 6 <= len(view.pixels) < 20
    assert _off_px(view, CHARUCO, T) < 0.3


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Charuco(5, 6, 0.04, 0.03, "DICT_4X4_50"), "shows a board of 6x5 squares, not 5x6"),
        (Charuco(6, 5, 0.04, 0.03, "DICT_6X6_50"), "has no marker of DICT_6X6_50, but of DICT_4X4"),
    ],
)
def test_a_charuco_board_that_was_described_wrongly_is_told_apart(asked, told):
    T = placed(CHARUCO, turned(10, -15, 5), (0.0, 0.0, 0.4))
    found = view_board(asked, picture(CHARUCO, CAMERA, T))
    assert isinstance(found, str)
    assert found.startswith(told)
