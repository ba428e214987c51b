"""``export map`` puts every frame into one world, by poses that are given."""

from pathlib import Path

import numpy as np
import pytest

from sensorfusion.cli import app as cli
from sensorfusion.evaluate.surface import Surface
from sensorfusion.simulate.room import room
from sensorfusion.simulate.street import street

HALL = ["-o", "frames=3", "-o", "scale=0.1"]
ROOM = ["export", "map", "synthetic:room", "-o", "frames=6", "-o", "scale=0.1"]
STREET = Path(__file__).parents[2] / "recordings" / "street"


def read(path):
    """A PLY or PCD, by a reader that is not ours."""
    import open3d as o3d

    return {
        name: value.numpy() for name, value in o3d.t.io.read_point_cloud(str(path)).point.items()
    }


def test_a_map_of_a_room_lies_on_its_walls(tmp_path, capsys):
    out = tmp_path / "new" / "map.ply"
    assert cli.run([*ROOM, "--voxel-size-m", "0.1", "--out", str(out)]) == 0
    found = read(out)
    said = capsys.readouterr().out
    assert said.startswith(f"{len(found['positions'])} points, of {found['observations'].sum()} in")
    errors_m = Surface(room(0).mesh).distances_m(found["positions"])
    # In a flat voxel the mean of exact points is exact; in a bent one it is off by less than it.
    assert np.median(errors_m) < 0.002
    assert errors_m.max() < 0.1
    assert "colors" not in found


def test_points_have_the_colours_of_the_pictures(tmp_path, capsys):
    assert cli.run([*ROOM, "--color", "--out", str(tmp_path / "map.pcd")]) == 0
    colors = read(tmp_path / "map.pcd")["colors"].reshape(-1, 3)
    share = colors.any(axis=1).mean()
    assert share > 0.5
    assert f"{share:.1%} of the points have a colour" in capsys.readouterr().out


def test_scans_are_compensated_for_the_motion_of_the_car(tmp_path):
    """The recording's scans, each measured over 0.9 m of the way."""
    poses = ["--poses", str(STREET / "truth" / "poses.tum"), "--far-m", "20"]
    out = tmp_path / "map.ply"
    assert cli.run(["export", "map", str(STREET), *poses, "--out", str(out)]) == 0
    found = read(out)
    errors_m = Surface(street(5).still.mesh).distances_m(found["positions"])
    # Range errs by 12 to 17 mm along beams that mostly graze the ground. As they were measured,
    # the same scans are off by 10 mm and 67 mm.
    assert np.median(errors_m) < 0.006
    assert np.percentile(errors_m, 90) < 0.03
    assert found["intensity"].max() > 0


def test_the_same_recording_gives_the_same_bytes(tmp_path):
    for name in ("a.ply", "b.ply"):
        assert cli.run([*ROOM, "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()


def test_las_holds_intensity_and_how_many_points_each_is_of(tmp_path):
    laspy = pytest.importorskip("laspy")
    out = tmp_path / "map.las"
    assert cli.run(["export", "map", "synthetic:hall", *HALL, "--out", str(out)]) == 0
    las = laspy.read(out)
    assert np.asarray(las["observations"]).min() == 1
    assert np.asarray(las["observations"]).sum() > len(las.points) > 0
    assert las.intensity.max() > 0


def test_frames_without_a_pose_are_told(tmp_path, capsys):
    poses = tmp_path / "poses.tum"
    poses.write_text("0.0 0 0 0 0 0 0 1\n")
    out = ["--poses", str(poses), "--out", str(tmp_path / "map.ply")]
    assert cli.run([*ROOM, *out]) == 0
    assert "left out 5 frames: no pose" in capsys.readouterr().out


def test_scans_whose_motion_is_not_known_are_told(tmp_path, capsys):
    poses = tmp_path / "poses.tum"
    poses.write_text("0.0 0 0 0 0 0 0 1\n")
    out = ["--poses", str(poses), "--out", str(tmp_path / "map.ply")]
    assert cli.run(["export", "map", "synthetic:hall", *HALL, *out]) == 0
    assert "1 scans as they are: how they moved is not known" in capsys.readouterr().out


def test_a_recording_without_poses_says_where_to_get_them(tmp_path, capsys):
    assert cli.run(["export", "map", str(STREET), "--out", str(tmp_path / "map.ply")]) == 1
    told = capsys.readouterr().err
    assert "run 'sensorfusion reconstruct' on it first and give its trajectory.tum" in told
    assert not (tmp_path / "map.ply").exists()


def test_poses_of_another_recording_are_refused(tmp_path, capsys):
    poses = tmp_path / "poses.tum"
    poses.write_text("99.0 0 0 0 0 0 0 1\n")
    out = ["--poses", str(poses), "--out", str(tmp_path / "map.ply")]
    assert cli.run([*ROOM, *out]) == 1
    assert "none of 6 frames has a pose within 20 ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--out", "map.obj"], "expected a name that ends in .ply, .pcd, .las, .laz"),
        (["--out", "map.ply", "--voxel-size-m", "0"], "--voxel-size-m is 0"),
        (["--out", "map.ply", "--far-m", "-1"], "depth.far_m is -1"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(capsys, wrong, told):
    assert cli.run([*ROOM, *wrong]) == 2
    assert told in capsys.readouterr().err
