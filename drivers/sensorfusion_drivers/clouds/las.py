"""LAS and LAZ, read by laspy."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.read_file import read_whole
from sensorfusion_drivers.clouds.raw_scan import RawScan

_INSTALL = "pip install 'sensorfusion[lidar]'"
# GeoTIFF keys and their values: model type, geographic; linear unit of a projection, of heights.
_MODEL, _GEOGRAPHIC, _LINEAR_UNIT, _VERTICAL_UNIT = 1024, 2, 3076, 4099
_GEO_UNITS_M = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}
_WKT = 2112
_WKT_UNIT = re.compile(r'UNIT\["[^"]*",\s*([\d.]+)')
_VERTICAL = re.compile("VERT_CS|VERTCRS")
# Of the public header block: offset to the points, bytes of one, number of them, and of records
# before and behind them.
_HEADER_BYTES = 227
_RECORDS_AT, _RECORDS_BEHIND_AT = 100, 243
_OFFSET_AT, _LENGTH_AT, _COUNT_AT, _COUNT_14_AT = 96, 105, 107, 247


def read_las(path: Path, _: int) -> RawScan:
    """Read a file; x, y and z in metres, by the unit that its coordinate system names.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is damaged, or holds fewer points than its header says.
    UnsupportedRecordingError
        If laspy is not installed, or coordinates are degrees.

    References
    ----------
    ASPRS, "LAS specification 1.4 R15".
    """
    try:
        import laspy
        from laspy.errors import LaspyException
        from lazrs import LazrsError
    except ImportError as error:
        msg = f"{path}: LAS and LAZ need laspy; {_INSTALL}"
        raise UnsupportedRecordingError(msg) from error
    count = _checked_count(path)
    faults = (LaspyException, LazrsError, ValueError, TypeError, OSError, LookupError)
    try:
        # Not the parallel one, which asks for the memory that the table of chunks claims.
        las = laspy.read(path, laz_backend=laspy.LazBackend.Lazrs)
        units_m, note = _units_m(las.header.vlrs, path)
        fields = _fields(las, units_m)
    except (*faults, RuntimeError, ArithmeticError, MemoryError, EOFError) as error:
        raise _corrupt(path, f"data that laspy refuses ({_first_line(error)})") from error
    if any(len(column) != count for column in fields.values()):
        found = f"{min(len(column) for column in fields.values())} points"
        raise _corrupt(path, f"{found} of {count}")
    return RawScan(fields, note=note)


def _units_m(records: Any, path: Path) -> tuple[tuple[float, float], str]:  # noqa: ANN401 - laspy
    """Return the metres in a unit across and in one of height, and what to say about it.

    Heights whose unit is not named are taken to have that of the coordinates across.
    """
    keys: dict[int, int] = {}
    well_known = ""
    for record in records:
        keys |= {key.id: key.value_offset for key in getattr(record, "geo_keys", ())}
        if record.record_id == _WKT:
            well_known = getattr(record, "string", "") or well_known
    across, *above = (_WKT_UNIT.findall(part) for part in _VERTICAL.split(well_known, maxsplit=1))
    projected = re.search("PROJCS|PROJCRS", well_known)
    if keys.get(_MODEL) == _GEOGRAPHIC or (well_known and not projected and not keys):
        msg = (
            f"{path}: coordinates are degrees, not lengths; project them to metres first, for "
            "instance to UTM"
        )
        raise UnsupportedRecordingError(msg)
    unit_m = _GEO_UNITS_M.get(keys.get(_LINEAR_UNIT, 0)) or (
        float(across[-1]) if projected and across else None
    )
    height_m = _GEO_UNITS_M.get(keys.get(_VERTICAL_UNIT, 0)) or (
        float(above[0][-1]) if above and above[0] else unit_m
    )
    if unit_m is None or height_m is None:
        note = "the file does not say the unit of its coordinates: metres are assumed"
        return (1.0, height_m or 1.0), note
    taken = f"coordinates in units of {unit_m:.6g} m were taken to metres"
    if height_m != unit_m:
        taken = f"{taken}, heights in units of {height_m:.6g} m"
    return (unit_m, height_m), "" if unit_m == height_m == 1.0 else taken


def _fields(las: Any, units_m: tuple[float, float]) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - laspy has no types
    fields: dict[str, NDArray[Any]] = {
        axis: np.asarray(getattr(las, axis), dtype=np.float64) * units_m[axis == "z"]
        for axis in "xyz"
    }
    for name in las.point_format.dimension_names:
        if name not in "XYZ":
            fields[name] = np.asarray(las[name])
    return fields


def _checked_count(path: Path) -> int:
    """Return the number of points, if the file has room for them."""
    data = read_whole(path, "a LAS file", 375)
    if len(data) < _HEADER_BYTES:
        raise _corrupt(path, f"{len(data)} bytes")
    header = np.frombuffer(data, np.uint8)

    def number(at: int, kind: str) -> int:
        return int(header[at : at + np.dtype(kind).itemsize].view(kind)[0])

    count = number(_COUNT_AT, "<u4")
    if (data[24], data[25]) >= (1, 4) and len(data) >= _COUNT_14_AT + 8:
        count = number(_COUNT_14_AT, "<u8")
    offset, length = number(_OFFSET_AT, "<u4"), number(_LENGTH_AT, "<u2")
    size = path.stat().st_size
    # The two upper bits of the format say that the points are compressed.
    packed = bool(data[104] & 0xC0)
    smallest = 0 if packed else length * count
    if offset + smallest > size or count > 1000 * size or length < 20:
        raise _corrupt(path, f"{size} bytes for {count} points of {length} bytes from {offset}")
    # Records before the points, and behind them, take 54 and 60 bytes at least.
    records, behind = number(_RECORDS_AT, "<u4"), 0
    if (data[24], data[25]) >= (1, 4) and len(data) >= _COUNT_14_AT:
        behind = number(_RECORDS_BEHIND_AT, "<u4")
    if records * 54 > offset or behind * 60 > size:
        raise _corrupt(path, f"{records} and {behind} records in {size} bytes")
    if packed:
        _check_chunks(path, offset, size)
    return count


def _check_chunks(path: Path, offset: int, size: int) -> None:
    """Refuse a table of chunks with more entries than bytes: lazrs would ask for their memory.

    References
    ----------
    Isenburg, "LASzip: lossless compression of lidar data", 2013.
    """
    with path.open("rb") as file:
        file.seek(offset)
        table_at = int.from_bytes(file.read(8), "little", signed=True)
        if table_at == -1:
            file.seek(-8, os.SEEK_END)
            table_at = int.from_bytes(file.read(8), "little", signed=True)
        if not offset + 8 <= table_at <= size - 8:
            raise _corrupt(path, f"a table of chunks at byte {table_at} of {size}")
        file.seek(table_at + 4)
        chunks = int.from_bytes(file.read(4), "little")
    if chunks > size:
        raise _corrupt(path, f"{chunks} chunks in {size} bytes")


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:100]


def _corrupt(path: Path, found: str) -> CorruptRecordingError:
    expected = "a whole LAS or LAZ file"
    return CorruptRecordingError(path, 0, found, expected, "copy the file again or export it anew")
