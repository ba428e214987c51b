"""RealSense recordings read from opening to the last frame, beside librealsense and rosbags.

``./run bench realsense_reading``: 240 pairs of 640x480 depth and colour, stored raw, by turns.
A ``.bag`` beside librealsense's sensors with callbacks that copy (the only way in which it gives
every frame), a ``.db3`` beside rosbags, which reads bare files and decodes images and what stands
beside each: the camera's time and the unit of depth.
Then any frame by its number, which neither offers.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from sensorfusion.camera import Camera
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.realsense.writer import RecordedDevice, write_bag, write_db3

PAIRS = 240
TURNS = 9
WAIT_S = 20
TYPES = get_typestore(Stores.ROS2_HUMBLE)


def write(folder: Path) -> dict[str, Path]:
    """Write both recordings."""
    cameras = {n: Camera(n, 640, 480, 600, 600, 319.5, 239.5) for n in ("depth", "color")}
    rig = Rig(cameras, (RigidTransform.identity("color", "depth"),))
    rng = np.random.default_rng(0)
    depth = rng.integers(500, 4000, (480, 640), np.uint16)
    color = rng.integers(0, 256, (480, 640, 3), np.uint8)
    shots = [(10**12 + i * 33_333_333, np.roll(depth, i), color) for i in range(PAIRS)]
    paths = {"bag": folder / "raw.bag", "db3": folder / "raw.db3"}
    device = RecordedDevice(rig, 0.001)
    write_bag(paths["bag"], device, shots, compression="none")
    write_db3(paths["db3"], device, shots, png=False)
    return paths


def ours(path: Path) -> int:
    with open_source(path, driver="realsense") as source:
        return sum(1 + len(frame.images) for frame in source)


def librealsense(path: Path) -> int:
    import pyrealsense2 as rs

    device = rs.context().load_device(str(path))
    device.set_real_time(False)
    images, done = [], threading.Event()

    def receive(frame: rs.frame) -> None:
        images.append(np.array(frame.get_data()))
        if len(images) == 2 * PAIRS:
            done.set()

    sensors = device.query_sensors()
    for sensor in sensors:
        sensor.open(sensor.get_stream_profiles())
    device.pause()
    for sensor in sensors:
        sensor.start(receive)
    device.resume()
    done.wait(WAIT_S)
    count = len(images)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    return count


def rosbags(path: Path) -> int:
    count = 0
    endings = ("/image/data", "/image/metadata")
    with Reader(path) as reader:
        wanted = [each for each in reader.connections if each.topic.endswith(endings)]
        for connection, _, raw in reader.messages(connections=wanted):
            message = TYPES.deserialize_cdr(raw, connection.msgtype)
            if connection.topic.endswith(endings[1]):
                facts = dict(item.split("=") for item in message.data.split(";") if item)
                count += float(facts["timestamp"]) > 0
    return count


def compare(title: str, path: Path, other: Callable[[Path], int]) -> None:
    """Time both by turns."""
    taken: dict[str, list[float]] = {"ours": [], other.__name__: []}
    for _ in range(TURNS):
        for call in (ours, other):
            start = time.perf_counter()
            count = call(path)
            taken[call.__name__].append(time.perf_counter() - start)
            if count != 2 * PAIRS:
                msg = f"{call.__name__} read {count} images of {2 * PAIRS}"
                raise SystemExit(msg)
    ratios = [b / a for a, b in zip(taken["ours"], taken[other.__name__], strict=True)]
    print(
        f"{title}: {PAIRS / min(taken['ours']):.0f} frames/s, {other.__name__} "
        f"{PAIRS / min(taken[other.__name__]):.0f} (best of {TURNS}); "
        f"{statistics.median(ratios):.2f} times as fast in the median",
        flush=True,
    )


def by_number(title: str, path: Path) -> None:
    """Time frames in a random order, the recording being open."""
    with open_source(path, driver="realsense") as source:
        order = np.random.default_rng(1).permutation(PAIRS)
        start = time.perf_counter()
        for index in order:
            source[int(index)]
        each_ms = 1000 * (time.perf_counter() - start) / PAIRS
    print(f"{title}: {each_ms:.2f} ms for a frame by its number", flush=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder))
        compare(".bag raw", paths["bag"], librealsense)
        compare(".db3 raw", paths["db3"], rosbags)
        compare(".db3 raw", paths["db3"], librealsense)
        for name, path in paths.items():
            by_number(f".{name} raw", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
