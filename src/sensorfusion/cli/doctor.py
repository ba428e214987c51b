"""``sensorfusion doctor``: whether this installation is sound."""

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Annotated

from cyclopts import Parameter

from sensorfusion.cli.doctor_live import check_camera
from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.usage import UsageError
from sensorfusion.cli.wall import wall_distance_m
from sensorfusion.errors import SensorFusionError
from sensorfusion.sources.registry import driver_names, load_driver

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_PACKAGES = ("numpy", "numba", "lz4", "cyclopts", "rich", "tomli-w")
_FREE_GB = 1.0
_WALL_M = 2.0


def doctor(
    camera: str = "realsense:",
    /,
    *,
    live: Annotated[bool, Parameter(negative=())] = False,
    seconds: float = 60.0,
    out: Path = Path("doctor.json"),
    opening: SourceOptions | None = None,
) -> None:
    """Check this installation: interpreter, packages, system libraries, drivers, a known wall.

    Parameters
    ----------
    camera
        With --live: the camera, as `sensorfusion devices` lists it; by default the only one.
    live
        Check a camera instead: let it look at a wall and watch frames, losses, exposure, noise.
    seconds
        With --live: for how long.
    out
        With --live: file for the report, to send to whoever helps.

    Raises
    ------
    SensorFusionError
        If a check failed; each one's line says what to do.
    """
    if live:
        check_camera(camera, opening or SourceOptions(), seconds, out)
        return
    if opening or camera != "realsense:":
        msg = "a camera, its driver and its options go with --live"
        raise UsageError(msg)
    failed = []
    for name, check in _CHECKS.items():
        with only_our_output():
            try:
                line, sound = check(), True
            except SensorFusionError as error:
                line, sound = str(error), False
        write_line(f"{'ok  ' if sound else 'FAIL'}  {name}: {line}")
        if not sound:
            failed.append(name)
    if failed:
        msg = f"{len(failed)} of {len(_CHECKS)} checks failed: {', '.join(failed)}"
        raise SensorFusionError(msg)


def _python() -> str:
    found = platform.python_version()
    if not (3, 11) <= sys.version_info < (3, 15):
        msg = f"found {found}; expected 3.11 to 3.14"
        raise SensorFusionError(msg)
    return f"{found} on {platform.platform()}"


def _packages() -> str:
    found = {name: _installed(name) for name in _PACKAGES}
    missing = [name for name, number in found.items() if not number]
    if missing:
        msg = f"{', '.join(missing)} not installed; install sensorfusion anew, as ./run does"
        raise SensorFusionError(msg)
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _open3d() -> str:
    if _installed("open3d") and _installed("open3d-cpu"):
        msg = (
            "open3d and open3d-cpu are both installed and overwrite each other; uninstall both, "
            "then install open3d"
        )
        raise SensorFusionError(msg)
    module = _import("open3d")
    # What pip leaves of two such packages imports without an error, as an empty namespace.
    if not hasattr(module, "__version__"):
        msg = "its files are missing though it is listed; uninstall it, then install open3d"
        raise SensorFusionError(msg)
    return f"{module.__version__}, CUDA {'yes' if module.core.cuda.is_available() else 'no'}"


def _opencv() -> str:
    found = [name for name in _OPENCV if _installed(name)]
    if len(found) > 1:
        msg = f"{' and '.join(found)} overwrite each other; uninstall all but opencv-python"
        raise SensorFusionError(msg)
    return f"{_import('cv2').__version__}"


def _realsense() -> str:
    if not _installed("pyrealsense2"):
        return "not installed: recordings are read without it, cameras are not"
    _import("pyrealsense2")
    return str(_installed("pyrealsense2"))


def _kernels() -> str:
    numba = _import("numba")
    try:
        # Where this is refused, every start would compile for half a minute.
        numba.njit(cache=True)(_wanted_by_numba)
    except RuntimeError as error:
        msg = f"compiled code can be kept nowhere ({error}); set NUMBA_CACHE_DIR to a folder"
        raise SensorFusionError(msg) from error
    _import("numba.np.ufunc.omppool")
    return f"compiled code is kept between runs, {os.cpu_count()} processors"


def _disk() -> str:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    if free_gb < _FREE_GB:
        msg = f"{free_gb:.2f} GB free in {Path.cwd()}; expected {_FREE_GB:g} GB or more"
        raise SensorFusionError(msg)
    return f"{free_gb:.0f} GB free here"


def _drivers() -> str:
    names = driver_names()
    for name in names:
        load_driver(name)
    return ", ".join(names)


def _wall() -> str:
    found_m = wall_distance_m(_WALL_M)
    if not abs(found_m - _WALL_M) <= 0.001:
        msg = f"came out at {found_m:.4f} m; Open3D {_installed('open3d')} does not fuse here"
        raise SensorFusionError(msg)
    return f"came out at {found_m:.4f} m"


_CHECKS: dict[str, Callable[[], str]] = {
    "Python": _python,
    "packages": _packages,
    "Open3D": _open3d,
    "OpenCV": _opencv,
    "pyrealsense2": _realsense,
    "kernels": _kernels,
    "disk": _disk,
    "drivers": _drivers,
    f"a wall at {_WALL_M:g} m": _wall,
}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        msg = f"does not load: {error}; ./run installs what it needs of the system"
        raise SensorFusionError(msg) from error


def _wanted_by_numba() -> int:
    return 0
