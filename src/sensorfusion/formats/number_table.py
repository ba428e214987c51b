"""Lines of numbers as text, read exactly and fast."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats import _number_kernels as kernels

_ADVICE = "mend this line, or export the file anew"
_WORD = 64
_TAB, _LINE_END, _RETURN, _BLANK = b"\t\n\r "


def read_number_table(
    text: NDArray[np.uint8], whole: NDArray[np.bool_], rows: int, path: Path, offset: int
) -> NDArray[np.float64]:
    """Read lines of numbers; empty lines and those that begin with ``#`` are passed over.

    Parameters
    ----------
    text : ndarray of uint8, shape (T,), contiguous
        ASCII.
    whole : ndarray of bool, shape (C,)
        Columns of whole numbers.
    rows : int
        Lines that must be there.
    path : Path
        Named in errors.
    offset : int
        Where ``text`` begins in the file.

    Returns
    -------
    ndarray of float64, shape (rows, C)
        Each number as the nearest float64; where ``whole``, the eight bytes are an int64.

    Raises
    ------
    CorruptRecordingError
        If there are more or fewer lines, more or fewer numbers in a line, or something that is
        no number, or no whole one where one is expected.
    """
    columns = len(whole)
    # A number and what separates it take two bytes: no header makes this allocate much.
    if 2 * rows * columns > len(text) + 1:
        found = f"{len(text)} bytes of text"
        raise _corrupt(path, offset, found, f"{rows} lines of {columns} numbers")
    values = np.empty((rows, columns))
    integers = values.view(np.int64)
    state = np.zeros(3, dtype=np.int64)
    while True:
        status = kernels.parse_rows(text, state, whole, values, integers)
        here, row, column = (int(number) for number in state)
        if status != kernels.SLOW:
            break
        word = _word(text, here)
        if whole[column]:
            integers[row, column] = _integer(word, path, offset + here)
        else:
            values[row, column] = _float(word, path, offset + here)
        state[:] = here + len(word), row, column + 1
    if status in (kernels.TOO_MANY, kernels.TOO_FEW):
        found = f"{'more' if status == kernels.TOO_MANY else 'fewer'} numbers in line {row + 1}"
        raise _corrupt(path, offset + here, found, f"{columns} in each")
    if status == kernels.TOO_MANY_ROWS or row != rows:
        found = "another line" if status == kernels.TOO_MANY_ROWS else f"the end after {row} lines"
        raise _corrupt(path, offset + here, found, f"{rows} lines of numbers")
    return values


def read_numbers(text: NDArray[np.uint8], path: Path, offset: int) -> NDArray[np.float64]:
    """Read numbers between white space, wherever their lines end.

    Parameters
    ----------
    text : ndarray of uint8, shape (T,), contiguous
        ASCII; ends of lines are overwritten with blanks.
    path : Path
        Named in errors.
    offset : int
        Where ``text`` begins in the file.

    Returns
    -------
    ndarray of float64, shape (N,)

    Raises
    ------
    CorruptRecordingError
        If something is no number.
    """
    text[text == _LINE_END] = _BLANK
    blank = (text == _BLANK) | (text == _TAB) | (text == _RETURN)
    count = int(np.count_nonzero(~blank[1:] & blank[:-1])) + int(len(text) > 0 and not blank[0])
    if count == 0:
        return np.empty(0)
    return read_number_table(text, np.zeros(count, np.bool_), 1, path, offset).reshape(-1)


def _word(text: NDArray[np.uint8], here: int) -> bytes:
    rest = text[here : here + 4096].tobytes()
    words = rest.split(maxsplit=1)
    # Python takes more for white space than the kernel does, such as a form feed.
    return words[0] if words and rest.startswith(words[0]) else rest[:1]


def _float(word: bytes, path: Path, offset: int) -> float:
    # Python takes 1_000, which no writer of numbers means.
    if b"_" not in word:
        try:
            return float(word)
        except ValueError:
            pass
    raise _corrupt(path, offset, repr(word[:_WORD]), "a number")


def _integer(word: bytes, path: Path, offset: int) -> int:
    try:
        value = int(word) if b"." not in word and b"e" not in word.lower() else float(word)
        number = int(value)
    except (ValueError, OverflowError):
        number, value = 0, 1
    if number != value or not -(2**63) <= number < 2**64 or b"_" in word:
        raise _corrupt(path, offset, repr(word[:_WORD]), "a whole number")
    # The upper half of uint64 keeps its bits.
    return number if number < 2**63 else number - 2**64


def _corrupt(path: Path, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, _ADVICE)
