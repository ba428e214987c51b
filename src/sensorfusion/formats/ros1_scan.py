"""ROS 1 bag files without an index, or damaged: every message that is whole, found by walking.

A recorder that is killed leaves a bag whose last chunk was never closed: its header says that it
is empty, and its records follow. Behind what cannot be read the next chunk is searched.

References
----------
ROS wiki, "Bags/Format/2.0"; the files that librealsense 2.56 leaves when it is killed.
"""

import mmap
import struct
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sensorfusion.errors import (
    CorruptRecordingError,
    SensorFusionError,
    UnsupportedRecordingError,
)
from sensorfusion.formats.ros1_records import (
    LARGEST_CHUNK_BYTES,
    MAGIC,
    OP_BAG_HEADER,
    OP_CHUNK,
    OP_CONNECTION,
    OP_INDEX,
    OP_MESSAGE,
    Chunk,
    Entry,
    Record,
    connection_type,
    read_header,
    read_record,
    unpack_chunk,
)

_CHUNK_FIELD: Final = b"\x04\x00\x00\x00op=\x05"
# The fields of a chunk's header, its kind among them, are shorter than this.
_CHUNK_HEADER_BYTES: Final = 96
_LOOKED_AT_BYTES: Final = 1 << 18


def first_chunk_holds(begin: bytes, text: bytes) -> bool:
    """Tell whether a bag's first chunk begins with something that holds a text.

    Parameters
    ----------
    begin : bytes
        The beginning of the file; the chunk may be longer.
    text : bytes
        Looked for in the first 256 KiB of what is unpacked.
    """
    try:
        header = read_record(begin, len(MAGIC), "")
        # The chunk itself may be longer than what was read, its header is not.
        size = int.from_bytes(begin[header.end : header.end + 4], "little")
        named = begin[header.end + 4 : header.end + 4 + size]
        compression = next(
            (kind for kind in ("lz4", "bz2") if b"compression=" + kind.encode() in named), "none"
        )
        data = begin[header.end + 8 + size :]
        return text in unpack_chunk(data, compression, _LOOKED_AT_BYTES)
    except SensorFusionError:
        return False


@dataclass(slots=True)
class Scanned:
    """What a walk through a bag found.

    Attributes
    ----------
    chunks : list of Chunk
        Their ``size`` is what can be unpacked of them.
    types : dict of str to str
        Message type by topic.
    entries : dict of str to list of Entry
        Messages by topic, in the order in which they stand in the file.
    lost : Counter of str
        Messages by topic that an index counts and that cannot be read.
    faults : list of str
        What could not be read, in words.
    """

    chunks: list[Chunk] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def scan(data: mmap.mmap, path: Path) -> Scanned:
    """Walk through a bag from its first to its last byte.

    Parameters
    ----------
    data : mmap
    path : Path
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If it does not begin like a bag.
    """
    if data[: len(MAGIC)] != MAGIC:
        found = repr(data[: len(MAGIC)])
        raise CorruptRecordingError(path, 0, found, repr(MAGIC), "give a ROS 1 bag")
    walk = _Walk(data, path)
    walk.run()
    return walk.result()


class _Walk:
    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data = data
        self._path = path
        self._scanned = Scanned()
        self._topics: dict[int, str] = {}
        self._messages: list[tuple[int, Entry]] = []
        self._promised: Counter[tuple[int, int]] = Counter()

    def run(self) -> None:
        offset = len(MAGIC)
        while offset < len(self._data):
            try:
                record = read_record(self._data, offset, self._path)
            except CorruptRecordingError:
                offset = self._past_damage(offset)
                continue
            offset = record.end
            if record.op == OP_CHUNK and record.number("size") == 0 and record.start == record.end:
                offset = self._open_chunk(record)
            elif record.op == OP_CHUNK:
                self._chunk(record, record.end)
            elif record.op == OP_CONNECTION:
                self._connection(self._data, record)
            elif record.op == OP_INDEX and self._scanned.chunks:
                key = len(self._scanned.chunks) - 1, record.number("conn")
                self._promised[key] += record.number("count")
            elif record.op == OP_BAG_HEADER and record.number("index_pos") == 0:
                self._fault("it was never finished and has no index")

    def result(self) -> Scanned:
        scanned = self._scanned
        for topic in self._topics.values():
            scanned.entries.setdefault(topic, [])
        found: Counter[tuple[int, int]] = Counter()
        nameless = 0
        for number, entry in self._messages:
            found[entry.chunk, number] += 1
            if number in self._topics:
                scanned.entries[self._topics[number]].append(entry)
            else:
                nameless += 1
        for (chunk, number), count in self._promised.items():
            missing = count - found[chunk, number]
            if missing > 0:
                scanned.lost[self._topics.get(number, "unknown topic")] += missing
        if nameless:
            self._fault(f"{nameless} messages are of topics whose names are lost")
        return scanned

    def _chunk(self, record: Record, end: int) -> int:
        """Take the messages of a chunk, and return how many of its bytes were understood."""
        chunk = Chunk(record.offset, record.start, end, record.text("compression"), 0)
        number = len(self._scanned.chunks)
        try:
            inside, base = self._unpacked(chunk)
        except UnsupportedRecordingError:
            inside, base = b"", 0
        place = base
        limit = len(inside) if base == 0 else end
        while place < limit:
            try:
                inner = read_record(inside, place, self._path)
            except CorruptRecordingError:
                break
            if inner.op not in (OP_MESSAGE, OP_CONNECTION) or inner.end > limit:
                break
            if inner.op == OP_CONNECTION:
                self._connection(inside, inner)
            else:
                seconds, nanoseconds = struct.unpack("<II", inner.fields.get("time", bytes(8))[:8])
                entry = Entry(number, place - base, seconds * 1_000_000_000 + nanoseconds)
                self._messages.append((inner.number("conn"), entry))
            place = inner.end
        size = place - base
        self._scanned.chunks.append(replace(chunk, size=size))
        stated = record.number("size")
        if size < stated:
            self._fault(f"{stated - size} of {stated} bytes of the chunk at byte {record.offset}")
        return size

    def _open_chunk(self, record: Record) -> int:
        """Take the messages of a chunk that was never closed, and return where they end."""
        size = self._chunk(record, len(self._data))
        if record.text("compression") == "none":
            return record.end + size
        return len(self._data)

    def _unpacked(self, chunk: Chunk) -> tuple[mmap.mmap | bytes, int]:
        """Return where the chunk's records stand: in the file, or in bytes of their own."""
        if chunk.compression == "none":
            return self._data, chunk.start
        stored = self._data[chunk.start : chunk.end]
        return unpack_chunk(stored, chunk.compression, LARGEST_CHUNK_BYTES), 0

    def _connection(self, data: mmap.mmap | bytes, record: Record) -> None:
        try:
            kind = connection_type(data, record, self._path)
        except CorruptRecordingError:
            return
        topic = record.text("topic")
        self._topics[record.number("conn")] = topic
        self._scanned.types[topic] = kind

    def _past_damage(self, offset: int) -> int:
        """Return where reading can go on behind a record that cannot be read."""
        cut = self._cut_chunk(offset)
        if cut is not None:
            self._fault(f"it is cut short at byte {len(self._data)}, in a chunk")
            self._chunk(cut, len(self._data))
            return len(self._data)
        place = offset + 1
        while (place := self._data.find(_CHUNK_FIELD, place)) >= 0:
            for begin in range(max(offset + 1, place - _CHUNK_HEADER_BYTES), place - 3):
                if self._is_chunk(begin, place):
                    self._fault(f"{begin - offset} bytes from byte {offset}")
                    return begin
            place += 1
        self._fault(f"{len(self._data) - offset} bytes from byte {offset} to the end")
        return len(self._data)

    def _cut_chunk(self, offset: int) -> Record | None:
        """Return the chunk that begins here and ends behind the end of the file."""
        try:
            record = read_header(self._data, offset, self._path)
        except CorruptRecordingError:
            return None
        is_chunk = record.op == OP_CHUNK and {"compression", "size"} <= record.fields.keys()
        return record if is_chunk else None

    def _is_chunk(self, begin: int, place: int) -> bool:
        length = int.from_bytes(self._data[begin : begin + 4], "little")
        if not place < begin + 4 + length <= place + _CHUNK_HEADER_BYTES:
            return False
        return self._cut_chunk(begin) is not None

    def _fault(self, text: str) -> None:
        self._scanned.faults.append(text)
