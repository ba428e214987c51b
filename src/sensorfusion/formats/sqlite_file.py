"""A SQLite file before and while SQLite reads it: whether it is whole, and what SQLite says.

References
----------
SQLite, "Database File Format", section 1.3 (the database header).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sensorfusion.errors import CorruptRecordingError, SourceError

MAGIC: Final = b"SQLite format 3\0"


@contextmanager
def faults_named(path: Path, advice: str) -> Iterator[None]:
    """Turn what SQLite raises while it reads a recording into one clear sentence.

    Raises
    ------
    SourceError
        If it cannot read the tables, or another program holds them.
    CorruptRecordingError
        If the file is damaged.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        msg = (
            f"{path}: cannot be read ({_line(error)}); expected the tables topics and messages; if "
            "a program is still recording to it, let it finish"
        )
        raise SourceError(msg) from error
    # Damaged names show in SQLite's own messages.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        found = f"a database that SQLite cannot read ({_line(error)})"
        raise CorruptRecordingError(path, 0, found, "a whole one", advice) from error


def check_length(path: Path) -> None:
    """Compare the length of a recording with the number of pages in its header.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    CorruptRecordingError
        If it is shorter.
    """
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        msg = f"{path}: cannot be opened ({error.strerror}); expected a .db3 recording"
        raise SourceError(msg) from error
    # The largest size does not fit into the field and is written as 1.
    page_bytes = {1: 65536}.get(size := int.from_bytes(header[16:18]), size)
    pages = int.from_bytes(header[28:32])
    # The count holds only if its writer also kept the change counter beside it.
    trusted = header[24:28] == header[92:96] and not Path(f"{path}-wal").exists()
    if len(header) < 100 or (trusted and length < pages * page_bytes):
        found, expected = "the end of the file", f"{pages} pages of {page_bytes} bytes"
        advice = "it was cut short; copy it again from where it was made"
        raise CorruptRecordingError(path, length, found, expected, advice)


def _line(error: Exception) -> str:
    """Return what SQLite says as one line: it quotes damaged definitions as they stand."""
    text = " ".join(str(error).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
