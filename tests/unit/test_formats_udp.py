import struct

import pytest

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.udp import Capture

PAYLOAD = bytes(range(256)) * 12  # more than an Ethernet frame holds


def ipv4(body, identification=7, offset=0, more=False, protocol=17):
    flags = offset // 8 | (0x2000 if more else 0)
    head = struct.pack(
        ">BBHHHBBH4s4s",
        *(0x45, 0, 20 + len(body), identification, flags, 64, protocol, 0),
        *(bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))),
    )
    return head + body


def udp(payload, port=7502):
    return struct.pack(">HHHH", 5000, port, 8 + len(payload), 0) + payload


def ethernet(packet, *tags):
    protocols = b"".join(struct.pack(">HH", tag, 5) for tag in tags) + struct.pack(">H", 0x0800)
    return bytes(12) + protocols + packet


def fragments(payload=PAYLOAD, size=1480, identification=7):
    whole = udp(payload)
    return [
        ethernet(ipv4(whole[at : at + size], identification, at, at + size < len(whole)))
        for at in range(0, len(whole), size)
    ]


@pytest.fixture
def read(tmp_path):
    opened = []

    def read_packets(packets, link=1):
        data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
        for index, packet in enumerate(packets):
            data += struct.pack("<IIII", index, 0, len(packet), len(packet)) + packet
        path = tmp_path / "x.pcap"
        path.write_bytes(data)
        capture = Capture(path)
        opened.append(capture)
        datagrams = list(capture.datagrams())
        return datagrams, [capture.payload(item) for item in datagrams], capture.skipped

    yield read_packets
    for capture in opened:
        capture.close()


def test_a_datagram_knows_sender_port_time_and_payload(read):
    (datagram,), (payload,), skipped = read([ethernet(ipv4(udp(b"hello")))])
    assert (datagram.source, datagram.port, datagram.size) == ("10.0.0.1:5000", 7502, 5)
    assert datagram.timestamp_ns == 0
    assert payload == b"hello"
    assert skipped == {}


def test_what_fills_a_short_ethernet_frame_is_not_payload(read):
    assert read([ethernet(ipv4(udp(b"hello"))) + bytes(20)])[1] == [b"hello"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_fragments_are_put_together_in_whatever_order_they_come(read, order):
    parts = fragments()
    assert len(parts) == 3
    datagrams, payloads, skipped = read([parts[index] for index in order])
    assert payloads == [PAYLOAD]
    assert datagrams[0].timestamp_ns == 2_000_000_000  # when the last part came
    assert skipped == {}


def test_fragments_of_two_datagrams_may_be_mixed(read):
    other = PAYLOAD[::-1]
    mixed = [
        part
        for pair in zip(fragments(), fragments(other, identification=8), strict=True)
        for part in pair
    ]
    assert read(mixed)[1] == [PAYLOAD, other]


def test_a_datagram_with_a_missing_fragment_is_counted_not_delivered(read):
    first, _, last = fragments()
    datagrams, _, skipped = read([first, last])
    assert datagrams == []
    assert skipped == {"datagrams with missing fragments": 1}


def test_a_number_that_comes_around_again_begins_a_new_datagram(read):
    other = PAYLOAD[::-1]
    _, payloads, skipped = read([fragments()[0], *fragments(other)])
    assert payloads == [other]
    assert skipped == {"datagrams with missing fragments": 1}


@pytest.mark.parametrize("tags", [(0x8100,), (0x88A8, 0x8100)])
def test_vlan_tags_are_passed_over(read, tags):
    assert read([ethernet(ipv4(udp(b"hello")), *tags)])[1] == [b"hello"]


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (101, b""),
        (228, b""),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
    ],
)
def test_raw_and_linux_cooked_captures_are_read(read, link, head):
    assert read([head + ipv4(udp(b"hello"))], link)[1] == [b"hello"]


def test_what_is_not_udp_over_ipv4_is_counted(read):
    tcp = ethernet(ipv4(udp(b"hello"), protocol=6))
    arp = bytes(12) + struct.pack(">H", 0x0806) + bytes(28)
    _, payloads, skipped = read([tcp, arp, b"", ethernet(ipv4(udp(b"hello")))])
    assert payloads == [b"hello"]
    assert skipped == {"packets that are not UDP over IPv4": 3}


def test_a_packet_that_was_not_captured_whole_is_counted(read):
    datagrams, _, skipped = read([ethernet(ipv4(udp(PAYLOAD[:500])))[:200]])
    assert datagrams == []
    assert skipped == {"packets that were not captured whole": 1}


def test_a_length_that_is_not_the_one_in_the_header_is_counted(read):
    wrong = struct.pack(">HHHH", 5000, 7502, 100, 0) + b"hello"
    datagrams, _, skipped = read([ethernet(ipv4(wrong))])
    assert datagrams == []
    assert skipped == {"datagrams whose length is not the one in their header": 1}


def test_another_kind_of_link_is_refused_by_its_number(read):
    with pytest.raises(UnsupportedRecordingError, match="a packet of link type 105"):
        read([b"beacon"], link=105)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.pcap"
    path.touch()
    with pytest.raises(CorruptRecordingError, match="0 bytes"):
        Capture(path)
