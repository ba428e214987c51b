"""A spinning LiDAR that moves while it measures: each firing from where the sensor then was."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.bursts import Motion
from sensorfusion.simulate.moving import MovingEye

SPEED_OF_LIGHT_M_S: Final = 299_792_458.0
PERIOD_NS: Final = 100_000_000
"""Of a revolution: 10 Hz."""

Shutter = Literal["rolling", "global"]
"""``rolling``: each column from where the sensor is at its instant; ``global``: all at once."""

_FAINTEST = 0.03


@dataclass(frozen=True, slots=True)
class ScanErrors:
    """How a LiDAR errs; ranges spread as :meth:`sensorfusion.lidar.Lidar.sigma_m` says.

    Attributes
    ----------
    spread : bool
        Whether they do.
    dropped : float
        Share of the beams of which nothing is known afterwards, 0 to 1.
    timer_s : float
        Resolution of the timer that measures the time of flight; 0 is exact.
    """

    spread: bool = True
    dropped: float = 0.01
    timer_s: float = 1e-11

    @classmethod
    def none(cls) -> "ScanErrors":
        """Return those of an exact sensor."""
        return cls(spread=False, dropped=0.0, timer_s=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One revolution as the sensor reports it, and what is true of it.

    Attributes
    ----------
    cloud : PointCloud
        Points in the coordinates of the LiDAR at the instant of each; firing by firing, from the
        highest ring down. Intensity is 0 to 1. ``missing`` counts beams that were lost.
    surface_m : ndarray of float64, shape (N, 3)
        Where each point's beam met a surface, exact to float32, world coordinates.
    cosine : ndarray of float32, shape (N,)
        Of the angle between beam and surface normal.
    T_world_lidar : ndarray of float64, shape (columns, 4, 4)
        Where the LiDAR was at each firing.
    """

    cloud: PointCloud
    surface_m: NDArray[np.float64]
    cosine: NDArray[np.float32]
    T_world_lidar: NDArray[np.float64]


def spinning_lidar(
    rings: int = 64,
    columns: int = 1024,
    *,
    highest_deg: float = 22.5,
    lowest_deg: float = -22.5,
    far_m: float = 120.0,
) -> Lidar:
    """Return a LiDAR named "lidar" with evenly spaced rings, ring 0 the highest.

    Ranges have a standard deviation of 12 mm x (1 + 0.02 range). What a slanted surface adds is a
    part of the beam's width only: the middle of an echo is timed, which errs less than the echo
    is long.
    """
    elevations = np.deg2rad(np.linspace(highest_deg, lowest_deg, rings))
    return Lidar(
        name="lidar",
        rings=rings,
        columns=columns,
        elevation_rad=tuple(elevations.tolist()),
        near_m=0.5,
        far_m=far_m,
        constant_m=0.012,
        linear=0.00024,
        beam_width_rad=0.0002,
    )


def flight_time_s(range_m: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how long light needs to a surface and back, seconds."""
    return np.asarray(2.0 * np.asarray(range_m, dtype=np.float64) / SPEED_OF_LIGHT_M_S)


def flight_range_m(time_s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the range that a time of flight measures, c t / 2, metres."""
    return np.asarray(SPEED_OF_LIGHT_M_S * np.asarray(time_s, dtype=np.float64) / 2.0)


class LidarSensor:
    """A spinning LiDAR in a scene; any thread may ask for scans.

    It turns clockwise seen from above and begins behind (azimuth 180 degrees), so that it looks
    ahead in the middle of a scan.

    Parameters
    ----------
    eye : MovingEye
    lidar : Lidar
        With rings, columns and elevations.
    motion : callable
        ``T_world_lidar`` by time in seconds.
    shutter : {"rolling", "global"}
    errors : ScanErrors
    """

    def __init__(
        self,
        eye: MovingEye,
        lidar: Lidar,
        motion: Motion,
        *,
        shutter: Shutter = "rolling",
        errors: ScanErrors | None = None,
    ) -> None:
        self.lidar = lidar
        self.errors = ScanErrors() if errors is None else errors
        self._eye = eye
        self._motion = motion
        self._directions = beam_directions(lidar)
        self._reflectance = _reflectances(eye)
        steps = np.arange(lidar.columns, dtype=np.int64) * PERIOD_NS // lidar.columns
        self._offsets_ns = steps if shutter == "rolling" else np.zeros_like(steps)

    def scan(self, start_ns: int, rng: np.random.Generator) -> Scan:
        """Return the revolution that begins at an instant.

        Parameters
        ----------
        start_ns : int
        rng : numpy.random.Generator
            One per scan.
        """
        from sensorfusion.simulate._kernels import cosines  # noqa: PLC0415

        time_s: NDArray[np.float64] = 1e-9 * (start_ns + self._offsets_ns).astype(np.float64)
        T_world_lidar = self._motion(time_s)
        columns, rings = self._directions.shape[:2]
        rays = np.empty((columns, rings, 6), dtype=np.float32)
        rays[..., :3] = T_world_lidar[:, None, :3, 3]
        rays[..., 3:] = self._directions @ np.swapaxes(T_world_lidar[:, :3, :3], 1, 2)
        hits = self._eye.cast(rays, time_s)
        cosine = cosines(hits.rays, hits.normals)
        hit = (hits.triangles >= 0) & (hits.z_m <= self.lidar.far_m)
        echo = hit & (cosine > _FAINTEST) & (hits.z_m >= self.lidar.near_m)
        known = rng.random(hit.size) >= self.errors.dropped
        range_m = self._measured(hits.z_m.astype(np.float64), cosine, echo, rng)
        index = np.flatnonzero(echo & known)
        beams = self._directions.reshape(-1, 3)
        column = (index // rings).astype(np.int32)
        reflectance = self._reflectance[hits.triangles[index]]
        cloud = PointCloud(
            points=(beams[index] * range_m[index, None]).astype(np.float32),
            coordinate_system=self.lidar.name,
            timestamp_ns=start_ns,
            intensity=(reflectance * cosine[index]).astype(np.float32),
            ring=(index % rings).astype(np.uint16),
            column=column,
            time_offset_ns=self._offsets_ns[column],
            empty_beams=beams[~hit & known].astype(np.float32),
            missing=int(hit.size - len(index) - (~hit & known).sum()),
        )
        found = hits.rays[index].astype(np.float64)
        surface_m = found[:, :3] + found[:, 3:] * hits.z_m[index, None]
        return Scan(cloud, surface_m, cosine[index], T_world_lidar)

    def _measured(
        self,
        range_m: NDArray[np.float64],
        cosine: NDArray[np.float32],
        echo: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Return the ranges that the times of flight say, float64 (N,), metres."""
        time_s = flight_time_s(range_m)
        if self.errors.spread:
            errors = rng.standard_normal(range_m.size)
            errors[echo] *= self.lidar.sigma_m(range_m[echo], cosine[echo])
            time_s += np.where(echo, flight_time_s(errors), 0.0)
        if self.errors.timer_s > 0:
            time_s = np.round(time_s / self.errors.timer_s) * self.errors.timer_s
        return flight_range_m(time_s)


def beam_directions(lidar: Lidar) -> NDArray[np.float64]:
    """Return the unit vectors of all beams, float64 (columns, rings, 3), LiDAR coordinates."""
    turned = (np.arange(lidar.columns) + 0.5) / lidar.columns
    azimuth = (math.pi - 2 * math.pi * turned)[:, None]
    elevation = np.array(lidar.elevation_rad)
    flat = np.cos(elevation)
    parts = (flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation) + 0.0 * azimuth)
    return np.stack(parts, axis=-1)


def _reflectances(eye: MovingEye) -> NDArray[np.float32]:
    """Return how bright each triangle is, 0 to 1, float32 (M + 1,); the last of no triangle."""
    colors = eye.solids()[:, 12:18].reshape(-1, 2, 3).mean(axis=1)
    brightness = np.append(colors @ (0.299, 0.587, 0.114), 0.0)
    return brightness[eye.owners].astype(np.float32)
