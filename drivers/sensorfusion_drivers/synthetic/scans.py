"""``synthetic:hall``, ``street`` and ``tunnel``: a spinning LiDAR with cameras beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.rig import Rig
from sensorfusion.simulate.bursts import Motion
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import PERIOD_NS, ScanErrors, Shutter, spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, hall_rig, street_rig
from sensorfusion.simulate.moving import MovingScene
from sensorfusion.simulate.noise import Noise, measure, model_of
from sensorfusion.simulate.seen import surface_scanned
from sensorfusion.simulate.street import LONGEST_S, street, street_drive
from sensorfusion.simulate.tunnel import LONGEST_S as LONGEST_IN_TUNNEL_S
from sensorfusion.simulate.tunnel import tunnel, tunnel_drive
from sensorfusion.sources.driver import Losses, SeekableFrameSource, Truth
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

EXPOSURE_NS: Final = PERIOD_NS * 9 // 20
"""Pictures are taken this long after a scan begins: when the LiDAR looks ahead, and nearer in time
to this scan than to the next."""
_SEEN_WITHIN_M = 40.0


@dataclass(frozen=True, slots=True)
class Place:
    """A scene, and how a LiDAR of some kind moves through it.

    Attributes
    ----------
    scene : callable
        By seed.
    motion : callable
        ``T_world_lidar`` by time.
    rig : callable
        By LiDAR and scale of its cameras' pictures.
    elevation_deg : (float, float)
        Of the highest and the lowest ring.
    most_frames : int
    edge_m : float
        Pieces that the true surface is cut into have no longer edges.
    """

    scene: Callable[[int], MovingScene]
    motion: Motion
    rig: Callable[[Lidar, float], Rig]
    elevation_deg: tuple[float, float]
    most_frames: int
    edge_m: float


PLACES: Final = {
    "hall": Place(
        lambda seed: MovingScene(hall(seed)), hall_walk, hall_rig, (22.5, -22.5), 1_000_000, 0.05
    ),
    "street": Place(
        street, street_drive, street_rig, (2.0, -24.8), int(1e9 * LONGEST_S) // PERIOD_NS, 0.25
    ),
    "tunnel": Place(
        tunnel,
        tunnel_drive,
        street_rig,
        (15.0, -24.8),
        int(1e9 * LONGEST_IN_TUNNEL_S) // PERIOD_NS,
        0.25,
    ),
}


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What to simulate; see ``SyntheticDriver.open``."""

    place: str
    frames: int
    exact: bool
    depth_noise: Noise | None
    seed: int
    scale: float
    shutter: Shutter = "rolling"
    rings: int = 64
    columns: int = 1024


class ScanSource(SeekableFrameSource):
    """Scans, pictures and depth rendered when asked for; any thread may ask.

    Parameters
    ----------
    options : ScanOptions
    """

    def __init__(self, options: ScanOptions) -> None:
        self._lidar_rig = _lidar_rig(options)
        self._options = options
        self.rig = _known_rig(options, self._lidar_rig.rig)
        self.trajectory: Trajectory = _trajectory(options)
        self.down_world: NDArray[np.float64] = np.array([0.0, 0.0, -1.0])
        self.losses = Losses(dict.fromkeys((*self.rig.lidars, *self.rig.cameras), 0))

    def __len__(self) -> int:
        return self._options.frames

    def __getitem__(self, index: int) -> Frame:
        """Render frame ``index``, 0 to len - 1; the same each time."""
        if not 0 <= index < len(self):
            msg = f"frame {index} of a source of {len(self)} frames"
            raise IndexError(msg)
        start_ns = index * PERIOD_NS
        picture_ns = start_ns + EXPOSURE_NS
        rng = np.random.default_rng([self._options.seed, 5, index])
        cloud = self._lidar_rig.scan(start_ns, rng).cloud
        color = Image(self._lidar_rig.picture("color", picture_ns), "color", picture_ns)
        depths: dict[str, RawDepth | DepthMap] = {}
        if self._options.depth_noise is not None:
            view = self._lidar_rig.view("depth", picture_ns)
            depths["depth"] = measure(view, picture_ns, self._options.depth_noise, rng)
        return Frame(index, start_ns, cloud.coordinate_system, cloud, {"color": color}, depths)

    def samples(self) -> Iterator[Sample]:
        """Yield scan, depth and colour of each frame."""
        for frame in self:
            yield Sample(frame.sensor, frame.timestamp_ns, frame.measurement)
            for name, depth in frame.depths.items():
                yield Sample(name, depth.timestamp_ns, depth)
            for name, image in frame.images.items():
                yield Sample(name, image.timestamp_ns, image)


def scan_truth(options: ScanOptions) -> Truth:
    """Return where the LiDAR is when each scan begins, what it saw, and depth of each picture.

    The surface is that of what stands still, as far as scans saw it within 40 m.
    """

    def depth(camera: str, index: int) -> DepthMap:
        picture_ns = index * PERIOD_NS + EXPOSURE_NS
        view = _lidar_rig(options).view(camera, picture_ns)
        return DepthMap(view.z_m, view.camera, picture_ns)

    def mesh() -> TriangleMesh:
        place, trajectory = PLACES[options.place], _trajectory(options)
        lidar_rig = _lidar_rig(options)
        (lidar,) = lidar_rig.rig.lidars.values()
        still = place.scene(options.seed).still.mesh
        limits = {"far_m": _SEEN_WITHIN_M, "edge_m": place.edge_m}
        return surface_scanned(still, lidar, trajectory.poses, **limits)

    return Truth(_trajectory(options), mesh, depth)


# A source and its truth, or the same source again, share what takes long to build.
@lru_cache(maxsize=2)
def _lidar_rig(options: ScanOptions) -> LidarRig:
    place = PLACES[options.place]
    highest_deg, lowest_deg = place.elevation_deg
    lidar = spinning_lidar(
        options.rings, options.columns, highest_deg=highest_deg, lowest_deg=lowest_deg
    )
    return LidarRig(
        place.scene(options.seed),
        place.rig(lidar, options.scale),
        place.motion,
        shutter=options.shutter,
        errors=ScanErrors.none() if options.exact else ScanErrors(),
    )


def _known_rig(options: ScanOptions, rig: Rig) -> Rig:
    """Return the rig as a recording would know it: with a depth camera only if it measures."""
    if options.depth_noise is not None:
        known = model_of(options.depth_noise, rig.cameras["depth"])
        return Rig(rig.cameras, rig.transforms, {"depth": known}, lidars=rig.lidars)
    (lidar,) = rig.lidars
    color = {"color": rig.cameras["color"]}
    return Rig(color, (rig.transform(lidar, "color"),), lidars=rig.lidars)


def _trajectory(options: ScanOptions) -> Trajectory:
    stamps_ns = PERIOD_NS * np.arange(options.frames, dtype=np.int64)
    matrices = PLACES[options.place].motion(1e-9 * stamps_ns.astype(np.float64))
    poses = [RigidTransform("world", "lidar", matrix) for matrix in matrices]
    return Trajectory(stamps_ns.tolist(), poses)
