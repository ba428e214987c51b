"""Errors become one line and an exit code; starting up loads nothing heavy."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sensorfusion.cli import app as cli
from sensorfusion.errors import SensorFusionError


@pytest.fixture
def failing(monkeypatch):
    def make(error):
        def fail(*_args, **_options):
            raise error

        monkeypatch.setattr(cli, "app", fail)

    return make


def test_help_loads_neither_open3d_nor_opencv_nor_numba():
    code = (
        "import sys; from sensorfusion.cli.app import run; run(['--help']); "
        "print([m for m in ('open3d', 'cv2', 'numba', 'pyrealsense2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "reconstruct" in done.stdout


def test_an_error_of_ours_is_one_line_and_exit_code_1(failing, capsys):
    failing(SensorFusionError("found this;\n  expected that"))
    assert cli.run([]) == 1
    assert capsys.readouterr().err == "sensorfusion: found this; expected that\n"


def test_an_error_of_the_system_is_one_line_and_exit_code_1(failing, capsys):
    failing(OSError(28, "No space left on device"))
    assert cli.run([]) == 1
    assert capsys.readouterr().err == "sensorfusion: [Errno 28] No space left on device\n"


def test_a_missing_library_points_to_doctor(failing, capsys):
    failing(ImportError("libGL.so.1: cannot open shared object file"))
    assert cli.run([]) == 1
    assert capsys.readouterr().err == (
        "sensorfusion: libGL.so.1: cannot open shared object file; "
        "sensorfusion doctor says what to do\n"
    )


def test_ctrl_c_is_exit_code_130(failing, capsys):
    failing(KeyboardInterrupt())
    assert cli.run([]) == 130
    assert capsys.readouterr().err == "sensorfusion: interrupted\n"


def test_a_misspelt_command_is_wrong_usage_and_gets_a_suggestion(capsys):
    assert cli.run(["reconstuct"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sensorfusion: ")
    assert 'Did you mean "reconstruct"?' in error
    assert error.count("\n") == 1


def start(arguments, **streams):
    return subprocess.Popen(
        [sys.executable, "-m", "sensorfusion", *arguments],
        text=True,
        stderr=subprocess.PIPE,
        **streams,
    )


def test_ctrl_c_during_start_up_is_one_line_and_exit_code_130():
    # With Open3D and numba still to be imported this takes far longer than it waits.
    process = start(["doctor"], stdout=subprocess.PIPE)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "sensorfusion: interrupted\n")


def test_a_closed_stdout_is_no_error():
    process = start(["info", "synthetic:room", "-o", "frames=2"], preexec_fn=lambda: os.close(1))
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")


def test_a_full_disk_behind_stdout_is_said_to_be_there():
    with Path("/dev/full").open("w") as full:
        process = start(["drivers"], stdout=full)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error == (
        "sensorfusion: stdout cannot be written (No space left on device); "
        "send it to another place\n"
    )


def test_wrong_usage_names_the_help_of_the_command_that_was_meant(capsys):
    assert cli.run(["evaluate", "trajectory"]) == 2
    assert capsys.readouterr().err.endswith("(sensorfusion evaluate trajectory --help)\n")


def test_a_misspelt_option_is_wrong_usage_and_gets_a_suggestion(capsys):
    assert cli.run(["info", "synthetic:room", "--jsn"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sensorfusion: ")
    assert "Did you mean --json?" in error


def test_a_missing_argument_is_wrong_usage(capsys):
    assert cli.run(["info"]) == 2
    assert "SOURCE" in capsys.readouterr().err


def test_a_missing_recording_is_exit_code_1(capsys):
    assert cli.run(["info", "/no/such/recording"]) == 1
    assert capsys.readouterr().err.startswith("sensorfusion: /no/such/recording: no such file")
