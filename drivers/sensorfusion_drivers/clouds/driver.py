"""The driver for point clouds in files."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.rig_file import read_rig
from sensorfusion.errors import CalibrationError, DriverError, SourceError
from sensorfusion.lidar import Lidar
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Driver, FrameSource, Truth
from sensorfusion_drivers.clouds.assemble import ring_count, whole_shift_m
from sensorfusion_drivers.clouds.images import pair_pictures
from sensorfusion_drivers.clouds.listing import Listing, holds_clouds, list_scans
from sensorfusion_drivers.clouds.raw_scan import RawScan
from sensorfusion_drivers.clouds.source import CloudsSource, Meaning, trajectory_of

_NAME = "lidar"


class CloudsDriver(Driver):
    """Point clouds in files: each file (of E57, each scan in it) is a frame.

    PCD's VIEWPOINT is the pose of the sensor, ``T_world_sensor``. Points stand in the sensor's
    coordinate system, as PCL's own viewer reads them, so that ranges are measured from its
    origin; VIEWPOINTs that differ become the trajectory. Files whose points were moved into the
    world before they were written are opened with ``-o points=world``: VIEWPOINT takes them back.
    """

    summary = "point clouds: PCD, PLY, KITTI and nuScenes .bin, NPY, NPZ, LAS, LAZ, E57, text"

    def can_open(self, location: str) -> bool:
        """Recognise a cloud file, or a folder of them, by its first bytes."""
        try:
            return holds_clouds(Path(location))
        except (OSError, ValueError, SourceError):
            return False

    def open(
        self,
        location: str,
        *,
        rate_hz: float = 10.0,
        rig: Path | None = None,
        lidar: str | None = None,
        images: Path | None = None,
        points: Literal["sensor", "world"] = "sensor",
    ) -> FrameSource:
        """Open a file or a folder of files.

        Parameters
        ----------
        location : str
        rate_hz : float
            Scans in a second, for files without time stamps.
        rig : Path or None
            Rig file with cameras, the LiDAR and the transforms between them; by default
            ``rig.toml`` in the folder, if it is there.
        lidar : str or None
            Which LiDAR of the rig measured; needed where it has several.
        images : Path or None
            Folder of pictures, or of one folder of them for each camera of the rig; by default
            ``images`` beside ``rig.toml``, if it is there.
        points : {"sensor", "world"}
            The coordinate system in which the files hold their points.

        Raises
        ------
        SourceError
            If there is no cloud, or the first one cannot be read.
        CalibrationError
            If the rig does not fit the options.
        DriverError
            If ``rate_hz`` is not positive.
        """
        if not 0 < rate_hz <= 1e6:
            msg = f"rate-hz is {rate_hz:g}; expected scans in a second, more than 0"
            raise DriverError(msg)
        listing = list_scans(Path(location), rate_hz)
        first = listing.scans[0]
        raw = listing.kind.read(first.path, first.number)
        rig = rig or _beside(Path(location), "rig.toml")
        images = images or (None if rig is None else _beside(rig.parent, "images"))
        known = _rig(rig, lidar, ring_count(raw, first.path), raw)
        name = lidar or next(iter(known.lidars))
        listing = listing.later(known.time_offset_ns(name))
        meaning = Meaning(name, whole_shift_m(raw, first.path), points == "world")
        notes = [*listing.notes, *([raw.note] if raw.note else []), *_shift_note(meaning)]
        pictures = {} if images is None else pair_pictures(images, known, listing, name)
        notes += [paired.note for paired in pictures.values() if paired.note]
        trajectory = trajectory_of(listing, _viewpoints(listing), meaning)
        return CloudsSource(listing, meaning, known, trajectory, pictures, tuple(notes))

    def truth(
        self,
        location: str,
        *,
        rate_hz: float = 10.0,
        rig: Path | None = None,
        lidar: str | None = None,
        points: Literal["sensor", "world"] = "sensor",
    ) -> Truth:
        """Read the poses that the files hold, of the LiDAR as :meth:`open` names it."""
        with self.open(location, rate_hz=rate_hz, rig=rig, lidar=lidar, points=points) as source:
            return Truth(source.trajectory)


def _beside(folder: Path, name: str) -> Path | None:
    """Return what a folder holds under a name, or None where it does not."""
    return folder / name if (folder / name).exists() else None


def _rig(path: Path | None, lidar: str | None, rings: int, raw: RawScan) -> Rig:
    """Return the rig of the file with its LiDAR, or one that is a LiDAR and no more."""
    if path is None:
        named = _described(Lidar(name=lidar or _NAME), rings, raw)
        return Rig({}, lidars={named.name: named})
    rig = read_rig(path)
    names = ", ".join(rig.lidars) or "none"
    if (lidar is None and len(rig.lidars) != 1) or (
        lidar or next(iter(rig.lidars))
    ) not in rig.lidars:
        msg = (
            f"{path}: LiDARs {names}; expected {'one' if lidar is None else repr(lidar)}; choose "
            "with -o lidar=NAME, or add it to the rig"
        )
        raise CalibrationError(msg)
    name = lidar or next(iter(rig.lidars))
    return replace(rig, lidars={**rig.lidars, name: _described(rig.lidars[name], rings, raw)})


def _described(lidar: Lidar, rings: int, raw: RawScan) -> Lidar:
    """Return a LiDAR with the rings and columns that its first scan shows, where not known."""
    columns = raw.columns if raw.rows > 1 else 0
    return replace(lidar, rings=lidar.rings or rings, columns=lidar.columns or columns)


def _viewpoints(listing: Listing) -> list[NDArray[np.float64] | None]:
    """Return where the sensor stood in each scan, as far as the files say it."""
    place = listing.kind.place
    return [None] if place is None else [place(scan.path, scan.number) for scan in listing.scans]


def _shift_note(meaning: Meaning) -> list[str]:
    if not any(meaning.shift_m):
        return []
    x, y, z = (f"{value:.0f}" for value in meaning.shift_m)
    return [f"coordinates are far from the origin: ({x}, {y}, {z}) m were taken from them"]
