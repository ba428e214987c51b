"""SQLite files that SQLite itself refuses: every row whose pages are all there.

A file that was cut has lost its last pages. Rows are looked for from the root of their table, page
by page; a row is whole only if each page of it lies in the file, so that none ends in zeros.

References
----------
sqlite.org, "Database File Format", sections 1.3 (header), 1.6 (B-tree pages), 2.1 (records).
"""

import mmap
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.sqlite_file import MAGIC
from sensorfusion.formats.sqlite_records import Value, size_of, value_of, varint

_HEADER_BYTES: Final = 100
_INTERIOR: Final = 0x05
_LEAF: Final = 0x0D
_DEEPEST: Final = 20
# Change counter and number of pages.
_STATE_OFFSET: Final = 24
_STATE_BYTES: Final = 8
_RUN_BYTES: Final = 1 << 18
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
        self._kept = threading.local()
        try:
            self._file = path.open("rb")
        except (OSError, ValueError) as error:
            msg = f"{path}: cannot be opened ({error}); expected a SQLite file"
            raise SourceError(msg) from error
        try:
            self._data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            self._file.close()
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
        self._file.close()

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
        data = self._record(row).tobytes()
        return [value_of(kind, data[begin:end]) for kind, begin, end in self._columns(row, data)]

    def blob(self, row: Row, column: int) -> memoryview:
        """Read one column of a row as it stands, without copying it again.

        Raises
        ------
        CorruptRecordingError
            As :meth:`values`; or if there is no such column.
        """
        data = self._record(row).data
        columns = self._columns(row, data)
        if column >= len(columns):
            raise self._corrupt(row, f"{len(columns)} columns")
        _, begin, end = columns[column]
        return data[begin:end]

    @property
    def state(self) -> bytes:
        """Return what every writer of the file changes: it must be the same before and after."""
        return os.pread(self._file.fileno(), _STATE_BYTES, _STATE_OFFSET)

    def _columns(self, row: Row, data: bytes | memoryview) -> list[tuple[int, int, int]]:
        """Return kind, begin and end of each column of a record."""
        header_bytes, place = varint(data, 0)
        if not place <= header_bytes <= len(data):
            raise self._corrupt(row, f"a record header of {header_bytes} bytes")
        columns = []
        begin = header_bytes
        while place < header_bytes:
            kind, place = varint(data, place)
            size = size_of(kind)
            if kind < 0 or kind in (10, 11) or begin + size > len(data):
                raise self._corrupt(row, f"a column of kind {kind}")
            columns.append((kind, begin, begin + size))
            begin += size
        return columns

    def _leaf(self, cells: list[int], end: int) -> Iterator[Row]:
        for cell in cells:
            if cell + 4 > end:
                self.missing += 1
                continue
            size, place = varint(self._data, cell)
            number, place = varint(self._data, place)
            if 0 < size <= len(self._data):
                yield Row(number, place, size)
            else:
                self.missing += 1

    def _record(self, row: Row) -> NDArray[np.uint8]:
        """Return the bytes of a row from its page and the chain of pages that follow."""
        usable = self._usable
        local = row.size
        if row.size > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (row.size - least) % (usable - 4)
            if local > usable - 35:
                local = least
        place = row.offset + local
        if place + (4 if row.size > local else 0) > len(self._data):
            raise self._corrupt(row, "the end of the file")
        record = np.empty(row.size, np.uint8)
        record[:local] = np.frombuffer(self._data[row.offset : place], np.uint8)
        page = self._u32(place) if row.size > local else 0
        done = local
        while done < row.size:
            if not 1 < page <= self.pages:
                raise self._corrupt(row, f"page {page} named, of {self.pages} in the file")
            taken, page = self._copy_run(page, record[done:])
            done += taken
        return record

    def _copy_run(self, page: int, target: NDArray[np.uint8]) -> tuple[int, int]:
        """Copy the content of pages of a chain, as far as they follow one another in the file.

        Returns
        -------
        tuple of int
            How many bytes were copied, and the page that comes next.
        """
        width = self._usable - 4
        count = min(-(-len(target) // width), self.pages - page + 1, _RUN_BYTES // self._page_bytes)
        # Read into the same place each time, which stays in the processor's cache, and not mapped:
        # so many page faults take longer than copying twice.
        kept = getattr(self._kept, "buffer", None)
        if kept is None:
            kept = self._kept.buffer = np.empty(_RUN_BYTES, np.uint8)
        buffer = kept[: count * self._page_bytes].reshape(count, self._page_bytes)
        offset = (page - 1) * self._page_bytes
        if hasattr(os, "preadv"):
            length = os.preadv(self._file.fileno(), [buffer.data], offset)
        else:
            octets = np.frombuffer(self._data[offset : offset + buffer.nbytes], np.uint8)
            length = len(octets)
            buffer.reshape(-1)[:length] = octets
        if length < buffer.nbytes:
            found = "the end of the file"
            raise CorruptRecordingError(self.path, offset, found, f"{count} pages", _ADVICE)
        following = np.ascontiguousarray(buffer[:, :4]).view(">u4")[:, 0]
        breaks = np.flatnonzero(following[:-1] != np.arange(page + 1, page + count))
        run = int(breaks[0]) + 1 if len(breaks) else count
        size = min(len(target), run * width)
        full, rest = divmod(size, width)
        target[: full * width].reshape(full, width)[:] = buffer[:full, 4 : 4 + width]
        if rest:
            target[full * width : size] = buffer[full, 4 : 4 + rest]
        return size, int(following[run - 1])

    def _u16(self, offset: int) -> int:
        return int(struct.unpack_from(">H", self._data, offset)[0])

    def _u32(self, offset: int) -> int:
        return int(struct.unpack_from(">I", self._data, offset)[0])

    def _corrupt(self, row: Row, found: str) -> CorruptRecordingError:
        expected = f"a whole row {row.number} of {row.size} bytes"
        return CorruptRecordingError(self.path, row.offset, found, expected, _ADVICE)
