"""Plants: rough and porous, as no box is."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.simulate.scene import Color, Material, Pattern, SceneBuilder
from sensorfusion.simulate.shapes import Solid, cylinder

_BARK = Material((0.36, 0.28, 0.21), (0.24, 0.19, 0.15), Pattern.STRIPES, 0.05, 0.8)
# Flat: thrice as wide as thick.
_LEAF = np.array([[1.0, 0.0, -0.3], [-0.5, 0.9, -0.3], [-0.5, -0.9, -0.3], [0.0, 0.0, 0.3]])
_LEAF_TRIANGLES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], dtype=np.int32)


def foliage(
    rng: np.random.Generator,
    size_m: tuple[float, float, float],
    leaves: int,
    leaf_m: float,
    *,
    boxed: bool = False,
) -> Solid:
    """Return many small leaves that stand on z = 0 around the z axis; each is closed.

    Parameters
    ----------
    rng : numpy.random.Generator
    size_m : (float, float, float)
        Of the whole along x, y and z, but for half a leaf.
    leaves : int
    leaf_m : float
        Radius of a leaf; they vary by a third.
    boxed : bool
        Fill a box evenly; else an ellipsoid, densest at its skin, with gaps between boughs.
    """
    if boxed:
        places = rng.uniform(-1.0, 1.0, (leaves, 3))
    else:
        # Boughs: clumps of leaves with air between them.
        boughs = _unit(rng, max(1, leaves // 25)) * rng.uniform(0.45, 0.85, (leaves // 25 or 1, 1))
        bough = boughs[rng.integers(len(boughs), size=leaves)]
        places = bough + 0.2 * rng.standard_normal((leaves, 3))
        places /= np.maximum(1.0, np.linalg.norm(places, axis=1, keepdims=True))
    centres = places * np.array(size_m) / 2 + (0.0, 0.0, size_m[2] / 2)
    turns = _turns(rng, leaves)
    scales = leaf_m * rng.uniform(0.67, 1.33, (leaves, 1, 1))
    vertices = (_LEAF @ turns) * scales + centres[:, None]
    triangles = _LEAF_TRIANGLES + 4 * np.arange(leaves, dtype=np.int32)[:, None, None]
    return Solid(vertices.reshape(-1, 3), triangles.reshape(-1, 3).astype(np.int32))


def add_tree(builder: SceneBuilder, at_m: tuple[float, float, float]) -> None:
    """Add a tree of 5 to 8 m, crown, trunk and some boughs that show."""
    rng, (x, y, z) = builder.rng, at_m
    trunk_m, wide_m, high_m = rng.uniform(1.9, 2.6), rng.uniform(2.6, 4.0), rng.uniform(3.0, 4.8)
    builder.add(cylinder(rng.uniform(0.10, 0.18), trunk_m + 0.8, 10), at_m, _BARK)
    for _ in range(5):
        tilt, yaw = rng.uniform(-0.7, 0.7), rng.uniform(0, 2 * np.pi)
        bough = cylinder(0.04, 0.4 * high_m, 6)
        builder.add(bough, (x, y, z + trunk_m + 0.3), _BARK, yaw_rad=yaw, tilt_rad=tilt)
    leaves = int(260 * wide_m)
    crown = foliage(rng, (wide_m, wide_m, high_m), leaves, 0.085)
    builder.add(crown, (x, y, z + trunk_m), _green(rng))


def add_hedge(
    builder: SceneBuilder, at_m: tuple[float, float, float], length_m: float, yaw_rad: float
) -> None:
    """Add a hedge 0.6 m thick and about as high as a person's chest."""
    size_m = (length_m, 0.6, builder.rng.uniform(0.9, 1.4))
    leaves = foliage(builder.rng, size_m, int(140 * length_m), 0.08, boxed=True)
    builder.add(leaves, at_m, _green(builder.rng), yaw_rad=yaw_rad)


def _green(rng: np.random.Generator) -> Material:
    green: Color = (rng.uniform(0.18, 0.34), rng.uniform(0.40, 0.55), rng.uniform(0.14, 0.24))
    return Material(green, (0.45, 0.55, 0.22), Pattern.PLAIN, 0.3, 0.9)


def _unit(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    vectors = rng.standard_normal((count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _turns(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return random rotations, float64 (count, 3, 3)."""
    first = _unit(rng, count)
    second = np.cross(first, _unit(rng, count))
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=1)
