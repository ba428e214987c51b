"""PNG: what a picture says about itself, and whether it is whole, before anything decodes it.

Decoders allocate what the header claims and fill in what is missing without a word.

References
----------
W3C, "Portable Network Graphics (PNG) Specification", 3rd ed., sections 5 and 11.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.picture import MAX_PIXELS, PictureHeader

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_HEADER_END = 33
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read_header(data: bytes, path: Path | str) -> PictureHeader:
    """Read the header of a PNG; the first 33 bytes of the file are enough.

    Parameters
    ----------
    data : bytes
        The file from its start.
    path : Path or str
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If the bytes are not the start of a PNG, or claim more than 64 million pixels.
    """
    if data[:8] != SIGNATURE:
        raise _corrupt(path, 0, f"{bytes(data[:8])!r}", "the PNG signature")
    if len(data) < _HEADER_END or data[8:16] != b"\x00\x00\x00\x0dIHDR":
        raise _corrupt(path, 8, f"{bytes(data[8:16])!r} in {len(data)} bytes", "an IHDR chunk")
    width = int.from_bytes(data[16:20])
    height = int.from_bytes(data[20:24])
    bit_depth, color_type = data[24], data[25]
    if not 1 <= width * height <= MAX_PIXELS:
        raise _corrupt(path, 16, f"{width} x {height} pixels", f"1 to {MAX_PIXELS} pixels")
    if bit_depth not in _BIT_DEPTHS.get(color_type, ()):
        found = f"bit depth {bit_depth} with colour type {color_type}"
        raise _corrupt(path, 24, found, "a combination that PNG allows")
    return PictureHeader(width, height, bit_depth, _CHANNELS[color_type])


def check_complete(data: bytes, path: Path | str) -> None:
    """Check that a PNG is whole: every chunk present with a right checksum, the last one IEND.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path or str
        Named in errors.

    Raises
    ------
    CorruptRecordingError
        If a chunk is cut, damaged or missing, or bytes follow the last one.
    """
    for _ in _chunks(data, path):
        pass


def fault_in_pixels(data: bytes, path: Path | str) -> CorruptRecordingError:
    """Return the error for a PNG that is whole, but that a decoder refused: what is wrong in it.

    Its pixels are inflated a second time, which takes half as long as decoding: too long to be
    done for every picture in advance.

    Parameters
    ----------
    data : bytes
        The whole file, accepted by :func:`read_header` and :func:`check_complete`.
    path : Path or str
        Named in the error.
    """
    header = read_header(data, path)
    expected = header.height * (1 + (header.width * header.bit_depth * header.channels + 7) // 8)
    # Interlaced rows (byte 28) are cut up and need more; there only the stream itself is judged.
    limit, least = (2 * expected + 64, 0) if data[28] else (expected + 1, expected)
    stream, inflated, offset = zlib.decompressobj(), 0, _HEADER_END
    for place, kind, body in _chunks(data, path):
        if kind != b"IDAT" or stream.eof or inflated >= limit:
            continue
        offset = place
        try:
            inflated += len(stream.decompress(body, limit - inflated))
        except zlib.error as error:
            found = f"pixels that do not inflate ({error})"
            return _corrupt(path, offset, found, "a zlib stream")
    if inflated < least or not (stream.eof or inflated >= limit):
        found = f"{inflated} bytes of pixels in {'all' if stream.eof else 'a stream that is cut'}"
        size = f"{header.width} x {header.height} pixels"
        return _corrupt(path, offset, found, f"{least or 'more'} bytes for {size}")
    return _corrupt(path, offset, "pixels that cannot be decoded", "rows as the header says")


def _chunks(data: bytes, path: Path | str) -> Iterator[tuple[int, bytes, memoryview]]:
    """Yield offset, kind and content of each chunk, checked, and refuse what is no chunk."""
    view = memoryview(data)
    offset = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        if offset + 12 > len(data):
            raise _corrupt(path, offset, f"the end after {len(data)} bytes", "another chunk")
        end = offset + 12 + int.from_bytes(view[offset : offset + 4])
        kind = bytes(view[offset + 4 : offset + 8])
        if end > len(data):
            found = f"{len(data) - offset} bytes of chunk {kind!r}"
            raise _corrupt(path, offset, found, f"{end - offset} bytes")
        if zlib.crc32(view[offset + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise _corrupt(path, offset, f"chunk {kind!r} with a wrong checksum", "the right one")
        yield offset, kind, view[offset + 8 : end - 4]
        offset = end
    if offset != len(data):
        raise _corrupt(path, offset, f"{len(data) - offset} bytes after IEND", "the end")


def _corrupt(path: Path | str, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, "copy or export the picture again")
