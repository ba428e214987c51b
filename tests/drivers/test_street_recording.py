"""The shipped scans of a street: whole, with pictures, and where their truth says."""

from pathlib import Path

import numpy as np
import pytest

from sensorfusion.export.depth_map_files import find_depth_maps
from sensorfusion.export.trajectory import read_trajectory
from sensorfusion_drivers.clouds.driver import CloudsDriver

FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "street"


@pytest.fixture(scope="module")
def source():
    return CloudsDriver().open(str(FOLDER), rig=FOLDER / "rig.toml", images=FOLDER / "images")


def test_ten_scans_come_with_the_pictures_taken_45_ms_after_they_begin(source):
    frames = list(source)
    assert len(frames) == 10
    for frame in frames:
        assert frame.measurement.missing == 0
        assert frame.measurement.ring.max() == 31
        assert frame.measurement.column.max() == 511
        assert frame.measurement.time_offset_ns.max() < 100_000_000
        assert frame.images["color"].timestamp_ns - frame.timestamp_ns == 45_000_000
    assert set(source.losses.unpaired.values()) == {0}


def test_every_scan_has_a_true_pose(source):
    stamps = [frame.timestamp_ns for frame in source]
    assert read_trajectory(FOLDER / "truth" / "poses.tum").timestamps_ns.tolist() == stamps


def test_points_moved_by_the_true_poses_have_the_true_depth_of_the_picture(source):
    from sensorfusion.depth.deskew import deskew, twist_at

    read = read_trajectory(FOLDER / "truth" / "poses.tum")
    depths = find_depth_maps(FOLDER / "truth" / "depth")
    camera = source.rig.cameras["color"]
    T_color_lidar = source.rig.transform("color", "lidar")
    for index in (0, 4, 9):
        frame = source[index]
        twist = twist_at(_named_lidar(read), frame.timestamp_ns + 50_000_000)
        moved = deskew(frame.measurement, twist, frame.images["color"].timestamp_ns)
        points = T_color_lidar.apply(moved.points)
        true_m = depths.metres(str(index))
        pixels = camera.project(points)
        with np.errstate(invalid="ignore"):
            inside = (pixels > 0).all(axis=1)
            inside &= (pixels < (camera.width - 1, camera.height - 1)).all(axis=1)
        u, v = np.round(pixels[inside]).astype(int).T
        errors = np.abs(true_m[v, u] / points[inside, 2] - 1)
        assert inside.sum() > 2000
        assert np.median(errors) < 0.004
        # The rest is what the camera does not see from where it sits, edges and leaves.
        assert (errors < 0.03).mean() > 0.85


def _named_lidar(trajectory):
    from sensorfusion.trajectory import Trajectory
    from sensorfusion.transform import RigidTransform

    poses = [RigidTransform("world", "lidar", matrix) for matrix in trajectory.matrices]
    return Trajectory(trajectory.timestamps_ns.tolist(), poses)


def test_the_truth_knows_sky_and_far_houses():
    true_m = find_depth_maps(FOLDER / "truth" / "depth").metres("0")
    assert 0.02 < (true_m == 0).mean() < 0.4
    assert true_m.max() > 60


def test_the_street_is_at_most_5_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= 5e6
