"""Where numba may keep what it compiles when it has no place of its own."""

import os
import stat
from pathlib import Path

import pytest

from sensorfusion.kernel_cache import choose_kernel_cache


@pytest.fixture
def place(monkeypatch, tmp_path):
    """A package, a home and a temporary folder, and which of them can be written to."""
    package, temporary = tmp_path / "package", tmp_path / "temporary"
    (package / "stage").mkdir(parents=True)
    (package / "stage" / "_kernels.py").write_text("")
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    # Registered first, so that what the code under test sets is taken away again.
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def choose(*, package_writable, home_writable):
        home = tmp_path / "home"
        if home_writable:
            home.mkdir()
        else:
            home.write_text("a file can hold no folder")
        monkeypatch.setenv("HOME", str(home))
        real = os.access
        monkeypatch.setattr(
            "os.access",
            lambda path, mode: (
                real(path, mode) and (package_writable or package not in Path(path).parents)
            ),
        )
        choose_kernel_cache(package)
        return os.environ["NUMBA_CACHE_DIR"]

    return choose


def test_beside_the_modules_needs_no_other_place(place):
    assert place(package_writable=True, home_writable=False) == ""


def test_a_home_needs_no_other_place(place):
    assert place(package_writable=False, home_writable=True) == ""


def test_without_both_a_private_temporary_folder_is_taken_every_time(place, tmp_path):
    chosen = Path(place(package_writable=False, home_writable=False))
    assert chosen == tmp_path / "temporary" / f"sensorfusion-{os.getuid()}"
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o700
    os.environ["NUMBA_CACHE_DIR"] = ""
    choose_kernel_cache(tmp_path / "package")
    assert os.environ["NUMBA_CACHE_DIR"] == str(chosen)


def test_a_folder_that_others_can_write_to_is_not_trusted(place, tmp_path):
    prepared = tmp_path / "temporary" / f"sensorfusion-{os.getuid()}"
    prepared.mkdir()
    prepared.chmod(0o777)
    chosen = Path(place(package_writable=False, home_writable=False))
    assert chosen.parent == prepared.parent
    assert chosen != prepared
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o700


def test_a_link_to_elsewhere_is_not_trusted(place, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    link = tmp_path / "temporary" / f"sensorfusion-{os.getuid()}"
    link.symlink_to(tmp_path / "elsewhere")
    assert place(package_writable=False, home_writable=False) != str(link)


def test_a_place_that_the_user_chose_stays(place, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/chosen")
    assert place(package_writable=False, home_writable=False) == "/chosen"
