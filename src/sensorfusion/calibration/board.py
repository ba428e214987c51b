"""Calibration boards as people write them: ``9x6:0.025`` and ``7x5:0.075:0.05625:DICT_4X4_50``."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError

CHESSBOARD_FORM: Final = (
    "COLUMNSxROWS:SQUARE of inner corners and metres, such as 9x6:0.025 for a board of 10 x 7 "
    "squares of 25 mm"
)
CHARUCO_FORM: Final = (
    "COLUMNSxROWS:SQUARE:MARKER:DICTIONARY of squares and metres, such as "
    "7x5:0.075:0.05625:DICT_4X4_50"
)
_LARGEST_SQUARE_M = 1.0
_MOST_SQUARES = 100


@dataclass(frozen=True, slots=True)
class Chessboard:
    """A plain chessboard.

    Attributes
    ----------
    columns, rows : int
        Inner corners: places where four squares meet.
    square_m : float
        Edge of a square, metres.

    Raises
    ------
    CalibrationError
        If it has fewer than 3 x 3 inner corners, or its squares have a size that no board has.
    """

    columns: int
    rows: int
    square_m: float

    def __post_init__(self) -> None:
        _check_count(str(self), self.columns, self.rows, "inner corners")
        _check_size(str(self), self.square_m)

    def __str__(self) -> str:
        return f"chessboard {self.columns}x{self.rows}:{self.square_m:g}"

    @property
    def corners(self) -> tuple[int, int]:
        """Return how many inner corners it has, along x and y."""
        return self.columns, self.rows

    @property
    def points_m(self) -> NDArray[np.float64]:
        """Return the inner corners, float64 (columns * rows, 3), metres, row by row.

        In the board's own coordinates: x along the columns, y along the rows, z into the board.
        """
        return _grid_m(self.columns, self.rows, self.square_m)


@dataclass(frozen=True, slots=True)
class Charuco:
    """A chessboard with an ArUco marker in each white square; may be seen in part.

    Attributes
    ----------
    columns, rows : int
        Squares.
    square_m, marker_m : float
        Edges of a square and of a marker, metres.
    dictionary : str
        Name of the markers' dictionary as OpenCV has it, ``DICT_4X4_50``.

    Raises
    ------
    CalibrationError
        If it has fewer than 3 x 3 squares, squares of a size that no board has, markers that do
        not fit into them, or a dictionary that OpenCV does not have.

    References
    ----------
    Garrido-Jurado et al., "Automatic generation and detection of highly reliable fiducial markers
    under occlusion", Pattern Recognition 2014.
    """

    columns: int
    rows: int
    square_m: float
    marker_m: float
    dictionary: str

    def __post_init__(self) -> None:
        _check_count(str(self), self.columns, self.rows, "squares")
        _check_size(str(self), self.square_m)
        if not 0 < self.marker_m < self.square_m:
            msg = (
                f"{self}: markers of {self.marker_m:g} m in squares of {self.square_m:g} m; "
                f"expected smaller ones: {CHARUCO_FORM}"
            )
            raise CalibrationError(msg)
        if self.dictionary not in dictionaries():
            msg = (
                f"{self}: no dictionary is called {self.dictionary!r}; there are "
                f"{', '.join(dictionaries())}"
            )
            raise CalibrationError(msg)

    def __str__(self) -> str:
        return (
            f"ChArUco board {self.columns}x{self.rows}:{self.square_m:g}:{self.marker_m:g}:"
            f"{self.dictionary}"
        )

    @property
    def corners(self) -> tuple[int, int]:
        """Return how many inner corners it has, along x and y."""
        return self.columns - 1, self.rows - 1

    @property
    def points_m(self) -> NDArray[np.float64]:
        """Return the inner corners, float64 (N, 3), metres, row by row; see :class:`Chessboard`."""
        return _grid_m(*self.corners, self.square_m)


Board = Chessboard | Charuco


def parse_chessboard(text: str) -> Chessboard:
    """Return the board that ``9x6:0.025`` means.

    Raises
    ------
    CalibrationError
        If the text has another form, or no such board can be.
    """
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4}):([^:]+)", text.strip())
    if found is None:
        msg = f"chessboard {text!r}: expected {CHESSBOARD_FORM}"
        raise CalibrationError(msg)
    square_m = _metres(text, found[3], CHESSBOARD_FORM)
    return Chessboard(int(found[1]), int(found[2]), square_m)


def parse_charuco(text: str) -> Charuco:
    """Return the board that ``7x5:0.075:0.05625:DICT_4X4_50`` means.

    Raises
    ------
    CalibrationError
        If the text has another form, or no such board can be.
    """
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4}):([^:]+):([^:]+):(\w+)", text.strip())
    if found is None:
        msg = f"ChArUco board {text!r}: expected {CHARUCO_FORM}"
        raise CalibrationError(msg)
    square_m, marker_m = (_metres(text, found[i], CHARUCO_FORM) for i in (3, 4))
    name = found[5].upper()
    dictionary = name if name.startswith("DICT_") else f"DICT_{name}"
    return Charuco(int(found[1]), int(found[2]), square_m, marker_m, dictionary)


def dictionaries() -> tuple[str, ...]:
    """Return the names of OpenCV's dictionaries of markers."""
    from cv2 import aruco

    names = {name.upper() for name in dir(aruco) if name.startswith("DICT_")}
    return tuple(sorted(names))


def _grid_m(columns: int, rows: int, square_m: float) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    grid = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    return np.asarray(grid * square_m, np.float64)


def _metres(text: str, number: str, form: str) -> float:
    try:
        return float(number)
    except ValueError as error:
        msg = f"board {text!r}: {number!r} is no number; expected {form}"
        raise CalibrationError(msg) from error


def _check_count(name: str, columns: int, rows: int, what: str) -> None:
    if min(columns, rows) < 3 or max(columns, rows) > _MOST_SQUARES:
        msg = f"{name}: {columns} x {rows} {what}; expected 3 x 3 to 100 x 100"
        raise CalibrationError(msg)


def _check_size(name: str, square_m: float) -> None:
    if not 0 < square_m <= _LARGEST_SQUARE_M:
        # The size alone makes depth metric: a unit mistaken here would be mistaken everywhere.
        msg = f"{name}: squares of {square_m:g} m; expected metres, up to {_LARGEST_SQUARE_M:g}" + (
            f"; if these are millimetres, give {square_m / 1000:g}" if square_m > 0 else ""
        )
        raise CalibrationError(msg)
