"""Surface that closes the holes of a measured one: invented, and marked as such."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.mesh._kernels import label_pieces
from sensorfusion.mesh.clean import joined, with_vertices
from sensorfusion.triangle_mesh import TriangleMesh

_SMALLEST_DEPTH, _LARGEST_DEPTH = 5, 10
# How much larger than the surface Open3D makes the cube that it divides.
_CUBE = 1.1
# In voxels: nearer to measured surface a patch is a seam, not a hole.
_SEAM = 1.5
_HULL_DIRECTIONS, _HULL_ROUNDS = 128, 3
# Levels of the octree that a place may lack for want of points: 5 are 32 voxels.
_SPARSEST = 5.0
# A patch closes a hole if so much of its rim lies on the rim of what was measured.
_CLOSED = 0.95
# A patch has at most this share of the area that it closes: more would be the back of a sheet.
_LARGEST_SHARE = 0.5
_FEWEST_VERTICES = 100


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """Where the measured surface is nearest to each point of another one.

    Attributes
    ----------
    points : ndarray of float32, shape (N, 3)
        Metres.
    triangles : ndarray of int64, shape (N,)
        Of the measured surface.
    distances_m : ndarray of float32, shape (N,)
    on_rim : ndarray of bool, shape (N,)
        Whether the measured surface ends there.
    """

    points: NDArray[np.float32]
    triangles: NDArray[np.int64]
    distances_m: NDArray[np.float32]
    on_rim: NDArray[np.bool_]


def fill_holes(mesh: TriangleMesh, voxel_size_m: float) -> TriangleMesh:
    """Return a mesh with surface added where it has holes.

    What was measured stays as it is, byte for byte and in its order; behind it stands what was
    added: pieces of the screened Poisson surface of the vertices and normals. Such a piece begins
    where the measured surface ends, is held by it all around, and has points near enough to know
    its shape; where the surface merely ends, nothing is added, nor a back to a sheet. Its rim
    reaches one triangle onto the measured surface and lies on it. What bulges out of the hull of
    all that was measured is laid on the hull. The same mesh gives the same result.

    Parameters
    ----------
    mesh : TriangleMesh
        Metres, with normals; as it comes out of fusion.
    voxel_size_m : float
        Of the volume that it came from: about the length of its edges.

    Returns
    -------
    TriangleMesh
        With ``invented`` set on what was added: there ``observations`` and ``sigma_m`` are 0
        (none, and unknown) and colours are blended from around the hole.

    Raises
    ------
    ValueError
        If the mesh has no normals.

    References
    ----------
    Kazhdan and Hoppe, "Screened Poisson surface reconstruction", ACM TOG 2013.
    """
    if mesh.normals is None:
        msg = "holes of a mesh without normals cannot be filled; expected unit normals"
        raise ValueError(msg)
    measured = replace(mesh, invented=np.zeros(len(mesh.vertices), np.bool_))
    on_rim = _rim(mesh)
    if len(mesh.vertices) < _FEWEST_VERTICES or not on_rim.any():
        return measured
    poisson, sparse = _poisson(mesh, voxel_size_m)
    near, seam_m = _nearest(mesh, on_rim, poisson.vertices), _SEAM * voxel_size_m
    beyond = (near.on_rim & (near.distances_m > 0)) | (near.distances_m > seam_m)
    beyond &= ~sparse
    candidates = poisson.triangles[beyond[poisson.triangles].all(axis=1)]
    kept = _closing(candidates, poisson.vertices, near, mesh, seam_m)
    patches = _seamed(poisson, kept, near, seam_m)
    return joined(measured, _like(measured, patches))


def _seamed(
    poisson: TriangleMesh, patches: NDArray[np.int32], near: _Near, seam_m: float
) -> TriangleMesh:
    """Return patches with one more row of triangles, whose far corners lie on measured surface."""
    inner = np.zeros(len(poisson.vertices), np.bool_)
    inner[patches] = True
    triangles = poisson.triangles[inner[poisson.triangles].any(axis=1)]
    used = np.zeros(len(inner), np.bool_)
    used[triangles] = True
    onto = used & ~inner & (near.distances_m <= seam_m)
    laid = np.where(onto[:, None], near.points, poisson.vertices)
    return with_vertices(replace(poisson, vertices=laid, triangles=triangles), used)


def _poisson(mesh: TriangleMesh, voxel_size_m: float) -> tuple[TriangleMesh, NDArray[np.bool_]]:
    """Return the whole Poisson surface, and which of its vertices have too few points near."""
    import open3d as o3d

    points = o3d.geometry.PointCloud()
    points.points = o3d.utility.Vector3dVector(mesh.vertices.astype(np.float64))
    points.normals = o3d.utility.Vector3dVector(np.asarray(mesh.normals, np.float64))
    if mesh.colors is not None:
        points.colors = o3d.utility.Vector3dVector(mesh.colors / 255.0)
    cells = _CUBE * float(np.ptp(mesh.vertices, axis=0).max()) / voxel_size_m
    depth = int(np.clip(np.ceil(np.log2(cells)), _SMALLEST_DEPTH, _LARGEST_DEPTH))
    # With more than one thread, sums are added in another order on every run.
    found, levels = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
        points, depth=depth, scale=_CUBE, n_threads=1
    )
    colors = None
    if mesh.colors is not None:
        colors = np.rint(np.asarray(found.vertex_colors).clip(0, 1) * 255).astype(np.uint8)
    surface = TriangleMesh(
        np.asarray(found.vertices).astype(np.float32),
        np.asarray(found.triangles).astype(np.int32),
        colors=colors,
    )
    return surface, np.asarray(levels) < depth - _SPARSEST


def _rim(mesh: TriangleMesh) -> NDArray[np.bool_]:
    """Return which vertices lie on an edge that has one triangle only, bool (N,)."""
    edges = np.sort(mesh.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    keys, counts = np.unique(edges.astype(np.int64) @ [1 << 32, 1], return_counts=True)
    found = np.zeros(len(mesh.vertices), np.bool_)
    single = keys[counts == 1]
    found[single >> 32] = found[single & 0xFFFFFFFF] = True
    return found


def _nearest(mesh: TriangleMesh, on_rim: NDArray[np.bool_], points: NDArray[np.float32]) -> _Near:
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.triangles.astype(np.uint32))
    )
    found = scene.compute_closest_points(o3d.core.Tensor(points))
    nearest = found["points"].numpy()
    corners = mesh.triangles[found["primitive_ids"].numpy()]
    second, third = found["primitive_uvs"].numpy().T
    shares = np.stack([1 - second - third, second, third], axis=1)
    # On an edge or a corner of the rim, the others have no share.
    ends = (on_rim[corners] | (shares < 1e-4)).all(axis=1) & (shares.min(axis=1) < 1e-4)
    distances_m = np.linalg.norm(points - nearest, axis=1)
    return _Near(nearest, found["primitive_ids"].numpy().astype(np.int64), distances_m, ends)


def _into_hull(points: NDArray[np.float32], mesh: TriangleMesh) -> NDArray[np.float32]:
    """Return points with those outside the hull of a mesh, as many sides see it, laid on it."""
    # Evenly over a half sphere (Fibonacci), and along the mesh's own axes, so that a flat one
    # has a flat hull.
    n = np.arange(_HULL_DIRECTIONS)
    z = (n + 0.5) / _HULL_DIRECTIONS
    turn, around = n * np.pi * (3 - np.sqrt(5)), np.sqrt(1 - z**2)
    even = np.stack([around * np.cos(turn), around * np.sin(turn), z], axis=1)
    _, axes = np.linalg.eigh(np.cov(mesh.vertices.T.astype(np.float64)))
    directions = np.concatenate([even, axes.T, np.eye(3)]).astype(np.float32)
    extents = (mesh.vertices @ direction for direction in directions)
    limits = [(extent.min(), extent.max()) for extent in extents]
    # A point laid on one side may have left another.
    for _ in range(_HULL_ROUNDS):
        for direction, (low, high) in zip(directions, limits, strict=True):
            place = points @ direction
            points = points + (np.clip(place, low, high) - place)[:, None] * direction
    return points


def _closing(
    triangles: NDArray[np.int32],
    vertices: NDArray[np.float32],
    near: _Near,
    mesh: TriangleMesh,
    seam_m: float,
) -> NDArray[np.int32]:
    """Return the triangles of pieces that reach beyond the seam and close what they end on."""
    count = len(vertices)
    labels = label_pieces(np.ascontiguousarray(triangles), count)
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    keys = np.sort(edges, axis=1).astype(np.int64) @ [1 << 32, 1]
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    rim = edges[first[counts == 1]]
    lengths_m = np.linalg.norm(vertices[rim[:, 0]] - vertices[rim[:, 1]], axis=1)
    held = (near.distances_m[rim] <= seam_m).all(axis=1)
    whole_m = np.bincount(labels[rim[:, 0]], lengths_m, count)
    held_m = np.bincount(labels[rim[:, 0]], lengths_m * held, count)
    farthest_m = np.zeros(count, np.float32)
    np.maximum.at(farthest_m, labels[triangles], near.distances_m[triangles])
    # The pieces of measured surface that each patch is held by, each once.
    pieces = label_pieces(np.ascontiguousarray(mesh.triangles), len(mesh.vertices))
    areas_m2 = np.bincount(pieces[mesh.triangles[:, 0]], mesh.areas_m2(), len(pieces))
    holding = pieces[mesh.triangles[near.triangles[rim[held, 0]], 0]]
    patch, piece = np.unique(np.stack([labels[rim[held, 0]], holding]), axis=1)
    closed_m2 = np.bincount(patch, areas_m2[piece], count)
    own = TriangleMesh(vertices, triangles).areas_m2()
    own_m2 = np.bincount(labels[triangles[:, 0]], own, count)
    closing = (whole_m > 0) & (held_m >= _CLOSED * whole_m) & (farthest_m > seam_m)
    closing &= own_m2 <= _LARGEST_SHARE * closed_m2
    return np.asarray(triangles[closing[labels[triangles[:, 0]]]])


def _like(mesh: TriangleMesh, patches: TriangleMesh) -> TriangleMesh:
    """Return patches within the hull of a measured mesh, and with the attributes that it has."""
    import open3d as o3d

    count, vertices = len(patches.vertices), _into_hull(patches.vertices, mesh)
    surface = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices.astype(np.float64)),
        o3d.utility.Vector3iVector(patches.triangles),
    )
    surface.compute_vertex_normals()
    return replace(
        patches,
        vertices=vertices,
        normals=np.asarray(surface.vertex_normals).astype(np.float32).reshape(-1, 3),
        sigma_m=None if mesh.sigma_m is None else np.zeros(count, np.float32),
        observations=None if mesh.observations is None else np.zeros(count, np.uint32),
        invented=np.ones(count, np.bool_),
    )
