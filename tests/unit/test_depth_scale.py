import numpy as np
import pytest

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth.scale import check_scale, to_metres
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.distortion import Distortion
from sensorfusion.errors import DepthScaleError
from sensorfusion.point_cloud import PointCloud

CAMERA = Camera("depth", 8, 6, 100.0, 100.0, 3.5, 2.5)


def raw(values, unit_m, kind="z", camera=CAMERA):
    values = np.asarray(values)
    full = np.zeros((camera.height, camera.width), values.dtype)
    full.reshape(-1)[: values.size] = values.reshape(-1)
    return RawDepth(full, unit_m, camera, 7, kind)


def full(value, dtype, unit_m):
    return RawDepth(np.full((6, 8), value, dtype), unit_m, CAMERA, 0)


def test_millimetres_become_metres():
    depth = to_metres(raw(np.array([1482, 1, 65534], np.uint16), 0.001))
    assert depth.metres.dtype == np.float32
    np.testing.assert_allclose(depth.metres[0, :3], [1.482, 0.001, 65.534], rtol=1e-6)
    assert depth.timestamp_ns == 7


def test_the_unit_of_tum_is_a_fifth_of_a_millimetre():
    depth = to_metres(raw(np.array([5000], np.uint16), 1 / 5000))
    assert depth.metres[0, 0] == np.float32(1.0)


def test_zero_and_saturation_are_no_depth():
    depth = to_metres(raw(np.array([0, 65535, 1000], np.uint16), 0.001))
    np.testing.assert_array_equal(depth.metres[0, :3] > 0, [False, False, True])


def test_nan_infinity_and_negative_values_are_no_depth():
    values = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 3e38, 2.5], np.float32)
    depth = to_metres(raw(values, 100.0))
    np.testing.assert_array_equal(depth.metres[0, :7], [0, 0, 0, 0, 0, 0, 250])


def test_65535_is_a_depth_in_float_values():
    assert to_metres(raw(np.array([65535], np.float32), 0.001)).metres[0, 0] == pytest.approx(
        65.535
    )


@pytest.mark.parametrize(
    "distortion",
    [Distortion(), Distortion("inverse_brown_conrady", (0.1, -0.2, 0.001, 0.002, 0.05))],
)
def test_a_wall_stored_as_ray_length_comes_out_flat(distortion):
    camera = Camera("depth", 64, 48, 50.0, 52.0, 31.0, 24.5, distortion)
    x, y = np.moveaxis(ray_table(camera).astype(float), -1, 0)
    length_m = (2.0 * np.sqrt(1 + x**2 + y**2)).astype(np.float32)
    depth = to_metres(RawDepth(length_m, 1.0, camera, 0, "range"))
    np.testing.assert_allclose(depth.metres, 2.0, atol=1e-6)


def test_a_row_of_a_larger_array_is_read_as_it_stands():
    values = np.zeros((6, 16), np.uint16)
    values[:, ::2] = 2000
    depth = to_metres(RawDepth(values[:, ::2], 0.001, CAMERA, 0))
    np.testing.assert_array_equal(depth.metres, np.float32(2.0))


@pytest.mark.parametrize("unit_m", [0.0, -0.001, np.nan, np.inf])
def test_a_unit_that_is_no_positive_number_is_refused(unit_m):
    with pytest.raises(DepthScaleError, match="one unit is"):
        to_metres(full(1000, np.uint16, unit_m))


def test_metres_passed_as_millimetres_are_refused():
    with pytest.raises(DepthScaleError, match=r"0\.0015 m .*metres as millimetres\?"):
        check_scale([full(1.5, np.float32, 0.001)] * 3)


@pytest.mark.parametrize("value", [150, 1500, 4000])
def test_millimetres_passed_as_metres_are_refused(value):
    with pytest.raises(DepthScaleError, match=r"millimetres as metres\?"):
        check_scale([full(value, np.uint16, 1.0)])


def test_depth_in_metres_that_was_scaled_twice_is_refused():
    depth = DepthMap(np.full((6, 8), 0.002, np.float32), CAMERA, 0)
    with pytest.raises(DepthScaleError):
        check_scale([depth])


@pytest.mark.parametrize("metres", [0.05, 0.3, 1.5, 9.0, 80.0])
def test_depth_that_sensors_see_is_accepted(metres):
    check_scale([full(metres, np.float32, 1.0)])


def test_a_hand_before_the_lens_does_not_stop_a_recording():
    good, odd = full(1500, np.uint16, 0.001), full(10, np.uint16, 0.001)
    check_scale([odd, good, good, odd, good])


def test_frames_without_depth_are_not_counted():
    empty, wrong = full(0, np.uint16, 1.0), full(1500, np.uint16, 1.0)
    check_scale([empty] * 20)
    with pytest.raises(DepthScaleError, match="over 1 frames"):
        check_scale([empty] * 20 + [wrong])


def test_the_check_reads_ten_frames_with_depth_and_no_more():
    frames = iter([full(1500, np.uint16, 0.001)] * 15)
    check_scale(frames)
    assert len(list(frames)) == 5


def test_a_few_pixels_in_a_large_empty_map_are_found():
    camera = Camera("depth", 640, 480, 500.0, 500.0, 320.0, 240.0)
    values = np.zeros((480, 640), np.uint16)
    values[101, 203] = 1500
    with pytest.raises(DepthScaleError):
        check_scale([RawDepth(values, 1.0, camera, 0)])


def test_scans_are_judged_by_what_a_lidar_sees():
    def scan(range_m):
        return PointCloud(np.full((50, 3), range_m / np.sqrt(3), np.float32), "lidar")

    assert check_scale([scan(150.0)])
    with pytest.raises(DepthScaleError, match="did you pass millimetres as metres"):
        check_scale([scan(5000.0)])
