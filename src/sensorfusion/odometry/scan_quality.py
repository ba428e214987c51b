"""What engines said of the scans of a recording, for its report."""

from collections import Counter

import numpy as np

from sensorfusion.odometry.scan import ScanResult

_FIGURES = ("overlap", "residual_m", "conditioning", "sigma_m")


class ScanQuality:
    """Gathers how well scans were placed."""

    def __init__(self) -> None:
        self._placed: list[ScanResult] = []
        self._overcome: Counter[str] = Counter()
        self._free_ns: list[list[int]] = []
        self._was_free = False

    def add(self, result: ScanResult, timestamp_ns: int) -> None:
        """Take what was said of a scan."""
        self._overcome.update(result.notes)
        free = len(result.free) > 0
        if free and self._was_free:
            self._free_ns[-1][1] = timestamp_ns
        elif free:
            self._free_ns.append([timestamp_ns, timestamp_ns])
        self._was_free = free
        if not result.refused:
            self._placed.append(result)

    def median(self, name: str) -> float | None:
        """Return the median of a figure over the scans that were placed, None if nobody says it."""
        values = [getattr(result, name) for result in self._placed]
        known = [value for value in values if value is not None]
        return float(np.median(known)) if known else None

    def to_dict(self) -> dict[str, object]:
        """Return all of it as JSON values.

        ``tracking`` has medians; ``free_to_slide`` spans of time stamps, nanoseconds, in which
        nothing held the LiDAR in some direction; ``overcome`` counts what was out of the ordinary.
        """
        medians = {name: self.median(name) for name in _FIGURES}
        return {
            "tracking": {name: value for name, value in medians.items() if value is not None},
            "free_to_slide": self._free_ns,
            "overcome": dict(self._overcome),
        }
