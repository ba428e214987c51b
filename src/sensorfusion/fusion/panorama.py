"""A scan as a panorama of planes: what stands in each direction, between the beams as well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.fusion import _meet_kernels, _panorama_kernels, _sample_kernels
from sensorfusion.lidar import Lidar
from sensorfusion.range_image import RangeImage

# Columns and rows of the panorama are at most so far apart, and it has at most so many rows.
_FINEST_RAD, _MOST_ROWS = 0.0065, 400
# Neighbours in a ring are at most so many firings apart.
_STEPS = 2.2
# See _panorama_kernels; chosen on the simulated hall and street.
_STEEPEST, _PARALLEL, _BEND, _WIDEST_M, _LEAN, _TWIST = 1.0, 0.08, 0.5, 4.0, 0.02, 0.15
# So many rows and columns tell where all of them look.
_SOME_ROWS, _SOME_COLUMNS = 8, 64


@dataclass(frozen=True, slots=True, eq=False)
class RayScan:
    """One scan, and what other stages know of its points.

    Attributes
    ----------
    image : RangeImage
        Of points deskewed to one instant.
    lidar : Lidar
        Says how far ranges spread, and to where a beam without return is free.
    normals : ndarray of float32, shape (N, 3)
        Unit vectors towards the sensor, 0 where not known; LiDAR coordinates.
    colors : ndarray of uint8, shape (N, 4), or None
        Red, green, blue of each point, and 255 where that colour was really seen, else 0.
    origins_m : ndarray of float32, shape (columns, 3), or None
        Where the sensor was at each firing, in the coordinates of the points; None: at 0.

    Raises
    ------
    ValueError
        If a dtype or shape is another.
    """

    image: RangeImage
    lidar: Lidar
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8] | None = None
    origins_m: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count, columns = len(self.image.cloud), self.image.index.shape[1]
        for name, array, dtype, shape in (
            ("normals", self.normals, np.float32, (count, 3)),
            ("colors", self.colors, np.uint8, (count, 4)),
            ("origins_m", self.origins_m, np.float32, (columns, 3)),
        ):
            if array is not None and (array.dtype != dtype or array.shape != shape):
                msg = f"{name} is {array.dtype} {array.shape}; expected {np.dtype(dtype)} {shape}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Panorama:
    """What a scan shows in every direction.

    Attributes
    ----------
    samples : ndarray of float32, shape (rings, U, SAMPLE)
        Where each ring meets each column, LiDAR coordinates.
    joins : ndarray of uint8, shape (rings, U)
        Whether a sample and that of the next ring are of one surface.
    table : ndarray of float32, shape (1 + U V, PIXEL)
        Planes of the pixels, column by column; row 0 is nothing.
    owners : ndarray of uint32, shape (1 + U V,)
        1 + the point next to each pixel, 0 for none.
    origins : ndarray of float32, shape (U, 3)
        From where each column looks, metres, LiDAR coordinates.
    view : ndarray of float32, shape (3,)
        Columns per radian, elevation of the upper rim (rad), rows per radian.
    """

    samples: NDArray[np.float32]
    joins: NDArray[np.uint8]
    table: NDArray[np.float32]
    owners: NDArray[np.uint32]
    origins: NDArray[np.float32]
    view: NDArray[np.float32]


def panorama_of(scan: RayScan, largest_sigma_m: float) -> Panorama | None:
    """Return the panorama of a scan; None if it has no points.

    Parameters
    ----------
    scan : RayScan
    largest_sigma_m : float
        What is less certain, such as the middle of a wide gap between rings, counts as unseen.

    References
    ----------
    Holz and Behnke, "Fast range image segmentation and smoothing using approximate surface
    reconstruction and region growing", IAS 2012, for surfaces between neighbours of a scan.
    """
    image, lidar = scan.image, scan.lidar
    points, (rings, columns) = image.cloud.points, image.index.shape
    if not len(points):
        return None
    origins = scan.origins_m
    if origins is None:
        origins = np.zeros((columns, 3), np.float32)
    azimuths_rad, elevations_rad = _directions(image, origins)
    step_rad = _step_rad(azimuths_rad)
    finer = int(np.ceil(step_rad / _FINEST_RAD))
    count = max(round(finer * 2 * np.pi / step_rad), 8)
    limits = np.array([_STEEPEST, _PARALLEL, _BEND, _WIDEST_M, _LEAN, _TWIST], np.float32)
    samples = np.empty((rings, count, _sample_kernels.SAMPLE), np.float32)
    nearest = np.empty((rings, count), np.int32)
    middles = (np.arange(count) + 0.5) * (2 * np.pi / count) - np.pi
    turns = np.stack([np.cos(middles), np.sin(middles)], axis=1).astype(np.float32)
    noise = np.array([lidar.constant_m, lidar.linear, lidar.beam_width_rad], np.float32)
    _meet_kernels.meet_columns(
        points,
        scan.normals,
        image.index,
        origins,
        noise,
        limits,
        _STEPS * finer,
        float(finer),
        image.wraps,
        turns,
        samples,
        nearest,
    )
    gaps_rad = np.abs(np.diff(elevations_rad))
    gap_rad = float(np.median(gaps_rad)) if gaps_rad.size else step_rad
    top, bottom = float(elevations_rad.max()) + gap_rad, float(elevations_rad.min()) - gap_rad
    row_rad = max(min(gap_rad / 2, _FINEST_RAD), (top - bottom) / _MOST_ROWS)
    height = int(np.ceil((top - bottom) / row_rad))
    half_gaps = _half_gaps(gaps_rad, gap_rad) / row_rad
    table = np.empty((1 + count * height, _panorama_kernels.PIXEL), np.float32)
    owners = np.empty(len(table), np.uint32)
    table[0], owners[0] = 0, 0
    joins = np.empty((rings, count), np.uint8)
    view_origins = _origins_of_view(azimuths_rad, origins, count)
    heights = np.array([top, 1 / row_rad, largest_sigma_m], np.float32)
    _panorama_kernels.fill_columns(
        samples,
        nearest,
        view_origins,
        turns,
        np.tan(top - (np.arange(height) + 0.5) * row_rad).astype(np.float32),
        heights,
        half_gaps.astype(np.float32),
        limits,
        joins,
        table,
        owners,
    )
    _panorama_kernels.clear_ways(count, table)
    beams = image.cloud.empty_beams
    if beams is not None and len(beams):
        far_m = min(lidar.far_m, 1e6)
        _panorama_kernels.mark_free(beams, far_m, heights, count, table)
    view = np.array([count / (2 * np.pi), top, 1 / row_rad], np.float32)
    return Panorama(samples, joins, table, owners, view_origins, view)


def _directions(
    image: RangeImage, origins: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the azimuth of each column, NaN where unknown, and the elevation of each ring."""
    rows, columns = image.index.shape
    few = (max(1, rows // _SOME_ROWS), max(1, columns // _SOME_COLUMNS))
    for row_step, column_step in (few, (1, 1)):
        x, y, z, seen = _placed(image, origins, row_step, 1)
        towards = np.where(seen, (x + 1j * y) / np.maximum(np.hypot(x, y), 1e-6), 0).sum(axis=0)
        azimuths = np.where(np.abs(towards) > 0, np.angle(towards), np.nan)
        x, y, z, seen = _placed(image, origins, 1, column_step)
        known = seen.any(axis=1)
        if known.mean() > 0.5 and np.isfinite(azimuths).mean() > 0.5:
            break
    elevation = np.where(seen, np.arctan2(z, np.hypot(x, y)), np.nan)
    medians = np.nanmedian(elevation[known], axis=1)
    return azimuths, np.interp(np.arange(rows), np.flatnonzero(known), medians)


def _placed(
    image: RangeImage, origins: NDArray[np.float32], row_step: int, column_step: int
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
    """Return x, y, z from their origins, and whether there is one, of every so many points."""
    index = image.index[::row_step, ::column_step]
    seen = index >= 0
    placed = image.cloud.points[np.where(seen, index, 0)] - origins[::column_step]
    return placed[..., 0], placed[..., 1], placed[..., 2], seen


def _step_rad(azimuths_rad: NDArray[np.float64]) -> float:
    steps = np.diff(azimuths_rad)
    steps = np.abs((steps + np.pi) % (2 * np.pi) - np.pi)
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if steps.size else 2 * np.pi / len(azimuths_rad)


def _half_gaps(gaps_rad: NDArray[np.float64], usual_rad: float) -> NDArray[np.float64]:
    """Return half of the way from each ring to the nearer of its neighbours, radians."""
    padded = np.concatenate([[usual_rad], gaps_rad, [usual_rad]])
    return np.asarray(0.5 * np.minimum(padded[:-1], padded[1:]))


def _origins_of_view(
    azimuths_rad: NDArray[np.float64], origins: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return from where each column of the panorama was fired, that of the firing next to it."""
    known = np.flatnonzero(np.isfinite(azimuths_rad))
    order = known[np.argsort(azimuths_rad[known], kind="stable")]
    turned = azimuths_rad[order]
    middles = (np.arange(count) + 0.5) * (2 * np.pi / count) - np.pi
    after = np.searchsorted(turned, middles) % len(order)
    before = after - 1

    def away(which: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.abs((turned[which] - middles + np.pi) % (2 * np.pi) - np.pi)

    nearer = np.where(away(after) < away(before), after, before)
    return np.ascontiguousarray(origins[order[nearer]])
