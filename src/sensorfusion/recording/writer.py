"""The recorder: takes samples of any source and writes them behind the caller's back."""

import time
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from typing import Final, Self

import numpy as np

from sensorfusion.calibration.toml_rig import toml_of_rig
from sensorfusion.errors import OutputError, SensorFusionError
from sensorfusion.formats import mcap_recording
from sensorfusion.formats.mcap_write import Packer
from sensorfusion.formats.ros2_schemas import TRANSFORMS
from sensorfusion.formats.rvl_write import encode_rvl
from sensorfusion.frame import Sample
from sensorfusion.imu import ImuReading
from sensorfusion.recording.encoder import SampleEncoder, memory_bytes
from sensorfusion.recording.file import Disk, RecordingFile, failed_write, readable_messages
from sensorfusion.recording.messages import Message, static_transforms
from sensorfusion.recording.options import RecordingOptions, Written
from sensorfusion.rig import Rig

_LATEST_IMU_NS: Final = 100_000_000
_WAKE_S: Final = 0.05


class RecordingWriter:
    """Writes samples to an MCAP file with messages of ROS 2 that survives a crash.

    Each picture and each scan is a chunk of its own, given to the operating system as soon as it
    is encoded: from then on a killed process loses nothing of it, after a second a power cut
    neither. Samples of an IMU wait for the next picture, 0.1 s at most. A thread does it all.

    ::

        with RecordingWriter("out.mcap", source.rig) as writer:
            for sample in source.samples():
                writer.write(sample)

    Parameters
    ----------
    path : Path or str
        Must not exist, or be empty.
    rig : Rig
    options : RecordingOptions or None
    disk : Disk or None, for tests

    Raises
    ------
    OutputError
        If the file cannot be made.

    References
    ----------
    MCAP format specification; ``docs/recording-file.md``.
    """

    def __init__(
        self,
        path: Path | str,
        rig: Rig,
        *,
        options: RecordingOptions | None = None,
        disk: Disk | None = None,
    ) -> None:
        self.path = Path(path)
        self._rig = rig
        self._options = options or RecordingOptions()
        self._encoder = SampleEncoder(rig, self._options)
        self._changed = Condition()
        self._queue: deque[tuple[Sample, int]] = deque()
        self._queued_bytes = 0
        self._offered: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        self._topics: dict[str, str] = {}
        self._pending: dict[str, int] = {}
        self._pending_since_ns = (0, 0)
        self._result: Written | None = None
        self._has_transforms = self._is_closing = self._is_over = False
        self._error: SensorFusionError | None = None
        if rig.cameras and self._options.depth in ("auto", "rvl"):
            # Compiled now, not when samples come at their own pace.
            encode_rvl(np.zeros((1, 1), np.uint16))
        self._file = RecordingFile(self.path, disk or Disk())
        try:
            described = toml_of_rig(rig.on_one_clock()).encode()
            self._file.attach(mcap_recording.RIG, "application/toml", described)
            self._file.note(mcap_recording.DEVICE, self._options.device)
        except OSError as error:
            raise failed_write(self.path, error, 0) from error
        self._thread = Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """Return how many samples were given to the operating system: these are accepted."""
        with self._changed:
            return sum(self._written.values())

    @property
    def dropped(self) -> dict[str, int]:
        """Return how many samples were dropped so far, by stream."""
        with self._changed:
            return {stream: count for stream, count in self._dropped.items() if count}

    def write(self, sample: Sample) -> None:
        """Take a sample; its arrays must not be changed afterwards.

        Where the queue is full, a live recording drops the sample and counts it; others wait.

        Raises
        ------
        OutputError
            If an earlier sample could not be written: nothing is written from that one on.
        """
        size = memory_bytes(sample)
        with self._changed:
            number = self._offered.get(sample.stream, 0)
            self._offered[sample.stream] = number + 1
            while self._is_full(size) and not self._options.live and not self._is_over:
                self._changed.wait(_WAKE_S)
            if self._is_over or self._is_full(size):
                self._drop(sample.stream)
                self._check()
                return
            self._queue.append((sample, number))
            self._queued_bytes += size
            self._changed.notify_all()

    def close(self) -> Written:
        """Write what is queued and the index, and check what stands in the file.

        Returns
        -------
        Written

        Raises
        ------
        OutputError
            If something could not be written, or the file does not hold what was written to it.
        """
        if self._result is None:
            with self._changed:
                self._is_closing = True
                self._changed.notify_all()
            self._thread.join()
            self._check()
            self._verify()
            size = self.path.stat().st_size
            self._result = Written(self.path, dict(self._written), self.dropped, size)
        return self._result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; an error on the way out stays the one that is raised."""
        with suppress(*(() if kind is None else (OutputError,))):
            self.close()

    def _is_full(self, size: int) -> bool:
        """Tell whether a sample of this size must not be queued; one alone always may."""
        room = self._options.queue_mb * 1_000_000 - self._queued_bytes
        return bool(self._queue) and (
            size > room or len(self._queue) >= self._options.queue_samples
        )

    def _drop(self, stream: str, count: int = 1) -> None:
        self._dropped[stream] = self._dropped.get(stream, 0) + count

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._is_over and not self._is_closing:
            msg = f"{self.path}: the recording ended early; what it holds is kept"
            raise OutputError(msg)

    def _run(self) -> None:
        try:
            try:
                self._work()
            finally:
                self._end()
        except OSError as error:
            self._error = failed_write(self.path, error, self.written)
        except SensorFusionError as error:
            self._error = error
        finally:
            with self._changed:
                self._is_over = True
                for sample, _ in self._queue:
                    self._drop(sample.stream)
                self._queue.clear()
                self._changed.notify_all()

    def _work(self) -> None:
        is_done = False
        while not is_done:
            with self._changed:
                if not self._queue and not self._is_closing:
                    self._changed.wait(_WAKE_S)
                entry = self._queue.popleft() if self._queue else None
                is_done = entry is None and self._is_closing
                if entry is not None:
                    self._queued_bytes -= memory_bytes(entry[0])
                    self._changed.notify_all()
            if entry is not None:
                self._put(*entry)
            if is_done or self._is_late(None):
                self._flush(self._encoder.packer(None))
            self._file.sync()

    def _put(self, sample: Sample, number: int) -> None:
        """Encode a sample and write it, with what waits, unless it may wait itself."""
        stream = sample.stream
        try:
            messages = list(self._encoder.encode(sample))
        except SensorFusionError:
            with self._changed:
                self._drop(stream)
            self._flush(self._encoder.packer(None))
            raise
        if messages:
            self._topics.setdefault(stream, messages[0].topic)
            self._put_transforms(messages[0].time_ns)
        for message in messages:
            self._file.add(message, number)
        is_imu = isinstance(sample.data, ImuReading)
        if not self._pending:
            self._pending_since_ns = (time.monotonic_ns(), sample.timestamp_ns)
        self._pending[stream] = self._pending.get(stream, 0) + 1
        if not is_imu or self._is_late(sample.timestamp_ns):
            self._flush(self._encoder.packer(sample))

    def _put_transforms(self, time_ns: int) -> None:
        message = None if self._has_transforms else static_transforms(self._rig, time_ns)
        self._has_transforms = True
        if message is not None:
            self._file.add(Message("/tf_static", TRANSFORMS, time_ns, [message]), 0)

    def _is_late(self, time_ns: int | None) -> bool:
        """Tell whether what an IMU measured has waited long enough.

        A source that does not wait is gone when the process is: the clock counts. For others the
        samples' own time does, so that the same samples make the same file.
        """
        wall_ns, first_ns = self._pending_since_ns
        if not self._pending:
            return False
        if time_ns is not None and time_ns - first_ns >= _LATEST_IMU_NS:
            return True
        return self._options.live and time.monotonic_ns() - wall_ns >= _LATEST_IMU_NS

    def _flush(self, packer: Packer | None) -> None:
        pending, self._pending = self._pending, {}
        try:
            self._file.flush(packer)
        except OSError:
            with self._changed:
                for stream, count in pending.items():
                    self._drop(stream, count)
            raise
        with self._changed:
            for stream, count in pending.items():
                self._written[stream] = self._written.get(stream, 0) + count

    def _end(self) -> None:
        """Write what was dropped, and the index, whatever happened before."""
        with self._changed:
            # Readings may still wait where the disk failed under what was written before.
            for stream, count in self._pending.items():
                self._drop(stream, count)
            counts = {f"written.{name}": count for name, count in self._written.items()}
            dropped = Counter(self._dropped)
            dropped.update(sample.stream for sample, _ in self._queue)
        counts |= {f"dropped.{name}": count for name, count in dropped.items()}
        try:
            texts = {name: str(count) for name, count in counts.items()}
            self._file.note(mcap_recording.COUNTS, texts, is_last=True)
        finally:
            self._file.finish()

    def _verify(self) -> None:
        """Compare what the finished file holds with what was taken."""
        found, expected = readable_messages(self.path), self._file.counts()
        for stream, topic in self._topics.items():
            kept = self._offered[stream] - self._dropped.get(stream, 0)
            if not found.get(topic, 0) == expected[topic] == self._written.get(stream, 0) == kept:
                msg = (
                    f"{self.path}: {found.get(topic, 0)} samples of {stream} can be read; expected "
                    f"{kept}; the disk may be failing, record to another one"
                )
                raise OutputError(msg)
        if found != expected:
            msg = f"{self.path}: holds {found} messages; expected {expected}; use another disk"
            raise OutputError(msg)
