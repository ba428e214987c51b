"""Where a LiDAR is, by its scans alone: ours beside KISS-ICP and small_gicp, alternating.

``./run bench lidar_odometry [SCENE ...] [--scans N]``: simulated scans with exact truth (``hall``:
64 x 1024, rolling shutter; ``hall-global``; ``street``: vegetation, curved ground, moving cars;
``tunnel``). Every engine gets each scan in turn, so that all of them meet the same machine.
KISS-ICP runs at its default and at four voxel sizes with its own motion compensation, to the end
of a scan; small_gicp's voxel map with ours, to the middle, on one thread as by default. Each is
held against the truth at the instant that it stands for. The time of ours is that of all:
organising the scan, normals, choosing points, tracking.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from machine import describe
from numpy.typing import NDArray

from sensorfusion.depth.deskew import Twist, deskew
from sensorfusion.depth.normals import scan_normals
from sensorfusion.depth.organise import organise
from sensorfusion.evaluate.trajectory import compare_trajectories
from sensorfusion.lidar import Lidar
from sensorfusion.odometry.lidar import PlaneTracker
from sensorfusion.odometry.scan import estimate_scale, prepare_scan
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.bursts import Motion
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import PERIOD_NS, LidarSensor, Shutter, spinning_lidar
from sensorfusion.simulate.moving import MovingEye, MovingScene
from sensorfusion.simulate.street import street, street_drive
from sensorfusion.simulate.tunnel import tunnel, tunnel_drive
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

KISS_DEFAULT_M = 1.0
KISS_VOXELS_M = (1.5, 1.0, 0.5, 0.25)
SMALL_GICP = ((1.0, 0.25), (1.0, 0.15))
WARM = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A scene, how a LiDAR moves through it, and how many scans are taken."""

    scene: Callable[[], MovingScene]
    motion: Motion
    lidar: Lidar
    scans: int
    shutter: Shutter = "rolling"


PLACES = {
    "hall": Place(lambda: MovingScene(hall(0)), hall_walk, spinning_lidar(), 60),
    "hall-global": Place(lambda: MovingScene(hall(0)), hall_walk, spinning_lidar(), 60, "global"),
    "street": Place(
        lambda: street(0), street_drive, spinning_lidar(highest_deg=2.0, lowest_deg=-24.8), 200
    ),
    "tunnel": Place(
        lambda: tunnel(0), tunnel_drive, spinning_lidar(highest_deg=15.0, lowest_deg=-24.8), 200
    ),
}


@dataclass(slots=True)
class Run:
    """An engine on its way: what it said, and how long it took."""

    step: Callable[[PointCloud], NDArray[np.float64]]
    offset_ns: int
    stamps_ns: list[int] = field(default_factory=list)
    poses: list[NDArray[np.float64]] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def take(self, cloud: PointCloud) -> None:
        """Give the engine a scan."""
        start = time.perf_counter()
        pose = self.step(cloud)
        self.milliseconds.append(1000 * (time.perf_counter() - start))
        self.stamps_ns.append(cloud.timestamp_ns + self.offset_ns)
        self.poses.append(pose)

    def errors(self, motion: Motion) -> dict[str, float]:
        """Return the errors against the truth at the instants that the poses stand for."""
        true = motion(1e-9 * np.array(self.stamps_ns, np.float64))
        estimate = _trajectory(self.stamps_ns, self.poses)
        found = compare_trajectories(estimate, _trajectory(self.stamps_ns, list(true)))
        return {
            "ate_mm": round(1000 * found.ate_rmse_m, 2),
            "rpe_mm": round(1000 * _relative(self.poses, list(true)), 2),
            "ms": round(statistics.median(self.milliseconds[WARM:] or self.milliseconds), 2),
        }


def ours(lidar: Lidar, first: list[PointCloud], results: list[Any]) -> Run:
    scale = estimate_scale(first)
    print(f"  ours: {scale.describe()}")
    tracker = PlaneTracker(scale, RigidTransform.identity("world", first[0].coordinate_system))

    def step(cloud: PointCloud) -> NDArray[np.float64]:
        image = organise(cloud, lidar)
        scan = prepare_scan(cloud, scale, lambda wanted: scan_normals(image, wanted))
        results.append(tracker.track(scan))
        return results[-1].motion.T_world_lidar.matrix

    return Run(step, 0)


def kiss(voxel_m: float, *, rolling: bool) -> Run:
    from kiss_icp.config.parser import KISSConfig
    from kiss_icp.kiss_icp import KissICP

    config: Any = KISSConfig()
    config.mapping.voxel_size = voxel_m
    config.data.deskew = rolling
    engine = KissICP(config)

    def step(cloud: PointCloud) -> NDArray[np.float64]:
        share = np.zeros(0)
        if rolling and cloud.time_offset_ns is not None:
            share = cloud.time_offset_ns / PERIOD_NS
        engine.register_frame(cloud.points.astype(np.float64), share)
        return np.array(engine.last_pose)

    return Run(step, PERIOD_NS if rolling else 0)


def small_gicp(leaf_m: float, spacing_m: float, *, rolling: bool) -> Run:
    import small_gicp as package

    surface = package.GaussianVoxelMap(leaf_m)
    before, here, count = np.eye(4), np.eye(4), 0

    def step(cloud: PointCloud) -> NDArray[np.float64]:
        nonlocal before, here, count
        if rolling and count > 1:
            name = cloud.coordinate_system
            ends = (RigidTransform("world", name, pose) for pose in (before, here))
            twist = Twist.between(0, next(ends), PERIOD_NS, next(ends))
            cloud = deskew(cloud, twist, cloud.timestamp_ns + PERIOD_NS // 2)
        source, _ = package.preprocess_points(cloud.points.astype(np.float64), spacing_m)
        if count:
            guess = here @ np.linalg.inv(before) @ here
            found = package.align(surface, source, guess).T_target_source
            before, here = here, found
        surface.insert(source, here)
        count += 1
        return np.array(here)

    return Run(step, PERIOD_NS // 2 if rolling else 0)


def scans_of(place: Place, count: int) -> Iterator[PointCloud]:
    sensor = LidarSensor(MovingEye(place.scene()), place.lidar, place.motion, shutter=place.shutter)
    for index in range(count):
        yield sensor.scan(index * PERIOD_NS, np.random.default_rng([0, 5, index])).cloud


def compare(name: str, count: int | None) -> dict[str, object]:
    """Run every engine over the scans of a place, scan by scan in turn."""
    place = PLACES[name]
    clouds = list(scans_of(place, count or place.scans))
    rolling = place.shutter == "rolling"
    results: list[Any] = []
    runs = {"ours": ours(place.lidar, clouds[:5], results)}
    for voxel_m in KISS_VOXELS_M:
        runs[f"kiss {voxel_m}"] = kiss(voxel_m, rolling=rolling)
    for leaf_m, spacing_m in SMALL_GICP:
        runs[f"small_gicp {leaf_m}/{spacing_m}"] = small_gicp(leaf_m, spacing_m, rolling=rolling)
    for cloud in clouds:
        for run in runs.values():
            run.take(cloud)
    found: dict[str, Any] = {run: runs[run].errors(place.motion) for run in runs}
    slides = sum(bool(len(result.free)) for result in results)
    refused = sum(bool(result.refused) for result in results)
    for run, errors in found.items():
        print(
            f"  {run:22} ATE {errors['ate_mm']:9.2f} mm  RPE over 10 {errors['rpe_mm']:9.2f} mm"
            f"  {errors['ms']:7.1f} ms"
        )
    print(f"  ours: free to slide in {slides} of {len(clouds)} scans, {refused} refused")
    best = min((run for run in found if run != "ours"), key=lambda run: found[run]["ate_mm"])
    default, mine = found[f"kiss {KISS_DEFAULT_M}"], found["ours"]
    print(
        f"  ATE, ours / {best}: {mine['ate_mm'] / found[best]['ate_mm']:.2f}; time, ours / {best}: "
        f"{mine['ms'] / found[best]['ms']:.2f}; ours / KISS-ICP at its default: "
        f"ATE {mine['ate_mm'] / default['ate_mm']:.3f}, time {mine['ms'] / default['ms']:.2f}"
    )
    return found | {"slides": slides, "refused": refused, "best": best}


def _trajectory(stamps_ns: list[int], poses: list[NDArray[np.float64]]) -> Trajectory:
    transforms = [RigidTransform.nearest("world", "lidar", pose) for pose in poses]
    return Trajectory(stamps_ns, transforms)


def _relative(
    poses: list[NDArray[np.float64]], true: list[NDArray[np.float64]], over: int = 10
) -> float:
    """Return by how much motions over so many scans err, root mean square, metres."""
    off = [
        np.linalg.inv(np.linalg.inv(true[n]) @ true[n + over])
        @ (np.linalg.inv(poses[n]) @ poses[n + over])
        for n in range(len(poses) - over)
    ]
    return float(np.sqrt(np.mean([np.sum(one[:3, 3] ** 2) for one in off]))) if off else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", choices=[*PLACES, []])
    parser.add_argument("--scans", type=int, help="of each scene, if not as many as it says")
    arguments = parser.parse_args()
    print(json.dumps(describe()))
    for name in arguments.scenes or PLACES:
        print(name, flush=True)
        compare(name, arguments.scans)
    return 0


if __name__ == "__main__":
    sys.exit(main())
