"""Which packets of an Ouster recording make which scan."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np

from sensorfusion.errors import CalibrationError
from sensorfusion.formats.udp import Capture, Datagram
from sensorfusion_drivers.packets.ouster_metadata import OusterMetadata
from sensorfusion_drivers.packets.ouster_packets import LIDAR_PACKET, Columns, PacketFormat

# Packets whose checksums are made at once: 10 MB.
_BATCH: Final = 512


@dataclass(slots=True)
class ScanPackets:
    """One revolution.

    Attributes
    ----------
    packets : list of Datagram
        In the order in which they came.
    timestamp_ns : int
        Of the first valid column, on the sensor's clock; -1 when there is none.
    columns : int
        Valid columns.
    """

    packets: list[Datagram] = field(default_factory=list)
    timestamp_ns: int = -1
    columns: int = 0
    _firsts: set[int] = field(default_factory=set, init=False, repr=False)

    def add(self, datagram: Datagram, columns: Columns) -> bool:
        """Add a packet with its columns; say no if the scan has these columns already."""
        valid = np.flatnonzero(columns.valid)
        if len(valid):
            first = int(columns.column[valid[0]])
            if first in self._firsts:
                return False
            self._firsts.add(first)
            first_ns = int(columns.timestamp_ns[valid].min())
            self.timestamp_ns = min(first_ns, self.timestamp_ns) if self.columns else first_ns
            self.columns += len(valid)
        self.packets.append(datagram)
        return True


@dataclass(slots=True)
class ScanIndex:
    """All scans of a recording.

    Attributes
    ----------
    scans : list of ScanPackets
        In order of time.
    damaged_packets, other_packets, repeated_packets : int
        Left out: with a wrong checksum, with something else than ranges, or captured before.
    dropped : dict of str to int
        Scans that cannot be delivered, by reason.
    run : int
        Number of the sensor's start as the packets say it, 0 where they do not.
    """

    scans: list[ScanPackets] = field(default_factory=list)
    damaged_packets: int = 0
    other_packets: int = 0
    repeated_packets: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    run: int = 0

    def drop(self, reason: str) -> None:
        """Count a scan that is not delivered."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


def index_scans(
    capture: Capture, datagrams: list[Datagram], sensor: OusterMetadata, layout: PacketFormat
) -> ScanIndex:
    """Sort packets into scans by the number of the revolution that stands in them.

    The number is of 16 bits and begins again at 0. A packet that comes late still finds its scan.

    Parameters
    ----------
    capture : Capture
    datagrams : list of Datagram
        Those with the size of the sensor's packets.
    sensor : OusterMetadata
    layout : PacketFormat

    Raises
    ------
    CalibrationError
        If the packets are those of another sensor or mode than the metadata.
    """
    index = ScanIndex()
    found: dict[tuple[int, int], ScanPackets] = {}
    start, unwrapped, run = 0, 0, -1
    for datagram, packet in _sound(capture, datagrams, layout, index):
        now, serial = layout.run_and_serial(packet)
        _check_serial(sensor, serial)
        number = layout.frame_id(packet)
        number = unwrapped if number is None else number
        if now != run:  # the sensor was started again, and counts from anew
            start, unwrapped, run = start + 1, number, now
        unwrapped += (number - unwrapped + 0x8000) % 0x10000 - 0x8000
        scan = found.setdefault((start, unwrapped), ScanPackets())
        columns = layout.columns([packet])
        if not scan.add(datagram, columns):
            index.repeated_packets += 1
        _check_columns(sensor, columns)
    index.run = max(run, 0)
    for _, scan in sorted(found.items()):
        if not scan.columns:
            index.drop("a scan without a valid column")
        elif index.scans and scan.timestamp_ns <= index.scans[-1].timestamp_ns:
            index.drop("a scan that is not later than the one before")
        else:
            index.scans.append(scan)
    return index


def _sound(
    capture: Capture, datagrams: list[Datagram], layout: PacketFormat, index: ScanIndex
) -> Iterator[tuple[Datagram, bytes]]:
    """Yield the packets with ranges whose checksum, if there is one, is right."""
    waiting = iter(datagrams)
    while batch := list(islice(waiting, _BATCH)):
        packets = [capture.payload(datagram) for datagram in batch]
        for datagram, packet, damaged in zip(batch, packets, layout.damaged(packets), strict=True):
            if damaged:
                index.damaged_packets += 1
            elif layout.packet_type(packet) != LIDAR_PACKET:
                index.other_packets += 1
            else:
                yield datagram, packet


def _check_serial(sensor: OusterMetadata, serial: int) -> None:
    if serial and sensor.serial.isdecimal() and str(serial) != sensor.serial.lstrip("0"):
        msg = (
            f"{sensor.path}: is of sensor {sensor.serial}; the packets are of sensor {serial}; "
            "give the metadata of that one with -o metadata=FILE"
        )
        raise CalibrationError(msg)


def _check_columns(sensor: OusterMetadata, columns: Columns) -> None:
    last = int(columns.column[columns.valid].max(initial=0))
    if last >= sensor.columns:
        msg = (
            f"{sensor.path}: tells of {sensor.columns} columns; a packet holds column {last}; "
            "give the metadata of this recording with -o metadata=FILE"
        )
        raise CalibrationError(msg)
