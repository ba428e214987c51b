"""The infrared cameras of a recording as a stereo pair."""

import json
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.cli import app as cli
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import SourceError, UnsupportedRecordingError
from sensorfusion.frame import Sample
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.driver import RealSenseDriver
from sensorfusion_drivers.realsense.recorded import RecordedDevice
from sensorfusion_drivers.realsense.writer import Db3Writer

SDK_FILE = Path(__file__).parent / "data" / "librealsense-2.58-zstd.db3"
PERIOD_NS = 40_000_000
BEGIN_NS = 1_000_000_000_000


def make_recording(path, cameras, late_ns=None, without=()):
    """Write six frames of depth and infrared, whose pictures hold the frame's number.

    ``late_ns`` says by camera and frame how late a picture is; ``without`` names those left out.
    """
    rig = Rig(
        {name: Camera(name, *size, 50.0, 50.0, 31.5, 23.5) for name, size in cameras.items()},
        tuple(RigidTransform(name, "depth", np.eye(4)) for name in cameras if name != "depth"),
    )
    samples = []
    for index in range(6):
        for name, (width, height) in cameras.items():
            stamp_ns = BEGIN_NS + index * PERIOD_NS + (late_ns or {}).get((name, index), 0)
            if name == "depth":
                values = np.full((height, width), 1000 + index, np.uint16)
                data = RawDepth(values, 0.001, rig.cameras[name], stamp_ns)
            else:
                data = Image(np.full((height, width), index, np.uint8), name, stamp_ns)
            if (name, index) not in without:
                samples.append(Sample(name, stamp_ns, data))
    writer = Db3Writer(str(path), RecordedDevice(rig, 0.001, 25))
    for sample in sorted(samples, key=lambda sample: sample.timestamp_ns):
        writer.write(sample)
    writer.close()
    return str(path)


DEPTH_AND_TWO = {"depth": (64, 48), "infrared_1": (64, 48), "infrared_2": (64, 48)}


def test_a_frame_is_the_pair_with_depth_and_colour_beside_it():
    options = {"infrared": "pair"}
    with open_source(SDK_FILE, options=options) as source, open_source(SDK_FILE) as plain:
        assert len(source) == 3
        for frame, other in zip(source, plain, strict=True):
            pair = frame.measurement
            assert (pair.left.camera_name, pair.right.camera_name) == ("infrared_1", "infrared_2")
            assert frame.sensor == "infrared_1"
            assert frame.timestamp_ns == pair.left.timestamp_ns == other.timestamp_ns
            # What the software device gave.
            grey = (np.arange(64 * 48) % 251 + frame.index).astype(np.uint8).reshape(48, 64)
            assert np.array_equal(pair.left.pixels, grey)
            assert np.array_equal(pair.right.pixels, grey)
            assert list(frame.images) == ["color"]
            assert np.array_equal(frame.images["color"].pixels, other.images["color"].pixels)
            assert np.array_equal(frame.depths["depth"].values, other.measurement.values)
        assert dict(source.beside_frames) == {"gyro": 24, "accel": 9}
        assert source.losses.unpaired == dict.fromkeys(source.rig.cameras, 0)
        # The device said: 50 mm apart, along x.
        moved = source.rig.transform("infrared_2", "infrared_1").translation_m
        assert moved == pytest.approx([-0.05, 0, 0], abs=1e-6)


def test_a_frame_without_one_of_the_two_is_left_out_and_counted(tmp_path):
    without = [("infrared_2", 1), ("infrared_1", 4)]
    location = make_recording(tmp_path / "gaps.db3", DEPTH_AND_TWO, without=without)
    with RealSenseDriver().open(location, infrared="pair") as source:
        shown = [
            (f.measurement.left.pixels[0, 0], f.measurement.right.pixels[0, 0]) for f in source
        ]
        assert shown == [(0, 0), (2, 2), (3, 3), (5, 5)]
        assert [frame.index for frame in source] == [0, 1, 2, 3]
        assert [frame.depths["depth"].values[0, 0] for frame in source] == [1000, 1002, 1003, 1005]
        assert source.losses.unpaired == {"depth": 2, "infrared_1": 1, "infrared_2": 1}


def test_pictures_more_than_half_a_period_apart_are_no_pair(tmp_path):
    late_ns = {("infrared_2", 2): 21_000_000, ("infrared_2", 3): 19_000_000}
    location = make_recording(tmp_path / "late.db3", DEPTH_AND_TWO, late_ns)
    with RealSenseDriver().open(location, infrared="pair") as source:
        assert [f.measurement.left.pixels[0, 0] for f in source] == [0, 1, 3, 4, 5]
        assert source.losses.unpaired == {"depth": 1, "infrared_1": 1, "infrared_2": 1}


def test_a_recording_in_which_no_pictures_meet_is_refused(tmp_path):
    without = [("infrared_1" if index % 2 else "infrared_2", index) for index in range(6)]
    location = make_recording(tmp_path / "apart.db3", DEPTH_AND_TWO, without=without)
    with pytest.raises(UnsupportedRecordingError, match="no frame has pictures of infrared_1 and"):
        RealSenseDriver().open(location, infrared="pair")


@pytest.mark.parametrize(
    ("cameras", "found"),
    [
        ({"depth": (64, 48)}, "found no infrared; "),
        ({"depth": (64, 48), "infrared_1": (64, 48)}, "found infrared_1 of 64x48; "),
        (
            {"depth": (64, 48), "infrared_1": (64, 48), "infrared_2": (64, 40)},
            "found infrared_1 of 64x48 and infrared_2 of 64x40; ",
        ),
    ],
)
def test_a_recording_without_a_pair_is_refused_in_one_sentence(tmp_path, cameras, found):
    location = make_recording(tmp_path / "one.db3", cameras)
    with pytest.raises(UnsupportedRecordingError) as caught:
        RealSenseDriver().open(location, infrared="pair")
    assert found in str(caught.value)
    assert "expects infrared_1 and infrared_2" in str(caught.value)
    assert str(caught.value).endswith("open it without that option")


def test_a_camera_gives_no_pair_and_says_what_does():
    with pytest.raises(SourceError, match="infrared=pair is for recordings; record the camera"):
        RealSenseDriver().open("realsense:", infrared="pair")


def test_the_samples_of_a_pair_are_its_pictures():
    with open_source(SDK_FILE, options={"infrared": "pair"}) as source:
        streams = [sample.stream for sample in source.samples()]
        assert (streams.count("infrared_1"), streams.count("infrared_2")) == (3, 3)


def test_info_shows_the_pair_and_the_depth_beside_it(capsys):
    assert cli.run(["info", str(SDK_FILE), "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert cli.run(["info", str(SDK_FILE), "-o", "infrared=pair", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    kinds = {stream["name"]: (stream["kind"], stream["count"]) for stream in facts["streams"]}
    assert kinds["infrared_1"] == kinds["infrared_2"] == ("stereo", 3)
    assert (kinds["depth"], kinds["color"]) == (("depth", 3), ("color", 3))
    assert facts["depth_m"] == plain["depth_m"]
    assert cli.run(["info", str(SDK_FILE), "-o", "infrared=pair"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "infrared_" in line]
    assert [line.endswith(", of a stereo pair") for line in lines] == [True, True]


def record_wall(path, shift_px):
    """Write three frames of a textured wall that the right camera sees so many pixels farther left.

    The cameras look through 200 px of focal length and are 5 cm apart.
    """
    import cv2

    names = ("depth", "infrared_1", "infrared_2")
    matrix = np.eye(4)
    matrix[0, 3] = 0.05
    links = (
        RigidTransform("depth", "infrared_1", np.eye(4)),
        RigidTransform("depth", "infrared_2", matrix),
    )
    rig = Rig({n: Camera(n, 240, 120, 200.0, 200.0, 119.5, 59.5) for n in names}, links)
    noise = np.random.default_rng(3).integers(0, 256, (120, 300), dtype=np.uint8)
    wall = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.2), None, 0, 255, cv2.NORM_MINMAX)
    writer = Db3Writer(str(path), RecordedDevice(rig, 0.001, 25))
    for index in range(3):
        stamp_ns = BEGIN_NS + index * PERIOD_NS
        depth = RawDepth(np.full((120, 240), 777, np.uint16), 0.001, rig.cameras["depth"], stamp_ns)
        writer.write(Sample("depth", stamp_ns, depth))
        for name, first in (("infrared_1", 0), ("infrared_2", shift_px)):
            pixels = np.ascontiguousarray(wall[:, first : first + 240])
            writer.write(Sample(name, stamp_ns, Image(pixels, name, stamp_ns)))
    writer.close()
    return str(path)


def test_a_pair_is_matched_to_depth_in_metres(tmp_path, capsys):
    # 200 px 0.05 m / 16 px.
    location, out = record_wall(tmp_path / "wall.db3", 16), tmp_path / "out"
    command = ["depth", location, "-o", "infrared=pair", "--out", str(out)]
    assert cli.run([*command, "--format", "tiff"]) == 0
    capsys.readouterr()
    import cv2

    metres = cv2.imread(str(out / "000001.tiff"), cv2.IMREAD_UNCHANGED)
    assert (metres > 0).mean() > 0.8
    assert np.median(metres[metres > 0]) == pytest.approx(0.625, rel=0.002)
    cloud = ["export", "cloud", location, "-o", "infrared=pair", "--out", str(tmp_path / "clouds")]
    assert cli.run(cloud) == 0
    assert "3 clouds of" in capsys.readouterr().out


def test_the_noise_of_a_pair_is_that_of_its_baseline(tmp_path):
    location = record_wall(tmp_path / "wall.db3", 16)
    with open_source(location, options={"infrared": "pair"}) as source:
        # 0.08 px: z^2 0.08 / (200 px 0.05 m).
        sigma_m = source.rig.noise_of("infrared_1").sigma_m(np.float64(1.0))
    assert sigma_m == pytest.approx(0.008, rel=1e-4)
