"""The rig of a recording: cameras from CameraInfo, and where they sit from /tf_static.

References
----------
sensor_msgs/CameraInfo.msg; REP 103 (axes with the suffix _optical); REP 105.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.distortion import NO_DISTORTION, Distortion
from sensorfusion.errors import CalibrationError
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.ros.messages import TRANSFORMS, CameraInfo, read_transforms
from sensorfusion_drivers.ros.recording import Recording
from sensorfusion_drivers.ros.topics import Picture

DEPTH: Final = "depth"
COLOR: Final = "color"
STATIC: Final = "/tf_static"
# A smaller one moves no ray by a thousandth of a pixel and would overflow where it divides.
_SMALLEST_COEFFICIENT: Final = 1e-9
_LARGEST_COEFFICIENT: Final = 1e6
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Placed:
    """A rig, and which topic is which of its sensors.

    Attributes
    ----------
    rig : Rig
    sensor : str
        Name of what measures.
    pictures : dict of str to Picture
        By name of the camera.
    notes : list of str
        Which pictures are left out, and why.
    """

    rig: Rig
    sensor: str
    pictures: dict[str, Picture]
    notes: list[str] = field(default_factory=list)


def place_lidar(
    frame: str, pictures: Iterable[Picture], static: Rig, given: Rig | None, asked: bool
) -> Placed:
    """Return the rig of a LiDAR and the cameras whose place beside it is known.

    Parameters
    ----------
    frame : str
        Coordinate system of the LiDAR.
    pictures : iterable of Picture
    static : Rig
        As :func:`static_transforms` returns it.
    given : Rig or None
        Read from a file: its intrinsics and transforms count, not the recording's.
    asked : bool
        The pictures were named: leaving one out is an error.

    Raises
    ------
    CalibrationError
        If the file does not hold the LiDAR, or a picture that was asked for has no place.
    """
    name = _name(frame, "lidar", ())
    lidar = Lidar(name=name) if given is None else _of(given.lidars, (name, frame), "LiDAR")
    cameras: dict[str, Camera] = {}
    transforms = () if given is None else given.transforms
    placed = Placed(Rig({}), lidar.name, {})
    every = tuple(pictures)
    for picture in every:
        own = _name(picture.frame or picture.topic, "camera", (lidar.name, *cameras))
        try:
            if given is not None:
                known = (own, picture.frame, picture.topic)
                camera = _of(given.cameras, known, "camera", only=len(every) == 1)
                given.transform(lidar.name, camera.name)
            else:
                camera, T_camera_frame = _camera(own, picture)
                T_lidar_frame = _between(static, frame, picture.frame)
                matrix = T_lidar_frame @ np.linalg.inv(T_camera_frame)
                transforms = (*transforms, RigidTransform.nearest(lidar.name, own, matrix))
        except CalibrationError as error:
            if asked:
                raise
            placed.notes.append(f"{picture.topic} is left out: {error}")
            continue
        cameras[camera.name] = camera
        placed.pictures[camera.name] = picture
    return replace(placed, rig=Rig(cameras, transforms, lidars={lidar.name: lidar}))


def place_cameras(
    depth: Picture, color: Picture | None, static: Rig, given: Rig | None, asked: bool
) -> Placed:
    """Return the rig of a depth camera, "depth", and of the one for colour, "color".

    Parameters are those of :func:`place_lidar`.

    Raises
    ------
    CalibrationError
        If the depth camera has no intrinsics, or a picture that was asked for has no place.
    """
    if given is not None:
        names = (DEPTH,) if color is None else (DEPTH, COLOR)
        cameras = {name: _of(given.cameras, (name,), "camera") for name in names}
        pictures = {} if color is None else {COLOR: color}
        noise = {DEPTH: given.noise_of(DEPTH)}
        return Placed(Rig(cameras, given.transforms, noise), DEPTH, pictures)
    camera, T_depth_frame = _camera(DEPTH, depth)
    noise = {DEPTH: DepthNoise.of_device(depth.frame, camera.fx)}
    alone = Placed(Rig({DEPTH: camera}, depth_noise=noise), DEPTH, {})
    if color is None:
        return alone
    try:
        other, T_color_frame = _camera(COLOR, color)
        between = _between(static, color.frame, depth.frame)
    except CalibrationError as error:
        if asked:
            raise
        alone.notes.append(f"{color.topic} is left out: {error}")
        return alone
    matrix = T_color_frame @ between @ np.linalg.inv(T_depth_frame)
    T_color_depth = RigidTransform.nearest(COLOR, DEPTH, matrix)
    rig = Rig({DEPTH: camera, COLOR: other}, (T_color_depth,), noise)
    return Placed(rig, DEPTH, {COLOR: color})


def static_transforms(recording: Recording) -> Rig:
    """Return all of /tf_static, between coordinate systems as the recording names them.

    A transform that is sent again replaces the one before.
    """
    found: dict[str, RigidTransform] = {}
    if recording.types.get(STATIC) in TRANSFORMS:
        for index in range(recording.count(STATIC)):
            for T_parent_child in read_transforms(recording.message(STATIC, index)):
                found[T_parent_child.source] = T_parent_child
    return Rig({}, tuple(found.values()))


def _between(static: Rig, target: str, source: str) -> NDArray[np.float64]:
    """Return ``T_target_source`` of two coordinate systems of the recording, 4x4."""
    try:
        return static.transform(target, source).matrix
    except CalibrationError as error:
        there = "no transforms in it" if static.transforms else f"there is no {STATIC}"
        msg = (
            f"nothing in {STATIC} connects {source!r} to {target!r}"
            + (f" ({there})" if not static.transforms else "")
            + "; give a rig with -o rig=FILE"
        )
        raise CalibrationError(msg) from error


def _camera(name: str, picture: Picture) -> tuple[Camera, NDArray[np.float64]]:
    """Return the camera of a topic, and ``T_camera_frame``, 4x4: a turn and shift if rectified."""
    info, T_camera_frame = picture.info, np.eye(4)
    if info is None:
        msg = (
            f"no camera_info stands beside {picture.topic}; name one with -o camera-info=/topic or "
            "give a rig with -o rig=FILE"
        )
        raise CalibrationError(msg)
    fx, fy, cx, cy = (info.K[i] for i in (0, 4, 2, 5))
    distortion = NO_DISTORTION
    if picture.is_rectified and info.P[0] > 0:
        fx, fy, cx, cy = (info.P[i] for i in (0, 5, 2, 6))
        if any(info.R):
            T_camera_frame[:3, :3] = np.reshape(info.R, (3, 3))
        # The fourth column is where the second camera of a pair sits beside the first.
        T_camera_frame[:2, 3] = info.P[3] / fx, info.P[7] / fy if fy else 0.0
    elif not picture.is_rectified:
        distortion = _distortion(info)
    if not (fx > 0 and fy > 0):
        msg = f"its camera_info says fx {fx:g} and fy {fy:g}: the camera was never calibrated"
        raise CalibrationError(msg)
    left, top, rows, columns = info.window
    across, down = (max(1, step) for step in info.binning)
    size = ((columns or info.width) // across, (rows or info.height) // down)
    if size != picture.kind.size:
        msg = (
            f"its camera_info is for {size[0]}x{size[1]} pixels, the pictures have "
            f"{picture.kind.size[0]}x{picture.kind.size[1]}; name the right one with "
            "-o camera-info=/topic or give a rig with -o rig=FILE"
        )
        raise CalibrationError(msg)
    # Pixel centres are at integers: a pixel of 2 x 2 covers -0.5 to 1.5 and has its centre at 0.5.
    cx, cy = (cx - left + 0.5) / across - 0.5, (cy - top + 0.5) / down - 0.5
    return Camera(name, *size, fx / across, fy / down, cx, cy, distortion), T_camera_frame


def _distortion(info: CameraInfo) -> Distortion:
    if max(map(abs, info.D), default=0.0) > _LARGEST_COEFFICIENT:
        msg = f"its distortion coefficients are {info.D}; expected small numbers"
        raise CalibrationError(msg)
    model = info.model.lower()
    D = tuple(k if abs(k) > _SMALLEST_COEFFICIENT else 0.0 for k in info.D)
    if model in ("equidistant", "fisheye", "kannala_brandt4") and len(D) >= 4:
        return Distortion("kannala_brandt", D[:4])
    if not any(D):
        return NO_DISTORTION
    if model in ("plumb_bob", "rational_polynomial", "brown_conrady", ""):
        count = 8 if any(D[5:8]) else 5
        if len(D) >= 4 and not any(D[8:]):
            return Distortion.of("brown_conrady", (*D, 0.0)[:5] if count == 5 else D[:8])
    msg = (
        f"its distortion model is {info.model!r} with {len(D)} coefficients; this version reads "
        "plumb_bob, rational_polynomial (8) and equidistant; rectify the pictures, or give a rig "
        "with -o rig=FILE"
    )
    raise CalibrationError(msg)


def _name(frame: str, otherwise: str, taken: Iterable[str]) -> str:
    """Return a sensor's name from that of its axes: "camera_color_optical_frame" is a camera's."""
    name = re.sub(r"(_optical)?(_frame|_link)?$", "", frame.strip("/").replace("/", "_"))
    name = name or otherwise
    used = tuple(taken)
    return name if name not in used else f"{name}_{otherwise}_{len(used)}"


def _of(known: Mapping[str, _T], names: Iterable[str], what: str, *, only: bool = True) -> _T:
    """Return the sensor of a rig file that has one of these names, or the only one."""
    for name in names:
        if name in known:
            return known[name]
    if only and len(known) == 1:
        return next(iter(known.values()))
    msg = (
        f"the rig file has no {what} named {' or '.join(repr(n) for n in names if n)}; it has "
        f"{', '.join(known) or 'none'}"
    )
    raise CalibrationError(msg)
