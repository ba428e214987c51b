"""What every container of ROS messages offers, and several of them as one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.cdr import CdrReader
from sensorfusion.formats.cursor import Cursor

ADVICE: Final = "the recording is damaged; copy it again from where it was made"
HEAD_BYTES: Final = 512
"""Of a message, enough for its header: a time and the name of a coordinate system."""
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LARGEST_MESSAGE_BYTES: Final = 1 << 30
_LONGEST_NAME: Final = 1000


class Recording(Protocol):
    """An open container. Every method may be called from any thread.

    Attributes
    ----------
    path : Path
    types : dict of str to str
        Message type by topic, without the "/msg" of ROS 2: "sensor_msgs/PointCloud2".
    notes : tuple of str
        What is missing of it.
    """

    path: Path
    types: dict[str, str]
    notes: tuple[str, ...]

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic."""

    def recorded_ns(self, topic: str) -> NDArray[np.int64]:
        """Return when each message of a topic was recorded, int64 (N,), nanoseconds."""

    def message(self, topic: str, index: int) -> Cursor:
        """Return a message."""

    def heads(self, topics: Iterable[str]) -> Iterator[tuple[str, int, Cursor]]:
        """Yield topic, number and beginning of each message, in the order they were stored."""

    def close(self) -> None:
        """Release the files; may be called twice."""


class Joined:
    """Several files of one recording as one; see :class:`Recording`."""

    def __init__(self, path: Path, parts: Sequence[Recording]) -> None:
        self.path = path
        self._parts = parts
        self.notes = tuple(f"{part.path.name}: {note}" for part in parts for note in part.notes)
        self.types: dict[str, str] = {}
        for part in parts:
            for topic, kind in part.types.items():
                if self.types.setdefault(topic, kind) != kind:
                    msg = (
                        f"{path}: topic {topic!r} holds {self.types[topic]} in one file and {kind} "
                        "in another; expected one type; open the files one by one"
                    )
                    raise UnsupportedRecordingError(msg)

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic in all files."""
        return sum(part.count(topic) for part in self._parts)

    def recorded_ns(self, topic: str) -> NDArray[np.int64]:
        """Return when each message of a topic was recorded."""
        parts = [part.recorded_ns(topic) for part in self._parts if part.count(topic)]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def message(self, topic: str, index: int) -> Cursor:
        """Return a message."""
        for part in self._parts:
            if index < part.count(topic):
                return part.message(topic, index)
            index -= part.count(topic)
        raise IndexError(index)

    def heads(self, topics: Iterable[str]) -> Iterator[tuple[str, int, Cursor]]:
        """Yield the beginnings of messages, file by file."""
        names = tuple(topics)
        before = dict.fromkeys(names, 0)
        for part in self._parts:
            for topic, index, cursor in part.heads(names):
                yield topic, before[topic] + index, cursor
            for topic in names:
                before[topic] += part.count(topic)

    def close(self) -> None:
        """Release all files."""
        for part in self._parts:
            part.close()


def short_types(types: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return types by topic as ROS 1 names them: "sensor_msgs/msg/Image" is "sensor_msgs/Image".

    Raises
    ------
    CorruptRecordingError
        If a name holds what no name in ROS can hold.
    """
    for name in (*types, *types.values()):
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            found = f"a topic or type named {name[:40]!r}"
            raise CorruptRecordingError(path, 0, found, "a name of ROS", ADVICE)
    return {topic: kind.replace("/msg/", "/") for topic, kind in types.items()}


def open_message(data: bytes | memoryview, encoding: str, where: str) -> Cursor:
    """Return a cursor at the first field of a message.

    Parameters
    ----------
    data : bytes or memoryview
        As stored; a message that rosbag2 compressed by itself (zstd) is unpacked.
    encoding : {"cdr", "ros1"}
    where : str
        The file, and what in it, named in errors.

    Raises
    ------
    CorruptRecordingError
        If it cannot be unpacked.
    UnsupportedRecordingError
        If it is serialized in another way.
    """
    # CDR begins with a zero byte. Of the recorders only rosbag2 compresses message by message.
    if encoding == "cdr" and data[:4] == _ZSTD:
        data = _unpack(bytes(data), where)
    if encoding == "cdr":
        return CdrReader(data, where)
    if encoding == "ros1":
        return Cursor(data, where)
    msg = f"{where}: serialized as {encoding[:32]!r}; this version reads cdr (ROS 2) and ros1"
    raise UnsupportedRecordingError(msg)


def _unpack(data: bytes, where: str) -> bytes:
    # Imported here: a driver's module must be cheap to import.
    import zstandard  # noqa: PLC0415

    try:
        size = zstandard.frame_content_size(data)
        if size <= _LARGEST_MESSAGE_BYTES:
            return zstandard.ZstdDecompressor().decompress(
                data, max_output_size=_LARGEST_MESSAGE_BYTES if size < 0 else size
            )
        found = f"a message that claims to unpack to {size} bytes"
    except zstandard.ZstdError as error:
        found = f"a message that does not unpack ({error})"
    raise CorruptRecordingError(where, 0, found, "a zstd frame of at most 1 GiB", ADVICE)
