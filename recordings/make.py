"""Make the recordings of this folder, with their truth: the same bytes on every run.

Run it from anywhere, in an environment that has the project: ``python recordings/make.py``.
"""

from collections.abc import Iterator
from pathlib import Path

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


def main() -> None:
    """Write both recordings and say how large they are."""
    options = {"noise": NOISE, "seed": SEED, "scale": SCALE, "speed": SPEED}
    source = SyntheticDriver().open("synthetic:room", frames=FRAMES, **options)
    device = RecordedDevice(source.rig, source[0].measurement.unit_m)
    write_db3(FOLDER / "room.db3", device, pictures(source, FRAMES))
    write_truth(FOLDER / "room", source, FRAMES)
    write_bag(FOLDER / "corner.bag", device, pictures(source, BAG_FRAMES), compression="lz4")
    write_truth(FOLDER / "corner", source, BAG_FRAMES)
    for path in sorted(FOLDER.glob("*.*")):
        print(f"{path.name:20} {path.stat().st_size / 1e6:6.2f} MB")


if __name__ == "__main__":
    main()
