"""``depth`` writes maps that hold what the source measured."""

import json

import numpy as np
import pytest

from sensorfusion.cli import app as cli
from sensorfusion.sources.registry import open_source

OPTIONS = {"frames": "3", "scale": "0.25"}
ROOM = ["depth", "synthetic:room", "-o", "frames=3", "-o", "scale=0.25"]


@pytest.fixture
def truth():
    with open_source("synthetic:room", None, OPTIONS) as source:
        return [source[index].measurement.values for index in range(3)]


def test_maps_hold_the_measured_depth_to_half_a_unit(tmp_path, truth, capsys):
    import cv2

    assert cli.run([*ROOM, "--out", str(tmp_path), "--no-flying-pixel-filter"]) == 0
    document = json.loads((tmp_path / "depth.json").read_text())
    assert document["metres_per_unit"] == 0.001
    assert [entry["file"] for entry in document["maps"]] == [f"{i:06d}.png" for i in range(3)]
    for index in range(3):
        stored = cv2.imread(str(tmp_path / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.abs(stored * 0.001 - truth[index]).max() < 0.00051
        assert (tmp_path / "preview" / f"{index:06d}.jpg").is_file()


def test_depth_beyond_the_range_is_left_out(tmp_path, truth, capsys):
    import cv2

    flags = ["--format", "tiff", "--far-m", "1.6", "--no-flying-pixel-filter"]
    assert cli.run([*ROOM, "--out", str(tmp_path), *flags]) == 0
    stored = cv2.imread(str(tmp_path / "000001.tiff"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, np.where(truth[1] <= np.float32(1.6), truth[1], 0))


def test_depth_in_another_camera_has_its_size_and_counts_its_points(tmp_path, truth, capsys):
    import cv2

    assert cli.run([*ROOM, "--out", str(tmp_path), "--camera", "color"]) == 0
    document = json.loads((tmp_path / "depth.json").read_text())
    stored = cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert document["camera"]["name"] == "color"
    assert stored.shape == (120, 212)
    # The colour camera sees less of the height than the depth camera: some points fall outside.
    assert 0.4 * truth[0].size < document["maps"][0]["points_in_image"] < truth[0].size


def test_a_camera_that_the_rig_lacks_is_refused(tmp_path, capsys):
    assert cli.run([*ROOM, "--out", str(tmp_path), "--camera", "colour"]) == 1
    assert capsys.readouterr().err == (
        "sensorfusion: there is no camera 'colour'; the rig has depth, color\n"
    )


def test_an_output_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.run([*ROOM, "--out", str(tmp_path / "file")]) == 1
    assert "cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--near-m", "5", "--far-m", "2"], "depth.near_m is 5.0; expected a value from 0.0 to 2"),
        (["--stereo.nearest-m", "0"], "stereo.nearest_m is 0.0; expected a value from 0.01 to"),
        (["--metres-per-unit", "0"], "--metres-per-unit is 0.0; expected a positive number"),
        (["--metres-per-unit", "0.001", "--format", "tiff"], "says nothing for --format tiff"),
    ],
)
def test_a_flag_that_cannot_be_meant_is_wrong_usage_and_makes_no_folder(
    tmp_path, capsys, flags, said
):
    assert cli.run([*ROOM, "--out", str(tmp_path / "out"), *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.endswith("(sensorfusion depth --help)\n")
    assert not (tmp_path / "out").exists()


def test_a_missing_recording_makes_no_folder(tmp_path, capsys):
    assert cli.run(["depth", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


def test_maps_without_any_depth_are_said_to_be_empty(tmp_path, capsys):
    assert cli.run([*ROOM, "--out", str(tmp_path), "--near-m", "50"]) == 0
    assert capsys.readouterr().out == (
        f"3 depth maps in {tmp_path}, all empty: no pixel has depth from 50 m to 65 m\n"
    )
