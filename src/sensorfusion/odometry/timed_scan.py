"""A scan whose points know when they were measured, in parts of the scan."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sensorfusion.odometry.registration import ScanPoints
from sensorfusion.odometry.scan import PreparedScan

_SHORTEST_SPAN_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TimedScan:
    """A scan on its way through the tracker.

    Attributes
    ----------
    prepared : PreparedScan
    points : ScanPoints
        Those that are tracked.
    middle_ns : int
        Halfway between its first and its last point.
    span_ns : int
        From the one to the other; 0 where the scan does not say, or was taken at once.
    """

    prepared: PreparedScan
    points: ScanPoints
    middle_ns: int
    span_ns: int

    @classmethod
    def of(cls, prepared: PreparedScan) -> "TimedScan":
        """Return a scan with the instants of its points."""
        first_ns, last_ns = prepared.span_ns
        cloud, rows, span_ns = prepared.cloud, prepared.rows, last_ns - first_ns
        middle_ns = first_ns + span_ns // 2
        tau = np.zeros(len(rows), np.float32)
        timed = span_ns >= _SHORTEST_SPAN_NS
        if timed and cloud.time_offset_ns is not None:
            offsets_ns = cloud.time_offset_ns[rows] - (middle_ns - cloud.timestamp_ns)
            tau = (offsets_ns / span_ns).astype(np.float32)
        points = ScanPoints(np.ascontiguousarray(cloud.points[rows]), prepared.normals, tau, timed)
        return cls(prepared, points, middle_ns, span_ns if timed else 0)

    @property
    def span_s(self) -> float:
        """Return the span in seconds."""
        return 1e-9 * self.span_ns

    def tau_of_stamp(self) -> float:
        """Return when the time stamp is, in scans from the middle."""
        off_ns = self.prepared.cloud.timestamp_ns - self.middle_ns
        return off_ns / self.span_ns if self.span_ns else 0.0
