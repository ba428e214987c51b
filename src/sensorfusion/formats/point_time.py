"""The time field of point clouds: which unit it has, and from when it counts."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TIME_NAMES: Final = (
    "t", "time", "timestamp", "timestamps", "time_stamp", "offset_time", "time_offset", "stamps",
    "gps_time", "gpstime", "time_s",
)  # fmt: skip
"""Names of time fields, in lower case."""
IN_SECONDS: Final = ("gps_time", "gpstime", "time_s")
"""Those that are seconds, however long a file took."""

_UNITS_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
# Counts since 1970, or since 1980 as GPS does, in our century.
_LEAST_EPOCH_S, _LARGEST_EPOCH_S = 3e8, 4e9
_LONGEST_SCAN_NS = 10_000_000_000
# A scan takes 20 ms to 2 s: as a count of units that says which unit it is.
_LEAST_SCAN = {"ns": 5e6, "us": 5e3, "ms": 5.0}


@dataclass(frozen=True, slots=True, eq=False)
class PointTimes:
    """When the points of a scan were measured.

    Attributes
    ----------
    offset_ns : ndarray of int64, shape (N,)
        After ``base_ns``; where that is None, after the instant of the scan.
    base_ns : int or None
        Since the epoch of the sensor's clock; None for times that count from the scan itself.
    unit : {"s", "ms", "us", "ns"}
        Of the field.
    """

    offset_ns: NDArray[np.int64]
    base_ns: int | None
    unit: str


def point_times(values: NDArray[Any], *, in_seconds: bool = False) -> PointTimes | None:
    """Recognise unit and origin of a time field.

    Numbers as large as a count since 1970 are one, in the unit that makes it fall into our
    century. Of others, floats are seconds (the custom of PCL and of the drivers for ROS) unless
    the scan then took more than 10 s; these, and integers, have the unit in which it takes
    between 5 ms and 5 s.

    Parameters
    ----------
    values : ndarray of int, uint or float, shape (N,)
    in_seconds : bool
        Whether the field's name says that times since no epoch are seconds.

    Returns
    -------
    PointTimes or None
        None where a value is not finite or there is none: such a field says nothing.
    """
    if not values.size or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        return None
    least, most = values.min().item(), values.max().item()
    absolute = _epoch_unit(values.dtype.kind, least, most)
    unit = absolute or ("s" if in_seconds else _relative_unit(values.dtype.kind, most - least))
    scale = _UNITS_NS[unit]
    # A clock that runs since some other event: only the differences say something.
    base = least if absolute or least * scale > _LONGEST_SCAN_NS else 0
    if (most - base) * scale >= 2**62 or (least - base) * scale <= -(2**62):
        return None
    # Differences first: seconds since 1970 are good to 0.2 us in a float64, and to no more.
    if values.dtype.kind == "f":
        offset_ns = np.rint((values.astype(np.float64) - base) * scale).astype(np.int64)
    else:
        offset_ns = (values - values.dtype.type(base)).astype(np.int64) * scale
    return PointTimes(offset_ns, round(base * scale) if absolute else None, unit)


def _epoch_unit(kind: str, least: float, most: float) -> str | None:
    for unit, scale in _UNITS_NS.items():
        # Whole seconds would say nothing of the points within a scan.
        if unit == "s" and kind != "f":
            continue
        if least * scale / 1e9 >= _LEAST_EPOCH_S and most * scale / 1e9 < _LARGEST_EPOCH_S:
            return unit
    return None


def _relative_unit(kind: str, spread: float) -> str:
    if kind == "f" and spread * _UNITS_NS["s"] <= _LONGEST_SCAN_NS:
        return "s"
    return next((unit for unit, least in _LEAST_SCAN.items() if spread >= least), "s")
