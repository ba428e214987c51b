"""A camera that is streaming now, as a source of frames."""

import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np

from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import SensorFusionError, SourceError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.sources.driver import LiveFrameSource, Losses, StreamHealth
from sensorfusion_drivers.realsense.live_inbox import Inbox
from sensorfusion_drivers.realsense.live_options import LiveOptions
from sensorfusion_drivers.realsense.live_pairing import Alone, Clock, InOrder, Pairs, Sorter
from sensorfusion_drivers.realsense.live_seam import Arrival, Cameras
from sensorfusion_drivers.realsense.live_session import IMU, Session, find_device
from sensorfusion_drivers.realsense.streams import ACCEL, COLOR, DEPTH, GYRO

# As for recordings: depth and colour of one frame may be stamped up to this share of the shorter
# period apart.
_TOLERANCE_PERIODS: Final = 0.75
# A quarter of a second of depth and colour: what waits longer is no longer live.
_FRAMES_BYTES: Final = 16 << 20
# Some seconds of them, while a disk writes back.
_SAMPLES_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a camera, seconds.

    Attributes
    ----------
    begin_s : float
        For the first picture of every stream.
    silent_s : float
        For the next one, before the camera is looked at; five times as long for one stream alone.
    give_up_s : float
        For a camera to come back.
    retry_s : float
        Before the second attempt to begin again; doubled after each.
    """

    begin_s: float = 5.0
    silent_s: float = 1.0
    give_up_s: float = 30.0
    retry_s: float = 0.25


class LiveSource(LiveFrameSource):
    """The frames of a camera from now on, until it is closed, unplugged for long, or time is up.

    One reader at a time; every iteration starts the camera and stops it again.

    Parameters
    ----------
    cameras : Cameras
    serial : str
        Serial number; empty for the only camera.
    options : LiveOptions
    seconds : float, optional
        End after so long.
    patience : Patience

    Attributes
    ----------
    losses : Losses
        Kept up to date with every frame.
    notes : tuple of str
        Grows when the camera is lost and found again, or reports something.

    Raises
    ------
    SourceError
        If there is no such camera, or it cannot do what was asked.
    CalibrationError
        If its intrinsics or transforms are impossible.
    """

    def __init__(
        self,
        cameras: Cameras,
        serial: str,
        options: LiveOptions,
        seconds: float | None = None,
        patience: Patience | None = None,
    ) -> None:
        if seconds is not None and not seconds > 0:
            msg = f"seconds is {seconds}; expected a number above 0"
            raise SourceError(msg)
        self._cameras, self._options = cameras, options
        self._seconds, self._patience = seconds, patience or Patience()
        self._session = Session(find_device(cameras, serial), options)
        self._serial = self._session.device.info.get("Serial Number", serial)
        self._inbox: Inbox | None = None
        self._closed = threading.Event()
        # Sensors are begun and ended by the reader and by whoever closes, never at once.
        # A reader that is thrown away may end them wherever the interpreter finds it.
        self._switching = threading.RLock()
        self.rig, self.metadata = self._session.rig, self._session.metadata
        self.trajectory = None
        self.down_world = None
        self.losses = Losses()
        self.notes = self._warnings = self._session.warnings
        self._said: Counter[str] = Counter()
        self._noting = threading.Lock()

    def __iter__(self) -> Iterator[Frame]:
        """Yield depth with the colour nearest in time; the oldest go when nobody takes them."""
        inbox = self._open_inbox(drop_oldest=True)
        with closing(self._stream(inbox)) as items:
            for index, item in enumerate(items):
                # Told at once: a reader that stops here asks for the losses next.
                self._count_losses(inbox, {DEPTH}, "frames that tracking did not keep up with")
                yield self._frame(index, item, inbox.clock)
        self._count_losses(inbox, {DEPTH}, "frames that tracking did not keep up with")

    def samples(self) -> Iterator[Sample]:
        """Yield every picture and reading in order of time; what finds no room is counted."""
        inbox = self._open_inbox(drop_oldest=False)
        with closing(self._stream(inbox)) as items:
            for (arrival,) in items:
                self._count_losses(inbox, set(inbox.counts), "samples that found no room")
                yield self._sample(arrival, inbox.clock.stamp_ns(arrival))
        self._count_losses(inbox, set(inbox.counts), "samples that found no room")

    def health(self) -> dict[str, StreamHealth]:
        """Return what became of the pictures of each stream so far."""
        return {} if self._inbox is None else self._inbox.health(self._session.rates_hz)

    def close(self) -> None:
        """Stop the camera; whoever waits for a frame is told that there are no more."""
        self._closed.set()
        if self._inbox is not None:
            self._inbox.end()
        self._stop()

    def _open_inbox(self, *, drop_oldest: bool) -> Inbox:
        streams, clock = tuple(self._session.rates_hz), Clock()
        sorter: Sorter = InOrder(clock, streams)
        if drop_oldest:
            streams = tuple(stream for stream in streams if stream in (DEPTH, COLOR))
            periods_ns = {one: int(1e9 / self._session.rates_hz[one]) for one in streams}
            tolerance_ns = int(_TOLERANCE_PERIODS * min(periods_ns.values()))
            sorter = Pairs(clock, periods_ns, tolerance_ns) if COLOR in streams else Alone()
        largest_bytes = _FRAMES_BYTES if drop_oldest else _SAMPLES_BYTES
        self._inbox = Inbox(streams, clock, sorter, largest_bytes, drop_oldest=drop_oldest)
        return self._inbox

    def _stream(self, inbox: Inbox) -> Generator[tuple[Arrival, ...], None, None]:
        """Run the camera and yield what it delivers; begin again where it falls silent."""
        patience = self._patience
        if self._closed.is_set():
            return
        self._begin(inbox)
        end_s = time.monotonic() + (self._seconds or float("inf"))
        try:
            if not inbox.wait_for_first(patience.begin_s) and not self._begin_again(inbox):
                self._refuse_silence(inbox)
            while time.monotonic() < end_s and not self._closed.is_set():
                item = inbox.get(min(patience.silent_s / 4, end_s - time.monotonic()))
                if item is not None:
                    yield item
                elif inbox.is_silent(patience.silent_s) and not self._begin_again(inbox):
                    break
        finally:
            self._stop()
        yield from inbox.rest()

    def _begin(self, inbox: Inbox) -> None:
        with self._switching:
            if not self._closed.is_set():
                self._session.listen(self._note)
                inbox.restarted()
                self._session.start(inbox.counts, inbox.put)

    def _stop(self) -> None:
        with self._switching:
            self._session.stop()

    def _begin_again(self, inbox: Inbox) -> bool:
        """Get a silent camera to stream again, options and all; say whether it does."""
        patience, began_s = self._patience, time.monotonic()
        wait_s, happened, reason = patience.retry_s, "was silent", ""
        while time.monotonic() - began_s < patience.give_up_s:
            self._stop()
            try:
                if not self._session.device.is_connected():
                    happened = "was unplugged"
                    self._session = self._same_session_anew()
                self._begin(inbox)
                if inbox.wait_for_first(patience.begin_s) and not self._closed.is_set():
                    passed_s = time.monotonic() - began_s
                    self._note(f"{happened} and streams again after {passed_s:.1f} s")
                    return True
            except SensorFusionError as error:
                reason = str(error)
            else:
                reason = "it began, and nothing came"
            if self._closed.wait(wait_s):
                return False
            wait_s *= 2
        self._note(f"{happened} and did not come back in {patience.give_up_s:g} s: {reason}")
        return False

    def _same_session_anew(self) -> Session:
        session = Session(find_device(self._cameras, self._serial), self._options)
        is_same = session.rates_hz == self._session.rates_hz
        if not is_same or dict(session.rig.cameras) != dict(self.rig.cameras):
            msg = "it came back with other pictures; is it in a port of another speed?"
            raise SourceError(msg)
        return session

    def _refuse_silence(self, inbox: Inbox) -> None:
        """Raise what is wrong with a camera that never delivered, unless it was closed."""
        if self._closed.is_set():
            return
        silent = " and no ".join(inbox.silent) or "picture"
        msg = (
            f"camera {self._serial} began and no {silent} came; plug it in again, "
            "use a USB 3 port, or ask for fewer pixels (-o depth=640x480@15)"
        )
        raise SourceError(msg)

    def _note(self, text: str) -> None:
        """Add a sentence to the notes; one that stands there, such as a fault, is counted."""
        with self._noting:
            self._said[text] += 1
            said = (f"{one} ({n} times)" if n > 1 else one for one, n in self._said.items())
            self.notes = (*self._warnings, *(f"camera {self._serial}: {one}" for one in said))

    def _count_losses(self, inbox: Inbox, streams: set[str], slow: str) -> None:
        counts = {stream: inbox.counts[stream] for stream in streams}
        one = len(streams) == 1
        reasons = {
            f"{'' if one else stream + ': '}{reason}": number
            for stream, count in sorted(counts.items())
            for reason, number in (
                ("before the exposure was steady", count.warming_up),
                ("lost between camera and computer", count.missing),
                (slow, count.dropped),
            )
        }
        self.losses.dropped.update({reason: n for reason, n in reasons.items() if n})
        self.losses.unpaired.update(inbox.unpaired)

    def _frame(self, index: int, item: tuple[Arrival, ...], clock: Clock) -> Frame:
        depth = self._depth(item[0], clock.stamp_ns(item[0]))
        images = {one.stream: _image(one, clock.stamp_ns(one)) for one in item[1:]}
        return Frame(index, depth.timestamp_ns, DEPTH, depth, images)

    def _sample(self, arrival: Arrival, stamp_ns: int) -> Sample:
        if arrival.stream == DEPTH:
            return Sample(DEPTH, stamp_ns, self._depth(arrival, stamp_ns))
        if arrival.stream in (GYRO, ACCEL):
            x, y, z = (float(value) for value in arrival.values)
            gyro, accel = ((x, y, z), None) if arrival.stream == GYRO else (None, (x, y, z))
            return Sample(arrival.stream, stamp_ns, ImuReading(IMU, stamp_ns, gyro, accel))
        return Sample(arrival.stream, stamp_ns, _image(arrival, stamp_ns))

    def _depth(self, arrival: Arrival, stamp_ns: int) -> RawDepth:
        values = arrival.values.astype(np.uint16, copy=False)
        return RawDepth(values, arrival.unit_m, self.rig.cameras[DEPTH], stamp_ns)


def _image(arrival: Arrival, stamp_ns: int) -> Image:
    return Image(arrival.values.astype(np.uint8, copy=False), arrival.stream, stamp_ns)
