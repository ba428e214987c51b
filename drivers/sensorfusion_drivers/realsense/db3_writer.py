"""Write a ``.db3`` recording in the layout of librealsense 2.59.

References
----------
The files that librealsense 2.59 writes; image_transport_plugins, "compressedDepth".
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import numpy as np

from sensorfusion.errors import OutputError
from sensorfusion.formats.cdr import CdrWriter
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

_SCHEMA: Final = (
    "CREATE TABLE topics(id INTEGER PRIMARY KEY,name TEXT NOT NULL,type TEXT NOT NULL,"
    "serialization_format TEXT NOT NULL,offered_qos_profiles TEXT NOT NULL)",
    "CREATE TABLE messages(id INTEGER PRIMARY KEY,topic_id INTEGER NOT NULL,"
    "timestamp INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX timestamp_idx ON messages (timestamp ASC)",
)
# Scale and bias that change nothing: what is written has been corrected already.
_CORRECTED: Final = (
    "data=1.0,0.0,0.0,0.0,0.0,1.0,0.0,0.0,0.0,0.0,1.0,0.0;bias_variances=0.0,0.0,0.0;"
    "noise_variances=0.0,0.0,0.0"
)
_VERSION: Final = CdrWriter().write("I", 4).message
_UNIT_TOPIC: Final = f"{place_of(DEPTH).sensor}/option/Depth_Units/value"
_Message = tuple[str, str, bytes]


def write_db3(
    path: Path | str, device: RecordedDevice, pictures: Iterable[Picture], *, png: bool = True
) -> None:
    """Write a recording that librealsense 2.59 plays.

    Parameters
    ----------
    path : Path or str
    device : RecordedDevice
    pictures : iterable of (int, ndarray or None, ndarray or None)
        In order of time; written one by one as they come.
    png : bool
        Compress the images, without loss.

    Raises
    ------
    OutputError
        If the file cannot be written whole, or the depth unit does not fit into six decimals.
    ValueError
        If an image does not fit its camera.
    """
    if device.unit_m is not None:
        _stored_unit(device.unit_m)
    Db3Writer(path, device, png=png).write_all(pictures)


class Db3Writer(StoredWriter):
    """A ``.db3`` recording, written sample by sample; parameters are those of ``write_db3``."""

    def __init__(self, path: Path | str, device: RecordedDevice, *, png: bool = False) -> None:
        self._png = png
        self._topics: dict[str, int] = {}
        # Which message holds it, by topic.
        self._settings: dict[str, int] = {}
        super().__init__(path, device)

    def _start(self, temporary: Path, stack: ExitStack) -> None:
        try:
            self._database = stack.enter_context(closing(sqlite3.connect(temporary)))
            # No journal: until it is whole the file has no name, and one that is cut is lost.
            self._database.execute("PRAGMA journal_mode = OFF")
            for statement in _SCHEMA:
                self._database.execute(statement)
        except sqlite3.Error as error:
            raise self._unwritten(str(error)) from error
        self._encodings = {n: "Z16" if n == DEPTH else "RGB8" for n in self._device.rig.cameras}
        self._put_messages(0, [("/file_version", "std_msgs/msg/UInt32", _VERSION)])
        for name in self._device.rig.cameras:
            # First: librealsense never ends reading a stream that it meets without this.
            self._put_messages(0, [self._info(name), _camera_info(self._device, name)])
        self._put_messages(0, _setup(self._device))

    def _append(self, arrival_ns: int, parts: list[Part]) -> None:
        for part in parts:
            if self._number(part.stream) == 1:
                self._begin_stream(part)
            self._put_messages(arrival_ns, [self._data(arrival_ns, part)])
            metadata = _metadata(self._device, part, self._number(part.stream))
            self._put_messages(arrival_ns, [metadata])

    def _begin_stream(self, part: Part) -> None:
        """Write what stands before the first sample of a stream."""
        if isinstance(part.content, tuple):
            self._encodings[part.stream] = "MOTION_XYZ32F"
            place = place_of(part.stream)
            corrected = _text(f"{place.base}/imu_intrinsic", _CORRECTED)
            self._put_messages(0, [self._info(part.stream), corrected])
            sensor = place.sensor
            if f"{sensor}/info" not in self._topics:
                self._put_messages(0, _sensor(sensor, "Motion Module"))
        else:
            self._encodings[part.stream] = encoding_of(part, "Z16", "RGB8", "Y8")
            if part.stream == DEPTH:
                self._replace(_text(_UNIT_TOPIC, _stored_unit(part.unit_m)))
        self._put_messages(0, _first(self._device, part))

    def _finish(self) -> None:
        for name in self._encodings:
            # Rate and encoding are known only now.
            self._replace(self._info(name))
        try:
            self._database.commit()
        except sqlite3.Error as error:
            raise self._unwritten(str(error)) from error

    def _info(self, stream: str) -> _Message:
        text = f"encoding={self._encodings[stream]};fps={self._rate_hz(stream)}"
        return _text(f"{place_of(stream).base}/info", text)

    def _data(self, arrival_ns: int, part: Part) -> _Message:
        if isinstance(part.content, tuple):
            return _motion(part.stream, arrival_ns, part.content)
        image = _png_image if self._png else _raw_image
        return image(part, arrival_ns, part.content)

    def _put_messages(self, arrival_ns: int, messages: Iterable[_Message]) -> None:
        try:
            for topic, kind, data in messages:
                if topic not in self._topics:
                    self._topics[topic] = len(self._topics) + 1
                    self._database.execute(
                        "INSERT INTO topics VALUES (?, ?, ?, 'cdr', '')",
                        (self._topics[topic], topic, kind),
                    )
                written = self._database.execute(
                    "INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)",
                    (self._topics[topic], arrival_ns, data),
                )
                if arrival_ns == 0:
                    self._settings[topic] = written.lastrowid or 0
        except sqlite3.Error as error:
            raise self._unwritten(str(error)) from error

    def _replace(self, message: _Message) -> None:
        """Write the only message of a topic anew."""
        topic, _, data = message
        query = "UPDATE messages SET data = ? WHERE id = ?"
        try:
            self._database.execute(query, (data, self._settings[topic]))
        except sqlite3.Error as error:
            raise self._unwritten(str(error)) from error


def _stored_unit(unit_m: float) -> str:
    """Return a depth unit as the container holds it.

    Raises
    ------
    OutputError
        If that is another unit.
    """
    stored = f"{unit_m:.6f}"
    if float(stored) != unit_m:
        raise unstorable_unit(unit_m, stored, "write a .bag, which holds it exactly")
    return stored


def _text(topic: str, text: str) -> _Message:
    return topic, "std_msgs/msg/String", CdrWriter().string(text).message


def _camera_info(device: RecordedDevice, stream: str) -> _Message:
    camera = device.rig.cameras[stream]
    model, coefficients = device.lens(camera)
    return _text(
        f"{place_of(stream).base}/camera_info",
        f"width={camera.width};height={camera.height};fx={camera.fx!r};ppx={camera.cx!r};"
        f"fy={camera.fy!r};ppy={camera.cy!r};model={model};"
        f"coeffs={','.join(map(repr, coefficients))}",
    )


def _setup(device: RecordedDevice) -> Iterator[_Message]:
    yield _text("/device_0/info", ";".join(f"{k}={v}" for k, v in device.facts.items()))
    titles: dict[str, str] = {}
    for name in device.rig.cameras:
        titles.setdefault(place_of(name).sensor, place_of(name).title)
    for sensor, title in titles.items():
        yield from _sensor(sensor, title)
        if sensor == place_of(DEPTH).sensor:
            # Put right once the first depth is there.
            yield _text(_UNIT_TOPIC, _stored_unit(device.unit_m or 0.001))
            yield _text(f"{sensor}/option/Depth_Units/description", "Metres per unit of depth")


def _sensor(sensor: str, title: str) -> Iterator[_Message]:
    yield _text(f"{sensor}/info", f"Name={title}")
    # librealsense crashes over a sensor without this option.
    yield _text(f"{sensor}/option/Frames_Queue_Size/value", "16.000000")
    yield _text(f"{sensor}/option/Frames_Queue_Size/description", "Frames held at a time")


def _first(device: RecordedDevice, part: Part) -> Iterator[_Message]:
    """Yield what stands before the first sample of a stream."""
    place = place_of(part.stream)
    if isinstance(part.content, tuple):
        matrix = device.T_reading_depth()
    else:
        matrix = device.T_camera_depth(part.stream)
    if matrix is not None:
        # Column by column.
        rotation = ",".join(f"{value:.6f}" for value in matrix[:3, :3].T.ravel())
        translation = ",".join(f"{value:.6f}" for value in matrix[:3, 3])
        yield _text(f"{place.base}/tf/ref_1", f"rotation={rotation};translation={translation}")


def _metadata(device: RecordedDevice, part: Part, number: int) -> _Message:
    milliseconds, nanoseconds = divmod(part.timestamp_ns, 1_000_000)
    text = (
        f"Frame number={number};timestamp_domain={device.clock};system_time=0.000000;"
        f"timestamp={milliseconds}.{nanoseconds:06d};"
    )
    if part.stream == DEPTH:
        text += f"depth_units={_stored_unit(part.unit_m)};"
    kind = "imu" if isinstance(part.content, tuple) else "image"
    return _text(f"{place_of(part.stream).base}/{kind}/metadata", text)


def _header(stream: str, arrival_ns: int) -> CdrWriter:
    seconds = divmod(arrival_ns, 1_000_000_000)
    return CdrWriter().write("I", *seconds).string(place_of(stream).title)


def _raw_image(part: Part, arrival_ns: int, pixels: Pixels) -> _Message:
    message = _header(part.stream, arrival_ns).write("I", *pixels.shape[:2])
    message.string(encoding_of(part, "mono16", "rgb8", "8UC1")).write("B", 0)
    message.write("I", pixels.strides[0]).sequence(pixels.tobytes())
    return f"{place_of(part.stream).base}/image/data", "sensor_msgs/msg/Image", message.message


def _png_image(part: Part, arrival_ns: int, pixels: Pixels) -> _Message:
    # Imported here: it takes longer than everything else in this package.
    import cv2

    written, encoded = cv2.imencode(".png", pixels[:, :, ::-1] if pixels.ndim == 3 else pixels)
    if not written:
        msg = f"a {part.stream} image of shape {pixels.shape} could not be written as PNG"
        raise OutputError(msg)
    message, ending, data = _header(part.stream, arrival_ns), "compressed", encoded.tobytes()
    if part.stream == DEPTH:
        # Twelve bytes of settings that only quantised depth needs.
        ending, data = "compressedDepth", bytes(12) + data
    message.string(
        encoding_of(
            part,
            "16UC1; compressedDepth png",
            "rgb8; png compressed bgr8",
            "mono8; png compressed mono8",
        )
    )
    topic = f"{place_of(part.stream).base}/image/data/{ending}"
    return topic, "sensor_msgs/msg/CompressedImage", message.sequence(data).message


def _motion(stream: str, arrival_ns: int, values: Motion) -> _Message:
    numbers = np.zeros(37)
    # No orientation is known; then turn rate and acceleration, each before its covariance.
    numbers[3], numbers[4] = 1.0, -1.0
    numbers[13:16] = values if stream == GYRO else 0.0
    numbers[25:28] = values if stream == ACCEL else 0.0
    message = _header(stream, arrival_ns).write("d", *numbers.tolist()).message
    return f"{place_of(stream).base}/imu/data", "sensor_msgs/msg/Imu", message
