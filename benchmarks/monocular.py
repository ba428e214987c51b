"""Monocular depth made absolute: ``./run bench monocular [--model FILE.onnx] [--json]``.

The model is the one that ships (``recordings/rooms.onnx``); the rooms are others than it learnt
from (``monocular_rooms.py``: seeds from 1000 on).

- ``anchors``: pictures of the room's colour camera, half its size, with 100 pixels known to 2 %, of
  which 10 % are wrong (any depth from 0.3 to 8 m). Mean AbsRel over all other pixels, of the model
  after its fit, of the model held by the anchors, and of the same anchors without the model:
  nearest, linear over Delaunay's triangles, and smooth (the same kriging, of log z itself, which
  chooses its own lengths). The first two get the anchors without those that differ from the median
  of their eight neighbours by more than 3.5 robust deviations; the third drops what contradicts it.
  ``sigma``: 68th percentile of abs(error) / sigma_m in five bins of equal count.
- ``drift``: every second picture of a way through two rooms: spread of the scale that each frame's
  anchors ask for, and how depth agrees with that of pictures twenty frames before, by one fit for
  all and anchored.
- ``holes``: frames of a simulated D435: AbsRel of what the model fills, and the mesh (given poses,
  10 mm) of as many frames with and without it, against the surface that was seen.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2  # noqa: TID253
import numpy as np
from machine import describe
from numpy.typing import NDArray

from sensorfusion.config import DepthSettings, Settings
from sensorfusion.config_pictures import ModelSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.kriging import fit_field
from sensorfusion.depth.model_file import load_model
from sensorfusion.depth.monocular import anchored_depth
from sensorfusion.depth.predicted import fill_holes
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.evaluate.drift import DriftCheck
from sensorfusion.evaluate.mesh import compare_meshes
from sensorfusion.evaluate.uncertainty import bins_by_sigma
from sensorfusion.frame import Frame
from sensorfusion.pipeline import reconstruct
from sensorfusion.sources.driver import SeekableFrameSource, Truth
from sensorfusion_drivers.synthetic import SyntheticDriver
from sensorfusion_drivers.synthetic.driver import AnyNoise

ROOT = Path(__file__).parents[1]
ANCHORS, NOISE, WRONG = 100, 0.02, 0.1
WRONG_M = (0.3, 8.0)
SEEDS = tuple(range(200, 212))
FRAMES_OF_A_ROOM = (0, 150, 300, 450)
DRIFT_SEEDS, DRIFT_FRAMES, DRIFT_EVERY = (200, 201), 82, 2
HOLE_SEEDS, HOLE_FRAMES = (200, 201, 202, 203), (0, 200, 400)
MESH_SEED, MESH_FRAMES = 200, 150
NEIGHBOURS, OUTLIER = 8, 3.5

Floats = NDArray[np.float64]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "recordings" / "rooms.onnx")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("anchors", "drift", "holes", "mesh"))
    options = parser.parse_args()
    model = ModelSettings(file=str(options.model))
    parts = {"anchors": anchors, "drift": drift, "holes": holes, "mesh": mesh}
    found: dict[str, Any] = {"model": options.model.name}
    for name, measure in parts.items():
        if options.only in (None, name):
            found[name] = measure(model)
            if not options.json:
                print(f"{name}: {json.dumps(found[name], indent=2)}", flush=True)
    if options.json:
        print(json.dumps(found | describe(), indent=2))
    return 0


def anchors(
    model: ModelSettings,
    seeds: Sequence[int] = SEEDS,
    indices: Sequence[int] = FRAMES_OF_A_ROOM,
) -> dict[str, Any]:
    errors: dict[str, list[float]] = {}
    off: list[Floats] = []
    stated: list[Floats] = []
    for frame, truth, known in scattered(seeds, indices):
        picture = frame.images["color"]
        relative = load_model(model)(picture, known.camera)
        depth, fit = anchored_depth(relative, known, picture.pixels)
        asked = (truth > 0) & ~known.valid
        made = {
            "model fitted": fit.metres(relative.values),
            "model held by anchors": depth.metres,
            **without_model(known),
        }
        for name, metres in made.items():
            error = np.abs(metres[asked] / truth[asked] - 1).mean()
            errors.setdefault(name, []).append(float(error))
        off.append(np.abs(depth.metres - truth)[asked].astype(np.float64))
        stated.append(depth.sigmas_m()[asked].astype(np.float64))
    means = {name: round(float(np.mean(values)), 4) for name, values in errors.items()}
    best = min(means[name] for name in ("nearest", "linear", "smooth"))
    bins = bins_by_sigma(np.concatenate(off), np.concatenate(stated))
    return {
        "pictures": len(off),
        "abs_rel": means,
        "below_best_interpolation": round(1 - means["model held by anchors"] / best, 3),
        "sigma_ratio_68": [round(one.ratio_68, 2) for one in bins],
    }


def drift(model: ModelSettings) -> dict[str, Any]:
    rooms = {}
    for seed in DRIFT_SEEDS:
        source, truth = opened(seed, DRIFT_FRAMES)
        check = DriftCheck()
        for index in range(0, DRIFT_FRAMES, DRIFT_EVERY):
            frame = source[index]
            depth = known_depth(truth, seed, index)
            picture = frame.images["color"]
            relative = load_model(model)(picture, depth.camera)
            T_world_depth = source.trajectory.poses[index]
            pose = T_world_depth @ source.rig.transform("depth", "color")
            check.add(index, relative, depth, picture.pixels, pose)
        found = asdict(check.result())
        del found["frames"]
        rooms[str(seed)] = found
    return rooms


def holes(
    model: ModelSettings,
    seeds: Sequence[int] = HOLE_SEEDS,
    indices: Sequence[int] = HOLE_FRAMES,
) -> dict[str, Any]:
    settings = DepthSettings(far_m=6.0, model=model)
    errors: list[Floats] = []
    stated: list[Floats] = []
    empty = filled = 0
    for seed in seeds:
        source, truth = opened(seed, 600, noise="d435", scale=1.0)
        for index in indices:
            frame = source[index]
            measured = absolute_depth(frame, settings, source.rig)
            depth = fill_holes(measured, frame, settings, source.rig).depth
            exact = exact_metres(truth, "depth", index)
            new = (depth.origins() == Origin.PREDICTED) & (exact > 0)
            empty += int((~measured.valid).sum())
            filled += int(new.sum())
            errors.append((np.abs(depth.metres - exact) / exact)[new].astype(np.float64))
            stated.append((depth.sigmas_m() / exact)[new].astype(np.float64))
    together = np.concatenate(errors)
    bins = bins_by_sigma(together, np.concatenate(stated))
    return {
        "frames": len(errors),
        "share_of_holes_filled": round(filled / empty, 3),
        "abs_rel": round(float(together.mean()), 4),
        "median_abs_rel": round(float(np.median(together)), 4),
        "sigma_ratio_68": [round(one.ratio_68, 2) for one in bins],
    }


def mesh(model: ModelSettings, frames: int = MESH_FRAMES, scale: float = 0.5) -> dict[str, Any]:
    options = {"noise": "d435", "frames": str(frames), "seed": str(MESH_SEED)}
    options["scale"] = str(scale)
    _, truth = opened(MESH_SEED, frames, noise="d435", scale=scale)
    if truth.mesh is None:
        msg = "the simulated room knows no surface"
        raise SystemExit(msg)
    found: dict[str, Any] = {}
    for name, used in (("without", ModelSettings()), ("with", model)):
        settings = Settings(depth=DepthSettings(model=used))
        result = reconstruct("synthetic:room", settings, options=options, poses="recording")
        error = compare_meshes(result.mesh, truth.mesh).as_given
        found[name] = {
            "accuracy_mean_m": round(error.accuracy_mean_m, 5),
            "completeness_mean_m": round(error.completeness_mean_m, 5),
            "vertices": len(result.mesh.vertices),
        }
    ratio = found["with"]["accuracy_mean_m"] / found["without"]["accuracy_mean_m"]
    return found | {"ratio": round(ratio, 3)}


def opened(
    seed: int, frames: int, *, noise: AnyNoise = "none", scale: float = 0.5
) -> tuple[SeekableFrameSource, Truth]:
    driver = SyntheticDriver()
    source = driver.open("synthetic:room", frames=frames, noise=noise, seed=seed, scale=scale)
    truth = driver.truth("synthetic:room", frames=frames, noise=noise, seed=seed, scale=scale)
    return source, truth


def exact_depth(truth: Truth, camera: str, index: int) -> DepthMap:
    if truth.depth is None:
        msg = "the simulated room knows no depth"
        raise SystemExit(msg)
    return truth.depth(camera, index)


def exact_metres(truth: Truth, camera: str, index: int) -> NDArray[np.float32]:
    return exact_depth(truth, camera, index).metres


def known_depth(truth: Truth, seed: int, index: int) -> DepthMap:
    """Return what is known of a picture: some pixels, nearly, and a tenth of them wrong."""
    exact = exact_depth(truth, "color", index)
    rng = np.random.default_rng([seed, index])
    places = rng.choice(np.flatnonzero(exact.metres > 0), ANCHORS, replace=False)
    metres = exact.metres.ravel()[places] * (1 + NOISE * rng.standard_normal(ANCHORS))
    wrong = rng.random(ANCHORS) < WRONG
    metres[wrong] = rng.uniform(*WRONG_M, wrong.sum())
    known = np.zeros_like(exact.metres)
    known.ravel()[places] = metres
    return DepthMap(known, exact.camera, exact.timestamp_ns, np.float32(NOISE) * known)


def scattered(
    seeds: Sequence[int], indices: Sequence[int]
) -> Iterator[tuple[Frame, NDArray[np.float32], DepthMap]]:
    """Yield frames, the exact depth of their pictures, and what is known of it."""
    for seed in seeds:
        source, truth = opened(seed, 600)
        for index in indices:
            frame = source[index]
            yield frame, exact_metres(truth, "color", index), known_depth(truth, seed, index)


def without_model(known: DepthMap) -> dict[str, Floats]:
    """Return the picture's depth interpolated from the anchors alone."""
    height, width = known.metres.shape
    rows, columns = np.nonzero(known.valid)
    places = np.stack([columns, rows], axis=1).astype(np.float64)
    logs = np.log(known.metres[rows, columns].astype(np.float64))
    away = np.linalg.norm(places[:, None] - places[None], axis=2)
    beside = np.argsort(away, axis=1)[:, 1 : 1 + NEIGHBOURS]
    off = logs - np.median(logs[beside], axis=1)
    sound = np.abs(off) < OUTLIER * 1.4826 * np.median(np.abs(off))
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    near = np.linalg.norm(grid[:, None] - places[sound][None], axis=2).argmin(axis=1)
    nearest = logs[sound][near].reshape(height, width)
    linear = triangulated(places[sound], logs[sound], nearest)
    middle = np.median(logs)
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    flat = np.concatenate([places / width, np.zeros((len(places), 1))], axis=1)
    field = fit_field(flat, logs - middle, np.full(len(logs), NOISE), spread)
    smooth = middle + field(np.concatenate([grid / width, np.zeros((len(grid), 1))], axis=1))[0]
    return {
        "nearest": np.exp(nearest),
        "linear": np.exp(linear),
        "smooth": np.exp(smooth.reshape(height, width)),
    }


def triangulated(places: Floats, logs: Floats, outside: Floats) -> Floats:
    """Return values linear over Delaunay's triangles; beyond them, those of the nearest place."""
    height, width = outside.shape
    plane = cv2.Subdiv2D((0, 0, width, height))
    for x, y in places:
        plane.insert((float(x), float(y)))
    values = {tuple(place): log for place, log in zip(places.tolist(), logs, strict=True)}
    made = outside.copy()
    for triangle in plane.getTriangleList().reshape(-1, 3, 2):
        corners = [tuple(corner) for corner in triangle.astype(float).tolist()]
        if any(corner not in values for corner in corners):
            continue
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, triangle.round().astype(np.int32), 1)
        v, u = np.nonzero(mask)
        matrix = np.stack([*np.array(corners).T, np.ones(3)])
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        shares = np.linalg.solve(matrix, np.stack([u, v, np.ones(len(u))]))
        made[v, u] = np.array([values[corner] for corner in corners]) @ shares
    return made


if __name__ == "__main__":
    sys.exit(main())
