"""E57, read by pye57: each scan of a file is a frame."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import (
    CorruptRecordingError,
    UnsupportedRecordingError,
)
from sensorfusion.formats.read_file import read_whole
from sensorfusion_drivers.clouds.raw_scan import RawScan

_INSTALL = "pip install 'sensorfusion[lidar]'"
_NAMES = {
    "cartesianX": "x",
    "cartesianY": "y",
    "cartesianZ": "z",
    "colorRed": "red",
    "colorGreen": "green",
    "colorBlue": "blue",
    "nor:normalX": "nx",
    "nor:normalY": "ny",
    "nor:normalZ": "nz",
    "timeStamp": "time_s",
}
# Of the file header: physical length of the file, bytes of a page.
_HEADER_BYTES, _LENGTH_AT, _PAGE_AT = 48, 16, 40


def count_e57(path: Path) -> int:
    """Count the scans of a file; raises as :func:`read_e57`."""
    return int(_guarded(path, lambda file: file.scan_count))


def read_e57(path: Path, index: int) -> RawScan:
    """Read one scan, in the coordinate system of the scanner, and where that stood.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is damaged or shorter than its header says.
    UnsupportedRecordingError
        If pye57 is not installed.

    References
    ----------
    ASTM E2807, "Standard specification for 3D imaging data exchange", 2011.
    """
    scan: RawScan = _guarded(path, lambda file: _scan(file, index))
    return scan


def place_e57(path: Path, index: int) -> NDArray[np.float64] | None:
    """Return where a scan's scanner stood, ``T_world_sensor``; raises as :func:`read_e57`."""
    matrix: NDArray[np.float64] | None = _guarded(path, lambda file: _place(file.get_header(index)))
    return matrix


def _scan(file: Any, index: int) -> RawScan:  # noqa: ANN401 - pye57 has no types
    header = file.get_header(index)
    data: dict[str, NDArray[Any]] = file.read_scan_raw(index)
    fields = {_NAMES.get(name, name): values for name, values in data.items()}
    if "x" not in fields and "sphericalRange" in fields:
        fields |= _from_angles(data)
    # What the scanner itself marks as no return, it gives any coordinates.
    invalid = fields.pop("cartesianInvalidState", fields.pop("sphericalInvalidState", None))
    if invalid is not None and "x" in fields:
        fields |= {axis: np.where(invalid == 0, fields[axis], np.nan) for axis in "xyz"}
    return RawScan(fields, T_world_sensor=_place(header))


def _place(header: Any) -> NDArray[np.float64] | None:  # noqa: ANN401 - pye57 has no types
    if not header.has_pose():
        return None
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = header.rotation_matrix, header.translation
    return matrix


def _from_angles(data: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    range_m, azimuth_rad, elevation_rad = (
        data[f"spherical{name}"] for name in ("Range", "Azimuth", "Elevation")
    )
    level_m = range_m * np.cos(elevation_rad)
    return {
        "x": level_m * np.cos(azimuth_rad),
        "y": level_m * np.sin(azimuth_rad),
        "z": range_m * np.sin(elevation_rad),
    }


def _guarded(path: Path, use: Any) -> Any:  # noqa: ANN401 - whatever ``use`` returns
    """Open a file, use it and close it; what the library raises becomes one sentence."""
    try:
        import pye57
        from pye57.libe57 import E57Exception
    except ImportError as error:
        msg = f"{path}: E57 needs pye57; {_INSTALL}"
        raise UnsupportedRecordingError(msg) from error
    _check_length(path)
    try:
        file = pye57.E57(str(path))
        try:
            return use(file)
        finally:
            file.close()
    except (E57Exception, ValueError, TypeError, RuntimeError, LookupError, MemoryError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise _corrupt(path, f"data that the E57 library refuses ({text})") from error


def _check_length(path: Path) -> None:
    head = read_whole(path, "an E57 file", _HEADER_BYTES)
    size = path.stat().st_size
    said = int.from_bytes(head[_LENGTH_AT : _LENGTH_AT + 8], "little")
    if len(head) < _HEADER_BYTES or said != size:
        raise _corrupt(path, f"{size} bytes; the header says {said}")


def _corrupt(path: Path, found: str) -> CorruptRecordingError:
    return CorruptRecordingError(
        path, 0, found, "a whole E57 file", "copy the file again or export it anew"
    )
