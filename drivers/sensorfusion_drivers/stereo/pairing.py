"""Which pictures of several cameras belong to one instant, and when that was."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.parse_text import read_text
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion_drivers.names import instants_in_names, natural_order
from sensorfusion_drivers.stereo.listing import Layout

_TIMES = "times.txt"
_LONGEST_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Instant:
    """The pictures of one instant, in the order of the cameras."""

    timestamp_ns: int
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Paired:
    """All instants that every camera saw.

    Attributes
    ----------
    instants : tuple of Instant
        In order of time.
    unpaired : mapping of str to int
        Pictures of each camera that the others have no partner for.
    notes : tuple of str
    """

    instants: tuple[Instant, ...]
    unpaired: Mapping[str, int]
    notes: tuple[str, ...]


def pair_pictures(layout: Layout, rate_hz: float) -> Paired:
    """Pair by equal names, else by the times in the names, else by order where counts are equal.

    Instants are those of the reference camera's names where they are times, else of ``times.txt``
    (KITTI), else counted at a rate.

    Raises
    ------
    SourceError
        If nothing says what belongs together, or two pictures of a camera have one name.
    CorruptRecordingError
        If ``times.txt`` is no list of times, one for each picture.
    """
    if layout.doubled:
        one, other, *_ = layout.doubled[0]
        msg = f"{one} and {other.name} may both be the picture of one instant; remove one of them"
        raise SourceError(msg)
    files = [list(pictures.values()) for pictures in layout.pictures.values()]
    by_name = [dict(pictures) for pictures in layout.pictures.values()]
    common = [key for key in by_name[0] if all(key in other for other in by_name[1:])]
    notes: tuple[str, ...] = ()
    if common:
        rows = [tuple(pictures[key] for pictures in by_name) for key in common]
    else:
        rows = _by_time(files)
    if not rows and len({len(paths) for paths in files}) == 1:
        rows = list(zip(*files, strict=True))
        notes = ("pictures of different names belong together in their order",)
    if not rows:
        counts = ", ".join(
            f"{len(paths)} of {name}" for name, paths in zip(layout.pictures, files, strict=True)
        )
        msg = (
            f"{layout.folders[-1]}: pictures {counts} with other names and without times; expected "
            "equal names, or one of each camera for every instant"
        )
        raise SourceError(msg)
    rows.sort(key=lambda row: natural_order(row[0]))
    stamps_ns, more = _stamps(layout, files[0], [row[0] for row in rows], rate_hz)
    order = np.argsort(stamps_ns, kind="stable")
    return Paired(
        tuple(Instant(stamps_ns[k], rows[k]) for k in order),
        {name: len(paths) - len(rows) for name, paths in zip(layout.pictures, files, strict=True)},
        (*notes, *more),
    )


def _by_time(files: list[list[Path]]) -> list[tuple[Path, ...]]:
    """Return pictures whose names say the same time, to half of the time between them."""
    named = [instants_in_names(paths) for paths in files]
    times = [np.array(stamps, np.int64) for stamps in named if stamps is not None]
    if len(times) < len(files):
        return []
    tolerance_ns = min(median_period_ns(times[0]) // 2 or _LONGEST_NS, _LONGEST_NS)
    partners = [dict(pair_by_time(times[0], other, tolerance_ns)) for other in times[1:]]
    return [
        (path, *(files[k + 1][found[i]] for k, found in enumerate(partners)))
        for i, path in enumerate(files[0])
        if all(i in found for found in partners)
    ]


def _stamps(
    layout: Layout, all_files: list[Path], files: list[Path], rate_hz: float
) -> tuple[list[int], tuple[str, ...]]:
    """Return the instant of each file, and what to say about it."""
    named = instants_in_names(files)
    if named is not None:
        return list(named), ()
    for folder in layout.folders:
        if (folder / _TIMES).is_file():
            listed = _listed(folder / _TIMES, len(all_files))
            number = {path: k for k, path in enumerate(all_files)}
            return [listed[number[path]] for path in files], ()
    stamps_ns = [round(k * 10**9 / rate_hz) for k in range(len(files))]
    if len(files) == 1:
        return stamps_ns, ()
    return stamps_ns, (f"no time stamps: {rate_hz:g} pictures/s are assumed",)


def _listed(path: Path, count: int) -> list[int]:
    """Return the times of a list, in nanoseconds; they increase."""
    words = read_text(path).split()
    try:
        seconds = [float(word) for word in words]
    except ValueError:
        seconds = []
    sound = len(seconds) == count and all(np.isfinite(seconds)) and all(np.diff(seconds) > 0)
    if not sound:
        found = f"{len(words)} words that are no rising seconds, one for each of {count} pictures"
        expected = "seconds, a line for each picture"
        raise CorruptRecordingError(path, 0, found, expected, "mend the list or move it away")
    return [round(second * 1e9) for second in seconds]
