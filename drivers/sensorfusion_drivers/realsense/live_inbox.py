"""Where the camera's threads leave what arrives and the reader takes it: bounded, and counted."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sensorfusion.errors import SourceError
from sensorfusion.sources.driver import StreamHealth
from sensorfusion_drivers.realsense.live_pairing import Clock, Sorter
from sensorfusion_drivers.realsense.live_seam import Arrival
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH

WARM_UP_FRAMES: Final = 60
_STEADY_FRAMES: Final = 5
_STEADY_SHARE: Final = 0.05
_ALONE: Final = 5


@dataclass(slots=True)
class Counts:
    """What became of the pictures of a stream.

    Attributes
    ----------
    received : int
        Pictures that reached the computer: warming_up + dropped + unpaired + delivered + waiting.
    missing : int
        Pictures that the camera counted and that never came.
    warming_up : int
        Left out because the exposure was not steady yet.
    dropped : int
        Left out because the reader did not keep up.
    delivered : int
        Taken by the reader.
    exposures_us : deque of int
        The last exposures.
    """

    received: int = 0
    missing: int = 0
    warming_up: int = 0
    dropped: int = 0
    delivered: int = 0
    last_number: int | None = None
    last_s: float = 0.0
    since_restart: int = 0
    exposures_us: deque[int] = field(default_factory=lambda: deque(maxlen=_STEADY_FRAMES))

    @property
    def is_steady(self) -> bool:
        """Say whether the exposure has settled; of a camera that does not tell it, always."""
        if not self.exposures_us or self.since_restart >= WARM_UP_FRAMES:
            return True
        spread_us = max(self.exposures_us) - min(self.exposures_us)
        is_full = len(self.exposures_us) == _STEADY_FRAMES
        return is_full and spread_us <= _STEADY_SHARE * max(self.exposures_us)

    def restart(self) -> None:
        """Forget numbers and exposures: the camera begins anew."""
        self.last_number, self.since_restart = None, 0
        self.last_s = time.monotonic()
        self.exposures_us.clear()

    def see(self, arrival: Arrival) -> None:
        """Count a picture that came."""
        self.received += 1
        self.last_s = time.monotonic()
        # A camera that was reset counts from the beginning again.
        if self.last_number is not None and arrival.number > self.last_number + 1:
            self.missing += arrival.number - self.last_number - 1
        self.last_number = arrival.number
        self.since_restart += 1
        if arrival.exposure_us is not None:
            self.exposures_us.append(arrival.exposure_us)


class Inbox:
    """A bounded queue between the camera's threads and one reader.

    Parameters
    ----------
    streams : tuple of str
        Those that arrive.
    clock : Clock
    sorter : Sorter
        Makes of pictures what is handed out.
    largest_bytes : int
        Of what waits to be taken.
    drop_oldest : bool
        When it is full: for a live view the oldest goes; else what comes new is refused, so that
        what was accepted has no holes. Either is counted.
    """

    def __init__(
        self,
        streams: Iterable[str],
        clock: Clock,
        sorter: Sorter,
        largest_bytes: int,
        *,
        drop_oldest: bool,
    ) -> None:
        self.counts = {stream: Counts() for stream in streams}
        self.clock = clock
        self._sorter, self._largest_bytes, self._drop_oldest = sorter, largest_bytes, drop_oldest
        self._waiting: deque[tuple[Arrival, ...]] = deque()
        self._bytes = 0
        self._error: SourceError | None = None
        self._ended = False
        self._changed = threading.Condition()
        # What came before every stream has: whether exposures are steady is not known yet.
        self._held: list[Arrival] = []
        self._warm = False
        self.restarted()

    @property
    def unpaired(self) -> dict[str, int]:
        """Return the pictures that found no partner, by stream."""
        return self._sorter.unpaired

    @property
    def silent(self) -> list[str]:
        """Return the streams of pictures of which none has come since the last restart."""
        return [stream for stream in self._watched() if not self.counts[stream].since_restart]

    def restarted(self) -> None:
        """Forget numbers and exposures: the camera begins anew."""
        with self._changed:
            self._warm = False
            self._skip_held()
            for counts in self.counts.values():
                counts.restart()

    def put(self, arrival: Arrival | SourceError) -> None:
        """Take what arrived; called in threads of the library, so it waits for nobody."""
        with self._changed:
            if isinstance(arrival, SourceError):
                self._error = self._error or arrival
            else:
                self._accept(arrival)
            self._changed.notify_all()

    def end(self) -> None:
        """Let nobody wait any more; callable from any thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def get(self, timeout_s: float) -> tuple[Arrival, ...] | None:
        """Return the oldest of what waits; None when nothing came in time.

        Raises
        ------
        SourceError
            If something that arrived could not be taken over.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._error or self._ended, timeout_s)
            if self._error is not None:
                raise self._error
            return self._pop() if self._waiting else None

    def wait_for_first(self, timeout_s: float) -> bool:
        """Wait until every stream of pictures has come since the last restart.

        An error, which ``get`` then raises, and the end are not waited out, either.
        """

        def is_settled() -> bool:
            return not self.silent or self._error is not None or self._ended

        with self._changed:
            return self._changed.wait_for(is_settled, timeout_s)

    def is_silent(self, silent_s: float) -> bool:
        """Say whether no picture came for so long, or none of one stream for five times as long.

        One stream alone may pause; to begin again would cost the pictures of the other.
        """
        now_s = time.monotonic()
        with self._changed:
            silences_s = [now_s - self.counts[stream].last_s for stream in self._watched()]
        return min(silences_s) > silent_s or max(silences_s) > _ALONE * silent_s

    def health(self, rates_hz: Mapping[str, int]) -> dict[str, StreamHealth]:
        """Return what became of each stream so far, with its nominal rate."""
        with self._changed:
            return {
                stream: StreamHealth(
                    rate_hz=rates_hz[stream],
                    received=counts.received,
                    missing=counts.missing,
                    warming_up=counts.warming_up,
                    dropped=counts.dropped,
                    unpaired=self._sorter.unpaired.get(stream, 0),
                    delivered=counts.delivered,
                    exposure_us=counts.exposures_us[-1] if counts.exposures_us else None,
                )
                for stream, counts in self.counts.items()
            }

    def rest(self) -> list[tuple[Arrival, ...]]:
        """Return all that waits, at the end; nothing may arrive any more."""
        with self._changed:
            self._skip_held()
            self._append(self._sorter.flush())
            taken = []
            while self._waiting:
                taken.append(self._pop())
            return taken

    def _watched(self) -> list[str]:
        return [stream for stream in self.counts if stream in (DEPTH, COLOR)]

    def _accept(self, arrival: Arrival) -> None:
        self.counts[arrival.stream].see(arrival)
        self.clock.see(arrival)
        self._held.append(arrival)
        watched = [self.counts[stream] for stream in self._watched()]
        if not self._warm and all(counts.since_restart for counts in watched):
            self._warm = all(counts.is_steady for counts in watched)
            if not self._warm:
                self._skip_held()
        if self._warm:
            for one in self._held:
                self._append(self._sorter.add(one))
            self._held.clear()

    def _skip_held(self) -> None:
        for arrival in self._held:
            self.counts[arrival.stream].warming_up += 1
        self._held.clear()

    def _append(self, items: list[tuple[Arrival, ...]]) -> None:
        for item in items:
            size = _bytes(item)
            if self._drop_oldest:
                while self._waiting and self._bytes + size > self._largest_bytes:
                    self._count_dropped(self._remove())
            elif self._bytes + size > self._largest_bytes:
                self._count_dropped(item)
                continue
            self._waiting.append(item)
            self._bytes += size

    def _pop(self) -> tuple[Arrival, ...]:
        item = self._remove()
        for arrival in item:
            self.counts[arrival.stream].delivered += 1
        return item

    def _remove(self) -> tuple[Arrival, ...]:
        item = self._waiting.popleft()
        self._bytes -= _bytes(item)
        return item

    def _count_dropped(self, item: tuple[Arrival, ...]) -> None:
        for arrival in item:
            self.counts[arrival.stream].dropped += 1


def _bytes(item: tuple[Arrival, ...]) -> int:
    return sum(arrival.values.nbytes for arrival in item)
