"""What a RealSense recording says about its streams, whatever its container.

References
----------
librealsense 2.59, "doc/record-and-playback.md" and the files that it writes; librealsense,
"doc/projection.md", for distortion models and transforms.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion, DistortionModel
from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.transform import RigidTransform

DEPTH: Final = "depth"
COLOR: Final = "color"
INFRARED: Final = "infrared"
GYRO: Final = "gyro"
ACCEL: Final = "accel"
RECORD_AGAIN: Final = "the recording is damaged or incomplete; record or copy it again"

_TOPIC: Final = re.compile(
    r"(?P<base>(?P<sensor>/device_\d+/sensor_\d+)/(?P<kind>\w+?)_(?P<number>\d+))"
    r"/(image|imu|pose)/data(/compressed|/compressedDepth)?"
)
_MODELS: Final[Mapping[str, DistortionModel]] = {
    "brown conrady": "brown_conrady",
    "inverse brown conrady": "inverse_brown_conrady",
    "modified brown conrady": "inverse_brown_conrady",
}
# A smaller one moves no ray by a thousandth of a pixel and would overflow where it divides.
_SMALLEST_COEFFICIENT: Final = 1e-9
_LARGEST_COEFFICIENT: Final = 1e6


@dataclass(frozen=True, slots=True)
class StreamTopic:
    """Where a stream stands among the topics.

    Attributes
    ----------
    data : str
        Topic of the images or readings.
    base : str
        Prefix of the stream's other topics.
    sensor : str
        Prefix of its sensor's topics.
    """

    data: str
    base: str
    sensor: str


@dataclass(frozen=True, slots=True, eq=False)
class StoredStream:
    """The images of one camera in a recording, not yet read.

    Attributes
    ----------
    camera : Camera
    T_camera_reference : RigidTransform or None
        From the coordinate system that all streams of the device share; its name in the
        recording is the transform's source. None if the recording does not say.
    rate_hz : float
        Nominal rate, 0 when unknown.
    clock : str
        What the time stamps count: "Hardware Clock", "System Time" or "Global Time".
    timestamps_ns : ndarray of int64, shape (N,)
        The camera's own time stamps, in the order in which the images were written.
    arrivals_ns : ndarray of int64, shape (N,)
        When the images reached the recorder.
    units_m : tuple of float
        Metres per unit of each image; empty unless this is depth.
    """

    camera: Camera
    T_camera_reference: RigidTransform | None
    rate_hz: float
    clock: str
    timestamps_ns: NDArray[np.int64]
    arrivals_ns: NDArray[np.int64]
    units_m: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StoredMotion:
    """The readings of a gyroscope or an accelerometer in a recording.

    Attributes
    ----------
    T_imu_reference : RigidTransform or None
        As ``T_camera_reference`` of :class:`StoredStream`.
    clock : str
        What the time stamps count.
    timestamps_ns : ndarray of int64, shape (N,)
        In the order in which the readings were written.
    values : ndarray of float64, shape (N, 3)
        Turn rate in rad/s, or specific force in m/s^2, in the sensor's coordinates.
    """

    T_imu_reference: RigidTransform | None
    clock: str
    timestamps_ns: NDArray[np.int64]
    values: NDArray[np.float64]


class Recording(Protocol):
    """An open container.

    Attributes
    ----------
    path : Path
    streams : dict of str to StoredStream
        ``"depth"``, ``"color"`` and ``"infrared_N"``, as far as they have images.
    motion : dict of str to StoredMotion
        ``"gyro"`` and ``"accel"``, as far as they have readings.
    others : tuple of str
        Kinds of streams that are there and not read, such as pose.
    salvaged : bool
        Whether the file is damaged, and only what is whole of it was taken.
    metadata : dict of str to str
        What the recording says about the device: name, serial number, firmware.
    losses : dict of str to int
        Images and readings that cannot be delivered, by reason, which begins with the stream.
    faults : list of str
        What could not be read of a damaged file, in words.
    notes : list of str
        What a user should know about the recording, in sentences.
    """

    path: Path
    streams: dict[str, StoredStream]
    motion: dict[str, StoredMotion]
    others: tuple[str, ...]
    salvaged: bool
    metadata: dict[str, str]
    losses: dict[str, int]
    faults: list[str]
    notes: list[str]

    def pixels(self, stream: str, index: int) -> NDArray[np.uint16] | NDArray[np.uint8]:
        """Read one image: depth as uint16 (H, W), colour as uint8 (H, W, 3) RGB or (H, W)."""

    def close(self) -> None:
        """Release the file."""


def find_streams(
    topics: Iterable[str], path: Path
) -> tuple[dict[str, StreamTopic], tuple[str, ...]]:
    """Find the streams that are read among the topics that have messages.

    Returns
    -------
    dict of str to StreamTopic
        ``"depth"`` and, if there are such, ``"color"``, ``"infrared_N"``, ``"gyro"`` and
        ``"accel"``; of several the first.
    tuple of str
        Kinds of the others, lower case, sorted.

    Raises
    ------
    UnsupportedRecordingError
        If there is no depth stream.
    """
    found: dict[str, StreamTopic] = {}
    others = set()
    for topic in sorted(topics):
        match = _TOPIC.fullmatch(topic)
        if match is None:
            continue
        kind = match["kind"].lower()
        name = f"{kind}_{match['number']}" if kind == INFRARED else kind
        if kind in (DEPTH, COLOR, INFRARED, GYRO, ACCEL) and name not in found:
            found[name] = StreamTopic(topic, match["base"], match["sensor"])
        else:
            others.add(kind)
    if DEPTH not in found:
        there = ", ".join(sorted({*found, *others})) or "no RealSense stream"
        msg = f"{path}: found {there}; expected depth; record with the depth stream enabled"
        raise UnsupportedRecordingError(msg)
    return found, tuple(sorted(others))


def make_camera(
    name: str,
    size: tuple[int, int],
    focal_and_center_px: tuple[float, float, float, float],
    model: str,
    coefficients: tuple[float, ...],
) -> Camera:
    """Build a camera from librealsense's intrinsics.

    Parameters
    ----------
    name : str
    size : tuple of int
        Width and height, pixels.
    focal_and_center_px : tuple of float
        fx, fy, ppx, ppy.
    model : str
        Name of the distortion model as librealsense writes it.
    coefficients : tuple of float
        Five, in the order k1 k2 p1 p2 k3.

    Raises
    ------
    UnsupportedRecordingError
        If the lens has a model that is not read.
    CalibrationError
        If the values make no camera.
    """
    known = _MODELS.get(model.strip().lower())
    if known is None and any(coefficients):
        msg = (
            f"stream {name!r}: distortion model {model!r}; this version reads "
            f"{', '.join(sorted(_MODELS))}, or any model whose coefficients are all 0"
        )
        raise UnsupportedRecordingError(msg)
    if max(map(abs, coefficients), default=0.0) > _LARGEST_COEFFICIENT:
        msg = f"stream {name!r}: distortion coefficients {coefficients}; expected small numbers"
        raise UnsupportedRecordingError(msg)
    coefficients = tuple(k if abs(k) > _SMALLEST_COEFFICIENT else 0.0 for k in coefficients)
    distortion = Distortion() if known is None else Distortion.of(known, coefficients)
    return Camera(name, *size, *focal_and_center_px, distortion)
