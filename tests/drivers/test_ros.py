"""Recordings of ROS, written by rosbags and decoded by hand."""

import os
import shutil
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Bag1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Bag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sensorfusion.errors import CalibrationError, CorruptRecordingError, SourceError
from sensorfusion.sources.registry import find_driver, open_source, read_truth

DATA = Path(
    os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
)
CONTAINERS = ("bag", "bag lz4", "db3", "db3 message", "mcap", "mcap storage", "mcap message")
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
LIVOX_POINT = """uint32 offset_time
float32 x
float32 y
float32 z
uint8 reflectivity
uint8 tag
uint8 line
"""
LIVOX_SCAN = """std_msgs/Header header
uint64 timebase
uint32 point_num
uint8 lidar_id
uint8[3] rsvd
CustomPoint[] points
"""


class Ros:
    """Builds messages of one ROS version, and writes them into a container."""

    def __init__(self, container="mcap"):
        self.container = container
        self.is_ros1 = container.startswith("bag")
        self.store = get_typestore(Stores.ROS1_NOETIC if self.is_ros1 else Stores.ROS2_HUMBLE)
        name = "livox_ros_driver2/msg/CustomPoint"
        self.store.register(get_types_from_msg(LIVOX_POINT, name))
        self.store.register(get_types_from_msg(LIVOX_SCAN, "livox_ros_driver2/msg/CustomMsg"))
        if self.is_ros1:
            text = "geometry_msgs/TransformStamped[] transforms"
            self.store.register(get_types_from_msg(text, "tf2_msgs/msg/TFMessage"))
        self.messages = []

    def make(self, name, /, **values):
        package, kind = name.split("/")
        return self.store.types[f"{package}/msg/{kind}"](**values)

    def header(self, stamp_ns, frame):
        extra = {"seq": 7} if self.is_ros1 else {}
        seconds, rest = divmod(stamp_ns, 1_000_000_000)
        name = "builtin_interfaces/Time"
        time = self.make(name, sec=seconds, nanosec=rest)
        return self.make("std_msgs/Header", stamp=time, frame_id=frame, **extra)

    def add(self, topic, name, recorded_ns, **values):
        self.messages.append((topic, name, recorded_ns, self.make(name, **values)))

    def cloud(
        self, points, stamp_ns=START_NS, topic="/points", frame="velodyne", recorded_ns=None, **how
    ):
        """Add a PointCloud2 of a structured array, (N,) or (H, W), byte for byte as it lies."""
        grid = points.reshape(1, -1) if points.ndim == 1 else points
        fields = []
        for field, (dtype, offset, *_) in points.dtype.fields.items():
            base, shape = dtype.subdtype or (dtype, ())
            count = shape[0] if shape else 1
            code = CODES[base.str[1:]]
            fields.append(
                self.make(
                    "sensor_msgs/PointField", name=field, offset=offset, datatype=code, count=count
                )
            )
        big = any((d[0].subdtype or d)[0].str[0] == ">" for d in points.dtype.fields.values())
        padding = how.get("padding", 0)
        rows = [np.frombuffer(row.tobytes() + b"\xee" * padding, np.uint8) for row in grid]
        step = grid.shape[1] * points.dtype.itemsize + padding
        self.add(
            topic,
            "sensor_msgs/PointCloud2",
            stamp_ns + 5_000_000 if recorded_ns is None else recorded_ns,
            header=self.header(stamp_ns, frame),
            height=grid.shape[0],
            width=grid.shape[1],
            fields=fields,
            is_bigendian=big,
            point_step=points.dtype.itemsize,
            row_step=how.get("row_step", step),
            data=np.concatenate(rows) if rows else np.empty(0, np.uint8),
            is_dense=True,
        )

    def livox(self, points, stamp_ns=START_NS):
        made = [
            self.make(
                "livox_ros_driver2/CustomPoint",
                **{
                    name: value.item()
                    for name, value in zip(points.dtype.names, point, strict=True)
                },
            )
            for point in points
        ]
        self.add(
            "/livox/lidar",
            "livox_ros_driver2/CustomMsg",
            stamp_ns,
            header=self.header(stamp_ns, "livox_frame"),
            timebase=stamp_ns,
            point_num=len(points),
            lidar_id=1,
            rsvd=np.zeros(3, np.uint8),
            points=made,
        )

    def image(
        self, pixels, encoding, stamp_ns=START_NS, topic="/cam/image_raw", frame="cam", **how
    ):
        rows = pixels.reshape(len(pixels), -1)
        padding = how.get("padding", 0)
        data = b"".join(row.tobytes() + b"\xee" * padding for row in rows)
        self.add(
            topic,
            "sensor_msgs/Image",
            how.get("recorded_ns", stamp_ns + 5_000_000),
            header=self.header(stamp_ns, frame),
            height=len(pixels),
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=int(how.get("big", False)),
            step=rows.shape[1] * pixels.dtype.itemsize + padding,
            data=np.frombuffer(data, np.uint8),
        )

    def compressed(self, data, form, stamp_ns=START_NS, topic="/cam/image_raw/compressed", **how):
        self.add(
            topic,
            "sensor_msgs/CompressedImage",
            stamp_ns + 5_000_000,
            header=self.header(stamp_ns, how.get("frame", "cam")),
            format=form,
            data=np.frombuffer(bytes(data), np.uint8),
        )

    def info(self, size, topic="/cam/camera_info", frame="cam", **values):
        name = "sensor_msgs/RegionOfInterest"
        x, y, height, width = values.get("roi", (0, 0, 0, 0))
        roi = self.make(name, x_offset=x, y_offset=y, height=height, width=width, do_rectify=False)
        fx, fy, cx, cy = values.get("K", (10.0, 11.0, size[0] / 2 - 0.5, size[1] / 2 - 0.5))
        P = values.get("P", (fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0))
        matrices = {
            "d": values.get("D", (0,) * 5),
            "k": (fx, 0, cx, 0, fy, cy, 0, 0, 1),
            "r": np.ravel(values.get("R", np.eye(3))),
            "p": P,
        }
        if self.is_ros1:
            matrices = {name.upper(): matrix for name, matrix in matrices.items()}
        self.add(
            topic,
            "sensor_msgs/CameraInfo",
            START_NS,
            header=self.header(START_NS, frame),
            width=size[0],
            height=size[1],
            distortion_model=values.get("model", "plumb_bob"),
            binning_x=values.get("binning", (0, 0))[0],
            binning_y=values.get("binning", (0, 0))[1],
            roi=roi,
            **{name: np.array(matrix, np.float64) for name, matrix in matrices.items()},
        )

    def transform(self, translation, quaternion):
        x, y, z = map(float, translation)
        a, b, c, d = map(float, quaternion)
        return {
            "vector": self.make("geometry_msgs/Vector3", x=x, y=y, z=z),
            "point": self.make("geometry_msgs/Point", x=x, y=y, z=z),
            "quaternion": self.make("geometry_msgs/Quaternion", x=a, y=b, z=c, w=d),
        }

    def tf_static(self, *links):
        made = []
        for parent, child, translation, quaternion in links:
            parts = self.transform(translation, quaternion)
            between = self.make(
                "geometry_msgs/Transform",
                translation=parts["vector"],
                rotation=parts["quaternion"],
            )
            made.append(
                self.make(
                    "geometry_msgs/TransformStamped",
                    header=self.header(START_NS, parent),
                    child_frame_id=child,
                    transform=between,
                )
            )
        self.add("/tf_static", "tf2_msgs/TFMessage", START_NS, transforms=made)

    def odometry(self, stamp_ns, translation, quaternion):
        parts = self.transform(translation, quaternion)
        pose = self.make(
            "geometry_msgs/Pose", position=parts["point"], orientation=parts["quaternion"]
        )
        zero = self.make("geometry_msgs/Vector3", x=0.0, y=0.0, z=0.0)
        twist = self.make("geometry_msgs/Twist", linear=zero, angular=zero)
        none = np.zeros(36)
        self.add(
            "/odom",
            "nav_msgs/Odometry",
            stamp_ns,
            header=self.header(stamp_ns, "odom"),
            child_frame_id="base_link",
            pose=self.make("geometry_msgs/PoseWithCovariance", pose=pose, covariance=none),
            twist=self.make("geometry_msgs/TwistWithCovariance", twist=twist, covariance=none),
        )

    def write(self, folder):
        """Write a bag, or a folder of rosbag2; return its path."""
        kind, _, mode = self.container.partition(" ")
        path = folder / ("recording.bag" if kind == "bag" else "recording")
        if kind == "bag":
            writer = Bag1(path)
            if mode:
                writer.set_compression(Bag1.CompressionFormat.LZ4)
        else:
            plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
            writer = Bag2(path, version=9, storage_plugin=plugin)
            if mode:
                writer.set_compression(CompressionMode[mode.upper()], CompressionFormat.ZSTD)
        encode = self.store.serialize_ros1 if kind == "bag" else self.store.serialize_cdr
        with writer:
            connections = {}
            for topic, name, time_ns, message in self.messages:
                full = name.replace("/", "/msg/")
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, full, typestore=self.store)
                writer.write(connections[topic], time_ns, encode(message, full))
        return path


def scan(count=200, seed=1, **fields):
    """Return a structured array of points: float32 x, y, z and more."""
    rng = np.random.default_rng(seed)
    layout = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    points = np.zeros(count, layout + [(name, kind) for name, (kind, _) in fields.items()])
    for axis in "xyz":
        points[axis] = rng.uniform(1, 20, count).astype(np.float32)
    for name, (_, values) in fields.items():
        points[name] = values
    return points


def xyz(points):
    return np.stack([points[axis].reshape(-1) for axis in "xyz"], axis=-1).astype(np.float32)


def only_scan(ros, folder, **options):
    with open_source(ros.write(folder), options=options) as source:
        return source[0].measurement


def one_cloud(points, folder, **how):
    ros = Ros()
    ros.cloud(points, **how)
    return only_scan(ros, folder)


def picture(seed=3, shape=(6, 8, 3), dtype=np.uint8):
    return np.random.default_rng(seed).integers(1, np.iinfo(dtype).max, shape, dtype)


# Containers


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_every_point_as_it_went_in(container, tmp_path):
    ros = Ros(container)
    scans = [scan(300, seed) for seed in range(5)]
    for index, points in enumerate(scans):
        ros.cloud(points, START_NS + index * PERIOD_NS)
    path = ros.write(tmp_path)
    assert find_driver(path) == "ros"
    with open_source(path) as source:
        assert len(source) == 5
        for frame, points in zip(source, scans, strict=True):
            assert frame.sensor == "velodyne"
            assert frame.timestamp_ns == START_NS + frame.index * PERIOD_NS
            assert np.array_equal(frame.measurement.points, xyz(points))


@pytest.mark.parametrize("container", ["db3", "mcap"])
def test_a_single_file_of_a_folder_opens_as_the_folder_does(container, tmp_path):
    ros = Ros(container)
    ros.cloud(scan())
    (file,) = ros.write(tmp_path).glob(f"*.{container}")
    assert find_driver(file) == "ros"
    with open_source(file) as source:
        assert len(source[0].measurement) == 200


def test_the_files_of_a_split_recording_are_one(tmp_path):
    parts = []
    for number in range(2):
        ros = Ros("db3")
        ros.cloud(scan(10 + number), START_NS + number * PERIOD_NS)
        (tmp_path / str(number)).mkdir()
        parts.append(ros.write(tmp_path / str(number)) / "recording.db3")
    folder = tmp_path / "both"
    folder.mkdir()
    for number, part in enumerate(parts):
        shutil.copy(part, folder / f"both_{number}.db3")
    listed = (
        "rosbag2_bagfile_information:\n  relative_file_paths:\n    - both_0.db3\n    - both_1.db3\n"
    )
    (folder / "metadata.yaml").write_text(listed)
    with open_source(folder) as source:
        assert [len(frame.measurement) for frame in source] == [10, 11]


def test_a_listed_file_that_is_missing_is_named(tmp_path):
    ros = Ros("mcap")
    ros.cloud(scan())
    folder = ros.write(tmp_path)
    (folder / "recording.mcap").unlink()
    with pytest.raises(SourceError, match=r"recording\.mcap: listed in metadata\.yaml"):
        open_source(folder)


def test_messages_without_chunks_and_index_are_found(tmp_path):
    from mcap.writer import Writer

    ros = Ros()
    points = scan()
    ros.cloud(points)
    topic, name, time_ns, message = ros.messages[0]
    full = name.replace("/", "/msg/")
    with (tmp_path / "plain.mcap").open("wb") as file:
        writer = Writer(file, use_chunking=False, use_statistics=False)
        writer.start("ros2")
        schema = writer.register_schema(full, "ros2msg", b"")
        channel = writer.register_channel(topic, "cdr", schema)
        data = bytes(ros.store.serialize_cdr(message, full))
        writer.add_message(channel, time_ns, data, time_ns)
        writer.finish()
    with open_source(tmp_path / "plain.mcap") as source:
        assert np.array_equal(source[0].measurement.points, xyz(points))


@pytest.mark.parametrize("container", ["bag", "bag lz4", "db3"])
def test_a_cut_recording_is_refused_in_one_sentence(container, tmp_path):
    ros = Ros(container)
    for index in range(20):
        ros.cloud(scan(500, index), START_NS + index * PERIOD_NS)
    path = ros.write(tmp_path)
    file = path if path.is_file() else next(path.glob("recording.*"))
    data = file.read_bytes()
    for share in (0.2, 0.5, 0.9, 0.999):
        file.write_bytes(data[: int(share * len(data))])
        with pytest.raises(SourceError) as caught:
            open_source(file, driver="ros")
        assert file.name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("container", ["mcap", "mcap storage"])
def test_a_cut_mcap_file_is_read_as_far_as_it_is_whole(container, tmp_path):
    ros = Ros(container)
    scans = [scan(3000, index) for index in range(100)]
    for index, points in enumerate(scans):
        ros.cloud(points, START_NS + index * PERIOD_NS)
    path = ros.write(tmp_path)
    file = path if path.is_file() else next(path.glob("recording.*"))
    data = file.read_bytes()
    for share in (0.5, 0.999):
        file.write_bytes(data[: int(share * len(data))])
        with open_source(file, driver="ros") as source:
            assert 0 < len(source) <= 100
            assert "rebuilt by a scan" in source.notes[0]
            for frame in source:
                assert np.array_equal(frame.measurement.points, xyz(scans[frame.index]))
        with pytest.raises(SourceError, match="leave out strict=true"):
            open_source(file, driver="ros", options={"strict": "true"})


@pytest.mark.parametrize("container", ["bag", "db3", "mcap", "mcap storage"])
def test_damaged_bytes_give_an_error_of_ours_or_points(container, tmp_path):
    ros = Ros(container)
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6))
    for index in range(3):
        ros.cloud(scan(20, index, t=("<u4", 0)), START_NS + index * PERIOD_NS)
        ros.image(picture(), "rgb8", START_NS + index * PERIOD_NS)
    path = ros.write(tmp_path)
    file = path if path.is_file() else next(path.glob("recording.*"))
    data = file.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(16, len(data), 3):
            damaged[place] = rng.integers(256)
        file.write_bytes(damaged)
        try:
            with open_source(file, driver="ros") as source:
                list(source)
        except (SourceError, CalibrationError) as error:
            assert "\n" not in str(error)


def test_a_changed_byte_in_a_chunk_is_noticed_by_its_checksum(tmp_path):
    from mcap.writer import CompressionType, Writer

    with (tmp_path / "one.mcap").open("wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start("ros2")
        ros = Ros()
        ros.cloud(scan())
        topic, name, time_ns, message = ros.messages[0]
        full = name.replace("/", "/msg/")
        schema = writer.register_schema(full, "ros2msg", b"")
        channel = writer.register_channel(topic, "cdr", schema)
        data = bytes(ros.store.serialize_cdr(message, full))
        writer.add_message(channel, time_ns, data, time_ns)
        writer.finish()
    whole = (tmp_path / "one.mcap").read_bytes()
    place = whole.index(data) + 1000
    (tmp_path / "one.mcap").write_bytes(
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    )
    with pytest.raises(CorruptRecordingError, match="checksum"):
        open_source(tmp_path / "one.mcap")


def test_a_database_of_something_else_is_nobodys(tmp_path):
    database = sqlite3.connect(tmp_path / "notes.db3")
    database.execute("CREATE TABLE notes (text TEXT)")
    database.commit()
    database.close()
    with pytest.raises(SourceError, match="no driver recognises it"):
        find_driver(tmp_path / "notes.db3")


def test_a_realsense_recording_in_ros_containers_belongs_to_its_own_driver(tmp_path):
    ros = Ros("bag lz4")
    ros.image(picture(), "rgb8", topic="/device_0/sensor_1/Color_0/image/data")
    path = ros.write(tmp_path)
    assert find_driver(path) == "realsense"


# Points


def test_fields_keep_their_meaning_and_the_others_their_names(tmp_path):
    points = scan(
        50,
        intensity=("<f4", np.arange(50)),
        ring=("<u2", np.arange(50) % 16),
        ambient=("<u2", np.arange(50) + 300),
        normal_x=("<f4", 0),
        normal_y=("<f4", 0),
        normal_z=("<f4", 1),
    )
    cloud = one_cloud(points, tmp_path)
    assert np.array_equal(cloud.intensity, np.arange(50, dtype=np.float32))
    assert np.array_equal(cloud.ring, np.arange(50) % 16)
    assert np.array_equal(cloud.extra["ambient"], np.arange(50) + 300)
    assert set(cloud.extra) == {"ambient"}
    assert np.array_equal(cloud.normals, np.tile(np.float32([0, 0, 1]), (50, 1)))


@pytest.mark.parametrize("kind", ["<f8", ">f4", ">f8", "<i2", ">i4"])
def test_coordinates_may_have_any_type_and_byte_order(kind, tmp_path):
    names = ("x", "y", "z")
    points = np.zeros(9, [(name, kind) for name in names])
    for place, name in enumerate(names):
        points[name] = np.arange(1, 10) + 10 * place
    cloud = one_cloud(points, tmp_path)
    expected = np.stack([np.arange(1, 10) + 10 * place for place in range(3)], axis=-1)
    assert np.array_equal(cloud.points, expected)
    assert cloud.points.dtype == np.float32


def test_coordinates_may_stand_in_any_order_with_gaps(tmp_path):
    layout = {
        "names": ["z", "flag", "x", "y"],
        "formats": ["<f4", "u1", "<f4", "<f4"],
        "offsets": [3, 11, 20, 33],
        "itemsize": 48,
    }
    points = np.zeros(5, layout)
    points["x"], points["y"], points["z"] = 1, 2, np.arange(5)
    cloud = one_cloud(points, tmp_path)
    assert np.array_equal(cloud.points, [[1, 2, z] for z in range(5)])


def test_points_without_a_return_are_left_out_and_counted(tmp_path):
    points = scan(10, tag=("u1", np.arange(10)))
    points["y"][2] = np.nan
    points["x"][5] = np.inf
    for axis in "xyz":
        points[axis][7] = 0
    cloud = one_cloud(points, tmp_path)
    assert cloud.missing == 3
    assert np.array_equal(cloud.extra["tag"], [0, 1, 3, 4, 6, 8, 9])
    kept = xyz(points)[[0, 1, 3, 4, 6, 8, 9]]
    assert np.array_equal(cloud.points, kept)


@pytest.mark.parametrize("padding", [0, 7])
def test_an_organised_cloud_says_row_and_column_of_each_point(padding, tmp_path):
    points = scan(12).reshape(3, 4)
    points["x"][1, 2] = np.nan
    cloud = one_cloud(points, tmp_path, padding=padding)
    assert np.array_equal(cloud.ring, [0] * 4 + [1] * 3 + [2] * 4)
    assert np.array_equal(cloud.column, [0, 1, 2, 3, 0, 1, 3, 0, 1, 2, 3])
    assert np.array_equal(cloud.points, np.delete(xyz(points), 6, axis=0))


def test_firings_that_stand_in_rows_are_columns_all_the_same(tmp_path):
    ring = np.tile(np.arange(4), (3, 1))
    points = scan(12, ring=("<u2", ring.reshape(-1))).reshape(3, 4)
    cloud = one_cloud(points, tmp_path)
    assert np.array_equal(cloud.ring, ring.reshape(-1))
    assert np.array_equal(cloud.column, np.repeat([0, 1, 2], 4))


def test_a_field_of_several_values_is_kept_whole(tmp_path):
    points = scan(6, descriptor=(("<f4", (3,)), np.arange(18).reshape(6, 3)))
    cloud = one_cloud(points, tmp_path)
    assert np.array_equal(cloud.extra["descriptor"], np.arange(18).reshape(6, 3))


def test_packed_colour_is_red_green_blue(tmp_path):
    points = scan(2, rgb=("<u4", [0x00102030, 0x00FF0001]))
    cloud = one_cloud(points, tmp_path)
    assert np.array_equal(cloud.color, [[0x10, 0x20, 0x30], [0xFF, 0x00, 0x01]])


def test_an_empty_scan_is_a_frame_without_points(tmp_path):
    ros = Ros()
    ros.cloud(scan(5))
    ros.cloud(scan(0), START_NS + PERIOD_NS)
    with open_source(ros.write(tmp_path)) as source:
        assert [len(frame.measurement) for frame in source] == [5, 0]


FIRED_NS = np.linspace(0, 99_000_000, 100).astype(np.int64)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("t", "<u4", FIRED_NS),
        ("offset_time", "<u4", FIRED_NS // 1000),
        ("time", "<f4", FIRED_NS * 1e-9),
        ("time", "<f4", FIRED_NS * 1e-6),
        ("timestamp", "<f8", (START_NS + FIRED_NS) * 1e-9),
        ("timestamp", "<f8", (START_NS + FIRED_NS).astype(np.float64)),
        ("ts", "<f8", 5000.0 + FIRED_NS * 1e-9),
        ("time_stamp", "<u4", 3_000_000_000 + FIRED_NS // 1000),
    ],
)
def test_the_unit_and_start_of_point_times_are_recognised(name, kind, values, tmp_path):
    ros = Ros()
    for index in range(3):
        later = index * PERIOD_NS
        own = values
        if name == "timestamp":
            own = values + later * (1e-9 if values[0] < 1e12 else 1)
        ros.cloud(scan(100, **{name: (kind, own)}), START_NS + later)
    with open_source(ros.write(tmp_path)) as source:
        for frame in source:
            offset_ns = frame.measurement.time_offset_ns
            assert offset_ns.dtype == np.int64
            # A double of today's seconds resolves 0.24 us, one of today's nanoseconds 256 ns.
            assert np.abs(offset_ns - FIRED_NS).max() <= 1000
            assert name not in frame.measurement.extra


def test_times_on_a_clock_that_began_at_zero_count_from_the_header(tmp_path):
    ros = Ros()
    seconds = 3.0 + np.linspace(0, 0.1, 200)
    ros.cloud(scan(timestamp=("<f8", seconds)), 3_000_000_000)
    with open_source(ros.write(tmp_path)) as source:
        offset_ns = source[0].measurement.time_offset_ns
    assert (offset_ns.min(), offset_ns.max()) == (0, 100_000_000)


def test_times_before_the_header_are_negative(tmp_path):
    points = scan(100, time=("<f4", (FIRED_NS - 99_000_000) * 1e-9))
    cloud = one_cloud(points, tmp_path)
    assert cloud.time_offset_ns.min() == pytest.approx(-99_000_000, abs=10)
    assert cloud.time_offset_ns.max() == 0


@pytest.mark.parametrize("container", ["bag", "mcap"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_livox_points_are_those_of_the_message(container, count, tmp_path):
    points = np.zeros(
        count,
        [("offset_time", "<u4"), ("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
        + [(name, "u1") for name in ("reflectivity", "tag", "line")],
    )
    points["offset_time"] = np.arange(count) * 10_000_000
    points["x"], points["z"] = np.arange(count) + 1, -2
    points["reflectivity"], points["tag"], points["line"] = 200, 16, np.arange(count) % 6
    ros = Ros(container)
    ros.livox(points)
    cloud = only_scan(ros, tmp_path)
    assert cloud.coordinate_system == "livox"
    assert np.array_equal(cloud.points, xyz(points))
    assert np.array_equal(cloud.ring, points["line"])
    assert np.array_equal(cloud.intensity, points["reflectivity"])
    assert np.array_equal(cloud.extra["tag"], points["tag"])
    assert np.array_equal(cloud.time_offset_ns, points["offset_time"])


def test_points_without_z_are_refused_by_name(tmp_path):
    ros = Ros()
    ros.cloud(np.zeros(4, [("x", "<f4"), ("y", "<f4")]))
    with pytest.raises(SourceError, match="points with x, y, without z"):
        open_source(ros.write(tmp_path))


def test_a_header_that_promises_more_points_than_there_are_is_refused(tmp_path):
    ros = Ros()
    ros.cloud(scan(10))
    ros.messages[0][3].height = 2**31
    with pytest.raises(CorruptRecordingError, match="120 bytes of points"):
        open_source(ros.write(tmp_path))


# A LiDAR and its cameras

# The camera looks along x of the LiDAR, 0.2 m above it: x right = -y, y down = -z, z forward = x.
OPTICAL = (0.5, -0.5, 0.5, -0.5)


def lidar_and_camera(container="mcap", offset_ns=0):
    ros = Ros(container)
    ros.tf_static(
        ("base_link", "velodyne", (0, 0, 1), (0, 0, 0, 1)),
        ("base_link", "cam_link", (0, 0, 1.2), (0, 0, 0, 1)),
        ("cam_link", "cam_optical_frame", (0, 0, 0), OPTICAL),
    )
    ros.info((8, 6), frame="cam_optical_frame", D=(0.1, -0.05, 0.001, 0.002, 0.01))
    for index in range(4):
        stamp_ns = START_NS + index * PERIOD_NS
        ros.cloud(scan(30, index), stamp_ns)
        ros.image(picture(index), "rgb8", stamp_ns + offset_ns, frame="cam_optical_frame")
    return ros


@pytest.mark.parametrize("container", ["bag", "db3", "mcap"])
def test_the_rig_comes_from_camera_info_and_static_transforms(container, tmp_path):
    with open_source(lidar_and_camera(container).write(tmp_path)) as source:
        assert list(source.rig.lidars) == ["velodyne"]
        camera = source.rig.cameras["cam"]
        assert (camera.width, camera.height, camera.fx, camera.fy) == (8, 6, 10.0, 11.0)
        assert camera.distortion.model == "brown_conrady"
        assert camera.distortion.coefficients == (0.1, -0.05, 0.001, 0.002, 0.01)
        T_camera_lidar = source.rig.transform("cam", "velodyne")
        # 10 m ahead, 1 m to the left, 2 m up.
        assert np.allclose(T_camera_lidar.apply(np.array([10.0, 1.0, 2.0])), [-1.0, -1.8, 10.0])


def test_each_scan_has_the_picture_nearest_in_time(tmp_path):
    with open_source(lidar_and_camera(offset_ns=20_000_000).write(tmp_path)) as source:
        for frame in source:
            image = frame.images["cam"]
            assert image.timestamp_ns == frame.timestamp_ns + 20_000_000
            assert np.array_equal(image.pixels, picture(frame.index))
        assert source.losses.unpaired == {"velodyne": 0, "cam": 0}


def test_a_scan_without_a_picture_is_a_frame_and_spare_pictures_are_counted(tmp_path):
    ros = lidar_and_camera()
    ros.cloud(scan(7), START_NS + 20 * PERIOD_NS)
    ros.image(picture(), "rgb8", START_NS + 10 * PERIOD_NS, frame="cam_optical_frame")
    with open_source(ros.write(tmp_path)) as source:
        assert [len(frame.images) for frame in source] == [1, 1, 1, 1, 0]
        assert source.losses.unpaired == {"velodyne": 0, "cam": 1}


def test_pictures_without_a_transform_are_left_out_with_the_reason(tmp_path):
    ros = lidar_and_camera()
    del ros.messages[0]
    path = ros.write(tmp_path)
    with open_source(path) as source:
        assert dict(source.rig.cameras) == {}
        (note,) = source.notes
        assert "/cam/image_raw is left out" in note
        assert "rig=FILE" in note
    with pytest.raises(CalibrationError, match="'cam_optical_frame'"):
        open_source(path, options={"image": "/cam/image_raw"})


def rig_file(folder, lidar, camera):
    from sensorfusion.calibration.rig_file import write_rig
    from sensorfusion.camera import Camera
    from sensorfusion.lidar import Lidar
    from sensorfusion.rig import Rig
    from sensorfusion.transform import RigidTransform

    T_camera_lidar = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0.5], [0, 0, 0, 1.0]])
    rig = Rig(
        {camera: Camera(camera, 8, 6, 12.0, 12.0, 3.5, 2.5)},
        (RigidTransform(camera, lidar, T_camera_lidar),),
        lidars={lidar: Lidar(name=lidar, rings=16)},
    )
    write_rig(rig, folder / "rig.toml")
    return {"rig": str(folder / "rig.toml")}


@pytest.mark.parametrize(("lidar", "camera"), [("velodyne", "cam"), ("roof", "front")])
def test_a_rig_file_stands_in_for_what_the_recording_lacks(lidar, camera, tmp_path):
    ros = Ros()
    ros.cloud(scan())
    ros.image(picture(), "rgb8", frame="cam_optical_frame")
    options = rig_file(tmp_path, lidar, camera)
    with open_source(ros.write(tmp_path), options=options) as source:
        assert source.rig.lidars[lidar].rings == 16
        assert source[0].sensor == lidar
        assert source[0].measurement.coordinate_system == lidar
        assert np.array_equal(source[0].images[camera].pixels, picture())
        moved = source.rig.transform(camera, lidar).apply(np.array([10.0, 1.0, 2.0]))
        assert np.allclose(moved, [-1.0, -2.0, 10.5])


def test_time_offsets_of_a_rig_file_are_added_to_stamps(tmp_path):
    from dataclasses import replace

    from sensorfusion.calibration.rig_file import read_rig, write_rig

    path = lidar_and_camera().write(tmp_path)
    options = rig_file(tmp_path, "velodyne", "cam")
    with open_source(path, options=options) as source:
        before = source[1]
    rig = read_rig(options["rig"])
    write_rig(replace(rig, time_offsets_ns={"cam": 7_000_000, "velodyne": -1}), options["rig"])
    with open_source(path, options=options) as source:
        after = source[1]
        assert dict(source.rig.time_offsets_ns) == {"cam": 7_000_000, "velodyne": -1}
    assert after.timestamp_ns == before.timestamp_ns - 1
    pictures = after.images["cam"], before.images["cam"]
    assert pictures[0].timestamp_ns - pictures[1].timestamp_ns == 7_000_000


def test_the_truth_is_of_the_sensor_as_the_rig_file_names_it(tmp_path):
    ros = Ros()
    ros.tf_static(("base_link", "velodyne", (0, 0, 2), (0, 0, 0, 1)))
    ros.cloud(scan())
    for index in range(2):
        ros.odometry(START_NS + index * PERIOD_NS, (index, 0, 0), (0, 0, 0, 1))
    options = rig_file(tmp_path, "roof", "front") | {"odometry": "/odom"}
    truth = read_truth(ros.write(tmp_path), options=options)
    assert truth.trajectory.poses[0].name == "T_odom_roof"


def test_a_rig_file_without_the_camera_of_several_is_no_guess(tmp_path):
    ros = Ros()
    ros.cloud(scan())
    ros.image(picture(), "rgb8", topic="/left/image_raw", frame="left")
    ros.image(picture(), "rgb8", topic="/right/image_raw", frame="right")
    options = rig_file(tmp_path, "velodyne", "left")
    with open_source(ros.write(tmp_path), options=options) as source:
        assert list(source[0].images) == ["left"]
        assert "/right/image_raw is left out" in source.notes[0]


def test_pictures_of_another_size_than_their_calibration_are_left_out(tmp_path):
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((16, 12))
    ros.cloud(scan())
    ros.image(picture(), "rgb8")
    with open_source(ros.write(tmp_path)) as source:
        assert dict(source.rig.cameras) == {}
        assert "16x12 pixels, the pictures have 8x6" in source.notes[0]


def test_binning_and_a_window_of_the_sensor_change_the_intrinsics(tmp_path):
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((64, 48), K=(40.0, 44.0, 31.5, 23.5), binning=(2, 2), roi=(24, 16, 12, 16))
    ros.cloud(scan())
    ros.image(picture(), "rgb8")
    with open_source(ros.write(tmp_path)) as source:
        camera = source.rig.cameras["cam"]
    assert (camera.width, camera.height, camera.fx, camera.fy) == (8, 6, 20.0, 22.0)
    # The window covers u = 23.5 to 39.5: its middle, where the axis is, is the middle still.
    assert (camera.cx, camera.cy) == (3.5, 3.5)


def test_rectified_pictures_use_the_projection_matrix_with_its_fourth_column(tmp_path):
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    P = (9.0, 0, 4.0, -4.5, 0, 9.0, 3.0, 0, 0, 0, 1, 0)
    ros.info((8, 6), P=P, D=(0.3, 0.1, 0, 0, 0))
    ros.cloud(scan())
    ros.image(picture(), "rgb8", topic="/cam/image_rect_color")
    with open_source(ros.write(tmp_path)) as source:
        camera = source.rig.cameras["cam"]
        T_camera_lidar = source.rig.transform("cam", "velodyne")
    assert (camera.fx, camera.cx, camera.distortion.is_none) == (9.0, 4.0, True)
    point = np.array([1.0, 0.5, 3.0])
    by_hand = np.reshape(P, (3, 4)) @ [*point, 1]
    assert np.allclose(camera.project(T_camera_lidar.apply(point)), by_hand[:2] / by_hand[2])


@pytest.mark.parametrize(
    ("model", "D", "expected"),
    [
        ("rational_polynomial", (0.1, 0.2, 0, 0, 0.3, 0.4, 0.5, 0.6), "brown_conrady"),
        ("equidistant", (0.01, 0.02, 0.003, 0.004), "kannala_brandt"),
        ("equidistant", (0.0, 0.0, 0.0, 0.0), "kannala_brandt"),
        ("plumb_bob", (), "none"),
    ],
)
def test_lens_models_have_their_own_names_in_ros(model, D, expected, tmp_path):
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6), model=model, D=D)
    ros.cloud(scan())
    ros.image(picture(), "rgb8")
    with open_source(ros.write(tmp_path)) as source:
        lens = source.rig.cameras["cam"].distortion
    assert lens.model == expected
    assert lens.coefficients == (D if expected != "none" else ())


def test_of_several_clouds_the_fullest_is_taken_and_the_others_are_named(tmp_path):
    ros = Ros()
    for index in range(5):
        ros.cloud(scan(100), START_NS + index * PERIOD_NS, topic="/raw")
        ros.cloud(scan(40), START_NS + index * PERIOD_NS, topic="/ground")
    ros.cloud(scan(9000), topic="/map")
    path = ros.write(tmp_path)
    with open_source(path) as source:
        assert len(source[0].measurement) == 100
        assert source.notes == (
            "/ground is not read; -o cloud=/ground",
            "/map is not read; -o cloud=/map",
        )
    with open_source(path, options={"cloud": "/ground"}) as source:
        assert len(source[0].measurement) == 40


def test_a_topic_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    path = lidar_and_camera().write(tmp_path)
    with pytest.raises(
        SourceError, match=r"cloud=/cam/image_raw: this topic is a .*: /points|are /points"
    ):
        open_source(path, options={"cloud": "/cam/image_raw"})
    with pytest.raises(SourceError, match="image=/no: this topic is not there"):
        open_source(path, options={"image": "/no"})


def test_sensors_on_different_clocks_are_paired_by_the_time_of_recording(tmp_path):
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6))
    for index in range(3):
        since_ns = index * PERIOD_NS
        ros.cloud(scan(5 + index), 5_000_000_000 + since_ns, recorded_ns=START_NS + since_ns)
        ros.image(picture(index), "rgb8", START_NS + since_ns, recorded_ns=START_NS + since_ns)
    with open_source(ros.write(tmp_path)) as source:
        for frame in source:
            assert np.array_equal(frame.images["cam"].pixels, picture(frame.index))
        assert "different clocks" in source.notes[0]


def test_scans_without_stamps_have_the_time_of_recording(tmp_path):
    ros = Ros()
    for index in range(3):
        ros.cloud(scan(5), 0, recorded_ns=START_NS + index * PERIOD_NS)
    with open_source(ros.write(tmp_path)) as source:
        stamps = [frame.timestamp_ns for frame in source]
        assert stamps == [START_NS + index * PERIOD_NS for index in range(3)]
        assert "no time stamps" in source.notes[0]


def test_scans_of_one_instant_are_dropped_and_counted(tmp_path):
    ros = Ros()
    for stamp_ns in (START_NS, START_NS, START_NS + PERIOD_NS):
        ros.cloud(scan(5), stamp_ns)
    with open_source(ros.write(tmp_path)) as source:
        assert len(source) == 2
        assert source.losses.dropped == {"/points: message with the time stamp of another": 1}


def test_messages_in_another_order_than_time_come_out_in_order_of_time(tmp_path):
    ros = Ros()
    for index in (2, 0, 1):
        ros.cloud(scan(10 + index), START_NS + index * PERIOD_NS, recorded_ns=START_NS)
    with open_source(ros.write(tmp_path)) as source:
        assert [len(frame.measurement) for frame in source] == [10, 11, 12]


def test_odometry_is_where_the_lidar_was(tmp_path):
    ros = Ros()
    ros.tf_static(("base_link", "velodyne", (0, 0, 2), (0, 0, 0, 1)))
    for index in range(3):
        ros.cloud(scan(5), START_NS + index * PERIOD_NS)
    for index in range(6):
        ros.odometry(START_NS - 10_000_000 + index * 50_000_000, (index, 0, 0), (0, 0, 0, 1))
    with open_source(ros.write(tmp_path), options={"odometry": "/odom"}) as source:
        path = source.trajectory
    assert list(path.timestamps_ns) == [START_NS + index * PERIOD_NS for index in range(3)]
    # 10 ms of 50 after each second pose.
    assert np.allclose(path.matrices[:, :3, 3], [[0.2, 0, 2], [2.2, 0, 2], [4.2, 0, 2]])


# Pictures


@pytest.mark.parametrize(
    ("encoding", "stored", "expected"),
    [
        ("rgb8", picture(), picture()),
        ("bgr8", picture()[:, :, ::-1], picture()),
        ("rgba8", np.dstack([picture(), picture()[:, :, 0]]), picture()),
        ("bgra8", np.dstack([picture()[:, :, ::-1], picture()[:, :, 0]]), picture()),
        ("mono8", picture(shape=(6, 8)), picture(shape=(6, 8))),
        (
            "mono16",
            picture(shape=(6, 8)).astype("<u2") * 256 + 17,
            picture(shape=(6, 8)),
        ),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_raw_pictures_come_out_in_rgb_or_grey(encoding, stored, expected, padding, tmp_path):
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6))
    ros.cloud(scan())
    ros.image(np.ascontiguousarray(stored), encoding, padding=padding)
    with open_source(ros.write(tmp_path)) as source:
        assert np.array_equal(source[0].images["cam"].pixels, expected)


def test_a_bayer_picture_has_the_colour_of_its_cells(tmp_path):
    cells = np.tile(np.array([[200, 100], [100, 50]], np.uint8), (3, 4))
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6))
    ros.cloud(scan())
    ros.image(cells, "bayer_rggb8")
    with open_source(ros.write(tmp_path)) as source:
        assert (source[0].images["cam"].pixels[2:-2, 2:-2] == (200, 100, 50)).all()


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_compressed_pictures_come_out_in_rgb(ending, tmp_path):
    smooth = np.zeros((6, 8, 3), np.uint8)
    smooth[:] = (200, 120, 30)
    import cv2

    data = cv2.imencode(f".{ending}", smooth[:, :, ::-1])[1].tobytes()
    ros = Ros()
    ros.tf_static(("velodyne", "cam", (0, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6))
    ros.cloud(scan())
    ros.compressed(data, f"rgb8; {ending} compressed bgr8")
    with open_source(ros.write(tmp_path)) as source:
        pixels = source[0].images["cam"].pixels.astype(int)
        assert np.abs(pixels - smooth).max() <= (0 if ending == "png" else 3)


# Depth cameras


def depth_camera(container, add_depth):
    ros = Ros(container)
    ros.tf_static(("depth_frame", "color_frame", (0.05, 0, 0), (0, 0, 0, 1)))
    ros.info((8, 6), "/cam/depth/camera_info", "depth_frame")
    ros.info((8, 6), "/cam/color/camera_info", "color_frame")
    for index in range(3):
        stamp_ns = START_NS + index * 33_000_000
        add_depth(ros, index, stamp_ns)
        topic = "/cam/color/image_raw"
        ros.image(picture(index), "rgb8", stamp_ns + 3_000_000, topic, "color_frame")
    return ros


@pytest.mark.parametrize("container", ["bag", "db3", "mcap"])
@pytest.mark.parametrize(
    ("encoding", "kind", "unit_m"), [("16UC1", "u2", 1e-3), ("32FC1", "f4", 1)]
)
@pytest.mark.parametrize("big", [False, True])
def test_depth_pictures_are_frames_in_the_unit_of_rep_118(
    container, encoding, kind, unit_m, big, tmp_path
):
    values = picture(9, (6, 8), np.uint16).astype(kind)

    def add(ros, _, stamp_ns):
        stored = values.astype((">" if big else "<") + kind)
        topic = "/cam/depth/image_rect_raw"
        ros.image(stored, encoding, stamp_ns, topic, "depth_frame", big=big, padding=3)

    with open_source(depth_camera(container, add).write(tmp_path)) as source:
        assert len(source) == 3
        for frame in source:
            assert frame.sensor == "depth"
            assert frame.measurement.unit_m == unit_m
            assert np.array_equal(frame.measurement.values, values)
            assert np.array_equal(frame.images["color"].pixels, picture(frame.index))
        T_depth_color = source.rig.transform("depth", "color")
        assert np.allclose(T_depth_color.translation_m, [0.05, 0, 0])


def test_compressed_depth_of_16_bits_is_a_png_behind_twelve_bytes(tmp_path):
    import cv2

    values = picture(9, (6, 8), np.uint16)
    data = struct.pack("<iff", 0, 0.0, 0.0) + cv2.imencode(".png", values)[1].tobytes()

    def add(ros, _, stamp_ns):
        topic = "/cam/depth/image_rect_raw/compressedDepth"
        ros.compressed(data, "16UC1; compressedDepth png", stamp_ns, topic, frame="depth_frame")

    with open_source(depth_camera("mcap", add).write(tmp_path)) as source:
        assert np.array_equal(source[0].measurement.values, values)
        assert source[0].measurement.unit_m == 0.001


def rvl_code(values):
    """Return the code of a picture as the paper's listing makes it, four bits at a time."""
    four_bits = []

    def put(number):
        while True:
            four_bits.append(number & 7 | (8 if number > 7 else 0))
            number >>= 3
            if not number:
                return

    pixels, place, last = values.reshape(-1).tolist(), 0, 0
    while place < len(pixels):
        begin = place
        while place < len(pixels) and pixels[place] == 0:
            place += 1
        put(place - begin)
        begin = place
        while place < len(pixels) and pixels[place] != 0:
            place += 1
        put(place - begin)
        for pixel in pixels[begin:place]:
            step, last = pixel - last, pixel
            put(2 * step if step >= 0 else -2 * step - 1)
    four_bits += [0] * (-len(four_bits) % 8)
    words = np.array(four_bits, np.uint32).reshape(-1, 8) << np.arange(28, -1, -4, dtype=np.uint32)
    return words.sum(axis=1, dtype=np.uint32).astype("<u4").tobytes()


def rvl_camera(code, size=(8, 6)):
    def add(ros, _, stamp_ns):
        topic = "/cam/depth/image_rect_raw/compressedDepth"
        data = struct.pack("<iffii", 0, 0.0, 0.0, *size) + code
        ros.compressed(data, "16UC1; compressedDepth rvl", stamp_ns, topic, frame="depth_frame")

    return depth_camera("mcap", add)


def test_compressed_depth_in_rvl_is_lossless(tmp_path):
    values = picture(9, (6, 8), np.uint16)
    values[1, 2:7] = values[0, 0] = values[5] = 0
    with open_source(rvl_camera(rvl_code(values)).write(tmp_path)) as source:
        assert np.array_equal(source[0].measurement.values, values)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_cut_picture_in_rvl_is_refused(share, tmp_path):
    code = rvl_code(picture(9, (6, 8), np.uint16))
    code = code[: int(share * len(code))]
    path = rvl_camera(code).write(tmp_path)
    with (
        open_source(path) as source,
        pytest.raises(CorruptRecordingError, match="of 48 pixels"),
    ):
        source[0]


def test_compressed_depth_of_floats_undoes_the_inverse_quantisation(tmp_path):
    import cv2

    metres = np.linspace(0.5, 8.0, 48).reshape(6, 8)
    metres[2, 3] = 0
    # codec.cpp: a = z_q (z_q + 1), b = 1 - a / z_max, value = a / depth + b.
    quantisation, far_m = 100.0, 10.0
    a = quantisation * (quantisation + 1.0)
    b = 1.0 - a / far_m
    with np.errstate(divide="ignore"):
        stored = np.where(metres > 0, a / metres + b, 0).astype(np.uint16)
    data = struct.pack("<iff", 1, a, b) + cv2.imencode(".png", stored)[1].tobytes()

    def add(ros, _, stamp_ns):
        topic = "/cam/depth/image_rect_raw/compressedDepth"
        ros.compressed(data, "32FC1; compressedDepth", stamp_ns, topic, frame="depth_frame")

    with open_source(depth_camera("mcap", add).write(tmp_path)) as source:
        depth = source[0].measurement
    assert depth.unit_m == 1.0
    assert depth.values[2, 3] == 0
    # One step of the quantised inverse.
    assert np.abs(depth.values - metres)[metres > 0].max() <= 8.0**2 / a


def test_a_cloud_made_from_the_depth_picture_does_not_take_its_place(tmp_path):
    def add(ros, index, stamp_ns):
        values = picture(index, (6, 8), np.uint16)
        ros.image(values, "16UC1", stamp_ns, "/cam/depth/image_rect_raw", "depth_frame")
        ros.cloud(scan(), stamp_ns, "/cam/depth/points", "depth_frame")

    path = depth_camera("mcap", add).write(tmp_path)
    with open_source(path) as source:
        assert source[0].sensor == "depth"
        assert source.notes == ("/cam/depth/points was made from depth pictures and is not read",)
    with open_source(path, options={"cloud": "/cam/depth/points"}) as source:
        assert len(source[0].measurement) == 200


def test_depth_without_calibration_is_refused(tmp_path):
    ros = Ros()
    ros.image(picture(1, (6, 8), np.uint16), "16UC1", topic="/depth/image")
    with pytest.raises(CalibrationError, match="no camera_info stands beside /depth/image"):
        open_source(ros.write(tmp_path))


# Recordings that others made


def data(name):
    path = DATA / "ros-bags" / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set SENSORFUSION_DATA")
    return path


def test_a_bag_without_depth_is_refused_with_what_it_holds():
    with pytest.raises(SourceError, match=r"no topic of point clouds.*/turtle1/pose"):
        open_source(data("example-lz4.bag"))


def test_one_message_of_each_type_reads_as_rosbags_decodes_it():
    from rosbags.highlevel import AnyReader

    path = data("rosbag2_2025_09_10-13_03_56_0.mcap")
    found = {}
    with AnyReader([path]) as reader:
        for connection, _, raw in reader.messages():
            if connection.topic in ("/point_cloud2", "/image", "/camera_info"):
                found[connection.topic] = reader.deserialize(raw, connection.msgtype)
    expected = np.frombuffer(found["/point_cloud2"].data, np.float32).reshape(-1, 4)
    with open_source(path) as source:
        (frame,) = source
    assert np.array_equal(frame.measurement.points, expected[:, :3])
    assert np.array_equal(frame.measurement.intensity, expected[:, 3])
    (image,) = frame.images.values()
    assert np.array_equal(image.pixels.reshape(-1), found["/image"].data)
    assert source.rig.cameras[image.camera_name].fx == found["/camera_info"].k[0]
