"""MCAP files: what stands beside the messages, and the footer.

References
----------
MCAP format specification, version 0 (mcap.dev/spec).
"""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.mcap_records import (
    OP_ATTACHMENT,
    OP_FOOTER,
    OP_METADATA,
    RECORD_HEAD,
    Record,
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What a file holds beside its messages.

    Attributes
    ----------
    attachments : dict of str to bytes
        Files within the file, by name.
    metadata : dict of str to dict of str to str
        Names and texts, by name.
    """

    attachments: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)

    def take(self, record: Record, file: memoryview, path: Path) -> None:
        """Take up an attachment or metadata, and check a footer; others are left alone.

        Raises
        ------
        CorruptRecordingError
            If it is shorter than it says, or its checksum is another.
        """
        cursor = Cursor(record.data, f"{path} (record at byte {record.base + record.offset})")
        if record.op == OP_ATTACHMENT:
            name, content = _read_attachment(cursor, record.data)
            self.attachments[name] = content
        elif record.op == OP_METADATA:
            name = cursor.string()
            self.metadata[name] = read_table(cursor)
        elif record.op == OP_FOOTER:
            _check_footer(cursor, file, record)


def read_table(cursor: Cursor) -> dict[str, str]:
    """Read a map of strings."""
    table = Cursor(cursor.sequence(), cursor.where)
    pairs = {}
    while table.left:
        key = table.string()
        pairs[key] = table.string()
    return pairs


def _read_attachment(cursor: Cursor, data: memoryview) -> tuple[str, bytes]:
    """Read the name and the bytes of a file within the file.

    Parameters
    ----------
    cursor : Cursor
        At the beginning of the record.
    data : memoryview
        The record.

    Raises
    ------
    CorruptRecordingError
        If it is shorter than it says, or its checksum is another.
    """
    cursor.read("Q", 2)
    name, _ = cursor.string(), cursor.string()
    content = bytes(cursor.octets(cursor.number("Q")))
    found, expected = zlib.crc32(data[: cursor.position]), cursor.number()
    if expected not in (0, found):
        text = f"{name!r} with checksum {found:08x}"
        raise cursor.corrupt(text, f"{expected:08x}")
    return name, content


def _check_footer(cursor: Cursor, data: memoryview, footer: Record) -> None:
    """Compare the summary with its checksum, where there is one.

    Raises
    ------
    CorruptRecordingError
        If it is another, or the footer says that the summary begins behind it.
    """
    begin, _ = cursor.read("Q", 2)
    expected = cursor.number()
    end = footer.offset + RECORD_HEAD.size + cursor.position - 4
    if not expected:
        return
    # Without a summary, the checksum is that of the footer alone.
    begin = begin or footer.offset
    if begin > footer.offset:
        text = f"a summary at byte {begin}"
        raise cursor.corrupt(text, "one before the footer")
    found = zlib.crc32(data[begin:end])
    if found != expected:
        text = f"a summary with checksum {found:08x}"
        raise cursor.corrupt(text, f"{expected:08x}")
