import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, SourceError
from sensorfusion.export.pose_files import read_poses
from sensorfusion.export.trajectory import write_trajectory
from sensorfusion.frame import Frame
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, Losses, SeekableFrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

STAMPS_NS = (100, 250, 900)
# A quarter turn about z, then steps along y.
MATRICES = [
    np.array([[0, -1, 0, 0], [1, 0, 0, step], [0, 0, 1, 0.5], [0, 0, 0, 1.0]]) for step in range(3)
]


class Scans(SeekableFrameSource):
    """Three empty scans."""

    def __init__(self):
        self.rig, self.trajectory, self.down_world = Rig({}), None, None
        self.losses = Losses()

    def __len__(self):
        return len(STAMPS_NS)

    def __getitem__(self, index):
        cloud = PointCloud(np.zeros((0, 3), np.float32), "lidar", STAMPS_NS[index])
        return Frame(index, STAMPS_NS[index], "lidar", cloud)

    def samples(self):
        return iter(())


class Stream(FrameSource):
    """A source without an end."""

    def __iter__(self):
        return iter(())

    def samples(self):
        return iter(())


def rows(matrix, count):
    return [" ".join(map(str, row)) for row in matrix[:count]]


def test_lines_of_twelve_numbers_are_the_poses_of_the_frames_in_order(tmp_path):
    path = tmp_path / "00.txt"
    path.write_text("\n".join(" ".join(rows(matrix, 3)) for matrix in MATRICES))
    found = read_poses(path, Scans())
    assert found.timestamps_ns.tolist() == list(STAMPS_NS)
    np.testing.assert_allclose(found.matrices, MATRICES)
    assert found.poses[0].name == "T_world_lidar"


@pytest.mark.parametrize("header", [True, False])
def test_a_log_of_matrices_with_or_without_numbers_between_is_read(tmp_path, header):
    path = tmp_path / "trajectory.log"
    lines = []
    for index, matrix in enumerate(MATRICES):
        lines += [f"{index} {index} {index + 1}"] * header + rows(matrix, 4)
    path.write_text("\n".join(lines) + "\n")
    np.testing.assert_allclose(read_poses(path, Scans()).matrices, MATRICES)


def test_a_file_with_times_keeps_them(tmp_path):
    path = tmp_path / "poses.tum"
    poses = [RigidTransform("world", "camera", matrix) for matrix in MATRICES]
    write_trajectory(path, Trajectory([5, 6, 7], poses))
    assert read_poses(path, Stream()).timestamps_ns.tolist() == [5, 6, 7]


def test_another_number_of_poses_than_frames_is_refused(tmp_path):
    path = tmp_path / "00.txt"
    path.write_text(" ".join(rows(MATRICES[0], 3)))
    with pytest.raises(CorruptRecordingError, match="1 poses for 3 frames"):
        read_poses(path, Scans())


def test_poses_without_times_are_refused_where_frames_cannot_be_counted(tmp_path):
    path = tmp_path / "00.txt"
    path.write_text(" ".join(rows(MATRICES[0], 3)))
    with pytest.raises(SourceError, match="no times"):
        read_poses(path, Stream())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2 3 4 5", "line 1: '1 2 3 4 5'"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "3 rows of matrices"),
        ("1 0 0 0 0 1 0 0 0 0 x 0", "line 1"),
        (" ".join(["2 0 0 0 0 2 0 0 0 0 2 0\n"] * 3), "pose 0"),
        ("", "file that is empty"),
        ("# nothing but words", "no pose"),
    ],
)
def test_what_is_no_pose_is_named(tmp_path, text, complaint):
    path = tmp_path / "poses.txt"
    path.write_text(text)
    with pytest.raises((CorruptRecordingError, SourceError), match=complaint):
        read_poses(path, Scans())
