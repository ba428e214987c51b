"""The frames of a RealSense recording."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion.stereo_pair import StereoPair
from sensorfusion_drivers.realsense.motion import join_halves
from sensorfusion_drivers.realsense.placing import IMU, place
from sensorfusion_drivers.realsense.stereo import (
    LEFT,
    RIGHT,
    check_pair,
    taken_at_once,
    with_noise_of_pair,
)
from sensorfusion_drivers.realsense.streams import (
    ACCEL,
    COLOR,
    DEPTH,
    GYRO,
    INFRARED,
    RECORD_AGAIN,
    Recording,
    StoredStream,
)

# Two images belong together when they are nearer in time than an image and the one after its
# partner. Cameras whose shutters run free of each other may be up to half a period apart, and
# D400 cameras stamp depth and colour at different points of the exposure, so half is too tight.
_TOLERANCE_PERIODS: Final = 0.75


class RealSenseSource(SeekableFrameSource):
    """The frames of a recording: each depth image with the colour image nearest in time.

    Frames may be read from several threads. A recording without colour gives frames without
    images.

    Parameters
    ----------
    recording : Recording
        Closed with the source.
    infrared : bool or "pair"
        Put infrared pictures into the frames; as a pair, they are what a frame measured, and depth
        stands beside them.
    strict : bool
        Raise at a damaged image; else ``samples`` counts it in ``losses`` and goes on.

    Attributes
    ----------
    metadata : dict of str to str
        What the recording says about the device, as librealsense names it: "Name",
        "Serial Number", "Firmware Version"; and "Clock", what the time stamps count.
    notes : tuple of str
        What a user should know: streams that are there and not read, a depth unit that the
        recording holds with few digits, what is missing from a damaged file.

    Raises
    ------
    CorruptRecordingError
        If there is no transform between depth and colour.
    UnsupportedRecordingError
        If there is no depth image, or none has a colour image near it in time, or a pair is asked
        for where there is none.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        infrared: bool | Literal["pair"] = False,
        strict: bool = False,
    ) -> None:
        self._recording, self._as_pair, self._strict = recording, infrared == "pair", strict
        self.trajectory = None
        self.down_world = None
        try:
            self._depth = recording.streams[DEPTH]
            self.rig = place(recording)
            self._depth = recording.streams[DEPTH]
            self._color = recording.streams.get(COLOR)
            if self._as_pair:
                check_pair(recording)
                self.rig = with_noise_of_pair(self.rig)
            self._pairs = self._paired()
            pictured = [name for name in recording.streams if name.startswith(INFRARED)]
            self._partners = {name: self._partners_of(name) for name in pictured if infrared}
            if self._as_pair:
                self._keep(
                    taken_at_once(recording, self._partners, _period_ns(recording.streams[LEFT]))
                )
        except BaseException:
            recording.close()
            raise
        beside = {n: len(self._stamps(n)) for n in pictured if n not in self._partners}
        beside |= {name: len(half.timestamps_ns) for name, half in recording.motion.items()}
        self.beside_frames: Mapping[str, int] = MappingProxyType(beside)
        self.losses = self._count_losses()
        self.imu = join_halves(recording, IMU, self._depth.clock) if self.rig.imus else None
        self.metadata = {**recording.metadata, "Clock": self._depth.clock}
        self.notes = tuple(self._notes())

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``, from 0 in order of the depth images' time.

        Raises
        ------
        IndexError
            If there is no such frame.
        SourceError
            If an image of it is damaged or stored in a way that is not read.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a recording with {len(self)}"
            raise IndexError(msg)
        depth_index, color_index = (int(i) for i in self._pairs[index])
        depth = self._read_depth(depth_index)
        images = {} if self._color is None else {COLOR: self._read_image(COLOR, color_index)}
        for name, partners in self._partners.items():
            if partners[index] >= 0:
                images[name] = self._read_image(name, int(partners[index]))
        if self._as_pair:
            pair = StereoPair(images.pop(LEFT), images.pop(RIGHT))
            return Frame(index, pair.left.timestamp_ns, LEFT, pair, images, {DEPTH: depth})
        return Frame(index, depth.timestamp_ns, DEPTH, depth, images)

    def samples(self) -> Iterator[Sample]:
        """Yield every image of every camera and every inertial reading in order of time.

        Images are stamped by the clock of depth, so that they still find their partners where
        nobody knows when they arrived.

        Raises
        ------
        CorruptRecordingError
            If an image is damaged and the recording was opened strictly.
        """
        recording = self._recording
        streams = recording.streams.items()
        stamps = {name: _stamps_by_clock_of(self._depth, stream) for name, stream in streams}
        stamps |= {name: half.timestamps_ns for name, half in recording.motion.items()}
        order = [
            (int(stamp_ns), name, index)
            for name, stamps_ns in stamps.items()
            for index, stamp_ns in enumerate(stamps_ns)
        ]
        for stamp_ns, name, index in sorted(order):
            if name in recording.motion:
                yield Sample(name, stamp_ns, self._reading(name, index))
                continue
            try:
                image = self._read_depth(index) if name == DEPTH else self._read_image(name, index)
            except CorruptRecordingError:
                if self._strict:
                    raise
                reason = f"{name} image that is damaged"
                self.losses.dropped[reason] = self.losses.dropped.get(reason, 0) + 1
                continue
            yield Sample(name, stamp_ns, replace(image, timestamp_ns=stamp_ns))

    def close(self) -> None:
        """Release the file."""
        self._recording.close()

    def _stamps(self, name: str) -> NDArray[np.int64]:
        return self._recording.streams[name].timestamps_ns

    def _read_depth(self, index: int) -> RawDepth:
        stream = self._depth
        values = self._recording.pixels(DEPTH, index).astype(np.uint16, copy=False)
        stamp_ns = int(stream.timestamps_ns[index])
        return RawDepth(values, stream.units_m[index], stream.camera, stamp_ns)

    def _read_image(self, name: str, index: int) -> Image:
        pixels = self._recording.pixels(name, index).astype(np.uint8, copy=False)
        return Image(pixels, name, int(self._stamps(name)[index]))

    def _reading(self, name: str, index: int) -> ImuReading:
        half = self._recording.motion[name]
        x, y, z = (float(value) for value in half.values[index])
        stamp_ns = int(half.timestamps_ns[index])
        if name == GYRO:
            return ImuReading(IMU, stamp_ns, gyro_rad_s=(x, y, z))
        return ImuReading(IMU, stamp_ns, accel_m_s2=(x, y, z))

    def _paired(self) -> NDArray[np.int64]:
        """Return which depth image goes with which colour image, -1 for none."""
        depth, color = self._depth, self._color
        if not len(depth.timestamps_ns):
            msg = f"{self._recording.path}: holds no depth image that can be read; {RECORD_AGAIN}"
            raise UnsupportedRecordingError(msg)
        if color is None:
            order = np.argsort(depth.timestamps_ns, kind="stable")
            return np.stack([order, np.full_like(order, -1)], axis=-1)
        pairs = _pair(depth, color)
        if not len(pairs):
            msg = (
                f"{self._recording.path}: none of {len(depth.timestamps_ns)} depth images has one "
                f"of {len(color.timestamps_ns)} colour images within "
                f"{_tolerance_ns(depth, color) / 1e6:.1f} ms; were both streams recorded at once?"
            )
            raise UnsupportedRecordingError(msg)
        return pairs

    def _partners_of(self, name: str) -> NDArray[np.int64]:
        """Return which picture of a camera belongs to each frame, -1 for none."""
        partner_of = np.full(len(self._depth.timestamps_ns), -1, np.int64)
        pairs = _pair(self._depth, self._recording.streams[name])
        partner_of[pairs[:, 0]] = pairs[:, 1]
        return np.asarray(partner_of[self._pairs[:, 0]])

    def _keep(self, chosen: NDArray[np.bool_]) -> None:
        """Leave out the frames that are not chosen."""
        self._pairs = self._pairs[chosen]
        self._partners = {name: partners[chosen] for name, partners in self._partners.items()}

    def _count_losses(self) -> Losses:
        """Count: an image that cannot be read is a lost frame when it is depth."""
        recording = self._recording
        dropped = {r: n for r, n in recording.losses.items() if r.startswith(DEPTH)}
        unpaired = {}
        for name in recording.streams:
            used = len(self._pairs) if name in (DEPTH, COLOR) else 0
            if name in self._partners:
                used = int(np.count_nonzero(self._partners[name] >= 0))
            stray = sum(n for r, n in recording.losses.items() if r.startswith(name))
            unread = 0 if name == DEPTH else stray
            unpaired[name] = len(self._stamps(name)) - used + unread
            if name in self.beside_frames:
                unpaired[name] = 0
        return Losses(unpaired=unpaired, dropped=dropped)

    def _notes(self) -> Iterator[str]:
        yield from self._recording.notes
        for kind in self._recording.others:
            yield f"the recording also holds {kind}, which is not read"
        for reason, count in self._recording.losses.items():
            if reason.startswith((GYRO, ACCEL)):
                yield f"not read: {count} x {reason}"
        pictured = [name for name in self.beside_frames if name.startswith(INFRARED)]
        if pictured:
            yield f"-o infrared=true puts {' and '.join(pictured)} beside each frame"
        if self._color is not None and self._color.clock != self._depth.clock:
            yield (
                f"depth is stamped by {self._depth.clock!r} and colour by {self._color.clock!r}: "
                "paired by the time of recording; copies get stamps of depth's clock"
            )


def _pair(depth: StoredStream, other: StoredStream) -> NDArray[np.int64]:
    tolerance_ns = _tolerance_ns(depth, other)
    if depth.clock == other.clock:
        return pair_by_time(depth.timestamps_ns, other.timestamps_ns, tolerance_ns)
    # Stamps of two clocks cannot be compared; the recorder's own clock is one.
    pairs = pair_by_time(depth.arrivals_ns, other.arrivals_ns, tolerance_ns)
    return pairs[np.argsort(depth.timestamps_ns[pairs[:, 0]], kind="stable")]


def _stamps_by_clock_of(depth: StoredStream, other: StoredStream) -> NDArray[np.int64]:
    """Return when images were taken by the clock of depth.

    Another clock cannot be compared: then the time since the last depth image arrived counts.
    """
    if other.clock == depth.clock:
        return other.timestamps_ns
    order = np.argsort(depth.arrivals_ns, kind="stable")
    arrivals_ns, stamps_ns = depth.arrivals_ns[order], depth.timestamps_ns[order]
    last = np.searchsorted(arrivals_ns, other.arrivals_ns, side="right") - 1
    last = np.maximum(last, 0)
    return np.asarray(stamps_ns[last] + other.arrivals_ns - arrivals_ns[last])


def _tolerance_ns(*streams: StoredStream) -> int:
    periods_ns = [period for period in map(_period_ns, streams) if period > 0]
    return int(_TOLERANCE_PERIODS * min(periods_ns, default=0.0))


def _period_ns(stream: StoredStream) -> float:
    """Return the time between images: as measured, as promised, whichever is shorter."""
    periods = [
        median_period_ns(stream.timestamps_ns),
        1e9 / stream.rate_hz if stream.rate_hz > 1e-3 else 0,
    ]
    return min((period for period in periods if period > 0), default=0.0)
