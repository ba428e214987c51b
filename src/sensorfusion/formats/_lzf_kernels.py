"""LZF, byte by byte, compiled by numba."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

_HASH_BITS = 16
_LONGEST_LITERAL = 32
_LONGEST_MATCH = 264
_FARTHEST = 8192
_WORD = 16


@intrinsic
def _copy_word(_: Any, target: Any, to: Any, source: Any, at: Any) -> Any:  # noqa: ANN401
    """Copy 16 bytes in one move, which a loop over bytes that may overlap never becomes.

    The caller has made sure that both arrays have them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        word = ir.VectorType(ir.IntType(8), _WORD).as_pointer()
        places = []
        for index in (2, 0):
            array = context.make_array(signature.args[index])(context, builder, arguments[index])
            place = builder.gep(array.data, [arguments[index + 1]])
            places.append(builder.bitcast(place, word))
        value = builder.load(places[0], align=1)
        builder.store(value, places[1], align=1)
        return context.get_dummy_value()

    del to, at
    return types.void(target, types.int64, source, types.int64), generate


@njit(cache=True, nogil=True)
def decompress(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> int:
    """Fill ``target``; return how many bytes were written, or -1 - (where ``source`` is wrong).

    Never reads outside ``source`` nor writes outside ``target``.
    """
    here, written = 0, 0
    size, room = len(source), len(target)
    while here < size:
        begin = here
        control = int(source[here])
        here += 1
        if control < 32:
            length = control + 1
            if here + length > size or written + length > room:
                return -1 - begin
            if here + 2 * _WORD <= size and written + 2 * _WORD <= room:
                # What is copied too much is written again by what follows.
                _copy_word(target, written, source, here)
                if length > _WORD:
                    _copy_word(target, written + _WORD, source, here + _WORD)
            else:
                for k in range(length):
                    target[written + k] = source[here + k]
            here += length
        else:
            length = control >> 5
            if length == 7:
                if here >= size:
                    return -1 - begin
                length += int(source[here])
                here += 1
            if here >= size:
                return -1 - begin
            length += 2
            behind = ((control & 31) << 8) + int(source[here]) + 1
            here += 1
            if behind > written or written + length > room:
                return -1 - begin
            start = written - behind
            if behind >= _WORD and written + length + _WORD <= room:
                for k in range(0, length, _WORD):
                    _copy_word(target, written + k, target, start + k)
            else:
                # Ascending, because a match may run into what it writes.
                for k in range(length):
                    target[written + k] = target[start + k]
        written += length
    return written


@njit(cache=True, nogil=True)
def compress(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> int:
    """Fill ``target``, which has room for literals alone; return how many bytes were written."""
    size = len(source)
    seen = np.full(1 << _HASH_BITS, -1, dtype=np.int64)
    here, pending, written = 0, 0, 0
    while here < size:
        length = 0
        behind = 0
        if here + 2 < size:
            three = (
                (np.uint32(source[here]) << np.uint32(16))
                | (np.uint32(source[here + 1]) << np.uint32(8))
                | np.uint32(source[here + 2])
            )
            slot = int(
                (three * np.uint32(2654435761) & np.uint32(0xFFFFFFFF))
                >> np.uint32(32 - _HASH_BITS)
            )
            before = seen[slot]
            seen[slot] = here
            if before >= 0 and here - before <= _FARTHEST:
                longest = min(_LONGEST_MATCH, size - here)
                while length < longest and source[before + length] == source[here + length]:
                    length += 1
                behind = here - before - 1
        if length >= 3:
            written = _literals(source, here - pending, pending, target, written)
            pending = 0
            code = length - 2
            if code < 7:
                target[written] = (code << 5) | (behind >> 8)
            else:
                target[written] = (7 << 5) | (behind >> 8)
                written += 1
                target[written] = code - 7
            target[written + 1] = behind & 255
            written += 2
            here += length
        else:
            here += 1
            pending += 1
            if pending == _LONGEST_LITERAL:
                written = _literals(source, here - pending, pending, target, written)
                pending = 0
    return _literals(source, here - pending, pending, target, written)


@njit(cache=True, nogil=True)
def _literals(
    source: NDArray[np.uint8], start: int, count: int, target: NDArray[np.uint8], written: int
) -> int:
    if count == 0:
        return written
    target[written] = count - 1
    for k in range(count):
        target[written + 1 + k] = source[start + k]
    return written + 1 + count
