"""The driver for recordings of ROS: bags of ROS 1 and ROS 2, and MCAP."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sensorfusion.errors import SourceError
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Driver, SeekableFrameSource, Truth
from sensorfusion.sources.synchronize import median_period_ns
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.ros.chunked import McapRecording
from sensorfusion_drivers.ros.clouds import time_spread, time_unit_ns
from sensorfusion_drivers.ros.containers import is_recording, open_recording
from sensorfusion_drivers.ros.fields import read_table
from sensorfusion_drivers.ros.messages import read_header
from sensorfusion_drivers.ros.own import own_rig
from sensorfusion_drivers.ros.own_source import OwnSource
from sensorfusion_drivers.ros.placing import Placed, place_cameras, place_lidar, static_transforms
from sensorfusion_drivers.ros.poses import read_poses
from sensorfusion_drivers.ros.recording import Recording
from sensorfusion_drivers.ros.source import RosSource
from sensorfusion_drivers.ros.streams import (
    CloudStream,
    ColorStream,
    DepthStream,
    Stream,
    TimedTopic,
    timed_topics,
)
from sensorfusion_drivers.ros.topics import Choice, Wanted, choose

# The first scans of a recording are often parts of one.
_SCANS_LOOKED_AT = 3


class RosDriver(Driver):
    """Recordings of LiDARs, with or without cameras, and of depth cameras.

    A topic of point clouds is the measurement where there is one, else a topic of depth pictures.
    Time stamps are those of the headers.
    """

    summary = "ROS recordings: bags of ROS 1 and ROS 2 (.bag, .db3, folders) and .mcap"

    def can_open(self, location: str) -> bool:
        """Say whether a file or folder is a recording of ROS, by its content."""
        return is_recording(Path(location))

    def open(  # noqa: PLR0913 (each is an option of its own)
        self,
        location: str,
        *,
        cloud: str | None = None,
        image: str | None = None,
        depth: str | None = None,
        camera_info: str | None = None,
        odometry: str | None = None,
        rig: Path | None = None,
        strict: bool = False,
    ) -> SeekableFrameSource:
        """Open a recording; messages are decoded when they are asked for.

        Parameters
        ----------
        location : str
            A .bag, .db3 or .mcap file, or the folder in which rosbag2 put them.
        cloud : str or None
            Topic of the LiDAR; None takes the only one, or the one with the most points.
        image : str or None
            Topic of pictures; None takes those of every camera whose place is known.
        depth : str or None
            Topic of depth pictures, in place of a LiDAR.
        camera_info : str or None
            Topic of calibration; None takes the one beside the pictures.
        odometry : str or None
            Topic of nav_msgs/Odometry, to be the recording's poses.
        rig : Path or None
            Rig file, in place of CameraInfo and /tf_static.
        strict : bool
            Refuse an MCAP file without an end, instead of reading it as far as it is whole.

        Raises
        ------
        SourceError
            If the recording is missing, damaged, or holds nothing that measures depth.
        CalibrationError
            If intrinsics or transforms are impossible, or what was asked for has none.
        """
        recording = open_recording(Path(location))
        named = (cloud, image, depth, camera_info, odometry, rig)
        try:
            if strict:
                _refuse_parts(recording)
            if isinstance(recording, McapRecording) and named == (None,) * len(named):
                own = own_rig(recording)
                if own is not None:
                    return OwnSource(recording, own, strict=strict)
            choice = choose(recording, Wanted(cloud, image, depth, camera_info))
            given = None if rig is None else _read_rig(rig)
            return _open(recording, choice, given, image is not None, odometry)
        except BaseException:
            recording.close()
            raise

    def truth(
        self,
        location: str,
        *,
        cloud: str | None = None,
        depth: str | None = None,
        odometry: str | None = None,
        rig: Path | None = None,
    ) -> Truth:
        """Read the poses, which only a topic of odometry says, of what :meth:`open` measures with.

        A rig file counts, because it may name the sensor otherwise.
        """
        if odometry is None:
            return Truth()
        with self.open(location, cloud=cloud, depth=depth, odometry=odometry, rig=rig) as source:
            return Truth(trajectory=source.trajectory)


def _open(
    recording: Recording, choice: Choice, given: Rig | None, asked: bool, odometry: str | None
) -> RosSource:
    static = static_transforms(recording)
    if choice.cloud is not None:
        frame = read_header(recording.message(choice.cloud, 0)).frame
        placed = place_lidar(frame, choice.pictures, static, given, asked)
        measuring = choice.cloud
    elif choice.depth is not None:
        frame, measuring = choice.depth.frame, choice.depth.topic
        color = choice.pictures[0] if choice.pictures else None
        placed = place_cameras(choice.depth, color, static, given, asked)
    topics = timed_topics(
        recording, [measuring, *(picture.topic for picture in placed.pictures.values())]
    )
    if given is not None and given.time_offsets_ns:
        placed, topics = _on_one_clock(given, placed, topics, measuring)
    streams = _streams(recording, placed, topics, measuring)
    poses = None
    if odometry is not None:
        T_frame_sensor = RigidTransform.identity(frame, placed.sensor)
        stamps_ns = [int(stamp_ns) for stamp_ns in topics[measuring].stamps_ns]
        poses = read_poses(recording, odometry, static, T_frame_sensor, stamps_ns)
    notes = (*recording.notes, *choice.notes, *placed.notes)
    return RosSource(recording, placed.rig, streams, poses, notes)


def _on_one_clock(
    given: Rig, placed: Placed, topics: dict[str, TimedTopic], measuring: str
) -> tuple[Placed, dict[str, TimedTopic]]:
    """Add the time offsets of a rig file to the stamps; the rig says that they are added."""
    of_sensor = {camera: picture.topic for camera, picture in placed.pictures.items()}
    of_sensor[placed.sensor] = measuring
    later = dict(topics)
    for sensor, name in of_sensor.items():
        stamps_ns = topics[name].stamps_ns + given.time_offset_ns(sensor)
        later[name] = replace(topics[name], stamps_ns=stamps_ns)
    offsets_ns = {
        sensor: offset_ns
        for sensor, offset_ns in given.time_offsets_ns.items()
        if sensor in of_sensor
    }
    return replace(placed, rig=replace(placed.rig, time_offsets_ns=offsets_ns)), later


def _refuse_parts(recording: Recording) -> None:
    if recording.notes:
        msg = f"{recording.path}: {'; '.join(recording.notes)}; leave out strict=true to read it"
        raise SourceError(msg)


def _streams(
    recording: Recording, placed: Placed, topics: dict[str, TimedTopic], measuring: str
) -> list[Stream]:
    name, topic = placed.sensor, topics[measuring]
    first: Stream
    if name in placed.rig.cameras:
        first = DepthStream(name, topic, recording, placed.rig.cameras[name])
    else:
        first = CloudStream(name, topic, recording, _unit_ns(recording, topic))
    cameras = placed.rig.cameras
    return [
        first,
        *(
            ColorStream(camera, topics[picture.topic], recording, cameras[camera])
            for camera, picture in placed.pictures.items()
        ),
    ]


def _unit_ns(recording: Recording, topic: TimedTopic) -> int | None:
    """Return the unit of the points' times, from the fullest of the first scans."""
    tables = [
        read_table(recording.message(topic.name, int(index)), topic.kind)
        for index in topic.messages[:_SCANS_LOOKED_AT]
    ]
    fullest = max(tables, key=time_spread, default=None)
    period_ns = median_period_ns(np.asarray(topic.stamps_ns))
    return None if fullest is None else time_unit_ns(fullest, period_ns)


def _read_rig(path: Path) -> Rig:
    # Imported here: most recordings bring their own.
    from sensorfusion.calibration.rig_file import read_rig  # noqa: PLC0415

    return read_rig(path)
