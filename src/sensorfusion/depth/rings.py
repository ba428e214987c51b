"""Rings: which beam of a spinning LiDAR measured each point, where the recording does not say."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth import _ring_kernels
from sensorfusion.errors import SourceError
from sensorfusion.point_cloud import PointCloud

_FEWEST, _MOST = 4, 512
# Points that say which way a scan turns and whether it is stored ring by ring.
SAMPLE: Final = 5_000
_ARC_MARGIN_RAD: Final = np.radians(2.0)
_TURN_RAD: Final = np.float32(2 * np.pi)
_RING_STEP: Final = np.radians(0.1)
_BIN_RAD: Final = np.radians(0.2)
_BINS_PER_RAD: Final = 180 / np.pi / 0.02


def find_rings(
    cloud: PointCloud, azimuth_rad: NDArray[np.float32]
) -> tuple[NDArray[np.uint16], float, NDArray[np.float64]]:
    """Return the ring of each point of a cloud that does not name them, and where a ring begins.

    Scans that are stored ring by ring (KITTI's ``.bin``) are split where the azimuth starts
    afresh; others by the elevations that points heap up at, if those are apart from each other.

    Parameters
    ----------
    cloud : PointCloud
        In the LiDAR's coordinate system, z up.
    azimuth_rad : ndarray of float32, shape (N,)
        atan2(y, x) of its points.

    Returns
    -------
    ring : ndarray of uint16, shape (N,)
    seam_rad : float
        Azimuth at which rings begin.
    slopes : ndarray of float64, shape (rings,)
        See :func:`ring_slopes`.

    Raises
    ------
    SourceError
        If neither shows rings.
    """
    found = _rings_in_order(cloud.points, azimuth_rad)
    if found is not None:
        return found
    ring = _rings_by_elevation(cloud.points)
    if ring is not None:
        slopes = ring_slopes(cloud.points, ring, int(ring.max()) + 1)
        return ring, float(azimuth_rad[0]), slopes
    msg = (
        f"{len(cloud)} points of LiDAR {cloud.coordinate_system!r} without rings, neither stored "
        "ring by ring nor heaped up at separate elevations; a range image needs the ring of each "
        "point: complete such clouds with 'smooth' or 'guided' instead of 'mesh'"
    )
    raise SourceError(msg)


def turning_sign(azimuth_rad: NDArray[np.float32]) -> float:
    """Return 1 if azimuths mostly rise in the order in which they are given, else -1."""
    forward, backward = _ring_kernels.rising(azimuth_rad[:SAMPLE])
    return -1.0 if backward > forward else 1.0


def _rings_in_order(
    points: NDArray[np.float32], azimuth_rad: NDArray[np.float32]
) -> tuple[NDArray[np.uint16], float, NDArray[np.float64]] | None:
    sign = turning_sign(azimuth_rad)
    steps = np.diff(azimuth_rad[:SAMPLE])
    steps -= _TURN_RAD * np.rint(steps / _TURN_RAD)
    if steps.size < SAMPLE // 100 or (sign * steps <= -_RING_STEP).mean() > 0.1:
        return None
    seam_rad = _seam_rad(points, azimuth_rad, sign)
    position = np.empty_like(azimuth_rad)
    _ring_kernels.positions(azimuth_rad, seam_rad, sign, position)
    ring = np.empty(len(points), np.uint16)
    count = _ring_kernels.split_rings(position, ring)
    if not _FEWEST <= count <= _MOST:
        return None
    slopes = ring_slopes(points, ring, count)
    up = np.diff(slopes) > 0
    # Next to each other rings may seem to swap places: few points, on near things.
    ordered = max(up.mean(), 1.0 - up.mean()) >= 0.8
    return (ring, seam_rad, slopes) if ordered else None


def _seam_rad(points: NDArray[np.float32], azimuth_rad: NDArray[np.float32], sign: float) -> float:
    """Return the azimuth at which rings begin: between the last point's and the first's.

    There, the elevation leaps from one ring to the next.
    """
    last = float(azimuth_rad[-1])
    arc_rad = (sign * (float(azimuth_rad[0]) - last)) % (2 * np.pi)
    start_rad = last - sign * _ARC_MARGIN_RAD
    trend = np.sign(_slopes(points[-1:]) - _slopes(points[:1]))[0]
    limits = np.array([arc_rad + 2 * _ARC_MARGIN_RAD, trend, _RING_STEP], np.float32)
    middle_rad = np.empty_like(azimuth_rad)
    flat = points.reshape(-1)
    found = _ring_kernels.find_leaps(flat, azimuth_rad, start_rad, sign, limits, middle_rad)
    middle_rad = middle_rad[:found]
    if not found:
        return float(azimuth_rad[0])
    # Edges of things leap, too, but not in most rings at one azimuth.
    bins = (middle_rad / _BIN_RAD).astype(np.int64)
    heights = np.bincount(bins)
    best = int(np.argmax(heights + np.append(heights[1:], 0)))
    chosen = (bins == best) | (bins == best + 1)
    seam_rad = start_rad + sign * float(np.median(middle_rad[chosen]))
    return float((seam_rad + np.pi) % (2 * np.pi) - np.pi)


def _slopes(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the tangents of the elevations of points."""
    return np.asarray(points[:, 2] / np.maximum(np.hypot(points[:, 0], points[:, 1]), 1e-9))


def ring_slopes(
    points: NDArray[np.float32], ring: NDArray[np.uint16], count: int
) -> NDArray[np.float64]:
    """Return the tangent of each ring's elevation, of far points rather than of near ones.

    The lasers of a scanner stand a few centimetres beside its origin, so that near points
    seem higher or lower than their beam.

    Returns
    -------
    ndarray of float64, shape (count,)
        NaN for a ring without points.
    """
    sums = np.zeros((count, 3))
    _ring_kernels.ring_sums(points.reshape(-1), ring, sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(sums[:, 0] > 0, sums[:, 1] / sums[:, 2], np.nan))


def _rings_by_elevation(points: NDArray[np.float32]) -> NDArray[np.uint16] | None:
    """Return rings as the heaps of a histogram of elevations, if most of it is empty."""
    if not len(points):
        return None
    elevation_rad = np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
    place = ((elevation_rad + np.pi / 2) * _BINS_PER_RAD).astype(np.int64)
    counts = np.bincount(place, minlength=int(np.pi * _BINS_PER_RAD) + 2)
    # A bin in which hardly any point fell is as good as empty.
    filled = counts > max(1.0, 0.02 * float(counts.max()))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(np.int8)))
    first, end = edges[::2], edges[1::2]
    if not _FEWEST <= len(first) <= _MOST:
        return None
    kept = sum(int(counts[a:b].sum()) for a, b in zip(first, end, strict=True)) / len(points)
    spacing = float(np.median(np.diff((first + end) / 2)))
    if kept < 0.9 or float(np.percentile(end - first, 90)) > 0.5 * spacing:
        return None
    borders = (end[:-1] + first[1:]) / 2
    return np.searchsorted(borders, place).astype(np.uint16)
