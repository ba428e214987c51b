"""Depth and colour to messages of ROS 2.

References
----------
REP 118 (depth images: 16UC1 in millimetres, 32FC1 in metres with NaN for no measurement and +Inf
for too far); sensor_msgs/image_encodings.hpp; ros-perception/image_transport_plugins.
"""

import struct
from typing import Any, Final, Literal

import numpy as np
import zstandard
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.errors import OutputError
from sensorfusion.formats.ros2_schemas import COMPRESSED_IMAGE, IMAGE
from sensorfusion.formats.rvl_write import encode_rvl
from sensorfusion.image import Image
from sensorfusion.recording.messages import begin
from sensorfusion.recording.options import ColorCodec, DepthCodec

MILLIMETRE_M: Final = 0.001
ZSTD_LEVEL: Final = 3
"""Level 1 saves a sixth of the work on depth and leaves a tenth more; 5 needs twice as long."""
ZSTD_COLOR: Final = {
    "strategy": zstandard.STRATEGY_FAST,
    "min_match": 4,
    "hash_log": 16,
    "chain_log": 16,
    "window_log": 17,
    "search_log": 1,
    "target_length": 0,
}
"""As small as level 3 leaves colour, for two thirds of the work; short matches nearby are all that
there are in it."""
ZSTD_RVL: Final = ZSTD_COLOR | {"hash_log": 17, "chain_log": 17, "window_log": 18}
# What compressedDepth puts before its code: how depth was quantised, which millimetres are not.
_DEPTH_HEAD: Final = struct.pack("<iff", 0, 0.0, 0.0)
_TOO_FAR: Final = 65535
Encoded = tuple[str, str, list[memoryview]]
"""What is added to the topic's name, message type and the message in parts."""


def depth_kind(depth: RawDepth | DepthMap) -> Literal["z", "range"]:
    """Return what the values measure."""
    return depth.kind if isinstance(depth, RawDepth) else depth.camera.depth_kind


def stored_unit(depth: RawDepth | DepthMap) -> tuple[float, str]:
    """Return the unit of depth in metres and its dtype, as a reader will give it back."""
    if isinstance(depth, RawDepth) and depth.values.dtype == np.uint16:
        return depth.unit_m, "uint16"
    return 1.0, "float32"


def choose_codec(depth: RawDepth | DepthMap, asked: DepthCodec) -> DepthCodec:
    """Return how a stream of depth is stored, from its first picture; never "auto"."""
    if not isinstance(depth, RawDepth) or not _is_millimetres(depth):
        return "raw"
    if asked != "auto":
        return asked
    values = np.ascontiguousarray(depth.values, np.uint16)
    packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    if len(packer.compress(values.tobytes())) <= len(packer.compress(encode_rvl(values))):
        return "raw"
    return "rvl"


def encode_depth(depth: RawDepth | DepthMap, time_ns: int, codec: DepthCodec) -> Encoded:
    """Return a depth picture as 16UC1 if it counts millimetres, else as 32FC1 in metres."""
    frame = depth.camera.name
    if not _is_millimetres(depth) or not isinstance(depth, RawDepth):
        return _raw(_metres(depth), "32FC1", time_ns, frame)
    if codec == "raw":
        return _raw(depth.values, "16UC1", time_ns, frame)
    if codec == "rvl":
        data, form = encode_rvl(np.asarray(depth.values, np.uint16)), "16UC1; compressedDepth rvl"
    else:
        data, form = _png(depth.values), "16UC1; compressedDepth png"
    writer = begin(time_ns, frame).string(form).write("I", len(_DEPTH_HEAD) + len(data))
    parts = [memoryview(writer.message), memoryview(_DEPTH_HEAD), memoryview(data)]
    return "/compressedDepth", COMPRESSED_IMAGE, parts


def encode_image(image: Image, time_ns: int, codec: ColorCodec, jpeg_quality: int) -> Encoded:
    """Return a picture, raw or compressed."""
    form = "rgb8" if image.pixels.ndim == 3 else "mono8"
    if codec == "raw":
        return _raw(image.pixels, form, time_ns, image.camera_name)
    data = _png(image.pixels) if codec == "png" else _jpeg(image.pixels, jpeg_quality)
    text = f"{form}; {codec} compressed {'bgr8' if form == 'rgb8' else form}"
    writer = begin(time_ns, image.camera_name).string(text).write("I", len(data))
    return "/compressed", COMPRESSED_IMAGE, [memoryview(writer.message), memoryview(data)]


def _raw(pixels: NDArray[Any], form: str, time_ns: int, frame: str) -> Encoded:
    rows = np.ascontiguousarray(pixels)
    height, step = rows.shape[0], rows.nbytes // rows.shape[0]
    writer = begin(time_ns, frame).write("I", height, rows.shape[1]).string(form)
    writer.write("B", 0).write("I", step, rows.nbytes)
    return "", IMAGE, [memoryview(writer.message), memoryview(rows.data).cast("B")]


def _is_millimetres(depth: RawDepth | DepthMap) -> bool:
    return (
        isinstance(depth, RawDepth)
        and depth.values.dtype == np.uint16
        and depth.unit_m == MILLIMETRE_M
    )


def _metres(depth: RawDepth | DepthMap) -> NDArray[np.float32]:
    """Return metres as REP 118 has them; 16 bits in any unit come back exactly from them."""
    if isinstance(depth, DepthMap):
        return depth.metres
    if depth.values.dtype == np.float32 and depth.unit_m == 1.0:
        return np.asarray(depth.values, np.float32)
    metres = (depth.values * np.float64(depth.unit_m)).astype(np.float32)
    if depth.values.dtype == np.uint16:
        metres[depth.values == 0] = np.nan
        metres[depth.values == _TOO_FAR] = np.inf
    return metres


def _png(pixels: NDArray[Any]) -> bytes:
    import cv2

    # Runs alone (strategy 3) pack depth and colour better than matches do, in less time.
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 3]
    return _encoded(".png", pixels, flags)


def _jpeg(pixels: NDArray[Any], quality: int) -> bytes:
    import cv2

    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encoded(ending: str, pixels: NDArray[Any], flags: list[int]) -> bytes:
    import cv2

    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(ending, pixels, flags)
    if not done:
        msg = f"a picture of {pixels.shape} {pixels.dtype} cannot be encoded as {ending[1:]}"
        raise OutputError(msg)
    return bytes(data)
