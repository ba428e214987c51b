"""KITTI's calibration texts: a name, a colon and numbers on each line.

References
----------
Geiger, Lenz, Stiller and Urtasun, "Vision meets robotics: the KITTI dataset", IJRR 2013.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from sensorfusion.errors import CalibrationError

_TELLING = re.compile(
    r"^(P[0-3]|P_rect_\d\d|R0_rect|R_rect|R|Tr|Tr_velo_(to_)?cam|Tr_imu_(to_)?velo):?"
    r"(\s+[-+]?[\d.]+(e[-+]?\d+)?){9,12}\s*$",
    re.MULTILINE | re.IGNORECASE | re.ASCII,
)
_NOT_NUMBERS = ("calib_time",)


@dataclass(frozen=True, slots=True)
class KittiText:
    """The lines of a calibration text.

    Attributes
    ----------
    path : Path
    values : dict of str to tuple of float
        Numbers by name, all finite.
    lines : dict of str to int
        Line of each name, from 1.
    """

    path: Path
    values: dict[str, tuple[float, ...]]
    lines: dict[str, int]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """Return the numbers under a name.

        Raises
        ------
        CalibrationError
            If there are not ``count`` of them.
        """
        found = self.values.get(name)
        if found is None or len(found) != count:
            shown = f"no {name}" if found is None else f"{name} with {len(found)} numbers"
            line = f"line {self.lines[name]}: " if name in self.lines else ""
            msg = f"{self.path}: {line}found {shown}; expected {name}: and {count} numbers"
            raise CalibrationError(msg)
        return found


def is_kitti_text(text: str) -> bool:
    """Say whether a text has a line with a name of KITTI's and the numbers of a matrix."""
    return _TELLING.search(text) is not None


def parse_kitti_text(text: str, path: Path) -> KittiText:
    """Parse a calibration text.

    Raises
    ------
    CalibrationError
        If a line is no name with finite numbers, or a name stands twice.
    """
    values: dict[str, tuple[float, ...]] = {}
    lines: dict[str, int] = {}
    for place, line in enumerate(text.splitlines(), start=1):
        words = line.replace(":", " ", 1).split()
        if not words or words[0] in _NOT_NUMBERS:
            continue
        name = words[0]
        try:
            numbers = tuple(map(float, words[1:]))
        except ValueError:
            numbers = ()
        if not numbers or not all(map(math.isfinite, numbers)) or name in values:
            again = "again " if name in values else ""
            msg = f"{path}: line {place}: found {again}{line[:60]!r}; expected NAME: numbers, once"
            raise CalibrationError(msg)
        values[name], lines[name] = numbers, place
    return KittiText(path, values, lines)
