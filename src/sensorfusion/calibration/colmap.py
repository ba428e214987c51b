"""COLMAP's cameras and images as parts of a rig."""

import re
from pathlib import Path

import numpy as np

from sensorfusion.calibration.parts import (
    Parts,
    brown_conrady,
    camera_of,
    kannala_brandt,
    rigid,
)
from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.colmap_text import ColmapCamera, ColmapImage
from sensorfusion.transform import RigidTransform, rotation_from_quaternion_xyzw

_WORLD = "world"


def colmap_parts(
    cameras: tuple[ColmapCamera, ...], path: Path, names: dict[int, tuple[str, ...]]
) -> Parts:
    """Return the cameras of ``cameras.txt``.

    Parameters
    ----------
    cameras : tuple of ColmapCamera
    path : Path
        Named in errors.
    names : dict of int to tuple of str
        Names of the pictures that each camera took: each becomes a camera; one that took none is
        ``camera_N``.

    Raises
    ------
    CalibrationError
        If a camera is impossible.
    """
    made = [
        _camera(camera, name, path)
        for camera in cameras
        for name in names.get(camera.number, (f"camera_{camera.number}",))
    ]
    return Parts(cameras=tuple(made))


def image_parts(
    images: tuple[ColmapImage, ...], path: Path, metres_per_unit: float | None
) -> Parts:
    """Return where each picture was taken, as ``T_picture_world``.

    Parameters
    ----------
    images : tuple of ColmapImage
    path : Path
        Named in errors.
    metres_per_unit : float or None
        Pictures alone have no unit of length: how many metres one of the reconstruction is.

    Raises
    ------
    CalibrationError
        If the unit is not known, or a quaternion has no direction.
    """
    if metres_per_unit is None or not 0 < metres_per_unit < np.inf:
        msg = (
            f"{path}: places of pictures in COLMAP's own unit of length, {metres_per_unit} metres "
            "each; expected a number more than 0; say it with --metres-per-unit"
        )
        raise CalibrationError(msg)
    return Parts(transforms=tuple(_transform(image, path, metres_per_unit) for image in images))


def picture_names(images: tuple[ColmapImage, ...]) -> dict[int, tuple[str, ...]]:
    """Return the names of the pictures of each camera, without ending (``left/1.jpg``: left/1)."""
    names: dict[int, tuple[str, ...]] = {}
    for image in images:
        names[image.camera] = (*names.get(image.camera, ()), _name(image))
    return names


def _name(image: ColmapImage) -> str:
    return re.sub(r"(?<=.)\.\w+$", "", image.name)


def _transform(image: ColmapImage, path: Path, metres_per_unit: float) -> RigidTransform:
    w, *xyz = image.quaternion_wxyz
    matrix = np.eye(4)
    try:
        matrix[:3, :3] = rotation_from_quaternion_xyzw(np.array([*xyz, w]))
    except CalibrationError as error:
        msg = f"{path}: line {image.line}: {error}"
        raise CalibrationError(msg) from error
    matrix[:3, 3] = np.array(image.translation) * metres_per_unit
    return rigid(_name(image), _WORLD, matrix, path)


def _camera(camera: ColmapCamera, name: str, path: Path) -> Camera:
    values = camera.parameters
    # Radial models and the simplest one have one focal length.
    if "RADIAL" in camera.model or camera.model == "SIMPLE_PINHOLE":
        values = (values[0], *values)
    fx, fy, cx, cy, *lens = values
    # COLMAP puts the centre of the upper left pixel at (0.5, 0.5), we at (0, 0).
    rows = (fx, 0, cx - 0.5, 0, fy, cy - 0.5, 0, 0, 1)
    size_px = (camera.width, camera.height)
    return camera_of(name, size_px, rows, path, _distortion(camera, tuple(lens), path))


def _distortion(camera: ColmapCamera, lens: tuple[float, ...], path: Path) -> Distortion:
    if "FISHEYE" in camera.model:
        return kannala_brandt((*lens, 0.0, 0.0, 0.0)[:4], path)
    if "RADIAL" in camera.model:
        return brown_conrady((*(*lens, 0.0)[:2], 0.0, 0.0), path)
    return brown_conrady(lens, path)
