"""What happened to every frame: used, or dropped and why."""

import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """The account of one run; frames in = used + dropped, always.

    Attributes
    ----------
    source : str
        The location that was opened.
    used : int
        Frames that were placed (and fused).
    dropped : Counter of str
        Frames that were not, by reason.
    unpaired : dict of str to int
        Samples of each stream that found no partner in time.
    lost : list of [int, int]
        First and last time stamp, nanoseconds, of each span in which the camera's place was
        not known.
    seconds : dict of str to float
        Time spent in each stage; stages that overlap count in full.
    facts : dict
        Everything else that is worth knowing, JSON values.
    """

    source: str
    used: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    unpaired: dict[str, int] = field(default_factory=dict)
    lost: list[list[int]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    _is_lost: bool = False

    @property
    def reasons(self) -> str:
        """Return why frames were dropped, as a phrase."""
        return ", ".join(f"{count} x {reason}" for reason, count in self.dropped.items())

    @property
    def frames_in(self) -> int:
        """Return how many frames there were: used + dropped."""
        return self.used + self.dropped.total()

    def use(self) -> None:
        """Count a frame that was placed."""
        self.used += 1
        self._is_lost = False

    def drop(self, reason: str, timestamp_ns: int, *, lost: bool = False) -> None:
        """Count a frame that was not used; ``lost`` marks the camera's place as unknown."""
        self.dropped[reason] += 1
        if self._is_lost:
            self.lost[-1][1] = max(self.lost[-1][1], timestamp_ns)
        elif lost:
            self.lost.append([timestamp_ns, timestamp_ns])
            self._is_lost = True

    def add_losses(self, unpaired: Mapping[str, int], dropped: Mapping[str, int]) -> None:
        """Take over what the source could not deliver."""
        self.unpaired.update(unpaired)
        self.dropped.update(dropped)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a ``with`` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + passed

    def waiting(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, adding the time spent waiting for each to a stage."""
        iterator = iter(items)
        while True:
            with self.timed(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "source": self.source,
            "frames": {
                "in": self.frames_in,
                "used": self.used,
                "dropped": dict(self.dropped),
            },
            "unpaired": self.unpaired,
            "lost": self.lost,
            "seconds": {stage: round(value, 4) for stage, value in self.seconds.items()},
            **self.facts,
        }

    def to_json(self) -> str:
        """Return the report as text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def environment() -> dict[str, Any]:
    """Return what a run ran on: ``versions``, and ``peak_memory_mb`` of the process so far.

    The memory is None where the system does not say (Windows).
    """
    packages = ("sensorfusion", "open3d", "numpy", "numba", "opencv-python")
    return {
        "peak_memory_mb": _peak_memory_mb(),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages},
    }


def _peak_memory_mb() -> float | None:
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024.0 if sys.platform != "darwin" else 1024.0**2), 1)
