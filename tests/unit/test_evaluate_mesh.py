import numpy as np
import pytest

from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.mesh import compare_meshes
from sensorfusion.evaluate.surface import Surface, sample_surface
from sensorfusion.transform import RigidTransform, rotation_from_vector
from sensorfusion.triangle_mesh import TriangleMesh

SQUARE = TriangleMesh(
    np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32),
    np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
)


def box(size_m=(1.0, 0.8, 0.6)):
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    quads = [
        (0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3),
    ]  # fmt: skip
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return TriangleMesh((corners * size_m).astype(np.float32), np.array(triangles, np.int32))


def motion(rotation_vector, position):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(rotation_vector, dtype=float))
    matrix[:3, 3] = position
    return RigidTransform("world", "world", matrix)


def compare(estimate, truth):
    return compare_meshes(estimate, truth, samples=20_000)


def test_a_mesh_agrees_with_itself():
    found = compare(box(), box()).as_given
    assert found.accuracy_mean_m == pytest.approx(0, abs=1e-6)
    assert found.completeness_mean_m == pytest.approx(0, abs=1e-6)
    assert (found.precision_1cm, found.recall_1cm, found.fscore_1cm) == (1, 1, 1)


def test_a_plane_15_mm_away_is_wrong_at_1_cm_and_right_at_2_cm():
    found = compare(SQUARE.moved(motion([0, 0, 0], [0, 0, 0.015])), SQUARE)
    assert found.as_given.accuracy_mean_m == pytest.approx(0.015, abs=1e-6)
    assert found.as_given.completeness_mean_m == pytest.approx(0.015, abs=1e-6)
    assert (found.as_given.fscore_1cm, found.as_given.fscore_2cm) == (0, 1)
    assert found.aligned.accuracy_mean_m == pytest.approx(0, abs=1e-5)
    assert found.aligned.fscore_1cm == 1


def test_half_of_a_surface_is_precise_but_not_complete():
    half = TriangleMesh(SQUARE.vertices * np.float32([0.5, 1, 1]), SQUARE.triangles)
    found = compare(half, SQUARE).as_given
    assert found.precision_1cm == 1
    # Within 1 cm of the half lies 0.51 of the square.
    assert found.recall_1cm == pytest.approx(0.51, abs=0.005)
    assert found.fscore_1cm == pytest.approx(2 * 0.51 / 1.51, abs=0.005)
    # The other half is 0 to 0.5 m away, half of the area: 0.25 m * 0.5.
    assert found.completeness_mean_m == pytest.approx(0.125, abs=0.001)


def test_distances_are_to_triangles_and_not_to_samples():
    points = np.array([[0.5, 0.5, 0.003], [0.25, 0.75, -0.001], [2, 0.5, 0]], dtype=np.float32)
    np.testing.assert_allclose(Surface(SQUARE).distances_m(points), [0.003, 0.001, 1], atol=1e-6)


def test_triangles_without_area_are_no_surface():
    collapsed = np.vstack([SQUARE.triangles, [[2, 2, 2]], [[0, 1, 1]]]).astype(np.int32)
    mesh = TriangleMesh(SQUARE.vertices, collapsed)
    found = compare(mesh, SQUARE).as_given
    assert found.accuracy_mean_m == pytest.approx(0, abs=1e-6)


def test_alignment_takes_a_small_motion_back():
    moved = motion([0.02, -0.03, 0.01], [0.03, -0.02, 0.04])
    found = compare(box().moved(moved), box())
    assert found.as_given.fscore_1cm < 0.5
    assert found.aligned.accuracy_mean_m < 1e-4
    assert found.aligned.fscore_1cm > 0.999
    undone = found.T_truth_estimate.matrix @ moved.matrix
    np.testing.assert_allclose(undone, np.eye(4), atol=5e-4)


def test_what_the_truth_lacks_does_not_pull_at_the_alignment():
    extra = box((0.3, 0.3, 0.3)).moved(motion([0, 0, 0], [2, 2, 2]))
    both = TriangleMesh(
        np.vstack([box().vertices, extra.vertices]),
        np.vstack([box().triangles, extra.triangles + 8]).astype(np.int32),
    )
    found = compare(both.moved(motion([0, 0.01, 0], [0.01, 0, 0])), box())
    assert found.aligned.recall_1cm > 0.999
    assert found.aligned.completeness_mean_m < 1e-4


def test_alignment_never_makes_it_worse():
    far = box().moved(motion([0, 0, 1.0], [3, 0, 0]))
    found = compare(far, box())
    assert found.aligned.accuracy_mean_m <= found.as_given.accuracy_mean_m + 1e-9


def test_the_same_meshes_give_the_same_figures():
    moved = box().moved(motion([0.02, -0.03, 0.01], [0.03, -0.02, 0.04]))
    assert compare(moved, box()).to_json() == compare(moved, box()).to_json()


def test_scripts_find_the_figures_under_their_names():
    names = [
        "accuracy_mean_m", "completeness_mean_m", "precision_1cm", "recall_1cm", "fscore_1cm",
        "precision_2cm", "recall_2cm", "fscore_2cm",
        "precision_5cm", "recall_5cm", "fscore_5cm",
    ]  # fmt: skip
    found = compare(SQUARE, SQUARE).to_json()
    assert list(found) == [*names, "aligned"]
    assert list(found["aligned"]) == names


def test_samples_lie_evenly_on_the_surface():
    # Two triangles of area 0.5 and 1.5 side by side.
    mesh = TriangleMesh(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-3, 0, 0]], dtype=np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
    )
    points = sample_surface(mesh, 10_000, seed=3)
    assert (points[:, 0] > 0).mean() == pytest.approx(0.25, abs=0.001)
    # The mean of a triangle's area is the mean of its corners: x = (1 - 3) / 3 by area.
    np.testing.assert_allclose(points.mean(axis=0), [0.25 * 1 / 3 - 0.75, 1 / 3, 0], atol=0.02)


def test_a_mesh_without_area_cannot_be_compared():
    empty = TriangleMesh(np.empty((0, 3), np.float32), np.empty((0, 3), np.int32))
    with pytest.raises(EvaluationError, match="0 triangles without area"):
        compare(empty, SQUARE)
    with pytest.raises(EvaluationError, match="without area"):
        compare(SQUARE, empty)


def scaled(factor):
    return TriangleMesh(SQUARE.vertices * np.float32(factor), SQUARE.triangles)


@pytest.mark.parametrize("edge_m", [1e-30, 1e-20, 1e-9])
def test_triangles_too_small_for_an_area_cannot_be_compared(edge_m):
    with pytest.raises(EvaluationError, match="2 triangles without area"):
        compare(scaled(edge_m), SQUARE)
    with pytest.raises(EvaluationError, match="2 triangles without area"):
        compare(SQUARE, scaled(edge_m))


def test_a_triangle_of_a_micrometre_is_still_a_surface():
    found = compare(scaled(1e-6), SQUARE).as_given
    assert found.accuracy_mean_m == pytest.approx(0, abs=1e-9)
    # The mean distance of a unit square from its corner (Santalo): (sqrt 2 + asinh 1) / 3.
    mean_m = (np.sqrt(2) + np.arcsinh(1)) / 3
    assert found.completeness_mean_m == pytest.approx(mean_m, abs=1e-3)


@pytest.mark.parametrize("edge_m", [1.1e5, 1e15, 1e30])
def test_a_mesh_beyond_100_km_is_refused(edge_m):
    with pytest.raises(EvaluationError, match="from the origin of its world; expected at most"):
        compare(scaled(edge_m), SQUARE)
    with pytest.raises(EvaluationError, match="from the origin of its world; expected at most"):
        compare(SQUARE, scaled(edge_m))


def test_a_vertex_that_no_triangle_uses_does_not_count():
    stray = TriangleMesh(
        np.vstack([SQUARE.vertices, [[1e30, 0, 0]]]).astype(np.float32), SQUARE.triangles
    )
    found = compare(stray, SQUARE).as_given
    assert (found.accuracy_mean_m, found.fscore_1cm) == (pytest.approx(0, abs=1e-6), 1)


def test_a_score_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setattr(Surface, "distances_m", lambda self, points: np.full(len(points), np.nan))
    with pytest.raises(EvaluationError, match="expected numbers"):
        compare(SQUARE, SQUARE)
