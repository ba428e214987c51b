"""Scans to a mesh: the whole path, held against exact simulated truth."""

import json
from dataclasses import replace

import numpy as np
import pytest

import sensorfusion as sf
from sensorfusion.config import DepthSettings, FusionSettings, LidarSettings, MeshSettings
from sensorfusion.errors import TrackingError
from sensorfusion.evaluate.surface import Surface
from sensorfusion.export.cloud import write_cloud
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.hall import hall as scene
from sensorfusion.sources.driver import FrameSource, Losses

SCANS = 8
HALL = {"noise": "lidar", "frames": str(SCANS), "columns": "512"}
COARSE = sf.Settings(fusion=FusionSettings(voxel_size_m=0.06))


class Frames(FrameSource):
    """Frames from a list."""

    def __init__(self, frames, rig, trajectory=None):
        self._frames, self.rig, self.trajectory = frames, rig, trajectory
        self.down_world, self.losses = None, Losses()

    def __iter__(self):
        yield from self._frames

    def samples(self):
        return iter(())


@pytest.fixture(scope="module")
def hall():
    """Return the frames of a walk through the hall, its rig and its true poses."""
    with sf.open_source("synthetic:hall", options=HALL) as source:
        return list(source), source.rig, source.trajectory


@pytest.fixture(scope="module")
def truth():
    return sf.read_truth("synthetic:hall", options=HALL)


@pytest.fixture(scope="module")
def walked(hall):
    """Return what comes out of the walk, tracked by its scans alone."""
    frames, rig, trajectory = hall
    return sf.reconstruct(Frames(frames, rig, trajectory), COARSE)


def distances_mm(mesh):
    return 1000 * Surface(scene().mesh).distances_m(mesh.vertices)


def test_scans_are_tracked_to_millimetres(walked, truth):
    error = sf.compare_trajectories(walked.trajectory, truth.trajectory)
    assert len(walked.trajectory) == SCANS
    assert error.ate_rmse_m < 0.005


def test_the_mesh_of_tracked_scans_lies_on_the_surface(walked):
    away_mm = distances_mm(walked.mesh)
    assert np.mean(away_mm) < 8.0
    assert np.mean(away_mm < 50) > 0.98


def test_every_vertex_says_how_far_it_may_be_off(walked):
    away_m = 1e-3 * distances_mm(walked.mesh)
    ratio = float(np.percentile(away_m / walked.mesh.sigma_m, 68))
    assert 0.4 < ratio < 2.0


def test_the_mesh_has_the_colours_that_the_cameras_saw(walked):
    spread = np.ptp(walked.mesh.colors.astype(int), axis=1)
    assert (spread > 20).mean() > 0.02


def test_the_first_scan_is_straightened_by_a_motion_that_is_known_with_the_second(hall):
    frames, rig, trajectory = hall
    two = sf.reconstruct(Frames(frames[:2], rig, trajectory), COARSE)
    assert np.mean(distances_mm(two.mesh)) < 15.0


def test_one_scan_alone_becomes_a_mesh(hall):
    frames, rig, _ = hall
    alone = sf.reconstruct(Frames(frames[:1], rig), COARSE)
    assert len(alone.mesh.triangles) > 1000
    assert alone.report.to_dict()["frames"] == {"in": 1, "used": 1, "dropped": {}}


def test_given_poses_are_kept_and_name_the_world(hall, truth):
    frames, rig, _ = hall
    given = sf.reconstruct(Frames(frames, rig), COARSE, poses=truth.trajectory)
    np.testing.assert_array_equal(given.trajectory.matrices, truth.trajectory.matrices)
    assert np.mean(distances_mm(given.mesh)) < 6.0


def test_scans_without_a_pose_are_counted(hall, truth):
    frames, rig, _ = hall
    half = sf.Trajectory(truth.trajectory.timestamps_ns[:4], truth.trajectory.poses[:4])
    result = sf.reconstruct(Frames(frames, rig), COARSE, poses=half)
    assert result.report.to_dict()["frames"] == {"in": 8, "used": 4, "dropped": {"no pose": 4}}


def test_the_same_scans_give_the_same_bytes(hall, walked):
    frames, rig, trajectory = hall
    again = sf.reconstruct(Frames(frames, rig, trajectory), COARSE)
    np.testing.assert_array_equal(again.trajectory.matrices, walked.trajectory.matrices)
    np.testing.assert_array_equal(again.mesh.vertices, walked.mesh.vertices)
    np.testing.assert_array_equal(again.mesh.triangles, walked.mesh.triangles)
    np.testing.assert_array_equal(again.mesh.colors, walked.mesh.colors)


def test_another_engine_can_be_chosen(hall):
    frames, rig, trajectory = hall
    settings = sf.Settings(fusion=COARSE.fusion, lidar=LidarSettings(engine="kiss"))
    result = sf.reconstruct(Frames(frames[:3], rig, trajectory), settings)
    assert len(result.trajectory) == 3
    assert "overlap" not in result.report.facts["tracking"]


def test_without_a_world_the_mesh_stands_upright_with_the_first_scan_at_the_origin(hall):
    frames, rig, _ = hall
    free = sf.reconstruct(Frames(frames[:3], rig), COARSE)
    np.testing.assert_allclose(free.trajectory.poses[0].translation_m, 0.0, atol=1e-9)
    # The hall's floor and ceiling are level, 1.2 m below and 2 m above the LiDAR.
    level = np.abs(free.mesh.normals[:, 2]) > 0.99
    heights_m = free.mesh.vertices[level, 2]
    assert np.median(heights_m[heights_m < 0]) == pytest.approx(-1.2, abs=0.1)


def test_a_folder_of_points_with_nothing_else_becomes_a_mesh(hall, truth, tmp_path):
    frames, _, _ = hall
    for frame in frames:
        bare = PointCloud(frame.measurement.points, "lidar")
        write_cloud(bare, tmp_path / f"scan{frame.index:03d}.pcd")
    result = sf.reconstruct(tmp_path)
    report = result.report.to_dict()
    assert report["frames"]["used"] == SCANS
    assert "voxels of" in report["scale"]
    assert report["settings"]["fusion"]["voxel_size_m"] == pytest.approx(0.035, abs=0.02)
    # Without times no scan is straightened: half a metre of way bends each by centimetres.
    stamps_ns = truth.trajectory.timestamps_ns
    same_clock = sf.Trajectory(stamps_ns, result.trajectory.poses)
    assert sf.compare_trajectories(same_clock, truth.trajectory).ate_rmse_m < 0.05
    assert len(result.mesh.triangles) > 10_000


def test_points_in_no_order_at_all_become_a_mesh(hall, tmp_path):
    frames, _, _ = hall
    generator = np.random.default_rng(4)
    for frame in frames[:3]:
        points = generator.permutation(frame.measurement.points)
        write_cloud(PointCloud(points, "lidar"), tmp_path / f"{frame.index}.ply")
    result = sf.reconstruct(tmp_path, COARSE)
    assert result.report.used == 3
    assert len(result.mesh.triangles) > 10_000


def test_scans_of_a_second_lidar_are_counted_and_not_mixed_in(hall):
    frames, rig, _ = hall
    (lidar,) = rig.lidars.values()
    both = sf.Rig(
        {},
        (sf.RigidTransform.identity("lidar", "rear"),),
        lidars={
            "lidar": lidar,
            "rear": replace(lidar, name="rear"),
        },
    )
    rear = replace(frames[1].measurement, coordinate_system="rear")
    mixed = [sf.Frame(0, 0, "lidar", frames[0].measurement)]
    mixed += [sf.Frame(1, rear.timestamp_ns, "rear", rear)]
    mixed += [sf.Frame(2, frames[2].timestamp_ns, "lidar", frames[2].measurement)]
    result = sf.reconstruct(Frames(mixed, both), COARSE)
    assert result.report.to_dict()["frames"] == {
        "in": 3,
        "used": 2,
        "dropped": {"of another LiDAR than the first scan": 1},
    }


def test_scans_of_nothing_end_with_the_reason(hall):
    frames, rig, _ = hall
    first = frames[0]
    few = first.measurement.subset(np.arange(20))
    frame = sf.Frame(0, first.timestamp_ns, first.sensor, few)
    with pytest.raises(TrackingError, match="too few points") as caught:
        sf.reconstruct(Frames([frame], rig), COARSE)
    assert json.loads(caught.value.report_json)["frames"]["dropped"] == {"too few points": 1}


def test_a_smooth_tunnel_is_told_to_hold_nobody_along_it():
    settings = sf.Settings(
        fusion=FusionSettings(voxel_size_m=0.2), mesh=MeshSettings(smallest_piece_triangles=0)
    )
    options = {"noise": "lidar", "frames": "60", "columns": "256", "rings": "32"}
    result = sf.reconstruct("synthetic:tunnel", settings, options=options)
    spans = result.report.facts["free_to_slide"]
    assert spans
    assert all(begin <= end for begin, end in spans)


def test_what_a_depth_camera_beside_the_lidar_saw_is_fused_where_it_looked():
    options = {"noise": "d435", "frames": "4", "columns": "512", "scale": "0.5"}
    settings = sf.Settings(depth=DepthSettings(far_m=5.0), fusion=FusionSettings(voxel_size_m=0.03))
    with sf.open_source("synthetic:hall", options=options) as source:
        frames, rig, trajectory = list(source), source.rig, source.trajectory
    alone = [sf.Frame(f.index, f.timestamp_ns, f.sensor, f.measurement, f.images) for f in frames]
    both = sf.reconstruct(Frames(frames, rig), settings, poses=trajectory).mesh
    lidar = sf.reconstruct(Frames(alone, rig), settings, poses=trajectory).mesh
    T_depth_world = (trajectory.poses[0] @ rig.transform("lidar", "depth")).inverse()

    def observed(mesh):
        pixels = rig.cameras["depth"].project(T_depth_world.apply(mesh.vertices))
        near = np.linalg.norm(mesh.vertices - trajectory.poses[0].translation_m, axis=1) < 4.5
        with np.errstate(invalid="ignore"):
            inside = ((pixels > 10) & (pixels < (410, 230))).all(axis=1)
        return mesh.observations[near & inside].mean()

    assert observed(both) > 1.5 * observed(lidar)
    assert len(both.vertices) > len(lidar.vertices)
