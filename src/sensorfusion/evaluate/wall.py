"""How far measured depth spreads around a plane, where a camera looks at a wall."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import ray_table
from sensorfusion.depth_map import DepthMap

_FEWEST_PIXELS: Final = 500
_MOST_PIXELS: Final = 20_000
_ROUNDS: Final = 6
_GUESSES: Final = 40
_MAD_TO_SIGMA: Final = 1.4826
_OUTLIER_SIGMAS: Final = 3.0


@dataclass(frozen=True, slots=True)
class WallNoise:
    """The plane nearest to the middle of a depth map, and what is left of depth beside it.

    Attributes
    ----------
    distance_m : float
        Median z, metres.
    sigma_m : float
        Robust standard deviation of z from the plane, metres.
    on_plane : float
        Share of the measured pixels within three of these, 0 to 1: near 1 on a wall.
    fill : float
        Share of the pixels that have depth, 0 to 1.
    """

    distance_m: float
    sigma_m: float
    on_plane: float
    fill: float


def wall_noise(depth: DepthMap) -> WallNoise | None:
    """Lay a plane through the middle of a depth map.

    Parameters
    ----------
    depth : DepthMap
        Metres along z; half of its width and height are looked at, around the middle.

    Returns
    -------
    WallNoise or None
        None if there is too little depth.

    References
    ----------
    On a plane, 1 / z is linear in the ray (Hartley and Zisserman, section 13.1), and a stereo
    camera's error is even in it. The first plane has the least median of squares, outliers are
    trimmed round by round (Rousseeuw and Leroy, "Robust regression and outlier detection", 1987).
    """
    height, width = depth.metres.shape
    middle = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    metres, rays = depth.metres[middle], ray_table(depth.camera)[middle]
    valid = (metres > 0) & np.isfinite(rays).all(axis=-1)
    fill = float(valid.mean())
    z_m, xy = metres[valid].astype(np.float64), rays[valid].astype(np.float64)
    if len(z_m) < _FEWEST_PIXELS:
        return None
    step = -(-len(z_m) // _MOST_PIXELS)
    z_m, xy = z_m[::step], xy[::step]
    homogeneous = np.column_stack([xy, np.ones(len(xy))])
    plane = _first_guess(homogeneous, 1 / z_m)
    sigma_m, near = _beside(plane, homogeneous, z_m)
    for _ in range(_ROUNDS):
        if near.sum() < 3:
            break
        plane = _through(homogeneous[near], 1 / z_m[near])
        sigma_m, near = _beside(plane, homogeneous, z_m)
    return WallNoise(float(np.median(z_m)), sigma_m, float(near.mean()), fill)


def _first_guess(
    homogeneous: NDArray[np.float64], inverse_z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the plane through three pixels that half of all pixels are nearest to."""
    rng = np.random.default_rng(0)
    best, least = np.zeros(3), np.inf
    for _ in range(_GUESSES):
        chosen = rng.choice(len(inverse_z), 3, replace=False)
        plane = _through(homogeneous[chosen], inverse_z[chosen])
        median = float(np.median(np.abs(homogeneous @ plane - inverse_z)))
        if median < least:
            best, least = plane, median
    return best


def _through(
    homogeneous: NDArray[np.float64], inverse_z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the plane of least squares."""
    return np.asarray(np.linalg.lstsq(homogeneous, inverse_z, rcond=None)[0], dtype=np.float64)


def _beside(
    plane: NDArray[np.float64], homogeneous: NDArray[np.float64], z_m: NDArray[np.float64]
) -> tuple[float, NDArray[np.bool_]]:
    """Return the robust spread of z around a plane, and which pixels lie within three of it."""
    inverse = homogeneous @ plane
    # Behind the camera, or beyond the horizon, there is no wall.
    away_m = np.abs(z_m - 1 / np.where(inverse > 1e-6, inverse, 1e-6))
    sigma_m = _MAD_TO_SIGMA * float(np.median(away_m))
    for _ in range(_ROUNDS):
        near = away_m <= _OUTLIER_SIGMAS * max(sigma_m, 1e-9)
        sigma_m = _MAD_TO_SIGMA * float(np.median(away_m[near]))
    return sigma_m, away_m <= _OUTLIER_SIGMAS * max(sigma_m, 1e-9)
