"""When files were taken: from a list beside them, from their names, or at a rate."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.read_file import read_whole
from sensorfusion_drivers.names import instants_in_names

_LIST = "timestamps.txt"
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?", re.ASCII)
_UNITS_NS = {13: 1_000_000, 16: 1_000, 19: 1}


@dataclass(frozen=True, slots=True)
class Instants:
    """When files were taken.

    Attributes
    ----------
    timestamps_ns : tuple of int
        One for each file, in their order.
    note : str
        Where they come from, if that is not plain; else "".
    known : bool
        Whether they were measured, and not counted.
    """

    timestamps_ns: tuple[int, ...]
    note: str
    known: bool


def find_instants(files: list[Path], rate_hz: float) -> Instants:
    """Return when files were taken, given in their natural order.

    In this order: ``timestamps.txt`` beside them (or one above, where the folder is named
    ``data`` as KITTI does); names that hold a count of s, ms, us or ns since 1970; the rate.

    Raises
    ------
    CorruptRecordingError
        If the list is not one time for each file.
    """
    folder = files[0].parent
    places = (folder, folder.parent) if folder.name == "data" else (folder,)
    for place in places:
        if (place / _LIST).is_file():
            return Instants(_listed(place / _LIST, len(files)), "", known=True)
    named = instants_in_names(files)
    if named is not None:
        return Instants(named, "", known=True)
    timestamps_ns = tuple(round(k * 10**9 / rate_hz) for k in range(len(files)))
    note = "" if len(files) == 1 else f"no time stamps: {rate_hz:g} scans/s are assumed"
    return Instants(timestamps_ns, note, known=False)


def _listed(path: Path, count: int) -> tuple[int, ...]:
    timestamps_ns, offset = [], 0
    for line in read_whole(path, "a time stamp for each scan").split(b"\n"):
        text = line.decode("ascii", "replace").strip()
        if text and not text.startswith("#"):
            timestamps_ns.append(_time_ns(text, path, offset))
            if timestamps_ns[-2:-1] and timestamps_ns[-1] <= timestamps_ns[-2]:
                raise _corrupt(path, offset, repr(text[:60]), "a time after that of the line above")
        offset += len(line) + 1
    if len(timestamps_ns) != count:
        found = f"{len(timestamps_ns)} time stamps"
        raise _corrupt(path, 0, found, f"one for each of {count} files")
    return tuple(timestamps_ns)


def _time_ns(text: str, path: Path, offset: int) -> int:
    date = _DATE.fullmatch(text)
    try:
        if date:
            instant = datetime.fromisoformat(f"{date[1]}T{date[2]}").replace(tzinfo=UTC)
            return int(instant.timestamp()) * 10**9 + int((date[3] or "").ljust(9, "0"))
        if text.isdecimal() and len(text) in _UNITS_NS:
            return int(text) * _UNITS_NS[len(text)]
        seconds = Decimal(text)
    except (ValueError, InvalidOperation):
        seconds = Decimal("NaN")
    if not (seconds.is_finite() and 0 <= seconds < 9_000_000_000):
        raise _corrupt(
            path, offset, repr(text[:60]), "seconds, ns, or YYYY-MM-DD hh:mm:ss.fraction"
        )
    return int(seconds.scaleb(9))


def _corrupt(path: Path, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, "mend the list or move it away")
