"""Range images: a scan laid out as rings and firings, so that neighbours are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth import _range_kernels, _ring_kernels
from sensorfusion.depth.rings import SAMPLE, find_rings, ring_slopes, turning_sign
from sensorfusion.errors import SourceError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import NO_RETURN, UNSEEN, RangeImage

# A gap in azimuth as wide as this is one that the scanner does not look into.
_SECTOR_GAP_RAD = np.radians(20.0)
_GAP_BINS = 720
# Cells for each point, and cells in any case, that a sound recording can need.
_CELLS_PER_POINT, _CELLS = 64, 1 << 22
# So many firings one after the other say how far they are apart; one stretch of so many is asked.
_STRETCH, _EVERY = 96, 16
# So many points are asked whether rings are rings.
_SOME = 64
_SMALLEST_STEP_RAD = 1e-5
# Lasers beside the origin put near points a few degrees off their ring; a sensor that looks along
# z has most points at such elevations, and none of its rows at one.
_STEEP_RAD, _OFF_RING_RAD = np.radians(40.0), np.radians(2.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Sweep:
    """Columns of a scan: how azimuth becomes a column."""

    column: NDArray[np.int32]
    columns: int
    wraps: bool


def organise(
    cloud: PointCloud, lidar: Lidar, chosen: NDArray[np.int32] | None = None
) -> RangeImage:
    """Return a scan as an image of rings and firings.

    Rows are rings from the highest down. Rings and columns are taken from the cloud where it
    names them. Else the rings are found (:func:`sensorfusion.depth.rings.find_rings`), and a
    point's column follows from its azimuth, in the direction in which the points are stored.
    Rings without any point, and without an elevation in ``lidar.elevation_rad``, get no row.

    Cells that a beam of ``cloud.empty_beams`` belongs to are :data:`NO_RETURN`. Every other cell
    without a point is :data:`UNSEEN`: recordings drop points for many reasons, the vehicle's own
    body among them, so a gap is not taken for free space. Of several returns of one beam the
    nearest stays.

    Parameters
    ----------
    cloud : PointCloud
        In the LiDAR's own coordinate system, z up.
    lidar : Lidar
        ``columns`` and ``elevation_rad`` are used where they are known.
    chosen : ndarray of int32, shape (K,), optional
        Rows of the points to lay out, rising; None for all. The image then has the columns from
        the first to the last of them. The rings are those of the whole scan all the same.

    Returns
    -------
    RangeImage

    Raises
    ------
    SourceError
        If no rings can be found, or rings and columns are numbered beyond all measure.
    """
    rows = np.arange(len(cloud), dtype=np.int32) if chosen is None else chosen
    if not len(rows):
        shape = (lidar.rings, lidar.columns)
        return RangeImage(
            cloud, np.full(shape, UNSEEN, np.int32), np.zeros(shape, np.float32), True
        )
    flat = np.ascontiguousarray(cloud.points).reshape(-1)
    azimuth_rad = np.empty(len(cloud), np.float32)
    _ring_kernels.azimuths(flat, azimuth_rad)
    ring, seam_rad, slopes = cloud.ring, None, None
    if ring is None:
        ring, seam_rad, slopes = find_rings(cloud, azimuth_rad)
    row_of_ring, slopes = _rows(cloud, ring, slopes, lidar)
    _check_rings(cloud, slopes[row_of_ring[ring[::_SOME]]])
    row = row_of_ring[ring[rows]]
    some_rad = azimuth_rad[rows]
    if cloud.column is not None:
        sweep = _given_sweep(cloud.column, lidar, rows, some_rad)
    else:
        sweep = _found_sweep(row, len(slopes), some_rad, seam_rad, lidar)
    _check_size(cloud, len(slopes), sweep.columns)
    index = np.empty((len(slopes), sweep.columns), np.int32)
    range_m = np.empty(index.shape, np.float32)
    _range_kernels.place(flat, rows, row, sweep.column, index, range_m)
    if cloud.empty_beams is not None and len(cloud.empty_beams):
        _mark_no_return(cloud, cloud.empty_beams, index, azimuth_rad, slopes)
    return RangeImage(cloud, index, range_m, sweep.wraps)


def _rows(
    cloud: PointCloud,
    ring: NDArray[np.uint16],
    slopes: NDArray[np.float64] | None,
    lidar: Lidar,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the row of each ring, -1 for none, and the tangent of each row's elevation."""
    count = int(ring.max()) + 1
    if cloud.ring is not None and lidar.elevation_rad and count <= lidar.rings:
        slopes = np.tan(np.array(lidar.elevation_rad))
        rings = np.argsort(-slopes, kind="stable")
    else:
        slopes = ring_slopes(cloud.points, ring, count) if slopes is None else slopes
        rings = np.flatnonzero(np.isfinite(slopes))
        rising = np.diff(slopes[rings]) > 0
        # Numbers in order of height say more than heights from a few near points do.
        upward = float(rising.mean()) if rising.size else 0.0
        if upward >= 0.8:
            rings = rings[::-1]
        elif upward > 0.2:
            rings = rings[np.argsort(-slopes[rings], kind="stable")]
    row_of_ring = np.full(max(count, len(slopes)), -1, np.int32)
    row_of_ring[rings] = np.arange(len(rings))
    return row_of_ring, slopes[rings]


def _given_sweep(
    column: NDArray[np.int32],
    lidar: Lidar,
    rows: NDArray[np.int32],
    azimuth_rad: NDArray[np.float32],
) -> _Sweep:
    least = int(column.min())
    if least < 0:
        msg = f"LiDAR {lidar.name!r}: a point of column {least}; columns count from 0"
        raise SourceError(msg)
    wraps = _empty_arc(azimuth_rad)[1] < _SECTOR_GAP_RAD
    if len(rows) == len(column):
        return _Sweep(column, max(lidar.columns, int(column.max()) + 1), wraps)
    column = column[rows]
    column -= column.min()
    return _Sweep(column, int(column.max()) + 1, wraps)


def _found_sweep(
    row: NDArray[np.int32],
    rows: int,
    azimuth_rad: NDArray[np.float32],
    seam_rad: float | None,
    lidar: Lidar,
) -> _Sweep:
    """Return columns that follow the azimuth, one firing apart."""
    counts = np.bincount(row, minlength=rows)
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = np.empty(len(row), np.int64)
    _range_kernels.order_by_row(row, starts, order)
    sign = turning_sign(azimuth_rad[order[:SAMPLE]])
    gap_rad, gap_width_rad = _empty_arc(azimuth_rad)
    wraps = gap_width_rad < _SECTOR_GAP_RAD
    if not wraps:
        seam_rad = gap_rad
    elif seam_rad is None:
        seam_rad = float(azimuth_rad[0])
    position = np.empty_like(azimuth_rad)
    _ring_kernels.positions(azimuth_rad, seam_rad, sign, position)
    if not _range_kernels.sort_rows(position, starts, order):
        order = np.lexsort((position, row))
    columns_per_rad = _columns_per_rad(position[order], row[order], lidar, int(counts.max()))
    if wraps:
        columns = round(2 * np.pi * columns_per_rad)
    else:
        first_rad = float(position.min())
        position -= np.float32(first_rad)
        columns = int(float(position.max()) * columns_per_rad) + 1
    columns = max(columns, int(counts.max()))
    column = np.empty(len(row), np.int32)
    _range_kernels.assign_columns(position, starts, order, columns, columns_per_rad, column)
    return _Sweep(column, columns, wraps)


def _columns_per_rad(
    position: NDArray[np.float32], row: NDArray[np.int32], lidar: Lidar, most_points: int
) -> float:
    """Return firings per radian: the data sheet's, if the points agree with it, else theirs.

    Those of the fullest stretches: one step says little, because encoders round, and most
    stretches have lost a point. ``position`` and ``row`` are sorted.
    """
    spans = position[_STRETCH::_EVERY] - position[:-_STRETCH:_EVERY]
    alike = row[_STRETCH::_EVERY] == row[:-_STRETCH:_EVERY]
    spans = spans[alike & (spans > _STRETCH * _SMALLEST_STEP_RAD)]
    measured, known = most_points / (2 * np.pi), lidar.columns / (2 * np.pi)
    if spans.size:
        measured = max(measured, _STRETCH / float(np.percentile(spans, 5)))
    elif known > 0.0:
        # A sector of few points, which say nothing of how many a turn would have.
        return known
    return known if 0.9 < known / measured < 1.5 else measured


def _empty_arc(azimuth_rad: NDArray[np.float32]) -> tuple[float, float]:
    """Return the middle and the width of the widest arc of azimuths without a point, radians."""
    some_rad = azimuth_rad[:: _EVERY // 4]
    bins = ((some_rad + np.float32(np.pi)) * np.float32(_GAP_BINS / (2 * np.pi))).astype(np.int32)
    filled = np.flatnonzero(np.bincount(bins % _GAP_BINS, minlength=_GAP_BINS))
    gaps = np.diff(filled, append=filled[0] + _GAP_BINS)
    widest = int(np.argmax(gaps))
    width = int(gaps[widest]) - 1
    middle = (filled[widest] + 1 + width / 2) * (2 * np.pi / _GAP_BINS) - np.pi
    return float((middle + np.pi) % (2 * np.pi) - np.pi), width * 2 * np.pi / _GAP_BINS


def _check_rings(cloud: PointCloud, slopes: NDArray[np.float64]) -> None:
    """Refuse rows that are no rings around the z axis; ``slopes`` are those of some points."""
    x, y, z = cloud.points[::_SOME].T
    elevation_rad = np.arctan2(z, np.hypot(x, y))
    if float((np.abs(elevation_rad) > _STEEP_RAD).mean()) <= 0.5:
        return
    off_rad = np.abs(elevation_rad - np.arctan(slopes))
    if float(np.median(off_rad)) > _OFF_RING_RAD:
        msg = (
            f"LiDAR {cloud.coordinate_system!r}: points lie {np.degrees(np.median(off_rad)):.0f} "
            "degrees above or below their ring, in the middle; expected rings around the z axis; "
            "complete clouds of other sensors with 'smooth' or 'guided' instead of 'mesh'"
        )
        raise SourceError(msg)


def _check_size(cloud: PointCloud, rows: int, columns: int) -> None:
    if rows * columns > _CELLS + _CELLS_PER_POINT * len(cloud):
        msg = (
            f"LiDAR {cloud.coordinate_system!r}: {len(cloud)} points in {rows} rings and "
            f"{columns} columns; expected numbers of rings and firings, most of them in use"
        )
        raise SourceError(msg)


def _mark_no_return(
    cloud: PointCloud,
    beams: NDArray[np.float32],
    index: NDArray[np.int32],
    azimuth_rad: NDArray[np.float32],
    slopes: NDArray[np.float64],
) -> None:
    """Write NO_RETURN to the cells of beams that found nothing.

    A ring's azimuth is linear in the column, each ring with an offset of its own (its lasers
    stand at an angle to the others).
    """
    way, step = _range_kernels.measure_steps(cloud.points, index, 1)
    step *= way
    offset = np.empty(len(index))
    step += _range_kernels.fit_rows(azimuth_rad, index, step, offset)
    if abs(step) < _SMALLEST_STEP_RAD:
        return
    _range_kernels.fit_rows(azimuth_rad, index, step, offset)
    known = offset[np.isfinite(offset)]
    offset[np.isnan(offset)] = np.arctan2(np.sin(known).mean(), np.cos(known).mean())

    beam_azimuth = np.arctan2(beams[:, 1], beams[:, 0]).astype(np.float64)
    with np.errstate(divide="ignore"):
        elevation = np.arctan(beams[:, 2] / np.hypot(beams[:, 0], beams[:, 1]))
    row_elevation = np.arctan(slopes)
    middles = (row_elevation[:-1] + row_elevation[1:]) / 2
    row = np.searchsorted(-middles, -elevation)
    half_rad = 0.6 * float(np.abs(np.diff(row_elevation)).max(initial=0.0))
    middle = index.shape[1] / 2
    turned = _wrapped(beam_azimuth - offset[row] - step * middle)
    column = np.rint(middle + turned / step).astype(np.int64)
    turn = round(2 * np.pi / abs(step))
    column = np.where(column == turn, 0, column)
    fits = (np.abs(elevation - row_elevation[row]) <= half_rad) & (column >= 0)
    fits &= column < index.shape[1]
    row, column = row[fits], column[fits]
    free = index[row, column] == UNSEEN
    index[row[free], column[free]] = NO_RETURN


def _wrapped(angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles within -pi to pi."""
    return np.asarray((angle_rad + np.pi) % (2 * np.pi) - np.pi)
