"""A wall at a known distance, through the whole path: what must come out is known."""

from collections.abc import Iterator

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.config import Settings
from sensorfusion.depth_map import RawDepth
from sensorfusion.frame import Frame, Sample
from sensorfusion.pipeline import reconstruct
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

_CAMERA = Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5)
_FRAMES = 4
_PERIOD_NS = 33_333_333


class Wall(SeekableFrameSource):
    """A camera that stands still before a wall.

    Parameters
    ----------
    distance_m : float
        From the camera along its axis, metres, to whole millimetres.
    """

    def __init__(self, distance_m: float) -> None:
        self.rig = Rig({_CAMERA.name: _CAMERA})
        self.losses = Losses()
        self.down_world = None
        self._values = np.full((_CAMERA.height, _CAMERA.width), round(distance_m * 1e3), np.uint16)
        still = RigidTransform.identity("world", _CAMERA.name)
        self.trajectory = Trajectory([i * _PERIOD_NS for i in range(_FRAMES)], [still] * _FRAMES)

    def __len__(self) -> int:
        return _FRAMES

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``: the same depth every time."""
        timestamp_ns = index * _PERIOD_NS
        raw = RawDepth(self._values, 0.001, _CAMERA, timestamp_ns)
        return Frame(index, timestamp_ns, _CAMERA.name, raw)

    def samples(self) -> Iterator[Sample]:
        """Yield the depth of every frame."""
        for frame in self:
            yield Sample(frame.sensor, frame.timestamp_ns, frame.measurement)


def wall_distance_m(distance_m: float) -> float:
    """Return where the mesh of a wall has its worst vertex.

    Parameters
    ----------
    distance_m : float
        True distance from the camera, metres, to whole millimetres.

    Returns
    -------
    float
        Distance of the vertex that is farthest from it, metres; NaN when there is none.
    """
    mesh = reconstruct(Wall(distance_m), Settings(), poses="recording").mesh
    distances_m = mesh.vertices[:, 2]
    if not distances_m.size:
        return float("nan")
    return float(distances_m[np.abs(distances_m - distance_m).argmax()])
