"""Speeds and memory, each in a process of its own: ``./run bench [NAME ...]``.

``./run bench rgbd|fusion|standard [OPTION ...]`` runs one of the comparisons with others, which
take longer; ``--help`` behind the name says what they can do.

Figures depend on the machine and on what else runs on it; compare only those taken side by side.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SENSORFUSION_DATA", ROOT.parent / "shared" / "data"))
RUNS = 3
IMPORTS = (
    "import resource, open3d, cv2, sensorfusion.pipeline;"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)


def command_line_start() -> str:
    """Measure the time from typing ``sensorfusion --help`` to its end."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run("-m", "sensorfusion", "--help")
        seconds.append(time.perf_counter() - start)
    return f"{statistics.median(seconds):.2f} s"


def shipped_recording() -> str:
    """Measure from a RealSense recording to files."""
    return reconstruction(ROOT / "recordings" / "room.db3")


def seven_scenes() -> str:
    """Measure from 300 pictures to files, 10 mm voxels."""
    return reconstruction(DATA / "rgbd-7scenes")


def seven_scenes_with_poses() -> str:
    """Measure the same without tracking."""
    return reconstruction(DATA / "rgbd-7scenes", "--poses", "recording")


def reconstruction(source: Path, *flags: str) -> str:
    if not source.exists():
        return f"skipped: {source} is not here"
    imports_mb = float(run("-c", IMPORTS))
    rates, memory_mb = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            run("-m", "sensorfusion", "reconstruct", str(source), "--out", folder, *flags)
            report = json.loads((Path(folder) / "report.json").read_text())
            rates.append(report["frames_per_second"])
            memory_mb.append(report["peak_memory_mb"] - imports_mb)
    frames = report["frames"]
    return (
        f"{statistics.median(rates):.1f} frames/s ({min(rates):.1f} to {max(rates):.1f}), "
        f"{max(memory_mb):.0f} MB above imports, {frames['used']} of {frames['in']} frames used"
    )


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=3600
    )
    return done.stdout


BENCHMARKS: dict[str, Callable[[], str]] = {
    function.__name__: function
    for function in (command_line_start, shipped_recording, seven_scenes, seven_scenes_with_poses)
}


COMPARISONS = (
    "rgbd",
    "fusion",
    "lidar_fusion",
    "native_depth",
    "standard",
    "projection",
    "completion",
    "deskew",
    "clouds",
    "ros",
    "recording",
    "realsense_reading",
    "stereo",
    "lidar_odometry",
    "train_monocular",
    "monocular",
)


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all but the comparisons; return the exit code."""
    if names and names[0] in COMPARISONS:
        script = Path(__file__).with_name(f"{names[0]}.py")
        return subprocess.run([sys.executable, str(script), *names[1:]], check=False).returncode
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        known = ", ".join((*BENCHMARKS, *COMPARISONS))
        print(f"no benchmark {', '.join(unknown)}; there are {known}")
        return 2
    for name in names or BENCHMARKS:
        print(f"{name}: {BENCHMARKS[name]()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
