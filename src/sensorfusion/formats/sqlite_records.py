"""Records of SQLite: integers of any length, and columns by their serial type.

References
----------
sqlite.org, "Database File Format", section 2.1.
"""

import mmap
import struct
from typing import Final

Value = int | float | str | bytes | None

_INTEGER_BYTES: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
FLOAT: Final = 7


def size_of(kind: int) -> int:
    """Return how many bytes a column of a serial type takes."""
    return 8 if kind == FLOAT else _INTEGER_BYTES.get(kind, max(0, (kind - 12) // 2))


def varint(data: mmap.mmap | bytes | memoryview, place: int) -> tuple[int, int]:
    """Return an integer of one to nine bytes, and where it ends; 0 at the end of the data."""
    value = 0
    for index in range(8):
        if place + index >= len(data):
            return 0, len(data)
        byte = data[place + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + index + 1
    if place + 8 >= len(data):
        return 0, len(data)
    value = value << 8 | data[place + 8]
    return value - (1 << 64 if value >= 1 << 63 else 0), place + 9


def value_of(kind: int, data: bytes) -> Value:
    """Return a column of a record; ``data`` are its bytes, ``kind`` its serial type."""
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == FLOAT:
        return float(struct.unpack(">d", data)[0])
    if kind < 7:
        return int.from_bytes(data, signed=True)
    return data if kind % 2 == 0 else data.decode("utf-8", "replace")
