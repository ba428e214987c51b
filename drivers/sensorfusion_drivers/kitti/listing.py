"""What a KITTI folder holds, before any scan or picture is opened."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sensorfusion.errors import SourceError
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses
from sensorfusion.trajectory import Trajectory

NOMINAL_PERIOD_NS = 100_000_000
"""The LiDAR turns ten times a second."""
WITHOUT_TIMES = "the folder holds no time stamps: scan N is taken to stand at N / 10 s"
_SCAN = re.compile(r"(\d{1,10})\.bin", re.ASCII)
_TEXT = re.compile(r"(\d{1,10})\.txt", re.ASCII)
_PICTURE = re.compile(r"(\d{1,10})\.(?:png|jpg|jpeg)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a stream, its number and its instant."""

    number: int
    timestamp_ns: int
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The scans and pictures of a folder, in whatever layout; a number makes them a frame.

    Attributes
    ----------
    rig : Rig
        LiDAR ``velodyne`` and a camera for each folder of pictures, named as the folder.
    scans : tuple of Item
        In order of number and time.
    pictures : mapping of str to mapping of int to Item
        By camera, then by number.
    read_poses : callable
        Returns ``T_world_velodyne`` at the instants of scans, or None.
    notes : tuple of str
    dropped : mapping of str to int
        Scans that cannot be frames, by reason.
    z_up : bool
        Whether z points up in the world of the poses.
    """

    rig: Rig
    scans: tuple[Item, ...]
    pictures: Mapping[str, Mapping[int, Item]]
    read_poses: Callable[[], Trajectory | None]
    notes: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    z_up: bool = False

    def losses(self) -> Losses:
        """Count pictures of instants without a scan, and what cannot be a frame."""
        numbers = {scan.number for scan in self.scans}
        unpaired = {name: len(items.keys() - numbers) for name, items in self.pictures.items()}
        return Losses(unpaired | dict.fromkeys(self.rig.lidars, 0), dict(self.dropped))


def numbered_scans(folder: Path) -> dict[int, Path]:
    """Return the files ``N.bin`` of a folder by number, in order; none if it is no folder."""
    return _numbered(folder, _SCAN)


def numbered_pictures(folder: Path) -> dict[int, Path]:
    """Return the files ``N.png`` or ``N.jpg`` of a folder by number, in order."""
    return _numbered(folder, _PICTURE)


def numbered_texts(folder: Path) -> dict[int, Path]:
    """Return the files ``N.txt`` of a folder by number, in order."""
    return _numbered(folder, _TEXT)


def has_scans(folder: Path) -> bool:
    """Say whether a folder holds a file ``N.bin``; stops at the first."""
    return any(_SCAN.fullmatch(name) for name in _names(folder))


def clock(times_ns: Mapping[int, int] | None, path: Path) -> Callable[[int], int]:
    """Return what gives the instant of a number: time stamps, or ten scans a second.

    Parameters
    ----------
    times_ns : mapping of int to int, or None
        Nanoseconds by number; None where the folder holds no time stamps.
    path : Path
        Where they stand, named in errors.
    """

    def instant(number: int) -> int:
        if times_ns is None:
            return number * NOMINAL_PERIOD_NS
        if number not in times_ns:
            msg = (
                f"{path}: no time in line {number + 1}, but a scan or picture has number {number}; "
                "expected a line for each; copy the time stamps again, or move them away to use "
                "10 scans a second"
            )
            raise SourceError(msg)
        return times_ns[number]

    return instant


def items(paths: Mapping[int, Path], instant: Callable[[int], int]) -> dict[int, Item]:
    """Return files with their instants, by number."""
    return {number: Item(number, instant(number), path) for number, path in paths.items()}


def ordered(listed: Iterable[Item]) -> tuple[Item, ...]:
    """Return items in order of their numbers.

    Raises
    ------
    SourceError
        If time does not increase with them.
    """
    in_order = tuple(sorted(listed, key=lambda item: item.number))
    for earlier, later in pairwise(in_order):
        if later.timestamp_ns <= earlier.timestamp_ns:
            msg = (
                f"{later.path}: its time, {later.timestamp_ns} ns, is not after that of "
                f"{earlier.path.name}, {earlier.timestamp_ns} ns; expected time to increase with "
                "the number; mend the time stamps, or move them away to use 10 scans a second"
            )
            raise SourceError(msg)
    return in_order


def _names(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        for entry in folder.iterdir():
            yield entry.name


def _numbered(folder: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    try:
        matches = [match for match in map(pattern.fullmatch, _names(folder)) if match]
    except OSError as error:
        msg = f"{folder}: cannot be read ({error.strerror}); check its permissions"
        raise SourceError(msg) from error
    found: dict[int, Path] = {}
    for match in sorted(matches, key=lambda match: int(match[1])):
        if int(match[1]) in found:
            msg = (
                f"{folder}: {found[int(match[1])].name} and {match[0]} have one number; expected "
                "each once; remove one of them"
            )
            raise SourceError(msg)
        found[int(match[1])] = folder / match[0]
    return found
