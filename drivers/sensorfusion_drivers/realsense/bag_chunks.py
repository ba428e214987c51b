"""Chunks and index of a ROS 1 bag as it is written.

References
----------
ROS wiki, "Bags/Format/2.0". The check sums are those of the ROS message definitions, as every ROS 1
bag holds them.
"""

import bz2
import struct
from collections import defaultdict
from typing import BinaryIO, Final, Literal

from sensorfusion.formats import ros1_records as ros1

Compression = Literal["none", "lz4", "bz2"]

_HEADER: Final = "Header header\n"
_HEADER_TYPE: Final = f"{'=' * 80}\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n"
TYPES: Final = {
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
    "sensor_msgs/Imu": (
        "6a62c6daae103f4ff57a132d6f95cec2",
        f"{_HEADER}geometry_msgs/Quaternion orientation\nfloat64[9] orientation_covariance\n"
        "geometry_msgs/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\n"
        "geometry_msgs/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance\n"
        f"{_HEADER_TYPE}{'=' * 80}\nMSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z\n"
        f"{'=' * 80}\nMSG: geometry_msgs/Quaternion\nfloat64 x\nfloat64 y\nfloat64 z\nfloat64 w\n",
    ),
    "realsense_msgs/ImuIntrinsic": (
        "aebdc2f8f9726f1c3ca823ab56e47429",
        "float32[12] data\nfloat32[3] noise_variances\nfloat32[3] bias_variances\n",
    ),
    "sensor_msgs/CameraInfo": (
        "c9a58c1b0b154e0e6da7578cb991d214",
        f"{_HEADER}uint32 height\nuint32 width\nstring distortion_model\nfloat64[] D\n"
        "float64[9] K\nfloat64[9] R\nfloat64[12] P\nuint32 binning_x\nuint32 binning_y\n"
        f"RegionOfInterest roi\n{_HEADER_TYPE}{'=' * 80}\nMSG: sensor_msgs/RegionOfInterest\n"
        "uint32 x_offset\nuint32 y_offset\nuint32 height\nuint32 width\nbool do_rectify\n",
    ),
}
_HEADER_BYTES: Final = 4096
Message = tuple[str, str, bytes]
"""Topic, type and data."""


class BagChunks:
    """A bag that grows by chunks; :meth:`finish` makes it whole.

    Parameters
    ----------
    file : binary file
        Empty, open for writing.
    compression : {"none", "lz4", "bz2"}
        Of the chunks.
    """

    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        self._file = file
        self._compression = compression
        self._connections: dict[str, tuple[int, bytes]] = {}
        self._infos: list[bytes] = []
        self._write_header(0)

    def chunk(self, time_ns: int, messages: list[Message]) -> None:
        """Append a chunk of messages of one time, and its index."""
        self.timed_chunk([(time_ns, message) for message in messages])

    def timed_chunk(self, messages: list[tuple[int, Message]]) -> None:
        """Append a chunk of messages in order of time, and its index."""
        data = bytearray()
        places: dict[int, list[bytes]] = defaultdict(list)
        for time_ns, (topic, kind, message) in messages:
            if topic not in self._connections:
                record = _connection(len(self._connections), topic, kind)
                self._connections[topic] = (len(self._connections), record)
                data += record
            number = self._connections[topic][0]
            instant = time(time_ns)
            places[number].append(instant + u32(len(data)))
            data += ros1.encode_record(message, op=b"\x02", conn=u32(number), time=instant)
        position = self._file.tell()
        packed = _packed(bytes(data), self._compression)
        fields = {"compression": self._compression.encode(), "size": u32(len(data))}
        self._file.write(ros1.encode_record(packed, op=b"\x05", **fields))
        for number, index in places.items():
            fields = {"ver": u32(1), "conn": u32(number), "count": u32(len(index))}
            self._file.write(ros1.encode_record(b"".join(index), op=b"\x04", **fields))
        self._infos.append(
            ros1.encode_record(
                b"".join(u32(number) + u32(len(index)) for number, index in places.items()),
                op=b"\x06",
                ver=u32(1),
                chunk_pos=struct.pack("<Q", position),
                start_time=time(messages[0][0]),
                end_time=time(messages[-1][0]),
                count=u32(len(places)),
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
            "conn_count": u32(len(self._connections)),
            "chunk_count": u32(len(self._infos)),
        }
        padding = _HEADER_BYTES - len(ros1.encode_record(b"", **fields))
        self._file.seek(0)
        self._file.write(ros1.MAGIC + ros1.encode_record(b" " * padding, **fields))


def u32(value: int) -> bytes:
    """Return an unsigned integer as ROS 1 packs it."""
    return struct.pack("<I", value)


def time(time_ns: int) -> bytes:
    """Return an instant as ROS 1 packs it."""
    return struct.pack("<II", *divmod(time_ns, 1_000_000_000))


def text(value: str) -> bytes:
    """Return a string as ROS 1 packs it."""
    return u32(len(value.encode())) + value.encode()


def _connection(number: int, topic: str, kind: str) -> bytes:
    checksum, definition = TYPES[kind]
    fields = {
        "topic": topic.encode(),
        "type": kind.encode(),
        "md5sum": checksum.encode(),
        "message_definition": definition.encode(),
    }
    # The data of a connection record is a second header, whose own length stands before both.
    inner = ros1.encode_record(b"", **fields)[4:-4]
    return ros1.encode_record(inner, op=b"\x07", conn=u32(number), topic=topic.encode())


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
