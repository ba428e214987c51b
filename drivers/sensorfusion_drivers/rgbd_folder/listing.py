"""What a folder holds, before any picture is opened."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import SourceError
from sensorfusion.sources.driver import Losses
from sensorfusion.sources.synchronize import pair_by_time
from sensorfusion.trajectory import Trajectory

FILE_MISSING = "picture file missing"
DEPTH_ENDINGS: Final = "png|pgm|tif|tiff|exr|npy"
COLOR_ENDINGS: Final = "jpg|jpeg|png|ppm|pgm"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture file and its instant."""

    timestamp_ns: int
    path: Path
    present: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """A depth picture and the colour picture that belongs to it; None where there is no colour."""

    depth: Picture
    color: Picture | None

    @property
    def present(self) -> bool:
        """Say whether its files exist."""
        return self.depth.present and (self.color is None or self.color.present)


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures of a folder, in whatever layout.

    Attributes
    ----------
    depth, color : tuple of Picture
        In order of time, no instant twice. Without any colour each depth picture is a frame.
    tolerance_ns : int
        Largest difference in time within a pair; 0 where a number in the name pairs them.
    unit_m : float or None
        Metres per depth unit, by the document of the layout; None where there is none.
    read_poses : callable
        Reads ``T_world_depth`` for instants; leaves out those without a pose.
    unreadable_names : int
        Picture files whose name says neither number nor time.
    sensor : str
        Product that the layout's data sets were taken with, "" if it may be any.
    assumed : str
        What a user should know of ``unit_m``, where other folders look the same.
    pairs : tuple of Pair
        The pairs whose files exist, in order of time.
    """

    depth: tuple[Picture, ...]
    color: tuple[Picture, ...]
    tolerance_ns: int
    unit_m: float | None
    read_poses: Callable[[Iterable[Picture]], Trajectory]
    unreadable_names: int = 0
    sensor: str = ""
    assumed: str = ""
    pairs: tuple[Pair, ...] = field(init=False)
    _pairs_listed: int = field(init=False)

    def __post_init__(self) -> None:
        if self.color:
            found = pair_by_time(_instants(self.depth), _instants(self.color), self.tolerance_ns)
            listed = [Pair(self.depth[i], self.color[j]) for i, j in found]
        else:
            listed = [Pair(picture, None) for picture in self.depth]
        present = tuple(pair for pair in listed if pair.present)
        object.__setattr__(self, "pairs", present)
        object.__setattr__(self, "_pairs_listed", len(listed))

    def losses(self) -> Losses:
        """Count what cannot become a frame, with the reason."""
        streams = {"depth": self.depth} | ({"color": self.color} if self.color else {})
        dropped = {
            FILE_MISSING: self._pairs_listed - len(self.pairs),
            "no number in the file name": self.unreadable_names,
        }
        return Losses(
            {name: len(pictures) - self._pairs_listed for name, pictures in streams.items()},
            {reason: count for reason, count in dropped.items() if count},
        )

    def trajectory(self) -> Trajectory | None:
        """Return the poses of the frames, ``T_world_depth``, or None where there are none."""
        poses = self.read_poses(pair.depth for pair in self.pairs)
        return poses if len(poses) else None


def in_order(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    """Sort pictures by time.

    Raises
    ------
    SourceError
        If two pictures of one stream claim the same instant: which one belongs is a guess.
    """
    ordered = sorted(set(pictures), key=lambda picture: (picture.timestamp_ns, picture.path))
    for earlier, later in pairwise(ordered):
        if earlier.timestamp_ns == later.timestamp_ns:
            msg = (
                f"{earlier.path} and {later.path.name} stand for the same instant; expected one "
                "picture for each; remove or rename one of them"
            )
            raise SourceError(msg)
    return tuple(ordered)


def without_poses(_: Iterable[Picture]) -> Trajectory:
    """Return no poses: the layout has none."""
    return Trajectory()


def file_names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted.

    Raises
    ------
    SourceError
        If it is not a folder that can be read.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"{folder}: cannot be read as a folder of pictures: {reason}"
        raise SourceError(msg) from error


def _instants(pictures: tuple[Picture, ...]) -> NDArray[np.int64]:
    return np.array([picture.timestamp_ns for picture in pictures], dtype=np.int64)
