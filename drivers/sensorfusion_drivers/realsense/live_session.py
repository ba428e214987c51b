"""One camera with its streams chosen and its options set: what is begun, and begun again."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from sensorfusion.errors import CalibrationError, SourceError
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.live_options import (
    Chosen,
    LiveOptions,
    apply_options,
    choose_mode,
    infrared_modes,
    motion_modes,
    warnings_about,
)
from sensorfusion_drivers.realsense.live_seam import Cameras, Deliver, Device, Mode, Sensor
from sensorfusion_drivers.realsense.streams import ACCEL, COLOR, DEPTH, GYRO

IMU: Final = "imu"


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
        if options.infrared:
            self._chosen |= infrared_modes(device, *self._chosen[DEPTH])
        self._chosen |= self._placed(motion_modes(device))
        settings = apply_options(device, options, self._chosen[DEPTH][0])
        modes = {stream: mode for stream, (_, mode) in self._chosen.items()}
        self.rates_hz = {stream: max(mode.rate_hz, 1) for stream, mode in modes.items()}
        shown = {f"Mode {stream}": str(mode) for stream, mode in modes.items()}
        self.metadata = {**device.info, **shown, **settings}
        self.rig = self._rig(modes)

    def start(self, streams: Iterable[str], deliver: Deliver) -> None:
        """Begin streaming; all sensors or, after an error, none.

        Parameters
        ----------
        streams : iterable of str
            Of those in ``rates_hz``.
        deliver : callable

        Raises
        ------
        SourceError
            If a sensor refuses.
        """
        try:
            for sensor, modes in self._sensors(streams):
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
        for sensor, _ in self._sensors(self._chosen):
            with suppress(SourceError):
                sensor.stop()

    def listen(self, tell: Callable[[str], None]) -> None:
        """Have ``tell`` called with what the camera reports about itself."""
        for sensor, _ in self._sensors(self._chosen):
            sensor.on_notification(tell)

    def _sensors(self, streams: Iterable[str]) -> Iterator[tuple[Sensor, tuple[Mode, ...]]]:
        chosen = [self._chosen[stream] for stream in streams]
        sensors = {id(sensor): sensor for sensor, _ in chosen}
        for key, sensor in sensors.items():
            yield sensor, tuple(mode for one, mode in chosen if id(one) == key)

    def _placed(self, motion: dict[str, Chosen]) -> dict[str, Chosen]:
        """Return the inertial streams; none, with a warning, if nobody knows where they sit."""
        try:
            for _, mode in motion.values():
                self.device.transform(mode, self._chosen[DEPTH][1])
        except (SourceError, CalibrationError) as error:
            warning = f"the inertial sensor is left out: it was never calibrated ({error})"
            self.warnings = (*self.warnings, warning)
            return {}
        return motion

    def _rig(self, modes: dict[str, Mode]) -> Rig:
        cameras = {
            stream: sensor.camera(mode)
            for stream, (sensor, mode) in self._chosen.items()
            if stream not in (GYRO, ACCEL)
        }
        transforms = [
            self.device.transform(mode, modes[DEPTH])
            for stream, mode in modes.items()
            if stream in cameras and stream != DEPTH
        ]
        motion = modes.get(GYRO) or modes.get(ACCEL)
        if motion is not None:
            T_imu_depth = self.device.transform(motion, modes[DEPTH]).matrix
            transforms.append(RigidTransform(IMU, DEPTH, T_imu_depth))
        noise = DepthNoise.of_device(self.device.info.get("Name", ""), cameras[DEPTH].fx)
        imus = () if motion is None else (IMU,)
        return Rig(cameras, tuple(transforms), depth_noise={DEPTH: noise}, imus=imus)
