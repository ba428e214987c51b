"""Messages of ROS 2 that are no pictures and no points: calibration, transforms, inertial samples.

References
----------
sensor_msgs/CameraInfo.msg, sensor_msgs/Imu.msg, tf2_msgs/TFMessage.msg; REP 104 (CameraInfo).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sensorfusion.camera import Camera
from sensorfusion.errors import OutputError
from sensorfusion.formats.cdr import CdrWriter
from sensorfusion.imu import ImuReading
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform, quaternion_xyzw_from_rotation

# Seconds of a header are a signed 32 bit number.
_LAST_NS: Final = (1 << 31) * 1_000_000_000
# A reader that does not know the name of a lens must not take it for another one.
_MODELS: Final = {"none": "plumb_bob", "kannala_brandt": "equidistant"}
_LEAST_COEFFICIENTS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One message, and the topic it belongs to.

    Attributes
    ----------
    topic, kind : str
        Name and message type.
    time_ns : int
    parts : list of memoryview
        The message in CDR, in parts that are not yet put together.
    metadata : mapping of str to str
        Of the topic.
    """

    topic: str
    kind: str
    time_ns: int
    parts: list[memoryview]
    metadata: Mapping[str, str] = field(default_factory=dict)


def begin(time_ns: int, frame: str) -> CdrWriter:
    """Begin a message with its header.

    Raises
    ------
    OutputError
        If a header cannot hold the time.
    """
    check_time(time_ns, frame)
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return CdrWriter().write("i", seconds).write("I", rest_ns).string(frame)


def check_time(time_ns: int, sensor: str) -> None:
    """Refuse a time that a header cannot hold."""
    if not 0 <= time_ns < _LAST_NS:
        msg = f"{sensor}: the time stamp {time_ns} ns cannot be recorded; expected 0 to 2038"
        raise OutputError(msg)


class CameraInfo:
    """The calibration of a camera, to be written beside each picture."""

    def __init__(self, camera: Camera) -> None:
        lens = camera.distortion
        coefficients = lens.coefficients
        if lens.model in ("none", "brown_conrady"):
            missing = max(0, _LEAST_COEFFICIENTS - len(coefficients))
            coefficients = (*coefficients, *(0.0,) * missing)
        model = _MODELS.get(lens.model, lens.model)
        if lens.model == "brown_conrady":
            model = "plumb_bob" if len(coefficients) == 5 else "rational_polynomial"
        K = (camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0)
        writer = begin(0, camera.name).write("I", camera.height, camera.width).string(model)
        writer.write("I", len(coefficients)).write("d", *coefficients).write("d", *K)
        writer.write("d", 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
        writer.write("d", *K[:3], 0.0, *K[3:6], 0.0, *K[6:], 0.0)
        writer.write("I", 0, 0, 0, 0, 0, 0).write("B", 0)
        self._message = bytearray(writer.message)

    def at(self, time_ns: int) -> memoryview:
        """Return the message with another time."""
        message = bytearray(self._message)
        # The time stands behind the four bytes that begin every message.
        struct.pack_into("<iI", message, 4, *divmod(time_ns, 1_000_000_000))
        return memoryview(message)


def imu_message(reading: ImuReading, time_ns: int) -> memoryview:
    """Return an inertial reading; what it lacks has -1 in front of its covariance."""
    absent, unknown = (-1.0, *(0.0,) * 8), (0.0,) * 9
    writer = begin(time_ns, reading.name).write("d", 0.0, 0.0, 0.0, 1.0, *absent)
    for half in (reading.gyro_rad_s, reading.accel_m_s2):
        writer.write("d", *(half or (0.0,) * 3), *(absent if half is None else unknown))
    return memoryview(writer.message)


def static_transforms(rig: Rig, time_ns: int) -> memoryview | None:
    """Return the rig as a tree of ``T_parent_child``; None where nothing is connected."""
    links = list(_tree(rig))
    if not links:
        return None
    writer = CdrWriter().write("I", len(links))
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    for link in links:
        quaternion = quaternion_xyzw_from_rotation(link.rotation)
        writer.write("i", seconds).write("I", rest_ns).string(link.target).string(link.source)
        writer.write("d", *link.translation_m.tolist(), *quaternion.tolist())
    return memoryview(writer.message)


def _tree(rig: Rig) -> Iterator[RigidTransform]:
    """Yield each transform in the direction that leads away from the first sensor of its tree."""
    waiting = [*rig.cameras, *rig.lidars, *rig.imus, *(link.target for link in rig.transforms)]
    seen: set[str] = set()
    for root in waiting:
        reached = [] if root in seen else [root]
        seen.add(root)
        while reached:
            here = reached.pop(0)
            for link in rig.transforms:
                step = link if link.target == here else link.inverse()
                if step.target == here and step.source not in seen:
                    seen.add(step.source)
                    reached.append(step.source)
                    yield step
