"""Recordings: what is written, what comes back, and what happens when the disk does not."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_typestore

from sensorfusion.calibration.toml_rig import toml_of_rig
from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.distortion import Distortion
from sensorfusion.errors import ConfigError, CorruptRecordingError, OutputError, SourceError
from sensorfusion.frame import Sample
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.point_cloud import PointCloud
from sensorfusion.recording.file import Disk
from sensorfusion.recording.options import RecordingOptions
from sensorfusion.recording.writer import RecordingWriter
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source
from sensorfusion.stereo_pair import StereoPair
from sensorfusion.transform import RigidTransform

WIDTH, HEIGHT = 40, 30
PERIOD_NS = 33_333_333
START_NS = 1_700_000_000_000_000_000
STORE = get_typestore(Stores.ROS2_HUMBLE)
LENS = Distortion("inverse_brown_conrady", (0.1, -0.2, 0.001, 0.002, 0.1 / 3))
DEPTH = Camera("depth", WIDTH, HEIGHT, 35.1, 35.2, 19.3, 14.7)
COLOR = Camera("color", WIDTH, HEIGHT, 41.7, 41.9, 19.1, 15.1, LENS)


def turned(target, source, angle=0.3):
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = 0.015, -0.1 / 3, 0.7
    return RigidTransform(target, source, matrix)


RIG = Rig(
    {"depth": DEPTH, "color": COLOR},
    (turned("color", "depth"), turned("imu", "color", 1.0), turned("depth", "lidar", -2.0)),
    {"depth": DepthNoise(name="stereo", quadratic_per_m=0.0123, lateral_px=0.1 / 3)},
    ("imu",),
    {"lidar": Lidar(name="lidar", rings=16)},
)


def depth_pixels(index=0):
    rng = np.random.default_rng(index)
    values = rng.integers(300, 9000, (HEIGHT, WIDTH)).astype(np.uint16)
    values[rng.random(values.shape) < 0.3] = 0
    values[5, 5:8] = 65535
    return values


def color_pixels(index=0):
    rng = np.random.default_rng(1000 + index)
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def depth_sample(index=0, unit_m=0.001, **how):
    stamp_ns = START_NS + index * PERIOD_NS
    raw = RawDepth(depth_pixels(index), unit_m, DEPTH, stamp_ns, **how)
    return Sample("depth", stamp_ns, raw)


def color_sample(index=0, pixels=None):
    stamp_ns = START_NS + index * PERIOD_NS + 1_000_000
    pixels = color_pixels(index) if pixels is None else pixels
    return Sample("color", stamp_ns, Image(pixels, "color", stamp_ns))


def imu_sample(offset_ns, stream="imu", **halves):
    stamp_ns = START_NS + offset_ns
    halves = halves or {"gyro_rad_s": (0.1, 0.2, 1 / 3), "accel_m_s2": (0.0, 9.81, -1 / 3)}
    return Sample(stream, stamp_ns, ImuReading("imu", stamp_ns, **halves))


def rgbd(count=4):
    return [make(index) for index in range(count) for make in (depth_sample, color_sample)]


def record(path, samples, rig=RIG, disk=None, **options):
    with RecordingWriter(path, rig, options=RecordingOptions(**options), disk=disk) as writer:
        for sample in samples:
            writer.write(sample)
    return writer.close()


def played(path):
    with open_source(path) as source:
        return list(source.samples())


def messages(path):
    """All messages as the format's own library reads them and rosbags decodes them."""
    with path.open("rb") as file:
        return [
            (channel.topic, message.log_time, STORE.deserialize_cdr(message.data, schema.name))
            for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages()
        ]


def test_samples_rig_and_unit_come_back_bit_for_bit(tmp_path):
    samples = rgbd()
    record(tmp_path / "a.mcap", samples, device={"Name": "Test camera"})
    with open_source(tmp_path / "a.mcap") as source:
        assert toml_of_rig(source.rig) == toml_of_rig(RIG)
        assert source.metadata == {"Name": "Test camera"}
        assert source.notes == ()
        assert [frame.timestamp_ns for frame in source] == [
            START_NS + n * PERIOD_NS for n in range(4)
        ]
        back = list(source.samples())
    assert [(s.stream, s.timestamp_ns) for s in back] == [
        (s.stream, s.timestamp_ns) for s in samples
    ]
    for sample, mine in zip(samples, back, strict=True):
        if sample.stream == "depth":
            assert (mine.data.unit_m, mine.data.camera) == (0.001, DEPTH)
            assert np.array_equal(mine.data.values, sample.data.values)
        else:
            assert np.array_equal(mine.data.pixels, sample.data.pixels)


@pytest.mark.parametrize("codec", ["auto", "raw", "rvl", "png"])
def test_depth_comes_back_exactly_in_every_code(codec, tmp_path):
    record(tmp_path / "a.mcap", [depth_sample(), depth_sample(1)], depth=codec)
    for index, sample in enumerate(played(tmp_path / "a.mcap")):
        assert sample.data.values.dtype == np.uint16
        assert np.array_equal(sample.data.values, depth_pixels(index))


@pytest.mark.parametrize("unit_m", [0.0002, 0.0001, 0.00025, 0.0000625, 1e-6, 0.001 / 3, 0.01])
def test_depth_in_another_unit_is_metres_to_others_and_exact_to_us(unit_m, tmp_path):
    record(tmp_path / "a.mcap", [depth_sample(unit_m=unit_m)])
    (sample,) = played(tmp_path / "a.mcap")
    assert sample.data.unit_m == unit_m
    assert np.array_equal(sample.data.values, depth_pixels())
    other = next(m for topic, _, m in messages(tmp_path / "a.mcap") if topic == "/depth/depth_raw")
    assert other.encoding == "32FC1"
    metres = other.data.view("<f4").reshape(HEIGHT, WIDTH)
    values = depth_pixels().astype(float)
    assert np.isnan(metres[values == 0]).all()
    assert np.isposinf(metres[values == 65535]).all()
    measured = (values > 0) & (values < 65535)
    assert np.allclose(metres[measured], values[measured] * unit_m, rtol=1e-7)


def test_depth_maps_come_back_as_metres(tmp_path):
    metres = np.linspace(0, 5, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    record(tmp_path / "a.mcap", [Sample("depth", 5, DepthMap(metres, DEPTH, 5))])
    (sample,) = played(tmp_path / "a.mcap")
    assert sample.timestamp_ns == 5
    assert sample.data.unit_m == 1.0
    assert np.array_equal(sample.data.values, metres)


def test_range_comes_back_as_range_under_a_topic_that_does_not_promise_depth(tmp_path):
    record(tmp_path / "a.mcap", [depth_sample(kind="range")], depth="raw")
    (sample,) = played(tmp_path / "a.mcap")
    assert sample.data.kind == "range"
    assert "/depth/range_raw" in [topic for topic, _, _ in messages(tmp_path / "a.mcap")]


@pytest.mark.parametrize("codec", ["raw", "png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_exactly_where_nothing_is_lost(codec, channels, tmp_path):
    pixels = color_pixels() if channels == 3 else color_pixels()[:, :, 0]
    record(tmp_path / "a.mcap", [depth_sample(), color_sample(pixels=pixels)], color=codec)
    assert np.array_equal(played(tmp_path / "a.mcap")[1].data.pixels, pixels)


def test_jpeg_keeps_colours_where_they_are(tmp_path):
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, :20], pixels[:, 20:] = (250, 10, 10), (10, 10, 250)
    record(tmp_path / "a.mcap", [depth_sample(), color_sample(pixels=pixels)], color="jpeg")
    back = played(tmp_path / "a.mcap")[1].data.pixels.astype(int)
    assert np.abs(back[:, 2:16] - (250, 10, 10)).max() < 20
    assert np.abs(back[:, 24:38] - (10, 10, 250)).max() < 20


def test_inertial_readings_come_back_half_by_half(tmp_path):
    samples = [
        imu_sample(0, "gyro", gyro_rad_s=(0.1, 0.2, 1 / 3)),
        imu_sample(1_000, "accel", accel_m_s2=(0.0, 9.81, -1 / 3)),
        imu_sample(2_000),
        depth_sample(1),
    ]
    record(tmp_path / "a.mcap", samples)
    back = played(tmp_path / "a.mcap")
    assert [(s.stream, s.timestamp_ns) for s in back] == [
        (s.stream, s.timestamp_ns) for s in samples
    ]
    for sample, mine in zip(samples[:3], back[:3], strict=True):
        assert mine.data.gyro_rad_s == sample.data.gyro_rad_s
        assert mine.data.accel_m_s2 == sample.data.accel_m_s2


def test_the_imu_of_a_recording_is_known_at_the_gyroscopes_instants(tmp_path):
    samples = [depth_sample()]
    for step in range(4):
        samples.append(imu_sample(10 * step, "gyro", gyro_rad_s=(float(step), 0.0, 0.0)))
        samples.append(imu_sample(20 * step + 5, "accel", accel_m_s2=(20.0 * step + 5, 0.0, 9.8)))
    record(tmp_path / "a.mcap", samples)
    with open_source(tmp_path / "a.mcap") as source:
        assert source.imu.name == "imu"
        assert (source.imu.timestamps_ns - START_NS).tolist() == [0, 10, 20, 30]
        # The accelerometer's values are their times: interpolated, the gyroscope's times.
        assert source.imu.accel_m_s2[:, 0].tolist() == [5.0, 10.0, 20.0, 30.0]
        assert source.beside_frames == {"gyro": 4, "accel": 4}


def test_scans_come_back_with_every_layer(tmp_path):
    rng = np.random.default_rng(5)
    count = 50
    cloud = PointCloud(
        rng.normal(0, 10, (count, 3)).astype(np.float32),
        "lidar",
        START_NS,
        intensity=rng.random(count).astype(np.float32),
        ring=rng.integers(0, 16, count).astype(np.uint16),
        column=rng.integers(-5, 2000, count).astype(np.int32),
        time_offset_ns=rng.integers(-100_000_000, 100_000_000, count),
        color=rng.integers(0, 256, (count, 3), dtype=np.uint8),
        normals=rng.normal(0, 1, (count, 3)).astype(np.float32),
        extra={
            "GpsTime": rng.random(count),
            "intensity": rng.integers(0, 9, count).astype(np.uint8),
            "pair": rng.random((count, 2)).astype(np.float32),
            "flag": rng.random(count) < 0.5,
            "big": rng.integers(0, 2**50, count),
        },
        empty_beams=rng.normal(0, 1, (7, 3)).astype(np.float32),
        missing=13,
    )
    record(tmp_path / "a.mcap", [Sample("lidar", START_NS, cloud)])
    (sample,) = played(tmp_path / "a.mcap")
    back = sample.data
    assert back.missing == 13
    layers = ("points", "intensity", "ring", "column", "time_offset_ns", "color", "normals")
    for name in (*layers, "empty_beams"):
        mine, given = getattr(back, name), getattr(cloud, name)
        assert mine.dtype == given.dtype
        assert np.array_equal(mine, given)
    assert back.extra.keys() == cloud.extra.keys()
    for name, values in cloud.extra.items():
        assert back.extra[name].dtype == values.dtype
        assert np.array_equal(back.extra[name], values)


def test_a_field_that_no_message_can_hold_is_refused(tmp_path):
    points = np.ones((2, 3), np.float32)
    cloud = PointCloud(points, "lidar", extra={"hash": np.array([2**63, 1], np.uint64)})
    with pytest.raises(OutputError, match="'hash' is uint64"):
        record(tmp_path / "a.mcap", [Sample("lidar", START_NS, cloud)])


def test_fields_that_are_nowhere_a_number_come_back_as_they_were(tmp_path):
    points = np.ones((3, 3), np.float32)
    extra = {
        "range": np.array([np.nan, np.inf, 1.5], np.float32),
        "when": np.array([-np.inf, np.nan, 2.5]),
    }
    cloud = PointCloud(points, "lidar", START_NS, extra=extra)
    record(tmp_path / "a.mcap", [Sample("lidar", START_NS, cloud)])
    (sample,) = played(tmp_path / "a.mcap")
    for name, values in extra.items():
        assert sample.data.extra[name].dtype == values.dtype
        assert np.array_equal(sample.data.extra[name], values, equal_nan=True)


def test_readings_that_wait_when_the_disk_fails_are_counted(tmp_path, monkeypatch):
    def fails(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("sensorfusion.recording.file._SYNC_NS", 0)
    writer = RecordingWriter(tmp_path / "a.mcap", RIG, disk=Disk(sync=fails))
    with pytest.raises(OutputError):
        writer.write(imu_sample(0))
        writer.close()
    with pytest.raises(OutputError):
        writer.close()
    assert (writer.written, writer.dropped) == (0, {"imu": 1})


def test_a_stereo_pair_is_refused_as_one_sample(tmp_path):
    pair = StereoPair(*(Image(np.zeros((3, 4), np.uint8), name, 0) for name in ("left", "right")))
    with pytest.raises(OutputError, match="infrared: a sample that is a stereo pair; expected one"):
        record(tmp_path / "pair.mcap", [Sample("infrared", 0, pair)])


def test_readers_that_are_not_ours_read_every_message(tmp_path):
    samples = [*rgbd(3), imu_sample(1_000_000)]
    record(tmp_path / "a.mcap", samples, depth="raw")
    read = messages(tmp_path / "a.mcap")
    of = {topic: [m for name, _, m in read if name == topic] for topic, _, _ in read}
    assert {topic: len(found) for topic, found in of.items()} == {
        "/depth/depth_raw": 3,
        "/depth/camera_info": 3,
        "/color/image_raw": 3,
        "/color/camera_info": 3,
        "/imu/data_raw": 1,
        "/tf_static": 1,
    }
    for index in range(3):
        depth, color = of["/depth/depth_raw"][index], of["/color/image_raw"][index]
        assert (depth.encoding, color.encoding) == ("16UC1", "rgb8")
        assert np.array_equal(depth.data.view("<u2").reshape(HEIGHT, WIDTH), depth_pixels(index))
        assert np.array_equal(color.data.reshape(HEIGHT, WIDTH, 3), color_pixels(index))
        info = of["/color/camera_info"][index]
        assert (info.width, info.height, info.header.stamp) == (WIDTH, HEIGHT, color.header.stamp)
        assert info.k.tolist() == [41.7, 0, 19.1, 0, 41.9, 15.1, 0, 0, 1]
        # ROS has no name for this lens; one that does not fit would be used with wrong results.
        assert info.distortion_model == "inverse_brown_conrady"
    (reading,) = of["/imu/data_raw"]
    assert reading.angular_velocity.z == 1 / 3
    assert reading.linear_acceleration.y == 9.81
    assert reading.orientation_covariance[0] == -1


def test_a_reader_that_is_not_ours_chains_the_transforms_of_the_rig(tmp_path):
    record(tmp_path / "a.mcap", [depth_sample()])
    tree = next(m for topic, _, m in messages(tmp_path / "a.mcap") if topic == "/tf_static")
    links = {each.child_frame_id: each for each in tree.transforms}
    assert len(links) == len(tree.transforms) == 3  # one parent each, as tf2 demands
    for child, each in links.items():
        expected = RIG.transform(each.header.frame_id, child)
        moved = each.transform.translation
        assert np.allclose([moved.x, moved.y, moved.z], expected.translation_m, atol=1e-12)
        x, y, z, w = (getattr(each.transform.rotation, axis) for axis in "xyzw")
        assert np.isclose(expected.rotation[0, 1], 2 * (x * y - z * w), atol=1e-12)
        assert np.isclose(expected.rotation[0, 0], 1 - 2 * (y * y + z * z), atol=1e-12)


def test_the_same_samples_make_the_same_bytes(tmp_path):
    samples = sorted(
        [*rgbd(5), *(imu_sample(n * 5_000_000) for n in range(60))], key=lambda s: s.timestamp_ns
    )
    for name in ("a.mcap", "b.mcap"):
        record(tmp_path / name, samples)
    assert (tmp_path / "a.mcap").read_bytes() == (tmp_path / "b.mcap").read_bytes()


def test_each_picture_is_in_the_file_before_it_counts(tmp_path):
    writer = RecordingWriter(tmp_path / "a.mcap", RIG)
    for number, sample in enumerate(rgbd(3), 1):
        writer.write(sample)
        wait_for(lambda number=number: writer.written == number)
        (tmp_path / "copy.mcap").write_bytes((tmp_path / "a.mcap").read_bytes())
        if number > 1:
            assert len(played(tmp_path / "copy.mcap")) == number
    writer.close()


def test_what_an_imu_measures_live_waits_no_longer_than_a_tenth_of_a_second(tmp_path):
    options = RecordingOptions(live=True)
    with RecordingWriter(tmp_path / "a.mcap", RIG, options=options) as writer:
        begin_s = time.monotonic()
        writer.write(imu_sample(0))
        wait_for(lambda: writer.written == 1)
        assert time.monotonic() - begin_s < 1.0


def wait_for(condition):
    end_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_a_flipped_byte_is_an_error_and_never_another_picture(tmp_path):
    record(tmp_path / "a.mcap", rgbd(2))
    data = (tmp_path / "a.mcap").read_bytes()
    good = [fingerprint(s) for s in played(tmp_path / "a.mcap")]
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(0, len(data), 80):
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.integers(8)
        (tmp_path / "b.mcap").write_bytes(damaged)
        try:
            with open_source(tmp_path / "b.mcap") as source:
                found = [fingerprint(s) for s in source.samples()]
                lost = sum(source.losses.dropped.values())
        except SourceError:
            refused += 1
            continue
        assert all(each in good for each in found), place
        assert len(found) + lost == len(good), place
        refused += lost > 0
    assert refused > 50


def test_behind_a_damaged_picture_the_others_are_read(tmp_path):
    record(tmp_path / "a.mcap", rgbd(3))
    good = [fingerprint(s) for s in played(tmp_path / "a.mcap")]
    data = bytearray((tmp_path / "a.mcap").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "b.mcap").write_bytes(data)
    with open_source(tmp_path / "b.mcap") as source:
        found = [fingerprint(s) for s in source.samples()]
        ((reason, count),) = source.losses.dropped.items()
    assert count == 1
    assert reason in {"depth sample that is damaged", "color sample that is damaged"}
    assert len(found) == 5
    assert found == [each for each in good if each in found]
    assert (found[0], found[-1]) == (good[0], good[-1])
    with (
        open_source(tmp_path / "b.mcap", options={"strict": "true"}) as source,
        pytest.raises(CorruptRecordingError, match="checksum"),
    ):
        list(source.samples())


def fingerprint(sample):
    data = sample.data
    pixels = data.values if isinstance(data, RawDepth) else data.pixels
    return sample.stream, sample.timestamp_ns, pixels.tobytes()


class FullDisk:
    """Takes so many bytes and says then that it is full, as a file system does."""

    def __init__(self, room):
        self.room = room

    def write(self, descriptor, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("room", [20_000, 50_001])
def test_what_was_accepted_before_the_disk_was_full_is_readable(room, tmp_path):
    disk = Disk(write=FullDisk(room).write)
    writer = RecordingWriter(tmp_path / "a.mcap", RIG, disk=disk)
    with pytest.raises(OutputError, match=r"No space left on device.*are kept.*free some space"):
        for sample in rgbd(500):
            writer.write(sample)
    with pytest.raises(OutputError, match="cannot be written any further"):
        writer.close()
    back = played(tmp_path / "a.mcap")
    assert len(back) == writer.written > 0
    assert [fingerprint(s) for s in back] == [fingerprint(s) for s in rgbd(500)[: len(back)]]
    with open_source(tmp_path / "a.mcap") as source:
        assert "rebuilt by a scan" in source.notes[0]


def test_a_disk_about_to_be_full_is_noticed_while_the_index_still_fits(tmp_path):
    path = tmp_path / "a.mcap"

    def free_bytes(_):
        return 1_200_000 - path.stat().st_size

    writer = RecordingWriter(path, RIG, disk=Disk(free_bytes=free_bytes))
    with pytest.raises(OutputError, match="needed to end the file whole"):
        for sample in rgbd(500):
            writer.write(sample)
    with pytest.raises(OutputError):
        writer.close()
    with open_source(path) as source:
        back = list(source.samples())
        assert len(back) == writer.written > 0
        assert source.notes
        assert all("were dropped when this was recorded" in note for note in source.notes)


def test_a_disk_that_is_full_already_takes_no_recording(tmp_path):
    with pytest.raises(OutputError, match="nothing was recorded"):
        RecordingWriter(tmp_path / "a.mcap", RIG, disk=Disk(free_bytes=lambda _: 1000))


def test_a_limit_on_files_is_an_error_like_a_full_disk(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = RecordingWriter(tmp_path / "a.mcap", RIG)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            for sample in rgbd(500):
                writer.write(sample)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(OutputError):
        writer.close()
    assert len(played(tmp_path / "a.mcap")) == writer.written > 0


def slow(descriptor, data):
    time.sleep(0.02)
    return os.write(descriptor, data)


def test_a_live_source_before_a_slow_disk_loses_samples_and_every_one_is_counted(tmp_path):
    samples = rgbd(40)
    written = record(
        tmp_path / "a.mcap", samples, disk=Disk(write=slow), live=True, queue_samples=4
    )
    dropped = sum(written.dropped.values())
    assert dropped > 0
    assert sum(written.samples.values()) + dropped == len(samples)
    with open_source(tmp_path / "a.mcap") as source:
        assert len(list(source.samples())) == sum(written.samples.values())
        expected = [f"{n} samples of {s} were dropped" for s, n in sorted(written.dropped.items())]
        assert [note[: len(e)] for note, e in zip(source.notes, expected, strict=True)] == expected


def test_the_numbers_of_messages_show_where_samples_were_dropped(tmp_path):
    written = record(
        tmp_path / "a.mcap",
        [depth_sample(n) for n in range(40)],
        disk=Disk(write=slow),
        live=True,
        queue_samples=2,
    )
    with (tmp_path / "a.mcap").open("rb") as file:
        found = [
            (message.sequence, (message.log_time - START_NS) // PERIOD_NS)
            for _, channel, message in make_reader(file).iter_messages()
            if "depth_raw" in channel.topic
        ]
    assert all(number == index for number, index in found)
    assert len(found) == 40 - written.dropped["depth"]


def test_a_recording_waits_for_a_slow_disk(tmp_path):
    written = record(tmp_path / "a.mcap", rgbd(10), disk=Disk(write=slow), queue_samples=2)
    assert written.samples == {"depth": 10, "color": 10}
    assert written.dropped == {}


def test_the_data_reach_the_disk_itself_every_second(tmp_path):
    synced = []
    disk = Disk(sync=lambda _: synced.append(time.monotonic()))
    with RecordingWriter(tmp_path / "a.mcap", RIG, disk=disk) as writer:
        begin_s = time.monotonic()
        for index in range(24):
            writer.write(depth_sample(index))
            time.sleep(0.1)
    assert len(synced) >= 3
    assert synced[0] - begin_s < 1.5


def test_a_sync_that_fails_ends_the_recording_with_an_error(tmp_path):
    def fails(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OutputError, match="Input/output error"):
        record(tmp_path / "a.mcap", rgbd(2), disk=Disk(sync=fails))


def test_an_old_recording_is_never_written_over(tmp_path):
    (tmp_path / "a.mcap").write_bytes(b"took hours")
    with pytest.raises(OutputError, match="exists already"):
        RecordingWriter(tmp_path / "a.mcap", RIG)
    assert (tmp_path / "a.mcap").read_bytes() == b"took hours"
    (tmp_path / "b.mcap").touch()
    record(tmp_path / "b.mcap", rgbd(1))


@pytest.mark.parametrize(
    ("name", "reason"), [("gone/a.mcap", "make its folder first"), (".", "exists already")]
)
def test_a_place_where_nothing_can_be_written_is_refused(name, reason, tmp_path):
    with pytest.raises(OutputError, match=reason):
        RecordingWriter(tmp_path / name, RIG)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (Sample("depth", START_NS, replace(depth_sample().data, unit_m=0.0001)), "unit_m changes"),
        (color_sample(pixels=np.zeros((3, 4, 3), np.uint8)), "not what the rig says"),
        (Sample("x", 0, Image(color_pixels(), "x", 0)), "not what the rig says"),
        (Sample("color", -1, Image(color_pixels(), "color", -1)), "time stamp -1 ns"),
        (Sample("depth", 0, Image(color_pixels(), "color", 0)), "as the first one"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused_and_the_others_are_kept(sample, reason, tmp_path):
    with pytest.raises(OutputError, match=reason):
        record(tmp_path / "a.mcap", [depth_sample(), sample])
    (kept,) = played(tmp_path / "a.mcap")
    assert np.array_equal(kept.data.values, depth_pixels())


def test_streams_whose_names_ros_does_not_allow_keep_them(tmp_path):
    names = ["front left", "front_left", "0", "böse"]
    cameras = {name: replace(DEPTH, name=name) for name in names}
    links = tuple(turned(names[0], name) for name in names[1:])
    samples = [
        Sample(name, 9, RawDepth(depth_pixels(n), 0.001, camera, 9))
        for n, (name, camera) in enumerate(cameras.items())
    ]
    record(tmp_path / "a.mcap", samples, rig=Rig(cameras, links))
    assert [s.stream for s in played(tmp_path / "a.mcap")] == names
    assert len({topic for topic, _, _ in messages(tmp_path / "a.mcap")}) == 2 * len(names) + 1


def test_a_rig_that_was_tampered_with_is_refused(tmp_path):
    record(tmp_path / "a.mcap", rgbd(1))
    data = (tmp_path / "a.mcap").read_bytes()
    (tmp_path / "a.mcap").write_bytes(data.replace(b"41.7", b"41.8", 1))
    with pytest.raises(CorruptRecordingError, match="checksum"):
        open_source(tmp_path / "a.mcap")


@pytest.mark.parametrize("wrong", [{"jpeg_quality": 0}, {"queue_samples": 0}, {"queue_mb": 0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected 1 to"):
        RecordingOptions(**wrong)


def test_a_finished_recording_may_be_closed_again(tmp_path):
    writer = RecordingWriter(Path(tmp_path) / "a.mcap", RIG)
    writer.write(depth_sample())
    assert writer.close() is writer.close()
