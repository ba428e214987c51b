"""Meshes without crumbs, and with fewer triangles; parts of meshes."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sensorfusion.mesh._kernels import label_pieces, piece_sizes, renumber
from sensorfusion.triangle_mesh import TriangleMesh

_Layer = TypeVar("_Layer", bound=np.generic)


def remove_small_pieces(mesh: TriangleMesh, min_triangles: int) -> TriangleMesh:
    """Return the mesh without its small floating pieces and without unused vertices.

    Triangles that share a vertex belong to one piece. The order of what stays is kept. The
    largest piece stays however small it is, so that a mesh never vanishes.

    Parameters
    ----------
    mesh : TriangleMesh
    min_triangles : int
        Pieces with fewer triangles are removed.

    Returns
    -------
    TriangleMesh
        Same units and coordinate system.
    """
    triangles = np.ascontiguousarray(mesh.triangles)
    labels = label_pieces(triangles, len(mesh.vertices))
    sizes = piece_sizes(labels, triangles)
    # At least 1: a vertex that no triangle uses is a piece of none.
    smallest = max(1, min(min_triangles, int(sizes.max(initial=0))))
    return with_vertices(mesh, sizes[labels] >= smallest)


def decimate(mesh: TriangleMesh, target_triangles: int) -> TriangleMesh:
    """Return the mesh with about as many triangles as asked, its shape kept as well as it can be.

    Colours and normals are looked up at the nearest point of the mesh that was given: Open3D's
    own decimation drops them, and its older form carries them to where they do not belong on
    flat surfaces. ``sigma_m`` and ``observations`` are those of the corner with most share in
    that point, for a mean of counts is no count; what decimation itself moved is not in
    ``sigma_m``. What was measured and what was invented are decimated each for itself. The same
    mesh gives the same result.

    Parameters
    ----------
    mesh : TriangleMesh
    target_triangles : int
        A mesh that has no more than these is returned as it is.

    Returns
    -------
    TriangleMesh
        Same units and coordinate system.

    References
    ----------
    Garland and Heckbert, "Surface simplification using quadric error metrics", 1997.
    """
    if len(mesh.triangles) <= target_triangles:
        return mesh
    if mesh.invented is not None and mesh.invented.any() and not mesh.invented.all():
        parts = [with_vertices(mesh, part) for part in (~mesh.invented, mesh.invented)]
        share = target_triangles / len(mesh.triangles)
        return joined(*(decimate(part, round(share * len(part.triangles))) for part in parts))
    import open3d as o3d

    large = o3d.t.geometry.TriangleMesh(
        o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.triangles)
    )
    small = large.simplify_quadric_decimation(1 - target_triangles / len(mesh.triangles))
    vertices: NDArray[np.float32] = small.vertex.positions.numpy().astype(np.float32)
    triangles: NDArray[np.int32] = small.triangle.indices.numpy().astype(np.int32)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(large)
    found = scene.compute_closest_points(o3d.core.Tensor(vertices))
    corners = mesh.triangles[found["primitive_ids"].numpy()]
    second, third = found["primitive_uvs"].numpy().T
    shares = np.stack([1 - second - third, second, third], axis=1)
    normals = colors = None
    if mesh.normals is not None:
        blended = np.einsum("nc,ncd->nd", shares, mesh.normals[corners])
        lengths = np.linalg.norm(blended, axis=1, keepdims=True)
        normals = (blended / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    if mesh.colors is not None:
        mixed = np.einsum("nc,ncd->nd", shares, mesh.colors[corners].astype(np.float64))
        colors = np.rint(mixed.clip(0, 255)).astype(np.uint8)
    nearest = np.take_along_axis(corners, shares.argmax(axis=1)[:, None], axis=1)[:, 0]
    sigma_m = None if mesh.sigma_m is None else mesh.sigma_m[nearest]
    observations = None if mesh.observations is None else mesh.observations[nearest]
    # All are invented here, or none.
    invented = None if mesh.invented is None else mesh.invented[nearest]
    carried = TriangleMesh(vertices, triangles, normals, colors, sigma_m, observations, invented)
    used = np.zeros(len(vertices), dtype=bool)
    used[triangles] = True
    return with_vertices(carried, used)


def joined(first: TriangleMesh, second: TriangleMesh) -> TriangleMesh:
    """Return two meshes of one coordinate system as one, with the attributes that both have."""
    return TriangleMesh(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.triangles, second.triangles + np.int32(len(first.vertices))]),
        _both(first.normals, second.normals),
        _both(first.colors, second.colors),
        _both(first.sigma_m, second.sigma_m),
        _both(first.observations, second.observations),
        _both(first.invented, second.invented),
    )


def with_vertices(mesh: TriangleMesh, kept: NDArray[np.bool_]) -> TriangleMesh:
    """Return the mesh with these of its vertices and the triangles between them.

    Parameters
    ----------
    mesh : TriangleMesh
    kept : ndarray of bool, shape (N,)
        Which vertices stay; those of a triangle stay or go together.
    """
    number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    number[~kept] = -1
    return TriangleMesh(
        mesh.vertices[kept],
        renumber(np.ascontiguousarray(mesh.triangles), number),
        None if mesh.normals is None else mesh.normals[kept],
        None if mesh.colors is None else mesh.colors[kept],
        None if mesh.sigma_m is None else mesh.sigma_m[kept],
        None if mesh.observations is None else mesh.observations[kept],
        None if mesh.invented is None else mesh.invented[kept],
    )


def _both(first: NDArray[_Layer] | None, second: NDArray[_Layer] | None) -> NDArray[_Layer] | None:
    return None if first is None or second is None else np.concatenate([first, second])
