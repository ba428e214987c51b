"""One camera with its streams chosen and its options set: what is begun, and begun again."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from sensorfusion.errors import SourceError
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.live_options import (
    LiveOptions,
    apply_options,
    choose_mode,
    motion_modes,
    warnings_about,
)
from sensorfusion_drivers.realsense.live_seam import Cameras, Deliver, Device, Mode, Sensor
from sensorfusion_drivers.realsense.streams import COLOR, DEPTH

IMU: Final = "imu"
GYRO: Final = "gyro"
ACCEL: Final = "accel"


def find_device(cameras: Cameras, serial: str) -> Device:
    """Return the camera of a serial number, or the only one if it is empty.

    Raises
    ------
    SourceError
        If there is none, or more than one to choose from.
    """
    devices = cameras.connected()
    there = ", ".join(device.info.get("Serial Number", "?") for device in devices)
    if not devices:
        msg = (
            "no RealSense camera is connected; plug one in (on Linux the udev rules of "
            "librealsense must be installed), or give a recording"
        )
        raise SourceError(msg)
    found = [one for one in devices if serial in ("", one.info.get("Serial Number"))]
    if not found:
        msg = f"camera {serial} is not connected; there is {there}"
        raise SourceError(msg)
    if len(found) > 1:
        msg = f"{len(found)} cameras are connected; choose one of realsense:{there}"
        raise SourceError(msg.replace(", ", ", realsense:"))
    return found[0]


class Session:
    """A camera that is ready to stream.

    Parameters
    ----------
    device : Device
    options : LiveOptions

    Attributes
    ----------
    rig : Rig
    rates_hz : dict of str to int
        Nominal rate of each stream.
    metadata : dict of str to str
        What the camera says about itself, and its options as they now are.
    warnings : tuple of str

    Raises
    ------
    SourceError
        If the camera cannot do what was asked.
    CalibrationError
        If its intrinsics or transforms are impossible.
    """

    def __init__(self, device: Device, options: LiveOptions) -> None:
        self.device, self.warnings = device, warnings_about(device)
        chosen = {DEPTH: choose_mode(device, DEPTH, options.depth)}
        chosen[COLOR] = choose_mode(device, COLOR, options.color)
        self._chosen = {stream: one for stream, one in chosen.items() if one is not None}
        if DEPTH not in self._chosen:
            msg = f"camera {device.info.get('Serial Number')} has no depth; expected a depth camera"
            raise SourceError(msg)
        if options.motion:
            self._chosen |= self._motion()
        settings = apply_options(device, options, self._chosen[DEPTH][0])
        modes = {stream: mode for stream, (_, mode) in self._chosen.items()}
        self.rates_hz = {stream: max(mode.rate_hz, 1) for stream, mode in modes.items()}
        shown = {f"Mode {stream}": str(mode) for stream, mode in modes.items()}
        self.metadata = {**device.info, **shown, **settings}
        self.rig = self._rig(modes)

    def start(self, deliver: Deliver) -> None:
        """Begin streaming; all sensors or, after an error, none.

        Raises
        ------
        SourceError
            If a sensor refuses.
        """
        try:
            for sensor, modes in self._sensors():
                sensor.start(modes, deliver)
        except SourceError as error:
            self.stop()
            msg = (
                f"camera {self.device.info.get('Serial Number')} does not begin: {error}; close "
                "other programs that use it, or plug it in again"
            )
            raise SourceError(msg) from error

    def stop(self) -> None:
        """End streaming."""
        for sensor, _ in self._sensors():
            with suppress(SourceError):
                sensor.stop()

    def listen(self, tell: Callable[[str], None]) -> None:
        """Have ``tell`` called with what the camera reports about itself."""
        for sensor, _ in self._sensors():
            sensor.on_notification(tell)

    def _sensors(self) -> Iterable[tuple[Sensor, tuple[Mode, ...]]]:
        sensors = {id(sensor): sensor for sensor, _ in self._chosen.values()}
        for key, sensor in sensors.items():
            yield sensor, tuple(mode for one, mode in self._chosen.values() if id(one) == key)

    def _motion(self) -> dict[str, tuple[Sensor, Mode]]:
        found = motion_modes(self.device)
        if not found:
            msg = (
                f"camera {self.device.info.get('Serial Number')} has no gyroscope and no "
                "accelerometer; leave out motion"
            )
            raise SourceError(msg)
        return found

    def _rig(self, modes: dict[str, Mode]) -> Rig:
        cameras = {
            stream: sensor.camera(mode)
            for stream, (sensor, mode) in self._chosen.items()
            if stream in (DEPTH, COLOR)
        }
        transforms = []
        for stream, mode in modes.items():
            if stream == COLOR:
                transforms.append(self.device.transform(mode, modes[DEPTH]))
            elif stream == GYRO or (stream == ACCEL and GYRO not in modes):
                T_imu_depth = self.device.transform(mode, modes[DEPTH]).matrix
                transforms.append(RigidTransform(IMU, DEPTH, T_imu_depth))
        noise = DepthNoise.of_device(self.device.info.get("Name", ""), cameras[DEPTH].fx)
        imus = (IMU,) if {GYRO, ACCEL} & modes.keys() else ()
        return Rig(cameras, tuple(transforms), depth_noise={DEPTH: noise}, imus=imus)
