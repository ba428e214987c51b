"""Settings of a RealSense recording from text and numbers: times, units, pairs."""

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.cursor import Cursor
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.pixels import PICTURES
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH, GYRO, INFRARED, RECORD_AGAIN


@dataclass(frozen=True, slots=True)
class Reading:
    """How a recording is read.

    Attributes
    ----------
    salvage : bool
        Take what is whole of a damaged file.
    unit_m : float or None
        Metres per unit of depth, in place of what the recording says.
    """

    salvage: bool = False
    unit_m: float | None = None


def parse_pairs(text: str) -> dict[str, str]:
    """Split ``name=value;name=value;`` as librealsense writes it."""
    pairs = (item.partition("=") for item in text.split(";"))
    return {name: value for name, _, value in pairs if name}


def nanoseconds(milliseconds: str, where: str) -> int:
    """Return a time in ms, as text, in whole ns.

    Text, because a float of a date in ms is good to 0.2 us only.

    Raises
    ------
    CorruptRecordingError
        If the text is not a number of at most 64 bits.
    """
    try:
        value = int((Decimal(milliseconds) * 1_000_000).to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        value = 1 << 63
    if not -(1 << 63) <= value < 1 << 63:
        found = f"time stamp {milliseconds!r}"
        raise CorruptRecordingError(where, 0, found, "milliseconds", RECORD_AGAIN)
    return value


def checked_unit(unit_m: float, path: Path) -> float:
    """Return the depth unit if it is one.

    Raises
    ------
    UnsupportedRecordingError
        If it is missing (0) or impossible: depth without a unit cannot be metres.
    """
    if not (math.isfinite(unit_m) and unit_m > 0):
        msg = (
            f"{path}: the recording holds no usable depth unit (found {unit_m}); expected metres "
            "per unit with each depth image or as the option Depth Units; record it again with "
            "librealsense, the unit is never guessed"
        )
        raise UnsupportedRecordingError(msg)
    return unit_m


def unreadable_encoding(stream: str, encoding: str) -> bool:
    """Tell whether an infrared stream holds what is no picture, such as 16 bits of raw sensor."""
    return stream.startswith(INFRARED) and bool(encoding) and encoding.lower() not in PICTURES


def read_motion(cursor: Cursor, name: str) -> tuple[float, float, float]:
    """Read the half of a sensor_msgs/Imu that a stream fills, behind the header.

    Parameters
    ----------
    cursor : Cursor
    name : {"gyro", "accel"}

    Returns
    -------
    tuple of float
        Turn rate in rad/s or specific force in m/s^2.

    Raises
    ------
    CorruptRecordingError
        If the message is cut, or holds what is no number.
    """
    # Orientation 4, its covariance 9, turn rate 3, its covariance 9, acceleration 3.
    values = cursor.read("d", 28)
    x, y, z = values[13:16] if name == GYRO else values[25:28]
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
        found = f"{name} {x}, {y}, {z}"
        raise cursor.corrupt(found, "three finite numbers")
    return x, y, z


def usable_transform(name: str, source: str, matrix: NDArray[np.float64]) -> RigidTransform | None:
    """Return ``T_name_source`` from rounded numbers.

    Returns
    -------
    RigidTransform or None
        None for a sensor beside depth and colour whose transform was never set: librealsense then
        writes zeros.

    Raises
    ------
    CalibrationError
        If it is no rigid transform.
    """
    if name not in (DEPTH, COLOR) and not matrix[:3, :3].any():
        return None
    return RigidTransform.nearest(name, source, matrix)
