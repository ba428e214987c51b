import json
import os
import struct
import zlib
from pathlib import Path

import cv2  # noqa: TID253 - an independent writer of pictures
import numpy as np
import pytest

from sensorfusion.errors import (
    CalibrationError,
    CorruptRecordingError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.noise import DepthNoise
from sensorfusion.sources.registry import find_driver, open_source, read_truth

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))
MATRIX = "8 0 3.5\n0 8 2.5\n0 0 1\n"
WIDTH, HEIGHT = 8, 6
NOTHING_LOST = {"depth": 0, "color": 0}
FRAME_NS = [0, 33_333_333, 66_666_667, 100_000_000]


def write_depth(path, value, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full(size, value, dtype=np.uint16))


def write_color(path, rgb, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), rgb[::-1], dtype=np.uint8))


def write_pose(path, x_m, rotation=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[0, 3] = rotation, x_m
    np.savetxt(path, matrix)


@pytest.fixture
def scenes(tmp_path):
    """Three frames of 7-Scenes, depth 1000 + n, colour (n, 20, 30), at x = n metres."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for n in range(3):
        write_depth(folder / f"frame-{n:06d}.depth.png", 1000 + n)
        write_color(folder / f"frame-{n:06d}.color.png", (n, 20, 30))
        write_pose(folder / f"frame-{n:06d}.pose.txt", n)
    (folder / "camera-intrinsics.txt").write_text(MATRIX)
    return folder


@pytest.fixture
def tum(tmp_path):
    """Three depth pictures 10 ms after their colour pictures, and poses 20 ms apart."""
    folder = tmp_path / "tum"
    folder.mkdir()
    depth, color = ["# depth maps"], ["# color images"]
    for n in range(3):
        write_depth(folder / f"depth/{n}.png", 5000 + n)
        write_color(folder / f"rgb/{n}.png", (n, 20, 30))
        depth.append(f"1305031453.{100 * n + 10:03d}000 depth/{n}.png")
        color.append(f"1305031453.{100 * n:03d}000 rgb/{n}.png")
    (folder / "depth.txt").write_text("\n".join(depth))
    (folder / "rgb.txt").write_text("\n".join(color))
    (folder / "intrinsics.txt").write_text(MATRIX)
    return folder


@pytest.fixture
def numbered(tmp_path):
    """Three pairs of Open3D's layout."""
    folder = tmp_path / "numbered"
    folder.mkdir()
    for n in range(3):
        write_depth(folder / f"depth/{n:05d}.png", 1000 + n)
        write_color(folder / f"color/{n:05d}.png", (n, 20, 30))
    write_json(folder / "camera_intrinsic.json")
    return folder


def write_json(path, **more):
    content = {
        "width": WIDTH,
        "height": HEIGHT,
        "intrinsic_matrix": [8, 0, 0, 0, 8, 0, 3.5, 2.5, 1],
    }
    path.write_text(json.dumps(content | more))


def values_of(source):
    return [int(frame.measurement.values[0, 0]) for frame in source]


def reds_of(source):
    return [int(frame.images["color"].pixels[0, 0, 0]) for frame in source]


@pytest.mark.parametrize("layout", ["scenes", "tum", "numbered"])
def test_each_layout_is_recognised_by_its_content(request, layout):
    assert find_driver(request.getfixturevalue(layout)) == "rgbd_folder"


@pytest.mark.parametrize(
    ("layout", "unit_m"), [("scenes", 0.001), ("tum", 0.0002), ("numbered", 0.001)]
)
def test_the_unit_is_that_of_the_layouts_document(request, layout, unit_m):
    assert open_source(request.getfixturevalue(layout))[0].measurement.unit_m == unit_m


def test_colour_comes_as_red_green_blue(scenes):
    pixels = open_source(scenes)[2].images["color"].pixels
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert pixels[3, 4].tolist() == [2, 20, 30]


def test_depth_and_colour_share_the_intrinsics_of_the_file(scenes):
    rig = open_source(scenes).rig
    assert [(c.fx, c.cx, c.cy) for c in rig.cameras.values()] == [(8, 3.5, 2.5)] * 2
    assert np.array_equal(rig.transform("color", "depth").matrix, np.eye(4))


def test_seven_scenes_frames_stand_a_thirtieth_of_a_second_apart(scenes):
    assert [frame.timestamp_ns for frame in open_source(scenes)] == FRAME_NS[:3]


def test_seven_scenes_poses_are_those_of_the_files(scenes):
    trajectory = open_source(scenes).trajectory
    assert trajectory.timestamps_ns.tolist() == FRAME_NS[:3]
    assert [pose.name for pose in trajectory.poses] == ["T_world_depth"] * 3
    assert [pose.translation_m.tolist() for pose in trajectory.poses] == [
        [0, 0, 0],
        [1, 0, 0],
        [2, 0, 0],
    ]


@pytest.mark.parametrize("word", ["inf", "nan", "-1.#IND"])
def test_a_lost_pose_leaves_its_frame_and_the_other_poses(scenes, word):
    (scenes / "frame-000001.pose.txt").write_text(f"{word} " * 16)
    source = open_source(scenes)
    assert len(source) == 3
    assert source.trajectory.timestamps_ns.tolist() == [FRAME_NS[0], FRAME_NS[2]]


def test_without_pose_files_there_is_no_trajectory(scenes):
    for path in scenes.glob("*.pose.txt"):
        path.unlink()
    assert open_source(scenes).trajectory is None


@pytest.mark.parametrize("text", ["1 2 3", "a " * 16])
def test_a_pose_file_that_is_no_matrix_is_refused(scenes, text):
    (scenes / "frame-000001.pose.txt").write_text(text)
    with pytest.raises(CorruptRecordingError, match=r"frame-000001\.pose\.txt.*4x4"):
        open_source(scenes)


def test_a_pose_that_stretches_is_refused(scenes):
    write_pose(scenes / "frame-000001.pose.txt", 0, rotation=2 * np.eye(3))
    with pytest.raises(CalibrationError, match=r"frame-000001\.pose\.txt.*not a rigid transform"):
        open_source(scenes)


def test_gravity_of_any_length_points_down_with_length_one(scenes):
    (scenes / "gravity-direction.txt").write_text("0 3 4")
    assert open_source(scenes).down_world.tolist() == pytest.approx([0, 0.6, 0.8])


def test_gravity_without_a_direction_is_refused(scenes):
    (scenes / "gravity-direction.txt").write_text("0 0 0")
    with pytest.raises(CalibrationError, match="three numbers"):
        open_source(scenes)


def test_a_missing_colour_picture_leaves_the_others_rightly_paired(scenes):
    (scenes / "frame-000001.color.png").unlink()
    source = open_source(scenes)
    assert values_of(source) == [1000, 1002]
    assert reds_of(source) == [0, 2]
    assert source.losses.unpaired == {"depth": 1, "color": 0}


def test_numbered_pictures_pair_by_number_and_never_by_position(numbered):
    (numbered / "color/00000.png").unlink()
    (numbered / "depth/00002.png").unlink()
    source = open_source(numbered)
    assert values_of(source) == [1001]
    assert reds_of(source) == [1]
    assert source.losses.unpaired == {"depth": 1, "color": 1}


@pytest.mark.parametrize("name", ["image", "rgb"])
def test_the_colour_folder_may_have_another_name(numbered, name):
    (numbered / "color").rename(numbered / name)
    assert reds_of(open_source(numbered)) == [0, 1, 2]


def test_two_colour_folders_are_refused(numbered):
    write_color(numbered / "rgb/00000.png", (1, 2, 3))
    with pytest.raises(SourceError, match="color and rgb"):
        open_source(numbered)


def test_two_pictures_with_one_number_are_refused(numbered):
    write_depth(numbered / "depth/1.png", 7)
    with pytest.raises(SourceError, match="same instant"):
        open_source(numbered)


def test_a_picture_without_a_number_is_counted(numbered):
    write_depth(numbered / "depth/preview.png", 7)
    source = open_source(numbered)
    assert len(source) == 3
    assert source.losses.dropped == {"no number in the file name": 1}


def test_names_with_microseconds_pair_by_time_and_not_by_number(tmp_path):
    for number, microseconds in ((1, 0), (2, 33_369), (3, 66_738)):
        write_depth(tmp_path / f"depth/{number:07d}-{microseconds:012d}.png", number)
    # The first colour picture was lost, so that the numbers are one behind.
    for number, microseconds in ((1, 35_000), (2, 68_000)):
        write_color(tmp_path / f"image/{number:07d}-{microseconds:012d}.png", (number, 0, 0))
    write_json(tmp_path / "intrinsic.json")
    source = open_source(tmp_path)
    assert values_of(source) == [2, 3]
    assert reds_of(source) == [1, 2]
    assert [frame.timestamp_ns for frame in source] == [33_369_000, 66_738_000]


def test_the_depth_scale_of_the_json_is_the_unit(numbered):
    write_json(numbered / "camera_intrinsic.json", depth_scale=4000.0)
    assert open_source(numbered)[0].measurement.unit_m == 0.00025


def test_tum_pairs_by_time(tum):
    source = open_source(tum)
    assert values_of(source) == [5000, 5001, 5002]
    assert reds_of(source) == [0, 1, 2]
    assert source[1].timestamp_ns == 1_305_031_453_110_000_000
    assert source[1].images["color"].timestamp_ns == 1_305_031_453_100_000_000


def test_tum_pictures_more_than_20_ms_apart_are_no_pair(tum):
    lists = (tum / "rgb.txt").read_text()
    (tum / "rgb.txt").write_text(lists.replace("1305031453.100000", "1305031453.089999"))
    source = open_source(tum)
    assert values_of(source) == [5000, 5002]
    assert source.losses.unpaired == {"depth": 1, "color": 1}


def test_tum_entries_without_a_file_are_counted_with_the_reason(tum):
    (tum / "rgb/1.png").unlink()
    source = open_source(tum)
    assert values_of(source) == [5000, 5002]
    assert source.losses.dropped == {"picture file missing": 1}


def test_tum_poses_lie_between_their_neighbours(tum):
    half = np.sqrt(0.5)
    (tum / "groundtruth.txt").write_text(
        "# t tx ty tz qx qy qz qw\n"
        "1305031453.100 1 0 0 0 0 0 1\n"
        f"1305031453.120 3 0 0 0 0 {half} {half}\n"
    )
    ((timestamp_ns, pose),) = open_source(tum).trajectory
    assert timestamp_ns == 1_305_031_453_110_000_000
    assert pose.translation_m == pytest.approx([2, 0, 0])
    # Half of a quarter turn about z.
    assert pose.rotation[:, 0] == pytest.approx([half, half, 0])


def test_tum_poses_more_than_100_ms_apart_are_not_bridged(tum):
    (tum / "groundtruth.txt").write_text(
        "1305031453.050 1 0 0 0 0 0 1\n1305031453.151 3 0 0 0 0 0 1\n"
    )
    assert open_source(tum).trajectory is None


def test_the_pose_of_an_instant_that_was_measured_is_that_pose(tum):
    (tum / "groundtruth.txt").write_text("1305031453.210 7 8 9 0 0 0 -2\n")
    ((_, pose),) = open_source(tum).trajectory
    assert pose.translation_m.tolist() == [7, 8, 9]
    assert np.array_equal(pose.rotation, np.eye(3))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("rgb.txt", "1305031453.5 ../../etc/passwd.png"),
        ("rgb.txt", "1305031453.5 /etc/passwd"),
        ("depth.txt", "1305031453.5 ..\\a.png"),
        ("depth.txt", "soon depth/1.png"),
        ("depth.txt", "nan depth/1.png"),
        ("depth.txt", "1e400 depth/1.png"),
        ("depth.txt", "1305031453.5"),
        ("groundtruth.txt", "1305031453.5 0 0 0"),
        ("groundtruth.txt", "1305031453.5 0 0 0 0 0 0 0"),
        ("groundtruth.txt", "1305031453.5 0 0 zero 0 0 0 1"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_the_name_of_the_list(tum, name, line):
    path = tum / name
    path.write_text((path.read_text() if path.exists() else "") + "\n" + line)
    with pytest.raises(SensorFusionError, match=name):
        open_source(tum)


def test_no_intrinsics_are_never_guessed(scenes):
    (scenes / "camera-intrinsics.txt").unlink()
    with pytest.raises(CalibrationError, match=r"no intrinsics; looked for .*-o intrinsics=FILE"):
        open_source(scenes)


def test_intrinsics_may_stand_one_folder_above(scenes):
    (scenes / "camera-intrinsics.txt").rename(scenes.parent / "camera-intrinsics.txt")
    assert open_source(scenes).rig.cameras["depth"].fx == 8


def test_intrinsics_given_as_an_option_stand_for_those_of_the_folder(scenes, tmp_path):
    given = tmp_path / "mine.txt"
    given.write_text(MATRIX.replace("8", "9"))
    source = open_source(scenes, options={"intrinsics": str(given)})
    assert source.rig.cameras["depth"].fx == 9


def test_intrinsics_files_that_disagree_are_refused(scenes):
    (scenes / "intrinsics.txt").write_text(MATRIX.replace("8", "9"))
    with pytest.raises(CalibrationError, match="disagree on fx"):
        open_source(scenes)


def test_intrinsics_files_that_agree_are_read_as_one(scenes):
    write_json(scenes / "intrinsic.json", depth_scale=2000.0)
    assert open_source(scenes)[0].measurement.unit_m == 0.0005


def test_intrinsics_of_another_size_are_refused(numbered):
    write_json(numbered / "camera_intrinsic.json", width=16, height=12)
    with pytest.raises(CalibrationError, match=r"intrinsics for 16x12 pixels, but .* 8x6"):
        open_source(numbered)


@pytest.mark.parametrize("matrix", ["16 0 7.5 0 16 5.5 0 0 1", "4 0 1.5 0 4 1 0 0 1"])
def test_a_principal_point_of_twice_or_half_the_size_is_refused(scenes, matrix):
    (scenes / "camera-intrinsics.txt").write_text(matrix)
    with pytest.raises(CalibrationError, match="far from the middle of 8x6"):
        open_source(scenes)


def test_a_file_that_says_its_size_may_have_a_principal_point_a_little_farther_out(numbered):
    # The middle is 3.5, so 1.5 is 25 % of 8 pixels away, in one direction only.
    write_json(numbered / "camera_intrinsic.json", intrinsic_matrix=[8, 0, 0, 0, 8, 0, 1.5, 2.5, 1])
    assert open_source(numbered).rig.cameras["depth"].cx == 1.5


# By hand: the middle of 640x480 is (319.5, 239.5).
@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ((525, 525, 160, 120), "far from the middle of 640x480"),
        ((525, 525, 120, 239.5), "far from the middle of 640x480"),
        ((0.9, 1.2, 0.5, 0.5), r"normalised by the picture's size\?"),
        ((1e-6, 1e-6, 319.5, 239.5), "field of view"),
        ((5, 5, 319.5, 239.5), "field of view"),
        ((0.1, 0.1, 319.5, 239.5), "field of view"),
        ((5.85e8, 5.85e8, 319.5, 239.5), "field of view"),
        ((525, 200, 319.5, 239.5), "factor of 2"),
        ((200, 525, 319.5, 239.5), "factor of 2"),
    ],
)
@pytest.mark.parametrize("form", ["txt", "json"])
def test_intrinsics_that_cannot_be_of_these_pictures_are_refused(
    scenes, tmp_path, form, values, complaint
):
    fx, fy, cx, cy = values
    for n in range(3):
        write_depth(scenes / f"frame-{n:06d}.depth.png", 1000, size=(480, 640))
        write_color(scenes / f"frame-{n:06d}.color.png", (1, 2, 3), size=(480, 640))
    path = tmp_path / f"mine.{form}"
    if form == "txt":
        path.write_text(f"{fx} 0 {cx} 0 {fy} {cy} 0 0 1")
    else:
        columns = [fx, 0, 0, 0, fy, 0, cx, cy, 1]
        write_json(path, width=640, height=480, intrinsic_matrix=columns)
    with pytest.raises(CalibrationError, match=rf"mine\.{form}.*{complaint}"):
        open_source(scenes, options={"intrinsics": str(path)})


def test_colour_of_another_size_than_depth_is_refused(scenes):
    for path in scenes.glob("*.color.png"):
        write_color(path, (1, 2, 3), size=(12, 16))
    with pytest.raises(UnsupportedRecordingError, match="depth has 8x6 pixels, colour 16x12"):
        open_source(scenes)


def test_a_picture_that_changes_size_on_the_way_is_refused(scenes):
    write_depth(scenes / "frame-000002.depth.png", 7, size=(12, 16))
    source = open_source(scenes)
    with pytest.raises(UnsupportedRecordingError, match=r"frame-000002\.depth\.png: 16x12"):
        source[2]


def test_depth_of_8_bit_is_refused(scenes):
    cv2.imwrite(str(scenes / "frame-000001.depth.png"), np.zeros((6, 8), dtype=np.uint8))
    source = open_source(scenes)
    with pytest.raises(UnsupportedRecordingError, match="8-bit PNG with 1 channels"):
        source[1]


def test_a_cut_depth_picture_is_an_error_that_names_it(scenes):
    path = scenes / "frame-000001.depth.png"
    path.write_bytes(path.read_bytes()[:-13])
    source = open_source(scenes)
    assert source[0].index == 0
    with pytest.raises(CorruptRecordingError, match=r"frame-000001\.depth\.png"):
        source[1]


def test_a_whole_png_with_too_few_pixels_is_an_error_that_says_how_many(scenes, capfd):
    path = scenes / "frame-000001.depth.png"
    start = path.read_bytes()[:33]
    # Three of six rows: a filter byte and 8 pixels of 2 bytes in each.
    body = b"IDAT" + zlib.compress(bytes(3 * 17))
    data = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(start + data + bytes.fromhex("00000000 49454e44 ae426082"))
    source = open_source(scenes)
    with pytest.raises(CorruptRecordingError, match=r"found 51 bytes of pixels.*expected 102"):
        source[1]
    capfd.readouterr()


def test_a_cut_jpeg_is_an_error_that_names_it(scenes):
    (scenes / "frame-000001.color.png").unlink()
    path = scenes / "frame-000001.color.jpg"
    write_color(path, (1, 2, 3))
    assert open_source(scenes)[1].images["color"].pixels.shape == (HEIGHT, WIDTH, 3)
    path.write_bytes(path.read_bytes()[:-2])
    source = open_source(scenes)
    with pytest.raises(CorruptRecordingError, match=r"frame-000001\.color\.jpg"):
        source[1]


def test_values_of_65535_reach_the_depth_stage(scenes):
    write_depth(scenes / "frame-000000.depth.png", 65535)
    assert values_of(open_source(scenes)) == [65535, 1001, 1002]


def test_the_unit_and_kind_of_depth_can_be_given(scenes):
    options = {"depth-unit-m": "0.0002", "depth-kind": "range"}
    measurement = open_source(scenes, options=options)[0].measurement
    assert (measurement.unit_m, measurement.kind) == (0.0002, "range")


@pytest.mark.parametrize(
    ("layout", "noise"),
    [
        ("scenes", DepthNoise.structured_light()),
        ("tum", DepthNoise.structured_light()),
        ("numbered", DepthNoise.unknown()),
    ],
)
def test_the_noise_is_that_of_the_sensor_a_layouts_data_sets_were_taken_with(
    request, layout, noise
):
    source = open_source(request.getfixturevalue(layout))
    assert source.rig.noise_of("depth") == noise


@pytest.mark.parametrize("layout", ["scenes", "numbered"])
def test_the_sensor_can_be_given(request, layout):
    source = open_source(request.getfixturevalue(layout), options={"sensor": "d435"})
    # The pictures' focal length is 8 px.
    assert source.rig.noise_of("depth") == DepthNoise.stereo(0.050, 8.0)


def test_a_sensor_of_unknown_noise_is_refused_with_those_that_are_known(scenes):
    with pytest.raises(SensorFusionError, match="sensor is 'zed'; expected kinect or sr300 or"):
        open_source(scenes, options={"sensor": "zed"})


@pytest.mark.parametrize("unit", ["0", "-1", "nan", "5000"])
def test_a_unit_that_cannot_be_metres_is_refused(scenes, unit):
    with pytest.raises(SensorFusionError, match="expected metres per unit"):
        open_source(scenes, options={"depth-unit-m": unit})


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_the_recording_is_an_index_error(scenes, index):
    source = open_source(scenes)
    with pytest.raises(IndexError):
        source[index]


def test_truth_needs_neither_intrinsics_nor_pictures(scenes):
    (scenes / "camera-intrinsics.txt").unlink()
    for path in scenes.glob("*.png"):
        path.write_bytes(b"")
    assert len(read_truth(scenes).trajectory) == 3


def test_samples_hold_also_what_found_no_partner(scenes):
    (scenes / "frame-000001.color.png").unlink()
    found = [(sample.timestamp_ns, sample.stream) for sample in open_source(scenes).samples()]
    assert found == [
        (FRAME_NS[0], "depth"),
        (FRAME_NS[0], "color"),
        (FRAME_NS[1], "depth"),
        (FRAME_NS[2], "depth"),
        (FRAME_NS[2], "color"),
    ]


def test_a_folder_without_a_single_pair_is_refused(scenes):
    for n, path in enumerate(sorted(scenes.glob("*.color.png"))):
        path.rename(scenes / f"frame-{n + 9:06d}.color.png")
    with pytest.raises(SourceError, match=r"not one depth picture can be a frame.*'depth': 3"):
        open_source(scenes)


def without_color(folder):
    for path in (*folder.glob("*.color.png"), *folder.glob("color/*"), *folder.glob("rgb/*")):
        path.unlink()
    (folder / "rgb.txt").unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize("layout", ["scenes", "tum", "numbered"])
def test_depth_without_any_colour_gives_frames_without_pictures(request, layout):
    source = open_source(without_color(request.getfixturevalue(layout)))
    assert len(values_of(source)) == 3
    assert all(not frame.images for frame in source)
    assert list(source.rig.cameras) == ["depth"]
    assert source.losses.unpaired == {"depth": 0}
    assert [sample.stream for sample in source.samples()] == ["depth"] * 3


def test_tum_pictures_without_their_list_are_not_left_out_silently(tum):
    (tum / "rgb.txt").unlink()
    with pytest.raises(SourceError, match=r"colour pictures in rgb/, but no rgb\.txt"):
        open_source(tum)


def test_colour_pictures_whose_names_say_nothing_are_not_left_out_silently(numbered):
    for path in (numbered / "color").iterdir():
        path.rename(path.with_name("abc"[int(path.stem)] + ".png"))
    with pytest.raises(SourceError, match="no driver recognises it"):
        open_source(numbered)


@pytest.mark.parametrize(
    "path", ["frame-000001.depth.png", "frame-000001.color.png", "frame-000001.pose.txt"]
)
def test_an_empty_file_is_said_to_be_empty(scenes, path):
    (scenes / path).write_bytes(b"")
    with pytest.raises(CorruptRecordingError, match=rf"{path}.*is empty \(0 bytes\)"):
        open_source(scenes)[1]


@pytest.mark.skipif(not (DATA / "rgbd-7scenes").is_dir(), reason="no rgbd-7scenes")
def test_the_kinect_frames_of_seven_scenes_come_pixel_by_pixel():
    folder = DATA / "rgbd-7scenes"
    source = open_source(folder)
    assert (len(source), len(source.trajectory), source.losses.unpaired) == (300, 300, NOTHING_LOST)
    assert source.down_world == pytest.approx([-0.008874, 0.904426, 0.426539], abs=1e-5)
    frame = source[299]
    stored = cv2.imread(str(folder / "frame-000299.depth.png"), cv2.IMREAD_UNCHANGED)
    color = cv2.imread(str(folder / "frame-000299.color.jpg"))
    assert np.array_equal(frame.measurement.values, stored)
    assert np.array_equal(frame.images["color"].pixels, color[:, :, ::-1])


@pytest.mark.skipif(not (DATA / "rgbd-tum").is_dir(), reason="no rgbd-tum")
def test_the_desk_of_tum_gives_nine_pairs_and_counts_the_rest():
    source = open_source(DATA / "rgbd-tum")
    losses = source.losses
    assert (len(source), len(source.trajectory)) == (9, 9)
    missing = losses.dropped["picture file missing"]
    # 595 and 613 lines: every one is a frame, dropped, or unpaired.
    assert 9 + missing + losses.unpaired["depth"] == 595
    assert 9 + missing + losses.unpaired["color"] == 613
    assert len(list(source.samples())) == 18
