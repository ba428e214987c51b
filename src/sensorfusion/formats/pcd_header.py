"""The header of a PCD file: what it says it holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError

LONGEST_HEADER = 1 << 20
COPY_AGAIN = "copy the file again or export it anew"
PADDING = "_"
_LARGEST_POINT = 1 << 20
_LFS_POINTER = b"version https://git-lfs"
_KINDS = {"I": "i", "U": "u", "F": "f"}
_SIZES = {"I": (1, 2, 4, 8), "U": (1, 2, 4, 8), "F": (4, 8)}
_FORMS = ("binary_compressed", "binary", "ascii")
_KEYS = (
    "VERSION", "FIELDS", "COLUMNS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT",
    "POINTS", "DATA",
)  # fmt: skip

PcdForm = Literal["ascii", "binary", "binary_compressed"]


@dataclass(frozen=True, slots=True)
class PcdField:
    """A field of each point.

    Attributes
    ----------
    name : str
        :data:`PADDING` for bytes that mean nothing.
    dtype : dtype
        Little-endian; bytes (``V1``, ``V2``, ...) for padding of a size that no number has.
    count : int
        Values of one point.
    """

    name: str
    dtype: np.dtype[np.generic]
    count: int

    @property
    def nbytes(self) -> int:
        """Return the bytes of one point."""
        return self.dtype.itemsize * self.count


@dataclass(frozen=True, slots=True)
class PcdHeader:
    """What a file says it holds.

    Attributes
    ----------
    fields : tuple of PcdField
        In file order.
    width, height : int
        Columns and rows of an organised cloud; a height of 1 is a list of points.
    viewpoint : tuple of float, or None
        ``tx ty tz qw qx qy qz`` of the acquisition, metres; None where the file has none.
    form : {"ascii", "binary", "binary_compressed"}
    size : int
        Bytes of the header.
    """

    fields: tuple[PcdField, ...]
    width: int
    height: int
    viewpoint: tuple[float, ...] | None
    form: PcdForm
    size: int

    @property
    def points(self) -> int:
        """Return the number of points."""
        return self.width * self.height

    @property
    def point_bytes(self) -> int:
        """Return the bytes of one point in a binary file."""
        return sum(field.nbytes for field in self.fields)


def looks_like_pcd(head: bytes) -> bool:
    """Say whether a file's first bytes are those of a PCD header."""
    for line in head[:4096].split(b"\n"):
        words = line.split(maxsplit=1)
        if words and not words[0].startswith(b"#"):
            known = words[0].decode("ascii", "replace") in _KEYS
            return known and words[0] != b"DATA" and not head.startswith(_LFS_POINTER)
    return False


def parse_pcd_header(head: bytes, path: Path) -> PcdHeader:
    """Parse the header at the beginning of a PCD file, version .5 to .7.

    COLUMNS stands for FIELDS in old files; COUNT, HEIGHT, VIEWPOINT and one of WIDTH and POINTS
    may be missing; tabs and CRLF are white space.

    Parameters
    ----------
    head : bytes
        The first :data:`LONGEST_HEADER` bytes of the file, or all of it.
    path : Path
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If it is no PCD file or its header does not follow the format.
    UnsupportedRecordingError
        If it is the pointer that Git LFS leaves in place of a file.

    References
    ----------
    Point Cloud Library, "The PCD (Point Cloud Data) file format".
    """
    if head.startswith(_LFS_POINTER):
        msg = f"{path}: a pointer of Git LFS, not the file itself; fetch it with 'git lfs pull'"
        raise UnsupportedRecordingError(msg)
    lines: dict[str, tuple[int, list[str]]] = {}
    offset = 0
    while offset < len(head):
        end = head.find(b"\n", offset)
        end = len(head) if end < 0 else end
        line = head[offset:end]
        words = line.decode("ascii", "replace").split()
        if words and not words[0].startswith("#"):
            if words[0] == "DATA":
                form, size = _data(line, offset, len(head), path)
                return _checked(lines, form, size, path)
            if words[0] not in _KEYS or words[0] in lines:
                raise _corrupt(path, offset, f"header line {line[:60]!r}", "a line of a PCD header")
            lines[words[0]] = (offset, words[1:])
        offset = end + 1
    raise _corrupt(path, len(head), "no line 'DATA'", "a PCD header, which ends with it")


def _data(line: bytes, offset: int, head_bytes: int, path: Path) -> tuple[PcdForm, int]:
    """Return how the data stand and where they begin."""
    value = line.split(None, 1)[1] if len(line.split(None, 1)) > 1 else b""
    for form in _FORMS:
        rest = value[len(form) :]
        if not value.startswith(form.encode()):
            continue
        if not rest.strip():
            return form, min(offset + len(line) + 1, head_bytes)  # type: ignore[return-value]
        # A writer that forgot the end of the line: the first number follows at once.
        if form == "ascii" and rest.strip()[:1] in b"+-.0123456789":
            return "ascii", offset + line.index(b"ascii") + len(b"ascii")
    raise _corrupt(path, offset, repr(line[:60]), f"DATA and one of {', '.join(_FORMS)}")


def _checked(
    lines: dict[str, tuple[int, list[str]]], form: PcdForm, size: int, path: Path
) -> PcdHeader:
    key = "FIELDS" if "FIELDS" in lines else "COLUMNS"
    missing = [name for name in (key, "SIZE", "TYPE") if not lines.get(name, (0, []))[1]]
    if missing:
        raise _corrupt(path, 0, f"no line {' or '.join(missing)}", "FIELDS, SIZE and TYPE")
    names = lines[key][1]
    counts = lines.get("COUNT", (0, ["1"] * len(names)))
    for other, (offset, words) in (
        ("SIZE", lines["SIZE"]),
        ("TYPE", lines["TYPE"]),
        ("COUNT", counts),
    ):
        if len(words) != len(names):
            found = f"{len(words)} values of {other} for {len(names)} fields"
            raise _corrupt(path, offset, found, "one for each")
    sizes = _numbers(lines["SIZE"], "SIZE", path)
    repeats = _numbers(counts, "COUNT", path)
    fields = tuple(
        _field(*described, lines[key][0], path)
        for described in zip(names, sizes, lines["TYPE"][1], repeats, strict=True)
    )
    shown = [field.name for field in fields if field.name != PADDING]
    if len(set(shown)) < len(shown) or sum(field.nbytes for field in fields) > _LARGEST_POINT:
        found = f"fields {' '.join(names)[:80]}, {sum(f.nbytes for f in fields)} bytes a point"
        raise _corrupt(path, lines[key][0], found, "each name once, and fewer than 1 MB a point")
    width, height = _shape(lines, path)
    return PcdHeader(fields, width, height, _viewpoint(lines, path), form, size)


def _field(name: str, size: int, kind: str, count: int, offset: int, path: Path) -> PcdField:
    if name == PADDING and size > 0 and count > 0:
        return PcdField(name, np.dtype(f"V{size}"), count)
    if kind not in _KINDS or size not in _SIZES[kind] or count < 1:
        found = f"field {name!r} of type {kind!r}, size {size}, count {count}"
        raise _corrupt(path, offset, found, "I or U of 1, 2, 4, 8 bytes, or F of 4 or 8")
    return PcdField(name, np.dtype(f"<{_KINDS[kind]}{size}"), count)


def _shape(lines: dict[str, tuple[int, list[str]]], path: Path) -> tuple[int, int]:
    found: dict[str, int] = {}
    for key in ("WIDTH", "HEIGHT", "POINTS"):
        if key in lines:
            values = _numbers(lines[key], key, path)
            if len(values) != 1:
                raise _corrupt(path, lines[key][0], f"{len(values)} values of {key}", "one")
            found[key] = values[0]
    height = found.get("HEIGHT", 1)
    if "WIDTH" not in found and height > 0:
        found["WIDTH"] = found.get("POINTS", 0) // height
    width = found.get("WIDTH", 0)
    points = found.get("POINTS", width * height)
    if not {"WIDTH", "POINTS"} & set(lines) or width * height != points:
        offset = lines.get("POINTS", (0, []))[0]
        raise _corrupt(
            path, offset, f"WIDTH {width}, HEIGHT {height}, POINTS {points}", "a product that fits"
        )
    return width, height


def _numbers(line: tuple[int, list[str]], key: str, path: Path) -> list[int]:
    offset, words = line
    if not all(word.isascii() and word.isdecimal() and len(word) < 19 for word in words):
        raise _corrupt(path, offset, f"{key} {' '.join(words)[:60]}", "whole numbers, 0 or more")
    return [int(word) for word in words]


def _viewpoint(lines: dict[str, tuple[int, list[str]]], path: Path) -> tuple[float, ...] | None:
    if "VIEWPOINT" not in lines:
        return None
    offset, words = lines["VIEWPOINT"]
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) != 7 or not np.isfinite(values).all() or not any(values[3:]):
        found = f"VIEWPOINT {' '.join(words)[:80]}"
        raise _corrupt(path, offset, found, "tx ty tz qw qx qy qz, a rotation that is not 0")
    return values


def _corrupt(path: Path, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, COPY_AGAIN)
