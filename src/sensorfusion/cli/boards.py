"""The options by which every command that looks at a calibration board is told which one."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cyclopts import Parameter

from sensorfusion.calibration.board import Board, parse_charuco, parse_chessboard
from sensorfusion.cli.usage import UsageError
from sensorfusion.errors import CalibrationError


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class BoardOptions:
    """Which board is in the pictures: one of the two.

    Attributes
    ----------
    chessboard : str or None
        COLUMNSxROWS:SQUARE, inner corners and metres: 9x6:0.025 has 10 x 7 squares of 25 mm.
    charuco : str or None
        COLUMNSxROWS:SQUARE:MARKER:DICTIONARY, squares and metres: 7x5:0.075:0.05625:DICT_4X4_50.
    """

    chessboard: str | None = None
    charuco: str | None = None

    @property
    def board(self) -> Board:
        """Return the board.

        Raises
        ------
        UsageError
            If none or both were given, or the text means no board.
        """
        if (self.chessboard is None) == (self.charuco is None):
            msg = (
                "which board is it? give --chessboard 9x6:0.025 (inner corners, metres) or "
                "--charuco 7x5:0.075:0.05625:DICT_4X4_50"
            )
            raise UsageError(msg)
        return self._parsed()

    @property
    def board_if_any(self) -> Board | None:
        """Return the board, None if none was given; raises as :attr:`board` does else."""
        return None if self.chessboard is None and self.charuco is None else self.board

    def _parsed(self) -> Board:
        try:
            if self.chessboard is not None:
                return parse_chessboard(self.chessboard)
            return parse_charuco(self.charuco or "")
        except CalibrationError as error:
            raise UsageError(str(error)) from error


def common_reasons(reasons: Iterable[str]) -> str:
    """Return the three commonest reasons why pictures show no board, with their counts."""
    counted = Counter(reasons).most_common(3)
    return "; ".join(f"{reason} ({count} times)" for reason, count in counted) or "there are none"
