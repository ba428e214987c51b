"""Cars: a body by its outline, and wheels."""

import numpy as np

from sensorfusion.simulate.scene import Color, Material, Pattern, Scene, SceneBuilder
from sensorfusion.simulate.shapes import box, cylinder, upright

_COLORS: tuple[Color, ...] = (
    (0.72, 0.72, 0.74),
    (0.12, 0.13, 0.15),
    (0.55, 0.10, 0.10),
    (0.14, 0.24, 0.45),
    (0.85, 0.85, 0.82),
    (0.25, 0.35, 0.28),
)
_TYRE = Material((0.08, 0.08, 0.08), (0.35, 0.35, 0.36), Pattern.DOTS, 0.3, 0.5)
_GLASS = Material((0.12, 0.16, 0.20), (0.22, 0.28, 0.33), Pattern.PLAIN, 0.6, 0.2)
_WIDTH_M, _WHEEL_M, _TRACK_M = 1.78, 0.31, 1.30
# Along the car from the rear: place, height of bonnet, boot or roof.
_SEDAN = ((-2.15, 0.75), (-2.05, 0.92), (-1.25, 0.98), (0.85, 0.95), (2.0, 0.80), (2.2, 0.55))
_SEDAN_CABIN = ((-1.45, 0.97), (-0.75, 1.43), (0.15, 1.45), (0.95, 0.96))
_VAN = ((-2.4, 1.1), (-2.38, 1.2), (-1.0, 1.2), (1.6, 1.15), (2.3, 0.95), (2.45, 0.6))
_VAN_CABIN = ((-2.38, 1.18), (-2.3, 1.95), (0.9, 1.95), (1.7, 1.14))
_BOTTOM_M = 0.22


def car(seed: int) -> Scene:
    """Return a car or van in its own coordinates: x ahead, y left, tyres on z = 0 at the origin.

    Parameters
    ----------
    seed : int
        Not negative; gives the kind and the paint.
    """
    builder = SceneBuilder(np.random.default_rng([seed, 13]))
    add_car(builder, (0.0, 0.0, 0.0), 0.0)
    return builder.scene()


def add_car(builder: SceneBuilder, at_m: tuple[float, float, float], yaw_rad: float) -> None:
    """Add a car or van that faces along yaw to a scene."""
    rng = builder.rng
    body, cabin = (_VAN, _VAN_CABIN) if rng.random() < 0.3 else (_SEDAN, _SEDAN_CABIN)
    color = _COLORS[int(rng.integers(len(_COLORS)))]
    paint = Material(color, tuple(0.8 * c for c in color), Pattern.PLAIN, 0.9, 0.25)  # type: ignore[arg-type]
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)

    def at(x: float, y: float, z: float) -> tuple[float, float, float]:
        return (at_m[0] + c * x - s * y, at_m[1] + s * x + c * y, at_m[2] + z)

    lower = upright(body, _BOTTOM_M, _WIDTH_M)
    builder.add(lower, at(0, 0, 0), paint, yaw_rad=yaw_rad)
    builder.add(upright(cabin, 0.9, 0.88 * _WIDTH_M), at(0, 0, 0), _GLASS, yaw_rad=yaw_rad)
    roof = (cabin[1][0] + cabin[2][0]) / 2
    size = (cabin[2][0] - cabin[1][0], 0.86 * _WIDTH_M, 0.03)
    builder.add(box(*size), at(roof, 0, cabin[1][1]), paint, yaw_rad=yaw_rad)
    for x in (-_TRACK_M, _TRACK_M):
        for side in (-1, 1):
            # A cylinder tilted by a right angle about x stretches from its place towards -y.
            place = at(x, side * (_WIDTH_M / 2 - 0.08) + 0.1, _WHEEL_M)
            wheel = cylinder(_WHEEL_M, 0.2, 20)
            builder.add(wheel, place, _TYRE, yaw_rad=yaw_rad, tilt_rad=np.pi / 2)
    for side in (-1, 1):
        mirror = at(0.75, side * (_WIDTH_M / 2 + 0.08), 0.95)
        builder.add(box(0.1, 0.2, 0.14), mirror, paint, yaw_rad=yaw_rad)
