"""Recordings that librealsense made: old versions, one that was never closed, and here and now."""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.imu import ImuReading
from sensorfusion_drivers.realsense.driver import RealSenseDriver

DATA = Path(__file__).parent / "data"
FILES = [
    "librealsense-2.58-zstd.db3",
    "librealsense-2.56-lz4.bag",
    "librealsense-2.56-unclosed.bag",
]
BEGIN_NS = 1_500_000_000_000_250_000


def stored(picture, size):
    return (np.arange(64 * 48 * size) % 251 + picture).astype(np.uint8)


@pytest.mark.parametrize("name", FILES)
def test_every_picture_of_every_camera_is_what_the_device_gave(name):
    with RealSenseDriver().open(str(DATA / name), infrared=True) as source:
        assert len(source) == 3
        for frame in source:
            depth = stored(frame.index, 2).view("<u2").reshape(48, 64)
            assert np.array_equal(frame.measurement.values, depth)
            assert frame.measurement.unit_m == 0.0001
            # A .bag went through seconds in floating point.
            assert abs(frame.timestamp_ns - BEGIN_NS - frame.index * 40_000_000) < 250
            assert sorted(frame.images) == ["color", "infrared_1", "infrared_2"]
            color = stored(frame.index, 3).reshape(48, 64, 3)
            assert np.array_equal(frame.images["color"].pixels, color)
            for camera in ("infrared_1", "infrared_2"):
                grey = stored(frame.index, 1).reshape(48, 64)
                assert np.array_equal(frame.images[camera].pixels, grey)
        assert source.losses.unpaired == dict.fromkeys(source.rig.cameras, 0)
        # The second infrared camera: 50 mm, along x, as the device said.
        moved = source.rig.transform("infrared_2", "depth").translation_m
        assert moved == pytest.approx([-0.05, 0, 0], abs=1e-6)


@pytest.mark.parametrize("name", FILES)
def test_every_reading_of_gyroscope_and_accelerometer_is_a_sample(name):
    with RealSenseDriver().open(str(DATA / name)) as source:
        samples = [s for s in source.samples() if isinstance(s.data, ImuReading)]
        assert dict(source.beside_frames) == {
            "infrared_1": 3,
            "infrared_2": 3,
            "gyro": 24,
            "accel": 9,
        }
    for stream, steps in (("gyro", range(8)), ("accel", range(0, 8, 3))):
        expected = [
            (BEGIN_NS + picture * 40_000_000 + step * 5_000_000, 0.1 * step)
            for picture in range(3)
            for step in steps
        ]
        found = [sample for sample in samples if sample.stream == stream]
        differences = [
            s.timestamp_ns - at_ns for s, (at_ns, _) in zip(found, expected, strict=True)
        ]
        assert max(map(abs, differences)) < 250
        halves = [sample.data.gyro_rad_s or sample.data.accel_m_s2 for sample in found]
        second = 0.2 if stream == "gyro" else 9.8
        # librealsense keeps float32.
        rows = [[first, second, 0.3] for _, first in expected]
        assert np.allclose(halves, rows, rtol=1e-6, atol=1e-7)


def test_a_recording_that_was_never_closed_says_so():
    with RealSenseDriver().open(str(DATA / FILES[2])) as source:
        assert "never finished and has no index" in source.notes[0]


def test_an_inertial_sensor_of_unknown_place_is_not_used_to_track():
    with RealSenseDriver().open(str(DATA / FILES[0])) as source:
        assert source.imu is None
        assert source.rig.imus == ()
        assert any("where the inertial sensor sits is not recorded" in n for n in source.notes)


RECORD = """
import sys, time
import numpy as np
import pyrealsense2 as rs
path, compress, count = sys.argv[1], sys.argv[2] == "1", int(sys.argv[3])
device = rs.software_device()
device.register_info(rs.camera_info.name, "Software device")
sensors = {name: device.add_sensor(name) for name in ("Depth", "Color", "Motion")}
def stream(kind, form, size, number, index):
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = 64, 48, 50.25, 51.5, 31.25, 23.5
    made = rs.video_stream()
    made.type, made.index, made.uid, made.fps, made.fmt = kind, index, number, 30, form
    made.width, made.height, made.bpp, made.intrinsics = 64, 48, size, lens
    return made
def motion(kind, number, rate):
    made = rs.motion_stream()
    made.type, made.index, made.uid, made.fps = kind, 0, number, rate
    made.fmt, made.intrinsics = rs.format.motion_xyz32f, rs.motion_device_intrinsic()
    return sensors["Motion"].add_motion_stream(made)
videos = [
    (sensor, sensors[sensor].add_video_stream(stream(kind, form, size, number, index)), size)
    for number, (sensor, kind, form, size, index) in enumerate([
        ("Depth", rs.stream.depth, rs.format.z16, 2, 0),
        ("Depth", rs.stream.infrared, rs.format.y8, 1, 1),
        ("Depth", rs.stream.infrared, rs.format.y8, 1, 2),
        ("Color", rs.stream.color, rs.format.rgb8, 3, 0),
    ], 1)
]
gyro, accel = motion(rs.stream.gyro, 5, 200), motion(rs.stream.accel, 6, 100)
sensors["Depth"].add_read_only_option(rs.option.depth_units, 0.0001)
moved = rs.extrinsics()
moved.rotation, moved.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0.05, 0, 0]
for _, profile, _ in videos[1:]:
    videos[0][1].register_extrinsics_to(profile, moved)
device.create_matcher(rs.matchers.dlr_c)
recorder = rs.recorder(path, device, compress)
opened = recorder.query_sensors()
for sensor in opened:
    sensor.open(sensor.get_stream_profiles())
    sensor.start(lambda frame: None)
random, kept = np.random.default_rng(3), []
for index in range(count):
    stamp_ms = 1600000000000.125 + 33.25 * index
    for number, (name, profile, size) in enumerate(videos):
        # Every fifth colour picture never comes.
        if name == "Color" and index % 5 == 4:
            continue
        kept.append(random.integers(0, 256, (48, 64 * size), np.uint8))
        frame = rs.software_video_frame()
        frame.stride, frame.bpp, frame.frame_number = 64 * size, size, index
        frame.timestamp, frame.domain = stamp_ms, rs.timestamp_domain.hardware_clock
        frame.profile, frame.pixels = profile.as_video_stream_profile(), kept[-1]
        if number == 0:
            frame.depth_units = 0.0001
        sensors[name].on_video_frame(frame)
    for step, profile in enumerate([gyro, accel, gyro]):
        frame, value = rs.software_motion_frame(), rs.vector()
        frame.frame_number, frame.timestamp = index * 3 + step, stamp_ms + 5 * step
        frame.domain = rs.timestamp_domain.hardware_clock
        frame.profile = profile.as_motion_stream_profile()
        value.x, value.y, value.z = (float(v) for v in random.normal(0, 1, 3))
        frame.data = value
        sensors["Motion"].on_motion_frame(frame)
    time.sleep(0.01)
for sensor in opened:
    sensor.stop()
    sensor.close()
del opened, sensor, recorder
"""

PLAY = """
import hashlib, json, sys, threading, time
import numpy as np
import pyrealsense2 as rs
device = rs.context().load_device(sys.argv[1])
device.set_real_time(False)
stopped, lock, frames = threading.Event(), threading.Lock(), []
device.set_status_changed_callback(lambda s: stopped.set() if "stopped" in str(s) else None)
def receive(frame):
    profile = frame.profile
    name = str(profile.stream_type()).split(".")[-1]
    name += f"_{profile.stream_index()}" if name == "infrared" else ""
    if frame.is_motion_frame():
        data = frame.as_motion_frame().get_motion_data()
        content = [data.x, data.y, data.z]
    else:
        content = hashlib.sha256(np.ascontiguousarray(frame.get_data())).hexdigest()
    domain = str(frame.frame_timestamp_domain).split(".")[-1]
    unit_m = frame.as_depth_frame().get_units() if frame.is_depth_frame() else 0
    with lock:
        frames.append([name, round(frame.timestamp * 1e3), domain, round(unit_m, 9), content])
sensors = device.query_sensors()
for sensor in sensors:
    sensor.open(sensor.get_stream_profiles())
# Else the first sensor's images play before the second one listens.
device.pause()
for sensor in sensors:
    sensor.start(receive)
device.resume()
stopped.wait(40)
wanted, end = int(sys.argv[2]), time.monotonic() + 10
# Playback reports its end before the last image has been decoded.
while len(frames) < wanted and time.monotonic() < end:
    time.sleep(0.01)
for sensor in sensors:
    sensor.stop()
    sensor.close()
with lock:
    json.dump(sorted(frames, key=lambda f: (f[0], f[1])), sys.stdout)
"""


def run(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def ours(location):
    """Return what librealsense's frames are compared with, of every sample of ours."""
    rows = []
    with RealSenseDriver().open(str(location)) as source:
        clock = source.metadata["Clock"].lower().replace(" ", "_")
        for sample in source.samples():
            data, unit_m = sample.data, 0
            if isinstance(data, ImuReading):
                content = list(data.gyro_rad_s or data.accel_m_s2)
            else:
                unit_m = data.unit_m if sample.stream == "depth" else 0
                pixels = data.values if sample.stream == "depth" else data.pixels
                content = hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()
            # librealsense counts milliseconds in floating point: good to a microsecond.
            stamp_us = round(sample.timestamp_ns / 1e3)
            rows.append([sample.stream, stamp_us, clock, unit_m, content])
    return sorted(rows, key=lambda row: (row[0], row[1]))


def check_against_librealsense(path, compress, count):
    run(RECORD, path, int(compress), count)
    # Four streams of pictures less each fifth of colour, and three readings a picture.
    total = 7 * count - count // 5
    theirs = json.loads(run(PLAY, path, total))
    assert len(theirs) == total
    assert ours(path) == theirs


@contextmanager
def load():
    """Keep every core busy."""
    busy = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(busy) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize("compress", [False, True])
def test_every_frame_and_reading_is_what_librealsense_gives(tmp_path, compress):
    pytest.importorskip("pyrealsense2", reason="librealsense is the reference here")
    check_against_librealsense(tmp_path / "x.db3", compress, 12)


@pytest.mark.verify
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("loaded", [False, True])
def test_in_twenty_runs_every_frame_is_what_librealsense_gives(tmp_path, compress, loaded):
    pytest.importorskip("pyrealsense2", reason="librealsense is the reference here")
    for number in range(20):
        if loaded:
            with load():
                check_against_librealsense(tmp_path / f"{number}.db3", compress, 40)
        else:
            check_against_librealsense(tmp_path / f"{number}.db3", compress, 40)
