"""Intrinsics of a pinhole camera as folders of RGB-D pictures carry them.

Two forms: a 3x3 matrix as text (7-Scenes, TUM), and the JSON of Open3D's
``PinholeCameraIntrinsic`` (width, height, ``intrinsic_matrix`` column by column), which Open3D's
RealSense tools extend with ``depth_scale``, units per metre.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sensorfusion.errors import CalibrationError

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PinholeIntrinsics:
    """Plain values of an intrinsics file.

    Attributes
    ----------
    fx, fy, cx, cy : float
        Pixels, pixel centres at integers.
    width, height : int or None
        Picture size that the values belong to, where the file says it.
    depth_unit_m : float or None
        Metres per depth unit, where the file says it.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int | None = None
    height: int | None = None
    depth_unit_m: float | None = None


def read_intrinsics(path: Path) -> PinholeIntrinsics:
    """Read an intrinsics file of either form, told apart by content.

    Parameters
    ----------
    path : Path
        At most 1 MiB.

    Raises
    ------
    CalibrationError
        If the file cannot be read or is not one of the two forms.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot read intrinsics: {error.strerror}; give a readable file"
        raise CalibrationError(msg) from error
    if len(data) > _MAX_BYTES:
        raise _refused(path, f"more than {_MAX_BYTES} bytes")
    text = data.decode("utf-8-sig", errors="replace").strip()
    return parse_open3d_json(text, path) if text.startswith("{") else parse_matrix(text, path)


def parse_matrix(text: str, path: Path) -> PinholeIntrinsics:
    """Parse a 3x3 matrix, row by row, separated by white space or commas.

    Parameters
    ----------
    text : str
        Lines that begin with ``#`` are comments.
    path : Path
        Named in errors.

    Raises
    ------
    CalibrationError
        If these are not nine numbers of an upper triangular matrix without skew.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    words = " ".join(lines).replace(",", " ").split()
    if len(words) != 9:
        raise _refused(path, f"{len(words)} words")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise _refused(path, f"words that are not numbers ({error})") from error
    return _from_rows(values, path)


def parse_open3d_json(text: str, path: Path) -> PinholeIntrinsics:
    """Parse the JSON form of Open3D's ``PinholeCameraIntrinsic``.

    Parameters
    ----------
    text : str
    path : Path
        Named in errors.

    Raises
    ------
    CalibrationError
        If this is not JSON with width, height and nine numbers in ``intrinsic_matrix``.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"JSON that does not parse ({error})") from error
    columns = content.get("intrinsic_matrix")
    if not (isinstance(columns, list) and len(columns) == 9 and all(map(_is_number, columns))):
        raise _refused(path, "no nine numbers under 'intrinsic_matrix'")
    width, height = content.get("width"), content.get("height")
    if not (_is_size(width) and _is_size(height)):
        raise _refused(path, f"width {width!r} and height {height!r}")
    plain = _from_rows([float(columns[3 * (i % 3) + i // 3]) for i in range(9)], path)
    return PinholeIntrinsics(
        plain.fx, plain.fy, plain.cx, plain.cy, width, height, _depth_unit_m(content, path)
    )


def _depth_unit_m(content: dict[str, object], path: Path) -> float | None:
    scale = content.get("depth_scale")
    if scale is None:
        return None
    if not isinstance(scale, int | float) or not _is_number(scale) or scale < 1:
        msg = (
            f"{path}: found depth_scale {scale!r}; expected intrinsics with units per metre, at "
            "least 1 (1000 for millimetres); mend the file or give another with -o intrinsics=FILE"
        )
        raise CalibrationError(msg)
    return 1.0 / scale


def _from_rows(rows: Sequence[float], path: Path) -> PinholeIntrinsics:
    fx, skew, cx, zero, fy, cy, *last = rows
    if not all(map(math.isfinite, rows)) or fx <= 0 or fy <= 0:
        raise _refused(path, f"fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g}")
    if (skew, zero, *last) != (0, 0, 0, 0, 1):
        raise _refused(path, f"skew {skew:g}, left {zero:g}, last row {last}")
    return PinholeIntrinsics(fx, fy, cx, cy)


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < 1e9  # also False for NaN


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 20


def _refused(path: Path, found: str) -> CalibrationError:
    msg = (
        f"{path}: found {found}; expected intrinsics: the 3x3 matrix fx 0 cx / 0 fy cy / 0 0 1 "
        "as text, or Open3D's JSON with width, height and intrinsic_matrix; mend the file or "
        "give another with -o intrinsics=FILE"
    )
    return CalibrationError(msg)
