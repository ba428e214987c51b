"""What the driver does with cameras: tells their names, opens one, lists all."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from sensorfusion.errors import SourceError
from sensorfusion.sources.driver import ConnectedDevice
from sensorfusion_drivers.realsense.live import LiveSource
from sensorfusion_drivers.realsense.live_librealsense import LibRealSense
from sensorfusion_drivers.realsense.live_options import LiveOptions, warnings_about
from sensorfusion_drivers.realsense.live_seam import Cameras, Device

_PREFIX: Final = "realsense:"
_SERIAL: Final = re.compile(r"\d{9,14}")


def names_camera(location: str) -> bool:
    """Tell ``realsense:SERIAL``, ``realsense:`` or a bare serial number that is no file."""
    if location.startswith(_PREFIX):
        return True
    return bool(_SERIAL.fullmatch(location)) and not Path(location).exists()


def open_camera(
    location: str, options: LiveOptions, seconds: float | None, unit_m: float | None
) -> LiveSource:
    """Open the camera that a location names.

    Parameters
    ----------
    location : str
        As :func:`names_camera` tells it.
    options : LiveOptions
    seconds : float or None
        End after so long.
    unit_m : float or None
        Asked of recordings only: a camera knows its unit.

    Raises
    ------
    SourceError
        If there is no such camera, or it cannot do what was asked.
    CalibrationError
        If its intrinsics or transforms are impossible.
    """
    if unit_m is not None:
        msg = f"{location}: depth-unit-m is for recordings; a camera says its unit itself"
        raise SourceError(msg)
    serial = location.removeprefix(_PREFIX)
    return LiveSource(LibRealSense(), serial, options, seconds)


def refuse_options(location: str, options: LiveOptions, seconds: float | None) -> None:
    """Refuse options that only a camera can follow.

    Raises
    ------
    SourceError
        If one was given.
    """
    if replace(options, infrared=False) != LiveOptions() or seconds is not None:
        msg = (
            f"{location}: seconds, depth, color, preset, laser and exposure are options of a "
            f"camera ({_PREFIX}SERIAL); leave them out for a recording"
        )
        raise SourceError(msg)


def list_cameras(cameras: Cameras | None = None) -> tuple[ConnectedDevice, ...]:
    """Return the RealSense cameras that are plugged in now.

    Parameters
    ----------
    cameras : Cameras, optional
        Those of librealsense by default.

    Raises
    ------
    SourceError
        If librealsense is not there, or cannot say.
    """
    return tuple(_described(device) for device in (cameras or LibRealSense()).connected())


def _described(device: Device) -> ConnectedDevice:
    info = device.info
    modes: dict[str, dict[str, None]] = {}
    for sensor in device.sensors():
        for mode in sensor.modes():
            modes.setdefault(mode.stream, {})[str(mode)] = None
    serial = info.get("Serial Number", "")
    return ConnectedDevice(
        location=_PREFIX + serial,
        name=info.get("Name", ""),
        serial=serial,
        firmware=info.get("Firmware Version", ""),
        recommended_firmware=info.get("Recommended Firmware Version", ""),
        usb=info.get("Usb Type Descriptor", ""),
        modes={stream: tuple(shown) for stream, shown in modes.items()},
        warnings=warnings_about(device),
    )
