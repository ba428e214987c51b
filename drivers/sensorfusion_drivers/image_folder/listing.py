"""Which pictures a folder holds, and what stands beside each."""

from dataclasses import dataclass
from pathlib import Path

from sensorfusion.errors import SourceError
from sensorfusion.formats import png
from sensorfusion_drivers.names import instants_in_names, natural_order

RELATIVE, ANCHORS = "relative", "anchors"
"""Folders with what a model said about each picture, and what is known of it in metres."""

_PICTURES = (".png", ".jpg", ".jpeg")
_RELATIVE_ENDINGS = (".npy", ".png", ".tiff", ".tif", ".pfm", ".exr")
_ANCHOR_ENDINGS = (".npy", ".png", ".tiff", ".tif", ".exr")
# Beside pictures alone there is nothing but words about them.
_WORDS = (".txt", ".json", ".toml", ".yaml", ".yml", ".md", ".csv", ".tum")
# Of a PNG, the bytes up to bit depth and colour type.
_PNG_HEAD, _16_BIT_GREY = 26, b"\x10\x00"
_FOLDERS = ("color", "image", "images", "rgb")
# Names of pictures that are depth, or one of two cameras' pictures.
_OTHERS = ("depth", "disp", "left", "right", "im0", "im1", "view0", "view1", "mask", "label")
# Pictures that stand beside those of a camera, by its names.
_DEPTH = (".depth", "_depth", "-depth")


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture, its instant, and the files that belong to it."""

    timestamp_ns: int
    path: Path
    relative: Path | None
    anchors: Path | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures of a folder in order, and how many files belong to none of them."""

    pictures: tuple[Listed, ...]
    unpaired: dict[str, int]


def pictures_folder(folder: Path) -> Path | None:
    """Return the folder in which pictures of one camera stand alone, or None."""
    own = _pictures(folder)
    if own:
        return folder if _is_alone(folder, own) else None
    named = [folder / name for name in _FOLDERS if _pictures(folder / name)]
    others = {entry.name for entry in folder.iterdir()}
    beside = others - {path.name for path in named} - {RELATIVE, ANCHORS}
    if len(named) != 1 or any(not name.lower().endswith(_WORDS) for name in beside):
        return None
    # TUM's lists of pictures.
    listed = {"rgb.txt", "depth.txt"} & others
    return None if listed or _is_depth(_pictures(named[0])[0]) else named[0]


def list_pictures(folder: Path, rate_hz: float) -> Listing:
    """List the pictures of a folder.

    Parameters
    ----------
    folder : Path
    rate_hz : float
        Pictures in a second, where their names hold no time.

    Raises
    ------
    SourceError
        If there are none, or one of them or something beside it stands there twice.
    """
    where = pictures_folder(folder) or folder
    paths = _pictures(where)
    if not paths:
        msg = (
            f"{folder}: no PNG or JPEG pictures here, nor in {', '.join(_FOLDERS)}; check the path"
        )
        raise SourceError(msg)
    _refuse_doubled(paths)
    instants = instants_in_names(paths)
    if instants is None:
        instants = tuple(round(number * 1e9 / rate_hz) for number in range(len(paths)))
    relative = _beside(folder / RELATIVE, _RELATIVE_ENDINGS)
    anchors = _beside(folder / ANCHORS, _ANCHOR_ENDINGS)
    listed = sorted(zip(instants, paths, strict=True))
    pictures = tuple(
        Listed(instant, path, relative.pop(path.stem, None), anchors.pop(path.stem, None))
        for instant, path in listed
    )
    left = {RELATIVE: len(relative), ANCHORS: len(anchors)}
    return Listing(pictures, {name: count for name, count in left.items() if count})


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix.lower() in _PICTURES]
    return sorted(found, key=natural_order)


def _refuse_doubled(paths: list[Path]) -> None:
    """Refuse two pictures of one name: which one is meant, and what belongs to it, is a guess."""
    by_name: dict[str, Path] = {}
    for path in paths:
        other = by_name.setdefault(path.stem, path)
        if other != path:
            msg = f"{other} and {path.name} have one name; expected one picture of it; remove one"
            raise SourceError(msg)


def _is_alone(folder: Path, pictures: list[Path]) -> bool:
    """Tell whether a folder holds pictures of one camera and nothing that measures."""
    stems = [path.stem.lower() for path in pictures]
    if any(stem.startswith(_OTHERS) or stem.endswith(_DEPTH) for stem in stems):
        return False
    if (folder / "calib.txt").exists() or (folder / "rgb.txt").exists() or _is_depth(pictures[0]):
        return False
    others = set(folder.iterdir()) - set(pictures)
    return all(
        entry.name in (RELATIVE, ANCHORS) if entry.is_dir() else entry.suffix.lower() in _WORDS
        for entry in others
    )


def _is_depth(path: Path) -> bool:
    """Tell whether a picture is 16-bit grey, as depth is stored."""
    with path.open("rb") as file:
        head = file.read(_PNG_HEAD)
    return head.startswith(png.SIGNATURE) and head[24:26] == _16_BIT_GREY


def _beside(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of a folder by their names without endings."""
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in endings:
            continue
        if path.stem in found:
            msg = f"{path} and {found[path.stem].name} stand for one picture; remove one of them"
            raise SourceError(msg)
        found[path.stem] = path
    return found
