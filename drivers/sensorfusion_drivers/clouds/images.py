"""Pictures beside clouds: which belongs to which scan."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensorfusion.errors import CalibrationError, SourceError
from sensorfusion.rig import Rig
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion_drivers.clouds.listing import Listing, without_ending
from sensorfusion_drivers.names import instants_in_names, natural_order

_PICTURE = re.compile(r".*\.(?:png|jpg|jpeg)", re.IGNORECASE)
_LONGEST_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file and its instant; that of its scan where its own is not known."""

    path: Path
    timestamp_ns: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of one camera.

    Attributes
    ----------
    of_scan : mapping of int to Picture
        By index of the scan.
    alone : tuple of Picture
        Those with a time of their own that found no scan.
    unpaired : int
        All that found no scan.
    note : str
        How they were paired, if not by time.
    """

    of_scan: Mapping[int, Picture]
    alone: tuple[Picture, ...]
    unpaired: int
    note: str


def pair_pictures(folder: Path, rig: Rig, listing: Listing, lidar: str) -> dict[str, Pictures]:
    """Pair the pictures of each camera with scans.

    ``FOLDER/*.png`` are those of the rig's only camera, ``FOLDER/NAME/*.png`` those of camera
    NAME. Pictures are paired by the times in their names where scans have times, else by equal
    names, else by order. The rig's time offsets are added to the pictures' times; a picture without
    a time of its own takes that of its scan, which holds the offset of ``lidar`` already.

    Raises
    ------
    SourceError
        If the folder cannot be read or holds no pictures, or nothing says what belongs together.
    CalibrationError
        If the rig has no such camera.
    """
    paired = {}
    for camera, place in _folders(folder, rig).items():
        files = sorted(_pictures(place), key=natural_order)
        offset_ns = rig.time_offset_ns(camera)
        paired[camera] = _paired(camera, files, listing, (offset_ns, rig.time_offset_ns(lidar)))
    return paired


def _folders(folder: Path, rig: Rig) -> dict[str, Path]:
    cameras = ", ".join(rig.cameras)
    if not rig.cameras:
        msg = f"{folder}: pictures, but no camera; give a rig file that has one with -o rig=FILE"
        raise CalibrationError(msg)
    if _pictures(folder):
        if len(rig.cameras) > 1:
            msg = (
                f"{folder}: pictures of one camera, but the rig has {cameras}; put them into "
                "folders of these names"
            )
            raise CalibrationError(msg)
        return {next(iter(rig.cameras)): folder}
    found = {name: folder / name for name in rig.cameras if _pictures(folder / name)}
    if not found:
        msg = f"{folder}: no PNG or JPEG pictures, nor folders {cameras} of them"
        raise SourceError(msg)
    return found


def _pictures(folder: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            return []
        return [path for path in folder.iterdir() if _PICTURE.fullmatch(path.name)]
    except (OSError, ValueError) as error:
        msg = f"{folder}: cannot be read as a folder of pictures ({error})"
        raise SourceError(msg) from error


def _paired(
    camera: str, files: list[Path], listing: Listing, offsets_ns: tuple[int, int]
) -> Pictures:
    """Return pairs; the offsets are those of the camera and of the LiDAR."""
    own_ns, lidar_ns = offsets_ns
    scans_ns = listing.instants.timestamps_ns
    named_ns = instants_in_names(files)
    if listing.instants.known and named_ns is not None:
        return _by_time(files, tuple(stamp + own_ns for stamp in named_ns), scans_ns)
    stems = {without_ending(scan.path): index for index, scan in enumerate(listing.scans)}
    if len(stems) < len(listing.scans):  # several scans of one file share its name
        stems = {}
    by_stem = {stems[path.stem]: path for path in files if path.stem in stems}
    note = f"camera {camera}: pictures belong to the scans of the same name"
    if not by_stem and len(files) == len(scans_ns):
        by_stem = dict(enumerate(files))
        note = f"camera {camera}: pictures belong to scans in their order"
    if not by_stem:
        msg = (
            f"{files[0].parent}: {len(files)} pictures for {len(scans_ns)} scans of other names "
            "and without times; expected equal names or one for each scan"
        )
        raise SourceError(msg)
    late_ns = own_ns - lidar_ns
    of_scan = {index: Picture(path, scans_ns[index] + late_ns) for index, path in by_stem.items()}
    return Pictures(of_scan, (), len(files) - len(of_scan), note)


def _by_time(files: list[Path], named_ns: tuple[int, ...], scans_ns: tuple[int, ...]) -> Pictures:
    first, second = np.array(scans_ns, dtype=np.int64), np.array(named_ns, dtype=np.int64)
    tolerance_ns = min(median_period_ns(first) // 2 or _LONGEST_NS, _LONGEST_NS)
    pairs = pair_by_time(first, second, tolerance_ns)
    pictures = [Picture(path, stamp) for path, stamp in zip(files, named_ns, strict=True)]
    of_scan = {int(i): pictures[j] for i, j in pairs}
    taken = {int(j) for _, j in pairs}
    alone = tuple(picture for j, picture in enumerate(pictures) if j not in taken)
    return Pictures(of_scan, alone, len(alone), "")
