"""Write a ``.db3`` recording in the layout of librealsense 2.59.

References
----------
The files that librealsense 2.59 writes; image_transport_plugins, "compressedDepth".
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import OutputError
from sensorfusion.formats.cdr import CdrWriter
from sensorfusion.formats.whole_file import whole_file
from sensorfusion_drivers.realsense.recorded import (
    CLOCK,
    PLACES,
    Picture,
    RecordedDevice,
    unstorable_unit,
)
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH

_SCHEMA: Final = (
    "CREATE TABLE topics(id INTEGER PRIMARY KEY,name TEXT NOT NULL,type TEXT NOT NULL,"
    "serialization_format TEXT NOT NULL,offered_qos_profiles TEXT NOT NULL)",
    "CREATE TABLE messages(id INTEGER PRIMARY KEY,topic_id INTEGER NOT NULL,"
    "timestamp INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX timestamp_idx ON messages (timestamp ASC)",
)
_ENCODINGS: Final = {DEPTH: "Z16", COLOR: "RGB8"}
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
    stored = f"{device.unit_m:.6f}"
    if float(stored) != device.unit_m:
        raise unstorable_unit(device.unit_m, stored, "write a .bag, which holds it exactly")
    with whole_file(path) as temporary:
        try:
            with closing(sqlite3.connect(temporary)) as database:
                # No journal: until it is whole the file has no name, and one that is cut is lost.
                database.execute("PRAGMA journal_mode = OFF")
                _Writer(database).write(device, pictures, png=png)
                database.commit()
        except sqlite3.Error as error:
            msg = f"{path}: cannot be written whole ({error}); free some space or write elsewhere"
            raise OutputError(msg) from error


class _Writer:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._topics: dict[str, int] = {}
        for statement in _SCHEMA:
            database.execute(statement)

    def write(self, device: RecordedDevice, pictures: Iterable[Picture], *, png: bool) -> None:
        for message in _setup(device):
            self._append(0, message)
        begin_ns: int | None = None
        counts = {DEPTH: 0, COLOR: 0}
        for picture in pictures:
            begin_ns = picture[0] if begin_ns is None else begin_ns
            for name, pixels in device.checked(picture):
                if counts[name] == 0:
                    self._append(0, _transform(device, name))
                arrival_ns = picture[0] - begin_ns + 1
                image = _png_image if png else _raw_image
                self._append(arrival_ns, image(name, arrival_ns, pixels))
                counts[name] += 1
                self._append(arrival_ns, _metadata(device, name, counts[name], picture[0]))

    def _append(self, arrival_ns: int, message: _Message) -> None:
        topic, kind, data = message
        if topic not in self._topics:
            self._topics[topic] = len(self._topics) + 1
            self._database.execute(
                "INSERT INTO topics VALUES (?, ?, ?, 'cdr', '')", (self._topics[topic], topic, kind)
            )
        self._database.execute(
            "INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)",
            (self._topics[topic], arrival_ns, data),
        )


def _text(topic: str, text: str) -> _Message:
    return topic, "std_msgs/msg/String", CdrWriter().string(text).message


def _setup(device: RecordedDevice) -> Iterator[_Message]:
    yield "/file_version", "std_msgs/msg/UInt32", CdrWriter().write("I", 4).message
    for name, camera in device.rig.cameras.items():
        base, encoding = PLACES[name][1], _ENCODINGS[name]
        model, coefficients = device.lens(camera)
        yield _text(f"{base}/info", f"encoding={encoding};fps={device.rate_hz}")
        yield _text(
            f"{base}/camera_info",
            f"width={camera.width};height={camera.height};fx={camera.fx!r};ppx={camera.cx!r};"
            f"fy={camera.fy!r};ppy={camera.cy!r};model={model};"
            f"coeffs={','.join(map(repr, coefficients))}",
        )
    yield _text("/device_0/info", ";".join(f"{k}={v}" for k, v in device.facts.items()))
    for name in device.rig.cameras:
        sensor, _, title = PLACES[name]
        yield _text(f"{sensor}/info", f"Name={title}")
        # librealsense crashes over a sensor without this option.
        yield _text(f"{sensor}/option/Frames_Queue_Size/value", "16.000000")
        yield _text(f"{sensor}/option/Frames_Queue_Size/description", "Frames held at a time")
        if name == DEPTH:
            yield _text(f"{sensor}/option/Depth_Units/value", f"{device.unit_m:.6f}")
            yield _text(f"{sensor}/option/Depth_Units/description", "Metres per unit of depth")


def _transform(device: RecordedDevice, name: str) -> _Message:
    matrix = device.T_camera_depth(name)
    # Column by column.
    rotation = ",".join(f"{value:.6f}" for value in matrix[:3, :3].T.ravel())
    translation = ",".join(f"{value:.6f}" for value in matrix[:3, 3])
    return _text(f"{PLACES[name][1]}/tf/ref_1", f"rotation={rotation};translation={translation}")


def _metadata(device: RecordedDevice, name: str, number: int, timestamp_ns: int) -> _Message:
    milliseconds, nanoseconds = divmod(timestamp_ns, 1_000_000)
    text = (
        f"Frame number={number};timestamp_domain={CLOCK};system_time=0.000000;"
        f"timestamp={milliseconds}.{nanoseconds:06d};"
    )
    if name == DEPTH:
        text += f"depth_units={device.unit_m:.6f};"
    return _text(f"{PLACES[name][1]}/image/metadata", text)


def _header(name: str, arrival_ns: int) -> CdrWriter:
    return CdrWriter().write("I", *divmod(arrival_ns, 1_000_000_000)).string(PLACES[name][2])


def _raw_image(
    name: str, arrival_ns: int, pixels: NDArray[np.uint16] | NDArray[np.uint8]
) -> _Message:
    message = _header(name, arrival_ns).write("I", *pixels.shape[:2])
    message.string("mono16" if name == DEPTH else "rgb8").write("B", 0)
    message.write("I", pixels.strides[0]).sequence(pixels.tobytes())
    return f"{PLACES[name][1]}/image/data", "sensor_msgs/msg/Image", message.message


def _png_image(
    name: str, arrival_ns: int, pixels: NDArray[np.uint16] | NDArray[np.uint8]
) -> _Message:
    # Imported here: it takes longer than everything else in this package.
    import cv2

    written, encoded = cv2.imencode(".png", pixels if name == DEPTH else pixels[:, :, ::-1])
    if not written:
        msg = f"a {name} image of shape {pixels.shape} could not be written as PNG"
        raise OutputError(msg)
    message, ending, data = _header(name, arrival_ns), "compressed", encoded.tobytes()
    if name == DEPTH:
        # Twelve bytes of settings that only quantised depth needs.
        message.string("16UC1; compressedDepth png")
        ending, data = "compressedDepth", bytes(12) + data
    else:
        message.string("rgb8; png compressed bgr8")
    topic = f"{PLACES[name][1]}/image/data/{ending}"
    return topic, "sensor_msgs/msg/CompressedImage", message.sequence(data).message
