"""Recordings of Velodyne sensors as frames.

References
----------
Velodyne, "VLP-16 User Manual" (63-9243), "Data packet format".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import DriverError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.udp import Capture, Datagram
from sensorfusion.frame import Frame, Sample
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource

NAME: Final = "velodyne"
"""Name of the LiDAR and of its coordinate system: x forward (azimuth 0), y left, z up."""

PACKET_BYTES: Final = 1206
_BLOCK: Final = np.dtype(
    [
        ("flag", "<u2"),
        ("azimuth", "<u2"),
        ("returns", [("distance", "<u2"), ("intensity", "u1")], 32),
    ]
)
_BLOCKS: Final = 12
_FLAG: Final = 0xEEFF
_TURN: Final = 36_000  # hundredths of a degree
# A pause of the recording; packets come every 1.3 ms or more often.
_PAUSE_NS: Final = 100_000_000
# Product, its number in the packets, name in velodyne_decoder, and the data sheet's "range accuracy
# (typical)" in metres, taken for the standard deviation.
_MODELS: Final = {
    "HDL-32E": (0x21, "HDL32E", 0.02),
    "VLP-16": (0x22, "VLP16", 0.03),
    "Puck Hi-Res": (0x24, "PuckHiRes", 0.03),
    "VLP-32C": (0x28, "VLP32C", 0.03),
    "VLS-128": (0xA1, "VLS128", 0.03),
}


def is_velodyne(payload: bytes) -> bool:
    """Say whether a datagram is a packet of a Velodyne sensor with ranges."""
    return len(payload) == PACKET_BYTES and int.from_bytes(payload[:2], "little") == _FLAG


@dataclass(slots=True)
class _ScanPackets:
    """One turn: its packets, and how far it reaches, in hundredths of a degree."""

    packets: list[Datagram] = field(default_factory=list)
    covered: int = 0


class VelodyneSource(SeekableFrameSource):
    """The turns of a Velodyne sensor, decoded by ``velodyne-decoder``.

    A frame is the packets of one turn, counted from the first packet's azimuth; the last one may
    be shorter. It begins when its first packet was captured. ``ring`` counts from the highest beam
    down, ``column`` is the firing; where the beams of a firing do not lie above each other
    (VLP-32C, VLS-128) that stands in ``extra["firing"]`` and there is no column. Of two returns
    both are points; ``extra["return_type"]`` tells them apart (1 strongest, 2 last, 3 both).
    """

    def __init__(self, capture: Capture, datagrams: list[Datagram], product: str) -> None:
        self._capture = capture
        self._decoder = _import_decoder()
        scans, others = _index(capture, datagrams)
        if not scans:
            msg = f"{capture.path}: holds no packet with ranges; record it again"
            raise SourceError(msg)
        product = product or _recognise(capture, scans[0].packets[0])
        if product not in _MODELS:
            msg = f"option product is {product!r}; expected one of {', '.join(_MODELS)}"
            raise DriverError(msg)
        _, decoder_name, sigma_m = _MODELS[product]
        self._model = getattr(self._decoder.Model, decoder_name)
        calibration = self._decoder.Calibration.default_calibs[self._model].to_string()
        self._aligned = len(set(re.findall(r"rot_correction: (\S+)", calibration))) == 1
        self.rig = Rig({}, lidars={NAME: _lidar(calibration, sigma_m)})
        self.trajectory = None
        self.down_world = None
        self.losses = Losses(unpaired={NAME: 0})
        self._scans: list[_ScanPackets] = []
        for scan in scans:
            if self._scans and _start_ns(scan) <= _start_ns(self._scans[-1]):
                reason = "a scan that is not later than the one before"
                self.losses.dropped[reason] = self.losses.dropped.get(reason, 0) + 1
            else:
                self._scans.append(scan)
        self.metadata = {"Name": f"Velodyne {product}", "Clock": "capture"}
        self.notes = tuple(_notes(self._scans, others))

    def __len__(self) -> int:
        return len(self._scans)

    def __getitem__(self, index: int) -> Frame:
        """Return scan ``index``.

        Raises
        ------
        IndexError
            If there is no such scan.
        SourceError
            If its packets are of another sensor than the first.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a recording with {len(self)}"
            raise IndexError(msg)
        scan = self._scans[index]
        timestamp_ns = _start_ns(scan)
        return Frame(index, timestamp_ns, NAME, self._cloud(scan, timestamp_ns))

    def samples(self) -> Iterator[Sample]:
        """Yield every scan in order of time."""
        for frame in self:
            yield Sample(NAME, frame.timestamp_ns, frame.measurement)

    def close(self) -> None:
        """Release the file."""
        self._capture.close()

    def _cloud(self, scan: _ScanPackets, timestamp_ns: int) -> PointCloud:
        payloads = [self._capture.payload(datagram) for datagram in scan.packets]
        fields = self._decode(payloads, scan)
        blocks = np.concatenate([np.frombuffer(p, _BLOCK, count=_BLOCKS) for p in payloads])
        distances = blocks["returns"]["distance"][blocks["flag"] == _FLAG]
        rings = self.rig.lidars[NAME].rings
        firing = fields[:, 5].astype(np.int32)
        extra: dict[str, NDArray[Any]] = {"return_type": fields[:, 7].astype(np.uint8)}
        return PointCloud(
            points=np.ascontiguousarray(fields[:, :3]),
            coordinate_system=NAME,
            timestamp_ns=timestamp_ns,
            intensity=np.ascontiguousarray(fields[:, 3]),
            ring=(rings - 1 - fields[:, 6].astype(np.int64)).astype(np.uint16),
            column=firing if self._aligned else None,
            time_offset_ns=np.rint(fields[:, 4].astype(np.float64) * 1e9).astype(np.int64),
            extra=extra if self._aligned else extra | {"firing": firing},
            missing=int(np.count_nonzero(distances == 0)),
        )

    def _decode(self, payloads: list[bytes], scan: _ScanPackets) -> Any:  # noqa: ANN401 - untyped
        """Return x, y, z, intensity, time, column, ring and kind of return, float32 (N, 8)."""
        library = self._decoder
        config = library.Config(
            model=self._model, min_range=0.0, max_range=1000.0, timestamp_first_packet=True
        )
        packets = library.PacketVector()
        for datagram, payload in zip(scan.packets, payloads, strict=True):
            packets.append(library.VelodynePacket(datagram.timestamp_ns / 1e9, payload))
        try:
            return library.ScanDecoder(config).decode(packets)[1]
        except (RuntimeError, ValueError) as error:
            msg = f"{self._capture.path}: cannot be decoded: {error}; is -o product= right?"
            raise SourceError(msg) from error


def _import_decoder() -> ModuleType:
    try:
        import velodyne_decoder  # noqa: PLC0415 - optional
    except ImportError as error:
        msg = (
            "packets of Velodyne sensors need the package velodyne-decoder; install it with "
            "`pip install sensorfusion[lidar]`"
        )
        raise SourceError(msg) from error
    library: ModuleType = velodyne_decoder
    return library


def _index(capture: Capture, datagrams: list[Datagram]) -> tuple[list[_ScanPackets], int]:
    """Return the turns of a recording, and how many datagrams are none of its packets."""
    scans: list[_ScanPackets] = []
    others, azimuth, turned, before_ns = 0, 0, 0, 0
    for datagram in datagrams:
        payload = capture.payload(datagram)
        if not is_velodyne(payload):
            others += 1
            continue
        now = int.from_bytes(payload[2:4], "little")
        # A packet that came late turns back a little.
        step = (now - azimuth + _TURN // 2) % _TURN - _TURN // 2 if scans else 0
        turned += step
        if not scans or turned >= _TURN or datagram.timestamp_ns - before_ns > _PAUSE_NS:
            turned = turned - _TURN if turned >= _TURN else 0
            scans.append(_ScanPackets())
        azimuth, before_ns = now, datagram.timestamp_ns
        scans[-1].packets.append(datagram)
        scans[-1].covered = max(scans[-1].covered, turned)
    return scans, others


def _recognise(capture: Capture, datagram: Datagram) -> str:
    number = capture.payload(datagram)[-1]
    for product, (known, _, _) in _MODELS.items():
        if number == known:
            return product
    msg = (
        f"{capture.path}: packets of a Velodyne sensor with the number {number:#04x}; expected one "
        f"of {', '.join(_MODELS)}; say which it is like with -o product=NAME"
    )
    raise UnsupportedRecordingError(msg)


def _lidar(calibration: str, sigma_m: float) -> Lidar:
    """Return what the rig says of a sensor, from the decoder's calibration as text."""
    elevation_rad = sorted(map(float, re.findall(r"vert_correction: (\S+)", calibration)))[::-1]
    resolution_m = float(re.findall(r"distance_resolution: (\S+)", calibration)[0])
    return Lidar(
        name=NAME,
        rings=len(elevation_rad),
        elevation_rad=tuple(elevation_rad),
        far_m=resolution_m * 0xFFFF,
        constant_m=sigma_m,
    )


def _start_ns(scan: _ScanPackets) -> int:
    return scan.packets[0].timestamp_ns


def _notes(scans: list[_ScanPackets], others: int) -> Iterator[str]:
    # The last packet of a turn reaches past where its azimuth stands, by 5 degrees at most.
    short = [scan.covered / 100 for scan in scans if scan.covered < _TURN - 1000]
    if short:
        yield (
            f"{len(short)} of {len(scans)} scans are no whole turn: the shortest has "
            f"{min(short):.0f} degrees"
        )
    if others:
        yield f"{others} datagrams of {PACKET_BYTES} bytes hold something else than ranges"
