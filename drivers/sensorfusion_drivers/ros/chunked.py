"""ROS 1 bags and MCAP files as recordings: both keep messages in chunks, with an index."""

from collections.abc import Iterable, Iterator
from pathlib import Path

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
        self._bag = Ros1Bag(path)
        self.types = short_types(self._bag.types, path)

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic."""
        return len(self._bag.entries.get(topic, ()))

    def recorded_ns(self, topic: str) -> list[int]:
        """Return when each message of a topic was recorded."""
        return [entry.time_ns for entry in self._bag.entries[topic]]

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

    Raises
    ------
    SourceError
        If the file cannot be opened, or is damaged or unfinished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = McapFile(path)
        self.types = short_types(self._file.types, path)

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic."""
        return len(self._file.entries.get(topic, ()))

    def recorded_ns(self, topic: str) -> list[int]:
        """Return when each message of a topic was recorded."""
        return [entry.time_ns for entry in self._file.entries[topic]]

    def message(self, topic: str, index: int) -> Cursor:
        """Return a message."""
        data = self._file.message(self._file.entries[topic][index])
        return self._open(topic, index, data)

    def heads(self, topics: Iterable[str]) -> Iterator[tuple[str, int, Cursor]]:
        """Yield beginnings in the order they were stored, each chunk unpacked as far as needed."""
        places = [
            (entry.chunk, entry.offset, topic, index)
            for topic in topics
            for index, entry in enumerate(self._file.entries.get(topic, ()))
        ]
        places.sort()
        entries = [self._file.entries[topic][index] for _, _, topic, index in places]
        heads = self._file.heads(entries, HEAD_BYTES)
        for (_, _, topic, index), data in zip(places, heads, strict=True):
            packed = bytes(data[:1]) != b"\0" and self._file.encodings[topic] == "cdr"
            yield (
                topic,
                index,
                self.message(topic, index) if packed else self._open(topic, index, data),
            )

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _open(self, topic: str, index: int, data: memoryview) -> Cursor:
        where = f"{self.path} (message {index} of {topic})"
        return open_message(data, self._file.encodings[topic], where)
