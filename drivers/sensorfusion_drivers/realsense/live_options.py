"""What a user asks of a camera, and whether the camera does it: every value is read back."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensorfusion.errors import SourceError
from sensorfusion_drivers.realsense.live_seam import Device, Mode, Sensor
from sensorfusion_drivers.realsense.streams import ACCEL, COLOR, DEPTH, GYRO, INFRARED

_MODE: Final = re.compile(r"(?P<width>\d+)x(?P<height>\d+)(@(?P<rate>\d+))?")
_FORMATS: Final = {DEPTH: ("z16",), COLOR: ("rgb8",)}
# Of what a camera offers the nearest to these is taken: enough for tracking, and few enough bytes
# for a slow port.
_USUAL: Final = {DEPTH: (640, 480, 30), COLOR: (640, 480, 30)}
_SLOW_USB: Final = ("1", "2")

Chosen = tuple[Sensor, Mode]
"""A mode, and the sensor that has it."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What is asked of a camera; text as on the command line.

    Attributes
    ----------
    depth, color : str
        ``WIDTHxHEIGHT@RATE``, ``WIDTHxHEIGHT``, or empty for what is usual; colour also ``off``.
    preset : str
        Name of a visual preset of the camera (``high accuracy``), or a JSON file of settings;
        empty leaves it alone.
    laser : str
        ``on``, ``off``, or its power in milliwatts; empty leaves it alone.
    exposure : str
        ``auto``, or that of the depth sensor in microseconds; empty leaves it alone.
    infrared : bool
        Whether the infrared pictures stream, too, in the size of depth.
    """

    depth: str = ""
    color: str = ""
    preset: str = ""
    laser: str = ""
    exposure: str = ""
    infrared: bool = False


def choose_mode(device: Device, stream: str, asked: str) -> Chosen | None:
    """Find the sensor and the mode for a stream.

    Parameters
    ----------
    device : Device
    stream : {"depth", "color"}
    asked : str
        As in :class:`LiveOptions`.

    Returns
    -------
    tuple of Sensor and Mode, or None
        None if the camera has no such stream and none was asked for, or it was asked to be off.

    Raises
    ------
    SourceError
        If the camera cannot do what was asked.
    """
    if asked == "off":
        return None
    offered = [
        (sensor, mode)
        for sensor in device.sensors()
        for mode in sensor.modes()
        if mode.stream == stream and mode.format in _FORMATS[stream]
    ]
    if not offered and not asked:
        return None
    match = _MODE.fullmatch(asked or "{}x{}".format(*_USUAL[stream]))
    if match is None:
        msg = f"{stream} is {asked!r}; expected WIDTHxHEIGHT@RATE, such as 640x480@30"
        raise SourceError(msg)
    width, height, rate_hz = (int(match[part] or 0) for part in ("width", "height", "rate"))
    fitting = [
        one
        for one in offered
        if (one[1].width, one[1].height) == (width, height) and rate_hz in (0, one[1].rate_hz)
    ]
    if asked and not fitting:
        there = ", ".join(sorted({str(mode) for _, mode in offered})) or "none"
        msg = f"{_called(device)} has no {stream} of {asked}; it has {there}"
        raise SourceError(msg)
    return min(fitting or offered, key=lambda one: _unusual(one[1], stream))


def infrared_modes(device: Device, depth_sensor: Sensor, depth: Mode) -> dict[str, Chosen]:
    """Return the infrared streams that go with a mode of depth.

    Raises
    ------
    SourceError
        If there is none.
    """
    found = {
        mode.stream: (depth_sensor, mode)
        for mode in depth_sensor.modes()
        if mode.stream.startswith(INFRARED)
        and mode.format == "y8"
        and (mode.width, mode.height, mode.rate_hz) == (depth.width, depth.height, depth.rate_hz)
    }
    if not found:
        msg = f"{_called(device)} has no infrared of {depth}; leave out infrared"
        raise SourceError(msg)
    return found


def motion_modes(device: Device) -> dict[str, Chosen]:
    """Return gyroscope and accelerometer, as far as there are, each at its highest rate."""
    found: dict[str, Chosen] = {}
    for sensor in device.sensors():
        for mode in sorted(sensor.modes(), key=lambda mode: mode.rate_hz):
            if mode.stream in (GYRO, ACCEL):
                found[mode.stream] = (sensor, mode)
    return found


def apply_options(device: Device, options: LiveOptions, depth_sensor: Sensor) -> dict[str, str]:
    """Set what was asked for, and read it back.

    Returns
    -------
    dict of str to str
        The options as the camera now has them, under readable names.

    Raises
    ------
    SourceError
        If the camera has no such option, refuses a value, or does not keep it.
    """
    _apply_preset(device, options.preset, depth_sensor)
    wanted = dict(_laser(options.laser) | _exposure(options.exposure))
    for name, value in wanted.items():
        _set(device, depth_sensor, name, value)
    for sensor in device.sensors():
        # One clock for all streams: the computer's, to which the library fits each camera's.
        if sensor.option("global_time_enabled") is not None:
            _set(device, sensor, "global_time_enabled", 1.0)
    return dict(_read_back(depth_sensor, options.preset))


def warnings_about(device: Device) -> tuple[str, ...]:
    """Return what a user should know before using a camera, a sentence each."""
    info, said = device.info, []
    usb = info.get("Usb Type Descriptor", "")
    if usb.startswith(_SLOW_USB):
        said.append(
            f"connected by USB {usb}: high resolutions and rates are not offered or lose frames; "
            "use a USB 3 port and the cable that came with the camera"
        )
    firmware = info.get("Firmware Version", "")
    recommended = info.get("Recommended Firmware Version", "")
    if firmware and recommended and _numbers(firmware) < _numbers(recommended):
        said.append(f"firmware {firmware} is older than the recommended {recommended}; update it")
    return tuple(said)


def _apply_preset(device: Device, preset: str, sensor: Sensor) -> None:
    if not preset:
        return
    if preset.lower().endswith(".json"):
        _load_settings(device, Path(preset).expanduser())
        return
    choices = sensor.choices("visual_preset")
    named = {_plain(name): value for name, value in choices.items()}
    if _plain(preset) not in named:
        there = ", ".join(choices) or "none"
        msg = f"{_called(device)} has no preset {preset!r}; it has {there}; or give a .json file"
        raise SourceError(msg)
    _set(device, sensor, "visual_preset", named[_plain(preset)])


def _load_settings(device: Device, path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        wanted = _settings(json.loads(text))
        device.load_settings(text)
        there = _settings(json.loads(device.settings()))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: cannot be taken over ({error}); expected its viewer's JSON"
        raise SourceError(msg) from error
    # Files also hold what is asked of the streams, which is no setting of the camera.
    changed = {
        name: (value, there[name])
        for name, value in wanted.items()
        if name in there and not name.startswith("stream-") and not _same(value, there[name])
    }
    if changed or not wanted.keys() & there.keys():
        shown = ", ".join(f"{name} {a} became {b}" for name, (a, b) in list(changed.items())[:5])
        msg = f"{_called(device)} did not take over {path}: {shown or 'it knows none of its names'}"
        raise SourceError(msg)


def _settings(found: object) -> dict[str, object]:
    """Return name and value from either form of the file: flat, or below "parameters"."""
    inner = found.get("parameters", found) if isinstance(found, dict) else None
    return {str(name): value for name, value in inner.items()} if isinstance(inner, dict) else {}


def _same(wanted: object, there: object) -> bool:
    try:
        return math.isclose(float(str(wanted)), float(str(there)), rel_tol=1e-4, abs_tol=1e-6)
    except ValueError:
        return str(wanted).lower() == str(there).lower()


def _laser(text: str) -> dict[str, float]:
    switch = {"": {}, "on": {"emitter_enabled": 1.0}, "off": {"emitter_enabled": 0.0}}
    if text in switch:
        return switch[text]
    return {"emitter_enabled": 1.0, "laser_power": _number("laser", text, "on, off or milliwatts")}


def _exposure(text: str) -> dict[str, float]:
    if text in ("", "auto"):
        return {"enable_auto_exposure": 1.0} if text else {}
    microseconds = _number("exposure", text, "auto or microseconds")
    return {"enable_auto_exposure": 0.0, "exposure": microseconds}


def _number(name: str, text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        msg = f"{name} is {text!r}; expected {expected}"
        raise SourceError(msg)
    return value


def _set(device: Device, sensor: Sensor, name: str, value: float) -> None:
    before = sensor.option(name)
    if before is None:
        msg = f"{_called(device)} has no option {name.replace('_', ' ')}"
        raise SourceError(msg)
    if not before.low <= value <= before.high:
        msg = (
            f"{_called(device)}: {name.replace('_', ' ')} of {value:g}; expected {before.low:g} "
            f"to {before.high:g}"
        )
        raise SourceError(msg)
    sensor.set_option(name, value)
    after = sensor.option(name)
    if after is None or abs(after.value - value) > max(before.step / 2, 1e-6 * abs(value)):
        found = "nothing" if after is None else f"{after.value:g}"
        msg = (
            f"{_called(device)}: {name.replace('_', ' ')} was set to {value:g} and reads "
            f"{found}; another program may hold the camera"
        )
        raise SourceError(msg)


def _read_back(sensor: Sensor, preset: str) -> Iterator[tuple[str, str]]:
    for name in ("emitter_enabled", "laser_power", "enable_auto_exposure", "depth_units"):
        option = sensor.option(name)
        if option is not None:
            yield f"Option {name.replace('_', ' ')}", f"{option.value:g}"
    if preset:
        yield "Preset", preset


def _unusual(mode: Mode, stream: str) -> tuple[int, int, bool]:
    width, height, rate_hz = _USUAL[stream]
    pixels = abs(mode.width - width) + abs(mode.height - height)
    return abs(mode.rate_hz - rate_hz), pixels, not mode.is_default


def _called(device: Device) -> str:
    return f"camera {device.info.get('Serial Number', '(no serial number)')}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
