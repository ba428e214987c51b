"""Topics in order of time, and each message as a scan, a depth map or a picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.cursor import Cursor
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion_drivers.ros.clouds import to_cloud
from sensorfusion_drivers.ros.fields import read_table
from sensorfusion_drivers.ros.messages import (
    IMAGE,
    RawImage,
    read_compressed_image,
    read_header,
    read_image,
)
from sensorfusion_drivers.ros.pixels import decode_color, decode_depth
from sensorfusion_drivers.ros.recording import ADVICE, Recording


@dataclass(frozen=True, slots=True, eq=False)
class TimedTopic:
    """The messages of a topic that have an instant of their own, in order of time.

    Attributes
    ----------
    name : str
    kind : str
        Message type.
    messages : ndarray of int64, shape (N,)
        Numbers of the messages in the recording.
    stamps_ns : ndarray of int64, shape (N,)
        Strictly increasing.
    recorded_ns : ndarray of int64, shape (N,)
        When each was recorded.
    dropped : dict of str to int
        Messages left out, by reason.
    recorded : bool
        Whether the stamps are those of the recorder, because the headers hold none.
    """

    name: str
    kind: str
    messages: NDArray[np.int64]
    stamps_ns: NDArray[np.int64]
    recorded_ns: NDArray[np.int64]
    dropped: dict[str, int]
    recorded: bool


class Stream(Protocol):
    """Measurements or pictures of one sensor, in order of time; any thread may read.

    Attributes
    ----------
    sensor : str
        Name in the rig.
    topic : TimedTopic
    """

    @property
    def sensor(self) -> str:
        """Return the sensor's name."""

    @property
    def topic(self) -> TimedTopic:
        """Return the messages."""

    def read(self, index: int) -> "PointCloud | RawDepth | Image":
        """Decode one."""


@dataclass(frozen=True, slots=True, eq=False)
class CloudStream:
    """Scans of a LiDAR; ``unit_ns`` is that of their time field."""

    sensor: str
    topic: TimedTopic
    recording: Recording
    unit_ns: int | None

    def read(self, index: int) -> PointCloud:
        """Decode one scan."""
        cursor = self.recording.message(self.topic.name, int(self.topic.messages[index]))
        table = read_table(cursor, self.topic.kind)
        return to_cloud(table, self.sensor, int(self.topic.stamps_ns[index]), self.unit_ns)


@dataclass(frozen=True, slots=True, eq=False)
class DepthStream:
    """Depth pictures of a camera."""

    sensor: str
    topic: TimedTopic
    recording: Recording
    camera: Camera

    def read(self, index: int) -> RawDepth:
        """Decode one picture."""
        image, cursor = read_picture(self.recording, self.topic, index)
        values, unit_m = decode_depth(image, cursor)
        _check_size(values.shape, self.camera, cursor)
        return RawDepth(values, unit_m, self.camera, int(self.topic.stamps_ns[index]))


@dataclass(frozen=True, slots=True, eq=False)
class ColorStream:
    """Pictures of a camera."""

    sensor: str
    topic: TimedTopic
    recording: Recording
    camera: Camera

    def read(self, index: int) -> Image:
        """Decode one picture."""
        image, cursor = read_picture(self.recording, self.topic, index)
        pixels = decode_color(image, cursor)
        _check_size(pixels.shape, self.camera, cursor)
        return Image(pixels, self.sensor, int(self.topic.stamps_ns[index]))


def read_picture(recording: Recording, topic: TimedTopic, index: int) -> tuple[RawImage, Cursor]:
    """Read a message of pictures, not yet decoded, and where it stands."""
    cursor = recording.message(topic.name, int(topic.messages[index]))
    return (read_image if topic.kind == IMAGE else read_compressed_image)(cursor), cursor


def timed_topics(recording: Recording, names: Iterable[str]) -> dict[str, TimedTopic]:
    """Read the time stamp of every message of some topics, and order them by it.

    Only headers are looked at; in a compressed container each chunk is unpacked once for that.

    Parameters
    ----------
    recording : Recording
    names : iterable of str
        Topics that hold messages with a header.
    """
    topics = dict.fromkeys(names)
    stamps_ns = {topic: np.zeros(recording.count(topic), np.int64) for topic in topics}
    for topic, index, cursor in recording.heads(topics):
        stamps_ns[topic][index] = read_header(cursor).stamp_ns
    # Where one topic has no stamps at all, only the recorder's clock is common to all.
    recorded = not all(stamps.any() for stamps in stamps_ns.values())
    return {topic: _timed(recording, topic, stamps_ns[topic], recorded) for topic in topics}


def _timed(
    recording: Recording, name: str, stamps_ns: NDArray[np.int64], recorded: bool
) -> TimedTopic:
    recorded_ns = recording.recorded_ns(name)
    if recorded:
        stamps_ns = recorded_ns
    order = np.argsort(stamps_ns, kind="stable")
    ordered_ns = stamps_ns[order]
    unstamped = (ordered_ns == 0) & (not recorded)
    repeated = np.concatenate([[False], ordered_ns[1:] == ordered_ns[:-1]]) & ~unstamped
    reasons = {
        f"{name}: message without a time stamp": int(unstamped.sum()),
        f"{name}: message with the time stamp of another": int(repeated.sum()),
    }
    kept = ~(unstamped | repeated)
    dropped = {reason: count for reason, count in reasons.items() if count}
    chosen = order[kept]
    return TimedTopic(
        name,
        recording.types[name],
        chosen,
        ordered_ns[kept],
        recorded_ns[chosen],
        dropped,
        recorded,
    )


def _check_size(shape: tuple[int, ...], camera: Camera, cursor: Cursor) -> None:
    if shape[:2] != (camera.height, camera.width):
        found = f"a picture of {shape[1]}x{shape[0]} pixels"
        expected = f"{camera.width}x{camera.height}, as the camera's intrinsics say"
        raise CorruptRecordingError(cursor.where, 0, found, expected, ADVICE)
