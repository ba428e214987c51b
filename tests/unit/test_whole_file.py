import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sensorfusion.errors import OutputError
from sensorfusion.formats.whole_file import whole_file


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_was_written_stands_under_its_name_and_nothing_else_is_left(tmp_path):
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_the_temporary_keeps_the_ending_so_that_writers_know_the_format(tmp_path):
    with whole_file(tmp_path / "a.ply") as temporary:
        assert temporary.suffix == ".ply"
        assert temporary.parent == tmp_path
        assert not (tmp_path / "a.ply").exists()


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of the n")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_while_writing_is_one_sentence_and_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with (
        pytest.raises(OutputError, match=r"a\.txt: .*No space left on device.*free some space"),
        whole_file(tmp_path / "a.txt"),
        Path("/dev/full").open("wb") as full,
    ):
        full.write(b"x" * 100_000)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_disk_that_fills_up_at_the_flush_leaves_the_old_file(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match="No space left on device"),
        whole_file(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_file_is_flushed_before_it_takes_its_name(tmp_path, monkeypatch):
    flushed = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        flushed.append((tmp_path / "a.txt").exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert flushed == [False, True]


def test_a_process_that_is_killed_while_writing_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    program = """
import os, signal, sys
from sensorfusion.formats.whole_file import whole_file
with whole_file(sys.argv[1]) as temporary, temporary.open("w") as file:
    file.write("half of the n")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.txt")]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_text() == "old"


def test_links_that_run_in_a_circle_end_in_a_file_or_a_sentence(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with suppress(OutputError), whole_file(tmp_path / "a") as temporary:
        temporary.write_text("new")


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(OutputError, match=r"make the folder .*none"),
        whole_file(tmp_path / "none" / "a.txt"),
    ):
        pass


def test_a_folder_is_never_replaced_and_nothing_is_computed_for_it(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match="is not a file"), whole_file(tmp_path / "a"):
        pytest.fail("the body must not run")


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with whole_file(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_other_users_may_read_as_the_umask_says(tmp_path):
    old = os.umask(0o022)
    try:
        with whole_file(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644
