"""From scans to depth maps, through the command line and against exact depth."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.cli import app as cli
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.into_camera import IntoCamera
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CalibrationError, ConfigError
from sensorfusion.evaluate.depth import DepthComparison
from sensorfusion.sources.registry import open_source, read_truth

STREET = {"frames": "2", "scale": "0.5", "noise": "lidar"}
SETTINGS = DepthSettings(near_m=0.1)
STREET_FOLDER = Path(__file__).parents[2] / "recordings" / "street"


def arguments(location, options):
    return ["depth", location, *(f"-o{key}={value}" for key, value in options.items())]


@pytest.fixture(scope="module")
def street():
    with open_source("synthetic:street", None, STREET) as source:
        yield source, read_truth("synthetic:street", None, STREET)


@pytest.fixture(scope="module")
def hall():
    options = {"frames": "2", "scale": "0.5", "noise": "kinect"}
    with open_source("synthetic:hall", None, options) as source:
        yield source, read_truth("synthetic:hall", None, options)


def depth_of(source, completion, camera="color", index=0):
    made = IntoCamera(source.rig, SETTINGS, camera, completion, source.trajectory)
    return made(source[index])


@pytest.mark.parametrize("completion", ["none", "smooth", "mesh", "guided"])
def test_filled_depth_says_where_it_comes_from(street, completion):
    found = depth_of(street[0], completion)
    origin = found.depth.origins()
    assert found.completion == completion
    assert (origin == Origin.MEASURED).sum() > 0.5 * found.points_in_image
    assert ((origin == Origin.FILLED).sum() > 0) == (completion != "none")
    assert found.depth.sigma_m is not None
    assert (found.depth.sigma_m[found.depth.valid] > 0).all()


@pytest.mark.parametrize("completion", ["smooth", "mesh", "guided"])
def test_the_sky_is_never_painted(street, completion):
    import cv2

    source, truth = street
    found = depth_of(source, completion)
    sky = truth.depth("color", 0).metres == 0
    # Where between two beams a roof ends, no scan says; they are 2.4 pixels apart, and beside a
    # house the camera looks past its edge. One leaf of a tree in 10,000 pixels is left.
    away_px = cv2.distanceTransform(sky.astype(np.uint8), cv2.DIST_L2, 5)
    assert sky[away_px > 4].sum() > 15_000
    assert found.depth.valid[away_px > 4].mean() < 2e-4
    assert found.depth.valid[sky].mean() < 0.02


def test_a_scan_fits_the_picture_only_when_it_is_moved_to_its_instant(street):
    source, truth = street
    true = truth.depth("color", 1).metres
    errors = []
    for trajectory in (source.trajectory, None):
        found = IntoCamera(source.rig, SETTINGS, "color", "mesh", trajectory)(source[1])
        assert found.moved == (trajectory is not None)
        both = found.depth.valid & (true > 0)
        errors.append(np.percentile(np.abs(found.depth.metres - true)[both], 75))
    # The car drives 0.45 m from the beginning of the scan to the picture.
    assert errors[0] < 0.03
    assert errors[1] > 3 * errors[0]


def test_a_lidar_and_a_depth_camera_together_are_better_than_either(hall):
    source, truth = hall
    frame, true = source[0], truth.depth("depth", 0).metres
    given = frame.depths["depth"]
    nothing = DepthMap(np.zeros(given.values.shape, np.float32), given.camera, given.timestamp_ns)
    into_camera = IntoCamera(source.rig, SETTINGS, "depth", "mesh", source.trajectory)
    lidar = into_camera(replace(frame, depths={"depth": nothing})).depth
    both = into_camera(frame).depth
    alone = replace(frame, sensor="depth", measurement=given)
    camera = absolute_depth(alone, SETTINGS, source.rig)
    common = lidar.valid & camera.valid & (true > 0)
    rmse_lidar, rmse_camera, rmse_both = (
        np.sqrt(np.mean((depth.metres - true)[common] ** 2)) for depth in (lidar, camera, both)
    )
    assert common.sum() > 3000
    assert rmse_both <= 0.9 * min(rmse_lidar, rmse_camera)
    assert (both.valid >= (lidar.valid | camera.valid)).all()


@pytest.mark.parametrize("completion", ["smooth", "mesh", "guided"])
def test_stated_uncertainty_is_that_of_the_errors_in_five_bins(street, completion):
    source, truth = street
    comparison = DepthComparison()
    for index in range(2):
        found = depth_of(source, completion, index=index).depth
        true = truth.depth("color", index).metres
        comparison.add(found.metres, true, found.sigma_m)
    assert all(0.7 <= ratio <= 1.3 for ratio in comparison.result().sigma)


def test_merged_uncertainty_is_that_of_the_errors_in_five_bins(hall):
    source, truth = hall
    comparison = DepthComparison()
    for index in range(2):
        found = depth_of(source, "mesh", "depth", index).depth
        comparison.add(found.metres, truth.depth("depth", index).metres, found.sigma_m)
    assert all(0.7 <= ratio <= 1.3 for ratio in comparison.result().sigma)


def test_without_a_camera_the_range_image_is_the_picture(tmp_path, capsys):
    import cv2

    small = {"frames": "1", "scale": "0.1", "rings": "16", "columns": "128"}
    assert cli.run([*arguments("synthetic:hall", small), "--out", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "depth.json").read_text())
    assert document["camera"]["name"] == "lidar_panorama"
    assert document["camera"]["distortion"]["model"] == "spherical"
    assert document["depth_kind"] == "range"
    links = {(link["target"], link["source"]) for link in document["rig"]["transforms"]}
    assert ("lidar_panorama", "lidar") in links
    assert document["metres_per_unit"] == 1 / 256
    stored = cv2.imread(str(tmp_path / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert stored.shape == (16, 128)
    with open_source("synthetic:hall", None, small) as source:
        ranges = np.linalg.norm(source[0].measurement.points, axis=1)
    # Two points may fall on one pixel where the sensor turns on its way.
    assert 0.97 * len(ranges) < (stored > 0).sum() <= len(ranges)
    assert stored.max() / 256 == pytest.approx(ranges.max(), abs=0.05)


def test_maps_overlay_and_uncertainty_are_written_and_measured(tmp_path, capsys):
    import cv2

    options = [*arguments("synthetic:street", STREET), "--camera", "color", "--out", str(tmp_path)]
    assert cli.run([*options, "--completion", "mesh", "--sigma", "--overlay"]) == 0
    assert "previews from" in capsys.readouterr().out
    document = json.loads((tmp_path / "depth.json").read_text())
    assert document["maps"][1]["completion"] == "mesh"
    assert document["maps"][1]["motion_compensated"] is True
    sigma = cv2.imread(str(tmp_path / "sigma" / "000001.tiff"), cv2.IMREAD_UNCHANGED)
    depth = cv2.imread(str(tmp_path / "000001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(sigma > 0, depth > 0)
    assert (tmp_path / "overlay" / "000001.jpg").is_file()
    truth = ["synthetic:street", *(f"-o{key}={value}" for key, value in STREET.items())]
    assert cli.run(["evaluate", "depth", str(tmp_path), *truth, "--json"]) == 0
    error = json.loads(capsys.readouterr().out)
    assert error["maps"] == 2
    assert error["coverage"] > 0.3
    assert error["abs_rel"] < 0.02
    assert len(error["sigma"]) == 5


def test_an_overlay_without_a_camera_is_wrong_usage(tmp_path, capsys):
    options = arguments("synthetic:street", STREET)
    assert cli.run([*options, "--overlay", "--out", str(tmp_path / "out")]) == 2
    assert "name it with --camera" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_overlay_for_which_there_is_no_picture_is_missed_aloud(tmp_path, capsys):
    import shutil

    bare = tmp_path / "bare"
    bare.mkdir()
    for path in [STREET_FOLDER / "rig.toml", *sorted(STREET_FOLDER.glob("*.pcd"))[:2]]:
        shutil.copy(path, bare)
    options = ["--camera", "color", "--overlay", "--out", str(tmp_path / "out")]
    assert cli.run(["depth", str(bare), *options]) == 0
    assert "2 maps have no overlay" in capsys.readouterr().out
    assert not (tmp_path / "out" / "overlay").exists()


def test_mistyped_poses_leave_nothing_behind(tmp_path, capsys):
    poses = ["--camera", "color", "--poses", str(tmp_path / "no.tum")]
    assert cli.run(["depth", str(STREET_FOLDER), *poses, "--out", str(tmp_path / "out")]) == 1
    assert "no.tum" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_camera_that_the_rig_lacks_is_named(street):
    with pytest.raises(CalibrationError, match="no camera 'left'; the rig has color"):
        IntoCamera(street[0].rig, SETTINGS, "left")


def test_guided_completion_without_a_picture_is_refused(street):
    with pytest.raises(ConfigError, match="choose one with --camera: color"):
        depth_of(street[0], "guided", camera=None)


def test_mesh_completion_of_a_depth_camera_is_refused():
    with open_source("synthetic:room", None, {"frames": "1", "scale": "0.1"}) as source:
        made = IntoCamera(source.rig, SETTINGS, None, "mesh")
        with pytest.raises(ConfigError, match="between a LiDAR's beams"):
            made(source[0])
