"""Scans without rings as a grid of directions, so that neighbours are known there, too."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth.beams import panorama
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import UNSEEN, RangeImage


def grid_scan(cloud: PointCloud, lidar: Lidar, chosen: NDArray[np.int32]) -> RangeImage:
    """Return a scan as a grid of elevations and azimuths, as close as its points are.

    For scanners without rings, such as those that draw rosettes, and for merged clouds. Of several
    points in one direction the nearest stays. Cells without a point are :data:`UNSEEN`.

    Parameters
    ----------
    cloud : PointCloud
        In the LiDAR's own coordinates: x forward, y left, z up.
    lidar : Lidar
    chosen : ndarray of int32, shape (K,)
        Rows of the points to lay out.

    Returns
    -------
    RangeImage
        Rows from the highest down, columns from left to right; a column is no instant.

    Raises
    ------
    CalibrationError
        If the points are too few to tell how close they are.
    """
    points = cloud.points[chosen]
    camera, T_grid_lidar = panorama(lidar, cloud)
    pixels = camera.project(T_grid_lidar.apply(points.astype(np.float64)))
    with np.errstate(invalid="ignore"):
        column, row = np.rint(pixels).T
        inside = (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    range_m = np.linalg.norm(points, axis=1).astype(np.float32)
    cell = (row[inside] * camera.width + column[inside]).astype(np.int64)
    rows, ranges_m = chosen[inside], range_m[inside]
    farthest_first = np.argsort(-ranges_m, kind="stable")
    index = np.full(camera.height * camera.width, UNSEEN, np.int32)
    image_m = np.zeros(index.size, np.float32)
    index[cell[farthest_first]] = rows[farthest_first]
    image_m[cell[farthest_first]] = ranges_m[farthest_first]
    shape = (camera.height, camera.width)
    wraps = camera.width >= round(2 * np.pi * camera.fx)
    return RangeImage(cloud, index.reshape(shape), image_m.reshape(shape), wraps)
