"""Marching cubes over the volume: Open3D's surface, closed, without a copy of the volume."""

import os
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sensorfusion._kernels import pack_all
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth, with_metric_scale
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.marching_cubes import zero_level
from sensorfusion.fusion.volume import Volume
from sensorfusion.odometry.given import known_pose
from sensorfusion.sources.registry import open_source

VOXEL_M = 0.01
SHARES = [0.01, 0.01, 0.49, 0.49]
DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))


def blocks(low, high):
    """Coordinates of all blocks of a cube of blocks."""
    side = np.arange(low, high)
    return np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3).astype(np.int32)


def filled(coordinates, distance, weight=lambda points: np.full(len(points), 9)):
    """A volume of these blocks whose samples are functions of their place, in voxels."""
    volume = Volume(VOXEL_M, 4 * VOXEL_M)
    rows = volume.rows_of(pack_all(coordinates))
    z, y, x = np.mgrid[:8, :8, :8].reshape(3, -1)
    points = (8 * coordinates[:, None] + np.stack([x, y, z], axis=-1)).reshape(-1, 3)
    volume.views.tsdf[rows] = distance(points).reshape(len(rows), 512)
    volume.views.weight[rows] = weight(points).reshape(len(rows), 512)
    return volume


def sphere(radius, around=4):
    center = np.array([0.3, -0.2, 0.1])
    return filled(
        blocks(-around, around),
        lambda points: (np.linalg.norm(points - center, axis=1) - radius).clip(-4, 4) / 4,
    )


def triangles_by_place(vertices, triangles):
    """Triangles as sorted rows of nine coordinates, those with two corners in one place left out.

    Beginning with the smallest corner, so that the sense of rotation counts.
    """
    places, which = np.unique(vertices, axis=0, return_inverse=True)
    corners = which.reshape(-1)[triangles]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    turn = (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3
    return np.unique(places[np.take_along_axis(corners, turn, axis=1)].reshape(-1, 9), axis=0)


def assert_same_as_open3d(volume, smallest_weight):
    found = volume.grid.extract_triangle_mesh(weight_threshold=smallest_weight)
    theirs = found.vertex["positions"].numpy()
    vertices, _, triangles = zero_level(volume.views, smallest_weight)
    np.testing.assert_array_equal(vertices[np.lexsort(vertices.T[::-1])], np.unique(theirs, axis=0))
    expected = triangles_by_place(theirs, found.triangle["indices"].numpy())
    ours = triangles_by_place(vertices, triangles)
    assert len(ours) == len(triangles)  # each once
    np.testing.assert_array_equal(ours, expected)


def test_the_surface_of_random_distances_is_the_one_that_open3d_makes():
    """All 256 cases, missing blocks, unseen voxels, and samples exactly on the surface."""
    rng = np.random.default_rng(0)
    some = blocks(-2, 3)[rng.random(125) < 0.8]

    def distance(points):
        values = rng.normal(size=len(points))
        values[rng.random(len(points)) < 0.05] = 0.0
        return values

    volume = filled(some, distance, lambda points: rng.choice([0, 2, 3, 4], len(points), p=SHARES))
    assert_same_as_open3d(volume, 2)


def test_far_from_the_origin_vertices_that_rounding_puts_in_one_place_are_one():
    """At voxel 160,000 float32 steps by 64ths, so 1 in 64 crossings rounds to a sample."""
    rng = np.random.default_rng(1)
    volume = filled(blocks(20_000, 20_003), lambda points: rng.normal(size=len(points)))
    assert_same_as_open3d(volume, 1)
    vertices, _, _ = zero_level(volume.views, 1)
    assert (vertices[:, 0] == np.float32(VOXEL_M) * np.rint(vertices[:, 0] / VOXEL_M)).any()


def test_the_surface_of_a_real_recording_is_the_one_that_open3d_makes():
    location = DATA / "rgbd-7scenes"
    if not location.exists():
        pytest.skip(f"{location} is not here")
    volume = Volume(0.02, 0.08)
    with open_source(location, None, {}) as source:
        for frame in islice(with_metric_scale(source), 0, 60, 12):
            depth = absolute_depth(frame, DepthSettings(), source.rig)
            integrate_depth(volume, depth, known_pose(source.trajectory, frame))
    assert len(extract_mesh(volume, 3).triangles) > 10_000
    assert_same_as_open3d(volume, 3)


def test_a_sphere_is_closed_and_as_large_as_it_is():
    mesh = extract_mesh(sphere(20.0), 1)
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    edges = np.vstack([mesh.triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    # Each edge once in each direction: no crack, nothing twice, no side turned over.
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert {*map(tuple, edges)} == {*map(tuple, edges[:, ::-1])}
    volume_m3 = np.einsum("nc,nc->", a, np.cross(b, c)) / 6
    assert volume_m3 == pytest.approx(4 / 3 * np.pi * 0.2**3, rel=0.005)


def test_normals_point_out_of_a_sphere_also_at_the_borders_of_blocks():
    mesh = extract_mesh(sphere(20.0), 1)
    out = mesh.vertices / VOXEL_M - [0.3, -0.2, 0.1]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    assert np.einsum("nc,nc->n", out, mesh.normals).min() > np.cos(np.radians(2))


def test_a_slope_that_a_missing_block_hides_counts_as_none():
    """The plane z = 6.5 - x / 10 in a block alone: the slope along z is not known at z = 7."""
    volume = filled(blocks(0, 1), lambda points: (points[:, 2] - 6.5) / 4 + points[:, 0] / 40)
    vertices, normals, _ = zero_level(volume.views, 1)
    x = vertices[:, 0] / VOXEL_M
    # At x = 6 the edge from z = 5 to 6 is met, and all slopes are known: (1/40, 0, 1/4).
    known = normals[np.abs(x - 6) < 0.01]
    assert known == pytest.approx(np.tile([0.1, 0, 1] / np.hypot(0.1, 1), (8, 1)), abs=1e-4)
    # At x = 1 that from z = 6 to 7 is met at 6.4: (1/40, 0, 0.6 / 4).
    half = normals[np.abs(x - 1) < 0.01]
    assert half == pytest.approx(np.tile([1, 0, 6] / np.hypot(1, 6), (8, 1)), abs=1e-4)


def test_making_the_mesh_takes_little_memory_beside_the_mesh_and_the_volume():
    volume = sphere(30.0, around=5)
    extract_mesh(volume, 1)
    tracemalloc.start()
    try:
        mesh = extract_mesh(volume, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    arrays = (mesh.vertices, mesh.triangles, mesh.normals, mesh.sigma_m, mesh.observations)
    assert peak < 1.5 * sum(array.nbytes for array in arrays) + 200_000


def test_nothing_seen_is_no_surface():
    nothing = filled(
        blocks(0, 2), lambda points: points[:, 0] - 3.5, lambda points: 0 * points[:, 0]
    )
    vertices, normals, triangles = zero_level(nothing.views, 1)
    assert (vertices.shape, normals.shape, triangles.shape) == ((0, 3), (0, 3), (0, 3))
