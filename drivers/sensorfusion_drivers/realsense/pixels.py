"""Stored images to arrays: depth uint16, colour uint8 RGB, infrared uint8."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.formats import png
from sensorfusion.formats.cursor import Cursor
from sensorfusion_drivers.realsense.streams import DEPTH

_DEPTH_ENCODINGS: Final = ("mono16", "16uc1", "z16")
# Bytes per pixel, and the constant of cv2 that leads to RGB; None where none is needed.
_COLOR_ENCODINGS: Final[dict[str, tuple[int, str | None]]] = {
    "rgb8": (3, None),
    "bgr8": (3, "COLOR_BGR2RGB"),
    "rgba8": (4, "COLOR_RGBA2RGB"),
    "bgra8": (4, "COLOR_BGRA2RGB"),
    "yuyv": (2, "COLOR_YUV2RGB_YUYV"),
    "uyvy": (2, "COLOR_YUV2RGB_UYVY"),
    # The name of UYVY in ROS, and what librealsense writes for it.
    "yuv422": (2, "COLOR_YUV2RGB_UYVY"),
    "mono8": (1, None),
    "8uc1": (1, None),
    "y8": (1, None),
}
PICTURES: Final = frozenset(_COLOR_ENCODINGS)
"""Encodings of pictures that are read, in lower case."""


@dataclass(frozen=True, slots=True)
class RawImage:
    """The fields of a sensor_msgs/Image behind its header.

    Attributes
    ----------
    height, width : int
        Pixels.
    encoding : str
    step : int
        Bytes from one row to the next.
    data : memoryview
    """

    height: int
    width: int
    encoding: str
    step: int
    data: memoryview


def read_raw_image(cursor: Cursor) -> RawImage:
    """Read a sensor_msgs/Image, the cursor standing behind its header.

    Raises
    ------
    CorruptRecordingError
        If the message is cut.
    UnsupportedRecordingError
        If it is big-endian.
    """
    height, width = cursor.read("I", 2)
    encoding = cursor.string()
    if cursor.number("B"):
        msg = f"an image of {encoding!r} in big-endian order; expected little-endian"
        raise UnsupportedRecordingError(msg)
    return RawImage(height, width, encoding, cursor.number(), cursor.sequence())


def decode_raw(
    image: RawImage, stream: str, camera: Camera, cursor: Cursor
) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Turn a raw image into an array.

    Parameters
    ----------
    image : RawImage
    stream : {"depth", "color", "infrared_N"}
    camera : Camera
        Whose picture it is; the sizes must agree.
    cursor : Cursor
        Knows the place, for errors.

    Returns
    -------
    ndarray of uint16, shape (H, W), or of uint8, shape (H, W, 3) or (H, W)
        Depth in its unit; colour in RGB, or grey.

    Raises
    ------
    CorruptRecordingError
        If size and bytes disagree.
    UnsupportedRecordingError
        If the encoding is not read.
    """
    encoding = image.encoding.lower()
    if stream == DEPTH:
        size, conversion = (2, None) if encoding in _DEPTH_ENCODINGS else (0, None)
    else:
        size, conversion = _COLOR_ENCODINGS.get(encoding, (0, None))
    if size == 0:
        raise _unsupported(stream, image.encoding)
    _check_size(camera, image.width, image.height, cursor)
    row = camera.width * size
    if image.step < row or len(image.data) != image.step * camera.height:
        found = f"{len(image.data)} bytes in rows of {image.step}"
        expected = f"{camera.height} rows of {row} bytes"
        raise cursor.corrupt(found, expected)
    rows = np.frombuffer(image.data, np.uint8).reshape(camera.height, image.step)[:, :row]
    if stream == DEPTH:
        return np.ascontiguousarray(rows).view("<u2").astype(np.uint16, copy=False)
    pixels = np.ascontiguousarray(rows.reshape(camera.height, camera.width, size))
    if size == 1:
        return pixels[:, :, 0]
    return pixels if conversion is None else _convert(pixels, conversion)


def decode_png(
    data: bytes, stream: str, camera: Camera, cursor: Cursor
) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Turn a PNG into an array; parameters, result and errors as in :func:`decode_raw`."""
    where = f"{stream} PNG of {cursor.where}"
    header = png.read_header(data, where)
    png.check_complete(data, where)
    _check_size(camera, header.width, header.height, cursor)
    wanted = ((16, 1),) if stream == DEPTH else ((8, 1), (8, 3), (8, 4))
    if (header.bit_depth, header.channels) not in wanted:
        raise _unsupported(stream, f"PNG, {header.channels} channels of {header.bit_depth} bits")
    # Imported here: it takes longer than everything else in this package.
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    expected = (camera.height, camera.width, header.channels)[: 3 if header.channels > 1 else 2]
    if pixels is None:
        raise png.fault_in_pixels(data, where)
    if pixels.shape != expected:
        found = "a PNG that cannot be decoded"
        raise cursor.corrupt(found, f"pixels of shape {expected}")
    if stream == DEPTH:
        return np.asarray(pixels, dtype=np.uint16)
    colors = np.asarray(pixels, dtype=np.uint8)
    if header.channels == 1:
        return colors
    return _convert(colors, "COLOR_BGR2RGB" if header.channels == 3 else "COLOR_BGRA2RGB")


def _convert(pixels: NDArray[np.uint8], conversion: str) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), dtype=np.uint8)


def _check_size(camera: Camera, width: int, height: int, cursor: Cursor) -> None:
    if (width, height) != (camera.width, camera.height):
        expected = f"{camera.width}x{camera.height}, as the intrinsics say"
        found = f"a {camera.name} image of {width}x{height} pixels"
        raise cursor.corrupt(found, expected)


def _unsupported(stream: str, encoding: str) -> UnsupportedRecordingError:
    known = _DEPTH_ENCODINGS if stream == DEPTH else tuple(_COLOR_ENCODINGS)
    msg = (
        f"{stream} images encoded as {encoding[:40]!r}; this version reads {', '.join(known)} "
        "and PNG; record the stream in one of these formats"
    )
    return UnsupportedRecordingError(msg)
