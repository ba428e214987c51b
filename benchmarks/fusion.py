"""Fusion alone, from the touched blocks to the updated voxels: ``./run bench fusion``.

Open3D's ``VoxelBlockGrid`` with its usual 16^3 blocks, and with 8^3, beside ours, which writes into
such a grid of 8^3 blocks. Poses are those of the recording; frames are decoded, scaled and coloured
before any clock. The engines take turns in chunks of five frames in one process, each time in
another order. Truncation is 40 mm at every voxel size. Open3D's blocks are allocated beforehand;
ours grows as it goes, inside of its clock.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray
from rgbd_peers import SMALLEST_WEIGHT, Picture, as_mesh, far_m, fuse, new_grid, prepare
from rgbd_sequences import DATA

from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import color_at_depth
from sensorfusion.depth_map import DepthMap
from sensorfusion.evaluate.mesh import compare_meshes
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.sources.driver import FrameSource
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

TRUNCATION_M = 0.04
STRIDE = 3
CHUNK = 5
WARM_UP = 2
MARKS = {0.01: (9.0, 6.0), 0.005: (7.0, 4.5)}
"""Open3D's time over ours, by voxel size: against 16^3 blocks, and against 8^3."""
BLOCKS = {16: 20_000, 8: 100_000}


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame as both take it.

    Attributes
    ----------
    depth : DepthMap
    colors : ndarray of uint8, shape (H, W, 4)
    T_world_camera : RigidTransform
    picture : Picture
    T_camera_world : open3d.core.Tensor
        float64 (4, 4).
    """

    depth: DepthMap
    colors: NDArray[np.uint8] | None
    T_world_camera: RigidTransform
    picture: Picture
    T_camera_world: Any


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="fusion.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--voxel-size-m", type=float, nargs="+", default=sorted(MARKS)[::-1])
    parser.add_argument("--frames", type=int, default=60, help="so many, every third one")
    parser.add_argument("--json", type=Path, help="write everything into this file, too")
    asked = parser.parse_args(arguments)
    folder = DATA / "rgbd-7scenes"
    if not folder.exists():
        print("skipped: rgbd-7scenes is not here; SENSORFUSION_DATA names the folder it stands in")
        return 0
    if asked.frames <= WARM_UP:
        parser.error(f"--frames must be more than {WARM_UP}, which warm up")
    report: dict[str, Any] = {"machine": describe(), "truncation_m": TRUNCATION_M, "runs": []}
    with open_source(folder) as source:
        frames = decoded(source, asked.frames)
    for voxel_size_m in asked.voxel_size_m:
        measured = measure(frames, voxel_size_m)
        report["runs"].append(measured)
        show(measured)
        if asked.json:
            asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def decoded(source: FrameSource, count: int) -> list[Prepared]:
    """Return every third frame of a source in metres, with colours and its recorded pose."""
    import open3d as o3d

    if source.trajectory is None:
        msg = "the recording holds no poses; fusion alone needs them"
        raise SystemExit(msg)
    settings = DepthSettings(near_m=0.0, far_m=far_m(source.rig), flying_pixel_filter=False)
    frames = []
    for index, frame in enumerate(source):
        if len(frames) == count:
            break
        pose = source.trajectory.at(frame.timestamp_ns)
        if index % STRIDE or pose is None:
            continue
        depth = absolute_depth(frame, settings, source.rig)
        image = frame.images["color"]
        T_color_depth = source.rig.transform("color", depth.camera.name)
        colors = color_at_depth(depth, image, source.rig.cameras["color"], T_color_depth)
        picture = prepare(frame, source.rig)
        T_camera_world = o3d.core.Tensor(pose.inverse().matrix)
        frames.append(Prepared(depth, colors, pose, picture, T_camera_world))
    return frames


def measure(frames: list[Prepared], voxel_size_m: float) -> dict[str, Any]:
    """Fuse the frames with each engine in turn; return milliseconds a frame and the surfaces."""
    truncation_voxels = TRUNCATION_M / voxel_size_m
    volume = Volume(voxel_size_m, TRUNCATION_M)
    grids = {size: new_grid(voxel_size_m, size, count) for size, count in BLOCKS.items()}

    def with_grid(size: int) -> Callable[[Prepared], None]:
        return lambda one: fuse(grids[size], one.picture, one.T_camera_world, truncation_voxels)

    engines: dict[str, Callable[[Prepared], None]] = {
        "ours": lambda one: integrate_depth(volume, one.depth, one.T_world_camera, one.colors),
        "grid_16": with_grid(16),
        "grid_8": with_grid(8),
    }
    names = list(engines)
    taken_ms: dict[str, list[float]] = {name: [] for name in names}
    for number, start in enumerate(range(0, len(frames), CHUNK)):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            for one in frames[start : start + CHUNK]:
                clock = time.perf_counter()
                engines[name](one)
                taken_ms[name].append(1000 * (time.perf_counter() - clock))
    surfaces = {
        "ours": extract_mesh(volume, SMALLEST_WEIGHT),
        **{f"grid_{size}": _surface(grid) for size, grid in grids.items()},
    }
    medians = {name: statistics.median(values[WARM_UP:]) for name, values in taken_ms.items()}
    agreement = compare_meshes(surfaces["ours"], surfaces["grid_16"], samples=50_000).as_given
    return {
        "voxel_size_m": voxel_size_m,
        "frames": len(frames),
        "median_ms": medians,
        "all_ms": taken_ms,
        "ratio_16": medians["grid_16"] / medians["ours"],
        "ratio_8": medians["grid_8"] / medians["ours"],
        "triangles": {name: len(mesh.triangles) for name, mesh in surfaces.items()},
        "ours_to_grid_16_m": agreement.accuracy_mean_m,
        "fscore_1cm": agreement.fscore_1cm,
    }


def _surface(grid: Any) -> TriangleMesh:  # noqa: ANN401
    return as_mesh(grid.extract_triangle_mesh(weight_threshold=SMALLEST_WEIGHT))


def show(measured: dict[str, Any]) -> None:
    """Print what was measured beside the marks to reach."""
    size_m = measured["voxel_size_m"]
    print(f"\nfusion of {measured['frames']} frames with colour, voxels of {1000 * size_m:g} mm")
    for name, value in measured["median_ms"].items():
        print(f"  {name:8} {value:8.2f} ms a frame  {measured['triangles'][name]:9} triangles")
    print(
        f"  same surface: {1000 * measured['ours_to_grid_16_m']:.2f} mm from ours to Open3D's, "
        f"F at 1 cm {measured['fscore_1cm']:.3f}"
    )
    for title, key, mark in zip(
        ("16^3", "8^3"), ("ratio_16", "ratio_8"), MARKS.get(size_m, (None, None)), strict=True
    ):
        ratio = measured[key]
        aim = "" if mark is None else f"  at least {mark:g}: "
        found = "" if mark is None else ("reached" if ratio >= mark else "MISSED")
        print(f"  Open3D's {title} blocks / ours  {ratio:.2f}{aim}{found}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
