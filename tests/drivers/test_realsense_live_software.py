"""Live capture through librealsense itself, from a camera made of software."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyrealsense2", reason="librealsense is what is asked here")

PRELUDE = f"""
import json, os, sys, threading, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import pyrealsense2 as rs
from software_camera import SoftwareCamera, UNIT_M
from sensorfusion.errors import SensorFusionError
from sensorfusion_drivers.realsense import live_driver
from sensorfusion_drivers.realsense.live import LiveSource, Patience
from sensorfusion_drivers.realsense.live_librealsense import LibRealSense
from sensorfusion_drivers.realsense.live_options import LiveOptions
from sensorfusion_drivers.realsense.live_session import Session
context = rs.context()
cameras = LibRealSense(context)
def opened(patience=None, seconds=None, serial="", **options):
    return LiveSource(cameras, serial, LiveOptions(**options), seconds, patience)
def refused(**options):
    try:
        opened(**options)
    except SensorFusionError as error:
        return str(error)
    return "opened"
def play(source, camera, count, **how):
    # Deliver, and end the source after that.
    def run():
        camera.play(count, **how).join()
        time.sleep(0.15)
        source.close()
    soon(run)
begun = threading.Event()
start = Session.start
def started(session, *values):
    start(session, *values)
    begun.set()
Session.start = started
def soon(function, *values, after_s=0.0, **named):
    # What is sent before the camera is begun reaches nobody.
    def run():
        begun.wait(10)
        time.sleep(after_s)
        function(*values, **named)
    threading.Thread(target=run, daemon=True).start()
"""


def in_child(code):
    """Run code in a process of its own, which may abort; return what it says as JSON."""
    command = [sys.executable, "-c", PRELUDE + code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_camera_is_listed_with_what_it_says_and_offers():
    found = in_child("""
from dataclasses import asdict
first = SoftwareCamera(context, serial="111111111", usb_type_descriptor="2.1")
second = SoftwareCamera(context, serial="222222222", firmware_version="5.9.14.0")
listed = live_driver.list_cameras(cameras)
print(json.dumps([sorted(map(asdict, listed), key=lambda one: one["serial"]),
    refused(), refused(serial="333333333"), refused(serial="111111111")]))
""")
    (first, second), ambiguous, missing, known = found
    assert first["location"] == "realsense:111111111"
    assert (first["name"], first["usb"]) == ("Software D435", "2.1")
    assert first["modes"] == {"depth": ["64x48@30"], "color": ["64x48@30"]}
    assert [text.split(":")[0] for text in first["warnings"]] == ["connected by USB 2.1"]
    assert second["warnings"] == [
        "firmware 5.9.14.0 is older than the recommended 5.16.0.1; update it"
    ]
    assert ambiguous.startswith("2 cameras are connected; choose one of realsense:")
    assert missing.startswith("camera 333333333 is not connected; there is ")
    assert known == "opened"


def test_every_frame_comes_once_in_metres_and_paired():
    found = in_child("""
camera = SoftwareCamera(context)
source = opened()
play(source, camera, 60, period_s=0.004)
frames = []
with source:
    for frame in source:
        depth, color = frame.measurement, frame.images["color"]
        frames.append([frame.index, int(depth.values[0, 0]), int(color.pixels[0, 0, 0]),
            depth.timestamp_ns, color.timestamp_ns, depth.unit_m])
T = source.rig.transform("color", "depth").translation_m
print(json.dumps([frames, source.losses.dropped, source.losses.unpaired, list(T),
    source.rig.cameras["depth"].fx, source.metadata["Mode depth"]]))
""")
    frames, dropped, unpaired, moved_m, fx, mode = found
    stamps_ns = [round(number * 1e9 / 30) for number in range(60)]
    expected = [[n, n, n, stamps_ns[n], stamps_ns[n], 0.0005] for n in range(60)]
    for frame, wanted in zip(frames, expected, strict=True):
        assert frame == pytest.approx(wanted, abs=1)
        assert frame[5] == pytest.approx(0.0005, rel=1e-6)
    assert (dropped, unpaired) == ({}, {"depth": 0, "color": 0})
    assert moved_m == pytest.approx([0.015, 0, 0], abs=1e-7)
    assert (fx, mode) == (64.0, "64x48@30")


COUNTED = """
camera = SoftwareCamera(context)
source = opened()
play(source, camera, {count}, period_s={period_s}, without_color=range({missing}),
    without=range({lost}))
with source:
    pairs = [[int(f.measurement.values[0, 0]), int(f.images["color"].pixels[0, 0, 0])]
        for f in source]
print(json.dumps([pairs, source.losses.dropped, source.losses.unpaired]))
"""


def test_colour_that_did_not_come_leaves_depth_unpaired_and_nothing_stale():
    code = COUNTED.format(count=150, period_s=0.003, missing="50, 70", lost="0")
    pairs, dropped, unpaired = in_child(code)
    assert pairs == [[n, n] for n in range(150) if not 50 <= n < 70]
    assert (dropped, unpaired) == ({}, {"depth": 20, "color": 0})


@pytest.mark.verify
def test_forty_of_three_hundred_at_30_hz_leave_two_hundred_and_sixty_pairs():
    code = COUNTED.format(count=300, period_s=1 / 30, missing="50, 90", lost="0")
    pairs, dropped, unpaired = in_child(code)
    assert pairs == [[n, n % 256] for n in range(300) if not 50 <= n < 90]
    assert (dropped, unpaired) == ({}, {"depth": 40, "color": 0})


def test_frames_that_never_came_are_counted_by_their_numbers():
    code = COUNTED.format(count=60, period_s=0.003, missing="0", lost="20, 30")
    pairs, dropped, _ = in_child(code)
    assert len(pairs) == 50
    assert dropped == {"lost between camera and computer": 10}


def test_a_slow_reader_gets_the_newest_frames_and_the_oldest_are_counted():
    delivered, dropped, unpaired, received = in_child("""
from sensorfusion_drivers.realsense import live
live._FRAMES_BYTES = 4 * (64 * 48 * 5)
camera = SoftwareCamera(context)
source = opened()
play(source, camera, 60, period_s=0.004)
numbers = []
with source:
    for frame in source:
        numbers.append(int(frame.measurement.values[0, 0]))
        time.sleep(0.05 if len(numbers) < 5 else 0)
print(json.dumps([numbers, source.losses.dropped, source.losses.unpaired,
    source.health()["depth"].received]))
""")
    assert received == 60
    assert delivered == sorted(set(delivered))
    assert delivered[-1] == 59
    assert dropped == {"frames that tracking did not keep up with": 60 - len(delivered)}
    assert len(delivered) < 60
    assert unpaired == {"depth": 0, "color": 0}


def test_samples_hold_every_picture_in_order_of_time():
    samples, dropped = in_child("""
camera = SoftwareCamera(context)
source = opened()
play(source, camera, 40, period_s=0.004, without_color=range(5))
with source:
    samples = [[s.stream, s.timestamp_ns] for s in source.samples()]
print(json.dumps([samples, source.losses.dropped]))
""")
    assert [stream for stream, _ in samples].count("depth") == 40
    assert [stream for stream, _ in samples].count("color") == 35
    stamps_ns = [stamp_ns for _, stamp_ns in samples]
    assert stamps_ns == sorted(stamps_ns)
    assert dropped == {}


def test_a_camera_that_stalls_is_begun_again():
    numbers, notes, missing = in_child("""
camera = SoftwareCamera(context)
source = opened(Patience(begin_s=2, silent_s=0.2, give_up_s=3, retry_s=0.05))
soon(camera.play, 20, period_s=0.004)
soon(play, source, camera, 20, period_s=0.004, first=100, after_s=1.5)
with source:
    numbers = [int(frame.measurement.values[0, 0]) for frame in source]
print(json.dumps([numbers, source.notes, source.losses.dropped]))
""")
    assert numbers == [*range(20), *range(100, 120)]
    # When it begins again it counts anew, so nothing is known to be missing.
    assert missing == {}
    assert "camera 123456789: was silent and streams again after" in notes[0]


def test_a_camera_that_never_delivers_is_an_error_that_says_so():
    assert in_child("""
camera = SoftwareCamera(context)
try:
    with opened(Patience(begin_s=0.2, silent_s=0.2, give_up_s=0.2, retry_s=0.05)) as source:
        list(source)
except SensorFusionError as error:
    print(json.dumps(str(error)))
""").startswith("camera 123456789 began and no depth and no color came;")


def test_what_a_camera_cannot_do_is_refused_in_one_sentence():
    found = in_child("""
camera = SoftwareCamera(context)
print(json.dumps([
    refused(depth="1x1@30"), refused(color="64x48@60"), refused(depth="big"),
    refused(laser="9000"), refused(laser="dim"), refused(exposure="-1"),
    refused(preset="high accuracy"), refused(preset="nothing.json"), refused(seconds=0),
    refused(infrared=True),
]))
""")
    begins = [
        "camera 123456789 has no depth of 1x1@30; it has 64x48@30",
        "camera 123456789 has no color of 64x48@60; it has 64x48@30",
        "depth is 'big'; expected WIDTHxHEIGHT@RATE",
        "camera 123456789: laser power of 9000; expected 0 to 360",
        "laser is 'dim'; expected on, off or milliwatts",
        "exposure is '-1'; expected auto or microseconds",
        "camera 123456789 has no preset 'high accuracy'",
        "nothing.json: cannot be taken over",
        "seconds is 0; expected a number above 0",
        "camera 123456789 has no infrared of 64x48@30",
    ]
    for text, begin in zip(found, begins, strict=True):
        assert text.startswith(begin)


def test_options_are_set_and_stand_in_the_metadata():
    depth, color, metadata = in_child("""
camera = SoftwareCamera(context)
source = opened(laser="90", exposure="5000", depth="64x48", color="off")
sensor = camera.sensors["depth"]
read = [sensor.get_option(getattr(rs.option, name))
    for name in ("emitter_enabled", "laser_power", "enable_auto_exposure", "exposure")]
print(json.dumps([read, sorted(source.rig.cameras), dict(source.metadata)]))
""")
    assert depth == [1, 90, 0, 5000]
    assert color == ["depth"]
    assert metadata["Option laser power"] == "90"
    assert metadata["Firmware Version"] == "5.16.0.1"


def test_a_camera_that_is_in_use_is_refused_in_one_sentence():
    assert in_child("""
camera = SoftwareCamera(context)
other = [device for device in context.query_devices()][0].query_sensors()[0]
other.open(other.get_stream_profiles()[0])
try:
    with opened() as source:
        list(source)
except SensorFusionError as error:
    print(json.dumps(str(error)))
""").startswith("camera 123456789 does not begin: Depth (64x48@30): librealsense says: ")


def test_frames_before_the_exposure_is_steady_are_left_out():
    numbers, dropped = in_child("""
camera = SoftwareCamera(context)
source = opened()
def deliver():
    for number in range(40):
        exposure_us = max(33000 - 3000 * number, 9000)
        for kind in ("depth", "color"):
            camera.push(kind, number, exposure_us=exposure_us)
        time.sleep(0.004)
    time.sleep(0.15)
    source.close()
soon(deliver)
with source:
    numbers = [int(frame.measurement.values[0, 0]) for frame in source]
print(json.dumps([numbers, source.losses.dropped]))
""")
    # From number 8 on it stays: five the same by number 12, when depth comes before colour.
    assert numbers == list(range(13, 40))
    assert dropped == {"before the exposure was steady": 13}
