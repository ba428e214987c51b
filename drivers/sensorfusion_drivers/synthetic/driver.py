"""Opens what is simulated: ``synthetic:room``, ``hall``, ``street`` and ``tunnel``."""

import inspect
from dataclasses import replace
from typing import Literal

from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import SourceError
from sensorfusion.simulate.lidar import Shutter
from sensorfusion.simulate.noise import Noise
from sensorfusion.sources.driver import Driver, SeekableFrameSource, Truth
from sensorfusion_drivers.synthetic.room import RoomOptions, open_room, room_truth
from sensorfusion_drivers.synthetic.scans import PLACES, ScanOptions, ScanSource, scan_truth
from sensorfusion_drivers.synthetic.stereo import STEREO_NAMES, StereoSource, stereo_truth

_PREFIX = "synthetic:"
_MOST_FRAMES = 1_000_000
_USUAL_FRAMES = {"room": 600, "hall": 200, "street": 200, "tunnel": 200}
_NOISES: dict[str, dict[str, Noise | None]] = {
    "room": {"none": "none", "kinect": "kinect", "d435": "d435"},
    "hall": {"none": None, "lidar": None, "kinect": "kinect", "d435": "d435"},
    "street": {"none": None, "lidar": None},
    "tunnel": {"none": None, "lidar": None},
}
AnyNoise = Literal["none", "kinect", "d435", "lidar", "camera"]
_STEREO_NOISES = ("none", "camera")


class SyntheticDriver(Driver):
    """Opens ``synthetic:room``, ``hall``, ``street`` and ``tunnel``."""

    summary = (
        "simulated sensors with exact truth: RGB-D or stereo camera (synthetic:room), LiDAR with "
        "cameras (synthetic:hall, synthetic:street, synthetic:tunnel)"
    )

    def can_open(self, location: str) -> bool:
        """Say whether the location begins with ``synthetic:``."""
        return str(location).startswith(_PREFIX)

    def open(  # noqa: PLR0913 - a driver's options are the parameters of open
        self,
        location: str,
        *,
        frames: int | None = None,
        noise: AnyNoise = "none",
        seed: int = 0,
        scale: float = 1.0,
        speed: float = 1.0,
        bursts: bool = False,
        imu: bool = False,
        cameras: int = 1,
        shutter: Shutter = "rolling",
        rings: int = 64,
        columns: int = 1024,
    ) -> SeekableFrameSource:
        """Return a recording of a hand-held camera, or of a LiDAR on its way.

        Parameters
        ----------
        location : str
            ``synthetic:room``, ``synthetic:hall``, ``synthetic:street`` or ``synthetic:tunnel``.
        frames : int or None
            Of the room 600 by default, 30 a second, which make about 8 m; else 200 scans, 10 a
            second: of street and tunnel, 210 at most.
        noise : {"none", "kinect", "d435", "lidar", "camera"}
            Of the room, kind of depth camera; ``none`` is exact; ``camera`` of stereo cameras,
            whose pictures then have noise. Of the others ``lidar`` for scans that err; in the
            hall, ``kinect`` and ``d435`` put such a depth camera beside a LiDAR that errs.
        seed : int
            Of scene, motion of a hand and noise, not negative.
        scale : float
            Fraction of the pixels, 0.02 to 4: 640x480 of depth, 848x480 of colour; 1242x375 in
            the street.
        speed : float
            Room only: 1 is at most 0.6 m/s and 60 degrees/s; above 0, to 20.
        bursts : bool
            Room only: every two seconds half a second is faster: at speed 1 up to 1 m/s and 120
            degrees/s.
        imu : bool
            Room only: with a gyroscope and an accelerometer, 200 Hz; they err like a D435i's
            unless ``noise`` is ``none``.
        cameras : int
            Room only: 2 for a stereo pair, 3 for a third camera below it, neither rectified, in
            place of the depth camera.
        shutter : {"rolling", "global"}
            LiDAR only: whether each column is measured from where the sensor then is.
        rings, columns : int
            LiDAR only: beams one above the other, 2 to 128, and firings in a revolution, 16 to
            4096.

        Raises
        ------
        SourceError
            If there is no such scene or an option is out of range or of another scene.
        """
        scene = _scene(location)
        count = _frames(location, scene, frames)
        _check(location, seed, scale, speed)
        if scene == "room":
            _refuse(location, shutter=shutter, rings=rings, columns=columns)
            room = RoomOptions(
                count, _room_noise(location, noise, cameras), seed, scale, speed, bursts
            )
            if cameras == 1:
                return open_room(room, imu=imu)
            _refuse(location, imu=imu)
            return StereoSource(room, cameras, noisy=noise == "camera")
        kind = _noise(location, scene, noise)
        _refuse(location, speed=speed, bursts=bursts, imu=imu, cameras=cameras)
        _check_scan(location, rings, columns)
        return ScanSource(
            ScanOptions(scene, count, noise == "none", kind, seed, scale, shutter, rings, columns)
        )

    def truth(  # noqa: PLR0913 - as for open
        self,
        location: str,
        *,
        frames: int | None = None,
        noise: AnyNoise = "none",
        seed: int = 0,
        scale: float = 1.0,
        speed: float = 1.0,
        bursts: bool = False,
        cameras: int = 1,
    ) -> Truth:
        """Return exact poses and depth; of the room, the surface that the camera saw, too.

        Takes the options of :meth:`open`; the mesh is cut to edges of 3 cm or less.
        """
        scene = _scene(location)
        count = _frames(location, scene, frames)
        _check(location, seed, scale, speed)
        if scene == "room":
            room = RoomOptions(
                count, _room_noise(location, noise, cameras), seed, scale, speed, bursts
            )
            if cameras > 1:
                return _guarded(location, stereo_truth(room, cameras), STEREO_NAMES[:cameras])
            return _guarded(location, room_truth(room), ("depth", "color"))
        kind = _noise(location, scene, noise)
        _refuse(location, speed=speed, bursts=bursts, cameras=cameras)
        scans = ScanOptions(scene, count, noise == "none", kind, seed, scale)
        pictured = ("depth", "color") if scene == "hall" else ("color",)
        return _guarded(location, scan_truth(scans), pictured)


def _scene(location: str) -> str:
    """Return which scene a location names."""
    scene = location.removeprefix(_PREFIX)
    if scene not in _USUAL_FRAMES or not location.startswith(_PREFIX):
        *most, last = (f"{_PREFIX}{name}" for name in _USUAL_FRAMES)
        msg = f"{location}: no such scene; expected {', '.join(most)} or {last}"
        raise SourceError(msg)
    return scene


def _frames(location: str, scene: str, frames: int | None) -> int:
    """Return how many frames are asked for."""
    if frames is None:
        return _USUAL_FRAMES[scene]
    most = PLACES[scene].most_frames if scene in PLACES else _MOST_FRAMES
    _within(location, "frames", frames, (1, most))
    return frames


def _noise(location: str, scene: str, noise: str) -> Noise | None:
    """Return the noise of the depth camera, None where there is no depth camera."""
    if noise not in _NOISES[scene]:
        known = ", ".join(_NOISES[scene])
        msg = f"{location}: noise {noise!r}; expected one of {known}"
        raise SourceError(msg)
    return _NOISES[scene][noise]


def _room_noise(location: str, noise: str, cameras: int) -> Noise:
    """Return the noise of the room's depth camera, none where stereo cameras stand for it."""
    _within(location, "cameras", cameras, (1, 3))
    if cameras == 1:
        return _noise(location, "room", noise) or "none"
    if noise not in _STEREO_NOISES:
        msg = (
            f"{location}: noise {noise!r}; expected one of {', '.join(_STEREO_NOISES)} of "
            f"{cameras} cameras"
        )
        raise SourceError(msg)
    return "none"


def _check(location: str, seed: int, scale: float, speed: float) -> None:
    """Refuse what cannot be simulated."""
    _within(location, "seed", seed, (0, 2**31))
    _within(location, "scale", scale, (0.02, 4.0))
    _within(location, "speed", speed, (1e-3, 20.0))


def _check_scan(location: str, rings: int, columns: int) -> None:
    _within(location, "rings", rings, (2, 128))
    _within(location, "columns", columns, (16, 4096))


def _within(location: str, name: str, value: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= value <= high:
        msg = f"{location}: {name} is {value}; expected {low} to {high}"
        raise SourceError(msg)


def _refuse(location: str, **values: object) -> None:
    """Refuse options of another scene that are not as they are by default."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(SyntheticDriver.open).parameters.items()
    }
    for name, value in values.items():
        if value != defaults[name]:
            msg = f"{location}: {name} is {value}, which this scene does not have; leave it out"
            raise SourceError(msg)


def _guarded(location: str, truth: Truth, cameras: tuple[str, ...]) -> Truth:
    """Return a truth that refuses a camera or frame that there is not."""
    known, frames = truth.depth, len(truth.trajectory or ())

    def depth(camera: str, index: int) -> DepthMap:
        if known is None or camera not in cameras:
            msg = f"{location}: no camera {camera!r}; there are {', '.join(cameras)}"
            raise SourceError(msg)
        if not 0 <= index < frames:
            msg = f"{location}: no frame {index}; there are {frames}"
            raise SourceError(msg)
        return known(camera, index)

    return replace(truth, depth=depth)
