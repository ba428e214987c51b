"""Numbers from text, compiled by numba."""

from fractions import Fraction

import numpy as np
from numba import njit
from numpy.typing import NDArray

DONE, SLOW, TOO_MANY_ROWS, TOO_MANY, TOO_FEW = 0, 1, 2, 3, 4

_LARGEST_POWER = 40


def _powers() -> NDArray[np.float64]:
    """Return 10^k, k = -40 to 40, each as a float64 and what that leaves over."""
    exact = [Fraction(10) ** k for k in range(-_LARGEST_POWER, _LARGEST_POWER + 1)]
    return np.array([(float(p), float(p - Fraction(float(p)))) for p in exact])


_POWERS = _powers()


@njit(cache=True, nogil=True)
def parse_rows(
    text: NDArray[np.uint8],
    state: NDArray[np.int64],
    whole: NDArray[np.bool_],
    values: NDArray[np.float64],
    integers: NDArray[np.int64],
) -> int:
    """Read lines of numbers into rows, from where ``state`` stands until something is odd.

    Parameters
    ----------
    text : ndarray of uint8, shape (T,)
    state : ndarray of int64, shape (3,)
        Position, row and column of the next number; kept up to date.
    whole : ndarray of bool, shape (C,)
        Columns whose numbers go to ``integers``; the others go to ``values``.
    values, integers : ndarray, shape (N, C)
        Two views of the same memory.

    Returns
    -------
    int
        ``DONE``; ``SLOW`` for a number that this does not read exactly; ``TOO_MANY_ROWS``,
        ``TOO_MANY`` or ``TOO_FEW`` numbers in a line.
    """
    here, row, column = state[0], state[1], state[2]
    size = len(text)
    rows, columns = values.shape
    status = DONE
    while here < size:
        char = text[here]
        if char == 32 or char == 9 or char == 13:  # noqa: PLR1714 - sets are slow in numba
            here += 1
            continue
        if char == 10:
            if column:
                if column < columns:
                    status = TOO_FEW
                    break
                row += 1
                column = 0
            here += 1
            continue
        if char == 35 and column == 0:
            while here < size and text[here] != 10:
                here += 1
            continue
        if row >= rows:
            status = TOO_MANY_ROWS
            break
        if column >= columns:
            status = TOO_MANY
            break
        end, sound, value, integer = _number(text, here, whole[column])
        if not sound:
            status = SLOW
            break
        if whole[column]:
            integers[row, column] = integer
        else:
            values[row, column] = value
        here = end
        column += 1
    if status == DONE and column:
        if column < columns:
            status = TOO_FEW
        else:
            row += 1
            column = 0
    state[0], state[1], state[2] = here, row, column
    return status


@njit(cache=True, nogil=True)
def _number(text: NDArray[np.uint8], here: int, whole: bool) -> tuple[int, bool, float, int]:
    """Return where a number ends, whether it was read, and its value."""
    size = len(text)
    negative = text[here] == 45
    if negative or text[here] == 43:
        here += 1
    digits, power = 0, 0
    mantissa = np.uint64(0)
    any_digit = False
    fraction = False
    while here < size:
        char = np.int64(text[here])
        if 48 <= char <= 57:
            any_digit = True
            if digits > 0 or char > 48:
                digits += 1
            mantissa = mantissa * np.uint64(10) + np.uint64(char - 48)
            if fraction:
                power -= 1
        elif char == 46 and not fraction:
            fraction = True
        else:
            break
        here += 1
    if not any_digit:
        return _not_a_number(text, here, whole)
    exponent = False
    if here < size and (text[here] == 101 or text[here] == 69):
        exponent = True
        here += 1
        below = here < size and text[here] == 45
        if here < size and (text[here] == 45 or text[here] == 43):
            here += 1
        written, count = 0, 0
        while here < size and 48 <= text[here] <= 57 and count < 5:
            written = written * 10 + int(text[here]) - 48
            here += 1
            count += 1
        if count == 0:
            return here, False, 0.0, 0
        power += -written if below else written
    ended = here >= size or text[here] == 32 or text[here] == 10 or text[here] == 9
    if not (ended or text[here] == 13) or digits > 19:
        return here, False, 0.0, 0
    if whole:
        if fraction or exponent or mantissa > np.uint64(0x7FFFFFFFFFFFFFFF):
            return here, False, 0.0, 0
        integer = np.int64(mantissa)
        return here, True, 0.0, -integer if negative else integer
    sound, value = _scaled(mantissa, power)
    return here, sound, -value if negative else value, 0


@njit(cache=True, nogil=True)
def _not_a_number(text: NDArray[np.uint8], here: int, whole: bool) -> tuple[int, bool, float, int]:
    """Read ``nan`` in any case; what else it may be, others find out."""
    size = len(text)
    if not whole and here + 3 <= size and (here + 3 == size or text[here + 3] <= 32):
        n, a, m = text[here] | 32, text[here + 1] | 32, text[here + 2] | 32
        if n == 110 and a == 97 and m == 110:
            return here + 3, True, np.nan, 0
    return here, False, 0.0, 0


@njit(cache=True, nogil=True)
def _scaled(mantissa: np.uint64, power: int) -> tuple[bool, float]:
    """Return ``mantissa * 10^power``, correctly rounded, and whether it surely is."""
    if mantissa == np.uint64(0):
        return True, 0.0
    if mantissa <= np.uint64(1 << 53) and -22 <= power <= 22:
        # Both factors are exact, so that the product is rounded once (Clinger 1990).
        value = np.float64(mantissa)
        if power < 0:
            return True, value / _POWERS[_LARGEST_POWER - power, 0]
        return True, value * _POWERS[_LARGEST_POWER + power, 0]
    if not -_LARGEST_POWER <= power <= _LARGEST_POWER:
        return False, 0.0
    # Twice the precision (Dekker 1971), then the test whether an error in what is left over
    # could change the rounding (Ziv 1991).
    upper = np.float64(mantissa & np.uint64(0xFFFFFFFF00000000))
    lower = np.float64(mantissa & np.uint64(0xFFFFFFFF))
    a = upper + lower
    a_left = lower - (a - upper)
    b, b_left = _POWERS[_LARGEST_POWER + power]
    product = a * b
    left = _product_error(a, b, product) + (a * b_left + a_left * b)
    value = product + left
    left -= value - product
    error = value * 2.0**-95
    return value + (left + error) == value and value + (left - error) == value, value


@njit(cache=True, nogil=True)
def _product_error(a: float, b: float, product: float) -> float:
    """Return ``a * b - product`` exactly."""
    c = 134217729.0 * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = 134217729.0 * b
    b_high = c - (c - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
