"""What a recording shows of its rig: edges of scans or depth maps, and of the pictures beside."""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.edge_observation import MovedEdges, Observed
from sensorfusion.calibration.edge_points import EdgePoints, edges_of_depth, edges_of_scan
from sensorfusion.calibration.picture_edges import edge_strength
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.deskew import deskew_along, twist_at
from sensorfusion.depth.organise import organise
from sensorfusion.errors import CalibrationError, SourceError
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.trajectory import Trajectory


def observe(
    source: FrameSource, rig: Rig, camera: str | None, trajectory: Trajectory | None, most: int
) -> tuple[Observed, tuple[Image, ...]]:
    """Return what frames spread over a recording show of a camera's place, and their pictures.

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
    seen = [frame for frame in frames if name in frame.images]
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
    described = rig.cameras[name]
    pictures = tuple(frame.images[name] for frame in seen)
    found = [_edges(frame, rig) for frame in seen]
    late_ns = _late_ns(rig, name, sensor) - _late_ns(source.rig, name, sensor)
    taken_ns = np.array([picture.timestamp_ns + late_ns for picture in pictures], np.int64)
    edges = _EdgesInTime(found, taken_ns, trajectory)
    observed = Observed(
        camera=described,
        T_camera_sensor=rig.transform(name, sensor),
        strengths=tuple(edge_strength(picture, described) for picture in pictures),
        timestamps_ns=taken_ns,
        edges_at=edges,
        spacing_rad=float(np.median([each.spacing_rad for _, each in found])),
        moves=edges.moves,
    )
    return observed, pictures


class _EdgesInTime:
    """Edge points of all frames, moved to the instants of their pictures."""

    def __init__(
        self,
        found: list[tuple[PointCloud, EdgePoints]],
        taken_ns: NDArray[np.int64],
        trajectory: Trajectory | None,
    ) -> None:
        self._clouds = [cloud for cloud, _ in found]
        self._kinds = np.concatenate([edges.kinds for _, edges in found])
        self._taken_ns, self._trajectory = taken_ns.tolist(), trajectory

    @property
    def moves(self) -> bool:
        """Whether the sensor is known to move at any picture."""
        return bool(self(0).twists.any())

    def __call__(self, late_ns: int) -> MovedEdges:
        """Return the points if pictures were taken so much later than stamped."""
        points, twists = [], np.zeros((len(self._clouds), 6))
        for number, (cloud, stamp_ns) in enumerate(zip(self._clouds, self._taken_ns, strict=True)):
            moved = deskew_along(cloud, self._trajectory, stamp_ns + late_ns)
            points.append((cloud if moved is None else moved).points)
            if self._trajectory is None:
                continue
            twist = twist_at(self._trajectory, stamp_ns + late_ns)
            if twist is not None:
                twists[number] = (*twist.linear_m_s, *twist.angular_rad_s)
        counts = [len(each) for each in points]
        return MovedEdges(
            np.concatenate(points).astype(np.float64),
            self._kinds,
            np.repeat(np.arange(len(points), dtype=np.int32), counts),
            twists,
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
    depth = absolute_depth(frame, DepthSettings(), rig)
    if depth.camera.is_spherical:
        msg = f"{depth.camera.name!r} is a panorama; its place cannot be judged by edges"
        raise CalibrationError(msg)
    edges = edges_of_depth(depth)
    return PointCloud(edges.points, frame.sensor, depth.timestamp_ns), edges


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
