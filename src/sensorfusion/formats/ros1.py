"""ROS 1 bag files: the index, and messages by it.

References
----------
ROS wiki, "Bags/Format/2.0".
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.ros1_records import (
    DAMAGED,
    MAGIC,
    OP_BAG_HEADER,
    OP_CHUNK,
    OP_CHUNK_INFO,
    OP_CONNECTION,
    OP_INDEX,
    OP_MESSAGE,
    Record,
    read_record,
    unpack_chunk,
)

_LARGEST_CHUNK_BYTES: Final = 1 << 30
_CHUNKS_KEPT: Final = 4
_UNINDEXED: Final = (
    "the recorder never finished the file; run `rosbag reindex` on a copy and open that"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a message lies: number of its chunk, offset in it, time of recording."""

    chunk: int
    offset: int
    time_ns: int


class Ros1Bag:
    """A closed, indexed bag; every byte of the file is accounted for when it opens.

    Parameters
    ----------
    path : Path or str

    Attributes
    ----------
    types : dict of str to str
        Message type by topic.
    entries : dict of str to list of Entry
        Messages by topic, in the order in which they were written.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    CorruptRecordingError
        If it is not a whole ROS 1 bag, or has no index.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.types: dict[str, str] = {}
        self.entries: dict[str, list[Entry]] = {}
        self._lock = Lock()
        self._kept: dict[int, bytes] = {}
        try:
            with self.path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            msg = f"{path}: cannot be opened ({error}); expected a ROS 1 bag"
            raise SourceError(msg) from error
        try:
            self._read_index(list(self._records()))
        except BaseException:
            self.close()
            raise

    def message(self, entry: Entry) -> bytes:
        """Return a message; safe to call from several threads.

        Raises
        ------
        CorruptRecordingError
            If no whole message stands where the index says.
        """
        chunk = self._unpacked(entry.chunk)
        begin = self._chunks[entry.chunk].offset
        record = read_record(chunk, entry.offset, f"{self.path} (chunk at byte {begin})")
        if record.op != OP_MESSAGE:
            found = f"a record of kind {record.op} at offset {entry.offset} of the chunk"
            raise CorruptRecordingError(
                self.path, begin, found, "the message in the index", DAMAGED
            )
        return chunk[record.start : record.end]

    def close(self) -> None:
        """Release the file."""
        self._data.close()

    def _records(self) -> Iterator[Record]:
        if self._data[: len(MAGIC)] != MAGIC:
            found = repr(self._data[: len(MAGIC)])
            raise CorruptRecordingError(self.path, 0, found, repr(MAGIC), "give a ROS 1 bag")
        offset = len(MAGIC)
        while offset < len(self._data):
            record = read_record(self._data, offset, self.path)
            if offset == len(MAGIC) and record.number("index_pos") == 0:
                raise CorruptRecordingError(
                    self.path, offset, "no index (index_pos=0)", "an indexed bag", _UNINDEXED
                )
            yield record
            offset = record.end

    def _read_index(self, records: list[Record]) -> None:
        self._chunks = [record for record in records if record.op == OP_CHUNK]
        connections = [record for record in records if record.op == OP_CONNECTION]
        head = records[0] if records else Record({}, 0, 0, 0)
        counted = (head.number("chunk_count"), head.number("conn_count"))
        if head.op != OP_BAG_HEADER or counted != (len(self._chunks), len(connections)):
            found = f"{len(self._chunks)} chunks and {len(connections)} connections"
            expected = f"{counted[0]} and {counted[1]}, as the header says"
            raise CorruptRecordingError(self.path, len(MAGIC), found, expected, DAMAGED)
        topics = {}
        for record in connections:
            inner = read_record(
                # A connection's data is a header without data: give it the length 0.
                struct.pack("<I", record.end - record.start)
                + self._data[record.start : record.end]
                + bytes(4),
                0,
                self.path,
                record.start - 4,
            )
            topics[record.number("conn")] = record.text("topic")
            self.types[record.text("topic")] = inner.text("type")
            self.entries.setdefault(record.text("topic"), [])
        chunk = -1
        for record in records:
            chunk += record.op == OP_CHUNK
            if record.op == OP_INDEX:
                self._read_entries(record, chunk, topics)
        for entries in self.entries.values():
            entries.sort(key=lambda entry: (entry.chunk, entry.offset))
        self._check_count(records)

    def _check_count(self, records: list[Record]) -> None:
        """Compare the index with the second count of messages that every bag holds."""
        found = sum(len(entries) for entries in self.entries.values())
        counts = (
            self._data[record.start : record.end]
            for record in records
            if record.op == OP_CHUNK_INFO
        )
        expected = sum(
            int.from_bytes(count[place : place + 4], "little")
            for count in counts
            for place in range(4, len(count), 8)
        )
        if found != expected:
            raise CorruptRecordingError(
                self.path,
                records[0].number("index_pos"),
                f"{expected} messages counted in the chunk records",
                f"{found}, as the index has them",
                DAMAGED,
            )

    def _read_entries(self, record: Record, chunk: int, topics: dict[int, str]) -> None:
        topic = topics.get(record.number("conn"))
        if topic is None or record.end - record.start != 12 * record.number("count"):
            found = f"an index of {record.end - record.start} bytes for connection {topic}"
            expected = f"{record.number('count')} entries of 12 bytes for a known connection"
            raise CorruptRecordingError(self.path, record.offset, found, expected, DAMAGED)
        self.entries[topic] += [
            Entry(chunk, offset, seconds * 1_000_000_000 + nanoseconds)
            for seconds, nanoseconds, offset in struct.iter_unpack(
                "<III", self._data[record.start : record.end]
            )
        ]

    def _unpacked(self, chunk: int) -> bytes:
        with self._lock:
            if chunk in self._kept:
                return self._kept[chunk]
        record = self._chunks[chunk]
        size = record.number("size")
        if size > _LARGEST_CHUNK_BYTES:
            found = f"a chunk of {size} bytes"
            expected = f"at most {_LARGEST_CHUNK_BYTES}"
            raise CorruptRecordingError(self.path, record.offset, found, expected, DAMAGED)
        stored = self._data[record.start : record.end]
        unpacked = unpack_chunk(stored, record.text("compression"), size)
        if len(unpacked) != size:
            found = f"a chunk that unpacks to {len(unpacked)} bytes"
            raise CorruptRecordingError(self.path, record.offset, found, f"{size} bytes", DAMAGED)
        with self._lock:
            while len(self._kept) >= _CHUNKS_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[chunk] = unpacked
        return unpacked
