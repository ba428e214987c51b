"""The commands that take a camera, with one made of software."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pyrealsense2", reason="librealsense is what is asked here")

PRELUDE = f"""
import os, signal, sys, threading, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import pyrealsense2 as rs
from software_camera import SoftwareCamera, UNIT_M
from sensorfusion.cli.app import run
from sensorfusion_drivers.realsense import live_driver
from sensorfusion_drivers.realsense.live_librealsense import LibRealSense
context = rs.context()
live_driver.LibRealSense = lambda: LibRealSense(context)
def corner(noise_m=0.0, width=160, height=120):
    # Three walls that meet before the camera, which hold it in every direction.
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:height, :width]
    x, y = (u - width / 2) / width, (v - height / 2) / width
    z_m = 1 / np.maximum.reduce([0.5 + x, 0.5 - 0.8 * x + 0.5 * y, 0.5 - 0.9 * y])
    color = np.repeat((127 + 100 * np.sin(40 * x) * np.sin(40 * y))[..., None], 3, 2)
    while True:
        noisy_m = z_m + rng.normal(0, noise_m, z_m.shape)
        yield np.round(noisy_m / UNIT_M).astype(np.uint16), color.astype(np.uint8)
def wall(noise, width=160, height=120):
    rng = np.random.default_rng(0)
    while True:
        z_m = 1 + rng.normal(0, noise["m"], (height, width))
        yield np.round(z_m / UNIT_M).astype(np.uint16), np.full((height, width, 3), 90, np.uint8)
camera = SoftwareCamera(context, size=(160, 120))
"""


def child(code, *arguments):
    command = [sys.executable, "-c", PRELUDE + code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    out, error = process.communicate(timeout=100)
    return process.returncode, out, error


def test_devices_lists_cameras_and_says_what_is_wrong_with_a_port():
    code, out, error = finished(
        child("""
other = SoftwareCamera(context, serial="222222222", usb_type_descriptor="2.1")
code = run(["devices", "--json"])
print("---", flush=True)
sys.exit(code + run(["devices"]))
""")
    )
    assert (code, error) == (0, "")
    listed, text = out.split("---")
    locations = {device["location"] for device in json.loads(listed)["devices"]}
    assert locations == {"realsense:123456789", "realsense:222222222"}
    assert json.loads(listed)["devices"][0]["modes"]["depth"] == ["160x120@30"]
    assert "realsense:222222222  Software D435\n  firmware 5.16.0.1, USB 2.1\n  WARNING: " in text


def test_without_a_camera_the_answer_comes_at_once(capsys):
    from sensorfusion.cli.app import run

    began_s = time.monotonic()
    code = run(["reconstruct", "realsense:", "--out", "never made", "-o", "seconds=1"])
    if "no RealSense camera is connected" not in capsys.readouterr().err:
        pytest.skip("a camera is connected to this computer")
    # librealsense's own pipeline waits for 15 s.
    assert time.monotonic() - began_s < 12
    assert code == 1
    assert not Path("never made").exists()


RECONSTRUCT = """
camera.stream(corner())
sys.exit(run(["reconstruct", "realsense:", "--out", sys.argv[1], *sys.argv[2:]]))
"""


def test_a_reconstruction_ends_by_itself_when_its_time_is_up(tmp_path):
    process = child(RECONSTRUCT, str(tmp_path / "out"), "-o", "seconds=1")
    code, out, error = finished(process)
    assert code == 0, error
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["frames"]["used"] > 0
    assert report["mesh"]["triangles"] > 0
    frames = report["frames"]
    assert frames["in"] == frames["used"] + sum(frames["dropped"].values())
    assert "vertices" in out


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_a_reconstruction_with_whole_files(tmp_path):
    process = child(RECONSTRUCT, str(tmp_path / "out"))
    deadline_s = time.monotonic() + 60
    while not (tmp_path / "out").is_dir() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    code, _, error = finished(process)
    assert code == 130, error
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["interrupted"] is True
    assert report["frames"]["used"] > 0
    assert (tmp_path / "out" / "mesh.ply").stat().st_size > 1000
    lines = (tmp_path / "out" / "trajectory.tum").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == report["frames"]["used"]


SILENT = """
from itertools import islice, takewhile
endless = corner()
def pictures():
    # Until the command has begun to write, and two seconds more.
    yield from takewhile(lambda _: not os.path.exists(sys.argv[2]), endless)
    yield from islice(endless, 60)
camera.stream(pictures())
sys.exit(run([sys.argv[1], "realsense:", "--out", sys.argv[2]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
@pytest.mark.parametrize("command", ["reconstruct", "record"])
def test_ctrl_c_ends_what_waits_for_a_silent_camera_with_whole_files(tmp_path, command):
    from sensorfusion.sources.registry import open_source

    out = tmp_path / ("out" if command == "reconstruct" else "out.mcap")
    process = child(SILENT, command, str(out))
    deadline_s = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(3)
    began_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, _, error = finished(process)
    assert code == 130, error
    # It would be given up after thirty seconds.
    assert time.monotonic() - began_s < 15
    if command == "reconstruct":
        report = json.loads((out / "report.json").read_text())
        assert report["interrupted"] is True
        assert report["frames"]["used"] > 0
        assert (out / "mesh.ply").stat().st_size > 1000
    else:
        with open_source(out) as source:
            assert len(list(source)) > 0
            assert source.notes == ()


RECORD = """
camera.stream(wall({"m": 0.001}), lost=range(0, 100_000, 10))
sys.exit(run(["record", "123456789", "--out", sys.argv[1], "--seconds", "1.5"]))
"""


def test_a_camera_is_recorded_by_its_serial_number_and_losses_are_told(tmp_path):
    from sensorfusion.sources.registry import open_source

    path = tmp_path / "recording.mcap"
    code, out, error = finished(child(RECORD, str(path)))
    assert code == 0, error
    lost = int(re.search(r"not delivered (\d+): depth: lost between camera", out)[1])
    with open_source(path) as source:
        frames = list(source)
        depth, color = (int(re.search(rf"(\d+) {name}", out)[1]) for name in ("depth", "color"))
        assert abs(depth - color) <= 1
        assert len(frames) == min(depth, color)
        period_ns = frames[-1].timestamp_ns - frames[0].timestamp_ns
        assert period_ns == pytest.approx((len(frames) + lost - 1) * 1e9 / 30, abs=2e9 / 30)
        assert frames[0].measurement.unit_m * frames[0].measurement.values[60, 80] == (
            pytest.approx(1.0, abs=0.01)
        )
    assert lost > 0


def test_the_self_test_tells_a_noisy_camera_from_a_sound_one(tmp_path):
    # A D435 of this focal length is expected to err by 1 m^2 * 0.08 / (160 px * 0.05 m) = 10 mm.
    code, out, error = finished(
        child(
            """
noise = {"m": 0.008}
camera.stream(wall(noise))
code = run(["doctor", "--live", "--seconds", "1", "--out", sys.argv[1] + "/sound.json"])
print("---", code, flush=True)
noise["m"] = 0.04
sys.exit(run(["doctor", "--live", "--seconds", "1", "--out", sys.argv[1] + "/noisy.json"]))
""",
            str(tmp_path),
        )
    )
    sound, noisy = out.split("---")
    assert noisy.startswith((" 0\n", " 1\n")), sound + error
    report = json.loads((tmp_path / "sound.json").read_text())
    assert report["device"]["Serial Number"] == "123456789"
    assert report["streams"]["depth"]["missing"] == 0
    assert report["walls"][0]["sigma_m"] == pytest.approx(0.008, rel=0.1)
    assert report["walls"][0]["distance_m"] == pytest.approx(1.0, abs=0.002)
    assert "ok    depth noise: " in sound
    # Its rate may fail here: this computer is busy.
    failed = [check["name"] for check in report["checks"] if not check["ok"]]
    assert set(failed) <= {"depth rate", "color rate"}
    assert code == 1
    assert "FAIL  depth noise: " in noisy
    assert "clean the lenses" in noisy
    assert "depth noise" in error
    failed = json.loads((tmp_path / "noisy.json").read_text())["checks"]
    assert "depth noise" in [check["name"] for check in failed if not check["ok"]]


def test_a_recording_is_no_camera_for_the_self_test(tmp_path, capsys):
    from sensorfusion.cli.app import run

    arguments = ["doctor", "synthetic:room", "--live", "--out", str(tmp_path / "report.json")]
    assert run(arguments) == 1
    assert "synthetic:room is no camera" in capsys.readouterr().err
    assert run(["doctor", "synthetic:room"]) == 2
