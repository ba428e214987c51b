"""Rig files: what is known of a device, in our TOML or in the files of other programs."""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from sensorfusion.calibration.colmap import colmap_parts, image_parts, picture_names
from sensorfusion.calibration.json_files import (
    file_storage_parts,
    is_file_storage,
    is_open_calib,
    open3d_parts,
    open_calib_parts,
)
from sensorfusion.calibration.kitti import camera_names, kitti_parts
from sensorfusion.calibration.parts import Parts, camera_of, rig_of, transform_of
from sensorfusion.calibration.toml_rig import is_toml_rig, rig_from_toml, toml_of_rig
from sensorfusion.calibration.yaml_files import (
    camera_info_parts,
    is_camera_info,
    is_kalibr,
    kalibr_parts,
)
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.colmap_text import (
    is_colmap_cameras,
    is_colmap_images,
    parse_cameras,
    parse_images,
)
from sensorfusion.formats.fields import Fields
from sensorfusion.formats.kitti_text import is_kitti_text, parse_kitti_text
from sensorfusion.formats.parse_text import parse_json, parse_toml, read_text
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.formats.yaml_text import parse_yaml
from sensorfusion.rig import Rig

_KNOWN = (
    "a rig file, KITTI's calibration texts, ROS camera_info, a Kalibr camera chain, OpenCV's "
    "FileStorage (YAML or JSON), Open3D's or OpenCalib's JSON, COLMAP's cameras.txt and "
    "images.txt, or a 4x4 matrix in T_target_source.txt"
)
_YAML_KEY = re.compile(r"^\w+:", re.MULTILINE | re.ASCII)
_FAMILIAR_END = re.compile(r"(?i)[-_. ]*(intrinsics?|calibration|calib|camera_info)$")


def read_rig(path: Path | str) -> Rig:
    """Read a rig file of ours, or one file of another program; told apart by content.

    Parameters
    ----------
    path : Path or str
        At most 1 MiB.

    Raises
    ------
    CalibrationError
        If it cannot be read, is of no form that is known, a name in it means nothing, or a value
        is missing or impossible.
    """
    return import_rig([path])


def write_rig(rig: Rig, path: Path | str, comments: Sequence[str] = ()) -> None:
    """Write our TOML, whole or not at all; :func:`read_rig` gives every number back bit for bit.

    Parameters
    ----------
    rig : Rig
    path : Path or str
    comments : sequence of str
        Lines for people, at the top of the file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(toml_of_rig(rig, comments), encoding="utf-8")


def import_rig(
    paths: Sequence[Path | str],
    *,
    size_px: tuple[int, int] | None = None,
    metres_per_unit: float | None = None,
) -> Rig:
    """Read files of one calibration, of whatever forms, into one rig.

    Parameters
    ----------
    paths : sequence of Path or str
        For example the three texts of a KITTI drive, or JSON files of cameras and transforms. A
        camera whose file has no name for it is called as its file.
    size_px : tuple of int, or None
        Width and height of the pictures: for files that do not say, and in place of what files
        of single cameras say.
    metres_per_unit : float or None
        What COLMAP's unit of length is, which its files do not say.

    Raises
    ------
    CalibrationError
        If a file cannot be read or is of no form that is known, a value is missing or impossible,
        a sensor stands there twice, or the transforms leave one unconnected.
    """
    files = [Path(path) for path in paths]
    texts = {path: read_text(path) for path in files}
    ours = [path for path, text in texts.items() if is_toml_rig(text)]
    if ours and len(texts) == 1:
        return rig_from_toml(parse_toml(texts[ours[0]], ours[0]))
    if ours:
        msg = f"{ours[0]}: is a rig already; expected files of other programs, or this one alone"
        raise CalibrationError(msg)
    pictures = {
        path: parse_images(text, path)
        for path, text in texts.items()
        # A matrix on one line looks like a picture whose name is a number.
        if is_colmap_images(text) and not _plain_numbers(text)
    }
    names = picture_names(tuple(chain.from_iterable(pictures.values())))
    parts = []
    for path, text in texts.items():
        if path in pictures:
            parts.append(image_parts(pictures[path], path, metres_per_unit))
        elif is_colmap_cameras(text):
            parts.append(colmap_parts(parse_cameras(text, path), path, names))
        else:
            parts.append(_parts(path, text, size_px))
    return rig_of(parts, ", ".join(map(str, files)))


def _parts(path: Path, text: str, size_px: tuple[int, int] | None) -> Parts:
    """Return what a file holds that can be understood without the others."""
    numbers = _plain_numbers(text)
    if numbers:
        return _matrix_parts(path, numbers, size_px)
    if is_kitti_text(text):
        kitti = parse_kitti_text(text, path)
        return kitti_parts(kitti, dict.fromkeys(camera_names(kitti), size_px) if size_px else None)
    if text.lstrip().startswith("{"):
        return _json_parts(parse_json(text, path), size_px)
    if _YAML_KEY.search(text):
        return _yaml_parts(parse_yaml(text, path), size_px)
    raise _unknown(path)


def _json_parts(content: Fields, size_px: tuple[int, int] | None) -> Parts:
    if "intrinsic_matrix" in content:
        return open3d_parts(content, _stem(content.path), size_px)
    if is_open_calib(content):
        return open_calib_parts(content, size_px)
    if is_file_storage(content):
        return file_storage_parts(content, _stem(content.path), size_px)
    raise _unknown(content.path)


def _yaml_parts(content: Fields, size_px: tuple[int, int] | None) -> Parts:
    if is_camera_info(content):
        return camera_info_parts(content, _stem(content.path), size_px)
    if is_kalibr(content):
        return kalibr_parts(content)
    if is_file_storage(content):
        return file_storage_parts(content, _stem(content.path), size_px)
    raise _unknown(content.path)


def _matrix_parts(path: Path, numbers: tuple[float, ...], size_px: tuple[int, int] | None) -> Parts:
    """Return the camera of a 3x3 matrix, or the transform of a 4x4 one whose file names it."""
    if len(numbers) == 9:
        return Parts(cameras=(camera_of(_stem(path), size_px, numbers, path),))
    target, _, source = path.stem.removeprefix("T_").partition("_")
    if not path.stem.startswith("T_") or not (target and source):
        msg = (
            f"{path}: a matrix of {len(numbers)} numbers whose file does not say what it connects; "
            "expected the name T_target_source.txt, where it takes source coordinates to target "
            "coordinates; rename the file"
        )
        raise CalibrationError(msg)
    return Parts(transforms=(transform_of(target, source, numbers, path),))


def _plain_numbers(text: str) -> tuple[float, ...]:
    """Return the numbers of a text that holds one matrix and nothing else; none for others."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    words = " ".join(lines).replace(",", " ").split()
    try:
        return tuple(map(float, words)) if len(words) in (9, 12, 16) else ()
    except ValueError:
        return ()


def _stem(path: Path) -> str:
    """Return the name of a camera from that of its file: ``left_intrinsics.json`` is ``left``."""
    return _FAMILIAR_END.sub("", path.stem) or "camera"


def _unknown(path: Path) -> CalibrationError:
    return CalibrationError(f"{path}: is no calibration that is known; expected {_KNOWN}")
