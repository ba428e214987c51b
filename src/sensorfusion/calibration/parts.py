"""Parts of a rig, as single files hold them, and the rig that they make together."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.distortion import NO_DISTORTION, Distortion, DistortionModel
from sensorfusion.errors import CalibrationError
from sensorfusion.lidar import Lidar
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

_LIDAR_WORDS = ("lidar", "velo", "laser", "ouster", "livox", "hesai")
_IMU_WORDS = ("imu", "gyro", "oxts")


@dataclass(frozen=True, slots=True)
class Parts:
    """What one file says of a rig; its transforms may lead to sensors of other files.

    Attributes
    ----------
    cameras : tuple of Camera
    lidars : tuple of Lidar
    imus : tuple of str
    transforms : tuple of RigidTransform
    """

    cameras: tuple[Camera, ...] = ()
    lidars: tuple[Lidar, ...] = ()
    imus: tuple[str, ...] = ()
    transforms: tuple[RigidTransform, ...] = ()


def rig_of(parts: Iterable[Parts], files: str) -> Rig:
    """Return the rig that parts make together.

    Coordinate systems of transforms that are no sensor of any part become one by their name: a
    LiDAR if it says lidar, velo, laser, ouster, livox or hesai, an IMU if it says imu, gyro or
    oxts; others only connect.

    Parameters
    ----------
    parts : iterable of Parts
    files : str
        Where they stand, named in errors.

    Raises
    ------
    CalibrationError
        If there is no sensor, two sensors share a name, or the transforms leave one unconnected.
    """
    listed = tuple(parts)
    cameras = tuple(chain.from_iterable(part.cameras for part in listed))
    lidars = list(chain.from_iterable(part.lidars for part in listed))
    imus = list(chain.from_iterable(part.imus for part in listed))
    transforms = tuple(chain.from_iterable(part.transforms for part in listed))
    named = [camera.name for camera in cameras] + [lidar.name for lidar in lidars] + imus
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        msg = f"{files}: {', '.join(twice)} stands there twice; expected each sensor once"
        raise CalibrationError(msg)
    ends = chain.from_iterable((step.target, step.source) for step in transforms)
    for name in dict.fromkeys(end for end in ends if end not in named):
        if any(word in name.lower() for word in _LIDAR_WORDS):
            lidars.append(Lidar(name=name))
        elif any(word in name.lower() for word in _IMU_WORDS):
            imus.append(name)
    if not (cameras or lidars or imus):
        msg = f"{files}: no camera, LiDAR or IMU; expected at least one sensor"
        raise CalibrationError(msg)
    try:
        return Rig(
            cameras={camera.name: camera for camera in cameras},
            transforms=transforms,
            imus=tuple(imus),
            lidars={lidar.name: lidar for lidar in lidars},
        )
    except CalibrationError as error:
        msg = f"{files}: {error}; give all files of one calibration together"
        raise CalibrationError(msg) from error


def camera_of(
    name: str,
    size_px: tuple[int, int] | None,
    rows: Iterable[float],
    path: Path,
    distortion: Distortion = NO_DISTORTION,
) -> Camera:
    """Return a camera from the nine numbers of its matrix.

    Parameters
    ----------
    name : str
    size_px : tuple of int, or None
        Width and height; None where the file does not say.
    rows : iterable of float
        fx 0 cx / 0 fy cy / 0 0 1, row by row, pixels.
    path : Path
        Named in errors.
    distortion : Distortion

    Raises
    ------
    CalibrationError
        If the size is not known, the matrix has another form, or the camera is impossible.
    """
    if size_px is None:
        msg = (
            f"{path}: camera {name!r} has no picture size; expected width and height; "
            "give them with --size WIDTHxHEIGHT"
        )
        raise CalibrationError(msg)
    fx, skew, cx, left, fy, cy, *last = rows
    # Single precision leaves a trace of skew in files that other programs wrote.
    if max(abs(skew), abs(left)) > 1e-6 * abs(fx) or last != [0, 0, 1]:
        msg = (
            f"{path}: camera {name!r}: found skew {skew:g}, left {left:g}, last row {last}; "
            "expected the matrix fx 0 cx / 0 fy cy / 0 0 1"
        )
        raise CalibrationError(msg)
    try:
        return Camera(name, *size_px, fx, fy, cx, cy, distortion)
    except CalibrationError as error:
        msg = f"{path}: {error}"
        raise CalibrationError(msg) from error


def brown_conrady(coefficients: tuple[float, ...], path: Path) -> Distortion:
    """Return OpenCV's lens model from k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]].

    Raises
    ------
    CalibrationError
        If there is another number of them, or one beyond the eighth (thin prism, tilt) is not 0.
    """
    kept, beyond = coefficients[:8], coefficients[8:]
    if len(coefficients) not in (0, 4, 5, 8, 12, 14) or any(beyond):
        msg = (
            f"{path}: found {len(coefficients)} lens coefficients, {list(beyond)} of them beyond "
            "k6; expected 0, 4, 5 or 8, or zeros beyond (thin prism and tilt are not supported)"
        )
        raise CalibrationError(msg)
    return _lens("brown_conrady", kept, path) if any(kept) else NO_DISTORTION


def kannala_brandt(coefficients: tuple[float, ...], path: Path) -> Distortion:
    """Return the fisheye model from k1 k2 k3 k4, never none: without coefficients it is r = theta.

    Raises
    ------
    CalibrationError
        If there is another number of them.
    """
    if len(coefficients) != 4:
        msg = f"{path}: found {len(coefficients)} fisheye coefficients; expected k1 k2 k3 k4"
        raise CalibrationError(msg)
    return _lens("kannala_brandt", coefficients, path)


def transform_of(target: str, source: str, numbers: Iterable[float], path: Path) -> RigidTransform:
    """Return ``T_target_source`` from 12 or 16 numbers, row by row, rounded by their text or not.

    Raises
    ------
    CalibrationError
        If these are no rigid transform to 1e-3.
    """
    rows = np.array(tuple(numbers), dtype=np.float64).reshape(-1, 4)
    matrix = rows if len(rows) == 4 else np.vstack([rows, (0.0, 0.0, 0.0, 1.0)])
    return rigid(target, source, matrix, path)


def rigid(target: str, source: str, matrix: NDArray[np.float64], path: Path) -> RigidTransform:
    """Return ``T_target_source``: the matrix itself where it is rigid, else the nearest that is.

    Raises
    ------
    CalibrationError
        If it is farther than 1e-3 from rigid.
    """
    try:
        return RigidTransform(target, source, matrix)
    except CalibrationError:
        pass
    try:
        return RigidTransform.nearest(target, source, matrix)
    except CalibrationError as error:
        msg = f"{path}: {error}; mend the file"
        raise CalibrationError(msg) from error


def _lens(model: DistortionModel, coefficients: tuple[float, ...], path: Path) -> Distortion:
    try:
        return Distortion(model, coefficients)
    except CalibrationError as error:
        msg = f"{path}: {error}"
        raise CalibrationError(msg) from error
