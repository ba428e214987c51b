"""RealSense recordings written by the project: read back, played by librealsense, damaged."""

import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
import zstandard

from sensorfusion.camera import Camera
from sensorfusion.cli.app import run
from sensorfusion.distortion import Distortion
from sensorfusion.errors import (
    CorruptRecordingError,
    DriverError,
    OutputError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.formats.cdr import CdrWriter
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import find_driver, open_source
from sensorfusion.transform import RigidTransform, rotation_from_vector
from sensorfusion_drivers.realsense.driver import RealSenseDriver
from sensorfusion_drivers.realsense.writer import RecordedDevice, write_bag, write_db3

BEND = (0.1, -0.05, 0.001, 0.002, 0.01)
PERIOD_NS = 33_333_333
KINDS = ["png.db3", "raw.db3", "none.bag", "lz4.bag", "bz2.bag"]


def make_rig():
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array([0.1, -0.2, 0.3]))
    matrix[:3, 3] = 0.015, 0.002, -0.003
    depth = Distortion.of("inverse_brown_conrady", BEND)
    color = Distortion.of("brown_conrady", BEND)
    cameras = {
        "depth": Camera("depth", 64, 48, 50.25, 51.5, 31.5, 23.25, depth),
        "color": Camera("color", 80, 60, 70.125, 71.0, 39.0, 29.5, color),
    }
    return Rig(cameras, (RigidTransform("color", "depth", matrix),))


def make_pictures(count=4, without_depth=(), without_color=()):
    random = np.random.default_rng(5)
    return [
        (
            10**12 + index * PERIOD_NS,
            None if index in without_depth else random.integers(0, 65536, (48, 64), np.uint16),
            None if index in without_color else random.integers(0, 256, (60, 80, 3), np.uint8),
        )
        for index in range(count)
    ]


def write(path, pictures, device=None):
    """Write the kind of recording that the path's name says."""
    device = device or RecordedDevice(make_rig(), 0.001)
    kind = path.name.split(".")[0]
    if path.suffix == ".db3":
        write_db3(path, device, pictures, png=kind == "png")
    else:
        write_bag(path, device, pictures, compression=kind)
    return str(path)


def change(path, statement, *arguments):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement, arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_comes_back(tmp_path, kind):
    pictures = make_pictures()
    location = write(tmp_path / kind, pictures)
    assert RealSenseDriver().can_open(location)
    with RealSenseDriver().open(location) as source:
        for frame, (stamp_ns, depth, color) in zip(source, pictures, strict=True):
            assert frame.timestamp_ns == frame.images["color"].timestamp_ns == stamp_ns
            assert np.array_equal(frame.measurement.values, depth)
            assert np.array_equal(frame.images["color"].pixels, color)
            assert frame.measurement.unit_m == 0.001
        assert source.rig.cameras == make_rig().cameras
        ours = source.rig.transform("color", "depth").matrix
        # A .db3 holds transforms with six decimals.
        assert np.abs(ours - make_rig().transform("color", "depth").matrix).max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_container_is_told_by_content_not_by_the_name(tmp_path, kind):
    location = write(tmp_path / kind, make_pictures(1))
    renamed = tmp_path / "recording.png"
    (tmp_path / kind).rename(renamed)
    assert RealSenseDriver().can_open(str(renamed))
    assert not RealSenseDriver().can_open(location)
    with RealSenseDriver().open(str(renamed)) as source:
        assert len(source) == 1


@pytest.mark.parametrize("kind", ["raw.db3", "lz4.bag"])
def test_images_that_lost_their_partner_are_counted_and_never_repeated(tmp_path, kind):
    # A gap of one stream beside a gap of the other: the neighbours must not be taken instead.
    pictures = make_pictures(10, without_depth=(3, 4), without_color=(5, 6, 7))
    with RealSenseDriver().open(write(tmp_path / kind, pictures)) as source:
        stamps = [frame.timestamp_ns for frame in source]
        assert stamps == [pictures[index][0] for index in (0, 1, 2, 8, 9)]
        assert source.losses.unpaired == {"depth": 3, "color": 2}
        streams = [sample.stream for sample in source.samples()]
    assert (streams.count("depth"), streams.count("color")) == (8, 7)


@pytest.mark.parametrize("kind", KINDS)
def test_depth_without_colour_gives_frames_without_images(tmp_path, kind):
    device = RecordedDevice(Rig({"depth": make_rig().cameras["depth"]}), 0.001)
    pictures = make_pictures(3, without_color=range(3))
    with RealSenseDriver().open(write(tmp_path / kind, pictures, device)) as source:
        assert [dict(frame.images) for frame in source] == [{}, {}, {}]
        assert list(source.rig.cameras) == ["depth"]


@pytest.mark.parametrize("kind", ["raw.db3", "none.bag"])
def test_the_noise_is_that_of_the_device_at_its_focal_length(tmp_path, kind):
    device = RecordedDevice(make_rig(), 0.001, facts={"Name": "Intel RealSense D455"})
    with RealSenseDriver().open(write(tmp_path / kind, make_pictures(2), device)) as source:
        assert source.rig.noise_of("depth") == DepthNoise.stereo(0.095, 50.25)


def test_a_device_without_a_known_name_has_unknown_noise(tmp_path):
    with RealSenseDriver().open(write(tmp_path / "raw.db3", make_pictures(2))) as source:
        assert source.rig.noise_of("depth") == DepthNoise.unknown()


def test_a_frame_beyond_the_end_is_an_index_error(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures(2))
    with RealSenseDriver().open(location) as source, pytest.raises(IndexError, match="frame 2"):
        source[2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_recording_that_was_cut_is_refused_when_asked(tmp_path, kind, fraction):
    write(tmp_path / kind, make_pictures())
    whole = (tmp_path / kind).read_bytes()
    (tmp_path / kind).write_bytes(whole[: int(len(whole) * fraction)])
    RealSenseDriver().can_open(str(tmp_path / kind))
    with pytest.raises(SourceError, match="expected") as error:
        RealSenseDriver().open(str(tmp_path / kind), strict=True)
    assert "\n" not in str(error.value)


# How many of 20 pairs are there in full, by what was cut away; a bag's lz4 chunk of a pair is one.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fraction", "least"), [(0.3, 4), (0.5, 8), (0.9, 16), (0.999, 18)])
def test_of_a_recording_that_was_cut_the_rest_is_read(tmp_path, kind, fraction, least):
    pictures = make_pictures(20)
    write(tmp_path / kind, pictures)
    whole = (tmp_path / kind).read_bytes()
    (tmp_path / kind).write_bytes(whole[: int(len(whole) * fraction)])
    with RealSenseDriver().open(str(tmp_path / kind)) as source:
        assert least <= len(source) < 20 or (fraction == 0.999 and len(source) == 20)
        for frame, (stamp_ns, depth, color) in zip(source, pictures, strict=False):
            assert frame.timestamp_ns == stamp_ns
            assert np.array_equal(frame.measurement.values, depth)
            assert np.array_equal(frame.images["color"].pixels, color)
        assert "the file is damaged" in source.notes[0]
        assert "strict=true refuses" in source.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_recording_cut_anywhere_no_image_is_half_right(tmp_path, kind):
    # Raw rows of SQLite end on pages of their own: a page of zeros must never pass for pixels.
    pictures = make_pictures(4)
    write(tmp_path / kind, pictures)
    depths = {stamp_ns: depth for stamp_ns, depth, _ in pictures}
    colors = {stamp_ns: color for stamp_ns, _, color in pictures}
    whole = (tmp_path / kind).read_bytes()
    for length in range(len(whole) // 3, len(whole), len(whole) // 60 + 1):
        (tmp_path / kind).write_bytes(whole[:length])
        try:
            source = RealSenseDriver().open(str(tmp_path / kind))
        except SourceError:
            continue
        with source:
            for sample in source.samples():
                if sample.stream == "depth":
                    assert np.array_equal(sample.data.values, depths[sample.timestamp_ns])
                else:
                    assert np.array_equal(sample.data.pixels, colors[sample.timestamp_ns])


@pytest.mark.parametrize("kind", ["none.bag", "lz4.bag", "bz2.bag"])
def test_behind_a_damaged_record_the_next_chunk_is_found(tmp_path, kind):
    pictures = make_pictures(6)
    write(tmp_path / kind, pictures)
    data = bytearray((tmp_path / kind).read_bytes())
    # The header of the third pair's chunk: its length is made a lie.
    place = [m.start() for m in re.finditer(rb"op=\x05", data)][-4]
    begin = data.rfind(b"compression=", 0, place)
    begin = place - 8 if begin < place - 64 else min(begin - 8, place - 8)
    data[begin : begin + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / kind).write_bytes(data)
    with RealSenseDriver().open(str(tmp_path / kind)) as source:
        stamps = [frame.timestamp_ns for frame in source]
        assert "bytes from byte" in source.notes[0]
    assert stamps == [pictures[index][0] for index in (0, 1, 3, 4, 5)]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_anywhere_is_an_error_of_ours_or_changes_nothing_but_raw_pixels(tmp_path, kind):
    write(tmp_path / kind, make_pictures())
    whole = (tmp_path / kind).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 8):
            damaged[place] ^= 1 << int(random.integers(8))
        (tmp_path / kind).write_bytes(damaged)
        try:
            with RealSenseDriver().open(str(tmp_path / kind)) as source:
                frames = [frame.measurement.values for frame in source]
                missing = sum(source.losses.unpaired.values()) + sum(source.losses.dropped.values())
                # Where an index is lost nobody knows how many images there were.
                missing += 4 * any("the file is damaged" in note for note in source.notes)
        except SensorFusionError:
            continue
        assert len(frames) + missing >= 4


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "empty.bag").write_bytes(b"")
    (tmp_path / "picture.bag").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "magic.bag").write_bytes(b"#ROSBAG V2.0\n")
    (tmp_path / "magic.db3").write_bytes(b"SQLite format 3\0")
    for name in ("", "missing.bag", "empty.bag", "picture.bag", "magic.bag", "magic.db3"):
        assert not RealSenseDriver().can_open(str(tmp_path / name))
        with pytest.raises(SourceError, match="expected"):
            RealSenseDriver().open(str(tmp_path / name))


def test_a_database_of_another_program_is_not_ours(tmp_path):
    location = str(tmp_path / "other.db3")
    change(location, "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT)")
    change(location, "INSERT INTO topics VALUES (1, '/lidar/points')")
    assert not RealSenseDriver().can_open(location)
    with pytest.raises(SourceError, match="tables topics and messages"):
        RealSenseDriver().open(location)


def test_a_damaged_png_is_found_by_its_checksum(tmp_path):
    location = write(tmp_path / "png.db3", make_pictures())
    topic = "SELECT id FROM topics WHERE name LIKE '%/compressedDepth'"
    with closing(sqlite3.connect(location)) as database:
        row, data = database.execute(
            f"SELECT id, data FROM messages WHERE topic_id = ({topic}) LIMIT 1"
        ).fetchone()
    middle = len(data) // 2
    damaged = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    change(location, "UPDATE messages SET data = ? WHERE id = ?", damaged, row)
    with RealSenseDriver().open(location) as source:
        with pytest.raises(CorruptRecordingError, match="checksum"):
            source[0]
        assert source[1].index == 1
        # Four pairs, less the damaged one's depth: the others are there for who wants the rest.
        assert len(list(source.samples())) == 7
        assert source.losses.dropped == {"depth image that is damaged": 1}
    with (
        RealSenseDriver().open(location, strict=True) as source,
        pytest.raises(CorruptRecordingError, match="checksum"),
    ):
        list(source.samples())


def test_depth_without_a_unit_is_refused(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "UPDATE messages SET data = replace(data, 'depth_units=', 'depth_units?')")
    change(location, "DELETE FROM topics WHERE name LIKE '%Depth_Units/value'")
    with pytest.raises(UnsupportedRecordingError, match=r"no usable depth unit.*never guessed"):
        RealSenseDriver().open(location)


def test_the_unit_may_stand_among_the_options_only(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "UPDATE messages SET data = replace(data, 'depth_units=', 'depth_units?')")
    with RealSenseDriver().open(location) as source:
        assert source[0].measurement.unit_m == 0.001


def test_a_unit_that_was_rounded_in_the_file_is_noted(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "UPDATE messages SET data = replace(data, '0.001000', '0.000063')")
    with RealSenseDriver().open(location) as source:
        assert source[0].measurement.unit_m == 0.000063
        # Half of the sixth decimal, over the unit.
        assert any("0.000063 m only" in note and "0.8%" in note for note in source.notes)


def test_a_unit_that_a_db3_would_round_is_not_written(tmp_path):
    device = RecordedDevice(make_rig(), 0.0000625)
    with pytest.raises(OutputError, match=r"stored as 0\.00006[23].*\.bag"):
        write_db3(tmp_path / "x.db3", device, make_pictures())
    assert list(tmp_path.iterdir()) == []
    with RealSenseDriver().open(write(tmp_path / "lz4.bag", make_pictures(), device)) as source:
        assert source[0].measurement.unit_m == 0.0000625


def test_without_intrinsics_nothing_is_guessed(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "DELETE FROM topics WHERE name LIKE '%Depth_0/camera_info'")
    with pytest.raises(CorruptRecordingError, match=r"intrinsics.*camera_info"):
        RealSenseDriver().open(location)


def test_without_a_transform_to_colour_nothing_is_guessed(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "DELETE FROM topics WHERE name LIKE '%Color_0/tf/%'")
    with pytest.raises(CorruptRecordingError, match="no transform between the depth and the"):
        RealSenseDriver().open(location)


def test_an_image_without_a_time_stamp_is_dropped_and_counted(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    first = "SELECT min(id) FROM messages WHERE instr(data, CAST('depth_units=' AS BLOB))"
    change(location, f"DELETE FROM messages WHERE id = ({first})")
    with RealSenseDriver().open(location) as source:
        assert len(source) == 3
        assert source.losses.dropped == {"depth image without a time stamp": 1}
        assert source.losses.unpaired == {"depth": 0, "color": 1}


def test_a_file_that_is_written_to_while_it_is_read_gives_the_right_pixels(tmp_path):
    pictures = make_pictures(8)
    location = write(tmp_path / "raw.db3", pictures)
    with RealSenseDriver().open(location) as source:
        assert np.array_equal(source[0].measurement.values, pictures[0][1])
        change(location, "DELETE FROM messages WHERE id < 5")
        with closing(sqlite3.connect(location)) as database:
            # Moves every page.
            database.execute("VACUUM")
        for frame, (_, depth, color) in zip(source, pictures, strict=True):
            assert np.array_equal(frame.measurement.values, depth)
            assert np.array_equal(frame.images["color"].pixels, color)


def test_streams_of_two_clocks_are_paired_by_their_arrival(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(
        location,
        "UPDATE messages SET data = replace(replace(data, 'Hardware Clock', 'System Time   '), "
        "'timestamp=1', 'timestamp=9') "
        "WHERE topic_id = (SELECT id FROM topics WHERE name LIKE '%Color_0/image/metadata')",
    )
    with RealSenseDriver().open(location) as source:
        assert len(source) == 4
        assert any("paired by the time of recording" in note for note in source.notes)


@pytest.mark.parametrize("name", ["copy.db3", "copy.bag", "copy.mcap", "copy"])
def test_copies_of_a_recording_of_two_clocks_keep_its_pairs(tmp_path, name):
    pictures = make_pictures()
    location = write(tmp_path / "raw.db3", pictures)
    change(
        location,
        "UPDATE messages SET data = replace(replace(data, 'Hardware Clock', 'System Time   '), "
        "'timestamp=1', 'timestamp=9') "
        "WHERE topic_id = (SELECT id FROM topics WHERE name LIKE '%Color_0/image/metadata')",
    )
    assert run(["convert", location, str(tmp_path / name)]) == 0
    with open_source(tmp_path / name) as copy:
        pairs = [(f.timestamp_ns, f.images["color"].pixels.tobytes()) for f in copy]
    assert pairs == [(stamp_ns, color.tobytes()) for stamp_ns, _, color in pictures]


def compress_messages(path):
    """Pack each message as librealsense 2.58 does."""
    with closing(sqlite3.connect(path)) as database, database:
        rows = database.execute("SELECT id, data FROM messages").fetchall()
        packed = [(zstandard.compress(bytes(data)), number) for number, data in rows]
        database.executemany("UPDATE messages SET data = ? WHERE id = ?", packed)


def test_messages_compressed_with_zstd_are_read(tmp_path):
    pictures = make_pictures()
    location = write(tmp_path / "raw.db3", pictures)
    compress_messages(location)
    with RealSenseDriver().open(location) as source:
        for frame, (stamp_ns, depth, color) in zip(source, pictures, strict=True):
            assert frame.timestamp_ns == stamp_ns
            assert np.array_equal(frame.measurement.values, depth)
            assert np.array_equal(frame.images["color"].pixels, color)


def test_a_message_that_claims_to_unpack_to_gigabytes_is_refused(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    # Magic, then a frame header with an eight-byte content size of 2^40.
    liar = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + bytes(20)
    topic = "(SELECT id FROM topics WHERE name LIKE '%Depth_0/image/data')"
    change(location, f"UPDATE messages SET data = ? WHERE topic_id = {topic}", liar)
    with (
        RealSenseDriver().open(location) as source,
        pytest.raises(CorruptRecordingError, match="a message of 1099511627776 bytes"),
    ):
        source[0]


def test_a_folder_of_rosbag2_is_opened_by_its_list(tmp_path):
    pictures = make_pictures()
    write(tmp_path / "raw.db3", pictures)
    (tmp_path / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  relative_file_paths:\n    - raw.db3\n"
    )
    assert find_driver(tmp_path) == "realsense"
    with RealSenseDriver().open(str(tmp_path)) as source:
        assert [frame.timestamp_ns for frame in source] == [stamp_ns for stamp_ns, _, _ in pictures]


def test_the_unit_that_the_user_says_replaces_that_of_the_recording(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "UPDATE messages SET data = replace(data, '0.001000', '0.000063')")
    with RealSenseDriver().open(location, depth_unit_m=0.0000625) as source:
        assert source[0].measurement.unit_m == 0.0000625
        assert source.notes == ()
    with pytest.raises(DriverError, match="depth-unit-m is 2; expected metres per unit"):
        RealSenseDriver().open(location, depth_unit_m=2)


def test_a_recording_of_infrared_alone_says_so(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "DELETE FROM topics WHERE name LIKE '%Color_0%'")
    change(location, "UPDATE topics SET name = replace(name, 'Depth_0', 'Infrared_1')")
    assert RealSenseDriver().can_open(location)
    with pytest.raises(UnsupportedRecordingError, match="found infrared_1; expected depth"):
        RealSenseDriver().open(location)


def test_infrared_stands_beside_the_frames_when_asked(tmp_path):
    pictures = make_pictures(5, without_color=(2,))
    location = write(tmp_path / "raw.db3", pictures)
    change(location, "UPDATE topics SET name = replace(name, 'Color_0', 'Infrared_1')")
    with RealSenseDriver().open(location) as source:
        assert dict(source.beside_frames) == {"infrared_1": 4}
        assert source.notes == ("-o infrared=true puts infrared_1 beside each frame",)
        assert [dict(frame.images) for frame in source] == [{}] * 5
        assert [sample.stream for sample in source.samples()].count("infrared_1") == 4
    with RealSenseDriver().open(location, infrared=True) as source:
        assert [sorted(frame.images) for frame in source] == [
            ["infrared_1"],
            ["infrared_1"],
            [],
            ["infrared_1"],
            ["infrared_1"],
        ]
        assert np.array_equal(source[4].images["infrared_1"].pixels, pictures[4][2])
        assert source.losses.unpaired == {"depth": 0, "infrared_1": 0}
        moved = source.rig.transform("infrared_1", "depth").matrix
    assert np.abs(moved - make_rig().transform("color", "depth").matrix).max() < 1e-6


def test_infrared_that_is_no_picture_is_named(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    change(location, "UPDATE topics SET name = replace(name, 'Color_0', 'Infrared_1')")
    change(location, "UPDATE messages SET data = replace(data, 'encoding=RGB8', 'encoding=Y16;')")
    with RealSenseDriver().open(location, infrared=True) as source:
        assert source.notes == ("the recording also holds infrared_1 as Y16, which is not read",)
        assert list(source.rig.cameras) == ["depth"]


def test_a_lens_model_that_is_not_read_is_named(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures())
    other = "'Inverse Brown Conrady', 'Kannala Brandt4 Model'"
    change(location, f"UPDATE messages SET data = replace(data, {other})")
    with pytest.raises(UnsupportedRecordingError, match="Kannala Brandt4 Model"):
        RealSenseDriver().open(location)


def color_message(encoding, pixel, step=None):
    """Return a CDR image of 80x60 that repeats the bytes of one (pair of) pixel."""
    size = {"yuyv": 2, "yuv422": 2, "mono8": 1, "bgr8": 3, "rgba8": 4, "bgra8": 4}.get(encoding, 3)
    row = (pixel * 80)[: 80 * size]
    step = step or len(row)
    message = CdrWriter().write("I", 0, 0).string("Color").write("I", 60, 80).string(encoding)
    rows = (row + bytes(step - len(row))) * 60
    return message.write("B", 0).write("I", step).sequence(rows).message


@pytest.mark.parametrize(
    ("encoding", "pixel", "expected"),
    [
        ("bgr8", b"\x03\x02\x01", [1, 2, 3]),
        ("rgba8", b"\x01\x02\x03\xff", [1, 2, 3]),
        ("bgra8", b"\x03\x02\x01\xff", [1, 2, 3]),
        # ITU-R BT.601: luma 235 is white, 16 is black, where chroma is 128.
        ("yuyv", b"\xeb\x80\xeb\x80", [255, 255, 255]),
        ("yuv422", b"\x80\x10\x80\x10", [0, 0, 0]),
    ],
)
def test_colours_come_out_in_rgb(tmp_path, encoding, pixel, expected):
    location = write(tmp_path / "raw.db3", make_pictures(1))
    topic = "(SELECT id FROM topics WHERE name LIKE '%Color_0/image/data')"
    data = color_message(encoding, pixel)
    change(location, f"UPDATE messages SET data = ? WHERE topic_id = {topic}", data)
    with RealSenseDriver().open(location) as source:
        pixels = source[0].images["color"].pixels
    assert pixels.shape == (60, 80, 3)
    assert (pixels == expected).all()


def test_padded_rows_are_unpadded(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures(1))
    topic = "(SELECT id FROM topics WHERE name LIKE '%Color_0/image/data')"
    data = color_message("rgb8", b"\x01\x02\x03", step=256)
    change(location, f"UPDATE messages SET data = ? WHERE topic_id = {topic}", data)
    with RealSenseDriver().open(location) as source:
        assert (source[0].images["color"].pixels == [1, 2, 3]).all()


def test_an_encoding_that_is_not_read_is_named(tmp_path):
    location = write(tmp_path / "raw.db3", make_pictures(1))
    topic = "(SELECT id FROM topics WHERE name LIKE '%Color_0/image/data')"
    data = color_message("bayer_rggb8", b"\x01\x02\x03")
    change(location, f"UPDATE messages SET data = ? WHERE topic_id = {topic}", data)
    with (
        RealSenseDriver().open(location) as source,
        pytest.raises(UnsupportedRecordingError, match="bayer_rggb8"),
    ):
        source[0]


def test_pictures_that_do_not_fit_their_camera_are_not_written(tmp_path):
    pictures = [(0, np.zeros((60, 80), np.uint16), None)]
    with pytest.raises(ValueError, match=r"\(60, 80\).*\(48, 64\)"):
        write(tmp_path / "raw.db3", pictures)
    assert list(tmp_path.iterdir()) == []


def test_a_bag_of_each_compression_is_read_by_a_ros_library(tmp_path):
    rosbag1 = pytest.importorskip("rosbags.rosbag1")
    for kind in ("none.bag", "lz4.bag", "bz2.bag"):
        pictures = make_pictures()
        with rosbag1.Reader(write(tmp_path / kind, pictures)) as reader:
            found = [
                bytes(data)
                for connection, _, data in reader.messages()
                if connection.topic == "/device_0/sensor_0/Depth_0/image/data"
            ]
        # 44 bytes of header with the frame's name "0" and "mono16", then pixels, then the unit.
        assert [data[44:-4] for data in found] == [depth.tobytes() for _, depth, _ in pictures]


PLAY = """
import hashlib, json, sys, threading, time
import numpy as np
import pyrealsense2 as rs
device = rs.context().load_device(sys.argv[1])
device.set_real_time(False)
stopped, lock, frames = threading.Event(), threading.Lock(), []
device.set_status_changed_callback(lambda s: stopped.set() if "stopped" in str(s) else None)
def receive(frame):
    pixels = hashlib.sha256(np.ascontiguousarray(frame.get_data())).hexdigest()
    kind = str(frame.profile.stream_type()).split(".")[-1]
    with lock:
        frames.append([kind, round(frame.timestamp * 1e6), pixels])
sensors = device.query_sensors()
for sensor in sensors:
    sensor.open(sensor.get_stream_profiles())
# Else the first sensor's images play before the second one listens.
device.pause()
for sensor in sensors:
    sensor.start(receive)
device.resume()
stopped.wait(20)
wanted, end = int(sys.argv[2]), time.monotonic() + 10
# Playback reports its end before the last image has been decoded.
while len(frames) < wanted and time.monotonic() < end:
    time.sleep(0.01)
scale = [s.as_depth_sensor().get_depth_scale() for s in sensors if s.is_depth_sensor()]
listed = [p for s in sensors for p in s.get_stream_profiles()]
profiles = {str(p.stream_type()).split(".")[-1]: p for p in listed}
moved = profiles["depth"].get_extrinsics_to(profiles["color"])
lens = {}
for name, profile in profiles.items():
    i = profile.as_video_stream_profile().get_intrinsics()
    lens[name] = [i.width, i.height, i.fx, i.fy, i.ppx, i.ppy, *i.coeffs, str(i.model)]
for sensor in sensors:
    sensor.stop()
    sensor.close()
with lock:
    json.dump([frames, scale, moved.rotation, moved.translation, lens], sys.stdout)
"""


# librealsense's own copy of rosbag cannot unpack bz2: it crashes.
@pytest.mark.parametrize("kind", ["png.db3", "raw.db3", "none.bag", "lz4.bag"])
def test_librealsense_plays_every_image_as_it_was_written(tmp_path, kind):
    pytest.importorskip("pyrealsense2", reason="librealsense is the reference here")
    pictures = make_pictures(6)
    location = write(tmp_path / kind, pictures)
    command = [sys.executable, "-c", PLAY, location, "12"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    frames, scale, rotation, translation, lens = json.loads(done.stdout)
    expected = sorted(
        [name, stamp_ns, hashlib.sha256(pixels).hexdigest()]
        for stamp_ns, depth, color in pictures
        for name, pixels in (("depth", depth), ("color", color))
    )
    assert sorted(frames) == expected
    assert scale == [pytest.approx(0.001, rel=1e-6)]
    matrix = make_rig().transform("color", "depth").matrix
    assert np.abs(np.reshape(rotation, (3, 3)).T - matrix[:3, :3]).max() < 1e-6
    assert np.abs(translation - matrix[:3, 3]).max() < 1e-6
    depth = [64, 48, 50.25, 51.5, 31.5, 23.25, *BEND]
    assert lens["depth"][:-1] == pytest.approx(depth, rel=1e-6)
    assert lens["depth"][-1] == "distortion.inverse_brown_conrady"
    assert lens["color"][-1] == "distortion.brown_conrady"


@pytest.mark.parametrize("model", ["brown_conrady", "inverse_brown_conrady"])
def test_points_land_where_librealsense_puts_them(model):
    rs = pytest.importorskip("pyrealsense2", reason="librealsense is the reference here")
    camera = Camera("depth", 640, 480, 600, 605, 320, 240, Distortion.of(model, BEND))
    theirs = rs.intrinsics()
    theirs.width, theirs.height, theirs.fx, theirs.fy = 640, 480, 600, 605
    theirs.ppx, theirs.ppy, theirs.coeffs = 320, 240, list(BEND)
    theirs.model = getattr(rs.distortion, model)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.4, 0.4, 7))
    points = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3) * 1.7
    expected = [rs.rs2_project_point_to_pixel(theirs, list(point)) for point in points]
    # librealsense computes in float32.
    assert np.abs(camera.project(points) - expected).max() < 1e-3
