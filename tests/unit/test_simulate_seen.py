"""The surface seen: all of what cameras saw and nothing else."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.simulate.lidar import spinning_lidar
from sensorfusion.simulate.scene import Material, SceneBuilder
from sensorfusion.simulate.seen import surface_scanned, surface_seen
from sensorfusion.simulate.shapes import box
from sensorfusion.transform import RigidTransform

CAMERA = Camera("depth", 320, 240, 400.0, 400.0, 159.5, 119.5)
LOOKING_ALONG_Y = RigidTransform(
    "world", "depth", np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
)
AT_ORIGIN = RigidTransform.identity("world", "lidar")
PAINT = Material((0.5, 0.5, 0.5))


def _mesh(*placed):
    builder = SceneBuilder(np.random.default_rng(0))
    for solid, position_m in placed:
        builder.add(solid, position_m, PAINT)
    return builder.scene().mesh


def _area_m2(mesh):
    a, b, c = mesh.vertices[mesh.triangles].astype(np.float64).transpose(1, 0, 2)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()


# Front 0.6 x 0.4 m at y = 2, wholly in view: none of its other sides can be seen.
FRONT = (box(0.6, 1.0, 0.4), (0.0, 2.5, -0.2))


def test_of_a_box_only_the_front_is_seen():
    seen = surface_seen(_mesh(FRONT), CAMERA, [LOOKING_ALONG_Y])
    assert _area_m2(seen) == pytest.approx(0.24, rel=1e-5)
    np.testing.assert_allclose(seen.vertices[:, 1], 2.0, atol=1e-6)


def test_no_edge_is_longer_than_asked():
    seen = surface_seen(_mesh(FRONT), CAMERA, [LOOKING_ALONG_Y], edge_m=0.05)
    corners = seen.vertices[seen.triangles]
    assert np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max() <= 0.05 + 1e-6


def test_triangles_that_touch_share_their_vertices():
    seen = surface_seen(_mesh(FRONT), CAMERA, [LOOKING_ALONG_Y])
    # Euler: a disc of triangles has vertices - edges + faces = 1.
    edges = np.sort(np.concatenate([seen.triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    assert len(seen.vertices) - len(np.unique(edges, axis=0)) + len(seen.triangles) == 1


def test_what_stands_behind_something_is_not_seen():
    wall = (box(0.2, 0.1, 0.2), (0.0, 4.0, -0.1))
    seen = surface_seen(_mesh(FRONT, wall), CAMERA, [LOOKING_ALONG_Y])
    assert seen.vertices[:, 1].max() < 2.1


@pytest.mark.parametrize("limits_m", [(0.0, 1.5), (2.5, 9.0)])
def test_what_is_out_of_range_is_not_seen(limits_m):
    seen = surface_seen(_mesh(FRONT), CAMERA, [LOOKING_ALONG_Y], limits_m=limits_m)
    assert len(seen.triangles) == len(seen.vertices) == 0


def test_a_scan_sees_the_side_that_faces_it_between_its_rings():
    lidar = spinning_lidar(2, 16, highest_deg=45.0, lowest_deg=-45.0)
    pillar = _mesh((box(2.0, 2.0, 8.0), (0.0, 3.0, -4.0)))
    seen = surface_scanned(pillar, lidar, [AT_ORIGIN], edge_m=0.1)
    # The near side lies at y = 2: rings at 45 degrees meet it 2 m above and below.
    assert np.abs(seen.vertices[:, 1] - 2.0).max() < 1e-5
    middle = np.abs(seen.vertices[:, 0]) < 0.06
    assert np.abs(seen.vertices[middle, 2]).max() == pytest.approx(2.0, abs=0.1)


def test_a_scan_sees_no_farther_than_it_is_asked():
    lidar = spinning_lidar(highest_deg=30.0, lowest_deg=-30.0)
    boxes = _mesh(*((box(1.0, 1.0, 1.0), (x, y, 0.2)) for x, y in ((3.0, 0.0), (9.0, 4.0))))
    assert surface_scanned(boxes, lidar, [AT_ORIGIN]).vertices[:, 0].max() > 8.0
    near = surface_scanned(boxes, lidar, [AT_ORIGIN], far_m=5.0)
    assert 2.0 < near.vertices[:, 0].max() < 5.0
