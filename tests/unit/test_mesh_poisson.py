"""Holes of surfaces whose true shape is a formula."""

import numpy as np
import pytest

from sensorfusion.mesh.clean import decimate
from sensorfusion.mesh.poisson import fill_holes
from sensorfusion.triangle_mesh import TriangleMesh

VOXEL_M = 0.02


def surface(points, normals, kept):
    """A grid of points (n, m, 3) as a mesh, without the triangles whose corners are not kept."""
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    triangles = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    triangles = triangles[kept.ravel()[triangles].all(axis=1)]
    used, corners = np.unique(triangles, return_inverse=True)
    count = len(used)
    return TriangleMesh(
        points.reshape(-1, 3)[used].astype(np.float32),
        corners.reshape(-1, 3).astype(np.int32),
        normals.reshape(-1, 3)[used].astype(np.float32),
        np.full((count, 3), (200, 100, 50), np.uint8),
        np.full(count, 0.001, np.float32),
        np.full(count, 7, np.uint32),
    )


def floor(*holes):
    """A floor of 2 x 2 m at z = 0, without squares of (x, y, edge)."""
    x, y = np.meshgrid(np.arange(0, 2.01, VOXEL_M), np.arange(0, 2.01, VOXEL_M))
    kept = np.ones(x.shape, bool)
    for across, along, edge_m in holes:
        kept &= (np.abs(x - across) > edge_m / 2) | (np.abs(y - along) > edge_m / 2)
    points = np.stack([x, y, np.zeros_like(x)], axis=-1)
    return surface(points, np.broadcast_to((0.0, 0.0, 1.0), points.shape), kept)


@pytest.fixture(scope="module")
def holed():
    return floor((1.0, 1.0, 0.4))


@pytest.fixture(scope="module")
def filled(holed):
    return fill_holes(holed, VOXEL_M)


def test_what_was_measured_stays_byte_for_byte(holed, filled):
    count = len(holed.vertices)
    for name in ("vertices", "normals", "colors", "sigma_m", "observations"):
        assert np.array_equal(getattr(filled, name)[:count], getattr(holed, name)), name
    assert np.array_equal(filled.triangles[: len(holed.triangles)], holed.triangles)


def test_what_was_added_is_marked_and_seen_by_nobody(holed, filled):
    added = np.arange(len(filled.vertices)) >= len(holed.vertices)
    assert added.any()
    assert np.array_equal(filled.invented, added)
    assert not filled.observations[added].any()
    assert not filled.sigma_m[added].any()
    assert np.array_equal(filled.measured(), ~added[filled.triangles[:, 0]])


def test_a_hole_in_a_floor_is_closed_with_floor(filled):
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(filled.vertices, filled.triangles.astype(np.uint32))
    x, y = np.meshgrid(np.arange(0.7, 1.3, 0.0037), np.arange(0.7, 1.3, 0.0037))
    down = np.broadcast_to((0.0, 0.0, -1.0), (*x.shape, 3))
    rays = np.concatenate([np.stack([x, y, np.ones_like(x)], -1), down], -1).astype(np.float32)
    depth_m = scene.cast_rays(rays)["t_hit"].numpy()
    # Corners smaller than a voxel may stay open; all else is floor.
    hit = np.isfinite(depth_m)
    assert hit.mean() > 0.999
    np.testing.assert_allclose(depth_m[hit], 1.0, atol=0.1 * VOXEL_M)


def test_colours_and_normals_are_those_around_the_hole(filled):
    assert np.abs(filled.colors[filled.invented].astype(int) - (200, 100, 50)).max() <= 1
    assert filled.normals[filled.invented, 2].min() > 0.99


def test_the_area_that_was_invented_is_that_of_the_hole_and_a_seam(filled):
    # Squares lose the cells that touch them: 0.40 m becomes 0.42 to 0.44 m; the seam overlaps.
    assert 0.42**2 < filled.invented_share() * filled.areas_m2().sum() < 0.52**2


def test_where_a_surface_ends_nothing_is_added():
    whole = floor()
    assert len(fill_holes(whole, VOXEL_M).triangles) == len(whole.triangles)


def test_a_gap_at_the_edge_is_no_hole():
    notched = floor((0.0, 1.0, 0.6))
    assert len(fill_holes(notched, VOXEL_M).triangles) == len(notched.triangles)


def test_a_hole_too_wide_to_know_its_shape_stays_open():
    # 1.6 m are 80 voxels.
    frame = floor((1.0, 1.0, 1.6))
    assert len(fill_holes(frame, VOXEL_M).triangles) == len(frame.triangles)


def test_the_open_side_of_a_shell_is_not_ballooned():
    """Half a ball: the disc that closes it has half its area, a balloon would have more."""
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 158), np.linspace(0.02, np.pi / 2, 40))
    ball = np.stack([np.sin(rise) * np.cos(turn), np.sin(rise) * np.sin(turn), np.cos(rise)], -1)
    shell = surface(0.5 * ball, ball, np.ones(turn.shape, bool))
    found = fill_holes(shell, VOXEL_M)
    # Nothing hangs below the rim at z = 0.
    assert found.vertices[:, 2].min() > -0.5 * VOXEL_M


def test_a_curved_wall_is_closed_along_its_curve():
    turn, z = np.meshgrid(np.arange(-1.2, 1.2, VOXEL_M), np.arange(0, 1.6, VOXEL_M))
    normals = np.stack([-np.cos(turn), -np.sin(turn), np.zeros_like(z)], -1)
    points = np.stack([np.cos(turn), np.sin(turn), z], -1)
    kept = (np.abs(turn) > 0.15) | (np.abs(z - 0.8) > 0.15)
    found = fill_holes(surface(points, normals, kept), VOXEL_M)
    added = found.vertices[found.invented]
    assert len(added) > 100
    assert np.abs(np.hypot(added[:, 0], added[:, 1]) - 1.0).max() < 0.5 * VOXEL_M


def test_the_same_mesh_gives_the_same_bytes(holed, filled):
    again = fill_holes(holed, VOXEL_M)
    assert again.vertices.tobytes() == filled.vertices.tobytes()
    assert again.triangles.tobytes() == filled.triangles.tobytes()
    assert again.colors.tobytes() == filled.colors.tobytes()


def test_a_decimated_mesh_never_mixes_measured_and_invented(filled):
    found = decimate(filled, len(filled.triangles) // 4)
    corners = found.invented[found.triangles]
    assert (corners == corners[:, :1]).all()
    assert found.invented.any()
    hole = np.abs(found.vertices[:, :2] - 1.0).max(axis=1) < 0.19
    assert found.invented[hole].all()
    assert not found.observations[found.invented].any()


def test_a_mesh_of_a_few_triangles_is_left_alone():
    few = floor().vertices[:3]
    up = np.tile(np.float32([0, 0, 1]), (3, 1))
    mesh = TriangleMesh(few, np.array([[0, 1, 2]], np.int32), up)
    assert not fill_holes(mesh, VOXEL_M).invented.any()


def test_a_mesh_without_normals_is_refused(holed):
    bare = TriangleMesh(holed.vertices, holed.triangles)
    with pytest.raises(ValueError, match="without normals"):
        fill_holes(bare, VOXEL_M)
