"""A scan as a panorama of planes: what stands in each direction, between the beams as well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.fusion import _meet_kernels, _panorama_kernels, _sample_kernels
from sensorfusion.lidar import Lidar
from sensorfusion.range_image import RangeImage

# Columns and rows of the panorama are at most so far apart, and it has at most so many rows; rings
# nearer to each other than the last number do not say how far apart rows should be.
_FINEST_RAD, _MOST_ROWS, _NARROWEST_RAD = 0.0065, 400, 1e-4
# Neighbours in a ring are at most so many firings apart.
_STEPS = 2.2
# Between two beams the way is free where they are at most so many voxels apart.
_BETWEEN_VOXELS = 1.5
_FARTHEST_M = 1e6
# See _sample_kernels: steepest, parallel, bend, widest, lean, twist; chosen on the simulated hall.
_LIMITS = np.array([1.0, 0.08, 0.5, 4.0, 0.02, 0.15], np.float32)
# So many rows and columns tell where all of them look.
_SOME_ROWS, _SOME_COLUMNS = 4, 32


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
    tiles : ndarray of float32, shape (ceil(U / TILE), ceil(V / TILE))
        To where beams certainly went, at most, of each tile of pixels, metres.
    """

    samples: NDArray[np.float32]
    joins: NDArray[np.uint8]
    table: NDArray[np.float32]
    owners: NDArray[np.uint32]
    origins: NDArray[np.float32]
    view: NDArray[np.float32]
    tiles: NDArray[np.float32]


def panorama_of(scan: RayScan, voxel_size_m: float) -> Panorama | None:
    """Return the panorama of a scan; None if it has no points.

    Parameters
    ----------
    scan : RayScan
    voxel_size_m : float
        What is less certain than one voxel, such as the middle of a wide gap between rings, counts
        as unseen.

    References
    ----------
    Holz and Behnke, "Fast range image segmentation and smoothing using approximate surface
    reconstruction and region growing", IAS 2012, for surfaces between neighbours of a scan.
    """
    image = scan.image
    if not len(image.cloud):
        return None
    origins = scan.origins_m
    if origins is None:
        origins = np.zeros((image.index.shape[1], 3), np.float32)
    layout = _layout(image, origins, scan.lidar)
    samples, nearest = _meet(scan, origins, layout)
    shape = (layout.columns, layout.rows)
    table = np.empty((1 + layout.columns * layout.rows, _panorama_kernels.PIXEL), np.float32)
    owners = np.empty(len(table), np.uint32)
    table[0], owners[0] = 0, 0
    joins = np.empty(nearest.shape, np.uint8)
    heights = np.array([layout.top_rad, 1 / layout.row_rad, voxel_size_m], np.float32)
    middles_rad = layout.top_rad - (np.arange(layout.rows) + 0.5) * layout.row_rad
    _panorama_kernels.fill_columns(
        samples,
        nearest,
        layout.origins,
        layout.turns,
        np.tan(middles_rad).astype(np.float32),
        heights,
        layout.half_gaps,
        _LIMITS,
        joins,
        table,
        owners,
    )
    beams = image.cloud.empty_beams
    if beams is not None and len(beams):
        far_m = min(scan.lidar.far_m, _FARTHEST_M)
        _panorama_kernels.mark_free(beams, far_m, heights, layout.columns, table)
    clear = np.empty(shape, np.float32)
    apart_m = _BETWEEN_VOXELS * voxel_size_m / layout.apart_rad
    _panorama_kernels.clear_ways(layout.reach, apart_m, table, clear)
    table[1:, _panorama_kernels.CLEAR] = clear.ravel()
    view = np.array([layout.columns / (2 * np.pi), *heights[:2]], np.float32)
    return Panorama(samples, joins, table, owners, layout.origins, view, _tiles(clear))


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Where the columns and rows of a panorama look.

    ``finer``: its columns between two firings; ``turns``: cosine and sine of its columns;
    ``half_gaps``: rows from each ring half-way to the next; ``reach``: columns and rows from any
    pixel to the beams around it, and ``apart_rad`` how far those are apart.
    """

    columns: int
    rows: int
    finer: int
    top_rad: float
    row_rad: float
    turns: NDArray[np.float32]
    origins: NDArray[np.float32]
    half_gaps: NDArray[np.float32]
    reach: tuple[int, int]
    apart_rad: float


def _layout(image: RangeImage, origins: NDArray[np.float32], lidar: Lidar) -> _Layout:
    azimuths_rad, elevations_rad = _directions(image, origins, lidar)
    step_rad = _step_rad(azimuths_rad)
    finer = int(np.ceil(step_rad / _FINEST_RAD))
    columns = max(round(finer * 2 * np.pi / step_rad), 8)
    middles_rad = (np.arange(columns) + 0.5) * (2 * np.pi / columns) - np.pi
    gaps_rad = np.abs(np.diff(elevations_rad))
    gap_rad = max(float(np.median(gaps_rad)), _NARROWEST_RAD) if gaps_rad.size else step_rad
    top_rad, low_rad = elevations_rad.max() + gap_rad, elevations_rad.min() - gap_rad
    row_rad = max(min(gap_rad / 2, _FINEST_RAD), float(top_rad - low_rad) / _MOST_ROWS)
    return _Layout(
        columns=columns,
        rows=int(np.ceil((top_rad - low_rad) / row_rad)),
        finer=finer,
        top_rad=float(top_rad),
        row_rad=row_rad,
        turns=np.stack([np.cos(middles_rad), np.sin(middles_rad)], axis=1).astype(np.float32),
        origins=_origins_of_view(azimuths_rad, origins, columns),
        half_gaps=(_half_gaps(gaps_rad, gap_rad) / row_rad).astype(np.float32),
        reach=(finer, int(np.ceil(gap_rad / row_rad))),
        apart_rad=max(gap_rad, step_rad),
    )


def _meet(
    scan: RayScan, origins: NDArray[np.float32], layout: _Layout
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return where each ring meets each column, and the point next to it."""
    image, lidar = scan.image, scan.lidar
    shape = (len(image.index), layout.columns)
    samples = np.empty((*shape, _sample_kernels.SAMPLE), np.float32)
    nearest = np.empty(shape, np.int32)
    _meet_kernels.meet_columns(
        image.cloud.points,
        scan.normals,
        image.index,
        origins,
        np.array([lidar.constant_m, lidar.linear, lidar.beam_width_rad], np.float32),
        _LIMITS,
        _STEPS * layout.finer,
        float(layout.finer),
        image.wraps,
        layout.turns,
        samples,
        nearest,
    )
    return samples, nearest


def _tiles(clear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the farthest of each tile of pixels."""
    side = _panorama_kernels.TILE
    padded = np.pad(clear, [(0, -length % side) for length in clear.shape])
    tiles = padded.reshape(len(padded) // side, side, padded.shape[1] // side, side)
    return np.ascontiguousarray(tiles.max(axis=3).max(axis=1))


def _directions(
    image: RangeImage, origins: NDArray[np.float32], lidar: Lidar
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the azimuth of each column, NaN where unknown, and the elevation of each ring.

    Elevations are those of the data sheet, else those of the points; beyond the rings that have
    points they go on evenly.
    """
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
    if len(lidar.elevation_rad) == rows:
        return azimuths, np.sort(lidar.elevation_rad)[::-1]
    elevation = np.where(seen, np.arctan2(z, np.hypot(x, y)), np.nan)
    medians = np.nanmedian(elevation[known], axis=1)
    numbers, places = np.flatnonzero(known), np.arange(rows)
    elevations = np.interp(places, numbers, medians)
    if len(numbers) > 1:
        gap_rad = (medians[0] - medians[-1]) / (numbers[-1] - numbers[0])
        elevations += gap_rad * np.maximum(numbers[0] - places, 0)
        elevations -= gap_rad * np.maximum(places - numbers[-1], 0)
    return azimuths, elevations


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
