"""CDR: the serialization of ROS 2 messages.

References
----------
OMG, "DDS Interoperability Wire Protocol (RTPS)", version 2.3, section 10 (encapsulation);
OMG, "Common Object Request Broker Architecture", version 3.3, part 2, section 9.3 (alignment).
"""

import struct
from pathlib import Path
from typing import Final

from sensorfusion.formats.cursor import Cursor

_LITTLE_ENDIAN: Final = b"\x00\x01"
_HEADER_BYTES: Final = 4


class CdrReader(Cursor):
    """Read a message in little-endian plain CDR.

    Each value begins at a multiple of its size, counted behind the four header bytes, and a
    string counts and holds its closing zero.

    Parameters
    ----------
    data : bytes or memoryview
        The message with its encapsulation header.
    where : Path or str
        The file, and what in it, named in errors.

    Raises
    ------
    CorruptRecordingError
        If the header is not that of little-endian plain CDR.
    """

    __slots__ = ()

    def __init__(self, data: bytes | memoryview, where: Path | str) -> None:
        super().__init__(data, where)
        header = bytes(self.octets(_HEADER_BYTES))
        if header[:2] != _LITTLE_ENDIAN:
            self.position = 0
            found = f"header {header.hex()}"
            raise self.corrupt(found, "0001 (little-endian CDR)")

    def align(self, size: int) -> None:
        """Skip the gap before a value of ``size`` bytes."""
        gap = -(self.position - _HEADER_BYTES) % size
        # The gap behind the last value may be left out.
        self.octets(min(gap, self.left))

    def string(self) -> str:
        """Read a string and its closing zero."""
        return super().string().removesuffix("\0")


class CdrWriter:
    """Build a message in little-endian plain CDR, the counterpart of :class:`CdrReader`."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray(_LITTLE_ENDIAN + b"\0\0")

    def write(self, code: str, *values: float) -> "CdrWriter":
        """Append values of one type, given as its letter in module ``struct``."""
        gap = -(len(self._data) - _HEADER_BYTES) % struct.calcsize(code)
        self._data += bytes(gap) + struct.pack(f"<{len(values)}{code}", *values)
        return self

    def string(self, text: str) -> "CdrWriter":
        """Append a string."""
        return self.sequence(text.encode() + b"\0")

    def sequence(self, octets: bytes | memoryview) -> "CdrWriter":
        """Append a length and bytes."""
        self.write("I", len(octets))
        self._data += octets
        return self

    @property
    def message(self) -> bytes:
        """Return the message."""
        return bytes(self._data)
