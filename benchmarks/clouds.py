"""PCD files beside Open3D's tensor reader: ``./run bench clouds``.

One million points and one scan of 120,000 (x y z intensity), as text, binary and compressed, read
from the page cache to contiguous float32 arrays of points and intensity. The readers take turns;
a ratio is that of the least times, with that of the medians behind it. Where pypcd4 is installed
it takes part. The last figure is a whole frame of the driver: NaN and points without a return
sought, every layer checked.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open3d as o3d  # noqa: TID253 - the peer
from machine import describe
from numpy.typing import NDArray

from sensorfusion.export.cloud import write_cloud
from sensorfusion.formats.pcd import read_pcd
from sensorfusion.point_cloud import PointCloud
from sensorfusion.sources.registry import open_source

Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]
COUNTS = {"1M points": 1_000_000, "one scan": 120_000}


def made(count: int) -> PointCloud:
    """Return a scan of a wavy wall with 2 cm of noise, whole intensities to 255."""
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 200, count)
    level = 10 + 5 * np.sin(3 * turn) + rng.normal(0, 0.02, count)
    points = np.stack([level * np.cos(turn), level * np.sin(turn), rng.uniform(-2, 2, count)], 1)
    intensity = rng.integers(0, 256, count).astype(np.float32)
    return PointCloud(points.astype(np.float32), "lidar", intensity=intensity)


def write_text(cloud: PointCloud, path: Path) -> None:
    """Write text as PCL does, eight digits."""
    count = len(cloud)
    head = "VERSION 0.7\nFIELDS x y z intensity\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\n"
    head += f"WIDTH {count}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA ascii\n"
    with path.open("w") as file:
        file.write(head)
        np.savetxt(file, np.c_[cloud.points, cloud.intensity], fmt="%.8g")


def ours(path: Path) -> Arrays:
    fields = read_pcd(path).fields
    points = np.empty((len(fields["x"]), 3), dtype=np.float32)
    for axis, name in enumerate("xyz"):
        points[:, axis] = fields[name]
    return points, np.ascontiguousarray(fields["intensity"], dtype=np.float32)


def open3d_tensor(path: Path) -> Arrays:
    point = o3d.t.io.read_point_cloud(str(path)).point
    return point["positions"].numpy(), point["intensity"].numpy()[:, 0]


def pypcd4(path: Path) -> Arrays:
    from pypcd4 import PointCloud as Theirs

    rows = Theirs.from_path(path).numpy(("x", "y", "z", "intensity"))
    return np.ascontiguousarray(rows[:, :3]), np.ascontiguousarray(rows[:, 3])


def frame(path: Path) -> Arrays:
    with open_source(path, driver="clouds") as source:
        cloud = source[0].measurement
    return cloud.points, cloud.intensity


def readers() -> dict[str, Callable[[Path], Arrays]]:
    found = {"ours": ours, "open3d": open3d_tensor}
    if importlib.util.find_spec("pypcd4"):
        found["pypcd4"] = pypcd4
    return found


def compare(path: Path, cloud: PointCloud, rounds: int) -> str:
    """Return one line: the least times, and ratios to ours."""
    taking_turns = readers()
    for name, read in taking_turns.items():
        points, intensity = read(path)
        if not (
            np.array_equal(points, cloud.points) and np.array_equal(intensity, cloud.intensity)
        ):
            msg = f"{name} reads other numbers from {path.name}"
            raise SystemExit(msg)
    seconds: dict[str, list[float]] = {name: [] for name in taking_turns}
    for _ in range(rounds):
        for name, read in taking_turns.items():
            start = time.perf_counter()
            read(path)
            seconds[name].append(time.perf_counter() - start)
    parts = [f"ours {min(seconds['ours']) * 1e3:.2f} ms"]
    for name in list(taking_turns)[1:]:
        least = min(seconds[name]) / min(seconds["ours"])
        middle = statistics.median(seconds[name]) / statistics.median(seconds["ours"])
        parts.append(
            f"{name} {min(seconds[name]) * 1e3:.1f} ms = {least:.1f}x (median {middle:.1f}x)"
        )
    return ", ".join(parts)


def whole_frame(path: Path, rounds: int) -> float:
    """Return the least seconds from the name of a file to a frame."""
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        frame(path)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        for title, count in COUNTS.items():
            cloud = made(count)
            files = {
                form: Path(folder) / f"{form}.pcd" for form in ("binary", "compressed", "text")
            }
            write_cloud(cloud, files["binary"])
            write_cloud(cloud, files["compressed"], compressed=True)
            write_text(cloud, files["text"])
            rounded = PointCloud(*ours(files["text"])[:1], "lidar", intensity=cloud.intensity)
            for form, path in files.items():
                line = compare(path, rounded if form == "text" else cloud, rounds)
                print(f"{title}, {form}: {line}; a frame {whole_frame(path, rounds) * 1e3:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
