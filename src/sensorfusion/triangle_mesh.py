"""TriangleMesh: a surface as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.transform import RigidTransform


@dataclass(frozen=True, slots=True, eq=False)
class TriangleMesh:
    """A triangle mesh in metres.

    Attributes
    ----------
    vertices : ndarray of float32, shape (N, 3)
        Metres, in the coordinate system that the owner names (usually ``world``).
    triangles : ndarray of int32, shape (M, 3)
        Vertex indices, counter-clockwise seen from outside.
    normals : ndarray of float32, shape (N, 3), or None
        Unit vectors, out of the surface.
    colors : ndarray of uint8, shape (N, 3), or None
        Red, green, blue (sRGB).

    Raises
    ------
    ValueError
        If a dtype or shape is another, a vertex is not finite or an index is out of range.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    normals: NDArray[np.float32] | None = None
    colors: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        for name, array, dtype, rows in (
            ("vertices", self.vertices, np.float32, count),
            ("triangles", self.triangles, np.int32, len(self.triangles)),
            ("normals", self.normals, np.float32, count),
            ("colors", self.colors, np.uint8, count),
        ):
            if array is not None and (array.dtype != dtype or array.shape != (rows, 3)):
                msg = f"mesh {name}: {array.dtype} {array.shape}; expected {dtype} {(rows, 3)}"
                raise ValueError(msg)
        if not np.isfinite(self.vertices).all():
            msg = "mesh vertices hold NaN or infinity"
            raise ValueError(msg)
        if self.triangles.size and not (self.triangles.min() >= 0 and self.triangles.max() < count):
            msg = (
                f"mesh triangles use vertices {self.triangles.min()} to {self.triangles.max()}; "
                f"there are {count}"
            )
            raise ValueError(msg)

    def moved(self, T_new_old: RigidTransform) -> "TriangleMesh":
        """Return the mesh in another coordinate system."""
        normals = self.normals
        if normals is not None:
            normals = (normals @ T_new_old.rotation.T).astype(np.float32)
        vertices = T_new_old.apply(self.vertices).astype(np.float32)
        return TriangleMesh(vertices, self.triangles, normals, self.colors)
