"""Scene: solids with materials, and which of them each triangle belongs to."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sensorfusion.simulate.shapes import Solid
from sensorfusion.triangle_mesh import TriangleMesh

Color = tuple[float, float, float]
"""Red, green, blue, 0 to 1 (sRGB)."""


class Pattern(IntEnum):
    """What is painted on a surface."""

    PLAIN = 0
    PLANKS = 1
    CHECKER = 2
    STRIPES = 3
    MOSAIC = 4
    BOOKS = 5
    DOTS = 6


@dataclass(frozen=True, slots=True)
class Material:
    """Paint of a solid: a pattern of two colours, with blotches and grain of several sizes.

    Attributes
    ----------
    color, second : Color
        The pattern's two colours.
    pattern : Pattern
    size_m : float
        Width of a plank, stripe, tile or book.
    grain : float
        Contrast of the random detail, 0 to 1.
    """

    color: Color
    second: Color = (0.2, 0.2, 0.2)
    pattern: Pattern = Pattern.PLAIN
    size_m: float = 0.1
    grain: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Opaque solids in one coordinate system, ``world``: z up, floor at z = 0.

    Attributes
    ----------
    mesh : TriangleMesh
        The exact surface, all solids together; triangles are as large as the shapes allow.
    solid_of_triangle : ndarray of int32, shape (M,)
        Row of ``solids`` that each triangle belongs to.
    solids : ndarray of float64, shape (S, 22)
        Per solid: 9 of R_solid_world (by row), 3 of its position in the world in metres, 6 of its
        two colours, pattern, size_m, grain, seed.
    """

    mesh: TriangleMesh
    solid_of_triangle: NDArray[np.int32]
    solids: NDArray[np.float64]


@dataclass(slots=True)
class SceneBuilder:
    """Collects placed solids and returns the scene.

    Attributes
    ----------
    rng : numpy.random.Generator
        Gives each solid the seed of its texture.
    """

    rng: np.random.Generator
    _vertices: list[NDArray[np.float64]] = field(default_factory=list)
    _triangles: list[NDArray[np.int32]] = field(default_factory=list)
    _rows: list[NDArray[np.float64]] = field(default_factory=list)

    def add(
        self,
        solid: Solid,
        position_m: tuple[float, float, float],
        material: Material,
        yaw_rad: float = 0.0,
        tilt_rad: float = 0.0,
    ) -> None:
        """Place a solid: tilted about its own x axis, then turned about z, then moved."""
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        ct, st = np.cos(tilt_rad), np.sin(tilt_rad)
        R_world_solid = np.array([[c, -s * ct, s * st], [s, c * ct, -c * st], [0, st, ct]])
        self._vertices.append(solid.vertices @ R_world_solid.T + position_m)
        self._triangles.append(solid.triangles)
        paint = [
            *material.color,
            *material.second,
            float(material.pattern),
            material.size_m,
            material.grain,
            float(self.rng.integers(1 << 20)),
        ]
        self._rows.append(np.array([*R_world_solid.T.ravel(), *position_m, *paint]))

    def scene(self) -> Scene:
        """Return everything placed so far."""
        counts = [len(vertices) for vertices in self._vertices]
        first = np.cumsum([0, *counts[:-1]])
        triangles = [t + n for t, n in zip(self._triangles, first, strict=True)]
        mesh = TriangleMesh(
            np.concatenate(self._vertices).astype(np.float32),
            np.concatenate(triangles).astype(np.int32),
        )
        owners = np.repeat(np.arange(len(counts)), [len(t) for t in triangles])
        return Scene(mesh, owners.astype(np.int32), np.array(self._rows))
