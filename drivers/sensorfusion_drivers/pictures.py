"""Decode pictures from files, after their bytes have been checked; what several drivers share."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats import jpeg, png
from sensorfusion.formats.read_file import read_whole


def read_depth(path: Path) -> NDArray[np.uint16]:
    """Read a depth picture.

    Returns
    -------
    ndarray of uint16, shape (H, W)
        Units as stored.

    Raises
    ------
    CorruptRecordingError
        If the file is no whole PNG.
    UnsupportedRecordingError
        If it is not 16-bit grey: a preview or a label picture is not depth.
    """
    data = read_whole(path, "a depth picture")
    header = png.read_header(data, path)
    if (header.bit_depth, header.channels) != (16, 1):
        msg = (
            f"{path}: {header.bit_depth}-bit PNG with {header.channels} channels; depth must be "
            "16-bit grey; is this a preview?"
        )
        raise UnsupportedRecordingError(msg)
    png.check_complete(data, path)
    import cv2

    pixels = _decode(data, path, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint16 or pixels.shape != (header.height, header.width):
        raise _undecodable(path, f"{pixels.dtype} {pixels.shape}")
    return pixels.astype(np.uint16, copy=False)


def read_color(path: Path) -> NDArray[np.uint8]:
    """Read a colour picture, PNG or JPEG by content.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green, blue, rows as stored: an orientation in EXIF would turn the picture away
        from the depth that belongs to it.

    Raises
    ------
    CorruptRecordingError
        If the file is no whole PNG or JPEG.
    """
    data = read_whole(path, "a colour picture")
    codec = png if data.startswith(png.SIGNATURE) else jpeg
    header = codec.read_header(data, path)
    codec.check_complete(data, path)
    import cv2

    pixels = _decode(data, path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels.dtype != np.uint8 or pixels.shape != (header.height, header.width, 3):
        raise _undecodable(path, f"{pixels.dtype} {pixels.shape}")
    return pixels.astype(np.uint8, copy=False)


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels from the header, without decoding.

    Raises
    ------
    CorruptRecordingError
        If the file begins like neither a PNG nor a JPEG.
    """
    data = read_whole(path, "a picture")
    codec = png if data.startswith(png.SIGNATURE) else jpeg
    header = codec.read_header(data, path)
    return header.width, header.height


def _decode(data: bytes, path: Path, flags: int) -> NDArray[np.generic]:
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise _undecodable(path, "data that OpenCV refuses") from error
    if pixels is None and data.startswith(png.SIGNATURE):
        raise png.fault_in_pixels(data, path)
    if pixels is None:
        raise _undecodable(path, "data that OpenCV cannot decode")
    return pixels


def _undecodable(path: Path, found: str) -> CorruptRecordingError:
    return CorruptRecordingError(
        path, 0, found, "a picture as its header says", "copy or export the picture again"
    )
