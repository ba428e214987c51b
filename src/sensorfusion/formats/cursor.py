"""Cursor: reads packed little-endian values and never runs past the end."""

import struct
from pathlib import Path
from typing import Any

from sensorfusion.errors import CorruptRecordingError


class Cursor:
    """A position in a message, moved on by each value that is read.

    This base class reads values without gaps, as ROS 1 packs them: a string is its length in
    four bytes and its bytes.

    Parameters
    ----------
    data : bytes or memoryview
        The message.
    where : Path or str
        The file, and what in it, named in errors.

    References
    ----------
    ROS wiki, "msg" (serialization) and "roscpp/Overview/MessagesSerializationAndAdaptingTypes".
    """

    __slots__ = ("_data", "position", "where")

    def __init__(self, data: bytes | memoryview, where: Path | str) -> None:
        self._data = memoryview(data)
        self.where = where
        self.position = 0

    def align(self, size: int) -> None:
        """Move to where a value of ``size`` bytes may begin; without gaps this is here."""

    def read(self, code: str, count: int = 1) -> tuple[Any, ...]:
        """Read ``count`` values of one type, given as its letter in module ``struct``."""
        size = struct.calcsize(code)
        self.align(size)
        return struct.unpack(f"<{count}{code}", self.octets(size * count))

    def number(self, code: str = "I") -> int:
        """Read one integer, unsigned 32 bit unless told otherwise."""
        return int(self.read(code)[0])

    def octets(self, count: int) -> memoryview:
        """Read ``count`` bytes.

        Raises
        ------
        CorruptRecordingError
            If fewer are left.
        """
        end = self.position + count
        if end > len(self._data):
            found = f"the end of the message after {len(self._data)} bytes"
            raise self.corrupt(found, f"{count} more bytes")
        octets = self._data[self.position : end]
        self.position = end
        return octets

    def sequence(self) -> memoryview:
        """Read a length in four bytes and that many bytes."""
        return self.octets(self.number())

    def string(self) -> str:
        """Read a string; bytes that are not UTF-8 become replacement characters."""
        return bytes(self.sequence()).decode("utf-8", "replace")

    @property
    def left(self) -> int:
        """Return how many bytes are left."""
        return len(self._data) - self.position

    def corrupt(self, found: str, expected: str) -> CorruptRecordingError:
        """Return the error that says what is wrong at this position."""
        advice = "the recording is damaged; copy it again from where it was made"
        return CorruptRecordingError(self.where, self.position, found, expected, advice)
