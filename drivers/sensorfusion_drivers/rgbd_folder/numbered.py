"""Open3D and Redwood: ``depth/`` beside ``color/``, ``image/`` or ``rgb/``, paired by number.

Without a colour folder each depth picture is a frame of its own.

``color/00012.jpg`` belongs to ``depth/00012.png``, whatever else is missing. Depth in
millimetres unless the intrinsics file says otherwise. There are no time stamps: picture N stands
at N / 30 s, a nominal time. In SUN3D and Redwood's object scans the names are
``NUMBER-MICROSECONDS`` and each stream counts for itself: there the time pairs them.

References
----------
Open3D's reconstruction system (folder layout); Choi et al., "A large dataset of object scans",
2016; Xiao et al., "SUN3D", ICCV 2013 (names with microseconds).
"""

import re
from collections.abc import Callable
from pathlib import Path

from sensorfusion.errors import SourceError
from sensorfusion_drivers.rgbd_folder.listing import (
    COLOR_ENDINGS,
    DEPTH_ENDINGS,
    Listing,
    Picture,
    file_names,
    in_order,
    without_poses,
)
from sensorfusion_drivers.rgbd_folder.seven_scenes import nominal_time_ns
from sensorfusion_drivers.rgbd_folder.tum import PAIR_TOLERANCE_NS

_COLOR_FOLDERS = ("color", "image", "rgb")
_COLOR = re.compile(rf".*\.(?:{COLOR_ENDINGS})", re.IGNORECASE)
_DEPTH = re.compile(rf".*\.(?:{DEPTH_ENDINGS})", re.IGNORECASE)
_NUMBER = re.compile(r"(?:.*\D)?(\d{1,9})\D*", re.ASCII)
_SECONDS = re.compile(r"\d+\.\d+", re.ASCII)
_NUMBER_MICROSECONDS = re.compile(r"\d+-(\d{12,15})", re.ASCII)
_UNIT_M = 0.001
_ASSUMED = (
    "one unit of depth is taken to be a millimetre, as in folders of Open3D, Redwood and ScanNet; "
    "if that is wrong, give -o encoding=NAME"
)


def is_numbered(folder: Path) -> bool:
    """Say whether a folder holds numbered pictures in ``depth/``, and in a colour folder if any."""
    if not _numbered(folder, "depth", _DEPTH):
        return False
    # Colour pictures whose names say nothing are not the same as no colour pictures.
    pictured = any(_files(folder / name, _COLOR) for name in _COLOR_FOLDERS)
    return bool(_color_folders(folder)) or not pictured


def list_numbered(folder: Path) -> Listing:
    """List the pictures; a missing one leaves its partner unpaired and all others paired."""
    color_folders = _color_folders(folder)
    if len(color_folders) > 1:
        msg = (
            f"{folder}: colour pictures stand in {' and '.join(color_folders)}; expected one "
            "colour folder; move the others away"
        )
        raise SourceError(msg)
    depth_files = _files(folder / "depth", _DEPTH)
    color_files = _files(folder / color_folders[0], _COLOR) if color_folders else []
    files = [depth_files, color_files]
    timed = all(_NUMBER_MICROSECONDS.fullmatch(path.stem) for paths in files for path in paths)
    time_of = _time_in_name_ns if timed else _time_of_number_ns
    (depth, bad_depth), (color, bad_color) = (_pictures(paths, time_of) for paths in files)
    return Listing(
        depth,
        color,
        PAIR_TOLERANCE_NS if timed else 0,
        _UNIT_M,
        without_poses,
        bad_depth + bad_color,
        assumed=_ASSUMED,
    )


def _color_folders(folder: Path) -> list[str]:
    return [name for name in _COLOR_FOLDERS if _numbered(folder, name, _COLOR)]


def _numbered(folder: Path, name: str, kind: re.Pattern[str]) -> bool:
    return any(map(_says_when, _files(folder / name, kind)))


def _files(folder: Path, kind: re.Pattern[str]) -> list[Path]:
    """Return the pictures of a folder, sorted by name; none if it is not there."""
    if not folder.is_dir():
        return []
    return [folder / name for name in file_names(folder) if kind.fullmatch(name)]


def _pictures(
    paths: list[Path], time_of: Callable[[Path], int | None]
) -> tuple[tuple[Picture, ...], int]:
    """Return the pictures of a stream, and how many names say nothing."""
    pictures = []
    for path in paths:
        timestamp_ns = time_of(path)
        if timestamp_ns is not None:
            pictures.append(Picture(timestamp_ns, path))
    return in_order(pictures), len(paths) - len(pictures)


def _says_when(path: Path) -> bool:
    return _time_in_name_ns(path) is not None or _time_of_number_ns(path) is not None


def _time_of_number_ns(path: Path) -> int | None:
    # A time stamp in seconds is not a number of a picture: TUM's folders without their lists.
    match = None if _SECONDS.fullmatch(path.stem) else _NUMBER.fullmatch(path.stem)
    return nominal_time_ns(int(match[1])) if match else None


def _time_in_name_ns(path: Path) -> int | None:
    match = _NUMBER_MICROSECONDS.fullmatch(path.stem)
    return int(match[1]) * 1000 if match else None
