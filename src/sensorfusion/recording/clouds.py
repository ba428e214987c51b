"""Scans to messages of ROS 2, with every field.

References
----------
sensor_msgs/PointCloud2.msg, PointField.msg; PCL (rgb packed in a float, normal_x); the driver of
ouster (t: nanoseconds after the header's time).
"""

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import OutputError
from sensorfusion.point_cloud import PointCloud
from sensorfusion.recording.messages import begin

# By the dtype, the number that stands for it in PointField.
_DATATYPES: Final = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
_OURS: Final = re.compile(r"[xyzt]|intensity|ring|column|rgb|normal_[xyz]|extra\..*")
_EXACT: Final = 1 << 53


def encode_cloud(cloud: PointCloud, time_ns: int) -> list[memoryview]:
    """Return a scan as a message; points that were left out stand at its end as NaN.

    Raises
    ------
    OutputError
        If a field holds what no field of the message can hold.
    """
    table = _table(_columns(cloud), len(cloud), cloud.missing)
    return _message(table, cloud.coordinate_system, time_ns, is_dense=not cloud.missing)


def encode_beams(cloud: PointCloud, beams: NDArray[np.float32], time_ns: int) -> list[memoryview]:
    """Return the directions of the beams that found nothing as a message of points."""
    columns = {name: beams[:, axis] for axis, name in enumerate("xyz")}
    return _message(_table(columns, len(beams), 0), cloud.coordinate_system, time_ns, is_dense=True)


def _columns(cloud: PointCloud) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {
        name: cloud.points[:, axis] for axis, name in enumerate("xyz")
    }
    for name in ("intensity", "ring", "column"):
        layer = getattr(cloud, name)
        if layer is not None:
            columns[name] = layer
    if cloud.time_offset_ns is not None:
        columns["t"] = _times(cloud.time_offset_ns)
    if cloud.color is not None:
        red, green, blue = cloud.color.astype(np.uint32).T
        columns["rgb"] = (red << 16 | green << 8 | blue).view(np.float32)
    if cloud.normals is not None:
        columns |= {f"normal_{name}": cloud.normals[:, axis] for axis, name in enumerate("xyz")}
    for name, values in cloud.extra.items():
        columns[f"extra.{name}" if _OURS.fullmatch(name) else name] = _storable(name, values)
    return columns


def _times(offsets_ns: NDArray[np.int64]) -> NDArray[Any]:
    """Return times in the narrowest type that other readers expect and that holds them."""
    low, high = int(offsets_ns.min(initial=0)), int(offsets_ns.max(initial=0))
    for dtype in (np.uint32, np.int32):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return offsets_ns.astype(dtype)
    return _storable("time_offset_ns", offsets_ns)


def _storable(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return values in a type that a field can have, none of them changed."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return values.astype(np.uint8)
    if kind == "f" and size == 2:
        return values.astype(np.float32)
    if kind in "iu" and size == 8:
        reach = max(abs(int(values.min(initial=0))), abs(int(values.max(initial=0))))
        if reach <= _EXACT:
            return values.astype(np.float64)
    if values.dtype.str[1:] not in _DATATYPES or values.ndim > 2:
        msg = (
            f"field {name!r} is {values.dtype} {values.shape[1:]}; expected numbers that fit in 32 "
            "bits, or exactly in a float64, at most one row of them for each point"
        )
        raise OutputError(msg)
    return values


def _table(columns: dict[str, NDArray[Any]], count: int, missing: int) -> NDArray[np.void]:
    layout = np.dtype(
        [
            (name, values.dtype.newbyteorder("<"), values.shape[1:])
            for name, values in columns.items()
        ]
    )
    table = np.zeros(count + missing, layout)
    for name, values in columns.items():
        table[name][:count] = values
    for axis in "xyz":
        table[axis][count:] = np.nan
    return table


def _message(
    table: NDArray[np.void], frame: str, time_ns: int, *, is_dense: bool
) -> list[memoryview]:
    layout = table.dtype
    names = layout.names or ()
    writer = begin(time_ns, frame).write("I", 1, len(table), len(names))
    for name in names:
        field, offset = layout.fields[name][:2] if layout.fields else (layout, 0)
        base, shape = field.subdtype or (field, ())
        writer.string(name).write("I", offset).write("B", _DATATYPES[base.str[1:]])
        writer.write("I", shape[0] if shape else 1)
    writer.write("B", 0).write("I", layout.itemsize, table.nbytes, table.nbytes)
    data = memoryview(table.tobytes())
    return [memoryview(writer.message), data, memoryview(b"\1" if is_dense else b"\0")]
