"""Closed solids as triangles, each standing on z = 0 around the z axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A surface, closed but for the ground.

    Attributes
    ----------
    vertices : ndarray of float64, shape (N, 3)
        Metres, in the solid's own coordinate system, z up.
    triangles : ndarray of int32, shape (M, 3)
        Counter-clockwise seen from outside.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]


def box(size_x_m: float, size_y_m: float, size_z_m: float) -> Solid:
    """Return a box that stands on z = 0, centred on the z axis."""
    x, y = size_x_m / 2, size_y_m / 2
    outline = np.array([[-x, -y], [x, -y], [x, y], [-x, y]])
    return _prism(outline, size_z_m, np.array([[0, 1, 2], [0, 2, 3]]))


def revolved(profile_m: Sequence[tuple[float, float]], segments: int = 32) -> Solid:
    """Return the solid that a profile sweeps around the z axis.

    Parameters
    ----------
    profile_m : sequence of (radius, height)
        Metres, from the lowest to the highest point along the outside; the first and the last
        radius are 0, so that the solid is closed.
    segments : int
        Facets around the axis.
    """
    angles = 2 * np.pi * np.arange(segments) / segments
    radius, height = np.array(profile_m, dtype=np.float64).T
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    rings = np.empty((len(radius), segments, 3))
    rings[..., :2] = radius[:, None, None] * circle
    rings[..., 2] = height[:, None]
    here = np.arange(len(radius) * segments).reshape(len(radius), segments)
    right = np.roll(here, -1, axis=1)
    low, low_right, high, high_right = here[:-1], right[:-1], here[1:], right[1:]
    lower = np.stack([low, low_right, high_right], axis=-1)[radius[:-1] > 0]
    upper = np.stack([low, high_right, high], axis=-1)[radius[1:] > 0]
    triangles = np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)])
    return Solid(rings.reshape(-1, 3), triangles.astype(np.int32))


def cylinder(radius_m: float, height_m: float, segments: int = 32) -> Solid:
    """Return a cylinder that stands on z = 0."""
    return revolved([(0, 0), (radius_m, 0), (radius_m, height_m), (0, height_m)], segments)


def ellipsoid(radius_m: float, half_height_m: float, segments: int = 32) -> Solid:
    """Return an ellipsoid of revolution that touches z = 0 from above; a ball when both agree."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    radii = radius_m * np.cos(angles)
    radii[[0, -1]] = 0.0
    heights = half_height_m * (1 + np.sin(angles))
    return revolved(list(zip(radii.tolist(), heights.tolist(), strict=True)), segments)


def curtain(width_m: float, height_m: float, fold_m: float, folds: int) -> Solid:
    """Return a curtain that hangs in waves towards +y, with a flat back at y = 0."""
    steps = 8 * folds
    x = np.linspace(-width_m / 2, width_m / 2, steps + 1)
    waves = fold_m * (1.5 + np.sin(2 * np.pi * folds * x / width_m))
    back = np.stack([x, np.zeros_like(x)], axis=-1)
    front = np.stack([x, waves], axis=-1)
    outline = np.concatenate([back, front[::-1]])
    here = np.arange(steps)
    across = 2 * steps + 1 - here
    lower = np.stack([here, here + 1, across], axis=-1)
    upper = np.stack([here + 1, across - 1, across], axis=-1)
    return _prism(outline, height_m, np.concatenate([lower, upper]))


def upright(profile_m: Sequence[tuple[float, float]], bottom_m: float, width_m: float) -> Solid:
    """Return the solid under a profile: a car's body, a gable.

    Parameters
    ----------
    profile_m : sequence of (x, height)
        Metres, by rising x; its upper side.
    bottom_m : float
        Height of its flat underside, below all others.
    width_m : float
        Along y, centred on the x axis.
    """
    upper = np.array(profile_m, dtype=np.float64)
    count = len(upper)
    lower = np.column_stack([upper[:, 0], np.full(count, bottom_m)])
    here = np.arange(count - 1)
    across = 2 * count - 1 - here
    first = np.stack([here, here + 1, across], axis=-1)
    second = np.stack([here + 1, across - 1, across], axis=-1)
    outline = np.concatenate([lower, upper[::-1]])
    lying = _prism(outline, width_m, np.concatenate([first, second]))
    x, z, depth = lying.vertices.T
    return Solid(np.column_stack([x, width_m / 2 - depth, z]), lying.triangles)


def sheet(points_m: NDArray[np.float64]) -> Solid:
    """Return a surface through a grid of points, seen from above: ground; not closed.

    Parameters
    ----------
    points_m : ndarray of float64, shape (rows, columns, 3)
        Metres; x rises with the row, y with the column.
    """
    rows, columns = points_m.shape[:2]
    here = np.arange(rows * columns).reshape(rows, columns)
    low, ahead = here[:-1, :-1], here[1:, :-1]
    left, both = here[:-1, 1:], here[1:, 1:]
    first = np.stack([low, ahead, both], axis=-1)
    second = np.stack([low, both, left], axis=-1)
    triangles = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])
    return Solid(points_m.reshape(-1, 3), triangles.astype(np.int32))


def _prism(outline: NDArray[np.float64], height_m: float, cap: NDArray[np.int_]) -> Solid:
    """Return a solid with upright walls over a counter-clockwise outline."""
    count = len(outline)
    bottom = np.column_stack([outline, np.zeros(count)])
    top = np.column_stack([outline, np.full(count, height_m)])
    here = np.arange(count)
    following = np.roll(here, -1)
    triangles = np.concatenate(
        [
            np.stack([here, following, following + count], axis=-1),
            np.stack([here, following + count, here + count], axis=-1),
            cap[:, ::-1],
            cap + count,
        ]
    )
    return Solid(np.concatenate([bottom, top]), triangles.astype(np.int32))
