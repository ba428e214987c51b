"""Errors become one line and an exit code; starting up loads nothing heavy."""

import subprocess
import sys

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


def output_of(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_ctrl_c_during_start_up_is_one_line_and_exit_code_130():
    code = """
import os, signal, sys
# A shell that runs the tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
class Press:
    def find_spec(self, name, *_):
        if name == "cyclopts":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
from sensorfusion.__main__ import main
main()
"""
    assert output_of([sys.executable, "-c", code]) == (130, "", "sensorfusion: interrupted\n")


def test_a_closed_stdout_is_no_error():
    program = [sys.executable, "-m", "sensorfusion", "info", "synthetic:room", "-o", "frames=2"]
    assert output_of(["sh", "-c", 'exec "$@" >&-', "sh", *program]) == (0, "", "")


def test_a_full_disk_behind_stdout_is_said_to_be_there():
    program = [sys.executable, "-m", "sensorfusion", "drivers"]
    assert output_of(["sh", "-c", 'exec "$@" >/dev/full', "sh", *program]) == (
        1,
        "",
        "sensorfusion: stdout cannot be written (No space left on device); "
        "send it to another place\n",
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


@pytest.mark.parametrize("command", ["reconstruct", "depth"])
def test_help_says_what_each_ctrl_c_does(capsys, command):
    assert cli.run([command, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The first Ctrl-C ends early" in said
    assert "the second ends at once" in said


@pytest.mark.parametrize(
    ("command", "row"),
    [
        (("depth",), "the surface between a LiDAR's beams; by"),
        (("evaluate", "drift"), "pictures with relative/ and anchors/. [required]"),
    ],
)
def test_help_ends_lines_where_they_are_full_not_where_the_source_does(
    capsys, monkeypatch, command, row
):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.run([*command, "--help"]) == 0
    assert row in [line.strip("│ \n") for line in capsys.readouterr().out.splitlines()]
