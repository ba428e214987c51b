"""What a folder of stereo pictures holds, before any picture is opened."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sensorfusion.errors import SourceError
from sensorfusion_drivers.names import natural_order

PICTURE = re.compile(r".*\.(?:png|jpg|jpeg|ppm|pgm)", re.IGNORECASE)

# Names of a left and a right camera: of folders, and, in front of or behind something else, of
# files. The colour cameras of KITTI stand before its grey ones.
_FOLDERS = (
    ("left", "right"),
    ("image_2", "image_3"),
    ("image_0", "image_1"),
    ("image_02", "image_03"),
    ("image_00", "image_01"),
    ("cam0", "cam1"),
    ("image_left", "image_right"),
)
_FILES = (
    (re.compile(r"(.*?)(left)(.*)", re.IGNORECASE), re.compile(r"(.*?)(right)(.*)", re.IGNORECASE)),
    (re.compile(r"()(im0)()"), re.compile(r"()(im1)()")),
    (re.compile(r"()(view1)()"), re.compile(r"()(view5)()")),
    (re.compile(r"(.*[a-z\d_-])(L)()"), re.compile(r"(.*[a-z\d_-])(R)()")),
)
# Of a sequence of one camera.
_NO_PAIR = "im2"
# What other drivers read lies beside these.
_OTHERS = ("velodyne", "velodyne_points", "scans", "depth", "depth.txt", "rgb.txt")
_DEEPEST = 3

_Found = dict[str, dict[str, list[Path]]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The pictures of each camera.

    Attributes
    ----------
    folders : tuple of Path
        The folder that was given, and those within it on the way to the pictures: calibration may
        lie in each.
    pictures : mapping of str to mapping of str to Path
        By camera, the reference first, then by what is left of a name without the camera's.
    doubled : tuple of tuple of Path
        Pictures of one camera with one name: nobody can say which is meant.
    """

    folders: tuple[Path, ...]
    pictures: Mapping[str, Mapping[str, Path]]
    doubled: tuple[tuple[Path, ...], ...]


def find_layout(folder: Path, cameras: tuple[str, ...] = ()) -> Layout | None:
    """Find the pictures of two or more cameras in a folder, or None.

    Parameters
    ----------
    folder : Path
        Where it holds one folder and no pictures, that one is looked into.
    cameras : tuple of str
        Names that folders of pictures may have, of a rig.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    folders = [folder]
    for _ in range(_DEEPEST):
        here = folders[-1]
        names = {entry.name: entry.is_dir() for entry in here.iterdir()}
        if any(other in names for other in _OTHERS):
            return None
        found = _in_folders(here, names, cameras) or _in_files(here, names)
        if found:
            single = {
                camera: {name: paths[0] for name, paths in named.items()}
                for camera, named in found.items()
            }
            every = [paths for named in found.values() for paths in named.values()]
            doubled = tuple(tuple(paths) for paths in every if len(paths) > 1)
            return Layout(tuple(folders), single, doubled)
        inner = [name for name, is_folder in names.items() if is_folder]
        if len(inner) != 1:
            return None
        folders.append(here / inner[0])
    return None


def _in_folders(folder: Path, names: Mapping[str, bool], cameras: tuple[str, ...]) -> _Found:
    for wanted in (cameras, *_FOLDERS):
        there = {name: _of_folder(folder / name) for name in wanted if names.get(name)}
        there = {name: pictures for name, pictures in there.items() if pictures}
        if len(there) >= 2:
            return there
    return {}


def _of_folder(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of one camera by name; as KITTI has them, in ``data`` of its folder."""
    for place in (folder, folder / "data"):
        if place.is_dir():
            found: dict[str, list[Path]] = {}
            for path in _pictures(place):
                found.setdefault(_without_side(path.stem), []).append(path)
            if found:
                return found
    return {}


def _in_files(folder: Path, names: Mapping[str, bool]) -> _Found:
    stems = {name.rsplit(".", 1)[0] for name in names if PICTURE.fullmatch(name)}
    for sides in _FILES:
        found: _Found = {}
        for pattern in sides:
            for path in _pictures(folder) if stems else ():
                match = pattern.fullmatch(path.stem)
                if match:
                    named = found.setdefault(match[2].lower(), {})
                    named.setdefault(match[1] + match[3], []).append(path)
        left, right = (*found.values(), {}, {})[:2]
        if left.keys() & right.keys() and not ("im0" in found and _NO_PAIR in stems):
            return {"left": left, "right": right}
    return {}


def _pictures(folder: Path) -> Iterator[Path]:
    """Yield the pictures of a folder in natural order."""
    found = (path for path in folder.iterdir() if PICTURE.fullmatch(path.name))
    yield from sorted(found, key=natural_order)


def _without_side(stem: str) -> str:
    """Return ``01`` of ``left01``, so that it is the same in both folders."""
    return re.sub("left|right", "", stem, count=1, flags=re.IGNORECASE)


def not_stereo(folder: Path) -> SourceError:
    """Return the error for a folder without pairs."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        return SourceError(f"{folder}: {found}; expected a folder of stereo pictures")
    return SourceError(
        f"{folder}: no pictures of two cameras; expected folders left and right, image_0 and "
        "image_1, or as the cameras of a rig (-o rig=FILE) are named, or files left* and right*, "
        "im0 and im1, view1 and view5, *L and *R"
    )
