"""PLY, the Stanford polygon format, read strictly: every byte is accounted for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.number_table import read_numbers
from sensorfusion.formats.ply_header import (
    COPY_AGAIN,
    PlyElement,
    PlyHeader,
    PlyProperty,
    read_ply_header,
)
from sensorfusion.formats.read_file import read_whole


@dataclass(frozen=True, slots=True)
class PlyList:
    """A list property: all items one after another, and how many belong to each element.

    Attributes
    ----------
    lengths : ndarray of int64, shape (N,)
    items : ndarray, shape (sum of lengths,)
    """

    lengths: NDArray[np.int64]
    items: NDArray[np.generic]


PlyColumn = NDArray[np.generic] | PlyList
PlyData = dict[str, dict[str, PlyColumn]]
"""Element name to property name to values."""


def read_ply(path: Path) -> PlyData:
    """Read a PLY file, text or binary.

    Returns
    -------
    dict of str to dict of str to ndarray or PlyList
        By element and property, in the types that the header names.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If the header is wrong, data is missing, or bytes are left over.
    UnsupportedRecordingError
        If an element has several list properties.

    References
    ----------
    Turk, "The PLY Polygon File Format", 1994.
    """
    header = read_ply_header(path)
    data = read_whole(path, "a PLY file")
    body = _AsciiBody(data, header, path) if header.order == "=" else _Body(data, header, path)
    found = {element.name: body.read(element) for element in header.elements}
    body.expect_end()
    return found


class _Body:
    """The data behind a binary header, read element by element."""

    def __init__(self, data: bytes, header: PlyHeader, path: Path) -> None:
        self._data, self._path, self._offset = data, path, header.size

    def read(self, element: PlyElement) -> dict[str, PlyColumn]:
        """Read all elements of one name."""
        # Before anything is allocated: a header may claim 10^12 vertices.
        self._demand(element.count * element.smallest_bytes(), element)
        if any(p.length_dtype is not None for p in element.properties):
            return self._read_lists(element)
        dtype = np.dtype([(p.name, p.dtype) for p in element.properties])
        rows = np.frombuffer(self._data, dtype, element.count, self._offset)
        self._offset += rows.nbytes
        return {p.name: rows[p.name] for p in element.properties}

    def expect_end(self) -> None:
        """Refuse bytes that no element accounts for."""
        left = len(self._data) - self._offset
        if left:
            raise CorruptRecordingError(
                self._path, self._offset, f"{left} bytes more", "the end of the file", COPY_AGAIN
            )

    def _read_lists(self, element: PlyElement) -> dict[str, PlyColumn]:
        fast = self._read_equal_lists(element)
        return self._read_mixed_lists(element) if fast is None else fast

    def _read_equal_lists(self, element: PlyElement) -> dict[str, PlyColumn] | None:
        """Read all at once if every list is as long as the first one, else return None."""
        if element.count == 0:
            return self._read_mixed_lists(element)
        first, _ = self._read_one(element, self._offset)
        length, name = 0, ""
        fields: list[Any] = []
        for p in element.properties:
            if p.length_dtype is None:
                fields.append((p.name, p.dtype))
            else:
                length, name = first[p.name].size, p.name
                fields += [("length of list", p.length_dtype), (p.name, p.dtype, length)]
        dtype = np.dtype(fields)
        if element.count * dtype.itemsize > len(self._data) - self._offset:
            return None
        rows = np.frombuffer(self._data, dtype, element.count, self._offset)
        if (rows["length of list"] != length).any():
            return None
        self._offset += rows.nbytes
        columns: dict[str, PlyColumn] = {p.name: rows[p.name] for p in element.properties}
        lengths = np.full(element.count, length, dtype=np.int64)
        columns[name] = PlyList(lengths, rows[name].reshape(-1))
        return columns

    def _read_mixed_lists(self, element: PlyElement) -> dict[str, PlyColumn]:
        rows = []
        for _ in range(element.count):
            row, self._offset = self._read_one(element, self._offset)
            rows.append(row)
        columns: dict[str, PlyColumn] = {}
        for p in element.properties:
            parts = [row[p.name] for row in rows]
            items = np.concatenate(parts) if parts else np.empty(0, p.dtype)
            lengths = np.array([part.size for part in parts], dtype=np.int64)
            columns[p.name] = items if p.length_dtype is None else PlyList(lengths, items)
        return columns

    def _read_one(
        self, element: PlyElement, offset: int
    ) -> tuple[dict[str, NDArray[np.generic]], int]:
        row = {}
        for p in element.properties:
            length = 1
            if p.length_dtype is not None:
                length = int(self._take(p.length_dtype, 1, offset, element)[0])
                offset += p.length_dtype.itemsize
            row[p.name] = self._take(p.dtype, length, offset, element)
            offset += row[p.name].nbytes
        return row, offset

    def _take(
        self, dtype: np.dtype[np.generic], count: int, offset: int, element: PlyElement
    ) -> NDArray[np.generic]:
        if count < 0 or offset + count * dtype.itemsize > len(self._data):
            raise CorruptRecordingError(
                self._path,
                offset,
                f"{len(self._data) - offset} bytes",
                f"{count} values for element {element.name!r}",
                COPY_AGAIN,
            )
        return np.frombuffer(self._data, dtype, count, offset)

    def _demand(self, size: int, element: PlyElement) -> None:
        left = len(self._data) - self._offset
        if size > left:
            raise CorruptRecordingError(
                self._path,
                self._offset,
                f"{left} bytes",
                f"at least {size} for {element.count} of element {element.name!r}",
                COPY_AGAIN,
            )


class _AsciiBody:
    """The data behind a text header: whitespace separates numbers, in the order of the header."""

    def __init__(self, data: bytes, header: PlyHeader, path: Path) -> None:
        self._path, self._start, self._position = path, header.size, 0
        text = np.frombuffer(bytearray(data[header.size :]), dtype=np.uint8)
        self._values = read_numbers(text, path, header.size)

    def read(self, element: PlyElement) -> dict[str, PlyColumn]:
        """Read all elements of one name."""
        smallest = element.count * len(element.properties)
        self._take(smallest, element, advance=False)
        list_at = [i for i, p in enumerate(element.properties) if p.length_dtype is not None]
        if not list_at:
            rows = self._take(smallest, element).reshape(element.count, -1)
            return {p.name: self._typed(rows[:, i], p) for i, p in enumerate(element.properties)}
        scalars, lengths, items = [], [], [np.empty(0)]
        for _ in range(element.count):
            scalars.append(self._take(list_at[0], element))
            lengths.append(self._length(element))
            items.append(self._take(lengths[-1], element))
            scalars.append(self._take(len(element.properties) - list_at[0] - 1, element))
        rows = np.concatenate([np.empty(0), *scalars]).reshape(element.count, -1)
        others = [p for p in element.properties if p.length_dtype is None]
        columns: dict[str, PlyColumn] = {
            p.name: self._typed(rows[:, i], p) for i, p in enumerate(others)
        }
        listed = element.properties[list_at[0]]
        found = self._typed(np.concatenate(items), listed)
        return columns | {listed.name: PlyList(np.array(lengths, dtype=np.int64), found)}

    def expect_end(self) -> None:
        """Refuse numbers that no element accounts for."""
        left = self._values.size - self._position
        if left:
            raise CorruptRecordingError(
                self._path, self._start, f"{left} numbers more", "the end of the file", COPY_AGAIN
            )

    def _typed(self, values: NDArray[np.float64], p: PlyProperty) -> NDArray[np.generic]:
        if p.dtype.kind in "iu":
            limits = np.iinfo(p.dtype.str)
            whole = (values >= limits.min) & (values <= limits.max) & (values == np.rint(values))
            if not whole.all():
                raise CorruptRecordingError(
                    self._path,
                    self._start,
                    f"{values[~whole][0]} for property {p.name!r}",
                    f"values of {p.dtype}",
                    COPY_AGAIN,
                )
        with np.errstate(over="ignore"):
            return values.astype(p.dtype)

    def _length(self, element: PlyElement) -> int:
        value = float(self._take(1, element)[0])
        if not (value >= 0 and value.is_integer()):
            raise CorruptRecordingError(
                self._path, self._start, f"a list of length {value}", "a whole length", COPY_AGAIN
            )
        return int(value)

    def _take(
        self, count: int, element: PlyElement, *, advance: bool = True
    ) -> NDArray[np.float64]:
        left = self._values.size - self._position
        if count > left:
            raise CorruptRecordingError(
                self._path,
                self._start,
                f"{left} numbers",
                f"at least {count} for element {element.name!r}",
                COPY_AGAIN,
            )
        values = self._values[self._position : self._position + count]
        self._position += count if advance else 0
        return values
