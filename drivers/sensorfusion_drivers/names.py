"""What the names of files say: their order, and when they were taken; for several drivers."""

import re
from pathlib import Path

_WHOLE = re.compile(r"(?:.*\D)?(\d{13}|\d{16}|\d{19})(?:\D.*)?", re.ASCII)
_SECONDS = re.compile(r"(?:.*\D)?(\d{9,10})[._](\d{1,9})(?:\D.*)?", re.ASCII)
_UNITS_NS = {13: 1_000_000, 16: 1_000, 19: 1}
# In our century, as counts since 1970 or, of GPS, since 1980.
_LEAST_NS, _LARGEST_NS = 300_000_000 * 10**9, 4_000_000_000 * 10**9


def natural_order(path: Path) -> tuple[tuple[str | int, ...], str]:
    """Return a key that sorts ``scan2`` before ``scan10``."""
    parts = re.split(r"(\d+)", path.name, flags=re.ASCII)
    return tuple(int(part) if k % 2 else part for k, part in enumerate(parts)), path.name


def instants_in_names(files: list[Path]) -> tuple[int, ...] | None:
    """Return the times in file names, None unless all of them, and all different, hold one."""
    found = [_in_name(path.name.rsplit(".", 1)[0]) for path in files]
    known = [timestamp_ns for timestamp_ns in found if timestamp_ns is not None]
    return tuple(known) if len(set(known)) == len(files) else None


def _in_name(stem: str) -> int | None:
    seconds, whole = _SECONDS.fullmatch(stem), _WHOLE.fullmatch(stem)
    if whole:
        timestamp_ns = int(whole[1]) * _UNITS_NS[len(whole[1])]
    elif seconds:
        timestamp_ns = int(seconds[1]) * 10**9 + int(seconds[2].ljust(9, "0"))
    else:
        return None
    return timestamp_ns if _LEAST_NS <= timestamp_ns < _LARGEST_NS else None
