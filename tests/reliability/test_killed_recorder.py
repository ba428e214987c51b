"""A recorder that is killed in the middle of 640x480 RGB-D at 30 frames a second."""

import random
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from sensorfusion.cli.app import run
from sensorfusion.sources.registry import open_source

# Run as a program of its own, and imported here for the pictures that must come back.
RECORDER = """
import sys, time
import numpy as np
from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.frame import Sample
from sensorfusion.image import Image
from sensorfusion.recording.options import RecordingOptions
from sensorfusion.recording.writer import RecordingWriter
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

DEPTH = Camera("depth", 640, 480, 600.0, 600.0, 319.5, 239.5)
COLOR = Camera("color", 640, 480, 600.0, 600.0, 319.5, 239.5)
RIG = Rig({"depth": DEPTH, "color": COLOR}, (RigidTransform.identity("color", "depth"),))
rng = np.random.default_rng(0)
SLOPE = np.add.outer(np.arange(480), np.arange(640)) * 3 + 500
DEPTHS = [(SLOPE + rng.integers(0, 9, SLOPE.shape)).astype(np.uint16) for _ in range(8)]
COLORS = [(SLOPE[..., None] // (5, 6, 7) + rng.integers(0, 5, (480, 640, 3))).astype(np.uint8)
          for _ in range(8)]

def samples(index):
    stamp_ns = index * 33_333_333
    depth, color = DEPTHS[index % 8].copy(), COLORS[index % 8].copy()
    depth[0, 0], color[0, 0] = index + 1, (index >> 8, index & 255, 0)
    yield Sample("depth", stamp_ns, RawDepth(depth, 0.001, DEPTH, stamp_ns))
    yield Sample("color", stamp_ns, Image(color, "color", stamp_ns))

def main(path):
    with RecordingWriter(path, RIG, options=RecordingOptions(live=True)) as writer:
        next_s = time.monotonic()
        for index in range(100_000):
            for sample in samples(index):
                writer.write(sample)
            print(writer.written, index + 1, flush=True)
            next_s = max(next_s + 1 / 30, time.monotonic())
            time.sleep(max(0, next_s - time.monotonic()))

if __name__ == "__main__":
    main(sys.argv[1])
"""


def kill_one(folder, seconds):
    """Record, kill, and return the last count of accepted samples and of offered frames."""
    program = folder / "recorder.py"
    program.write_text(RECORDER)
    command = [sys.executable, str(program), str(folder / "a.mcap")]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        reader = threading.Thread(target=lambda: lines.extend(process.stdout))
        reader.start()
        end_s = time.monotonic() + 60
        # Until something was accepted, there is nothing to lose.
        while (
            not (lines and lines[-1].endswith("\n") and int(lines[-1].split()[0]) > 1)
            and time.monotonic() < end_s
        ):
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()
        reader.join()
    # The last line may be cut: the kill came while it was written.
    whole = [line for line in lines if line.endswith("\n")]
    accepted, offered = map(int, whole[-1].split())
    return accepted, offered


@pytest.mark.parametrize(
    "kills", [3, pytest.param(30, marks=pytest.mark.verify)], ids="{}-kills".format
)
def test_a_killed_recorder_loses_no_frame_that_it_accepted(kills, tmp_path, capsys):
    names, told = {}, []
    exec(RECORDER, names)
    chosen = random.Random(7 + kills)
    for kill in range(kills):
        folder = tmp_path / str(kill)
        folder.mkdir()
        accepted, offered = kill_one(folder, chosen.uniform(0.2, 1.5))
        with open_source(folder / "a.mcap") as source:
            assert "rebuilt by a scan" in source.notes[0]
            found = list(source.samples())
        assert accepted <= len(found) <= 2 * offered
        for place, sample in enumerate(found):
            expected = list(names["samples"](place // 2))[place % 2]
            assert (sample.stream, sample.timestamp_ns) == (expected.stream, expected.timestamp_ns)
            layer = "values" if sample.stream == "depth" else "pixels"
            assert np.array_equal(getattr(sample.data, layer), getattr(expected.data, layer))
        told.append(f"{accepted} of {2 * offered} accepted, {len(found)} read")
    assert run(["info", str(folder / "a.mcap")]) == 0
    assert "rebuilt by a scan" in capsys.readouterr().out
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(told))
