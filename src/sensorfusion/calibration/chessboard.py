"""Chessboards in pictures: corners to a part of a pixel, in an order that does not flip."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board import Chessboard

# Above this the quads are sought in a smaller picture, which takes a tenth of the time.
_LARGEST_SOUGHT_PX = 1600
# A window that reaches a neighbouring corner is drawn towards it.
_WINDOW_SHARE = 0.25
_WINDOW_PX = (2, 15)
# A board may end in the middle of a square: beyond the outer squares, but not far.
_BEYOND, _SHARE = 1.2, 0.4


def find_chessboard(
    board: Chessboard, grey: NDArray[np.uint8], *, explain: bool = True
) -> NDArray[np.float64] | str:
    """Find the inner corners of a chessboard.

    Parameters
    ----------
    board : Chessboard
    grey : ndarray of uint8, shape (H, W)
    explain : bool
        Look for a board of another size where this one is not found, which takes longer.

    Returns
    -------
    ndarray of float64, shape (rows, columns, 2), or str
        (u, v) pixels: x to the right of y when seen from the front, beginning at a dark square
        where the board has only one such corner, else with the columns as far to the right as
        they go. Or why there are none.

    References
    ----------
    Duda and Frese, "Accurate detection and localization of checkerboard corners for
    calibration", BMVC 2018, where the quads of the squares are not found.
    """
    import cv2

    scale = max(1.0, max(grey.shape) / _LARGEST_SOUGHT_PX)
    small = grey
    if scale > 1:
        size = (round(grey.shape[1] / scale), round(grey.shape[0] / scale))
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
    found, corners = cv2.findChessboardCorners(small, board.corners, flags=flags)
    if found:
        grid = np.asarray(corners, np.float64).reshape(board.rows, board.columns, 2)
        if _goes_on(grid, small):
            told = f"shows more inner corners than {_size(board)}"
            return _nothing(board, small, told) if explain else told
    else:
        # Not to be satisfied with a part of a larger board, whose place would differ by picture.
        larger = _largest_grid(small, board.corners)
        if larger is None:
            told = "no chessboard was found"
            return _nothing(board, small, told) if explain else told
        if sorted(larger.shape[:2]) != sorted(board.corners):
            return _other_size(board, larger)
        grid = larger if larger.shape[1] == board.columns else larger.transpose(1, 0, 2)
    stretch = np.array([grey.shape[1] / small.shape[1], grey.shape[0] / small.shape[0]])
    return _ordered(_refined(grey, (grid + 0.5) * stretch - 0.5), grey)


def edge_width_px(grid: NDArray[np.float64], grey: NDArray[np.uint8]) -> float:
    """Return how many pixels the edges of the squares take to rise from 10 to 90 percent."""
    import cv2

    corners = grid.reshape(-1, 1, 2).astype(np.float32)
    size = (grid.shape[1], grid.shape[0])
    widths = [
        cv2.estimateChessboardSharpness(grey, size, corners, vertical=vertical)[0]
        for vertical in (False, True)
    ]
    return float(np.max(np.array(widths)[:, 0]))


def turns(board: Chessboard) -> tuple[NDArray[np.float64], ...]:
    """Return the turns that lay a board's corners on each other, but not its colours, perhaps.

    Returns
    -------
    tuple of ndarray of float64, shape (4, 4)
        In the board's coordinates, metres; the first is none.
    """
    quarters = range(4) if board.columns == board.rows else (0, 2)
    centre = 0.5 * (board.points_m[0] + board.points_m[-1])
    found = []
    for quarter in quarters:
        turn = np.eye(4)
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
        turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
        turn[:3, 3] = centre - turn[:3, :3] @ centre
        found.append(turn)
    return tuple(found)


def _largest_grid(grey: NDArray[np.uint8], at_least: tuple[int, int]) -> NDArray[np.float64] | None:
    import cv2

    flags = cv2.CALIB_CB_LARGER | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE
    found, corners, meta = cv2.findChessboardCornersSBWithMeta(grey, at_least, flags)
    if not found or corners is None:
        return None
    return np.asarray(corners, np.float64).reshape(*meta.shape, 2)


def _nothing(board: Chessboard, grey: NDArray[np.uint8], otherwise: str) -> str:
    grid = _largest_grid(grey, (3, 3))
    if grid is None or sorted(grid.shape[:2]) == sorted(board.corners):
        return otherwise
    if 2 * grid.shape[0] * grid.shape[1] < board.columns * board.rows:
        # A few corners of anything are no board.
        return otherwise
    return _other_size(board, grid)


def _other_size(board: Chessboard, grid: NDArray[np.float64]) -> str:
    shown = sorted(grid.shape[:2], reverse=True)
    told = f"shows {shown[0]}x{shown[1]} inner corners, not {_size(board)}"
    if sorted(board.corners, reverse=True) == [shown[0] + 1, shown[1] + 1]:
        return told + " (inner corners are one fewer than squares)"
    if shown[0] <= max(board.corners) and shown[1] <= min(board.corners):
        return (
            f"shows {shown[0]}x{shown[1]} of {_size(board)} inner corners: a part, or another board"
        )
    return told


def _size(board: Chessboard) -> str:
    return f"{board.columns}x{board.rows}"


def _goes_on(grid: NDArray[np.float64], grey: NDArray[np.uint8]) -> bool:
    """Say whether squares alternate just beyond the outer ones, where such a board ends."""
    import cv2

    rows, columns = grid.shape[:2]
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    corners = np.stack([x, y], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    plane, _ = cv2.findHomography(corners, grid.reshape(-1, 1, 2))
    along_x, along_y = np.arange(columns - 1) + 0.5, np.arange(rows - 1) + 0.5
    sides = [(along_x, at + 0 * along_x) for at in (-_BEYOND, rows - 1 + _BEYOND)]
    sides += [(at + 0 * along_y, along_y) for at in (-_BEYOND, columns - 1 + _BEYOND)]
    contrast = abs(_darkness(grid, grey))
    for side in sides:
        there = np.stack(side, axis=-1)[:, None]
        places = cv2.perspectiveTransform(there, plane)[:, 0].astype(np.float64)
        if not ((places >= 0) & (places < grey.shape[::-1])).all():
            continue
        steps = np.diff(_levels(places, grey))
        steps[::2] *= -1
        if abs(steps.sum()) == np.abs(steps).sum() and np.abs(steps).min() > _SHARE * contrast:
            return True
    return False


def _refined(grey: NDArray[np.uint8], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    steps = [np.linalg.norm(np.diff(grid, axis=axis), axis=-1).min() for axis in (0, 1)]
    window = int(np.clip(round(_WINDOW_SHARE * min(steps)), *_WINDOW_PX))
    corners = np.ascontiguousarray(grid.reshape(-1, 1, 2), np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-4)
    refined = cv2.cornerSubPix(grey, corners, (window, window), (-1, -1), until)
    return np.asarray(refined, np.float64).reshape(grid.shape)


def _ordered(grid: NDArray[np.float64], grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return corners in the one order that the board itself gives, as far as it gives one."""
    right, down = grid[:, -1] - grid[:, 0], grid[-1] - grid[0]
    right, down = right.mean(axis=0), down.mean(axis=0)
    if right[0] * down[1] < right[1] * down[0]:
        # Nobody sees a board from behind.
        grid = grid[::-1]
    quarters = range(4) if grid.shape[0] == grid.shape[1] else (0, 2)
    turned = [np.rot90(grid, quarter) for quarter in quarters]
    dark = [one for one in turned if _darkness(one, grey) > 0] or turned
    return np.ascontiguousarray(max(dark, key=_to_the_right))


def _to_the_right(grid: NDArray[np.float64]) -> float:
    along = (grid[:, -1] - grid[:, 0]).mean(axis=0)
    return float(along[0] / np.hypot(*along))


def _darkness(grid: NDArray[np.float64], grey: NDArray[np.uint8]) -> float:
    """Return by how much squares like the first one are darker than their neighbours."""
    centres = 0.25 * (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:])
    levels = _levels(centres, grey)
    first = np.add.outer(np.arange(levels.shape[0]), np.arange(levels.shape[1])) % 2 == 0
    return float(levels[~first].mean() - levels[first].mean())


def _levels(places: NDArray[np.float64], grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    u, v = np.moveaxis(np.rint(places).astype(np.int64), -1, 0)
    height, width = grey.shape
    return np.asarray(grey[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)], np.float64)
