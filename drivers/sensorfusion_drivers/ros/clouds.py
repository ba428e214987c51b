"""From the fields of a LiDAR message to a point cloud: what the names mean, and the time's unit.

References
----------
REP 103 (metres) and the drivers of the makers for the names of fields: velodyne (intensity, ring,
time in s), ouster (t in ns), hesai and robosense (timestamp, s of the day's clock), livox
(offset_time in ns; timestamp in ns of the clock; line, tag).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.point_cloud import PointCloud
from sensorfusion_drivers.ros.fields import FieldTable

_INTENSITY: Final = ("intensity", "intensities", "reflectivity", "i")
_RING: Final = ("ring", "line", "channel", "laser_id")
_TIME: Final = ("t", "time", "timestamp", "offset_time", "time_stamp", "ts", "time_offset")
_NORMAL: Final = ("normal_x", "normal_y", "normal_z")
_COLOR: Final = ("rgb", "rgba")
_CHANNELS: Final = ("r", "g", "b")
_UNITS_NS: Final = (1, 1_000, 1_000_000, 1_000_000_000)
_USUAL_PERIOD_NS: Final = 100_000_000
_Keep = NDArray[np.intp] | slice
# Farther from the header than this, a time of the day is one of another clock.
_NEAR_NS: Final = 10_000_000_000


def time_unit_ns(table: FieldTable, period_ns: int) -> int | None:
    """Return the unit of a message's time field in ns, None where it has no such field.

    Makers write ns, us, ms or s under the same names, from the start of the scan or of any clock.
    What all have in common is how long a scan takes: the unit is the one under which the times of
    a scan spread nearest to a period, on a scale of factors.

    Parameters
    ----------
    table : FieldTable
        A whole scan, better than a partial one.
    period_ns : int
        From scan to scan; 0 where unknown.
    """
    name = _first(table, _TIME)
    if name is None or not len(table):
        return None
    values = table.values(name)
    finite = values[np.isfinite(values)]
    spread = float(finite.max()) - float(finite.min()) if len(finite) else 0.0
    if not spread > 0:
        return 1 if values.dtype.kind in "iu" else 1_000_000_000
    period_ns = period_ns or _USUAL_PERIOD_NS
    return min(_UNITS_NS, key=lambda unit_ns: abs(np.log(spread * unit_ns / period_ns)))


def time_spread(table: FieldTable) -> float:
    """Return how far the values of the time field reach, in its unit; 0 without one."""
    name = _first(table, _TIME)
    if name is None or not len(table):
        return 0.0
    values = table.values(name)
    spread = float(values.max()) - float(values.min())
    return spread if np.isfinite(spread) else 0.0


def to_cloud(table: FieldTable, lidar: str, timestamp_ns: int, unit_ns: int | None) -> PointCloud:
    """Return the points of a message that hold a return; each kept value is copied once.

    Parameters
    ----------
    table : FieldTable
    lidar : str
        Name of the LiDAR.
    timestamp_ns : int
        Of the frame, the header's instant.
    unit_ns : int or None
        Of the time field, as :func:`time_unit_ns` finds it.

    Returns
    -------
    PointCloud
        With the row and column of each point where the cloud is organised, and every field that
        has no meaning of its own under ``extra``.
    """
    points = table.points()
    # The square of the length is 0 without a return, and neither > 0 nor finite with NaN. Sums of
    # columns take a quarter of the time of einsum.
    with np.errstate(all="ignore"):
        x, y, z = points.T
        squares = x * x + y * y + z * z
        returned = np.flatnonzero((squares > 0) & (squares < np.inf))
    keep = slice(None) if len(returned) == len(table) else returned
    used = set("xyz")
    ring_name = _take(used, _ring_name(table))
    ring, column = _grid(table, ring_name, keep)
    intensity_name = _take(used, _first(table, _INTENSITY))
    time_name = _take(used, _first(table, _TIME) if unit_ns else None)
    offsets_ns = None
    if time_name is not None and unit_ns is not None:
        offsets_ns = _offsets_ns(_kept(table.values(time_name), keep), unit_ns, timestamp_ns)
    color = _color(table, keep, used)
    normals = None
    if all(name in table.layouts for name in _NORMAL):
        used.update(_NORMAL)
        stacked = np.stack([_kept(table.values(name), keep) for name in _NORMAL], axis=-1)
        normals = stacked.astype(np.float32, copy=False)
    rest = {
        name: _own(_kept(table.values(name), keep))
        for name in table.layouts
        if name not in used and name.strip("_")
    }
    return PointCloud(
        np.array(_kept(points, keep), np.float32, order="C"),
        lidar,
        timestamp_ns,
        intensity=None
        if intensity_name is None
        else _floats(_kept(table.values(intensity_name), keep)),
        ring=ring,
        column=column,
        time_offset_ns=offsets_ns,
        color=color,
        normals=normals,
        extra=rest,
        missing=len(table) - len(returned),
    )


def _grid(
    table: FieldTable, ring_name: str | None, keep: _Keep
) -> tuple[NDArray[np.uint16] | None, NDArray[np.int32] | None]:
    """Return beam and firing of each kept point, as far as the message says them."""
    rows, columns = table.shape
    row = np.repeat(np.arange(rows, dtype=np.int32), columns) if rows > 1 else None
    column = np.tile(np.arange(columns, dtype=np.int32), rows) if rows > 1 else None
    if ring_name is None:
        if row is None or column is None or rows > np.iinfo(np.uint16).max:
            return None, None
        return row[keep].astype(np.uint16), column[keep]
    rings = table.values(ring_name)
    if row is None or column is None:
        return _own(_kept(rings, keep)).astype(np.uint16), None
    # Some drivers write one firing in each row, so that the beams stand side by side.
    middle = rings.reshape(rows, columns)[rows // 2]
    firing = row if middle.min() != middle.max() else column
    return _own(_kept(rings, keep)).astype(np.uint16), firing[keep]


def _ring_name(table: FieldTable) -> str | None:
    """Return the field that numbers the beams, if its values can be such numbers."""
    name = _first(table, _RING)
    if name is None or table.layouts[name].dtype.kind not in "iu" or not len(table):
        return None
    values = table.values(name)
    return name if values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max else None


def _offsets_ns(values: NDArray[Any], unit_ns: int, timestamp_ns: int) -> NDArray[np.int64] | None:
    """Return times after the header's instant, whatever clock they were counted on."""
    if not len(values):
        return np.empty(0, np.int64)
    if values.dtype.kind in "iu":
        times_ns = values.astype(np.int64) * unit_ns
        first_ns = int(times_ns.min())
        since_first_ns = times_ns - first_ns
    else:
        first = float(values.min())
        if not (np.isfinite(values).all() and abs(first) * unit_ns < 2**62):
            return None
        # A double of today's seconds is good to 0.2 us; differences keep what it has.
        since_first_ns = np.rint((values.astype(np.float64) - first) * unit_ns).astype(np.int64)
        first_ns = round(first * unit_ns)
    # The nearer of the two: clocks of simulations begin at 0.
    after_ns = min(first_ns, first_ns - timestamp_ns, key=abs)
    return np.asarray(since_first_ns + after_ns) if abs(after_ns) <= _NEAR_NS else since_first_ns


def _color(table: FieldTable, keep: _Keep, used: set[str]) -> NDArray[np.uint8] | None:
    """Return red, green and blue: one field each, or PCL's packed 0x00RRGGBB."""
    if all(name in table.layouts and table.layouts[name].dtype == "u1" for name in _CHANNELS):
        used.update(_CHANNELS)
        return np.stack([_kept(table.values(name), keep) for name in _CHANNELS], axis=-1)
    name = _first(table, _COLOR)
    if name is None or table.layouts[name].dtype.itemsize != 4:
        return None
    used.add(name)
    packed = _own(_kept(table.values(name), keep)).view(np.uint32)
    return np.stack([(packed >> shift).astype(np.uint8) for shift in (16, 8, 0)], axis=-1)


def _first(table: FieldTable, names: tuple[str, ...]) -> str | None:
    """Return the first of these names that the message has, as one number a point."""
    layouts = table.layouts
    return next((name for name in names if name in layouts and layouts[name].count == 1), None)


def _kept(values: NDArray[Any], keep: _Keep) -> NDArray[Any]:
    """Return the rows of points with a return; taking by number is four times as fast as by [ ]."""
    return values if isinstance(keep, slice) else values.take(keep, axis=0)


def _take(used: set[str], name: str | None) -> str | None:
    if name is not None:
        used.add(name)
    return name


def _own(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy in the machine's byte order, one value behind the other."""
    return np.array(values, values.dtype.newbyteorder("="), order="C")


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.array(values, np.float32, order="C")
