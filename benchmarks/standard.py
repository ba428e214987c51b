"""Standard data sets beside published figures: ``./run bench standard FOLDER``.

Runs ours over every sequence of TUM RGB-D, ICL-NUIM (TUM-compatible pictures with the
``.gt.freiburg`` file) and Redwood (pictures with a ``.log`` trajectory) that a folder holds. The
published figures are those of the systems' authors on their machines; ours are from this run.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import standard_published as published
from machine import describe
from standard_folders import Standard, find

from sensorfusion.config import FusionSettings, Settings
from sensorfusion.errors import SensorFusionError
from sensorfusion.evaluate.mesh import compare_meshes
from sensorfusion.evaluate.trajectory import compare_trajectories
from sensorfusion.evaluate.worlds import fit_world
from sensorfusion.export.ply import read_mesh
from sensorfusion.export.reconstruction import Reconstruction
from sensorfusion.pipeline import reconstruct
from sensorfusion.trajectory import Trajectory
from sensorfusion.triangle_mesh import TriangleMesh


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="standard.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the sequences stand, up to 3 levels below")
    parser.add_argument("--voxel-size-m", type=float, default=0.01)
    parser.add_argument("--frames", type=int, default=0, help="only the first so many")
    parser.add_argument("--json", type=Path, help="write everything into this file, too")
    asked = parser.parse_args(arguments)
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder} is no folder")
    sequences = list(find(asked.folder))
    if not sequences:
        print(
            f"{asked.folder} holds no sequence of TUM RGB-D (depth.txt, groundtruth.txt), ICL-NUIM "
            "(depth/, rgb/, *.gt.freiburg) or Redwood (depth/, color/, *.log); nothing was run"
        )
        return 1
    report: dict[str, Any] = {"machine": describe(), "voxel_size_m": asked.voxel_size_m}
    report["sequences"] = found = []
    for sequence in sequences:
        try:
            measured = measure(sequence, asked.voxel_size_m, asked.frames)
        except SensorFusionError as error:
            measured = {"name": sequence.name, "failed": str(error)}
        found.append(measured)
        show(measured)
        if asked.json:
            asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("\n" + (published.__doc__ or "").split("----------\n", 1)[1].strip())
    return 0


def measure(sequence: Standard, voxel_size_m: float, frames: int) -> dict[str, Any]:
    """Run ours over a sequence and compare it with the truth."""
    settings = Settings(fusion=FusionSettings(voxel_size_m=voxel_size_m))
    with tempfile.TemporaryDirectory() as scratch:
        options = dict(sequence.options)
        if not sequence.has_intrinsics:
            fx, fy, cx, cy = sequence.lens
            lens = Path(scratch) / "intrinsics.txt"
            np.savetxt(lens, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
            options["intrinsics"] = str(lens)
        found = reconstruct(
            sequence.folder,
            settings,
            options=options,
            go_on=(lambda done, _total: done < frames) if frames else None,
        )
    truth = sequence.read_truth()
    report = found.report
    return {
        "name": sequence.name,
        "frames_used": report.used,
        "frames_in": report.frames_in,
        "dropped": dict(report.dropped),
        "frames_per_second": report.facts["frames_per_second"],
        **asdict(compare_trajectories(found.trajectory, truth)),
        "surface_mean_m": _surface_error_m(sequence, found, truth),
        "published_ate_m": published.ATE_M.get(sequence.name, {}),
        "published_surface_m": published.SURFACE_M.get(sequence.name, {}),
    }


def _surface_error_m(sequence: Standard, found: Reconstruction, truth: Trajectory) -> float | None:
    """Return the mean distance to the true surface after ICP, or None where that is not here."""
    if sequence.true_mesh is None:
        return None
    true = read_mesh(sequence.true_mesh)
    if sequence.mirrored:
        vertices = true.vertices * np.array([1, -1, 1], np.float32)
        true = TriangleMesh(vertices, np.ascontiguousarray(true.triangles[:, ::-1]))
    moved = found.mesh.moved(fit_world(found.trajectory, truth))
    return compare_meshes(moved, true).aligned.accuracy_mean_m


def show(measured: dict[str, Any]) -> None:
    """Print ours beside what was published."""
    print(f"\n{measured['name']}")
    if "failed" in measured:
        print(f"  FAILED: {measured['failed']}")
        return
    used, given = measured["frames_used"], measured["frames_in"]
    reasons = ", ".join(f"{count} x {why}" for why, count in measured["dropped"].items())
    print(f"  frames used {used} of {given}" + (f" ({reasons})" if reasons else ""))
    if used < given and measured["published_ate_m"]:
        print("  the published figures are over the whole sequence: not comparable")
    _row("trajectory, ATE mm", measured["ate_rmse_m"], measured["published_ate_m"])
    if measured["surface_mean_m"] is not None or measured["published_surface_m"]:
        title = "surface, mean mm"
        _row(title, measured["surface_mean_m"], measured["published_surface_m"])
    sys.stdout.flush()


def _row(title: str, ours_m: float | None, others_m: dict[str, float]) -> None:
    figure = "not measured (no true mesh here)" if ours_m is None else f"{1000 * ours_m:.1f}"
    others = ", ".join(f"{name} {1000 * value:.0f}" for name, value in others_m.items())
    print(f"  {title:20} ours {figure}; published: {others or 'none quoted'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
