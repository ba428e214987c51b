"""Packet captures: records of pcap and pcapng files.

References
----------
IETF drafts "PCAP Capture File Format" (draft-ietf-opsawg-pcap) and "PCAP Now Generic (pcapng)
Capture File Format" (draft-ietf-opsawg-pcapng).
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError

Buffer = bytes | mmap.mmap

# Magic number as it stands in the file: byte order for module struct, nanoseconds per unit.
_MAGIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_NG_MAGIC: Final = b"\x0a\x0d\x0d\x0a"
_NG_SECTION, _NG_INTERFACE, _NG_PACKET = 0x0A0D0D0A, 1, 6
# Packets that carry no interface or no time; every writer of this century avoids them.
_NG_UNDATED: Final = {2: "an obsolete packet block", 3: "a simple packet block, without a time"}
# No link delivers more; a larger length is a damaged file (libpcap's own bound).
_LARGEST_RECORD: Final = 262_144
_DAMAGED: Final = (
    "the capture is damaged or was cut short; copy it again, or save what is whole of it with "
    "`tcpdump -r FILE -w NEW.pcap`"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One captured packet, and where its bytes lie.

    Attributes
    ----------
    timestamp_ns : int
        When it was captured, nanoseconds since 1970.
    link_type : int
        What its first header is, as registered with tcpdump.org ("LINKTYPE").
    start, end : int
        Its bytes in the file; fewer than were on the wire if the capture cuts packets short.
    """

    timestamp_ns: int
    link_type: int
    start: int
    end: int


def is_capture(head: bytes) -> bool:
    """Say whether a file that begins with these (at least 4) bytes is a capture."""
    return head[:4] in _MAGIC or head[:4] == _NG_MAGIC


def read_records(data: Buffer, path: Path) -> Iterator[Record]:
    """Yield the packets of a capture in the order of the file.

    Parameters
    ----------
    data : bytes or mmap
        The file.
    path : Path
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If a length or a time is impossible, or the file ends within a record.
    UnsupportedRecordingError
        If the packets have no time.
    """
    head = bytes(data[:4])
    if head == _NG_MAGIC:
        yield from _read_blocks(data, path)
    elif head in _MAGIC:
        yield from _read_classic(data, path)
    else:
        raise _corrupt(path, 0, f"the bytes {head.hex()}", "the magic number of pcap or pcapng")


def _read_classic(data: Buffer, path: Path) -> Iterator[Record]:
    order, unit_ns = _MAGIC[bytes(data[:4])]
    size = len(data)
    if size < 24:
        raise _corrupt(path, 0, f"{size} bytes", "a file header of 24 bytes")
    major, minor, link = struct.unpack_from(f"{order}4xHH12xI", data)
    if (major, minor) != (2, 4):
        raise _corrupt(path, 4, f"version {major}.{minor}", "version 2.4")
    header = struct.Struct(f"{order}IIII")
    at = 24
    while at < size:
        if at + header.size > size:
            raise _corrupt(path, at, f"{size - at} bytes", "a record header of 16 bytes")
        seconds, fraction, captured, original = header.unpack_from(data, at)
        if fraction * unit_ns >= 1_000_000_000:
            expected = "less than one second: a record header"
            raise _corrupt(path, at + 4, f"a fraction of {fraction * unit_ns} ns", expected)
        start = at + header.size
        _check_length(path, at + 8, (captured, original), size - start)
        at = start + captured
        # The upper four bits of the link type tell about check sequences, which nothing here reads.
        stamp_ns = seconds * 1_000_000_000 + fraction * unit_ns
        yield Record(stamp_ns, link & 0x0FFFFFFF, start, at)


def _read_blocks(data: Buffer, path: Path) -> Iterator[Record]:
    order = "<"
    interfaces: list[tuple[int, int]] = []  # link type, units per second
    at, size = 0, len(data)
    while at < size:
        if at + 12 > size:
            raise _corrupt(path, at, f"{size - at} bytes", "a block of at least 12")
        if data[at : at + 4] == _NG_MAGIC:
            order = _byte_order(data, at, path)
            interfaces = []
        kind, length = struct.unpack_from(f"{order}II", data, at)
        end = at + length
        if length < 12 or length % 4 or end > size:
            raise _corrupt(path, at + 4, f"a block of {length} bytes", f"at most {size - at}")
        if struct.unpack_from(f"{order}I", data, end - 4)[0] != length:
            raise _corrupt(path, end - 4, "another length than at the block's start", f"{length}")
        if kind in _NG_UNDATED:
            msg = f"{path}: at byte {at}: holds {_NG_UNDATED[kind]}; save it as pcap"
            raise UnsupportedRecordingError(msg)
        if kind == _NG_INTERFACE:
            interfaces.append(_read_interface(data, at, end, order, path))
        elif kind == _NG_PACKET:
            yield _read_packet(data, at, end, order, path, interfaces)
        at = end


def _byte_order(data: Buffer, at: int, path: Path) -> str:
    for order in "<>":
        if struct.unpack_from(f"{order}I", data, at + 8)[0] == 0x1A2B3C4D:
            return order
    found = f"the bytes {bytes(data[at + 8 : at + 12]).hex()}"
    raise _corrupt(path, at + 8, found, "the byte-order magic 1a2b3c4d of a section")


def _read_interface(data: Buffer, at: int, end: int, order: str, path: Path) -> tuple[int, int]:
    """Return link type and units of time per second of an interface."""
    if end - at < 20:
        raise _corrupt(path, at, f"an interface block of {end - at} bytes", "20 or more")
    (link,) = struct.unpack_from(f"{order}H", data, at + 8)
    option = at + 16
    while option + 4 <= end - 4:
        code, length = struct.unpack_from(f"{order}HH", data, option)
        if code == 0:
            break
        if code == 9 and length == 1 and option + 4 < end - 4:  # if_tsresol
            power = data[option + 4]
            return link, 2 ** (power & 0x7F) if power & 0x80 else 10 ** (power & 0x7F)
        option += 4 + (length + 3) // 4 * 4
    return link, 1_000_000


def _read_packet(
    data: Buffer, at: int, end: int, order: str, path: Path, interfaces: list[tuple[int, int]]
) -> Record:
    if end - at < 32:
        raise _corrupt(path, at, f"a packet block of {end - at} bytes", "32 or more")
    index, high, low, captured, original = struct.unpack_from(f"{order}5I", data, at + 8)
    if index >= len(interfaces):
        raise _corrupt(path, at + 8, f"interface {index}", f"one of the {len(interfaces)} above")
    link, per_second = interfaces[index]
    start = at + 28
    _check_length(path, at + 20, (captured, original), end - 4 - start)
    stamp_ns = ((high << 32) | low) * 1_000_000_000 // per_second
    if stamp_ns >= 2**63:
        raise _corrupt(path, at + 12, f"a time of {stamp_ns} ns since 1970", "one before 2262")
    return Record(stamp_ns, link, start, start + captured)


def _check_length(path: Path, at: int, lengths: tuple[int, int], left: int) -> None:
    captured, original = lengths
    if captured > min(left, _LARGEST_RECORD) or captured > original:
        found = f"a packet of {captured} bytes, {original} on the wire"
        raise _corrupt(path, at, found, f"at most the {min(left, _LARGEST_RECORD)} that are left")


def _corrupt(path: Path, at: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, at, found, expected, _DAMAGED)
