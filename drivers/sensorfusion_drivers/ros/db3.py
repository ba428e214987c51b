"""ROS 2 bags in SQLite files.

References
----------
ros2/rosbag2, rosbag2_storage_sqlite3: tables "topics" and "messages"; the latter's key is the
rowid, and data are CDR.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.sqlite_file import check_length, faults_named
from sensorfusion_drivers.ros.recording import ADVICE, HEAD_BYTES, open_message, short_types

_T = TypeVar("_T")


class Db3Recording:
    """A SQLite file; see :class:`~sensorfusion_drivers.ros.recording.Recording`.

    Raises
    ------
    SourceError
        If the file cannot be opened or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self.types: dict[str, str] = {}
        self._encodings: dict[str, str] = {}
        self._rows: dict[str, list[tuple[int, int]]] = {}
        self._lock = Lock()
        check_length(path)
        try:
            # Never immutable: a journal that a killed recorder left must be honoured.
            uri = path.absolute().as_uri() + "?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            msg = f"{path}: cannot be opened ({error}); expected a .db3 recording"
            raise SourceError(msg) from error
        try:
            self._read_index()
        except BaseException:
            self.close()
            raise

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic."""
        return len(self._rows.get(topic, ()))

    def recorded_ns(self, topic: str) -> NDArray[np.int64]:
        """Return when each message of a topic was recorded."""
        return np.array([time_ns for _, time_ns in self._rows[topic]], np.int64)

    def message(self, topic: str, index: int) -> Cursor:
        """Return a message."""
        row = self._rows[topic][index][0]
        return self._open(topic, index, self._ask(partial(_read, row)))

    def heads(self, topics: Iterable[str]) -> Iterator[tuple[str, int, Cursor]]:
        """Yield the beginnings of messages; of each only its first bytes are read."""
        places = [
            (row, topic, index)
            for topic in topics
            for index, (row, _) in enumerate(self._rows.get(topic, ()))
        ]
        for row, topic, index in sorted(places):
            head = self._ask(partial(_read_head, row))
            yield topic, index, self._open(topic, index, head)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._database.close()

    def _read_index(self) -> None:
        query = (
            "SELECT id, CAST(name AS TEXT), CAST(type AS TEXT), serialization_format FROM topics"
        )
        names: dict[int, str] = {}
        for number, name, kind, encoding in self._all(query):
            if not (isinstance(name, str) and isinstance(kind, str)):
                found = f"topic {number} without name or type"
                raise CorruptRecordingError(self.path, 0, found, "both", ADVICE)
            names[number] = name
            self.types[name] = kind
            self._encodings[name] = str(encoding)
            self._rows.setdefault(name, [])
        self.types = short_types(self.types, self.path)
        # Damaged, a column may hold anything.
        query = (
            "SELECT CAST(IFNULL(id, 0) AS INTEGER), topic_id, "
            "CAST(IFNULL(timestamp, 0) AS INTEGER) FROM messages"
        )
        for row, number, time_ns in sorted(self._all(query), key=itemgetter(0)):
            if number not in names:
                found = f"message {row} of topic {number}"
                raise CorruptRecordingError(self.path, 0, found, "a topic in the list", ADVICE)
            self._rows[names[number]].append((row, time_ns))

    def _all(self, query: str) -> list[Any]:
        return self._ask(lambda database: database.execute(query).fetchall())

    def _open(self, topic: str, index: int, data: bytes) -> Cursor:
        where = f"{self.path} (message {index} of {topic})"
        return open_message(data, self._encodings[topic], where)

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        with faults_named(self.path, ADVICE), self._lock:
            return question(self._database)


def topic_names(path: Path) -> list[str] | None:
    """Return the topics of a SQLite file, None if it is no ROS 2 bag or cannot be read."""
    try:
        database = sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)
        try:
            database.execute("SELECT topic_id, timestamp, data FROM messages LIMIT 0")
            return [str(name) for (name,) in database.execute("SELECT name FROM topics")]
        finally:
            database.close()
    except (sqlite3.Error, OSError):
        return None


def _read(row: int, database: sqlite3.Connection) -> bytes:
    # A quarter of the time of SELECT, which puts the pages together twice.
    with database.blobopen("messages", "data", row, readonly=True) as blob:
        return blob.read()


def _read_head(row: int, database: sqlite3.Connection) -> bytes:
    with database.blobopen("messages", "data", row, readonly=True) as blob:
        head = blob.read(HEAD_BYTES)
        # What is compressed has no beginning of its own.
        return head if head[:1] == b"\0" else head + blob.read()
