"""The driver for packet captures of Ouster and Velodyne sensors."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from sensorfusion.errors import (
    DriverError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.formats.pcap import is_capture
from sensorfusion.formats.udp import Capture, Datagram
from sensorfusion.sources.driver import Driver, FrameSource, Truth
from sensorfusion_drivers.packets.ouster import OusterSource
from sensorfusion_drivers.packets.ouster_metadata import (
    OusterMetadata,
    looks_like_metadata,
    read_metadata,
)
from sensorfusion_drivers.packets.ouster_packets import PROFILES, PacketFormat
from sensorfusion_drivers.packets.velodyne import PACKET_BYTES, VelodyneSource, is_velodyne

# Datagrams looked at to recognise a recording; IMU and position packets stand between.
_SAMPLE: Final = 256
_LARGEST_FOLDER: Final = 200
# Of every profile, sensor and mode.
_OUSTER_BYTES: Final = frozenset(
    PacketFormat(profile, rows, columns, legacy=name == "LEGACY").packet_bytes
    for name, profile in PROFILES.items()
    for rows in (16, 32, 64, 128)
    for columns in (4, 8, 16)
)


class PacketsDriver(Driver):
    """Open packet captures (pcap, pcapng) of Ouster and Velodyne sensors."""

    summary = (
        "packets of a LiDAR: Ouster .pcap with its .json, Velodyne .pcap; or a folder with one"
    )

    def can_open(self, location: str) -> bool:
        """Recognise captures whose datagrams look like those of a LiDAR."""
        try:
            capture = Capture(_find_capture(Path(location)))
        # An odd name is a ValueError, a file that may not be read an OSError.
        except (SensorFusionError, OSError, ValueError):
            return False
        try:
            return _kind(capture, islice(capture.datagrams(), _SAMPLE)) != ""
        # Opening it says what is wrong with the capture; no other driver would.
        except SensorFusionError:
            return True
        finally:
            capture.close()

    def open(
        self, location: str, *, metadata: str = "", product: str = "", port: int = 0
    ) -> FrameSource:
        """Open a capture, or a folder that holds one.

        Parameters
        ----------
        location : str
        metadata : str
            JSON of an Ouster sensor; by default the one beside the capture.
        product : str
            Name of a Velodyne sensor, if its packets do not say it.
        port : int
            UDP port of the sensor to read, where the capture holds several; 0 for the only one.

        Raises
        ------
        SourceError
            If it is no capture of such a sensor, or is damaged.
        CalibrationError
            If an Ouster sensor's metadata are impossible or those of another.
        DriverError
            If an option is for the other maker's sensors.
        """
        capture = Capture(_find_capture(Path(location)))
        try:
            return _open(capture, metadata, product, port)
        except BaseException:
            capture.close()
            raise

    def truth(self, location: str, *, metadata: str = "", port: int = 0) -> Truth:
        """Return the poses that stand beside a capture."""
        with self.open(location, metadata=metadata, port=port) as source:
            return Truth(source.trajectory)


def _open(capture: Capture, metadata: str, product: str, port: int) -> FrameSource:
    path = capture.path
    datagrams = list(capture.datagrams())
    kind = _kind(capture, datagrams)
    source: FrameSource
    if kind == "velodyne":
        _refuse_option("metadata", metadata, path, "a Velodyne")
        packets = [item for item in datagrams if item.size == PACKET_BYTES]
        chosen = _of_one_sensor(path, packets, port)
        source = VelodyneSource(capture, chosen, product)
    elif kind == "ouster":
        _refuse_option("product", product, path, "an Ouster")
        sensor = read_metadata(_find_metadata(path, metadata))
        chosen = _ouster_packets(path, datagrams, sensor, port)
        source = OusterSource(capture, chosen, sensor)
    else:
        raise UnsupportedRecordingError(_nothing(path, datagrams, capture.skipped))
    source.notes = (*source.notes, *_left_out(capture, datagrams, chosen))
    return source


def _refuse_option(name: str, value: str, path: Path, maker: str) -> None:
    if value:
        msg = f"{path}: option {name} means nothing for {maker} sensor; leave it out"
        raise DriverError(msg)


def _left_out(capture: Capture, datagrams: list[Datagram], chosen: list[Datagram]) -> Iterator[str]:
    """Say what else the capture holds: packets of an IMU or a GPS, or of another program."""
    others = Counter((item.port, item.size) for item in datagrams)
    others.subtract((item.port, item.size) for item in chosen)
    for (port, size), count in sorted(others.items()):
        if count:
            yield f"{count} datagrams of {size} bytes to port {port} are not read"
    for reason, count in capture.skipped.items():
        yield f"{count} {reason} are left out"


def _find_capture(location: Path) -> Path:
    """Return the capture, or the only one in a folder."""
    if not location.is_dir():
        # Opening a pipe would wait for its writer.
        if location.exists() and not location.is_file():
            msg = f"{location}: is neither a file nor a folder; expected a packet capture"
            raise SourceError(msg)
        with location.open("rb") as file:
            head = file.read(4)
        if not is_capture(head):
            msg = f"{location}: is no packet capture; expected pcap or pcapng"
            raise SourceError(msg)
        return location
    found = []
    for path in sorted(location.iterdir())[:_LARGEST_FOLDER]:
        if path.is_file():
            with path.open("rb") as file:
                if is_capture(file.read(4)):
                    found.append(path)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        msg = (
            f"{location}: holds {names} as packet capture; expected one; give the path of the file"
        )
        raise SourceError(msg)
    return found[0]


def _kind(capture: Capture, datagrams: Iterable[Datagram]) -> str:
    """Return "velodyne", "ouster" or, if no datagram looks like one of theirs, nothing."""
    for datagram in datagrams:
        if datagram.size == PACKET_BYTES and is_velodyne(capture.payload(datagram)):
            return "velodyne"
        if datagram.size in _OUSTER_BYTES:
            return "ouster"
    return ""


def _find_metadata(capture: Path, given: str) -> Path:
    """Return the JSON that belongs to an Ouster capture: of its name, or the only one there."""
    if given:
        return Path(given)
    beside = [path for path in sorted(capture.parent.glob("*.json")) if looks_like_metadata(path)]
    named = [
        path
        for path in beside
        if capture.stem.startswith(path.stem) or path.stem.startswith(capture.stem)
    ]
    if named:
        return max(named, key=lambda path: (path.stem == capture.stem, len(path.stem)))
    if len(beside) == 1:
        return beside[0]
    msg = (
        f"{capture}: packets of an Ouster sensor, but "
        f"{'no' if not beside else 'more than one'} metadata file (.json) beside them; give the "
        "sensor's with -o metadata=FILE"
    )
    raise SourceError(msg)


def _ouster_packets(
    path: Path, datagrams: list[Datagram], sensor: OusterMetadata, port: int
) -> list[Datagram]:
    size = PacketFormat.of(sensor).packet_bytes
    packets = [item for item in datagrams if item.size == size]
    if not packets:
        sizes = Counter(item.size for item in datagrams if item.size in _OUSTER_BYTES)
        msg = (
            f"{path}: holds packets of {', '.join(map(str, sizes))} bytes; by {sensor.path.name} "
            f"({sensor.profile}, {sensor.rows} rows) they have {size}; give the metadata of this "
            "recording with -o metadata=FILE"
        )
        raise SourceError(msg)
    ports = {item.port for item in packets}
    chosen = port or (sensor.port if len(ports) > 1 and sensor.port in ports else 0)
    return _of_one_sensor(path, packets, chosen)


def _of_one_sensor(path: Path, packets: list[Datagram], port: int) -> list[Datagram]:
    """Return the packets to one port, if they come from one sender."""
    chosen = [item for item in packets if port in (0, item.port)]
    senders = Counter((item.source, item.port) for item in chosen)
    if len(senders) == 1:
        return chosen
    ports = Counter(item.port for item in packets)
    listed = ", ".join(f"{number} ({count} packets)" for number, count in sorted(ports.items()))
    msg = (
        f"{path}: holds packets of {len(senders)} sensors; there are ports {listed}; choose a "
        "sensor with -o port=NUMBER"
    )
    raise SourceError(msg)


def _nothing(path: Path, datagrams: list[Datagram], skipped: dict[str, int]) -> str:
    sizes = Counter(item.size for item in datagrams).most_common(3)
    held = ", ".join(f"{count} datagrams of {size} bytes" for size, count in sizes) or "no datagram"
    left = "".join(f", {count} {reason}" for reason, count in skipped.items())
    return (
        f"{path}: holds {held}{left}; expected packets of an Ouster or Velodyne sensor; record "
        "them with their UDP ports (Ouster 7502, Velodyne 2368)"
    )
