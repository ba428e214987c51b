"""Stereo pairs become depth: of the reference camera, in metres, as certain as it says."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnx_model import node, write_model
from sensorfusion.config import DepthSettings
from sensorfusion.config_pictures import StereoSettings
from sensorfusion.depth.absolute import absolute_depth, with_metric_scale
from sensorfusion.depth.stereo import glimpse_depth, stereo_depth
from sensorfusion.depth.stereo_fuse import fuse_views
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CalibrationError, DepthScaleError
from sensorfusion.evaluate.uncertainty import bins_by_sigma
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source, read_truth
from sensorfusion.stereo_pair import StereoPair
from sensorfusion.transform import RigidTransform

OPTIONS = {"cameras": "3", "noise": "camera", "frames": "600"}
FOCAL_BASELINE_PX_M = 480.0 * 0.12
USUAL = StereoSettings()


@pytest.fixture(scope="module")
def room():
    """Two frames of a trinocular rig, the depth of its pair and of all three, and the truth."""
    truth = read_truth("synthetic:room", options=OPTIONS).depth
    with open_source("synthetic:room", options=OPTIONS) as source:
        frames = []
        for index in (0, 450):
            three = source[index].measurement
            pair = StereoPair(three.left, three.right)
            frames.append(
                (
                    stereo_depth(pair, source.rig, USUAL),
                    stereo_depth(three, source.rig, USUAL),
                    truth("left", index).metres,
                )
            )
        return source.rig, three, frames


def off_px(depth, true_m):
    """Return by how many pixels of disparity depth is off, NaN where there is none."""
    with np.errstate(divide="ignore"):
        off = FOCAL_BASELINE_PX_M * np.abs(1 / depth.metres - 1 / true_m)
    return np.where(depth.valid & (true_m > 0), off, np.nan)


def test_depth_is_that_of_the_distorted_reference_camera(room):
    rig, three, frames = room
    assert [pair.timestamp_ns for pair, _, _ in frames] == [0, three.left.timestamp_ns]
    for pair, _, true_m in frames:
        assert pair.camera is rig.cameras["left"]
        off = off_px(pair, true_m)
        assert np.isfinite(off).mean() > 0.8
        assert np.nanmedian(off) < 0.12
        assert np.mean(off[np.isfinite(off)] > 2) < 0.025
        # In metres: nothing is scaled or shifted as a whole.
        ratio = np.median((pair.metres / true_m)[pair.valid])
        assert ratio == pytest.approx(1, abs=0.002)


def test_sigma_is_as_large_as_the_errors_are(room):
    for pair, three, true_m in room[2]:
        for depth in (pair, three):
            known = depth.valid & (true_m > 0)
            errors = np.abs(depth.metres - true_m)[known]
            ratios = [each.ratio_68 for each in bins_by_sigma(errors, depth.sigma_m[known])]
            assert len(ratios) == 5
            assert min(ratios) > 0.6
            assert max(ratios) < 1.3


def test_three_cameras_err_less_often_than_two_and_see_more(room):
    bad, seen = np.zeros(2), np.zeros(2)
    for *views, true_m in room[2]:
        for k, depth in enumerate(views):
            off = off_px(depth, true_m)
            bad[k] += np.count_nonzero(off > 2)
            seen[k] += np.count_nonzero(np.isfinite(off))
    share = bad / seen
    assert share[1] <= 0.7 * share[0]
    assert seen[1] > seen[0]


def test_the_same_pair_gives_the_same_bytes_under_load(room):
    rig, three, _ = room
    pair = StereoPair(three.left, three.right)
    expected = stereo_depth(pair, rig, USUAL)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: stereo_depth(pair, rig, USUAL), range(4)):
            assert found.metres.tobytes() == expected.metres.tobytes()
            assert found.sigma_m.tobytes() == expected.sigma_m.tobytes()
            assert found.origin.tobytes() == expected.origin.tobytes()


def test_every_pixel_says_where_it_comes_from(room):
    pair, three, _ = room[2][0]
    for depth in (pair, three):
        np.testing.assert_array_equal(depth.origin == Origin.MEASURED, depth.valid)
        assert (depth.sigma_m > 0)[depth.valid].all()
        assert not depth.sigma_m[~depth.valid].any()
    assert (pair.origin == Origin.OCCLUDED).mean() > 0.02


def test_a_glimpse_is_coarse_but_in_metres(room):
    rig, three, frames = room
    coarse = glimpse_depth(three, rig)
    true_m = frames[1][2]
    assert coarse.camera.width <= 256
    assert coarse.valid.mean() > 0.6
    assert np.median(coarse.metres[coarse.valid]) == pytest.approx(np.median(true_m), rel=0.1)


def test_nothing_nearer_than_asked_for_is_looked_for(room):
    rig, three, frames = room
    pair = StereoPair(three.left, three.right)
    depth = stereo_depth(pair, rig, StereoSettings(nearest_m=2.0))
    true_m = frames[1][2]
    assert (true_m < 1.6).mean() > 0.05
    assert depth.valid[true_m > 2.2].mean() > 0.7
    near = depth.valid & (true_m < 1.6)
    assert near.mean() < 0.1 * (true_m < 1.6).mean()


# What cannot be meant.

PLAIN = np.full((480, 640), 90, np.uint8)


def test_a_picture_of_another_size_than_its_camera_is_refused(room):
    rig = room[0]
    pair = StereoPair(Image(PLAIN[:240], "left", 0), Image(PLAIN[:240], "right", 0))
    with pytest.raises(CalibrationError, match="'left' has 640x240 pixels; the calibration is for"):
        stereo_depth(pair, rig, USUAL)


def test_a_camera_that_the_rig_does_not_have_is_refused(room):
    pair = StereoPair(Image(PLAIN, "left", 0), Image(PLAIN, "above", 0))
    with pytest.raises(CalibrationError, match="'above'"):
        stereo_depth(pair, room[0], USUAL)


def rig_of_baseline(rig, baseline_m):
    matrix = np.eye(4)
    matrix[0, 3] = -baseline_m
    cameras = {name: rig.cameras[name] for name in ("left", "right")}
    return Rig(cameras, (RigidTransform("right", "left", matrix),))


@pytest.mark.parametrize(
    ("baseline_m", "question"),
    [
        (120.0, "did you pass millimetres as metres"),
        (0.00012, "did you pass metres as millimetres"),
        # Centimetres as metres: no baseline is impossible, but the room is 200 m wide.
        (9.9, "median depth .* did you pass millimetres as metres"),
    ],
)
def test_a_calibration_in_another_unit_is_refused_before_anything_is_fused(
    room, baseline_m, question
):
    rig, three, _ = room
    frame = Frame(0, 0, "left", StereoPair(three.left, three.right))
    with pytest.raises(DepthScaleError, match=question):
        next(with_metric_scale([frame], rig_of_baseline(rig, baseline_m)))


def test_the_depth_stage_keeps_the_range_and_the_matcher_s_own_sigma(room):
    rig, three, frames = room
    frame = Frame(0, 0, "left", StereoPair(three.left, three.right))
    depth = absolute_depth(frame, DepthSettings(far_m=2.0, flying_pixel_filter=False), rig)
    pair = frames[1][0]
    kept = pair.valid & (pair.metres <= 2.0) & (pair.metres >= 0.1)
    np.testing.assert_array_equal(depth.valid, kept)
    np.testing.assert_array_equal(depth.sigma_m[kept], pair.sigma_m[kept])
    assert (depth.origin[pair.metres > 2.0] == Origin.TOO_FAR).all()


# A network in the matcher's place.


def test_a_network_of_the_user_takes_the_matcher_s_place(tmp_path, room):
    rig, three, _ = room
    # It says 24 px of its own 320, everywhere: right to a pixel where disparity is 48 of 640.
    constant = write_model(
        tmp_path / "constant.onnx",
        [
            node("Concat", ["first", "second"], "both", axis=1),
            node("Conv", ["both", "weights", "bias"], "disparity", kernel_shape=[1, 1]),
        ],
        {"first": (1, 3, 256, 320), "second": (1, 3, 256, 320)},
        {"disparity": (1, 1, 256, 320)},
        {"weights": np.zeros((1, 6, 1, 1), np.float32), "bias": np.array([24], np.float32)},
    )
    pair = StereoPair(three.left, three.right)
    depth = stereo_depth(pair, rig, StereoSettings(model=str(constant), nearest_m=0.5))
    width = 640 + 28  # of the rectified picture, about
    expected_m = FOCAL_BASELINE_PX_M / (24 * width / 320)
    assert depth.valid.any()
    assert np.median(depth.metres[depth.valid]) == pytest.approx(expected_m, rel=0.05)


# Several views as one.


def view(metres, sigma_m, origin=None):
    camera_metres = np.array([metres], np.float32)
    camera = FUSE_RIG.cameras["left"]
    sigma = np.array([sigma_m], np.float32)
    return DepthMap(camera_metres, camera, 0, sigma, origin)


def _row_rig():
    from sensorfusion.camera import Camera

    return Rig({"left": Camera("left", 4, 1, 10.0, 10.0, 2.0, 0.0)})


FUSE_RIG = _row_rig()


def test_views_that_agree_are_averaged_in_inverse_depth():
    first, second = (
        view([2.0, 2.0, 0, 0], [0.02, 0.02, 0, 0]),
        view([2.02, 0, 0, 0], [0.04, 0, 0, 0]),
    )
    fused = fuse_views([first, second], [40.0, 40.0])
    # Inverse depths 0.5 and 0.49505, deviations 0.005 and 0.0098029, weights as their squares.
    weights = np.array([0.005**-2, 0.0098029**-2])
    expected = weights.sum() / (weights @ [0.5, 1 / 2.02])
    assert fused.metres[0, 0] == pytest.approx(expected, rel=1e-5)
    # 0.3 of each variance is common to both: nothing of it is averaged away.
    sigma = np.sqrt((0.7 + 0.3 * 2) / weights.sum()) * expected**2
    assert fused.sigma_m[0, 0] == pytest.approx(sigma, rel=1e-4)
    # One alone is certain: 0.005 per m times 40 px m is 0.2 px.
    assert fused.metres[0, 1] == 2.0
    assert fused.sigma_m[0, 1] == pytest.approx(0.02, rel=1e-5)
    assert fused.metres[0, 2] == 0


def test_a_view_that_is_alone_and_not_certain_is_left_out():
    # 0.01 per m times 40 px m is 0.4 px.
    fused = fuse_views([view([2.0, 0, 0, 0], [0.04, 0, 0, 0]), view([0] * 4, [0] * 4)], [40.0] * 2)
    assert not fused.metres.any()
    assert fused.origin[0].tolist() == [Origin.FILTERED, 0, 0, 0]


def test_views_that_contradict_each_other_are_left_out_and_two_outvote_one():
    near, far = (
        view([1.0, 1.0, 0, 0], [0.01] * 2 + [0] * 2),
        view([2.0, 2.0, 0, 0], [0.01] * 2 + [0] * 2),
    )
    two = fuse_views([near, far], [40.0] * 2)
    assert not two.metres.any()
    assert (two.origin[0, :2] == Origin.FILTERED).all()
    three = fuse_views([near, far, far], [40.0] * 3)
    np.testing.assert_allclose(three.metres[0, :2], 2.0, rtol=1e-6)


def test_an_empty_pixel_says_what_the_views_say_of_it():
    kinds = [np.array([[0, 5, 0, 3]], np.uint8), np.array([[0, 0, 4, 5]], np.uint8)]
    views = [view([0] * 4, [0] * 4, origin) for origin in kinds]
    fused = fuse_views(views, [40.0] * 2)
    assert fused.origin[0].tolist() == [0, Origin.OCCLUDED, Origin.FILTERED, Origin.TOO_FAR]
