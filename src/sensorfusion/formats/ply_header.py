"""The header of a PLY file: what it says it holds."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.read_file import read_whole

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_SILENT = ("ply", "comment", "obj_info", "end_header")
_LONGEST_HEADER = 1 << 20
COPY_AGAIN = "copy the file again or export it anew"


@dataclass(frozen=True, slots=True)
class PlyProperty:
    """A property of an element: its name, its type and, for a list, the type of its length."""

    name: str
    dtype: np.dtype[np.generic]
    length_dtype: np.dtype[np.generic] | None = None


@dataclass(frozen=True, slots=True)
class PlyElement:
    """An element of the header: its name, how many there are and their properties."""

    name: str
    count: int
    properties: list[PlyProperty] = field(default_factory=list)

    def smallest_bytes(self) -> int:
        """Return the bytes that one of them takes at least: its lists empty."""
        return sum((p.length_dtype or p.dtype).itemsize for p in self.properties)


@dataclass(frozen=True, slots=True)
class PlyHeader:
    """What a file says it holds.

    Attributes
    ----------
    order : {"=", "<", ">"}
        ``=`` for text, else the byte order.
    elements : list of PlyElement
        In file order.
    size : int
        Bytes of the header.
    """

    order: str
    elements: list[PlyElement]
    size: int

    def count(self, name: str) -> int:
        """Return how many elements of a name there are, 0 when the file has none."""
        return sum(element.count for element in self.elements if element.name == name)


def read_ply_header(path: Path) -> PlyHeader:
    """Read what a PLY file says it holds.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is not a PLY file or its header does not follow the format.
    """
    return _parse_header(read_whole(path, "a PLY file", _LONGEST_HEADER), path)


def _parse_header(head: bytes, path: Path) -> PlyHeader:
    if not head.startswith((b"ply\n", b"ply\r\n", b"ply\r")):
        raise CorruptRecordingError(
            path, 0, repr(head[:8]), "a PLY file, which begins with 'ply'", "give a .ply mesh"
        )
    order, elements, offset = "", list[PlyElement](), 0
    for line in head.splitlines(keepends=True):
        words = line.decode("ascii", errors="replace").split()
        try:
            order = _take(words, order, elements)
        except (KeyError, IndexError, ValueError):
            raise CorruptRecordingError(
                path, offset, f"header line {line[:60]!r}", "a line of a PLY header", COPY_AGAIN
            ) from None
        offset += len(line)
        if words == ["end_header"]:
            return _checked(PlyHeader(order, elements, offset), path)
    raise CorruptRecordingError(
        path, len(head), "no 'end_header'", "a header that ends with it", COPY_AGAIN
    )


def _take(words: list[str], order: str, elements: list[PlyElement]) -> str:
    """Take one line of the header in and return the byte order as far as it is known."""
    if words[:1] == ["format"]:
        return _ORDERS[words[1]]
    if words[:1] == ["element"]:
        elements.append(PlyElement(words[1], int(words[2])))
    elif words[:1] == ["property"]:
        elements[-1].properties.append(_property(words, order))
    elif words and words[0] not in _SILENT:
        raise ValueError(words[0])
    return order


def _property(words: list[str], order: str) -> PlyProperty:
    def dtype(name: str) -> np.dtype[np.generic]:
        return np.dtype(order + _TYPES[name])

    if words[1] == "list":
        return PlyProperty(words[4], dtype(words[3]), dtype(words[2]))
    return PlyProperty(words[2], dtype(words[1]))


def _checked(header: PlyHeader, path: Path) -> PlyHeader:
    names = [element.name for element in header.elements]
    if not header.order or len(set(names)) != len(names):
        found = f"elements {names}" if header.order else "no format line"
        raise CorruptRecordingError(
            path, 0, found, "one format line and each element once", COPY_AGAIN
        )
    for element in header.elements:
        properties = [p.name for p in element.properties]
        lists = [p for p in element.properties if p.length_dtype is not None]
        if element.count < 0 or len(set(properties)) != len(properties) or not properties:
            raise CorruptRecordingError(
                path,
                0,
                f"element {element.name!r}, count {element.count}, properties {properties}",
                "a count of 0 or more and properties with different names",
                COPY_AGAIN,
            )
        if any(p.length_dtype is not None and p.length_dtype.kind == "f" for p in lists):
            raise CorruptRecordingError(
                path, 0, "a list whose length is not whole", "an integer length", COPY_AGAIN
            )
        if len(lists) > 1:
            msg = (
                f"{path}: element {element.name!r} has {len(lists)} list properties; one is "
                "read; export the mesh without texture coordinates"
            )
            raise UnsupportedRecordingError(msg)
    return header
