"""``synthetic:room -o cameras=2``: stereo cameras that a person carries through the room."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.simulate.motion import hand_held
from sensorfusion.simulate.room import room
from sensorfusion.simulate.seen import surface_seen
from sensorfusion.simulate.stereo import StereoSensor, stereo_rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource, Truth
from sensorfusion.stereo_pair import StereoPair
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh
from sensorfusion_drivers.synthetic.room import RoomOptions

STEREO_NAMES = ("left", "right", "below")


class StereoSource(SeekableFrameSource):
    """Pictures rendered when asked for; any thread may ask.

    Parameters
    ----------
    options : RoomOptions
        Of motion and scene.
    cameras : int
        2 or 3.
    noisy : bool
        Whether the pictures have noise.
    """

    def __init__(self, options: RoomOptions, cameras: int, *, noisy: bool) -> None:
        self.rig = stereo_rig(cameras, options.scale)
        self.trajectory: Trajectory = _trajectory(options)
        self.down_world: NDArray[np.float64] = np.array([0.0, 0.0, -1.0])
        self.losses = Losses(dict.fromkeys(self.rig.cameras, 0))
        self._sensor = StereoSensor(room(options.seed), self.rig)
        self._seed, self._noisy = options.seed, noisy
        self._stamped = tuple(self.trajectory)

    def __len__(self) -> int:
        return len(self._stamped)

    def __getitem__(self, index: int) -> Frame:
        """Render frame ``index``, 0 to len - 1; the same each time."""
        if not 0 <= index < len(self):
            msg = f"frame {index} of a source of {len(self)} frames"
            raise IndexError(msg)
        timestamp_ns, T_world_left = self._stamped[index]
        images = []
        for number, name in enumerate(self.rig.cameras):
            rng = np.random.default_rng([self._seed, 5, index, number])
            pixels = self._sensor.picture(name, T_world_left, rng if self._noisy else None)
            images.append(Image(pixels, name, timestamp_ns))
        left, right, *others = images
        pair = StereoPair(left, right, tuple(others))
        return Frame(index, timestamp_ns, left.camera_name, pair, {left.camera_name: left})

    def samples(self) -> Iterator[Sample]:
        """Yield the pictures of each frame."""
        for frame in self:
            if isinstance(frame.measurement, StereoPair):
                for image in frame.measurement.images:
                    yield Sample(image.camera_name, image.timestamp_ns, image)


def stereo_truth(options: RoomOptions, cameras: int) -> Truth:
    """Return exact poses and depth, and the surface that the left camera saw."""
    trajectory, rig = _trajectory(options), stereo_rig(cameras, options.scale)
    # Pictures a tenth of a second apart see the same, so long motions skip some.
    step = max(1, min(options.frames // 100, int(3 / options.speed)))

    def seen() -> TriangleMesh:
        poses = trajectory.poses[::step]
        return surface_seen(room(options.seed).mesh, rig.cameras["left"], poses)

    @lru_cache(maxsize=1)
    def sensor() -> StereoSensor:
        return StereoSensor(room(options.seed), rig)

    def depth(camera: str, index: int) -> DepthMap:
        timestamp_ns, T_world_left = tuple(trajectory)[index]
        view = sensor().view(camera, T_world_left)
        return DepthMap(view.z_m, view.camera, timestamp_ns)

    return Truth(trajectory, seen, depth)


def _trajectory(options: RoomOptions) -> Trajectory:
    motion = hand_held(
        options.frames, seed=options.seed, speed=options.speed, bursts=options.bursts
    )
    stereo = Trajectory()
    for timestamp_ns, T_world_depth in motion:
        stereo.append(timestamp_ns, RigidTransform("world", "left", T_world_depth.matrix))
    return stereo
