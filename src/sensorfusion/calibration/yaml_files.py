"""Cameras in YAML: what ROS's camera calibrator and Kalibr write.

References
----------
ROS, ``camera_calibration_parsers`` (YAML) and ``sensor_msgs/CameraInfo``; Kalibr wiki, "YAML
formats": ``T_cn_cnm1`` takes points of the camera before to this one, ``T_cam_imu`` those of the
IMU to the camera.
"""

from sensorfusion.calibration.parts import (
    Parts,
    brown_conrady,
    camera_of,
    kannala_brandt,
    transform_of,
)
from sensorfusion.distortion import Distortion
from sensorfusion.formats.fields import Fields
from sensorfusion.transform import RigidTransform

_FISHEYE = ("equidistant", "fisheye", "kannala_brandt")
_BROWN_CONRADY = ("plumb_bob", "rational_polynomial")
_IMU = "imu"


def camera_info_parts(content: Fields, name: str, size_px: tuple[int, int] | None) -> Parts:
    """Return the camera of a ``camera_info`` file: the picture as it comes from the lens.

    Parameters
    ----------
    content : Fields
        The file that the calibrator writes, or a message as ``ros2 topic echo`` prints it.
    name : str
        Of the camera, where the file has none.
    size_px : tuple of int, or None
        In place of the file's.

    Raises
    ------
    CalibrationError
        If a value is missing or of the wrong type, or the model is not known.
    """
    if "camera_matrix" in content:
        rows = content.table("camera_matrix").numbers("data", 9)
        coefficients = content.table("distortion_coefficients").numbers("data")
        size = (content.whole("image_width"), content.whole("image_height"))
        name = content.text("camera_name") if "camera_name" in content else name
    else:
        rows = content.numbers(content.first_of("k", "K"), 9)
        coefficients = content.numbers(content.first_of("d", "D"))
        size = (content.whole("width"), content.whole("height"))
        header = content.table("header") if "header" in content else content
        name = header.text("frame_id") if "frame_id" in header else name
    distortion = _ros_distortion(content, coefficients)
    return Parts(cameras=(camera_of(name, size_px or size, rows, content.path, distortion),))


def _ros_distortion(content: Fields, coefficients: tuple[float, ...]) -> Distortion:
    if content.choice("distortion_model", (*_BROWN_CONRADY, *_FISHEYE)) in _FISHEYE:
        return kannala_brandt(coefficients, content.path)
    return brown_conrady(coefficients, content.path)


def is_camera_info(content: Fields) -> bool:
    """Say whether a mapping names its lens model as ``camera_info`` does."""
    return "distortion_model" in content


def is_kalibr(content: Fields) -> bool:
    """Say whether a mapping is a camera chain of Kalibr."""
    return "cam0" in content


def kalibr_parts(content: Fields) -> Parts:
    """Return the cameras of a chain, and the IMU where the chain was calibrated with one.

    The chain holds each camera against the one before it, so the IMU's transform is read of the
    first camera, and of others only where the chain is broken. Time shifts are not read: cameras
    of a rig share one clock.

    Raises
    ------
    CalibrationError
        If a value is missing or of the wrong type, or a model is not known.
    """
    cameras = []
    transforms: list[RigidTransform] = []
    for index, name in enumerate(content):
        if name != f"cam{index}":
            raise content.fault(name, "this name", f"cam{index}, cameras numbered in order")
        chain = content.table(name)
        chain.choice("camera_model", ("pinhole",))
        fx, fy, cx, cy = chain.numbers("intrinsics", 4)
        width, height = chain.wholes("resolution", 2)
        rows = (fx, 0, cx, 0, fy, cy, 0, 0, 1)
        lens = _kalibr_distortion(chain)
        cameras.append(camera_of(name, (width, height), rows, content.path, lens))
        if "T_cn_cnm1" in chain and index:
            numbers = chain.numbers("T_cn_cnm1", 16)
            transforms.append(transform_of(name, f"cam{index - 1}", numbers, content.path))
        elif "T_cam_imu" in chain:
            numbers = chain.numbers("T_cam_imu", 16)
            transforms.append(transform_of(name, _IMU, numbers, content.path))
    with_imu = any(step.source == _IMU for step in transforms)
    return Parts(
        cameras=tuple(cameras), imus=(_IMU,) if with_imu else (), transforms=tuple(transforms)
    )


def _kalibr_distortion(chain: Fields) -> Distortion:
    model = chain.choice("distortion_model", ("radtan", "equidistant", "none"))
    if model == "none":
        return Distortion()
    made = brown_conrady if model == "radtan" else kannala_brandt
    return made(chain.numbers("distortion_coeffs", 4), chain.path)
