"""The rig of a folder of stereo pictures: from a rig file, Middlebury's or KITTI's calib.txt."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.kitti import kitti_parts
from sensorfusion.calibration.parts import rig_of
from sensorfusion.calibration.rig_file import read_rig
from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.kitti_text import is_kitti_text, parse_kitti_text
from sensorfusion.formats.parse_text import read_text
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.stereo.listing import Layout

_RIG, _CALIB = "rig.toml", ("calib.txt", "calib_cam_to_cam.txt")
_MIDDLEBURY = re.compile(r"^cam0\s*=\s*\[", re.MULTILINE)
# Standard deviation of disparities that are matched well, pixels.
_SIGMA_PX = 0.12
_KITTI_PAIRS = {
    "left": ("image_0", "image_1"),
    "image_0": ("image_0", "image_1"),
    "image_2": ("image_2", "image_3"),
    "image_00": ("image_00", "image_01"),
    "image_02": ("image_02", "image_03"),
}


def rig_for(layout: Layout, sizes_px: dict[str, tuple[int, int]], rig_file: Path | None) -> Rig:
    """Return the rig of the cameras that took the pictures, with the noise of the first.

    Parameters
    ----------
    layout : Layout
    sizes_px : dict of str to (int, int)
        Width and height of each camera's pictures.
    rig_file : Path or None
        By default ``rig.toml``, else ``calib.txt`` in one of the folders or the one above.

    Raises
    ------
    CalibrationError
        If there is none, it is another kind of file, it is for other cameras or pictures, or it
        says that their clocks are off.
    """
    path = rig_file or _beside(layout)
    names = tuple(layout.pictures)
    if path is None:
        msg = (
            f"{layout.folders[0]}: pictures of {' and '.join(names)}, but no calibration; expected "
            "rig.toml or calib.txt (Middlebury or KITTI) beside them, or -o rig=FILE; sensorfusion "
            "calibrate stereo makes one from pictures of a board"
        )
        raise CalibrationError(msg)
    text = read_text(path)
    if _MIDDLEBURY.search(text):
        rig = _middlebury(path, text, names)
    elif is_kitti_text(text):
        rig = _kitti(path, text, names, sizes_px)
    else:
        rig = _named(_on_one_clock(read_rig(path), names, path), names, path)
    for name, size_px in sizes_px.items():
        camera = rig.cameras[name]
        if size_px != (camera.width, camera.height):
            msg = (
                f"{path}: calibration of {name} is for {camera.width}x{camera.height} pixels; its "
                f"pictures have {size_px[0]}x{size_px[1]}; give the calibration of these pictures"
            )
            raise CalibrationError(msg)
    baseline_m = float(np.linalg.norm(rig.transform(names[1], names[0]).translation_m))
    if not baseline_m:
        msg = f"{path}: {names[0]} and {names[1]} sit at one place; expected a baseline in metres"
        raise CalibrationError(msg)
    noise = DepthNoise.stereo(baseline_m, rig.cameras[names[0]].fx, _SIGMA_PX)
    return replace(rig, depth_noise={**rig.depth_noise, names[0]: noise})


def rig_file_beside(folder: Path) -> Path | None:
    """Return the rig file of a folder, which may name the cameras, or None."""
    return folder / _RIG if (folder / _RIG).is_file() else None


def _beside(layout: Layout) -> Path | None:
    for folder in (*reversed(layout.folders), layout.folders[0].resolve().parent):
        for name in (_RIG, *_CALIB):
            if (folder / name).is_file():
                return folder / name
    return None


def _on_one_clock(rig: Rig, names: tuple[str, ...], path: Path) -> Rig:
    """Refuse time offsets of the cameras: what is paired here has one time stamp for all."""
    taking = set(names) if set(names) <= set(rig.cameras) else set(rig.cameras)
    late = [name for name, offset_ns in rig.time_offsets_ns.items() if offset_ns]
    if taking & set(late):
        msg = (
            f"{path}: time_offsets_ns of {', '.join(sorted(taking & set(late)))}, which the "
            "drivers clouds and ros apply; here change the time stamps in the names of the "
            "pictures or in times.txt, and take the table out of the file"
        )
        raise CalibrationError(msg)
    return rig.on_one_clock()


def _named(rig: Rig, names: tuple[str, ...], path: Path) -> Rig:
    """Return a rig whose cameras have the names of the pictures; others of it are left out."""
    if not set(names) <= set(rig.cameras):
        if len(names) != 2 or len(rig.cameras) != 2:
            msg = (
                f"{path}: cameras {', '.join(rig.cameras) or 'none'}; the pictures are of "
                f"{', '.join(names)}; name the folders of pictures as the cameras"
            )
            raise CalibrationError(msg)
        left, right = rig.cameras
        matrix = rig.transform(right, left).matrix
        return _pair(names, rig.cameras[left], rig.cameras[right], matrix)
    first, *others = names
    links = tuple(
        RigidTransform(other, first, rig.transform(other, first).matrix) for other in others
    )
    noises = {name: noise for name, noise in rig.depth_noise.items() if name in names}
    return Rig({name: rig.cameras[name] for name in names}, links, noises)


def _pair(names: tuple[str, ...], left: Camera, right: Camera, matrix: NDArray[np.float64]) -> Rig:
    """Return two cameras under new names; ``matrix`` is T_right_left."""
    cameras = (replace(left, name=names[0]), replace(right, name=names[1]))
    link = RigidTransform(names[1], names[0], matrix)
    return Rig({camera.name: camera for camera in cameras}, (link,))


def _kitti(
    path: Path, text: str, names: tuple[str, ...], sizes_px: dict[str, tuple[int, int]]
) -> Rig:
    wanted = _KITTI_PAIRS.get(names[0])
    if wanted is None or len(names) != 2:
        msg = f"{path}: KITTI's calibration is for image_0 to image_3; found {', '.join(names)}"
        raise CalibrationError(msg)
    parsed = parse_kitti_text(text, path)
    if not any(f"P{name.removeprefix('image_')}" in parsed for name in wanted):
        wanted = (f"image_0{wanted[0][-1]}", f"image_0{wanted[1][-1]}")
    sizes = dict(zip(wanted, sizes_px.values(), strict=True))
    rig = rig_of([kitti_parts(parsed, sizes)], str(path))
    lost = [name for name in wanted if name not in rig.cameras]
    if lost:
        msg = f"{path}: no projection matrix of {' and '.join(lost)}; expected P0 to P3"
        raise CalibrationError(msg)
    left, right = wanted
    matrix = rig.transform(right, left).matrix
    return _pair(names, rig.cameras[left], rig.cameras[right], matrix)


def _middlebury(path: Path, text: str, names: tuple[str, ...]) -> Rig:
    """Return the rig of Middlebury's 2014 format: pixels and millimetres."""
    pairs = (line.partition("=") for line in text.splitlines())
    values = {name.strip(): value.strip() for name, _, value in pairs}
    left, right = (_matrix(values.get(name, ""), name, path) for name in ("cam0", "cam1"))
    doffs_px, baseline_mm, width, height = (
        _number(values.get(name, ""), name, path)
        for name in ("doffs", "baseline", "width", "height")
    )
    if len(names) != 2:
        msg = f"{path}: Middlebury's calibration is for two cameras; found {', '.join(names)}"
        raise CalibrationError(msg)
    size = int(width), int(height)
    cameras = [
        Camera(name, *size, m[0, 0], m[1, 1], m[0, 2], m[1, 2])
        for name, m in zip(names, (left, right), strict=True)
    ]
    # doffs is exact where cam1 is rounded.
    second = replace(cameras[1], cx=cameras[0].cx + doffs_px)
    if abs(second.cx - cameras[1].cx) > 0.01:
        msg = (
            f"{path}: doffs is {doffs_px:g}; cam0 and cam1 say "
            f"{cameras[1].cx - cameras[0].cx:g}; expected one value"
        )
        raise CalibrationError(msg)
    matrix = np.eye(4)
    matrix[0, 3] = -baseline_mm / 1000
    return _pair(names, cameras[0], second, matrix)


def _matrix(text: str, name: str, path: Path) -> NDArray[np.float64]:
    words = text.strip("[] ").replace(";", " ").split()
    try:
        values = np.array([float(word) for word in words]).reshape(3, 3)
    except ValueError:
        values = np.zeros((0, 0))
    if not values.size or not np.isfinite(values).all():
        msg = f"{path}: {name}={text[:60] or 'nothing'}; expected [f 0 cx; 0 f cy; 0 0 1]"
        raise CalibrationError(msg)
    return values


def _number(text: str, name: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        msg = f"{path}: {name}={text[:60] or 'nothing'}; expected a number"
        raise CalibrationError(msg)
    return value
