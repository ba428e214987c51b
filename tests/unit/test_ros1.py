"""ROS 1 bags, built record by record as the format's description says."""

import bz2
import struct

import lz4.frame
import pytest

from sensorfusion.errors import CorruptRecordingError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.ros1 import Ros1Bag
from sensorfusion.formats.ros1_records import encode_record, read_record, unpack_chunk


def u32(value):
    return struct.pack("<I", value)


def record(header, data):
    packed = b"".join(u32(len(field)) + field for field in header)
    return u32(len(packed)) + packed + u32(len(data)) + data


def bag(payloads, compression=b"none", pack=bytes, indexed=True, counted=None):
    """Return the bytes of a bag with one chunk that holds the payloads under topic /a."""
    inner = b"".join(u32(len(f)) + f for f in (b"topic=/a", b"type=std_msgs/String"))
    connection = record([b"op=\x07", b"conn=" + u32(0), b"topic=/a"], inner)
    chunk, offsets = connection, []
    for payload in payloads:
        offsets.append(len(chunk))
        chunk += record([b"op=\x02", b"conn=" + u32(0), b"time=" + u32(3) + u32(5)], payload)
    fields = [b"op=\x05", b"compression=" + compression, b"size=" + u32(len(chunk))]
    body = record(fields, pack(chunk))
    entries = b"".join(u32(3) + u32(5) + u32(offset) for offset in offsets)
    count = b"count=" + u32(len(offsets))
    body += record([b"op=\x04", b"ver=" + u32(1), b"conn=" + u32(0), count], entries)
    counted = len(offsets) if counted is None else counted
    tail = connection + record([b"op=\x06", b"ver=" + u32(1)], u32(0) + u32(counted))
    index = struct.pack("<Q", 13 + 200 + len(body) if indexed else 0)
    head = [b"op=\x03", b"index_pos=" + index, b"conn_count=" + u32(1), b"chunk_count=" + u32(1)]
    return b"#ROSBAG V2.0\n" + record(head, b" " * 120) + body + tail


@pytest.mark.parametrize(
    ("compression", "pack"),
    [(b"none", bytes), (b"bz2", bz2.compress), (b"lz4", lz4.frame.compress)],
)
def test_messages_come_back_in_the_order_in_which_they_were_written(tmp_path, compression, pack):
    path = tmp_path / "a.bag"
    path.write_bytes(bag([b"one", b"two", b""], compression, pack))
    opened = Ros1Bag(path)
    entries = opened.entries["/a"]
    assert [opened.message(entry) for entry in entries] == [b"one", b"two", b""]
    assert [entry.time_ns for entry in entries] == [3_000_000_005] * 3
    assert opened.types == {"/a": "std_msgs/String"}
    opened.close()


def test_a_bag_without_an_index_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "a.bag"
    path.write_bytes(bag([b"one"], indexed=False))
    with pytest.raises(CorruptRecordingError, match=r"no index.*rosbag reindex"):
        Ros1Bag(path)


def test_every_cut_is_noticed(tmp_path):
    whole = bag([b"one", b"two"])
    path = tmp_path / "a.bag"
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptRecordingError):
            Ros1Bag(path)


def test_an_index_that_lost_a_message_is_noticed(tmp_path):
    path = tmp_path / "a.bag"
    path.write_bytes(bag([b"one"], counted=2))
    with pytest.raises(CorruptRecordingError, match="2 messages"):
        Ros1Bag(path)


def test_a_chunk_of_another_size_than_promised_is_refused(tmp_path):
    path = tmp_path / "a.bag"
    path.write_bytes(bag([b"one"], b"bz2", lambda chunk: bz2.compress(chunk[:-1])))
    opened = Ros1Bag(path)
    with pytest.raises(CorruptRecordingError, match="unpacks to"):
        opened.message(opened.entries["/a"][0])
    opened.close()


def test_an_unknown_compression_is_named():
    with pytest.raises(UnsupportedRecordingError, match="zip"):
        unpack_chunk(b"", "zip", 10)


def test_a_compressed_chunk_never_grows_beyond_its_limit():
    assert len(unpack_chunk(lz4.frame.compress(bytes(10**6)), "lz4", 1000)) == 1000


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.bag"
    path.write_bytes(b"")
    with pytest.raises(SourceError):
        Ros1Bag(path)


def test_a_record_reads_back_as_it_was_written():
    data = encode_record(b"data", op=b"\x02", conn=u32(9))
    assert data == record([b"op=\x02", b"conn=" + u32(9)], b"data")
    read = read_record(data, 0, "a.bag")
    assert (read.op, read.number("conn"), data[read.start : read.end]) == (2, 9, b"data")
