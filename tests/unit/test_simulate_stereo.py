"""Simulated stereo cameras: they see one scene, each with its own lens and noise."""

import numpy as np
import pytest

from sensorfusion.errors import SourceError
from sensorfusion.simulate.room import room
from sensorfusion.simulate.stereo import BASELINE_M, StereoSensor, stereo_rig
from sensorfusion.sources.registry import open_source, read_truth
from sensorfusion.transform import RigidTransform

INSIDE = RigidTransform(
    "world",
    "left",
    np.array([[1.0, 0, 0, -0.5], [0, 0, 1, -1.0], [0, -1, 0, 1.2], [0, 0, 0, 1]]),
)


@pytest.fixture(scope="module")
def sensor():
    return StereoSensor(room(0), stereo_rig(3, 0.5))


def test_the_cameras_sit_beside_and_below_the_first():
    rig = stereo_rig(3)
    right = rig.transform("left", "right").translation_m
    below = rig.transform("left", "below").translation_m
    assert right[0] == BASELINE_M
    assert below[1] == BASELINE_M
    assert max(*abs(right[1:]), abs(below[0]), abs(below[2])) < 0.001
    assert list(stereo_rig(2).cameras) == ["left", "right"]


def test_what_one_camera_sees_another_sees_where_geometry_says(sensor):
    depth = sensor.view("left", INSIDE)
    rig = sensor.rig
    v, u = np.mgrid[20:220:9, 60:300:9]
    rays = rig.cameras["left"].unproject(np.stack([u, v], axis=-1).astype(float))
    points = np.concatenate([rays, np.ones((*u.shape, 1))], axis=-1) * depth.z_m[v, u][..., None]
    for name in ("right", "below"):
        there = rig.transform(name, "left").apply(points.reshape(-1, 3))
        pixels = rig.cameras[name].project(there)
        other = sensor.view(name, INSIDE).z_m
        column, row = np.rint(pixels).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < 320) & (row < 240)
        off = np.abs(other[row[inside], column[inside]] - there[inside, 2])
        # But for what stands behind an edge.
        assert inside.mean() > 0.6
        assert np.mean(off < 0.03) > 0.9


def test_noise_is_that_of_electronics_and_light(sensor):
    exact = sensor.picture("left", INSIDE).astype(float)
    noisy = sensor.picture("left", INSIDE, np.random.default_rng(1)).astype(float)
    off = noisy - exact
    for low, high in ((40, 60), (140, 160)):
        some = off[(exact >= low) & (exact < high)]
        assert len(some) > 1000
        # 1.5 grey levels, 0.14 for each root of a grey level, and rounding.
        expected = np.sqrt(1.5**2 + 0.14**2 * (low + high) / 2 + 1 / 12)
        assert np.std(some) == pytest.approx(expected, rel=0.05)
        assert abs(np.mean(some)) < 0.1


def test_frames_are_the_same_each_time_and_exact_without_noise():
    options = {"cameras": "2", "frames": "3", "scale": "0.1"}
    with (
        open_source("synthetic:room", options=options) as plain,
        open_source("synthetic:room", options={**options, "noise": "camera"}) as noisy,
    ):
        first, again = noisy[1].measurement, noisy[1].measurement
        assert np.array_equal(first.left.pixels, again.left.pixels)
        assert not np.array_equal(first.left.pixels, plain[1].measurement.left.pixels)
        assert not np.array_equal(first.left.pixels - first.right.pixels, 0)
        truth = read_truth("synthetic:room", options=options)
        assert truth.trajectory.poses[0].source == "left"
        assert truth.depth("right", 1).camera == plain.rig.cameras["right"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cameras": "4"}, "cameras is 4; expected 1 to 3"),
        ({"cameras": "2", "noise": "d435"}, "noise 'd435'; expected one of none, camera of 2"),
        ({"noise": "camera"}, "noise 'camera'; expected one of none, kinect, d435"),
        ({"cameras": "2", "imu": "true"}, "imu is True, which this scene does not have"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, said):
    with pytest.raises(SourceError, match=said):
        open_source("synthetic:room", options=options)


def test_a_street_has_no_stereo_cameras():
    with pytest.raises(SourceError, match="cameras is 2, which this scene does not have"):
        open_source("synthetic:street", options={"cameras": "2"})
    with pytest.raises(SourceError, match="no camera 'below'; there are left, right"):
        read_truth("synthetic:room", options={"cameras": "2", "frames": "1"}).depth("below", 0)
