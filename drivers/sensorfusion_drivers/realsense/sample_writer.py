"""What the writers of both containers share: samples in, a whole file out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from sensorfusion.errors import OutputError
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.frame import Sample
from sensorfusion.sources.driver import SampleWriter
from sensorfusion.sources.synchronize import median_period_ns
from sensorfusion_drivers.realsense.recorded import Part, Picture, RecordedDevice

_USUAL_RATE_HZ = 30


class StoredWriter(SampleWriter, ABC):
    """A RealSense recording that is written sample by sample, and whole once it is closed.

    Parameters
    ----------
    path : Path or str
    device : RecordedDevice

    Raises
    ------
    OutputError
        If the file cannot be made.
    """

    def __init__(self, path: Path | str, device: RecordedDevice) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        self._device = device
        self._is_closed = False
        self._begin_ns: int | None = None
        self._arrival_ns = 1
        # Of each stream: first the encoding, then all time stamps.
        self._encodings: dict[str, str] = {}
        self._stamps_ns: dict[str, list[int]] = {}
        with ExitStack() as stack:
            self._start(stack.enter_context(whole_file(path)), stack)
            self._stack = stack.pop_all()

    def write(self, sample: Sample) -> None:
        """Append a sample.

        Raises
        ------
        OutputError
            If the format cannot hold it without loss, or the file cannot be written.
        """
        for part in self._device.parts(sample):
            self._put([part])

    def write_all(self, pictures: Iterable[Picture]) -> None:
        """Write pairs of pictures and finish; on an error nothing is left behind.

        Raises
        ------
        OutputError
            If the file cannot be written whole.
        ValueError
            If an image does not fit its camera.
        """
        try:
            for picture in pictures:
                self._put(self._device.checked(picture))
        except BaseException:
            self.abandon()
            raise
        self.close()

    def close(self) -> None:
        """Finish the recording under its name; a second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            with self._stack:
                self._finish()

    def abandon(self) -> None:
        """Leave nothing behind."""
        if not self._is_closed:
            self._is_closed = True
            with suppress(OutputError), self._stack:
                msg = f"{self.path}: given up"
                raise OutputError(msg)

    def _put(self, parts: list[Part]) -> None:
        """Append what arrived at one instant."""
        for part in parts:
            if self._begin_ns is None:
                self._begin_ns = part.timestamp_ns
            # Time does not go back where two clocks stamp the streams.
            self._arrival_ns = max(self._arrival_ns, part.timestamp_ns - self._begin_ns + 1)
            self._stamps_ns.setdefault(part.stream, []).append(part.timestamp_ns)
        try:
            if parts:
                self._append(self._arrival_ns, parts)
        except OSError as error:
            raise self._unwritten(error.strerror or str(error)) from error

    def _unwritten(self, reason: str) -> OutputError:
        msg = f"{self.path}: cannot be written whole ({reason}); free some space or write elsewhere"
        return OutputError(msg)

    def _number(self, stream: str) -> int:
        """Return how many samples of a stream there are so far."""
        return len(self._stamps_ns[stream])

    def _rate_hz(self, stream: str) -> int:
        """Return the nominal rate of a stream: given, or as its time stamps say."""
        if self._device.rate_hz is not None:
            return self._device.rate_hz
        period_ns = median_period_ns(np.array(self._stamps_ns.get(stream, ()), dtype=np.int64))
        return max(1, round(1e9 / period_ns)) if period_ns > 0 else _USUAL_RATE_HZ

    @abstractmethod
    def _start(self, temporary: Path, stack: ExitStack) -> None:
        """Begin the file; what must be let go stands on the stack."""

    @abstractmethod
    def _append(self, arrival_ns: int, parts: list[Part]) -> None:
        """Write what arrived at an instant; the first sample arrives at 1."""

    @abstractmethod
    def _finish(self) -> None:
        """Write what is known at the end only."""
