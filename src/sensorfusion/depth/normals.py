"""Normals of a scan's points, from those beside them in their own and the next rings."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth import _density_kernels, _normal_kernels, _range_kernels
from sensorfusion.depth.scratch import Scratch
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import RangeImage

# Half of the window, at the sensor and for each metre of range: wide enough to average the noise
# of a dozen points, narrow enough for furniture.
_HALF_M, _HALF_SHARE = 0.12, 0.008
# Standard deviation of ranges, where the scan tells nothing or too much.
_SIGMA_LIMITS_M: Final = (0.005, 0.05)
# The middle of |second difference| / 2 is 0.826 standard deviations of one range.
_MIDDLE = 0.826
_EVERY_ROW, _EVERY_COLUMN = 4, 16
_EVERYTHING = np.zeros(0, np.bool_)
# Edges of the cubes, of the middle range; none lies so many cubes away that its number overflows.
_EDGE_SHARES: Final = (0.02, 0.04, 0.08)
_FARTHEST_CUBE = 1e6

_SCRATCH = Scratch()


def scan_normals(image: RangeImage, wanted: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """Return the surface normal at each point of an organised scan.

    A plane is fitted to the neighbours in the image, not to the nearest points, which all lie on
    one ring: over a window that is about as wide everywhere in metres, of those that lie on one
    smooth surface with the point. At an edge that is the surface on one side.

    Parameters
    ----------
    image : RangeImage
        In the LiDAR's own coordinates, as measured: a motion of the sensor bends what lies
        within the few columns of a window hardly.
    wanted : ndarray of bool, shape (N,), optional
        Points to compute; the others get 0.

    Returns
    -------
    ndarray of float32, shape (N, 3)
        For the points of ``image.cloud``: unit vectors towards the sensor, in the coordinates of
        the points; 0 where no plane can be told (leaves, thin things, single points).

    References
    ----------
    Badino, Huber, Park and Kanade, "Fast and accurate computation of surface normals from range
    images", ICRA 2011 (planes are linear in inverse range).
    """
    points = image.cloud.points
    normals = np.zeros((len(points), 3), np.float32)
    if not len(points) or not image.index.size:
        return normals
    grid = _SCRATCH.array("grid", (*image.index.shape, 3), np.float32)
    _normal_kernels.lay_out(points, image.index, grid)
    _, step_rad = _range_kernels.measure_steps(points, image.index, _EVERY_ROW)
    if not step_rad > 0.0:
        return normals
    scales = np.array([step_rad, _sigma_m(image), _HALF_M, _HALF_SHARE], np.float32)
    chosen = _EVERYTHING if wanted is None else wanted
    _normal_kernels.fit_normals(
        grid,
        image.index,
        image.range_m,
        _elevations(image, grid),
        image.wraps,
        scales,
        chosen,
        normals,
    )
    return normals


def _sigma_m(image: RangeImage) -> float:
    """Return the standard deviation of ranges, metres, from how rough the smooth surfaces are."""
    found = _SCRATCH.array("rough", (image.index.size,), np.float32)
    count = _normal_kernels.second_differences(image.range_m, _EVERY_ROW, found)
    least_m, most_m = _SIGMA_LIMITS_M
    if not count:
        return most_m
    return float(np.clip(np.median(found[:count]) / _MIDDLE, least_m, most_m))


def _elevations(image: RangeImage, grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return about how far above the xy plane each row looks, radians; falls from row to row."""
    some = grid[:, ::_EVERY_COLUMN]
    flat = np.hypot(some[..., 0], some[..., 1])
    seen = flat > 0
    slope = np.divide(some[..., 2], flat, out=np.full(flat.shape, np.nan, np.float32), where=seen)
    known = seen.any(axis=1)
    elevation = np.zeros(len(grid), np.float32)
    if known.any():
        rows = np.flatnonzero(known)
        middle = np.arctan(np.nanmedian(slope[known], axis=1))
        elevation[:] = np.interp(np.arange(len(grid)), rows, np.minimum.accumulate(middle))
    return elevation


def cloud_normals(cloud: PointCloud) -> NDArray[np.float32]:
    """Return the surface normal at each point of a scan whose rings are not known.

    Points are gathered in cubes, and a plane is fitted to those of a cube and the cubes around
    it. Where they are too few, lie along one line (of one ring) or fill space, cubes of twice the
    edge are asked, and at last four times.

    Parameters
    ----------
    cloud : PointCloud
        In the LiDAR's own coordinates.

    Returns
    -------
    ndarray of float32, shape (N, 3)
        As of :func:`scan_normals`.
    """
    points = cloud.points
    normals = np.zeros((len(points), 3), np.float32)
    if not len(points):
        return normals
    keys = np.empty(2 << len(points).bit_length(), np.int64)
    cube_of = np.empty(len(keys), np.int32)
    cubes = np.empty((len(points), _density_kernels.SUMS))
    range_m = float(np.median(np.linalg.norm(points, axis=1)))
    for share in _EDGE_SHARES:
        edge_m = max(share * range_m, float(np.abs(points).max()) / _FARTHEST_CUBE, 1e-6)
        _density_kernels.fill_cubes(points, edge_m, keys, cubes, cube_of)
        if not _density_kernels.plane_normals(points, edge_m, keys, cubes, cube_of, normals):
            break
    return normals
