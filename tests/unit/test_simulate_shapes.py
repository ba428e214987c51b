"""Solids: closed, outward and of the right size."""

import numpy as np
import pytest

from sensorfusion.simulate.shapes import Solid, box, curtain, cylinder, ellipsoid, revolved


def _volume_m3(solid: Solid) -> float:
    """Sum of the signed tetrahedra on the origin: positive only if every side faces outwards."""
    a, b, c = solid.vertices[solid.triangles].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def _is_closed(solid: Solid) -> bool:
    """Every directed edge has its opposite; vertices at one place count as one."""
    _, place = np.unique(solid.vertices.round(9), axis=0, return_inverse=True)
    triangles = place.ravel()[solid.triangles]
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    forth = {tuple(edge) for edge in edges.tolist()}
    return forth == {(b, a) for a, b in forth}


def test_a_box_has_the_volume_of_its_sides():
    assert _volume_m3(box(2.0, 3.0, 0.5)) == pytest.approx(3.0)


def test_a_cylinder_has_the_volume_of_its_polygon():
    polygon_m2 = 0.5 * 32 * 0.4**2 * np.sin(2 * np.pi / 32)
    assert _volume_m3(cylinder(0.4, 2.0)) == pytest.approx(2.0 * polygon_m2)


def test_a_ball_has_nearly_the_volume_of_a_sphere():
    assert _volume_m3(ellipsoid(0.5, 0.5, 64)) == pytest.approx(4 / 3 * np.pi * 0.125, rel=0.01)


def test_a_curtain_has_the_volume_of_its_mean_thickness():
    assert _volume_m3(curtain(1.0, 2.0, 0.04, 5)) == pytest.approx(1.5 * 0.04 * 2.0, rel=0.01)


@pytest.mark.parametrize(
    "solid",
    [
        box(1, 1, 1),
        cylinder(0.1, 1.0),
        ellipsoid(0.2, 0.1),
        curtain(1.0, 2.0, 0.03, 4),
        revolved([(0, 0), (0.1, 0), (0.2, 0.3), (0, 0.3)]),
    ],
    ids=["box", "cylinder", "ellipsoid", "curtain", "vase"],
)
def test_every_solid_is_closed_and_stands_on_the_floor(solid):
    assert _is_closed(solid)
    assert solid.vertices[:, 2].min() == pytest.approx(0.0)
