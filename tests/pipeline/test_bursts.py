"""Bursts of 1 m/s and 120 degrees/s: followed, or declared; with a gyroscope always followed."""

import numpy as np
import pytest

import sensorfusion as sf
from sensorfusion.sources.driver import FrameSource

ELSEWHERE_M = 0.03
"""A pose that is farther from the truth is of another place."""


class Some(FrameSource):
    """Every so many frames of a source, as when a busy machine drops the others."""

    def __init__(self, source, every):
        self._source, self._every = source, every
        self.rig, self.trajectory, self.imu = source.rig, source.trajectory, source.imu
        self.down_world, self.losses = source.down_world, source.losses

    def __iter__(self):
        for index in range(0, len(self._source), self._every):
            yield self._source[index]

    def samples(self):
        return iter(())


def run(every=1, **options):
    """What comes of a burst recording, and the truth."""
    named = {"bursts": "true"} | {name: str(value) for name, value in options.items()}
    with sf.open_source("synthetic:room", options=named) as source:
        return sf.reconstruct(Some(source, every)), source.trajectory


def longest_undeclared(result, truth):
    """Most frames in a row that were used although their pose is of another place."""
    longest = current = 0
    for time_ns, pose in result.trajectory:
        off_m = np.linalg.norm(pose.translation_m - truth.at(time_ns).translation_m)
        current = current + 1 if off_m > ELSEWHERE_M else 0
        longest = max(longest, current)
    return longest


def fastest(truth):
    """Largest speed and turn between two frames, m/s and degrees/s at 30 Hz."""
    steps = np.linalg.inv(truth.matrices[:-1]) @ truth.matrices[1:]
    cosines = (np.trace(steps[:, :3, :3], axis1=1, axis2=2) - 1) / 2
    return (
        30 * np.linalg.norm(steps[:, :3, 3], axis=1).max(),
        30 * np.degrees(np.arccos(np.clip(cosines, -1, 1))).max(),
    )


# A second holds one burst. At half the resolution, to be short.
SHORT = {"frames": 30, "scale": 0.5, "noise": "kinect"}


def test_a_burst_is_tracked_or_declared_within_three_frames():
    result, truth = run(**SHORT)
    speed_m_s, turn_deg_s = fastest(truth)
    assert speed_m_s > 0.95
    assert turn_deg_s > 115
    assert longest_undeclared(result, truth) <= 3
    counts = result.report.to_dict()["frames"]
    assert counts["used"] + sum(counts["dropped"].values()) == 30


def test_with_a_gyroscope_every_frame_of_a_burst_is_tracked():
    result, truth = run(imu="true", **SHORT)
    assert result.report.used == 30
    assert longest_undeclared(result, truth) == 0
    assert sf.compare_trajectories(result.trajectory, truth).ate_rmse_m < 0.003


def test_a_recording_with_an_imu_is_reconstructed_in_the_same_world():
    options = {"frames": "6", "scale": "0.25", "imu": "true"}
    with sf.open_source("synthetic:room", options=options) as source:
        result, truth = sf.reconstruct(source), source.trajectory
    assert result.report.used == 6
    assert result.report.facts["upright_by"] == "gravity"
    errors_m = result.trajectory.matrices[:, :3, 3] - truth.matrices[:, :3, 3]
    assert np.abs(errors_m).max() < 2e-3


def without_and_with_gyroscope(every, **options):
    """Share of frames placed, and ATE, of the same frames."""
    found = []
    for imu in ("false", "true"):
        result, truth = run(every, imu=imu, **options)
        placed = result.report.used / -(-options["frames"] // every)
        ate_m = sf.compare_trajectories(result.trajectory, truth).ate_rmse_m
        found.append((placed, ate_m))
    return found


def test_where_frames_are_missing_in_a_burst_only_a_gyroscope_places_them_all():
    """Every fourth frame of a burst, 16 degrees apart: more than any guess foresees."""
    (placed, ate_m), (placed_with, ate_with_m) = without_and_with_gyroscope(
        4, **(SHORT | {"frames": 40})
    )
    assert placed_with == 1
    assert ate_with_m < 0.003
    # Without it frames are lost, or their error is twice as large.
    assert placed < 1 or ate_with_m <= 0.5 * ate_m


@pytest.mark.verify
@pytest.mark.parametrize("every", [4, 6])
@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_a_gyroscope_places_200_frames_of_which_most_are_missing(noise, every):
    (placed, ate_m), (placed_with, ate_with_m) = without_and_with_gyroscope(
        every, frames=200, noise=noise
    )
    print(noise, every, placed, ate_m, placed_with, ate_with_m)  # noqa: T201
    assert placed_with == 1
    assert ate_with_m < 0.004
    assert placed < 1 or ate_with_m <= 0.5 * ate_m


@pytest.mark.verify
@pytest.mark.parametrize("speed", [1.5, 2.0, 2.5])
@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_with_a_gyroscope_bursts_up_to_300_degrees_s_are_tracked(noise, speed):
    result, truth = run(frames=200, noise=noise, imu="true", speed=speed)
    assert result.report.used == 200
    assert longest_undeclared(result, truth) == 0
    assert sf.compare_trajectories(result.trajectory, truth).ate_rmse_m <= 0.010


@pytest.mark.verify
@pytest.mark.parametrize("imu", ["false", "true"], ids=["without imu", "with imu"])
@pytest.mark.parametrize(("noise", "bound_m"), [("kinect", 0.005), ("d435", 0.010)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_burst_is_tracked_to_the_last_frame(noise, bound_m, imu, seed):
    result, truth = run(frames=200, noise=noise, imu=imu, seed=seed)
    assert result.report.used == 200
    assert longest_undeclared(result, truth) == 0
    assert sf.compare_trajectories(result.trajectory, truth).ate_rmse_m <= bound_m
