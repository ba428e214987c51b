"""Many pictures of one board, looked through: what each shows, and why some show nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensorfusion.calibration.board import Board
from sensorfusion.calibration.board_pictures import read_grey
from sensorfusion.calibration.board_view import BoardView, view_board
from sensorfusion.errors import CalibrationError, CorruptRecordingError

EXPLAINED: Final = 5
"""So many pictures without the board are looked at for what people mistake; then it is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What pictures of one size show of a board.

    Attributes
    ----------
    size_px : tuple of int
        Width and height of all pictures.
    views : mapping of Path to BoardView
        Where the board was found, in the order of the files; may be empty.
    refused : mapping of Path to str
        Why the others show none.
    """

    size_px: tuple[int, int]
    views: Mapping[Path, BoardView]
    refused: Mapping[Path, str]

    def check_enough(self, board: Board, at_least: int) -> None:
        """Refuse a survey in which too few pictures show the board; the error says why.

        Raises
        ------
        CalibrationError
            If fewer than ``at_least`` do.
        """
        if len(self.views) >= at_least:
            return
        reasons = Counter(self.refused.values()).most_common(3)
        told = "; ".join(f"{reason} ({count} times)" for reason, count in reasons)
        count = len(self.views) + len(self.refused)
        msg = (
            f"{len(self.views)} of {count} pictures show the {board}, and {at_least} are needed, "
            "better 10 to 20" + (f"; the others: {told}" if told else "")
        )
        raise CalibrationError(msg)


def survey(files: Sequence[Path], board: Board) -> Survey:
    """Look for a board in pictures. Damaged ones are refused each for itself.

    Parameters
    ----------
    files : sequence of Path
    board : Chessboard or Charuco

    Raises
    ------
    SourceError
        If a file cannot be read.
    CalibrationError
        If the pictures are of different sizes, or not one can be decoded.
    """
    views: dict[Path, BoardView] = {}
    refused: dict[Path, str] = {}
    sizes: dict[tuple[int, int], list[Path]] = {}
    for path in files:
        try:
            grey = read_grey(path)
        except CorruptRecordingError as error:
            refused[path] = f"is damaged or no picture ({_without_path(error, path)})"
            continue
        sizes.setdefault((grey.shape[1], grey.shape[0]), []).append(path)
        seen = view_board(board, grey, explain=len(refused) < EXPLAINED)
        if isinstance(seen, str):
            refused[path] = seen
        else:
            views[path] = seen
    if not sizes:
        msg = f"none of {len(files)} files is a picture that can be read; expected PNG or JPEG"
        raise CalibrationError(msg)
    check_one_size(sizes)
    (size_px,) = sizes
    return Survey(size_px, views, refused)


def check_one_size(sizes: Mapping[tuple[int, int], Sequence[Path]]) -> None:
    """Refuse pictures of several sizes: one camera has one.

    Raises
    ------
    CalibrationError
        If there are several, with an example of each.
    """
    if len(sizes) == 1:
        return
    told = ", ".join(
        f"{width}x{height} ({len(paths)}, such as {paths[0].name})"
        for (width, height), paths in sizes.items()
    )
    msg = f"pictures of different sizes: {told}; expected those of one camera at one resolution"
    raise CalibrationError(msg)


def _without_path(error: CorruptRecordingError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ").partition(";")[0]
