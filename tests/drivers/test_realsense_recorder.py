"""Recordings that librealsense makes here and now of a software device."""

import subprocess
import sys

import numpy as np
import pytest

from sensorfusion_drivers.realsense.driver import RealSenseDriver

RECORD = """
import sys, time
import numpy as np
import pyrealsense2 as rs
path, compress, format_name, bytes_per_pixel = sys.argv[1], sys.argv[2] == "1", *sys.argv[3:5]
device = rs.software_device()
device.register_info(rs.camera_info.name, "Software device")
def stream(kind, form, size, number):
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = 64, 48, 50.25, 51.5, 31.25, 23.5
    lens.model, lens.coeffs = rs.distortion.inverse_brown_conrady, [0.5, -0.25, 0.125, 0.0625, 1]
    made = rs.video_stream()
    made.type, made.index, made.uid, made.fps, made.fmt = kind, 0, number, 30, form
    made.width, made.height, made.bpp, made.intrinsics = 64, 48, size, lens
    return made
depth, color = device.add_sensor("Depth"), device.add_sensor("Color")
form = getattr(rs.format, format_name)
streams = [
    (depth, depth.add_video_stream(stream(rs.stream.depth, rs.format.z16, 2, 1)), 2),
    (color, color.add_video_stream(stream(rs.stream.color, form, int(bytes_per_pixel), 2)),
     int(bytes_per_pixel)),
]
depth.add_read_only_option(rs.option.depth_units, 0.0001)
moved = rs.extrinsics()
# Column by column: x goes to y, y to -x.
moved.rotation, moved.translation = [0, 1, 0, -1, 0, 0, 0, 0, 1], [0.125, 0.25, 0.5]
streams[0][1].register_extrinsics_to(streams[1][1], moved)
device.create_matcher(rs.matchers.dlr_c)
recorder = rs.recorder(path, device, compress)
sensors = recorder.query_sensors()
for sensor in sensors:
    sensor.open(sensor.get_stream_profiles())
    sensor.start(lambda frame: None)
kept = []
for index in range(3):
    for sensor, profile, size in streams:
        pixels = (np.arange(64 * 48 * size) % 251 + index).astype(np.uint8)
        kept.append(pixels.reshape(48, 64 * size))
        frame = rs.software_video_frame()
        frame.stride, frame.bpp, frame.frame_number = 64 * size, size, index
        frame.timestamp = 1500000000000.25 + 40 * index
        frame.domain = rs.timestamp_domain.system_time
        frame.profile, frame.pixels = profile.as_video_stream_profile(), kept[-1]
        if size == 2:
            frame.depth_units = 0.0001
        sensor.on_video_frame(frame)
    time.sleep(0.05)
for sensor in sensors:
    sensor.stop()
    sensor.close()
"""


def record(path, compress, form, bytes_per_pixel):
    pytest.importorskip("pyrealsense2", reason="librealsense makes the recording")
    arguments = [str(path), "01"[compress], form, str(bytes_per_pixel)]
    subprocess.run([sys.executable, "-c", RECORD, *arguments], timeout=60, check=True)
    return str(path)


def stored(index, size):
    return (np.arange(64 * 48 * size) % 251 + index).astype(np.uint8)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("form", "channels"),
    [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2]), ("bgra8", [2, 1, 0])],
)
def test_every_image_is_read_with_its_colours_right(tmp_path, compress, form, channels):
    size = 4 if "a" in form else 3
    location = record(tmp_path / "x.db3", compress, form, size)
    with RealSenseDriver().open(location) as source:
        assert len(source) == 3
        assert source.metadata["Name"] == "Software device"
        for frame in source:
            depth = stored(frame.index, 2).view("<u2").reshape(48, 64)
            assert np.array_equal(frame.measurement.values, depth)
            color = stored(frame.index, size).reshape(48, 64, size)[:, :, channels]
            assert np.array_equal(frame.images["color"].pixels, color)


def test_what_stands_beside_the_images_is_read(tmp_path):
    location = record(tmp_path / "x.db3", False, "rgb8", 3)
    with RealSenseDriver().open(location) as source:
        camera = source.rig.cameras["depth"]
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (50.25, 51.5, 31.25, 23.5)
        assert camera.distortion.model == "inverse_brown_conrady"
        assert camera.distortion.coefficients == (0.5, -0.25, 0.125, 0.0625, 1)
        assert source[0].measurement.unit_m == 0.0001
        assert source.metadata["Clock"] == "System Time"
        # 40 ms apart, and no digit of the date lost.
        assert [frame.timestamp_ns for frame in source] == [
            1_500_000_000_000_250_000 + 40_000_000 * index for index in range(3)
        ]
        moved = source.rig.transform("color", "depth").apply(np.array([1.0, 2.0, 3.0]))
    assert moved == pytest.approx([-2 + 0.125, 1 + 0.25, 3 + 0.5], abs=1e-6)
