"""MCAP files without an end: how far they are whole, found by a walk over their records.

References
----------
MCAP format specification, version 0 (mcap.dev/spec): a file whose writer was stopped lacks its
end and is read from its beginning.
"""

import zlib
from pathlib import Path
from typing import Final

from sensorfusion.errors import SensorFusionError
from sensorfusion.formats.mcap_records import (
    MAGIC,
    OP_CHUNK,
    OP_DATA_END,
    RECORD_HEAD,
    Chunk,
    Record,
    unpack,
)

# What a power cut took may be missing anywhere behind the last time the file was brought to the
# disk, which is a second or two of chunks.
_CHUNKS_CHECKED: Final = 256


def whole_until(data: memoryview, path: Path) -> tuple[int, str]:
    """Return where the whole records of an unfinished file end, and a sentence that says so.

    Parameters
    ----------
    data : memoryview
        The file, which begins as MCAP files do.
    path : Path
        Named in errors.
    """
    end, chunks = _walk(data, path)
    for start, chunk in reversed(chunks[-_CHUNKS_CHECKED:]):
        if not _is_sound(data, chunk, path):
            end = start
    lost = len(data) - end
    rest = f"; its last {lost} bytes are no whole chunk and are left out" if lost else ""
    return end, (
        "the recorder of this file was stopped before it wrote the index, or the file was cut "
        f"short: the index was rebuilt by a scan of {end} bytes{rest}"
    )


def _walk(data: memoryview, path: Path) -> tuple[int, list[tuple[int, Chunk]]]:
    chunks: list[tuple[int, Chunk]] = []
    start = len(MAGIC)
    while start + RECORD_HEAD.size <= len(data):
        op, length = RECORD_HEAD.unpack_from(data, start)
        begin = start + RECORD_HEAD.size
        # Blocks that never reached the disk read as zeros, which no record begins with.
        if op == 0 or length > len(data) - begin or op == OP_DATA_END:
            break
        if op == OP_CHUNK:
            try:
                record = Record(op, data[begin : begin + length], start, 0)
                chunks.append((start, Chunk.read(record, path)))
            except SensorFusionError:
                break
        start = begin + length
    return start, chunks


def _is_sound(data: memoryview, chunk: Chunk, path: Path) -> bool:
    try:
        unpacked = unpack(data[chunk.start : chunk.end], chunk, path, chunk.size)
    except SensorFusionError:
        return False
    return not chunk.crc or zlib.crc32(unpacked) == chunk.crc
