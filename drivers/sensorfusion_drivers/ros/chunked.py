"""ROS 1 bags and MCAP files as recordings: both keep messages in chunks, with an index."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.mcap_file import McapFile
from sensorfusion.formats.ros1 import Ros1Bag
from sensorfusion_drivers.ros.recording import HEAD_BYTES, open_message, short_types


class BagRecording:
    """A ROS 1 bag; see :class:`~sensorfusion_drivers.ros.recording.Recording`.

    Raises
    ------
    SourceError
        If the file cannot be opened, is damaged or has no index.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self._bag = Ros1Bag(path)
        self.types = short_types(self._bag.types, path)

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic."""
        return len(self._bag.entries.get(topic, ()))

    def recorded_ns(self, topic: str) -> NDArray[np.int64]:
        """Return when each message of a topic was recorded."""
        return np.array([entry.time_ns for entry in self._bag.entries[topic]], np.int64)

    def message(self, topic: str, index: int) -> Cursor:
        """Return a message."""
        where = f"{self.path} (message {index} of {topic})"
        data = self._bag.message(self._bag.entries[topic][index])
        return open_message(data, "ros1", where)

    def heads(self, topics: Iterable[str]) -> Iterator[tuple[str, int, Cursor]]:
        """Yield messages in the order they were stored, so that a chunk is unpacked once."""
        places = [
            (entry.chunk, entry.offset, topic, index)
            for topic in topics
            for index, entry in enumerate(self._bag.entries.get(topic, ()))
        ]
        for _, _, topic, index in sorted(places):
            yield topic, index, self.message(topic, index)

    def close(self) -> None:
        """Release the file."""
        self._bag.close()


class McapRecording:
    """An MCAP file; see :class:`~sensorfusion_drivers.ros.recording.Recording`.

    Attributes
    ----------
    facts : dict of str to dict of str to str
        What the recorder says about each topic.
    beside : Beside
        Files and texts within the file.

    Raises
    ------
    SourceError
        If the file cannot be opened, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = McapFile(path)
        self.notes: tuple[str, ...] = (self._file.note,) if self._file.note else ()
        self.facts, self.beside = self._file.facts, self._file.beside
        self.types = short_types(self._file.types, path)

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic."""
        return len(self._file.places.get(topic, ()))

    def recorded_ns(self, topic: str) -> NDArray[np.int64]:
        """Return when each message of a topic was recorded."""
        return self._file.places[topic][:, 2]

    def message(self, topic: str, index: int) -> Cursor:
        """Return a message."""
        return self._open(topic, index, self._file.message(topic, index))

    def heads(self, topics: Iterable[str]) -> Iterator[tuple[str, int, Cursor]]:
        """Yield beginnings in the order they were stored, each chunk unpacked as far as needed."""
        for topic, index, data in self._file.heads(topics, HEAD_BYTES):
            # What rosbag2 compressed by itself has no beginning of its own.
            packed = bytes(data[:1]) != b"\0" and self._file.encodings[topic] == "cdr"
            cursor = self.message(topic, index) if packed else self._open(topic, index, data)
            yield topic, index, cursor

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _open(self, topic: str, index: int, data: memoryview) -> Cursor:
        where = f"{self.path} (message {index} of {topic})"
        return open_message(data, self._file.encodings[topic], where)
