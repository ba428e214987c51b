"""Where the sensors of a RealSense device sit to each other, as its recording says."""

from dataclasses import replace

import numpy as np

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.streams import (
    ACCEL,
    COLOR,
    DEPTH,
    GYRO,
    RECORD_AGAIN,
    Recording,
)

IMU = "imu"
# Of two halves of one sensor, which the factory calibrates as one.
_SAME_PLACE = 1e-4


def place(recording: Recording) -> Rig:
    """Return the rig of a recording.

    Streams whose place is not known are taken out of the recording, with a note; in a sound
    recording colour is never one of them.

    Raises
    ------
    CorruptRecordingError
        If there is no transform between depth and colour, and the file is sound.
    """
    streams = recording.streams
    if recording.salvaged:
        _restore_reference(recording)
    T_depth_reference = streams[DEPTH].T_camera_reference
    transforms = []
    for name in [name for name in streams if name != DEPTH]:
        T_camera_reference = streams[name].T_camera_reference
        if _is_common(T_depth_reference, T_camera_reference):
            transforms.append(_relative(T_camera_reference, T_depth_reference))
        elif name == COLOR and not recording.salvaged:
            found = "no transform between the depth and the colour camera"
            expected = "both /tf/ topics with one reference"
            raise CorruptRecordingError(recording.path, 0, found, expected, RECORD_AGAIN)
        else:
            _leave_out(recording, name)
    imus = []
    T_imu_reference = _imu_place(recording)
    if _is_common(T_depth_reference, T_imu_reference):
        imus.append(IMU)
        transforms.append(_relative(T_imu_reference, T_depth_reference))
    elif recording.motion:
        recording.notes.append("where the inertial sensor sits is not recorded: not used to track")
    cameras = {name: stream.camera for name, stream in streams.items()}
    noise = {DEPTH: DepthNoise.of_device(recording.metadata.get("Name", ""), cameras[DEPTH].fx)}
    return Rig(cameras, tuple(transforms), depth_noise=noise, imus=tuple(imus))


def _is_common(first: RigidTransform | None, second: RigidTransform | None) -> bool:
    return first is not None and second is not None and first.source == second.source


def _relative(first: RigidTransform | None, second: RigidTransform | None) -> RigidTransform:
    if first is None or second is None:
        msg = "a transform that is not there; ask _is_common first"
        raise TypeError(msg)
    return first @ second.inverse()


def _restore_reference(recording: Recording) -> None:
    """Give depth the place that librealsense always gives it, when the cut took the message."""
    depth, color = recording.streams[DEPTH], recording.streams.get(COLOR)
    known = None if color is None else color.T_camera_reference
    if depth.T_camera_reference is None and known is not None:
        T_depth_reference = RigidTransform(DEPTH, known.source, np.eye(4))
        recording.streams[DEPTH] = replace(depth, T_camera_reference=T_depth_reference)
        recording.notes.append(
            "the depth camera's place is lost; it is taken for the reference of the others, as "
            "librealsense always has it"
        )


def _leave_out(recording: Recording, name: str) -> None:
    stream = recording.streams.pop(name)
    reason = f"{name} image of a camera whose place is not recorded"
    count = recording.losses[reason] = len(stream.timestamps_ns)
    recording.notes.append(f"where {name} sits is not recorded: its {count} images are left out")


def _imu_place(recording: Recording) -> RigidTransform | None:
    """Return where the inertial sensor sits; None if its halves sit in different places."""
    known = [
        recording.motion[name].T_imu_reference for name in (GYRO, ACCEL) if name in recording.motion
    ]
    places = [each for each in known if each is not None]
    if not places or len(places) < len(known):
        return None
    first = places[0]
    same = all(
        each.source == first.source
        and float(np.abs(each.matrix[:3, :3] - first.matrix[:3, :3]).max()) < _SAME_PLACE
        for each in places
    )
    return first if same else None
