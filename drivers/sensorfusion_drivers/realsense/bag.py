"""The ``.bag`` container: ROS 1, as librealsense wrote it up to 2.57.

References
----------
librealsense 2.56, "doc/sample-bags.md" and the files that it writes: the topics are those of the
ROS 1 message types named below; an Image may be followed by four bytes, the depth unit.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.ros1 import Ros1Bag
from sensorfusion.formats.ros1_records import Entry
from sensorfusion.transform import RigidTransform, rotation_from_quaternion_xyzw
from sensorfusion_drivers.realsense.pixels import RawImage, decode_raw, read_raw_image
from sensorfusion_drivers.realsense.settings import (
    Reading,
    checked_unit,
    read_motion,
    unreadable_encoding,
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

_LARGEST_TRANSFORM: Final = 1e3


class BagRecording:
    """A recording in a ROS 1 bag; see ``streams.Recording`` for the attributes.

    Opening unpacks every chunk once: the camera's time stamps stand in the images only.

    Parameters
    ----------
    path : Path
    reading : Reading

    Raises
    ------
    SourceError
        If the file cannot be opened, is damaged or has no index, or holds what is not read.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path = path
        self._bag = Ros1Bag(path, salvage=reading.salvage)
        self._unit_m = reading.unit_m
        self.salvaged = reading.salvage
        self.losses: dict[str, int] = {}
        self.notes: list[str] = []
        self.faults = self._bag.faults
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        topics = {topic for topic, entries in self._bag.entries.items() if entries}
        found, others = find_streams(topics, self.path)
        self.metadata = self._pairs("/device_0/info")
        self.motion: dict[str, StoredMotion] = {}
        self._entries: dict[str, list[Entry]] = {}
        for name, topic in found.items():
            info = self._first(f"{topic.base}/info")
            encoding = info.string() if info and info.octets(4) else ""
            lost = self._bag.lost[topic.data]
            if lost:
                self.losses[f"{name} image that is damaged"] = lost
            if name in (GYRO, ACCEL):
                self.motion[name] = self._motion(name, topic)
            elif unreadable_encoding(name, encoding):
                others += (f"{name} as {encoding}",)
            else:
                self._entries[name] = self._bag.entries[topic.data]
        self.others = others
        stamps, units_m = self._stamps_and_units()
        self.streams = {
            name: self._stream(name, found[name], stamps[name], units_m) for name in self._entries
        }

    def pixels(self, stream: str, index: int) -> NDArray[np.uint16] | NDArray[np.uint8]:
        """Read one image; safe to call from several threads."""
        entry = self._entries[stream][index]
        _, image, cursor = self._image(self._bag.message(entry), entry)
        return decode_raw(image, stream, self.streams[stream].camera, cursor)

    def close(self) -> None:
        """Release the file."""
        self._bag.close()

    def _stream(
        self,
        name: str,
        topic: StreamTopic,
        stamps_ns: list[int],
        units_m: list[float],
    ) -> StoredStream:
        info = self._first(f"{topic.base}/info")
        if name == DEPTH and self._unit_m is not None:
            units_m = [self._unit_m] * len(units_m)
        elif name == DEPTH:
            fallback_m = 0.0 if all(units_m) else self._unit_option(topic.sensor)
            units_m = [checked_unit(unit_m or fallback_m, self.path) for unit_m in units_m]
        return StoredStream(
            self._camera(name, topic),
            self._transform(name, topic),
            float(info.number()) if info else 0.0,
            self._pairs(f"{topic.base}/image/metadata", 40).get("timestamp_domain", ""),
            np.array(stamps_ns, dtype=np.int64),
            np.array([entry.time_ns for entry in self._entries[name]], dtype=np.int64),
            tuple(units_m) if name == DEPTH else (),
        )

    def _stamps_and_units(self) -> tuple[dict[str, list[int]], list[float]]:
        """Read all time stamps, and the unit of each depth image (0 where it has none)."""
        stamps: dict[str, list[int]] = {name: [] for name in self._entries}
        units_m = []
        in_file_order = sorted(
            (entry.chunk, entry.offset, name)
            for name, entries in self._entries.items()
            for entry in entries
        )
        for chunk, offset, name in in_file_order:
            stamp_ns, unit_m = self._stamp_and_unit(Entry(chunk, offset, 0), name)
            stamps[name].append(stamp_ns)
            if name == DEPTH:
                units_m.append(unit_m)
        return stamps, units_m

    def _stamp_and_unit(self, entry: Entry, name: str) -> tuple[int, float]:
        stamp_ns, _, cursor = self._image(self._bag.view(entry), entry)
        if cursor.left not in (0, 4):
            found = f"{cursor.left} bytes behind the image"
            raise cursor.corrupt(found, "0 or 4")
        has_unit = name == DEPTH and cursor.left
        return stamp_ns, _shortest(cursor.read("f")[0]) if has_unit else 0.0

    def _image(self, data: bytes | memoryview, entry: Entry) -> tuple[int, RawImage, Cursor]:
        cursor = Cursor(data, self._where(entry))
        stamp_ns = _read_header(cursor)
        return stamp_ns, read_raw_image(cursor), cursor

    def _motion(self, name: str, topic: StreamTopic) -> StoredMotion:
        entries = self._bag.entries[topic.data]
        stamps_ns = np.zeros(len(entries), dtype=np.int64)
        values = np.zeros((len(entries), 3))
        for index, entry in enumerate(entries):
            cursor = Cursor(self._bag.message(entry), self._where(entry))
            stamps_ns[index] = _read_header(cursor)
            values[index] = read_motion(cursor, name)
        clock = self._pairs(f"{topic.base}/imu/metadata", 40).get("timestamp_domain", "")
        return StoredMotion(self._transform("imu", topic), clock, stamps_ns, values)

    def _camera(self, name: str, topic: StreamTopic) -> Camera:
        info = self._first(f"{topic.base}/info/camera_info")
        if info is None:
            found = f"no intrinsics of {name}"
            expected = f"a message of {topic.base}/info/camera_info"
            raise CorruptRecordingError(self.path, 0, found, expected, RECORD_AGAIN)
        info.read("I", 3)
        info.string()
        height, width = info.read("I", 2)
        model = info.string()
        coefficients = info.read("d", min(info.number(), 16))
        k = info.read("d", 9)
        return make_camera(name, (width, height), (k[0], k[4], k[2], k[5]), model, coefficients)

    def _transform(self, name: str, topic: StreamTopic) -> RigidTransform | None:
        prefix = f"{topic.base}/tf/"
        for key in sorted(self._bag.entries):
            message = self._first(key) if key.startswith(prefix) else None
            if message:
                values = np.array(message.read("d", 7))
                # Also keeps the arithmetic below from overflowing.
                if not (np.abs(values) < _LARGEST_TRANSFORM).all():
                    found = f"transform {values}"
                    raise message.corrupt(found, "metres and a quaternion")
                matrix = np.eye(4)
                matrix[:3, :3] = rotation_from_quaternion_xyzw(values[3:])
                matrix[:3, 3] = values[:3]
                return RigidTransform(name, f"reference {key.removeprefix(prefix)}", matrix)
        return None

    def _unit_option(self, sensor: str) -> float:
        for option in ("Depth Units", "Depth_Units"):
            message = self._first(f"{sensor}/option/{option}/value")
            if message:
                return _shortest(message.read("f")[0])
        return 0.0

    def _first(self, topic: str) -> Cursor | None:
        for entry in self._bag.entries.get(topic, ())[:1]:
            return Cursor(self._bag.message(entry), self._where(entry))
        return None

    def _pairs(self, topic: str, limit: int | None = None) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for entry in self._bag.entries.get(topic, ())[:limit]:
            message = Cursor(self._bag.message(entry), self._where(entry))
            key = message.string()
            pairs.setdefault(key, message.string())
        return pairs

    def _where(self, entry: Entry) -> str:
        return f"{self.path} (chunk {entry.chunk}, message at {entry.offset})"


def _shortest(value: float) -> float:
    """Return the shortest decimal number that a float32 stands for: 0.001, not 0.0010000000475."""
    return float(str(np.float32(value)))


def _read_header(cursor: Cursor) -> int:
    """Read a std_msgs/Header and return its time stamp in ns."""
    _, seconds, nanoseconds = cursor.read("I", 3)
    cursor.string()
    return int(seconds * 1_000_000_000 + nanoseconds)
