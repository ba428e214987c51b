"""Make the recordings of this folder, with their truth: the same bytes on every run.

Run it from anywhere, in an environment that has the project: ``python recordings/make.py``.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from sensorfusion.calibration.rig_file import write_rig
from sensorfusion.export.cloud import write_cloud
from sensorfusion.export.depth_maps import DepthMapWriter
from sensorfusion.export.mesh import write_mesh
from sensorfusion.export.trajectory import write_trajectory
from sensorfusion.mesh.upright import find_up
from sensorfusion.simulate.noise import LIMITS_M
from sensorfusion.simulate.room import room
from sensorfusion.simulate.seen import surface_seen
from sensorfusion.trajectory import Trajectory
from sensorfusion_drivers.realsense.bag_writer import write_bag
from sensorfusion_drivers.realsense.db3_writer import write_db3
from sensorfusion_drivers.realsense.recorded import Picture, RecordedDevice
from sensorfusion_drivers.synthetic import SyntheticDriver, SyntheticSource

FOLDER = Path(__file__).resolve().parent
FRAMES = 66
BAG_FRAMES = 7
NOISE = "kinect"
SEED = 8
SCALE = 0.5
SPEED = 1.25
START_NS = 10_000_000_000
TRUTH_EDGE_M = 0.05

STREET_OPTIONS = {"frames": 10, "seed": 5, "scale": 0.5, "rings": 32, "columns": 512}
STREET_START_NS = 1_600_000_000_000_000_000
TRUE_DEPTHS = (0, 4, 9)
TRUE_UNIT_M = 0.004
FARTHEST_M = 250.0
JPEG_QUALITY = 92


def pictures(source: SyntheticSource, count: int) -> Iterator[Picture]:
    """Yield time stamp, depth and colour of the first frames."""
    for index in range(count):
        frame = source[index]
        yield START_NS + frame.timestamp_ns, frame.measurement.values, frame.images["color"].pixels


def write_truth(stem: Path, source: SyntheticSource, count: int) -> None:
    """Write the exact poses of the depth camera and the surface that it saw.

    Both in the world that a recording without poses gets: z up, origin at the first camera, y
    along the horizontal part of its view.
    """
    exact = list(source.trajectory)[:count]
    stamps, poses = [START_NS + stamp for stamp, _ in exact], [pose for _, pose in exact]
    camera = source.rig.cameras["depth"]
    seen = surface_seen(
        room(SEED).mesh, camera, poses, limits_m=LIMITS_M[NOISE], edge_m=TRUTH_EDGE_M
    )
    trajectory = Trajectory(stamps, poses)
    T_up_world = find_up(seen, trajectory, source.down_world).T_up_world
    write_trajectory(stem.with_suffix(".truth.tum"), trajectory.moved(T_up_world))
    write_mesh(stem.with_suffix(".truth.ply"), seen.moved(T_up_world))


def street(folder: Path) -> None:
    """Write scans with pictures, the rig, and their truth: poses and the depth of some pictures.

    The world of the poses is that of the scene; z is up.
    """
    import cv2

    shutil.rmtree(folder, ignore_errors=True)
    images = folder / "images" / "color"
    images.mkdir(parents=True)
    source = SyntheticDriver().open("synthetic:street", noise="lidar", **STREET_OPTIONS)
    write_rig(source.rig, folder / "rig.toml")
    for frame in source:
        stamp_ns = STREET_START_NS + frame.timestamp_ns
        write_cloud(frame.measurement, folder / f"{stamp_ns}.pcd", compressed=True)
        image = frame.images["color"]
        path = images / f"{STREET_START_NS + image.timestamp_ns}.jpg"
        pixels = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2BGR)
        if not cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            msg = f"{path} could not be written"
            raise SystemExit(msg)
    options = {name: STREET_OPTIONS[name] for name in ("frames", "seed", "scale")}
    truth = SyntheticDriver().truth("synthetic:street", **options)
    true = folder / "truth" / "depth"
    with DepthMapWriter(true, source.rig, metres_per_unit=TRUE_UNIT_M) as writer:
        for index in TRUE_DEPTHS:
            found = truth.depth("color", index)
            metres = np.where(found.metres <= FARTHEST_M, found.metres, np.float32(0))
            stamp_ns = STREET_START_NS + found.timestamp_ns
            writer.write(index, replace(found, metres=metres, timestamp_ns=stamp_ns))
    # No previews were asked for.
    (true / "preview").rmdir()
    stamps = [STREET_START_NS + stamp for stamp, _ in truth.trajectory]
    write_trajectory(true.parent / "poses.tum", Trajectory(stamps, truth.trajectory.poses))


def main() -> None:
    """Write all recordings and say how large they are."""
    options = {"noise": NOISE, "seed": SEED, "scale": SCALE, "speed": SPEED}
    source = SyntheticDriver().open("synthetic:room", frames=FRAMES, **options)
    device = RecordedDevice(source.rig, source[0].measurement.unit_m)
    write_db3(FOLDER / "room.db3", device, pictures(source, FRAMES))
    write_truth(FOLDER / "room", source, FRAMES)
    write_bag(FOLDER / "corner.bag", device, pictures(source, BAG_FRAMES), compression="lz4")
    write_truth(FOLDER / "corner", source, BAG_FRAMES)
    street(FOLDER / "street")
    for path in sorted(FOLDER.glob("*")):
        inside = path.rglob("*") if path.is_dir() else [path]
        print(f"{path.name:20} {sum(one.stat().st_size for one in inside) / 1e6:6.2f} MB")


if __name__ == "__main__":
    main()
