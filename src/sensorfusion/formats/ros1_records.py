"""ROS 1 bag files: records and chunks.

References
----------
ROS wiki, "Bags/Format/2.0".
"""

import bz2
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError

MAGIC: Final = b"#ROSBAG V2.0\n"
OP_MESSAGE: Final = 2
OP_BAG_HEADER: Final = 3
OP_INDEX: Final = 4
OP_CHUNK: Final = 5
OP_CHUNK_INFO: Final = 6
OP_CONNECTION: Final = 7

LARGEST_CHUNK_BYTES: Final = 1 << 30
DAMAGED: Final = "the file is damaged or cut short; copy it again from where it was made"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: header fields by name, and where its data lies.

    Attributes
    ----------
    fields : dict of str to bytes
    offset : int
        Where the record begins.
    start, end : int
        The data lies at ``start`` to ``end``, the next record begins at ``end``.
    """

    fields: dict[str, bytes]
    offset: int
    start: int
    end: int

    @property
    def op(self) -> int:
        """Return the record's kind, -1 when it has none."""
        return self.number("op") if "op" in self.fields else -1

    def number(self, name: str) -> int:
        """Return a field as an unsigned integer, 0 when it is missing."""
        return int.from_bytes(self.fields.get(name, b""), "little")

    def text(self, name: str) -> str:
        """Return a field as text, empty when it is missing."""
        return self.fields.get(name, b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a message lies: number of its chunk, offset in it, time of recording."""

    chunk: int
    offset: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages that were compressed together.

    Attributes
    ----------
    offset : int
        Where its record begins.
    start, end : int
        Where its data lie.
    compression : str
    size : int
        Bytes of the data when unpacked.
    """

    offset: int
    start: int
    end: int
    compression: str
    size: int


def read_record(
    data: bytes | memoryview | mmap.mmap, offset: int, path: Path | str, base: int = 0
) -> Record:
    """Read the record that begins at ``offset``.

    Parameters
    ----------
    data : bytes, memoryview or mmap
        A bag or an unpacked chunk.
    offset : int
        Where the record begins in ``data``.
    path : Path or str
        Named in errors.
    base : int
        Where ``data`` begins in the file, for errors.

    Raises
    ------
    CorruptRecordingError
        If the record does not fit into ``data`` or its header is not a list of fields.
    """
    head = read_header(data, offset, path, base)
    length = _length(data, head.start - 4, path, base)
    return Record(head.fields, offset, head.start, head.start + length)


def read_header(
    data: bytes | memoryview | mmap.mmap, offset: int, path: Path | str, base: int = 0
) -> Record:
    """Read the header of a record whose data may be cut; parameters are those of ``read_record``.

    Returns
    -------
    Record
        Its ``end`` is its ``start``.

    Raises
    ------
    CorruptRecordingError
        If the header does not fit into ``data`` or is not a list of fields.
    """
    header, start = _sized(data, offset, path, base)
    fields = {}
    position = 0
    while position < len(header):
        size = int.from_bytes(header[position : position + 4], "little")
        name, equals, value = header[position + 4 : position + 4 + size].partition(b"=")
        position += 4 + size
        if not equals or position > len(header):
            found = f"a record header without name=value ({name[:16]!r})"
            raise CorruptRecordingError(path, base + offset, found, "name=value", DAMAGED)
        fields[name.decode("latin-1")] = value
    return Record(fields, offset, start + 4, start + 4)


def connection_type(data: bytes | memoryview | mmap.mmap, record: Record, path: Path | str) -> str:
    """Return the message type that a connection record names.

    Raises
    ------
    CorruptRecordingError
        If the record's data are not a list of fields.
    """
    # The data are a header without data of its own: give it the length 0.
    inner = struct.pack("<I", record.end - record.start) + data[record.start : record.end]
    return read_record(inner + bytes(4), 0, path, record.start - 4).text("type")


def encode_record(data: bytes, **fields: bytes) -> bytes:
    """Return a record with its header: the counterpart of :func:`read_record`."""
    named = [name.encode() + b"=" + value for name, value in fields.items()]
    header = b"".join(struct.pack("<I", len(field)) + field for field in named)
    return struct.pack("<I", len(header)) + header + struct.pack("<I", len(data)) + data


def unpack_chunk(data: bytes, compression: str, limit: int) -> bytes:
    """Return up to ``limit`` bytes of a chunk; damaged data end early.

    Parameters
    ----------
    data : bytes
        The chunk's data as stored.
    compression : {"none", "lz4", "bz2"}
    limit : int
        Most bytes to return.

    Raises
    ------
    UnsupportedRecordingError
        If the compression is another one.
    """
    if compression == "none":
        return data[:limit]
    try:
        if compression == "bz2":
            return bz2.BZ2Decompressor().decompress(data, limit)
        if compression == "lz4":
            # Imported here: a driver's module must be cheap to import.
            import lz4.frame  # noqa: PLC0415

            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, limit))
    except (OSError, RuntimeError, EOFError):
        return b""
    msg = f"chunks compressed as {compression[:16]!r}; this version reads none, lz4 and bz2"
    raise UnsupportedRecordingError(msg)


def _sized(
    data: bytes | memoryview | mmap.mmap, offset: int, path: Path | str, base: int
) -> tuple[bytes, int]:
    """Return the bytes that stand behind their length at ``offset``, and where they end."""
    end = offset + 4 + _length(data, offset, path, base)
    return bytes(data[offset + 4 : end]), end


def _length(data: bytes | memoryview | mmap.mmap, offset: int, path: Path | str, base: int) -> int:
    if offset + 4 <= len(data):
        length = int.from_bytes(data[offset : offset + 4], "little")
        if offset + 4 + length <= len(data):
            return length
    found = f"the end after {base + len(data)} bytes"
    raise CorruptRecordingError(path, base + offset, found, "a whole record", DAMAGED)
