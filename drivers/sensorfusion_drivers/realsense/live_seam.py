"""What live capture needs of a vendor's library, and no more: the seam that tests stand at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import SourceError
from sensorfusion.transform import RigidTransform


@dataclass(frozen=True, slots=True)
class Mode:
    """One way in which a camera can stream.

    Attributes
    ----------
    stream : str
        ``"depth"``, ``"color"``, ``"gyro"``, ``"accel"``, or another kind as the library names it.
    format : str
        Of the pixels, as the library names it: ``"z16"``, ``"rgb8"``.
    width, height : int
        Pixels; 0 of an inertial sensor.
    rate_hz : int
        Nominal.
    is_default : bool
        Whether the camera offers it first.
    """

    stream: str
    format: str
    width: int
    height: int
    rate_hz: int
    is_default: bool = False

    def __str__(self) -> str:
        size = f"{self.width}x{self.height}" if self.width else self.stream
        return f"{size}@{self.rate_hz}"


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One picture or reading as the library delivered it, in memory of its own.

    Attributes
    ----------
    stream : str
    number : int
        The camera's own count.
    stamp_ns : int
        The time stamp that came with it.
    clock : str
        What the time stamp counts, such as ``"hardware_clock"``.
    arrival_ns : int
        When it came, by the computer's clock (Unix time).
    values : ndarray
        Depth uint16 (H, W), colour uint8 (H, W, 3) RGB; of an inertial sensor float64 (3,), in
        radians per second or metres per second squared.
    unit_m : float
        Metres per unit of depth; 0 of other streams.
    exposure_us : int or None
        As used, microseconds, if the camera says so.
    """

    stream: str
    number: int
    stamp_ns: int
    clock: str
    arrival_ns: int
    values: NDArray[np.uint16] | NDArray[np.uint8] | NDArray[np.float64]
    unit_m: float = 0.0
    exposure_us: int | None = None


Deliver = Callable[[Arrival | SourceError], None]
"""Takes what arrives, or why it could not be taken over."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a sensor: its value now, and what it may be."""

    value: float
    low: float
    high: float
    step: float


class Sensor(Protocol):
    """A part of a camera that is started and set by itself. Every failure is a SourceError."""

    name: str

    def modes(self) -> tuple[Mode, ...]:
        """Return the ways in which it can stream."""

    def camera(self, mode: Mode) -> Camera:
        """Return the intrinsics of a mode; the camera is named as the stream."""

    def start(self, modes: tuple[Mode, ...], deliver: Deliver) -> None:
        """Stream; ``deliver`` is called in threads of the library, and must be quick."""

    def stop(self) -> None:
        """End streaming and give the sensor back; once more, or unplugged, is no error."""

    def option(self, name: str) -> Option | None:
        """Return an option as it is now; None if the sensor has none of this name."""

    def set_option(self, name: str, value: float) -> None:
        """Set an option."""

    def choices(self, name: str) -> Mapping[str, float]:
        """Return the values of an option that has names for them."""

    def on_notification(self, tell: Callable[[str], None]) -> None:
        """Have ``tell`` called with what the camera reports about itself: errors, overheating."""


class Device(Protocol):
    """One camera."""

    @property
    def info(self) -> Mapping[str, str]:
        """Return what it says about itself, as librealsense names it: "Name", "Serial Number"."""

    def is_connected(self) -> bool:
        """Say whether it is still there."""

    def sensors(self) -> tuple[Sensor, ...]:
        """Return its parts."""

    def transform(self, target: Mode, source: Mode) -> RigidTransform:
        """Return ``T_target_source`` between the coordinate systems of two streams."""

    def load_settings(self, text: str) -> None:
        """Take over a JSON file of settings, as the vendor's viewer writes it."""

    def settings(self) -> str:
        """Return the settings as they are now, as JSON."""


class Cameras(Protocol):
    """All cameras of this computer."""

    def connected(self) -> tuple[Device, ...]:
        """Return those that are plugged in now, in milliseconds."""
