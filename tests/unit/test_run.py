"""The set-up script and its lock."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = ROOT / "run"
LOCK = (ROOT / "requirements.lock").read_text()


@pytest.fixture
def fresh(tmp_path):
    """A copy of the script without .venv, on a system whose commands can be replaced."""
    commands = tmp_path / "bin"
    commands.mkdir()
    here = tmp_path / "copy"
    here.mkdir()
    for name in ("run", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, here)

    def call(*arguments, **replaced):
        for name, script in replaced.items():
            (commands / name).write_text(f"#!/bin/sh\n{script}\n")
            (commands / name).chmod(0o755)
        return subprocess.run(
            [str(here / "run"), *arguments],
            env={
                "PATH": f"{here}/.venv/bin:{commands}:/usr/bin:/bin",
                "HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def test_the_script_is_sound_posix_shell():
    subprocess.run(["sh", "-n", str(RUN)], check=True, timeout=10)


def test_without_a_command_it_says_what_it_can_do_and_sets_nothing_up(fresh):
    done = fresh()
    assert done.returncode == 0
    for word in ("demo", "test", "verify", "bench", "sensorfusion"):
        assert word in done.stdout
    assert done.stderr == ""


def test_an_old_c_library_is_refused_in_a_sentence(fresh):
    done = fresh("drivers", uname="echo Linux", getconf="echo glibc 2.31")
    assert done.returncode == 1
    assert "run: found glibc 2.31; Open3D's wheels need glibc 2.35 or later" in done.stderr


def test_another_c_library_is_refused_in_a_sentence(fresh):
    done = fresh("drivers", uname="echo Linux", getconf="exit 1")
    assert done.returncode == 1
    assert "run: found another C library; Open3D's wheels need glibc 2.35" in done.stderr


def test_an_old_python_is_refused_in_a_sentence(fresh):
    old = 'case $1 in -V) echo "Python 3.10.12" ;; *) exit 1 ;; esac'
    pythons = {f"python3.{minor}": "exit 1" for minor in (11, 12, 13, 14)}
    done = fresh("drivers", python3=old, **pythons, uname="echo Linux", getconf="echo glibc 2.36")
    assert done.returncode == 1
    assert "run: found Python 3.10.12; Python 3.11 to 3.14 is needed" in done.stderr


def test_without_root_and_sudo_the_line_to_type_is_printed(fresh):
    done = fresh(
        "drivers",
        uname="echo Linux",
        getconf="echo glibc 2.36",
        id="echo 1000",
        sudo="exit 1",
        # An interpreter of the right version that lacks what makes virtual environments.
        python3="case $2 in *ensurepip*) exit 1 ;; *version_info\\[*) echo 3.11 ;; esac",
        **{"apt-get": "exit 1"},
    )
    assert done.returncode == 1
    assert (
        "type: sudo apt-get install -y --no-install-recommends python3.11-venv libusb-1.0-0"
        in done.stderr
    )


def test_from_within_its_own_environment_it_is_made_anew_from_outside(fresh, tmp_path):
    inside = tmp_path / "copy/.venv/bin"
    inside.mkdir(parents=True)
    (inside / "python3").write_text("#!/bin/sh\nexit 0\n")
    (inside / "python3").chmod(0o755)
    done = fresh(
        "drivers",
        uname="echo Linux",
        getconf="echo glibc 2.36",
        python3='[ "$1" != -m ]',
    )
    assert done.returncode == 1
    assert f"{tmp_path}/bin/python3 could not make" in done.stderr


def test_the_lock_names_no_address():
    assert re.search(r"https?://|file:", LOCK) is None


def test_every_package_of_the_lock_has_a_version_and_a_hash():
    entries = re.findall(r"^[a-z0-9].*(?:\n {4}.*)*", LOCK, re.MULTILINE)
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_lock_covers_every_dependency_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["project"]["optional-dependencies"]["lidar"],
    ]
    locked = set(re.findall(r"^([a-z0-9.-]+)==", LOCK, re.MULTILINE))
    names = {re.match(r"[A-Za-z0-9.-]+", text)[0].lower() for text in wanted}
    # The extra dev takes the extra lidar of the project itself.
    assert names - {"sensorfusion"} <= {name.replace("-", ".") for name in locked} | locked


def test_every_call_of_the_demo_is_a_command(capsys):
    from sensorfusion.cli.app import run

    text = RUN.read_text()
    called = re.findall(r'^ +"\$(?:sensorfusion|venv/bin/sensorfusion)" ([a-z]+)', text, re.M)
    assert set(called) == {"reconstruct", "evaluate", "depth"}
    for command in called:
        assert run([command, "--help"]) == 0
