"""What the benchmarks say must be true before it is fast."""

from pathlib import Path

import numpy as np
import pytest

from sensorfusion.sources.registry import open_source

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def small_sequence():
    from rgbd_sequences import Sequence

    options = {"noise": "kinect", "frames": "3", "scale": "0.1"}
    return Sequence("small", "synthetic:room", options, 0.01)


def result(**values):
    found = {"frames_in": 200, "frames_used": 200, "frames_per_s": 80.0, "memory_mb": 300.0}
    return found | {"ate_rmse_m": 0.010, "fscore_1cm": 0.9, "aligned_fscore_1cm": 0.9} | values


def test_frames_rendered_to_files_come_back_as_they_were(tmp_path):
    from rgbd_sequences import PlayedSource, render

    sequence = small_sequence()
    render(sequence, tmp_path)
    with open_source(sequence.location, options=sequence.options) as source:
        played = PlayedSource(source, cache=tmp_path)
        for expected, found in zip(source, played, strict=True):
            assert found.timestamp_ns == expected.timestamp_ns
            assert found.measurement.timestamp_ns == expected.timestamp_ns
            np.testing.assert_array_equal(found.measurement.values, expected.measurement.values)
            for name, image in expected.images.items():
                np.testing.assert_array_equal(found.images[name].pixels, image.pixels)


def test_a_name_stands_for_every_sequence_that_begins_with_it_up_to_a_dash():
    from rgbd_sequences import chosen

    assert [one.name for one in chosen(["kinect-room0-speed1"], None, 0)] == ["kinect-room0-speed1"]
    assert len(chosen(["d435"], None, 0)) == 9
    with pytest.raises(SystemExit, match="no sequence begins with kinect-room0-speed;"):
        chosen(["kinect-room0-speed"], None, 0)


def test_marks_compare_ours_with_dense_slam_in_the_same_run():
    from rgbd_marks import judge

    peer = result(ate_rmse_m=0.020, fscore_1cm=0.8, frames_per_s=10.0)
    lines = list(judge(small_sequence(), result(), peer))
    # 10 mm over 20 mm is 0.5; (1 - 0.9) over (1 - 0.8) is 0.5; 80 over 10 is 8.
    assert "ATE, ours / dense SLAM                0.5  at most 0.9: reached" in lines
    assert "1 - F at 1 cm                         0.5  at most 0.8: reached" in lines
    assert "frames/s, ours / dense SLAM             8" in lines


def test_an_engine_that_lost_frames_is_said_to_compare_unequal_things():
    from rgbd_marks import judge

    lines = list(judge(small_sequence(), result(frames_used=1), result()))
    assert lines[0].startswith("ours did not place every frame")


def test_what_was_not_measured_reaches_no_mark():
    from rgbd_marks import judge

    lines = list(judge(small_sequence(), result(fscore_1cm=None), result()))
    assert "1 - F at 1 cm                     unknown  at most 0.8: MISSED" in lines


def test_poses_of_icl_nuim_are_reflected_because_its_world_is_left_handed(tmp_path):
    from standard_folders import find

    for name in ("rgb", "depth"):
        (tmp_path / name).mkdir()
    # A quarter turn about x, seen in a mirror across y, is one the other way round.
    half = np.sqrt(0.5)
    poses = f"30 1 2 3 0 0 0 1\n60 1 2 3 {half:.9f} 0 0 {half:.9f}\n"
    (tmp_path / "livingRoom2.gt.freiburg").write_text(poses)
    (found,) = find(tmp_path)
    trajectory = found.read_truth()
    assert found.name == "icl living room 2"
    np.testing.assert_array_equal(trajectory.timestamps_ns, [10**9, 2 * 10**9])
    np.testing.assert_allclose(trajectory.poses[0].translation_m, [1, -2, 3])
    turned = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    np.testing.assert_allclose(trajectory.poses[1].rotation, turned, atol=1e-7)


def test_a_log_of_redwood_places_pictures_by_their_number(tmp_path):
    from standard_folders import find

    for name in ("color", "depth"):
        (tmp_path / name).mkdir()
    for number in (0, 1):
        (tmp_path / "depth" / f"{number:05}.png").touch()
    blocks = [
        "0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1",
        "1 1 2\n1 0 0 5\n0 1 0 6\n0 0 1 7\n0 0 0 1",
    ]
    (tmp_path / "trajectory.log").write_text("\n".join(blocks))
    (found,) = find(tmp_path)
    trajectory = found.read_truth()
    np.testing.assert_array_equal(trajectory.timestamps_ns, [0, 33_333_333])
    np.testing.assert_allclose(trajectory.poses[1].translation_m, [5, 6, 7])
