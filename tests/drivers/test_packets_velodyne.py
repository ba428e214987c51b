"""Velodyne recordings, written here from the VLP-16 manual's tables."""

import builtins
import struct

import numpy as np
import pytest

from sensorfusion.errors import DriverError, SourceError, UnsupportedRecordingError
from sensorfusion.sources.registry import find_driver, open_source

pytest.importorskip("velodyne_decoder")

STRONGEST, LAST, DUAL = 0x37, 0x38, 0x39
VLP16, ALPHA_PRIME, UNKNOWN = 0x22, 0xA1, 0x99
BLOCK_NS = 110_592  # two firings of 55.296 us
PACKET_NS = 12 * BLOCK_NS
STEP = 40  # hundredths of a degree from block to block: 10 turns a second
PER_TURN = 75  # packets


def packet(azimuth, time_us=0, distances=None, mode=STRONGEST, model=VLP16):
    """12 blocks; ``distances`` is {(block, laser of 32): metres}, 10 m where not given."""
    distances = distances or {}
    data = b""
    for block in range(12):
        data += struct.pack("<HH", 0xEEFF, (azimuth + block * STEP) % 36000)
        for laser in range(32):
            units = round(distances.get((block, laser), 10.0) / 0.002)
            data += struct.pack("<HB", units, 100 + laser % 16)
    return data + struct.pack("<IBB", time_us, mode, model)


def turns(count, start=0, lost=(), **values):
    """``count`` packets of a sensor that turns evenly: (time since the first, bytes)."""
    return [
        (n * PACKET_NS, packet((start + n * 12 * STEP) % 36000, n * PACKET_NS // 1000, **values))
        for n in range(count)
        if n not in lost
    ]


@pytest.fixture
def record(tmp_path):
    opened = []

    def write_and_open(packets, port=2368, **options):
        data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
        for time_ns, payload in packets:
            udp = struct.pack(">HHHH", 2368, port, 8 + len(payload), 0) + payload
            ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, 1, 2)
            frame = bytes(12) + b"\x08\x00" + ip + udp
            seconds, rest_ns = divmod(time_ns, 10**9)
            data += struct.pack("<IIII", 1000 + seconds, rest_ns, len(frame), len(frame)) + frame
        (tmp_path / "turn.pcap").write_bytes(data)
        source = open_source(tmp_path / "turn.pcap", options=options)
        opened.append(source)
        return source

    yield write_and_open
    for source in opened:
        source.close()


def only(block, laser, metres):
    """One return and no other."""
    return {(b, x): 0.0 for b in range(12) for x in range(32)} | {(block, laser): metres}


def test_a_recording_is_recognised_by_its_packets(record, tmp_path):
    record(turns(1))
    assert find_driver(tmp_path / "turn.pcap") == "packets"


@pytest.mark.parametrize(
    ("azimuth", "expected"),
    [
        # Laser 15 of the VLP-16 looks 15 degrees up, and its beam leaves 11.2 mm lower.
        (0, (9.6592583, 0.0, 2.5881905 - 0.0112)),
        (9000, (0.0, -9.6592583, 2.5769905)),  # the sensor turns clockwise
    ],
)
def test_a_point_lies_where_azimuth_elevation_and_distance_say(record, azimuth, expected):
    packets = [(0, packet(azimuth, distances=only(0, 15, 10.0)))]
    cloud = record(packets)[0].measurement
    assert cloud.points.shape == (1, 3)
    # Laser 15 fires 34.56 us after the block's azimuth was taken: 0.125 degrees farther.
    turned = np.radians(0.40 * 15 * 2.304 / 110.592)
    x, y, z = expected
    moved = (x * np.cos(turned) + y * np.sin(turned), y * np.cos(turned) - x * np.sin(turned), z)
    np.testing.assert_allclose(cloud.points[0], moved, atol=0.002)


def test_intensity_ring_column_and_time_are_kept(record):
    # The second firing of the third block, laser 3: 3 degrees up.
    packets = [(0, packet(0, distances=only(2, 16 + 3, 10.0)))]
    cloud = record(packets)[0].measurement
    assert cloud.intensity.tolist() == [103]
    assert cloud.column.tolist() == [5]
    assert cloud.time_offset_ns[0] == pytest.approx(2 * BLOCK_NS + 55_296 + 3 * 2304, abs=20)
    lidar = record(packets).rig.lidars["velodyne"]
    assert lidar.elevation_rad[cloud.ring[0]] == pytest.approx(np.radians(3.0))


def test_rings_count_from_the_highest_beam(record):
    lidar = record(turns(1)).rig.lidars["velodyne"]
    np.testing.assert_allclose(np.degrees(lidar.elevation_rad), range(15, -16, -2), atol=1e-5)
    cloud = record(turns(1))[0].measurement
    heights = [np.median(cloud.points[cloud.ring == ring, 2]) for ring in range(16)]
    assert heights == sorted(heights, reverse=True)


def test_what_came_without_a_return_is_counted(record):
    cloud = record([(0, packet(0, distances=only(0, 15, 10.0)))])[0].measurement
    assert cloud.missing == 12 * 32 - 1
    assert cloud.empty_beams is None


def test_every_turn_is_a_frame_and_every_packet_is_in_one(record):
    source = record(turns(2 * PER_TURN, start=12_300))
    assert [len(frame.measurement) for frame in source] == [PER_TURN * 12 * 32] * 2
    assert [frame.timestamp_ns for frame in source] == [
        1000 * 10**9,
        1000 * 10**9 + PER_TURN * PACKET_NS,
    ]
    assert source.notes == ()


def test_the_last_turn_may_be_shorter_and_a_note_says_so(record):
    source = record(turns(PER_TURN + 25))
    assert [len(frame.measurement) for frame in source] == [PER_TURN * 384, 25 * 384]
    assert source.notes == ("1 of 2 scans are no whole turn: the shortest has 115 degrees",)


def test_lost_packets_do_not_make_a_turn_longer(record):
    source = record(turns(2 * PER_TURN, lost=range(70, 80)))
    assert [len(frame.measurement) for frame in source] == [70 * 384, 70 * 384]


def test_a_packet_that_comes_late_makes_no_turn(record):
    packets = turns(PER_TURN)
    packets[10], packets[11] = (packets[10][0], packets[11][1]), (packets[11][0], packets[10][1])
    assert len(record(packets)) == 1


def test_a_pause_ends_a_turn(record):
    before, after = turns(10), turns(20)[10:]
    source = record([*before, *((time_ns + 5 * 10**9, payload) for time_ns, payload in after)])
    assert [len(frame.measurement) for frame in source] == [10 * 384, 10 * 384]


def test_a_turn_over_the_full_hour_keeps_its_time(record):
    # The sensor's clock counts microseconds since the full hour.
    packets = [(0, packet(0, 3_599_999_000)), (PACKET_NS, packet(12 * STEP, 327))]
    offsets_ns = record(packets)[0].measurement.time_offset_ns
    assert offsets_ns.min() >= 0
    assert offsets_ns.max() < 2 * PACKET_NS


def test_of_two_returns_both_are_points(record):
    # Pairs of blocks hold the last and the strongest return of the same firings.
    distances = {(block, laser): 10.0 + block % 2 for block in range(12) for laser in range(32)}
    cloud = record([(0, packet(0, distances=distances, mode=DUAL))])[0].measurement
    assert len(cloud) == 12 * 32
    kinds, counts = np.unique(cloud.extra["return_type"], return_counts=True)
    assert kinds.tolist() == [1, 2]
    assert counts.tolist() == [6 * 32] * 2


def test_another_model_is_told_from_its_packets(record):
    source = record(turns(1, model=ALPHA_PRIME))
    assert source.metadata["Name"] == "Velodyne VLS-128"
    assert source.rig.lidars["velodyne"].rings == 128
    # Its beams fire in eight directions at once: those of one firing are no column.
    assert source[0].measurement.column is None
    assert "firing" in source[0].measurement.extra


def test_a_model_that_is_not_known_asks_for_one(record):
    packets = turns(1, model=UNKNOWN)
    asked = r"the number 0x99;.*VLP-16.*-o product=NAME"
    with pytest.raises(UnsupportedRecordingError, match=asked):
        record(packets)
    assert record(packets, product="VLP-16").metadata["Name"] == "Velodyne VLP-16"


def test_a_model_that_does_not_exist_is_refused(record):
    with pytest.raises(DriverError, match="product is 'VLP-17'; expected one of HDL-32E, VLP-16"):
        record(turns(1), product="VLP-17")


def test_datagrams_of_the_same_size_with_something_else_are_told(record):
    source = record([*turns(1), (PACKET_NS, bytes(1206))])
    assert "1 datagrams of 1206 bytes hold something else than ranges" in source.notes


def test_a_missing_package_says_how_to_install_it(record, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *arguments, **options):
        if name == "velodyne_decoder":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SourceError, match=r"pip install sensorfusion\[lidar\]"):
        record(turns(1))
