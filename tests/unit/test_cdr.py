"""CDR, against bytes worked out by hand from the alignment rules."""

import pytest

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.cdr import CdrReader, CdrWriter

# uint8 7, gap of 3, uint32 1, string "ab" (length 3 with its zero), gap of 1, uint32 2
MESSAGE = bytes.fromhex("00010000 07000000 01000000 03000000 616200 00 02000000")


def test_values_begin_at_multiples_of_their_size():
    reader = CdrReader(MESSAGE, "x.db3")
    values = (reader.number("B"), reader.number(), reader.string(), reader.number())
    assert values == (7, 1, "ab", 2)
    assert reader.left == 0


def test_the_writer_leaves_the_same_gaps():
    assert CdrWriter().write("B", 7).write("I", 1).string("ab").write("I", 2).message == MESSAGE


def test_doubles_are_aligned_behind_the_header_not_in_the_file():
    data = bytes.fromhex("00010000 01000000 00000000 000000000000f03f")
    reader = CdrReader(data, "x.db3")
    assert reader.number() == 1
    assert reader.read("d") == (1.0,)


def test_big_endian_messages_are_refused():
    with pytest.raises(CorruptRecordingError, match="little-endian"):
        CdrReader(b"\0\0\0\0\0\0\0\1", "x.db3")


def test_a_string_longer_than_its_message_is_refused_with_file_and_offset():
    reader = CdrReader(bytes.fromhex("00010000 ff000000 6162"), "x.db3")
    with pytest.raises(CorruptRecordingError, match=r"x\.db3: at byte 8: .*expected 255 more"):
        reader.string()


def test_text_that_is_not_unicode_is_read_all_the_same():
    reader = CdrReader(bytes.fromhex("00010000 03000000 61ff00"), "x.db3")
    assert reader.string() == "a\N{REPLACEMENT CHARACTER}"
