"""Motion compensation: how near to the sensor's own noise it comes, and how fast it is.

``./run bench deskew``: simulated scans with exact truth (hall, street; 64 x 1024, 10 Hz) are moved
to the middle of the scan by the true motion from its start to its end. Then 120,000 points with
times in random order: ours, and Rodrigues' formula in plain numpy (float64), by turns.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth.deskew import Twist, deskew
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import PERIOD_NS, spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, hall_rig, street_rig
from sensorfusion.simulate.moving import MovingScene
from sensorfusion.simulate.street import street, street_drive

SCANS = range(2, 200, 6)
POINTS = 120_000
TURNS = 21


def plain(cloud: PointCloud, twist: Twist, to_ns: int) -> NDArray[np.float64]:
    """Return the points of a scan moved to an instant, by arrays of whole columns."""
    seconds = 1e-9 * (cloud.time_offset_ns + (cloud.timestamp_ns - to_ns))[:, None]
    points = cloud.points.astype(np.float64)
    speed = np.linalg.norm(twist.angular_rad_s)
    axis, angle = twist.angular_rad_s / speed, speed * seconds
    sine, versine = np.sin(angle), 1 - np.cos(angle)
    across = np.cross(axis, points)
    way_across = np.cross(axis, twist.linear_m_s)
    turned = points + sine * across + versine * np.cross(axis, across)
    way = seconds * twist.linear_m_s + versine / speed * way_across
    return turned + way + (seconds - sine / speed) * np.cross(axis, way_across)


def residuals(rig: LidarRig) -> str:
    """Measure points against where their beams met a surface: before, after, and the noise."""
    found: dict[str, list[NDArray[np.float64]]] = {"before": [], "after": [], "noise": []}
    for index in SCANS:
        start_ns = index * PERIOD_NS
        end_ns, middle_ns = start_ns + PERIOD_NS, start_ns + PERIOD_NS // 2
        scan = rig.scan(start_ns, np.random.default_rng(index))
        twist = Twist.between(
            start_ns, rig.T_world_lidar(start_ns), end_ns, rig.T_world_lidar(end_ns)
        )
        moved = deskew(scan.cloud, twist, middle_ns)
        own = scan.T_world_lidar[scan.cloud.column]
        exact = np.einsum("nij,nj->ni", own[:, :3, :3], scan.cloud.points) + own[:, :3, 3]
        T_world_lidar = rig.T_world_lidar(middle_ns)
        for name, points in (
            ("before", T_world_lidar.apply(scan.cloud.points)),
            ("after", T_world_lidar.apply(moved.points)),
            ("noise", exact),
        ):
            found[name].append(np.linalg.norm(points - scan.surface_m, axis=1))
    errors_m = {name: np.concatenate(values) for name, values in found.items()}
    parts = [
        f"{name} {1000 * values.mean():.1f} / {1000 * np.percentile(values, 95):.1f}"
        for name, values in errors_m.items()
    ]
    ratio = errors_m["after"].mean() / errors_m["noise"].mean()
    return f"mean / 95 % in mm: {', '.join(parts)}; after / noise {ratio:.3f}"


def milliseconds(calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Time calls by turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(TURNS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - start))
    return taken


def main() -> int:
    hdl = spinning_lidar(highest_deg=2.0, lowest_deg=-24.8)
    walk = LidarRig(MovingScene(hall(0)), hall_rig(spinning_lidar(), 0.1), hall_walk)
    print(f"hall: {residuals(walk)}")
    # What drives itself is not where the LiDAR's motion alone would put it.
    drive = LidarRig(MovingScene(street(0).still), street_rig(hdl, 0.1), street_drive)
    print(f"street: {residuals(drive)}")

    rng = np.random.default_rng(0)
    points = rng.uniform(-60, 60, (POINTS, 3)).astype(np.float32)
    cloud = PointCloud(points, "lidar", time_offset_ns=rng.integers(0, PERIOD_NS, POINTS))
    twist = Twist("lidar", np.array([9.0, 0.1, -0.2]), np.array([0.02, -0.05, 0.4]))
    middle_ns = PERIOD_NS // 2
    largest_m = np.abs(
        deskew(cloud, twist, middle_ns).points - plain(cloud, twist, middle_ns)
    ).max()
    taken = milliseconds(
        {
            "ours": lambda: deskew(cloud, twist, middle_ns),
            "numpy": lambda: plain(cloud, twist, middle_ns),
        }
    )
    for name, values in taken.items():
        print(
            f"{POINTS} points, {name}: {statistics.median(values):.2f} ms, least {min(values):.2f}"
        )
    ratio = statistics.median(taken["numpy"]) / statistics.median(taken["ours"])
    print(f"numpy / ours {ratio:.1f}; they differ by at most {1e6 * largest_m:.1f} micrometres")
    return 0


if __name__ == "__main__":
    sys.exit(main())
