"""``reconstruct`` from the command line: files, interruption, refusal."""

import json
import os
import signal

import pytest

from sensorfusion.cli import app as cli
from sensorfusion.cli.progress import Watch

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
    with Watch("test"):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_the_second_ctrl_c_ends_at_once():
    with pytest.raises(KeyboardInterrupt), Watch("test") as watch:
        os.kill(os.getpid(), signal.SIGINT)
        assert watch(1, None) is False
        os.kill(os.getpid(), signal.SIGINT)


def test_a_folder_that_is_no_recording_is_refused(tmp_path, capsys):
    assert cli.run(["reconstruct", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith(f"sensorfusion: {tmp_path}: no driver recognises it")


def test_a_device_that_this_machine_lacks_is_refused_in_a_sentence(tmp_path, capsys):
    assert cli.run([*ROOM, "-o", "frames=2", "--out", str(tmp_path), "--device", "CUDA:99"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sensorfusion: device CUDA:99: Open3D finds ")
