"""PCD, the point cloud files of the Point Cloud Library, read strictly and written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.lzf import LzfError, lzf_decompress
from sensorfusion.formats.number_table import read_number_table
from sensorfusion.formats.pcd_header import (
    COPY_AGAIN,
    LONGEST_HEADER,
    PADDING,
    PcdField,
    PcdHeader,
    parse_pcd_header,
)
from sensorfusion.formats.read_file import read_whole

_SIZES_BYTES = 8
_USUAL_HEADER = 4096
# PCL up to 1.8 set the file's size to that of the data and one page, and left the rest 0.
_PAGE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Pcd:
    """A PCD file.

    Attributes
    ----------
    header : PcdHeader
    fields : mapping of str to ndarray, shape (points,) or (points, count)
        In the types that the header names, without padding; those of a binary file are views.
    """

    header: PcdHeader
    fields: Mapping[str, NDArray[np.generic]]


def read_pcd_header(path: Path) -> PcdHeader:
    """Read what a PCD file says it holds; raises as :func:`read_pcd`."""
    head = read_whole(path, "a PCD file", _USUAL_HEADER)
    if b"\nDATA" not in head:
        head = read_whole(path, "a PCD file", LONGEST_HEADER)
    return parse_pcd_header(head, path)


def read_pcd(path: Path) -> Pcd:
    """Read a PCD file, text, binary or compressed.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If the header is wrong, data is missing or damaged, or bytes are left over.
    UnsupportedRecordingError
        If it is a pointer of Git LFS.

    References
    ----------
    Point Cloud Library, "The PCD (Point Cloud Data) file format".
    """
    header, body = _read_parts(path)
    if header.form == "ascii":
        return Pcd(header, _from_text(header, body, path))
    if header.form == "binary":
        return Pcd(header, _from_rows(header, _exactly(header, body, path)))
    return Pcd(header, _from_columns(header, _decompressed(header, body, path)))


def _read_parts(path: Path) -> tuple[PcdHeader, NDArray[np.uint8]]:
    """Return the header and the bytes behind it, in memory of their own: those are aligned."""
    try:
        with path.open("rb") as file:
            head = file.read(_USUAL_HEADER)
            if b"\nDATA" not in head:
                head += file.read(LONGEST_HEADER - len(head))
            # An empty file has nothing to parse, and a message of its own.
            header = parse_pcd_header(head or read_whole(path, "a PCD file"), path)
            size = file.seek(0, 2) - header.size
            body = np.empty(max(size, 0), dtype=np.uint8)
            file.seek(header.size)
            got = file.readinto(body.data)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); check the name and its permissions"
        raise SourceError(msg) from error
    return header, body[:got]


def _exactly(header: PcdHeader, body: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    expected = header.points * header.point_bytes
    body = _without_page(body, expected)
    if len(body) != expected:
        raise CorruptRecordingError(
            path,
            header.size,
            f"{len(body)} bytes of data",
            f"{expected} for {header.points} points of {header.point_bytes} bytes",
            COPY_AGAIN,
        )
    return body


def _without_page(data: NDArray[np.uint8], expected: int) -> NDArray[np.uint8]:
    """Return the data without the zeros that PCL's file mapping left behind them."""
    rest = data[expected:]
    return data[:expected] if len(rest) < _PAGE and not rest.any() else data


def _from_rows(header: PcdHeader, body: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    """Return views of points that stand one after another."""
    fields, offset = {}, 0
    rows = body.reshape(header.points, header.point_bytes)
    for field in header.fields:
        if field.name != PADDING:
            fields[field.name] = _shaped(rows[:, offset : offset + field.nbytes], field)
        offset += field.nbytes
    return fields


def _shaped(octets: NDArray[np.uint8], field: PcdField) -> NDArray[np.generic]:
    """Return the bytes (points, nbytes) of a field as its values, without a copy."""
    values = octets.view(field.dtype)
    return values[:, 0] if field.count == 1 else values


def _decompressed(header: PcdHeader, body: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    expected = header.points * header.point_bytes
    if len(body) < _SIZES_BYTES:
        raise CorruptRecordingError(
            path, header.size, f"{len(body)} bytes of data", "8 bytes of sizes first", COPY_AGAIN
        )
    packed, unpacked = (int(size) for size in body[:_SIZES_BYTES].view("<u4"))
    stream = _without_page(body[_SIZES_BYTES:], packed)
    if packed != len(stream) or unpacked != expected:
        raise CorruptRecordingError(
            path,
            header.size,
            f"{len(stream)} compressed bytes, said to be {packed} that stand for {unpacked}",
            f"as many as said, for {header.points} points of {header.point_bytes} bytes",
            COPY_AGAIN,
        )
    try:
        return lzf_decompress(stream, unpacked)
    except LzfError as error:
        offset = header.size + _SIZES_BYTES + error.offset
        raise CorruptRecordingError(
            path, offset, str(error), "a sound LZF stream", COPY_AGAIN
        ) from None


def _from_columns(header: PcdHeader, data: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    """Return views of fields that stand one after another."""
    fields, offset = {}, 0
    for field in header.fields:
        size = header.points * field.nbytes
        if field.name != PADDING:
            octets = data[offset : offset + size].reshape(header.points, field.nbytes)
            # A column behind one of odd size: what reads it wants it aligned.
            octets = octets if offset % field.dtype.itemsize == 0 else octets.copy()
            fields[field.name] = _shaped(octets, field)
        offset += size
    return fields


def _from_text(
    header: PcdHeader, body: NDArray[np.uint8], path: Path
) -> dict[str, NDArray[np.generic]]:
    whole = np.concatenate([np.full(f.count, f.dtype.kind in "iu") for f in header.fields])
    table = read_number_table(body, whole, header.points, path, header.size)
    fields, column = {}, 0
    for field in header.fields:
        if field.name != PADDING:
            part = table[:, column : column + field.count]
            typed = _typed(part, field, path, header.size)
            fields[field.name] = typed[:, 0] if field.count == 1 else typed
        column += field.count
    return fields


def _typed(
    part: NDArray[np.float64], field: PcdField, path: Path, offset: int
) -> NDArray[np.generic]:
    """Return the numbers of a field in its type."""
    if field.dtype.kind == "f":
        # What is too large for float32 becomes infinite, and is counted as missing later.
        with np.errstate(over="ignore"):
            return part.astype(field.dtype)
    integers = part.view(np.int64)
    if field.dtype == np.dtype("<u8"):
        return integers.view(np.uint64)
    typed = integers.astype(field.dtype)
    sound = typed == integers
    if not sound.all():
        raise CorruptRecordingError(
            path,
            offset,
            f"{integers[~sound][0]} in field {field.name!r}",
            f"values of {field.dtype}",
            COPY_AGAIN,
        )
    return typed
