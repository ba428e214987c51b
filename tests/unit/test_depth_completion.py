"""Filling between beams: planes, edges, sky, holes and the stated error."""

import math

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth import completion
from sensorfusion.depth.beams import BeamSpacing, beam_spacing
from sensorfusion.depth.completion import beam_spacing_px, complete_smooth
from sensorfusion.depth.guided import complete_guided
from sensorfusion.depth.occlusion import remove_hidden
from sensorfusion.depth.projection import project_cloud
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.distortion import Distortion
from sensorfusion.image import Image

CAMERA = Camera("camera", 80, 60, 60.0, 60.0, 39.5, 29.5)
# 6.5 pixels down and 3.3 across, see test_beams_are_as_far_apart_as_the_picture_is_wide_for_them.
SPACING = BeamSpacing(0.1, 0.05)
FIRST, LAST, DOWN, ACROSS = 10, 52, 6, 3
V, U = np.mgrid[:60, :80]
BEAMS = (V >= FIRST) & (V <= LAST) & ((V - FIRST) % DOWN == 0) & (U % ACROSS == 1)
# Between the beams, so that each pixel has some on all sides.
AMONG = (V >= FIRST) & (V <= LAST) & (U >= 4) & (U < 76)


def sparse(inverse_depth, beams=BEAMS, sigma_m=0.01, no_return=None, camera=CAMERA):
    """Return a map that holds ``1 / inverse_depth`` where beams hit."""
    depth = np.where(beams, 1 / np.broadcast_to(inverse_depth, beams.shape), 0).astype(np.float32)
    origin = np.where(beams, np.uint8(Origin.MEASURED), np.uint8(Origin.UNSEEN))
    if no_return is not None:
        origin[no_return & ~beams] = Origin.NO_RETURN
    sigma = np.where(beams, np.float32(sigma_m), np.float32(0))
    return DepthMap(depth, camera, 7, sigma, origin)


def test_a_plane_tilted_in_the_picture_stays_that_plane():
    plane = 0.2 + 0.001 * (U - 40) + 0.002 * (V - 30)
    filled = complete_smooth(sparse(plane), SPACING)
    # Along the outermost rings there are points on one side only.
    among = AMONG & (V > FIRST + DOWN // 2) & (V < LAST - DOWN // 2)
    off = np.abs(1 / filled.metres[among] - plane[among])
    # A tenth of what the plane changes from beam to beam.
    assert off.max() < 0.1 * (0.002 * DOWN + 0.001 * ACROSS)


def test_all_pixels_among_the_beams_are_filled_and_say_so():
    depth = sparse(0.2)
    filled = complete_smooth(depth, SPACING)
    assert (filled.origin[AMONG & ~BEAMS] == Origin.FILLED).all()
    assert (filled.origin[BEAMS] == Origin.MEASURED).all()
    assert filled.timestamp_ns == 7
    assert filled.camera == CAMERA


def test_measured_pixels_keep_their_depth():
    depth = sparse(0.2 + 0.05 * np.random.default_rng(1).random(BEAMS.shape))
    filled = complete_smooth(depth, SPACING)
    np.testing.assert_array_equal(filled.metres[BEAMS], depth.metres[BEAMS])


def test_nothing_is_changed_in_the_map_that_was_given():
    depth = sparse(0.2)
    before = depth.metres.copy(), depth.sigma_m.copy(), depth.origin.copy()
    complete_smooth(depth, SPACING)
    for layer, old in zip((depth.metres, depth.sigma_m, depth.origin), before, strict=True):
        np.testing.assert_array_equal(layer, old)


def test_nothing_grows_over_the_highest_ring_nor_under_the_lowest():
    filled = complete_smooth(sparse(0.2), SPACING)
    outside = (V < FIRST) | (V > LAST)
    assert (filled.metres[outside] == 0).all()
    assert (filled.sigma_m[outside] == 0).all()
    assert (filled.origin[outside] == Origin.UNSEEN).all()


def test_a_gap_of_three_rings_is_not_bridged_in_its_middle():
    beams = BEAMS & ~((V > 22) & (V < 40))
    filled = complete_smooth(sparse(0.2, beams), SPACING)
    assert (filled.metres[31] == 0).all()


def test_a_lost_beam_is_bridged():
    beams = BEAMS & ~((V == 28) & (U == 40))
    filled = complete_smooth(sparse(0.2, beams), SPACING)
    assert filled.metres[28, 40] == pytest.approx(5.0, rel=1e-4)


def test_beams_that_found_nothing_leave_a_hole():
    around = (np.abs(V - 28) <= DOWN) & (np.abs(U - 40) <= ACROSS)
    empty = BEAMS & around
    filled = complete_smooth(sparse(0.2, BEAMS & ~around, no_return=empty), SPACING)
    assert (filled.origin[empty] == Origin.NO_RETURN).all()
    inside = (np.abs(V - 28) < DOWN) & (np.abs(U - 40) < ACROSS)
    assert (filled.metres[inside] == 0).all()
    assert (filled.origin[inside & ~empty] == Origin.UNSEEN).all()


def test_between_a_roof_and_the_beams_above_it_that_found_nothing_half_is_filled():
    roof = BEAMS & (V >= 28)
    filled = complete_smooth(sparse(0.2, roof, no_return=BEAMS & (V < 28)), SPACING)
    assert (filled.metres[:28] == 0).all()


def test_what_was_hidden_is_filled_from_the_surface_before_it():
    depth = sparse(0.5)
    depth.metres[28, 40], depth.origin[28, 40] = 0, Origin.OCCLUDED
    filled = complete_smooth(depth, SPACING)
    assert filled.metres[28, 40] == pytest.approx(2.0, rel=1e-4)
    assert filled.origin[28, 40] == Origin.FILLED


def test_what_was_left_out_for_its_range_stays_out():
    depth = sparse(0.5)
    depth.metres[28, 40], depth.origin[28, 40] = 0, Origin.TOO_FAR
    filled = complete_smooth(depth, SPACING)
    assert filled.metres[28, 40] == 0
    assert filled.origin[28, 40] == Origin.TOO_FAR


@pytest.mark.parametrize("edge", [U < 40, V < 31, U + V < 70])
def test_nothing_hangs_between_a_near_and_a_far_surface(edge):
    filled = complete_smooth(sparse(np.where(edge, 0.5, 0.1)), SPACING)
    metres = filled.metres[AMONG]
    off = np.minimum(np.abs(metres / 2.0 - 1), np.abs(metres / 10.0 - 1))
    assert off.max() < 0.04


def test_beside_an_edge_the_stated_error_is_large():
    filled = complete_smooth(sparse(np.where(U < 40, 0.5, 0.1)), SPACING)
    at_edge = filled.sigma_m[31, 39:42].max()
    assert at_edge > 0.5
    assert filled.sigma_m[31, 20] < 0.05


def test_on_a_wall_the_stated_error_is_in_proportion_to_the_noise():
    one, two = (complete_smooth(sparse(0.2, sigma_m=s), SPACING).sigma_m for s in (0.02, 0.04))
    np.testing.assert_allclose(two[31, 10:70], 2 * one[31, 10:70], rtol=0.02)
    filled = ~BEAMS[31, 10:70]
    assert (one[31, 10:70][filled] < 0.02).all()
    assert (one[31, 10:70][filled] > 0.01).all()


def test_an_empty_map_stays_empty():
    nothing = sparse(0.2, np.zeros_like(BEAMS))
    filled = complete_smooth(nothing, SPACING)
    assert (filled.metres == 0).all()
    assert (filled.origin == Origin.UNSEEN).all()


def test_beams_are_as_far_apart_as_the_picture_is_wide_for_them():
    # 60 pixels see 2 atan(30 / 60) = 0.9273 rad, 80 pixels 2 atan(40 / 60) = 1.1760 rad.
    down_px, across_px = beam_spacing_px(CAMERA, SPACING)
    assert down_px == pytest.approx(0.1 * 60 / 0.9273, rel=1e-3)
    assert across_px == pytest.approx(0.05 * 80 / 1.1760, rel=1e-3)


def test_in_a_panorama_a_radian_has_as_many_pixels_everywhere():
    panorama = Camera("p", 628, 60, 100.0, 60.0, 313.5, 29.5, Distortion.of("spherical", ()))
    assert beam_spacing_px(panorama, SPACING) == pytest.approx((6.0, 5.0))


def test_the_kernels_agree_with_sums_over_all_points():
    rng = np.random.default_rng(3)
    beams = BEAMS & (rng.random(BEAMS.shape) > 0.2)
    empty = BEAMS & ~beams & (rng.random(BEAMS.shape) > 0.5)
    inverse = np.where(U + 0.5 * V < 55, 0.4, 0.12) + 0.001 * V + 0.002 * rng.random(BEAMS.shape)
    depth = sparse(inverse, beams, no_return=empty)
    filled = complete_smooth(depth, SPACING)
    expected = by_hand(depth)
    told = np.isfinite(expected)
    assert told.mean() > 0.99
    np.testing.assert_allclose(filled.metres[told], expected[told], rtol=1e-4)


def by_hand(depth):
    """Return completed depth, each pixel from the sums over all points around it, float64."""
    metres = depth.metres.astype(np.float64)
    down_px, across_px = beam_spacing_px(CAMERA, SPACING)
    sigma_v, sigma_u = 0.5 * down_px, 0.6 * across_px
    reach_v, reach_u = math.ceil(2.2 * sigma_v), math.ceil(2.2 * sigma_u)
    expected = metres.copy()
    for v, u in np.argwhere(depth.origin == Origin.UNSEEN):
        rows = slice(max(v - reach_v, 0), v + reach_v + 1)
        columns = slice(max(u - reach_u, 0), u + reach_u + 1)
        dv, du = V[rows, columns] - v, U[rows, columns] - u
        weight = np.exp(-0.5 * ((dv / sigma_v) ** 2 + (du / sigma_u) ** 2))
        hit, none = metres[rows, columns] > 0, depth.origin[rows, columns] == Origin.NO_RETURN
        if not ((hit & (dv <= 0)).any() and (hit & (dv >= 0)).any()):
            continue
        if weight[hit].sum() <= weight[none].sum() * (1 + 1e-6):
            # Exactly as much is full as is empty: either is right.
            expected[v, u] = np.nan if weight[none].sum() < weight[hit].sum() * (1 + 1e-6) else 0
            continue
        w, q = weight[hit], 1 / metres[rows, columns][hit]
        expected[v, u] = 1 / settled(w, q, depth.sigma_m[rows, columns][hit] * q**2)
    return expected


def settled(w, q, noise):
    mean = np.average(q, weights=w)
    tolerance = SPACING.vertical_rad / 1.5 + 0.06 * mean
    if np.average(q**2 + 3 * noise**2, weights=w) - mean**2 <= (0.5 * tolerance) ** 2:
        return mean
    front = q > mean
    near, far = (np.average(q[side], weights=w[side]) for side in (front, ~front))
    if near - far <= SPACING.vertical_rad / 1.5 + 0.06 * far:
        return mean
    return near if 1.5 * w[front].sum() > w[~front].sum() else far


@pytest.fixture(scope="module")
def seen_in_hall():
    """Return sparse maps, pictures, spacing and exact depth of a hall, none used to tune."""
    from sensorfusion.simulate.hall import hall, hall_walk
    from sensorfusion.simulate.lidar import spinning_lidar
    from sensorfusion.simulate.lidar_rig import LidarRig, street_rig
    from sensorfusion.simulate.moving import MovingScene

    lidar = spinning_lidar()
    rig = street_rig(lidar)
    simulated = LidarRig(MovingScene(hall(7)), rig, hall_walk, shutter="global")
    seen = []
    for number, time_ns in enumerate((5_000_000_000, 18_000_000_000, 33_000_000_000)):
        cloud = simulated.scan(time_ns, np.random.default_rng([7, number])).cloud
        T_color_lidar = rig.transform("color", "lidar")
        spacing = beam_spacing(cloud, lidar)
        depth = project_cloud(cloud, rig.cameras["color"], T_color_lidar, lidar).depth
        picture = Image(simulated.picture("color", time_ns), "color", time_ns)
        truth = simulated.view("color", time_ns).z_m
        seen.append((remove_hidden(depth, spacing), picture, spacing, truth))
    return seen


def ratios_by_sigma(maps_and_truths):
    errors, sigmas = [], []
    for depth, truth in maps_and_truths:
        both = (depth.metres > 0) & (truth > 0)
        errors.append(np.abs(depth.metres - truth)[both])
        sigmas.append(depth.sigma_m[both])
    error, sigma = np.concatenate(errors), np.concatenate(sigmas)
    bins = np.array_split(np.argsort(sigma, kind="stable"), 5)
    return [np.percentile(error[part] / sigma[part], 68.27) for part in bins]


def test_smooth_completion_errs_as_much_as_it_says(seen_in_hall):
    ratios = ratios_by_sigma((complete_smooth(d, s), truth) for d, _, s, truth in seen_in_hall)
    assert all(0.7 < ratio < 1.3 for ratio in ratios), ratios


def test_guided_completion_errs_as_much_as_it_says(seen_in_hall):
    ratios = ratios_by_sigma((complete_guided(d, p, s), truth) for d, p, s, truth in seen_in_hall)
    assert all(0.7 < ratio < 1.3 for ratio in ratios), ratios


def test_a_picture_makes_edges_better(seen_in_hall):
    for depth, picture, spacing, truth in seen_in_hall:
        smooth, guided = complete_smooth(depth, spacing), complete_guided(depth, picture, spacing)
        both = (smooth.metres > 0) & (truth > 0)
        rmse = [np.sqrt(np.mean((m.metres - truth)[both] ** 2)) for m in (smooth, guided)]
        assert rmse[1] < 0.9 * rmse[0]


def test_the_constants_of_the_twin_are_those_of_the_module():
    assert (completion._SIGMA_DOWN, completion._SIGMA_ACROSS) == (0.5, 0.6)
    assert (completion._JUMP, completion._PLANE_M, completion._TORN) == (0.06, 1.5, 0.5)
