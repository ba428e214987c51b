"""Stereo beside OpenCV's matcher: ``./run bench stereo [--runs N] [--json]``.

The peer is ``cv2.StereoSGBM`` in the mode and with the settings that OpenCV's own sample uses
(SGBM, blocks of 3 pixels, P1 and P2 as documented, uniqueness 10 %, speckles of 100 pixels, its
own left-right check), untuned; and in the mode of three directions, which ours begins with.

- ``motorcycle``: Middlebury 2014 at 741x500, real, with sub-pixel truth (the data folder).
- ``room``: eight views of the simulated room by cameras that are not rectified, with noise; the
  peer gets the pictures that we rectified, and its disparities come back as ours do.

Of pixels that have truth and a match: the share that they are, the median and the 68th percentile
of abs(disparity error), ``bad-2`` (off by more than 2 px), the median of abs(depth error) / depth.
``of all`` counts pixels without a match as bad, ``same`` is bad-2 over the pixels that every method
of a scene has. Three cameras are the pair and one below it. ``pull`` is how far the median error
moves with the place between two pixels, from the largest to the smallest of ten: 0 where whole
pixels do not attract. ``sigma`` is the 68th percentile of abs(error) / sigma_m in five bins. Times
are of one frame, methods taking turns in one process: the least and the median.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2  # noqa: TID253
import numpy as np
from machine import describe
from numpy.typing import NDArray

from sensorfusion.config_pictures import StereoSettings
from sensorfusion.depth import stereo as stages
from sensorfusion.depth.disparity import Disparity, Pictures, Search, grey
from sensorfusion.depth.stereo import stereo_depth
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.evaluate.uncertainty import bins_by_sigma
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source, read_truth
from sensorfusion.stereo_pair import StereoPair

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SENSORFUSION_DATA", ROOT.parent / "shared" / "data"))
VIEWS = [(seed, index) for seed in (0, 3) for index in (0, 150, 300, 450)]
Method = Callable[[StereoPair, Rig], DepthMap]


@dataclass(frozen=True)
class View:
    """Pictures of one instant and the true depth of the first."""

    pair: StereoPair
    rig: Rig
    true_m: NDArray[np.float32]


@dataclass
class Figures:
    """What a method made of the views of a scene."""

    coverage: float
    median_px: float
    p68_px: float
    bad_2: float
    bad_2_of_all: float
    median_depth: float
    pull_px: float
    sigma: list[float]
    bad_2_same: float | None = None
    least_s: float = 0.0
    median_s: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, dict[str, Figures]] = {}
    if (DATA / "stereo-motorcycle").is_dir():
        views = [motorcycle()]
        found["motorcycle"] = compared(views, pairs_by(), arguments.runs)
    else:
        print(f"motorcycle: skipped: no pictures at {DATA}", file=sys.stderr)
    views = list(rooms())
    methods = pairs_by() | {"ours, three cameras": ours}
    found["room"] = compared(views, methods, arguments.runs)
    if arguments.json:
        print(json.dumps({n: {m: asdict(f) for m, f in rows.items()} for n, rows in found.items()}))
        return 0
    print(describe())
    for name, rows in found.items():
        shown(name, rows)
    return 0


def pairs_by() -> dict[str, Method]:
    """Return what makes depth of the first two pictures."""
    modes = {"SGBM": cv2.STEREO_SGBM_MODE_SGBM, "SGBM, 3 ways": cv2.STEREO_SGBM_MODE_SGBM_3WAY}
    methods: dict[str, Method] = {f"OpenCV {name}": by_opencv(mode) for name, mode in modes.items()}
    return methods | {"ours": lambda pair, rig: ours(StereoPair(pair.left, pair.right), rig)}


def ours(pair: StereoPair, rig: Rig) -> DepthMap:
    """Return depth by the package."""
    return stereo_depth(pair, rig, StereoSettings())


def by_opencv(mode: int) -> Method:
    """Return depth by OpenCV's matcher between our rectification and our way back."""

    def method(pair: StereoPair, rig: Rig) -> DepthMap:
        original = stages.find_disparity
        stages.find_disparity = lambda pictures, search, _matcher: sgbm(pictures, search, mode)
        try:
            return stereo_depth(StereoPair(pair.left, pair.right), rig, StereoSettings())
        finally:
            stages.find_disparity = original

    return method


def sgbm(pictures: Pictures, search: Search, mode: int) -> Disparity:
    """Return what OpenCV's matcher finds in a search that begins at 0, or below where it must."""
    least = min(search.least, 0) if search.least < -2 else 0
    matcher = cv2.StereoSGBM.create(
        minDisparity=least,
        numDisparities=search.count,
        blockSize=3,
        P1=8 * 9,
        P2=32 * 9,
        disp12MaxDiff=1,
        preFilterCap=63,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
        mode=mode,
    )
    steps = matcher.compute(*map(grey, pictures))
    known = steps >= least * 16
    values = np.where(known, steps / np.float32(16), np.float32(np.nan)).astype(np.float32)
    origin = np.where(known, np.uint8(Origin.MEASURED), np.uint8(Origin.NO_RETURN))
    return Disparity(values, np.full(values.shape, np.float32(0.2)), origin)


def motorcycle() -> View:
    location = DATA / "stereo-motorcycle"
    truth = read_truth(location).depth
    with open_source(location) as source:
        name = source[0].sensor
        return View(source[0].measurement, source.rig, truth(name, 0).metres)


def rooms() -> Iterator[View]:
    for seed in sorted({seed for seed, _ in VIEWS}):
        options = {"cameras": "3", "noise": "camera", "seed": str(seed)}
        truth = read_truth("synthetic:room", options=options).depth
        with open_source("synthetic:room", options=options) as source:
            for index in (index for each, index in VIEWS if each == seed):
                true_m = truth("left", index).metres
                yield View(source[index].measurement, source.rig, true_m)


def compared(views: list[View], methods: dict[str, Method], runs: int) -> dict[str, Figures]:
    """Return the figures of each method over all views of a scene."""
    maps: dict[str, list[DepthMap]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for run in range(runs + 1):
        for name, method in methods.items():
            start = time.perf_counter()
            maps[name] = [method(view.pair, view.rig) for view in views]
            # The first turn compiles.
            if run:
                seconds[name].append((time.perf_counter() - start) / len(views))
    rows = {name: figures(views, found) for name, found in maps.items()}
    everyone = [
        np.logical_and.reduce([found[k].valid for found in maps.values()])
        for k in range(len(views))
    ]
    for name, found in maps.items():
        off = [
            off_px(v, m)[both & (v.true_m > 0)]
            for v, m, both in zip(views, found, everyone, strict=True)
        ]
        rows[name].bad_2_same = float(np.mean(np.concatenate(off) > 2))
        rows[name].least_s = min(seconds[name])
        rows[name].median_s = statistics.median(seconds[name])
    return rows


def off_px(view: View, found: DepthMap, *, signed: bool = False) -> NDArray[np.float64]:
    """Return errors as disparities of the first two cameras."""
    first, second = view.pair.left.camera_name, view.pair.right.camera_name
    moved = view.rig.transform(second, first).translation_m
    per_m = view.rig.cameras[first].fx * float(np.linalg.norm(moved))
    with np.errstate(divide="ignore", invalid="ignore"):
        off = per_m / found.metres.astype(np.float64) - per_m / view.true_m
    return off if signed else np.abs(off)


def figures(views: list[View], maps: list[DepthMap]) -> Figures:
    offs, parts, errors_m, sigmas_m, true_m, places, known = [], [], [], [], [], [], 0
    for view, found in zip(views, maps, strict=True):
        matched = found.valid & (view.true_m > 0)
        known += int(np.count_nonzero(view.true_m > 0))
        offs.append(off_px(view, found)[matched])
        parts.append(off_px(view, found, signed=True)[matched])
        errors_m.append(np.abs(found.metres - view.true_m)[matched])
        sigmas_m.append(found.sigmas_m()[matched])
        true_m.append(view.true_m[matched])
        moved = view.rig.transform(view.pair.right.camera_name, view.pair.left.camera_name)
        per_m = view.rig.cameras[view.pair.left.camera_name].fx
        places.append(per_m * np.linalg.norm(moved.translation_m) / view.true_m[matched] % 1)
    off, signed, place = (np.concatenate(each) for each in (offs, parts, places))
    error_m, sigma_m, depth_m = (np.concatenate(each) for each in (errors_m, sigmas_m, true_m))
    medians = [np.median(signed[np.floor(place * 10) == k]) for k in range(10)]
    return Figures(
        coverage=len(off) / known,
        median_px=float(np.median(off)),
        p68_px=float(np.percentile(off, 68)),
        bad_2=float(np.mean(off > 2)),
        bad_2_of_all=1 - float(np.count_nonzero(off <= 2)) / known,
        median_depth=float(np.median(error_m / depth_m)),
        pull_px=float(max(medians) - min(medians)),
        sigma=[round(each.ratio_68, 2) for each in bins_by_sigma(error_m, sigma_m)],
    )


def shown(scene: str, rows: dict[str, Figures]) -> None:
    print(f"\n{scene}")
    print(
        f"  {'':22}{'cover':>7}{'median':>8}{'68 %':>8}{'bad-2':>8}{'of all':>8}{'same':>8}"
        f"{'depth':>8}{'pull':>7}{'least':>8}{'median':>8}  sigma"
    )
    for name, row in rows.items():
        sigma = " ".join(f"{each:.2f}" for each in row.sigma) if "ours" in name else "none"
        print(
            f"  {name:22}{row.coverage:7.1%}{row.median_px:8.3f}{row.p68_px:8.3f}{row.bad_2:8.2%}"
            f"{row.bad_2_of_all:8.2%}{row.bad_2_same:8.2%}{row.median_depth:8.3%}{row.pull_px:7.3f}"
            f"{row.least_s:7.2f}s{row.median_s:7.2f}s  {sigma}"
        )


if __name__ == "__main__":
    sys.exit(main())
