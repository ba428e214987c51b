"""Decode pictures from files, after their bytes have been checked; what several drivers share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats import exr, exr_header, jpeg, npy, png, pnm, tiff
from sensorfusion.formats.depth_encodings import DepthValues
from sensorfusion.formats.picture import PictureHeader
from sensorfusion.formats.read_file import read_whole

_LOG_LEVEL = Lock()


def read_depth(path: Path) -> DepthValues:
    """Read a depth picture: PNG, PGM, TIFF, OpenEXR or NPY, by its first bytes.

    Returns
    -------
    ndarray of uint16 or float32, shape (H, W)
        Units as stored.

    Raises
    ------
    CorruptRecordingError
        If the file is damaged or cut.
    UnsupportedRecordingError
        If it is neither 16-bit grey nor one layer of floats: a preview or a label picture is not
        depth.
    """
    data = read_whole(path, "a depth picture")
    if data.startswith(pnm.MAGICS):
        return _depth_of_pnm(data, path)
    if data.startswith(exr_header.SIGNATURE):
        return exr.read_depth(data, path)
    if data.startswith(npy.NPY_MAGIC):
        return _depth_of_array(npy.read_npy(path), path)
    if data.startswith(tiff.SIGNATURES):
        header = tiff.read_header(data, path)
        with _quiet_opencv():
            return _depth_of_array(_decoded(data, header, path), path)
    return _depth_of_png(data, path)


def _depth_of_png(data: bytes, path: Path) -> NDArray[np.uint16]:
    header = png.read_header(data, path)
    if (header.bit_depth, header.channels) != (16, 1):
        msg = (
            f"{path}: {header.bit_depth}-bit PNG with {header.channels} channels; depth must be "
            "16-bit grey; is this a preview?"
        )
        raise UnsupportedRecordingError(msg)
    png.check_complete(data, path)
    pixels = _decoded(data, header, path)
    if pixels.dtype != np.uint16:
        raise _undecodable(path, f"{pixels.dtype} {pixels.shape}")
    return pixels.astype(np.uint16, copy=False)


def _decoded(data: bytes, header: PictureHeader, path: Path) -> NDArray[np.generic]:
    """Return one layer of pixels as OpenCV decodes them, of the size that the header says."""
    import cv2

    pixels = _decode(data, path, cv2.IMREAD_UNCHANGED)
    if pixels.shape != (header.height, header.width):
        raise _undecodable(path, f"{pixels.dtype} {pixels.shape}")
    return pixels


def _depth_of_pnm(data: bytes, path: Path) -> NDArray[np.uint16]:
    pixels = pnm.read_pixels(data, path)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        msg = (
            f"{path}: {pixels.dtype} pixels of shape {pixels.shape}; depth must be grey with a "
            "maxval above 255; is this a preview?"
        )
        raise UnsupportedRecordingError(msg)
    return pixels.astype(np.uint16, copy=False)


def _depth_of_array(values: NDArray[Any], path: Path) -> DepthValues:
    """Return depth as uint16 or float32, from any number type that holds no more."""
    whole = values.dtype.kind in "ui" and values.dtype.itemsize > 1
    if whole and values.size:
        whole = values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max
    if values.ndim != 2 or not values.size or not (whole or values.dtype.kind == "f"):
        msg = (
            f"{path}: {values.dtype} of shape {values.shape}; depth must be one layer (H, W) of "
            "floats, or of whole numbers from 0 to 65535"
        )
        raise UnsupportedRecordingError(msg)
    if whole:
        return values.astype(np.uint16)
    with np.errstate(over="ignore"):  # more than float32 holds is as far as infinity
        return values.astype(np.float32)


def read_color(path: Path) -> NDArray[np.uint8]:
    """Read a colour picture: PNG, PPM, PGM or JPEG by content.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green, blue, rows as stored: an orientation in EXIF would turn the picture away
        from the depth that belongs to it.

    Raises
    ------
    CorruptRecordingError
        If the file is none of them, or damaged.
    """
    data = read_whole(path, "a colour picture")
    if data.startswith(pnm.MAGICS):
        return _color_of_pnm(data, path)
    codec = png if data.startswith(png.SIGNATURE) else jpeg
    header = codec.read_header(data, path)
    codec.check_complete(data, path)
    import cv2

    pixels = _decode(data, path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels.dtype != np.uint8 or pixels.shape != (header.height, header.width, 3):
        raise _undecodable(path, f"{pixels.dtype} {pixels.shape}")
    return pixels.astype(np.uint8, copy=False)


def _color_of_pnm(data: bytes, path: Path) -> NDArray[np.uint8]:
    pixels: NDArray[Any] = pnm.read_pixels(data, path)
    largest = pnm.read_header(data, path).largest
    if largest != 255:
        pixels = np.rint(pixels * (255.0 / largest)).astype(np.uint8)
    color = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)
    return color.astype(np.uint8, copy=False)


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels from the header, without decoding.

    Raises
    ------
    CorruptRecordingError
        If the file begins like none of the pictures that are read.
    UnsupportedRecordingError
        If it is a kind of TIFF, OpenEXR or NPY that holds no depth.
    """
    data = read_whole(path, "a picture")
    if data.startswith(pnm.MAGICS):
        found = pnm.read_header(data, path)
        return found.width, found.height
    if data.startswith(exr_header.SIGNATURE):
        described = exr_header.read_header(data, path)
        return described.width, described.height
    if data.startswith(tiff.SIGNATURES):
        whole = tiff.read_header(data, path)
        return whole.width, whole.height
    if data.startswith(npy.NPY_MAGIC):
        height, width = _depth_of_array(npy.read_npy(path), path).shape
        return width, height
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


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from writing what is wrong with a TIFF to stderr: it is told once, by us."""
    import cv2

    logging = cv2.utils.logging
    # The level is the process's: two threads at once could leave it silent.
    with _LOG_LEVEL:
        told = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            logging.setLogLevel(told)


def _undecodable(path: Path, found: str) -> CorruptRecordingError:
    return CorruptRecordingError(
        path, 0, found, "a picture as its header says", "copy or export the picture again"
    )
