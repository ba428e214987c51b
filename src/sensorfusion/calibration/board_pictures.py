"""Pictures of calibration boards in files and folders."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError, CorruptRecordingError, SourceError
from sensorfusion.formats import jpeg, png
from sensorfusion.formats.read_file import read_whole

_ENDINGS = (".png", ".jpg", ".jpeg")


def find_pictures(places: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the pictures among files and in folders, by rising number, and what else is there.

    Parameters
    ----------
    places : sequence of Path
        Files are taken as they are; of a folder its PNG and JPEG files.

    Returns
    -------
    pictures, others : list of Path
        ``others``: files in the folders that are no pictures by their names.

    Raises
    ------
    SourceError
        If a place is not there, or a folder holds no picture.
    """
    pictures: dict[Path, None] = {}
    others: list[Path] = []
    for place in places:
        if place.is_file():
            pictures[place] = None
            continue
        if not place.is_dir():
            msg = f"{place}: there is no such file or folder; expected pictures (PNG, JPEG)"
            raise SourceError(msg)
        files = sorted((file for file in place.iterdir() if file.is_file()), key=_by_number)
        shown = [file for file in files if file.suffix.lower() in _ENDINGS]
        if not shown:
            msg = f"{place}: holds no picture; expected PNG or JPEG files of a board"
            raise SourceError(msg)
        pictures |= dict.fromkeys(shown)
        others += [file for file in files if file not in pictures]
    return list(pictures), others


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read a picture as shades of grey.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Rows as stored; the darkest and brightest of a 16-bit picture become 0 and 255.

    Raises
    ------
    CorruptRecordingError
        If the file is no whole PNG or JPEG.
    SourceError
        If it cannot be read.
    """
    data = read_whole(path, "a picture (PNG, JPEG)")
    codec = png if data.startswith(png.SIGNATURE) else jpeg
    header = codec.read_header(data, path)
    codec.check_complete(data, path)
    import cv2

    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape != (header.height, header.width):
        raise CorruptRecordingError(
            path, 0, "data that cannot be decoded", "a picture", "copy or export it again"
        )
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    low, high = np.percentile(pixels, (0.1, 99.9))
    level = (pixels.astype(np.float64) - low) * (255.0 / max(high - low, 1.0))
    return np.asarray(np.clip(level, 0, 255), np.uint8)


def pair_pictures(left: Sequence[Path], right: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return which left picture belongs to which right one: by their numbers, else by order.

    Raises
    ------
    CalibrationError
        If there are more of one side, or the numbers in the names do not fit together.
    """
    if len(left) != len(right):
        numbers = {_number(path) for path in left} ^ {_number(path) for path in right}
        alone = [path.name for path in (*left, *right) if _number(path) in numbers]
        msg = f"{len(left)} left and {len(right)} right pictures; expected pairs" + (
            f"; without a partner: {_some(alone)}" if alone else ""
        )
        raise CalibrationError(msg)
    by_number = {_number(path): path for path in right}
    keys = [_number(path) for path in left]
    if len(by_number) == len(right) and len(set(keys)) == len(left) and None not in keys:
        if all(key in by_number for key in keys):
            return [(path, by_number[_number(path)]) for path in left]
        if None not in by_number and set(keys) & set(by_number):
            alone = [path.name for path in left if _number(path) not in by_number]
            msg = (
                f"left pictures {_some(alone)} have no right picture of the same number; give "
                "pairs with equal numbers"
            )
            raise CalibrationError(msg)
    return list(zip(left, right, strict=True))


def sides_of(pictures: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the left and right pictures of a mixed list, told by ``left`` and ``right`` in names.

    Raises
    ------
    CalibrationError
        If a name holds neither, or both.
    """
    sides: dict[str, list[Path]] = {"left": [], "right": []}
    for path in pictures:
        for place in (path.name, path.parent.name):
            found = {side for side in sides if side in place.lower()}
            if found:
                break
        if len(found) != 1:
            msg = (
                f"{path}: is it left or right? expected `left` or `right` in each name; or give "
                "the sides with --left and --right"
            )
            raise CalibrationError(msg)
        sides[found.pop()].append(path)
    return sides["left"], sides["right"]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _number(path: Path) -> int | None:
    """Return the last number in a file's name."""
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else None


def _by_number(path: Path) -> tuple[str, int, str]:
    number = _number(path)
    return re.sub(r"\d+$", "", path.stem), -1 if number is None else number, path.name
