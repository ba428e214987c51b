"""Completion of LiDAR depth beside IP-Basic: ``./run bench completion [--frames N] [--json]``.

Peers are IP-Basic's published variants (``ip_basic.py``): Gaussian with extrapolation, what the
paper submitted, and multiscale with the bilateral blur. All get the same projected maps.

Truth:

- ``held-out beams``: the KITTI raw drive of the data folder. Rings are recovered from the order of
  the points (a ring begins where the azimuth starts afresh); every second ring is held out, and
  its points are the truth where the kept ones have none. A held-out point counts only where no
  point of the whole scan within 9 columns and 19 rows around it is nearer by 5 % and 0.3 m, which
  is more than the distance of beams: so the truth has no points that are seen through something
  nearer, at the cost of ground far away, and of what is far beside an edge: the truth holds more of
  the near side of edges than of the far side. All parameters were chosen here, but for those of
  sigma, which come from the simulated scenes: real truth has errors of its own, which are added
  to sigma here, and rings that disagree.
- ``hall``, ``street``: simulated scans of 64 rings with noise, the camera 0.3 m beside and 0.15 m
  below, and the exact depth of each pixel up to 120 m, the reach of the LiDAR.

RMSE and MAE stand for all pixels that a method fills, with the share of the truth that those are,
and for the pixels that it and its peer both fill; ``sigma`` is the 68th percentile of abs(error) /
sigma_m in five bins. Times are of whole scans, methods taking turns in one process (OpenCV and
``smooth`` use two threads): ``smooth`` and ``guided`` with the removal of hidden points and the
sigma of whole pixels, ``mesh`` with finding the rings and with projection. The least and the median
of all turns.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2  # noqa: TID253
import ip_basic
import numpy as np
from machine import describe
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth.beams import BeamSpacing, beam_spacing
from sensorfusion.depth.completion import complete_smooth
from sensorfusion.depth.footprint import with_footprint
from sensorfusion.depth.guided import complete_guided
from sensorfusion.depth.mesh_completion import complete_mesh, points_in_view
from sensorfusion.depth.occlusion import remove_hidden
from sensorfusion.depth.organise import organise
from sensorfusion.depth.projection import project_cloud
from sensorfusion.depth_map import DepthMap
from sensorfusion.evaluate.depth import DepthComparison, DepthError
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, street_rig
from sensorfusion.simulate.moving import MovingScene
from sensorfusion.simulate.street import street, street_drive
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SENSORFUSION_DATA", ROOT.parent / "shared" / "data"))
DRIVE = DATA / "kitti-raw-drive"
SEEDS: Final = (0, 1)
HALL_S, STREET_S = (0.0, 11.0, 25.0), (1.0, 7.0, 13.0)
TRUTH_WINDOW = (19, 9)
NEARER, NEARER_M = 0.05, 0.3
TURNS = 7
PEER_OF = {"smooth": "ip_gaussian", "guided": "ip_gaussian", "mesh": "ip_multiscale"}
MARKS = {
    ("held-out beams", "smooth"): "all RMSE <= 0.70, MAE <= 0.75",
    ("held-out beams", "mesh"): "common MAE <= 0.65",
    ("hall", "smooth"): "all RMSE <= 0.75, MAE <= 0.75",
    ("hall", "mesh"): "common MAE <= 0.40",
    ("street", "smooth"): "all RMSE <= 0.75, MAE <= 0.75",
    ("street", "mesh"): "common MAE <= 0.40",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One scan, what a camera saw, and the true depth."""

    cloud: PointCloud
    lidar: Lidar
    camera: Camera
    T_camera_lidar: RigidTransform
    image: Image
    truth_m: NDArray[np.float32]
    truth_sigma_m: NDArray[np.float32] | None = None

    def sparse(self) -> DepthMap:
        """Return the scan in the picture."""
        return project_cloud(self.cloud, self.camera, self.T_camera_lidar, self.lidar).depth

    def spacing(self) -> BeamSpacing:
        """Return how far its beams are apart."""
        return beam_spacing(self.cloud, self.lidar)


def whole_scans() -> Iterator[Case]:
    """Yield the scans of the drive as they are."""
    with open_source(str(DRIVE)) as source:
        ((name, lidar),) = source.rig.lidars.items()
        camera = source.rig.cameras["image_02"]
        T_camera_lidar = source.rig.transform("image_02", name)
        for frame in source:
            if not isinstance(frame.measurement, PointCloud):
                continue
            nothing = np.zeros((camera.height, camera.width), np.float32)
            image = frame.images["image_02"]
            yield Case(frame.measurement, lidar, camera, T_camera_lidar, image, nothing)


def held_out() -> Iterator[Case]:
    """Yield scans without every second ring, which is the truth."""
    for case in whole_scans():
        azimuth_rad = np.arctan2(case.cloud.points[:, 1], case.cloud.points[:, 0]) % (2 * np.pi)
        ring = np.concatenate([[0], np.cumsum(np.diff(azimuth_rad) < -np.pi)])
        if ring[-1] + 1 != case.lidar.rings:
            print(f"skipped a scan with {ring[-1] + 1} rings, expected {case.lidar.rings}")
            continue
        kept = _part(case.cloud, ring, ring % 2 == 0)
        lidar = replace(case.lidar, rings=int(ring.max()) // 2 + 1, elevation_rad=())
        halved = replace(case, cloud=kept, lidar=lidar)
        others = replace(case, cloud=_part(case.cloud, ring, ring % 2 == 1)).sparse()
        held = others.metres
        whole = case.sparse().metres
        nearest = cv2.erode(np.where(whole > 0, whole, np.float32(1e6)), np.ones(TRUTH_WINDOW))
        seen = (held > 0) & (halved.sparse().metres == 0)
        seen &= held <= nearest * np.float32(1 + NEARER) + np.float32(NEARER_M)
        truth_m = np.where(seen, held, np.float32(0))
        yield replace(halved, truth_m=truth_m, truth_sigma_m=others.sigma_m)


def _part(cloud: PointCloud, ring: NDArray[np.intp], which: NDArray[np.bool_]) -> PointCloud:
    points = np.ascontiguousarray(cloud.points[which])
    rings = (ring[which] // 2).astype(np.uint16)
    return PointCloud(points, cloud.coordinate_system, cloud.timestamp_ns, ring=rings)


def simulated(
    scene: Callable[[int], MovingScene],
    motion: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    lidar: Lidar,
    times_s: tuple[float, ...],
) -> Iterator[Case]:
    """Yield scans without motion, pictures and exact depth."""
    rig = street_rig(lidar)
    T_color_lidar = rig.transform("color", lidar.name)
    for seed in SEEDS:
        view = LidarRig(scene(seed), rig, motion, shutter="global")
        for number, time_s in enumerate(times_s):
            time_ns = round(1e9 * time_s)
            cloud = view.scan(time_ns, np.random.default_rng([seed, number])).cloud
            image = Image(view.picture("color", time_ns), "color", time_ns)
            z_m = view.view("color", time_ns).z_m
            truth_m = np.where(z_m < lidar.far_m, z_m, np.float32(0))
            yield Case(cloud, lidar, rig.cameras["color"], T_color_lidar, image, truth_m)


def hall_cases() -> Iterator[Case]:
    return simulated(lambda seed: MovingScene(hall(seed)), hall_walk, spinning_lidar(), HALL_S)


def street_cases() -> Iterator[Case]:
    lidar = spinning_lidar(64, 2048, highest_deg=2.0, lowest_deg=-24.8)
    return simulated(street, street_drive, lidar, STREET_S)


def methods(case: Case) -> dict[str, Callable[[], DepthMap | NDArray[np.float32]]]:
    """Return what completes a case, by name; preparing is not part of it."""
    sparse, spacing = case.sparse(), case.spacing()
    return {
        "ip_gaussian": lambda: ip_basic.gaussian_extrapolated(sparse.metres),
        "ip_multiscale": lambda: ip_basic.multiscale_bilateral(sparse.metres),
        "smooth": lambda: complete_smooth(_freed(sparse, spacing), spacing),
        "guided": lambda: complete_guided(_freed(sparse, spacing), case.image, spacing),
        "mesh": lambda: _mesh(case),
    }


def _mesh(case: Case) -> DepthMap:
    chosen = points_in_view(case.cloud, case.camera, case.T_camera_lidar)
    seen = organise(case.cloud, case.lidar, chosen)
    return complete_mesh(seen, case.camera, case.T_camera_lidar, case.lidar)


def _freed(sparse: DepthMap, spacing: BeamSpacing) -> DepthMap:
    return with_footprint(remove_hidden(sparse, spacing), spacing)


def compare(cases: list[Case]) -> dict[str, dict[str, DepthError]]:
    """Return errors by method: on all its pixels, and on those that its peer fills, too."""
    found: dict[str, dict[str, DepthComparison]] = {}
    for case in cases:
        results = {name: method() for name, method in methods(case).items()}
        metres = {n: r.metres if isinstance(r, DepthMap) else r for n, r in results.items()}
        for name, result in results.items():
            sets = found.setdefault(name, {})
            sigma_m = result.sigma_m if isinstance(result, DepthMap) else None
            if sigma_m is not None and case.truth_sigma_m is not None:
                sigma_m = np.where(sigma_m > 0, np.hypot(sigma_m, case.truth_sigma_m), sigma_m)
            sets.setdefault("all", DepthComparison()).add(metres[name], case.truth_m, sigma_m)
            for ours, peer in PEER_OF.items():
                if name in (ours, peer):
                    both = (metres[ours] > 0) & (metres[peer] > 0)
                    truth_m = np.where(both, case.truth_m, np.float32(0))
                    common = sets.setdefault(f"common {ours}", DepthComparison())
                    common.add(metres[name], truth_m)
    return {name: {key: c.result() for key, c in sets.items()} for name, sets in found.items()}


def times_ms(cases: list[Case]) -> dict[str, tuple[float, float]]:
    """Return the least and the median time by method, all taking turns."""
    spent: dict[str, list[float]] = {}
    for case in cases:
        taking_turns = methods(case)
        for turn in range(TURNS + 1):
            for name, method in taking_turns.items():
                start = time.perf_counter()
                method()
                # The first turn compiles and warms the caches.
                if turn:
                    spent.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
    return {name: (min(times), statistics.median(times)) for name, times in spent.items()}


def show(where: str, errors: dict[str, dict[str, DepthError]], count: int) -> None:
    print(f"\n{where}, {count} frames: mm, all pixels of each | pixels of both, ratio to its peer")
    for name, sets in errors.items():
        every = sets["all"]
        line = f"{name:14}{1e3 * every.rmse_m:7.0f} {1e3 * every.mae_m:6.0f} {every.coverage:6.3f}"
        if name in PEER_OF:
            peer = PEER_OF[name]
            own, other = sets[f"common {name}"], errors[peer][f"common {name}"]
            rival = errors[peer]["all"]
            line += (
                f" x{every.rmse_m / rival.rmse_m:.2f} x{every.mae_m / rival.mae_m:.2f} |"
                f"{1e3 * own.rmse_m:7.0f} {1e3 * own.mae_m:6.0f}"
                f" x{own.rmse_m / other.rmse_m:.2f} x{own.mae_m / other.mae_m:.2f} of {peer}"
                f" | sigma {' '.join(f'{ratio:.2f}' for ratio in every.sigma)}"
            )
            if (where, name) in MARKS:
                line += f" | mark: {MARKS[where, name]}"
        print(line)


def show_times(where: str, times: dict[str, tuple[float, float]]) -> None:
    print(f"\n{where}: ms, least and median; ratio of the least to the peer's")
    for name, (least, median) in times.items():
        ratio = f" x{least / times[PEER_OF[name]][0]:.2f}" if name in PEER_OF else ""
        print(f"{name:14}{least:7.2f} {median:7.2f}{ratio}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=None, help="at most so many of each set")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args()
    if not options.json:
        print(json.dumps(describe()))
    sets = {"hall": list(hall_cases()), "street": list(street_cases())}
    timed = dict(sets)
    if DRIVE.exists():
        sets = {"held-out beams": list(held_out()), **sets}
        timed = {"whole KITTI scans": list(whole_scans()), **timed}
    else:
        print(f"skipped: {DRIVE} is not here", file=sys.stderr)
    found: dict[str, object] = {"machine": describe()}
    for where, cases in sets.items():
        errors = compare(cases[: options.frames])
        found[where] = {n: {k: e.to_json() for k, e in s.items()} for n, s in errors.items()}
        if not options.json:
            show(where, errors, len(cases[: options.frames]))
    for where, cases in timed.items():
        times = times_ms(cases[: options.frames])
        found[f"{where}, ms"] = times
        if not options.json:
            show_times(where, times)
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
