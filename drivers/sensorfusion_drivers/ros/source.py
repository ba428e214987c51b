"""Frames of a ROS recording, decoded when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion.trajectory import Trajectory
from sensorfusion_drivers.ros.recording import Recording
from sensorfusion_drivers.ros.streams import Stream, TimedTopic

# Free-running sensors may be half a period apart, and each stamps another point of its exposure.
_TOLERANCE_PERIODS: Final = 0.75
# Of LiDARs; for recordings of a single scan.
_USUAL_PERIOD_NS: Final = 100_000_000
# Clocks farther apart than this are not the same clock.
_ONE_CLOCK_NS: Final = 10_000_000_000


class RosSource(SeekableFrameSource):
    """The measurements of a recording, each with the pictures nearest in time.

    Frames may be read from several threads.

    Parameters
    ----------
    recording : Recording
        Closed with the source.
    rig : Rig
    streams : sequence of Stream
        What measures first, then the cameras.
    trajectory : Trajectory or None
    notes : tuple of str

    Raises
    ------
    UnsupportedRecordingError
        If a depth camera's pictures all lack a colour picture near in time.
    """

    def __init__(
        self,
        recording: Recording,
        rig: Rig,
        streams: Sequence[Stream],
        trajectory: Trajectory | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._recording = recording
        self._streams = streams
        self.rig = rig
        self.trajectory = trajectory
        self.down_world = None
        said = list(notes)
        first, *others = (stream.topic for stream in streams)
        columns = [_partners(first, other, said) for other in others]
        self._rows = np.stack([np.arange(len(first.stamps_ns)), *columns], axis=-1)
        # A scan is complete without a picture; RGB-D is not.
        if streams[0].sensor in rig.cameras:
            self._rows = self._rows[(self._rows >= 0).all(axis=1)]
            if not len(self._rows):
                msg = (
                    f"{recording.path}: no picture of {first.name} has one of {others[0].name} "
                    "near it in time; were both recorded at once?"
                )
                raise UnsupportedRecordingError(msg)
        self.losses = Losses(dropped=dict(first.dropped))
        for column, stream in enumerate(streams):
            used = int(np.count_nonzero(self._rows[:, column] >= 0))
            stray = sum(stream.topic.dropped.values()) if column else 0
            self.losses.unpaired[stream.sensor] = len(stream.topic.stamps_ns) - used + stray
        if first.recorded:
            said.append(f"{first.name} has no time stamps: the recorder's are used")
        self.notes = tuple(said)
        topics = {f"Topic of {stream.sensor}": stream.topic.name for stream in streams}
        self.metadata: Mapping[str, str] = MappingProxyType(topics)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``, from 0 in order of the measurements' time.

        Raises
        ------
        IndexError
            If there is no such frame.
        SourceError
            If a message of it is damaged or holds what is not read.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a recording with {len(self)}"
            raise IndexError(msg)
        row = self._rows[index]
        measured = self._streams[0].read(int(row[0]))
        if isinstance(measured, Image):
            msg = f"{self._streams[0].sensor} delivers pictures; expected depth or points first"
            raise TypeError(msg)
        images: dict[str, Image] = {}
        for stream, place in zip(self._streams[1:], row[1:], strict=True):
            picture = stream.read(int(place)) if place >= 0 else None
            if isinstance(picture, Image):
                images[stream.sensor] = picture
        return Frame(index, measured.timestamp_ns, self._streams[0].sensor, measured, images)

    def samples(self) -> Iterator[Sample]:
        """Yield every scan and picture in order of time, paired or not."""
        order = [
            (int(stamp_ns), number, index)
            for number, stream in enumerate(self._streams)
            for index, stamp_ns in enumerate(stream.topic.stamps_ns)
        ]
        for stamp_ns, number, index in sorted(order):
            stream = self._streams[number]
            yield Sample(stream.sensor, stamp_ns, stream.read(index))

    def close(self) -> None:
        """Release the files."""
        self._recording.close()


def _partners(first: TimedTopic, second: TimedTopic, notes: list[str]) -> NDArray[np.int64]:
    """Return which message of the second topic belongs to each of the first, -1 for none."""
    times_ns = first.stamps_ns, second.stamps_ns
    offsets_ns = [np.median(t.recorded_ns - t.stamps_ns) for t in (first, second)]
    if abs(offsets_ns[0] - offsets_ns[1]) > _ONE_CLOCK_NS:
        # A sensor that was never set to the time of the day counts from when it was switched on.
        times_ns = first.recorded_ns, second.recorded_ns
        notes.append(
            f"{first.name} and {second.name} are stamped by different clocks: paired by the time "
            "of recording"
        )
    periods_ns = [period for period in map(median_period_ns, times_ns) if period > 0]
    tolerance_ns = int(_TOLERANCE_PERIODS * min(periods_ns, default=_USUAL_PERIOD_NS))
    partners = np.full(len(times_ns[0]), -1, np.int64)
    pairs = pair_by_time(*times_ns, tolerance_ns)
    partners[pairs[:, 0]] = pairs[:, 1]
    return partners
