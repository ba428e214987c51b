"""A road tunnel that is smooth for most of its length, and a drive through it."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.simulate.moving import MovingScene, turned
from sensorfusion.simulate.scene import Material, Pattern, SceneBuilder
from sensorfusion.simulate.shapes import Solid, box, sheet

FIRST_M, LAST_M = -150.0, 650.0
"""Along x, the tunnel exists between these."""
SMOOTH_M = (60.0, 420.0)
"""Between these nothing but a smooth lining is seen: no scan says how far along it was taken."""
LONGEST_S = 21.0
"""How long :func:`tunnel_drive` stays well within the tunnel."""

_RADIUS_M, _WALL_M, _LANE_M = 4.6, 1.6, -1.7
_SENSOR_M, _SPEED_M_S = 1.80, 22.0
_CABINET_EVERY_M = 6.0

_LINING = Material((0.62, 0.61, 0.58), (0.54, 0.53, 0.51), Pattern.PLAIN, 0.8, 0.4)
_ASPHALT = Material((0.30, 0.30, 0.31), (0.24, 0.24, 0.25), Pattern.PLAIN, 0.5, 0.7)
_STEEL = Material((0.45, 0.47, 0.50), (0.36, 0.38, 0.40), Pattern.PLAIN, 0.2, 0.3)


def tunnel(seed: int = 0) -> MovingScene:
    """Return a straight vaulted tunnel with cabinets along its walls, but not in its middle part.

    Parameters
    ----------
    seed : int
        Not negative; places the cabinets.
    """
    builder = SceneBuilder(np.random.default_rng([seed, 13]))
    here = (0.0, 0.0, 0.0)
    builder.add(_along([(-_RADIUS_M, 0.0), (_RADIUS_M, 0.0)]), here, _ASPHALT)
    arch = np.linspace(0.0, np.pi, 49)
    vault = [(_RADIUS_M * np.cos(a), _WALL_M + _RADIUS_M * np.sin(a)) for a in arch.tolist()]
    builder.add(_along([(_RADIUS_M, 0.0), *vault, (-_RADIUS_M, 0.0)]), here, _LINING)
    for side in (-1, 1):
        place = FIRST_M + 5.0
        while place < LAST_M - 5.0:
            if not SMOOTH_M[0] < place < SMOOTH_M[1]:
                size = builder.rng.uniform((0.6, 0.8, 2.0), (1.6, 1.3, 3.2)).tolist()
                at = (place, side * (_RADIUS_M - size[1] / 2), 0.0)
                builder.add(box(*size), at, _STEEL)
            place += builder.rng.uniform(0.6, 1.4) * _CABINET_EVERY_M
    return MovingScene(builder.scene())


def tunnel_drive(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``T_world_lidar`` of a LiDAR 1.8 m above the road, float64 (N, 4, 4), 22 m/s.

    Parameters
    ----------
    time_s : ndarray of float64, shape (N,)
    """
    T_world_lidar = np.zeros((len(time_s), 4, 4))
    T_world_lidar[:, 0, 3] = _SPEED_M_S * time_s
    T_world_lidar[:, 1, 3] = _LANE_M + 0.1 * np.sin(0.7 * time_s)
    T_world_lidar[:, 2, 3] = _SENSOR_M + 0.015 * np.sin(7.0 * time_s)
    T_world_lidar[:, :3, :3] = turned(
        0.006 * np.sin(1.3 * time_s), 0.010 * np.sin(4.1 * time_s), 0.012 * np.sin(2.9 * time_s)
    )
    T_world_lidar[:, 3, 3] = 1.0
    return T_world_lidar


def _along(profile_m: list[tuple[float, float]]) -> Solid:
    """Return the surface that a profile (y, z) makes along the tunnel."""
    y_m, z_m = np.array(profile_m).T
    x_m = np.linspace(FIRST_M, LAST_M, 41)
    grid = np.empty((len(x_m), len(y_m), 3))
    grid[..., 0], grid[..., 1], grid[..., 2] = x_m[:, None], y_m, z_m
    return sheet(grid)
