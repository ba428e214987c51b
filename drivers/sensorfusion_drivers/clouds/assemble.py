"""Point clouds from the fields of files: which field is what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.point_time import IN_SECONDS, TIME_NAMES, PointTimes, point_times
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.clouds.raw_scan import RawScan

_INTENSITY = ("intensity", "reflectivity", "i", "scalar_intensity", "reflectance")
_RING = ("ring", "channel", "line", "laser_id", "rowindex")
_COLUMN = ("column", "columnindex")
_NORMALS = (("normal_x", "normal_y", "normal_z"), ("nx", "ny", "nz"))
_COLORS = (("red", "green", "blue"), ("r", "g", "b"))
_PACKED = ("rgb", "rgba")
_ALPHA = ("alpha", "a")
_FAR_M = 10_000.0
_SAMPLE = 1000
# Per-point times on the clock of the scans' names fall this near to them.
_SAME_CLOCK_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and when the points of a scan go.

    Attributes
    ----------
    lidar : str
        Name of the sensor and of its coordinate system.
    timestamp_ns : int
    shift_m : tuple of float
        Taken from the coordinates, before they are rounded to float32.
    T_sensor_file : RigidTransform or None
        Moves points that the file holds in another coordinate system; None where they stand in
        the sensor's.
    """

    lidar: str
    timestamp_ns: int = 0
    shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    T_sensor_file: RigidTransform | None = None


class _Fields:
    """The fields of a scan by lower-case name; those not taken are left for ``extra``.

    Archives of numpy also hold poses and single numbers: what has another length than x is no
    field of points.
    """

    def __init__(self, fields: Mapping[str, NDArray[Any]], path: Path) -> None:
        self._names = {name.lower(): name for name in reversed(list(fields))}
        sized = {name: len(field) for name, field in fields.items() if field.ndim}
        length = sized.get(self._names.get("x", ""), -1)
        for name, other in sized.items():
            if other != length >= 0 and name.lower() in ("y", "z", *_INTENSITY, *_RING):
                found = f"{length} values of x and {other} of {name}"
                raise CorruptRecordingError(path, 0, found, "as many of each", "save it anew")
        self.left = {name: fields[name] for name, other in sized.items() if other == length}

    def find(self, names: tuple[str, ...]) -> NDArray[Any] | None:
        """Return the first field of these names that holds one number for each point."""
        for name in names:
            column = self.left.get(self._names.get(name, ""))
            if column is not None and column.ndim == 1 and column.dtype.kind in "iuf":
                return column
        return None

    def take(self, names: tuple[str, ...]) -> NDArray[Any] | None:
        """Find a field and take it away."""
        column = self.find(names)
        if column is None:
            return None
        self.left = {name: other for name, other in self.left.items() if other is not column}
        return column

    def take_all(self, choices: tuple[tuple[str, ...], ...]) -> list[NDArray[Any]] | None:
        """Take the fields of the first choice whose names are all there."""
        for names in choices:
            if all(self.find((name,)) is not None for name in names):
                return [np.asarray(self.take((name,))) for name in names]
        return None


def point_cloud(scan: RawScan, placement: Placement, path: Path) -> PointCloud:
    """Return the points of a scan, with every field that the file holds.

    Points without a return (a coordinate not finite, or all 0) are left out and counted.

    Raises
    ------
    UnsupportedRecordingError
        If there is no x, y and z.
    CorruptRecordingError
        If there are not as many of each.
    """
    fields = _Fields(scan.fields, path)
    axes = _axes(fields, scan, path)
    points, keep = _points(axes, placement)
    missing = int(len(keep) - np.count_nonzero(keep))

    def kept(layer: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(layer[keep] if missing else layer)

    ring, column = _cells(scan, fields)
    times = _times(fields)
    time_offset_ns = None if times is None else _offsets_ns(times, placement.timestamp_ns)
    intensity, color, normals = fields.take(_INTENSITY), _color(fields), _normals(fields, placement)
    return PointCloud(
        points=kept(points),
        coordinate_system=placement.lidar,
        timestamp_ns=placement.timestamp_ns,
        intensity=None if intensity is None else kept(_float32(intensity)),
        ring=None if ring is None else kept(ring),
        column=None if column is None else kept(column),
        time_offset_ns=None if time_offset_ns is None else kept(time_offset_ns),
        color=None if color is None else kept(color),
        normals=None if normals is None else kept(normals),
        extra={name: kept(layer) for name, layer in fields.left.items()},
        missing=missing,
    )


def whole_shift_m(scan: RawScan, path: Path) -> tuple[float, float, float]:
    """Return what to take from coordinates that float32 would round to centimetres.

    Returns
    -------
    tuple of float
        Whole metres; 0 where the points lie within 10 km of the origin.
    """
    middles = []
    for axis in _axes(_Fields(scan.fields, path), scan, path):
        sample = axis[:: max(1, len(axis) // _SAMPLE)]
        finite = sample[np.isfinite(sample)]
        middles.append(float(np.median(finite)) if finite.size else 0.0)
    if max(map(abs, middles)) <= _FAR_M:
        return (0.0, 0.0, 0.0)
    return (float(round(middles[0])), float(round(middles[1])), float(round(middles[2])))


def ring_count(scan: RawScan, path: Path) -> int:
    """Return how many rings a scan shows, 0 where it does not say."""
    ring = _counted(_Fields(scan.fields, path), _RING, np.dtype(np.uint16))
    seen = 0 if ring is None or not ring.size else int(ring.max()) + 1
    return max(seen, scan.rows if scan.rows > 1 else 0)


def _axes(fields: _Fields, scan: RawScan, path: Path) -> list[NDArray[Any]]:
    axes = fields.take_all((("x", "y", "z"),))
    if axes is None:
        names = ", ".join(scan.fields)[:120] or "none"
        msg = f"{path}: fields {names}; expected x, y and z; give a file of points"
        raise UnsupportedRecordingError(msg)
    return axes


def _points(
    axes: list[NDArray[Any]], placement: Placement
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return points (N, 3), and which of them are returns."""
    points = np.empty((len(axes[0]), 3), dtype=np.float32)
    nothing: NDArray[np.bool_] = axes[0] == 0
    if nothing.any():
        nothing &= (axes[1] == 0) & (axes[2] == 0)
    if any(placement.shift_m) or placement.T_sensor_file is not None:
        exact = np.stack([axis.astype(np.float64) for axis in axes], axis=1)
        # Infinity times 0 is NaN, and such a point is missing either way.
        with np.errstate(invalid="ignore", over="ignore"):
            exact -= np.array(placement.shift_m)
            if placement.T_sensor_file is not None:
                exact = placement.T_sensor_file.apply(exact)
        points[:] = _float32(exact)
    else:
        for k, axis in enumerate(axes):
            points[:, k] = _float32(axis)
    flat = points.reshape(-1)
    # One pass and no temporary: NaN and infinity both spoil a sum of products.
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(np.dot(flat, flat))
    if finite:
        return points, ~nothing
    return points, np.isfinite(points).all(axis=1) & ~nothing


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    # What is too large becomes infinite, and such a point is missing.
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def _cells(
    scan: RawScan, fields: _Fields
) -> tuple[NDArray[np.uint16] | None, NDArray[np.int32] | None]:
    """Return ring and column: those of the file, else the cells of an organised cloud."""
    ring = _counted(fields, _RING, np.dtype(np.uint16))
    column = _counted(fields, _COLUMN, np.dtype(np.int32))
    if scan.rows < 2:
        return ring, column
    if column is None:
        column = np.tile(np.arange(scan.columns, dtype=np.int32), scan.rows)
    if ring is None and scan.rows <= np.iinfo(np.uint16).max:
        ring = np.repeat(np.arange(scan.rows, dtype=np.uint16), scan.columns)
    return ring, column


def _counted(fields: _Fields, names: tuple[str, ...], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Take a field if it holds whole numbers of a type; else it stays what it is."""
    values = fields.find(names)
    if values is None or (values.dtype.kind == "f" and not (values == np.rint(values)).all()):
        return None
    if not ((values >= 0) & (values <= np.iinfo(dtype).max)).all():
        return None
    fields.take(names)
    return values.astype(dtype)


def _times(fields: _Fields) -> PointTimes | None:
    column = fields.find(TIME_NAMES)
    in_seconds = column is not None and column is fields.find(IN_SECONDS)
    times = None if column is None else point_times(column, in_seconds=in_seconds)
    if times is not None:
        fields.take(TIME_NAMES)
    return times


def _offsets_ns(times: PointTimes, timestamp_ns: int) -> NDArray[np.int64]:
    """Return when each point was measured, after the instant of the scan."""
    if times.base_ns is not None and abs(times.base_ns - timestamp_ns) < _SAME_CLOCK_NS:
        return times.offset_ns + (times.base_ns - timestamp_ns)
    return times.offset_ns


def _normals(fields: _Fields, placement: Placement) -> NDArray[np.float32] | None:
    axes = fields.take_all(_NORMALS)
    if axes is None:
        return None
    normals = np.stack(axes, axis=1)
    if placement.T_sensor_file is not None:
        normals = normals.astype(np.float64) @ placement.T_sensor_file.rotation.T
    return _float32(normals)


def _color(fields: _Fields) -> NDArray[np.uint8] | None:
    packed = fields.find(_PACKED)
    if packed is not None and packed.dtype.itemsize == 4:
        return _unpacked(np.asarray(fields.take(_PACKED)))
    channels = fields.take_all(_COLORS)
    if channels is None:
        return None
    fields.take(_ALPHA)
    return _eight_bits(np.stack(channels, axis=1))


def _unpacked(packed: NDArray[Any]) -> NDArray[np.uint8]:
    """Return red, green, blue of 0xAARRGGBB, in an integer or in the bits of a float."""
    values = np.ascontiguousarray(packed)
    if values.dtype.kind == "f":
        # Bits of a colour are a denormal number, or one beyond 1e38; only old text files hold
        # the number itself as a float.
        plain = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2.0**24)
        as_number = values.size > 0 and plain.all() and bool(values.any())
        values = values.astype(np.uint32) if as_number else values.view(np.uint32)
    bits = values.astype(np.uint32)
    return np.stack([(bits >> shift) & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)


def _eight_bits(channels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return colours of 8 or 16 bits, or of floats up to 1, as 8 bits."""
    if channels.dtype.kind == "f":
        most = 1.0 if channels.size == 0 or np.nanmax(channels) <= 1.0 else 255.0
        scaled = np.nan_to_num(np.clip(channels / most, 0.0, 1.0))
        return np.rint(scaled * 255.0).astype(np.uint8)
    # Many writers put 8 bits into fields of 16.
    wide = channels.size > 0 and channels.max() > 255
    narrow: NDArray[np.uint8] = np.clip(channels >> 8 if wide else channels, 0, 255).astype(
        np.uint8
    )
    return narrow
