"""Accuracy of the whole path against exact truth, and on real recordings."""

import os
from pathlib import Path

import numpy as np
import pytest

import sensorfusion as sf

DATA = Path(
    os.environ.get("SENSORFUSION_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
SEVEN_SCENES = DATA / "rgbd-7scenes"

needs_data = pytest.mark.skipif(
    not SEVEN_SCENES.is_dir(), reason=f"no recordings at {DATA}: set SENSORFUSION_DATA"
)


def own_poses(noise, frames):
    options = {"noise": noise, "frames": str(frames)}
    result = sf.reconstruct("synthetic:room", options=options)
    truth = sf.read_truth("synthetic:room", options=options)
    assert result.report.used == frames
    return (
        sf.compare_trajectories(result.trajectory, truth.trajectory),
        sf.compare_meshes(result.mesh, truth.mesh),
    )


@pytest.mark.parametrize(
    "frames", [200, pytest.param(600, marks=pytest.mark.verify)], ids="{}-frames".format
)
@pytest.mark.parametrize(("noise", "bound_m"), [("kinect", 0.005), ("d435", 0.010)])
def test_own_poses_and_surface_of_a_simulated_room(noise, bound_m, frames):
    trajectory, mesh = own_poses(noise, frames)
    assert trajectory.ate_rmse_m <= bound_m
    assert mesh.as_given.fscore_2cm >= 0.95


def test_true_poses_without_noise_give_the_surface_to_two_millimetres():
    options = {"noise": "none", "frames": "200", "scale": "0.5"}
    result = sf.reconstruct("synthetic:room", options=options, poses="recording")
    truth = sf.read_truth("synthetic:room", options=options)
    scores = sf.compare_meshes(result.mesh, truth.mesh).as_given
    assert scores.accuracy_mean_m <= 0.002
    assert scores.completeness_mean_m <= 0.002


def test_the_floor_of_an_upright_mesh_is_level_to_half_a_degree():
    options = {"noise": "none", "frames": "60", "scale": "0.5"}
    with sf.open_source("synthetic:room", options=options) as source:
        up_world = -source.down_world
        truth = source.trajectory
        # Without the recording's poses and gravity the floor itself has to show what is up.
        source.trajectory = source.down_world = None
        result = sf.reconstruct(source)
    assert result.report.facts["upright_by"] == "floor plane"
    T_up_camera, T_world_camera = result.trajectory.poses[0], truth.poses[0]
    up = T_up_camera.rotation @ T_world_camera.rotation.T @ up_world
    assert np.degrees(np.arccos(up[2])) <= 0.5


@needs_data
def test_every_frame_of_a_real_kinect_recording_is_tracked():
    result = sf.reconstruct(SEVEN_SCENES)
    truth = sf.read_truth(SEVEN_SCENES).trajectory
    assert result.report.used == 300
    assert sf.compare_trajectories(result.trajectory, truth).ate_rmse_m <= 0.035
    assert result.report.facts["upright_by"] == "gravity"


@needs_data
@pytest.mark.parametrize("name", ["7scenes_000-014.bag", "7scenes_000-014.db3"])
def test_a_realsense_recording_becomes_a_coloured_mesh(name):
    mesh = sf.reconstruct(DATA / "realsense-from-7scenes" / name).mesh
    assert len(mesh.triangles) > 50_000
    assert mesh.colors.std(axis=0).min() > 10
