"""Fields of LiDAR messages as arrays, before they mean anything.

References
----------
sensor_msgs/PointCloud2 and PointField; livox_ros_driver2, msg/CustomMsg.msg and CustomPoint.msg.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.cdr import CdrReader
from sensorfusion.formats.cursor import Cursor
from sensorfusion_drivers.ros.messages import Header, read_header

POINT_CLOUD: Final = "sensor_msgs/PointCloud2"
LIVOX: Final = tuple(
    f"{package}/CustomMsg"
    for package in ("livox_ros_driver", "livox_ros_driver2", "livox_interfaces")
)
CLOUDS: Final = (POINT_CLOUD, *LIVOX)

# By the number that stands for it in PointField.
_DTYPES: Final = ("", "i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")
_MOST_FIELDS: Final = 1000
_LIVOX_POINT: Final = {
    "offset_time": (0, "<u4"),
    "x": (4, "<f4"),
    "y": (8, "<f4"),
    "z": (12, "<f4"),
    "reflectivity": (16, "u1"),
    "tag": (17, "u1"),
    "line": (18, "u1"),
}
_LIVOX_BYTES: Final = 19


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one field stands in each point.

    Attributes
    ----------
    offset : int
        Bytes from the start of the point.
    dtype : dtype
        Of one value, with its byte order.
    count : int
        Values, 1 or more.
    """

    offset: int
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The points of one message, as they stand there.

    Attributes
    ----------
    header : Header
    shape : tuple of int
        Rows and columns; one row for a cloud without order.
    strides : tuple of int
        Bytes from row to row and from point to point.
    layouts : dict of str to Layout
        By the field's name in lower case; the first of several with one name.
    data : memoryview
    """

    header: Header
    shape: tuple[int, int]
    strides: tuple[int, int]
    layouts: dict[str, Layout]
    data: memoryview

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    def values(self, name: str) -> NDArray[Any]:
        """Return a field as a view, shape (N,), or (N, count) where points hold several.

        A copy where rows are padded.
        """
        layout = self.layouts[name]
        return self._view(layout.offset, layout.dtype, layout.count)

    def points(self) -> NDArray[np.float32]:
        """Return x, y and z, float32 (N, 3): a view where they stand so in the message."""
        x, y, z = (self.layouts[axis] for axis in "xyz")
        together = (x.offset + 4, x.offset + 8) == (y.offset, z.offset)
        if together and all(axis.dtype == np.dtype("=f4") for axis in (x, y, z)):
            return self._view(x.offset, x.dtype, 3)
        columns = [self.values(axis).reshape(len(self), -1)[:, 0] for axis in "xyz"]
        return np.stack([column.astype(np.float32) for column in columns], axis=-1)

    def _view(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        if not len(self):
            return np.empty((0, count) if count > 1 else (0,), dtype)
        shape, strides = (*self.shape, count), (*self.strides, dtype.itemsize)
        array: NDArray[Any] = np.ndarray(shape, dtype, self.data, offset, strides)
        return array.reshape(-1, count) if count > 1 else array.reshape(-1)


def read_table(cursor: Cursor, kind: str) -> FieldTable:
    """Read a point cloud message; nothing is copied.

    Parameters
    ----------
    cursor : Cursor
    kind : str
        Its type, one of :data:`CLOUDS`.

    Raises
    ------
    CorruptRecordingError
        If sizes and bytes disagree.
    """
    return _read_point_cloud2(cursor) if kind == POINT_CLOUD else _read_livox(cursor)


def _read_point_cloud2(cursor: Cursor) -> FieldTable:
    header = read_header(cursor)
    height, width = cursor.read("I", 2)
    fields = _read_fields(cursor)
    order = ">" if cursor.number("B") else "<"
    point_bytes, row_bytes = cursor.read("I", 2)
    data = cursor.sequence()
    packed = width * point_bytes
    # A cloud of one row, and one that says its size alone, may leave row_step at anything.
    if height == 1 or len(data) == height * packed:
        row_bytes = packed
    if height * width and not (
        point_bytes and row_bytes >= packed and len(data) >= (height - 1) * row_bytes + packed
    ):
        found = f"{len(data)} bytes of points in rows of {row_bytes}"
        raise cursor.corrupt(found, f"{height} x {width} points of {point_bytes} bytes")
    layouts: dict[str, Layout] = {}
    for name, offset, number, count in fields:
        if not 0 < number < len(_DTYPES):
            found = f"field {name!r} of datatype {number}"
            raise cursor.corrupt(found, "1 to 8 (PointField)")
        dtype = np.dtype(order + _DTYPES[number])
        # Old versions of PCL count a single value as 0.
        layout = Layout(offset, dtype, max(1, count))
        if offset + dtype.itemsize * layout.count > point_bytes:
            found = f"field {name!r} at {offset}, {layout.count} x {dtype.name}"
            raise cursor.corrupt(found, f"fields within a point of {point_bytes} bytes")
        layouts.setdefault(name.lower(), layout)
    _check_axes(layouts, cursor)
    return FieldTable(header, (height, width), (row_bytes, point_bytes), layouts, data)


def _read_fields(cursor: Cursor) -> list[tuple[str, int, int, int]]:
    number = cursor.number()
    if number > _MOST_FIELDS:
        found = f"{number} fields"
        raise cursor.corrupt(found, f"at most {_MOST_FIELDS}")
    return [
        (cursor.string(), cursor.number(), cursor.number("B"), cursor.number())
        for _ in range(number)
    ]


def _check_axes(layouts: dict[str, Layout], cursor: Cursor) -> None:
    missing = [axis for axis in "xyz" if axis not in layouts]
    if missing:
        found = f"points with {', '.join(layouts) or 'no field'}, without {', '.join(missing)}"
        raise CorruptRecordingError(
            cursor.where, 0, found, "x, y and z", "name another topic with -o cloud=/topic"
        )


def _read_livox(cursor: Cursor) -> FieldTable:
    header = read_header(cursor)
    cursor.number("Q")  # the same instant as the header's, on the sensor's clock
    cursor.number()  # as many points as the sequence below counts
    cursor.read("B", 4)
    count = cursor.number()
    # In CDR each point begins at a multiple of 4, and no gap follows the last one.
    stride = 20 if isinstance(cursor, CdrReader) else _LIVOX_BYTES
    data = cursor.octets(count * stride - (stride - _LIVOX_BYTES) if count else 0)
    layouts = {
        name: Layout(offset, np.dtype(code), 1) for name, (offset, code) in _LIVOX_POINT.items()
    }
    return FieldTable(header, (1, count), (len(data), stride), layouts, data)
