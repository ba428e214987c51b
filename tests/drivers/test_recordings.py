"""The recordings that ship: readable, and where their truth says."""

from pathlib import Path

import numpy as np
import pytest

from sensorfusion.export.ply import read_mesh
from sensorfusion.export.trajectory import read_trajectory
from sensorfusion_drivers.realsense.driver import RealSenseDriver

FOLDER = Path(__file__).resolve().parents[2] / "recordings"
RECORDINGS = [("room.db3", 66), ("corner.bag", 7)]


def _truth(name, kind):
    return FOLDER / f"{Path(name).stem}.truth.{kind}"


@pytest.mark.parametrize(("name", "frames"), RECORDINGS)
def test_every_frame_is_there_with_its_true_pose(name, frames):
    with RealSenseDriver().open(str(FOLDER / name)) as source:
        stamps = [source[index].timestamp_ns for index in range(len(source))]
        assert len(stamps) == frames
        assert not any(source.losses.unpaired.values())
    assert stamps == read_trajectory(_truth(name, "tum")).timestamps_ns.tolist()


@pytest.mark.parametrize(("name", "frames"), RECORDINGS)
def test_depth_carried_by_the_true_pose_lies_on_the_true_surface(name, frames):
    import open3d as o3d

    poses = read_trajectory(_truth(name, "tum")).poses
    mesh = read_mesh(_truth(name, "ply"))
    tensor = o3d.core.Tensor.from_numpy
    surface = o3d.t.geometry.RaycastingScene()
    surface.add_triangles(tensor(mesh.vertices), tensor(mesh.triangles.astype(np.uint32)))
    with RealSenseDriver().open(str(FOLDER / name)) as source:
        camera = source.rig.cameras["depth"]
        for index in (0, frames // 2, frames - 1):
            raw = source[index].measurement
            assert raw.unit_m == 0.001
            v, u = np.nonzero(raw.values)
            x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
            rays = np.stack([x, y, np.ones_like(x)], axis=-1)
            points = poses[index].apply(rays * (raw.values[v, u] * 0.001)[:, None])
            distances_m = surface.compute_distance(tensor(points.astype(np.float32))).numpy()
            # Noise of a structured-light camera at 1 to 2.5 m: 2 to 10 mm.
            assert np.median(distances_m) < 0.004
            assert (distances_m < 0.03).mean() > 0.99


def test_colour_and_depth_cameras_are_those_that_were_simulated():
    with RealSenseDriver().open(str(FOLDER / "room.db3")) as source:
        color, depth = source.rig.cameras["color"], source.rig.cameras["depth"]
        assert (depth.width, depth.height, color.width, color.height) == (320, 240, 424, 240)
        assert depth.fx == pytest.approx(385.7 / 2)
        assert color.distortion.coefficients == pytest.approx((0.14, -0.42, 0.0007, -0.0009, 0.38))
        # The colour camera sits 15 mm to the right of the depth camera.
        origin_m = source.rig.transform("depth", "color").translation_m
        np.testing.assert_allclose(origin_m, (0.015, 0.0003, 0.0002), atol=2e-6)


def test_together_they_are_at_most_20_megabytes():
    model = {"rooms.onnx", "rooms.toml"}
    files = [path for path in FOLDER.iterdir() if path.is_file() and path.name not in model]
    assert sum(path.stat().st_size for path in files) <= 20e6
