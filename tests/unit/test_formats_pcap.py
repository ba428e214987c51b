import struct
from pathlib import Path

import pytest

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.pcap import is_capture, read_records

PATH = Path("x.pcap")
PACKETS = [b"first", b"the second one"]
STAMP_NS = 1_700_000_000_123_456_000


def classic(order="<", magic=0xA1B2C3D4, unit_ns=1000, packets=PACKETS):
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for packet in packets:
        seconds, rest_ns = divmod(STAMP_NS, 10**9)
        data += struct.pack(f"{order}IIII", seconds, rest_ns // unit_ns, len(packet), len(packet))
        data += packet
    return data


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def next_generation(order="<", resolution=None, packets=PACKETS):
    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    options, per_second = b"", 10**6
    if resolution is not None:
        options = struct.pack(f"{order}HHBxxxHH", 9, 1, resolution, 0, 0)
        per_second = 10**resolution
    interface = block(1, struct.pack(f"{order}HHI", 1, 0, 0) + options, order)
    data = section + interface + block(5, b"statistics", order)
    for packet in packets:
        ticks = STAMP_NS * per_second // 10**9
        head = struct.pack(
            f"{order}5I", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet)
        )
        data += block(6, head + packet, order)
    return data


def contents(data):
    return [
        (record.timestamp_ns, record.link_type, data[record.start : record.end])
        for record in read_records(data, PATH)
    ]


EXPECTED = [(STAMP_NS, 1, packet) for packet in PACKETS]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_a_capture_of_either_byte_order_and_clock_is_read(order, magic, unit_ns):
    data = classic(order, magic, unit_ns)
    assert is_capture(data)
    assert contents(data) == EXPECTED


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resolution", [None, 6, 9])
def test_a_pcapng_of_either_byte_order_and_clock_is_read(order, resolution):
    data = next_generation(order, resolution)
    assert is_capture(data)
    assert contents(data) == EXPECTED


def test_a_capture_without_packets_has_no_records():
    assert contents(classic(packets=[])) == []


@pytest.mark.parametrize("write", [classic, next_generation])
def test_a_capture_cut_anywhere_within_its_records_is_refused(write):
    data = write()
    start = len(write(packets=[]))
    whole = {start, len(write(packets=PACKETS[:1]))}
    for end in range(start, len(data)):
        if end in whole:
            continue
        with pytest.raises(CorruptRecordingError, match=r"x\.pcap: at byte \d+"):
            contents(data[:end])


def test_an_error_says_where_the_damaged_record_begins():
    data = classic()
    second = 24 + 16 + len(PACKETS[0])
    with pytest.raises(CorruptRecordingError, match=f"at byte {second + 8}: found a packet of 14"):
        contents(data[:-1])


def test_a_length_that_no_link_delivers_is_refused():
    data = bytearray(classic(packets=[bytes(300_000)]))
    with pytest.raises(CorruptRecordingError, match="a packet of 300000 bytes"):
        contents(bytes(data))


def test_a_fraction_of_more_than_a_second_is_refused():
    data = bytearray(classic())
    data[28:32] = struct.pack("<I", 1_000_000)
    with pytest.raises(CorruptRecordingError, match="a fraction of 1000000000 ns"):
        contents(bytes(data))


def test_blocks_whose_two_lengths_differ_are_refused():
    data = bytearray(next_generation())
    data[-4] ^= 4
    with pytest.raises(CorruptRecordingError, match="another length than at the block's start"):
        contents(bytes(data))


def test_a_packet_of_an_interface_that_was_not_described_is_refused():
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    with pytest.raises(CorruptRecordingError, match="interface 0"):
        contents(section + block(6, struct.pack("<5I", 0, 0, 0, 0, 0)))


def test_packets_without_a_time_are_not_read():
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    with pytest.raises(UnsupportedRecordingError, match="a simple packet block, without a time"):
        contents(section + block(3, struct.pack("<I", 0)))


def test_another_file_is_no_capture():
    assert not is_capture(b"PK\3\4")
    with pytest.raises(CorruptRecordingError, match="found the bytes 504b0304"):
        contents(b"PK\3\4" + bytes(100))


def test_a_version_that_was_never_written_is_refused():
    data = bytearray(classic())
    data[4] = 9
    with pytest.raises(CorruptRecordingError, match=r"found version 9\.4"):
        contents(bytes(data))
