"""``sensorfusion convert`` and ``recover``: every sample, every pixel, or a reason."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.cli.app import run
from sensorfusion.distortion import Distortion
from sensorfusion.errors import OutputError
from sensorfusion.frame import Sample
from sensorfusion.imu import ImuReading
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.source import RealSenseSource
from sensorfusion_drivers.realsense.writer import RecordedDevice, write_bag, write_db3

DATA = Path(__file__).parents[1] / "drivers" / "data"
SDK_FILE = DATA / "librealsense-2.58-zstd.db3"
PERIOD_NS = 33_333_333


def make_rig(*, registered):
    depth = Camera("depth", 64, 48, 50.25, 51.5, 31.5, 23.25)
    if registered:
        color, matrix = replace(depth, name="color"), np.eye(4)
    else:
        bend = Distortion.of("brown_conrady", (0.1, -0.05, 0.001, 0.002, 0.01))
        color, matrix = Camera("color", 80, 60, 70.5, 71.0, 39.0, 29.5, bend), np.eye(4)
        matrix[:3, 3] = 0.015, 0.002, -0.003
    cameras = {"depth": depth, "color": color}
    return Rig(cameras, (RigidTransform("color", "depth", matrix),))


def make_recording(path, *, registered=False, far=13_000):
    """Write eight depth and seven colour pictures, one depth alone."""
    rig, random = make_rig(registered=registered), np.random.default_rng(5)
    color = rig.cameras["color"]
    shots = [
        (
            10**12 + index * PERIOD_NS,
            random.integers(0, far, (48, 64), np.uint16),
            None if index == 3 else random.integers(0, 256, (color.height, color.width, 3), "u1"),
        )
        for index in range(8)
    ]
    (write_db3 if path.suffix == ".db3" else write_bag)(path, RecordedDevice(rig, 0.001), shots)
    return path


def content(location):
    """Return every sample as what it means: depth in 1/5000 m, pixels, numbers."""
    found = []
    with open_source(location) as source:
        for sample in source.samples():
            data = sample.data
            if isinstance(data, ImuReading):
                value = (data.gyro_rad_s, data.accel_m_s2)
            elif sample.stream == "depth":
                value = np.rint(data.values * (data.unit_m * 5000)).astype(int).tobytes()
            else:
                value = data.pixels.tobytes()
            found.append((sample.stream, sample.timestamp_ns, value))
    return sorted(found, key=lambda row: row[:2])


def rig_numbers(location):
    with open_source(location) as source:
        rig = source.rig
        lenses = [
            (name, c.width, c.height, c.fx, c.fy, c.cx, c.cy, c.distortion.coefficients)
            for name, c in sorted(rig.cameras.items())
        ]
        return lenses, rig.transform("color", "depth").matrix


CHAIN = [".db3", ".bag", ".mcap", "", ".db3", ".mcap", ".bag", "", ".mcap"]


@pytest.mark.parametrize("registered", [True, False])
def test_through_every_format_and_back_no_sample_changes(tmp_path, registered, capsys):
    here = make_recording(tmp_path / "begin.bag", registered=registered)
    samples, (lenses, matrix) = content(here), rig_numbers(here)
    assert len(samples) == 15
    for number, ending in enumerate(CHAIN):
        there = tmp_path / f"{number}{ending}"
        assert run(["convert", str(here), str(there)]) == 0
        here = there
        assert content(here) == samples
        found, moved = rig_numbers(here)
        assert found == lenses
        # A .db3 holds transforms with six decimals.
        assert np.abs(moved - matrix).max() < 2e-6
    said = capsys.readouterr().out
    assert "7 color, 8 depth in" in said
    assert ("colour is not registered" in said) != registered


@pytest.mark.parametrize("ending", [".db3", ".bag", ".mcap"])
def test_infrared_and_inertial_samples_are_kept(tmp_path, ending):
    there = tmp_path / f"there{ending}"
    assert run(["convert", str(SDK_FILE), str(there)]) == 0
    assert content(there) == content(SDK_FILE)
    streams = [stream for stream, *_ in content(there)]
    assert (streams.count("gyro"), streams.count("infrared_2")) == (24, 3)


def test_what_a_folder_of_pictures_lacks_is_counted(tmp_path, capsys):
    assert run(["convert", str(SDK_FILE), str(tmp_path / "folder")]) == 1
    # A unit of 0.1 mm is half a unit of the layout.
    assert "0.0001 m along the z would change in units of 1/5000 m" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    options = ["-o", "depth-unit-m=0.001"]
    assert run(["convert", str(SDK_FILE), str(tmp_path / "folder"), *options]) == 0
    said = capsys.readouterr().out
    for count, stream in ((24, "gyro"), (9, "accel"), (3, "infrared_1"), (3, "infrared_2")):
        assert f"left out: {count} samples of {stream}, which this layout lacks" in said
    assert re.search(r"left out: \d+ pixels of depth beyond 13\.1 m", said)


def test_poses_become_groundtruth(tmp_path):
    options = ["-o", "frames=3", "-o", "scale=0.1", "-o", "noise=d435"]
    assert run(["convert", "synthetic:room", str(tmp_path / "room"), *options]) == 0
    with (
        open_source(
            "synthetic:room", options={"frames": "3", "scale": "0.1", "noise": "d435"}
        ) as source,
        open_source(tmp_path / "room") as copy,
    ):
        assert np.array_equal(copy.trajectory.timestamps_ns, source.trajectory.timestamps_ns)
        assert np.abs(copy.trajectory.matrices - source.trajectory.matrices).max() < 1e-12


@pytest.mark.parametrize("ending", [".bag", ".db3"])
def test_the_rest_of_a_cut_recording_is_recovered(tmp_path, ending, capsys):
    path = make_recording(tmp_path / f"cut{ending}")
    samples = content(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    assert run(["recover", str(path), "--out", str(tmp_path / "sound.mcap")]) == 0
    saved = content(tmp_path / "sound.mcap")
    assert 8 <= len(saved) < len(samples)
    assert set(saved) < set(samples)
    said = capsys.readouterr().out
    assert "note: the file is damaged and was read as far as it is whole, not read:" in said


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        ("there.xyz", "no driver writes .xyz; expected one of"),
        ("here.db3", "is the recording that is read"),
        ("no/such/folder.bag", "make the folder"),
        ("full", "exists and is not an empty folder"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, destination, reason, capsys):
    here = make_recording(tmp_path / "here.db3")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    before = here.read_bytes()
    assert run(["convert", str(here), str(tmp_path / destination)]) == 1
    assert reason in capsys.readouterr().err
    assert here.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["full", "here.db3"]


@pytest.mark.parametrize("ending", [".db3", ".bag", ".mcap"])
def test_a_recording_that_exists_is_not_written_over(tmp_path, ending, capsys):
    here, there = make_recording(tmp_path / "here.bag"), tmp_path / f"there{ending}"
    there.write_bytes(b"took hours")
    assert run(["convert", str(here), str(there)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert there.read_bytes() == b"took hours"


def test_a_folder_without_a_name_is_no_destination(tmp_path, monkeypatch, capsys):
    here = make_recording(tmp_path / "here.bag")
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(here), "."]) == 1
    assert ".: a folder that is made anew needs a name" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits are those of POSIX")
@pytest.mark.parametrize("name", ["there.db3", "there.bag", "there"])
def test_a_file_that_cannot_grow_is_one_sentence_and_leaves_nothing(tmp_path, name):
    here = make_recording(tmp_path / "here.bag")
    code = (
        "import resource, sys; from sensorfusion.cli.app import run; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); sys.exit(run(sys.argv[1:]))"
    )
    there = tmp_path / name
    done = subprocess.run(
        [sys.executable, "-c", code, "convert", str(here), str(there)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"sensorfusion: {there}: cannot be written whole (")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [here]


def test_a_folder_whose_rig_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, capsys):
    def fails(*_):
        msg = "the disk is full"
        raise OutputError(msg)

    here = make_recording(tmp_path / "here.bag")
    monkeypatch.setattr("sensorfusion.calibration.rig_file.write_rig", fails)
    assert run(["convert", str(here), str(tmp_path / "folder")]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [here]


def test_a_lens_that_the_format_has_no_name_for_is_refused():
    lens = Distortion("kannala_brandt", (0.1, 0.0, 0.0, 0.0))
    rig = Rig({"depth": Camera("depth", 64, 48, 50.0, 50.0, 31.5, 23.5, lens)})
    with pytest.raises(OutputError, match="a lens of the model kannala_brandt"):
        RecordedDevice(rig, 0.001)


def test_two_inertial_sensors_are_not_written_as_one():
    depth = Camera("depth", 64, 48, 50.0, 50.0, 31.5, 23.5)
    links = tuple(RigidTransform("depth", name, np.eye(4)) for name in ("one", "two"))
    device = RecordedDevice(Rig({"depth": depth}, links, imus=("one", "two")), 0.001)
    readings = [
        Sample(name, 5, ImuReading(name, 5, gyro_rad_s=(0.0, 0.0, 1.0))) for name in ("one", "two")
    ]
    assert [part.stream for part in device.parts(readings[0])] == ["gyro"]
    with pytest.raises(OutputError, match="a second inertial sensor, 'two'"):
        list(device.parts(readings[1]))


def test_points_do_not_go_into_a_recording_of_pictures(tmp_path, capsys):
    options = ["-o", "frames=3", "-o", "scale=0.05", "-o", "rings=8", "-o", "columns=64"]
    for name in ("x.db3", "x.bag", "folder"):
        assert run(["convert", "synthetic:street", str(tmp_path / name), *options]) == 1
        assert "write .mcap" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_a_sample_leaves_no_file(tmp_path, monkeypatch, capsys):
    here = make_recording(tmp_path / "here.bag")
    monkeypatch.setattr(RealSenseSource, "samples", lambda _: iter(()))
    for name in ("there.mcap", "there.db3", "there.bag", "there"):
        assert run(["convert", str(here), str(tmp_path / name)]) == 1
        assert "not written, the source delivered no sample" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [here]


def test_only_mcap_is_recovered_to(tmp_path, capsys):
    here = make_recording(tmp_path / "here.bag")
    assert run(["recover", str(here), "--out", str(tmp_path / "x.bag")]) == 1
    assert "expected a name that ends with .mcap" in capsys.readouterr().err
