"""Write a ``.bag`` recording in the layout of librealsense up to 2.57.

References
----------
ROS wiki, "Bags/Format/2.0"; the files that librealsense 2.55 writes. The check sums are those of
the ROS message definitions, as every ROS 1 bag holds them.
"""

import bz2
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.formats import ros1_records as ros1
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.transform import quaternion_xyzw_from_rotation
from sensorfusion_drivers.realsense.recorded import (
    CLOCK,
    PLACES,
    Picture,
    RecordedDevice,
    unstorable_unit,
)
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH

Compression = Literal["none", "lz4", "bz2"]

_HEADER: Final = "Header header\n"
_HEADER_TYPE: Final = f"{'=' * 80}\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n"
_TYPES: Final = {
    "std_msgs/UInt32": ("304a39449588c7f8ce2df6e8001c5fce", "uint32 data\n"),
    "std_msgs/Float32": ("73fcbf46b49191e672908e50842a83d4", "float32 data\n"),
    "std_msgs/String": ("992ce8a1687cec8c8bd883ec73ca41d1", "string data\n"),
    "diagnostic_msgs/KeyValue": (
        "cf57fdc6617a881a88c16e768132149c",
        "string key\nstring value\n",
    ),
    "realsense_msgs/StreamInfo": (
        "311d7e24eac31bb87271d041bf70ff7d",
        "uint32 fps\nstring encoding\nbool is_recommended\n",
    ),
    "geometry_msgs/Transform": (
        "ac9eff44abf714214112b05d54a3cf9b",
        f"Vector3 translation\nQuaternion rotation\n{'=' * 80}\nMSG: geometry_msgs/Vector3\n"
        f"float64 x\nfloat64 y\nfloat64 z\n{'=' * 80}\nMSG: geometry_msgs/Quaternion\n"
        "float64 x\nfloat64 y\nfloat64 z\nfloat64 w\n",
    ),
    "sensor_msgs/Image": (
        "060021388200f6f0f447d0fcd9c64743",
        f"{_HEADER}uint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n"
        f"uint32 step\nuint8[] data\n{_HEADER_TYPE}",
    ),
    "sensor_msgs/CameraInfo": (
        "c9a58c1b0b154e0e6da7578cb991d214",
        f"{_HEADER}uint32 height\nuint32 width\nstring distortion_model\nfloat64[] D\n"
        "float64[9] K\nfloat64[9] R\nfloat64[12] P\nuint32 binning_x\nuint32 binning_y\n"
        f"RegionOfInterest roi\n{_HEADER_TYPE}{'=' * 80}\nMSG: sensor_msgs/RegionOfInterest\n"
        "uint32 x_offset\nuint32 y_offset\nuint32 height\nuint32 width\nbool do_rectify\n",
    ),
}
_ENCODINGS: Final = {DEPTH: "mono16", COLOR: "rgb8"}
# ROS's earliest time that is not "none".
_BEGIN_NS: Final = 1
_HEADER_BYTES: Final = 4096
_Message = tuple[str, str, bytes]


def write_bag(
    path: Path | str,
    device: RecordedDevice,
    pictures: Iterable[Picture],
    *,
    compression: Compression = "lz4",
) -> None:
    """Write an indexed recording that librealsense plays.

    Parameters
    ----------
    path : Path or str
    device : RecordedDevice
    pictures : iterable of (int, ndarray or None, ndarray or None)
        In order of time, not before 1970; written one by one as they come.
    compression : {"none", "lz4", "bz2"}
        Of the chunks. librealsense plays the first two; ROS itself all three.

    Raises
    ------
    OutputError
        If the file cannot be written whole, or the depth unit does not fit into a float32.
    ValueError
        If an image does not fit its camera.
    """
    stored = str(np.float32(device.unit_m))
    if float(stored) != device.unit_m:
        raise unstorable_unit(device.unit_m, stored, "round it to 7 digits")
    with whole_file(path) as temporary, temporary.open("wb") as file:
        writer = _Writer(file, compression)
        writer.chunk(_BEGIN_NS, list(_setup(device)))
        begin_ns: int | None = None
        counts = {DEPTH: 0, COLOR: 0}
        for picture in pictures:
            begin_ns = picture[0] if begin_ns is None else begin_ns
            messages: list[_Message] = []
            for name, pixels in device.checked(picture):
                counts[name] += 1
                messages += _image(device, name, counts[name], picture[0], pixels)
            if messages:
                writer.chunk(picture[0] - begin_ns + _BEGIN_NS + 1, messages)
        writer.finish()


class _Writer:
    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        self._file = file
        self._compression = compression
        self._connections: dict[str, tuple[int, bytes]] = {}
        self._infos: list[bytes] = []
        self._write_header(0)

    def chunk(self, time_ns: int, messages: list[_Message]) -> None:
        """Append a chunk and its index."""
        time = struct.pack("<II", *divmod(time_ns, 1_000_000_000))
        data = bytearray()
        offsets: dict[int, list[int]] = defaultdict(list)
        for topic, kind, message in messages:
            if topic not in self._connections:
                record = _connection(len(self._connections), topic, kind)
                self._connections[topic] = (len(self._connections), record)
                data += record
            number = self._connections[topic][0]
            offsets[number].append(len(data))
            data += ros1.encode_record(message, op=b"\x02", conn=_u32(number), time=time)
        position = self._file.tell()
        packed = _packed(bytes(data), self._compression)
        self._file.write(
            ros1.encode_record(
                packed,
                op=b"\x05",
                compression=self._compression.encode(),
                size=_u32(len(data)),
            )
        )
        for number, places in offsets.items():
            index = b"".join(time + _u32(place) for place in places)
            fields = {"ver": _u32(1), "conn": _u32(number), "count": _u32(len(places))}
            self._file.write(ros1.encode_record(index, op=b"\x04", **fields))
        self._infos.append(
            ros1.encode_record(
                b"".join(_u32(number) + _u32(len(places)) for number, places in offsets.items()),
                op=b"\x06",
                ver=_u32(1),
                chunk_pos=struct.pack("<Q", position),
                start_time=time,
                end_time=time,
                count=_u32(len(offsets)),
            )
        )

    def finish(self) -> None:
        """Write the list of connections and chunks, and where it stands."""
        position = self._file.tell()
        for _, record in self._connections.values():
            self._file.write(record)
        for info in self._infos:
            self._file.write(info)
        self._write_header(position)

    def _write_header(self, index_position: int) -> None:
        fields = {
            "op": b"\x03",
            "index_pos": struct.pack("<Q", index_position),
            "conn_count": _u32(len(self._connections)),
            "chunk_count": _u32(len(self._infos)),
        }
        padding = _HEADER_BYTES - len(ros1.encode_record(b"", **fields))
        self._file.seek(0)
        self._file.write(ros1.MAGIC + ros1.encode_record(b" " * padding, **fields))


def _u32(value: int) -> bytes:
    return struct.pack("<I", value)


def _text(text: str) -> bytes:
    return _u32(len(text.encode())) + text.encode()


def _connection(number: int, topic: str, kind: str) -> bytes:
    checksum, definition = _TYPES[kind]
    fields = {
        "topic": topic.encode(),
        "type": kind.encode(),
        "md5sum": checksum.encode(),
        "message_definition": definition.encode(),
    }
    # The data of a connection record is a second header, whose own length stands before both.
    inner = ros1.encode_record(b"", **fields)[4:-4]
    return ros1.encode_record(inner, op=b"\x07", conn=_u32(number), topic=topic.encode())


def _packed(data: bytes, compression: Compression) -> bytes:
    if compression == "bz2":
        return bz2.compress(data)
    if compression == "lz4":
        # Imported here: a driver's module must be cheap to import.
        import lz4.frame  # noqa: PLC0415

        # ROS's reader takes independent blocks only, and no size of the content.
        packed: bytes = lz4.frame.compress(
            data,
            block_size=lz4.frame.BLOCKSIZE_MAX1MB,
            block_linked=False,
            content_checksum=True,
            store_size=False,
        )
        return packed
    return data


def _setup(device: RecordedDevice) -> Iterator[_Message]:
    yield "/file_version", "std_msgs/UInt32", _u32(4)
    for name, value in device.facts.items():
        yield "/device_0/info", "diagnostic_msgs/KeyValue", _text(name) + _text(value)
    for name, camera in device.rig.cameras.items():
        sensor, base, title = PLACES[name]
        info = _u32(device.rate_hz) + _text(_ENCODINGS[name]) + b"\0"
        yield f"{base}/info", "realsense_msgs/StreamInfo", info
        yield f"{base}/info/camera_info", "sensor_msgs/CameraInfo", _camera_info(device, camera)
        yield f"{sensor}/info", "diagnostic_msgs/KeyValue", _text("Name") + _text(title)
        queue = f"{sensor}/option/Frames_Queue_Size"
        yield f"{queue}/value", "std_msgs/Float32", struct.pack("<f", 16)
        yield f"{queue}/description", "std_msgs/String", _text("Frames held at a time")
        matrix = device.T_camera_depth(name)
        quaternion = quaternion_xyzw_from_rotation(matrix[:3, :3])
        transform = struct.pack("<7d", *matrix[:3, 3], *quaternion)
        yield f"{base}/tf/1", "geometry_msgs/Transform", transform
    option = f"{PLACES[DEPTH][0]}/option/Depth_Units"
    yield f"{option}/value", "std_msgs/Float32", struct.pack("<f", device.unit_m)
    yield f"{option}/description", "std_msgs/String", _text("Metres per unit of depth")


def _camera_info(device: RecordedDevice, camera: Camera) -> bytes:
    model, coefficients = device.lens(camera)
    return (
        struct.pack("<III", 0, 0, 0)
        + _text("")
        + struct.pack("<II", camera.height, camera.width)
        + _text(model)
        + struct.pack("<I5d", 5, *coefficients)
        + struct.pack("<9d", *camera.matrix.ravel())
        # Rectification, projection, binning and region of interest are not used.
        + bytes(21 * 8 + 6 * 4 + 1)
    )


def _image(
    device: RecordedDevice,
    name: str,
    number: int,
    timestamp_ns: int,
    pixels: NDArray[np.uint16] | NDArray[np.uint8],
) -> Iterator[_Message]:
    base, encoding = PLACES[name][1], _ENCODINGS[name]
    height, width = pixels.shape[:2]
    image = (
        struct.pack("<III", number, *divmod(timestamp_ns, 1_000_000_000))
        + _text("0")
        + struct.pack("<II", height, width)
        + _text(encoding)
        + struct.pack("<BII", 0, pixels.strides[0], pixels.nbytes)
        + pixels.tobytes()
        # librealsense's addition to the message.
        + struct.pack("<f", device.unit_m if name == DEPTH else 0.0)
    )
    yield f"{base}/image/data", "sensor_msgs/Image", image
    for key, value in (("system_time", "0.000000"), ("timestamp_domain", CLOCK)):
        yield f"{base}/image/metadata", "diagnostic_msgs/KeyValue", _text(key) + _text(value)
