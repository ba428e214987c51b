"""MCAP files: records and chunks.

References
----------
MCAP format specification, version 0 (mcap.dev/spec).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.cursor import Cursor

MAGIC: Final = b"\x89MCAP0\r\n"
OP_HEADER: Final = 0x01
OP_FOOTER: Final = 0x02
OP_SCHEMA: Final = 0x03
OP_CHANNEL: Final = 0x04
OP_MESSAGE: Final = 0x05
OP_CHUNK: Final = 0x06
OP_MESSAGE_INDEX: Final = 0x07
OP_CHUNK_INDEX: Final = 0x08
OP_ATTACHMENT: Final = 0x09
OP_ATTACHMENT_INDEX: Final = 0x0A
OP_STATISTICS: Final = 0x0B
OP_METADATA: Final = 0x0C
OP_METADATA_INDEX: Final = 0x0D
OP_SUMMARY_OFFSET: Final = 0x0E
OP_DATA_END: Final = 0x0F

DAMAGED: Final = "the file is damaged; copy it again from where it was made"
LATE: Final = "a time after the year 2262 or an offset of 2^63 bytes"
"""Found where numbers do not fit in 63 bits."""
_LARGEST_CHUNK_BYTES: Final = 1 << 30
RECORD_HEAD: Final = struct.Struct("<BQ")
"""Kind and length of a record."""
MESSAGE_FIELDS_BYTES: Final = 22
"""Channel, number and two times of a message, before its data."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes
    ----------
    op : int
        Its kind.
    data : memoryview
    offset : int
        Where it begins in the data that it was read from.
    base : int
        Where those data begin in the file.
    """

    op: int
    data: memoryview
    offset: int
    base: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the records of a chunk lie in the file, and how they are packed.

    Attributes
    ----------
    start, end : int
    compression : str
        Empty for none.
    size : int
        Bytes when unpacked.
    crc : int
        CRC-32 of those, 0 where the writer gave none.
    """

    start: int
    end: int
    compression: str
    size: int
    crc: int

    @classmethod
    def read(cls, record: Record, path: Path) -> "Chunk":
        """Read the head of a chunk record.

        Raises
        ------
        CorruptRecordingError
            If its lengths disagree, or it claims to unpack to more than 1 GiB.
        """
        cursor = Cursor(record.data, f"{path} (chunk at byte {record.offset})")
        _, _, size = cursor.read("Q", 3)
        crc = cursor.number()
        compression = cursor.string()
        stored = cursor.number("Q")
        if stored != cursor.left or size > _LARGEST_CHUNK_BYTES:
            found = f"a chunk of {stored} bytes that unpacks to {size}"
            raise cursor.corrupt(found, f"{cursor.left} bytes, at most {_LARGEST_CHUNK_BYTES}")
        start = record.offset + RECORD_HEAD.size + cursor.position
        return cls(start, start + stored, compression, size, crc)


def records(data: memoryview, start: int, end: int, path: Path, base: int) -> Iterator[Record]:
    """Yield the records from ``start`` to ``end``, which must be where the last one ends.

    Parameters
    ----------
    data : memoryview
        A file or an unpacked chunk.
    start, end : int
        Bytes of ``data``.
    path : Path
        Named in errors.
    base : int
        Where ``data`` begins in the file, for errors.

    Raises
    ------
    CorruptRecordingError
        If a record does not fit.
    """
    while start < end:
        length = -1
        if start + RECORD_HEAD.size <= end:
            op, length = RECORD_HEAD.unpack_from(data, start)
        begin = start + RECORD_HEAD.size
        if not 0 <= length <= end - begin:
            found = f"a record of {length} bytes" if length >= 0 else "the start of a record"
            expected = f"one within the {end - start} bytes that are left"
            raise CorruptRecordingError(path, base + start, found, expected, DAMAGED)
        yield Record(op, data[begin : begin + length], start, base)
        start = begin + length


def message_places(cursor: Cursor, chunk: int) -> tuple[int, NDArray[np.int64]]:
    """Return the channel of a message index, and number of the chunk, offset and time of each.

    Raises
    ------
    CorruptRecordingError
        If there is no chunk before it, or it does not hold pairs of times and offsets.
    """
    channel = cursor.number("H")
    pairs = cursor.sequence()
    if len(pairs) % 16 or chunk < 0:
        text = f"a message index of {len(pairs)} bytes"
        raise cursor.corrupt(text, "pairs of 16 bytes behind a chunk")
    stored = np.frombuffer(pairs, "<u8").reshape(-1, 2)
    if (stored >> 63).any():
        raise cursor.corrupt(LATE, "an earlier one, within the file")
    places = np.empty((len(stored), 3), np.int64)
    places[:, 0] = chunk
    places[:, 1:] = stored[:, ::-1]
    return channel, places


def unpack(stored: memoryview, chunk: Chunk, path: Path, needed: int) -> memoryview:
    """Return the first ``needed`` bytes of a chunk; nothing is copied that is not compressed.

    Raises
    ------
    CorruptRecordingError
        If the data are damaged, or have another size than the chunk says.
    UnsupportedRecordingError
        If the compression is not known.
    """
    unpacked = stored
    if chunk.compression == "lz4":
        unpacked = memoryview(_unpack_lz4(stored, needed))
    elif chunk.compression == "zstd":
        unpacked = memoryview(_unpack_zstd(stored, chunk.size, needed))
    elif chunk.compression:
        msg = (
            f"{path}: chunks compressed as {chunk.compression[:16]!r}; this version reads none, "
            "lz4 and zstd"
        )
        raise UnsupportedRecordingError(msg)
    expected = needed if chunk.compression else chunk.size
    if len(unpacked) != expected:
        found = f"a chunk that unpacks to {len(unpacked)} bytes"
        raise CorruptRecordingError(path, chunk.start, found, f"{expected} bytes", DAMAGED)
    return unpacked


def _unpack_lz4(stored: memoryview, needed: int) -> bytes:
    # Imported here, as below: a driver's module must be cheap to import.
    import lz4.frame  # noqa: PLC0415

    try:
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(stored, needed))
    except (RuntimeError, EOFError):
        return b""


def _unpack_zstd(stored: memoryview, size: int, needed: int) -> bytes:
    import zstandard  # noqa: PLC0415

    unpacker = zstandard.ZstdDecompressor()
    try:
        if needed < size:
            return unpacker.stream_reader(stored).read(needed)
        # A frame may claim any size, and as much would be set up for it.
        if zstandard.frame_content_size(stored) not in (-1, size):
            return b""
        return unpacker.decompress(stored, max_output_size=size)
    except zstandard.ZstdError:
        return b""
