"""Pictures of ROS messages to arrays: depth as stored, colour uint8.

References
----------
ros-perception/image_pipeline and REP 118 (depth images: 16UC1 in millimetres, 32FC1 in metres);
sensor_msgs/image_encodings.hpp; ros-perception/image_transport_plugins, compressed_image_transport
and compressed_depth_image_transport (codec.cpp, compression_common.h).
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.formats import jpeg, png
from sensorfusion.formats.cursor import Cursor
from sensorfusion_drivers.ros import rvl
from sensorfusion_drivers.ros.messages import RawImage

MILLIMETRES: Final = 0.001
METRES: Final = 1.0

_UNITS_M: Final = {"u2": MILLIMETRES, "f4": METRES}
_DEPTH: Final = {"16uc1": "u2", "mono16": "u2", "32fc1": "f4"}
# Type of a channel, channels, and the constant of cv2 that leads to RGB; None where none is needed.
_COLOR: Final[dict[str, tuple[str, int, str | None]]] = {
    "rgb8": ("u1", 3, None),
    "bgr8": ("u1", 3, "COLOR_BGR2RGB"),
    "8uc3": ("u1", 3, "COLOR_BGR2RGB"),
    "rgba8": ("u1", 4, "COLOR_RGBA2RGB"),
    "bgra8": ("u1", 4, "COLOR_BGRA2RGB"),
    "8uc4": ("u1", 4, "COLOR_BGRA2RGB"),
    "mono8": ("u1", 1, None),
    "8uc1": ("u1", 1, None),
    "mono16": ("u2", 1, None),
    "16uc1": ("u2", 1, None),
    "yuv422": ("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "uyvy": ("u1", 2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": ("u1", 2, "COLOR_YUV2RGB_YUYV"),
    "yuyv": ("u1", 2, "COLOR_YUV2RGB_YUYV"),
    # OpenCV names a pattern by the second row's second and third pixel, ROS by the first two.
    "bayer_rggb8": ("u1", 1, "COLOR_BayerBG2RGB"),
    "bayer_bggr8": ("u1", 1, "COLOR_BayerRG2RGB"),
    "bayer_gbrg8": ("u1", 1, "COLOR_BayerGR2RGB"),
    "bayer_grbg8": ("u1", 1, "COLOR_BayerGB2RGB"),
}
_DEPTH_HEAD: Final = struct.Struct("<iff")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a topic of pictures holds, told by its first message.

    Attributes
    ----------
    is_depth : bool
    size : tuple of int
        Width and height, pixels.
    colors : int
        Channels, 1 or 3.
    """

    is_depth: bool
    size: tuple[int, int]
    colors: int = 1


def kind_of(image: RawImage, topic: str, cursor: Cursor) -> Kind:
    """Tell what the pictures of a topic are, without decoding one.

    Depth and grey pictures of 16 bits look alike: the topic's name decides ("depth").

    Raises
    ------
    CorruptRecordingError
        If a compressed picture has no header.
    """
    encoding = image.encoding.lower()
    named_depth = "depth" in topic.lower()
    if image.height:
        is_depth = encoding == "32fc1" or (encoding in ("16uc1", "mono16") and named_depth)
        color = _COLOR.get(encoding)
        return Kind(
            is_depth,
            (image.width, image.height),
            1 if is_depth or color is None or (color[1] == 1 and color[2] is None) else 3,
        )
    data = _without_head(image)
    if _is_rvl(image):
        return Kind(True, rvl.picture_size(data, cursor))
    codec = png if bytes(data[:8]) == png.SIGNATURE else jpeg
    header = codec.read_header(bytes(data[: 1 << 18]), str(cursor.where))
    is_depth = "compresseddepth" in encoding or (header.bit_depth == 16 and named_depth)
    return Kind(is_depth, (header.width, header.height), 3 if header.channels >= 3 else 1)


def decode_depth(
    image: RawImage, cursor: Cursor
) -> tuple[NDArray[np.uint16] | NDArray[np.float32], float]:
    """Return a depth picture and its unit.

    Returns
    -------
    ndarray of uint16 or float32, shape (H, W)
        NaN and infinity are no measurement, as 0 is.
    float
        Metres per unit, by REP 118: a millimetre in 16 bits, a metre in floating point.

    Raises
    ------
    CorruptRecordingError
        If size and bytes disagree.
    UnsupportedRecordingError
        If the encoding is not read.
    """
    if not image.height:
        return _decode_compressed_depth(image, cursor)
    dtype = _DEPTH.get(image.encoding.lower())
    if dtype is None:
        raise _unsupported(image, cursor, "depth", ", ".join(_DEPTH))
    return _rows(image, dtype, 1, cursor)[:, :, 0], _UNITS_M[dtype]


def decode_color(image: RawImage, cursor: Cursor) -> NDArray[np.uint8]:
    """Return a picture in RGB or grey.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3) or (H, W)
        Of 16 bits the upper 8.

    Raises
    ------
    CorruptRecordingError
        If size and bytes disagree.
    UnsupportedRecordingError
        If the encoding is not read.
    """
    if not image.height:
        return _decode_file(bytes(image.data), cursor)
    known = _COLOR.get(image.encoding.lower())
    if known is None:
        raise _unsupported(image, cursor, "colour", ", ".join(_COLOR))
    dtype, channels, conversion = known
    values = _rows(image, dtype, channels, cursor)
    if dtype == "u2":
        values >>= 8
    pixels = values.astype(np.uint8, copy=False)
    pixels = pixels[:, :, 0] if channels == 1 else pixels
    return pixels if conversion is None else _convert(pixels, conversion)


def _rows(image: RawImage, dtype: str, channels: int, cursor: Cursor) -> NDArray[Any]:
    """Return the pixels (H, W, channels) in an array of their own, in the machine's byte order."""
    stored = np.dtype((">" if image.big_endian else "<") + dtype)
    row = image.width * channels * stored.itemsize
    height = image.height
    if not row or image.step < row or len(image.data) < (height - 1) * image.step + row:
        found = f"{len(image.data)} bytes in rows of {image.step}"
        expected = f"{height} rows of {row} bytes ({image.width} pixels of {image.encoding})"
        raise cursor.corrupt(found, expected)
    shape = (height, image.width, channels)
    strides = (image.step, channels * stored.itemsize, stored.itemsize)
    view: NDArray[Any] = np.ndarray(shape, stored, image.data, 0, strides)
    return np.array(view, np.dtype(dtype), order="C")


def _decode_compressed_depth(
    image: RawImage, cursor: Cursor
) -> tuple[NDArray[np.uint16] | NDArray[np.float32], float]:
    data = _without_head(image)
    values = rvl.decode(data, cursor) if _is_rvl(image) else _decode_png16(bytes(data), cursor)
    if not image.encoding.lower().startswith("32fc1"):
        return values, MILLIMETRES
    # Stored is the quantised inverse: depth = a / (value - b), with 0 for no measurement.
    _, a, b = _DEPTH_HEAD.unpack_from(image.data)
    if len(data) == len(image.data) or not (np.isfinite([a, b]).all() and a > 0):
        found = f"quantisation {a}, {b}"
        raise cursor.corrupt(found, "the two numbers that undo it")
    with np.errstate(divide="ignore"):
        metres = np.float32(a) / (values.astype(np.float32) - np.float32(b))
    return np.where((values > 0) & (metres > 0), metres, np.float32(0)), METRES


def _without_head(image: RawImage) -> memoryview:
    """Return the compressed data behind the settings that compressedDepth puts before them."""
    if "compresseddepth" in image.encoding.lower() and bytes(image.data[:8]) != png.SIGNATURE:
        return image.data[_DEPTH_HEAD.size :]
    return image.data


def _is_rvl(image: RawImage) -> bool:
    return image.encoding.lower().endswith("compresseddepth rvl")


def _decode_png16(data: bytes, cursor: Cursor) -> NDArray[np.uint16]:
    where = str(cursor.where)
    header = png.read_header(data, where)
    png.check_complete(data, where)
    if (header.bit_depth, header.channels) != (16, 1):
        found = f"a PNG of {header.channels} channels of {header.bit_depth} bits"
        raise cursor.corrupt(found, "depth: one channel of 16 bits")
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != (header.height, header.width):
        raise png.fault_in_pixels(data, where)
    return np.asarray(pixels, dtype=np.uint16)


def _decode_file(data: bytes, cursor: Cursor) -> NDArray[np.uint8]:
    where = str(cursor.where)
    codec = png if data.startswith(png.SIGNATURE) else jpeg
    header = codec.read_header(data, where)
    codec.check_complete(data, where)
    import cv2

    flags = cv2.IMREAD_GRAYSCALE if header.channels < 3 else cv2.IMREAD_COLOR_RGB
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        found, size = "pixels that cannot be decoded", f"{header.width}x{header.height}"
        raise cursor.corrupt(found, f"a picture of {size} as its header says")
    return np.asarray(pixels, dtype=np.uint8)


def _convert(pixels: NDArray[np.uint8], conversion: str) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), dtype=np.uint8)


def _unsupported(
    image: RawImage, cursor: Cursor, kind: str, known: str
) -> UnsupportedRecordingError:
    msg = (
        f"{cursor.where}: a {kind} picture encoded as {image.encoding[:40]!r}; this version reads "
        f"{known}"
    )
    return UnsupportedRecordingError(msg)
