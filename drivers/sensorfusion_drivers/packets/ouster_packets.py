"""Ouster packets: columns of ranges, as bytes and as numbers.

A packet holds ``columns_per_packet`` columns, each with the channels of one firing. All profiles
but LEGACY put a header and a footer of 32 bytes around them.

References
----------
Ouster, "Software User Manual" (firmware 2.3 and 3.1), "Lidar data packet format".
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.formats.crc64 import crc64
from sensorfusion_drivers.packets.ouster_metadata import OusterMetadata

LIDAR_PACKET: Final = 1
"""``packet_type`` of packets with ranges."""
_LEGACY_VALID: Final = 0xFFFFFFFF
# What stands in place of the checksum where the firmware makes none.
NO_CHECKSUM: Final = frozenset({0, 0xDEADBEEF_0000C0DE})


def _pixel(size: int, **fields: tuple[str, int]) -> np.dtype[np.void]:
    """Return the dtype of one channel: its size, and type and offset of each field."""
    return np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [offset for _, offset in fields.values()],
            "itemsize": size,
        }
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """How one channel is written.

    Attributes
    ----------
    pixel : dtype
        Fields ``range``, ``reflectivity``, ``near_ir`` and, where there is one, ``signal``.
    range_mask : int
        Bits of ``range`` that are the range.
    unit_mm : int
        Of the range.
    near_ir_step : int
        Photons of one step of ``near_ir``.
    """

    pixel: np.dtype[np.void]
    range_mask: int
    unit_mm: int = 1
    near_ir_step: int = 1


# Of two returns the first is the stronger one, or the nearer one, as the sensor was set.
PROFILES: Final = {
    "LEGACY": Profile(
        _pixel(
            12, range=("<u4", 0), reflectivity=("<u2", 4), signal=("<u2", 6), near_ir=("<u2", 8)
        ),
        0xFFFFF,
    ),
    "RNG19_RFL8_SIG16_NIR16": Profile(
        _pixel(12, range=("<u4", 0), reflectivity=("u1", 4), signal=("<u2", 6), near_ir=("<u2", 8)),
        0x7FFFF,
    ),
    "RNG19_RFL8_SIG16_NIR16_DUAL": Profile(
        _pixel(
            16, range=("<u4", 0), reflectivity=("u1", 3), signal=("<u2", 8), near_ir=("<u2", 12)
        ),
        0x7FFFF,
    ),
    "RNG15_RFL8_NIR8": Profile(
        _pixel(4, range=("<u2", 0), reflectivity=("u1", 2), near_ir=("u1", 3)), 0x7FFF, 8, 16
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Columns of several packets, in their order.

    Attributes
    ----------
    timestamp_ns : ndarray of int64, shape (N,)
        On the sensor's clock.
    column : ndarray of int64, shape (N,)
        ``measurement_id``, the firing within the revolution.
    valid : ndarray of bool, shape (N,)
        Whether the sensor measured.
    pixels : structured ndarray, shape (N, rows)
        Fields as in :attr:`Profile.pixel`.
    """

    timestamp_ns: NDArray[np.int64]
    column: NDArray[np.int64]
    valid: NDArray[np.bool_]
    pixels: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class PacketFormat:
    """Sizes and offsets in the packets of one sensor.

    Attributes
    ----------
    profile : Profile
    rows, columns_per_packet : int
    legacy : bool
    column : dtype
        Of one column of a packet.
    """

    profile: Profile
    rows: int
    columns_per_packet: int
    legacy: bool
    column: np.dtype[np.void] = field(init=False)

    def __post_init__(self) -> None:
        header, footer = (16, 4) if self.legacy else (12, 0)
        body = self.rows * self.profile.pixel.itemsize
        fields: dict[str, tuple[Any, int]] = {
            "timestamp": ("<u8", 0),
            "measurement_id": ("<u2", 8),
            "status": ("<u4", header + body) if self.legacy else ("<u2", 10),
            "pixels": ((self.profile.pixel, (self.rows,)), header),
        }
        if self.legacy:
            fields["frame_id"] = ("<u2", 10)
        column = _pixel(header + body + footer, **fields)
        object.__setattr__(self, "column", column)

    @classmethod
    def of(cls, sensor: OusterMetadata) -> "PacketFormat":
        """Return the format of a sensor's packets.

        Raises
        ------
        UnsupportedRecordingError
            If its profile is not read.
        """
        profile = PROFILES.get(sensor.profile)
        if profile is None:
            msg = (
                f"{sensor.path}: packets of profile {sensor.profile!r}; expected one of "
                f"{', '.join(PROFILES)}; set udp_profile_lidar of the sensor and record again"
            )
            raise UnsupportedRecordingError(msg)
        return cls(profile, sensor.rows, sensor.columns_per_packet, sensor.profile == "LEGACY")

    @property
    def packet_bytes(self) -> int:
        """Return the size of a packet."""
        around = 0 if self.legacy else 64
        return around + self.columns_per_packet * self.column.itemsize

    def packet_type(self, packet: bytes) -> int:
        """Return what a packet holds, :data:`LIDAR_PACKET` for ranges."""
        return LIDAR_PACKET if self.legacy else int.from_bytes(packet[:2], "little")

    def frame_id(self, packet: bytes) -> int | None:
        """Return the number of the revolution, 0 to 65535; None where no column says it.

        Where there is no header it stands in every column, but only valid ones are filled in.
        """
        if not self.legacy:
            return int.from_bytes(packet[2:4], "little")
        columns = np.frombuffer(packet, dtype=self.column)
        valid = np.flatnonzero(columns["status"] == _LEGACY_VALID)
        return int(columns["frame_id"][valid[0]]) if len(valid) else None

    def run_and_serial(self, packet: bytes) -> tuple[int, int]:
        """Return initialisation and serial number of the sensor, 0 where a packet has none."""
        if self.legacy:
            return 0, 0
        return int.from_bytes(packet[4:7], "little"), int.from_bytes(packet[7:12], "little")

    def damaged(self, packets: list[bytes]) -> NDArray[np.bool_]:
        """Say of each packet whether it has a checksum that is not that of its bytes."""
        if self.legacy or not packets:
            return np.zeros(len(packets), dtype=bool)
        octets = np.frombuffer(b"".join(packets), dtype=np.uint8).reshape(len(packets), -1)
        stored = octets[:, -8:].copy().view("<u8")[:, 0]
        checked = ~np.isin(stored, np.array(sorted(NO_CHECKSUM), dtype=np.uint64))
        damaged = np.zeros(len(packets), dtype=bool)
        if checked.any():
            damaged[checked] = crc64(octets[checked, :-8]) != stored[checked]
        return damaged

    def columns(self, packets: list[bytes]) -> Columns:
        """Return the columns of packets, valid or not, in their order."""
        octets = np.frombuffer(b"".join(packets), dtype=np.uint8).reshape(len(packets), -1)
        start = 0 if self.legacy else 32
        body = octets[:, start : start + self.columns_per_packet * self.column.itemsize]
        columns = np.ascontiguousarray(body).reshape(-1).view(self.column)
        valid = columns["status"] == _LEGACY_VALID if self.legacy else columns["status"] & 1 == 1
        return Columns(
            timestamp_ns=columns["timestamp"].astype(np.int64),
            column=columns["measurement_id"].astype(np.int64),
            valid=valid,
            pixels=columns["pixels"],
        )
