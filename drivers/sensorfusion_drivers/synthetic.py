"""A simulated RGB-D camera in a furnished room: every frame with its exact truth."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import SourceError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuSamples
from sensorfusion.simulate.imu import ImuErrors, measure_motion, with_imu
from sensorfusion.simulate.motion import hand_held, hand_motion
from sensorfusion.simulate.noise import LIMITS_M, Noise, measure, model_of
from sensorfusion.simulate.room import room
from sensorfusion.simulate.seen import surface_seen
from sensorfusion.simulate.sensor import RgbdSensor, d435_rig
from sensorfusion.sources.driver import Driver, Losses, SeekableFrameSource, Truth
from sensorfusion.trajectory import Trajectory
from sensorfusion.triangle_mesh import TriangleMesh

_PREFIX = "synthetic:"
_LOCATION = "synthetic:room"
_MOST_FRAMES = 1_000_000


class SyntheticSource(SeekableFrameSource):
    """Frames rendered when asked for; any thread may ask.

    Parameters
    ----------
    sensor : RgbdSensor
    trajectory : Trajectory
        ``T_world_depth``, exact.
    noise : {"none", "kinect", "d435"}
    seed : int
        Of the noise.
    imu : ImuSamples or None
        Measured along the trajectory.
    """

    def __init__(
        self,
        sensor: RgbdSensor,
        trajectory: Trajectory,
        noise: Noise,
        seed: int,
        imu: ImuSamples | None = None,
    ) -> None:
        known = model_of(noise, sensor.rig.cameras["depth"])
        self.rig = replace(sensor.rig, depth_noise={"depth": known})
        self.trajectory: Trajectory = trajectory
        self.down_world: NDArray[np.float64] = np.array([0.0, 0.0, -1.0])
        self.losses = Losses({"depth": 0, "color": 0})
        self.imu = imu
        self._sensor = sensor
        self._noise = noise
        self._seed = seed
        self._stamped = tuple(trajectory)

    def __len__(self) -> int:
        return len(self._stamped)

    def __getitem__(self, index: int) -> Frame:
        """Render frame ``index``, 0 to len - 1; the same each time."""
        if not 0 <= index < len(self):
            msg = f"frame {index} of a source of {len(self)} frames"
            raise IndexError(msg)
        timestamp_ns, T_world_depth = self._stamped[index]
        rng = np.random.default_rng([self._seed, 3, index])
        view = self._sensor.depth(T_world_depth)
        depth = measure(view, timestamp_ns, self._noise, rng)
        color = Image(self._sensor.color(T_world_depth), "color", timestamp_ns)
        return Frame(index, timestamp_ns, "depth", depth, {"color": color})

    def samples(self) -> Iterator[Sample]:
        """Yield depth and colour of each frame."""
        for frame in self:
            yield Sample("depth", frame.timestamp_ns, frame.measurement)
            yield Sample("color", frame.timestamp_ns, frame.images["color"])


class SyntheticDriver(Driver):
    """Opens ``synthetic:room``."""

    summary = "simulated RGB-D camera in a furnished room, with exact truth (synthetic:room)"

    def can_open(self, location: str) -> bool:
        """Say whether the location begins with ``synthetic:``."""
        return str(location).startswith(_PREFIX)

    def open(  # noqa: PLR0913 - a driver's options are the parameters of open
        self,
        location: str,
        *,
        frames: int = 600,
        noise: Noise = "none",
        seed: int = 0,
        scale: float = 1.0,
        speed: float = 1.0,
        bursts: bool = False,
        imu: bool = False,
    ) -> SyntheticSource:
        """Return a hand-held recording of the room.

        Parameters
        ----------
        location : str
            ``synthetic:room``.
        frames : int
            At 30 Hz; 600 make about 8 m.
        noise : {"none", "kinect", "d435"}
            Kind of depth camera; ``none`` is exact.
        seed : int
            Of room, motion and noise, not negative.
        scale : float
            Fraction of 640x480 depth and 848x480 colour pixels, 0.02 to 4.
        speed : float
            1 is at most 0.6 m/s and 60 degrees/s; above 0, to 20.
        bursts : bool
            Every two seconds half a second is faster: at speed 1 up to 1 m/s and 120 degrees/s.
        imu : bool
            With a gyroscope and an accelerometer, 200 Hz; they err like a D435i's unless
            ``noise`` is ``none``.

        Raises
        ------
        SourceError
            If there is no such scene or an option is out of range.
        """
        _check(location, frames, seed, scale, speed)
        _check_noise(location, noise)
        trajectory = hand_held(frames, seed=seed, speed=speed, bursts=bursts)
        rig = d435_rig(scale)
        if not imu:
            return SyntheticSource(RgbdSensor(room(seed), rig), trajectory, noise, seed)
        rig = with_imu(rig)
        motion = hand_motion(seed, bursts=bursts)
        samples = measure_motion(
            lambda time_s: motion(speed * time_s),
            rig.transform("depth", "imu"),
            int(trajectory.timestamps_ns[-1]),
            ImuErrors.none() if noise == "none" else ImuErrors(),
            np.random.default_rng([seed, 4]),
        )
        return SyntheticSource(RgbdSensor(room(seed), rig), trajectory, noise, seed, samples)

    def truth(  # noqa: PLR0913 - as for open
        self,
        location: str,
        *,
        frames: int = 600,
        noise: Noise = "none",
        seed: int = 0,
        scale: float = 1.0,
        speed: float = 1.0,
        bursts: bool = False,
    ) -> Truth:
        """Return the exact poses and the surface that the depth camera saw, within its range.

        Takes the options of :meth:`open`; the mesh is cut to edges of 3 cm or less.
        """
        _check(location, frames, seed, scale, speed)
        _check_noise(location, noise)
        trajectory = hand_held(frames, seed=seed, speed=speed, bursts=bursts)
        # Pictures a tenth of a second apart see the same, so long motions skip some.
        step = max(1, min(frames // 100, int(3 / speed)))

        def seen() -> TriangleMesh:
            camera = d435_rig(scale).cameras["depth"]
            poses = trajectory.poses[::step]
            return surface_seen(room(seed).mesh, camera, poses, limits_m=LIMITS_M[noise])

        return Truth(trajectory, seen)


def _check(location: str, frames: int, seed: int, scale: float, speed: float) -> None:
    """Refuse what cannot be simulated."""
    if location != _LOCATION:
        msg = f"{location}: no such scene; expected {_LOCATION}"
        raise SourceError(msg)
    for name, value, low, high in (
        ("frames", frames, 1, _MOST_FRAMES),
        ("seed", seed, 0, 2**31),
        ("scale", scale, 0.02, 4.0),
        ("speed", speed, 1e-3, 20.0),
    ):
        if not low <= value <= high:
            msg = f"{location}: {name} is {value}; expected {low} to {high}"
            raise SourceError(msg)


def _check_noise(location: str, noise: str) -> None:
    """Refuse a kind of noise that there is not."""
    if noise not in LIMITS_M:
        msg = f"{location}: noise {noise!r}; expected one of {', '.join(LIMITS_M)}"
        raise SourceError(msg)
