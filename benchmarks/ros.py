"""Point clouds out of ROS recordings, beside rosbags with what odometry packages do behind it.

``./run bench ros``: 20 scans of 120,000 points (x y z, intensity, ring, time) in each container,
read from opening to the last scan, by turns. The other side decodes with rosbags and puts x, y, z
and time into float64 columns without NaN; ours keeps intensity and ring, too, counts what has no
return, and checks the checksums that MCAP carries.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Bag1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Bag2
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from sensorfusion.sources.registry import open_source

SCANS = 20
POINTS = 120_000
TURNS = 7
CLOUD = "sensor_msgs/msg/PointCloud2"
LAYOUT = np.dtype(
    [
        *((name, "<f4") for name in ("x", "y", "z", "intensity")),
        ("ring", "<u2"),
        ("time", "<f4"),
    ]
)
CODES = {"f4": 7, "u2": 4}
KINDS = {number: f"<{code}" for code, number in CODES.items()}


def message(store: Typestore, index: int, is_ros1: bool) -> object:
    """Return one scan as a message."""
    types = store.types
    points = np.zeros(POINTS, LAYOUT)
    rng = np.random.default_rng(index)
    for name in ("x", "y", "z", "intensity"):
        points[name] = rng.uniform(1, 50, POINTS)
    points["ring"] = np.arange(POINTS) % 64
    points["time"] = np.linspace(0, 0.1, POINTS)
    fields = [
        types["sensor_msgs/msg/PointField"](
            name=name, offset=place, datatype=CODES[kind.str[1:]], count=1
        )
        for name, (kind, place) in LAYOUT.fields.items()
    ]
    stamp = types["builtin_interfaces/msg/Time"](sec=1000, nanosec=index * 1_000_000)
    counted = {"seq": index} if is_ros1 else {}
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="lidar", **counted)
    return types[CLOUD](
        header=header,
        height=1,
        width=POINTS,
        fields=fields,
        is_bigendian=False,
        point_step=LAYOUT.itemsize,
        row_step=points.nbytes,
        data=points.view(np.uint8),
        is_dense=True,
    )


def write(folder: Path, container: str) -> Path:
    """Write the recording and return its path."""
    kind, _, mode = container.partition(" ")
    is_ros1 = kind == "bag"
    store = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_HUMBLE)
    path = folder / (container.replace(" ", "_") + ".bag" * is_ros1)
    if is_ros1:
        writer = Bag1(path)
    else:
        writer = Bag2(path, version=9, storage_plugin=StoragePlugin[kind.upper()])
        if mode:
            writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    encode = store.serialize_ros1 if is_ros1 else store.serialize_cdr
    with writer:
        topic = writer.add_connection("/points", CLOUD, typestore=store)
        for index in range(SCANS):
            writer.write(topic, index * 100_000_000, encode(message(store, index, is_ros1), CLOUD))
    return path


def ours(path: Path) -> int:
    with open_source(path, driver="ros") as source:
        return sum(len(frame.measurement.points) for frame in source)


def theirs(path: Path) -> int:
    count = 0
    with AnyReader([path]) as reader:
        for connection, _, raw in reader.messages():
            scan = reader.deserialize(raw, connection.msgtype)
            layout = np.dtype(
                {
                    "names": [field.name for field in scan.fields],
                    "formats": [KINDS[field.datatype] for field in scan.fields],
                    "offsets": [field.offset for field in scan.fields],
                    "itemsize": scan.point_step,
                }
            )
            points = np.ndarray((scan.width,), layout, scan.data)
            columns = np.column_stack([points[name] for name in ("x", "y", "z")])
            kept = ~np.isnan(columns).any(axis=1)
            times = points["time"][kept].astype(np.float64)
            count += len(columns[kept].astype(np.float64)) if len(times) else 0
    return count


def milliseconds(path: Path) -> dict[str, list[float]]:
    """Time both by turns, per scan."""
    calls: dict[str, Callable[[Path], int]] = {"ours": ours, "theirs": theirs}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(TURNS):
        for name, call in calls.items():
            start = time.perf_counter()
            count = call(path)
            taken[name].append(1000 * (time.perf_counter() - start) / SCANS)
            if count != SCANS * POINTS:
                msg = f"{name} read {count} points of {SCANS * POINTS}"
                raise SystemExit(msg)
    return taken


def main(arguments: list[str]) -> int:
    containers = ("mcap", "mcap zstd", "sqlite3", "bag")
    parser = argparse.ArgumentParser(prog="bench ros", description=__doc__)
    parser.add_argument("containers", nargs="*", help=", ".join(containers))
    chosen = parser.parse_args(arguments).containers or containers
    with tempfile.TemporaryDirectory() as folder:
        for container in chosen:
            taken = milliseconds(write(Path(folder), container))
            ratios = [b / a for a, b in zip(taken["ours"], taken["theirs"], strict=True)]
            print(
                f"{container}: {min(taken['ours']):.2f} ms a scan, rosbags "
                f"{min(taken['theirs']):.2f} ms (least of {TURNS}); "
                f"{statistics.median(ratios):.2f} times as fast in the median",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
