"""What a recording shows of its rig: frames with pictures, and the edges of both."""

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.edge_observation import MovedEdges, Observed
from sensorfusion.calibration.edge_points import EdgePoints, edges_of_depth, edges_of_scan
from sensorfusion.calibration.picture_edges import edge_strength
from sensorfusion.calibration.scenes import scenes_of
from sensorfusion.camera import Camera
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.deskew import deskew_along, twist_at
from sensorfusion.depth.organise import organise
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import CalibrationError, SourceError
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Frames spread over a recording, with pictures of a camera beside what measured.

    Attributes
    ----------
    rig : Rig
    camera : Camera
        Whose place is asked.
    sensor : str
        What measured.
    frames : tuple of Frame
    taken_ns : ndarray of int64, shape (F,)
        When each picture was taken, as the rig says.
    trajectory : Trajectory or None
        ``T_world_sensor``; None where the motion is not known.
    """

    rig: Rig
    camera: Camera
    sensor: str
    frames: tuple[Frame, ...]
    taken_ns: NDArray[np.int64]
    trajectory: Trajectory | None

    @property
    def pictures(self) -> tuple[Image, ...]:
        """Return the camera's pictures, one for each frame."""
        return tuple(frame.images[self.camera.name] for frame in self.frames)

    @property
    def T_camera_sensor(self) -> RigidTransform:
        """Return where the sensor sits to the camera, as the rig says."""
        return self.rig.transform(self.camera.name, self.sensor)

    def moved(self, cloud: PointCloud, frame: int, late_ns: int) -> NDArray[np.float64]:
        """Return points as if measured when a frame's picture was taken, if so much later."""
        to_ns = int(self.taken_ns[frame]) + late_ns
        moved = deskew_along(cloud, self.trajectory, to_ns)
        return (cloud if moved is None else moved).points.astype(np.float64)

    def twist(self, frame: int, late_ns: int) -> NDArray[np.float64]:
        """Return velocity and turn rate of the sensor then, float64 (6,); zeros if not known."""
        to_ns = int(self.taken_ns[frame]) + late_ns
        twist = None if self.trajectory is None else twist_at(self.trajectory, to_ns)
        if twist is None:
            return np.zeros(6)
        return np.concatenate([twist.linear_m_s, twist.angular_rad_s])


def frames_beside(
    source: FrameSource, rig: Rig, camera: str | None, trajectory: Trajectory | None, most: int
) -> Beside:
    """Return frames spread over a recording that show where a camera sits.

    Parameters
    ----------
    source : FrameSource
    rig : Rig
        The source's, or one that shall be judged in its place.
    camera : str or None
        Whose place to the measuring sensor is asked; None takes the first that has pictures.
    trajectory : Trajectory or None
        ``T_world_sensor``; None where the motion is not known.
    most : int
        Frames to look at, at most.

    Raises
    ------
    CalibrationError
        If the rig lacks a sensor or nothing connects the two, or the camera is a panorama.
    SourceError
        If no frame has a picture of the camera.
    """
    frames = _spread(source, most)
    name = camera or _first_camera(frames)
    seen = tuple(frame for frame in frames if name in frame.images)
    if not seen:
        there = sorted({each for frame in frames for each in frame.images})
        msg = (
            f"none of {len(frames)} frames has a picture of {name!r}; there are pictures of "
            f"{', '.join(there) or 'no camera'}; to judge a transform, a measurement and a "
            "picture of one instant are needed"
        )
        raise SourceError(msg)
    sensor = seen[0].sensor
    _check(rig, name, sensor)
    late_ns = _late_ns(rig, name, sensor) - _late_ns(source.rig, name, sensor)
    taken_ns = np.array([frame.images[name].timestamp_ns + late_ns for frame in seen], np.int64)
    return Beside(rig, rig.cameras[name], sensor, seen, taken_ns, trajectory)


def observe(beside: Beside) -> Observed:
    """Return what edges of frames show of a camera's place.

    Raises
    ------
    CalibrationError
        If depth was measured by a panorama.
    """
    found = [_edges(frame, beside.rig) for frame in beside.frames]
    edges = _EdgesInTime(found, beside)
    ranges_m = np.linalg.norm(edges(0).points, axis=1)
    reach_m = float(np.median(ranges_m)) if len(ranges_m) else 0.0
    view_rad = 2.0 * math.atan(0.5 * beside.camera.width / beside.camera.fx)
    return Observed(
        camera=beside.camera,
        T_camera_sensor=beside.T_camera_sensor,
        strengths=tuple(edge_strength(picture, beside.camera) for picture in beside.pictures),
        edges_at=edges,
        spacing_rad=float(np.median([each.spacing_rad for _, each in found])),
        moves=edges.moves,
        scenes=scenes_of(beside.taken_ns, beside.trajectory, view_rad, reach_m),
    )


class _EdgesInTime:
    """Edge points of all frames, moved to the instants of their pictures."""

    def __init__(self, found: list[tuple[PointCloud, EdgePoints]], beside: Beside) -> None:
        self._clouds = [cloud for cloud, _ in found]
        self._kinds = np.concatenate([edges.kinds for _, edges in found])
        self._beside = beside

    @property
    def moves(self) -> bool:
        """Whether the sensor is known to move at any picture."""
        return bool(self(0).twists.any())

    def __call__(self, late_ns: int) -> MovedEdges:
        """Return the points if pictures were taken so much later than stamped."""
        numbered = list(enumerate(self._clouds))
        points = [self._beside.moved(cloud, number, late_ns) for number, cloud in numbered]
        return MovedEdges(
            np.concatenate(points),
            self._kinds,
            np.repeat(np.arange(len(points), dtype=np.int32), [len(each) for each in points]),
            np.stack([self._beside.twist(number, late_ns) for number, _ in numbered]),
        )


def _edges(frame: Frame, rig: Rig) -> tuple[PointCloud, EdgePoints]:
    """Return a frame's edges, and as a cloud with the instants of its points."""
    if isinstance(frame.measurement, PointCloud):
        cloud = frame.measurement
        edges = edges_of_scan(organise(cloud, rig.lidars[frame.sensor]))
        offsets = cloud.time_offset_ns
        if offsets is not None:
            offsets = offsets[edges.rows]
        return PointCloud(
            edges.points, frame.sensor, cloud.timestamp_ns, time_offset_ns=offsets
        ), edges
    depth = depth_of(frame, rig)
    edges = edges_of_depth(depth)
    return PointCloud(edges.points, frame.sensor, depth.timestamp_ns), edges


def depth_of(frame: Frame, rig: Rig) -> DepthMap:
    """Return what a frame's depth camera measured; ``CalibrationError`` for a panorama."""
    depth = absolute_depth(frame, DepthSettings(), rig)
    if depth.camera.is_spherical:
        msg = f"{depth.camera.name!r} is a panorama; its place cannot be judged by its pictures"
        raise CalibrationError(msg)
    return depth


def _spread(source: FrameSource, most: int) -> list[Frame]:
    """Return frames spread evenly over a recording; of what cannot be sought, the first."""
    if not isinstance(source, SeekableFrameSource):
        return list(islice(source, most))
    count = len(source)
    chosen = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    return [source[int(index)] for index in chosen]


def _first_camera(frames: list[Frame]) -> str:
    """Return the first camera beside the one that measured."""
    for frame in frames:
        for name in frame.images:
            if name != frame.sensor:
                return name
    msg = (
        "no frame has a picture of a camera beside the sensor that measured depth, so there is no "
        "transform to judge"
    )
    raise SourceError(msg)


def _late_ns(rig: Rig, camera: str, sensor: str) -> int:
    return rig.time_offset_ns(camera) - rig.time_offset_ns(sensor)


def _check(rig: Rig, camera: str, sensor: str) -> None:
    there = (*rig.cameras, *rig.lidars)
    for name in (camera, sensor):
        if name not in there:
            msg = f"the rig has no {name!r}, only {', '.join(there) or 'nothing'}"
            raise CalibrationError(msg)
    if rig.cameras[camera].is_spherical:
        msg = f"camera {camera!r} is a panorama; its place cannot be judged by edges"
        raise CalibrationError(msg)
