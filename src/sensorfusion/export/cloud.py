"""Point cloud files: the ending of the name chooses the format."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import OutputError
from sensorfusion.formats.lzf import lzf_compress
from sensorfusion.formats.pcd import read_pcd_header
from sensorfusion.formats.ply_header import read_ply_header
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.point_cloud import PointCloud

CLOUD_ENDINGS = (".ply", ".pcd", ".las", ".laz")
"""Endings of the files that :func:`write_cloud` writes."""
_PLY_TYPES = {
    "f4": "float", "f8": "double", "u1": "uchar", "i1": "char", "u2": "ushort", "i2": "short",
    "u4": "uint", "i4": "int",
}  # fmt: skip
_NUMBERS = (*_PLY_TYPES, "i8", "u8")
_AXES = ("x", "y", "z")
_PLY_NORMALS = ("nx", "ny", "nz")
_PCD_NORMALS = ("normal_x", "normal_y", "normal_z")
_RGB = ("red", "green", "blue")
_LAS_SCALE_M = 0.001

_Columns = dict[str, NDArray[np.generic]]


def write_cloud(cloud: PointCloud, path: Path | str, *, compressed: bool = False) -> None:
    """Write a cloud, whole or not at all, and read its count back.

    Parameters
    ----------
    cloud : PointCloud
        Metres; written in the coordinate system that it has.
    path : Path or str
        Ends in ``.ply`` or ``.pcd`` (binary; intensity, ring, column, time in seconds after the
        scan's instant, colour, normals and the recording's other numbers), or in ``.las`` or
        ``.laz`` (rounded to millimetres; intensity in 16 bits, ring, time in seconds, colour,
        ``observations``; needs the extra ``lidar``).
    compressed : bool
        Write ``.pcd`` as binary_compressed.

    Raises
    ------
    OutputError
        If the ending is another, laspy is missing, coordinates are beyond what LAS holds, or the
        file cannot be written whole; an old file of that name is untouched.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    check_cloud_path(path)
    with whole_file(path) as temporary:
        if suffix in {".las", ".laz"}:
            found = _write_las(cloud, temporary, path)
        else:
            parts = _ply_parts(cloud) if suffix == ".ply" else _pcd_parts(cloud, compressed)
            with temporary.open("wb") as file:
                file.writelines(parts)
            found = _count(temporary, suffix)
        if found != len(cloud):
            msg = f"{path}: {found} points came back of {len(cloud)} written; is the disk sound?"
            raise OutputError(msg)


def check_cloud_path(path: Path) -> None:
    """Refuse a name that no cloud can be written to, before there is a cloud.

    Raises
    ------
    OutputError
        If the ending is none of those of :func:`write_cloud`, or laspy is missing.
    """
    suffix = path.suffix.lower()
    if suffix not in CLOUD_ENDINGS:
        msg = f"{path}: unknown cloud format {suffix!r}; expected {', '.join(CLOUD_ENDINGS)}"
        raise OutputError(msg)
    if suffix in {".las", ".laz"}:
        try:
            import laspy  # noqa: F401
        except ImportError as error:
            msg = f"{path}: LAS and LAZ need laspy; pip install 'sensorfusion[lidar]'"
            raise OutputError(msg) from error


def _ply_parts(cloud: PointCloud) -> Iterator[bytes]:
    """Yield a binary little-endian PLY file (Turk, "The PLY Polygon File Format", 1994)."""
    columns = _columns(cloud, _PLY_NORMALS)
    if cloud.color is not None:
        columns |= {name: cloud.color[:, k] for k, name in enumerate(_RGB)}
    columns = {name: column for name, column in columns.items() if _type(column) in _PLY_TYPES}
    lines = ["ply", "format binary_little_endian 1.0", "comment metres"]
    lines.append(f"element vertex {len(cloud)}")
    lines += [f"property {_PLY_TYPES[_type(column)]} {name}" for name, column in columns.items()]
    yield "\n".join([*lines, "end_header", ""]).encode("ascii")
    yield _rows(columns).tobytes()


def _pcd_parts(cloud: PointCloud, compressed: bool) -> Iterator[bytes]:
    """Yield a PCD file, version 0.7 (Point Cloud Library)."""
    columns = _columns(cloud, _PCD_NORMALS)
    if cloud.color is not None:
        red, green, blue = cloud.color.astype(np.uint32).T
        # Bits in a float, which every version of PCL takes for a colour.
        columns["rgb"] = (red << 16 | green << 8 | blue).view(np.float32)
    types = [column.dtype for column in columns.values()]
    kinds = {"f": "F", "i": "I", "u": "U"}
    lines = ["# .PCD v0.7 - Point Cloud Data file format", "VERSION 0.7"]
    lines.append(f"FIELDS {' '.join(columns)}")
    lines.append(f"SIZE {' '.join(str(dtype.itemsize) for dtype in types)}")
    lines.append(f"TYPE {' '.join(kinds[dtype.kind] for dtype in types)}")
    lines.append(f"COUNT {' '.join('1' for _ in types)}")
    lines += [f"WIDTH {len(cloud)}", "HEIGHT 1", "VIEWPOINT 0 0 0 1 0 0 0"]
    lines.append(f"POINTS {len(cloud)}")
    form = "binary_compressed" if compressed else "binary"
    yield "\n".join([*lines, f"DATA {form}", ""]).encode("ascii")
    if not compressed:
        yield _rows(columns).tobytes()
        return
    planes = b"".join(_little(column).tobytes() for column in columns.values())
    packed = lzf_compress(np.frombuffer(bytearray(planes), dtype=np.uint8))
    yield np.array([len(packed), len(planes)], dtype="<u4").tobytes()
    yield packed.tobytes()


def _columns(cloud: PointCloud, normals: tuple[str, str, str]) -> _Columns:
    """Return all but colour by name, a number for each point."""
    columns: _Columns = {name: cloud.points[:, k] for k, name in enumerate(_AXES)}
    layers = {"intensity": cloud.intensity, "ring": cloud.ring, "column": cloud.column}
    columns |= {name: layer for name, layer in layers.items() if layer is not None}
    if cloud.time_offset_ns is not None:
        columns["time"] = cloud.time_offset_ns / 1e9
    if cloud.normals is not None:
        columns |= {name: cloud.normals[:, k] for k, name in enumerate(normals)}
    for name, layer in cloud.extra.items():
        plain = "_".join(name.split())
        free = plain.isascii() and plain not in {*columns, *_RGB, "rgb", "_", ""}
        # Not float16 nor long double, which neither format has.
        if free and layer.ndim == 1 and layer.dtype.kind + str(layer.itemsize) in _NUMBERS:
            columns[plain] = layer
    return columns


def _type(column: NDArray[np.generic]) -> str:
    return column.dtype.str[1:]


def _little(column: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<"))


def _rows(columns: _Columns) -> NDArray[np.void]:
    """Return the columns as rows, as files hold them."""
    dtype = np.dtype([(name, column.dtype.newbyteorder("<")) for name, column in columns.items()])
    rows = np.empty(len(columns["x"]), dtype)
    for name, column in columns.items():
        rows[name] = column
    return rows


def _count(path: Path, suffix: str) -> int:
    """Return how many points a file of ours holds: as its header says, if its bytes agree."""
    size = path.stat().st_size
    if suffix == ".ply":
        header = read_ply_header(path)
        vertex = header.elements[0]
        return (size - header.size) // vertex.smallest_bytes()
    pcd = read_pcd_header(path)
    if pcd.form == "binary":
        return (size - pcd.size) // pcd.point_bytes
    with path.open("rb") as file:
        file.seek(pcd.size)
        packed, unpacked = np.frombuffer(file.read(8), dtype="<u4").tolist()
    whole = packed == size - pcd.size - 8
    return int(unpacked) // pcd.point_bytes if whole else -1


def _write_las(cloud: PointCloud, temporary: Path, path: Path) -> int:
    """Write LAS 1.2 (ASPRS), or LAZ, and return the count that comes back."""
    import laspy

    timed, colored = cloud.time_offset_ns is not None, cloud.color is not None
    header = laspy.LasHeader(version="1.2", point_format=timed + 2 * colored)
    exact = cloud.points.astype(np.float64)
    header.scales = np.full(3, _LAS_SCALE_M)
    header.offsets = np.floor(exact.min(axis=0)) if len(cloud) else np.zeros(3)
    if len(cloud) and np.ptp(exact, axis=0).max() > _LAS_SCALE_M * (2**31 - 1):
        msg = f"{path}: points lie farther apart than the 2147 km that LAS holds in millimetres"
        raise OutputError(msg)
    las = laspy.LasData(header)
    las.x, las.y, las.z = exact.T
    if cloud.intensity is not None:
        las.intensity = _las_intensity(cloud.intensity)
    if cloud.time_offset_ns is not None:
        las.gps_time = (cloud.timestamp_ns + cloud.time_offset_ns) / 1e9
    if cloud.color is not None:
        las.red, las.green, las.blue = cloud.color.astype(np.uint16).T * np.uint16(257)
    if cloud.ring is not None:
        las.add_extra_dim(laspy.ExtraBytesParams("ring", np.uint16))
        las["ring"] = cloud.ring
    observations = cloud.extra.get("observations")
    if observations is not None and observations.dtype == np.int32:
        las.add_extra_dim(laspy.ExtraBytesParams("observations", np.int32))
        las["observations"] = observations
    las.write(str(temporary))
    with laspy.open(temporary) as written:
        return int(written.header.point_count)


def _las_intensity(intensity: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return intensities as 16 bits; those of 0 to 1 are spread over them."""
    finite = np.nan_to_num(intensity, nan=0.0, posinf=65535.0, neginf=0.0)
    scale = 65535.0 if finite.size and finite.max() <= 1.0 else 1.0
    return np.asarray(np.rint(np.clip(finite * scale, 0.0, 65535.0)), dtype=np.uint16)
