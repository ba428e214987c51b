"""UDP datagrams of a packet capture, put together from their fragments.

References
----------
RFC 768 (UDP), RFC 791 (IPv4 and its fragments), IEEE 802.1Q (VLAN), tcpdump.org "Link-layer header
types" (Linux cooked captures).
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.formats.pcap import Buffer, Record, read_records
from sensorfusion.formats.read_file import read_whole

# Link type: where the two bytes of the protocol stand, and how long the header is. Of raw IP
# packets nothing stands before the IP header.
_LINKS: Final = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
_RAW: Final = frozenset({101, 228})
_VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100})
_IPV4, _UDP = 0x0800, 17
_UDP_HEADER: Final = 8


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram, and where its payload lies in the file.

    Attributes
    ----------
    timestamp_ns : int
        When its last part was captured, nanoseconds since 1970.
    source : str
        IPv4 address and port of the sender.
    port : int
        Of the receiver.
    size : int
        Bytes of payload.
    parts : tuple of (int, int)
        First byte and the one after the last of each part of the payload.
    """

    timestamp_ns: int
    source: str
    port: int
    size: int
    parts: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Pending:
    """A datagram of which fragments are still missing."""

    fragments: dict[int, tuple[int, int]] = field(default_factory=dict)
    size: int = -1  # known from the last fragment


class Capture:
    """A capture as a file of UDP datagrams.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        read_whole(path, "a packet capture", at_most=1)
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.skipped: dict[str, int] = {}
        """Packets that gave no datagram, by reason; final after :meth:`datagrams`."""

    def datagrams(self) -> Iterator[Datagram]:
        """Yield the datagrams in order of their last part.

        Raises
        ------
        CorruptRecordingError
            If the capture is damaged.
        UnsupportedRecordingError
            If it was made on a kind of link that is not read.
        """
        self.skipped = {}
        pending: dict[tuple[bytes, bytes], _Pending] = {}
        for record in read_records(self._data, self.path):
            start = _ip_start(self._data, record, self.path)
            if start < 0:
                self._skip("packets that are not UDP over IPv4")
                continue
            datagram = self._take(record, start, pending)
            if datagram is not None:
                yield datagram
        for _ in pending:
            self._skip("datagrams with missing fragments")

    def payload(self, datagram: Datagram) -> bytes:
        """Return the payload of a datagram; may be called from any thread."""
        return b"".join(self._data[start:end] for start, end in datagram.parts)

    def close(self) -> None:
        """Release the file."""
        self._data.close()

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def _take(
        self, record: Record, start: int, pending: dict[tuple[bytes, bytes], _Pending]
    ) -> Datagram | None:
        """Return the datagram that an IPv4 packet completes, if it does."""
        data = self._data
        head = bytes(data[start : start + 20])
        begin = start + (head[0] & 0x0F) * 4
        end = start + int.from_bytes(head[2:4])
        if begin < start + 20 or end < begin or end > record.end:
            self._skip("packets that were not captured whole")
            return None
        flags = int.from_bytes(head[6:8])
        offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
        if not offset and not more:
            return self._datagram(record, head, [(begin, end)])
        key = head[12:20], head[4:6]
        waiting = pending.setdefault(key, _Pending())
        if offset in waiting.fragments:
            # The number comes around again after 65536 datagrams: what waited will never be whole.
            self._skip("datagrams with missing fragments")
            waiting = pending[key] = _Pending()
        waiting.fragments[offset] = (begin, end)
        if not more:
            waiting.size = offset + end - begin
        parts = _in_order(waiting)
        if parts is None:
            return None
        del pending[key]
        return self._datagram(record, head, parts)

    def _datagram(
        self, record: Record, head: bytes, parts: list[tuple[int, int]]
    ) -> Datagram | None:
        begin, end = parts[0]
        size = sum(stop - start for start, stop in parts)
        if end - begin < _UDP_HEADER or size != int.from_bytes(self._data[begin + 4 : begin + 6]):
            self._skip("datagrams whose length is not the one in their header")
            return None
        source, port = struct.unpack_from(">HH", self._data, begin)
        parts = [(begin + _UDP_HEADER, end), *parts[1:]]
        sender = f"{'.'.join(map(str, head[12:16]))}:{source}"
        return Datagram(record.timestamp_ns, sender, port, size - _UDP_HEADER, tuple(parts))


def _ip_start(data: Buffer, record: Record, path: Path) -> int:
    """Return where the IPv4 header of a packet with UDP begins, -1 where there is none."""
    start = record.start
    if record.link_type in _LINKS:
        protocol_at, length = _LINKS[record.link_type]
        protocol = int.from_bytes(data[start + protocol_at : start + protocol_at + 2])
        start += length
        while protocol in _VLAN and start + 4 <= record.end:
            protocol = int.from_bytes(data[start + 2 : start + 4])
            start += 4
        if protocol != _IPV4:
            return -1
    elif record.link_type not in _RAW:
        msg = (
            f"{path}: at byte {record.start}: a packet of link type {record.link_type}; expected "
            "Ethernet (1), Linux cooked (113, 276) or raw IP (101, 228); record it on such a link"
        )
        raise UnsupportedRecordingError(msg)
    is_udp = start + 20 <= record.end and data[start] >> 4 == 4 and data[start + 9] == _UDP
    return start if is_udp else -1


def _in_order(waiting: _Pending) -> list[tuple[int, int]] | None:
    """Return the fragments in order when none is missing."""
    if waiting.size < 0:
        return None
    parts, at = [], 0
    for offset, (begin, end) in sorted(waiting.fragments.items()):
        if offset != at:
            return None
        parts.append((begin, end))
        at += end - begin
    return parts if at == waiting.size else None
