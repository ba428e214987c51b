"""MCAP files, written by the format's own library and by hand."""

import struct

import pytest
from mcap.writer import CompressionType, Writer

from sensorfusion.errors import CorruptRecordingError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.mcap_file import McapFile
from sensorfusion.formats.mcap_records import MAGIC

TOPICS = ("/a", "/b")


def write(path, count=50, **how):
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=600, **how)
        writer.start("ros2", "test")
        schema = writer.register_schema("pkg/msg/Text", "ros2msg", b"string data")
        channels = [writer.register_channel(topic, "cdr", schema) for topic in TOPICS]
        for number in range(count):
            writer.add_message(channels[number % 2], 10 + number, message(number), 0)
        writer.finish()
    return path


def message(number):
    return bytes([number]) * (5 + 7 * number)


def record(op, data):
    return struct.pack("<BQ", op, len(data)) + data


def text(value):
    return struct.pack("<I", len(value)) + value.encode()


def by_hand(path, *records):
    """Write a file of a header, these records and a footer."""
    header, footer = record(1, text("ros2") + text("")), record(2, bytes(20))
    path.write_bytes(MAGIC + header + b"".join(records) + footer + MAGIC)
    return path


SCHEMA = record(3, struct.pack("<H", 1) + text("pkg/Text") + text("") + text(""))
CHANNEL = record(4, struct.pack("<HH", 7, 1) + text("/a") + text("cdr") + text(""))
MESSAGE = record(5, struct.pack("<HIQQ", 7, 0, 99, 99) + b"hello")


def chunk(records, compression="", size=None):
    size = len(records) if size is None else size
    head = struct.pack("<QQQI", 0, 0, size, 0) + text(compression)
    return record(6, head + struct.pack("<Q", len(records)) + records)


@pytest.mark.parametrize("compression", CompressionType)
@pytest.mark.parametrize("chunking", [True, False])
@pytest.mark.parametrize("summary", [True, False])
def test_every_message_is_found_by_its_number(compression, chunking, summary, tmp_path):
    how = {"repeat_channels": summary, "repeat_schemas": summary, "use_statistics": summary}
    path = write(tmp_path / "a.mcap", compression=compression, use_chunking=chunking, **how)
    file = McapFile(path)
    assert file.types == dict.fromkeys(TOPICS, "pkg/msg/Text")
    for place, topic in enumerate(TOPICS):
        assert [bytes(file.message(topic, i)) for i in range(25)] == [
            message(number) for number in range(place, 50, 2)
        ]
        assert file.places[topic][:, 2].tolist() == list(range(10 + place, 60, 2))
    file.close()


@pytest.mark.parametrize("compression", CompressionType)
def test_heads_are_the_beginnings_in_the_order_of_writing(compression, tmp_path):
    file = McapFile(write(tmp_path / "a.mcap", compression=compression))
    heads = [(topic, index, bytes(data)) for topic, index, data in file.heads(TOPICS, 20)]
    assert heads == [(TOPICS[n % 2], n // 2, message(n)[:20]) for n in range(50)]


def test_a_chunk_without_an_index_is_read_through(tmp_path):
    path = by_hand(tmp_path / "a.mcap", chunk(SCHEMA + CHANNEL + MESSAGE))
    file = McapFile(path)
    assert file.types == {"/a": "pkg/Text"}
    assert bytes(file.message("/a", 0)) == b"hello"


def test_messages_of_an_undeclared_channel_are_refused(tmp_path):
    with pytest.raises(CorruptRecordingError, match="channels \\[7\\], which are not declared"):
        McapFile(by_hand(tmp_path / "a.mcap", SCHEMA, MESSAGE))


def test_a_wrong_count_in_the_statistics_is_refused(tmp_path):
    statistics = record(11, struct.pack("<QHIIIIQQ", 2, 1, 1, 0, 0, 0, 0, 0) + text(""))
    with pytest.raises(CorruptRecordingError, match="found 1 messages; expected 2"):
        McapFile(by_hand(tmp_path / "a.mcap", SCHEMA, CHANNEL, MESSAGE, statistics))


def test_a_message_that_stands_twice_in_the_index_is_refused(tmp_path):
    pair = struct.pack("<QQ", 99, len(SCHEMA) + len(CHANNEL))
    index = record(7, struct.pack("<HI", 7, 32) + pair + pair)
    with pytest.raises(CorruptRecordingError, match="twice in the index"):
        McapFile(by_hand(tmp_path / "a.mcap", chunk(SCHEMA + CHANNEL + MESSAGE), index))


def test_an_index_that_points_elsewhere_is_noticed(tmp_path):
    index = record(7, struct.pack("<HIQQ", 7, 16, 99, 3))
    file = McapFile(by_hand(tmp_path / "a.mcap", chunk(SCHEMA + CHANNEL + MESSAGE), index))
    with pytest.raises(CorruptRecordingError):
        file.message("/a", 0)
    with pytest.raises(CorruptRecordingError):
        list(file.heads(["/a"], 10))


def test_an_unknown_compression_is_named(tmp_path):
    with pytest.raises(UnsupportedRecordingError, match="'brotli'"):
        McapFile(by_hand(tmp_path / "a.mcap", chunk(MESSAGE, "brotli")))


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_chunk_that_claims_gigabytes_sets_nothing_up(compression, tmp_path):
    with pytest.raises(CorruptRecordingError, match="unpacks to 0 bytes"):
        McapFile(by_hand(tmp_path / "a.mcap", chunk(b"xx", compression, size=1 << 30)))
    with pytest.raises(CorruptRecordingError, match="at most 1073741824"):
        McapFile(by_hand(tmp_path / "a.mcap", chunk(b"xx", compression, size=1 << 40)))


@pytest.mark.parametrize("compression", CompressionType)
def test_an_unfinished_file_is_read_as_far_as_it_is_whole_and_says_so(compression, tmp_path):
    path = write(tmp_path / "a.mcap", compression=compression)
    data = path.read_bytes()
    whole = McapFile(path)
    places = {topic: whole.places[topic] for topic in TOPICS}
    end = data.index(b"\x0f" + struct.pack("<Q", 4), 100)  # where the data end
    before = 0
    for cut in range(20, len(data), 97):
        path.write_bytes(data[:cut])
        file = McapFile(path)
        found = sum(map(len, file.places.values()))
        assert before <= found
        before = found
        assert "was stopped before it wrote the index" in file.note
        for topic, mine in file.places.items():
            assert (mine == places[topic][: len(mine)]).all()
            for index in range(len(mine)):
                assert bytes(file.message(topic, index)) == message(2 * index + TOPICS.index(topic))
        file.close()
        assert cut < end or found == 50


def test_a_torn_index_behind_the_last_chunk_is_not_trusted(tmp_path):
    first = record(4, struct.pack("<HH", 8, 1) + text("/b") + text("cdr") + text(""))
    other = record(5, struct.pack("<HIQQ", 8, 0, 99, 99) + b"other")
    index = record(7, struct.pack("<HIQQ", 7, 16, 99, 0))
    data = MAGIC + record(1, text("") + text("")) + SCHEMA + CHANNEL + first
    path = tmp_path / "a.mcap"
    path.write_bytes(data + chunk(MESSAGE + other) + index)
    file = McapFile(path)
    assert bytes(file.message("/a", 0)) == b"hello"
    assert bytes(file.message("/b", 0)) == b"other"


def test_blocks_that_never_reached_the_disk_end_an_unfinished_file(tmp_path):
    data = MAGIC + record(1, text("") + text("")) + SCHEMA + CHANNEL + MESSAGE
    (tmp_path / "a.mcap").write_bytes(data + bytes(5000))
    file = McapFile(tmp_path / "a.mcap")
    assert bytes(file.message("/a", 0)) == b"hello"
    assert "last 5000 bytes are no whole chunk" in file.note


def test_a_damaged_chunk_near_the_end_of_an_unfinished_file_is_left_out(tmp_path):
    path = write(tmp_path / "a.mcap", compression=CompressionType.NONE)
    data = bytearray(path.read_bytes()[: path.read_bytes().rindex(b"\x0f" + struct.pack("<Q", 4))])
    data[data.rindex(message(49))] ^= 1
    path.write_bytes(data)
    file = McapFile(path)
    assert len(file.places["/b"]) == 24
    assert "are no whole chunk" in file.note


def test_a_file_within_the_file_has_a_checksum(tmp_path):
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start("ros2", "test")
        writer.add_attachment(1, 2, "notes.txt", "text/plain", b"twelve bytes")
        writer.add_metadata("who", {"name": "test"})
        writer.finish()
    beside = McapFile(path).beside
    assert beside.attachments == {"notes.txt": b"twelve bytes"}
    assert beside.metadata == {"who": {"name": "test"}}
    path.write_bytes(path.read_bytes().replace(b"twelve", b"eleven"))
    with pytest.raises(CorruptRecordingError, match=r"'notes\.txt' with checksum"):
        McapFile(path)


def test_a_damaged_summary_is_refused(tmp_path):
    path = write(tmp_path / "a.mcap")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"/b")] = ord("/") ^ 1
    path.write_bytes(data)
    with pytest.raises(CorruptRecordingError):
        McapFile(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "a.mcap").write_bytes(b"something else")
    with pytest.raises(CorruptRecordingError, match="give an MCAP file"):
        McapFile(tmp_path / "a.mcap")
    with pytest.raises(SourceError, match="cannot be opened"):
        McapFile(tmp_path / "gone.mcap")


def test_a_file_may_be_closed_twice(tmp_path):
    file = McapFile(write(tmp_path / "a.mcap"))
    file.close()
    file.close()
