"""``check_sigma`` on errors that were made with a known deviation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.uncertainty import check_sigma
from sensorfusion.triangle_mesh import TriangleMesh

GROUND = TriangleMesh(
    np.float32([[-5, -5, 0], [5, -5, 0], [5, 5, 0], [-5, 5, 0]]), np.int32([[0, 1, 2], [0, 2, 3]])
)


def measured(heights_m, sigma_m):
    """Vertices above or below the ground, at places that are no corner of it."""
    places = np.random.default_rng(1).uniform(-4, 4, (len(heights_m), 2))
    vertices = np.column_stack([places, heights_m]).astype(np.float32)
    return TriangleMesh(vertices, np.zeros((0, 3), np.int32), sigma_m=np.float32(sigma_m))


def noisy(count=50_000, factor=1.0):
    """Normal errors of ``factor`` times the deviation that each vertex states, 0.5 to 20 mm."""
    rng = np.random.default_rng(0)
    sigma_m = 0.0005 * 40 ** rng.random(count)
    return measured(factor * sigma_m * rng.standard_normal(count), sigma_m)


def test_normal_errors_of_the_stated_deviation_give_a_ratio_of_one_in_every_bin():
    found = check_sigma(noisy(), GROUND)
    # The 68th percentile of 10000 normal errors scatters by 1 %: sqrt(p q / n) / density.
    assert [b.ratio_68 for b in found.bins] == pytest.approx([1.0] * 5, abs=0.04)
    assert found.ratio_68 == pytest.approx(1.0, abs=0.02)
    assert found.unknown == 0


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_errors_of_another_size_than_stated_show_in_the_ratio(factor):
    assert check_sigma(noisy(factor=factor), GROUND).ratio_68 == pytest.approx(factor, rel=0.02)


def test_one_bin_that_lies_is_found_among_honest_ones():
    mesh = noisy()
    large = mesh.sigma_m > np.quantile(mesh.sigma_m, 0.8)
    wrong = replace(
        mesh,
        vertices=np.where(large[:, None], mesh.vertices * [1, 1, 3], mesh.vertices).astype(
            np.float32
        ),
    )
    ratios = [b.ratio_68 for b in check_sigma(wrong, GROUND).bins]
    assert ratios == pytest.approx([1, 1, 1, 1, 3], rel=0.04)


def test_bins_hold_equal_counts_by_rising_sigma():
    # Eleven vertices of 1 to 11 mm, shuffled, all 6 mm off: bins of 3, 2, 2, 2 and 2.
    millimetres = np.array([7, 3, 11, 1, 9, 5, 2, 10, 4, 8, 6])
    found = check_sigma(measured(np.full(11, -0.006), millimetres / 1000), GROUND)
    assert [b.count for b in found.bins] == [3, 2, 2, 2, 2]
    ranges_m = [edge for b in found.bins for edge in b.sigma_m]
    expected_mm = [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert ranges_m == pytest.approx([mm / 1000 for mm in expected_mm], rel=1e-6)
    # Of two values, the percentile p lies at p of the way from the lower to the upper.
    share = math.erf(math.sqrt(0.5))
    assert found.bins[4].ratio_68 == pytest.approx(6 / 11 + share * (6 / 10 - 6 / 11), rel=1e-4)


def test_an_error_is_the_distance_to_the_surface_and_not_to_its_corners():
    found = check_sigma(measured([0.003] * 5, [0.002] * 5), GROUND)
    assert found.ratio_68 == pytest.approx(1.5, rel=1e-4)


def test_a_vertex_that_states_no_error_is_counted_and_left_out():
    honest = check_sigma(measured([0.002] * 5, [0.002] * 5), GROUND)
    found = check_sigma(measured([0.002] * 5 + [1.0] * 3, [0.002] * 5 + [0] * 3), GROUND)
    assert found.unknown == 3
    assert found.ratio_68 == pytest.approx(honest.ratio_68, rel=1e-4)
    assert sum(b.count for b in found.bins) == 5


def test_a_mesh_without_errors_cannot_be_checked():
    with pytest.raises(EvaluationError, match="4 vertices without sigma_m"):
        check_sigma(GROUND, GROUND)


def test_fewer_stated_errors_than_bins_cannot_be_checked():
    mesh = measured([0.001] * 6, [0.001] * 4 + [0.0] * 2)
    with pytest.raises(EvaluationError, match="4 of 6 vertices with a sigma_m above 0"):
        check_sigma(mesh, GROUND)


def test_a_truth_without_area_is_refused():
    with pytest.raises(EvaluationError, match="without area"):
        check_sigma(noisy(10), replace(GROUND, triangles=np.zeros((0, 3), np.int32)))


def test_a_vertex_beyond_100_km_is_refused():
    mesh = measured([0.001] * 4 + [1.1e5], [0.001] * 5)
    with pytest.raises(EvaluationError, match="expected at most 100000 m"):
        check_sigma(mesh, GROUND)


def test_scripts_find_the_figures_under_their_names():
    found = check_sigma(noisy(100), GROUND).to_json()
    assert list(found) == ["bins", "ratio_68", "unknown"]
    assert list(found["bins"][0]) == ["sigma_m", "count", "ratio_68"]
