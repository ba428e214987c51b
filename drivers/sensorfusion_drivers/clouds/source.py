"""Frames of cloud files, read when they are asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.clouds.assemble import Placement, point_cloud
from sensorfusion_drivers.clouds.images import Picture, Pictures
from sensorfusion_drivers.clouds.listing import Listing
from sensorfusion_drivers.pictures import read_color


@dataclass(frozen=True, slots=True)
class Meaning:
    """How the points of the files are meant.

    Attributes
    ----------
    lidar : str
        Name of the sensor that measured them.
    shift_m : tuple of float
        Taken from the coordinates of the files, so that float32 holds what is left.
    in_world : bool
        Whether the files hold points of the world, which their viewpoints take back to the
        sensor; the shift then moves the world alone.
    """

    lidar: str
    shift_m: tuple[float, float, float]
    in_world: bool


class CloudsSource(SeekableFrameSource):
    """Open cloud files; reads files only, so any thread may ask for any frame.

    Parameters
    ----------
    listing : Listing
    meaning : Meaning
    rig : Rig
    trajectory : Trajectory or None
        ``T_world_lidar``.
    pictures : mapping of str to Pictures
        By camera.
    notes : tuple of str
    """

    def __init__(
        self,
        listing: Listing,
        meaning: Meaning,
        rig: Rig,
        trajectory: Trajectory | None,
        pictures: Mapping[str, Pictures],
        notes: tuple[str, ...],
    ) -> None:
        self.rig = rig
        self.trajectory = trajectory
        self.down_world = None
        self.notes = notes
        self.losses = Losses(dict.fromkeys((*rig.lidars, *rig.cameras), 0))
        self.losses.unpaired |= {name: p.unpaired for name, p in pictures.items()}
        if listing.left_out:
            self.losses.dropped["file of another kind"] = listing.left_out
        self._listing, self._meaning, self._pictures = listing, meaning, pictures

    def __len__(self) -> int:
        return len(self._listing.scans)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``.

        Raises
        ------
        IndexError
            If ``index`` is not from 0 to len - 1.
        SourceError
            If a file cannot be read or is damaged, or a picture has not the size of its camera.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of {len(self)}"
            raise IndexError(msg)
        images = {
            camera: self._image(pictures.of_scan[index], camera)
            for camera, pictures in self._pictures.items()
            if index in pictures.of_scan
        }
        cloud = self._cloud(index)
        return Frame(index, cloud.timestamp_ns, self._meaning.lidar, cloud, images)

    def samples(self) -> Iterator[Sample]:
        """Yield every scan, and every picture whose time is known, in order of time."""
        listed: list[tuple[int, str, int | Picture]] = [
            (timestamp_ns, self._meaning.lidar, index)
            for index, timestamp_ns in enumerate(self._listing.instants.timestamps_ns)
        ]
        for camera, pictures in self._pictures.items():
            all_of_it = (*pictures.of_scan.values(), *pictures.alone)
            listed += [(picture.timestamp_ns, camera, picture) for picture in all_of_it]
        for timestamp_ns, stream, item in sorted(listed, key=lambda entry: entry[:2]):
            data = self._cloud(item) if isinstance(item, int) else self._image(item, stream)
            yield Sample(stream, timestamp_ns, data)

    def _cloud(self, index: int) -> PointCloud:
        scan, meaning = self._listing.scans[index], self._meaning
        raw = self._listing.kind.read(scan.path, scan.number)
        timestamp_ns = self._listing.instants.timestamps_ns[index]
        placement = Placement(meaning.lidar, timestamp_ns, meaning.shift_m)
        if meaning.in_world:
            if raw.T_world_sensor is None:
                msg = f"{scan.path}: no VIEWPOINT to take points of the world back to the sensor"
                raise UnsupportedRecordingError(msg)
            T_world_sensor = RigidTransform("world", meaning.lidar, raw.T_world_sensor)
            placement = Placement(
                meaning.lidar, timestamp_ns, T_sensor_file=T_world_sensor.inverse()
            )
        return point_cloud(raw, placement, scan.path)

    def _image(self, picture: Picture, camera: str) -> Image:
        pixels = read_color(picture.path)
        described = self.rig.cameras[camera]
        if pixels.shape[:2] != (described.height, described.width):
            msg = (
                f"{picture.path}: {pixels.shape[1]}x{pixels.shape[0]} pixels; expected "
                f"{described.width}x{described.height} of camera {camera!r} in the rig; give "
                "pictures of this size or a rig for theirs"
            )
            raise UnsupportedRecordingError(msg)
        return Image(pixels, camera, picture.timestamp_ns)


def trajectory_of(
    listing: Listing, T_world_sensor: list[NDArray[np.float64] | None], meaning: Meaning
) -> Trajectory | None:
    """Return the poses that files hold, if they say anything.

    Many writers put the identity, or one and the same turn, into every file: of several files
    only poses that differ are a trajectory.
    """
    if any(matrix is None for matrix in T_world_sensor):
        return None
    matrices = [matrix for matrix in T_world_sensor if matrix is not None]
    alike = all(np.array_equal(matrix, matrices[0]) for matrix in matrices)
    if alike and (len(matrices) > 1 or np.array_equal(matrices[0], np.eye(4))):
        return None
    poses = [_shifted(matrix, meaning) for matrix in matrices]
    return Trajectory(listing.instants.timestamps_ns, poses)


def _shifted(T_world_sensor: NDArray[np.float64], meaning: Meaning) -> RigidTransform:
    matrix = T_world_sensor.copy()
    if meaning.in_world:
        matrix[:3, 3] -= meaning.shift_m
    else:
        # The points were moved within the sensor's coordinates: its origin moves the other way.
        matrix[:3, 3] += matrix[:3, :3] @ np.array(meaning.shift_m)
    return RigidTransform("world", meaning.lidar, matrix)
