"""The contract asked of every installed driver.

A new driver adds a line to ``RECORDINGS``: a function that writes a small recording of at least
three frames into a folder and returns its location and the options to open it with.
"""

import hashlib
import json
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.errors import DriverError, SensorFusionError
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import SeekableFrameSource
from sensorfusion.sources.prefetch import prefetch
from sensorfusion.sources.registry import (
    driver_names,
    driver_options,
    find_driver,
    load_driver,
    open_source,
    read_truth,
)
from sensorfusion.stereo_pair import StereoPair
from sensorfusion.transform import RigidTransform

HEIGHT, WIDTH = 12, 16


@dataclass(frozen=True)
class Recording:
    driver: str
    location: str
    options: dict[str, str] = field(default_factory=dict)


def pictures(count=4):
    """Time stamp, depth and colour of random pictures, the same each time."""
    rng = np.random.default_rng(7)
    for index in range(count):
        depth = rng.integers(500, 4000, (HEIGHT, WIDTH), dtype=np.uint16)
        color = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        yield 1_000_000_000 + index * 33_333_333, depth, color


def rgbd_folder(folder):
    import cv2

    for index, (_, depth, color) in enumerate(pictures()):
        cv2.imwrite(str(folder / f"frame-{index:06d}.depth.png"), depth)
        cv2.imwrite(str(folder / f"frame-{index:06d}.color.png"), color)
        np.savetxt(folder / f"frame-{index:06d}.pose.txt", np.eye(4))
    (folder / "camera-intrinsics.txt").write_text("16 0 7.5 0 16 5.5 0 0 1")
    return str(folder), {}


def realsense_db3(folder):
    from sensorfusion_drivers.realsense.writer import write_db3

    write_db3(folder / "recording.db3", _device(), pictures())
    return str(folder / "recording.db3"), {}


def realsense_bag(folder):
    from sensorfusion_drivers.realsense.writer import write_bag

    write_bag(folder / "recording.bag", _device(), pictures())
    return str(folder / "recording.bag"), {}


def synthetic(_):
    return "synthetic:room", {"frames": "3", "scale": "0.05", "noise": "d435"}


def synthetic_stereo(_):
    return "synthetic:room", {"frames": "3", "scale": "0.05", "cameras": "3", "noise": "camera"}


def stereo(folder):
    import cv2

    for index, (_, _, color) in enumerate(pictures()):
        for side in ("left", "right"):
            (folder / side).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / side / f"{index:04d}.png"), color)
    (folder / "calib.txt").write_text(
        "cam0=[16 0 7.5; 0 16 5.5; 0 0 1]\ncam1=[16 0 8; 0 16 5.5; 0 0 1]\n"
        f"doffs=0.5\nbaseline=100\nwidth={WIDTH}\nheight={HEIGHT}\n"
    )
    return str(folder), {}


def image_folder(folder):
    import cv2

    for index, (_, _, color) in enumerate(pictures()):
        cv2.imwrite(str(folder / f"{index:04d}.png"), color)
    (folder / "intrinsics.txt").write_text("16 0 7.5 0 16 5.5 0 0 1")
    return str(folder), {}


def image_folder_relative(folder):
    location, _ = image_folder(folder)
    (folder / "relative").mkdir()
    (folder / "anchors").mkdir()
    for index, (_, depth, _) in enumerate(pictures()):
        np.save(folder / "relative" / f"{index:04d}.npy", depth.astype(np.float32) / 7)
        np.save(folder / "anchors" / f"{index:04d}.npy", depth.astype(np.float32) / 1000)
    return location, {"relative": "affine_depth"}


def synthetic_hall(_):
    options = {"frames": "3", "scale": "0.05", "noise": "kinect", "rings": "8", "columns": "64"}
    return "synthetic:hall", options


def synthetic_street(_):
    options = {"frames": "3", "scale": "0.05", "noise": "lidar", "rings": "8", "columns": "64"}
    return "synthetic:street", options


KITTI_CALIBRATION = """\
P2: 16 0 7.5 1 0 16 5.5 0 0 0 1 0.002
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3
"""


def kitti_scans(folder, numbers=range(4)):
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        rng.normal(0, 10, (50, 4)).astype("<f4").tofile(folder / f"{number:06d}.bin")


def kitti_pictures(folder):
    import cv2

    folder.mkdir(parents=True)
    for index, (_, _, color) in enumerate(pictures()):
        cv2.imwrite(str(folder / f"{index:06d}.png"), color)


def kitti_raw(folder):
    kitti_scans(folder / "velodyne_points" / "data")
    kitti_pictures(folder / "image_02" / "data")
    stamps = "".join(f"2011-09-26 13:02:{25 + n / 10:.9f}\n" for n in range(4))
    (folder / "velodyne_points" / "timestamps.txt").write_text(stamps)
    (folder / "oxts" / "data").mkdir(parents=True)
    for number in range(4):
        record = f"49.0 {8.4 + number * 1e-5} 110 0 0 0.1" + " 0" * 24
        (folder / "oxts" / "data" / f"{number:010d}.txt").write_text(record)
    for name, text in (
        (
            "cam_to_cam",
            "P_rect_02: 16 0 7.5 1 0 16 5.5 0 0 0 1 0.002\nR_rect_00: 1 0 0 0 1 0 0 0 1",
        ),
        ("velo_to_cam", "R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.3"),
        ("imu_to_velo", "R: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.8"),
    ):
        (folder / f"calib_{name}.txt").write_text(text + "\n")
    return str(folder), {}


def kitti_odometry(folder):
    kitti_scans(folder, range(7, 11))
    (folder / "calib.txt").write_text("Tr: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3\n")
    (folder / "poses.txt").write_text("".join(f"1 0 0 0 0 1 0 0 0 0 1 {n}\n" for n in range(20)))
    return str(folder), {}


def kitti_object(folder):
    kitti_scans(folder / "velodyne")
    kitti_pictures(folder / "image_2")
    (folder / "calib").mkdir()
    for number in range(4):
        (folder / "calib" / f"{number:06d}.txt").write_text(KITTI_CALIBRATION)
    return str(folder), {}


PCD_HEADER = """\
VERSION 0.7
FIELDS x y z intensity ring
SIZE 4 4 4 4 2
TYPE F F F F U
WIDTH 50
HEIGHT 1
VIEWPOINT {x} 0 0 1 0 0 0
POINTS 50
DATA binary
"""


def clouds(folder):
    rng = np.random.default_rng(3)
    dtype = [("points", "<f4", 4), ("ring", "<u2")]
    for number in range(4):
        rows = np.zeros(50, dtype)
        rows["points"], rows["ring"] = rng.normal(0, 10, (50, 4)), rng.integers(0, 16, 50)
        header = PCD_HEADER.format(x=number / 10).encode()
        path = folder / f"{1_600_000_000_000_000_000 + number * 100_000_000}.pcd"
        path.write_bytes(header + rows.tobytes())
    return str(folder), {}


def packet_capture(path, payloads):
    """Write datagrams that came a fifth of a second apart."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number, payload in enumerate(payloads):
        udp = struct.pack(">HHHH", 7502, 7502, 8 + len(payload), 0) + payload
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, 1, 2)
        frame = bytes(12) + b"\x08\x00" + ip + udp
        data += struct.pack("<4I", 1, number * 200_000, len(frame), len(frame)) + frame
    path.write_bytes(data)


def packets_ouster(folder):
    rng = np.random.default_rng(3)
    pixel = [("range", "<u2"), ("rest", "u1", 2)]
    column = [("time", "<u8"), ("number", "<u2"), ("status", "<u2"), ("pixels", pixel, 16)]
    payloads = []
    for scan in range(4):
        columns = np.zeros(16, column)
        columns["time"] = 10**9 + scan * 10**8 + np.arange(16) * 10**6
        columns["number"], columns["status"] = np.arange(16), 1
        columns["pixels"]["range"] = rng.integers(0, 4000, (16, 16))
        payloads.append(struct.pack("<HH28x", 1, scan) + columns.tobytes() + bytes(32))
    packet_capture(folder / "scans.pcap", payloads)
    sensor = {
        "beam_altitude_angles": np.linspace(15, -15, 16).tolist(),
        "beam_azimuth_angles": [0.0] * 16,
        "lidar_origin_to_beam_origin_mm": 15.8,
        "lidar_to_sensor_transform": [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 36.18, 0, 0, 0, 1],
        "data_format": {"columns_per_frame": 16, "udp_profile_lidar": "RNG15_RFL8_NIR8"},
    }
    (folder / "scans.json").write_text(json.dumps(sensor))
    (folder / "scans_poses_kitti.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 4)
    return str(folder), {}


def packets_velodyne(folder):
    rng = np.random.default_rng(3)
    block = [("flag", "<u2"), ("azimuth", "<u2"), ("returns", [("m", "<u2"), ("i", "u1")], 32)]
    payloads = []
    for number in range(4):
        blocks = np.zeros(12, block)
        blocks["flag"], blocks["azimuth"] = 0xEEFF, np.arange(12) * 40
        blocks["returns"]["m"] = rng.integers(0, 4000, (12, 32))
        payloads.append(blocks.tobytes() + struct.pack("<IBB", number * 200_000, 0x37, 0x22))
    packet_capture(folder / "turns.pcap", payloads)
    return str(folder / "turns.pcap"), {}


def ros(container, with_lidar):
    """Return a maker of a ROS recording: scans or depth pictures, each with a picture."""

    def make(folder):
        from rosbags.rosbag1 import Writer as Bag1
        from rosbags.rosbag2 import StoragePlugin
        from rosbags.rosbag2 import Writer as Bag2
        from rosbags.typesys import Stores, get_typestore

        is_ros1 = container == "bag"
        store = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_HUMBLE)
        path = folder / "recording"
        if is_ros1:
            writer = Bag1(path)
        else:
            writer = Bag2(path, version=9, storage_plugin=StoragePlugin[container])
        encode = store.serialize_ros1 if is_ros1 else store.serialize_cdr
        with writer:
            known = {}
            for topic, name, stamp_ns, message in ros_messages(store, is_ros1, with_lidar):
                if topic not in known:
                    known[topic] = writer.add_connection(topic, name, typestore=store)
                writer.write(known[topic], stamp_ns, encode(message, name))
        return str(path), {}

    return make


def ros_messages(store, is_ros1, with_lidar):
    def made(name, /, **values):
        return store.types[name](**values)

    def header(stamp_ns):
        seconds, rest = divmod(stamp_ns, 1_000_000_000)
        stamp = made("builtin_interfaces/msg/Time", sec=seconds, nanosec=rest)
        extra = {"seq": 0} if is_ros1 else {}
        return made("std_msgs/msg/Header", stamp=stamp, frame_id="sensor", **extra)

    def image(pixels, encoding, stamp_ns):
        return made(
            "sensor_msgs/msg/Image",
            header=header(stamp_ns),
            height=HEIGHT,
            width=WIDTH,
            encoding=encoding,
            is_bigendian=0,
            step=pixels.nbytes // HEIGHT,
            data=pixels.reshape(-1).view(np.uint8),
        )

    K = (16, 0, 7.5, 0, 16, 5.5, 0, 0, 1)
    matrices = {"d": (), "k": K, "r": np.eye(3), "p": np.insert(K, (3, 6, 9), 0)}
    named = {n.upper() if is_ros1 else n: np.ravel(m).astype("f8") for n, m in matrices.items()}
    none = dict.fromkeys(("x_offset", "y_offset", "height", "width"), 0)
    info = made(
        "sensor_msgs/msg/CameraInfo",
        header=header(0),
        height=HEIGHT,
        width=WIDTH,
        distortion_model="plumb_bob",
        binning_x=0,
        binning_y=0,
        roi=made("sensor_msgs/msg/RegionOfInterest", do_rectify=False, **none),
        **named,
    )
    yield "/camera/camera_info", "sensor_msgs/msg/CameraInfo", 1, info
    axes = [
        made("sensor_msgs/msg/PointField", name=name, offset=4 * i, datatype=7, count=1)
        for i, name in enumerate("xyz")
    ]
    for stamp_ns, depth, color in pictures():
        rgb = image(color, "rgb8", stamp_ns + 1_000_000)
        yield "/camera/image_raw", "sensor_msgs/msg/Image", stamp_ns, rgb
        if not with_lidar:
            raw = image(depth, "16UC1", stamp_ns)
            yield "/camera/depth", "sensor_msgs/msg/Image", stamp_ns, raw
            continue
        points = depth.reshape(-1, 3).astype("<f4")
        cloud = made(
            "sensor_msgs/msg/PointCloud2",
            header=header(stamp_ns),
            height=1,
            width=len(points),
            fields=axes,
            is_bigendian=False,
            point_step=12,
            row_step=points.nbytes,
            data=points.reshape(-1).view(np.uint8),
            is_dense=True,
        )
        yield "/points", "sensor_msgs/msg/PointCloud2", stamp_ns, cloud


def _device():
    from sensorfusion_drivers.realsense.writer import RecordedDevice

    cameras = {
        name: Camera(name, WIDTH, HEIGHT, 16.0, 16.0, 7.5, 5.5) for name in ("depth", "color")
    }
    rig = Rig(cameras, (RigidTransform.identity("color", "depth"),))
    return RecordedDevice(rig, unit_m=0.001)


def own_mcap(folder):
    from sensorfusion.recording.writer import RecordingWriter

    folder.joinpath("source").mkdir()
    location, _ = realsense_db3(folder / "source")
    with (
        open_source(location) as source,
        RecordingWriter(folder / "a.mcap", source.rig) as writer,
    ):
        for sample in source.samples():
            writer.write(sample)
    return str(folder / "a.mcap"), {}


RECORDINGS = {
    "kitti raw drive": ("kitti", kitti_raw),
    "kitti odometry": ("kitti", kitti_odometry),
    "kitti object": ("kitti", kitti_object),
    "rgbd_folder": ("rgbd_folder", rgbd_folder),
    "stereo": ("stereo", stereo),
    "pictures": ("image_folder", image_folder),
    "pictures with relative depth": ("image_folder", image_folder_relative),
    "realsense .db3": ("realsense", realsense_db3),
    "realsense .bag": ("realsense", realsense_bag),
    "synthetic": ("synthetic", synthetic),
    "synthetic hall": ("synthetic", synthetic_hall),
    "synthetic stereo": ("synthetic", synthetic_stereo),
    "synthetic street": ("synthetic", synthetic_street),
    "ros bag": ("ros", ros("bag", with_lidar=True)),
    "ros db3": ("ros", ros("SQLITE3", with_lidar=False)),
    "ros mcap": ("ros", ros("MCAP", with_lidar=True)),
    "ros mcap of our own": ("ros", own_mcap),
    "packets ouster": ("packets", packets_ouster),
    "packets velodyne": ("packets", packets_velodyne),
    "clouds": ("clouds", clouds),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    made = {}
    for name, (driver, make) in RECORDINGS.items():
        location, options = make(tmp_path_factory.mktemp("recording"))
        made[name] = Recording(driver, location, options)
    return made


@pytest.fixture(params=RECORDINGS)
def recording(request, recordings):
    return recordings[request.param]


@pytest.fixture
def source(recording):
    with open_source(recording.location, options=recording.options) as opened:
        yield opened


@pytest.fixture(params=sorted({driver for driver, _ in RECORDINGS.values()}))
def name(request):
    return request.param


def measured_values(measurement):
    if isinstance(measurement, StereoPair):
        return np.stack([image.pixels for image in measurement.images])
    names = ("values", "metres", "points", "pixels")
    return next(getattr(measurement, name) for name in names if hasattr(measurement, name))


def frame_hash(frame):
    values = measured_values(frame.measurement)
    digest = hashlib.sha256(f"{frame.index} {frame.timestamp_ns} {values.dtype}".encode())
    digest.update(np.ascontiguousarray(values))
    for camera, image in sorted(frame.images.items()):
        digest.update(f"{camera} {image.timestamp_ns}".encode())
        digest.update(np.ascontiguousarray(image.pixels))
    return digest.hexdigest()


def hashes(frames):
    return [frame_hash(frame) for frame in frames]


def test_every_installed_driver_is_asked():
    assert {driver for driver, _ in RECORDINGS.values()} == set(driver_names())


def test_a_location_is_recognised_by_its_own_driver_only(recording):
    assert find_driver(recording.location) == recording.driver


def test_a_driver_says_in_one_line_what_it_reads(name):
    summary = load_driver(name).summary
    assert summary
    assert "\n" not in summary


def test_recognising_anything_never_raises(name, tmp_path):
    driver = load_driver(name)
    empty, text = tmp_path / "empty", tmp_path / "text.txt"
    empty.write_bytes(b"")
    text.write_text("hello\n" * 100)
    odd = ("", "\0", "x" * 5000, "a:b", str(empty), str(text), str(tmp_path), str(tmp_path / "no"))
    assert [driver.can_open(location) for location in odd] == [False] * len(odd)


def test_frames_are_numbered_and_in_order_of_time(source):
    frames = list(source)
    assert len(frames) >= 3
    assert [frame.index for frame in frames] == list(range(len(frames)))
    stamps = [frame.timestamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))


def test_every_frame_belongs_to_sensors_of_the_rig(source):
    for frame in source:
        if isinstance(frame.measurement, PointCloud):
            assert frame.sensor in source.rig.lidars
            assert frame.measurement.coordinate_system == frame.sensor
            assert frame.measurement.timestamp_ns == frame.timestamp_ns
        elif isinstance(frame.measurement, StereoPair):
            images = frame.measurement.images
            assert images[0].camera_name == frame.sensor
            for image in images:
                camera = source.rig.cameras[image.camera_name]
                assert image.pixels.shape[:2] == (camera.height, camera.width)
        elif isinstance(frame.measurement, Image):
            assert frame.measurement is frame.images[frame.sensor]
        else:
            assert source.rig.cameras[frame.sensor] is frame.measurement.camera
        for camera, image in frame.images.items():
            assert image.camera_name == camera
            described = source.rig.cameras[camera]
            assert image.pixels.shape[:2] == (described.height, described.width)


def test_a_second_opening_gives_the_same_frames(recording, source):
    with open_source(recording.location, options=recording.options) as again:
        assert hashes(again) == hashes(source)


def test_a_second_iteration_gives_the_same_frames(source):
    assert hashes(source) == hashes(source)


def test_a_recording_knows_its_length(source):
    assert isinstance(source, SeekableFrameSource)
    assert len(source) == len(list(source))


def test_frames_by_index_are_those_of_the_iteration_in_any_order(source):
    expected = hashes(source)
    for index in reversed(range(len(source))):
        assert frame_hash(source[index]) == expected[index]


def test_frames_may_be_read_from_several_threads(source):
    expected = hashes(source)
    order = [*range(len(source)), *reversed(range(len(source)))] * 5
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: frame_hash(source[i]), order)) == [
            expected[index] for index in order
        ]


def test_frames_decoded_ahead_are_the_same(source):
    assert hashes(prefetch(source)) == hashes(source)


@pytest.mark.parametrize("past", [0, 1_000])
def test_an_index_past_the_end_is_an_index_error(source, past):
    with pytest.raises(IndexError):
        source[len(source) + past]


def test_the_samples_hold_every_measurement_and_picture_in_order_of_time(source):
    samples = list(source.samples())
    stamps = [sample.timestamp_ns for sample in samples]
    assert stamps == sorted(stamps)
    pictured = {(s.data.camera_name, s.timestamp_ns) for s in samples if isinstance(s.data, Image)}
    measured = {s.timestamp_ns for s in samples if not isinstance(s.data, Image)}
    for frame in source:
        if isinstance(frame.measurement, StereoPair):
            images = frame.measurement.images
            assert {(image.camera_name, image.timestamp_ns) for image in images} <= pictured
        elif not isinstance(frame.measurement, Image):
            assert frame.timestamp_ns in measured
        assert {(camera, image.timestamp_ns) for camera, image in frame.images.items()} <= pictured


def test_poses_stand_at_the_instants_of_frames(source):
    stamps = {frame.timestamp_ns for frame in source}
    assert set(() if source.trajectory is None else source.trajectory.timestamps_ns) <= stamps


def test_the_truth_is_the_trajectory_that_the_source_shows(recording, source):
    truth = read_truth(recording.location, options=recording.options).trajectory
    shown = source.trajectory
    assert (truth is None) == (shown is None)
    if truth is not None:
        assert np.array_equal(truth.timestamps_ns, shown.timestamps_ns)
        assert np.array_equal(truth.matrices, shown.matrices)


def test_every_stream_has_a_count_of_what_found_no_partner(source):
    assert set(source.losses.unpaired) == {*source.rig.cameras, *source.rig.lidars}


def test_a_source_may_be_closed_twice(recording):
    opened = open_source(recording.location, options=recording.options)
    opened.close()
    opened.close()


def test_a_misspelt_option_is_refused(recording):
    with pytest.raises(DriverError, match="has no option 'no-such-option'"):
        open_source(recording.location, options={"no-such-option": "1"})


@pytest.mark.parametrize("name", driver_names())
def test_no_option_is_taken_for_one_of_a_monocular_model(name):
    # Commands take -o model=FILE.onnx and -o model-size=WxH with any driver.
    assert not [each.name for each in driver_options(name) if each.name.startswith("model")]


def test_a_value_that_is_no_number_is_refused_where_a_number_is_asked(recording):
    for option in driver_options(recording.driver):
        if "int" in option.type or "float" in option.type:
            with pytest.raises(DriverError, match=f"option {option.name} is 'many'; expected"):
                open_source(recording.location, options={option.name: "many"})


def test_a_missing_location_is_refused_in_one_sentence(name, tmp_path):
    with pytest.raises(SensorFusionError) as caught:
        open_source(tmp_path / "gone", driver=name)
    assert "gone" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else_is_refused_in_one_sentence(name, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader,\n" * 50)
    with pytest.raises(SensorFusionError) as caught:
        open_source(path, driver=name)
    assert "letter.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recording_is_recognised_by_content_under_any_name(recording, tmp_path):
    original = Path(recording.location)
    if not original.exists():
        return  # a name, not a path
    renamed = tmp_path / "renamed.bin"
    (shutil.copytree if original.is_dir() else shutil.copy)(original, renamed)
    options = recording.options
    with (
        open_source(original, options=options) as here,
        open_source(renamed, options=options) as there,
    ):
        assert hashes(there) == hashes(here)
