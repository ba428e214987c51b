"""A street over a hill with houses, trees and cars, and a drive along it."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from sensorfusion.simulate.cars import add_car, car
from sensorfusion.simulate.moving import Body, MovingScene, turned
from sensorfusion.simulate.plants import add_hedge, add_tree
from sensorfusion.simulate.scene import Color, Material, Pattern, SceneBuilder
from sensorfusion.simulate.shapes import Solid, box, cylinder, sheet, upright

FIRST_M, LAST_M = -80.0, 330.0
"""Along x, the street exists between these."""
LONGEST_S = 21.0
"""How long :func:`street_drive` stays well within the street."""

_SENSOR_M = 1.80
_SPEED_M_S = 9.0
_START_M = 20.0
_LANE_M = 1.75
_KERB_M, _KERB_HIGH_M = 3.6, 0.12
_GARDEN_M, _FACADE_M, _FAR_M = 7.5, 11.0, 60.0
_STEP_M = 1.5

_ASPHALT = Material((0.30, 0.30, 0.31), (0.24, 0.24, 0.25), Pattern.PLAIN, 0.5, 0.7)
_LINE = Material((0.85, 0.85, 0.82), (0.75, 0.75, 0.72), Pattern.PLAIN, 0.1, 0.4)
_STONE = Material((0.58, 0.57, 0.55), (0.48, 0.48, 0.47), Pattern.PLANKS, 0.3, 0.5)
_PAVING = Material((0.52, 0.51, 0.49), (0.43, 0.42, 0.41), Pattern.CHECKER, 0.4, 0.5)
_GRASS = Material((0.30, 0.42, 0.20), (0.38, 0.40, 0.22), Pattern.PLAIN, 0.6, 0.9)
_METAL = Material((0.45, 0.47, 0.50), (0.36, 0.38, 0.40), Pattern.PLAIN, 0.2, 0.3)


def street(seed: int = 0) -> MovingScene:
    """Return a street with curved ground, kerbs, houses, poles, plants and parked and moving cars.

    It bends, climbs and falls; the road is cambered. The world's x points along it and z up.

    Parameters
    ----------
    seed : int
        Not negative; places and paints what stands beside the road.
    """
    builder = SceneBuilder(np.random.default_rng([seed, 12]))
    _ground(builder)
    for side in (-1, 1):
        _houses(builder, side)
        _roadside(builder, side)
    return MovingScene(builder.scene(), tuple(_traffic(seed)))


def street_drive(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``T_world_lidar`` of a LiDAR 1.8 m above the road, float64 (N, 4, 4), 9 m/s.

    Parameters
    ----------
    time_s : ndarray of float64, shape (N,)
    """
    T_world_car = _on_road(time_s, _START_M, _SPEED_M_S, -_LANE_M)
    sway = turned(
        0.006 * np.sin(1.3 * time_s), 0.012 * np.sin(4.1 * time_s), 0.015 * np.sin(2.9 * time_s)
    )
    T_world_lidar = T_world_car.copy()
    height_m = _SENSOR_M + 0.015 * np.sin(7.0 * time_s)
    T_world_lidar[:, :3, 3] += height_m[:, None] * T_world_car[:, :3, 2]
    T_world_lidar[:, :3, :3] = T_world_car[:, :3, :3] @ sway
    return T_world_lidar


def ground_m(x_m: NDArray[np.float64], beside_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the height of the ground, metres, so far to the left of the middle of the road."""
    away = np.abs(beside_m)
    camber = -0.025 * np.minimum(away, _KERB_M)
    kerb = _KERB_HIGH_M * np.clip((away - _KERB_M) / 0.06, 0.0, 1.0)
    behind = np.maximum(away - _GARDEN_M, 0.0)
    garden = 0.02 * behind + 0.25 * np.sin(0.21 * x_m + 0.5 * beside_m) * np.minimum(behind / 8, 1)
    return np.asarray(3.2 * np.sin(x_m / 38.0) + camber + kerb + garden)


def _middle_m(x_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return y of the middle of the road."""
    return np.asarray(8.0 * np.sin(x_m / 24.0))


def _heading_rad(x_m: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctan(8.0 / 24.0 * np.cos(x_m / 24.0))


def _places_m(x_m: NDArray[np.float64], beside_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points on the ground, float64 (..., 3), beside the middle of the road at x."""
    heading = _heading_rad(x_m)
    x = x_m - np.sin(heading) * beside_m
    y = _middle_m(x_m) + np.cos(heading) * beside_m
    return np.stack([x, y, ground_m(x_m, beside_m)], axis=-1)


def _on_road(
    time_s: NDArray[np.float64], start_m: float, speed_m_s: float, beside_m: float
) -> NDArray[np.float64]:
    """Return T_world_car of a car that follows the road; a negative speed comes towards us."""
    x_m = start_m + speed_m_s * time_s
    beside = np.full_like(x_m, beside_m)
    reach_m = 1.3
    ahead, behind = (_places_m(x_m + step, beside) for step in (reach_m, -reach_m))
    slope = (ahead - behind) * np.sign(speed_m_s)
    pitch = -np.arctan2(slope[:, 2], np.hypot(slope[:, 0], slope[:, 1]))
    yaw = np.arctan2(slope[:, 1], slope[:, 0])
    camber = np.full_like(x_m, 0.025 * np.sign(beside_m) * np.sign(speed_m_s))
    T_world_car = np.zeros((len(x_m), 4, 4))
    T_world_car[:, :3, :3] = turned(yaw, pitch, -camber)
    T_world_car[:, :3, 3] = (ahead + behind) / 2
    T_world_car[:, 3, 3] = 1.0
    return T_world_car


def _traffic(seed: int) -> list[Body]:
    """Return one car ahead and four that come towards us."""
    cars = ((38.0, 9.2, -_LANE_M), *((x, -8.0, _LANE_M) for x in (50.0, 95.0, 190.0, 290.0)))
    return [
        Body(
            car(100 * seed + n),
            partial(_on_road, start_m=start_m, speed_m_s=speed_m_s, beside_m=beside_m),
        )
        for n, (start_m, speed_m_s, beside_m) in enumerate(cars)
    ]


def _strip(first_m: float, last_m: float, across_m: list[float], lift_m: float = 0.0) -> Solid:
    """Return the ground between two places along x, cut at places across the road."""
    steps = max(1, round((last_m - first_m) / _STEP_M))
    x_m, beside_m = np.meshgrid(np.linspace(first_m, last_m, steps + 1), across_m, indexing="ij")
    points_m = _places_m(x_m, beside_m)
    points_m[..., 2] += lift_m
    return sheet(points_m)


def _ground(builder: SceneBuilder) -> None:
    """Add road, lines, kerbs, pavements and grass."""
    here = (0.0, 0.0, 0.0)
    k = _KERB_M
    builder.add(_strip(FIRST_M, LAST_M, [-k, -2.4, -1.2, 0.0, 1.2, 2.4, k]), here, _ASPHALT)
    for x in np.arange(FIRST_M, LAST_M - 3, 6.0).tolist():
        builder.add(_strip(x, x + 3.0, [-0.06, 0.0, 0.06], 0.004), here, _LINE)
    garden = [_GARDEN_M, 8.5, 10.0, 12.0, 15.0, 20.0, 28.0, 40.0, _FAR_M]
    for part, material in (
        ([k, k + 0.06, k + 0.2], _STONE),
        ([k + 0.2, 5.5, _GARDEN_M], _PAVING),
        (garden, _GRASS),
    ):
        builder.add(_strip(FIRST_M, LAST_M, part), here, material)
        builder.add(_strip(FIRST_M, LAST_M, [-a for a in reversed(part)]), here, material)


def _at(x_m: float, beside_m: float) -> tuple[float, float, float]:
    x, y, z = _places_m(np.array(x_m), np.array(beside_m)).tolist()
    return (x, y, z)


def _houses(builder: SceneBuilder, side: int) -> None:
    """Add houses of two to four floors with windows, doors and roofs, and gaps between them."""
    rng = builder.rng
    place = FIRST_M + rng.uniform(0, 8)
    while place < LAST_M - 20:
        width, floors = rng.uniform(9.0, 16.0), int(rng.integers(2, 5))
        middle, deep = place + width / 2, rng.uniform(8.0, 11.0)
        setback = _FACADE_M + rng.uniform(0.0, 3.0)
        yaw = float(_heading_rad(np.array(middle)))
        base = _at(middle, side * (setback + deep / 2))
        wall = Material(_plaster(rng), _plaster(rng), Pattern.PLAIN, 1.2, 0.35)
        high = 2.9 * floors + 1.0
        builder.add(box(width, deep, high), (base[0], base[1], base[2] - 1.0), wall, yaw_rad=yaw)
        tile = Material((0.45, 0.24, 0.18), (0.36, 0.20, 0.16), Pattern.PLANKS, 0.25, 0.6)
        gable = upright([(-deep / 2 - 0.4, 0.1), (0.0, 2.6), (deep / 2 + 0.4, 0.1)], 0.0, width)
        top = (base[0], base[1], base[2] + high - 1.0)
        builder.add(gable, top, tile, yaw_rad=yaw + np.pi / 2)
        _facade(builder, (middle, side * setback), (width, floors))
        place += width + float(rng.choice([0.0, 0.0, 4.0, 9.0]))


def _facade(builder: SceneBuilder, place_m: tuple[float, float], size: tuple[float, int]) -> None:
    """Add frames, panes, sills and a door to the street side of a house."""
    (middle, beside), (width, floors) = place_m, size
    side = float(np.sign(beside))
    yaw = float(_heading_rad(np.array(middle)))
    x, y, z = _at(middle, beside)
    pane = Material((0.20, 0.25, 0.30), (0.35, 0.42, 0.48), Pattern.MOSAIC, 0.3, 0.3)
    count = int(width // 2.4)
    for floor in range(floors):
        for number in range(count):
            along = (number + 0.5 - count / 2) * 2.3
            door = floor == 0 and number == count // 2
            wide, high, sill = (1.0, 2.1, 0.1) if door else (1.15, 1.4, 1.0)
            for out, margin, material in ((0.06, 0.1, _STONE), (0.09, 0.0, pane)):
                shape = box(wide + 2 * margin, 2 * out, high + 2 * margin)
                at = (x + np.cos(yaw) * along, y + np.sin(yaw) * along, z + 2.9 * floor + sill)
                builder.add(shape, (at[0], at[1], at[2] - margin), material, yaw_rad=yaw)
            if not door:
                out = -0.15 * side
                at = (
                    x + np.cos(yaw) * along - np.sin(yaw) * out,
                    y + np.sin(yaw) * along + np.cos(yaw) * out,
                    z + 2.9 * floor + sill - 0.12,
                )
                builder.add(box(wide + 0.3, 0.3, 0.06), at, _STONE, yaw_rad=yaw)


def _roadside(builder: SceneBuilder, side: int) -> None:
    """Add parked cars, lamp posts, signs, trees, hedges and bins."""
    rng = builder.rng
    place = FIRST_M + 5.0
    while place < LAST_M - 5:
        yaw = float(_heading_rad(np.array(place)))
        if rng.random() < 0.5:
            at = _at(place, side * (_KERB_M + 0.2))
            turn = yaw if side < 0 else yaw + np.pi
            # Two wheels on the pavement, so that the lane stays free.
            add_car(builder, (at[0], at[1], at[2]), turn + rng.uniform(-0.03, 0.03))
        if rng.random() < 0.45:
            add_tree(builder, _at(place + rng.uniform(2, 4), side * rng.uniform(6.2, 9.0)))
        if rng.random() < 0.4:
            length_m = rng.uniform(3.0, 6.0)
            add_hedge(builder, _at(place, side * rng.uniform(8.2, 9.5)), length_m, yaw)
        if rng.random() < 0.35:
            _post(builder, _at(place + 3.5, side * 5.4))
        if rng.random() < 0.25:
            bin_at = _at(place - 1.5, side * 7.0)
            green = Material((0.15, 0.30, 0.20), (0.12, 0.22, 0.16), Pattern.PLAIN, 0.3, 0.4)
            builder.add(box(0.6, 0.6, 1.1), bin_at, green, yaw_rad=yaw)
        place += rng.uniform(6.0, 9.0)


def _post(builder: SceneBuilder, at_m: tuple[float, float, float]) -> None:
    """Add a lamp post or a sign."""
    x, y, z = at_m
    if builder.rng.random() < 0.5:
        builder.add(cylinder(0.07, 6.0, 12), at_m, _METAL)
        builder.add(box(0.25, 1.6, 0.12), (x, y, z + 6.0), _METAL)
    else:
        builder.add(cylinder(0.035, 2.4, 10), at_m, _METAL)
        paint = Material((0.80, 0.15, 0.12), (0.90, 0.90, 0.88), Pattern.CHECKER, 0.3, 0.2)
        builder.add(box(0.03, 0.6, 0.6), (x, y, z + 2.2), paint)


def _plaster(rng: np.random.Generator) -> Color:
    bright = rng.uniform(0.5, 0.85)
    return (bright, bright * rng.uniform(0.85, 1.0), bright * rng.uniform(0.65, 0.95))
