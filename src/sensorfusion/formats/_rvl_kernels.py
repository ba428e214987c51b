"""RVL, pixel by pixel, compiled by numba."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_TABLE_BITS = 12
# A difference of two pixels has 17 bits and its sign, a run has fewer than 27: nine groups of 3.
_LONGEST_BITS = 27


def code_table() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the code of small numbers, and its length in bits: most steps are small."""
    codes = np.zeros(1 << _TABLE_BITS, np.uint64)
    bits = np.zeros(1 << _TABLE_BITS, np.uint64)
    for number in range(1 << _TABLE_BITS):
        value = number
        while bits[number] == 0 or value:
            group = (value & 7) | (8 if value >> 3 else 0)
            codes[number] = codes[number] << np.uint64(4) | np.uint64(group)
            bits[number] += np.uint64(4)
            value >>= 3
    return codes, bits


@njit(cache=True, nogil=True)
def _code(value: int) -> tuple[np.uint64, np.uint64]:
    """Return the code of any number: groups of 3 bits, low ones first, each with "more" or not."""
    code, bits = np.uint64(0), np.uint64(0)
    while True:
        group = value & 7
        value >>= 3
        if value:
            group |= 8
        code = (code << np.uint64(4)) | np.uint64(group)
        bits += np.uint64(4)
        if not value:
            return code, bits


@njit(cache=True, nogil=True)
def encode(
    pixels: NDArray[np.uint16],
    words: NDArray[np.uint32],
    codes: NDArray[np.uint64],
    lengths: NDArray[np.uint64],
) -> int:
    """Fill ``words`` with the code of a picture, flat; return how many words it takes.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (N,)
    words : ndarray of uint32
    codes, lengths : ndarray of uint64
        As :func:`code_table` returns them.
    """
    # Bits that wait stand at the low end; never more than 31 before a code of at most 28.
    waiting, held = np.uint64(0), np.uint64(0)
    top, half, five, rest = np.uint64(64), np.uint64(32), np.uint64(5), np.uint64(31)
    word = np.int64(0)
    previous = np.int64(0)
    at, count = 0, len(pixels)
    while at < count:
        begin = at
        while at < count and pixels[at] == 0:
            at += 1
        first = at
        while at < count and pixels[at] != 0:
            at += 1
        for run in (first - begin, at - first):
            code, bits = _code(run)
            waiting, held = (waiting << bits) | code, held + bits
            # Written anew until it is full: without a branch that no one can foresee.
            words[word] = np.uint32((waiting << (top - held)) >> half)
            word += np.int64(held >> five)
            held &= rest
        for index in range(first, at):
            current = np.int64(pixels[index])
            step = current - previous
            previous = current
            value = (step << 1) ^ (step >> 63)
            if value < len(codes):
                code, bits = codes[value], lengths[value]
            else:
                code, bits = _code(value)
            waiting, held = (waiting << bits) | code, held + bits
            # Written anew until it is full: without a branch that no one can foresee.
            words[word] = np.uint32((waiting << (top - held)) >> half)
            word += np.int64(held >> five)
            held &= rest
    if held:
        words[word] = np.uint32((waiting << (top - held)) >> half)
        word += np.int64(1)
    return word


@njit(cache=True, nogil=True)
def _number(words: NDArray[np.uint32], place: int) -> tuple[np.int64, int]:
    """Return the number at a group, and the group behind it; -1 where the code ends."""
    value, shift = np.int64(0), 0
    while shift < _LONGEST_BITS:
        if place >= len(words) * 8:
            break
        group = np.int64((words[place >> 3] >> np.uint32(28 - 4 * (place & 7))) & np.uint32(15))
        place += 1
        value |= (group & 7) << shift
        shift += 3
        if group < 8:
            return value, place
    return np.int64(-1), place


@njit(cache=True, nogil=True)
def decode(words: NDArray[np.uint32], pixels: NDArray[np.uint16]) -> int:
    """Fill a picture, flat and all 0; return how many pixels the code stands for, -1 - N in vain.

    In vain is code that ends early, runs over the picture's end or holds a number that is too
    long: N pixels were found before.
    """
    at, place, count = 0, 0, len(pixels)
    last = np.int64(0)
    while at < count:
        empty, place = _number(words, place)
        filled, place = _number(words, place)
        if empty < 0 or filled < 0 or empty + filled == 0 or empty + filled > count - at:
            return -1 - at
        at += empty
        for index in range(at, at + filled):
            step, place = _number(words, place)
            if step < 0:
                return -1 - index
            last += (step >> 1) ^ -(step & 1)
            pixels[index] = np.uint16(last & 0xFFFF)
        at += filled
    return at
