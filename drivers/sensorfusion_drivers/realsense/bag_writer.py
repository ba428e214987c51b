"""Write a ``.bag`` recording in the layout of librealsense up to 2.57.

References
----------
The files that librealsense 2.55 and 2.56 write.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.errors import OutputError
from sensorfusion.transform import quaternion_xyzw_from_rotation
from sensorfusion_drivers.realsense.bag_chunks import (
    BagChunks,
    Compression,
    Message,
    text,
    time,
    u32,
)
from sensorfusion_drivers.realsense.recorded import (
    Motion,
    Part,
    Picture,
    Pixels,
    RecordedDevice,
    encoding_of,
    place_of,
    unstorable_unit,
)
from sensorfusion_drivers.realsense.sample_writer import StoredWriter
from sensorfusion_drivers.realsense.streams import ACCEL, DEPTH, GYRO

# Readings of inertial sensors are small: so many share a chunk.
_READINGS_PER_CHUNK: Final = 100
# ROS's earliest time that is not "none".
_BEGIN_NS: Final = 1
_LATEST_NS: Final = (1 << 32) * 1_000_000_000


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
    if device.unit_m is not None:
        _check_unit(device.unit_m)
    BagWriter(path, device, compression=compression).write_all(pictures)


class BagWriter(StoredWriter):
    """A ``.bag`` recording, written sample by sample; parameters are those of ``write_bag``."""

    def __init__(
        self, path: Path | str, device: RecordedDevice, *, compression: Compression = "lz4"
    ) -> None:
        self._compression: Compression = compression
        self._readings: list[tuple[int, list[Message]]] = []
        super().__init__(path, device)

    def _start(self, temporary: Path, stack: ExitStack) -> None:
        file = stack.enter_context(temporary.open("wb"))
        self._chunks = BagChunks(file, self._compression)
        self._sensors: set[str] = set()
        messages = list(_setup(self._device))
        if self._device.rate_hz is not None:
            for name in self._device.rig.cameras:
                messages += [self._info(name, "mono16" if name == DEPTH else "rgb8")]
        for name in self._device.rig.cameras:
            messages += self._sensor(place_of(name).sensor, place_of(name).title)
        self._chunks.chunk(_BEGIN_NS, messages)

    def _append(self, arrival_ns: int, parts: list[Part]) -> None:
        _check_times(parts)
        first: list[Message] = []
        messages: list[Message] = []
        for part in parts:
            number, is_reading = self._number(part.stream), isinstance(part.content, tuple)
            if number == 1:
                self._encodings[part.stream] = (
                    "MOTION_XYZ32F" if is_reading else encoding_of(part, "mono16", "rgb8", "8UC1")
                )
                first += self._sensor(place_of(part.stream).sensor, "Motion Module")
                first += _first(self._device, part)
            messages += _messages(self._device, part, number)
        if first:
            self._chunks.chunk(_BEGIN_NS, first)
        is_small = all(isinstance(part.content, tuple) for part in parts)
        self._flush(arrival_ns, messages, keep=is_small)

    def _flush(self, arrival_ns: int, messages: list[Message], *, keep: bool) -> None:
        """Write messages in a chunk, or keep readings until there are many."""
        if keep:
            self._readings.append((arrival_ns, messages))
        if self._readings and (not keep or len(self._readings) >= _READINGS_PER_CHUNK):
            readings, self._readings = self._readings, []
            self._chunks.timed_chunk(
                [(time_ns + _BEGIN_NS, each) for time_ns, group in readings for each in group]
            )
        if messages and not keep:
            self._chunks.chunk(arrival_ns + _BEGIN_NS, messages)

    def _finish(self) -> None:
        self._flush(0, [], keep=False)
        if self._device.rate_hz is None:
            grey = {
                name: "mono16" if name == DEPTH else "8UC1" for name in self._device.rig.cameras
            }
            infos = [self._info(*item) for item in (grey | self._encodings).items()]
            self._chunks.chunk(_BEGIN_NS, infos)
        self._chunks.finish()

    def _info(self, stream: str, encoding: str) -> Message:
        data = u32(self._rate_hz(stream)) + text(encoding) + b"\0"
        return f"{place_of(stream).base}/info", "realsense_msgs/StreamInfo", data

    def _sensor(self, sensor: str, title: str) -> Iterator[Message]:
        if sensor in self._sensors:
            return
        self._sensors.add(sensor)
        yield f"{sensor}/info", "diagnostic_msgs/KeyValue", text("Name") + text(title)
        queue = f"{sensor}/option/Frames_Queue_Size"
        yield f"{queue}/value", "std_msgs/Float32", struct.pack("<f", 16)
        yield f"{queue}/description", "std_msgs/String", text("Frames held at a time")


def _setup(device: RecordedDevice) -> Iterator[Message]:
    yield "/file_version", "std_msgs/UInt32", u32(4)
    for name, value in device.facts.items():
        yield "/device_0/info", "diagnostic_msgs/KeyValue", text(name) + text(value)
    for name, camera in device.rig.cameras.items():
        topic = f"{place_of(name).base}/info/camera_info"
        yield topic, "sensor_msgs/CameraInfo", _camera_info(device, camera)


def _first(device: RecordedDevice, part: Part) -> Iterator[Message]:
    """Yield what stands before the first sample of a stream."""
    place = place_of(part.stream)
    if part.stream == DEPTH:
        option = f"{place.sensor}/option/Depth_Units"
        yield f"{option}/value", "std_msgs/Float32", struct.pack("<f", part.unit_m)
        yield f"{option}/description", "std_msgs/String", text("Metres per unit of depth")
    if isinstance(part.content, tuple):
        # Scale and bias that change nothing: what is written has been corrected already.
        corrected = struct.pack("<18f", *np.eye(3, 4).ravel(), *np.zeros(6))
        yield f"{place.base}/imu_intrinsic", "realsense_msgs/ImuIntrinsic", corrected
        matrix = device.T_reading_depth()
    else:
        matrix = device.T_camera_depth(part.stream)
    if matrix is not None:
        quaternion = quaternion_xyzw_from_rotation(matrix[:3, :3])
        transform = struct.pack("<7d", *matrix[:3, 3], *quaternion)
        yield f"{place.base}/tf/1", "geometry_msgs/Transform", transform


def _camera_info(device: RecordedDevice, camera: Camera) -> bytes:
    model, coefficients = device.lens(camera)
    return (
        struct.pack("<III", 0, 0, 0)
        + text("")
        + struct.pack("<II", camera.height, camera.width)
        + text(model)
        + struct.pack("<I5d", 5, *coefficients)
        + struct.pack("<9d", *camera.matrix.ravel())
        # Rectification, projection, binning and region of interest are not used.
        + bytes(21 * 8 + 6 * 4 + 1)
    )


def _messages(device: RecordedDevice, part: Part, number: int) -> Iterator[Message]:
    base = place_of(part.stream).base
    header = u32(number) + time(part.timestamp_ns) + text("0")
    if isinstance(part.content, tuple):
        kind, body = "imu", header + _motion(part.stream, part.content)
        yield f"{base}/imu/data", "sensor_msgs/Imu", body
    else:
        kind, body = "image", header + _image(part, part.content)
        yield f"{base}/image/data", "sensor_msgs/Image", body
    for key, value in (("system_time", "0.000000"), ("timestamp_domain", device.clock)):
        yield f"{base}/{kind}/metadata", "diagnostic_msgs/KeyValue", text(key) + text(value)


def _image(part: Part, pixels: Pixels) -> bytes:
    if part.stream == DEPTH:
        _check_unit(part.unit_m)
    height, width = pixels.shape[:2]
    return (
        struct.pack("<II", height, width)
        + text(encoding_of(part, "mono16", "rgb8", "8UC1"))
        + struct.pack("<BII", 0, pixels.strides[0], pixels.nbytes)
        + pixels.tobytes()
        # librealsense's addition to the message.
        + struct.pack("<f", part.unit_m)
    )


def _motion(stream: str, values: Motion) -> bytes:
    numbers = np.zeros(37)
    # No orientation is known; then turn rate and acceleration, each before its covariance.
    numbers[3], numbers[4] = 1.0, -1.0
    numbers[13:16] = values if stream == GYRO else 0.0
    numbers[25:28] = values if stream == ACCEL else 0.0
    return numbers.astype("<f8").tobytes()


def _check_unit(unit_m: float) -> None:
    stored = str(np.float32(unit_m))
    if float(stored) != unit_m:
        raise unstorable_unit(unit_m, stored, "round it to 7 digits")


def _check_times(parts: list[Part]) -> None:
    for part in parts:
        if not 0 <= part.timestamp_ns < _LATEST_NS:
            msg = (
                f"a sample of {part.stream} at {part.timestamp_ns} ns; a .bag holds 1970 to 2106; "
                "write .db3 or .mcap"
            )
            raise OutputError(msg)
