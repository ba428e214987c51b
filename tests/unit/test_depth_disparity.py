"""Disparity: how exact it is, what is left out, and that it is the same every time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sensorfusion.depth import _stereo_kernels as kernels
from sensorfusion.depth.disparity import (
    Search,
    find_disparity,
    glimpse,
    largest_seen,
    semi_global,
)
from sensorfusion.depth_map import Origin

HEIGHT, WIDTH = 90, 200
SEARCH = Search.between(0, 40)


def scene(disparity, seed=0, noise=0.0):
    """Return two pictures of band-limited texture, the second moved by a disparity (H, W)."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.05, 0.9, (60, 2)) * rng.choice([-1, 1], (60, 2))
    phases, sizes = rng.uniform(0, 2 * np.pi, 60), rng.uniform(2, 7, 60)
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(float)

    def texture(u):
        parts = (
            s * np.sin(a * u + b * v + p) for (a, b), p, s in zip(waves, phases, sizes, strict=True)
        )
        return 128 + sum(parts)

    # The reference sees the texture moved, so that the disparity is that of its own pixels.
    left, right = texture(u - disparity), texture(u)
    noisy = (p + noise * rng.standard_normal(p.shape) for p in (left, right))
    return tuple(np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in noisy)


@pytest.mark.parametrize("fraction", [0.0, 0.15, 0.3, 0.5, 0.65, 0.8])
def test_disparities_between_pixels_are_not_pulled_to_whole_ones(fraction):
    found = find_disparity(scene(np.full((HEIGHT, WIDTH), 12 + fraction)), SEARCH).values
    known = np.isfinite(found)
    assert known.mean() > 0.85
    assert abs(np.median(found[known]) - 12 - fraction) < 0.02
    assert np.percentile(np.abs(found[known] - 12 - fraction), 68) < 0.05


def test_a_slanted_surface_is_read_exactly():
    slope = 8 + np.arange(WIDTH) * 0.08 + np.arange(HEIGHT)[:, None] * 0.03
    found = find_disparity(scene(slope), SEARCH).values
    known = np.isfinite(found)
    assert known.mean() > 0.8
    assert np.percentile(np.abs(found - slope)[known], 68) < 0.06


def test_what_is_hidden_from_the_other_camera_is_left_out():
    near = np.full((HEIGHT, WIDTH), 10.0)
    left, right = scene(near)
    over_left, over_right = scene(near, seed=1)
    left[30:60, 100:150] = over_left[30:60, 100:150]
    # Nearer by 16 px: it hides 16 columns of the ground, left of it as the right camera sees it.
    right[30:60, 74:124] = over_right[30:60, 90:140]
    found = find_disparity((left, right), SEARCH)
    hidden = found.origin[34:56, 86:98]
    assert np.isfinite(found.values[34:56, 86:98]).mean() < 0.1
    assert (hidden == Origin.OCCLUDED).mean() > 0.5
    assert np.nanmedian(found.values[34:56, 105:145]) == pytest.approx(26, abs=0.05)


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_of_a_blank_wall_next_to_nothing_is_matched(noise):
    rng = np.random.default_rng(5)
    pictures = tuple(
        np.rint(120 + noise * rng.standard_normal((480, 640))).astype(np.uint8) for _ in range(2)
    )
    assert np.isfinite(find_disparity(pictures, SEARCH).values).mean() < 0.05


def test_a_noisy_picture_is_told_to_be_less_certain():
    plain = np.full((HEIGHT, WIDTH), 12.4)
    sigmas = []
    for noise in (0.0, 6.0, 18.0):
        found = find_disparity(scene(plain, noise=noise), SEARCH)
        sigmas.append(np.median(found.sigma_px[np.isfinite(found.values)]))
    assert sigmas[0] < sigmas[1] < sigmas[2]


def test_what_is_nearer_than_the_search_is_no_depth():
    search = Search(0, 16)
    found = find_disparity(scene(np.full((HEIGHT, WIDTH), 14.8)), search)
    assert np.isnan(found.values).mean() > 0.9
    assert (found.origin == Origin.TOO_NEAR).mean() > 0.5


def test_a_search_holds_both_ends_with_a_margin():
    search = Search.between(-31.086, 60.0)
    assert search.least <= -32
    assert search.largest >= 61
    assert search.count % 16 == 0


@pytest.mark.parametrize("disparity", [7.0, 22.0, 60.0])
def test_small_copies_tell_how_near_the_nearest_is(disparity):
    pictures = scene(np.full((HEIGHT, WIDTH), disparity))
    largest = largest_seen(*glimpse(pictures, 0.0))
    assert disparity < largest < 1.2 * disparity + 4
    blank = np.full((HEIGHT, WIDTH), 100, np.uint8)
    assert largest_seen(*glimpse((blank, blank), 0.0)) is None


def test_negative_disparities_are_found_as_well():
    found = find_disparity(scene(np.full((HEIGHT, WIDTH), -7.25)), Search.between(-12, 20)).values
    assert np.nanmedian(found) == pytest.approx(-7.25, abs=0.02)
    assert np.isfinite(found).mean() > 0.85


def test_matching_is_the_same_on_any_number_of_threads():
    import cv2

    pictures = scene(10 + np.arange(WIDTH) * 0.05 + np.zeros((HEIGHT, 1)), noise=2.0)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        expected = find_disparity(pictures, SEARCH).values.tobytes()
        cv2.setNumThreads(4)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: find_disparity(pictures, SEARCH).values, range(8)))
    finally:
        cv2.setNumThreads(before)
    assert all(each.tobytes() == expected for each in found)


def test_any_matcher_can_stand_in():
    pictures = scene(np.full((HEIGHT, WIDTH), 9.3))

    def told(left, right, search):
        return np.full(left.shape, np.float32(9.0))

    found = find_disparity(pictures, SEARCH, told).values
    assert np.nanmedian(found) == pytest.approx(9.3, abs=0.1)


def test_a_matcher_gives_no_number_where_it_finds_nothing():
    values = semi_global(*scene(np.full((HEIGHT, WIDTH), 30.0)), Search(0, 16))
    assert np.isnan(values).mean() > 0.1
    assert not (values < 0).any()


# The kernels beside plain twins in float64.


def refined_by_hand(left, right, disparity, v, u, settings):
    """Return what one window says, written from the formulas: plane, then one step."""
    radius, tolerance, least, prior = settings
    rows, columns = np.mgrid[v - radius : v + radius + 1, u - radius : u + radius + 1]
    inside = (rows >= 0) & (rows < HEIGHT) & (columns >= 0) & (columns < WIDTH)
    rows, columns = rows[inside], columns[inside]
    x, y = columns - u, rows - v
    d = disparity[rows, columns] - disparity[v, u]
    plane = np.zeros(3)
    limit = tolerance * (1 + 0.5 * np.maximum(abs(x), abs(y)))
    for within in (limit, np.full(len(x), tolerance)):
        on = np.abs(d - (plane[0] + plane[1] * x + plane[2] * y)) < within
        sides = np.stack([x[on], y[on]], axis=1).astype(float)
        centred = sides - sides.mean(axis=0)
        slope = np.linalg.solve(
            centred.T @ centred + 4 * np.eye(2), centred.T @ (d[on] - d[on].mean())
        )
        plane = np.array([d[on].mean() - sides.mean(axis=0) @ slope, *slope])
    off = d - (plane[0] + plane[1] * x + plane[2] * y)
    on = np.abs(off) < tolerance
    place = columns[on] - (disparity[v, u] + (d - off)[on])
    base = np.floor(place).astype(int)
    t = place - base
    p = np.stack([right[rows[on], base + k] for k in (-1, 0, 1, 2)]).astype(float)
    # Keys' cubic, by its matrix.
    cubic = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) @ p
    value = cubic[0] + t * (cubic[1] + t * (cubic[2] + t * cubic[3]))
    slope = cubic[1] + 2 * t * cubic[2] + 3 * t * t * cubic[3]
    r, g = left[rows[on], columns[on]] - value, slope
    r, g = r - r.mean(), g - g.mean()
    rest = max(r @ r - (g @ r) ** 2 / (g @ g + 1e-3), 0) / (on.sum() - 2)
    step = -(g @ r) / (g @ g + max(rest, least) * prior)
    told = (rest, g @ g, on.sum() / (2 * radius + 1) ** 2, np.mean(off[on] ** 2))
    return disparity[v, u] + plane[0] + step, told


def test_refinement_is_what_the_formulas_say():
    slope = 10 + np.arange(WIDTH) * 0.06 + np.zeros((HEIGHT, 1))
    slope[:, 120:] += 9
    left, right = (p.astype(np.float32) for p in scene(slope, noise=2.0))
    rng = np.random.default_rng(2)
    disparity = (slope + rng.normal(0, 0.2, slope.shape)).astype(np.float32)
    settings = (3, 1.0, 4.0, 1 / 0.12**2)
    refined, told = np.empty_like(disparity), np.zeros((HEIGHT, WIDTH, 4), np.float32)
    kernels.refine(left, right, disparity, np.array(settings, np.float32), refined, told)
    for v, u in ((40, 60), (40, 118), (3, 80), (88, 150), (20, 190), (50, 121)):
        expected, certainty = refined_by_hand(left, right, disparity, v, u, settings)
        assert refined[v, u] == pytest.approx(expected, abs=2e-3)
        np.testing.assert_allclose(told[v, u], certainty, rtol=2e-3, atol=1e-4)


def test_the_check_is_what_its_sentence_says():
    rng = np.random.default_rng(4)
    there = np.round(rng.uniform(0, 12, (20, 60)) * 16).astype(np.float32) / 16
    back = np.round(rng.uniform(0, 12, (20, 60)) * 16).astype(np.float32) / 16
    there[rng.random(there.shape) < 0.1] = np.nan
    back[rng.random(back.shape) < 0.1] = np.nan
    expected = np.zeros(there.shape, np.uint8)
    for v in range(20):
        for u in range(60):
            d = float(there[v, u])
            if np.isnan(d):
                continue
            place = int(np.floor(u - d + 0.5))
            if place < 0:
                expected[v, u] = Origin.OCCLUDED
            elif abs(back[v, place] - d) <= 1:
                expected[v, u] = Origin.MEASURED
            else:
                expected[v, u] = Origin.OCCLUDED if back[v, place] > d else Origin.FILTERED
    origin, checked = np.zeros(there.shape, np.uint8), there.copy()
    kernels.check(checked, back, 1.0, origin)
    np.testing.assert_array_equal(origin, expected)
    kept = expected == Origin.MEASURED
    np.testing.assert_array_equal(np.isfinite(checked), kept)
    np.testing.assert_array_equal(checked[kept], there[kept])


def test_what_is_beside_a_gap_says_whether_it_is_hidden():
    rng = np.random.default_rng(6)
    there = np.where(rng.random((20, 60)) < 0.6, rng.integers(0, 12, (20, 60)), np.nan)
    back = np.where(rng.random((20, 60)) < 0.9, rng.integers(0, 12, (20, 60)), np.nan)
    expected = np.where(np.isnan(there), 0, 1)
    for v in range(20):
        for u in np.flatnonzero(np.isnan(there[v])):
            before, behind = there[v, :u], there[v, u + 1 :]
            sides = [*before[np.isfinite(before)][-1:], *behind[np.isfinite(behind)][:1]]
            if not sides:
                continue
            place = int(u - min(sides))
            if place < 0 or back[v, place] > min(sides) + 1:
                expected[v, u] = Origin.OCCLUDED
    origin = np.where(np.isnan(there), 0, 1).astype(np.uint8)
    kernels.explain(there.astype(np.float32), back.astype(np.float32), 1.0, origin)
    np.testing.assert_array_equal(origin, expected)
    assert (expected == Origin.OCCLUDED).sum() > 50


def test_on_the_way_back_planes_stay_planes_and_edges_stay_edges():
    v, u = np.mgrid[:30, :40].astype(np.float32)
    disparity = 5 + 0.2 * u + 0.1 * v
    disparity[:, 20:] += 8
    sigma = np.full_like(disparity, 0.25)
    origin = np.full(disparity.shape, np.uint8(Origin.MEASURED))
    origin[5, 7], disparity[5, 7] = Origin.OCCLUDED, np.nan
    rng = np.random.default_rng(1)
    pixels = rng.uniform([1, 1], [38, 28], (50, 60, 2)).astype(np.float32)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = (7.2, 4.9), (-3, 5), (np.nan, np.nan)
    out, out_origin = np.zeros((50, 60, 2), np.float32), np.zeros((50, 60), np.uint8)
    kernels.bring_back(disparity, sigma, origin, pixels, out, out_origin)
    assert out_origin[0, :3].tolist() == [Origin.OCCLUDED, 0, 0]
    assert out[0, :3].tolist() == [[0, 0]] * 3
    x, y = pixels[..., 0], pixels[..., 1]
    plane = 5 + 0.2 * x + 0.1 * y
    far, near = (x > 1) & (x < 19), (x > 20) & (x < 38)
    hole = (np.abs(x - 7) < 1) & (np.abs(y - 5) < 1)
    hole[0, :3] = True
    np.testing.assert_allclose(out[far & ~hole, 0], plane[far & ~hole], atol=1e-4)
    np.testing.assert_allclose(out[near & ~hole, 0], plane[near & ~hole] + 8, atol=1e-4)
    # Between both sides there is no third one.
    between = (x > 19) & (x < 20) & ~hole
    off = np.minimum(np.abs(out[..., 0] - plane), np.abs(out[..., 0] - plane - 8))
    assert off[between].max() < 0.2 + 1e-4
    np.testing.assert_allclose(out[~hole, 1], 0.25, atol=1e-6)
