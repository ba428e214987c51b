"""Finds sequences of TUM RGB-D, ICL-NUIM and Redwood in a folder, with their truth.

None of the three says its intrinsics in a file: those that its authors published are used where the
folder holds no file of its own.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from standard_published import ICL_LENS, REDWOOD_LENS, TUM_LENSES

from sensorfusion.errors import CalibrationError, CorruptRecordingError
from sensorfusion.export.trajectory import read_trajectory
from sensorfusion.sources.registry import read_truth
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

DEEPEST = 3
_COLOR_FOLDERS = ("color", "image", "rgb")
_TUM_NAME = re.compile(r"(freiburg[123])_\w+")
_ICL_NAME = re.compile(r"(livingroom|office)\D*(\d)", re.IGNORECASE)
_LOG_FORMAT = "blocks of three integers and a 4x4 matrix, as Redwood writes them"


@dataclass(frozen=True, slots=True)
class Standard:
    """A sequence of one of the data sets.

    Attributes
    ----------
    name : str
        As in ``standard_published``.
    folder : Path
    lens : tuple of float
        fx, fy, cx, cy in pixels.
    read_truth : callable
        Returns the true ``T_world_camera``.
    options : dict of str to str
        Of the driver, but for the intrinsics.
    true_mesh : Path or None
    mirrored : bool
        Whether the world of the true mesh is left-handed: y has to change its sign.
    """

    name: str
    folder: Path
    lens: tuple[float, float, float, float]
    read_truth: Callable[[], Trajectory]
    options: dict[str, str] = field(default_factory=dict)
    true_mesh: Path | None = None
    mirrored: bool = False

    @property
    def has_intrinsics(self) -> bool:
        """Tell whether the folder says its intrinsics itself."""
        return any("intrinsic" in path.name.lower() for path in self.folder.iterdir())


def find(folder: Path) -> Iterator[Standard]:
    """Yield the sequences in a folder and in those below, in order of name."""
    for inside in _folders(folder, DEEPEST):
        found = _tum(inside) or _icl(inside) or _redwood(inside)
        if found:
            yield found


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth:
        for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _folders(inside, depth - 1)


def _tum(folder: Path) -> Standard | None:
    truth = folder / "groundtruth.txt"
    if not (truth.is_file() and (folder / "depth.txt").is_file()):
        return None
    # The file of the poses names the sequence, whatever the folder is called now.
    with truth.open(encoding="utf-8", errors="replace") as lines:
        head = "".join(line for _, line in zip(range(3), lines, strict=False))
    match = _TUM_NAME.search(head) or _TUM_NAME.search(folder.name)
    if not match:
        return None
    return Standard(f"tum {match[0]}", folder, TUM_LENSES[match[1]], lambda: _recorded(folder))


def _recorded(folder: Path) -> Trajectory:
    found = read_truth(folder).trajectory
    if found is None:
        msg = f"{folder}: groundtruth.txt places none of the pictures"
        raise CalibrationError(msg)
    return found


def _icl(folder: Path) -> Standard | None:
    poses = sorted(folder.glob("*.gt.freiburg"))
    if not _has_pictures(folder) or not poses:
        return None
    match = _ICL_NAME.search(poses[0].name)
    if len(poses) > 1 or not match:
        return None
    room = "living room" if match[1].lower() == "livingroom" else "office"
    meshes = [*folder.glob("living*room*.ply"), *folder.parent.glob("living*room*.ply")]
    return Standard(
        f"icl {room} {match[2]}",
        folder,
        ICL_LENS,
        lambda: _read_icl(poses[0]),
        {"depth-unit-m": "0.0002"},
        meshes[0] if meshes and room == "living room" else None,
        mirrored=True,
    )


def _read_icl(path: Path) -> Trajectory:
    """Read poses by number of picture, from the renderer's world, whose y points up.

    The pictures of the TUM-compatible form are stored with the top row first, so both the world
    and the camera have to be reflected.
    """
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    stamps, poses = [], []
    for timestamp_ns, pose in read_trajectory(path):
        stamps.append(_nominal_ns(round(timestamp_ns / 1e9)))
        poses.append(RigidTransform("world", "depth", mirror @ pose.matrix @ mirror))
    return Trajectory(stamps, poses)


def _redwood(folder: Path) -> Standard | None:
    if not _has_pictures(folder):
        return None
    logs = [*folder.glob("*.log"), *folder.parent.glob(f"{folder.name}*.log")]
    if len(logs) != 1:
        return None
    return Standard(
        f"redwood {folder.name}", folder, REDWOOD_LENS, lambda: _read_log(logs[0], folder)
    )


def _read_log(path: Path, folder: Path) -> Trajectory:
    numbers = sorted(
        int(match[1])
        for picture in (folder / "depth").glob("*.png")
        if (match := re.fullmatch(r"\D*(\d{1,9})", picture.stem))
    )
    try:
        values = np.array(path.read_text(encoding="utf-8").split(), dtype=np.float64)
        blocks = values.reshape(-1, 19)
    except ValueError as error:
        advice = "download it again"
        raise CorruptRecordingError(path, 0, str(error), _LOG_FORMAT, advice) from error
    count = min(len(numbers), len(blocks))
    stamps = [_nominal_ns(number) for number in numbers[:count]]
    poses = [
        RigidTransform.nearest("world", "depth", block[3:].reshape(4, 4))
        for block in blocks[:count]
    ]
    return Trajectory(stamps, poses)


def _has_pictures(folder: Path) -> bool:
    names = (folder / name for name in _COLOR_FOLDERS)
    return (folder / "depth").is_dir() and any(path.is_dir() for path in names)


def _nominal_ns(number: int) -> int:
    """Return the instant that numbered pictures are given: 30 a second."""
    return round(number * 1e9 / 30)
