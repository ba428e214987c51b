"""The rows of a ``.db3`` file: through SQLite, or page by page where SQLite refuses."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.sqlite_file import check_length, faults_named
from sensorfusion.formats.sqlite_pages import Row, SqlitePages
from sensorfusion_drivers.realsense.streams import RECORD_AGAIN

# The most that SQLite takes; what lies behind is read page by page.
_MAPPED_BYTES = 0x7FFF0000
# What SQLite keeps beside a file that is being written.
_UNFINISHED = ("-wal", "-journal")
# Of the table of messages: id, topic_id, timestamp, data.
_DATA_COLUMN = 3
_T = TypeVar("_T")


class Rows(Protocol):
    """The two tables of a recording.

    Attributes
    ----------
    topics : dict of str to int
        Numbers of the topics that have messages, by name.
    index : dict of int to list of (int, int)
        Number and time of recording (ns) of each message, by topic's number, in their order.
    lost : dict of int to int
        Messages that cannot be read, by topic's number.
    faults : list of str
        What is missing, in words.
    """

    topics: dict[str, int]
    index: dict[int, list[tuple[int, int]]]
    lost: dict[int, int]
    faults: list[str]

    def data(self, message: int) -> bytes | memoryview:
        """Read a message; safe to call from several threads."""

    def close(self) -> None:
        """Release the file."""


class SqliteRows:
    """Rows as SQLite reads them; see :class:`Rows`.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError
        If the file cannot be opened, is damaged, or has other tables.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self.lost: dict[int, int] = {}
        self.faults: list[str] = []
        self._direct: _Direct | None = None
        self._at_rest = True
        check_length(path)
        try:
            # Never immutable: a journal that a killed recorder left must be honoured.
            uri = path.absolute().as_uri() + "?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
            # A third of the time of reading page by page.
            self._database.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        except sqlite3.Error as error:
            msg = f"{path}: cannot be opened ({error}); expected a .db3 recording"
            raise SourceError(msg) from error
        try:
            names, messages = self._ask(_read_index)
        except BaseException:
            self.close()
            raise
        self.index: dict[int, list[tuple[int, int]]] = {}
        for message, topic, time_ns in messages:
            self.index.setdefault(topic, []).append((message, time_ns))
        # A damaged row can be without its name.
        self.topics = {name: number for name, number in names if name and number in self.index}
        self._direct = _Direct.of(path, {message for message, *_ in messages})

    def data(self, message: int) -> bytes | memoryview:
        """Read a message."""
        if self._direct is not None and self._at_rest:
            data = self._direct.read(message)
            if data is not None:
                return data
            # Somebody writes to the file: from here on SQLite keeps order between us.
            self._at_rest = False

        def read(database: sqlite3.Connection) -> bytes:
            # A quarter of the time of SELECT, which puts the pages together twice.
            with database.blobopen("messages", "data", message, readonly=True) as blob:
                return blob.read()

        return self._ask(read)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._database.close()
            if self._direct is not None:
                self._direct.close()

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        with faults_named(self._path, RECORD_AGAIN), self._lock:
            return question(self._database)


class _Direct:
    """Messages read from their pages, as long as nobody writes to the file.

    SQLite fetches a picture page by page, which takes a quarter longer.
    """

    def __init__(self, pages: SqlitePages, rows: dict[int, Row]) -> None:
        self._pages, self._rows = pages, rows
        self._state = pages.state

    @classmethod
    def of(cls, path: Path, messages: set[int]) -> "_Direct | None":
        """Return the pages of a file that is at rest and holds just these messages, else None."""
        if not hasattr(os, "preadv") or any(Path(f"{path}{end}").exists() for end in _UNFINISHED):
            return None
        pages = SqlitePages(path)
        try:
            rows = {row.number: row for row in pages.rows(pages.tables().get("messages", 0))}
        except CorruptRecordingError:
            rows = {}
        if rows.keys() == messages and not pages.missing:
            return cls(pages, rows)
        pages.close()
        return None

    def read(self, message: int) -> memoryview | None:
        """Return a message, or None if the file has changed."""
        try:
            data = self._pages.blob(self._rows[message], _DATA_COLUMN)
        except CorruptRecordingError:
            return None
        return data if self._pages.state == self._state else None

    def close(self) -> None:
        """Release the file."""
        self._pages.close()


class PageRows:
    """Rows whose pages are all in the file; see :class:`Rows`.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError
        If the file cannot be opened, or no row of the tables is there.
    """

    def __init__(self, path: Path) -> None:
        self._pages = SqlitePages(path)
        self._lock = Lock()
        self.topics: dict[str, int] = {}
        self.index: dict[int, list[tuple[int, int]]] = {}
        self.lost: dict[int, int] = {}
        self.faults: list[str] = []
        self._rows: dict[int, Row] = {}
        try:
            self._read_index()
        except BaseException:
            self.close()
            raise

    def data(self, message: int) -> bytes | memoryview:
        """Read a message."""
        return self._pages.blob(self._rows[message], _DATA_COLUMN)

    def close(self) -> None:
        """Release the file."""
        self._pages.close()

    def _read_index(self) -> None:
        pages = self._pages
        tables = pages.tables()
        if not {"topics", "messages"} <= tables.keys():
            found = f"the tables {', '.join(sorted(tables)) or 'none'}"
            raise CorruptRecordingError(
                pages.path, 0, found, "the tables topics and messages", RECORD_AGAIN
            )
        names: dict[str, int] = {}
        cut = 0
        for row in pages.rows(tables["topics"]):
            try:
                name = pages.values(row)[1]
            except (CorruptRecordingError, IndexError):
                cut += 1
                continue
            names[str(name)] = row.number
        for row in pages.rows(tables["messages"]):
            try:
                _, topic, time_ns, *_ = pages.values(row)
            except (CorruptRecordingError, ValueError):
                cut += 1
                continue
            if isinstance(topic, int) and isinstance(time_ns, int):
                self._rows[row.number] = row
                self.index.setdefault(topic, []).append((row.number, time_ns))
        self.topics = {name: number for name, number in names.items() if number in self.index}
        if pages.pages < pages.expected_pages:
            self.faults.append(
                f"{pages.expected_pages - pages.pages} of {pages.expected_pages} pages"
            )
        if cut:
            self.faults.append(f"{cut} messages that are there in part")
        if pages.missing:
            self.faults.append(f"all messages of {pages.missing} further pages or more")


def _read_index(
    database: sqlite3.Connection,
) -> tuple[list[tuple[str, int]], list[tuple[int, int, int]]]:
    # Damaged, a column may hold anything.
    names = database.execute("SELECT CAST(name AS TEXT), id FROM topics").fetchall()
    query = (
        "SELECT id, CAST(topic_id AS INTEGER), CAST(IFNULL(timestamp, 0) AS INTEGER) "
        "FROM messages ORDER BY id"
    )
    return names, database.execute(query).fetchall()
