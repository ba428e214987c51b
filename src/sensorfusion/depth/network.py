"""A network of the user's own, an ONNX file: pictures in, one map out.

It runs in OpenCV, or in onnxruntime (the extra ``mono``), which loads more kinds of networks.
"""

import importlib
import importlib.util
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import ModelError
from sensorfusion.formats.onnx_header import OnnxHeader, read_onnx_header

Engine = Literal["auto", "opencv", "onnxruntime"]
"""What computes: ``auto`` is OpenCV, and onnxruntime where OpenCV cannot load the file."""

Triple = tuple[float, float, float]
_Run = Callable[[dict[str, NDArray[np.float32]]], NDArray[Any]]

# A size that is not fixed is rounded to this: most networks halve their picture five times.
_MULTIPLE = 32
_CHANNELS = 3
_LONGEST_REASON = 200


class Network:
    """A network that turns one picture, or several of one size, into a map of the same size.

    May be called from several threads; they take turns. The same pictures give the same map.

    Parameters
    ----------
    file : Path
        ONNX, float32, one file. It takes NCHW pictures: one input for each, or one input for all
        with their channels in a row. Of several outputs the first is the map.
    pictures : int
        How many pictures it is given.
    size : (int, int), optional
        Width and height of the pictures that it is given, pixels; by default its own. Where it
        takes any, that of the pictures, rounded to a multiple of 32.
    mean, std : (float, float, float)
        Of red, green and blue in 0 to 1: it is given (x - mean) / std.
    engine : {"auto", "opencv", "onnxruntime"}

    Raises
    ------
    ModelError
        If there is no such file, it is no ONNX, takes other inputs, or cannot be loaded.
    """

    def __init__(
        self,
        file: Path,
        pictures: int = 1,
        *,
        size: tuple[int, int] | None = None,
        mean: Triple = (0.0, 0.0, 0.0),
        std: Triple = (1.0, 1.0, 1.0),
        engine: Engine = "auto",
    ) -> None:
        data = _read(file)
        header = read_onnx_header(data, str(file))
        self._file, self._pictures = file, pictures
        self._names, own_size = _inputs(file, header, pictures)
        if size is not None and not _fits(size, own_size):
            asked, own = ("x".join(map(str, each)) for each in (size, own_size))
            msg = f"{file}: takes pictures of {own} pixels; {asked} was asked for"
            raise ModelError(msg)
        self._size = size or own_size
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        self._lock = threading.Lock()
        self._run = _load(file, data, header, engine)

    def __call__(self, *pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the map of some pictures.

        Parameters
        ----------
        *pictures : ndarray of uint8, shape (H, W, 3) or (H, W)
            RGB or grey, all of one size. They are stretched to the network's size.

        Returns
        -------
        ndarray of float32, shape (H, W)
            As the network put it out, stretched to the size of the pictures (bilinear). Values
            are not changed: disparities in pixels are those of the network's width.

        Raises
        ------
        ModelError
            If the network fails, or puts out anything but one finite map.
        """
        import cv2

        height, width = pictures[0].shape[:2]
        blobs = [self._blob(picture) for picture in pictures]
        if len(self._names) == 1:
            blobs = [np.concatenate(blobs, axis=1)]
        # A network keeps what it computes inside itself: one picture at a time.
        with self._lock:
            found = self._run(dict(zip(self._names, blobs, strict=True)))
        return np.asarray(
            cv2.resize(self._map(found), (width, height), interpolation=cv2.INTER_LINEAR),
            np.float32,
        )

    def width_for(self, width: int) -> int:
        """Return how wide the network sees pictures of some width, pixels."""
        return self._size[0] or max(_MULTIPLE, _MULTIPLE * round(width / _MULTIPLE))

    def _blob(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return a picture as the network wants it, float32 (1, 3, H, W)."""
        import cv2

        height, width = picture.shape[:2]
        size = (
            self.width_for(width),
            self._size[1] or max(_MULTIPLE, _MULTIPLE * round(height / _MULTIPLE)),
        )
        if picture.ndim == 2:
            picture = np.repeat(picture[..., None], _CHANNELS, axis=2)
        shrinks = size[0] < width or size[1] < height
        scaled = cv2.resize(
            picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        normal = (scaled.astype(np.float32) / np.float32(255) - self._mean) / self._std
        return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])

    def _map(self, found: NDArray[Any]) -> NDArray[np.float32]:
        # Sizes of 1 stand for picture and channel, before or behind the map.
        values = np.squeeze(found)
        if values.ndim != 2:
            msg = f"{self._file}: puts out an array of shape {found.shape}; expected one map"
            raise ModelError(msg)
        strange = np.count_nonzero(~np.isfinite(values))
        if strange:
            msg = (
                f"{self._file}: {strange} of {values.size} values that it puts out are not finite; "
                "check its mean and std, and whether it was exported in full precision"
            )
            raise ModelError(msg)
        return np.ascontiguousarray(values, np.float32)


def check_file(file: Path) -> None:
    """Refuse what is no whole ONNX file.

    Raises
    ------
    ModelError
        If it cannot be read, is cut off or is something else.
    """
    read_onnx_header(_read(file), str(file))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}); expected an ONNX file"
        raise ModelError(msg) from error


def _inputs(file: Path, header: OnnxHeader, pictures: int) -> tuple[list[str], tuple[int, int]]:
    """Return the names of the inputs, and the width and height that they fix, 0 for any."""
    channels = _CHANNELS if len(header.inputs) == pictures else _CHANNELS * pictures
    shapes = [tensor.shape or (0, 0, 0, 0) for tensor in header.inputs]
    sound = len(shapes) in (1, pictures) and all(
        len(shape) == 4 and shape[0] in (0, 1) and shape[1] in (0, channels) for shape in shapes
    )
    if not sound or len({shape[2:] for shape in shapes}) > 1:
        told = ", ".join(f"{tensor.name!r} {tensor.shape}" for tensor in header.inputs)
        each = f"{pictures} inputs (1, 3, height, width) or one" if pictures > 1 else "one input"
        msg = f"{file}: takes {told}; expected {each} (1, {_CHANNELS * pictures}, height, width)"
        raise ModelError(msg)
    return [tensor.name for tensor in header.inputs], (shapes[0][3], shapes[0][2])


def _fits(size: tuple[int, int], own: tuple[int, int]) -> bool:
    return all(asked == fixed or not fixed for asked, fixed in zip(size, own, strict=True))


def _load(file: Path, data: bytes, header: OnnxHeader, engine: Engine) -> _Run:
    if engine == "onnxruntime":
        return _with_onnxruntime(file, data)
    try:
        return _with_opencv(file, data, header.outputs[0].name)
    except ModelError:
        if engine == "opencv" or importlib.util.find_spec("onnxruntime") is None:
            raise
    return _with_onnxruntime(file, data)


def _with_opencv(file: Path, data: bytes, output: str) -> _Run:
    import cv2

    told = cv2.utils.logging.getLogLevel()
    # What cannot be loaded is told once, by us.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    except cv2.error as error:
        msg = (
            f"{file}: OpenCV cannot load this network ({_reason(error)}); install the extra mono "
            "(onnxruntime), which loads more"
        )
        raise ModelError(msg) from error
    finally:
        cv2.utils.logging.setLogLevel(told)

    def run(blobs: dict[str, NDArray[np.float32]]) -> NDArray[Any]:
        try:
            for name, blob in blobs.items():
                net.setInput(blob, name)
            # Its next run overwrites what it gave.
            return np.array(net.forward(output))
        except cv2.error as error:
            msg = f"{file}: the network failed in OpenCV: {_reason(error)}"
            raise ModelError(msg) from error

    return run


def _with_onnxruntime(file: Path, data: bytes) -> _Run:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        msg = f"{file}: onnxruntime is not installed; install the extra mono, or use opencv"
        raise ModelError(msg) from error
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    # Its own errors have no base in common but Exception.
    own = vars(runtime.capi.onnxruntime_pybind11_state).values()
    errors: tuple[type[Exception], ...] = (
        *(each for each in own if isinstance(each, type) and issubclass(each, Exception)),
        RuntimeError,
        ValueError,
    )
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except errors as error:
        msg = f"{file}: onnxruntime cannot load this network ({_reason(error)})"
        raise ModelError(msg) from error
    output = session.get_outputs()[0].name

    def run(blobs: dict[str, NDArray[np.float32]]) -> NDArray[Any]:
        try:
            return np.asarray(session.run([output], blobs)[0])
        except errors as error:
            msg = f"{file}: the network failed in onnxruntime: {_reason(error)}"
            raise ModelError(msg) from error

    return run


def _reason(error: Exception) -> str:
    """Return a library's message as one line, without where in its source it stands."""
    text = re.sub(r"OpenCV\(.*?error: (\(.*?\) )?|\[ONNXRuntimeError\] : ", "", str(error))
    return " ".join(text.split())[:_LONGEST_REASON] or type(error).__name__
