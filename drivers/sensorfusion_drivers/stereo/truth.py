"""The true disparity that lies beside stereo pictures, as depth."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import CalibrationError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.npy import read_npz
from sensorfusion.formats.pfm import read_pfm
from sensorfusion.rig import Rig
from sensorfusion_drivers.pictures import read_depth
from sensorfusion_drivers.stereo.listing import Layout
from sensorfusion_drivers.stereo.pairing import Instant

# Of one pair: Middlebury's own file, and what packages make of it.
_SINGLE = re.compile(r"disp0(?:GT)?\.pfm|.*disp.*\.npz", re.IGNORECASE)
# Of many, KITTI's: pixels times 256, 0 for none.
_FOLDERS = ("disp_occ_0", "disp_occ", "disp_noc_0", "disp_noc")
_PER_PX = 256


def true_depth(
    layout: Layout, rig: Rig, instants: tuple[Instant, ...]
) -> Callable[[str, int], DepthMap] | None:
    """Return what reads the true depth of the reference camera, or None where there is none."""
    found = _files(layout, instants)
    if not found:
        return None

    def depth(camera: str, index: int) -> DepthMap:
        first, second = list(rig.cameras)[:2]
        if camera != first:
            msg = f"{layout.folders[0]}: true depth is of {first!r}; {camera!r} was asked for"
            raise SourceError(msg)
        if not 0 <= index < len(instants):
            msg = f"{layout.folders[0]}: no frame {index}; there are {len(instants)}"
            raise SourceError(msg)
        path = found[index]
        disparity = _read(path)
        left, right = rig.cameras[first], rig.cameras[second]
        if disparity.shape != (left.height, left.width):
            msg = (
                f"{path}: disparity of {disparity.shape[::-1]} pixels; the pictures have "
                f"{left.width}x{left.height}"
            )
            raise CalibrationError(msg)
        T_right_left = rig.transform(second, first)
        along = T_right_left.translation_m
        rectified = left.fx == right.fx and left.distortion.is_none and right.distortion.is_none
        if not rectified or not np.allclose(T_right_left.rotation, np.eye(3), atol=1e-4):
            msg = f"{path}: disparity says depth only of a rectified pair, and the rig is of none"
            raise CalibrationError(msg)
        above_px = disparity + (right.cx - left.cx)
        known = np.isfinite(disparity) & (above_px > 0)
        metres = left.fx * abs(along[0]) / np.where(known, above_px, 1.0)
        return DepthMap(
            np.where(known, metres, 0).astype(np.float32), left, instants[index].timestamp_ns
        )

    return depth


def _files(layout: Layout, instants: tuple[Instant, ...]) -> list[Path]:
    """Return the file of each instant; none unless there is one for each."""
    for folder in reversed(layout.folders):
        single = sorted(path for path in folder.iterdir() if _SINGLE.fullmatch(path.name))
        if single and len(instants) == 1:
            return single[:1]
        for name in _FOLDERS:
            files = [folder / name / f"{instant.paths[0].stem}.png" for instant in instants]
            if all(path.is_file() for path in files):
                return files
    return []


def _read(path: Path) -> NDArray[np.float64]:
    """Return disparity in pixels, float64 (H, W); NaN or infinite where it is not known."""
    ending = path.suffix.lower()
    if ending == ".pfm":
        return read_pfm(path).astype(np.float64)
    if ending == ".npz":
        arrays: list[NDArray[Any]] = [a for a in read_npz(path).values() if a.ndim == 2]
        if len(arrays) != 1 or arrays[0].dtype.kind != "f":
            msg = f"{path}: {len(arrays)} tables; expected one of disparities as float"
            raise UnsupportedRecordingError(msg)
        return arrays[0].astype(np.float64)
    stored = read_depth(path)
    return np.where(stored > 0, stored.astype(np.float64) / _PER_PX, np.nan)
