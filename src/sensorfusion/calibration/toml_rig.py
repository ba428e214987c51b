"""Our own rig file: TOML for cameras, LiDARs, IMUs and the transforms between them.

``docs/rig-file.md`` describes the format.
"""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final, get_args

import numpy as np
import tomli_w

from sensorfusion.calibration.parts import rigid
from sensorfusion.camera import Camera
from sensorfusion.distortion import NO_DISTORTION, Distortion, DistortionModel
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.fields import Fields
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform, rotation_from_quaternion_xyzw

FORMAT: Final = "sensorfusion rig 1"
"""What stands under ``format`` in the file."""
_LARGEST_OFFSET_NS = 3_600_000_000_000
_OFFSETS = "time_offsets_ns"
_TABLES = ("format", "imus", "cameras", "lidars", "depth_noise", _OFFSETS, "transforms")
_CAMERA = ("width", "height", "fx", "fy", "cx", "cy", "distortion")
_LIDAR = tuple(field.name for field in fields(Lidar) if field.name != "name")
_NOISE = tuple(field.name for field in fields(DepthNoise) if field.name != "name")


def is_toml_rig(text: str) -> bool:
    """Say whether a text names our format."""
    return any(
        line.replace(" ", "").replace("'", '"').startswith('format="sensorfusionrig')
        for line in text.splitlines()
    )


def rig_from_toml(content: Fields) -> Rig:
    """Return the rig of a parsed file.

    Raises
    ------
    CalibrationError
        If a name is not known, a value is missing, of the wrong type or impossible, or the
        transforms leave a sensor unconnected.
    """
    content.only(_TABLES)
    content.choice("format", (FORMAT,))
    cameras = {name: _camera(entry, name) for name, entry in _entries(content, "cameras")}
    lidars = {name: _lidar(entry, name) for name, entry in _entries(content, "lidars")}
    noise = {name: _noise(entry) for name, entry in _entries(content, "depth_noise")}
    listed = content.tables("transforms") if "transforms" in content else ()
    transforms = tuple(map(_transform, listed))
    imus = content.texts("imus") if "imus" in content else ()
    offsets = _time_offsets(content.table("time_offsets_ns")) if _OFFSETS in content else {}
    try:
        return Rig(cameras, transforms, noise, imus, lidars, offsets)
    except CalibrationError as error:
        msg = f"{content.path}: {error}"
        raise CalibrationError(msg) from error


def toml_of_rig(rig: Rig, comments: Sequence[str] = ()) -> str:
    """Return a rig as text; reading it gives every number back bit for bit.

    Parameters
    ----------
    rig : Rig
    comments : sequence of str
        Lines for people, at the top.
    """
    content: dict[str, Any] = {"format": FORMAT}
    if rig.imus:
        content["imus"] = list(rig.imus)
    if rig.cameras:
        content["cameras"] = {name: _camera_table(each) for name, each in rig.cameras.items()}
    if rig.lidars:
        content["lidars"] = {name: _plain(each, _LIDAR) for name, each in rig.lidars.items()}
    if rig.depth_noise:
        content["depth_noise"] = {
            name: {"kind": each.name, **_plain(each, _NOISE)}
            for name, each in rig.depth_noise.items()
        }
    if rig.time_offsets_ns:
        content[_OFFSETS] = {name: int(ns) for name, ns in rig.time_offsets_ns.items()}
    if rig.transforms:
        content["transforms"] = [
            {"target": each.target, "source": each.source, "matrix": each.matrix.tolist()}
            for each in rig.transforms
        ]
    told = "".join(f"# {line}\n" for text in comments for line in text.splitlines())
    return (told + "\n" if told else "") + tomli_w.dumps(content)


def _time_offsets(table: Fields) -> dict[str, int]:
    offsets = {}
    for name in table:
        value = table.number(name)
        if not (abs(value) <= _LARGEST_OFFSET_NS and value == int(value)):
            expected = "whole nanoseconds, at most an hour"
            raise table.fault(name, f"{value:g}", expected)
        offsets[name] = int(value)
    return offsets


def _entries(content: Fields, name: str) -> list[tuple[str, Fields]]:
    if name not in content:
        return []
    table = content.table(name)
    return [(entry, table.table(entry)) for entry in table]


def _camera(entry: Fields, name: str) -> Camera:
    entry.only(_CAMERA)
    width, height = entry.whole("width"), entry.whole("height")
    fx, fy, cx, cy = (entry.number(each) for each in ("fx", "fy", "cx", "cy"))
    distortion = _distortion(entry.table("distortion")) if "distortion" in entry else NO_DISTORTION
    try:
        return Camera(name, width, height, fx, fy, cx, cy, distortion)
    except CalibrationError as error:
        raise _impossible(entry, error) from error


def _distortion(entry: Fields) -> Distortion:
    entry.only(("model", "coefficients"))
    models = {model: model for model in get_args(DistortionModel)}
    model = models[entry.choice("model", tuple(models))]
    coefficients = entry.numbers("coefficients") if "coefficients" in entry else ()
    try:
        return Distortion(model, coefficients)
    except CalibrationError as error:
        raise _impossible(entry, error) from error


def _lidar(entry: Fields, name: str) -> Lidar:
    entry.only(_LIDAR)
    values: dict[str, Any] = {}
    for each in entry:
        if each in ("rings", "columns"):
            values[each] = entry.whole(each)
        elif each == "elevation_rad":
            values[each] = entry.numbers(each)
        else:
            values[each] = entry.number(each)
    try:
        return Lidar(name=name, **values)
    except CalibrationError as error:
        raise _impossible(entry, error) from error


def _noise(entry: Fields) -> DepthNoise:
    entry.only(("kind", *_NOISE))
    values = {each: entry.number(each) for each in entry if each != "kind"}
    try:
        return DepthNoise(name=entry.text("kind"), **values)
    except CalibrationError as error:
        raise _impossible(entry, error) from error


def _transform(entry: Fields) -> RigidTransform:
    entry.only(("target", "source", "matrix", "translation_m", "quaternion_xyzw"))
    if ("matrix" in entry) == ("quaternion_xyzw" in entry):
        raise entry.fault(
            None,
            "both or neither of matrix and quaternion_xyzw",
            "a matrix of 4 rows, or translation_m and quaternion_xyzw",
        )
    if "matrix" in entry:
        matrix = np.array(entry.numbers("matrix", 16)).reshape(4, 4)
    else:
        matrix = np.eye(4)
        matrix[:3, 3] = entry.numbers("translation_m", 3)
        quaternion = np.array(entry.numbers("quaternion_xyzw", 4))
        if not math.isclose(float(np.linalg.norm(quaternion)), 1.0, abs_tol=1e-3):
            length = f"a length of {np.linalg.norm(quaternion):g}"
            raise entry.fault(name="quaternion_xyzw", found=length, expected="length 1")
        matrix[:3, :3] = rotation_from_quaternion_xyzw(quaternion)
    return rigid(entry.text("target"), entry.text("source"), matrix, entry.path)


def _camera_table(camera: Camera) -> dict[str, Any]:
    table = _plain(camera, _CAMERA[:-1])
    if not camera.distortion.is_none:
        lens = camera.distortion
        table["distortion"] = {"model": lens.model, "coefficients": _floats(lens.coefficients)}
    return table


def _plain(noun: Camera | Lidar | DepthNoise, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named values as TOML knows them: NumPy's numbers are no floats there."""
    values = {name: getattr(noun, name) for name in names}
    whole = ("width", "height", "rings", "columns")
    return {
        name: _floats(value)
        if isinstance(value, tuple)
        else (int(value) if name in whole else float(value))
        for name, value in values.items()
    }


def _floats(values: tuple[float, ...]) -> list[float]:
    return [float(value) for value in values]


def _impossible(entry: Fields, error: CalibrationError) -> CalibrationError:
    msg = f"{entry.place}: {error}"
    return CalibrationError(msg)
