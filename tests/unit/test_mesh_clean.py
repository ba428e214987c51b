import numpy as np

from sensorfusion.mesh.clean import decimate, remove_small_pieces
from sensorfusion.triangle_mesh import TriangleMesh


def strip(count, offset):
    """A strip of triangles: one piece of ``count`` triangles and ``count + 2`` vertices."""
    i = np.arange(count + 2)
    vertices = np.stack([i // 2, i % 2, np.zeros_like(i)], axis=1) * 0.1 + offset
    return vertices, np.stack([i[:-2], i[1:-1], i[2:]], axis=1)


def pieces(*counts):
    vertices, triangles, start = [], [], 0
    for number, count in enumerate(counts):
        points, corners = strip(count, [0, number, 0])
        vertices.append(points)
        triangles.append(corners + start)
        start += len(points)
    stacked = np.vstack(vertices).astype(np.float32)
    colors = (np.arange(stacked.size).reshape(-1, 3) % 256).astype(np.uint8)
    normals = np.tile(np.float32([0, 0, 1]), (len(stacked), 1))
    number = np.arange(len(stacked))
    return TriangleMesh(
        stacked,
        np.vstack(triangles).astype(np.int32),
        normals,
        colors,
        np.float32(0.001) * number.astype(np.float32),
        number.astype(np.uint32),
    )


def grid(n=60):
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    triangles = np.vstack(
        [
            np.stack([corner, corner + 1, corner + n], axis=1),
            np.stack([corner + 1, corner + n + 1, corner + n], axis=1),
        ]
    )
    vertices = np.stack([x, y, 0.05 * np.sin(6 * x)], axis=-1).reshape(-1, 3).astype(np.float32)
    colors = np.rint(np.stack([x, y, x * 0 + 0.5], axis=-1).reshape(-1, 3) * 255)
    normals = np.tile(np.float32([0, 0, 1]), (n * n, 1))
    # Each number belongs to one place: x grows with the sigma, y with the count.
    return TriangleMesh(
        vertices,
        triangles.astype(np.int32),
        normals,
        colors.astype(np.uint8),
        (0.001 + 0.01 * vertices[:, 0]).astype(np.float32),
        np.rint(10_000 * vertices[:, 1]).astype(np.uint32),
    )


def test_a_piece_with_fewer_triangles_than_asked_is_removed_with_its_vertices():
    mesh = pieces(50, 9, 10)
    found = remove_small_pieces(mesh, 10)
    keep = np.r_[0:52, 63:75]
    np.testing.assert_array_equal(found.vertices, mesh.vertices[keep])
    np.testing.assert_array_equal(found.colors, mesh.colors[keep])
    np.testing.assert_array_equal(found.normals, mesh.normals[keep])
    np.testing.assert_array_equal(found.sigma_m, mesh.sigma_m[keep])
    np.testing.assert_array_equal(found.observations, keep)
    np.testing.assert_array_equal(
        found.vertices[found.triangles], mesh.vertices[mesh.triangles[np.r_[0:50, 59:69]]]
    )


def test_pieces_do_not_depend_on_the_order_of_triangles():
    mesh = pieces(40, 3, 30, 3)
    order = np.random.default_rng(0).permutation(len(mesh.triangles))
    shuffled = TriangleMesh(mesh.vertices, mesh.triangles[order])
    found = remove_small_pieces(shuffled, 10)
    assert len(found.triangles) == 70
    assert len(found.vertices) == 74


def test_the_largest_piece_stays_however_small():
    assert len(remove_small_pieces(pieces(5, 4), 1000).triangles) == 5


def test_a_vertex_that_no_triangle_uses_is_removed():
    mesh = pieces(4)
    alone = TriangleMesh(
        np.vstack([[[9, 9, 9]], mesh.vertices]).astype(np.float32), mesh.triangles + 1
    )
    np.testing.assert_array_equal(remove_small_pieces(alone, 0).vertices, mesh.vertices)


def test_an_empty_mesh_stays_empty():
    empty = TriangleMesh(np.zeros((2, 3), np.float32), np.empty((0, 3), np.int32))
    assert len(remove_small_pieces(empty, 10).vertices) == 0
    assert decimate(empty, 10) is empty


def test_a_decimated_mesh_has_the_triangles_asked_for_and_keeps_its_shape_and_colours():
    found = decimate(grid(), 1000)
    assert 900 <= len(found.triangles) <= 1000
    x, y, z = found.vertices.T
    np.testing.assert_allclose(z, 0.05 * np.sin(6 * x), atol=0.002)
    assert np.ptp(x) > 0.99
    np.testing.assert_allclose(found.colors[:, 0] / 255, x, atol=0.03)
    np.testing.assert_allclose(found.colors[:, 1] / 255, y, atol=0.03)
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1, atol=1e-6)


def test_a_decimated_mesh_keeps_error_and_count_of_the_place():
    mesh = grid()
    found = decimate(mesh, 1000)
    # The points of the grid are 1 / 59 m apart, and a corner is never farther off than that.
    x, y = found.vertices[:, 0], found.vertices[:, 1]
    np.testing.assert_allclose((found.sigma_m - 0.001) / 0.01, x, atol=1 / 59)
    np.testing.assert_allclose(found.observations / 10_000.0, y, atol=1 / 59)
    assert set(found.observations) <= set(mesh.observations)


def test_decimating_twice_gives_equal_bytes():
    first, second = decimate(grid(), 500), decimate(grid(), 500)
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.triangles, second.triangles)
    np.testing.assert_array_equal(first.colors, second.colors)
    np.testing.assert_array_equal(first.sigma_m, second.sigma_m)
    np.testing.assert_array_equal(first.observations, second.observations)


def test_a_mesh_that_is_small_enough_is_left_alone():
    mesh = pieces(10)
    assert decimate(mesh, 10) is mesh
