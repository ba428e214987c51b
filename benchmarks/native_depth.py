"""How much surface a frame shows natively, and after alignment to the colour camera.

``./run bench native_depth``: simulated D435 frames (depth 640x480, 79 degrees; colour 848x480, 69
degrees) and the real D435 frame of the data folder, where it is.

For each: measured points (pixels that a depth pixel of the sensor stands behind), pixels with
depth (alignment fills between points, so that these are no measure of surface), the area that the
pixels cover at their depth, seen square on, and the area of the surface that one frame fuses to.

Of a wall, the simulated camera sees 1.9 times as much natively, in points and in area. In a room
the points stay so, and the area is less: what stands at the rim, which the colour camera does not
see, is nearer than what is in the middle.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np

from sensorfusion.camera import ray_table
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import align_depth
from sensorfusion.depth.uncertainty import with_uncertainty
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SENSORFUSION_DATA", ROOT.parent / "shared" / "data"))
REAL = DATA / "realsense-d435-bag" / "single_depth_color_640x480.bag"
SEEDS = (0, 1, 2)
FRAMES, STEP = 300, 30
VOXEL_M, TRUNCATION_M = 0.01, 0.04


@dataclass(frozen=True, slots=True)
class Shown:
    """What one depth map shows."""

    points: float
    pixels: float
    facing_m2: float
    fused_m2: float


def shown(depth: DepthMap) -> Shown:
    """Measure what one depth map shows."""
    down, across = np.gradient(ray_table(depth.camera), axis=(0, 1))
    pixel_at_1_m_m2 = np.abs(np.cross(np.insert(across, 2, 0, -1), np.insert(down, 2, 0, -1)))
    facing_m2 = np.nansum(depth.metres.astype(float) ** 2 * pixel_at_1_m_m2[..., 2])
    points = int((depth.origins() == Origin.MEASURED).sum())
    return Shown(points, int(depth.valid.sum()), float(facing_m2), fused_m2(depth))


def fused_m2(depth: DepthMap) -> float:
    """Return the area of the surface that one depth map fuses to."""
    volume = Volume(VOXEL_M, TRUNCATION_M)
    integrate_depth(volume, depth, RigidTransform.identity("world", depth.camera.name))
    mesh = extract_mesh(volume, 1.0)
    a, b, c = np.moveaxis(mesh.vertices[mesh.triangles].astype(np.float64), 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def both(location: str, **options: str) -> Iterator[tuple[Shown, Shown]]:
    """Yield what frames of a recording show natively, and aligned to the colour camera."""
    with open_source(location, options=options) as source:
        rig, color = source.rig, source.rig.cameras["color"]
        for frame in islice(source, 0, None, STEP):
            noise = rig.noise_of(frame.sensor)
            native = absolute_depth(frame, DepthSettings(), rig)
            aligned = align_depth(native, color, rig.transform("color", frame.sensor))
            yield shown(native), shown(with_uncertainty(aligned, noise))


def line(name: str, pairs: list[tuple[Shown, Shown]]) -> str:
    """Return one line: native / aligned of each figure, and the smallest ratio of a frame."""
    parts = [f"{name} ({len(pairs)} frames):"]
    for field in fields(Shown):
        native, aligned = (
            np.array([getattr(p[i], field.name) for p in pairs], dtype=float) for i in (0, 1)
        )
        unit, digits = ("m^2", 2) if field.name.endswith("_m2") else ("", 0)
        parts.append(
            f"{field.name} {native.mean():.{digits}f} / {aligned.mean():.{digits}f}{unit and ' '}"
            f"{unit} = {native.sum() / aligned.sum():.2f} (least {(native / aligned).min():.2f})"
        )
    return "\n  ".join(parts)


def main() -> int:
    for seed in SEEDS:
        options = {"noise": "d435", "frames": str(FRAMES), "seed": str(seed)}
        print(line(f"simulated D435, room {seed}", list(both("synthetic:room", **options))))
    if REAL.exists():
        print(line("real D435", list(both(str(REAL)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
