"""What a picture shows of a calibration board."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board import Board, Chessboard
from sensorfusion.calibration.charuco import find_charuco
from sensorfusion.calibration.chessboard import edge_width_px, find_chessboard
from sensorfusion.image import Image

BLURRED_PX: Final = 5.0
"""An edge between black and white that takes more pixels to rise is blurred."""


@dataclass(frozen=True, slots=True, eq=False)
class BoardView:
    """The corners of a board in one picture.

    Attributes
    ----------
    points_m : ndarray of float64, shape (N, 3)
        In the board's coordinates, metres.
    pixels : ndarray of float64, shape (N, 2)
        Where the picture shows them, (u, v).
    edge_px : float or None
        How many pixels an edge between black and white takes to rise; see :data:`BLURRED_PX`.
        None where markers stand in the way.
    """

    points_m: NDArray[np.float64]
    pixels: NDArray[np.float64]
    edge_px: float | None = None

    @property
    def extent_m(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and the largest x and y among the corners, metres."""
        return self.points_m[:, :2].min(axis=0), self.points_m[:, :2].max(axis=0)


def grey_of(image: Image) -> NDArray[np.uint8]:
    """Return a picture as boards are sought in it, uint8 (H, W)."""
    if image.pixels.ndim == 2:
        return image.pixels
    import cv2

    return np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def view_board(board: Board, grey: NDArray[np.uint8], *, explain: bool = True) -> BoardView | str:
    """Find a board in a picture.

    Parameters
    ----------
    board : Chessboard or Charuco
    grey : ndarray of uint8, shape (H, W)
    explain : bool
        Where the board is not found, look for what people mistake, which takes longer.

    Returns
    -------
    BoardView or str
        The corners; or why there are none, for people.
    """
    if isinstance(board, Chessboard):
        grid = find_chessboard(board, grey, explain=explain)
        if isinstance(grid, str):
            return grid
        return BoardView(board.points_m, grid.reshape(-1, 2), edge_width_px(grid, grey))
    corners = find_charuco(board, grey, explain=explain)
    if isinstance(corners, str):
        return corners
    indices, pixels = corners
    return BoardView(board.points_m[indices], pixels)
