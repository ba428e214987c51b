"""The ``.db3`` container: SQLite and CDR, as librealsense writes it since 2.58.

References
----------
librealsense 2.59, "doc/record-and-playback.md" and the files that it writes; REP 2008 is not
followed by it: PNG images stand in sensor_msgs/CompressedImage as ROS's image_transport has them.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.cdr import CdrReader
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.db3_rows import PageRows, Rows, SqliteRows
from sensorfusion_drivers.realsense.pixels import decode_png, decode_raw, read_raw_image
from sensorfusion_drivers.realsense.settings import (
    Reading,
    checked_unit,
    nanoseconds,
    parse_pairs,
    read_motion,
    unreadable_encoding,
    usable_transform,
)
from sensorfusion_drivers.realsense.streams import (
    ACCEL,
    DEPTH,
    GYRO,
    RECORD_AGAIN,
    StoredMotion,
    StoredStream,
    StreamTopic,
    find_streams,
    make_camera,
)

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# image_transport's compressedDepth puts its settings before the PNG: int32 and two float32.
_DEPTH_SETTINGS_BYTES: Final = 12
# That of a unit of 0.1 mm, and more.
_NOTABLE_UNIT_ERROR: Final = 0.0051
# More than any message: a picture of 64 million pixels in colour, and its header.
_LARGEST_MESSAGE_BYTES: Final = 1 << 28


class Db3Recording:
    """A recording in a SQLite file; see ``streams.Recording`` for the attributes.

    Opening reads the index and the metadata, no image.

    Parameters
    ----------
    path : Path
    reading : Reading

    Raises
    ------
    SourceError
        If the file cannot be opened, is damaged, or holds what is not read.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path = path
        self.losses: dict[str, int] = {}
        self.notes: list[str] = []
        self.salvaged = reading.salvage
        self._unit_m = reading.unit_m
        self._rows: Rows = PageRows(path) if reading.salvage else SqliteRows(path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        found, others = find_streams(self._rows.topics, self.path)
        self.faults = self._rows.faults
        self.metadata = parse_pairs(self._text("/device_0/info") or "")
        self._compressed = {name: not t.data.endswith("/data") for name, t in found.items()}
        self._images: dict[str, list[int]] = {}
        self.streams: dict[str, StoredStream] = {}
        self.motion: dict[str, StoredMotion] = {}
        for name, topic in found.items():
            info = parse_pairs(self._text(f"{topic.base}/info") or "")
            if name in (GYRO, ACCEL):
                self.motion[name] = self._motion(name, topic)
            elif unreadable_encoding(name, info.get("encoding", "")):
                others += (f"{name} as {info['encoding']}",)
            else:
                self.streams[name] = self._stream(name, topic, info)
        self.others = others

    def pixels(self, stream: str, index: int) -> NDArray[np.uint16] | NDArray[np.uint8]:
        """Read one image; safe to call from several threads."""
        message = self._message(self._images[stream][index])
        camera = self.streams[stream].camera
        message.read("I", 2)
        message.string()
        if not self._compressed[stream]:
            return decode_raw(read_raw_image(message), stream, camera, message)
        encoding = message.string()
        if "png" not in encoding:
            msg = (
                f"{message.where}: a {stream} image compressed as {encoding[:40]!r}; this version "
                "reads raw images and PNG; record without compression, or as RGB8"
            )
            raise UnsupportedRecordingError(msg)
        data = bytes(message.sequence())
        return decode_png(
            data[_DEPTH_SETTINGS_BYTES * (stream == DEPTH) :], stream, camera, message
        )

    def close(self) -> None:
        """Release the file."""
        self._rows.close()

    def _stream(self, name: str, topic: StreamTopic, info: dict[str, str]) -> StoredStream:
        kept = []
        for message, arrival_ns, facts in self._stamped(topic, "image"):
            if facts is not None:
                kept.append((message, arrival_ns, facts))
            else:
                reason = f"{name} image without a time stamp"
                self.losses[reason] = self.losses.get(reason, 0) + 1
        self._images[name] = [message for message, _, _ in kept]
        return StoredStream(
            self._camera(name, topic),
            self._transform(name, topic),
            self._number(info.get("fps", "0")),
            kept[0][2].get("timestamp_domain", "") if kept else "",
            np.array([nanoseconds(facts["timestamp"], str(self.path)) for *_, facts in kept], "i8"),
            np.array([arrival_ns for _, arrival_ns, _ in kept], dtype=np.int64),
            self._units_m(topic, [facts for *_, facts in kept]) if name == DEPTH else (),
        )

    def _motion(self, name: str, topic: StreamTopic) -> StoredMotion:
        stamps_ns, values, clock = [], [], ""
        for message, _, facts in self._stamped(topic, "imu"):
            if facts is None:
                reason = f"{name} reading without a time stamp"
                self.losses[reason] = self.losses.get(reason, 0) + 1
                continue
            clock = clock or facts.get("timestamp_domain", "")
            stamps_ns.append(nanoseconds(facts["timestamp"], str(self.path)))
            cursor = self._message(message)
            cursor.read("I", 2)
            cursor.string()
            values.append(read_motion(cursor, name))
        return StoredMotion(
            self._transform("imu", topic),
            clock,
            np.array(stamps_ns, dtype=np.int64),
            np.array(values, dtype=np.float64).reshape(-1, 3),
        )

    def _stamped(
        self, topic: StreamTopic, kind: str
    ) -> Iterator[tuple[int, int, dict[str, str] | None]]:
        """Yield number and arrival of each message of a stream, and what stands beside it."""
        metadata: dict[int, list[dict[str, str]]] = {}
        for message, arrival_ns in self._index(f"{topic.base}/{kind}/metadata"):
            facts = parse_pairs(self._message(message).string())
            metadata.setdefault(arrival_ns, []).append(facts)
        for message, arrival_ns in self._index(topic.data):
            beside = metadata.get(arrival_ns)
            known = bool(beside) and "timestamp" in beside[0] if beside else False
            yield message, arrival_ns, beside.pop(0) if beside and known else None

    def _index(self, topic: str) -> list[tuple[int, int]]:
        return self._rows.index.get(self._rows.topics.get(topic, -1), [])

    def _units_m(self, topic: StreamTopic, metadata: list[dict[str, str]]) -> tuple[float, ...]:
        if self._unit_m is not None:
            return (self._unit_m,) * len(metadata)
        option = self._text(f"{topic.sensor}/option/Depth_Units/value") or "0"
        units_m = tuple(
            checked_unit(self._number(facts.get("depth_units", option)), self.path)
            for facts in metadata
        )
        # Six decimals hold units such as 0.001 and 0.0001 exactly, but not every camera's.
        error = 0.5e-6 / min(units_m, default=1.0)
        if error > _NOTABLE_UNIT_ERROR:
            self.notes.append(
                f"the recording holds its depth unit as {min(units_m):.6f} m only, so that depth "
                f"may be up to {error:.1%} wrong; -o depth-unit-m= says it exactly"
            )
        return units_m

    def _camera(self, name: str, topic: StreamTopic) -> Camera:
        text = self._text(f"{topic.base}/camera_info")
        facts = parse_pairs(text or "")
        names = ("width", "height", "fx", "fy", "ppx", "ppy", "model", "coeffs")
        missing = [name for name in names if name not in facts]
        if missing:
            found = f"intrinsics {text!r} without {', '.join(missing)}"
            expected = f"them in {topic.base}/camera_info"
            raise CorruptRecordingError(self.path, 0, found, expected, RECORD_AGAIN)
        width, height, fx, fy, cx, cy = (self._number(facts[name]) for name in names[:6])
        coefficients = tuple(self._number(text) for text in facts["coeffs"].split(","))
        size = (int(width), int(height))
        return make_camera(name, size, (fx, fy, cx, cy), facts["model"], coefficients)

    def _transform(self, name: str, topic: StreamTopic) -> RigidTransform | None:
        prefix = f"{topic.base}/tf/"
        for key in sorted(self._rows.topics):
            if key.startswith(prefix):
                facts = parse_pairs(self._text(key) or "")
                rotation = [self._number(x) for x in facts.get("rotation", "").split(",")]
                translation_m = [self._number(x) for x in facts.get("translation", "").split(",")]
                if (len(rotation), len(translation_m)) != (9, 3):
                    found = f"a transform {facts!r} in {key}"
                    expected = "9 values of rotation and 3 of translation"
                    raise CorruptRecordingError(self.path, 0, found, expected, RECORD_AGAIN)
                matrix = np.eye(4)
                # Column by column, with 6 decimals.
                matrix[:3, :3] = np.reshape(rotation, (3, 3)).T
                matrix[:3, 3] = translation_m
                source = f"reference {key.removeprefix(prefix).removeprefix('ref_')}"
                return usable_transform(name, source, matrix)
        return None

    def _text(self, topic: str) -> str | None:
        index = self._index(topic)
        return self._message(index[0][0]).string() if index else None

    def _message(self, message: int) -> CdrReader:
        where = f"{self.path} (message {message})"
        data = self._rows.data(message)
        return CdrReader(_unpacked(data, where) if data[:4] == _ZSTD else data, where)

    def _number(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            found = f"{text[:40]!r} among the settings"
            raise CorruptRecordingError(self.path, 0, found, "a number", RECORD_AGAIN)
        return number


def _unpacked(data: bytes | memoryview, where: str) -> bytes:
    """Unpack a message that librealsense 2.58 compressed."""
    # Imported here: a driver's module must be cheap to import.
    import zstandard  # noqa: PLC0415

    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= _LARGEST_MESSAGE_BYTES:
            found = f"a message of {size} bytes, compressed"
            expected = f"at most {_LARGEST_MESSAGE_BYTES}"
            raise CorruptRecordingError(where, 0, found, expected, RECORD_AGAIN)
        return bytes(zstandard.ZstdDecompressor().decompress(data))
    except zstandard.ZstdError as error:
        found = f"zstd data that do not unpack ({error})"
        raise CorruptRecordingError(where, 0, found, "a whole message", RECORD_AGAIN) from error
