"""``export cloud`` writes points that hold what was measured, in the colours that cameras see."""

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.cli import app as cli
from sensorfusion.config import DepthSettings
from sensorfusion.depth.into_cloud import IntoCloud
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

ROOM = ["export", "cloud", "synthetic:room", "-o", "frames=2", "-o", "scale=0.1"]


def read(path):
    """Positions and colours of a PLY or PCD, by a reader that is not ours."""
    import open3d as o3d

    cloud = o3d.t.io.read_point_cloud(str(path))
    colors = cloud.point.colors.numpy() if "colors" in cloud.point else None
    return cloud.point.positions.numpy(), colors


def test_each_pixel_of_a_depth_camera_becomes_a_point(tmp_path, capsys):
    far = ["--far-m", "1000", "--out", str(tmp_path)]
    assert cli.run([*ROOM, *far]) == 0
    points, colors = read(tmp_path / "000001.ply")
    with open_source("synthetic:room", None, {"frames": "2", "scale": "0.1"}) as source:
        values = source[1].measurement.values
    # The filter of flying pixels may take some at edges away.
    assert 0.95 * (values > 0).sum() < len(points) <= (values > 0).sum()
    assert set(np.round(points[:, 2], 5)) <= set(np.round(values[values > 0], 5))
    assert colors is None


def test_points_have_the_colours_of_the_pictures(tmp_path):
    assert cli.run([*ROOM, "--color", "--format", "pcd", "--out", str(tmp_path)]) == 0
    _, colors = read(tmp_path / "000000.pcd")
    with open_source("synthetic:room", None, {"frames": "2", "scale": "0.1"}) as source:
        picture = source[0].images["color"].pixels
    seen = colors[colors.any(axis=1)].astype(float)
    assert len(seen) > 0.4 * len(colors)
    assert np.abs(np.median(seen, axis=0) - np.median(picture, axis=(0, 1))).max() < 25


def test_a_scan_keeps_its_points(tmp_path):
    import laspy

    hall = ["export", "cloud", "synthetic:hall", "-o", "frames=1", "-o", "scale=0.1"]
    assert cli.run([*hall, "--format", "las", "--out", str(tmp_path)]) == 0
    with open_source("synthetic:hall", None, {"frames": "1", "scale": "0.1"}) as source:
        count = len(source[0].measurement)
    assert len(laspy.read(tmp_path / "000000.las").points) == count


def test_pcd_is_written_compressed(tmp_path):
    assert cli.run([*ROOM, "--format", "pcd", "--out", str(tmp_path)]) == 0
    assert b"\nDATA binary_compressed\n" in (tmp_path / "000000.pcd").read_bytes()[:400]


def test_a_range_that_holds_nothing_is_wrong_usage(tmp_path, capsys):
    assert cli.run([*ROOM, "--far-m", "-1", "--out", str(tmp_path / "out")]) == 2
    assert "depth.far_m is -1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_points_behind_what_is_too_near_to_be_kept_have_not_its_colour():
    # A red wall 2 m and a wall 10 m ahead, as points on every fourth pixel of one camera.
    camera = Camera("color", 100, 80, 100.0, 100.0, 49.5, 39.5)
    elevation_rad = tuple(0.36 - 0.04 * ring for ring in range(19))
    lidar = Lidar(name="lidar", rings=19, columns=157, elevation_rad=elevation_rad)
    ahead = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64)
    rig = Rig(
        {"color": camera}, (RigidTransform("color", "lidar", ahead),), lidars={"lidar": lidar}
    )
    parts = []
    for first, z in ((2, 2.0), (4, 10.0)):
        v, u = np.mgrid[first:80:4, first:100:4]
        rays = np.stack([(u - 49.5) / 100, (v - 39.5) / 100, np.ones(u.shape)], -1)
        parts.append(rays.reshape(-1, 3) * z @ ahead[:3, :3])
    cloud = PointCloud(np.concatenate(parts).astype(np.float32), "lidar")
    red = Image(np.full((80, 100, 3), (255, 0, 0), np.uint8), "color", 0)
    frame = Frame(0, 0, "lidar", cloud, {"color": red})
    found = IntoCloud(rig, DepthSettings(near_m=5.0), with_color=True)(frame)
    assert len(found) == len(parts[1])
    # At the rim of the picture there are no beams all around.
    assert found.color.any(axis=1).mean() < 0.2


def test_exported_scans_keep_their_times(tmp_path):
    hall = ["export", "cloud", "synthetic:hall", "-o", "frames=2", "-o", "scale=0.1"]
    assert cli.run([*hall, "--format", "pcd", "--out", str(tmp_path)]) == 0
    with open_source(tmp_path) as source:
        assert [frame.timestamp_ns for frame in source] == [0, 100_000_000]
