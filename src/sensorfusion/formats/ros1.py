"""ROS 1 bag files: the index, and messages by it.

References
----------
ROS wiki, "Bags/Format/2.0".
"""

import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.ros1_records import (
    DAMAGED,
    LARGEST_CHUNK_BYTES,
    MAGIC,
    OP_BAG_HEADER,
    OP_CHUNK,
    OP_CHUNK_INFO,
    OP_CONNECTION,
    OP_INDEX,
    OP_MESSAGE,
    Chunk,
    Entry,
    Record,
    connection_type,
    read_record,
    unpack_chunk,
)
from sensorfusion.formats.ros1_scan import scan

_CHUNKS_KEPT: Final = 4
_UNINDEXED: Final = (
    "the recorder never finished the file; run `rosbag reindex` on a copy and open that"
)


class Ros1Bag:
    """A bag by its index; every byte of the file is accounted for when it opens.

    Parameters
    ----------
    path : Path or str
    salvage : bool
        Walk through the file in place of its index, and take what is whole.

    Attributes
    ----------
    types : dict of str to str
        Message type by topic.
    entries : dict of str to list of Entry
        Messages by topic, in the order in which they were written.
    lost : Counter of str
        Messages by topic that are known to be there and cannot be read; only after a walk.
    faults : list of str
        What a walk could not read, in words.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    CorruptRecordingError
        If it is not a whole ROS 1 bag, or has no index.
    """

    def __init__(self, path: Path | str, *, salvage: bool = False) -> None:
        self.path = Path(path)
        self.lost: Counter[str] = Counter()
        self.faults: list[str] = []
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
            if salvage:
                self._walk()
            else:
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
        with self.view(entry) as view:
            return bytes(view)

    def view(self, entry: Entry) -> memoryview:
        """Return a message where it lies, to be let go before the bag is closed.

        Raises
        ------
        CorruptRecordingError
            If no whole message stands where the index says.
        """
        chunk = self._chunks[entry.chunk]
        where = f"{self.path} (chunk at byte {chunk.offset})"
        data: bytes | mmap.mmap = self._data
        base, end = chunk.start, chunk.end
        if chunk.compression != "none":
            data = self._unpacked(entry.chunk)
            base, end = 0, len(data)
        record = read_record(data, base + entry.offset, where)
        if record.op != OP_MESSAGE or record.end > end:
            found = f"a record of kind {record.op} at offset {entry.offset} of the chunk"
            raise CorruptRecordingError(
                self.path, chunk.offset, found, "the message in the index", DAMAGED
            )
        return memoryview(data)[record.start : record.end]

    def close(self) -> None:
        """Release the file."""
        # A view that an error still holds keeps the file until that error is gone.
        with suppress(BufferError):
            self._data.close()

    def _walk(self) -> None:
        scanned = scan(self._data, self.path)
        self._chunks = scanned.chunks
        self.types, self.entries = scanned.types, scanned.entries
        self.lost, self.faults = scanned.lost, scanned.faults

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
        self._chunks = [_checked(r, self.path) for r in records if r.op == OP_CHUNK]
        connections = [record for record in records if record.op == OP_CONNECTION]
        head = records[0] if records else Record({}, 0, 0, 0)
        counted = (head.number("chunk_count"), head.number("conn_count"))
        if head.op != OP_BAG_HEADER or counted != (len(self._chunks), len(connections)):
            found = f"{len(self._chunks)} chunks and {len(connections)} connections"
            expected = f"{counted[0]} and {counted[1]}, as the header says"
            raise CorruptRecordingError(self.path, len(MAGIC), found, expected, DAMAGED)
        topics = {}
        for record in connections:
            topics[record.number("conn")] = record.text("topic")
            self.types[record.text("topic")] = connection_type(self._data, record, self.path)
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
        place = self._chunks[chunk]
        stored = self._data[place.start : place.end]
        unpacked = unpack_chunk(stored, place.compression, place.size)
        if len(unpacked) != place.size:
            found = f"a chunk that unpacks to {len(unpacked)} bytes"
            expected = f"{place.size} bytes"
            raise CorruptRecordingError(self.path, place.offset, found, expected, DAMAGED)
        with self._lock:
            while len(self._kept) >= _CHUNKS_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[chunk] = unpacked
        return unpacked


def _checked(record: Record, path: Path) -> Chunk:
    """Return the chunk of a record whose sizes can be true."""
    size, stored = record.number("size"), record.end - record.start
    compression = record.text("compression")
    if size > LARGEST_CHUNK_BYTES or (compression == "none" and size != stored):
        found = f"a chunk of {size} bytes, stored in {stored} ({compression[:16]!r})"
        expected = f"at most {LARGEST_CHUNK_BYTES}, and as many as stored where uncompressed"
        raise CorruptRecordingError(path, record.offset, found, expected, DAMAGED)
    return Chunk(record.offset, record.start, record.end, compression, size)
