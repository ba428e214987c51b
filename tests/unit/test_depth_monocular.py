"""Relative depth made metric: the fit, the field through what is left, and honest deviations."""

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth._kriging_kernels import invert
from sensorfusion.depth._nearby_kernels import average_nearby
from sensorfusion.depth.anchor_fit import fit_to_anchors
from sensorfusion.depth.kriging import fit_field
from sensorfusion.depth.monocular import anchored_depth
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import AnchorError, CoordinateSystemMismatchError
from sensorfusion.relative_depth import RelativeDepth

WIDTH, HEIGHT = 160, 120
CAMERA = Camera("color", WIDTH, HEIGHT, 140, 140, 79.5, 59.5)
KINDS = ("inverse", "affine_inverse", "affine_depth", "log")


def values_of(metres, kind):
    """Return what a perfect model would say, with the scale and shift that it then has."""
    if kind == "inverse":
        return 1 / metres / 0.02, (0.02, 0.0)
    if kind == "affine_inverse":
        return (1 / metres - 0.15) / 0.03, (0.03, 0.15)
    if kind == "affine_depth":
        return (metres - 0.5) / 0.004, (0.004, 0.5)
    return np.log(metres / 2.5), (2.5, 0.0)


def room():
    """Return a wall that recedes, with a box before it: metres (H, W)."""
    column = np.arange(WIDTH) / WIDTH
    metres = np.tile(2.0 + 2.0 * column, (HEIGHT, 1))
    metres[40:90, 50:100] = 1.3
    return metres.astype(np.float32)


def anchors_in(metres, rng, count=100, noise=0.02, wrong=0.1):
    places = rng.choice(metres.size, count, replace=False)
    known = metres.ravel()[places] * (1 + noise * rng.standard_normal(count))
    outliers = rng.random(count) < wrong
    known[outliers] = rng.uniform(0.3, 8.0, outliers.sum())
    sparse = np.zeros(metres.size, np.float32)
    sparse[places] = known
    sparse = sparse.reshape(metres.shape)
    return DepthMap(sparse, CAMERA, 0, np.float32(max(noise, 1e-3)) * sparse)


def wave(rng, size):
    """Return a smooth field of some periods over the picture, between -size and size."""
    phase, cycles = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.6, 1.6, 2)
    rows, columns = np.indices((HEIGHT, WIDTH)) / WIDTH
    across = np.sin(2 * np.pi * cycles[0] * columns + phase[0])
    return size * across * np.cos(2 * np.pi * cycles[1] * rows + phase[1])


@pytest.mark.parametrize("kind", KINDS)
def test_scale_and_shift_are_found_from_exact_anchors(kind):
    metres = np.linspace(0.6, 5.0, 60)
    values, (scale, shift) = values_of(metres, kind)
    fit, agrees = fit_to_anchors(values, metres, 0.001 * metres, kind)
    assert fit.scale == pytest.approx(scale, rel=1e-6)
    assert fit.shift == pytest.approx(shift, abs=1e-6)
    assert agrees.all()
    np.testing.assert_allclose(fit.metres(values), metres, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", [0.1, 0.3])
def test_wrong_anchors_do_not_pull_the_fit(kind, wrong):
    rng = np.random.default_rng(5)
    metres = rng.uniform(0.6, 5.0, 200)
    values, _ = values_of(metres, kind)
    outliers = np.arange(200) < 200 * wrong
    known = metres * (1 + 0.01 * rng.standard_normal(200))
    known[outliers] = rng.uniform(0.3, 8.0, outliers.sum())
    fit, agrees = fit_to_anchors(values, known, 0.01 * known, kind)
    np.testing.assert_allclose(fit.metres(values), metres, rtol=0.02)
    assert agrees[~outliers].mean() > 0.98


def test_the_same_anchors_give_the_same_fit():
    rng = np.random.default_rng(2)
    metres = rng.uniform(1, 4, 80)
    values = values_of(metres, "affine_inverse")[0] + 0.1 * rng.standard_normal(80)
    fits = [fit_to_anchors(values, metres, 0.01 * metres, "affine_inverse")[0] for _ in range(2)]
    assert fits[0] == fits[1]


def refused(values, metres, kind):
    with pytest.raises(AnchorError) as caught:
        fit_to_anchors(values, metres, 0.01 * metres, kind)
    assert caught.value.reason.startswith("no anchor: ")
    assert not any(letter.isdigit() for letter in caught.value.reason)
    return str(caught.value)


def test_nine_anchors_are_too_few():
    metres = np.linspace(1, 2, 9)
    assert "too few pixels are known in metres (9 of at least 10)" in refused(
        np.log(metres), metres, "log"
    )


@pytest.mark.parametrize("kind", ["affine_inverse", "affine_depth"])
def test_anchors_of_one_depth_do_not_tell_scale_from_shift(kind):
    rng = np.random.default_rng(3)
    metres = 2.0 * (1 + 0.02 * rng.standard_normal(100))
    values = 50 + 0.01 * rng.standard_normal(100)
    said = refused(values, metres, kind)
    assert f"too alike to tell a scale of a model of kind {kind} from a shift" in said


def test_values_that_fall_with_depth_are_no_affine_depth():
    metres = np.linspace(1, 4, 50)
    said = refused(1 / metres, metres, "affine_depth")
    assert "values fall where those of a model of kind affine_depth rise" in said


def test_values_that_say_nothing_contradict_the_anchors():
    rng = np.random.default_rng(4)
    metres = np.exp(rng.uniform(-2, 2, 200))
    said = refused(rng.uniform(-3, 3, 200), metres, "log")
    assert "contradicts a model of kind log" in said


def test_measured_pixels_stay_and_all_others_are_predicted():
    metres = room()
    rng = np.random.default_rng(6)
    anchors = anchors_in(metres, rng, wrong=0)
    relative = RelativeDepth(np.log(metres), "log", CAMERA, 0)
    depth, _ = anchored_depth(relative, anchors)
    known = anchors.valid
    np.testing.assert_array_equal(depth.metres[known], anchors.metres[known])
    np.testing.assert_array_equal(depth.sigma_m[known], anchors.sigma_m[known])
    assert (depth.origin[known] == Origin.MEASURED).all()
    assert (depth.origin[~known] == Origin.PREDICTED).all()
    np.testing.assert_allclose(depth.metres[~known], metres[~known], rtol=0.06)


def test_the_field_takes_away_half_of_what_a_smooth_error_leaves():
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        metres = room()
        relative = RelativeDepth(
            (np.log(metres) + wave(rng, 0.15)).astype(np.float32), "log", CAMERA, 0
        )
        depth, fit = anchored_depth(relative, anchors_in(metres, rng))
        fitted = np.abs(fit.metres(relative.values) / metres - 1).mean()
        errors.append((fitted, np.abs(depth.metres / metres - 1).mean()))
    fitted, held = np.mean(errors, axis=0)
    assert held < 0.5 * fitted


def test_far_from_the_anchors_the_fit_of_the_whole_stands_and_is_less_certain():
    metres = room()
    rng = np.random.default_rng(8)
    anchors = anchors_in(metres, rng, 300, wrong=0)
    left = anchors.metres.copy()
    left[:, WIDTH // 3 :] = 0
    known = DepthMap(left, CAMERA, 0, np.float32(0.02) * left)
    off = wave(rng, 0.1)
    relative = RelativeDepth((np.log(metres) + off).astype(np.float32), "log", CAMERA, 0)
    depth, _ = anchored_depth(relative, known)
    share = depth.sigma_m / depth.metres
    beside, away = share[:, : WIDTH // 4], share[:, -WIDTH // 4 :]
    assert np.median(away) > 1.5 * np.median(beside)


def test_the_colours_of_a_picture_sharpen_a_soft_edge():
    import cv2

    metres = room()
    picture = np.where(metres < 1.5, 200, 60).astype(np.uint8)
    soft = cv2.GaussianBlur(np.log(metres), (0, 0), 2)
    relative = RelativeDepth(soft.astype(np.float32), "log", CAMERA, 0)
    # All but a ring around the edge of the box is known.
    gap = cv2.dilate(cv2.Canny(picture, 50, 100), np.ones((3, 3), np.uint8)) > 0
    known = DepthMap(np.where(gap, np.float32(0), metres), CAMERA, 0)
    plain, _ = anchored_depth(relative, known)
    guided, _ = anchored_depth(relative, known, picture)
    error = [np.abs(one.metres / metres - 1)[gap].mean() for one in (plain, guided)]
    assert error[1] < 0.5 * error[0]


def test_anchors_of_another_camera_are_refused():
    other = Camera("depth", WIDTH, HEIGHT, 140, 140, 79.5, 59.5)
    relative = RelativeDepth(np.ones((HEIGHT, WIDTH), np.float32), "log", CAMERA, 0)
    with pytest.raises(CoordinateSystemMismatchError, match="draw both into one camera"):
        anchored_depth(relative, DepthMap(np.ones((HEIGHT, WIDTH), np.float32), other, 0))


def test_a_field_passes_between_its_values_and_ends_far_from_them():
    rng = np.random.default_rng(9)
    places = np.concatenate([rng.uniform(0, 1, (60, 2)), np.zeros((60, 1))], axis=1)
    values = 0.2 * np.sin(4 * places[:, 0])
    field = fit_field(places, values, np.full(60, 0.001), 0.15)
    asked = np.array([[0.3, 0.5, 0.0], [0.7, 0.4, 0.0], [0.5, 0.5, 100.0]])
    found, variance = field(asked)
    np.testing.assert_allclose(found[:2], 0.2 * np.sin(4 * asked[:2, 0]), atol=0.02)
    far, _ = field(np.array([[40.0, 40.0, 0.0]]))
    assert abs(far[0]) < 1e-3
    assert variance[0] < 0.2 * field(np.array([[40.0, 40.0, 0.0]]))[1][0]


def test_the_kernel_inverts_as_numpy_does():
    rng = np.random.default_rng(10)
    root = rng.standard_normal((30, 30))
    matrix = root @ root.T + 30 * np.eye(30)
    inverse = np.empty_like(matrix)
    invert(matrix, inverse)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), atol=1e-12)


def test_the_kernel_averages_as_numpy_does():
    rng = np.random.default_rng(11)
    log_z = rng.normal(0, 0.1, (20, 30)).astype(np.float32)
    log_z[rng.random((20, 30)) < 0.5] = np.nan
    guide = rng.uniform(0, 2, (20, 30, 3)).astype(np.float32)
    wanted = np.array([[10, 15], [0, 0], [19, 29]])
    found = np.zeros((3, 4), np.float32)
    numbers = np.array([1.5, 10.0, 99.0], np.float32)
    average_nearby(wanted, np.full(3, 2.0, np.float32), log_z, guide, numbers, found)
    for (row, column), got in zip(wanted, found, strict=True):
        v, u = np.nonzero(np.isfinite(log_z))
        near = (np.abs(v - row) <= 5) & (np.abs(u - column) <= 5)
        v, u = v[near], u[near]
        values = log_z[v, u].astype(np.float64)
        place = np.exp(-((v - row) ** 2 + (u - column) ** 2) / 8)
        alike = np.exp(-np.square(guide[v, u] - guide[row, column]).sum(axis=1) / 2)
        for weight, (mean, variance) in ((place * alike, got[1:3]), (place, (None, got[3]))):
            middle = np.average(values, weights=weight)
            spread = np.average((values - middle) ** 2, weights=weight)
            assert mean is None or mean == pytest.approx(middle, abs=1e-5)
            assert variance == pytest.approx(spread, abs=1e-5)
        assert got[0] == pytest.approx((place * alike).sum(), rel=1e-4)
