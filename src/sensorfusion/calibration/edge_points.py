"""Edges in what a sensor measured: where a near surface ends, and where its brightness changes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration import _edge_kernels
from sensorfusion.camera import ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.range_image import NO_RETURN, RangeImage

# What lies behind must be farther by this share of the near range.
_STEP: Final = 0.1
# Cells without depth between near and far: beams miss none; a depth camera has shadows there.
_GAP_OF_DEPTH = 12
# Second difference of inverse range on one surface, as a share of it.
_SMOOTH = 0.02
# Of all changes of brightness on surfaces, this share is taken for edges.
_CHANGES = 0.08
_Found = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class EdgePoints:
    """Points on edges of one frame.

    Attributes
    ----------
    points : ndarray of float32, shape (N, 3)
        Metres, in the coordinates of the sensor, halfway between two neighbours of which one is
        on the edge's near (or bright) side and one on the other.
    kinds : ndarray of uint8, shape (N,)
        0 where the two neighbours stand beside each other, 1 above each other: across what the
        edge is known to the spacing of the neighbours.
    rows : ndarray of int32, shape (N,)
        Row of ``PointCloud.points`` on the near side; of a depth map, its flat pixel.
    spacing_rad : float
        Median angle between neighbours, the wider of the two ways.
    """

    points: NDArray[np.float32]
    kinds: NDArray[np.uint8]
    rows: NDArray[np.int32]
    spacing_rad: float

    def __len__(self) -> int:
        return len(self.points)


def edges_of_scan(image: RangeImage) -> EdgePoints:
    """Return the edges of a LiDAR scan: of depth, and of intensity where it is known.

    Parameters
    ----------
    image : RangeImage
        In the LiDAR's own coordinates.

    References
    ----------
    Levinson and Thrun, "Automatic online calibration of cameras and lasers", RSS 2013 (depth);
    Pandey et al., "Automatic targetless extrinsic calibration of a 3D lidar and camera by
    maximizing mutual information", AAAI 2012, for intensity as a second witness.
    """
    cloud = image.cloud
    measured = image.index >= 0
    state = np.where(measured, _edge_kernels.MEASURED, _edge_kernels.NOTHING).astype(np.uint8)
    state[image.index == NO_RETURN] = _edge_kernels.EMPTY
    xyz = np.zeros((*image.index.shape, 3), np.float32)
    xyz[measured] = cloud.points[image.index[measured]]
    parts = [_steps(xyz, state, image.wraps, gap=0)]
    if cloud.intensity is not None:
        value = np.zeros(image.index.shape, np.float32)
        value[measured] = cloud.intensity[image.index[measured]]
        parts.append(_changes(xyz, state, value, image.wraps))
    points, kinds, cells = (np.concatenate(each) for each in zip(*parts, strict=True))
    spacing_rad = _spacing_rad(xyz, measured)
    return EdgePoints(points, kinds, image.index.reshape(-1)[cells], spacing_rad)


def edges_of_depth(depth: DepthMap) -> EdgePoints:
    """Return the edges of a depth map.

    Where depth is missing beside a near surface, as in a structured-light camera's shadow, the
    edge is taken to be where the near surface ends.

    Parameters
    ----------
    depth : DepthMap
        Metres, z of a camera that is not spherical.
    """
    rays = np.nan_to_num(np.insert(ray_table(depth.camera), 2, 1.0, axis=-1))
    xyz = (rays * depth.metres[..., None]).astype(np.float32)
    state = np.where(depth.valid, _edge_kernels.MEASURED, _edge_kernels.NOTHING).astype(np.uint8)
    points, kinds, cells = _steps(xyz, state, wraps=False, gap=_GAP_OF_DEPTH)
    return EdgePoints(points, kinds, cells, _spacing_rad(xyz, depth.valid))


def _inverse_m(xyz: NDArray[np.float32]) -> NDArray[np.float32]:
    range_m = np.linalg.norm(xyz, axis=-1)
    return np.where(range_m > 0, 1.0 / np.maximum(range_m, 1e-6), 0.0).astype(np.float32)


def _steps(xyz: NDArray[np.float32], state: NDArray[np.uint8], wraps: bool, gap: int) -> _Found:
    most = 4 * state.size
    points, kinds = np.empty((most, 3), np.float32), np.empty(most, np.uint8)
    cells = np.empty(most, np.int32)
    count = _edge_kernels.find_steps(
        xyz, _inverse_m(xyz), state, wraps, gap, _STEP, points, kinds, cells
    )
    return points[:count].copy(), kinds[:count].copy(), cells[:count].copy()


def _changes(
    xyz: NDArray[np.float32], state: NDArray[np.uint8], value: NDArray[np.float32], wraps: bool
) -> _Found:
    change = np.empty((2, *state.shape), np.float32)
    _edge_kernels.find_changes(_inverse_m(xyz), state, value, wraps, _SMOOTH, change)
    points, kinds, cells = [], [], []
    for way, axis in enumerate((1, 0)):
        known = change[way][np.isfinite(change[way])]
        if not known.size:
            continue
        least = max(float(np.quantile(known, 1 - _CHANGES)), 1e-6)
        at = np.flatnonzero((change[way] >= least).reshape(-1)).astype(np.int32)
        beside = np.roll(xyz, -1, axis=axis).reshape(-1, 3)
        points.append(0.5 * (xyz.reshape(-1, 3)[at] + beside[at]))
        kinds.append(np.full(len(at), way, np.uint8))
        cells.append(at)
    if not points:
        return np.empty((0, 3), np.float32), np.empty(0, np.uint8), np.empty(0, np.int32)
    return np.concatenate(points), np.concatenate(kinds), np.concatenate(cells)


def _spacing_rad(xyz: NDArray[np.float32], measured: NDArray[np.bool_]) -> float:
    """Return the median angle between neighbours, the wider of both ways."""
    unit = xyz * _inverse_m(xyz)[..., None]
    widest = 0.0
    for axis in (0, 1):
        both = np.take(measured, range(1, measured.shape[axis]), axis) & np.take(
            measured, range(measured.shape[axis] - 1), axis
        )
        chord = np.linalg.norm(np.diff(unit, axis=axis), axis=-1)[both]
        widest = max(widest, float(np.median(chord)) if chord.size else 0.0)
    return widest
