"""RealSense recordings made by real cameras and by librealsense itself."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion_drivers.realsense.driver import RealSenseDriver

DATA = Path(
    os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
)
SCENES = [f"realsense-from-7scenes/7scenes_000-014.{ending}" for ending in ("bag", "db3")]
D435 = "realsense-d435-bag/single_depth_color_640x480.bag"

READ_ALL = """
import hashlib, sys
sys.modules["pyrealsense2"] = None
from sensorfusion_drivers.realsense.driver import RealSenseDriver
for _ in range(int(sys.argv[2])):
    digest = hashlib.sha256()
    with RealSenseDriver().open(sys.argv[1]) as source:
        for frame in source:
            digest.update(frame.measurement.values)
            digest.update(frame.images["color"].pixels)
    sys.stdout.write(digest.hexdigest() + "\\n")
"""


def recording(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set SENSORFUSION_DATA")
    return str(path)


def picture(index, kind):
    name = f"rgbd-7scenes/frame-{index:06d}.{kind}"
    import cv2

    return cv2.imread(recording(name), cv2.IMREAD_UNCHANGED)


def scene_digest():
    """Return the hash of the pictures that the recordings were made of, depth then colour."""
    digest = hashlib.sha256()
    for index in range(15):
        digest.update(picture(index, "depth.png"))
        digest.update(np.ascontiguousarray(picture(index, "color.jpg")[:, :, ::-1]))
    return digest.hexdigest()


def digests(name, runs):
    command = [sys.executable, "-W", "error", "-c", READ_ALL, recording(name), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("name", SCENES)
def test_all_pairs_come_out_with_every_pixel_as_it_went_in(name):
    with RealSenseDriver().open(recording(name)) as source:
        assert len(source) == 15
        for frame in source:
            assert np.array_equal(frame.measurement.values, picture(frame.index, "depth.png"))
            color = picture(frame.index, "color.jpg")[:, :, ::-1]
            assert np.array_equal(frame.images["color"].pixels, color)
        assert source.losses.unpaired == {"depth": 0, "color": 0}
        assert source.losses.dropped == {}


@pytest.mark.parametrize("name", SCENES)
def test_every_reading_gives_the_same_without_the_vendors_library(name):
    assert digests(name, 3) == [scene_digest()] * 3


@pytest.mark.verify
@pytest.mark.parametrize("name", SCENES)
def test_twenty_fresh_processes_read_the_same(name):
    assert [digests(name, 1)[0] for _ in range(20)] == [scene_digest()] * 20


@pytest.mark.parametrize("name", SCENES)
def test_frames_may_be_read_from_many_threads_in_any_order(name):
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(15), 2))
    with RealSenseDriver().open(recording(name)) as source, ThreadPoolExecutor(4) as pool:
        for index, frame in zip(order, pool.map(lambda i: source[int(i)], order), strict=True):
            assert frame.index == index
            assert np.array_equal(frame.measurement.values, picture(index, "depth.png"))


@pytest.mark.parametrize("name", SCENES)
def test_intrinsics_unit_and_times_are_those_that_were_recorded(name):
    with RealSenseDriver().open(recording(name)) as source:
        for camera in source.rig.cameras.values():
            assert (camera.width, camera.height) == (640, 480)
            assert (camera.fx, camera.fy, camera.cx, camera.cy) == (585, 585, 320, 240)
            assert camera.distortion.is_none
        assert np.array_equal(source.rig.transform("color", "depth").matrix, np.eye(4))
        assert source[3].measurement.unit_m == 0.001
        # Stamped every 33.3 ms.
        assert [source[i].timestamp_ns for i in range(3)] == [0, 33_300_000, 66_600_000]


def test_the_depth_of_a_real_camera_at_a_known_pixel_is_right():
    with RealSenseDriver().open(recording(D435)) as source:
        depth = source[0].measurement
    assert depth.values[200, 320] * depth.unit_m == pytest.approx(1.482, abs=1e-9)


def test_two_depth_images_and_one_of_colour_are_one_pair_and_one_unpaired():
    with RealSenseDriver().open(recording(D435)) as source:
        assert len(source) == len(list(source)) == 1
        assert source.losses.unpaired == {"depth": 1, "color": 0}
        samples = [(sample.stream, sample.timestamp_ns) for sample in source.samples()]
    # The stamps that the recording's own metadata repeats in microseconds.
    assert samples == [
        ("color", 360_713_523_000),
        ("depth", 360_815_089_000),
        ("depth", 360_981_765_000),
    ]


def test_a_real_camera_says_who_it_is():
    with RealSenseDriver().open(recording(D435)) as source:
        assert source.metadata["Name"] == "Intel RealSense D435"
        assert source.metadata["Serial Number"] == "728612070259"
        assert source.metadata["Firmware Version"] == "05.09.14.00"
        assert source.metadata["Clock"] == "Hardware Clock"


def test_the_colour_camera_of_a_d435_sits_14_mm_to_the_left_of_the_depth_camera():
    with RealSenseDriver().open(recording(D435)) as source:
        color_in_depth_m = source.rig.transform("depth", "color").translation_m
    assert color_in_depth_m[0] == pytest.approx(-0.0143, abs=2e-4)
    assert np.linalg.norm(color_in_depth_m) == pytest.approx(0.0143, abs=1e-4)


def test_the_transform_is_the_one_that_librealsense_gives():
    rs = pytest.importorskip("pyrealsense2", reason="librealsense is the reference here")
    device = rs.context().load_device(recording(D435))
    profiles = {
        profile.stream_type(): profile
        for sensor in device.query_sensors()
        for profile in sensor.get_stream_profiles()
    }
    theirs = profiles[rs.stream.depth].get_extrinsics_to(profiles[rs.stream.color])
    with RealSenseDriver().open(recording(D435)) as source:
        ours = source.rig.transform("color", "depth")
    # librealsense stores rotations column by column, in float32.
    assert np.abs(ours.rotation - np.reshape(theirs.rotation, (3, 3)).T).max() < 1e-7
    assert np.abs(ours.translation_m - theirs.translation).max() < 1e-8


@pytest.mark.parametrize("number", ["012", "013"])
def test_depth_and_colour_of_different_sizes_are_one_frame(number):
    name = f"realsense-d435-singles/0925_{number}.bag"
    with RealSenseDriver().open(recording(name)) as source:
        assert len(source) == 1
        assert source[0].measurement.values.shape == (720, 1280)
        assert source[0].images["color"].pixels.shape == (1080, 1920, 3)


def test_a_recording_whose_colour_never_came_gives_depth_alone():
    with RealSenseDriver().open(recording("realsense-d435-singles/0925_003.bag")) as source:
        assert len(source) == 1
        assert dict(source[0].images) == {}
        assert list(source.rig.cameras) == ["depth"]
        assert source.losses.unpaired == {"depth": 0}


def test_a_recording_that_was_never_closed_gives_its_frames_and_says_what_is_missing():
    path = recording("realsense-d435-singles/0925_009.bag")
    assert RealSenseDriver().can_open(path)
    with RealSenseDriver().open(path) as source:
        assert [len(source), len(list(source.samples()))] == [1, 2]
        frame = source[0]
        # As in the camera's other recordings: 75 to 98 % holes, a colour picture full of light.
        assert frame.measurement.values.shape == (720, 1280)
        assert np.count_nonzero(frame.measurement.values) / frame.measurement.values.size > 0.02
        assert frame.images["color"].pixels.shape == (1080, 1920, 3)
        assert frame.images["color"].pixels[1000:].any()
        color_in_depth_m = source.rig.transform("depth", "color").translation_m
        assert "never finished and has no index" in source.notes[0]
        assert "depth camera's place is lost" in source.notes[1]
    # That of 0925_012.bag, the same camera.
    assert np.linalg.norm(color_in_depth_m) == pytest.approx(0.01498, abs=1e-4)


def test_a_recording_that_was_never_closed_is_refused_when_asked():
    path = recording("realsense-d435-singles/0925_009.bag")
    with pytest.raises(CorruptRecordingError, match=r"at byte 13: found no index"):
        RealSenseDriver().open(path, strict=True)


def test_a_bag_of_another_robot_is_not_ours():
    path = recording("ros-bags/example-lz4.bag")
    assert not RealSenseDriver().can_open(path)
    with pytest.raises(UnsupportedRecordingError, match="no RealSense stream"):
        RealSenseDriver().open(path)
