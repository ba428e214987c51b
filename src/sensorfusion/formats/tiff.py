"""TIFF: what a picture of depth says about itself, checked before a decoder sees its pixels.

References
----------
Adobe, "TIFF Revision 6.0", 1992, sections 2 (structure), 8 (baseline tags), 15 (tiles) and 19
(sample format); Adobe, "TIFF Technical Notes", 2002 (Deflate).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.picture import MAX_PIXELS, PictureHeader

SIGNATURES: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_BIG = SIGNATURES[2:]
_CODES = {1: "B", 3: "H", 4: "I"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _SAMPLES, _STRIP_BYTES = 273, 274, 277, 279
_PREDICTOR, _TILES, _TILE_BYTES, _FORMAT = 317, 324, 325, 339
_USUAL = {_BITS: 1, _COMPRESSION: 1, _ORIENTATION: 1, _SAMPLES: 1, _PREDICTOR: 1, _FORMAT: 1}
_PLAIN, _PACK_BITS = 1, 32773
_WITH_DIFFERENCES = frozenset((5, 8, 32946))  # LZW, Deflate and Deflate's older number
_UINT, _FLOAT = 1, 3
_READ = {(_UINT, 16), (_FLOAT, 32), (_FLOAT, 64)}
_ENTRY_BYTES = 12
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class _Directory:
    """Tags of the one picture: the values of each, and where they stand."""

    values: dict[int, tuple[int, ...]]
    offset: int
    following: int

    def one(self, tag: int) -> int | None:
        """Return the first value of a tag, or what stands for it where it is left out."""
        return self.values[tag][0] if self.values.get(tag) else _USUAL.get(tag)


def read_header(data: bytes, path: Path | str) -> PictureHeader:
    """Read the header of a TIFF that holds one picture of depth, and check that it is whole.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path or str
        Named in errors.

    Returns
    -------
    PictureHeader
        16 bits for unsigned numbers, 32 or 64 for floats.

    Raises
    ------
    CorruptRecordingError
        If it is no TIFF, is cut, or claims more than 64 million pixels.
    UnsupportedRecordingError
        If it is a BigTIFF, holds several pictures, or pixels that are no depth: colours, 8 bit,
        turned or compressed in another way than LZW, Deflate or PackBits.
    """
    if data[:4] not in SIGNATURES:
        raise _corrupt(path, 0, f"{bytes(data[:4])!r}", "a TIFF signature")
    if data[:4] in _BIG:
        raise _refused(path, "a BigTIFF")
    directory = _read_directory(data, path)
    width, height = directory.one(_WIDTH) or 0, directory.one(_HEIGHT) or 0
    if not 1 <= width * height <= MAX_PIXELS:
        found = f"{width} x {height} pixels"
        raise _corrupt(path, directory.offset, found, f"1 to {MAX_PIXELS} pixels")
    bits, kind = directory.one(_BITS) or 0, directory.one(_FORMAT) or 0
    _check_depth(directory, (kind, bits), path)
    _check_pixels(directory, len(data), width * height * bits // 8, path)
    return PictureHeader(width, height, bits, 1)


def _read_directory(data: bytes, path: Path | str) -> _Directory:
    order = "<" if data[:2] == b"II" else ">"
    offset = _unpack(data, order + "I", 4, path)[0]
    count = _unpack(data, order + "H", offset, path)[0]
    if not 1 <= count <= _MOST_ENTRIES:
        raise _corrupt(path, offset, f"{count} tags", f"1 to {_MOST_ENTRIES}")
    values: dict[int, tuple[int, ...]] = {}
    for place in range(offset + 2, offset + 2 + count * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, kind, length = _unpack(data, order + "HHI", place, path)
        code = _CODES.get(kind)
        if code is None or tag not in _KNOWN:
            continue
        size = struct.calcsize(f"{order}{code}") * length
        start = place + 8 if size <= 4 else _unpack(data, order + "I", place + 8, path)[0]
        if start + size > len(data):
            found = f"tag {tag} with {length} values at {start}"
            raise _corrupt(path, place, found, f"values within the {len(data)} bytes")
        values[tag] = _unpack(data, f"{order}{length}{code}", start, path)
    following = _unpack(data, order + "I", offset + 2 + count * _ENTRY_BYTES, path)[0]
    return _Directory(values, offset, following)


def _check_depth(directory: _Directory, sample: tuple[int, int], path: Path | str) -> None:
    """Refuse what is sound but no depth, or nothing that is decoded here."""
    samples = directory.one(_SAMPLES)
    if samples != 1 or sample not in _READ:
        kind = {_UINT: "unsigned", 2: "signed", _FLOAT: "float"}.get(sample[0], "undefined")
        raise _refused(path, f"{samples} samples of {sample[1]} bits ({kind}) a pixel")
    if directory.following:
        raise _refused(path, "several pictures")
    compression, predictor = directory.one(_COMPRESSION), directory.one(_PREDICTOR)
    # Decoders leave out the predictor where its compression has none, without a word.
    if compression not in _WITH_DIFFERENCES | {_PLAIN, _PACK_BITS} or (
        predictor != 1 and compression not in _WITH_DIFFERENCES
    ):
        raise _refused(path, f"compression {compression} and predictor {predictor}")
    if directory.one(_ORIENTATION) != 1 or directory.one(_PHOTOMETRIC) not in (None, 1):
        raise _refused(path, "rows that are turned, or values that fall with brightness")


def _check_pixels(directory: _Directory, size: int, pixels: int, path: Path | str) -> None:
    """Refuse a picture whose strips or tiles are not all within the file."""
    tiled = _TILES in directory.values
    starts = directory.values.get(_TILES if tiled else _STRIPS, ())
    lengths = directory.values.get(_TILE_BYTES if tiled else _STRIP_BYTES, ())
    if not starts or len(starts) != len(lengths):
        found = f"{len(starts)} places of pixels with {len(lengths)} lengths"
        raise _corrupt(path, directory.offset, found, "one length for each place")
    for start, length in zip(starts, lengths, strict=True):
        if not length or start + length > size:
            found = f"{max(0, size - start)} bytes of pixels"
            raise _corrupt(path, start, found, f"{length or 'more'} bytes")
    if directory.one(_COMPRESSION) == _PLAIN and sum(lengths) < pixels:
        found = f"{sum(lengths)} bytes of pixels"
        raise _corrupt(path, starts[0], found, f"{pixels} bytes")


def _unpack(data: bytes, layout: str, offset: int, path: Path | str) -> tuple[Any, ...]:
    if offset + struct.calcsize(layout) > len(data):
        found = f"the end after {len(data)} bytes"
        raise _corrupt(path, offset, found, f"{struct.calcsize(layout)} more bytes")
    return struct.unpack_from(layout, data, offset)


_KNOWN = frozenset(
    (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _ORIENTATION, _SAMPLES)
) | frozenset((_STRIP_BYTES, _PREDICTOR, _TILES, _TILE_BYTES, _FORMAT))


def _refused(path: Path | str, found: str) -> UnsupportedRecordingError:
    msg = (
        f"{path}: TIFF with {found}; depth must be one picture of 16-bit unsigned or 32-bit float "
        "pixels, plain or compressed by LZW, Deflate or PackBits; is this a preview?"
    )
    return UnsupportedRecordingError(msg)


def _corrupt(path: Path | str, offset: int, found: str, expected: str) -> CorruptRecordingError:
    return CorruptRecordingError(path, offset, found, expected, "copy or export the picture again")
