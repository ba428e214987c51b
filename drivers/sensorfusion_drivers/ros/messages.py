"""ROS messages without points: headers, pictures, calibration, transforms.

References
----------
ROS 1 and ROS 2, packages std_msgs, sensor_msgs, tf2_msgs, nav_msgs (their .msg files).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.formats.cdr import CdrReader
from sensorfusion.formats.cursor import Cursor
from sensorfusion.transform import RigidTransform, rotation_from_quaternion_xyzw

IMAGE: Final = "sensor_msgs/Image"
COMPRESSED: Final = "sensor_msgs/CompressedImage"
CAMERA_INFO: Final = "sensor_msgs/CameraInfo"
TRANSFORMS: Final = ("tf2_msgs/TFMessage", "tf/tfMessage")
ODOMETRY: Final = "nav_msgs/Odometry"


@dataclass(frozen=True, slots=True)
class Header:
    """A std_msgs/Header.

    Attributes
    ----------
    stamp_ns : int
        When the data were measured; 0 where the driver did not say.
    frame : str
        Coordinate system of the data, without the leading slash of old ROS 1.
    """

    stamp_ns: int
    frame: str


@dataclass(frozen=True, slots=True)
class RawImage:
    """A sensor_msgs/Image or CompressedImage.

    Attributes
    ----------
    header : Header
    encoding : str
        "rgb8", or the format of a compressed one: "rgb8; jpeg compressed bgr8".
    data : memoryview
    height, width : int
        Pixels; 0 of a compressed one.
    step : int
        Bytes from one row to the next.
    big_endian : bool
    """

    header: Header
    encoding: str
    data: memoryview
    height: int = 0
    width: int = 0
    step: int = 0
    big_endian: bool = False


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A sensor_msgs/CameraInfo, its matrices flat, row by row.

    Attributes
    ----------
    header : Header
    width, height : int
        Of the full picture to which K and P belong, pixels.
    model : str
        "plumb_bob", "rational_polynomial", "equidistant", ...
    D, K, R, P : tuple of float
    binning : tuple of int
        Pixels of the sensor per pixel of the picture, across and down.
    window : tuple of int
        x, y, height and width of the part that was read out, pixels of the full picture; all 0
        for the whole.
    """

    header: Header
    width: int
    height: int
    model: str
    D: tuple[float, ...]
    K: tuple[float, ...]
    R: tuple[float, ...]
    P: tuple[float, ...]
    binning: tuple[int, int]
    window: tuple[int, int, int, int]


def read_header(cursor: Cursor) -> Header:
    """Read a header: ROS 1 (which counts its messages) or ROS 2."""
    if isinstance(cursor, CdrReader):
        seconds = cursor.number("i")
    else:
        cursor.number()
        seconds = cursor.number()
    stamp_ns = seconds * 1_000_000_000 + cursor.number()
    return Header(stamp_ns, _read_frame(cursor))


def read_image(cursor: Cursor) -> RawImage:
    """Read a sensor_msgs/Image; the pixels are not copied."""
    header = read_header(cursor)
    height, width = cursor.read("I", 2)
    encoding, big_endian, step = cursor.string(), bool(cursor.number("B")), cursor.number()
    return RawImage(header, encoding, cursor.sequence(), height, width, step, big_endian)


def read_compressed_image(cursor: Cursor) -> RawImage:
    """Read a sensor_msgs/CompressedImage; the pixels are not copied."""
    header = read_header(cursor)
    encoding = cursor.string()
    return RawImage(header, encoding, cursor.sequence())


def read_camera_info(cursor: Cursor) -> CameraInfo:
    """Read a sensor_msgs/CameraInfo."""
    header = read_header(cursor)
    height, width = cursor.read("I", 2)
    model = cursor.string()
    count = cursor.number()
    if count > 64:
        found = f"{count} distortion coefficients"
        raise cursor.corrupt(found, "at most 64")
    D, K, R, P = (cursor.read("d", size) for size in (count, 9, 9, 12))
    binning_x, binning_y, left, top, rows, columns = cursor.read("I", 6)
    window = (left, top, rows, columns)
    return CameraInfo(header, width, height, model, D, K, R, P, (binning_x, binning_y), window)


def read_transforms(cursor: Cursor) -> list[RigidTransform]:
    """Read a tf2_msgs/TFMessage: ``T_parent_child`` of each transform."""
    transforms = []
    for _ in range(cursor.number()):
        parent = read_header(cursor).frame
        child = _read_frame(cursor)
        transforms.append(_transform(parent, child, cursor))
    return transforms


def read_odometry(cursor: Cursor) -> tuple[int, RigidTransform]:
    """Read the time stamp and ``T_world_body`` of a nav_msgs/Odometry."""
    header = read_header(cursor)
    child = _read_frame(cursor)
    return header.stamp_ns, _transform(header.frame, child, cursor)


def _read_frame(cursor: Cursor) -> str:
    name = cursor.string()
    if not name.isprintable():
        found = f"a coordinate system named {name[:40]!r}"
        raise cursor.corrupt(found, "a name of ROS")
    return name.lstrip("/")


def _transform(target: str, source: str, cursor: Cursor) -> RigidTransform:
    """Read a translation and a quaternion, both float64, the scalar last."""
    begin = cursor.position
    values: NDArray[np.float64] = np.array(cursor.read("d", 7))
    length = math.hypot(*values[3:])
    if not (np.isfinite(values).all() and 0.99 < length < 1.01):
        cursor.position = begin
        expected = "finite numbers and a quaternion of length 1"
        found = f"the transform {values.tolist()} of {source!r}"
        raise cursor.corrupt(found, expected)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_quaternion_xyzw(values[3:])
    matrix[:3, 3] = values[:3]
    return RigidTransform(target, source, matrix)
