"""COLMAP's text files: ``cameras.txt`` and ``images.txt``.

References
----------
COLMAP documentation, "Output format": cameras are ``ID MODEL WIDTH HEIGHT PARAMS``; images are two
lines each, ``ID QW QX QY QZ TX TY TZ CAMERA_ID NAME`` and the points seen, of which nothing is
read. The quaternion and translation take world coordinates to those of the camera.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sensorfusion.errors import CalibrationError

PARAMETERS = {
    "SIMPLE_PINHOLE": 3,
    "PINHOLE": 4,
    "SIMPLE_RADIAL": 4,
    "RADIAL": 5,
    "OPENCV": 8,
    "OPENCV_FISHEYE": 8,
    "FULL_OPENCV": 12,
    "SIMPLE_RADIAL_FISHEYE": 4,
    "RADIAL_FISHEYE": 5,
}
"""How many parameters each model has that can be read."""

_NUMBER = r"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
_CAMERA = re.compile(rf"^\d+\s+[A-Z_]{{3,}}\s+\d+\s+\d+(?:\s+{_NUMBER})+\s*$", re.ASCII)
_IMAGE = re.compile(rf"^\d+(?:\s+{_NUMBER}){{7}}\s+\d+\s+\S.*$", re.ASCII)


@dataclass(frozen=True, slots=True)
class ColmapCamera:
    """A line of ``cameras.txt``; the centre of the upper left pixel is at (0.5, 0.5)."""

    number: int
    model: str
    width: int
    height: int
    parameters: tuple[float, ...]
    line: int


@dataclass(frozen=True, slots=True)
class ColmapImage:
    """The first of an image's two lines: world to camera, quaternion with its scalar first."""

    quaternion_wxyz: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int
    name: str
    line: int


def is_colmap_cameras(text: str) -> bool:
    """Say whether the first line that is no comment is a camera's."""
    return _CAMERA.match(next(_lines(text), (0, ""))[1]) is not None


def is_colmap_images(text: str) -> bool:
    """Say whether the first line that is no comment is an image's."""
    return _IMAGE.match(next(_lines(text), (0, ""))[1]) is not None


def parse_cameras(text: str, path: Path) -> tuple[ColmapCamera, ...]:
    """Parse ``cameras.txt``.

    Raises
    ------
    CalibrationError
        If a line is no camera, or of a model that is not read.
    """
    cameras = []
    for place, line in _lines(text):
        words = line.split()
        model = words[1] if len(words) > 1 else ""
        if not _CAMERA.match(line) or len(words) - 4 != PARAMETERS.get(model):
            known = ", ".join(f"{name} ({count})" for name, count in PARAMETERS.items())
            expected = f"ID MODEL WIDTH HEIGHT and the parameters of one of {known}"
            raise _refused(path, place, line, expected)
        numbers = _finite(words[4:], path, place, line)
        number, width, height = (_whole(word, path, place) for word in (words[0], *words[2:4]))
        cameras.append(ColmapCamera(number, model, width, height, numbers, place))
    return tuple(cameras)


def parse_images(text: str, path: Path) -> tuple[ColmapImage, ...]:
    """Parse ``images.txt``; the lines of points are passed over.

    Raises
    ------
    CalibrationError
        If the first line of an image is none.
    """
    images = []
    first = True
    for place, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            continue
        if first and line.strip():
            if not _IMAGE.match(line.strip()):
                expected = "ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
                raise _refused(path, place, line, expected)
            words = line.split(maxsplit=9)
            numbers = _finite(words[1:8], path, place, line)
            camera = _whole(words[8], path, place)
            images.append(ColmapImage(numbers[:4], numbers[4:], camera, words[9].strip(), place))
            first = False
        else:
            # The line of points may be empty; so may be a line at the end of the file.
            first = True
    return tuple(images)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for place, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield place, line.strip()


def _finite(words: list[str], path: Path, place: int, line: str) -> tuple[float, ...]:
    try:
        numbers = tuple(map(float, words))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise _refused(path, place, line, "finite numbers")
    return numbers


def _whole(word: str, path: Path, place: int) -> int:
    if len(word) > 9:
        raise _refused(path, place, word, "a whole number of at most 9 digits")
    return int(word)


def _refused(path: Path, place: int, found: str, expected: str) -> CalibrationError:
    return CalibrationError(f"{path}: line {place}: found {found[:80]!r}; expected {expected}")
