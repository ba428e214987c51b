"""The seam over librealsense: its objects in, plain arrays and SourceErrors out.

References
----------
librealsense 2.59, ``pyrealsense2`` and "doc/frame_lifetime.md": memory of a frame is lent and
must be copied before the callback returns.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.errors import SourceError
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.live_seam import (
    Arrival,
    Deliver,
    Device,
    Mode,
    Option,
    Sensor,
)
from sensorfusion_drivers.realsense.streams import DEPTH, make_camera

_INFO: Final = {
    "Name": "name",
    "Serial Number": "serial_number",
    "Firmware Version": "firmware_version",
    "Recommended Firmware Version": "recommended_firmware_version",
    "Usb Type Descriptor": "usb_type_descriptor",
    "Physical Port": "physical_port",
    "Product Line": "product_line",
}
_MOTION: Final = ("gyro", "accel")


SdkObject = Any
"""Of pyrealsense2, which says nothing of its types."""


class LibRealSense:
    """All cameras that librealsense finds.

    Parameters
    ----------
    context : pyrealsense2.context, optional
        One that knows further devices, such as software devices.

    Raises
    ------
    SourceError
        If pyrealsense2 cannot be imported.
    """

    def __init__(self, context: SdkObject | None = None) -> None:
        try:
            import pyrealsense2
        except ImportError as error:
            msg = (
                f"cameras need pyrealsense2, which does not load ({error}); install it with pip "
                "(Linux and Windows), and libusb-1.0 with it; recordings are read without it"
            )
            raise SourceError(msg) from error
        self._context = context or pyrealsense2.context()

    def connected(self) -> tuple[Device, ...]:
        """Return the cameras that are plugged in now; waits for none."""
        with _said("the list of cameras"):
            found = [_Device(device) for device in self._context.query_devices()]
        return tuple(sorted(found, key=lambda device: device.info.get("Serial Number", "")))


class _Device:
    """One camera."""

    def __init__(self, device: SdkObject) -> None:
        import pyrealsense2 as rs

        self._device = device
        fields = {title: getattr(rs.camera_info, name) for title, name in _INFO.items()}
        with _said("a camera"):
            self.info = {
                title: str(device.get_info(field))
                for title, field in fields.items()
                if device.supports(field)
            }
            self._sensors = tuple(_Sensor(sensor) for sensor in device.query_sensors())

    def is_connected(self) -> bool:
        with suppress(RuntimeError):
            return bool(self._device.is_connected())
        return False

    def sensors(self) -> tuple[Sensor, ...]:
        return self._sensors

    def transform(self, target: Mode, source: Mode) -> RigidTransform:
        profiles = {mode: p for sensor in self._sensors for mode, p in sensor.profiles.items()}
        with _said(f"the transform from {source.stream} to {target.stream}"):
            found = profiles[source].get_extrinsics_to(profiles[target])
        matrix = np.eye(4)
        # Column by column.
        matrix[:3, :3] = np.reshape(found.rotation, (3, 3)).T
        matrix[:3, 3] = found.translation
        return RigidTransform.nearest(target.stream, source.stream, matrix)

    def load_settings(self, text: str) -> None:
        with _said("the settings file"):
            self._advanced().load_json(text)

    def settings(self) -> str:
        with _said("the settings"):
            return str(self._advanced().serialize_json())

    def _advanced(self) -> SdkObject:
        import pyrealsense2 as rs

        advanced = rs.rs400_advanced_mode(self._device)
        if not advanced.is_enabled():
            msg = "advanced mode is off; turn it on once in the vendor's viewer"
            raise RuntimeError(msg)
        return advanced


class _Sensor:
    """A part of a camera."""

    def __init__(self, sensor: SdkObject) -> None:
        import pyrealsense2 as rs

        self._sensor = sensor
        self._streaming = False
        self.name = str(sensor.get_info(rs.camera_info.name))
        self.profiles = {_mode(profile): profile for profile in sensor.get_stream_profiles()}

    def modes(self) -> tuple[Mode, ...]:
        return tuple(self.profiles)

    def camera(self, mode: Mode) -> Camera:
        with _said(f"the intrinsics of {mode.stream}"):
            lens = self.profiles[mode].as_video_stream_profile().get_intrinsics()
        size, model = (lens.width, lens.height), lens.model.name.replace("_", " ")
        focal_and_center_px = (lens.fx, lens.fy, lens.ppx, lens.ppy)
        return make_camera(mode.stream, size, focal_and_center_px, model, tuple(lens.coeffs))

    def start(self, modes: tuple[Mode, ...], deliver: Deliver) -> None:
        with _said(f"{self.name} ({', '.join(map(str, modes))})"):
            self._sensor.open([self.profiles[mode] for mode in modes])
            try:
                self._sensor.start(_Courier(deliver))
            except RuntimeError:
                self._sensor.close()
                raise
        self._streaming = True

    def stop(self) -> None:
        if self._streaming:
            self._streaming = False
            # Unplugged, it refuses both.
            with suppress(RuntimeError):
                self._sensor.stop()
            with suppress(RuntimeError):
                self._sensor.close()

    def option(self, name: str) -> Option | None:
        option = _option(name)
        with _said(f"option {name} of {self.name}"):
            if option is None or not self._sensor.supports(option):
                return None
            bounds = self._sensor.get_option_range(option)
            value = self._sensor.get_option(option)
            return Option(float(value), bounds.min, bounds.max, bounds.step)

    def set_option(self, name: str, value: float) -> None:
        with _said(f"option {name} of {self.name}"):
            self._sensor.set_option(_option(name), value)

    def choices(self, name: str) -> Mapping[str, float]:
        option, now = _option(name), self.option(name)
        if now is None or now.step <= 0:
            return {}
        named = {}
        for index in range(int((now.high - now.low) / now.step) + 1):
            value = now.low + index * now.step
            text = self._sensor.get_option_value_description(option, value)
            if text:
                named[str(text)] = value
        return named

    def on_notification(self, tell: Callable[[str], None]) -> None:
        with _said(self.name):
            self._sensor.set_notifications_callback(
                lambda notification: tell(
                    f"{notification.get_severity().name}: {notification.get_description()}"
                )
            )


class _Courier:
    """The callback: copies a frame out of librealsense's memory and hands it on.

    librealsense swallows what a callback raises, so a failure is handed on as well.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def __call__(self, frame: SdkObject) -> None:
        try:
            self._deliver(_arrival(frame, time.time_ns()))
        except (RuntimeError, ValueError, MemoryError) as error:
            self._deliver(SourceError(f"a frame of the camera could not be taken over: {error}"))


def _arrival(frame: SdkObject, arrival_ns: int) -> Arrival:
    import pyrealsense2 as rs

    stream = _stream(frame.get_profile())
    exposure_us, unit_m = None, 0.0
    if stream in _MOTION:
        read = frame.as_motion_frame().get_motion_data()
        values = np.array((read.x, read.y, read.z), np.float64)
    else:
        values = np.array(frame.get_data())
        if frame.supports_frame_metadata(rs.frame_metadata_value.actual_exposure):
            exposure_us = int(frame.get_frame_metadata(rs.frame_metadata_value.actual_exposure))
        if stream == DEPTH:
            unit_m = float(frame.as_depth_frame().get_units())
    return Arrival(
        stream,
        frame.get_frame_number(),
        round(frame.get_timestamp() * 1e6),
        frame.get_frame_timestamp_domain().name,
        arrival_ns,
        values,
        unit_m,
        exposure_us,
    )


def _mode(profile: SdkObject) -> Mode:
    width = height = 0
    if profile.is_video_stream_profile():
        video = profile.as_video_stream_profile()
        width, height = video.width(), video.height()
    kind = profile.format().name
    return Mode(_stream(profile), kind, width, height, profile.fps(), profile.is_default())


def _stream(profile: SdkObject) -> str:
    """Return the kind of a stream, with its number where there are several: infrared_1."""
    stream, number = str(profile.stream_type().name), profile.stream_index()
    return f"{stream}_{number}" if number else stream


def _option(name: str) -> SdkObject:
    import pyrealsense2 as rs

    return getattr(rs.option, name, None)


@contextmanager
def _said(what: str) -> Iterator[None]:
    """Turn what librealsense raises into a SourceError that says what it was about."""
    try:
        yield
    except RuntimeError as error:
        msg = f"{what}: librealsense says: {error}"
        raise SourceError(msg) from error
