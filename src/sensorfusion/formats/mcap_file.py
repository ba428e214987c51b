"""MCAP files: the index, and messages by it.

References
----------
MCAP format specification, version 0 (mcap.dev/spec).
"""

import mmap
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.mcap_beside import Beside, read_table
from sensorfusion.formats.mcap_records import (
    DAMAGED,
    LATE,
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
    Record,
    message_places,
    records,
    unpack,
)
from sensorfusion.formats.mcap_salvage import whole_until

_CHUNKS_KEPT: Final = 4
_UNFINISHED: Final = "the file is damaged at its end; copy it again from where it was made"


class McapFile:
    """An MCAP file, or as far as it is whole; every byte is accounted for when it opens.

    Parameters
    ----------
    path : Path or str

    Attributes
    ----------
    types : dict of str to str
        Message type by topic, as its schema is named.
    encodings : dict of str to str
        How the messages of a topic are serialized: "cdr", "ros1", "json" and others.
    places : dict of str to ndarray of int64, shape (N, 3)
        Messages by topic, as they were written: number of the chunk (-1 for none), offset of the
        record in the unpacked chunk or in the file, and when it was recorded, nanoseconds.
    facts : dict of str to dict of str to str
        What is said about a topic, by topic.
    beside : Beside
        What stands beside the messages.
    note : str
        What is missing of an unfinished file; empty for others.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    CorruptRecordingError
        If it is not an MCAP file, or a finished one that is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.types: dict[str, str] = {}
        self.encodings: dict[str, str] = {}
        self.places: dict[str, NDArray[np.int64]] = {}
        self.facts: dict[str, dict[str, str]] = {}
        self.beside = Beside()
        self.note = ""
        self._lock = Lock()
        self._kept: dict[int, memoryview] = {}
        self._checked: set[int] = set()
        self._chunks: list[Chunk] = []
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[str, str, int]] = {}
        self._found: dict[int, list[NDArray[np.int64]]] = {}
        self._loose: dict[int, list[tuple[int, int, int]]] = {}
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

    def message(self, topic: str, index: int) -> memoryview:
        """Return a message; safe to call from several threads.

        Raises
        ------
        CorruptRecordingError
            If no whole message stands where the index says, or its chunk is damaged.
        """
        number, offset, _ = self.places[topic][index].tolist()
        data, base = self._data, 0
        if number >= 0:
            data, base = self._unpacked(number), self._chunks[number].start
        record = next(records(data, offset, len(data), self.path, base), None)
        if record is None or record.op != OP_MESSAGE or len(record.data) < MESSAGE_FIELDS_BYTES:
            raise self._no_message(number, offset)
        return record.data[MESSAGE_FIELDS_BYTES:]

    def heads(self, topics: Iterable[str], count: int) -> Iterator[tuple[str, int, memoryview]]:
        """Yield topic, number and first bytes of messages, in the order they were stored.

        No more of a chunk is unpacked than they need.

        Parameters
        ----------
        topics : iterable of str
        count : int
            Bytes of each message; fewer where it is shorter. Their checksum is not looked at.

        Raises
        ------
        CorruptRecordingError
            If no message stands where the index says, or its chunk does not unpack.
        """
        wanted = sorted(
            (*place, topic, index)
            for topic in topics
            if topic in self.places
            for index, place in enumerate(self.places[topic][:, :2].tolist())
        )
        room = RECORD_HEAD.size + MESSAGE_FIELDS_BYTES
        for number, group in groupby(wanted, key=itemgetter(0)):
            together, data = list(group), self._data
            if number >= 0:
                chunk = self._chunks[number]
                needed = min(chunk.size, max(0, together[-1][1]) + room + count)
                data = unpack(data[chunk.start : chunk.end], chunk, self.path, needed)
            for _, offset, topic, index in together:
                begin = offset + room
                op, length = (0, 0)
                if begin <= len(data):
                    op, length = RECORD_HEAD.unpack_from(data, offset)
                if op != OP_MESSAGE or length < MESSAGE_FIELDS_BYTES:
                    raise self._no_message(number, offset)
                yield topic, index, data[begin : begin + min(count, length - MESSAGE_FIELDS_BYTES)]

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
                number = len(self._chunks) - 1
                channel, places = message_places(self._cursor(record), number)
                self._found.setdefault(channel, []).append(places)
                indexed.add(number)
            elif op == OP_STATISTICS:
                stated = self._cursor(record).number("Q")
            else:
                self.beside.take(record, self._data, self.path)
                self._read_common(record, -1)
        if op != OP_FOOTER and not self.note:
            raise CorruptRecordingError(self.path, end, "no footer", "one", _UNFINISHED)
        self._read_chunks(indexed)
        self._name_topics()
        found = sum(map(len, self.places.values()))
        if stated not in (-1, found):
            expected = f"{stated}, as the statistics say"
            raise CorruptRecordingError(self.path, end, f"{found} messages", expected, DAMAGED)

    def _read_chunks(self, indexed: set[int]) -> None:
        """Read what stands in no index, as far as needed: messages, then channels."""
        if self.note and self._chunks:
            # Parts of the last chunk's index may never have been written.
            indexed.discard(len(self._chunks) - 1)
            for channel, found in self._found.items():
                self._found[channel] = [p for p in found if len(p) and p[0, 0] in indexed]
        for number in set(range(len(self._chunks))) - indexed:
            self._read_chunk(number, with_messages=True)
        for number in range(len(self._chunks)):
            # Channels may be declared in a chunk alone, where the summary repeats none.
            if self._found.keys() | self._loose.keys() <= self._channels.keys():
                break
            self._read_chunk(number, with_messages=False)

    def _end(self) -> int:
        """Return where the records end: before the magic, or where a file without it is whole."""
        begin = bytes(self._data[: len(MAGIC)])
        if begin != MAGIC:
            raise CorruptRecordingError(self.path, 0, repr(begin), repr(MAGIC), "give an MCAP file")
        end = len(self._data) - len(MAGIC)
        if end >= len(MAGIC) and bytes(self._data[end:]) == MAGIC:
            return end
        end, self.note = whole_until(self._data, self.path)
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
            topic = cursor.string()
            self._channels[number] = (topic, cursor.string(), schema)
            self.facts[topic] = read_table(cursor)
        else:
            number, _, time_ns = (cursor.number(code) for code in "HIQ")
            if time_ns >> 63:
                raise cursor.corrupt(LATE, "an earlier one")
            self._loose.setdefault(number, []).append((chunk, record.offset, time_ns))

    def _read_chunk(self, number: int, *, with_messages: bool) -> None:
        data = self._unpacked(number)
        for record in records(data, 0, len(data), self.path, self._chunks[number].start):
            if with_messages or record.op != OP_MESSAGE:
                self._read_common(record, number)

    def _name_topics(self) -> None:
        for channel, single in self._loose.items():
            self._found.setdefault(channel, []).append(np.array(single, np.int64))
        parts: dict[str, list[NDArray[np.int64]]] = {}
        for channel, (topic, encoding, schema) in sorted(self._channels.items()):
            kind = self._schemas.get(schema, "")
            known = (self.types.setdefault(topic, kind), self.encodings.setdefault(topic, encoding))
            if known != (kind, encoding):
                msg = f"{self.path}: topic {topic!r} holds {known[0]} and {kind}; expected one type"
                raise UnsupportedRecordingError(msg)
            parts.setdefault(topic, [np.empty((0, 3), np.int64)]).extend(
                self._found.pop(channel, [])
            )
        if self._found:
            found = f"messages of channels {sorted(self._found)}, which are not declared"
            raise CorruptRecordingError(self.path, 0, found, "declared channels", DAMAGED)
        for topic, found_places in parts.items():
            places = np.concatenate(found_places)
            places = places[np.lexsort((places[:, 1], places[:, 0]))]
            if (places[1:, :2] == places[:-1, :2]).all(axis=1).any():
                found = f"one message of {topic!r} twice in the index"
                raise CorruptRecordingError(self.path, 0, found, "each once", DAMAGED)
            self.places[topic] = places

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

    def _no_message(self, number: int, offset: int) -> CorruptRecordingError:
        base = self._chunks[number].start if number >= 0 else 0
        found = f"no message at offset {offset}"
        return CorruptRecordingError(self.path, base, found, "the one in the index", DAMAGED)

    def _cursor(self, record: Record) -> Cursor:
        return Cursor(record.data, f"{self.path} (record at byte {record.base + record.offset})")
