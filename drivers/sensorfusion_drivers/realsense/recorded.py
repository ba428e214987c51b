"""What the writers of both containers are told about the device that they pretend to be."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import OutputError
from sensorfusion.frame import Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource
from sensorfusion_drivers.realsense.streams import ACCEL, COLOR, DEPTH, GYRO

Picture = tuple[int, NDArray[np.uint16] | None, NDArray[np.uint8] | None]
"""Time stamp in ns, depth (H, W), colour (H, W, 3) RGB; None where the recorder missed one."""
Pixels = NDArray[np.uint16] | NDArray[np.uint8]
Motion = tuple[float, float, float]

CLOCK: Final = "Hardware Clock"
_CLOCKS: Final = (CLOCK, "System Time", "Global Time")
_CAMERA: Final = re.compile(r"depth|color|infrared_\d")
# Names by which librealsense knows what a device says about itself.
_FACTS: Final = (
    "Name", "Serial Number", "Firmware Version", "Recommended Firmware Version", "Physical Port",
    "Product Id", "Usb Type Descriptor", "Product Line", "Asic Serial Number",
)  # fmt: skip
_SEPARATORS: Final = str.maketrans("=;", "-,")
_MODELS: Final = {
    "none": "Brown Conrady",
    "brown_conrady": "Brown Conrady",
    "inverse_brown_conrady": "Inverse Brown Conrady",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream stands among the topics: the same in both containers.

    Attributes
    ----------
    sensor, base : str
        Prefixes of the sensor's topics and of the stream's.
    title : str
        Name of the stream in the headers of its messages.
    """

    sensor: str
    base: str
    title: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a sample adds to one stream.

    Attributes
    ----------
    stream : str
    timestamp_ns : int
    content : ndarray of uint16 or uint8, or tuple of float
        A picture, or a reading of an inertial sensor.
    unit_m : float
        Metres per unit of depth; 0 for what is none.
    """

    stream: str
    timestamp_ns: int
    content: Pixels | Motion
    unit_m: float = 0.0


def place_of(stream: str) -> Place:
    """Return where a stream stands."""
    kind, _, number = stream.partition("_")
    sensor = f"/device_0/sensor_{0 if kind == DEPTH or number else 1 if kind == COLOR else 2}"
    base = f"{sensor}/{kind.capitalize()}_{number or 0}"
    return Place(sensor, base, kind.capitalize() + number)


@dataclass(frozen=True, slots=True)
class RecordedDevice:
    """The device of a recording.

    Attributes
    ----------
    rig : Rig
        A camera ``"depth"``, and as far as there are such ``"color"`` and ``"infrared_N"``.
    unit_m : float or None
        Metres per unit of depth; None takes that of each image.
    rate_hz : int or None
        Nominal rate of all streams; None takes what the time stamps say.
    facts : mapping of str to str
        What it says about itself, under librealsense's names.
    clock : str
        What the time stamps count, under librealsense's name.

    Raises
    ------
    OutputError
        If there is no depth camera, or a lens that the format cannot describe.
    """

    rig: Rig
    unit_m: float | None
    rate_hz: int | None = 30
    facts: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"Name": "Synthetic RGB-D camera"})
    )

    clock: str = CLOCK

    def __post_init__(self) -> None:
        cameras = self.rig.cameras
        if DEPTH not in cameras or not all(map(_CAMERA.fullmatch, cameras)) or self.rig.lidars:
            msg = (
                f"sensors {', '.join((*cameras, *self.rig.lidars))}; a RealSense recording holds "
                "'depth' and at most 'color' and 'infrared_N' beside it; write .mcap"
            )
            raise OutputError(msg)
        for camera in self.rig.cameras.values():
            if camera.distortion.model not in _MODELS:
                msg = (
                    f"camera {camera.name!r}: a lens of the model {camera.distortion.model}; a "
                    f"RealSense recording holds {', '.join(_MODELS)}; write .mcap"
                )
                raise OutputError(msg)
            if len(camera.distortion.coefficients) > 5:
                msg = (
                    f"camera {camera.name!r}: {len(camera.distortion.coefficients)} coefficients "
                    "of distortion; the format holds 5"
                )
                raise OutputError(msg)

    def lens(self, camera: Camera) -> tuple[str, tuple[float, ...]]:
        """Return librealsense's name of the distortion model and its five coefficients."""
        coefficients = (*camera.distortion.coefficients, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
        return _MODELS[camera.distortion.model], coefficients

    def T_camera_depth(self, name: str) -> NDArray[np.float64]:
        """Return ``T_camera_depth``, float64 (4, 4): depth is the common reference."""
        return self.rig.transform(name, DEPTH).matrix

    def T_reading_depth(self) -> NDArray[np.float64] | None:
        """Return ``T_imu_depth``, float64 (4, 4), or None where the sensor's place is unknown."""
        if not self.rig.imus:
            return None
        return self.rig.transform(self.rig.imus[0], DEPTH).matrix

    def checked(self, picture: Picture) -> list[Part]:
        """Return the images of a picture, depth first.

        Raises
        ------
        ValueError
            If dtype or shape are not those of the cameras.
        """
        stamp_ns, depth, color = picture
        parts = []
        if depth is not None:
            self._check(DEPTH, depth.dtype == np.uint16, depth.shape, ())
            parts.append(Part(DEPTH, stamp_ns, np.ascontiguousarray(depth), self.unit_m or 0.0))
        if color is not None:
            self._check(COLOR, color.dtype == np.uint8, color.shape, (3,))
            parts.append(Part(COLOR, stamp_ns, np.ascontiguousarray(color)))
        return parts

    def parts(self, sample: Sample) -> Iterator[Part]:
        """Yield what a sample adds, by stream.

        Raises
        ------
        OutputError
            If the format cannot hold it without loss.
        """
        data = sample.data
        if isinstance(data, RawDepth) and data.kind == "z" and data.values.dtype == np.uint16:
            values = np.ascontiguousarray(data.values, dtype=np.uint16)
            yield Part(DEPTH, sample.timestamp_ns, values, data.unit_m)
        elif isinstance(data, Image) and data.camera_name in self.rig.cameras:
            pixels = np.ascontiguousarray(data.pixels)
            yield Part(data.camera_name, sample.timestamp_ns, pixels)
        elif isinstance(data, ImuReading) and data.name in (self.rig.imus or (data.name,))[:1]:
            for name, half in ((GYRO, data.gyro_rad_s), (ACCEL, data.accel_m_s2)):
                if half is not None:
                    yield Part(name, sample.timestamp_ns, half)
        else:
            msg = (
                f"stream {sample.stream!r} holds {_described(data)}; a RealSense recording holds "
                "depth as 16-bit z, pictures and one inertial sensor; write .mcap"
            )
            raise OutputError(msg)

    def _check(
        self, name: str, right_dtype: bool, shape: tuple[int, ...], channels: tuple[int, ...]
    ) -> None:
        camera = self.rig.cameras.get(name)
        expected = (camera.height, camera.width, *channels) if camera else None
        if not right_dtype or shape != expected:
            msg = (
                f"{name} image of shape {shape}; expected {expected}, uint16 for depth and uint8 "
                "for colour"
            )
            raise ValueError(msg)


def device_of(source: FrameSource) -> RecordedDevice:
    """Return the device that a recording of a source's samples is made as.

    Raises
    ------
    OutputError
        If the format cannot describe its sensors.
    """
    facts = {
        name: source.metadata[name].translate(_SEPARATORS)
        for name in _FACTS
        if source.metadata.get(name)
    }
    clock = source.metadata.get("Clock", CLOCK)
    return RecordedDevice(
        source.rig,
        unit_m=None,
        rate_hz=None,
        facts=facts or {"Name": "RGB-D camera"},
        clock=clock if clock in _CLOCKS else CLOCK,
    )


def encoding_of(part: Part, depth: str, color: str, grey: str) -> str:
    """Return the name of a picture's encoding, of three that a container knows."""
    if part.stream == DEPTH:
        return depth
    return color if isinstance(part.content, np.ndarray) and part.content.ndim == 3 else grey


def _described(data: object) -> str:
    if isinstance(data, RawDepth):
        return f"depth as {data.values.dtype} along the {data.kind}"
    if isinstance(data, ImuReading):
        return f"readings of a second inertial sensor, {data.name!r}"
    return type(data).__name__


def unstorable_unit(unit_m: float, stored: str, advice: str) -> OutputError:
    """Return the error for a depth unit that a container would change."""
    return OutputError(f"a depth unit of {unit_m} m would be stored as {stored}; {advice}")
