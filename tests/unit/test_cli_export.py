"""``export cloud`` writes points that hold what was measured, in the colours that cameras see."""

import numpy as np

from sensorfusion.cli import app as cli
from sensorfusion.sources.registry import open_source

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
