"""Poses of the measuring sensor from a topic of odometry."""

from collections.abc import Iterable

from sensorfusion.errors import CalibrationError, UnsupportedRecordingError
from sensorfusion.rig import Rig
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.ros.messages import ODOMETRY, read_odometry
from sensorfusion_drivers.ros.recording import Recording


def read_poses(
    recording: Recording, topic: str, static: Rig, sensor: RigidTransform, stamps_ns: Iterable[int]
) -> Trajectory:
    """Return where the sensor was at the instants of its measurements, as far as that is known.

    Parameters
    ----------
    recording : Recording
    topic : str
        Of nav_msgs/Odometry.
    static : Rig
        All of /tf_static.
    sensor : RigidTransform
        ``T_frame_sensor``: from the sensor to its coordinate system in the recording.
    stamps_ns : iterable of int
        Instants, increasing.

    Raises
    ------
    UnsupportedRecordingError
        If the topic is not one of odometry, or has no message.
    CalibrationError
        If nothing connects the sensor to the body whose odometry this is.
    """
    if recording.types.get(topic) != ODOMETRY or not recording.count(topic):
        there = [name for name, kind in sorted(recording.types.items()) if kind == ODOMETRY]
        msg = (
            f"{recording.path}: odometry={topic}: no such topic with messages of {ODOMETRY}; there "
            f"are {', '.join(there) or 'none'}"
        )
        raise UnsupportedRecordingError(msg)
    poses = dict(
        read_odometry(recording.message(topic, index)) for index in range(recording.count(topic))
    )
    try:
        path = Trajectory(sorted(poses), [poses[stamp_ns] for stamp_ns in sorted(poses)])
    except ValueError as error:
        msg = f"{recording.path}: {topic}: {error}; expected one world and one body"
        raise UnsupportedRecordingError(msg) from error
    body = path.poses[0].source
    try:
        T_body_sensor = static.transform(body, sensor.target) @ sensor
    except CalibrationError as error:
        msg = (
            f"{topic} says where {body!r} is, and nothing in /tf_static connects it to "
            f"{sensor.target!r}"
        )
        raise CalibrationError(msg) from error
    found = {stamp_ns: path.at(stamp_ns) for stamp_ns in stamps_ns}
    known = {stamp_ns: pose for stamp_ns, pose in found.items() if pose is not None}
    return Trajectory(list(known), [pose @ T_body_sensor for pose in known.values()])
