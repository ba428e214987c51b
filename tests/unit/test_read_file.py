import pytest

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.formats.ply_header import read_ply_header
from sensorfusion.formats.read_file import read_whole


def test_a_file_is_read_from_its_start_to_its_end(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(256)))
    assert read_whole(tmp_path / "a", "bytes") == bytes(range(256))
    assert read_whole(tmp_path / "a", "bytes", 3) == b"\0\1\2"


def test_an_empty_file_is_refused_with_what_was_expected(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(CorruptRecordingError, match=r"is empty \(0 bytes\); expected a list"):
        read_whole(tmp_path / "a", "a list")


def test_an_empty_ply_is_said_to_be_empty(tmp_path):
    (tmp_path / "a.ply").touch()
    with pytest.raises(CorruptRecordingError, match=r"a\.ply: .*is empty \(0 bytes\)"):
        read_ply_header(tmp_path / "a.ply")


@pytest.mark.parametrize("name", ["gone", "."])
def test_what_cannot_be_read_is_named_with_the_reason(tmp_path, name):
    with pytest.raises(SourceError, match=r"cannot be read \((No such file|Is a directory)"):
        read_whole(tmp_path / name, "a list")
