"""MCAP files: the index, and messages by it.

References
----------
MCAP format specification, version 0 (mcap.dev/spec).
"""

import mmap
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Final

from sensorfusion.errors import CorruptRecordingError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.mcap_records import (
    DAMAGED,
    MAGIC,
    MESSAGE_FIELDS_BYTES,
    OP_CHANNEL,
    OP_CHUNK,
    OP_FOOTER,
    OP_MESSAGE,
    OP_MESSAGE_INDEX,
    OP_SCHEMA,
    OP_STATISTICS,
    RECORD_HEAD,
    Chunk,
    McapEntry,
    Record,
    records,
    unpack,
)

_CHUNKS_KEPT: Final = 4
_LATE: Final = "a time after the year 2262"
_UNFINISHED: Final = (
    "the recorder never finished the file, or it was cut short; copy it again, or give what "
    "`mcap recover` saves of it"
)


class McapFile:
    """A finished MCAP file; every byte is accounted for when it opens, no message is read.

    Parameters
    ----------
    path : Path or str

    Attributes
    ----------
    types : dict of str to str
        Message type by topic, as its schema is named.
    encodings : dict of str to str
        How the messages of a topic are serialized: "cdr", "ros1", "json" and others.
    entries : dict of str to list of McapEntry
        Messages by topic, in the order in which they were written.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    CorruptRecordingError
        If it is not a whole MCAP file.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.types: dict[str, str] = {}
        self.encodings: dict[str, str] = {}
        self.entries: dict[str, list[McapEntry]] = {}
        self._lock = Lock()
        self._kept: dict[int, memoryview] = {}
        self._checked: set[int] = set()
        self._chunks: list[Chunk] = []
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[str, str, int]] = {}
        self._found: dict[int, list[McapEntry]] = {}
        try:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            msg = f"{path}: cannot be opened ({error}); expected an MCAP file"
            raise SourceError(msg) from error
        self._data = memoryview(self._map)
        try:
            self._read_index()
        except BaseException:
            self.close()
            raise

    def message(self, entry: McapEntry) -> memoryview:
        """Return a message; safe to call from several threads.

        Raises
        ------
        CorruptRecordingError
            If no whole message stands where the index says, or its chunk is damaged.
        """
        data, base = self._data, 0
        if entry.chunk >= 0:
            data, base = self._unpacked(entry.chunk), self._chunks[entry.chunk].start
        record = next(records(data, entry.offset, len(data), self.path, base), None)
        if record is None or record.op != OP_MESSAGE or len(record.data) < MESSAGE_FIELDS_BYTES:
            raise self._no_message(entry)
        return record.data[MESSAGE_FIELDS_BYTES:]

    def heads(self, entries: Iterable[McapEntry], count: int) -> Iterator[memoryview]:
        """Yield the first bytes of messages, without unpacking more of a chunk than they need.

        Parameters
        ----------
        entries : iterable of McapEntry
            In order of chunk and offset.
        count : int
            Bytes of each message; fewer where it is shorter. Their checksum is not looked at.

        Raises
        ------
        CorruptRecordingError
            If no message stands where the index says, or its chunk does not unpack.
        """
        room = RECORD_HEAD.size + MESSAGE_FIELDS_BYTES
        for number, group in groupby(entries, key=attrgetter("chunk")):
            wanted, data = list(group), self._data
            if number >= 0:
                chunk = self._chunks[number]
                needed = min(chunk.size, wanted[-1].offset + room + count)
                data = unpack(data[chunk.start : chunk.end], chunk, self.path, needed)
            for entry in wanted:
                begin = entry.offset + room
                op, length = (0, 0)
                if begin <= len(data):
                    op, length = RECORD_HEAD.unpack_from(data, entry.offset)
                if op != OP_MESSAGE or length < MESSAGE_FIELDS_BYTES:
                    raise self._no_message(entry)
                yield data[begin : begin + min(count, length - MESSAGE_FIELDS_BYTES)]

    def close(self) -> None:
        """Release the file."""
        self._kept.clear()
        try:
            self._data.release()
            self._map.close()
        except BufferError:
            # Another thread still reads a message; the mapping goes with the last of them.
            return

    def _read_index(self) -> None:
        end = self._end()
        indexed: set[int] = set()
        stated = op = -1
        for record in records(self._data, len(MAGIC), end, self.path, 0):
            op = record.op
            if op == OP_CHUNK:
                self._chunks.append(Chunk.read(record, self.path))
            elif op == OP_MESSAGE_INDEX:
                self._read_message_index(record)
                indexed.add(len(self._chunks) - 1)
            elif op == OP_STATISTICS:
                stated = self._cursor(record).number("Q")
            else:
                self._read_common(record, -1)
        if op != OP_FOOTER:
            raise CorruptRecordingError(self.path, end, "no footer", "one", _UNFINISHED)
        for number in set(range(len(self._chunks))) - indexed:
            self._read_chunk(number, with_messages=True)
        for number in range(len(self._chunks)):
            # Channels may be declared in a chunk alone, where the summary repeats none.
            if self._found.keys() <= self._channels.keys():
                break
            self._read_chunk(number, with_messages=False)
        self._name_topics()
        found = sum(map(len, self.entries.values()))
        if stated not in (-1, found):
            expected = f"{stated}, as the statistics say"
            raise CorruptRecordingError(self.path, end, f"{found} messages", expected, DAMAGED)

    def _end(self) -> int:
        """Return where the magic at the end begins, once both are seen to be there."""
        end = len(self._data) - len(MAGIC)
        begin = bytes(self._data[: len(MAGIC)])
        if begin != MAGIC:
            raise CorruptRecordingError(self.path, 0, repr(begin), repr(MAGIC), "give an MCAP file")
        last = bytes(self._data[end:])
        if end < len(MAGIC) or last != MAGIC:
            found = f"the end of the file in {last!r}"
            raise CorruptRecordingError(self.path, max(0, end), found, repr(MAGIC), _UNFINISHED)
        return end

    def _read_common(self, record: Record, chunk: int) -> None:
        """Take up what may stand inside a chunk and outside: schema, channel, message."""
        if record.op not in (OP_SCHEMA, OP_CHANNEL, OP_MESSAGE):
            return
        cursor = self._cursor(record)
        if record.op == OP_SCHEMA:
            number = cursor.number("H")
            self._schemas[number] = cursor.string()
        elif record.op == OP_CHANNEL:
            number, schema = cursor.read("H", 2)
            self._channels[number] = (cursor.string(), cursor.string(), schema)
        else:
            number, _, time_ns = (cursor.number(code) for code in "HIQ")
            self._add(number, McapEntry(chunk, record.offset, time_ns), cursor)

    def _read_message_index(self, record: Record) -> None:
        cursor = self._cursor(record)
        channel = cursor.number("H")
        pairs = cursor.sequence()
        if len(pairs) % 16 or not self._chunks:
            text = f"a message index of {len(pairs)} bytes"
            raise cursor.corrupt(text, "pairs of 16 bytes behind a chunk")
        for time_ns, offset in struct.iter_unpack("<QQ", pairs):
            self._add(channel, McapEntry(len(self._chunks) - 1, offset, time_ns), cursor)

    def _add(self, channel: int, entry: McapEntry, cursor: Cursor) -> None:
        if entry.time_ns >> 63:
            raise cursor.corrupt(_LATE, "an earlier one")
        self._found.setdefault(channel, []).append(entry)

    def _read_chunk(self, number: int, *, with_messages: bool) -> None:
        data = self._unpacked(number)
        for record in records(data, 0, len(data), self.path, self._chunks[number].start):
            if with_messages or record.op != OP_MESSAGE:
                self._read_common(record, number)

    def _name_topics(self) -> None:
        for channel, (topic, encoding, schema) in sorted(self._channels.items()):
            kind = self._schemas.get(schema, "")
            known = (self.types.setdefault(topic, kind), self.encodings.setdefault(topic, encoding))
            if known != (kind, encoding):
                msg = f"{self.path}: topic {topic!r} holds {known[0]} and {kind}; expected one type"
                raise UnsupportedRecordingError(msg)
            self.entries.setdefault(topic, []).extend(self._found.pop(channel, []))
        if self._found:
            found = f"messages of channels {sorted(self._found)}, which are not declared"
            raise CorruptRecordingError(self.path, 0, found, "declared channels", DAMAGED)
        for topic, entries in self.entries.items():
            entries.sort(key=lambda entry: (entry.chunk, entry.offset))
            places = Counter((entry.chunk, entry.offset) for entry in entries)
            if len(places) < len(entries):
                found = f"one message of {topic!r} twice in the index"
                raise CorruptRecordingError(self.path, 0, found, "each once", DAMAGED)

    def _unpacked(self, number: int) -> memoryview:
        chunk = self._chunks[number]
        with self._lock:
            if number in self._kept:
                return self._kept[number]
            checked = number in self._checked
        unpacked = unpack(self._data[chunk.start : chunk.end], chunk, self.path, chunk.size)
        crc = zlib.crc32(unpacked) if chunk.crc and not checked else chunk.crc
        if crc != chunk.crc:
            found, expected = f"a chunk with checksum {crc:08x}", f"{chunk.crc:08x}"
            raise CorruptRecordingError(self.path, chunk.start, found, expected, DAMAGED)
        with self._lock:
            self._checked.add(number)
            if chunk.compression:
                while len(self._kept) >= _CHUNKS_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[number] = unpacked
        return unpacked

    def _no_message(self, entry: McapEntry) -> CorruptRecordingError:
        base = self._chunks[entry.chunk].start if entry.chunk >= 0 else 0
        found = f"no message at offset {entry.offset}"
        return CorruptRecordingError(self.path, base, found, "the one in the index", DAMAGED)

    def _cursor(self, record: Record) -> Cursor:
        return Cursor(record.data, f"{self.path} (record at byte {record.base + record.offset})")
