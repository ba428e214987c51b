"""Read depth maps back: folders that ``sensorfusion depth`` wrote, and those of others."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats import png, tiff
from sensorfusion.formats.npy import read_npy
from sensorfusion.formats.read_file import read_whole

_SUFFIXES = (".png", ".tiff", ".tif", ".npy")
_ADVICE = "write or copy the folder again"


@dataclass(frozen=True, slots=True)
class DepthMapFiles:
    """Depth maps in a folder, read when asked for.

    Attributes
    ----------
    files : mapping of str to Path
        By the number of the frame, or by the file's stem where that is no number.
    camera : str or None
        Camera that they belong to, as far as the folder says so.
    metres_per_unit : float or None
        Of 16-bit PNGs; None for files that hold metres.
    sigmas : mapping of str to Path
        Standard deviations of maps, float32 metres, as far as there are any.
    """

    files: Mapping[str, Path]
    camera: str | None
    metres_per_unit: float | None
    sigmas: Mapping[str, Path] = field(default_factory=dict)

    def metres(self, key: str) -> NDArray[np.float32]:
        """Return one map, float32 (H, W), metres, 0 = no depth.

        Raises
        ------
        SourceError
            If the file is none of depth, or its unit is not known.
        CorruptRecordingError
            If it is damaged, or neither PNG, TIFF nor NPY.
        """
        return _read(self.files[key], self.metres_per_unit)

    def sigma_m(self, key: str) -> NDArray[np.float32] | None:
        """Return the standard deviations of one map, metres, or None where none are written."""
        return _read(self.sigmas[key], None) if key in self.sigmas else None


def holds_depth_maps(location: Path) -> bool:
    """Tell whether a file or folder is one of depth maps alone, by its names."""
    if location.is_file():
        return location.suffix.lower() in _SUFFIXES or location.name == "depth.json"
    if not location.is_dir():
        return False
    if (location / "depth.json").is_file():
        return True
    names = [path.suffix.lower() for path in location.iterdir() if path.is_file()]
    return bool(names) and all(suffix in _SUFFIXES for suffix in names)


def find_depth_maps(location: Path, metres_per_unit: float | None = None) -> DepthMapFiles:
    """Find the depth maps in a folder, or take a single file.

    Parameters
    ----------
    location : Path
        A folder with ``depth.json``, as ``sensorfusion depth`` writes it; a folder of 16-bit PNG,
        float32 TIFF or NPY; or one such file.
    metres_per_unit : float or None
        Of 16-bit PNGs without ``depth.json``; KITTI's are 1/256.

    Raises
    ------
    SourceError
        If there is no depth map.
    CorruptRecordingError
        If ``depth.json`` is damaged.
    """
    if location.is_file() and location.name != "depth.json":
        return DepthMapFiles({_key(location): location}, None, metres_per_unit)
    folder = location.parent if location.is_file() else location
    if (folder / "depth.json").is_file():
        return _described(folder)
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        msg = (
            f"{location}: no depth.json and no {', '.join(_SUFFIXES)}; give a folder of depth maps"
        )
        raise SourceError(msg)
    return DepthMapFiles({_key(path): path for path in found}, None, metres_per_unit)


def _described(folder: Path) -> DepthMapFiles:
    path = folder / "depth.json"
    try:
        document = json.loads(read_whole(path, "a description of depth maps"))
        camera = document["camera"]
        files = {
            str(int(entry["index"])): _inside(folder, entry["file"]) for entry in document["maps"]
        }
        # Only what the description names belongs to these maps: a folder may be written twice.
        sigmas = {
            str(int(entry["index"])): _inside(folder / "sigma", entry["sigma"].partition("/")[2])
            for entry in document["maps"]
            if "sigma" in entry
        }
        is_png = document["format"] == "png"
        unit_m = float(document["metres_per_unit"]) if is_png else None
        name = None if camera is None else str(camera["name"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        expected = "JSON with camera, format, metres_per_unit and maps"
        raise CorruptRecordingError(path, 0, found, expected, _ADVICE) from error
    return DepthMapFiles(files, name, unit_m, sigmas)


def _inside(folder: Path, name: object) -> Path:
    if not isinstance(name, str) or Path(name).name != name:
        msg = f"file name {name!r}"
        raise ValueError(msg)
    return folder / name


def _key(path: Path) -> str:
    return str(int(path.stem)) if path.stem.isascii() and path.stem.isdigit() else path.stem


def _read(path: Path, metres_per_unit: float | None) -> NDArray[np.float32]:
    if path.suffix.lower() == ".npy":
        return _metres(path, read_npy(path))
    data = read_whole(path, "a depth map")
    expected = "a 16-bit PNG or a float32 TIFF"
    if data.startswith(png.SIGNATURE):
        png.read_header(data, path)
        png.check_complete(data, path)
    elif data.startswith(tiff.SIGNATURES):
        tiff.read_header(data, path)
    else:
        found = f"a file that begins with {data[:4]!r}"
        raise CorruptRecordingError(path, 0, found, expected, _ADVICE)
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        found = "data that OpenCV cannot decode"
        raise CorruptRecordingError(path, 0, found, expected, _ADVICE)
    if pixels.dtype == np.uint16 and pixels.ndim == 2:
        if metres_per_unit is None:
            msg = f"{path}: 16-bit depth whose unit nobody says; give the metres of one unit"
            raise SourceError(msg)
        return pixels.astype(np.float32) * np.float32(metres_per_unit)
    return _metres(path, pixels)


def _metres(path: Path, values: NDArray[Any]) -> NDArray[np.float32]:
    if values.ndim != 2 or values.dtype.kind != "f":
        msg = (
            f"{path}: {values.dtype} {values.shape}; expected depth: one layer of 16-bit units or "
            "float metres; is this a preview?"
        )
        raise SourceError(msg)
    metres = values.astype(np.float32)
    return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0))
