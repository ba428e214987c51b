"""Exact distances to a surface, and points spread evenly over one."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import EvaluationError
from sensorfusion.triangle_mesh import TriangleMesh

# Thinner triangles have no normal in float32, in which distances are computed.
_SMALLEST_DOUBLED_AREA_M2 = 1e-16
# In float32 a coordinate of 100 km is good to 8 mm.
_FARTHEST_M = 1e5


def sample_surface(mesh: TriangleMesh, count: int, seed: int) -> NDArray[np.float32]:
    """Return points spread evenly over the area of a mesh, the same ones for the same seed.

    Parameters
    ----------
    mesh : TriangleMesh
    count : int
        Number of points.
    seed : int

    Returns
    -------
    ndarray of float32, shape (count, 3)
        Metres, in the mesh's coordinate system.

    Raises
    ------
    EvaluationError
        If the mesh has no triangle with an area, or reaches beyond 100 km.

    References
    ----------
    Osada et al., "Shape Distributions", 2002, section 4.2 (uniform points in a triangle).
    """
    triangles, doubled_area_m2 = _sound_triangles(mesh)
    corners = mesh.vertices[triangles].astype(np.float64)
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    heaped_area = np.cumsum(doubled_area_m2)
    generator = np.random.default_rng(seed)
    # One draw in each of ``count`` equal shares of the area: less noise than free draws.
    shares = (np.arange(count) + generator.random(count)) / count * heaped_area[-1]
    chosen = np.searchsorted(heaped_area, shares, side="right").clip(max=len(corners) - 1)
    root, along = np.sqrt(generator.random((count, 1))), generator.random((count, 1))
    points = (1 - root) * a[chosen] + root * (1 - along) * b[chosen] + root * along * c[chosen]
    return np.asarray(points, dtype=np.float32)


class Surface:
    """A mesh that answers where its nearest point is (exact, not nearest vertex or sample).

    Parameters
    ----------
    mesh : TriangleMesh
        Triangles without area are left out.

    Raises
    ------
    EvaluationError
        If no triangle has an area, or the mesh reaches beyond 100 km.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        import open3d as o3d

        triangles, _ = _sound_triangles(mesh)
        self._tensor = o3d.core.Tensor
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(triangles.astype(np.uint32))
        )

    def distances_m(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the distance of each point to the surface, float64 (N,), metres."""
        nearest, _ = self.nearest(points)
        return np.asarray(np.linalg.norm(points.astype(np.float64) - nearest, axis=1))

    def nearest(
        self, points: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the nearest point of the surface to each point, and the surface's normal there.

        Parameters
        ----------
        points : ndarray of float32, shape (N, 3)
            Metres.

        Returns
        -------
        nearest : ndarray of float64, shape (N, 3)
            Metres.
        normals : ndarray of float64, shape (N, 3)
            Unit vectors.
        """
        found = self._scene.compute_closest_points(self._tensor(np.ascontiguousarray(points)))
        nearest: NDArray[np.float64] = found["points"].numpy().astype(np.float64)
        normals: NDArray[np.float64] = found["primitive_normals"].numpy().astype(np.float64)
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return nearest, normals / np.maximum(lengths, np.finfo(np.float64).tiny)


def check_reach(points: NDArray[np.floating]) -> None:
    """Refuse points of a mesh, (..., 3) in metres, that float32 cannot tell apart.

    Raises
    ------
    EvaluationError
        If a coordinate is beyond 100 km.
    """
    farthest_m = float(np.abs(points).max(initial=0.0))
    if farthest_m > _FARTHEST_M:
        msg = (
            f"a mesh reaches {farthest_m:.3g} m from the origin of its world; expected at most "
            f"{_FARTHEST_M:.0f} m; is it in metres, and whole?"
        )
        raise EvaluationError(msg)


def _sound_triangles(mesh: TriangleMesh) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the triangles that have an area, int32 (N, 3), and twice their areas, m^2."""
    corners = mesh.vertices[mesh.triangles].astype(np.float64)
    check_reach(corners)
    edges = corners[:, 1:] - corners[:, :1]
    doubled_area_m2 = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    sound = doubled_area_m2 > _SMALLEST_DOUBLED_AREA_M2
    if not sound.any():
        msg = f"a mesh of {len(corners)} triangles without area cannot be compared"
        raise EvaluationError(msg)
    return mesh.triangles[sound], doubled_area_m2[sound]
