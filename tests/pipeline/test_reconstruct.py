"""The whole path on known geometry: from frames to files."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest

import sensorfusion as sf
from sensorfusion.config import FusionSettings, MeshSettings
from sensorfusion.errors import DepthScaleError, SourceError, TrackingError
from sensorfusion.sources.driver import FrameSource, Losses

CAMERA = sf.Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5)
KEEP_ALL = sf.Settings(mesh=MeshSettings(smallest_piece_triangles=0))
SMALL = {"scale": "0.25"}


class Frames(FrameSource):
    """Frames from a list."""

    def __init__(self, frames, rig=None, trajectory=None):
        self._frames = frames
        self.rig = rig or sf.Rig({"depth": CAMERA})
        self.trajectory, self.down_world, self.losses = trajectory, None, Losses()

    def __iter__(self):
        yield from self._frames

    def samples(self):
        return iter(())


def raw_frames(value, unit_m, count=3):
    values = np.full((120, 160), value, np.uint16 if isinstance(value, int) else np.float32)
    return Frames(
        [
            sf.Frame(
                n, n * 33_000_000, "depth", sf.RawDepth(values, unit_m, CAMERA, n * 33_000_000)
            )
            for n in range(count)
        ]
    )


def room(count, **options):
    options = SMALL | {"frames": str(count)} | options
    return sf.open_source("synthetic:room", options=options)


def recorded(count, **options):
    """A few simulated frames, rendered once, to be changed by a test."""
    with room(count, **options) as source:
        return list(source), source.rig


def blank(depth):
    """The same measurement without a single depth."""
    field = "metres" if isinstance(depth, sf.DepthMap) else "values"
    return replace(depth, **{field: np.zeros_like(getattr(depth, field))})


def still(source):
    times = [frame.timestamp_ns for frame in source]
    return sf.Trajectory(times, [sf.RigidTransform.identity("world", "depth")] * len(times))


def test_a_wall_at_two_metres_gives_vertices_at_two_metres():
    source = raw_frames(2000, 0.001)
    mesh = sf.reconstruct(source, KEEP_ALL, poses=still(source)).mesh
    assert len(mesh.vertices) > 10_000
    assert np.abs(mesh.vertices[:, 2] - 2.0).max() < 1e-3


@pytest.mark.parametrize(("kind", "flat"), [("range", True), ("z", False)])
def test_a_wall_stored_as_ray_length_comes_out_flat_when_that_is_said(tmp_path, kind, flat):
    """A folder of 16-bit pictures: the wall z = 2 m as length of the ray, rounded to 1 mm."""
    import cv2

    v, u = np.mgrid[:120, :160]
    length_m = 2.0 * np.sqrt(1 + ((u - 79.5) / 100) ** 2 + ((v - 59.5) / 100) ** 2)
    for name, picture in (
        ("depth/000000.png", np.rint(1000 * length_m).astype(np.uint16)),
        ("color/000000.png", np.full((120, 160, 3), 90, np.uint8)),
    ):
        (tmp_path / name).parent.mkdir()
        assert cv2.imwrite(str(tmp_path / name), picture)
    intrinsic = [100, 0, 0, 0, 100, 0, 79.5, 59.5, 1]
    (tmp_path / "camera_intrinsic.json").write_text(
        json.dumps({"width": 160, "height": 120, "intrinsic_matrix": intrinsic})
    )
    with sf.open_source(tmp_path, options={"depth-kind": kind}) as source:
        z_m = sf.reconstruct(source, poses=still(source)).mesh.vertices[:, 2]
    assert (np.abs(z_m - 2.0).max() < 1e-3) == flat


@pytest.mark.parametrize(
    ("value", "unit_m"), [(2000, 1.0), (2000.0, 1.0), (2.0, 0.001), (2, 0.001)]
)
def test_metres_and_millimetres_taken_for_each_other_are_refused(value, unit_m):
    with pytest.raises(DepthScaleError, match="millimetres"):
        sf.reconstruct(raw_frames(value, unit_m))


def test_nothing_that_can_be_placed_is_an_error_with_the_reason():
    with pytest.raises(TrackingError, match="3 x no depth"):
        sf.reconstruct(raw_frames(0, 0.001))


def test_poses_that_the_recording_does_not_hold_are_refused():
    with pytest.raises(SourceError, match="holds no poses"):
        sf.reconstruct(raw_frames(2000, 0.001), poses="recording")


def test_the_same_recording_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        with room(12, noise="kinect") as source:
            sf.reconstruct(source).save(tmp_path / name)
    for file in ("mesh.ply", "mesh.glb", "trajectory.tum"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_kidnapped_camera_is_declared_and_not_fused():
    frames, rig = recorded(12)
    turned = []
    for frame in frames[6:]:
        depth = frame.measurement
        flipped = np.ascontiguousarray(
            (depth.metres if isinstance(depth, sf.DepthMap) else depth.values)[::-1, ::-1]
        )
        field = "metres" if isinstance(depth, sf.DepthMap) else "values"
        turned.append(replace(frame, measurement=replace(depth, **{field: flipped}), images={}))
    report = sf.reconstruct(Frames(frames[:6] + turned, rig)).report.to_dict()
    assert report["frames"]["used"] == 6
    assert sum(report["frames"]["dropped"].values()) == 6
    assert report["lost"] == [[frames[6].timestamp_ns, frames[11].timestamp_ns]]


def test_the_world_of_the_recording_is_kept_when_its_first_frames_are_empty():
    frames, rig = recorded(8)
    with room(8) as source:
        truth = source.trajectory
    for index in range(4):
        depth = frames[index].measurement
        frames[index] = replace(frames[index], measurement=blank(depth))
    result = sf.reconstruct(Frames(frames, rig, truth))
    assert result.report.to_dict()["frames"]["dropped"] == {"no depth": 4}
    np.testing.assert_allclose(
        result.trajectory.matrices[:, :3, 3], truth.matrices[4:, :3, 3], atol=5e-3
    )


def test_frames_without_depth_are_not_used_under_given_poses_either():
    frames, rig = recorded(3)
    frames[1] = replace(frames[1], measurement=blank(frames[1].measurement))
    with room(3) as source:
        report = sf.reconstruct(Frames(frames, rig), poses=source.trajectory).report.to_dict()
    assert report["frames"] == {"in": 3, "used": 2, "dropped": {"no depth": 1}}


def test_an_empty_mesh_still_comes_with_trajectory_and_report(tmp_path):
    with room(2) as source:
        result = sf.reconstruct(source)
    nothing = np.zeros((0, 3), np.float32)
    replace(result, mesh=sf.TriangleMesh(nothing, nothing.astype(np.int32))).save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "mesh.ply", "trajectory.tum", "report.json", "config.toml",
    }  # fmt: skip


def test_the_gravity_of_a_recording_does_not_turn_the_world_of_foreign_poses():
    with room(6) as source:
        own = sf.reconstruct(source, poses="recording")
        assert own.report.facts["upright_by"] == "gravity"
        turned = np.eye(4)
        turned[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
        foreign = source.trajectory.moved(sf.RigidTransform("other", "world", turned))
        result = sf.reconstruct(source, poses=foreign)
    assert result.report.facts["upright_by"] != "gravity"


def test_decimation_does_not_turn_the_world():
    frames, rig = recorded(5)
    coarse = sf.Settings(mesh=MeshSettings(target_triangles=2000))
    whole, few = (sf.reconstruct(Frames(frames, rig), settings) for settings in (None, coarse))
    assert len(few.mesh.triangles) < 0.1 * len(whole.mesh.triangles)
    np.testing.assert_array_equal(whole.trajectory.matrices, few.trajectory.matrices)


def test_the_rate_counts_frames_that_were_there():
    source = raw_frames(2000, 0.001)
    source.losses.dropped["picture file missing"] = 10**6
    report = sf.reconstruct(source, poses=still(source)).report.to_dict()
    assert report["frames"]["in"] == 10**6 + 3
    assert report["frames_per_second"] < 3000


def test_poses_in_map_coordinates_are_refused_with_a_sentence():
    source = raw_frames(2000, 0.001)
    far = np.eye(4)
    far[0, 3] = 500_000.0
    times = [frame.timestamp_ns for frame in source]
    poses = sf.Trajectory(times, [sf.RigidTransform("world", "depth", far)] * len(times))
    with pytest.raises(SourceError, match="subtract an offset"):
        sf.reconstruct(source, poses=poses)


def test_a_time_stamp_that_goes_back_is_dropped_and_counted():
    frames, rig = recorded(3)
    report = sf.reconstruct(Frames([*frames, frames[1]], rig)).report.to_dict()
    assert report["frames"] == {
        "in": 4,
        "used": 3,
        "dropped": {"time stamp does not increase": 1},
    }


def test_a_run_that_is_stopped_has_a_whole_mesh_of_what_was_seen(tmp_path):
    with room(12) as source:
        result = sf.reconstruct(source, go_on=lambda done, total: done < 4)
    result.save(tmp_path)
    assert len(result.trajectory) == 4
    assert len(sf.read_mesh(tmp_path / "mesh.ply").triangles) > 1000
    assert json.loads((tmp_path / "report.json").read_text())["interrupted"] is True


def test_what_is_written_says_what_was_done(tmp_path):
    with room(5) as source:
        sf.reconstruct(source, sf.Settings(fusion=FusionSettings(voxel_size_m=0.02))).save(tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["frames"] == {"in": 5, "used": 5, "dropped": {}}
    assert report["mesh"]["triangles"] == len(sf.read_mesh(tmp_path / "mesh.ply").triangles)
    assert set(report) >= {
        "source", "frames", "unpaired", "lost", "seconds", "frames_per_second",
        "peak_memory_mb", "mesh", "settings", "versions",
    }  # fmt: skip
    settings = tomllib.loads((tmp_path / "config.toml").read_text())
    assert settings["fusion"]["voxel_size_m"] == 0.02
    assert len(sf.read_trajectory(tmp_path / "trajectory.tum")) == 5


def test_without_poses_in_the_recording_the_world_is_upright_at_the_first_camera():
    frames, rig = recorded(5)
    result = sf.reconstruct(Frames(frames, rig))
    np.testing.assert_allclose(result.trajectory.poses[0].translation_m, 0, atol=1e-9)
    np.testing.assert_array_equal(result.T_up_world.matrix, np.eye(4))


def test_given_poses_from_a_file_are_used_as_they_are(tmp_path):
    with room(5) as source:
        sf.write_trajectory(tmp_path / "poses.tum", source.trajectory)
        result = sf.reconstruct(source, poses=tmp_path / "poses.tum")
        np.testing.assert_allclose(
            result.trajectory.matrices, source.trajectory.matrices, atol=1e-8
        )


def test_a_finer_volume_is_fused_beside_the_one_that_is_tracked():
    fine = sf.Settings(fusion=FusionSettings(voxel_size_m=0.006, truncation_voxels=6.0))
    with room(6) as source:
        truth = source.trajectory
        finer, usual = sf.reconstruct(source, fine), sf.reconstruct(source)
    assert len(finer.mesh.vertices) > 2 * len(usual.mesh.vertices)
    assert sf.compare_trajectories(finer.trajectory, truth).ate_rmse_m < 0.003


def test_a_run_that_places_nothing_still_accounts_for_every_frame():
    with pytest.raises(TrackingError) as failure:
        sf.reconstruct(raw_frames(0, 0.001))
    report = json.loads(failure.value.report_json)
    assert report["frames"] == {"in": 3, "used": 0, "dropped": {"no depth": 3}}
