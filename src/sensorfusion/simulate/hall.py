"""A furnished hall, and a walk round it with a LiDAR."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.simulate.moving import turned
from sensorfusion.simulate.scene import Color, Material, Pattern, Scene, SceneBuilder
from sensorfusion.simulate.shapes import box, cylinder, ellipsoid

LENGTH_M, WIDTH_M, HEIGHT_M = 24.0, 14.0, 3.2
"""The hall spans -12 to 12 m in x, -7 to 7 m in y, 0 to 3.2 m in z (inside of the walls)."""

_WALL_M = 0.2
_WAY_M = (9.0, 3.2)
_ROUND_S = 47.0
_SENSOR_M = 1.2
_CLEAR_M = 1.1
_THINGS = 60
_INNER_WALLS = (
    (2.0, 5.6, 0.0, 2.8),
    (-5.0, -5.5, 0.0, 3.0),
    (-1.5, 0.0, np.pi / 2, 5.0),
)


def hall(seed: int = 0) -> Scene:
    """Return a hall of 24 x 14 x 3.2 m with inner walls, tables, shelves, balls and columns.

    Nothing but floor and ceiling comes nearer than 0.5 m to the way of :func:`hall_walk`.

    Parameters
    ----------
    seed : int
        Not negative; places and paints the furniture.
    """
    builder = SceneBuilder(np.random.default_rng([seed, 11]))
    _shell(builder)
    placed = 0
    while placed < _THINGS:
        x = builder.rng.uniform(-LENGTH_M / 2 + 0.8, LENGTH_M / 2 - 0.8)
        y = builder.rng.uniform(-WIDTH_M / 2 + 0.8, WIDTH_M / 2 - 0.8)
        if _to_way_m(x, y) > _CLEAR_M + 0.5:
            _furnish(builder, (x, y), placed % 4)
            placed += 1
    return builder.scene()


def hall_walk(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``T_world_lidar`` of a walk without end, float64 (N, 4, 4): a round takes 47 s.

    0.4 to 1.2 m/s along an ellipse, 1.2 m high, swaying as a walker does.

    Parameters
    ----------
    time_s : ndarray of float64, shape (N,)
    """
    around = 2 * np.pi * time_s / _ROUND_S
    a, b = _WAY_M
    T_world_lidar = np.zeros((len(time_s), 4, 4))
    T_world_lidar[:, 0, 3] = a * np.sin(around)
    T_world_lidar[:, 1, 3] = -b * np.cos(around)
    T_world_lidar[:, 2, 3] = _SENSOR_M + 0.03 * np.sin(5.0 * time_s)
    yaw = np.arctan2(b * np.sin(around), a * np.cos(around)) + 0.2 * np.sin(1.7 * time_s)
    pitch, roll = 0.03 * np.sin(2.3 * time_s), 0.03 * np.cos(1.9 * time_s)
    T_world_lidar[:, :3, :3] = turned(yaw, pitch, roll)
    T_world_lidar[:, 3, 3] = 1.0
    return T_world_lidar


def _to_way_m(x: float, y: float) -> float:
    """Return the distance of a place from the way."""
    around = np.linspace(0, 2 * np.pi, 400)
    return float(np.hypot(x - _WAY_M[0] * np.cos(around), y - _WAY_M[1] * np.sin(around)).min())


def _shell(builder: SceneBuilder) -> None:
    """Add floor, ceiling, outer and inner walls."""
    x, y, z, w = LENGTH_M, WIDTH_M, HEIGHT_M, _WALL_M
    floor = Material((0.55, 0.50, 0.44), (0.42, 0.38, 0.34), Pattern.CHECKER, 0.6, 0.5)
    white = Material((0.85, 0.84, 0.80), (0.70, 0.72, 0.70), Pattern.PLAIN, 0.7, 0.4)
    paper = Material((0.75, 0.70, 0.60), (0.55, 0.62, 0.60), Pattern.STRIPES, 0.4, 0.4)
    builder.add(box(x + 2 * w, y + 2 * w, w), (0, 0, -w), floor)
    builder.add(box(x + 2 * w, y + 2 * w, w), (0, 0, z), white)
    for side in (-1, 1):
        builder.add(box(w, y, z), (side * (x + w) / 2, 0, 0), paper)
        builder.add(box(x, w, z), (0, side * (y + w) / 2, 0), white)
    for at_x, at_y, yaw_rad, length in _INNER_WALLS:
        builder.add(box(0.12, length, z), (at_x, at_y, 0), paper, yaw_rad=yaw_rad)


def _furnish(builder: SceneBuilder, at_m: tuple[float, float], kind: int) -> None:
    """Add a table, a shelf, a ball on a stand or a column, at most 1.1 m from its middle."""
    rng, (x, y) = builder.rng, at_m
    first, second = _paint(rng), _paint(rng)
    paint = Material(first, second, Pattern(int(rng.integers(7))), rng.uniform(0.05, 0.3), 0.6)
    yaw = rng.uniform(0, np.pi)
    if kind == 0:
        width, deep, high = rng.uniform(0.8, 1.7), rng.uniform(0.6, 0.9), rng.uniform(0.6, 0.9)
        builder.add(box(width, deep, 0.04), (x, y, high), paint, yaw_rad=yaw)
        c, s = np.cos(yaw), np.sin(yaw)
        for u in (-width / 2 + 0.05, width / 2 - 0.05):
            for v in (-deep / 2 + 0.05, deep / 2 - 0.05):
                leg = (x + c * u - s * v, y + s * u + c * v, 0.0)
                builder.add(box(0.05, 0.05, high), leg, paint)
    elif kind == 1:
        high = rng.uniform(1.2, 2.2)
        for level in np.arange(0.1, high, 0.45).tolist():
            builder.add(box(1.4, 0.4, 0.03), (x, y, level), paint, yaw_rad=yaw)
        builder.add(box(1.4, 0.03, high), (x, y, 0.0), paint, yaw_rad=yaw)
    elif kind == 2:
        radius = rng.uniform(0.2, 0.5)
        builder.add(cylinder(0.06, 0.5, 16), (x, y, 0.0), paint)
        builder.add(ellipsoid(radius, radius), (x, y, 0.45), paint)
    else:
        builder.add(cylinder(rng.uniform(0.12, 0.35), HEIGHT_M), (x, y, 0.0), paint)


def _paint(rng: np.random.Generator) -> Color:
    red, green, blue = (0.2 + 0.65 * rng.random(3)).tolist()
    return (red, green, blue)
