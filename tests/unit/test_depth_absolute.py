import numpy as np
import pytest

from sensorfusion.camera import Camera, ray_table
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth, with_metric_scale
from sensorfusion.depth_map import DepthMap, Origin, RawDepth
from sensorfusion.distortion import Distortion
from sensorfusion.errors import DepthScaleError
from sensorfusion.frame import Frame
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig

NOISE = DepthNoise.structured_light()
CAMERA = Camera("depth", 40, 30, 585.0, 585.0, 19.5, 14.5)
RIG = Rig({"depth": CAMERA}, depth_noise={"depth": NOISE})


def values():
    """Return a near edge at 1 m, one flying pixel in each row, a wall at 2 m, a corner at 5 m."""
    millimetres = np.full((30, 40), 2000, np.uint16)
    millimetres[:, :20], millimetres[:, 20], millimetres[:10, 30:] = 1000, 1500, 5000
    return millimetres


def frame(measurement, index=0):
    return Frame(index, index, "depth", measurement)


def raw_frame(value, unit_m, index=0):
    return frame(RawDepth(np.full((30, 40), value, np.uint16), unit_m, CAMERA, index), index)


def test_raw_depth_becomes_metres_in_range_without_flying_pixels():
    depth = absolute_depth(
        frame(RawDepth(values(), 0.001, CAMERA, 0)), DepthSettings(far_m=4.0), RIG
    )
    expected = values() * np.float32(0.001)
    expected[:, 20], expected[:10, 30:] = 0, 0
    np.testing.assert_array_equal(depth.metres, expected)
    assert (depth.origin[:, 20] == Origin.FILTERED).all()
    assert (depth.origin[:10, 30:] == Origin.TOO_FAR).all()


def test_depth_in_metres_passes_through_the_same_filters():
    metres = (values() * np.float32(0.001)).astype(np.float32)
    settings = DepthSettings()
    from_metres = absolute_depth(frame(DepthMap(metres, CAMERA, 0)), settings, RIG)
    from_raw = absolute_depth(frame(RawDepth(values(), 0.001, CAMERA, 0)), settings, RIG)
    np.testing.assert_array_equal(from_metres.metres, from_raw.metres)
    np.testing.assert_array_equal(from_metres.origin, from_raw.origin)


def test_flying_pixels_stay_when_the_filter_is_off():
    settings = DepthSettings(flying_pixel_filter=False)
    depth = absolute_depth(frame(RawDepth(values(), 0.001, CAMERA, 0)), settings, RIG)
    np.testing.assert_allclose(depth.metres[:, 20], 1.5, rtol=1e-6)


def test_the_uncertainty_of_what_is_left_comes_from_the_sensor():
    settings = DepthSettings(flying_pixel_filter=False)
    depth = absolute_depth(frame(RawDepth(values(), 0.001, CAMERA, 0)), settings, RIG)
    # 0.0012 + 0.0019 (z - 0.4)^2
    np.testing.assert_allclose(depth.sigma_m[20, :15], 0.001884, rtol=1e-4)
    np.testing.assert_allclose(depth.sigma_m[20, 25:], 0.006064, rtol=1e-4)
    assert (depth.sigma_m[:10, 30:] == 0).all()


def test_without_a_range_depth_ends_where_the_sensor_is_too_noisy():
    # A Kinect is 3 cm off at 4.29 m.
    millimetres = np.full((30, 40), 4280, np.uint16)
    millimetres[:, 20:] = 4300
    depth = absolute_depth(frame(RawDepth(millimetres, 0.001, CAMERA, 0)), DepthSettings(), RIG)
    assert depth.valid[:, :20].all()
    assert (depth.origin[:, 20:] == Origin.TOO_FAR).all()


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 45])
def test_every_frame_of_a_sound_recording_passes_once_and_in_order(count):
    frames = [raw_frame(1500, 0.001, index) for index in range(count)]
    assert [f.index for f in with_metric_scale(iter(frames))] == list(range(count))


def test_nothing_passes_of_a_recording_with_a_wrong_unit():
    passed = with_metric_scale(raw_frame(1500, 1.0, index) for index in range(3))
    with pytest.raises(DepthScaleError, match="median depth"):
        next(passed)


def test_a_recording_without_depth_passes_and_is_not_held_back_for_ever():
    taken = []

    def source():
        for index in range(1000):
            taken.append(index)
            yield raw_frame(0, 0.001, index)

    assert next(with_metric_scale(source())).index == 0
    assert len(taken) == 30


def test_a_wrong_unit_that_shows_late_is_still_refused():
    empty = [raw_frame(0, 1.0, index) for index in range(40)]
    passed = with_metric_scale(iter([*empty, raw_frame(1500, 1.0, 40)]))
    assert [next(passed).index for _ in range(40)] == list(range(40))
    with pytest.raises(DepthScaleError, match="millimetres"):
        next(passed)


def test_pixels_to_which_the_lens_gives_no_ray_have_no_depth():
    lens = Distortion("brown_conrady", (-0.35, 0.05, 0.0, 0.0, 0.0))
    camera = Camera("depth", 64, 48, 32.0, 32.0, 31.5, 23.5, lens)
    rayless = np.isnan(ray_table(camera)).any(axis=-1)
    assert rayless.any()
    raw = RawDepth(np.full((48, 64), 1500, np.uint16), 0.001, camera, 0)
    settings = DepthSettings(flying_pixel_filter=False)
    depth = absolute_depth(Frame(0, 0, "depth", raw), settings, RIG)
    assert (depth.metres[rayless] == 0).all()
    np.testing.assert_allclose(depth.metres[~rayless], 1.5, rtol=1e-6)
