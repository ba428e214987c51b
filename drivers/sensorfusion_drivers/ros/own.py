"""Recordings of our own: streams with their exact rig and units.

``docs/recording-file.md`` describes them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthKind, RawDepth
from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats import mcap_recording
from sensorfusion.formats.cursor import Cursor
from sensorfusion.formats.parse_text import parse_toml
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion_drivers.ros.chunked import McapRecording
from sensorfusion_drivers.ros.fields import POINT_CLOUD, FieldTable, read_table
from sensorfusion_drivers.ros.messages import (
    IMAGE,
    read_compressed_image,
    read_header,
    read_image,
)
from sensorfusion_drivers.ros.pixels import decode_color, decode_depth
from sensorfusion_drivers.ros.recording import ADVICE

Measured = RawDepth | PointCloud | Image | ImuReading

_TOO_FAR: Final = 65535
_LAYERS: Final = ("intensity", "ring", "column")
_OURS: Final = {*"xyzt", *_LAYERS, "rgb", "normal_x", "normal_y", "normal_z"}
_DEPTH_KINDS: Final[dict[str, DepthKind]] = {"z": "z", "range": "range"}
_Table = dict[str, NDArray[Any]]


def own_rig(recording: McapRecording) -> Rig | None:
    """Return the rig that a recording of ours holds, or None if it is not ours.

    Raises
    ------
    CalibrationError
        If the rig in it is impossible.
    """
    text = recording.beside.attachments.get(mcap_recording.RIG)
    if text is None:
        return None
    # Imported here: most recordings of ROS hold none.
    from sensorfusion.calibration.toml_rig import rig_from_toml  # noqa: PLC0415

    where = recording.path / mcap_recording.RIG
    return rig_from_toml(parse_toml(text.decode("utf-8", "replace"), where))


@dataclass(frozen=True, slots=True, eq=False)
class OwnStream:
    """One stream, in order of time; any thread may read.

    Attributes
    ----------
    name, sensor, kind : str
        Of the stream, of its sensor in the rig, and what it holds: one of
        ``formats.mcap_recording.KINDS``.
    topic : str
    messages : ndarray of int64, shape (N,)
        Numbers of the messages in the recording.
    stamps_ns : ndarray of int64, shape (N,)
        Not decreasing.
    facts : mapping of str to str
        What the topic's metadata says.
    beams : str
        Topic of the beams that found nothing; empty where there is none.
    """

    recording: McapRecording
    rig: Rig
    name: str
    sensor: str
    kind: str
    topic: str
    messages: NDArray[np.int64]
    stamps_ns: NDArray[np.int64]
    facts: Mapping[str, str]
    beams: str = ""

    def read(self, index: int) -> Measured:
        """Decode one sample.

        Raises
        ------
        CorruptRecordingError
            If its message is damaged, or is not the one that the index promises.
        """
        number, stamp_ns = int(self.messages[index]), int(self.stamps_ns[index])
        cursor = self.recording.message(self.topic, number)
        header = read_header(cursor)
        if header.stamp_ns != stamp_ns:
            found = f"a message of {header.stamp_ns} ns"
            raise cursor.corrupt(found, f"one of {stamp_ns} ns, as the index says")
        cursor = self.recording.message(self.topic, number)
        if self.kind == "imu":
            return _reading(cursor, self.sensor, stamp_ns)
        if self.kind == "points":
            beams = self._beams(number)
            scan = _cloud(read_table(cursor, POINT_CLOUD), self.sensor, stamp_ns, beams)
            return replace(scan, extra=_renamed(scan.extra, self.facts))
        is_raw = self.recording.types[self.topic] == IMAGE
        picture = (read_image if is_raw else read_compressed_image)(cursor)
        camera = self.rig.cameras[self.sensor]
        if self.kind == "image":
            pixels = decode_color(picture, cursor)
            _check(pixels.shape, (camera.height, camera.width), cursor)
            return Image(pixels, self.sensor, stamp_ns)
        values, unit_m = decode_depth(picture, cursor)
        _check(values.shape, (camera.height, camera.width), cursor)
        kind = _DEPTH_KINDS.get(self.facts.get(mcap_recording.DEPTH_KIND, ""), "z")
        if values.dtype == np.uint16 or self.facts.get(mcap_recording.DTYPE) != "uint16":
            return RawDepth(values, unit_m, camera, stamp_ns, kind)
        unit_m = self._unit_m()
        return RawDepth(
            _counts(np.asarray(values, np.float32), unit_m), unit_m, camera, stamp_ns, kind
        )

    def _unit_m(self) -> float:
        text = self.facts.get(mcap_recording.UNIT, "")
        try:
            unit_m = float(text)
        except ValueError:
            unit_m = 0.0
        if not (unit_m > 0 and np.isfinite(unit_m)):
            found = f"a depth unit of {text!r} for {self.topic}"
            raise CorruptRecordingError(self.recording.path, 0, found, "metres", ADVICE)
        return unit_m

    def _beams(self, number: int) -> NDArray[np.float32] | None:
        if not self.beams:
            return None
        table = read_table(self.recording.message(self.beams, number), POINT_CLOUD)
        return np.array(table.points(), np.float32, order="C")


def own_streams(recording: McapRecording, rig: Rig) -> list[OwnStream]:
    """Return the streams of a recording of ours, in order of their topics' declaration.

    Raises
    ------
    CorruptRecordingError
        If a topic belongs to no sensor of the rig.
    """
    known = {"points": set(rig.lidars)}
    streams, beams = [], {}
    for topic, facts in recording.facts.items():
        if mcap_recording.STREAM not in facts or not recording.count(topic):
            continue
        name, kind = facts[mcap_recording.STREAM], facts.get(mcap_recording.KIND, "")
        sensor = facts.get(mcap_recording.SENSOR, "")
        if kind == "empty_beams":
            beams[name] = topic
            continue
        # Where an inertial sensor sits may be unknown: then the rig does not name it.
        is_known = kind == "imu" or sensor in known.get(kind, rig.cameras)
        if kind not in mcap_recording.KINDS or not is_known:
            found = f"topic {topic!r} with {kind!r} of {sensor!r}"
            expected = "a kind that is known, of a sensor in the rig"
            raise CorruptRecordingError(recording.path, 0, found, expected, ADVICE)
        stamps_ns = recording.recorded_ns(topic)
        order = np.argsort(stamps_ns, kind="stable")
        streams.append((name, sensor, kind, topic, order, stamps_ns[order], facts))
    whole = {
        topic
        for name, topic in beams.items()
        for each in streams
        if each[0] == name and recording.count(each[3]) == recording.count(topic)
    }
    return [
        OwnStream(
            recording,
            rig,
            *each,
            beams=beams.get(each[0], "") if beams.get(each[0]) in whole else "",
        )
        for each in streams
    ]


def _counts(metres: NDArray[np.float32], unit_m: float) -> NDArray[np.uint16]:
    """Return the whole numbers that metres were made of; NaN was 0, infinity the largest."""
    with np.errstate(invalid="ignore"):
        counts = np.rint(metres.astype(np.float64) / unit_m)
    return np.nan_to_num(counts, nan=0.0, posinf=_TOO_FAR).clip(0, _TOO_FAR).astype(np.uint16)


def _reading(cursor: Cursor, sensor: str, stamp_ns: int) -> ImuReading:
    """Return a sensor_msgs/Imu; a half with -1 in front of its covariance was not measured."""
    read_header(cursor)
    values = cursor.read("d", 37)
    halves = [None if values[at + 3] == -1.0 else tuple(values[at : at + 3]) for at in (13, 25)]
    try:
        return ImuReading(sensor, stamp_ns, *halves)
    except ValueError as error:
        raise cursor.corrupt(str(error), "finite values") from error


def _cloud(
    table: FieldTable, lidar: str, stamp_ns: int, beams: NDArray[np.float32] | None
) -> PointCloud:
    """Return a scan with every layer as it was written."""
    points = table.points()
    kept = np.asarray(np.isfinite(points).all(axis=1))
    rows = slice(None) if kept.all() else kept
    fields: _Table = {name: _own(table.values(name)[rows]) for name in table.layouts}
    layers: dict[str, Any] = {name: fields.get(name) for name in _LAYERS}
    if "t" in fields:
        layers["time_offset_ns"] = np.rint(fields["t"]).astype(np.int64)
    if "rgb" in fields:
        packed = fields["rgb"].view(np.uint32)
        shifts = [(packed >> shift).astype(np.uint8) for shift in (16, 8, 0)]
        layers["color"] = np.stack(shifts, axis=-1)
    if "normal_x" in fields:
        layers["normals"] = np.stack([fields[f"normal_{axis}"] for axis in "xyz"], axis=-1)
    return PointCloud(
        np.array(points[rows], np.float32, order="C"),
        lidar,
        stamp_ns,
        extra={n.removeprefix("extra."): v for n, v in fields.items() if n not in _OURS},
        empty_beams=beams,
        missing=int(len(kept) - np.count_nonzero(kept)),
        **layers,
    )


def _renamed(extra: Mapping[str, NDArray[Any]], facts: Mapping[str, str]) -> _Table:
    """Return fields under the names and in the types that the source had."""
    try:
        told = json.loads(facts.get(mcap_recording.EXTRA, "{}"))
        known = {name.lower(): (name, np.dtype(code)) for name, code in told.items()}
    except (ValueError, TypeError, AttributeError):
        known = {}
    renamed = {}
    for field, values in extra.items():
        name, dtype = known.get(field, (field, values.dtype))
        renamed[name] = values.astype(dtype, copy=False)
    return renamed


def _own(values: NDArray[Any]) -> NDArray[Any]:
    return np.array(values, values.dtype.newbyteorder("="), order="C")


def _check(found: tuple[int, ...], size: tuple[int, int], cursor: Cursor) -> None:
    if found[:2] != size:
        text = f"a picture of {found[1]}x{found[0]} pixels"
        raise cursor.corrupt(text, f"{size[1]}x{size[0]}, as the rig says")
