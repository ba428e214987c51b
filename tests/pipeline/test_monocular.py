"""The model that ships, in rooms that it never saw: held by anchors, in holes, and fused."""

import json
from pathlib import Path

import numpy as np
import pytest

import sensorfusion as sf
from onnx_model import write_luminance
from sensorfusion.cli import app as cli
from sensorfusion.config import DepthSettings, Settings
from sensorfusion.config_pictures import ModelSettings
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import TrackingError
from sensorfusion.frame import Frame
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.render import render_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.image import Image
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.trajectory import Trajectory

ROOT = Path(__file__).parents[2]
MODEL = ModelSettings(file=str(ROOT / "recordings" / "rooms.onnx"))


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import monocular

    return monocular


def test_a_hundred_anchors_with_the_model_beat_any_interpolation_by_a_fifth(benchmark):
    found = benchmark.anchors(MODEL, seeds=(200, 203, 206), indices=(0, 300))
    assert found["below_best_interpolation"] >= 0.2
    assert all(0.7 < ratio < 1.3 for ratio in found["sigma_ratio_68"])


def test_holes_of_a_d435_are_filled_to_five_percent(benchmark):
    found = benchmark.holes(MODEL, seeds=(200, 202), indices=(0, 400))
    assert found["abs_rel"] <= 0.05
    assert found["share_of_holes_filled"] > 0.05


def test_filled_holes_do_not_spoil_the_mesh(benchmark):
    assert benchmark.mesh(MODEL, frames=12, scale=0.2)["ratio"] <= 1.1


@pytest.mark.verify
def test_the_long_form_holds_as_well(benchmark):
    assert benchmark.anchors(MODEL)["below_best_interpolation"] >= 0.2
    assert benchmark.holes(MODEL)["abs_rel"] <= 0.05
    assert benchmark.mesh(MODEL)["ratio"] <= 1.1
    for room in benchmark.drift(MODEL).values():
        before, after = room["consistency_before"], room["consistency_after"]
        assert after["spread_log_ratio"] < before["spread_log_ratio"]


def room(frames):
    return sf.open_source("synthetic:room", options={"frames": str(frames), "scale": "0.2"})


class Alone(SeekableFrameSource):
    """The colour pictures of a room alone; what is known of some frames stands beside them."""

    def __init__(self, inner, *, anchored, relative):
        self.rig, self.losses, self.down_world = inner.rig, Losses({}), None
        T_depth_color = inner.rig.transform("depth", "color")
        self.trajectory = Trajectory()
        for stamp, pose in inner.trajectory:
            self.trajectory.append(stamp, pose @ T_depth_color)
        self._inner, self._anchored, self._relative = inner, anchored, relative

    def __len__(self):
        return len(self._inner)

    def samples(self):
        return iter(())

    def __getitem__(self, index):
        frame = self._inner[index]
        image, depths = frame.images["color"], {}
        if index in self._anchored:
            depths = {"depth": frame.measurement}
        measured = image
        if self._relative:
            measured = self._values(index, image)
        return Frame(index, frame.timestamp_ns, "color", measured, {"color": image}, depths)

    def _values(self, index, image):
        truth = sf.read_truth("synthetic:room", options={"frames": "6", "scale": "0.2"})
        metres = truth.depth("color", index).metres
        # Up to a scale that jumps: 2, 4, 8, ... times.
        values = np.log(metres / 2.0**index).astype(np.float32)
        return RelativeDepth(values, "log", self.rig.cameras["color"], image.timestamp_ns)


def test_pictures_alone_are_anchored_by_the_volume_where_poses_are_given():
    with Alone(room(6), anchored={0}, relative=True) as source:
        result = sf.reconstruct(source, poses="recording")
    report = result.report.to_dict()
    assert report["frames"] == {"in": 6, "used": 6, "dropped": {}}
    assert report["predicted"]["frames"] == 6
    # The scale jumps by a factor of two from frame to frame, and the metres do not.
    truth = sf.read_truth("synthetic:room", options={"frames": "6", "scale": "0.2"})
    scores = sf.compare_meshes(result.mesh, truth.mesh).as_given
    assert scores.accuracy_mean_m < 0.02


def test_before_anything_is_in_the_volume_pictures_alone_are_dropped_with_the_reason():
    with Alone(room(6), anchored={2}, relative=True) as source:
        report = sf.reconstruct(source, poses="recording").report.to_dict()
    assert report["frames"]["used"] == 4
    reason = "no anchor: nothing in the frame is known in metres"
    assert report["frames"]["dropped"] == {reason: 2}


def test_without_poses_a_picture_alone_has_nothing_to_hold_it():
    expected = pytest.raises(TrackingError, match="3 x no anchor: nothing in the frame is known")
    with Alone(room(3), anchored=set(), relative=True) as source, expected:
        sf.reconstruct(source)


def test_a_metric_model_is_used_alone_only_when_it_is_trusted(tmp_path):
    # Says 2 m where the picture is white, less where it is darker.
    file = str(write_luminance(tmp_path / "m.onnx", gain=2.0, shift=0.5))
    model = ModelSettings(file=file, output="metric")
    with Alone(room(3), anchored=set(), relative=False) as source:
        with pytest.raises(TrackingError, match=r"no anchor.*only with --trust-model"):
            sf.reconstruct(source, Settings(depth=DepthSettings(model=model)), poses="recording")
        trusted = ModelSettings(file=file, output="metric", trust=True)
        settings = Settings(depth=DepthSettings(model=trusted))
        report = sf.reconstruct(source, settings, poses="recording").report.to_dict()
    assert report["frames"]["used"] == 3
    assert report["predicted"] == {"frames": 3, "in_the_models_own_metres": 3, "without": {}}
    assert report["settings"]["depth"]["model"]["trust"] is True


def test_what_was_predicted_is_not_tracked_against(tmp_path):
    options = {"frames": "4", "scale": "0.25", "noise": "d435"}
    plain = sf.reconstruct("synthetic:room", options=options)
    filled = sf.reconstruct(
        "synthetic:room", Settings(depth=DepthSettings(model=MODEL)), options=options
    )
    np.testing.assert_array_equal(filled.trajectory.matrices, plain.trajectory.matrices)


def test_a_volume_is_rendered_as_the_camera_saw_it():
    with room(1) as source:
        frame = source[0]
        pose = source.trajectory.poses[0]
    camera = source.rig.cameras["depth"]
    depth = DepthMap(frame.measurement.values, camera, 0)
    volume = Volume(0.01, 0.04)
    integrate_depth(volume, depth, pose)
    seen = render_depth(volume.views, camera, pose, (0.1, 6.0), every=2)
    there = seen.valid
    assert there[::2, ::2].mean() > 0.9
    assert not there[1::2].any()
    error = np.abs(seen.metres - depth.metres)[there]
    # Rays are read at the nearest voxel: half a voxel across, at slanted surfaces and edges more.
    assert np.median(error) < 0.004
    assert np.percentile(error, 90) < 0.015
    assert (seen.sigma_m[there] > 0).all()


def test_depth_without_its_holes_says_what_is_predicted(tmp_path, capsys):
    options = ["-o", "noise=d435", "-o", "frames=2", "-o", "scale=0.3", "-o", f"model={MODEL.file}"]
    command = ["depth", "synthetic:room", "--out", str(tmp_path), *options]
    assert cli.run([*command, "--camera", "color", "--completion", "predicted"]) == 0
    assert "2 maps hold depth that a model predicted" in capsys.readouterr().out
    entry = json.loads((tmp_path / "depth.json").read_text())["maps"][0]
    assert entry["origin"]["predicted"] > 0
    assert entry["predicted"]["kind"] == "log"


def test_the_holes_of_a_scan_are_filled_in_a_camera():
    source = sf.open_source("synthetic:hall", options={"frames": "1", "noise": "lidar"})
    settings = DepthSettings(model=MODEL)
    with source:
        (found,) = sf.pipeline.depth_maps(source, settings, "color", "predicted")
    origins = found.depth.origins()
    assert (origins == Origin.PREDICTED).sum() > (origins == Origin.MEASURED).sum() > 1000
    assert isinstance(found.frame.images["color"], Image)
