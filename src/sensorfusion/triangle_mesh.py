"""TriangleMesh: a surface as plain arrays."""

from dataclasses import dataclass, replace

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
    sigma_m : ndarray of float32, shape (N,), or None
        One standard deviation of the vertex's place along its normal, metres; 0 = unknown.
    observations : ndarray of uint32, shape (N,), or None
        How many frames measured the vertex.
    invented : ndarray of bool, shape (N,), or None
        Whether nobody measured the vertex: it was added to close a hole. None where all were
        measured. The corners of a triangle agree.

    Raises
    ------
    ValueError
        If a dtype or shape is another, a vertex is not finite, an index is out of range, or a
        ``sigma_m`` is negative or not finite.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    normals: NDArray[np.float32] | None = None
    colors: NDArray[np.uint8] | None = None
    sigma_m: NDArray[np.float32] | None = None
    observations: NDArray[np.uint32] | None = None
    invented: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        for name, array, dtype, shape in (
            ("vertices", self.vertices, np.float32, (count, 3)),
            ("triangles", self.triangles, np.int32, (len(self.triangles), 3)),
            ("normals", self.normals, np.float32, (count, 3)),
            ("colors", self.colors, np.uint8, (count, 3)),
            ("sigma_m", self.sigma_m, np.float32, (count,)),
            ("observations", self.observations, np.uint32, (count,)),
            ("invented", self.invented, np.bool_, (count,)),
        ):
            if array is not None and (array.dtype != dtype or array.shape != shape):
                msg = (
                    f"mesh {name}: {array.dtype} {array.shape}; expected {np.dtype(dtype)} {shape}"
                )
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
        if self.sigma_m is not None and self.sigma_m.size:
            smallest, largest = self.sigma_m.min(), self.sigma_m.max()
            if not (smallest >= 0 and largest < np.inf):
                msg = f"mesh sigma_m from {smallest} to {largest} m; expected finite, >= 0"
                raise ValueError(msg)

    def areas_m2(self) -> NDArray[np.float64]:
        """Return the area of each triangle, float64 (M,), square metres."""
        a, b, c = (self.vertices[self.triangles[:, k]].astype(np.float64) for k in range(3))
        return np.asarray(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1))

    def measured(self) -> NDArray[np.bool_]:
        """Return which triangles were measured, not invented, bool (M,)."""
        if self.invented is None:
            return np.ones(len(self.triangles), np.bool_)
        return ~self.invented[self.triangles[:, 0]]

    def invented_share(self) -> float:
        """Return the share of the area that was invented, 0 to 1."""
        areas_m2 = self.areas_m2()
        whole_m2 = float(areas_m2.sum())
        return float(areas_m2[~self.measured()].sum()) / whole_m2 if whole_m2 else 0.0

    def moved(self, T_new_old: RigidTransform) -> "TriangleMesh":
        """Return the mesh in another coordinate system."""
        normals = self.normals
        if normals is not None:
            normals = (normals @ T_new_old.rotation.T).astype(np.float32)
        vertices = T_new_old.apply(self.vertices).astype(np.float32)
        return replace(self, vertices=vertices, normals=normals)
