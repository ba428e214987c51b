"""Pictures that arrive one by one: paired by time as a recording's are, or put in order of time."""

from collections.abc import Mapping
from itertools import product
from typing import Final, Protocol

from sensorfusion_drivers.realsense.live_seam import Arrival
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH

# How long a picture waits for others, by the computer's clock.
_PATIENCE_NS: Final = 250_000_000
# The next picture of a stream comes no sooner than this share of its period after the last.
_SOONEST: Final = 0.8
_NEVER: Final = 1 << 62


class Clock:
    """The time of pictures: the camera's stamps, as long as all streams count the same.

    Stamps of two clocks cannot be compared; from the first one that differs on, it is the instant
    at which a picture reached the computer.
    """

    def __init__(self) -> None:
        self.name = ""
        self.by_arrival = False

    def see(self, arrival: Arrival) -> None:
        """Take note of the clock of a picture."""
        self.name = self.name or arrival.clock
        self.by_arrival |= arrival.clock != self.name

    def stamp_ns(self, arrival: Arrival) -> int:
        """Return the time of a picture."""
        return arrival.arrival_ns if self.by_arrival else arrival.stamp_ns


class Sorter(Protocol):
    """Turns what arrives into what is handed out."""

    unpaired: dict[str, int]

    def add(self, arrival: Arrival) -> list[tuple[Arrival, ...]]:
        """Take a picture; return what is complete."""

    def flush(self) -> list[tuple[Arrival, ...]]:
        """Return what is left, at the end."""


class InOrder:
    """Every picture by itself, in order of time across the streams.

    Parameters
    ----------
    clock : Clock
    streams : tuple of str
        A picture waits until each of these has a later one, or for a quarter of a second.
    """

    def __init__(self, clock: Clock, streams: tuple[str, ...]) -> None:
        self.unpaired: dict[str, int] = {}
        self._clock, self._streams = clock, streams
        self._waiting: list[Arrival] = []

    def add(self, arrival: Arrival) -> list[tuple[Arrival, ...]]:
        """Take a picture; return those that nothing earlier can follow."""
        self._waiting.append(arrival)
        self._waiting.sort(key=self._clock.stamp_ns)
        latest_ns = dict.fromkeys(self._streams, -_NEVER)
        latest_ns |= {one.stream: self._clock.stamp_ns(one) for one in self._waiting}
        settled_ns = min(latest_ns.values())
        old_ns = arrival.arrival_ns - _PATIENCE_NS
        count = 0
        for index, one in enumerate(self._waiting):
            if self._clock.stamp_ns(one) <= settled_ns or one.arrival_ns <= old_ns:
                count = index + 1
        return self._take(count)

    def flush(self) -> list[tuple[Arrival, ...]]:
        """Return what is left."""
        return self._take(len(self._waiting))

    def _take(self, count: int) -> list[tuple[Arrival, ...]]:
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return [(one,) for one in taken]


class Pairs:
    """Depth with the colour nearest in time, each picture at most once.

    The pairs are those that ``sources.synchronize.pair_by_time`` makes of the whole streams; each
    is handed out as soon as no later picture can change it.

    Parameters
    ----------
    clock : Clock
    periods_ns : mapping of str to int
        Nominal time between pictures of ``"depth"`` and ``"color"``.
    tolerance_ns : int
        Largest difference within a pair.

    Attributes
    ----------
    unpaired : dict of str to int
        Pictures that found no partner.
    """

    def __init__(self, clock: Clock, periods_ns: Mapping[str, int], tolerance_ns: int) -> None:
        self.unpaired = {DEPTH: 0, COLOR: 0}
        self._clock, self._periods_ns, self._tolerance_ns = clock, periods_ns, tolerance_ns
        self._waiting: dict[str, list[Arrival]] = {DEPTH: [], COLOR: []}
        self._latest: dict[str, Arrival] = {}
        self._pairs: list[tuple[Arrival, ...]] = []

    def add(self, arrival: Arrival) -> list[tuple[Arrival, ...]]:
        """Take a picture; return the pairs that are certain now, in order of the depth's time."""
        self._waiting[arrival.stream].append(arrival)
        self._latest[arrival.stream] = arrival
        self._pair(arrival.arrival_ns)
        self._give_up(arrival.arrival_ns)
        return self._take()

    def flush(self) -> list[tuple[Arrival, ...]]:
        """Pair what is left; count the rest."""
        self._pair(_NEVER)
        self._give_up(_NEVER)
        return self._take()

    def _pair(self, now_ns: int) -> None:
        """Move the pairs that no picture to come can change, nearest first."""
        stamp_ns = self._clock.stamp_ns
        candidates = sorted(
            (
                (abs(stamp_ns(depth) - stamp_ns(color)), depth, color)
                for depth, color in product(self._waiting[DEPTH], self._waiting[COLOR])
            ),
            key=lambda one: (one[0], stamp_ns(one[1]), stamp_ns(one[2])),
        )
        taken: set[int] = set()
        for distance_ns, depth, color in candidates:
            if distance_ns > self._tolerance_ns or {id(depth), id(color)} & taken:
                continue
            # What may still find a nearer partner blocks its pairs until then.
            taken |= {id(depth), id(color)}
            late = min(depth.arrival_ns, color.arrival_ns) <= now_ns - _PATIENCE_NS
            if late or (
                self._soonest_ns(COLOR) - stamp_ns(depth) >= distance_ns
                and self._soonest_ns(DEPTH) - stamp_ns(color) >= distance_ns
            ):
                self._waiting[DEPTH].remove(depth)
                self._waiting[COLOR].remove(color)
                self._pairs.append((depth, color))

    def _give_up(self, now_ns: int) -> None:
        """Count what no picture that is here or to come can be a partner of."""
        stamp_ns = self._clock.stamp_ns
        for stream, other in ((DEPTH, COLOR), (COLOR, DEPTH)):
            for one in tuple(self._waiting[stream]):
                last_ns = stamp_ns(one) + self._tolerance_ns
                hopeful = any(
                    abs(stamp_ns(one) - stamp_ns(partner)) <= self._tolerance_ns
                    for partner in self._waiting[other]
                )
                late = one.arrival_ns <= now_ns - _PATIENCE_NS
                if not hopeful and (late or self._soonest_ns(other) > last_ns):
                    self._waiting[stream].remove(one)
                    self.unpaired[stream] += 1

    def _soonest_ns(self, stream: str) -> int:
        """Return when the next picture of a stream can come at the soonest."""
        latest = self._latest.get(stream)
        if latest is None:
            return -_NEVER
        return self._clock.stamp_ns(latest) + int(_SOONEST * self._periods_ns[stream])

    def _take(self) -> list[tuple[Arrival, ...]]:
        """Return the pairs that no depth picture still waiting comes before."""
        stamp_ns = self._clock.stamp_ns
        first_ns = min(map(stamp_ns, self._waiting[DEPTH]), default=_NEVER)
        done = [pair for pair in self._pairs if stamp_ns(pair[0]) < first_ns]
        self._pairs = [pair for pair in self._pairs if stamp_ns(pair[0]) >= first_ns]
        return sorted(done, key=lambda pair: stamp_ns(pair[0]))


class Alone:
    """Depth without colour: every picture is a frame."""

    def __init__(self) -> None:
        self.unpaired = {DEPTH: 0}

    def add(self, arrival: Arrival) -> list[tuple[Arrival, ...]]:
        """Return the picture."""
        return [(arrival,)]

    def flush(self) -> list[tuple[Arrival, ...]]:
        """Return nothing: nothing waits."""
        return []
