"""KITTI's three layouts: the numbers of real frames, and folders written by hand."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.errors import (
    CalibrationError,
    CorruptRecordingError,
    DriverError,
    SensorFusionError,
    SourceError,
)
from sensorfusion.sources.registry import find_driver
from sensorfusion_drivers.kitti.driver import KittiDriver

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))
OBJECTS, RAW, PAIR = (
    DATA / name for name in ("kitti-object", "kitti-raw-drive", "kitti-odometry-pair")
)
CAM_TO_CAM = (
    "S_rect_02: 16 12\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 16 0 7.5 1 0 16 5.5 0 0 0 1 0.002\n"
)
VELO_TO_CAM = "R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.3\n"
IMU_TO_VELO = "R: 1 0 0 0 1 0 0 0 1\nT: -0.5 0 0\n"
LATITUDE = 49.0


def needs(path):
    if not path.is_dir():
        pytest.skip(f"{path} is not there; set SENSORFUSION_DATA")
    return path


def write_scans(folder, numbers, digits=10):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        points = np.array([[number, 1, 2, 0.5], [3, 4, 5, 0.25]], dtype="<f4")
        points.tofile(folder / f"{number:0{digits}d}.bin")


def write_pictures(folder, numbers, size=(16, 12), digits=10):
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.full((size[1], size[0], 3), number, dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:0{digits}d}.png"), pixels)


def write_stamps(path, count, seconds=0.0):
    lines = [f"2011-09-26 13:02:{25 + seconds + n / 10:012.9f}" for n in range(count)]
    path.write_text("\n".join(lines) + "\n")


def write_oxts(folder, records):
    (folder / "oxts" / "data").mkdir(parents=True)
    for number, record in enumerate(records):
        text = " ".join(map(str, record)) + " 0" * 24
        (folder / "oxts" / "data" / f"{number:010d}.txt").write_text(text)


@pytest.fixture
def drive(tmp_path):
    date = tmp_path / "2011_09_26"
    folder = date / "2011_09_26_drive_0005_sync"
    write_scans(folder / "velodyne_points" / "data", range(4))
    write_pictures(folder / "image_02" / "data", range(4))
    for name, text in (
        ("cam_to_cam", CAM_TO_CAM),
        ("velo_to_cam", VELO_TO_CAM),
        ("imu_to_velo", IMU_TO_VELO),
    ):
        (date / f"calib_{name}.txt").write_text(text)
    return folder


def inside(camera, points):
    """How many points more than 0.5 m ahead have their nearest pixel in the picture."""
    u, v = camera.project(points[points[:, 2] > 0.5]).T
    half = 0.5
    return int(
        ((u >= -half) & (u < camera.width - half) & (v >= -half) & (v < camera.height - half)).sum()
    )


def test_points_of_object_frames_fall_into_their_pictures():
    counts = {}
    for first in (0, 1):
        with KittiDriver().open(str(needs(OBJECTS)), calibration_of=first) as source:
            camera = source.rig.cameras["image_2"]
            T_camera_lidar = source.rig.transform("image_2", "velodyne")
            for frame in source:
                points = T_camera_lidar.apply(frame.measurement.points)
                assert frame.images["image_2"].pixels.shape == (camera.height, camera.width, 3)
                counts[frame.timestamp_ns // 100_000_000] = inside(camera, points)
    assert counts == {0: 20259, 1: 18608, 2: 20181}


def test_the_fourth_column_of_a_raw_drive_counts():
    with KittiDriver().open(str(needs(RAW))) as source:
        camera, cloud = source.rig.cameras["image_02"], source[0].measurement
        rectified = source.rig.transform("rectified", "velodyne").apply(cloud.points)
        moved = source.rig.transform("image_02", "velodyne").apply(cloud.points)
    ahead = rectified[:, 2] > 2.0
    without_u = camera.project(rectified[ahead])[:, 0]
    difference_px = camera.project(moved[ahead])[:, 0] - without_u
    expected = (44.85728 - 0.002745884 * without_u) / (rectified[ahead, 2] + 0.002745884)
    np.testing.assert_allclose(difference_px, expected, atol=1e-9)
    # 4.3 pixels in the middle of the picture at 10 m.
    at_10_m = np.abs(rectified[ahead, 2] - 10) < 0.1
    assert 4.0 < np.median(difference_px[at_10_m]) < 4.6


def test_a_real_raw_drive_holds_twelve_scans_of_the_points_in_its_files():
    with KittiDriver().open(str(needs(RAW) / "2011_09_26")) as source:
        assert len(source) == 12
        cloud = source[0].measurement
        assert len(cloud) == 114278
        assert cloud.missing == 0
        assert cloud.intensity.max() == np.float32(0.99)
        assert "no time stamps" in source.notes[0]


def test_two_scans_of_the_odometry_benchmark_lie_on_each_other_where_the_poses_say():
    assert find_driver(needs(PAIR)) == "kitti"
    with KittiDriver().open(str(PAIR)) as source:
        first, second = (source[index].measurement.points for index in (0, 1))
        poses = source.trajectory.poses
    T_first_second = poses[0].inverse().matrix @ poses[1].matrix
    # The car drives ahead along the LiDAR's x: half a metre in 0.1 s.
    assert 0.4 < T_first_second[0, 3] < 0.6
    assert np.abs(T_first_second[1:3, 3]).max() < 0.1

    # Structure well above the road: occupied cells of 0.2 m that both scans share.
    def cells(points):
        kept = points[(points[:, 2] > -0.5) & (np.linalg.norm(points, axis=1) < 30)]
        return {tuple(cell) for cell in np.floor(kept / 0.2).astype(int)}

    moved = second @ T_first_second[:3, :3].T + T_first_second[:3, 3]
    assert len(cells(first) & cells(moved)) > 1.5 * len(cells(first) & cells(second))


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_drive_opens_by_its_own_folder_and_those_above(drive, levels):
    location = drive.parents[levels - 1] if levels else drive
    with KittiDriver().open(str(location)) as source:
        assert len(source) == 4
        assert set(source[0].images) == {"image_02"}


def test_several_drives_are_refused_with_their_names(drive):
    write_scans(drive.parent / "2011_09_26_drive_0011_sync" / "velodyne_points" / "data", [0])
    with pytest.raises(SourceError, match=r"2 drives .*0005_sync, .*0011_sync.*expected one"):
        KittiDriver().open(str(drive.parent))


def test_points_and_reflectance_come_as_they_are_stored(drive):
    cloud = KittiDriver().open(str(drive))[2].measurement
    assert cloud.points.tolist() == [[2, 1, 2], [3, 4, 5]]
    assert cloud.intensity.tolist() == [0.5, 0.25]


def test_points_without_a_return_are_left_out_and_counted(drive):
    values = np.array([[1, 2, 3, 0.5], [np.nan, 0, 0, 0], [0, 0, 0, 0.1], [4, 0, 0, 0.2]], "<f4")
    values.tofile(drive / "velodyne_points" / "data" / "0000000001.bin")
    cloud = KittiDriver().open(str(drive))[1].measurement
    assert cloud.points.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert cloud.intensity.tolist() == pytest.approx([0.5, 0.2])
    assert cloud.missing == 2


def test_a_scan_that_is_cut_is_refused_with_the_place(drive):
    path = drive / "velodyne_points" / "data" / "0000000001.bin"
    path.write_bytes(path.read_bytes()[:21])
    with pytest.raises(CorruptRecordingError, match=r"0000000001.bin: at byte 16: found 5 bytes"):
        KittiDriver().open(str(drive))[1]


def test_each_stream_has_its_own_time_to_the_nanosecond(drive):
    write_stamps(drive / "velodyne_points" / "timestamps.txt", 4, seconds=0.964389445)
    write_stamps(drive / "image_02" / "timestamps.txt", 4, seconds=0.957216384)
    source = KittiDriver().open(str(drive))
    # 2011-09-26 13:02:25 is 1317042145 s after 1970.
    assert source[0].timestamp_ns == 1317042145_964389445
    assert source[0].images["image_02"].timestamp_ns == 1317042145_957216384
    assert source.notes == ()


def test_a_picture_without_its_scan_is_counted_and_a_scan_without_its_picture_stays(drive):
    (drive / "velodyne_points" / "data" / "0000000001.bin").unlink()
    (drive / "image_02" / "data" / "0000000003.png").unlink()
    source = KittiDriver().open(str(drive))
    assert [frame.timestamp_ns for frame in source] == [0, 200_000_000, 300_000_000]
    assert [len(frame.images) for frame in source] == [1, 1, 0]
    assert source.losses.unpaired == {"image_02": 1, "velodyne": 0}


def test_time_stamps_for_fewer_scans_than_there_are_are_refused(drive):
    write_stamps(drive / "velodyne_points" / "timestamps.txt", 3)
    with pytest.raises(SourceError, match=r"timestamps.txt: no time in line 4"):
        KittiDriver().open(str(drive))


def test_time_that_stands_still_is_refused(drive):
    (drive / "velodyne_points" / "timestamps.txt").write_text("2011-09-26 13:02:25.5\n" * 4)
    with pytest.raises(SourceError, match=r"0000000001.bin: .*is not after .*0000000000.bin"):
        KittiDriver().open(str(drive))


def test_a_time_stamp_that_is_none_is_refused_with_the_byte(drive):
    path = drive / "velodyne_points" / "timestamps.txt"
    path.write_text("2011-09-26 13:02:25.5\nyesterday\n")
    with pytest.raises(CorruptRecordingError, match=r"at byte 22: found 'yesterday'"):
        KittiDriver().open(str(drive))


def test_pictures_without_calibration_are_refused(drive):
    (drive.parent / "calib_cam_to_cam.txt").unlink()
    with pytest.raises(CalibrationError, match=r"pictures in image_02, but no projection matrix"):
        KittiDriver().open(str(drive))


def test_scans_alone_need_no_calibration(tmp_path):
    write_scans(tmp_path / "velodyne_points" / "data", range(3))
    source = KittiDriver().open(str(tmp_path))
    assert (list(source.rig.cameras), list(source.rig.lidars)) == ([], ["velodyne"])


def test_pictures_that_were_not_rectified_are_refused(drive):
    write_pictures(drive / "image_02" / "data", range(4), size=(20, 14))
    with pytest.raises(CalibrationError, match=r"have 16x12 pixels, those here 20x14"):
        KittiDriver().open(str(drive))


def test_a_picture_of_another_size_than_the_first_is_refused(drive):
    write_pictures(drive / "image_02" / "data", [2], size=(20, 14))
    with pytest.raises(SourceError, match=r"0000000002.png: 20x14 pixels; expected 16x12"):
        KittiDriver().open(str(drive))[2]


def test_a_drive_east_and_north_has_metres_by_the_latitude(drive):
    turn = math.pi / 2  # facing north
    write_oxts(
        drive,
        [
            (LATITUDE, 8.0, 110, 0, 0, turn),
            (LATITUDE, 8.00001, 110, 0, 0, turn),
            (LATITUDE + 1e-5, 8.00001, 112, 0, 0, turn),
            (LATITUDE + 1e-5, 8.00001, 112, 0, 0, 0),
        ],
    )
    source = KittiDriver().open(str(drive))
    poses = source.trajectory.poses
    places_m = np.array([pose.translation_m for pose in poses]) - poses[0].translation_m
    # 1e-5 degrees: 1.11319 m along a meridian of the Mercator sphere, cos(49 degrees) of it along
    # the parallel; the projection's scale makes the step north right, too.
    parallel_m = 1.113195 * math.cos(math.radians(LATITUDE))
    np.testing.assert_allclose(places_m[1], [parallel_m, 0, 0], atol=1e-5)
    np.testing.assert_allclose(places_m[2], [parallel_m, 1.113195, 2], atol=1e-5)
    # The LiDAR sits 0.5 m ahead of the IMU (T_velodyne_imu moves it back by 0.5 m): at first to
    # the north of it, in the end to the east.
    np.testing.assert_allclose(poses[0].translation_m, [0, 0.5, 0], atol=1e-9)
    np.testing.assert_allclose(places_m[3] - places_m[2], [0.5, -0.5, 0], atol=1e-6)
    assert source.down_world.tolist() == [0, 0, -1]


def test_roll_turns_about_the_car_before_pitch_and_yaw(drive):
    write_oxts(drive, [(LATITUDE, 8.0, 110, 0.1, 0.2, 0.3)] * 4)
    rotation = KittiDriver().open(str(drive)).trajectory.poses[0].rotation
    sin, cos = math.sin, math.cos
    # z of the car's x axis depends on pitch alone, heading on yaw alone, the rest on roll.
    assert rotation[2, 0] == pytest.approx(-sin(0.2))
    assert math.atan2(rotation[1, 0], rotation[0, 0]) == pytest.approx(0.3)
    assert rotation[2, 1] == pytest.approx(sin(0.1) * cos(0.2))


def test_poses_are_those_of_the_scans_instant_not_of_the_record(drive):
    write_oxts(drive, [(LATITUDE, 8.0 + n * 1e-5, 110, 0, 0, 0) for n in range(4)])
    write_stamps(drive / "oxts" / "timestamps.txt", 4)
    write_stamps(drive / "velodyne_points" / "timestamps.txt", 4, seconds=0.025)
    source = KittiDriver().open(str(drive))
    # A quarter of the way from record to record; behind the last there is none near enough.
    assert source.trajectory.timestamps_ns.tolist() == [source[n].timestamp_ns for n in range(3)]
    step_m = 1.113195 * math.cos(math.radians(LATITUDE))
    x_m = source.trajectory.matrices[:, 0, 3] - 0.5
    np.testing.assert_allclose(x_m, np.array([0.25, 1.25, 2.25]) * step_m, atol=1e-5)


def test_a_drive_whose_imu_is_not_calibrated_has_no_poses_and_says_so(drive):
    write_oxts(drive, [(LATITUDE, 8.0, 110, 0, 0, 0)] * 4)
    (drive.parent / "calib_imu_to_velo.txt").unlink()
    source = KittiDriver().open(str(drive))
    assert source.trajectory is None
    assert any("calib_imu_to_velo.txt" in note for note in source.notes)


@pytest.mark.parametrize("record", ["49 8 110 0 0", "49 8 110 0 0 north", "90 8 110 0 0 0", "nan"])
def test_a_record_of_the_imu_that_is_none_is_refused(drive, record):
    write_oxts(drive, [(LATITUDE, 8.0, 110, 0, 0, 0)] * 4)
    (drive / "oxts" / "data" / "0000000002.txt").write_text(record)
    with pytest.raises(CorruptRecordingError, match=r"0000000002.txt: at byte 0: found"):
        KittiDriver().open(str(drive))


@pytest.fixture
def sequence(tmp_path):
    folder = tmp_path / "sequences" / "07"
    write_scans(folder / "velodyne", range(3), digits=6)
    write_pictures(folder / "image_2", range(3), digits=6)
    (folder / "calib.txt").write_text(
        "P2: 16 0 7.5 1 0 16 5.5 0 0 0 1 0.002\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3\n"
    )
    (folder / "times.txt").write_text("0.000000e+00\n1.036224e-01\n2.072448e-01\n")
    (tmp_path / "poses").mkdir()
    rows = [f"1 0 0 0 0 1 0 0 0 0 1 {1.5 * n}" for n in range(3)]
    (tmp_path / "poses" / "07.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_a_sequence_finds_its_poses_beside_it(sequence):
    source = KittiDriver().open(str(sequence))
    assert source.trajectory.timestamps_ns.tolist() == [0, 103_622_400, 207_244_800]
    # The world is the first camera's: the LiDAR starts 0.3 m behind it, and drives along z.
    np.testing.assert_allclose(source.trajectory.matrices[:, 2, 3], [-0.3, 1.2, 2.7])
    assert source.trajectory.poses[0].name == "T_world_velodyne"
    assert source.down_world is None


def test_the_truth_of_a_sequence_is_its_poses(sequence):
    truth = KittiDriver().truth(str(sequence)).trajectory
    assert np.array_equal(truth.matrices, KittiDriver().open(str(sequence)).trajectory.matrices)


def test_a_pose_that_is_not_rigid_is_refused_with_its_line(sequence):
    poses = sequence.parents[1] / "poses" / "07.txt"
    poses.write_text(poses.read_text().replace("1 0 0 0 0 1 0 0 0 0 1 1.5", "2 " * 12))
    with pytest.raises(CalibrationError, match=r"07.txt: line 2: .*not a rigid transform"):
        KittiDriver().open(str(sequence))


def test_poses_in_two_files_are_refused(sequence):
    for name in ("poses.txt", "poses_07.txt"):
        (sequence / name).write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    with pytest.raises(SourceError, match=r"poses.txt and poses_07.txt both hold poses"):
        KittiDriver().open(str(sequence))


@pytest.fixture
def training(tmp_path):
    write_scans(tmp_path / "velodyne", range(4), digits=6)
    write_pictures(tmp_path / "image_2", range(4), digits=6)
    (tmp_path / "calib").mkdir()
    for number in range(4):
        focal_px = 16 if number != 1 else 17
        (tmp_path / "calib" / f"{number:06d}.txt").write_text(
            f"P2: {focal_px} 0 7.5 1 0 {focal_px} 5.5 0 0 0 1 0.002\n"
            "R0_rect: 1 0 0 0 1 0 0 0 1\nTr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3\n\n"
        )
    return tmp_path


def test_object_frames_of_one_calibration_open_and_the_others_are_counted(training):
    source = KittiDriver().open(str(training))
    assert [frame.timestamp_ns for frame in source] == [0, 200_000_000, 300_000_000]
    assert source.losses.dropped == {"another calibration, see calibration-of": 1}
    assert source.losses.unpaired["image_2"] == 0
    assert "-o calibration-of=1 opens those like frame 000001" in source.notes[1]
    other = KittiDriver().open(str(training), calibration_of=1)
    assert [frame.timestamp_ns for frame in other] == [100_000_000]
    assert other.rig.cameras["image_2"].fx == 17


def test_an_object_frame_that_is_not_there_is_refused(training):
    with pytest.raises(DriverError, match="calibration-of is 9, but no scan"):
        KittiDriver().open(str(training), calibration_of=9)


def test_a_frame_of_objects_without_calibration_is_dropped_and_counted(training):
    (training / "calib" / "000003.txt").unlink()
    source = KittiDriver().open(str(training))
    assert len(source) == 2
    assert source.losses.dropped["calibration text missing"] == 1


def test_calibration_of_is_for_object_frames(sequence):
    with pytest.raises(DriverError, match="is for object frames"):
        KittiDriver().open(str(sequence), calibration_of=1)


def test_scans_beside_a_calibration_of_something_else_are_not_kittis(tmp_path):
    write_scans(tmp_path, range(3))
    (tmp_path / "calib.txt").write_text("baseline = 0.1\n")
    assert not KittiDriver().can_open(str(tmp_path))


@pytest.mark.parametrize("name", ["calib_cam_to_cam.txt", "calib_velo_to_cam.txt"])
def test_a_calibration_with_any_byte_changed_opens_or_is_refused(drive, name):
    rng = np.random.default_rng(2)
    path = drive.parent / name
    sound = path.read_bytes()
    for _ in range(40):
        data = bytearray(sound)
        for place in rng.integers(0, len(data), 2):
            data[place] = rng.choice(list(b"0R:T.-e \n\xffP"))
        path.write_bytes(data)
        try:
            KittiDriver().open(str(drive))
        except SensorFusionError as error:
            assert "\n" not in str(error)
