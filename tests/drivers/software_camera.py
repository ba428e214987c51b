"""A camera that librealsense believes in, for processes of their own, because it may abort.

librealsense lists a software device only as long as somebody holds what its devices-changed
callback brings.
"""

import threading
import time
from collections import deque

import numpy as np
import pyrealsense2 as rs  # noqa: TID253 - only child processes import this

WIDTH, HEIGHT, RATE_HZ = 64, 48, 30
UNIT_M = 0.0005


class SoftwareCamera:
    """A depth and a colour sensor whose pictures the test makes.

    The number of a picture stands in its first pixel.
    """

    def __init__(self, context, serial="123456789", size=(WIDTH, HEIGHT), turn=None, **infos):
        self.device = rs.software_device()
        self.size = size
        facts = {"name": "Software D435", "serial_number": serial, "usb_type_descriptor": "3.2"}
        facts |= {"firmware_version": "5.16.0.1", "recommended_firmware_version": "5.16.0.1"}
        for name, value in (facts | infos).items():
            self.device.register_info(getattr(rs.camera_info, name), value)
        self.sensors = {}
        self.profiles = {}
        kinds = (("depth", rs.format.z16, 2), ("color", rs.format.rgb8, 3))
        for number, (kind, form, size_bytes) in enumerate(kinds):
            sensor = self.device.add_sensor(kind.capitalize())
            self.sensors[kind] = sensor
            profile = sensor.add_video_stream(self._stream(kind, form, size_bytes, number + 1))
            self.profiles[kind] = profile
        depth = self.sensors["depth"]
        depth.add_read_only_option(rs.option.depth_units, UNIT_M)
        for name, low, high, value in (
            ("emitter_enabled", 0, 1, 1),
            ("laser_power", 0, 360, 150),
            ("exposure", 1, 165000, 8500),
            ("enable_auto_exposure", 0, 1, 1),
        ):
            depth.add_option(getattr(rs.option, name), rs.option_range(low, high, value, 1), True)
        moved = rs.extrinsics()
        # Column by column; 15 mm to the side.
        turn = np.eye(3) if turn is None else turn
        moved.rotation, moved.translation = list(turn.T.ravel()), [0.015, 0, 0]
        self.profiles["depth"].register_extrinsics_to(self.profiles["color"], moved)
        self.device.create_matcher(rs.matchers.dlr_c)
        self._kept = []
        context.set_devices_changed_callback(lambda info: self._kept.append(info.get_new_devices()))
        self.device.add_to(context)
        deadline_s = time.monotonic() + 10
        while not len(context.query_devices()) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        # librealsense does not copy what it is given; of the last ones it has long let go.
        self._pixels = deque(maxlen=500)

    def push(self, kind, number, stamp_ms=None, exposure_us=None):
        """Deliver one picture; every one needs a frame object and pixels of its own."""
        width, height = self.size
        if kind == "depth":
            pixels = np.full((height, width), 2000, np.uint16)
            pixels[0, 0] = number
        else:
            pixels = np.full((height, width, 3), number % 256, np.uint8)
        if exposure_us is not None:
            self.sensors[kind].set_metadata(rs.frame_metadata_value.actual_exposure, exposure_us)
        self._send(kind, number, pixels, number * 1000 / RATE_HZ if stamp_ms is None else stamp_ms)

    def _send(self, kind, number, pixels, stamp_ms):
        self._pixels.append(pixels)
        frame = rs.software_video_frame()
        frame.bpp = 2 if kind == "depth" else 3
        frame.stride, frame.frame_number = pixels.shape[1] * frame.bpp, number
        frame.timestamp, frame.domain = stamp_ms, rs.timestamp_domain.hardware_clock
        frame.profile, frame.pixels = self.profiles[kind].as_video_stream_profile(), pixels
        if kind == "depth":
            frame.depth_units = UNIT_M
        self.sensors[kind].on_video_frame(frame)

    def stream(self, pictures, period_s=1 / RATE_HZ, lost=()):
        """Deliver depth and colour, time and again, until the process ends; some are lost."""

        def run():
            started_s = time.monotonic()
            for number, (depth, color) in enumerate(pictures):
                if number not in lost:
                    self._send("depth", number, depth, number * 1000 / RATE_HZ)
                    self._send("color", number, color, number * 1000 / RATE_HZ)
                time.sleep(max(0.0, started_s + (number + 1) * period_s - time.monotonic()))

        threading.Thread(target=run, daemon=True).start()

    def play(self, count, period_s=0.001, without_color=(), without=(), first=0):
        """Deliver pictures in a thread of its own, as a camera would."""

        def run():
            for number in range(first, first + count):
                for kind in ("depth", "color"):
                    missing = number in without or (kind == "color" and number in without_color)
                    if not missing:
                        self.push(kind, number)
                time.sleep(period_s)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _stream(self, kind, form, size_bytes, number):
        width, height = self.size
        lens = rs.intrinsics()
        lens.width, lens.height = width, height
        lens.fx = lens.fy = width * 1.0
        lens.ppx, lens.ppy = width / 2, height / 2
        lens.model, lens.coeffs = rs.distortion.none, [0, 0, 0, 0, 0]
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid = getattr(rs.stream, kind), 0, number
        stream.width, stream.height, stream.fps = width, height, RATE_HZ
        stream.bpp, stream.fmt, stream.intrinsics = size_bytes, form, lens
        return stream
