"""Beams: how far a scanner's beams are apart, and the panorama that holds them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform

# Three of four gaps between known rings are no larger. Points leave out rings, and so gaps among
# points are several rings wide now and then: their median counts.
_USUAL_GAP, _MEDIAN = 0.75, 0.5
# Points that are this close in elevation, or azimuth, can be of one ring, or firing.
_BAND_RAD = math.radians(0.1)
_FEWEST_STEPS = 16
# So many points tell as much as all.
_ENOUGH_POINTS = 30_000
_WIDEST_RAD = math.radians(10.0)
# A scan that leaves more than half a turn empty is that of a scanner that looks one way.
_SECTOR_GAP_RAD = math.pi
# Rings that stand closer in one part than in another get at most so many rows for each.
_ROWS_PER_RING = 4
_LARGEST_PX = 1 << 15
# From x forward, y left, z up to x right, y down, z forward.
_CAMERA_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@dataclass(frozen=True, slots=True)
class BeamSpacing:
    """How far neighbouring beams of a scanner are apart.

    Attributes
    ----------
    vertical_rad : float
        Between neighbouring rings, radians of elevation.
    horizontal_rad : float
        Between neighbouring firings, radians of azimuth.

    Raises
    ------
    CalibrationError
        If one is not within 0 to 0.5 rad.
    """

    vertical_rad: float
    horizontal_rad: float

    def __post_init__(self) -> None:
        if not (0 < self.vertical_rad <= 0.5 and 0 < self.horizontal_rad <= 0.5):
            msg = (
                f"beams {self.vertical_rad} rad apart from ring to ring and "
                f"{self.horizontal_rad} rad from firing to firing; expected more than 0 and at "
                "most 0.5 rad"
            )
            raise CalibrationError(msg)


def beam_spacing(cloud: PointCloud, lidar: Lidar) -> BeamSpacing:
    """Return how far the beams of a scan are apart.

    From what is known of the LiDAR, else from the rings of the points, else from the points alone:
    sorted by azimuth within thin bands of elevation, and by elevation within single firings, where
    the usual distance of neighbours is the spacing.

    Parameters
    ----------
    cloud : PointCloud
        In the coordinate system of the LiDAR: x forward, y left, z up.
    lidar : Lidar

    Returns
    -------
    BeamSpacing

    Raises
    ------
    CalibrationError
        If the LiDAR says nothing, and the points are too few to tell.
    """
    azimuth_rad, elevation_rad = _angles(cloud)
    horizontal_rad = _horizontal_rad(azimuth_rad, elevation_rad, cloud.ring, lidar)
    share = _USUAL_GAP
    if lidar.elevation_rad:
        gaps_rad = _gaps(np.asarray(lidar.elevation_rad))
    elif cloud.ring is not None:
        gaps_rad = _gaps(_elevation_of_rings(elevation_rad, cloud.ring))
    else:
        gaps_rad = _gaps_within_firings(azimuth_rad, elevation_rad, horizontal_rad)
        share = _MEDIAN
    if not gaps_rad.size:
        # One ring: there is no neighbour above it.
        return BeamSpacing(horizontal_rad, horizontal_rad)
    return BeamSpacing(float(np.quantile(gaps_rad, share)), horizontal_rad)


def panorama(lidar: Lidar, cloud: PointCloud) -> tuple[Camera, RigidTransform]:
    """Return a spherical camera in whose picture every beam of a scan has a pixel.

    Rows are rings where they stand evenly, else as close as most of them are; columns are
    firings of a full turn, or of the sector that a scanner covers which leaves over half empty.

    Parameters
    ----------
    lidar : Lidar
    cloud : PointCloud
        A scan of it: x forward, y left, z up.

    Returns
    -------
    camera : Camera
        Spherical, named ``<lidar>_panorama``.
    T_panorama_lidar : RigidTransform
        Turns the axes; both have one centre.

    Raises
    ------
    CalibrationError
        If the LiDAR says nothing of its beams, and the points are too few to tell.
    """
    spacing = beam_spacing(cloud, lidar)
    azimuth_rad, elevation_rad = _angles(cloud)
    if cloud.empty_beams is not None:
        x, y, z = cloud.empty_beams.T.astype(np.float64)
        azimuth_rad = np.concatenate([azimuth_rad, np.arctan2(y, x)])
        elevation_rad = np.concatenate([elevation_rad, np.arctan2(z, np.hypot(x, y))])
    columns = _columns(azimuth_rad, spacing.horizontal_rad)
    row_rad, low_rad, high_rad = _rows(lidar, elevation_rad, spacing)
    height = round((high_rad - low_rad) / row_rad) + 1
    if max(columns.count, height) > _LARGEST_PX:
        msg = (
            f"lidar {lidar.name!r}: beams {spacing.horizontal_rad:.3g} x {row_rad:.3g} rad apart "
            f"would make a panorama of {columns.count}x{height} pixels, at most {_LARGEST_PX} are "
            "made; say in a rig file how many rings and columns it has"
        )
        raise CalibrationError(msg)
    cosine, sine = math.cos(columns.center_rad), math.sin(columns.center_rad)
    yaw = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    turned = np.eye(4)
    turned[:3, :3] = _CAMERA_AXES @ yaw
    name = f"{lidar.name}_panorama"
    camera = Camera(
        name,
        columns.count,
        height,
        fx=columns.per_rad,
        fy=1.0 / row_rad,
        cx=columns.center_px,
        cy=high_rad / row_rad,
        distortion=Distortion("spherical"),
    )
    return camera, RigidTransform(name, lidar.name, turned)


@dataclass(frozen=True, slots=True)
class _Columns:
    """How azimuths become columns: ``center_px - per_rad * (azimuth - center_rad)``."""

    count: int
    per_rad: float
    center_px: float
    center_rad: float


def _columns(azimuth_rad: NDArray[np.float64], spacing_rad: float) -> _Columns:
    center_rad, extent_rad = _sector(azimuth_rad)
    per_rad = 1.0 / spacing_rad
    if extent_rad < 2 * math.pi:
        count = round(extent_rad * per_rad) + 1
    else:
        count = math.ceil(extent_rad * per_rad - 1e-6)
        per_rad = count / extent_rad
    # So that firings fall on the middle of columns, not on the border between two.
    phases = np.exp(-2j * np.pi * per_rad * (azimuth_rad - center_rad))
    offset = float(np.angle(phases.sum())) / (2 * np.pi)
    middle = (count - 1) / 2
    return _Columns(count, per_rad, middle + (0.5 - offset - middle) % 1 - 0.5, center_rad)


def _angles(cloud: PointCloud) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return azimuth (from x towards y) and elevation of each point, radians."""
    x, y, z = cloud.points.T.astype(np.float64)
    return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


def _gaps(elevation_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps_rad = np.diff(np.sort(elevation_rad))
    return np.asarray(gaps_rad[gaps_rad > 1e-5])


def _elevation_of_rings(
    elevation_rad: NDArray[np.float64], ring: NDArray[np.uint16]
) -> NDArray[np.float64]:
    order = np.argsort(ring, kind="stable")
    starts = np.flatnonzero(np.diff(ring[order].astype(np.int64), prepend=-1))
    parts = np.split(elevation_rad[order], starts[1:])
    return np.array([np.median(part) for part in parts if part.size])


def _horizontal_rad(
    azimuth_rad: NDArray[np.float64],
    elevation_rad: NDArray[np.float64],
    ring: NDArray[np.uint16] | None,
    lidar: Lidar,
) -> float:
    """Return the usual azimuth between neighbours in a ring, or in a thin band of elevation."""
    known_rad = 2 * math.pi / lidar.columns if lidar.columns else 0.0
    if ring is not None:
        candidates = [_steps(ring, azimuth_rad)]
    else:
        # Rings may lie on the border of two bands: those of the other banding are whole.
        bands = elevation_rad / _BAND_RAD
        candidates = [_steps(np.floor(bands + shift), azimuth_rad) for shift in (0.0, 0.5)]
    medians_rad = [float(np.median(steps)) for steps in candidates if steps.size >= _FEWEST_STEPS]
    if medians_rad:
        measured_rad = min(medians_rad)
        # Columns of a full turn are known exactly, those of a sector only by their number.
        turns = 0.75 < measured_rad / known_rad < 1.34 if known_rad else False
        return known_rad if turns else measured_rad
    if not known_rad:
        msg = (
            f"lidar {lidar.name!r}: {len(azimuth_rad)} points are too few to tell how far its "
            "beams are apart; say in a rig file how many rings and columns it has"
        )
        raise CalibrationError(msg)
    return known_rad


def _gaps_within_firings(
    azimuth_rad: NDArray[np.float64], elevation_rad: NDArray[np.float64], horizontal_rad: float
) -> NDArray[np.float64]:
    """Return gaps of elevation between neighbours of single firings."""
    gaps_rad = _steps(np.floor(azimuth_rad / horizontal_rad), elevation_rad)
    if gaps_rad.size < _FEWEST_STEPS:
        return gaps_rad
    # Two points of one ring in one slice of azimuth are no gap between rings.
    return np.asarray(gaps_rad[gaps_rad > 0.3 * np.median(gaps_rad)])


def _steps(row: NDArray[np.generic], angle_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances of neighbours by angle among the points of equal row."""
    numbers = row.astype(np.int64)
    every = -(-len(numbers) // _ENOUGH_POINTS)
    taken = numbers % every == 0
    numbers, angle_rad = numbers[taken], angle_rad[taken]
    order = np.lexsort((angle_rad, numbers))
    steps_rad = np.diff(angle_rad[order])[np.diff(numbers[order]) == 0]
    return np.asarray(steps_rad[(steps_rad > 1e-5) & (steps_rad < _WIDEST_RAD)])


def _sector(azimuth_rad: NDArray[np.float64]) -> tuple[float, float]:
    """Return the middle and the extent of the azimuths that a scan covers, radians."""
    if not azimuth_rad.size:
        return 0.0, 2 * math.pi
    ordered_rad = np.sort(azimuth_rad)
    gaps_rad = np.diff(ordered_rad, append=ordered_rad[0] + 2 * math.pi)
    widest = int(np.argmax(gaps_rad))
    if gaps_rad[widest] < _SECTOR_GAP_RAD:
        return 0.0, 2 * math.pi
    begin_rad = float(ordered_rad[(widest + 1) % len(ordered_rad)])
    extent_rad = 2 * math.pi - float(gaps_rad[widest])
    return begin_rad + extent_rad / 2, extent_rad


def _rows(
    lidar: Lidar, elevation_rad: NDArray[np.float64], spacing: BeamSpacing
) -> tuple[float, float, float]:
    """Return the height of a row, and the lowest and highest elevation, radians."""
    if not lidar.elevation_rad:
        if not elevation_rad.size:
            msg = (
                f"lidar {lidar.name!r}: a scan without points, and no elevations of its rings, "
                "make no panorama; say in a rig file where its rings look"
            )
            raise CalibrationError(msg)
        low_rad, high_rad = float(elevation_rad.min()), float(elevation_rad.max())
        return spacing.vertical_rad, low_rad, high_rad
    low_rad, high_rad = min(lidar.elevation_rad), max(lidar.elevation_rad)
    gaps_rad = _gaps(np.asarray(lidar.elevation_rad))
    if not gaps_rad.size:
        return spacing.vertical_rad, low_rad, high_rad
    close_rad = float(np.quantile(gaps_rad, 0.1))
    even_rad = (high_rad - low_rad) / gaps_rad.size
    if close_rad > 0.7 * even_rad:
        return even_rad, low_rad, high_rad
    return max(close_rad, even_rad / _ROWS_PER_RING), low_rad, high_rad
