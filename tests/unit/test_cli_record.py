"""``sensorfusion record``."""

import os
import signal
import subprocess
import sys
import time

import numpy as np

from sensorfusion.cli.app import run
from sensorfusion.sources.registry import open_source

ROOM = ("synthetic:room", "-o", "frames=4", "-o", "scale=0.1")


def test_a_source_is_recorded_with_all_its_samples(tmp_path, capsys):
    out = tmp_path / "a.mcap"
    assert run(["record", *ROOM, "-o", "imu=true", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "4 depth, 4 color" in said
    with open_source("synthetic:room", options={"frames": "4", "scale": "0.1"}) as source:
        expected = list(source)
    with open_source("synthetic:room", options={"frames": "4", "imu": "true"}) as source:
        readings = source.imu
    with open_source(out) as source:
        for frame, mine in zip(expected, source, strict=True):
            assert np.array_equal(mine.measurement.values, frame.measurement.values)
            assert np.array_equal(mine.images["color"].pixels, frame.images["color"].pixels)
        assert np.array_equal(source.imu.gyro_rad_s, readings.gyro_rad_s)
        assert np.array_equal(source.imu.accel_m_s2, readings.accel_m_s2)
        assert source.beside_frames == {"imu": len(readings)}


def test_a_recording_of_a_recording_has_the_same_samples(tmp_path):
    first, second = tmp_path / "a.mcap", tmp_path / "b.mcap"
    run(["record", *ROOM, "--out", str(first)])
    assert run(["record", str(first), "--out", str(second), "--color", "png"]) == 0
    with open_source(first) as one, open_source(second) as other:
        for sample, again in zip(one.samples(), other.samples(), strict=True):
            for layer in ("values", "pixels"):
                mine, expected = (getattr(s.data, layer, None) for s in (again, sample))
                assert np.array_equal(mine, expected)


def test_seconds_are_those_of_the_source(tmp_path, capsys):
    out = tmp_path / "a.mcap"
    assert run(["record", *ROOM, "--out", str(out), "--seconds", "0.05"]) == 0
    assert "2 depth, 2 color" in capsys.readouterr().out


def test_a_recording_that_exists_is_not_written_over(tmp_path, capsys):
    out = tmp_path / "a.mcap"
    out.write_bytes(b"took hours")
    assert run(["record", *ROOM, "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == b"took hours"


def test_a_source_that_is_not_there_leaves_no_file(tmp_path):
    assert run(["record", str(tmp_path / "gone"), "--out", str(tmp_path / "a.mcap")]) == 1
    assert not (tmp_path / "a.mcap").exists()


def test_an_unknown_code_is_wrong_usage(tmp_path):
    out = str(tmp_path / "a.mcap")
    assert run(["record", *ROOM, "--out", out, "--depth", "zip"]) == 2
    assert run(["record", *ROOM, "--out", out, "--jpeg-quality", "0"]) == 2


def test_ctrl_c_gives_a_whole_recording(tmp_path):
    out = tmp_path / "a.mcap"
    command = [sys.executable, "-m", "sensorfusion", "record", "synthetic:room"]
    command += ["-o", "frames=100000", "-o", "scale=0.1", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    end_s = time.monotonic() + 60
    while not (out.exists() and out.stat().st_size > 200_000) and time.monotonic() < end_s:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().count("\n") == 1
    with open_source(out) as source:
        assert len(source) > 1
        assert source.notes == ()
