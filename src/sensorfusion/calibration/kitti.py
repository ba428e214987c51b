"""KITTI's calibration texts as parts of a rig.

Coordinate systems: ``velodyne`` (x forward, y left, z up), ``imu`` (the same), ``camera_0`` (left
grey camera), ``rectified`` (``camera_0`` turned so that all cameras look alike), and each
rectified camera, ``image_00`` in raw drives and ``image_0`` in the odometry and object benchmarks.

A projection matrix ``P = [K | p]`` is ``K [I | t]`` with ``t = K^-1 p``: the camera sits beside
``rectified``, by all three components of t, the small one along z included.

References
----------
Geiger, Lenz, Stiller and Urtasun, "Vision meets robotics: the KITTI dataset", IJRR 2013, sections
III and IV; Velodyne, "HDL-64E S2 and S2.1 user's manual" (63-HDL64ES2).
"""

import math
import re
from collections.abc import Mapping

import numpy as np

from sensorfusion.calibration.parts import Parts, camera_of, rigid, transform_of
from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.kitti_text import KittiText
from sensorfusion.lidar import Lidar
from sensorfusion.transform import RigidTransform

VELODYNE = "velodyne"
RECTIFIED = "rectified"
IMU = "imu"
_CAMERA_0 = "camera_0"

# The two halves of the sensor by Velodyne's manual: a third of a degree apart, then half a degree.
_HDL_64E_DEG = (*(2 - step / 3 for step in range(32)), *(-8.83 - step / 2 for step in range(32)))

HDL_64E = Lidar(
    name=VELODYNE,
    rings=64,
    # 1.333 million points a second at 10 revolutions a second.
    columns=2083,
    elevation_rad=tuple(map(math.radians, _HDL_64E_DEG)),
    near_m=0.9,
    far_m=120.0,
    # The manual says 0.02; the rings of one wall disagree by more, measured on the raw drives.
    constant_m=0.03,
    # 2 mrad of divergence, taken for the full width at 1/e^2, which is four standard deviations.
    beam_width_rad=0.0005,
)
"""The LiDAR of the recording car. Elevations are nominal: each ring of each unit is calibrated by
itself, which KITTI does not publish."""

_PROJECTION = re.compile(r"P_rect_(\d\d)|P(\d)")


def kitti_parts(text: KittiText, sizes_px: Mapping[str, tuple[int, int]] | None = None) -> Parts:
    """Return what one of KITTI's calibration texts says.

    Parameters
    ----------
    text : KittiText
        ``calib_cam_to_cam.txt``, ``calib_velo_to_cam.txt`` or ``calib_imu_to_velo.txt`` of a raw
        drive, ``calib.txt`` of an odometry sequence, or the text of an object frame.
    sizes_px : mapping of str to (int, int), or None
        Width and height of the pictures by camera, and then of these cameras only; None takes all
        cameras and the sizes of the text (``S_rect``), which only raw drives have.

    Raises
    ------
    CalibrationError
        If a matrix is missing, has another form, is not rigid, or a size is not known.
    """
    transforms = [*_rectifying(text), *_between_sensors(text)]
    cameras = []
    for camera_name, name in camera_names(text).items():
        if sizes_px is None or camera_name in sizes_px:
            size_px = _size(text, camera_name) if sizes_px is None else sizes_px[camera_name]
            camera, T_camera_rectified = _camera(text, name, camera_name, size_px)
            cameras.append(camera)
            transforms.append(T_camera_rectified)
    ends = {end for step in transforms for end in (step.target, step.source)}
    return Parts(
        cameras=tuple(cameras),
        lidars=(HDL_64E,) if any(step.source == VELODYNE for step in transforms) else (),
        imus=(IMU,) if IMU in ends else (),
        transforms=tuple(transforms),
    )


def camera_names(text: KittiText) -> dict[str, str]:
    """Return the names of the cameras, which are those of the folders of their pictures.

    Returns
    -------
    dict of str to str
        Name of the projection matrix by name of the camera: ``image_02`` has ``P_rect_02``.
    """
    found = filter(None, map(_PROJECTION.fullmatch, text.values))
    return {f"image_{match[1] or match[2]}": match[0] for match in found}


def _camera(
    text: KittiText, name: str, camera_name: str, size_px: tuple[int, int] | None
) -> tuple[Camera, RigidTransform]:
    projection = np.array(text.numbers(name, 12)).reshape(3, 4)
    camera = camera_of(camera_name, size_px, projection[:, :3].ravel().tolist(), text.path)
    matrix = np.eye(4)
    matrix[:3, 3] = np.linalg.solve(camera.matrix, projection[:, 3])
    return camera, RigidTransform(camera_name, RECTIFIED, matrix)


def _size(text: KittiText, camera_name: str) -> tuple[int, int] | None:
    name = camera_name.replace("image", "S_rect")
    if name not in text:
        return None
    width, height = text.numbers(name, 2)
    return int(width), int(height)


def _rectifying(text: KittiText) -> list[RigidTransform]:
    """Return T_rectified_camera_0 of raw drives, object frames, and what derives from them."""
    found = []
    for name in ("R_rect_00", "R0_rect", "R_rect"):
        if name in text:
            matrix = np.eye(4)
            matrix[:3, :3] = np.array(text.numbers(name, 9)).reshape(3, 3)
            found.append(rigid(RECTIFIED, _CAMERA_0, matrix, text.path))
    return found[:1]


def _between_sensors(text: KittiText) -> list[RigidTransform]:
    """Return what connects LiDAR, IMU and the first camera."""
    found = []
    for name, target, source in (
        ("Tr", RECTIFIED, VELODYNE),
        ("Tr_velo_to_cam", _CAMERA_0, VELODYNE),
        ("Tr_velo_cam", _CAMERA_0, VELODYNE),
        ("Tr_imu_to_velo", VELODYNE, IMU),
        ("Tr_imu_velo", VELODYNE, IMU),
    ):
        if name in text:
            found.append(transform_of(target, source, text.numbers(name, 12), text.path))
    if "R" in text and "T" in text:
        found.append(_R_and_T(text))
    return found


def _R_and_T(text: KittiText) -> RigidTransform:
    """Return the transform of a text that says nothing of what it leads to but its own name."""
    names = {"velo_to_cam": (_CAMERA_0, VELODYNE), "imu_to_velo": (VELODYNE, IMU)}
    for part, (target, source) in names.items():
        if part in text.path.name:
            matrix = np.eye(4)
            matrix[:3, :3] = np.array(text.numbers("R", 9)).reshape(3, 3)
            matrix[:3, 3] = text.numbers("T", 3)
            return rigid(target, source, matrix, text.path)
    msg = (
        f"{text.path}: R and T, but the file's name does not say of what; expected "
        f"calib_{' or calib_'.join(names)} in it; rename the file"
    )
    raise CalibrationError(msg)
