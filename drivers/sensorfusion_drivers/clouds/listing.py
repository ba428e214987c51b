"""The scans of a location, before any of them is read whole."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sensorfusion.errors import SourceError, UnsupportedRecordingError
from sensorfusion_drivers.clouds.instants import Instants, find_instants
from sensorfusion_drivers.clouds.readers import KINDS, Kind, kind_of
from sensorfusion_drivers.names import natural_order

# What stands beside clouds in recordings of other kinds, which have drivers of their own.
_FOREIGN_FOLDERS = frozenset({"depth", "rgb", "color", "image", "velodyne"})
_FOREIGN_FILES = ("calib", ".depth.png", ".color.png")
_RAW = ".bin"


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan: a file, and which of its scans."""

    path: Path
    number: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """The scans of a location in order of time.

    Attributes
    ----------
    kind : Kind
    scans : tuple of Scan
    instants : Instants
        One for each scan.
    notes : tuple of str
    left_out : int
        Cloud files of another kind.
    """

    kind: Kind
    scans: tuple[Scan, ...]
    instants: Instants
    notes: tuple[str, ...] = ()
    left_out: int = 0

    def later(self, offset_ns: int) -> "Listing":
        """Return the same with so many nanoseconds added to each instant."""
        if not offset_ns:
            return self
        stamps_ns = tuple(stamp + offset_ns for stamp in self.instants.timestamps_ns)
        return replace(self, instants=replace(self.instants, timestamps_ns=stamps_ns))


def holds_clouds(location: Path) -> bool:
    """Say whether a location is a cloud file, or a folder of them and of nothing else's."""
    if location.is_file():
        return kind_of(location) is not None
    if not location.is_dir():
        return False
    files = _cloud_files(location)
    if not files:
        return False
    names = [entry.name.lower() for entry in location.iterdir()]
    if _FOREIGN_FOLDERS & set(names) or any(n.endswith(_FOREIGN_FILES[1:]) for n in names):
        return False
    # Raw floats beside calibration files are KITTI's, whose driver knows what they mean.
    raw = all(path.suffix.lower() == _RAW for path in files)
    if raw and any(name.startswith(_FOREIGN_FILES[0]) for name in names):
        return False
    return kind_of(files[0]) is not None


def list_scans(location: Path, rate_hz: float) -> Listing:
    """List the scans of a file or folder.

    Of files of several kinds the largest group is taken, with a note.

    Raises
    ------
    SourceError
        If there is no cloud, or it cannot be read.
    CorruptRecordingError
        If a list of time stamps does not fit.
    """
    if location.is_file():
        kind = kind_of(location)
        if kind is None:
            raise UnsupportedRecordingError(_no_cloud(location))
        return _timed(kind, [location], rate_hz, (), 0)
    try:
        files = _cloud_files(location)
    except OSError as error:
        msg = f"{location}: cannot be read ({error.strerror or error}); give a file or a folder"
        raise SourceError(msg) from error
    groups = Counter(_ending(path) for path in files)
    if not groups:
        raise SourceError(_no_cloud(location))
    ending, count = max(groups.items(), key=lambda item: (item[1], item[0]))
    chosen = sorted((p for p in files if _ending(p) == ending), key=natural_order)
    kind = kind_of(chosen[0])
    if kind is None:
        raise UnsupportedRecordingError(_no_cloud(chosen[0]))
    others = len(files) - count
    notes = () if not others else (f"{others} cloud files that do not end in {ending} left out",)
    return _timed(kind, chosen, rate_hz, notes, others)


def _timed(
    kind: Kind, files: list[Path], rate_hz: float, notes: tuple[str, ...], left_out: int
) -> Listing:
    if kind.count is None:
        scans = [Scan(path) for path in files]
    else:
        scans = [Scan(path, number) for path in files for number in range(kind.count(path))]
        if not scans:
            msg = f"{files[0]}: an {kind.name} file without scans; expected points"
            raise SourceError(msg)
    # Several scans of one file share its name: they can only be counted.
    instants = find_instants([scan.path for scan in scans], rate_hz)
    order = np.argsort(instants.timestamps_ns, kind="stable")
    in_order = Instants(
        tuple(instants.timestamps_ns[k] for k in order), instants.note, instants.known
    )
    notes = (*notes, instants.note) if instants.note else notes
    return Listing(kind, tuple(scans[k] for k in order), in_order, notes, left_out)


def _cloud_files(folder: Path) -> list[Path]:
    endings = {ending for kind in KINDS for ending in kind.endings}
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted((p for p in found if _ending(p) in endings and p.is_file()), key=natural_order)


def _ending(path: Path) -> str:
    name = path.name.lower()
    return ".pcd.bin" if name.endswith(".pcd.bin") else path.suffix.lower()


def without_ending(path: Path) -> str:
    """Return the name of a cloud file without what says its kind."""
    return path.name[: len(path.name) - len(_ending(path))]


def _no_cloud(location: Path) -> str:
    kinds = ", ".join(kind.name for kind in KINDS)
    return f"{location}: no cloud of points; expected {kinds}; give such a file or a folder of them"
