"""The ``.db3`` container: SQLite and CDR, as librealsense writes it since 2.58.

References
----------
librealsense 2.59, "doc/record-and-playback.md" and the files that it writes; REP 2008 is not
followed by it: PNG images stand in sensor_msgs/CompressedImage as ROS's image_transport has them.
"""

import math
import sqlite3
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import CorruptRecordingError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.cdr import CdrReader
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.pixels import decode_png, decode_raw, read_raw_image
from sensorfusion_drivers.realsense.streams import (
    DEPTH,
    RECORD_AGAIN,
    StoredStream,
    StreamTopic,
    checked_unit,
    find_streams,
    make_camera,
    nanoseconds,
    parse_pairs,
)

MAGIC: Final = b"SQLite format 3\0"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# image_transport's compressedDepth puts its settings before the PNG: int32 and two float32.
_DEPTH_SETTINGS_BYTES: Final = 12
# That of a unit of 0.1 mm, and more.
_NOTABLE_UNIT_ERROR: Final = 0.0051
_INDEX: Final = (
    "SELECT id, CAST(IFNULL(timestamp, 0) AS INTEGER) FROM messages WHERE topic_id = ? ORDER BY id"
)


class Db3Recording:
    """A recording in a SQLite file; see ``streams.Recording`` for the attributes.

    Opening reads the index and the metadata, no image.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError
        If the file cannot be opened, is damaged, or holds what is not read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.losses: dict[str, int] = {}
        self.notes: list[str] = []
        self._lock = Lock()
        _check_length(path)
        try:
            # Never immutable: a journal that a killed recorder left must be honoured.
            uri = path.absolute().as_uri() + "?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            msg = f"{path}: cannot be opened ({error}); expected a .db3 recording"
            raise SourceError(msg) from error
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        rows = self._rows(
            "SELECT CAST(name AS TEXT), id FROM topics WHERE id IN (SELECT topic_id FROM messages)"
        )
        # A damaged row can be without its name.
        self._topics: dict[str, int] = {name: number for name, number in rows if name}
        found, self.others = find_streams(self._topics, self.path)
        self.metadata = parse_pairs(self._text("/device_0/info") or "")
        self._compressed = {name: not t.data.endswith("/data") for name, t in found.items()}
        self._images: dict[str, list[int]] = {}
        self.streams = {name: self._stream(name, topic) for name, topic in found.items()}

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
        self._database.close()

    def _stream(self, name: str, topic: StreamTopic) -> StoredStream:
        index = self._rows(_INDEX, self._topics[topic.data])
        metadata = self._metadata(topic)
        kept = []
        for message, arrival_ns in index:
            facts = metadata.get(arrival_ns)
            if facts and "timestamp" in facts[0]:
                kept.append((message, arrival_ns, facts.pop(0)))
            else:
                reason = f"{name} image without a time stamp"
                self.losses[reason] = self.losses.get(reason, 0) + 1
        self._images[name] = [message for message, _, _ in kept]
        return StoredStream(
            self._camera(name, topic),
            self._transform(name, topic),
            self._number(parse_pairs(self._text(f"{topic.base}/info") or "").get("fps", "0")),
            kept[0][2].get("timestamp_domain", "") if kept else "",
            np.array([nanoseconds(facts["timestamp"], str(self.path)) for *_, facts in kept], "i8"),
            np.array([arrival_ns for _, arrival_ns, _ in kept], dtype=np.int64),
            self._units_m(topic, [facts for *_, facts in kept]) if name == DEPTH else (),
        )

    def _metadata(self, topic: StreamTopic) -> dict[int, list[dict[str, str]]]:
        """Read what stands beside each image, by the time at which both arrived."""
        metadata: dict[int, list[dict[str, str]]] = {}
        rows = self._rows(_INDEX, self._topics.get(f"{topic.base}/image/metadata", -1))
        for message, arrival_ns in rows:
            facts = parse_pairs(self._message(message).string())
            metadata.setdefault(arrival_ns, []).append(facts)
        return metadata

    def _units_m(self, topic: StreamTopic, metadata: list[dict[str, str]]) -> tuple[float, ...]:
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
                f"may be up to {error:.1%} wrong"
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
        for key in sorted(self._topics):
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
                return RigidTransform.nearest(name, source, matrix)
        return None

    def _text(self, topic: str) -> str | None:
        rows = self._rows(
            "SELECT id FROM messages WHERE topic_id = ? ORDER BY id LIMIT 1",
            self._topics.get(topic, -1),
        )
        return self._message(rows[0][0]).string() if rows else None

    def _message(self, message: int) -> CdrReader:
        rows = self._rows("SELECT CAST(data AS BLOB) FROM messages WHERE id = ?", message)
        data = rows[0][0] if rows else None
        where = f"{self.path} (message {message})"
        if data is None:
            raise CorruptRecordingError(where, 0, "nothing", "a message", RECORD_AGAIN)
        if data[:4] == _ZSTD:
            msg = (
                f"{where}: compressed with zstd, as librealsense 2.58 does; this version does not "
                "read that; record without compression, or with librealsense 2.59 or later"
            )
            raise UnsupportedRecordingError(msg)
        return CdrReader(data, where)

    def _number(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            found = f"{text[:40]!r} among the settings"
            raise CorruptRecordingError(self.path, 0, found, "a number", RECORD_AGAIN)
        return number

    def _rows(self, statement: str, *arguments: int) -> list[Any]:
        try:
            with self._lock:
                return self._database.execute(statement, arguments).fetchall()
        except sqlite3.OperationalError as error:
            msg = (
                f"{self.path}: cannot be read ({error}); expected the tables topics and messages; "
                "if a program is still recording to it, let it finish"
            )
            raise SourceError(msg) from error
        # Damaged names show in SQLite's own messages.
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise CorruptRecordingError(
                self.path,
                0,
                f"a database that SQLite cannot read ({error})",
                "a whole one",
                RECORD_AGAIN,
            ) from error


def _check_length(path: Path) -> None:
    """Compare the length of the file with the number of pages in its header."""
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        msg = f"{path}: cannot be opened ({error.strerror}); expected a .db3 recording"
        raise SourceError(msg) from error
    # The largest size does not fit into the field and is written as 1.
    page_bytes = {1: 65536}.get(size := int.from_bytes(header[16:18]), size)
    pages = int.from_bytes(header[28:32])
    # The count holds only if its writer also kept the change counter beside it.
    trusted = header[24:28] == header[92:96] and not Path(f"{path}-wal").exists()
    if len(header) < 100 or (trusted and length < pages * page_bytes):
        raise CorruptRecordingError(
            path,
            length,
            "the end of the file",
            f"{pages} pages of {page_bytes} bytes",
            "it was cut short; copy it again from where it was made",
        )
