"""The synthetic driver's LiDAR scenes: scans by index, with poses and dense depth as truth."""

import numpy as np
import pytest

from sensorfusion.errors import SourceError
from sensorfusion.noise import DepthNoise
from sensorfusion.sources.registry import open_source, read_truth
from sensorfusion_drivers.synthetic import SyntheticDriver

HALL, STREET = "synthetic:hall", "synthetic:street"
SMALL = {"frames": 4, "scale": 0.1, "rings": 16, "columns": 128}


def opened(location, **options):
    return SyntheticDriver().open(location, **(SMALL | options))


def truth_of(location, **options):
    return SyntheticDriver().truth(location, frames=4, scale=0.1, **options)


def test_a_frame_is_a_scan_and_the_picture_taken_when_it_looks_ahead():
    source = opened(STREET, noise="lidar")
    frame = source[2]
    assert frame.sensor == "lidar"
    assert frame.timestamp_ns == frame.measurement.timestamp_ns == 200_000_000
    assert frame.images["color"].timestamp_ns == 245_000_000
    assert frame.images["color"].pixels.shape == (38, 124, 3)
    assert frame.depths == {}
    assert list(source.rig.cameras) == ["color"]
    assert source.rig.lidars["lidar"].rings == 16
    assert source.losses.unpaired == {"lidar": 0, "color": 0}


def test_the_trajectory_is_where_the_lidar_is_when_a_scan_begins():
    source = opened(STREET, shutter="global")
    assert source.trajectory.timestamps_ns.tolist() == [0, 100_000_000, 200_000_000, 300_000_000]
    assert source.trajectory.poses[0].name == "T_world_lidar"
    # In the world, the road below the sensor stays one surface: 1.8 m below it.
    for frame, pose in zip(source, source.trajectory.poses, strict=True):
        points = pose.apply(frame.measurement.points)
        near = np.linalg.norm(points[:, :2] - pose.translation_m[:2], axis=1) < 5
        low = points[near, 2] < pose.translation_m[2] - 1.0
        assert pose.translation_m[2] - np.median(points[near][low, 2]) == pytest.approx(
            1.8, abs=0.3
        )


def test_true_depth_is_what_exact_points_have_in_the_picture():
    source = opened(HALL, shutter="global", columns=256)
    depth = truth_of(HALL).depth("color", 1)
    assert depth.timestamp_ns == 145_000_000
    # Points of the scan that begins at 0.1 s, moved by the true motion to 0.145 s.
    T_now_then = truth_at(145_000_000).inverse() @ truth_at(100_000_000)
    points = T_now_then.apply(source[1].measurement.points)
    points = source.rig.transform("color", "lidar").apply(points)
    camera = source.rig.cameras["color"]
    pixels = camera.project(points)
    inside = (pixels > 0).all(axis=1) & (pixels < (camera.width - 1, camera.height - 1)).all(axis=1)
    u, v = np.round(pixels[inside]).astype(int).T
    close = np.abs(depth.metres[v, u] / points[inside, 2] - 1) < 0.05
    assert inside.sum() > 300
    assert close.mean() > 0.85


def truth_at(timestamp_ns):
    from sensorfusion.simulate.hall import hall_walk
    from sensorfusion.transform import RigidTransform

    matrix = hall_walk(np.array([1e-9 * timestamp_ns]))[0]
    return RigidTransform("world", "lidar", matrix)


def test_a_depth_camera_beside_the_lidar_is_there_when_asked_for():
    without, beside = opened(HALL, noise="lidar"), opened(HALL, noise="kinect")
    assert list(without.rig.cameras) == ["color"]
    assert set(beside.rig.cameras) == {"depth", "color"}
    assert beside.rig.noise_of("depth") == DepthNoise.of_device("kinect", 38.57)
    raw = beside[1].depths["depth"]
    assert raw.timestamp_ns == 145_000_000
    true = truth_of(HALL, noise="kinect").depth("depth", 1)
    both = (raw.values > 0) & (true.metres > 0)
    assert both.mean() > 0.3
    errors_m = raw.values[both] * raw.unit_m - true.metres[both]
    assert np.median(np.abs(errors_m)) < 0.05
    np.testing.assert_allclose(
        without.rig.transform("lidar", "color").matrix,
        beside.rig.transform("lidar", "color").matrix,
    )


def test_the_room_has_true_depth_too():
    options = {"frames": 3, "scale": 0.1}
    frame = SyntheticDriver().open("synthetic:room", **options)[2]
    truth = SyntheticDriver().truth("synthetic:room", **options)
    np.testing.assert_array_equal(truth.depth("depth", 2).metres, frame.measurement.values)
    assert truth.depth("color", 2).metres.shape == frame.images["color"].pixels.shape[:2]


def test_without_noise_no_beam_is_lost():
    exact, noisy = opened(HALL)[0].measurement, opened(HALL, noise="lidar")[0].measurement
    assert exact.missing < noisy.missing
    assert len(exact) > len(noisy)


@pytest.mark.parametrize("location", [HALL, STREET])
def test_options_from_the_command_line_are_those_of_open_and_truth(location):
    options = {"frames": "2", "noise": "lidar", "rings": "8", "columns": "32", "scale": "0.05"}
    with open_source(location, options=options) as source:
        assert len(source) == 2
    assert len(read_truth(location, options=options).trajectory) == 2


@pytest.mark.parametrize(
    ("location", "options", "complaint"),
    [
        (STREET, {"frames": 500}, "frames is 500; expected 1 to 210"),
        (STREET, {"noise": "kinect"}, "noise 'kinect'; expected one of none, lidar"),
        (STREET, {"speed": 2.0}, "speed is 2.0, which this scene does not have"),
        (HALL, {"imu": True}, "imu is True, which this scene does not have"),
        (HALL, {"rings": 1}, "rings is 1; expected 2 to 128"),
        (HALL, {"columns": 10**9}, "columns is 1000000000; expected 16 to 4096"),
        ("synthetic:room", {"rings": 32}, "rings is 32, which this scene does not have"),
        ("synthetic:room", {"noise": "lidar"}, "noise 'lidar'; expected one of none, kinect"),
        ("synthetic:", {}, "no such scene; expected synthetic:room, synthetic:hall, "),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_sentence(location, options, complaint):
    with pytest.raises(SourceError, match=complaint):
        SyntheticDriver().open(location, **options)


def test_depth_of_another_camera_or_frame_is_refused_in_a_sentence():
    truth = truth_of(STREET)
    with pytest.raises(SourceError, match="no camera 'depth'; there are color"):
        truth.depth("depth", 0)
    with pytest.raises(SourceError, match="no frame 4; there are 4"):
        truth.depth("color", 4)
