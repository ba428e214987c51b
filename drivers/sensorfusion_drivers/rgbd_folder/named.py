"""Pairs by name: ``NAME_color.jpg`` beside ``NAME_depth.png``, in any format that is read.

Where every NAME ends with a number they are one recording, and picture N stands at N / 30 s, a
nominal time. Else each is a scene of its own, of which one is opened. No document says the unit.
"""

import re
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

_DEPTH = re.compile(rf"(.+)[_.-]depth\.(?:{DEPTH_ENDINGS})", re.IGNORECASE)
_COLOR = re.compile(rf"(.+)[_.-](?:color|colour|rgb|image)\.(?:{COLOR_ENDINGS})", re.IGNORECASE)
_NUMBER = re.compile(r".*?(\d{1,9})", re.ASCII)


def is_named(folder: Path) -> bool:
    """Say whether a folder holds ``NAME_depth``."""
    return any(map(_DEPTH.fullmatch, file_names(folder)))


def list_named(folder: Path, name: str | None) -> Listing:
    """List the pictures of one name, or of all where they are numbered.

    Raises
    ------
    SourceError
        If there is no such name, or there are several and none is chosen.
    """
    depth, color = _by_name(folder, _DEPTH), _by_name(folder, _COLOR)
    numbered = all(map(_NUMBER.fullmatch, depth))
    if name is None and len(depth) > 1 and not numbered:
        msg = f"{folder}: scenes {', '.join(depth)}; choose one with -o name={next(iter(depth))}"
        raise SourceError(msg)
    if name is not None:
        if name not in depth:
            msg = f"{folder}: no scene {name!r}; it holds {', '.join(depth)}"
            raise SourceError(msg)
        depth, color = _only(depth, name), _only(color, name)
    if not numbered:
        # The one scene that is left.
        color = {key: path for key, path in color.items() if key in depth}
    return Listing(_pictures(depth), _pictures(color), 0, None, without_poses)


def _by_name(folder: Path, kind: re.Pattern[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for match in filter(None, map(kind.fullmatch, file_names(folder))):
        found.setdefault(match[1], []).append(folder / match[0])
    return found


def _only(pictures: dict[str, list[Path]], name: str) -> dict[str, list[Path]]:
    return {name: pictures[name]} if name in pictures else {}


def _pictures(named: dict[str, list[Path]]) -> tuple[Picture, ...]:
    pictures = []
    for name, paths in named.items():
        match = _NUMBER.fullmatch(name)
        instant_ns = nominal_time_ns(int(match[1])) if match else 0
        pictures += [Picture(instant_ns, path) for path in paths]
    return in_order(pictures)
