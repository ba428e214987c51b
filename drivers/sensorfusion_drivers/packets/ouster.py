"""Recordings of Ouster sensors as frames."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import SourceError
from sensorfusion.formats.udp import Capture, Datagram
from sensorfusion.frame import Frame, Sample
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion_drivers.packets.kitti_poses import read_poses_beside
from sensorfusion_drivers.packets.ouster_beams import Beams, lidar_of
from sensorfusion_drivers.packets.ouster_metadata import OusterMetadata
from sensorfusion_drivers.packets.ouster_packets import PacketFormat
from sensorfusion_drivers.packets.ouster_scans import ScanIndex, index_scans

NAME: Final = "ouster"
"""Name of the LiDAR and of its coordinate system: the manual's Sensor Coordinate Frame."""


class OusterSource(SeekableFrameSource):
    """The scans of an Ouster sensor.

    A frame is one revolution, as its number in the packets says; a recording usually begins and
    ends within one, and those are delivered, too. Points stand in the order of firing. They are in
    the sensor's coordinate system (x away from the connector, y left, z up, origin in the middle
    of its base), that is, with ``lidar_to_sensor_transform`` applied. ``ring`` counts from the
    highest beam down. The beams of one firing (``measurement_id``) do not lie above each other:
    ``column`` is the firing moved by each beam's own azimuth, so that points of one column do, as
    in the pictures that the maker's tools show. ``intensity`` is the reflectivity; ``extra`` holds
    ``near_ir`` and, where the packets hold it, ``signal`` (photons). Of two returns the first is
    read. Columns that did not come (lost packets) are neither points nor ``empty_beams``.
    """

    def __init__(self, capture: Capture, datagrams: list[Datagram], sensor: OusterMetadata) -> None:
        self._capture = capture
        self._sensor = sensor
        self._layout = PacketFormat.of(sensor)
        self._beams = Beams.of(sensor)
        index = index_scans(capture, datagrams, sensor, self._layout)
        if not index.scans:
            msg = f"{capture.path}: no column of {len(datagrams)} packets is valid; record it again"
            raise SourceError(msg)
        self._scans = index.scans
        self.rig = Rig({}, lidars={NAME: lidar_of(sensor, NAME, self._layout.profile)})
        self.losses = Losses(unpaired={NAME: 0}, dropped=index.dropped)
        self.down_world = None
        stamps_ns = [scan.timestamp_ns for scan in self._scans]
        self.trajectory, pose_note = read_poses_beside(capture.path, stamps_ns, NAME)
        self.metadata = MappingProxyType(
            {
                "Name": f"Ouster {sensor.product}",
                "Serial Number": sensor.serial,
                "Profile": sensor.profile,
                "Clock": "sensor",
            }
        )
        self.notes = (*_notes(index, sensor), *pose_note)

    def __len__(self) -> int:
        return len(self._scans)

    def __getitem__(self, index: int) -> Frame:
        """Return scan ``index``.

        Raises
        ------
        IndexError
            If there is no such scan.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a recording with {len(self)}"
            raise IndexError(msg)
        scan = self._scans[index]
        packets = [self._capture.payload(datagram) for datagram in scan.packets]
        return Frame(index, scan.timestamp_ns, NAME, self._cloud(packets, scan.timestamp_ns))

    def samples(self) -> Iterator[Sample]:
        """Yield every scan in order of time."""
        for frame in self:
            yield Sample(NAME, frame.timestamp_ns, frame.measurement)

    def close(self) -> None:
        """Release the file."""
        self._capture.close()

    def _cloud(self, packets: list[bytes], timestamp_ns: int) -> PointCloud:
        columns = self._layout.columns(packets)
        kept = np.flatnonzero(columns.valid)
        # In order of firing, whatever the order in which they came; each once.
        firing, first = np.unique(columns.column[kept], return_index=True)
        kept = kept[first]
        profile, rows = self._layout.profile, self._sensor.rows
        pixels = columns.pixels[kept][:, self._beams.channel].reshape(-1)
        steps = pixels["range"] & profile.range_mask
        returned = steps != 0
        hit, empty = np.flatnonzero(returned), np.flatnonzero(~returned)
        # Of each pixel, its beam among those of a whole revolution.
        beam = (firing[:, None] * rows + np.arange(rows)).reshape(-1)
        direction = self._beams.direction.reshape(-1, 3)
        origin_m = self._beams.origin_m.reshape(-1, 3)
        range_m = steps[hit] * np.float32(profile.unit_mm / 1000.0)
        column = ((firing[:, None] + self._beams.shift) % self._sensor.columns).reshape(-1)
        of_column = np.count_nonzero(returned.reshape(-1, rows), axis=1)
        offset_ns = columns.timestamp_ns[kept] - timestamp_ns
        found = pixels[hit]
        extra: dict[str, NDArray[np.uint16]] = {
            "near_ir": found["near_ir"].astype(np.uint16) * np.uint16(profile.near_ir_step)
        }
        if "signal" in (profile.pixel.names or ()):
            extra["signal"] = found["signal"].astype(np.uint16)
        beam_of_point = beam[hit]
        points = direction.take(beam_of_point, axis=0)
        points *= range_m.astype(np.float32)[:, None]
        points += origin_m.take(beam_of_point, axis=0)
        return PointCloud(
            points=points,
            coordinate_system=NAME,
            timestamp_ns=timestamp_ns,
            intensity=found["reflectivity"].astype(np.float32),
            ring=np.tile(np.arange(rows, dtype=np.uint16), len(kept))[hit],
            column=column[hit].astype(np.int32),
            time_offset_ns=np.repeat(offset_ns, of_column),
            extra=extra,
            empty_beams=direction.take(beam[empty], axis=0),
            missing=len(empty),
        )


def _notes(index: ScanIndex, sensor: OusterMetadata) -> Iterator[str]:
    expected = sensor.sent_columns
    short = [scan.columns for scan in index.scans if scan.columns < expected]
    if short:
        lost = len(short) * expected - sum(short)
        yield (
            f"{len(short)} of {len(index.scans)} scans are not complete: {lost} columns of "
            f"{len(index.scans) * expected} are missing (lost packets, or recording began or ended "
            "within a revolution)"
        )
    if index.damaged_packets:
        yield f"{index.damaged_packets} packets have a wrong checksum and are left out"
    if index.repeated_packets:
        yield f"{index.repeated_packets} packets came a second time and are left out"
    if index.other_packets:
        yield f"{index.other_packets} packets hold something else than ranges and are left out"
    # Packets hold the lower three bytes.
    if index.run and sensor.run >= 0 and index.run != sensor.run & 0xFFFFFF:
        yield (
            f"the metadata are of another start of the sensor ({sensor.run}) than the packets "
            f"({index.run}); the calibration is taken to be the same"
        )
