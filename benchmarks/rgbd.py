"""Ours beside Open3D's two ways, same frames, same voxel size, alternating: ``./run bench rgbd``.

Each engine runs each sequence in a process of its own. What is measured:

frames/s
    Frames over the time from the first frame read to the last one fused. Ours decodes its frames
    inside of that time; Open3D's clock stops while it waits for a frame, so that decoding and
    bringing colour to the depth camera cost it nothing. Simulated frames are rendered to files
    before. Each engine does three frames before its clock starts.
whole
    From the first frame asked for to the mesh in hand, waiting for frames included.
MB
    Peak resident memory above imports and the open source.
ATE, RPE
    Against the true poses; those of ``rgbd-7scenes`` are good to 15-20 mm only.
F
    At 1 and 2 cm, in the world of the first true pose, and after ICP ("aligned"). Against the
    exact surface where simulated, else against a mesh that Open3D fuses at 5 mm with the poses
    of the recording.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence as Rows
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from rgbd_marks import judge, ratios, summary
from rgbd_peers import BLOCK_COUNT, SMALLEST_WEIGHT, TRUNCATION_VOXELS
from rgbd_sequences import Sequence, chosen, render, truth_of

from sensorfusion.config import Settings
from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.mesh import compare_meshes
from sensorfusion.evaluate.trajectory import compare_trajectories
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

HERE = Path(__file__).parent
ENGINES = ("ours", "dense_slam", "odometry_and_grid")
LOST_M = 0.25
LONGEST_S = 3600
COMPILE_FRAMES = 3
COLUMNS = (
    ("frames/s", "frames_per_s", 1.0, ".1f"),
    ("whole s", "whole_s", 1.0, ".1f"),
    ("MB", "memory_mb", 1.0, ".0f"),
    ("ATE mm", "ate_rmse_m", 1e3, ".2f"),
    ("RPE1 mm", "rpe_1_rmse_m", 1e3, ".2f"),
    ("RPE30 mm", "rpe_30_rmse_m", 1e3, ".2f"),
    ("F1", "fscore_1cm", 1.0, ".3f"),
    ("F2", "fscore_2cm", 1.0, ".3f"),
    ("F1 aligned", "aligned_fscore_1cm", 1.0, ".3f"),
    ("F2 aligned", "aligned_fscore_2cm", 1.0, ".3f"),
)


def main(arguments: Rows[str]) -> int:
    """Run the benchmark; return the exit code."""
    asked = parse(arguments)
    sequences = chosen(asked.sequence, asked.voxel_size_m, asked.frames)
    engines = tuple(asked.engine) or ENGINES
    report: dict[str, Any] = {
        "machine": describe(),
        "settings": {
            "ours": asdict(Settings()),
            "peers": {
                "depth_max": "as far as ours uses the sensor",
                "trunc_voxel_multiplier": TRUNCATION_VOXELS,
                "block_count": BLOCK_COUNT,
                "weight_threshold": SMALLEST_WEIGHT,
            },
            "rounds": asked.rounds,
        },
        "sequences": [],
    }
    load = report["machine"]["load_before"]
    if load > 0.5:
        print(f"the machine is busy (load {load}): accuracy holds, speeds do not")
    for sequence in sequences:
        measured = measure(sequence, engines, asked.rounds)
        report["sequences"].append(measured)
        show(sequence, measured)
        if asked.json:
            asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for line in summary(report["sequences"]):
        print(line)
    return 0


def parse(arguments: Rows[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rgbd.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--sequence",
        nargs="+",
        default=[],
        metavar="NAME",
        help="sequences whose names begin so (rgbd-7scenes, kinect, d435-room0, ...); all of them "
        "take hours",
    )
    parser.add_argument("--voxel-size-m", type=float, help="instead of each sequence's own")
    parser.add_argument("--frames", type=int, default=0, help="only the first so many")
    parser.add_argument("--rounds", type=int, default=1, help="medians are over so many")
    parser.add_argument("--engine", nargs="+", default=[], choices=ENGINES)
    parser.add_argument("--json", type=Path, help="write everything into this file, too")
    asked = parser.parse_args(arguments)
    if asked.rounds < 1 or asked.frames < 0:
        parser.error("--rounds must be at least 1, --frames not negative")
    return asked


def measure(sequence: Sequence, engines: Rows[str], rounds: int) -> dict[str, Any]:
    """Run the engines in turn, the first one changing from round to round."""
    truth = truth_of(sequence)
    runs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    with tempfile.TemporaryDirectory() as folder:
        cache = None
        if sequence.is_synthetic:
            cache = Path(folder) / "frames"
            cache.mkdir()
            render(sequence, cache)
        if "ours" in engines:
            # Kernels that have to be compiled are, in a process that nobody measures.
            out = Path(folder) / "compile"
            out.mkdir()
            run("ours", replace(sequence, frames=COMPILE_FRAMES), cache, out)
        for number in range(rounds):
            turn = number % len(engines)
            for engine in (*engines[turn:], *engines[:turn]):
                out = Path(folder) / f"{engine}-{number}"
                out.mkdir()
                runs[engine].append(run(engine, sequence, cache, out) | score(out, truth))
    medians = {engine: median(results) for engine, results in runs.items()}
    found: dict[str, Any] = {
        "name": sequence.name,
        "voxel_size_m": sequence.voxel_size_m,
        "options": dict(sequence.options),
        "engines": medians,
        "runs": runs,
    }
    if {"ours", "dense_slam"} <= set(engines):
        found["ratios"] = ratios(medians["ours"], medians["dense_slam"])
    return found


def run(engine: str, sequence: Sequence, cache: Path | None, out: Path) -> dict[str, Any]:
    """Run one engine in a process of its own."""
    job = out / "job.json"
    asked = {
        "engine": engine,
        "sequence": sequence.to_json(),
        "cache": str(cache) if cache else None,
        "out": str(out),
    }
    job.write_text(json.dumps(asked), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(HERE / "rgbd_engines.py"), str(job)],
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    result = out / "result.json"
    if done.returncode or not result.exists():
        lines = done.stderr.strip().splitlines() or ["said nothing"]
        return {"failed": f"ended with code {done.returncode}: {lines[-1]}"}
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def score(out: Path, truth: tuple[Trajectory, TriangleMesh]) -> dict[str, Any]:
    """Compare what an engine left in its folder with the truth; empty where it left nothing."""
    found: dict[str, Any] = {}
    poses, mesh = out / "poses.npz", out / "mesh.npz"
    if poses.exists():
        with np.load(poses) as held:
            estimate = trajectory(held["timestamps_ns"], held["matrices"])
        try:
            found |= asdict(compare_trajectories(estimate, truth[0]))
        except EvaluationError as error:
            found["unscored"] = str(error)
    if mesh.exists():
        with np.load(mesh) as held:
            surface = TriangleMesh(held["vertices"], held["triangles"])
        try:
            error = compare_meshes(surface, truth[1])
        except EvaluationError as refused:
            return found | {"unscored": str(refused)}
        found |= asdict(error.as_given)
        found |= {f"aligned_{key}": value for key, value in asdict(error.aligned).items()}
    return found


def trajectory(timestamps_ns: np.ndarray, matrices: np.ndarray) -> Trajectory:
    # Open3D's products of float matrices drift from exact rotations.
    poses = [RigidTransform.nearest("world", "depth", matrix) for matrix in matrices]
    return Trajectory(timestamps_ns.tolist(), poses)


def median(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every number over the rounds, and what else the first round said."""
    found = dict(results[0])
    for key, value in results[0].items():
        if isinstance(value, (int, float)):
            values = [result[key] for result in results if result.get(key) is not None]
            found[key] = statistics.median(values)
    failed = [result["failed"] for result in results if "failed" in result]
    return found | ({"failed": failed[0]} if failed else {})


def verdict(result: dict[str, Any]) -> str:
    """Return whether an engine's figures stand for the whole sequence."""
    if "failed" in result:
        return f"FAILED: {result['failed']}"
    notes = []
    if result["frames_used"] < result["frames_in"]:
        reasons = ", ".join(f"{count} x {why}" for why, count in result["dropped"].items())
        notes.append(f"ONLY {result['frames_used']:.0f} OF {result['frames_in']:.0f} ({reasons})")
    if result.get("ate_rmse_m", 0.0) > LOST_M:
        notes.append("LOST ITS WAY")
    if "unscored" in result:
        notes.append(f"NOT SCORED: {result['unscored']}")
    return ", ".join(notes) or f"all {result['frames_in']:.0f} frames"


def show(sequence: Sequence, measured: dict[str, Any]) -> None:
    """Print the table of a sequence, the ratios and the marks they are to reach."""
    print(f"\n{sequence.name}, voxels of {1000 * sequence.voxel_size_m:g} mm")
    print(f"{'':18}" + "".join(f"{title:>11}" for title, *_ in COLUMNS))
    for engine, result in measured["engines"].items():
        cells = [
            f"{format(scale * result[key], form) if result.get(key) is not None else '-':>11}"
            for _, key, scale, form in COLUMNS
        ]
        print(f"{engine:18}{''.join(cells)}  {verdict(result)}")
    if "ratios" in measured:
        medians = measured["engines"]
        for line in judge(sequence, medians["ours"], medians["dense_slam"]):
            print(f"  {line}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
