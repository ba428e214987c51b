"""Samples to messages: which topics a stream has, and what stands in their metadata."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import zstandard

from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.errors import OutputError
from sensorfusion.formats import mcap_recording
from sensorfusion.formats.mcap_write import Packer
from sensorfusion.formats.ros2_schemas import CAMERA_INFO, IMU, POINT_CLOUD
from sensorfusion.frame import Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.point_cloud import PointCloud
from sensorfusion.recording.clouds import encode_beams, encode_cloud
from sensorfusion.recording.messages import CameraInfo, Message, imu_message
from sensorfusion.recording.options import DepthCodec, RecordingOptions
from sensorfusion.recording.pictures import (
    ZSTD_COLOR,
    ZSTD_LEVEL,
    ZSTD_RVL,
    choose_codec,
    depth_kind,
    encode_depth,
    encode_image,
    stored_unit,
)
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.rig import Rig
from sensorfusion.stereo_pair import StereoPair

_READING_BYTES: Final = 500


@dataclass(frozen=True, slots=True)
class _Stream:
    """What was settled by the first sample of a stream."""

    base: str
    metadata: dict[str, str]
    codec: DepthCodec = "raw"


class SampleEncoder:
    """Turns samples into messages.

    Parameters
    ----------
    rig : Rig
    options : RecordingOptions
    """

    def __init__(self, rig: Rig, options: RecordingOptions) -> None:
        self._rig = rig
        self._options = options
        self._streams: dict[str, _Stream] = {}
        self._infos: dict[str, CameraInfo] = {}
        self._packer: Packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._color_packer, self._rvl_packer = (
            zstandard.ZstdCompressor(
                compression_params=zstandard.ZstdCompressionParameters(**settings)
            )
            for settings in (ZSTD_COLOR, ZSTD_RVL)
        )

    def encode(self, sample: Sample) -> Iterator[Message]:
        """Yield the messages of a sample; a picture's is followed by its calibration.

        Raises
        ------
        OutputError
            If the sample does not go with the rig or with the stream's first one, or holds what
            no message can hold.
        """
        data = sample.data
        if isinstance(data, ImuReading):
            # Where an inertial sensor sits may be unknown: then the rig does not name it.
            if data.name in (*self._rig.cameras, *self._rig.lidars):
                raise self._unknown(sample, data.name)
            stream = self._stream(sample, "imu", data.name, "/data_raw")
            time_ns = sample.timestamp_ns
            parts = [imu_message(data, time_ns)]
            yield Message(stream.base, IMU, time_ns, parts, stream.metadata)
        elif isinstance(data, PointCloud):
            yield from self._cloud(sample, data)
        elif isinstance(data, StereoPair):
            msg = (
                f"{sample.stream}: a sample that is a stereo pair; expected one picture, as no "
                "message holds two; give the picture of each camera as a sample of its own"
            )
            raise OutputError(msg)
        elif isinstance(data, RelativeDepth):
            msg = (
                f"{sample.stream}: relative depth, which no message holds; record the pictures "
                "that it was made of"
            )
            raise OutputError(msg)
        else:
            yield from self._picture(sample, data)

    def packer(self, sample: Sample | None) -> Packer | None:
        """Return what packs a chunk best that ends with a sample; None if nothing would."""
        if sample is None:
            return self._packer
        if isinstance(sample.data, Image):
            return self._color_packer if self._options.color == "raw" else None
        codec = self._streams[sample.stream].codec
        if codec == "png":
            return None
        return self._rvl_packer if codec == "rvl" else self._packer

    def _cloud(self, sample: Sample, cloud: PointCloud) -> Iterator[Message]:
        name, time_ns = cloud.coordinate_system, sample.timestamp_ns
        if name not in self._rig.lidars:
            raise self._unknown(sample, name)
        fields = {field: values.dtype.str for field, values in cloud.extra.items()}
        facts = {mcap_recording.EXTRA: json.dumps(fields)} if fields else None
        stream = self._stream(sample, "points", name, "/points", facts)
        parts = encode_cloud(cloud, time_ns)
        yield Message(stream.base, POINT_CLOUD, time_ns, parts, stream.metadata)
        if cloud.empty_beams is not None:
            metadata = stream.metadata | {mcap_recording.KIND: "empty_beams"}
            topic = stream.base.removesuffix("/points") + "/empty_beams"
            parts = encode_beams(cloud, cloud.empty_beams, time_ns)
            yield Message(topic, POINT_CLOUD, time_ns, parts, metadata)

    def _picture(self, sample: Sample, data: RawDepth | DepthMap | Image) -> Iterator[Message]:
        time_ns = sample.timestamp_ns
        camera_name = data.camera_name if isinstance(data, Image) else data.camera.name
        camera = self._rig.cameras.get(camera_name)
        if camera is None or (not isinstance(data, Image) and data.camera != camera):
            raise self._unknown(sample, camera_name)
        if isinstance(data, Image):
            stream = self._stream(sample, "image", camera_name, "/image_raw")
            if data.pixels.shape[:2] != (camera.height, camera.width):
                raise self._unknown(sample, camera_name)
            quality = self._options.jpeg_quality
            ending, kind, parts = encode_image(data, time_ns, self._options.color, quality)
        else:
            stream = self._depth_stream(sample, data)
            ending, kind, parts = encode_depth(data, time_ns, stream.codec)
        yield Message(stream.base + ending, kind, time_ns, parts, stream.metadata)
        info = self._infos.get(camera_name) or CameraInfo(camera)
        self._infos[camera_name] = info
        # image_transport looks for it beside the picture.
        topic = stream.base.rpartition("/")[0] + "/camera_info"
        yield Message(topic, CAMERA_INFO, time_ns, [info.at(time_ns)])

    def _depth_stream(self, sample: Sample, depth: RawDepth | DepthMap) -> _Stream:
        unit_m, dtype = stored_unit(depth)
        facts = {
            mcap_recording.UNIT: repr(float(unit_m)),
            mcap_recording.DTYPE: dtype,
            mcap_recording.DEPTH_KIND: depth_kind(depth),
        }
        known = self._streams.get(sample.stream)
        if known is None:
            codec = choose_codec(depth, self._options.depth)
            # Readers tell depth from grey pictures of 16 bits by the name of the topic.
            ending = "/depth_raw" if depth_kind(depth) == "z" else "/range_raw"
            return self._stream(sample, "depth", depth.camera.name, ending, facts, codec)
        for name, value in facts.items():
            if known.metadata.get(name) != value:
                msg = (
                    f"{sample.stream}: {name.rpartition('/')[2]} changes from "
                    f"{known.metadata.get(name)} to {value} at {sample.timestamp_ns} ns; expected "
                    "one for the whole recording; record the parts apart"
                )
                raise OutputError(msg)
        return known

    def _stream(
        self,
        sample: Sample,
        kind: str,
        sensor: str,
        ending: str,
        facts: dict[str, str] | None = None,
        codec: DepthCodec = "raw",
    ) -> _Stream:
        name = sample.stream
        known = self._streams.get(name)
        if known is None:
            metadata = {
                mcap_recording.STREAM: name,
                mcap_recording.SENSOR: sensor,
                mcap_recording.KIND: kind,
            }
            base = self._free_topic(name, ending)
            known = self._streams[name] = _Stream(base, metadata | (facts or {}), codec)
        found = (kind, sensor)
        expected = tuple(
            known.metadata[key] for key in (mcap_recording.KIND, mcap_recording.SENSOR)
        )
        if found != expected:
            msg = f"{name}: a sample of {found}; expected {expected}, as the first one"
            raise OutputError(msg)
        return known

    def _free_topic(self, name: str, ending: str) -> str:
        """Return a name that ROS allows and no other stream has."""
        space = "/" + (re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "stream")
        if space[1].isdigit():
            space = f"/_{space[1:]}"
        taken = {stream.base.rpartition("/")[0] for stream in self._streams.values()}
        number = 2
        while space in taken:
            space, number = f"{space.rstrip('0123456789').rstrip('_')}_{number}", number + 1
        return space + ending

    def _unknown(self, sample: Sample, sensor: str) -> OutputError:
        names = ", ".join((*self._rig.cameras, *self._rig.lidars, *self._rig.imus)) or "none"
        msg = (
            f"{sample.stream}: a sample of {sensor!r} that is not what the rig says of it; the rig "
            f"has {names}"
        )
        return OutputError(msg)


def memory_bytes(sample: Sample) -> int:
    """Return about how much memory a sample holds."""
    data = sample.data
    if isinstance(data, PointCloud):
        beams = data.empty_beams
        return 2 * data.points.nbytes + (0 if beams is None else beams.nbytes)
    if isinstance(data, ImuReading):
        return _READING_BYTES
    if isinstance(data, (RawDepth, RelativeDepth)):
        return data.values.nbytes
    if isinstance(data, StereoPair):
        return sum(image.pixels.nbytes for image in data.images)
    return data.metres.nbytes if isinstance(data, DepthMap) else data.pixels.nbytes
