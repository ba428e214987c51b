"""Ouster recordings: written here from the tables of the manual, and a real one."""

import json
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.errors import (
    CalibrationError,
    CorruptRecordingError,
    DriverError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.formats.crc64 import crc64
from sensorfusion.sources.registry import find_driver, open_source, read_truth

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))
REAL = DATA / "ouster-os1-128" / "OS-1-128_v2.3.0_1024x10_lb_n3.pcap"
REAL_METADATA = REAL.with_name("OS-1-128_v2.3.0_1024x10.json")
REFERENCE = Path(__file__).parent / "data" / "ouster_reference.npz"

ROWS, COLUMNS, PER_PACKET = 16, 32, 16
RUN, SERIAL = 0xABCDEF, 122201000998
START_NS = 5_000_000_000
COLUMN_NS = 3_000_000

# Half a turn about z and 36 mm up: as of a real sensor, in round numbers.
HALF_TURN_MM = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 36, 0, 0, 0, 1]


def metadata(profile="RNG19_RFL8_SIG16_NIR16", **changes):
    """A sensor whose highest beam rises 30 degrees, the second is level and 90 degrees aside."""
    values = {
        "prod_line": "OS-1-16",
        "prod_sn": str(SERIAL),
        "initialization_id": RUN,
        "udp_port_lidar": 7502,
        "lidar_mode": f"{COLUMNS}x10",
        "beam_altitude_angles": [30.0, *np.linspace(0.0, -14.0, ROWS - 1)],
        "beam_azimuth_angles": [0.0, 90.0] + [0.0] * (ROWS - 2),
        "lidar_origin_to_beam_origin_mm": 0.0,
        "lidar_to_sensor_transform": HALF_TURN_MM,
        "data_format": {
            "udp_profile_lidar": profile,
            "columns_per_frame": COLUMNS,
            "columns_per_packet": PER_PACKET,
            "pixels_per_column": ROWS,
            "column_window": [0, COLUMNS - 1],
        },
    }
    return {**values, **changes}


def pixel(profile, range_mm=0, reflectivity=0, signal=0, near_ir=0):
    """One channel, by the manual's tables."""
    if profile == "LEGACY":
        return struct.pack("<IHHHxx", range_mm, reflectivity, signal, near_ir)
    if profile == "RNG19_RFL8_SIG16_NIR16":
        return struct.pack("<IBxHHxx", range_mm, reflectivity, signal, near_ir)
    if profile == "RNG19_RFL8_SIG16_NIR16_DUAL":
        first, second = range_mm | reflectivity << 24, 9999 | 77 << 24
        return struct.pack("<IIHHHxx", first, second, signal, 55, near_ir)
    return struct.pack("<HBB", range_mm // 8, reflectivity, near_ir // 16)


def packet(profile, frame, first, pixels, valid=lambda column: True, **header):
    """Columns ``first`` and on; ``pixels`` is {(row, column): channel}, empty where not given."""
    legacy = profile == "LEGACY"
    body = b""
    for column in range(first, first + PER_PACKET):
        stamp_ns = header.get("start_ns", START_NS) + (frame * COLUMNS + column) * COLUMN_NS
        rows = b"".join(
            pixel(profile, *pixels.get((row, column), ()))
            for row in range(header.get("rows", ROWS))
        )
        if legacy:
            status = 0xFFFFFFFF if valid(column) else 0
            body += struct.pack("<QHHI", stamp_ns, column, frame % 65536, 0) + rows
            body += struct.pack("<I", status)
        else:
            body += struct.pack("<QHH", stamp_ns, column, valid(column)) + rows
    if legacy:
        return body
    head = struct.pack("<HH", header.get("kind", 1), frame % 65536)
    head += header.get("run", RUN).to_bytes(3, "little")
    head += header.get("serial", SERIAL).to_bytes(5, "little")
    whole = head.ljust(32, b"\0") + body + bytes(24)
    return whole + struct.pack("<Q", header.get("checksum", 0))


def datagrams(payload, identification, port=7502, sender=1, size=1480):
    """Ethernet packets of a datagram, in fragments as a real sensor's."""
    whole = struct.pack(">HHHH", 7502, port, 8 + len(payload), 0) + payload
    for at in range(0, len(whole), size):
        part = whole[at : at + size]
        flags = at // 8 | (0x2000 if at + size < len(whole) else 0)
        head = struct.pack(
            ">BBHHHBBH4B4B",
            *(0x45, 0, 20 + len(part), identification % 65536, flags, 64, 17, 0),
            *(10, 0, 0, sender, 10, 0, 0, 99),
        )
        yield bytes(12) + b"\x08\x00" + head + part


def write_capture(path, payloads):
    """``payloads``: bytes, or (bytes, port, sender)."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for index, payload in enumerate(payloads):
        octets, *where = payload if isinstance(payload, tuple) else (payload,)
        for part in datagrams(octets, index, *where):
            data += struct.pack("<IIII", 100 + index, 0, len(part), len(part)) + part
    path.write_bytes(data)


@pytest.fixture
def record(tmp_path):
    opened = []

    def write_and_open(payloads, sensor=None, **options):
        write_capture(tmp_path / "scan.pcap", payloads)
        if sensor is not None:
            (tmp_path / "scan.json").write_text(json.dumps(sensor))
        source = open_source(tmp_path / "scan.pcap", options=options)
        opened.append(source)
        return source

    yield write_and_open
    for source in opened:
        source.close()


def whole_scan(profile, frame, pixels, **header):
    return [
        packet(profile, frame, first, pixels, **header) for first in range(0, COLUMNS, PER_PACKET)
    ]


PROFILES = [
    "LEGACY",
    "RNG19_RFL8_SIG16_NIR16",
    "RNG19_RFL8_SIG16_NIR16_DUAL",
    "RNG15_RFL8_NIR8",
]
NEW = "RNG19_RFL8_SIG16_NIR16"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_channel_of_every_profile_is_read(record, profile):
    pixels = {(0, 0): (2000, 200, 300, 160)}
    cloud = record(whole_scan(profile, 1, pixels), metadata(profile))[0].measurement
    # 30 degrees up, ahead of the lidar and behind the sensor: 2 cos 30, 2 sin 30 + 0.036.
    np.testing.assert_allclose(cloud.points, [[-1.7320508, 0, 1.036]], atol=1e-6)
    assert cloud.intensity.tolist() == [200]
    assert cloud.extra["near_ir"].tolist() == [160]
    if profile == "RNG15_RFL8_NIR8":
        assert "signal" not in cloud.extra
    else:
        assert cloud.extra["signal"].tolist() == [300]


def test_the_sensor_turns_clockwise(record):
    pixels = {(0, COLUMNS // 4): (2000,)}  # a quarter turn: right of ahead in the lidar's system
    cloud = record(whole_scan(NEW, 1, pixels), metadata())[0].measurement
    np.testing.assert_allclose(cloud.points, [[0, 1.7320508, 1.036]], atol=1e-6)


def test_a_range_counts_from_the_axis_along_a_beam_that_starts_beside_it(record):
    pixels = {(1, 0): (2100,)}
    sensor = metadata(lidar_origin_to_beam_origin_mm=100.0)
    cloud = record(whole_scan(NEW, 1, pixels), sensor)[0].measurement
    # From 0.1 m ahead of the lidar the beam goes 2.1 - 0.1 m to its right; then half a turn.
    np.testing.assert_allclose(cloud.points, [[-0.1, 2.0, 0.036]], atol=1e-6)


def test_a_transform_of_the_beams_takes_the_place_of_their_distance(record):
    sensor = metadata(beam_to_lidar_transform=[1, 0, 0, 30, 0, 1, 0, 0, 0, 0, 1, 40, 0, 0, 0, 1])
    cloud = record(whole_scan(NEW, 1, {(1, 0): (2050,)}), sensor)[0].measurement
    # The beam starts 30 mm beside and 40 mm above: 50 mm of the range are spent.
    np.testing.assert_allclose(cloud.points, [[-0.03, 2.0, 0.076]], atol=1e-6)


def test_rings_count_from_the_highest_beam_and_columns_are_firings(record):
    pixels = {(0, 3): (1000,), (15, 3): (1000,), (4, 20): (1000,)}
    cloud = record(whole_scan(NEW, 1, pixels), metadata())[0].measurement
    assert cloud.ring.tolist() == [0, 15, 4]
    assert cloud.column.tolist() == [3, 3, 20]


def test_points_of_one_column_lie_above_each_other_where_the_beams_of_one_firing_do_not(record):
    # Ring 1 looks a quarter turn aside: what it sees in firing 28 ring 2 sees 8 firings later.
    cloud = record(whole_scan(NEW, 1, {(1, 28): (2000,), (2, 4): (2000,)}), metadata())[0]
    column, points = cloud.measurement.column, cloud.measurement.points
    assert column.tolist() == [4, 4]
    azimuth_rad = np.arctan2(points[:, 1], points[:, 0])
    assert azimuth_rad[0] == pytest.approx(azimuth_rad[1], abs=1e-6)


def test_channels_that_do_not_stand_from_the_highest_down_are_sorted(record):
    sensor = metadata()
    sensor["beam_altitude_angles"] = [10.0, 20.0, *np.linspace(5.0, -8.0, ROWS - 2)]
    source = record(whole_scan(NEW, 1, {(0, 0): (1000,)}), sensor)
    cloud = source[0].measurement
    assert cloud.ring.tolist() == [1]
    assert cloud.points[0, 2] == pytest.approx(np.sin(np.radians(10)) + 0.036)
    assert source.rig.lidars["ouster"].elevation_rad[:2] == pytest.approx(np.radians([20.0, 10.0]))


def test_every_column_has_its_own_time(record):
    pixels = {(2, 0): (1000,), (2, 31): (1000,)}
    frame = record(whole_scan(NEW, 1, pixels), metadata())[0]
    assert frame.timestamp_ns == START_NS + 32 * COLUMN_NS
    assert frame.measurement.timestamp_ns == frame.timestamp_ns
    assert frame.measurement.time_offset_ns.tolist() == [0, 31 * COLUMN_NS]


def test_a_beam_without_a_return_is_an_empty_beam(record):
    pixels = {(row, column): (1000,) for row in range(ROWS) for column in range(COLUMNS)}
    del pixels[0, COLUMNS // 4]
    cloud = record(whole_scan(NEW, 1, pixels), metadata())[0].measurement
    assert len(cloud) == ROWS * COLUMNS - 1
    assert cloud.missing == 1
    np.testing.assert_allclose(cloud.empty_beams, [[0, 0.8660254, 0.5]], atol=1e-6)


@pytest.mark.parametrize("profile", ["LEGACY", NEW])
def test_an_invalid_column_is_neither_a_point_nor_free_space(record, profile):
    pixels = {(row, column): (1000,) for row in range(ROWS) for column in range(COLUMNS)}
    payloads = whole_scan(profile, 1, pixels, valid=lambda column: column != 5)
    source = record(payloads, metadata(profile))
    cloud = source[0].measurement
    assert 5 not in cloud.column[cloud.ring == 0]
    assert len(cloud) == ROWS * (COLUMNS - 1)
    assert len(cloud.empty_beams) == 0
    assert "1 of 1 scans are not complete: 1 columns of 32" in source.notes[0]


def test_a_lost_packet_is_missing_columns_not_free_space(record):
    first, _ = whole_scan(NEW, 1, {})
    source = record([first], metadata())
    assert source[0].measurement.missing == ROWS * PER_PACKET
    assert "16 columns of 32 are missing" in source.notes[0]


def test_columns_outside_the_window_are_not_missed(record):
    sensor = metadata()
    sensor["data_format"]["column_window"] = [24, 7]  # over the end of the turn
    payloads = whole_scan(NEW, 1, {}, valid=lambda column: column >= 24 or column <= 7)
    source = record(payloads, sensor)
    assert source.notes == ()
    assert source[0].measurement.missing == ROWS * 16


def test_a_packet_captured_twice_counts_once(record):
    pixels = {(0, 0): (1000,)}
    first, second = whole_scan(NEW, 1, pixels)
    source = record([first, second, first], metadata())
    assert len(source[0].measurement) == 1
    assert source.notes == ("1 packets came a second time and are left out",)


def test_columns_come_in_the_order_of_firing_whatever_that_of_their_packets(record):
    pixels = {(0, 3): (1000,), (0, 20): (1000,)}
    first, second = whole_scan(NEW, 1, pixels)
    cloud = record([second, first], metadata())[0].measurement
    assert cloud.column.tolist() == [3, 20]
    assert cloud.time_offset_ns.tolist() == [3 * COLUMN_NS, 20 * COLUMN_NS]


def test_a_column_that_is_all_zero_does_not_begin_another_scan(record):
    payloads = []
    for frame in (700, 701):
        first, second = whole_scan("LEGACY", frame, {(0, 3): (1000,)})
        column = len(first) // PER_PACKET
        payloads += [bytes(column) + first[column:], bytes(len(second))]
    source = record(payloads, metadata("LEGACY"))
    assert [frame.measurement.column.tolist() for frame in source] == [[3], [3]]
    assert source.losses.dropped == {}
    assert "34 columns of 64 are missing" in source.notes[0]


@pytest.mark.parametrize("profile", ["LEGACY", NEW])
def test_the_number_of_a_revolution_may_begin_again(record, profile):
    payloads = []
    for frame in (65534, 65535, 65536, 65537):
        payloads += whole_scan(profile, frame, {(0, frame % 8): (1000,)})
    source = record(payloads, metadata(profile))
    assert [frame.measurement.column.tolist() for frame in source] == [[6], [7], [0], [1]]
    assert source.losses.dropped == {}


def test_a_packet_that_comes_late_still_finds_its_scan(record):
    pixels = {(0, 20): (1000,)}
    (a, late), (c, d) = whole_scan(NEW, 1, pixels), whole_scan(NEW, 2, {})
    source = record([a, c, late, d], metadata())
    assert [len(frame.measurement) for frame in source] == [1, 0]
    assert source.notes == ()


def test_a_sensor_that_was_started_again_counts_from_anew(record):
    before = whole_scan(NEW, 9, {(0, 1): (1000,)})
    after = whole_scan(NEW, 9, {(0, 2): (1000,)}, run=RUN + 1, start_ns=START_NS + 10**9)
    source = record([*before, *after], metadata())
    assert [frame.measurement.column.tolist() for frame in source] == [[1], [2]]


def test_a_scan_that_is_not_later_than_the_one_before_is_counted(record):
    earlier = whole_scan(NEW, 2, {}, start_ns=START_NS - 10**9)
    source = record([*whole_scan(NEW, 1, {}), *earlier], metadata())
    assert len(source) == 1
    assert source.losses.dropped == {"a scan that is not later than the one before": 1}


def test_a_scan_without_a_valid_column_is_counted(record):
    blind = whole_scan(NEW, 2, {}, valid=lambda _: False)
    source = record([*whole_scan(NEW, 1, {}), *blind], metadata())
    assert len(source) == 1
    assert source.losses.dropped == {"a scan without a valid column": 1}


def test_a_packet_with_a_wrong_checksum_is_left_out_and_counted(record):
    def checked(payload):
        body = payload[:-8]
        checksum = crc64(np.frombuffer(body, dtype=np.uint8)[None])[0]
        return body + struct.pack("<Q", int(checksum))

    first, second = map(checked, whole_scan(NEW, 1, {(0, 0): (1000,), (0, 20): (1000,)}))
    broken = bytearray(second)
    broken[500] ^= 1
    source = record([first, bytes(broken)], metadata())
    assert source[0].measurement.column.tolist() == [0]
    assert "1 packets have a wrong checksum and are left out" in source.notes


def test_a_packet_of_another_kind_is_left_out_and_counted(record):
    odd = packet(NEW, 1, 0, {}, kind=2)
    source = record([*whole_scan(NEW, 1, {}), odd], metadata())
    assert source.notes == ("1 packets hold something else than ranges and are left out",)


def test_metadata_in_sections_say_the_same_as_flat_ones(record):
    flat = metadata()
    nested = {
        "sensor_info": {"prod_line": "OS-1-16", "prod_sn": str(SERIAL), "initialization_id": RUN},
        "config_params": {"udp_port_lidar": 7502, "lidar_mode": f"{COLUMNS}x10"},
        "beam_intrinsics": {
            "beam_altitude_angles": flat["beam_altitude_angles"],
            "beam_azimuth_angles": flat["beam_azimuth_angles"],
            "beam_to_lidar_transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
        },
        "lidar_intrinsics": {"lidar_to_sensor_transform": HALF_TURN_MM},
        "lidar_data_format": flat["data_format"],
    }
    cloud = record(whole_scan(NEW, 1, {(0, 0): (2000,)}), nested)[0].measurement
    np.testing.assert_allclose(cloud.points, [[-1.7320508, 0, 1.036]], atol=1e-6)


def test_metadata_of_the_first_firmware_tell_the_format_by_the_mode(record):
    old = metadata()
    del old["data_format"]
    source = record(whole_scan("LEGACY", 1, {(0, 0): (2000,)}), old)
    assert len(source[0].measurement) == 1
    assert source.rig.lidars["ouster"].columns == COLUMNS


def test_the_rig_says_what_the_sensor_can_do(record):
    lidar = record(whole_scan(NEW, 1, {}), metadata()).rig.lidars["ouster"]
    assert (lidar.rings, lidar.columns) == (ROWS, COLUMNS)
    assert lidar.elevation_rad[0] == pytest.approx(np.radians(30))
    assert lidar.far_m == pytest.approx(524.287)  # 19 bits of millimetres
    # 1 cm at 6 m, as the data sheet has it from 1 m to 20 m.
    assert float(lidar.sigma_m(np.array(6.0))) == pytest.approx(0.01)


def test_a_recording_without_metadata_says_what_to_do(record):
    with pytest.raises(SourceError, match=r"no metadata file \(.json\).*-o metadata=FILE"):
        record(whole_scan(NEW, 1, {}))


def test_metadata_may_be_given(record, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sensor.json").write_text(json.dumps(metadata()))
    source = record(whole_scan(NEW, 1, {}), metadata=str(elsewhere / "sensor.json"))
    assert len(source) == 1


def test_metadata_of_the_same_name_come_before_others(record, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(metadata(prod_sn="1")))
    (tmp_path / "other.json").write_text(json.dumps(metadata(prod_sn="2")))
    source = record(whole_scan(NEW, 1, {}), metadata())
    assert source.metadata["Serial Number"] == str(SERIAL)


def test_metadata_of_another_sensor_are_refused(record):
    with pytest.raises(CalibrationError, match=r"is of sensor 5; the packets are of sensor 1222"):
        record(whole_scan(NEW, 1, {}), metadata(prod_sn="5"))


def test_metadata_of_another_start_of_the_sensor_are_told(record):
    source = record(whole_scan(NEW, 1, {}), metadata(initialization_id=1))
    assert "another start of the sensor (1)" in source.notes[0]


def test_metadata_of_another_mode_are_refused(record):
    sensor = metadata()
    sensor["data_format"]["columns_per_frame"] = 16
    sensor["data_format"]["column_window"] = [0, 15]
    with pytest.raises(CalibrationError, match="tells of 16 columns; a packet holds column 31"):
        record(whole_scan(NEW, 1, {}), sensor)


def test_metadata_of_another_format_are_refused(record):
    with pytest.raises(SourceError, match=r"packets of 3328 bytes; by scan.json \(RNG15_RFL8_NIR8"):
        record(whole_scan(NEW, 1, {}), metadata("RNG15_RFL8_NIR8"))


def test_a_profile_that_is_not_read_is_named(record):
    with pytest.raises(UnsupportedRecordingError, match="profile 'FUSA_RNG15_RFL8_NIR8_DUAL'"):
        record(whole_scan(NEW, 1, {}), metadata("FUSA_RNG15_RFL8_NIR8_DUAL"))


@pytest.mark.parametrize(
    "changes",
    [
        {"beam_altitude_angles": []},
        {"beam_altitude_angles": [1.0]},
        {"beam_altitude_angles": ["x"] * ROWS},
        {"beam_azimuth_angles": [float("nan")] * ROWS},
        {"beam_azimuth_angles": None},
        {"lidar_to_sensor_transform": [0] * 16},
        {"lidar_to_sensor_transform": {"a": 1}},
        {"lidar_origin_to_beam_origin_mm": "far"},
        {"udp_port_lidar": "many"},
        {"initialization_id": float("inf")},
        {"initialization_id": 10**400},
        {"lidar_origin_to_beam_origin_mm": 10**400},
        {"prod_sn": "9" * 5000},
        {"data_format": {"columns_per_frame": 10**9}},
        {"data_format": {"columns_per_frame": 32, "columns_per_packet": 0}},
        {"data_format": {"columns_per_frame": 32, "column_window": [0, 99]}},
        {"data_format": {"columns_per_frame": 32, "pixels_per_column": 99}},
        {"data_format": {"columns_per_frame": 32, "udp_profile_lidar": ["LEGACY"]}},
    ],
)
def test_impossible_metadata_are_refused_in_one_sentence(record, changes):
    with pytest.raises(SensorFusionError, match=r"scan\.json") as caught:
        record(whole_scan(NEW, 1, {}), metadata(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_metadata_that_are_no_json_object_are_refused(record, tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_bytes(text)
    with pytest.raises(SensorFusionError, match=r"broken\.json"):
        record(whole_scan(NEW, 1, {}), metadata=str(path))


def test_of_two_sensors_the_one_of_the_metadata_is_read(record):
    ours = whole_scan(NEW, 1, {(0, 0): (1000,)})
    theirs = [(payload, 7600, 2) for payload in whole_scan(NEW, 1, {})]
    source = record([*theirs, *ours], metadata())
    assert len(source[0].measurement) == 1


def test_two_sensors_that_the_metadata_do_not_tell_apart_ask_for_a_port(record):
    ours = whole_scan(NEW, 1, {(0, 0): (1000,)})
    theirs = [(payload, 7600, 2) for payload in whole_scan(NEW, 1, {})]
    sensor = metadata(udp_port_lidar=1)
    with pytest.raises(SourceError, match=r"ports 7502 \(2 packets\), 7600 \(2 packets\)"):
        record([*theirs, *ours], sensor)
    assert len(record([*theirs, *ours], sensor, port="7502")[0].measurement) == 1


def test_a_port_that_nothing_was_sent_to_is_refused(record):
    with pytest.raises(SourceError, match=r"there are ports 7502 \(2 packets\)"):
        record(whole_scan(NEW, 1, {}), metadata(), port="1")


def test_an_option_of_the_other_makers_sensors_is_refused(record):
    with pytest.raises(DriverError, match="product means nothing for an Ouster sensor"):
        record(whole_scan(NEW, 1, {}), metadata(), product="VLP-16")


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.pcap")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        open_source(tmp_path / "pipe.pcap", driver="packets")
    with pytest.raises(SourceError, match="no driver recognises it"):
        open_source(tmp_path / "pipe.pcap")


def test_what_else_a_capture_holds_is_told(record, tmp_path):
    record([*whole_scan(NEW, 1, {}), (b"temperature", 7503, 1)], metadata())
    data = (tmp_path / "scan.pcap").read_bytes()
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    (tmp_path / "scan.pcap").write_bytes(data + struct.pack("<4I", 999, 0, 42, 42) + arp)
    with open_source(tmp_path / "scan.pcap") as source:
        assert source.notes == (
            "1 datagrams of 11 bytes to port 7503 are not read",
            "1 packets that are not UDP over IPv4 are left out",
        )


def test_a_capture_of_something_else_says_what_it_holds(record, tmp_path):
    write_capture(tmp_path / "web.pcap", [b"GET /"] * 3)
    with pytest.raises(SourceError, match="3 datagrams of 5 bytes"):
        open_source(tmp_path / "web.pcap", driver="packets")


def test_a_capture_that_was_cut_short_is_refused(record, tmp_path):
    record(whole_scan(NEW, 1, {}), metadata())
    path = tmp_path / "scan.pcap"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CorruptRecordingError, match=r"scan\.pcap: at byte \d+"):
        open_source(path)


@pytest.mark.parametrize("profile", PROFILES)
def test_whatever_is_damaged_is_read_or_refused_in_one_sentence(tmp_path, profile):
    path, rng = tmp_path / "scan.pcap", np.random.default_rng(5)
    write_capture(path, whole_scan(profile, 1, {(0, 0): (1000,)}))
    sound, sensor = path.read_bytes(), json.dumps(metadata(profile)).encode()
    for _ in range(60):
        for name, data in (("scan.pcap", sound), ("scan.json", sensor)):
            octets = bytearray(data)
            reach = rng.choice([200, len(octets)])  # headers, or anything
            for at in rng.integers(0, reach, rng.choice([0, 1, 5])):
                octets[at] = rng.choice([0, 0x39, 0xFF, rng.integers(256)])
            (tmp_path / name).write_bytes(octets)
        try:
            with open_source(path, driver="packets") as source:
                assert sum(len(frame.measurement) for frame in source) <= ROWS * COLUMNS
        except SensorFusionError as error:
            assert "\n" not in str(error)


def test_a_folder_with_several_captures_asks_for_one(record, tmp_path):
    record(whole_scan(NEW, 1, {}), metadata())
    shutil.copy(tmp_path / "scan.pcap", tmp_path / "again.pcap")
    with pytest.raises(SourceError, match=r"holds again\.pcap, scan\.pcap"):
        open_source(tmp_path, driver="packets")


POSES = "1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0.5 0 1 0 0 0 0 1 0\n"


def two_scans():
    return [*whole_scan(NEW, 1, {}), *whole_scan(NEW, 2, {})]


def test_poses_beside_the_recording_are_its_trajectory(record, tmp_path):
    (tmp_path / "scan_poses_kitti.txt").write_text(POSES)
    source = record(two_scans(), metadata())
    assert source.trajectory.poses[1].name == "T_world_ouster"
    assert source.trajectory.poses[1].translation_m.tolist() == [0.5, 0, 0]
    assert source.trajectory.timestamps_ns.tolist() == [frame.timestamp_ns for frame in source]
    truth = read_truth(tmp_path / "scan.pcap").trajectory
    assert np.array_equal(truth.matrices, source.trajectory.matrices)


@pytest.mark.parametrize(
    "text", [POSES + POSES, "1 2 3\n4 5 6\n", "a b\n\nc\n", POSES.replace("1", "2"), "\x00\n\xff\n"]
)
def test_poses_that_do_not_fit_are_left_aside_with_a_note(record, tmp_path, text):
    (tmp_path / "scan_poses_kitti.txt").write_text(text, encoding="latin-1")
    source = record(two_scans(), metadata())
    assert source.trajectory is None
    assert "scan_poses_kitti.txt" in source.notes[0]


@pytest.fixture(scope="module")
def real():
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not there; set SENSORFUSION_DATA")
    with open_source(REAL) as source:
        yield source


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as values:
        return dict(values)


def test_a_real_recording_is_recognised_as_file_and_as_folder(real):
    assert find_driver(REAL) == find_driver(REAL.parent) == "packets"


def test_a_real_recording_has_three_scans_and_their_poses(real):
    assert len(real) == 3
    assert len(real.trajectory) == 3
    assert real.trajectory.poses[1].translation_m[0] == pytest.approx(0.2454105)
    # Ten readings of the inertial sensor for each scan.
    assert real.notes == ("30 datagrams of 48 bytes to port 7503 are not read",)


@pytest.mark.parametrize("index", range(3))
def test_real_points_are_those_of_the_sensors_own_library(real, reference, index):
    # tests/drivers/data/README.md says how the reference was made.
    cloud = real[index].measurement
    count, empty, first_ns, last_ns = reference[f"count{index}"]
    assert len(cloud) == count
    assert cloud.missing == len(cloud.empty_beams) == empty
    assert cloud.timestamp_ns == first_ns
    assert cloud.timestamp_ns + cloud.time_offset_ns.max() == last_ns
    cell = np.full((128, 1024), -1)
    # The sensor's own shifts align columns too, but count 12 more: its azimuths are not about 0.
    shift = (
        np.array(json.loads(REAL_METADATA.read_text())["data_format"]["pixel_shift_by_row"]) - 12
    )
    firing = (cloud.column - shift[cloud.ring]) % 1024
    cell[cloud.ring, firing] = np.arange(len(cloud))
    found = cell[reference[f"row{index}"], reference[f"column{index}"]]
    assert (found >= 0).all()
    expected_m = reference[f"xyz{index}"] / 1e4
    assert np.abs(cloud.points[found] - expected_m).max() < 1e-4
    assert np.array_equal(cloud.intensity[found], reference[f"reflectivity{index}"])
    assert np.array_equal(cloud.extra["near_ir"][found], reference[f"near_ir{index}"])
    # Sums over all points, so that the others cannot be far off either: a hundredth of a mm each.
    total_m = cloud.points.sum(axis=0, dtype=np.float64)
    assert np.abs(total_m - reference[f"sum{index}"]).max() < 1e-5 * count
    columns = np.searchsorted(firing, np.arange(0, 1024, 64))
    stamps_ns = cloud.timestamp_ns + cloud.time_offset_ns[columns]
    assert np.array_equal(firing[columns], np.arange(0, 1024, 64))
    assert np.array_equal(stamps_ns, reference[f"timestamp{index}"])
