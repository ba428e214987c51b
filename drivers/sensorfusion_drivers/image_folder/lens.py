"""The camera that took the pictures, from a file; never guessed."""

from pathlib import Path

from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.intrinsics import read_intrinsics

_RIG_ENDINGS = (".toml", ".yaml", ".yml", ".xml")
_CAMERA = "color"
# Of the principal point, as a share of the picture: intrinsics of half the size are off by more.
_LARGEST_SHIFT = 0.2


def camera_of(folder: Path, given: Path | None, name: str | None, size: tuple[int, int]) -> Camera:
    """Return the camera of some pictures.

    Parameters
    ----------
    folder : Path
        Where a file with intrinsics is looked for: ``rig.toml``, then ``*intrinsic*``, here and in
        the folder above.
    given : Path or None
        The file to use instead.
    name : str or None
        Camera of a rig file that has several.
    size : (int, int)
        Width and height of the pictures.

    Raises
    ------
    CalibrationError
        If there is no such file, it does not say which camera, or is for another size.
    """
    path = given or _found(folder)
    if path.suffix.lower() in _RIG_ENDINGS:
        camera = _of_rig(path, name)
    else:
        values = read_intrinsics(path)
        told = (values.width or size[0], values.height or size[1])
        camera = Camera(_CAMERA, *told, values.fx, values.fy, values.cx, values.cy)
    if (camera.width, camera.height) != size:
        msg = (
            f"{path}: is for pictures of {camera.width}x{camera.height}; these have "
            f"{size[0]}x{size[1]}; give the intrinsics of this size with -o intrinsics=FILE"
        )
        raise CalibrationError(msg)
    shift = max(abs(camera.cx / size[0] - 0.5), abs(camera.cy / size[1] - 0.5))
    if shift > _LARGEST_SHIFT:
        msg = (
            f"{path}: principal point ({camera.cx:g}, {camera.cy:g}) is far from the middle of "
            f"{size[0]}x{size[1]} pictures; expected the intrinsics of this size"
        )
        raise CalibrationError(msg)
    return camera


def _found(folder: Path) -> Path:
    for place in (folder, folder.parent):
        if (place / "rig.toml").is_file():
            return place / "rig.toml"
        named = sorted(
            path
            for path in place.iterdir()
            if "intrinsic" in path.name.lower() and path.suffix.lower() in (".txt", ".json")
        )
        if len(named) > 1:
            listed = ", ".join(path.name for path in named)
            msg = f"{place}: {listed} may all hold the intrinsics; choose with -o intrinsics=FILE"
            raise CalibrationError(msg)
        if named:
            return named[0]
    msg = (
        f"{folder}: no rig.toml and no *intrinsic* file here or above; depth cannot be placed "
        "without a camera; give one with -o intrinsics=FILE (3x3 matrix, Open3D's JSON, rig file)"
    )
    raise CalibrationError(msg)


def _of_rig(path: Path, name: str | None) -> Camera:
    # Here, because most folders have none.
    from sensorfusion.calibration.rig_file import read_rig  # noqa: PLC0415

    cameras = read_rig(path).cameras
    if name is None and len(cameras) == 1:
        return next(iter(cameras.values()))
    if name is None or name not in cameras:
        listed = ", ".join(cameras) or "none"
        asked = "says not which one took these pictures" if name is None else f"has no {name!r}"
        msg = f"{path}: {asked}; it has cameras {listed}; choose with -o camera=NAME"
        raise CalibrationError(msg)
    return cameras[name]
