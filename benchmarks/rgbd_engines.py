"""One engine on one sequence in a process of its own: ``rgbd_engines.py JOB.json``.

Writes ``result.json`` and ``mesh.npz`` into the folder that the job names.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import forget_peak, held_mb, peak_mb
from rgbd_peers import Outcome, dense_slam, far_m, odometry_and_grid
from rgbd_sequences import PlayedSource, Sequence

from sensorfusion.config import FusionSettings, Settings
from sensorfusion.errors import SensorFusionError
from sensorfusion.pipeline import reconstruct
from sensorfusion.sources.registry import open_source

WARM_UP_FRAMES = 3


def ours(source: PlayedSource, voxel_size_m: float) -> Outcome:
    """Run the path of this package with default settings."""
    fused_s: list[float] = []

    def note(_done: int, _total: int | None) -> bool:
        fused_s.append(time.perf_counter())
        return True

    settings = Settings(fusion=FusionSettings(voxel_size_m=voxel_size_m))
    found = reconstruct(source, settings, go_on=note)
    end_s = time.perf_counter()
    first_s = source.first_read_s or end_s
    return Outcome(
        found.trajectory.timestamps_ns.tolist(),
        list(found.trajectory.matrices),
        fused_s[-1] - first_s,
        end_s - first_s,
        found.report.dropped,
        found.mesh,
    )


ENGINES: dict[str, Callable[[PlayedSource, float], Outcome]] = {
    "ours": ours,
    "dense_slam": dense_slam,
    "odometry_and_grid": odometry_and_grid,
}


def run(engine: str, sequence: Sequence, cache: Path | None, out: Path) -> dict[str, object]:
    """Run an engine; return what was measured and leave the mesh in ``out``."""
    import cv2  # noqa: F401 - an import that the figures are to be above
    import open3d  # noqa: F401

    with open_source(sequence.location, options=sequence.options) as source:
        played = PlayedSource(source, sequence.frames, cache)
        before_mb = held_mb()
        # Kernels are loaded or compiled, and thread pools started, before anybody's clock runs.
        ENGINES[engine](PlayedSource(source, WARM_UP_FRAMES, cache), sequence.voxel_size_m)
        reach_m = far_m(source.rig)
        forget_peak()
        outcome = ENGINES[engine](played, sequence.voxel_size_m)
        memory_mb = peak_mb() - before_mb
    mesh = outcome.mesh
    if mesh is not None:
        np.savez(out / "mesh.npz", vertices=mesh.vertices, triangles=mesh.triangles)
    np.savez(
        out / "poses.npz",
        timestamps_ns=np.array(outcome.timestamps_ns, np.int64),
        matrices=np.array(outcome.matrices, np.float64).reshape(-1, 4, 4),
    )
    return {
        "far_m": reach_m,
        "frames_in": len(played),
        "frames_used": len(outcome.timestamps_ns),
        "dropped": dict(outcome.dropped),
        "loop_s": outcome.loop_s,
        "frames_per_s": len(played) / outcome.loop_s,
        "whole_s": outcome.whole_s,
        "memory_mb": memory_mb,
        "triangles": 0 if mesh is None else len(mesh.triangles),
    }


def main(job: Path) -> int:
    """Do a job; return the exit code."""
    asked = json.loads(job.read_text(encoding="utf-8"))
    out = Path(asked["out"])
    cache = Path(asked["cache"]) if asked["cache"] else None
    try:
        result = run(asked["engine"], Sequence(**asked["sequence"]), cache, out)
    except SensorFusionError as error:
        result = {"failed": str(error)}
    (out / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
