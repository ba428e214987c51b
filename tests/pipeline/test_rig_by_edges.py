"""Transforms between sensors judged and refined by edges, in simulated and real recordings."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.calibration.check_extrinsics import check_extrinsics
from sensorfusion.calibration.edge_alignment import changed_transform
from sensorfusion.calibration.estimate_rig import estimate_rig
from sensorfusion.calibration.rig_file import import_rig, read_rig, write_rig
from sensorfusion.cli import app as cli
from sensorfusion.cli.rig_observation import frames_beside, observe
from sensorfusion.errors import CalibrationError
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

STREET = Path(__file__).parents[2] / "recordings" / "street"
DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
KITTI, DISTORTED = DATA / "kitti-raw-drive", DATA / "lidar-camera-distorted"
needs_data = pytest.mark.skipif(
    not (KITTI.is_dir() and DISTORTED.is_dir()),
    reason=f"no recordings at {DATA}: set SENSORFUSION_DATA",
)
OPTICAL_BODY = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


def seen_in(location, most, options=None, camera=None):
    with open_source(str(location), None, options or {}) as source:
        return observe(frames_beside(source, source.rig, camera, source.trajectory, most))


def turned(observed, axis, degrees):
    change = np.zeros(7)
    change["xyz".index(axis)] = math.radians(degrees)
    return replace(observed, T_camera_sensor=changed_transform(observed.T_camera_sensor, change))


def meant_otherwise(observed, matrix):
    T = observed.T_camera_sensor
    return replace(observed, T_camera_sensor=RigidTransform(T.target, T.source, matrix))


def inverted(observed):
    return meant_otherwise(observed, observed.T_camera_sensor.inverse().matrix)


def with_body_axes(observed):
    body = np.eye(4)
    body[:3, :3] = OPTICAL_BODY.T
    return meant_otherwise(observed, body @ observed.T_camera_sensor.matrix)


@pytest.fixture(scope="module")
def street():
    return seen_in(STREET, 4)


def test_the_true_place_of_the_shipped_street_agrees(street):
    found = check_extrinsics(street, 0.1)
    assert found.verdict == "agrees"
    assert found.agreement > 10
    assert found.off_px < 2


def test_an_inverse_is_called_one(street):
    found = check_extrinsics(inverted(street), 0.1)
    assert (found.verdict, found.named) == ("flagged", "it is the inverse, T_lidar_color")


def test_a_camera_with_the_axes_of_a_body_is_called_one(street):
    found = check_extrinsics(with_body_axes(street), 0.1)
    assert found.verdict == "flagged"
    assert found.named.startswith("it gives 'color' ROS body axes")


@pytest.mark.parametrize(("axis", "degrees"), [("x", 1), ("y", -1), ("z", 1)])
def test_a_turn_of_one_degree_is_flagged_and_measured(street, axis, degrees):
    found = check_extrinsics(turned(street, axis, degrees), 0.1)
    assert (found.verdict, found.named) == ("flagged", "")
    expected = np.zeros(3)
    expected["xyz".index(axis)] = -degrees
    assert np.degrees(found.turn_rad) == pytest.approx(expected, abs=0.2)


def test_an_empty_picture_cannot_say(street):
    empty = tuple(np.zeros_like(each) for each in street.strengths)
    found = check_extrinsics(replace(street, strengths=empty), 0.1)
    assert found.verdict == "unknown"
    assert "the scene cannot say" in found.reason
    with pytest.raises(CalibrationError, match="too few edges"):
        estimate_rig(replace(street, strengths=empty), 0.1)


def test_a_depth_camera_that_sits_where_its_rig_says_agrees_and_its_inverse_is_named():
    room = seen_in("synthetic:room", 3, {"noise": "d435", "frames": "60"})
    assert check_extrinsics(room, 0.03).verdict == "agrees"
    found = check_extrinsics(inverted(room), 0.03)
    assert (found.verdict, found.named) == ("flagged", "it is the inverse, T_depth_color")


def wrong_rig(source, rng):
    """Return a rig that is off by 1 degree, 5 cm and 50 ms."""
    T = source.rig.transform("color", "lidar")
    change = np.zeros(7)
    for part, size in ((slice(0, 3), math.radians(1)), (slice(3, 6), 0.05)):
        way = rng.standard_normal(3)
        change[part] = size * way / np.linalg.norm(way)
    late_ns = int(rng.choice([-1, 1])) * 50_000_000
    moved = (changed_transform(T, change),)
    return replace(source.rig, transforms=moved, time_offsets_ns={"color": late_ns})


def errors_of(rig, true):
    """Return degrees, metres and milliseconds by which a rig is off."""
    T, T_true = rig.transform("color", "lidar"), true.transform("color", "lidar")
    cosine = (np.trace(T.rotation @ T_true.rotation.T) - 1) / 2
    way_m = float(np.linalg.norm(T.translation_m - T_true.translation_m))
    return math.degrees(math.acos(min(cosine, 1.0))), way_m, rig.time_offset_ns("color") / 1e6


@pytest.mark.parametrize(
    ("seed", "frames"),
    [(0, 16), *(pytest.param(seed, 50, marks=pytest.mark.verify) for seed in range(6))],
)
def test_a_rig_off_by_a_degree_5_cm_and_50_ms_is_put_right_by_a_drive(tmp_path, seed, frames):
    options = {"noise": "lidar", "seed": str(seed)}
    with open_source("synthetic:street", None, options) as source:
        true = source.rig
        write_rig(wrong_rig(source, np.random.default_rng(seed)), tmp_path / "wrong.toml")
    arguments = ["calibrate", "rig", "synthetic:street", "--frames", str(frames)]
    arguments += [f"-o{key}={value}" for key, value in options.items()]
    out = tmp_path / "rig.toml"
    files = ["--rig", str(tmp_path / "wrong.toml"), "--out", str(out)]
    assert cli.run([*arguments, *files]) == 0
    off_deg, off_m, off_ms = errors_of(read_rig(out), true)
    assert off_deg < 0.1
    assert off_m < 0.01
    assert abs(off_ms) < 5


def test_check_extrinsics_tells_by_text_json_picture_and_exit_code(tmp_path, capsys):
    rig = read_rig(STREET / "rig.toml")
    T = rig.transform("color", "lidar")
    inverse = RigidTransform("color", "lidar", T.inverse().matrix)
    write_rig(replace(rig, transforms=(inverse,)), tmp_path / "inverse.toml")
    picture = tmp_path / "edges.png"
    command = ["calibrate", "check-extrinsics", str(STREET)]
    assert cli.run([*command, "--overlay", str(picture)]) == 0
    told = capsys.readouterr().out
    assert "verdict: agrees" in told
    assert "turn x +0.25 deg" in told
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert cli.run([*command, "--rig", str(tmp_path / "inverse.toml"), "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["named"] == "it is the inverse, T_lidar_color"
    assert captured.err.startswith("sensorfusion: ")
    assert captured.err.count("\n") == 1


def test_the_rig_file_keeps_deviations_as_comments_and_no_time_offset_without_motion(tmp_path):
    out = tmp_path / "rig.toml"
    assert cli.run(["calibrate", "rig", str(STREET), "--out", str(out)]) == 0
    text = out.read_text()
    assert text.startswith("# T_color_lidar from ")
    assert "time offset: not estimated" in text
    assert read_rig(out).time_offsets_ns == {}


def test_a_recording_of_scans_alone_has_no_transform_to_judge(tmp_path, capsys):
    scans = tmp_path / "scans"
    scans.mkdir()
    name = "1600000000000000000.pcd"
    (scans / name).write_bytes((STREET / name).read_bytes())
    assert cli.run(["calibrate", "check-extrinsics", str(scans)]) == 1
    assert "no frame has a picture" in capsys.readouterr().err


def kitti(most):
    return seen_in(KITTI, most)


def distorted(tmp_path):
    """Return what the one scan and picture show, by the calibration that came with them."""
    import shutil

    files = [
        DISTORTED / "center_camera-intrinsic.json",
        DISTORTED / "top_center_lidar-to-center_camera-extrinsic.json",
    ]
    write_rig(import_rig(files, size_px=(1920, 1200)), tmp_path / "rig.toml")
    (tmp_path / "images").mkdir()
    shutil.copyfile(DISTORTED / "0.png", tmp_path / "images" / "0.png")
    options = {"rig": str(tmp_path / "rig.toml"), "images": str(tmp_path / "images")}
    return seen_in(DISTORTED / "0.pcd", 1, options)


@needs_data
def test_a_real_drive_agrees_inverted_and_turned_it_is_flagged():
    observed = kitti(2)
    assert check_extrinsics(observed, 0.1).verdict == "agrees"
    found = check_extrinsics(inverted(observed), 0.1)
    assert (found.verdict, found.named) == ("flagged", "it is the inverse, T_velodyne_image_02")
    assert check_extrinsics(turned(observed, "z", 1), 0.1).verdict == "flagged"


@needs_data
def test_a_real_scan_under_a_lens_agrees_and_turned_it_is_flagged(tmp_path):
    observed = distorted(tmp_path)
    assert check_extrinsics(observed, 0.1).verdict == "agrees"
    assert check_extrinsics(turned(observed, "y", 1), 0.1).verdict == "flagged"


@needs_data
@pytest.mark.verify
@pytest.mark.parametrize("name", ["kitti", "distorted"])
def test_every_degree_and_the_inverse_are_flagged_and_the_truth_is_not(tmp_path, name):
    observed = kitti(12) if name == "kitti" else distorted(tmp_path)
    assert check_extrinsics(observed, 0.1).verdict == "agrees"
    assert "it is the inverse" in check_extrinsics(inverted(observed), 0.1).named
    assert "ROS body axes" in check_extrinsics(with_body_axes(observed), 0.1).named
    for axis in "xyz":
        for degrees in (-1, 1):
            found = check_extrinsics(turned(observed, axis, degrees), 0.1)
            assert found.verdict == "flagged", (axis, degrees)


@pytest.mark.verify
@pytest.mark.parametrize(
    ("location", "way_m"),
    [("synthetic:street", 0.1), ("synthetic:hall", 0.1), (str(DATA / "kitti-object"), 0.1)],
)
def test_true_rigs_are_never_flagged(location, way_m):
    if location.startswith("/") and not Path(location).is_dir():
        pytest.skip(f"no recordings at {DATA}: set SENSORFUSION_DATA")
    options = {"noise": "lidar"} if location.startswith("synthetic") else {}
    assert check_extrinsics(seen_in(location, 12, options), way_m).verdict == "agrees"
