import numpy as np
import pytest

from sensorfusion.errors import OutputError
from sensorfusion.export.cloud import write_cloud
from sensorfusion.point_cloud import PointCloud
from sensorfusion.sources.registry import open_source

COUNT = 300
START_NS = 1_600_000_000_000_000_000
FORMS = [("a.ply", {}), ("a.pcd", {}), ("b.pcd", {"compressed": True})]


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(1)
    return PointCloud(
        points=rng.normal(0, 20, (COUNT, 3)).astype(np.float32),
        coordinate_system="lidar",
        timestamp_ns=START_NS,
        intensity=rng.uniform(0, 1, COUNT).astype(np.float32),
        ring=rng.integers(0, 128, COUNT).astype(np.uint16),
        column=rng.integers(0, 1024, COUNT).astype(np.int32),
        time_offset_ns=rng.integers(0, 100_000_000, COUNT),
        color=rng.integers(0, 256, (COUNT, 3)).astype(np.uint8),
        normals=rng.normal(0, 1, (COUNT, 3)).astype(np.float32),
        extra={"near ir": rng.integers(0, 9, COUNT).astype(np.uint32)},
    )


def read(path):
    with open_source(path) as source:
        return source[0].measurement


@pytest.mark.parametrize(("name", "options"), FORMS)
def test_every_layer_comes_back_exactly(tmp_path, cloud, name, options):
    write_cloud(cloud, tmp_path / name, **options)
    back = read(tmp_path / name)
    for layer in ("points", "intensity", "ring", "column", "time_offset_ns", "color", "normals"):
        assert np.array_equal(getattr(back, layer), getattr(cloud, layer)), layer
    assert np.array_equal(back.extra["near_ir"], cloud.extra["near ir"])


@pytest.mark.parametrize(("name", "options"), FORMS)
def test_open3d_reads_what_was_written(tmp_path, cloud, name, options):
    import open3d as o3d

    write_cloud(cloud, tmp_path / name, **options)
    theirs = o3d.t.io.read_point_cloud(str(tmp_path / name)).point
    assert np.array_equal(theirs["positions"].numpy(), cloud.points)
    assert np.array_equal(theirs["colors"].numpy(), cloud.color)
    assert np.array_equal(theirs["normals"].numpy(), cloud.normals)
    assert np.array_equal(theirs["intensity"].numpy()[:, 0], cloud.intensity)


@pytest.mark.parametrize("name", ["a.las", "a.laz"])
def test_laspy_reads_what_was_written(tmp_path, cloud, name):
    laspy = pytest.importorskip("laspy")
    write_cloud(cloud, tmp_path / name)
    las = laspy.read(tmp_path / name)
    assert np.abs(las.xyz - cloud.points).max() <= 0.0005001
    assert np.array_equal(las.red, cloud.color[:, 0].astype(int) * 257)
    assert np.array_equal(las["ring"], cloud.ring)
    assert np.abs(las.intensity / 65535 - cloud.intensity).max() < 1e-5
    assert np.abs(las.gps_time - START_NS / 1e9 - cloud.time_offset_ns / 1e9).max() < 1e-6
    assert np.array_equal(read(tmp_path / name).color, cloud.color)


def test_intensities_above_1_are_kept_as_they_are_in_las(tmp_path):
    pytest.importorskip("laspy")
    values = np.array([0, 1, 255, 70_000], np.float32)
    write_cloud(PointCloud(np.ones((4, 3), np.float32), "a", intensity=values), tmp_path / "a.las")
    assert read(tmp_path / "a.las").intensity.tolist() == [0, 1, 255, 65535]


@pytest.mark.parametrize("name", ["a.ply", "a.pcd", "a.las", "a.laz"])
@pytest.mark.parametrize("count", [0, 2])
def test_bare_points_are_written_however_few(tmp_path, name, count):
    points = np.arange(3 * count, dtype=np.float32).reshape(-1, 3) + 1
    write_cloud(PointCloud(points, "a"), tmp_path / name)
    back = read(tmp_path / name)
    assert back.points.shape == (count, 3)
    assert np.allclose(back.points, points)
    assert back.color is None


def test_a_layer_never_hides_another(tmp_path):
    extra = {"x": np.array([7.0, 8.0]), "rgb": np.array([1, 2]), "h x": np.zeros((2, 3))}
    write_cloud(PointCloud(np.ones((2, 3), np.float32), "a", extra=extra), tmp_path / "a.pcd")
    assert read(tmp_path / "a.pcd").points.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_an_ending_that_is_no_cloud_is_refused(tmp_path, cloud):
    with pytest.raises(OutputError, match=r"'.obj'; expected .ply, .pcd, .las, .laz"):
        write_cloud(cloud, tmp_path / "a.obj")


def test_points_too_far_apart_for_las_are_refused_and_leave_the_old_file(tmp_path):
    path = tmp_path / "a.las"
    path.write_bytes(b"old")
    points = np.array([[0, 0, 0], [3e6, 0, 0]], np.float32)
    with pytest.raises(OutputError, match="2147 km"):
        write_cloud(PointCloud(points, "a"), path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.las"]


def test_a_missing_laspy_is_named(tmp_path, cloud, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "laspy", None)
    with pytest.raises(OutputError, match=r"pip install 'sensorfusion\[lidar\]'"):
        write_cloud(cloud, tmp_path / "a.las")


def test_a_count_that_does_not_come_back_is_an_error(tmp_path, cloud, monkeypatch):
    import sensorfusion.export.cloud as module

    monkeypatch.setattr(module, "_rows", lambda columns: np.zeros(COUNT - 1, "V40"))
    with pytest.raises(OutputError, match=f"came back of {COUNT} written"):
        write_cloud(cloud, tmp_path / "a.pcd")
    assert not list(tmp_path.iterdir())
