"""``synthetic:room``: an RGB-D camera that a person carries through a furnished room."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuSamples
from sensorfusion.simulate.imu import ImuErrors, measure_motion, with_imu
from sensorfusion.simulate.motion import hand_held, hand_motion
from sensorfusion.simulate.noise import LIMITS_M, Noise, measure, model_of
from sensorfusion.simulate.room import room
from sensorfusion.simulate.seen import surface_seen
from sensorfusion.simulate.sensor import RgbdSensor, d435_rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource, Truth
from sensorfusion.trajectory import Trajectory
from sensorfusion.triangle_mesh import TriangleMesh


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


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """What to simulate; see ``SyntheticDriver.open``."""

    frames: int
    noise: Noise
    seed: int
    scale: float
    speed: float
    bursts: bool


def open_room(options: RoomOptions, *, imu: bool = False) -> SyntheticSource:
    """Return a hand-held recording of the room, with an IMU if asked for."""
    seed, noise = options.seed, options.noise
    trajectory = _trajectory(options)
    rig = d435_rig(options.scale)
    if not imu:
        return SyntheticSource(RgbdSensor(room(seed), rig), trajectory, noise, seed)
    rig = with_imu(rig)
    motion = hand_motion(seed, bursts=options.bursts)
    samples = measure_motion(
        lambda time_s: motion(options.speed * time_s),
        rig.transform("depth", "imu"),
        int(trajectory.timestamps_ns[-1]),
        ImuErrors.none() if noise == "none" else ImuErrors(),
        np.random.default_rng([seed, 4]),
    )
    return SyntheticSource(RgbdSensor(room(seed), rig), trajectory, noise, seed, samples)


def room_truth(options: RoomOptions) -> Truth:
    """Return exact poses and depth, and the surface that the depth camera saw in its range."""
    trajectory = _trajectory(options)
    # Pictures a tenth of a second apart see the same, so long motions skip some.
    step = max(1, min(options.frames // 100, int(3 / options.speed)))

    def seen() -> TriangleMesh:
        camera = d435_rig(options.scale).cameras["depth"]
        limits_m = LIMITS_M[options.noise]
        poses = trajectory.poses[::step]
        return surface_seen(room(options.seed).mesh, camera, poses, limits_m=limits_m)

    @lru_cache(maxsize=1)
    def sensor() -> RgbdSensor:
        return RgbdSensor(room(options.seed), d435_rig(options.scale))

    def depth(camera: str, index: int) -> DepthMap:
        timestamp_ns, T_world_depth = tuple(trajectory)[index]
        view = sensor().view(camera, T_world_depth)
        return DepthMap(view.z_m, view.camera, timestamp_ns)

    return Truth(trajectory, seen, depth)


def _trajectory(options: RoomOptions) -> Trajectory:
    return hand_held(options.frames, seed=options.seed, speed=options.speed, bursts=options.bursts)
