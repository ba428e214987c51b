"""RVL, pixel by pixel, compiled by numba."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _put(
    words: NDArray[np.uint32], bits: np.uint64, place: int, value: int
) -> tuple[np.uint64, int]:
    """Append a number: groups of 3 bits, low ones first, each with a bit that says "more"."""
    while True:
        group = value & 7
        value >>= 3
        if value:
            group |= 8
        bits = (bits << np.uint64(4)) | np.uint64(group)
        place += 1
        if place & 7 == 0:
            words[(place >> 3) - 1] = np.uint32(bits & np.uint64(0xFFFFFFFF))
        if not value:
            return bits, place


@njit(cache=True, nogil=True)
def encode(pixels: NDArray[np.uint16], words: NDArray[np.uint32]) -> int:
    """Fill ``words`` with the code of a picture, flat; return how many words it takes."""
    bits, place = np.uint64(0), 0
    previous = np.int64(0)
    at, count = 0, len(pixels)
    while at < count:
        begin = at
        while at < count and pixels[at] == 0:
            at += 1
        first = at
        while at < count and pixels[at] != 0:
            at += 1
        bits, place = _put(words, bits, place, first - begin)
        bits, place = _put(words, bits, place, at - first)
        for index in range(first, at):
            current = np.int64(pixels[index])
            step = current - previous
            previous = current
            bits, place = _put(words, bits, place, (step << 1) ^ (step >> 63))
    if place & 7:
        missing = np.uint64(4 * (8 - (place & 7)))
        words[place >> 3] = np.uint32((bits << missing) & np.uint64(0xFFFFFFFF))
    return (place + 7) >> 3
