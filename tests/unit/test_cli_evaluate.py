"""``evaluate`` on trajectories and meshes whose errors are known by construction."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onnx_model import write_luminance
from sensorfusion.cli import app as cli
from sensorfusion.export.mesh import write_mesh
from sensorfusion.export.trajectory import write_trajectory
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_vector
from sensorfusion.triangle_mesh import TriangleMesh


def moved(vector_rad, translation_m):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(vector_rad, dtype=float))
    matrix[:3, 3] = translation_m
    return RigidTransform("other", "world", matrix)


def pose(position_m):
    matrix = np.eye(4)
    matrix[:3, 3] = position_m
    return RigidTransform("world", "camera", matrix)


# A 3-4-5 path, so that nothing about it is symmetric.
POSITIONS_M = [(0, 0, 0), (1, 0, 0), (1, 2, 0), (1, 2, 3), (4, 2, 3)]
TRUTH = Trajectory([i * 33_333_333 for i in range(5)], [pose(p) for p in POSITIONS_M])
ANYWHERE = moved((0.1, -0.7, 2.0), (5.0, -1.0, 2.0))


def box():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], np.float32)
    faces = [
        (0, 1, 3, 2),
        (4, 6, 7, 5),
        (0, 4, 5, 1),
        (2, 3, 7, 6),
        (0, 2, 6, 4),
        (1, 5, 7, 3),
    ]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    return TriangleMesh(corners, np.array(triangles, np.int32))


@pytest.fixture
def files(tmp_path):
    write_trajectory(tmp_path / "truth.tum", TRUTH)
    write_trajectory(tmp_path / "same.tum", TRUTH.moved(ANYWHERE))
    write_mesh(tmp_path / "truth.ply", box())
    write_mesh(tmp_path / "shifted.ply", box().moved(moved((0, 0, 0), (0.015, 0.0, 0.0))))
    write_mesh(tmp_path / "elsewhere.ply", box().moved(ANYWHERE))
    return lambda name: str(tmp_path / name)


def result(capsys, *arguments):
    code = cli.run(["evaluate", *arguments, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def test_a_trajectory_in_another_world_has_no_error(files, capsys):
    values = result(capsys, "trajectory", files("same.tum"), files("truth.tum"))
    assert values["ate_rmse_m"] == pytest.approx(0, abs=1e-7)
    assert values["rpe_1_rmse_m"] == pytest.approx(0, abs=1e-7)
    assert values["rpe_30_rmse_m"] is None
    assert values["matched"] == 5
    assert values["coverage"] == 1.0


def test_truth_may_be_a_source_that_carries_it(files, capsys):
    values = result(capsys, "trajectory", files("truth.tum"), "synthetic:room", "-o", "frames=6")
    # Both run at 30 Hz from 0; the sixth true pose has no partner.
    assert values["matched"] == 5
    assert values["coverage"] == pytest.approx(5 / 6)


def test_a_mesh_beside_the_truth_is_off_by_what_it_was_moved(files, capsys):
    values = result(capsys, "mesh", files("shifted.ply"), files("truth.ply"))
    # Of the area 22 m2, only the two faces of 6 m2 across x leave the true surface, by 15 mm;
    # those of the other faces stay on it but for a strip 15 mm wide.
    assert values["accuracy_mean_m"] == pytest.approx(0.015 * 12 / 22, rel=0.02)
    assert values["precision_1cm"] == pytest.approx(10 / 22, abs=0.01)
    assert values["precision_2cm"] == 1.0
    assert values["fscore_2cm"] == 1.0
    assert values["aligned"]["accuracy_mean_m"] < 1e-4


def test_a_mesh_in_another_world_is_moved_by_its_trajectory(files, capsys):
    values = result(
        capsys,
        "mesh",
        files("elsewhere.ply"),
        files("truth.ply"),
        "--trajectory",
        files("same.tum"),
        "--truth-trajectory",
        files("truth.tum"),
    )
    assert values["accuracy_mean_m"] < 1e-5


def test_a_mesh_in_another_world_is_far_off_without_its_trajectory(files, capsys):
    values = result(capsys, "mesh", files("elsewhere.ply"), files("truth.ply"))
    assert values["accuracy_mean_m"] > 1.0


def test_a_true_trajectory_alone_says_nothing(files, capsys):
    code = cli.run(
        [
            "evaluate",
            "mesh",
            files("shifted.ply"),
            files("truth.ply"),
            "--truth-trajectory",
            files("truth.tum"),
        ]
    )
    assert code == 2
    assert "without --trajectory" in capsys.readouterr().err


def test_text_gives_millimetres(files, capsys):
    assert cli.run(["evaluate", "trajectory", files("same.tum"), files("truth.tum")]) == 0
    assert "absolute trajectory error  0.00 mm (RMS)" in capsys.readouterr().out


def test_a_low_coverage_says_which_poses_count(files, capsys, tmp_path):
    write_trajectory(
        tmp_path / "first.tum",
        Trajectory([i * 33_333_333 for i in range(3)], [pose(p) for p in POSITIONS_M[:3]]),
    )
    many = [i * 33_333_333 for i in range(10)]
    write_trajectory(tmp_path / "all.tum", Trajectory(many, [pose((i, 0, 0)) for i in range(10)]))
    assert cli.run(["evaluate", "trajectory", files("first.tum"), files("all.tum")]) == 0
    said = capsys.readouterr().out
    assert "3, 30.0% of the true ones\n  every pose of the truth counts" in said


def test_columns_of_large_values_stay_apart(files, capsys, tmp_path):
    far = box().moved(moved((0, 0, 0), (90_000.0, 0.0, 0.0)))
    write_mesh(tmp_path / "far.ply", far)
    assert cli.run(["evaluate", "mesh", files("far.ply"), files("truth.ply")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"mean  +[89]\d{7}\.\d\d mm  +\S+ mm$", lines[1])
    assert len({len(line) for line in lines}) == 1


def shifted_with_errors(tmp_path, sigma_m):
    """The box 15 mm along x: of its 8 corners, four are 15 mm off and four on a true edge."""
    mesh = replace(box(), sigma_m=np.full(8, sigma_m, np.float32))
    write_mesh(tmp_path / "stated.ply", mesh.moved(moved((0, 0, 0), (0.015, 0.0, 0.0))))


def test_errors_are_measured_in_units_of_what_the_mesh_states(files, capsys, tmp_path):
    shifted_with_errors(tmp_path, 0.010)
    values = result(capsys, "mesh", files("stated.ply"), files("truth.ply"))
    # Eight values 0 0 0 0 1.5 1.5 1.5 1.5: the 68th percentile lies among the upper four.
    assert values["sigma"]["ratio_68"] == pytest.approx(1.5, rel=1e-4)
    assert [b["count"] for b in values["sigma"]["bins"]] == [2, 2, 2, 1, 1]
    for found in values["sigma"]["bins"]:
        assert found["sigma_m"] == pytest.approx([0.010, 0.010], rel=1e-6)
    assert cli.run(["evaluate", "mesh", files("stated.ply"), files("truth.ply")]) == 0
    said = capsys.readouterr().out
    assert "68 % of errors within 1.50 sigma; by sigma " in said
    assert "(to 10.00 mm)" in said


def test_a_mesh_that_states_no_error_is_measured_without(files, capsys):
    assert "sigma" not in result(capsys, "mesh", files("shifted.ply"), files("truth.ply"))


def test_stated_errors_that_are_all_unknown_are_a_sentence(files, capsys, tmp_path):
    shifted_with_errors(tmp_path, 0.0)
    assert cli.run(["evaluate", "mesh", files("stated.ply"), files("truth.ply")]) == 1
    assert "0 of 8 vertices with a sigma_m above 0" in capsys.readouterr().err


def test_a_source_without_a_true_mesh_is_refused(files, capsys, tmp_path):
    assert cli.run(["evaluate", "mesh", files("truth.ply"), str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("sensorfusion: ")


def test_consistency_of_a_simulated_sensor_is_within_half_a_percent(capsys):
    options = ["-o", "frames=22", "-o", "scale=0.25", "-o", "noise=kinect"]
    source = ["evaluate", "consistency", "synthetic:room", *options]
    assert cli.run([*source, "--poses", "recording", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert set(values) == {"median_log_ratio", "spread_log_ratio", "pairs"}
    assert values["pairs"] == 2
    assert abs(values["median_log_ratio"]) < 0.005


def test_scans_of_a_lidar_agree_along_the_recordings_poses(capsys):
    source = "synthetic:street,frames=7,rings=32,columns=256"
    assert cli.run(["evaluate", "consistency", source, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert set(values) == {"median_log_ratio", "spread_log_ratio", "pairs"}
    assert values["pairs"] == 2
    assert abs(values["median_log_ratio"]) < 0.002


def test_sources_of_several_kinds_stand_in_one_table(capsys, tmp_path):
    room, street = (
        "synthetic:room,frames=11,scale=0.1",
        "synthetic:street,frames=4,rings=32,columns=256",
    )
    sources = [room, street, str(tmp_path / "absent")]
    assert cli.run(["evaluate", "consistency", *sources, "--poses", "recording"]) == 1
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split()[:-3] for line in lines[1:3]] == [
        [room, "depth", "camera", "recording"],
        [street, "LiDAR", "recording"],
    ]
    assert [line.split()[-1] for line in lines[:3]] == ["pairs", "1", "1"]
    assert lines[-1].startswith("no result: ")
    assert "1 of 3 sources have no result" in captured.err


def test_models_of_some_sources_alone_are_told_and_trusted(capsys, tmp_path):
    model = write_luminance(tmp_path / "m.onnx", gain=2.0, shift=0.5)
    model.with_suffix(".toml").write_text('output = "metric"\n')
    room = "synthetic:room,frames=11,scale=0.1"
    sources = [room, f"{room},noise=d435,model={model}"]
    command = ["evaluate", "consistency", "--poses", "recording", "--trust-model", "--json"]
    assert cli.run([*command, *sources]) == 0
    found = json.loads(capsys.readouterr().out)["sources"]
    assert [row["sensor"] for row in found] == ["depth camera", "depth camera + model"]
    assert cli.run([*command, room, f"{room},seed=1"]) == 1
    assert "--trust-model says something about a model; name it" in capsys.readouterr().out


def test_sources_without_a_result_keep_their_place_in_json(capsys, tmp_path):
    names = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert cli.run(["evaluate", "consistency", *names, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["sources"]
    assert [row["source"] for row in found] == names
    assert all("no such file" in row["error"] for row in found)


def test_scans_without_poses_say_what_is_needed(capsys):
    street = str(Path(__file__).parents[2] / "recordings/street")
    assert cli.run(["evaluate", "consistency", street]) == 1
    said = capsys.readouterr().err
    assert "the recording holds none" in said
    assert "--poses" in said
    poses = ["--poses", f"{street}/truth/poses.tum"]
    assert cli.run(["evaluate", "consistency", street, *poses]) == 0
    assert "pairs, three scans apart               3" in capsys.readouterr().out


def test_options_behind_a_source_are_checked_as_others_are(capsys):
    assert cli.run(["evaluate", "consistency", "synthetic:room,framse=4"]) == 2
    assert "did you mean frames?" in capsys.readouterr().err


def test_too_few_frames_to_compare_are_a_sentence(capsys):
    options = ["-o", "frames=5", "-o", "scale=0.25"]
    assert cli.run(["evaluate", "consistency", "synthetic:room", *options]) == 1
    assert "a longer recording is needed" in capsys.readouterr().err


def test_errors_in_sigmas_are_told_after_icp_too(files, capsys, tmp_path):
    shifted_with_errors(tmp_path, 0.010)
    values = result(capsys, "mesh", files("stated.ply"), files("truth.ply"))
    # The shift of 15 mm is gone once the box lies on the truth.
    assert values["aligned"]["sigma"]["ratio_68"] < 0.1
