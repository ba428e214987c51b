"""NPY and NPZ, the arrays of numpy, read without pickles and without trust in their sizes."""

import io
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.read_file import read_whole

NPY_MAGIC: Final = b"\x93NUMPY"
NPZ_MAGIC: Final = b"PK\x03\x04"
_COPY_AGAIN = "copy the file again or save it anew with numpy"
# Deflate makes of one byte at most this many; a zip archive may claim anything.
_LARGEST_GROWTH = 1032
_HEADER_BYTES = 1 << 14
# numpy leaves to Python what it cannot parse itself.
_HEADER_FAULTS = (
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


def read_npy(path: Path) -> NDArray[Any]:
    """Read one array; raises as :func:`read_npz`."""
    return _array(read_whole(path, "an NPY file"), path, "")


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read named arrays.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is damaged, or an array has another size than its header says.
    UnsupportedRecordingError
        If an array holds Python objects.

    References
    ----------
    numpy, NEP 1: "A simple file format for NumPy arrays".
    """
    data = read_whole(path, "an NPZ file")
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if entry.file_size > (entry.compress_size + 1) * _LARGEST_GROWTH:
                    found = f"array {name!r} that grows from {entry.compress_size} bytes to "
                    raise _corrupt(path, f"{found}{entry.file_size}", "what deflate can do")
                arrays[name] = _array(archive.read(entry), path, f"array {name!r}: ")
    except _FAULTS as error:
        found = f"an archive that is damaged ({_first_line(error)})"
        raise _corrupt(path, found, "a zip archive") from error
    return arrays


def npy_shape(path: Path) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Return type and shape of the one array, under "", from its header; raises as read_npz."""
    head = read_whole(path, "an NPY file", _HEADER_BYTES)
    dtype, shape, _ = _header(io.BytesIO(head), path, "")
    return {"": (dtype, shape)}


def npz_shapes(path: Path) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Return type and shape of each array from its header; raises as :func:`read_npz`."""
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    head = io.BytesIO(file.read(_HEADER_BYTES))
                name = entry.filename.removesuffix(".npy")
                shapes[name] = _header(head, path, f"array {name!r}: ")[:2]
    except _FAULTS as error:
        found = f"an archive that is damaged ({_first_line(error)})"
        raise _corrupt(path, found, "a zip archive") from error
    return shapes


def _header(
    file: io.BytesIO, path: Path, where: str
) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Return type, shape and whether the array stands by columns."""
    try:
        version = npy_format.read_magic(file)
        read = {
            (1, 0): npy_format.read_array_header_1_0,
            (2, 0): npy_format.read_array_header_2_0,
        }[version]
        shape, by_columns, dtype = read(file)
    except _HEADER_FAULTS as error:
        found = f"{where}{file.getvalue()[:12]!r} ({_first_line(error)})"
        raise _corrupt(path, found, "the header of an NPY array") from None
    if dtype.hasobject:
        msg = f"{path}: {where}Python objects, which may run code when read; save plain numbers"
        raise UnsupportedRecordingError(msg)
    return dtype, shape, by_columns


def _array(data: bytes, path: Path, where: str) -> NDArray[Any]:
    file = io.BytesIO(data)
    dtype, shape, by_columns = _header(file, path, where)
    count = 1
    for length in shape:
        count *= length
    left = len(data) - file.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize != left or not dtype.itemsize:
        raise _corrupt(path, f"{where}{left} bytes", f"those of {dtype} {shape}")
    flat = np.frombuffer(data, dtype, count, file.tell())
    return flat.reshape(shape, order="F" if by_columns else "C")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:80]


def _corrupt(path: Path, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, 0, found, expected, _COPY_AGAIN)
