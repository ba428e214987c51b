import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import ConfigError
from sensorfusion.view.colormap import colorize, common_range, with_legend

# First, middle and last colour of the published table of Turbo, red green blue.
TURBO_FIRST, TURBO_LAST = (48, 18, 59), (122, 4, 3)


def metres(*values):
    return np.array([values], dtype=np.float32)


def depth_map(values):
    camera = Camera("depth", values.shape[1], values.shape[0], 100, 100, 1, 1)
    return DepthMap(values.astype(np.float32), camera, 0)


def test_the_ends_of_the_range_take_the_ends_of_turbo():
    found = colorize(metres(1, 3, 0.5, 9), 1.0, 3.0)[0]
    assert found.tolist() == [[*TURBO_FIRST], [*TURBO_LAST], [*TURBO_FIRST], [*TURBO_LAST]]


def test_no_depth_is_black():
    assert colorize(metres(0, 2), 1.0, 3.0)[0, 0].tolist() == [0, 0, 0]


def test_another_map_is_chosen_by_name():
    # "hot" runs from black over red to white.
    found = colorize(metres(1, 2, 3), 1.0, 3.0, "hot")[0]
    assert found[0].tolist()[1:] == [0, 0]
    assert found[2].tolist() == [255, 255, 255]
    assert found[0, 0] < found[1, 0]


def test_equal_depth_has_an_equal_colour_whatever_else_is_in_the_picture():
    alone = colorize(metres(2.0), 0.5, 4.0)
    beside = colorize(metres(2.0, 0.6, 3.9), 0.5, 4.0)
    np.testing.assert_array_equal(alone[0, 0], beside[0, 0])


def test_one_range_serves_all_maps_and_leaves_out_the_odd_pixel():
    near = np.full((50, 50), 1.02)
    far = np.full((50, 50), 2.57)
    far[0, 0] = 60.0
    assert common_range([depth_map(near), depth_map(far)]) == (1.0, 2.6)
    assert common_range([depth_map(np.full((4, 9), 1.0))]) == (1.0, 1.1)
    assert common_range([depth_map(np.zeros((4, 9)))]) == (0.0, 1.0)
    assert common_range([]) == (0.0, 1.0)


def test_a_legend_leaves_the_picture_alone_and_shows_the_range_from_left_to_right():
    picture = colorize(np.full((60, 320), 1.5, np.float32), 0.0, 3.0)
    found = with_legend(picture, 0.0, 3.0)
    np.testing.assert_array_equal(found[:60], picture)
    assert found.shape == (60 + 46, 320, 3)
    bar = found[60 + 15]
    assert bar[8].tolist() == [*TURBO_FIRST]
    assert bar[311].tolist() == [*TURBO_LAST]
    # 1 m stands at a third of the bar: a white tick below that place, and white letters.
    assert found[60 + 8 + 14, 8 + round(303 / 3)].tolist() == [255, 255, 255]
    assert (found[60 + 30 :] > 200).any()


@pytest.mark.parametrize("width", [1, 20, 57, 1920])
def test_a_legend_fits_under_any_picture(width):
    picture = np.zeros((4, width, 3), np.uint8)
    assert with_legend(picture, 0.3, 0.4).shape == (50, width, 3)


def test_a_colour_map_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'turbo'"):
        colorize(metres(1), 0.0, 1.0, "turbbo")
    with pytest.raises(ConfigError, match=r"known: .*viridis"):
        colorize(metres(1), 0.0, 1.0, "zzz")


@pytest.mark.parametrize(("near_m", "far_m"), [(1, 1), (2, 1), (-1, 1), (float("nan"), 1)])
def test_an_empty_range_is_refused(near_m, far_m):
    with pytest.raises(ConfigError, match="expected 0 <= near < far"):
        colorize(metres(1), near_m, far_m)
