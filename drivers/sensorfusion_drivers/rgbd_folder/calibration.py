"""Intrinsics and gravity from files in or above the folder; never guessed."""

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.intrinsics import PinholeIntrinsics, read_intrinsics
from sensorfusion.formats.read_file import read_whole
from sensorfusion_drivers.rgbd_folder.listing import file_names

# A principal point farther than this share of the picture from its middle belongs to a picture
# of another size: half or twice the size moves it by a quarter or by half.
_LARGEST_SHIFT = 0.2
_LARGEST_SHIFT_DECLARED = 0.3
# Focal lengths in widths of the picture: 3 is a field of view of 19 degrees.
_LARGEST_NORMALISED = 3.0

NOMINAL: Final = Path("primesense")
"""Stands for :data:`PRIMESENSE` where a file of intrinsics is asked for."""
PRIMESENSE: Final = PinholeIntrinsics(525.0, 525.0, 319.5, 239.5, 640, 480)
"""The nominal camera of PrimeSense's sensors, among them the first Kinect."""
PRIMESENSE_NOTE: Final = (
    "intrinsics are nominal (PrimeSense, 525 pixels of focal length at 640x480), not those of this "
    "camera; expect errors of some percent across the picture"
)


def find_intrinsics(folder: Path, given: Path | None) -> tuple[PinholeIntrinsics, Path]:
    """Read the intrinsics that the user gave, or those in the folder, or those one above it.

    Returns
    -------
    tuple of (PinholeIntrinsics, Path)
        The values and their file.

    Raises
    ------
    CalibrationError
        If there is no such file, it cannot be parsed, or several in one place disagree.
    """
    if given is not None:
        return read_intrinsics(given), given
    places = (folder, folder.resolve().parent)
    for place in places:
        paths = [place / name for name in file_names(place) if _is_intrinsics_name(name)]
        found = [(read_intrinsics(path), path) for path in paths]
        if found:
            return _agreed(found)
    msg = (
        f"{folder}: no intrinsics; looked for *intrinsic*.txt and *intrinsic*.json in "
        f"{places[0]} and {places[1]}; give a 3x3 matrix as text or Open3D's JSON with "
        "-o intrinsics=FILE, or -o intrinsics=primesense for the nominal one of a first Kinect"
    )
    raise CalibrationError(msg)


def camera_for(
    name: str, size: tuple[int, int], intrinsics: PinholeIntrinsics, path: Path
) -> Camera:
    """Return the camera of pictures of a size, if the intrinsics belong to that size.

    Parameters
    ----------
    name : str
    size : tuple of int
        Width and height of the pictures, pixels.
    intrinsics : PinholeIntrinsics
    path : Path
        File of the intrinsics, named in errors.

    Raises
    ------
    CalibrationError
        If the file names another size, the values are no pixels of such pictures, or the
        principal point does not fit them.
    """
    width, height = size
    declared = (intrinsics.width, intrinsics.height)
    if declared not in ((None, None), size):
        msg = (
            f"{path}: intrinsics for {declared[0]}x{declared[1]} pixels, but the pictures have "
            f"{width}x{height}; give those of this size with -o intrinsics=FILE"
        )
        raise CalibrationError(msg)
    _check_pixels(intrinsics, size, path)
    _check_middle(intrinsics, size, path)
    try:
        return Camera(
            name, width, height, intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
        )
    except CalibrationError as error:
        msg = f"{path}: {error}"
        raise CalibrationError(msg) from error


def read_down(folder: Path) -> NDArray[np.float64] | None:
    """Read ``gravity-direction.txt``: three numbers, pointing down in the world of the poses.

    Returns
    -------
    ndarray of float64, shape (3,), or None
        Unit vector; None where there is no such file.

    Raises
    ------
    CalibrationError
        If the file does not hold three numbers with a direction.
    """
    path = folder / "gravity-direction.txt"
    if not path.is_file():
        return None
    words = (
        read_whole(path, "three numbers that point down")
        .decode(errors="replace")
        .replace(",", " ")
        .split()
    )
    try:
        down = np.array([float(word) for word in words])
    except ValueError:
        down = np.empty(0)
    length = float(np.linalg.norm(down)) if down.shape == (3,) else math.nan
    if not (math.isfinite(length) and length > 1e-6):
        msg = f"{path}: found {' '.join(words)[:80]!r}; expected three numbers that point down"
        raise CalibrationError(msg)
    return np.asarray(down / length)


def _is_intrinsics_name(name: str) -> bool:
    lower = name.lower()
    return "intrinsic" in lower and lower.endswith((".txt", ".json"))


def _check_pixels(intrinsics: PinholeIntrinsics, size: tuple[int, int], path: Path) -> None:
    """Refuse values that were divided by the picture's size, or fx and fy that do not match."""
    fx, fy = intrinsics.fx, intrinsics.fy
    largest = max(fx, fy, abs(intrinsics.cx), abs(intrinsics.cy))
    if largest <= _LARGEST_NORMALISED and min(size) > 10 * _LARGEST_NORMALISED:
        msg = (
            f"{path}: fx {fx:g}, fy {fy:g}, cx {intrinsics.cx:g}, cy {intrinsics.cy:g} for "
            f"pictures of {size[0]}x{size[1]}; expected pixels; are these normalised by the "
            "picture's size? Multiply fx and cx by the width, fy and cy by the height"
        )
        raise CalibrationError(msg)
    if not 0.5 <= fx / fy <= 2:
        msg = (
            f"{path}: fx {fx:g} and fy {fy:g} differ by more than a factor of 2; expected pixels "
            "that are nearly square; mend the file or give another with -o intrinsics=FILE"
        )
        raise CalibrationError(msg)


def _check_middle(intrinsics: PinholeIntrinsics, size: tuple[int, int], path: Path) -> None:
    """Refuse a principal point that belongs to a picture of another size."""
    width, height = size
    shifts = (
        abs(intrinsics.cx - (width - 1) / 2) / width,
        abs(intrinsics.cy - (height - 1) / 2) / height,
    )
    # Half the size moves the point by a quarter of the picture both ways; a crop, which a file
    # that says its size may mean, seldom does.
    declared = intrinsics.width is not None
    largest = _LARGEST_SHIFT_DECLARED if declared else _LARGEST_SHIFT
    if max(shifts) <= largest and min(shifts) <= _LARGEST_SHIFT:
        return
    advice = (
        "give another file with -o intrinsics=FILE"
        if declared
        else "if the pictures are cropped, give Open3D's JSON with their width and height"
    )
    msg = (
        f"{path}: principal point ({intrinsics.cx:g}, {intrinsics.cy:g}) is far from the "
        f"middle of {width}x{height} pictures; expected intrinsics of this size; {advice}"
    )
    raise CalibrationError(msg)


def _agreed(
    found: list[tuple[PinholeIntrinsics, Path]],
) -> tuple[PinholeIntrinsics, Path]:
    """Return what several files say together, each value from those that say it."""
    merged: dict[str, Any] = {}
    for name in (field.name for field in fields(PinholeIntrinsics)):
        values = {getattr(values, name) for values, _ in found} - {None}
        if len(values) > 1:
            listed = ", ".join(path.name for _, path in found)
            msg = (
                f"{found[0][1].parent}: intrinsics files {listed} disagree on {name} "
                f"({', '.join(map(str, sorted(values)))}); choose one with -o intrinsics=FILE"
            )
            raise CalibrationError(msg)
        if values:
            merged[name] = values.pop()
    sized = [path for values, path in found if values.width is not None]
    return replace(found[0][0], **merged), (sized or [found[0][1]])[0]
