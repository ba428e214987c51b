"""``reconstruct`` from the command line: files, interruption, refusal."""

import json
import os
import signal
import subprocess
import sys
import tomllib

import pytest

from sensorfusion.cli import app as cli
from sensorfusion.cli import reconstruct
from sensorfusion.cli.progress import Watch
from sensorfusion.errors import TrackingError

ROOM = ["reconstruct", "synthetic:room", "-o", "scale=0.25"]


def test_a_run_writes_all_its_files(tmp_path, capsys):
    flags = ["-o", "frames=3", "--out", str(tmp_path), "--voxel-size-m", "0.03", "--picture"]
    assert cli.run([*ROOM, *flags]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.toml",
        "mesh.glb",
        "mesh.ply",
        "mesh.png",
        "report.json",
        "trajectory.tum",
    ]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["frames"] == {"in": 3, "used": 3, "dropped": {}}
    assert report["settings"]["fusion"]["voxel_size_m"] == 0.03
    assert "3 of 3 frames used" in capsys.readouterr().out


def test_the_settings_of_a_run_can_be_used_again(tmp_path, capsys):
    first, again = tmp_path / "first", tmp_path / "again"
    room = [*ROOM, "-o", "frames=2", "--poses", "recording"]
    assert cli.run([*room, "--out", str(first), "--voxel-size-m", "0.04"]) == 0
    assert cli.run([*room, "--out", str(again), "--config", str(first / "config.toml")]) == 0
    assert (again / "config.toml").read_bytes() == (first / "config.toml").read_bytes()
    assert (again / "mesh.ply").read_bytes() == (first / "mesh.ply").read_bytes()


def test_the_settings_of_a_run_say_how_far_the_sensor_was_used(tmp_path):
    room = [*ROOM, "-o", "frames=1", "-o", "noise=kinect", "--poses", "recording"]
    assert cli.run([*room, "--out", str(tmp_path), "--voxel-size-m", "0.04"]) == 0
    settings = tomllib.loads((tmp_path / "config.toml").read_text())
    # 0.0012 + 0.0019 (z - 0.4)^2 is 0.03 at 4.293 m.
    assert settings["depth"]["far_m"] == 4.293


def test_ctrl_c_leaves_whole_files_of_what_was_seen(tmp_path, capsys, monkeypatch):
    watched = Watch.__call__

    def press_at_the_second_frame(watch, done, total):
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return watched(watch, done, total)

    monkeypatch.setattr(Watch, "__call__", press_at_the_second_frame)
    flags = ["-o", "frames=50", "--out", str(tmp_path), "--voxel-size-m", "0.04"]
    assert cli.run([*ROOM, *flags]) == 130
    captured = capsys.readouterr()
    assert captured.err.endswith("sensorfusion: interrupted\n")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["interrupted"] is True
    assert report["frames"]["used"] == 2
    assert (tmp_path / "mesh.glb").stat().st_size > 1000


def test_after_a_run_ctrl_c_means_what_it_did_before(tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)
    with Watch("test", tmp_path):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_the_second_ctrl_c_ends_at_once_and_takes_unfinished_files_along(tmp_path):
    code = """
import os, pathlib, signal, sys
from sensorfusion.cli import reconstruct
from sensorfusion.cli.progress import Watch
from sensorfusion.errors import TrackingError
from sensorfusion.formats.whole_file import whole_file
folder = pathlib.Path(sys.argv[1])
with Watch("test", folder) as watch, whole_file(folder / "mesh.ply") as temporary:
    os.kill(os.getpid(), signal.SIGINT)
    sys.stderr.write(f"goes on: {watch(1, None)}\\n")
    os.kill(os.getpid(), signal.SIGINT)
    watch(2, None)
    sys.stderr.write("never said\\n")
"""
    (tmp_path / ".notes.part").write_text("not ours")
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "goes on: False\nsensorfusion: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == [".notes.part"]


def test_ctrl_c_before_any_frame_is_placed_is_an_interruption(tmp_path, capsys, monkeypatch):
    def press(*_arguments, **_options):
        os.kill(os.getpid(), signal.SIGINT)
        msg = "none of 3 frames could be placed"
        raise TrackingError(msg, "{}")

    monkeypatch.setattr(reconstruct, "run", press)
    assert cli.run([*ROOM, "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "sensorfusion: interrupted\n"


def test_where_no_frame_is_placed_the_report_says_why(tmp_path, capsys):
    flags = ["-o", "frames=2", "--near-m", "3.9", "--far-m", "3.91", "--out", str(tmp_path / "out")]
    assert cli.run([*ROOM, *flags]) == 1
    assert "none of 2 frames could be placed" in capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["frames"] == {"in": 2, "used": 0, "dropped": {"no depth": 2}}


@pytest.mark.parametrize("source", ["no-such-recording", "."])
def test_what_is_no_recording_makes_no_folder(tmp_path, capsys, source):
    (tmp_path / "file").write_text("no recording")
    flags = ["--out", str(tmp_path / "out")]
    assert cli.run(["reconstruct", str(tmp_path / source), *flags]) == 1
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_made_is_refused_at_the_first_frame(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.run([*ROOM, "-o", "frames=50", "--out", str(tmp_path / "file")]) == 1
    assert "cannot be made" in capsys.readouterr().err


def test_a_folder_that_is_no_recording_is_refused(tmp_path, capsys):
    assert cli.run(["reconstruct", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith(f"sensorfusion: {tmp_path}: no driver recognises it")


def test_a_device_that_this_machine_lacks_is_refused_in_a_sentence(tmp_path, capsys):
    assert cli.run([*ROOM, "-o", "frames=2", "--out", str(tmp_path), "--device", "CUDA:99"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sensorfusion: device CUDA:99: Open3D finds ")
