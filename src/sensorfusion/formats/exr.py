"""OpenEXR: depth from scan-line pictures, without a foreign decoder.

References
----------
Academy Software Foundation, "OpenEXR File Layout" (openexr.com): scan-line blocks; ZIP and RLE
store the differences of bytes, those at even places before those at odd ones.
"""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.formats.exr_header import (
    NONE,
    RLE,
    ExrHeader,
    corrupt,
    read_header,
    refused,
)


def read_depth(data: bytes, path: Path | str) -> NDArray[np.float32]:
    """Read the channel of depth.

    That is the only channel; else the one named Z, Depth or the like, also within a layer
    (``ViewLayer.Depth.Z``); else Y, which stands for grey.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path or str
        Named in errors.

    Returns
    -------
    ndarray of float32, shape (H, W)
        As stored.

    Raises
    ------
    CorruptRecordingError
        If the file is cut or damaged.
    UnsupportedRecordingError
        If no or several channels may be depth, it holds whole numbers, or the file is of a kind
        that :func:`~sensorfusion.formats.exr_header.read_header` refuses.
    """
    header = read_header(data, path)
    name = _depth_channel(header, path)
    names = list(header.channels)
    before = names[: names.index(name)]
    start = header.width * sum(header.channels[key].itemsize for key in before)
    dtype = header.channels[name]
    lines = _lines(data, header, path)
    row = np.ascontiguousarray(lines[:, start : start + header.width * dtype.itemsize])
    return row.view(dtype).astype(np.float32)


def _depth_channel(header: ExrHeader, path: Path | str) -> str:
    """Return the name of the channel that holds depth."""
    names = list(header.channels)
    found = names if len(names) == 1 else [name for name in names if _says_depth(name)]
    found = found or [name for name in names if name == "Y"]
    if len(found) != 1:
        raise refused(path, f"channels {', '.join(names)}, of which one must be depth (Z)")
    if header.channels[found[0]].kind != "f":
        raise refused(path, f"whole numbers in channel {found[0]}")
    return found[0]


def _says_depth(name: str) -> bool:
    parts = name.lower().split(".")
    return parts[-1] in ("z", "depth") or "depth" in parts[:-1]


def _lines(data: bytes, header: ExrHeader, path: Path | str) -> NDArray[np.uint8]:
    """Return the decompressed bytes of every row, uint8 (H, bytes of a row)."""
    step = header.lines_per_chunk
    count = -(-header.height // step)
    first = header.offsets_at + 8 * count
    if first > len(data):
        found = f"a table of chunks that ends after {len(data) - header.offsets_at} bytes"
        raise corrupt(path, header.offsets_at, found, f"{8 * count} bytes")
    offsets = np.frombuffer(data, "<u8", count, header.offsets_at)
    if offsets.min() < first or offsets.max() > len(data):
        found = f"chunks from {offsets.min()} to {offsets.max()}"
        raise corrupt(path, header.offsets_at, found, f"{first} to {len(data)}: a whole file")
    lines = np.zeros((header.height, header.line_bytes), np.uint8)
    read = first
    for number, offset in enumerate(map(int, offsets)):
        top = number * step
        body = _chunk(data, offset, header.first_line + top, path)
        rows = lines[top : top + step]
        rows[:] = _unpacked(body, header, rows.size, (path, offset + 8)).reshape(rows.shape)
        read += 8 + len(body)
    if read != len(data):
        raise corrupt(path, first, f"{len(data) - first} bytes of chunks", f"{read - first} bytes")
    return lines


def _chunk(data: bytes, offset: int, line: int, path: Path | str) -> bytes:
    """Return the content of the chunk that begins with a row."""
    stands = int.from_bytes(data[offset : offset + 4], "little", signed=True)
    size = int.from_bytes(data[offset + 4 : offset + 8], "little", signed=True)
    left = len(data) - offset - 8
    if stands != line or not 0 <= size <= left:
        found = f"row {stands} of {size} bytes, with {left} left"
        raise corrupt(path, offset, found, f"row {line} within the file")
    return data[offset + 8 : offset + 8 + size]


def _unpacked(
    body: bytes, header: ExrHeader, size: int, place: tuple[Path | str, int]
) -> NDArray[np.uint8]:
    """Return the bytes of a chunk, of which there must be ``size``."""
    # What compression would make no smaller is stored as it is.
    if header.compression == NONE or len(body) == size:
        plain = body
    else:
        plain = (_run_lengths if header.compression == RLE else _inflated)(body, size, place)
    if len(plain) != size:
        raise corrupt(*place, f"{len(plain)} bytes of pixels in a chunk", f"{size} bytes")
    values = np.frombuffer(plain, np.uint8)
    return values if plain is body else _from_differences(values)


def _inflated(body: bytes, size: int, place: tuple[Path | str, int]) -> bytes:
    stream = zlib.decompressobj()
    try:
        # One more than there may be, so that more is noticed, and a bomb is not.
        plain = stream.decompress(body, size + 1)
    except zlib.error as error:
        raise corrupt(*place, f"pixels that do not inflate ({error})", "a zlib stream") from error
    if not stream.eof:
        raise corrupt(*place, "a zlib stream that does not end with the chunk", f"{size} bytes")
    return plain


def _run_lengths(body: bytes, size: int, place: tuple[Path | str, int]) -> bytes:
    plain = bytearray()
    offset = 0
    while offset < len(body) and len(plain) <= size:
        count = int.from_bytes(body[offset : offset + 1], signed=True)
        taken = -count if count < 0 else 1
        some = body[offset + 1 : offset + 1 + taken]
        if len(some) != taken:
            raise corrupt(*place, f"a run of {taken} bytes with {len(some)} left", "a whole run")
        plain += some if count < 0 else some * (count + 1)
        offset += 1 + taken
    return bytes(plain)


def _from_differences(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the differences, which are 128 too large, and mix even and odd places again."""
    shifted = values - np.uint8(128)
    shifted[0] = values[0]
    summed = np.cumsum(shifted, dtype=np.uint8)
    mixed = np.empty_like(summed)
    half = (summed.size + 1) // 2
    mixed[0::2], mixed[1::2] = summed[:half], summed[half:]
    return mixed
