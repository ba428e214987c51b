"""``doctor`` finds what makes an installation unsound."""

import sys
import types
from collections import namedtuple

import pytest

from sensorfusion.cli import app as cli
from sensorfusion.cli import doctor, wall


@pytest.fixture
def installed(monkeypatch):
    """Pretend that further packages are installed."""
    real = doctor._installed

    def pretend(*names):
        monkeypatch.setattr(doctor, "_installed", lambda n: "0.20.0" if n in names else real(n))

    return pretend


def lines(capsys):
    code = cli.run(["doctor"])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def failed(capsys):
    code, said, error = lines(capsys)
    assert code == 1
    assert error.startswith("sensorfusion: ")
    return [line for line in said if line.startswith("FAIL")]


@pytest.fixture
def without_wall(monkeypatch):
    monkeypatch.setattr(doctor, "wall_distance_m", lambda distance_m: distance_m)


def test_a_wall_at_2_m_comes_out_at_2_m():
    assert wall.wall_distance_m(2.0) == pytest.approx(2.0, abs=0.001)


def test_a_sound_installation_passes(without_wall, capsys):
    code, said, error = lines(capsys)
    assert (code, error) == (0, "")
    assert all(line.startswith("ok") for line in said)


def test_open3d_beside_open3d_cpu_is_a_fault(without_wall, installed, capsys):
    installed("open3d-cpu")
    assert failed(capsys) == [
        "FAIL  Open3D: open3d and open3d-cpu are both installed and overwrite each other; "
        "uninstall both, then install open3d"
    ]


def test_an_empty_open3d_is_a_fault(without_wall, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "open3d", types.ModuleType("open3d"))
    assert failed(capsys) == [
        "FAIL  Open3D: its files are missing though it is listed; uninstall it, then install open3d"
    ]


def test_two_opencvs_are_a_fault(without_wall, installed, capsys):
    installed("opencv-python-headless")
    (line,) = failed(capsys)
    assert "opencv-python and opencv-python-headless overwrite each other" in line


def test_a_library_that_does_not_load_is_a_fault(without_wall, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cv2", None)
    (line,) = failed(capsys)
    assert line.startswith("FAIL  OpenCV: does not load: ")


def test_a_full_disk_is_a_fault(without_wall, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**8))
    (line,) = failed(capsys)
    assert line.startswith("FAIL  disk: 0.10 GB free in ")


@pytest.mark.parametrize("found_m", [2.0021, float("nan")])
def test_a_wall_in_the_wrong_place_or_none_is_a_fault(monkeypatch, capsys, found_m):
    monkeypatch.setattr(doctor, "wall_distance_m", lambda _: found_m)
    (line,) = failed(capsys)
    assert line.startswith("FAIL  a wall at 2 m: came out at ")
