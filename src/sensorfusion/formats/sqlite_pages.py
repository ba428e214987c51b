"""SQLite files that SQLite itself refuses: every row whose pages are all there.

A file that was cut has lost its last pages. Rows are looked for from the root of their table, page
by page; a row is whole only if each page of it lies in the file, so that none ends in zeros.

References
----------
sqlite.org, "Database File Format", sections 1.3 (header), 1.6 (B-tree pages), 2.1 (records).
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensorfusion.errors import CorruptRecordingError, SourceError

Value = int | float | str | bytes | None

MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_INTERIOR: Final = 0x05
_LEAF: Final = 0x0D
_DEEPEST: Final = 20
_INTEGER_BYTES: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
_FLOAT: Final = 7
_ADVICE: Final = "the file is cut short or damaged; copy it again from where it was made"


@dataclass(frozen=True, slots=True)
class Row:
    """Where a row lies.

    Attributes
    ----------
    number : int
        Its rowid.
    offset : int
        Byte in the file at which its record begins.
    size : int
        Bytes of the record, on this page and those that follow.
    """

    number: int
    offset: int
    size: int


class SqlitePages:
    """The rows of a SQLite file, read without SQLite.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    missing : int
        Pages that a table names and that are not there, or are none; counted by :meth:`rows`.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    CorruptRecordingError
        If it does not begin like a SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.missing = 0
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            msg = f"{path}: cannot be opened ({error}); expected a SQLite file"
            raise SourceError(msg) from error
        header = self._data[:_HEADER_BYTES]
        # The largest size does not fit into the field and is written as 1.
        self._page_bytes = {1: 65536}.get(size := int.from_bytes(header[16:18]), size)
        is_size = 512 <= self._page_bytes <= 65536 and self._page_bytes.bit_count() == 1
        if len(header) < _HEADER_BYTES or header[:16] != MAGIC or not is_size:
            self.close()
            found = f"{header[:16]!r} and pages of {self._page_bytes} bytes"
            expected = "the header of a SQLite file"
            raise CorruptRecordingError(path, 0, found, expected, _ADVICE)
        self._usable = self._page_bytes - header[20]
        self.pages = len(self._data) // self._page_bytes
        self.expected_pages = int.from_bytes(header[28:32])

    def close(self) -> None:
        """Release the file."""
        self._data.close()

    def tables(self) -> dict[str, int]:
        """Return the root page of each table by its name."""
        found = {}
        for row in self.rows(1):
            try:
                kind, name, _, root, *_ = self.values(row)
            except (CorruptRecordingError, ValueError):
                continue
            if kind == "table" and isinstance(name, str) and isinstance(root, int):
                found[name] = root
        return found

    def rows(self, root: int) -> Iterator[Row]:
        """Yield the rows of a table in order, as far as its pages are there.

        Parameters
        ----------
        root : int
            Number of the page where the table begins.
        """
        seen: set[int] = set()
        waiting = [(root, 0)]
        while waiting:
            page, depth = waiting.pop()
            begin = (page - 1) * self._page_bytes
            # Damaged, a page can name one above it.
            if not 0 < page <= self.pages or page in seen or depth > _DEEPEST:
                self.missing += 1
                continue
            seen.add(page)
            head = begin + (_HEADER_BYTES if page == 1 else 0)
            kind = self._data[head]
            if kind not in (_INTERIOR, _LEAF):
                self.missing += 1
                continue
            first = head + (12 if kind == _INTERIOR else 8)
            count = min(self._u16(head + 3), (begin + self._page_bytes - first) // 2)
            cells = [begin + self._u16(first + 2 * index) for index in range(count)]
            end = begin + self._usable
            if kind == _LEAF:
                yield from self._leaf(cells, end)
                continue
            children = [self._u32(cell) for cell in cells if cell + 4 <= end]
            children.append(self._u32(head + 8))
            waiting += [(child, depth + 1) for child in reversed(children)]

    def values(self, row: Row) -> list[Value]:
        """Read a row.

        Returns
        -------
        list of int, float, str, bytes or None
            By column; an INTEGER PRIMARY KEY is None, it is the row's number.

        Raises
        ------
        CorruptRecordingError
            If a page of it is not in the file, or it is no record.
        """
        data = self._record(row)
        header_bytes, place = _varint(data, 0)
        if not place <= header_bytes <= len(data):
            raise self._corrupt(row, f"a record header of {header_bytes} bytes")
        kinds = []
        while place < header_bytes:
            kind, place = _varint(data, place)
            kinds.append(kind)
        values: list[Value] = []
        place = header_bytes
        for kind in kinds:
            size = 8 if kind == _FLOAT else _INTEGER_BYTES.get(kind, max(0, (kind - 12) // 2))
            if kind < 0 or kind in (10, 11) or place + size > len(data):
                raise self._corrupt(row, f"a column of kind {kind}")
            values.append(_value(kind, data[place : place + size]))
            place += size
        return values

    def _leaf(self, cells: list[int], end: int) -> Iterator[Row]:
        for cell in cells:
            if cell + 4 > end:
                self.missing += 1
                continue
            size, place = _varint(self._data, cell)
            number, place = _varint(self._data, place)
            if 0 < size <= len(self._data):
                yield Row(number, place, size)
            else:
                self.missing += 1

    def _record(self, row: Row) -> bytes:
        """Return the bytes of a row from its page and the chain of pages that follow."""
        usable = self._usable
        local = row.size
        if row.size > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (row.size - least) % (usable - 4)
            if local > usable - 35:
                local = least
        place, left = row.offset + local, row.size - local
        if place + (4 if left > 0 else 0) > len(self._data):
            raise self._corrupt(row, "the end of the file")
        parts = [self._data[row.offset : place]]
        while left > 0:
            page = self._u32(place)
            if not 1 < page <= self.pages:
                raise self._corrupt(row, f"page {page} named, of {self.pages} in the file")
            place = (page - 1) * self._page_bytes
            taken = min(left, usable - 4)
            parts.append(self._data[place + 4 : place + 4 + taken])
            left -= taken
        return b"".join(parts)

    def _u16(self, offset: int) -> int:
        return int(struct.unpack_from(">H", self._data, offset)[0])

    def _u32(self, offset: int) -> int:
        return int(struct.unpack_from(">I", self._data, offset)[0])

    def _corrupt(self, row: Row, found: str) -> CorruptRecordingError:
        expected = f"a whole row {row.number} of {row.size} bytes"
        return CorruptRecordingError(self.path, row.offset, found, expected, _ADVICE)


def _varint(data: mmap.mmap | bytes, place: int) -> tuple[int, int]:
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


def _value(kind: int, data: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == _FLOAT:
        return float(struct.unpack(">d", data)[0])
    if kind < 7:
        return int.from_bytes(data, signed=True)
    return data if kind % 2 == 0 else data.decode("utf-8", "replace")
