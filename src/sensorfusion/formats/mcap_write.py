"""MCAP files: records to bytes.

References
----------
MCAP format specification, version 0 (mcap.dev/spec).
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from sensorfusion.formats.mcap_records import (
    MESSAGE_FIELDS_BYTES,
    OP_ATTACHMENT,
    OP_ATTACHMENT_INDEX,
    OP_CHANNEL,
    OP_CHUNK,
    OP_CHUNK_INDEX,
    OP_DATA_END,
    OP_FOOTER,
    OP_HEADER,
    OP_MESSAGE,
    OP_MESSAGE_INDEX,
    OP_METADATA,
    OP_METADATA_INDEX,
    OP_SCHEMA,
    OP_STATISTICS,
    OP_SUMMARY_OFFSET,
    RECORD_HEAD,
)

_MESSAGE_HEAD: Final = struct.Struct("<BQHIQQ")
_CHUNK_HEAD: Final = struct.Struct("<QQQI")


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic.

    Attributes
    ----------
    number : int
    topic : str
    schema : int
        Number of its schema.
    metadata : mapping of str to str
    """

    number: int
    topic: str
    schema: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Where a chunk was written, for the index at the end.

    Attributes
    ----------
    times_ns : tuple of int
        Of the first and the last message.
    start, length : int
        Of the chunk's record in the file.
    compression : str
    stored, unpacked : int
        Bytes of its records.
    indexes : mapping of int to int
        Place of each channel's index, from the end of the chunk's record.
    index_bytes : int
    """

    times_ns: tuple[int, int]
    start: int
    length: int
    compression: str
    stored: int
    unpacked: int
    indexes: Mapping[int, int]
    index_bytes: int


class Packer(Protocol):
    """A compressor of ``zstandard``."""

    def compress(self, data: bytes) -> bytes:
        """Return one zstd frame."""


class ChunkWriter:
    """Collects records and returns them as one chunk with its index."""

    def __init__(self) -> None:
        self._begin()

    def __len__(self) -> int:
        """Return how many messages wait."""
        return sum(map(len, self._index.values()))

    def declare(self, record: bytes) -> None:
        """Add a schema or a channel."""
        self._add(record)

    def message(self, channel: int, sequence: int, time_ns: int, parts: list[memoryview]) -> None:
        """Add a message that is given in parts, so that pictures are copied once."""
        self._index.setdefault(channel, []).append((time_ns, self._bytes))
        length = MESSAGE_FIELDS_BYTES + sum(part.nbytes for part in parts)
        self._add(_MESSAGE_HEAD.pack(OP_MESSAGE, length, channel, sequence, time_ns, time_ns))
        for part in parts:
            self._add(part)

    def pack(self, packer: Packer | None, start: int) -> tuple[list[bytes], ChunkPlace]:
        """Return the chunk with its index, in parts, and begin anew.

        Parameters
        ----------
        packer : Packer or None
            Compresses to zstd; None leaves the records as they are.
        start : int
            Where in the file the chunk will be written.
        """
        records = b"".join(self._parts)
        stored, compression = records, ""
        if packer is not None:
            stored, compression = packer.compress(records), "zstd"
        times_ns = [time_ns for entries in self._index.values() for time_ns, _ in entries]
        span_ns = (min(times_ns, default=0), max(times_ns, default=0))
        head = _CHUNK_HEAD.pack(*span_ns, len(records), zlib.crc32(records))
        head += string(compression) + struct.pack("<Q", len(stored))
        chunk = RECORD_HEAD.pack(OP_CHUNK, len(head) + len(stored)) + head
        length = len(chunk) + len(stored)
        places, indexes = {}, b""
        for channel, entries in self._index.items():
            places[channel] = start + length + len(indexes)
            pairs = b"".join(struct.pack("<QQ", *entry) for entry in entries)
            indexes += record(OP_MESSAGE_INDEX, struct.pack("<HI", channel, len(pairs)) + pairs)
        place = ChunkPlace(
            span_ns, start, length, compression, len(stored), len(records), places, len(indexes)
        )
        self._begin()
        return [chunk, stored, indexes], place

    def _begin(self) -> None:
        self._parts: list[bytes | memoryview] = []
        self._bytes = 0
        self._index: dict[int, list[tuple[int, int]]] = {}

    def _add(self, part: bytes | memoryview) -> None:
        self._parts.append(part)
        self._bytes += len(part) if isinstance(part, bytes) else part.nbytes


def record(op: int, data: bytes) -> bytes:
    """Return a record."""
    return RECORD_HEAD.pack(op, len(data)) + data


def string(text: str) -> bytes:
    """Return a string: its length and its UTF-8."""
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def table(values: Mapping[str, str]) -> bytes:
    """Return a map of strings, in order of its keys."""
    data = b"".join(string(key) + string(value) for key, value in sorted(values.items()))
    return struct.pack("<I", len(data)) + data


def header(profile: str, library: str) -> bytes:
    """Return the record at the beginning."""
    return record(OP_HEADER, string(profile) + string(library))


def schema(number: int, name: str, text: str) -> bytes:
    """Return the declaration of a message type of ROS 2."""
    data = text.encode()
    head = struct.pack("<H", number) + string(name) + string("ros2msg")
    return record(OP_SCHEMA, head + struct.pack("<I", len(data)) + data)


def channel(declared: Channel) -> bytes:
    """Return the declaration of a topic whose messages are CDR."""
    numbers = struct.pack("<HH", declared.number, declared.schema)
    texts = string(declared.topic) + string("cdr") + table(declared.metadata)
    return record(OP_CHANNEL, numbers + texts)


def attachment(name: str, media_type: str, data: bytes) -> bytes:
    """Return a file within the file, with its checksum."""
    head = struct.pack("<QQ", 0, 0) + string(name) + string(media_type)
    content = head + struct.pack("<Q", len(data)) + data
    return record(OP_ATTACHMENT, content + struct.pack("<I", zlib.crc32(content)))


def metadata(name: str, values: Mapping[str, str]) -> bytes:
    """Return names and texts."""
    return record(OP_METADATA, string(name) + table(values))


@dataclass(slots=True)
class Summary:
    """What the end of the file says again, to find everything without reading it all.

    Attributes
    ----------
    schemas, channels : list of bytes
        Their records.
    chunks : list of ChunkPlace
    messages : dict of int to int
        Messages by channel.
    attachments, metadata : list of bytes
        Their index records.
    times_ns : tuple of int or None
        Of the first and the last message.
    """

    schemas: list[bytes] = field(default_factory=list)
    channels: list[bytes] = field(default_factory=list)
    chunks: list[ChunkPlace] = field(default_factory=list)
    messages: dict[int, int] = field(default_factory=dict)
    attachments: list[bytes] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    times_ns: tuple[int, int] | None = None

    def add_chunk(self, place: ChunkPlace, counts: Mapping[int, int]) -> None:
        """Take up a chunk that was written, and how many messages of each channel it holds."""
        self.chunks.append(place)
        for number, count in counts.items():
            self.messages[number] = self.messages.get(number, 0) + count
        if counts:
            low, high = self.times_ns or place.times_ns
            self.times_ns = (min(low, place.times_ns[0]), max(high, place.times_ns[1]))

    def add_attachment(
        self, name: str, media_type: str, size: int, start: int, length: int
    ) -> None:
        """Take up an attachment of ``size`` bytes whose record was written at ``start``."""
        numbers = struct.pack("<QQQQQ", start, length, 0, 0, size)
        texts = string(name) + string(media_type)
        self.attachments.append(record(OP_ATTACHMENT_INDEX, numbers + texts))

    def add_metadata(self, name: str, start: int, length: int) -> None:
        """Take up a metadata record that was written at ``start``."""
        place = struct.pack("<QQ", start, length) + string(name)
        self.metadata.append(record(OP_METADATA_INDEX, place))

    def pack(self, start: int) -> bytes:
        """Return everything behind the data, when it will be written at ``start``."""
        end = record(OP_DATA_END, struct.pack("<I", 0))
        groups = (
            (OP_SCHEMA, self.schemas),
            (OP_CHANNEL, self.channels),
            (OP_STATISTICS, [self._statistics()]),
            (OP_ATTACHMENT_INDEX, self.attachments),
            (OP_METADATA_INDEX, self.metadata),
            (OP_CHUNK_INDEX, [_chunk_index(place) for place in self.chunks]),
        )
        begin = start + len(end)
        summary, offsets = b"", b""
        for op, members in groups:
            joined = b"".join(members)
            if members:
                place = struct.pack("<BQQ", op, begin + len(summary), len(joined))
                offsets += record(OP_SUMMARY_OFFSET, place)
            summary += joined
        foot = struct.pack("<QQ", begin, begin + len(summary))
        # The checksum covers the summary and the footer up to itself.
        head = RECORD_HEAD.pack(OP_FOOTER, len(foot) + 4)
        crc = zlib.crc32(summary + offsets + head + foot)
        return end + summary + offsets + head + foot + struct.pack("<I", crc)

    def _statistics(self) -> bytes:
        low, high = self.times_ns or (0, 0)
        counts = b"".join(struct.pack("<HQ", *pair) for pair in sorted(self.messages.items()))
        numbers = struct.pack(
            "<QHIIIIQQI",
            sum(self.messages.values()),
            len(self.schemas),
            len(self.channels),
            len(self.attachments),
            len(self.metadata),
            len(self.chunks),
            low,
            high,
            len(counts),
        )
        return record(OP_STATISTICS, numbers + counts)


def _chunk_index(place: ChunkPlace) -> bytes:
    indexes = b"".join(struct.pack("<HQ", *pair) for pair in place.indexes.items())
    head = struct.pack("<QQQQI", *place.times_ns, place.start, place.length, len(indexes))
    tail = struct.pack("<Q", place.index_bytes) + string(place.compression)
    return record(
        OP_CHUNK_INDEX, head + indexes + tail + struct.pack("<QQ", place.stored, place.unpacked)
    )
