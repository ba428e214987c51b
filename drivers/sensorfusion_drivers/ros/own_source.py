"""Frames and samples of a recording of our own."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats import mcap_recording
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading, ImuSamples
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion_drivers.ros.chunked import McapRecording
from sensorfusion_drivers.ros.own import OwnStream, own_streams

# As in other recordings of RGB-D: sensors that run free may be half a period apart.
_TOLERANCE_PERIODS: Final = 0.75
_USUAL_PERIOD_NS: Final = 100_000_000
_COLOR: Final = "color"
# Pictures of the pattern that a depth camera projects: for samples, not for frames.
_INFRARED: Final = "infrared"


class OwnSource(SeekableFrameSource):
    """A recording of our own: rig, units and stamps are those of the source that was recorded.

    Frames may be read from several threads.

    Parameters
    ----------
    recording : McapRecording
        Closed with the source.
    rig : Rig
    strict : bool
        Raise at a damaged sample; else ``samples`` counts it in ``losses`` and goes on.

    Raises
    ------
    CorruptRecordingError
        If a topic belongs to no sensor of the rig.
    UnsupportedRecordingError
        If nothing in it measures depth, or no depth has a picture near it in time.
    """

    def __init__(self, recording: McapRecording, rig: Rig, *, strict: bool = False) -> None:
        self._recording, self.rig, self._strict = recording, rig, strict
        self.trajectory = None
        self.down_world = None
        self._streams = own_streams(recording, rig)
        measuring = [s for kind in ("points", "depth") for s in self._streams if s.kind == kind]
        if not measuring:
            there = ", ".join(stream.name for stream in self._streams) or "no stream"
            msg = f"{recording.path}: nothing in it measures depth; found {there}"
            raise UnsupportedRecordingError(msg)
        self._first = measuring[0]
        beside = [s for s in self._streams if s.kind == "imu" or s.name.startswith(_INFRARED)]
        self._others = [s for s in self._streams if s is not self._first and s not in beside]
        self.beside_frames: Mapping[str, int] = MappingProxyType(
            {stream.name: len(stream.stamps_ns) for stream in beside}
        )
        self._rows = self._paired()
        self.losses = Losses()
        for column, stream in enumerate((self._first, *self._others)):
            used = int(np.count_nonzero(self._rows[:, column] >= 0))
            self.losses.unpaired[stream.name] = len(stream.stamps_ns) - used
        self.imu = _joined([stream for stream in beside if stream.sensor in rig.imus])
        self.metadata = MappingProxyType(
            dict(recording.beside.metadata.get(mcap_recording.DEVICE, {}))
        )
        self.notes = tuple(_notes(recording))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``, from 0 in order of the measurements' time.

        Raises
        ------
        IndexError
            If there is no such frame.
        SourceError
            If a message of it is damaged.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a recording with {len(self)}"
            raise IndexError(msg)
        row = self._rows[index]
        measured = self._first.read(int(row[0]))
        if isinstance(measured, Image | ImuReading):
            msg = f"{self._first.name} delivers pictures; expected depth or points first"
            raise TypeError(msg)
        images: dict[str, Image] = {}
        depths: dict[str, RawDepth] = {}
        for stream, place in zip(self._others, row[1:], strict=True):
            other = stream.read(int(place)) if place >= 0 else None
            if isinstance(other, Image):
                images[stream.sensor] = other
            elif isinstance(other, RawDepth):
                depths[stream.sensor] = other
        sensor = self._first.sensor
        return Frame(index, measured.timestamp_ns, sensor, measured, images, depths)

    def samples(self) -> Iterator[Sample]:
        """Yield every sample of every stream in order of time; count what is damaged.

        Raises
        ------
        CorruptRecordingError
            If a sample is damaged and the recording was opened strictly.
        """
        order = [
            (int(stamp_ns), number, index)
            for number, stream in enumerate(self._streams)
            for index, stamp_ns in enumerate(stream.stamps_ns)
        ]
        for stamp_ns, number, index in sorted(order):
            stream = self._streams[number]
            try:
                data = stream.read(index)
            except CorruptRecordingError:
                if self._strict:
                    raise
                reason = f"{stream.name} sample that is damaged"
                self.losses.dropped[reason] = self.losses.dropped.get(reason, 0) + 1
                continue
            yield Sample(stream.name, stamp_ns, data)

    def close(self) -> None:
        """Release the file."""
        self._recording.close()

    def _paired(self) -> NDArray[np.int64]:
        """Return which sample of each other stream goes with each measurement, -1 for none."""
        count = len(self._first.stamps_ns)
        columns = [_partners(self._first, other) for other in self._others]
        rows = np.stack([np.arange(count), *columns], axis=-1)
        pictures = [place for place, s in enumerate(self._others, 1) if s.kind == "image"]
        named = [place for place in pictures if self._others[place - 1].name == _COLOR]
        # A scan is complete without a picture; RGB-D is not.
        for place in (named or pictures)[:1] if self._first.kind == "depth" else ():
            rows = rows[rows[:, place] >= 0]
        if not len(rows):
            msg = (
                f"{self._recording.path}: no picture of {self._first.name} has one of colour near "
                "it in time; were both recorded at once?"
            )
            raise UnsupportedRecordingError(msg)
        return rows


def _partners(first: OwnStream, second: OwnStream) -> NDArray[np.int64]:
    times_ns = first.stamps_ns, second.stamps_ns
    periods_ns = [period for period in map(median_period_ns, times_ns) if period > 0]
    tolerance_ns = int(_TOLERANCE_PERIODS * min(periods_ns, default=_USUAL_PERIOD_NS))
    partners = np.full(len(times_ns[0]), -1, np.int64)
    pairs = pair_by_time(*times_ns, tolerance_ns)
    partners[pairs[:, 0]] = pairs[:, 1]
    return partners


def _joined(streams: list[OwnStream]) -> ImuSamples | None:
    """Return the readings of the first inertial sensor at the gyroscope's instants."""
    gyro: dict[int, tuple[float, float, float]] = {}
    accel: dict[int, tuple[float, float, float]] = {}
    for stream in streams:
        if stream.sensor != streams[0].sensor:
            continue
        for index in range(len(stream.stamps_ns)):
            reading = stream.read(index)
            if isinstance(reading, ImuReading) and reading.gyro_rad_s is not None:
                gyro.setdefault(reading.timestamp_ns, reading.gyro_rad_s)
            if isinstance(reading, ImuReading) and reading.accel_m_s2 is not None:
                accel.setdefault(reading.timestamp_ns, reading.accel_m_s2)
    if not gyro or not accel:
        return None
    at_ns, known_ns = (np.array(sorted(half), np.int64) for half in (gyro, accel))
    values = np.array([accel[int(stamp_ns)] for stamp_ns in known_ns])
    # Counted from the first stamp: a date in ns is too long for a float.
    at, known = at_ns - at_ns[0], known_ns - at_ns[0]
    forces = np.stack([np.interp(at, known, values[:, axis]) for axis in range(3)], axis=-1)
    turns = np.array([gyro[int(stamp_ns)] for stamp_ns in at_ns])
    return ImuSamples(streams[0].sensor, at_ns, turns, forces)


def _notes(recording: McapRecording) -> Iterator[str]:
    yield from recording.notes
    for name, count in sorted(recording.beside.metadata.get(mcap_recording.COUNTS, {}).items()):
        what, _, stream = name.partition(".")
        if what == "dropped":
            yield f"{count} samples of {stream} were dropped when this was recorded"
