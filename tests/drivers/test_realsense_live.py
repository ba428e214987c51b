"""What a camera made of software cannot do: be unplugged, reset, report faults, keep settings."""

import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.cli.doctor_live import check_camera
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.record import RecordingFlags, record_source
from sensorfusion.errors import SourceError
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.live import LiveSource, Patience
from sensorfusion_drivers.realsense.live_driver import list_cameras
from sensorfusion_drivers.realsense.live_options import LiveOptions
from sensorfusion_drivers.realsense.live_seam import Arrival, Mode, Option

WIDTH, HEIGHT = 8, 6
QUICK = Patience(begin_s=5, silent_s=0.3, give_up_s=2.0, retry_s=0.02)
HASTY = Patience(begin_s=5, silent_s=0.3, give_up_s=0.2, retry_s=0.02)
PRESETS = {"Default": 0.0, "High Accuracy": 3.0}


class FakeSensor:
    """Keeps options, and delivers what the test sends while it streams."""

    def __init__(self, name, modes, options=(), stubborn=()):
        self.name, self._modes, self._stubborn = name, modes, stubborn
        self.options = {key: Option(*values) for key, values in dict(options).items()}
        self.deliver = None
        self.tell = None
        self.starts = 0

    def modes(self):
        return self._modes

    def camera(self, mode):
        return Camera(mode.stream, mode.width, mode.height, mode.width, mode.width, 4.0, 3.0)

    def start(self, modes, deliver):
        self.streaming, self.deliver = modes, deliver
        self.starts += 1

    def stop(self):
        self.deliver = None

    def option(self, name):
        return self.options.get(name)

    def set_option(self, name, value):
        if name not in self._stubborn:
            old = self.options[name]
            self.options[name] = Option(value, old.low, old.high, old.step)

    def choices(self, name):
        return PRESETS if name == "visual_preset" else {}

    def on_notification(self, tell):
        self.tell = tell

    def send(self, stream, number, values, stamp_ns, **facts):
        deliver = self.deliver
        if deliver is not None:
            arrival = Arrival(stream, number, stamp_ns, "global_time", stamp_ns, values, **facts)
            deliver(arrival)


class FakeCamera:
    """A D435i, as far as live capture asks."""

    def __init__(self, serial="111", size=(WIDTH, HEIGHT), stubborn=(), settings=None):
        self.info = {"Name": "Intel RealSense D435I", "Serial Number": serial}
        self.plugged = True
        self._settings = settings
        self.stereo = FakeSensor(
            "Stereo Module",
            (
                Mode("depth", "z16", *size, 30, True),
                Mode("infrared_1", "y8", *size, 30),
                Mode("infrared_2", "y8", *size, 30),
            ),
            {
                "emitter_enabled": (1.0, 0, 2, 1),
                "laser_power": (150.0, 0, 360, 30),
                "visual_preset": (0.0, 0, 6, 1),
                "global_time_enabled": (0.0, 0, 1, 1),
            },
            stubborn,
        )
        self.rgb = FakeSensor("RGB Camera", (Mode("color", "rgb8", *size, 30, True),))
        self.motion = FakeSensor(
            "Motion Module",
            tuple(
                Mode(kind, "motion_xyz32f", 0, 0, rate)
                for kind, rate in (("gyro", 200), ("gyro", 400), ("accel", 63), ("accel", 250))
            ),
        )

    def is_connected(self):
        return self.plugged

    def sensors(self):
        return self.stereo, self.rgb, self.motion

    def transform(self, target, source):
        return RigidTransform.identity(target.stream, source.stream)

    def load_settings(self, text):
        given = json.loads(text)
        self._settings = {key: self._settings.get(key, given[key]) for key in given}

    def settings(self):
        return json.dumps({"parameters": self._settings})

    def shoot(self, number):
        now_ns = time.time_ns()
        depth = np.full((HEIGHT, WIDTH), number, np.uint16)
        self.stereo.send("depth", number, depth, now_ns, unit_m=0.001)
        self.rgb.send("color", number, np.full((HEIGHT, WIDTH, 3), number % 256, np.uint8), now_ns)


class FakeCameras:
    """What is plugged into this computer."""

    def __init__(self, *devices):
        self.devices = list(devices)

    def connected(self):
        return tuple(device for device in self.devices if device.plugged)


def played(act, cameras, options=None, patience=QUICK, *, ends_itself=False):
    """Numbers of the frames that come while ``act`` does things to the cameras, and the source."""
    over = threading.Event()
    source = LiveSource(cameras, "111", options or LiveOptions(), patience=patience)
    first = cameras.connected()[0]

    def run():
        wait_until(lambda: first.rgb.deliver)
        act()
        over.wait(10 if ends_itself else 0.05)
        source.close()

    thread = threading.Thread(target=run)
    thread.start()
    with source:
        numbers = [int(frame.measurement.values[0, 0]) for frame in source]
        over.set()
    thread.join()
    return numbers, source


def shoot(camera, numbers):
    for number in numbers:
        camera.shoot(number)
        time.sleep(0.005)


def wait_until(condition):
    deadline_s = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.005)


def test_a_camera_that_is_plugged_in_again_goes_on_with_its_options():
    before, after = FakeCamera(), FakeCamera()
    cameras = FakeCameras(before)

    def unplug_for_a_while():
        shoot(before, range(1, 11))
        before.plugged = False
        time.sleep(0.3)
        cameras.devices.append(after)
        wait_until(lambda: after.rgb.deliver)
        shoot(after, range(1, 6))

    options = LiveOptions(laser="90", preset="high-accuracy")
    numbers, source = played(unplug_for_a_while, cameras, options)
    assert numbers == [*range(1, 11), *range(1, 6)]
    assert after.stereo.options["laser_power"].value == 90
    assert after.stereo.options["visual_preset"].value == 3
    assert source.losses.dropped == {}
    assert len(source.notes) == 1
    assert "camera 111: was unplugged and streams again after" in source.notes[0]


def test_a_reset_begins_the_count_anew_and_loses_nothing_that_was_counted():
    camera = FakeCamera()
    cameras = FakeCameras(camera)

    def reset():
        shoot(camera, range(500, 510))
        # It is away for a moment, then there is another one of its name.
        camera.plugged = False
        again = FakeCamera()
        cameras.devices.append(again)
        wait_until(lambda: again.rgb.deliver)
        shoot(again, [1, 2, 5])

    numbers, source = played(reset, cameras)
    assert numbers == [*range(500, 510), 1, 2, 5]
    assert source.losses.dropped == {"lost between camera and computer": 2}


def test_a_camera_that_does_not_come_back_ends_the_source_with_what_was_seen():
    camera = FakeCamera()

    def unplug():
        shoot(camera, range(5))
        camera.plugged = False

    numbers, source = played(unplug, FakeCameras(camera), patience=HASTY, ends_itself=True)
    assert numbers == list(range(5))
    assert "was unplugged and did not come back in 0.2 s: no RealSense" in source.notes[-1]


def test_a_camera_that_comes_back_with_pictures_of_another_size_is_not_taken():
    camera, smaller = FakeCamera(), FakeCamera(size=(4, 3))
    cameras = FakeCameras(camera, smaller)
    smaller.plugged = False

    def swap():
        shoot(camera, range(5))
        camera.plugged, smaller.plugged = False, True

    numbers, source = played(swap, cameras, patience=HASTY, ends_itself=True)
    assert numbers == list(range(5))
    assert "it came back with other pictures" in source.notes[-1]


def test_what_a_camera_reports_about_itself_is_noted():
    camera = FakeCamera()

    def complain():
        shoot(camera, range(3))
        camera.stereo.tell("error: projector temperature")

    _, source = played(complain, FakeCameras(camera))
    assert source.notes == ("camera 111: error: projector temperature",)


def test_a_fault_that_is_reported_again_and_again_is_one_note():
    camera = FakeCamera()

    def complain():
        shoot(camera, range(3))
        for _ in range(1000):
            camera.stereo.tell("error: frame was corrupted")

    _, source = played(complain, FakeCameras(camera))
    assert source.notes == ("camera 111: error: frame was corrupted (1000 times)",)


def test_an_inertial_sensor_of_unknown_place_is_left_out_and_told():
    camera = FakeCamera()
    known = camera.transform

    def transform(target, source):
        if target.stream in ("gyro", "accel"):
            msg = "no extrinsics"
            raise SourceError(msg)
        return known(target, source)

    camera.transform = transform
    source = LiveSource(FakeCameras(camera), "", LiveOptions())
    assert source.rig.imus == ()
    assert source.notes == (
        "the inertial sensor is left out: it was never calibrated (no extrinsics)",
    )


def test_a_frame_that_cannot_be_taken_over_is_an_error():
    camera = FakeCamera()
    error = SourceError("a frame of the camera could not be taken over: no memory")

    def fail():
        shoot(camera, range(3))
        camera.stereo.deliver(error)

    with pytest.raises(SourceError, match="no memory"):
        played(fail, FakeCameras(camera))


def test_an_option_that_the_camera_does_not_keep_is_refused():
    cameras = FakeCameras(FakeCamera(stubborn=("laser_power",)))
    with pytest.raises(SourceError, match="laser power was set to 300 and reads 150"):
        LiveSource(cameras, "", LiveOptions(laser="300"))


def test_all_streams_are_put_on_one_clock():
    camera = FakeCamera()
    LiveSource(FakeCameras(camera), "", LiveOptions())
    assert camera.stereo.options["global_time_enabled"].value == 1


def test_a_preset_is_found_by_its_name_however_it_is_written():
    camera = FakeCamera()
    LiveSource(FakeCameras(camera), "", LiveOptions(preset="high_accuracy"))
    assert camera.stereo.options["visual_preset"].value == 3
    with pytest.raises(SourceError, match="it has Default, High Accuracy; or give"):
        LiveSource(FakeCameras(camera), "", LiveOptions(preset="best"))


SETTINGS = {"param-disparityshift": 0, "controls-laserpower": "150"}


def settings_file(tmp_path, **changes):
    path = tmp_path / "preset.json"
    # What is asked of the streams is no setting that could be read back.
    path.write_text(json.dumps({**SETTINGS, **changes, "stream-width": "640"}))
    return LiveOptions(preset=str(path))


def test_a_file_of_settings_is_read_back(tmp_path):
    settings = {"param-disparityshift": "0.0", "controls-laserpower": "150", "stream-width": "848"}
    camera = FakeCamera(settings=settings)
    source = LiveSource(FakeCameras(camera), "", settings_file(tmp_path))
    assert source.metadata["Preset"] == str(tmp_path / "preset.json")


def test_a_file_of_settings_that_the_camera_does_not_keep_is_refused(tmp_path):
    camera = FakeCamera(settings={"controls-laserpower": "150"})
    options = settings_file(tmp_path, **{"controls-laserpower": "300"})
    with pytest.raises(SourceError, match="controls-laserpower 300 became 150"):
        LiveSource(FakeCameras(camera), "", options)


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"unknown": 1}', "[" * 100_000])
def test_a_file_that_holds_no_settings_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "preset.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"preset\.json"):
        camera = FakeCamera(settings={"a": 1})
        camera.load_settings = lambda text: None
        LiveSource(FakeCameras(camera), "", LiveOptions(preset=str(path)))


def test_samples_hold_infrared_and_the_readings_of_the_inertial_sensor():
    camera = FakeCamera()
    source = LiveSource(FakeCameras(camera), "", LiveOptions(infrared=True), patience=QUICK)
    assert source.rig.imus == ("imu",)
    assert sorted(source.rig.cameras) == ["color", "depth", "infrared_1", "infrared_2"]

    def deliver():
        wait_until(lambda: camera.motion.deliver)
        now_ns = time.time_ns()
        camera.shoot(1)
        camera.stereo.send("infrared_1", 1, np.full((HEIGHT, WIDTH), 7, np.uint8), now_ns)
        camera.motion.send("gyro", 1, np.array([0.1, 0.2, 0.3]), now_ns)
        camera.motion.send("accel", 1, np.array([0.0, -9.8, 0.0]), now_ns)
        time.sleep(0.05)
        source.close()

    thread = threading.Thread(target=deliver)
    thread.start()
    with source:
        samples = {sample.stream: sample.data for sample in source.samples()}
    thread.join()
    assert sorted(samples) == ["accel", "color", "depth", "gyro", "infrared_1"]
    assert {str(mode) for mode in camera.motion.streaming} == {"gyro@400", "accel@250"}
    assert (samples["gyro"].gyro_rad_s, samples["gyro"].accel_m_s2) == ((0.1, 0.2, 0.3), None)
    assert samples["accel"].accel_m_s2 == (0.0, -9.8, 0.0)
    assert samples["infrared_1"].pixels.shape == (HEIGHT, WIDTH)


def test_frames_do_not_start_the_inertial_sensor():
    camera = FakeCamera()
    played(lambda: shoot(camera, range(3)), FakeCameras(camera))
    assert not hasattr(camera.motion, "streaming")


def test_a_source_ends_by_itself_when_its_time_is_up():
    camera = FakeCamera()
    source = LiveSource(FakeCameras(camera), "", LiveOptions(), seconds=0.3, patience=QUICK)
    stop = threading.Event()

    def deliver():
        number = 0
        while not stop.wait(0.005):
            camera.shoot(number)
            number += 1

    thread = threading.Thread(target=deliver)
    thread.start()
    began_s = time.monotonic()
    count = len(list(source))
    passed_s = time.monotonic() - began_s
    stop.set()
    thread.join()
    assert count > 5
    assert 0.3 <= passed_s < 3
    assert source.health()["depth"].delivered == count


def test_a_device_is_described_without_starting_it():
    (found,) = list_cameras(FakeCameras(FakeCamera(serial="728612070259")))
    assert found.location == "realsense:728612070259"
    assert found.modes["gyro"] == ("gyro@200", "gyro@400")


ENDLESS = Patience(begin_s=100, silent_s=100, give_up_s=100, retry_s=100)


@pytest.mark.parametrize("frames", [0, 3])
def test_closing_a_silent_camera_ends_who_waits_for_it(frames):
    camera = FakeCamera()
    began_s = time.monotonic()
    numbers, source = played(
        lambda: shoot(camera, range(frames)), FakeCameras(camera), patience=ENDLESS
    )
    # It would wait for a hundred seconds.
    assert time.monotonic() - began_s < 20
    assert numbers == list(range(frames))
    assert camera.stereo.deliver is None
    assert source.notes == ()


def test_closing_a_camera_that_is_begun_again_ends_who_waits_for_it():
    camera = FakeCamera()
    patience = Patience(begin_s=100, silent_s=0.1, give_up_s=100, retry_s=100)
    began_s = time.monotonic()

    def fall_silent():
        shoot(camera, range(3))
        before = camera.stereo.starts
        wait_until(lambda: camera.stereo.starts > before)

    numbers, source = played(fall_silent, FakeCameras(camera), patience=patience)
    assert time.monotonic() - began_s < 20
    assert numbers == [0, 1, 2]
    assert source.notes == ()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_keeps_all_that_a_camera_had_delivered_to_a_recording(tmp_path):
    camera = FakeCamera()
    source = LiveSource(FakeCameras(camera), "", LiveOptions(), patience=ENDLESS)

    def deliver():
        wait_until(lambda: camera.rgb.deliver)
        shoot(camera, range(10))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=deliver)
    flags = RecordingFlags(out=tmp_path / "out.mcap", depth="raw")
    with source, Watch("record", tmp_path) as watch:
        watch.closes(source)
        thread.start()
        written = record_source(source, flags, watch)
    thread.join()
    assert written.samples == {"depth": 10, "color": 10}
    assert source.health()["depth"].delivered == 10
    assert source.losses.dropped == {}


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_the_self_test_with_a_report_of_what_was_seen(tmp_path):
    camera = FakeCamera()
    source = LiveSource(FakeCameras(camera), "", LiveOptions(), patience=ENDLESS)

    class Opening:
        def open(self, _location):
            return source

    def deliver():
        wait_until(lambda: camera.rgb.deliver)
        shoot(camera, range(10))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=deliver)
    thread.start()
    report = tmp_path / "new folder" / "doctor.json"
    with pytest.raises(KeyboardInterrupt):
        check_camera("realsense:", Opening(), 100.0, report)
    thread.join()
    assert json.loads(report.read_text())["streams"]["depth"]["received"] == 10


def test_a_source_that_was_closed_does_not_start_the_camera_again():
    camera = FakeCamera()
    source = LiveSource(FakeCameras(camera), "", LiveOptions(), patience=ENDLESS)
    source.close()
    assert list(source) == []
    assert camera.stereo.starts == 0


def test_a_camera_of_which_no_frame_can_be_taken_over_says_so_at_once():
    camera = FakeCamera()
    error = SourceError("a frame of the camera could not be taken over: no memory")
    with pytest.raises(SourceError, match="no memory"):
        played(lambda: camera.stereo.deliver(error), FakeCameras(camera), patience=ENDLESS)


def test_a_camera_that_comes_back_without_its_inertial_sensor_is_not_taken():
    camera, other = FakeCamera(), FakeCamera()
    other.sensors = lambda: (other.stereo, other.rgb)
    other.plugged = False

    def swap():
        shoot(camera, range(5))
        camera.plugged, other.plugged = False, True

    numbers, source = played(swap, FakeCameras(camera, other), patience=HASTY, ends_itself=True)
    assert numbers == list(range(5))
    assert "it came back with other pictures" in source.notes[-1]
    assert source.health()["depth"].delivered == 5


def test_what_never_came_is_named_and_not_what_nobody_waited_for():
    camera = FakeCamera()
    patience = Patience(begin_s=0.1, silent_s=0.1, give_up_s=0.1, retry_s=0.02)
    source = LiveSource(FakeCameras(camera), "", LiveOptions(), patience=patience)
    with pytest.raises(SourceError, match="began and no depth and no color came;"):
        list(source.samples())
