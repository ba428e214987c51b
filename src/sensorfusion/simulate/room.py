"""A furnished room with detail everywhere a hand-held camera may look."""

import numpy as np

from sensorfusion.simulate.scene import Color, Material, Pattern, Scene, SceneBuilder
from sensorfusion.simulate.shapes import box, curtain, cylinder, ellipsoid, revolved

HALF_X_M, HALF_Y_M, HEIGHT_M = 2.5, 2.0, 2.6
"""The room spans -2.5 to 2.5 m in x, -2 to 2 m in y, 0 to 2.6 m in z (inside of the walls)."""

_WALL_M = 0.1
_WOOD: Color = (0.58, 0.41, 0.26)
_DARK_WOOD: Color = (0.36, 0.24, 0.16)
_WHITE: Color = (0.88, 0.86, 0.82)
_METAL: Color = (0.55, 0.57, 0.60)


def room(seed: int = 0) -> Scene:
    """Return a living room of 5 x 4 x 2.6 m; the seed moves the furniture and repaints it.

    The middle, up to 1 m from the vertical axis, is free of anything higher than 0.5 m and lower
    than 2 m, so that a camera can be carried there.

    Parameters
    ----------
    seed : int
        Not negative.
    """
    builder = SceneBuilder(np.random.default_rng([seed, 1]))
    _shell(builder)
    _wall_details(builder)
    _sofa_corner(builder)
    _desk(builder)
    _shelf(builder)
    _cabinet(builder)
    _loose_things(builder)
    return builder.scene()


def _paint(rng: np.random.Generator) -> Color:
    """Return a seeded colour, neither dark nor pale."""
    red, green, blue = (0.25 + 0.6 * rng.random(3)).tolist()
    return (red, green, blue)


def _mottled(color: Color, grain: float = 0.5) -> Material:
    return Material(color, tuple(0.8 * c for c in color), Pattern.PLAIN, 0.35, grain)  # type: ignore[arg-type]


def _shell(builder: SceneBuilder) -> None:
    """Add floor, ceiling, walls, beams and skirting."""
    x, y, z, w = 2 * HALF_X_M, 2 * HALF_Y_M, HEIGHT_M, _WALL_M
    floor = Material(_WOOD, _DARK_WOOD, Pattern.PLANKS, 0.13, 0.6)
    paper = Material((0.80, 0.76, 0.66), (0.62, 0.66, 0.60), Pattern.DOTS, 0.16, 0.35)
    plaster = _mottled((0.74, 0.78, 0.80), 0.45)
    builder.add(box(x + 2 * w, y + 2 * w, w), (0, 0, -w), floor)
    builder.add(box(x + 2 * w, y + 2 * w, w), (0, 0, z), _mottled(_WHITE, 0.4))
    for side in (-1, 1):
        builder.add(box(w, y, z), (side * (HALF_X_M + w / 2), 0, 0), plaster)
        builder.add(box(x, w, z), (0, side * (HALF_Y_M + w / 2), 0), paper)
        builder.add(box(0.02, y, 0.09), (side * (HALF_X_M - 0.01), 0, 0), _mottled(_WHITE))
        builder.add(box(x, 0.02, 0.09), (0, side * (HALF_Y_M - 0.01), 0), _mottled(_WHITE))
    beam = Material(_DARK_WOOD, _WOOD, Pattern.PLANKS, 0.09, 0.7)
    for place in (-1.65, -0.55, 0.55, 1.65):
        builder.add(box(0.13, y, 0.15), (place, 0, z - 0.15), beam)


def _wall_details(builder: SceneBuilder) -> None:
    """Add pictures, a window with curtains, a door, pilasters and a radiator."""
    rng = builder.rng
    for x, y, z, width, height, yaw in (
        (-0.95, HALF_Y_M, 1.25, 0.85, 0.6, 0.0),
        (0.25, HALF_Y_M, 1.35, 0.5, 0.7, 0.0),
        (HALF_X_M, 0.75, 1.45, 0.6, 0.45, np.pi / 2),
        (-0.15, -HALF_Y_M, 1.30, 0.75, 0.55, 0.0),
    ):
        poster = Material(_paint(rng), _paint(rng), Pattern.MOSAIC, 0.045, 0.4)
        inward = -1 if y + x > 0 else 1
        depth = (0, inward) if yaw == 0 else (inward, 0)
        for thickness, margin, paint in ((0.03, 0.05, _mottled(_DARK_WOOD)), (0.037, 0.0, poster)):
            at = (x + depth[0] * thickness / 2, y + depth[1] * thickness / 2, z - margin)
            shape = box(width + 2 * margin, thickness, height + 2 * margin)
            builder.add(shape, at, paint, yaw_rad=yaw)
    cloth = Material(_paint(rng), _WHITE, Pattern.STRIPES, 0.07, 0.5)
    for y, folds in ((-0.95, 5), (0.75, 4)):
        at = (-HALF_X_M + 0.005, y, 0.25)
        builder.add(curtain(0.11 * folds, 2.1, 0.035, folds), at, cloth, yaw_rad=-np.pi / 2)
    glass = Material((0.55, 0.70, 0.85), (0.85, 0.92, 0.95), Pattern.MOSAIC, 0.11, 0.3)
    builder.add(box(0.02, 1.1, 1.0), (-HALF_X_M + 0.01, -0.1, 1.15), glass)
    for y in (-0.65, -0.1, 0.45):
        builder.add(box(0.06, 0.05, 1.08), (-HALF_X_M + 0.03, y, 1.11), _mottled(_WHITE))
    builder.add(box(0.16, 1.2, 0.04), (-HALF_X_M + 0.08, -0.1, 1.07), _mottled(_WHITE))
    for x in np.arange(-2.05, 2.3, 0.82).tolist():
        for side in (-1, 1):
            builder.add(box(0.07, 0.035, 2.35), (x, side * (HALF_Y_M - 0.017), 0.09), _pillar())
    for y in (-1.6, -1.15, 0.25, 1.3):
        builder.add(box(0.035, 0.07, 2.35), (HALF_X_M - 0.017, y, 0.09), _pillar())
    door = Material(_WOOD, _DARK_WOOD, Pattern.CHECKER, 0.28, 0.6)
    builder.add(box(0.05, 0.85, 2.05), (HALF_X_M - 0.025, -1.375 + 2.95, 0.0), door)
    knob = (HALF_X_M - 0.09, 1.25, 1.0)
    builder.add(ellipsoid(0.035, 0.035, 16), knob, _mottled(_METAL))


def _pillar() -> Material:
    return Material(_WHITE, (0.66, 0.64, 0.60), Pattern.STRIPES, 0.11, 0.5)


def _sofa_corner(builder: SceneBuilder) -> None:
    """Add a sofa with cushions, a side table with a lamp, a rug and a low table."""
    rng = builder.rng
    shift = rng.uniform(-0.08, 0.08)
    cloth = Material(_paint(rng), _paint(rng), Pattern.PLAIN, 0.05, 0.8)
    x, y = -0.65 + shift, 1.5
    builder.add(box(1.5, 0.85, 0.40), (x, y, 0.03), cloth)
    builder.add(box(1.5, 0.22, 0.48), (x, y + 0.32, 0.35), cloth)
    for side in (-1, 1):
        builder.add(box(0.2, 0.87, 0.60), (x + side * 0.84, y, 0.02), cloth)
        cushion = Material(_paint(rng), _WHITE, Pattern.STRIPES, 0.05, 0.6)
        turn, tilt = rng.uniform(-0.3, 0.3), rng.uniform(-0.5, -0.3)
        at = (x + side * 0.48, y + 0.02, 0.43)
        builder.add(box(0.42, 0.13, 0.40), at, cushion, yaw_rad=turn, tilt_rad=tilt)
    wood = Material(_WOOD, _DARK_WOOD, Pattern.PLANKS, 0.07, 0.7)
    builder.add(cylinder(0.26, 0.03), (0.82, 1.55, 0.52), wood)
    builder.add(cylinder(0.04, 0.52, 16), (0.82, 1.55, 0.0), _mottled(_METAL))
    builder.add(revolved([(0, 0), (0.09, 0), (0.03, 0.2), (0, 0.2)]), (0.82, 1.55, 0.55), cloth)
    shade = Material((0.92, 0.82, 0.55), (0.72, 0.50, 0.30), Pattern.STRIPES, 0.04, 0.4)
    profile = [(0.0, 0.0), (0.17, 0.0), (0.10, 0.24), (0.0, 0.24)]
    builder.add(revolved(profile), (0.82, 1.55, 0.73), shade)
    rug = Material(_paint(rng), _paint(rng), Pattern.CHECKER, 0.17, 0.7)
    builder.add(box(2.3, 1.5, 0.012), (0.0, 0.15, 0.0), rug, yaw_rad=rng.uniform(-0.1, 0.1))
    turn = rng.uniform(-0.2, 0.2)
    builder.add(box(0.8, 0.5, 0.04), (0.05, 0.1, 0.34), wood, yaw_rad=turn)
    builder.add(box(0.5, 0.3, 0.34), (0.05, 0.1, 0.0), _mottled(_DARK_WOOD, 0.7), yaw_rad=turn)
    bowl = [(0.0, 0.0), (0.05, 0.0), (0.13, 0.08), (0.12, 0.09), (0.04, 0.02), (0.0, 0.02)]
    builder.add(revolved(bowl), (0.2, 0.15, 0.38), _mottled(_paint(rng)))


def _desk(builder: SceneBuilder) -> None:
    """Add a desk at the wall of greatest x, with a screen, books, a mug and a chair."""
    rng = builder.rng
    x, y = 2.12, -0.45 + rng.uniform(-0.08, 0.08)
    wood = Material(_WOOD, _DARK_WOOD, Pattern.PLANKS, 0.10, 0.6)
    builder.add(box(0.7, 1.35, 0.035), (x, y, 0.71), wood)
    for side_x in (-0.3, 0.3):
        for side_y in (-0.62, 0.62):
            at = (x + side_x, y + side_y, 0.0)
            builder.add(box(0.05, 0.05, 0.71), at, _mottled(_DARK_WOOD))
    builder.add(box(0.5, 0.35, 0.62), (x + 0.05, y + 0.4, 0.05), _mottled(_paint(rng), 0.7))
    turn = rng.uniform(-0.25, 0.25)
    picture = Material((0.15, 0.25, 0.45), (0.75, 0.80, 0.65), Pattern.MOSAIC, 0.03, 0.3)
    builder.add(box(0.03, 0.56, 0.34), (x + 0.12, y, 0.86), picture, yaw_rad=turn)
    builder.add(box(0.18, 0.22, 0.02), (x + 0.14, y, 0.745), _mottled(_METAL))
    builder.add(box(0.03, 0.06, 0.14), (x + 0.15, y, 0.755), _mottled(_METAL))
    height = 0.745
    for _ in range(5):
        thick = rng.uniform(0.02, 0.05)
        cover = _mottled(_paint(rng), 0.6)
        at = (x - 0.08, y + 0.48, height)
        builder.add(box(0.17, 0.24, thick), at, cover, yaw_rad=rng.uniform(-0.5, 0.5))
        height += thick
    mug = Material(_paint(rng), _WHITE, Pattern.STRIPES, 0.03, 0.3)
    builder.add(cylinder(0.045, 0.1, 24), (x - 0.2, y - 0.4, 0.745), mug)
    _chair(builder, (1.5, y + 0.05), np.pi / 2 + rng.uniform(-0.4, 0.4))


def _chair(builder: SceneBuilder, place_m: tuple[float, float], yaw_rad: float) -> None:
    """Add a chair that faces its own -y before the turn by yaw."""
    rng = builder.rng
    wood, seat = _mottled(_DARK_WOOD, 0.7), Material(_paint(rng), _paint(rng), Pattern.DOTS, 0.06)
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)

    def part(size: tuple[float, float, float], at: tuple[float, float, float], m: Material) -> None:
        x, y, z = at
        world = (place_m[0] + c * x - s * y, place_m[1] + s * x + c * y, z)
        builder.add(box(*size), world, m, yaw_rad=yaw_rad)

    part((0.42, 0.42, 0.05), (0, 0, 0.42), seat)
    for x in (-0.18, 0.18):
        part((0.04, 0.04, 0.42), (x, -0.185, 0), wood)
        part((0.04, 0.04, 0.88), (x, 0.185, 0), wood)
    for z in (0.56, 0.68, 0.80):
        part((0.33, 0.02, 0.07), (0, 0.19, z), wood)


def _shelf(builder: SceneBuilder) -> None:
    """Add an open shelf at the wall of least y, filled with books, boxes and a ball."""
    rng = builder.rng
    x0, y, width, deep = 1.2, -HALF_Y_M + 0.17, 1.5, 0.32
    wood = Material(_WOOD, _DARK_WOOD, Pattern.PLANKS, 0.08, 0.7)
    builder.add(box(width, 0.015, 1.8), (x0, y - 0.15, 0.0), _mottled(_DARK_WOOD, 0.6))
    for x in (x0 - width / 2, x0, x0 + width / 2):
        builder.add(box(0.03, deep, 1.83), (x, y, 0.0), wood)
    for level in range(6):
        z = 0.06 + 0.35 * level
        builder.add(box(width - 0.01, deep - 0.01, 0.025), (x0, y, z), wood)
        for side in (-1, 1):
            _fill(builder, (x0 + side * width / 4, y, z + 0.025), int(rng.integers(3)))


def _fill(builder: SceneBuilder, at_m: tuple[float, float, float], kind: int) -> None:
    """Put a row of books, two boxes, or a ball and a vase into a compartment of a shelf."""
    rng = builder.rng
    x, y, z = at_m
    if kind == 0:
        place = x - 0.33
        while place < x + 0.2:
            thick, tall = rng.uniform(0.05, 0.12), rng.uniform(0.18, 0.29)
            books = Material(_paint(rng), _paint(rng), Pattern.BOOKS, 0.025, 0.4)
            at = (place + thick / 2, y + rng.uniform(-0.03, 0.03), z)
            builder.add(box(thick, 0.2, tall), at, books)
            place += thick + 0.004
    elif kind == 1:
        for side in (-0.17, 0.17):
            paint = Material(_paint(rng), _paint(rng), Pattern.CHECKER, 0.06, 0.6)
            size = (rng.uniform(0.18, 0.28), rng.uniform(0.16, 0.22), rng.uniform(0.12, 0.26))
            builder.add(box(*size), (x + side, y, z), paint, yaw_rad=rng.uniform(-0.2, 0.2))
    else:
        ball = Material(_paint(rng), _paint(rng), Pattern.STRIPES, 0.03, 0.5)
        builder.add(ellipsoid(0.11, 0.11), (x - 0.14, y + 0.02, z), ball)
        vase = [(0.0, 0.0), (0.05, 0.0), (0.09, 0.09), (0.035, 0.19), (0.05, 0.24), (0.0, 0.24)]
        builder.add(revolved(vase), (x + 0.16, y, z), _mottled(_paint(rng), 0.6))


def _cabinet(builder: SceneBuilder) -> None:
    """Add a cabinet with drawers under the window and things on top of it."""
    rng = builder.rng
    x, y = -HALF_X_M + 0.29, -0.15 + rng.uniform(-0.08, 0.08)
    body = Material(_paint(rng), _WOOD, Pattern.PLAIN, 0.2, 0.7)
    builder.add(box(0.45, 1.2, 0.78), (x, y, 0.0), body)
    front = Material(_WOOD, _DARK_WOOD, Pattern.PLANKS, 0.11, 0.6)
    for column in (-0.3, 0.3):
        for level in range(3):
            at = (x + 0.235, y + column, 0.05 + 0.24 * level)
            builder.add(box(0.02, 0.54, 0.21), at, front)
            knob = (at[0] + 0.03, at[1], at[2] + 0.09)
            builder.add(ellipsoid(0.025, 0.02, 16), knob, _mottled(_METAL))
    vase = [(0.0, 0.0), (0.07, 0.0), (0.12, 0.12), (0.05, 0.26), (0.08, 0.32), (0.0, 0.32)]
    striped = Material(_paint(rng), _WHITE, Pattern.STRIPES, 0.03, 0.5)
    builder.add(revolved(vase), (x, y + 0.42, 0.78), striped)
    builder.add(ellipsoid(0.09, 0.09), (x + 0.05, y - 0.1, 0.78), _mottled(_paint(rng), 0.8))
    boxed = Material(_paint(rng), _paint(rng), Pattern.MOSAIC, 0.03, 0.5)
    builder.add(box(0.25, 0.32, 0.2), (x, y - 0.4, 0.78), boxed, yaw_rad=rng.uniform(-0.3, 0.3))


def _loose_things(builder: SceneBuilder) -> None:
    """Add boxes in a corner, a plant, a ball, a stool, a floor lamp and a hanging lamp."""
    rng = builder.rng
    for x, y, z, size in (
        (-2.1, -1.6, 0.0, 0.55),
        (-2.1, -1.62, 0.42, 0.38),
        (-1.55, -1.68, 0.0, 0.36),
    ):
        carton = Material((0.66, 0.52, 0.36), _paint(rng), Pattern.MOSAIC, 0.05, 0.6)
        shape = box(size, 0.9 * size, 0.76 * size)
        builder.add(shape, (x, y, z), carton, yaw_rad=rng.uniform(-0.3, 0.3))
    pot = [(0.0, 0.0), (0.13, 0.0), (0.19, 0.32), (0.16, 0.32), (0.15, 0.28), (0.0, 0.28)]
    plant_x, plant_y = -2.1, 1.55
    builder.add(revolved(pot), (plant_x, plant_y, 0.0), _mottled((0.62, 0.34, 0.24), 0.6))
    builder.add(cylinder(0.025, 0.6, 12), (plant_x, plant_y, 0.28), _mottled(_DARK_WOOD))
    for _ in range(14):
        angle, reach, z = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.2), rng.uniform(0.6, 1.2)
        leaf = Material((0.22, 0.45, 0.20), (0.38, 0.58, 0.25), Pattern.PLAIN, 0.04, 0.8)
        at = (plant_x + reach * np.cos(angle), plant_y + reach * np.sin(angle), z)
        builder.add(ellipsoid(rng.uniform(0.06, 0.11), 0.035, 16), at, leaf, yaw_rad=angle)
    ball = Material(_paint(rng), _WHITE, Pattern.CHECKER, 0.07, 0.4)
    builder.add(ellipsoid(0.14, 0.14), (-0.9 + rng.uniform(-0.1, 0.1), -1.5, 0.0), ball)
    stool = Material(_WOOD, _DARK_WOOD, Pattern.PLANKS, 0.06, 0.7)
    builder.add(cylinder(0.17, 0.04), (-0.35, -1.55, 0.44), stool)
    builder.add(cylinder(0.06, 0.44, 16), (-0.35, -1.55, 0.0), _mottled(_METAL, 0.7))
    lamp_x, lamp_y = 1.6, 1.6
    builder.add(cylinder(0.16, 0.03), (lamp_x, lamp_y, 0.0), _mottled(_METAL))
    builder.add(cylinder(0.02, 1.5, 12), (lamp_x, lamp_y, 0.03), _mottled(_METAL))
    shade = Material((0.95, 0.88, 0.70), (0.80, 0.55, 0.35), Pattern.STRIPES, 0.05, 0.4)
    builder.add(cylinder(0.19, 0.3), (lamp_x, lamp_y, 1.45), shade)
    builder.add(cylinder(0.01, 0.3, 8), (0.0, 0.0, HEIGHT_M - 0.3), _mottled(_METAL))
    builder.add(ellipsoid(0.17, 0.14), (0.0, 0.0, 2.05), _mottled((0.95, 0.85, 0.6)))
