"""Cameras and transforms in JSON and in OpenCV's FileStorage, YAML or JSON.

References
----------
OpenCV documentation, "XML/YAML/JSON file storages" and the output of its calibration sample;
Open3D documentation, ``PinholeCameraIntrinsic``; OpenCalib (Yan et al., "OpenCalib: a multi-sensor
calibration toolbox for autonomous driving", 2022), whose JSON takes points of ``sensor_name`` to
``target_sensor_name``.
"""

from sensorfusion.calibration.parts import (
    Parts,
    brown_conrady,
    camera_of,
    kannala_brandt,
    transform_of,
)
from sensorfusion.camera import Camera
from sensorfusion.formats.fields import Fields
from sensorfusion.formats.intrinsics import parse_open3d_json

_MATRIX_NAMES = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "CameraMatrix", "K")
_LENS_NAMES = (
    "distortion_coefficients",
    "Distortion_Coefficients",
    "distCoeffs",
    "dist_coeffs",
    "DistCoeffs",
    "D",
)
_KINDS = ("intrinsic", "extrinsic")
_WIDTH_NAMES = ("image_width", "image_Width", "imageWidth", "width")
_HEIGHT_NAMES = ("image_height", "image_Height", "imageHeight", "height")


def is_file_storage(content: Fields) -> bool:
    """Say whether a mapping has a camera matrix under one of the names used with FileStorage."""
    return any(name in content for name in _MATRIX_NAMES)


def file_storage_parts(content: Fields, name: str, size_px: tuple[int, int] | None) -> Parts:
    """Return the camera of a FileStorage.

    Parameters
    ----------
    content : Fields
    name : str
        Of the camera.
    size_px : tuple of int, or None
        In place of the file's.

    Raises
    ------
    CalibrationError
        If a matrix is missing or has another form, or the size is not known.
    """
    rows = _matrix(content, content.first_of(*_MATRIX_NAMES), 3, 3)
    has_lens = any(each in content for each in _LENS_NAMES)
    lens = _vector(content, content.first_of(*_LENS_NAMES)) if has_lens else ()
    fisheye = any(each in content and content.number(each) for each in ("fisheye_model", "fisheye"))
    distortion = (kannala_brandt if fisheye else brown_conrady)(lens, content.path)
    if size_px is None and any(each in content for each in _WIDTH_NAMES):
        size_px = (
            content.whole(content.first_of(*_WIDTH_NAMES)),
            content.whole(content.first_of(*_HEIGHT_NAMES)),
        )
    return Parts(cameras=(camera_of(name, size_px, rows, content.path, distortion),))


def _matrix(content: Fields, name: str, rows: int, columns: int) -> tuple[float, ...]:
    matrix = content.table(name)
    if (matrix.whole("rows"), matrix.whole("cols")) != (rows, columns):
        found = f"{matrix.whole('rows')}x{matrix.whole('cols')}"
        raise content.fault(name, f"a matrix of {found}", f"{rows}x{columns}")
    return matrix.numbers("data", rows * columns)


def _vector(content: Fields, name: str) -> tuple[float, ...]:
    matrix = content.table(name)
    return matrix.numbers("data", matrix.whole("rows") * matrix.whole("cols"))


def open3d_parts(content: Fields, name: str, size_px: tuple[int, int] | None) -> Parts:
    """Return the camera of Open3D's ``PinholeCameraIntrinsic``; ``size_px`` replaces its size.

    Raises
    ------
    CalibrationError
        If a value is missing or impossible.
    """
    path = content.path
    found = parse_open3d_json(content.text_of_file, path)
    size = size_px or (content.whole("width"), content.whole("height"))
    rows = (found.fx, 0, found.cx, 0, found.fy, found.cy, 0, 0, 1)
    return Parts(cameras=(camera_of(name, size, rows, path),))


def is_open_calib(content: Fields) -> bool:
    """Say whether a mapping is OpenCalib's: tables with ``sensor_name`` and ``param``."""
    return any(content.is_table(name) and "param_type" in content.table(name) for name in content)


def open_calib_parts(content: Fields, size_px: tuple[int, int] | None) -> Parts:
    """Return the cameras and transforms of OpenCalib's JSON.

    Its size is sometimes not that of the pictures; then the matrix holds for the pictures, and
    ``size_px`` mends the size.

    Raises
    ------
    CalibrationError
        If a value is missing, of the wrong type, or of a kind that is not known.
    """
    cameras = []
    transforms = []
    for name in content:
        entry = content.table(name)
        sensor, kind, values = (
            entry.text("sensor_name"),
            entry.choice("param_type", _KINDS),
            "param",
        )
        if kind == "intrinsic":
            cameras.append(_open_calib_camera(entry.table(values), sensor, size_px))
        else:
            target = entry.text("target_sensor_name")
            numbers = entry.table(values).table("sensor_calib").numbers("data", 16)
            transforms.append(transform_of(target, sensor, numbers, content.path))
    return Parts(cameras=tuple(cameras), transforms=tuple(transforms))


def _open_calib_camera(values: Fields, name: str, size_px: tuple[int, int] | None) -> Camera:
    rows = values.table("cam_K").numbers("data", 9)
    lens = values.table("cam_dist").numbers("data") if "cam_dist" in values else ()
    size = size_px or (values.whole("img_dist_w"), values.whole("img_dist_h"))
    return camera_of(name, size, rows, values.path, brown_conrady(lens, values.path))
