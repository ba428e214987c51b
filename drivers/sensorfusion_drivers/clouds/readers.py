"""Readers of the cloud files that need numpy alone, and the table of all kinds of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError, CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.npy import (
    NPY_MAGIC,
    NPZ_MAGIC,
    npy_shape,
    npz_shapes,
    read_npy,
    read_npz,
)
from sensorfusion.formats.number_table import read_number_table
from sensorfusion.formats.pcd import read_pcd, read_pcd_header
from sensorfusion.formats.pcd_header import looks_like_pcd
from sensorfusion.formats.ply import read_ply
from sensorfusion.formats.read_file import read_whole
from sensorfusion.transform import rotation_from_quaternion_xyzw
from sensorfusion_drivers.clouds.e57 import count_e57, place_e57, read_e57
from sensorfusion_drivers.clouds.las import read_las
from sensorfusion_drivers.clouds.raw_scan import RawScan

_KITTI = ("x", "y", "z", "intensity")
_NUSCENES = (*_KITTI, "ring")
_TEXT = {3: (), 4: ("intensity",), 6: ("red", "green", "blue")}
_TEXT |= {7: ("intensity", "red", "green", "blue")}
_POINTS = ("points", "xyz", "point", "positions", "cloud", "pc")
# Beyond this a float32 of four bytes taken at random lies nearly always.
_FARTHEST_M = 1e5
_LOOKED_AT = 64
_MOST_COLUMNS = 16


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of cloud file.

    Attributes
    ----------
    name : str
        As messages say it.
    endings : tuple of str
        Of file names, in lower case.
    recognise : callable
        Says from the first bytes and the name whether a file is of this kind.
    read : callable
        Reads one scan: path and number of the scan in the file.
    count : callable or None
        Counts the scans of a file; None where a file is one scan.
    place : callable or None
        Reads ``T_world_sensor`` of a scan without its points; None where files hold none.
    """

    name: str
    endings: tuple[str, ...]
    recognise: Callable[[bytes, Path], bool]
    read: Callable[[Path, int], RawScan]
    count: Callable[[Path], int] | None = None
    place: Callable[[Path, int], NDArray[np.float64] | None] | None = None


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a file by its first bytes, None for what is no cloud.

    Raises
    ------
    SourceError
        If the file cannot be read or is empty.
    """
    head = read_whole(path, "a file of points", 4096)
    return next((kind for kind in KINDS if kind.recognise(head, path)), None)


def _place_pcd(path: Path, _: int) -> NDArray[np.float64] | None:
    return _viewpoint(read_pcd_header(path).viewpoint, path)


def _read_pcd(path: Path, _: int) -> RawScan:
    pcd = read_pcd(path)
    header = pcd.header
    return RawScan(pcd.fields, header.height, header.width, _viewpoint(header.viewpoint, path))


def _viewpoint(values: tuple[float, ...] | None, path: Path) -> NDArray[np.float64] | None:
    if values is None:
        return None
    matrix = np.eye(4)
    w, x, y, z = values[3:]
    try:
        matrix[:3, :3] = rotation_from_quaternion_xyzw(np.array([x, y, z, w]))
    except CalibrationError as error:
        msg = f"{path}: VIEWPOINT: {error}"
        raise CalibrationError(msg) from error
    matrix[:3, 3] = values[:3]
    return matrix


def _read_ply(path: Path, _: int) -> RawScan:
    columns = read_ply(path).get("vertex")
    if columns is None:
        msg = f"{path}: a PLY file without vertices; expected points"
        raise UnsupportedRecordingError(msg)
    return RawScan({name: c for name, c in columns.items() if isinstance(c, np.ndarray)})


def _read_kitti(path: Path, _: int) -> RawScan:
    return _read_floats(path, _KITTI)


def _read_nuscenes(path: Path, _: int) -> RawScan:
    return _read_floats(path, _NUSCENES)


def _read_floats(path: Path, names: tuple[str, ...]) -> RawScan:
    data = read_whole(path, "points of float32")
    if len(data) % (4 * len(names)):
        raise CorruptRecordingError(
            path,
            len(data) - len(data) % (4 * len(names)),
            f"{len(data)} bytes",
            f"a multiple of {4 * len(names)}: {len(names)} float32 ({' '.join(names)}) a point",
            "copy the file again",
        )
    rows = np.frombuffer(data, "<f4").reshape(-1, len(names))
    return RawScan({name: rows[:, k] for k, name in enumerate(names)})


def _read_npy(path: Path, _: int) -> RawScan:
    return RawScan(_named(read_npy(path), path))


def _read_npz(path: Path, _: int) -> RawScan:
    arrays = read_npz(path)
    if len(arrays) == 1:
        return RawScan(_named(next(iter(arrays.values())), path))
    names = {name.lower(): name for name in arrays}
    found = next((names[name] for name in _POINTS if name in names), None)
    if found is None:
        return RawScan(arrays)
    fields = _named(arrays[found], path)
    return RawScan(fields | {name: a for name, a in arrays.items() if name != found and a.ndim})


def _named(array: NDArray[Any], path: Path) -> dict[str, NDArray[Any]]:
    """Return the columns of an array by name: its own, else x, y, z, intensity, ring."""
    if array.dtype.names and array.ndim == 1:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim == 2 and array.shape[1] >= 3 and array.dtype.kind in "iuf":
        width = array.shape[1]
        # Of more columns nobody knows the fifth: x y z red green blue is as common as a ring.
        known = _NUSCENES if width == len(_NUSCENES) else _KITTI
        names = (*known, *(f"column {k}" for k in range(len(known), width)))
        return {name: array[:, k] for k, name in enumerate(names[:width])}
    msg = (
        f"{path}: an array of {array.dtype} {array.shape}; expected points (N, 3 or more), or a "
        "structured array with x, y and z"
    )
    raise UnsupportedRecordingError(msg)


def _read_text(path: Path, _: int) -> RawScan:
    """Read lines of x y z [intensity] [red green blue], with or without their count before."""
    data = read_whole(path, "lines of numbers")
    every = data.split(b"\n")
    lines = [line for line in every if line.strip() and not line.startswith(b"#")]
    first = lines[0].split() if lines else []
    rows, begin = len(lines), 0
    if len(first) == 1 and first[0].isdigit():
        begin = len(lines[0])
        begin += sum(len(line) + 1 for line in takewhile(lambda each: each is not lines[0], every))
        rows, first = int(first[0][:18]), lines[1].split() if len(lines) > 1 else [b""] * 3
    if len(first) not in _TEXT:
        raise CorruptRecordingError(
            path,
            begin,
            f"a line of {len(first)} words",
            "x y z, then intensity, red green blue or all four",
            "save the points in one of these orders, or as PCD or PLY",
        )
    text = np.frombuffer(bytearray(data[begin:]), np.uint8)
    table = read_number_table(text, np.zeros(len(first), np.bool_), rows, path, begin)
    names = ("x", "y", "z", *_TEXT[len(first)])
    return RawScan({name: table[:, k] for k, name in enumerate(names)})


def _is_floats(head: bytes, path: Path, names: tuple[str, ...]) -> bool:
    """Say whether a file without a signature holds points of so many numbers."""
    size = path.stat().st_size
    if size % (4 * len(names)) or not path.name.lower().endswith(".bin"):
        return False
    rows = np.frombuffer(head[: len(head) // (4 * len(names)) * 4 * len(names)], "<f4")
    rows = rows.reshape(-1, len(names))[:_LOOKED_AT]
    sound = np.isfinite(rows).all() and bool((np.abs(rows[:, :3]) < _FARTHEST_M).all())
    if not (sound and rows.any() and (rows[:, 3] >= 0).all()):
        return False
    # Numbers below the smallest normal one are integers or text taken for floats.
    normal = (rows == 0) | (np.abs(rows) > np.finfo(np.float32).tiny)
    ring = rows[:, 4:]
    return bool(normal.all() and ((ring == np.rint(ring)) & (ring >= 0) & (ring < 1024)).all())


def _is_text(head: bytes, path: Path) -> bool:
    lines = (line.split() for line in head.split(b"\n") if not line.startswith(b"#"))
    words = next(filter(None, lines), [])
    return path.suffix.lower() in {".pts", ".xyz"} and bool(words) and _is_number(words[0])


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _begins(*signatures: bytes) -> Callable[[bytes, Path], bool]:
    return lambda head, _: head.startswith(signatures)


def _is_npz(head: bytes, path: Path) -> bool:
    return head.startswith(NPZ_MAGIC) and _holds_points(npz_shapes(path))


def _is_npy(head: bytes, path: Path) -> bool:
    return head.startswith(NPY_MAGIC) and _holds_points(npy_shape(path))


def _holds_points(arrays: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> bool:
    """Say whether arrays, by their headers, are points and not pictures or features."""
    names = {name.lower(): name for name in arrays}
    if {"x", "y", "z"} <= set(names):
        return True
    found = next((names[name] for name in _POINTS if name in names), None)
    if found is None and len(arrays) != 1:
        return False
    dtype, shape = arrays[found or next(iter(arrays))]
    if dtype.names:
        return {"x", "y", "z"} <= {name.lower() for name in dtype.names}
    return len(shape) == 2 and 3 <= shape[1] <= _MOST_COLUMNS and dtype.kind in "iuf"


_LFS = b"version https://git-lfs"
# Five columns before four: what has rings in its fifth column has them on purpose.
KINDS = (
    Kind(
        "PCD",
        (".pcd",),
        lambda head, path: (
            looks_like_pcd(head) or (head.startswith(_LFS) and path.suffix.lower() == ".pcd")
        ),
        _read_pcd,
        place=_place_pcd,
    ),
    Kind("PLY", (".ply",), _begins(b"ply\n", b"ply\r"), _read_ply),
    Kind("LAS or LAZ", (".las", ".laz"), _begins(b"LASF"), read_las),
    Kind("E57", (".e57",), _begins(b"ASTM-E57"), read_e57, count_e57, place_e57),
    Kind("NPY", (".npy",), _is_npy, _read_npy),
    Kind("NPZ", (".npz",), _is_npz, _read_npz),
    Kind(
        "nuScenes", (".pcd.bin", ".bin"), lambda h, p: _is_floats(h, p, _NUSCENES), _read_nuscenes
    ),
    Kind("KITTI", (".bin",), lambda h, p: _is_floats(h, p, _KITTI), _read_kitti),
    Kind("text", (".pts", ".xyz"), _is_text, _read_text),
)
