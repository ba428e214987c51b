import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, OutputError, SourceError
from sensorfusion.export.trajectory import read_trajectory, write_trajectory
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, rotation_from_vector


def trajectory():
    poses = []
    for i in range(3):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation_from_vector(np.array([0.1, -0.2, 0.3]) * i)
        matrix[:3, 3] = [0.1 * i, -1.0, 2.5]
        poses.append(RigidTransform("world", "camera", matrix))
    return Trajectory([0, 1_305_031_102_175_304_001, 1_305_031_102_175_304_002], poses)


def test_times_come_back_to_the_nanosecond_and_poses_to_a_nanometre(tmp_path):
    write_trajectory(tmp_path / "a.tum", trajectory())
    found = read_trajectory(tmp_path / "a.tum")
    assert found.timestamps_ns.tolist() == trajectory().timestamps_ns.tolist()
    np.testing.assert_allclose(found.matrices, trajectory().matrices, atol=2e-9)


def test_a_line_reads_time_position_quaternion(tmp_path):
    # A quarter turn about z: sin and cos of 45 degrees.
    matrix = np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, -3], [0, 0, 0, 1.0]])
    poses = [RigidTransform("world", "camera", matrix)]
    write_trajectory(tmp_path / "a.tum", Trajectory([1_500_000_000], poses))
    comment, line = (tmp_path / "a.tum").read_text().splitlines()
    assert comment.startswith("#")
    assert line == (
        "1.500000000 1.000000000 2.000000000 -3.000000000 "
        "0.000000000 0.000000000 0.707106781 0.707106781"
    )


def test_comments_commas_exponents_and_short_quaternions_of_other_programs_are_read(tmp_path):
    (tmp_path / "a.txt").write_text(
        "# ground truth\n\n1.3050310266e+09 1 2 3 0 0 0.7071 0.7071 # here\n"
        "1305031027,1,2,3,0,0,0,-1\r\n"
    )
    found = read_trajectory(tmp_path / "a.txt", camera="depth")
    assert found.timestamps_ns.tolist() == [1_305_031_026_600_000_000, 1_305_031_027_000_000_000]
    assert found.poses[0].name == "T_world_depth"
    np.testing.assert_allclose(found.poses[0].apply(np.array([1.0, 0, 0])), [1, 3, 3], atol=1e-12)
    np.testing.assert_array_equal(found.poses[1].rotation, np.eye(3))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("3 1 2 3 0 0 1", "line 2, which has 7 values"),
        ("3 1 2 3 0 0 0 1 5", "line 2, which has 9 values"),
        ("3 1 2 x 0 0 0 1", "line 2, could not convert"),
        ("x 1 2 3 0 0 0 1", "line 2, whose time is 'x'"),
        ("nan 1 2 3 0 0 0 1", "line 2, "),
        ("inf 1 2 3 0 0 0 1", "line 2, "),
        ("1e99999999 1 2 3 0 0 0 1", "line 2, "),
        ("1e50 1 2 3 0 0 0 1", "line 2, .*too large"),
        ("3 nan 2 3 0 0 0 1", "line 2, .*not finite"),
        ("3 1 2 3 0 0 0 0", "line 2, whose quaternion has length 0"),
        ("3 1 2 3 1 1 1 1", "line 2, whose quaternion has length 2"),
        ("1 1 2 3 0 0 0 1", r"line 2, trajectory: time 1000000000 ns follows 2000000000 ns"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, reason):
    (tmp_path / "a.tum").write_text(f"2 0 0 0 0 0 0 1\n{line}\n")
    with pytest.raises(CorruptRecordingError, match=f"a.tum: at byte 16: found {reason}"):
        read_trajectory(tmp_path / "a.tum")


def test_a_file_without_poses_is_refused(tmp_path):
    (tmp_path / "a.tum").write_text("# nothing\n")
    with pytest.raises(CorruptRecordingError, match="no pose"):
        read_trajectory(tmp_path / "a.tum")


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "a.tum").write_bytes(bytes(range(256)))
    with pytest.raises(CorruptRecordingError, match="line 1"):
        read_trajectory(tmp_path / "a.tum")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        read_trajectory(tmp_path / "none.tum")


def test_a_trajectory_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(OutputError, match="make the folder"):
        write_trajectory(tmp_path / "none" / "a.tum", trajectory())
