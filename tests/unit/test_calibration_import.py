"""Files of other programs, in the words that those programs write."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.calibration.rig_file import import_rig, read_rig
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.pcd import read_pcd

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
CAM_TO_CAM = """\
calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_02: 1.392000e+03 5.120000e+02
S_rect_02: 1.242000e+03 3.750000e+02
R_rect_00: 0 1 0 -1 0 0 0 0 1
P_rect_02: 700 0 600 70 0 700 180 1.4 0 0 1 0.002
"""
VELO_TO_CAM = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: -0.01 -0.08 -0.27\n"
IMU_TO_VELO = "calib_time: 25-May-2012 16:47:16\nR: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.8\n"
ROS = """\
image_width: 640
image_height: 480
camera_name: head_camera
camera_matrix:
  rows: 3
  cols: 3
  data: [438.783367, 0., 305.593336, 0., 437.302876, 243.738352, 0., 0., 1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.361976, 0.110510, 0.001014, 0.000505, 0.]
rectification_matrix:
  rows: 3
  cols: 3
  data: [0.999978, 0.002789, -0.006046, -0.002816, 0.999986, -0.004401, 0.006034, 0.004417, 0.999972]
"""  # noqa: E501
ROS_MESSAGE = """\
header:
  stamp:
    sec: 1700000000
    nanosec: 5
  frame_id: camera_color_optical_frame
height: 720
width: 1280
distortion_model: rational_polynomial
d:
- 0.5
- -2.6
- 0.0007
- -0.0003
- 1.5
- 0.4
- -2.4
- 1.4
k:
- 605.1
- 0.0
- 637.7
- 0.0
- 605.2
- 366.6
- 0.0
- 0.0
- 1.0
binning_x: 0
---
"""
KALIBR = """\
cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [-0.0034, 0.0007, -0.0020, 0.0002]
  distortion_model: equidistant
  intrinsics: [190.97, 190.97, 254.93, 256.89]
  resolution: [512, 512]
  rostopic: /cam0/image_raw
  timeshift_cam_imu: 0.0012
  T_cam_imu:
  - [0.0, -1.0, 0.0, 0.05]
  - [0.0, 0.0, -1.0, -0.06]
  - [1.0, 0.0, 0.0, 0.01]
  - [0.0, 0.0, 0.0, 1.0]
cam1:
  T_cn_cnm1:
  - [1.0, 0.0, 0.0, -0.10]
  - [0.0, 1.0, 0.0, 0.002]
  - [0.0, 0.0, 1.0, 0.0]
  - [0.0, 0.0, 0.0, 1.0]
  cam_overlaps: [0]
  camera_model: pinhole
  distortion_coeffs: [-0.28, 0.07, 1.0e-04, 2e-5]
  distortion_model: radtan
  intrinsics: [190.44, 190.43, 252.59, 254.94]
  resolution: [512, 512]
  rostopic: /cam1/image_raw
"""
COLMAP_CAMERAS = """\
# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
# Number of cameras: 3
1 SIMPLE_RADIAL 3072 2304 2559.81 1536.5 1152.5 -0.0204997
2 OPENCV 640 480 500.0 501.0 320.0 240.0 0.1 -0.2 0.001 0.002
3 OPENCV_FISHEYE 1280 1024 400.0 401.0 640.0 512.0 0.01 -0.02 0.003 -0.0004
"""
COLMAP_IMAGES = """\
# Image list with two lines of data per image:
1 0.7071067811865476 0 0 0.7071067811865476 1 2 3 2 left/a.jpg
2362.39 248.498 58396 1784.7 268.254 59027
2 1 0 0 0 -4 0 0 1 right.png

"""


@pytest.fixture
def files(tmp_path):
    def write(**contents):
        paths = []
        for name, content in contents.items():
            path = tmp_path / name.replace("__", ".")
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            paths.append(path)
        return paths

    return write


def opencv_file(tmp_path, ending, **extra):
    """Written by OpenCV itself."""
    import cv2

    path = tmp_path / f"left_intrinsics.{ending}"
    storage = cv2.FileStorage(str(path), cv2.FileStorage_WRITE)
    storage.write("calibration_time", "Mon Nov 2 10:00:00 2026")
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("flags", 0)
    storage.write("camera_matrix", np.array([[535.1, 0, 342.25], [0, 535.2, 235.5], [0, 0, 1]]))
    for name, value in extra.items():
        storage.write(name, value)
    storage.release()
    return path


def test_three_kitti_texts_are_one_rig(files):
    rig = import_rig(
        files(
            calib_cam_to_cam__txt=CAM_TO_CAM,
            calib_velo_to_cam__txt=VELO_TO_CAM,
            calib_imu_to_velo__txt=IMU_TO_VELO,
        )
    )
    camera = rig.cameras["image_02"]
    assert (camera.width, camera.height, camera.fx, camera.cy) == (1242, 375, 700, 180)
    assert (list(rig.lidars), rig.imus) == (["velodyne"], ("imu",))
    # 10 m ahead of the LiDAR: (-0.01, -0.08, 9.73) of camera 0, by R_rect (-0.08, 0.01, 9.73).
    # K^-1 of the fourth column: z 0.002, x (70 - 600 * 0.002) / 700, y (1.4 - 180 * 0.002) / 700.
    x, y, z = rig.transform("image_02", "velodyne").apply(np.array([10.0, 0, 0]))
    assert x == pytest.approx(-0.08 + 68.8 / 700)
    assert y == pytest.approx(0.01 + 1.04 / 700)
    assert z == pytest.approx(9.73 + 0.002)


def test_the_fourth_column_moves_a_point_as_the_projection_matrix_does(files):
    text = CAM_TO_CAM.replace("0 1 0 -1 0 0 0 0 1", "1 0 0 0 1 0 0 0 1")
    rig = import_rig(files(calib_cam_to_cam__txt=text, calib_velo_to_cam__txt=VELO_TO_CAM))
    camera = rig.cameras["image_02"]
    projection = np.array([[700, 0, 600, 70], [0, 700, 180, 1.4], [0, 0, 1, 0.002]])
    for point in ([1.0, 2.0, 10.0], [-4.0, 0.5, 25.0]):
        u, v, w = projection @ [*point, 1.0]
        moved = rig.transform("image_02", "rectified").apply(np.array(point))
        np.testing.assert_allclose(camera.project(moved), [u / w, v / w], rtol=1e-12)


def test_an_object_text_takes_its_picture_size_from_the_user(files):
    text = (
        "P2: 700 0 600 70 0 700 180 1.4 0 0 1 0.002\nR0_rect: 1 0 0 0 1 0 0 0 1\n"
        "Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3\nTr_imu_to_velo: 1 0 0 0 0 1 0 0 0 0 1 0\n\n"
    )
    paths = files(text__txt=text)
    with pytest.raises(CalibrationError, match=r"'image_2' has no picture size; .*--size"):
        import_rig(paths)
    camera = import_rig(paths, size_px=(1224, 370)).cameras["image_2"]
    assert (camera.width, camera.height) == (1224, 370)


def test_odometrys_tr_leads_to_the_rectified_camera(files):
    rig = import_rig(files(calib__txt="Tr: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3\n"))
    point = rig.transform("rectified", "velodyne").apply(np.array([10.0, 1.0, 2.0]))
    np.testing.assert_allclose(point, [-1, -2, 9.7])


def test_r_and_t_need_a_name_that_says_of_what(files):
    with pytest.raises(CalibrationError, match=r"does not say of what; .*rename"):
        import_rig(files(calib__txt=VELO_TO_CAM))


def test_a_ros_calibration_is_the_unrectified_camera(files):
    camera = read_rig(*files(ost__yaml=ROS)).cameras["head_camera"]
    assert (camera.width, camera.height) == (640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (
        438.783367, 437.302876, 305.593336, 243.738352,
    )  # fmt: skip
    assert camera.distortion.model == "brown_conrady"
    assert camera.distortion.coefficients == (-0.361976, 0.110510, 0.001014, 0.000505, 0)


def test_a_printed_ros_message_is_read(files):
    camera = read_rig(*files(info__yaml=ROS_MESSAGE)).cameras["camera_color_optical_frame"]
    assert (camera.width, camera.fy) == (1280, 605.2)
    assert camera.distortion.coefficients == (0.5, -2.6, 0.0007, -0.0003, 1.5, 0.4, -2.4, 1.4)


def test_ros_equidistant_is_kannala_brandt_even_with_zeros(files):
    text = ROS.replace("plumb_bob", "equidistant").replace(
        "-0.361976, 0.110510, 0.001014, 0.000505, 0.", "0, 0, 0, 0"
    )
    lens = read_rig(*files(ost__yaml=text)).cameras["head_camera"].distortion
    assert (lens.model, lens.coefficients) == ("kannala_brandt", (0, 0, 0, 0))


def test_a_kalibr_chain_links_each_camera_to_the_one_before(files):
    rig = read_rig(*files(chain__yaml=KALIBR))
    assert [camera.distortion.model for camera in rig.cameras.values()] == [
        "kannala_brandt",
        "brown_conrady",
    ]
    assert rig.cameras["cam1"].distortion.coefficients == (-0.28, 0.07, 1e-4, 2e-5)
    assert rig.imus == ("imu",)
    # 1 m along the IMU's x is 1 m ahead of cam0, 0.1 m further left in cam1.
    ahead = rig.transform("cam1", "imu").apply(np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(ahead, [0.05 - 0.10, -0.06 + 0.002, 1.01])


@pytest.mark.parametrize("ending", ["yml", "json"])
@pytest.mark.parametrize("count", [4, 5, 8])
def test_what_opencv_writes_is_read_with_every_digit(tmp_path, ending, count):
    lens = np.array([[-0.25, 0.0631, 1 / 3000, -0.0021, 0.1, 0.2, 0.3, 0.4]])[:, :count]
    path = opencv_file(tmp_path, ending, distortion_coefficients=lens)
    camera = read_rig(path).cameras["left"]
    assert (camera.width, camera.height) == (640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (535.1, 535.2, 342.25, 235.5)
    assert camera.distortion.coefficients == tuple(lens[0])


@pytest.mark.parametrize("ending", ["yml", "json"])
def test_opencvs_fisheye_model_is_kannala_brandt(tmp_path, ending):
    lens = np.array([[-0.02], [0.003], [1e-4], [-1e-5]])
    path = opencv_file(tmp_path, ending, distortion_coefficients=lens, fisheye_model=1)
    assert read_rig(path).cameras["left"].distortion.model == "kannala_brandt"


def test_thin_prism_terms_that_are_not_zero_are_refused(tmp_path):
    lens = np.array([[0.1, 0, 0, 0, 0, 0, 0, 0, 0.01, 0, 0, 0]])
    with pytest.raises(CalibrationError, match="thin prism"):
        read_rig(opencv_file(tmp_path, "yml", distortion_coefficients=lens))


def test_open3ds_matrix_stands_column_by_column(files):
    matrix = [525.5, 0, 0, 0, 526, 0, 319.5, 239.25, 1]
    content = {"width": 640, "height": 480, "intrinsic_matrix": matrix}
    camera = read_rig(*files(color_intrinsic__json=content)).cameras["color"]
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (525.5, 526, 319.5, 239.25)


def open_calib(kind, sensor, target, param):
    entry = {"sensor_name": sensor, "target_sensor_name": target, "param_type": kind}
    return {f"{sensor}-{kind}": {**entry, "device_type": "camera", "param": param}}


def test_a_camera_and_a_transform_of_opencalib_are_one_rig(files):
    matrix = [[2109.75, 0, 949.828], [0, 2071.72, 576.237], [0, 0, 1]]
    intrinsic = {
        "img_dist_w": 1920,
        "img_dist_h": 1080,
        "cam_K": {"rows": 3, "cols": 3, "data": matrix},
        "cam_dist": {"rows": 1, "cols": 4, "data": [[-0.108, 0.139, -0.0038, -0.0048]]},
    }
    rows = [[0, -1, 0, -0.03], [0, 0, -1, -0.35], [1, 0, 0, -0.57], [0, 0, 0, 1]]
    link = {"time_lag": 0, "sensor_calib": {"rows": 4, "cols": 4, "data": rows}}
    paths = files(
        camera__json=open_calib("intrinsic", "center_camera", "center_camera", intrinsic),
        link__json=open_calib("extrinsic", "top_center_lidar", "center_camera", link),
    )
    rig = import_rig(paths)
    assert rig.cameras["center_camera"].distortion.coefficients == (-0.108, 0.139, -0.0038, -0.0048)
    ahead = rig.transform("center_camera", "top_center_lidar").apply(np.array([10.0, 1.0, 2.0]))
    np.testing.assert_allclose(ahead, [-1.03, -2.35, 9.43])
    assert list(rig.lidars) == ["top_center_lidar"]
    # The pictures have 1200 rows: the size is mended, the matrix stays.
    mended = import_rig(paths, size_px=(1920, 1200)).cameras["center_camera"]
    assert (mended.height, mended.fy, mended.cy) == (1200, 2071.72, 576.237)


def test_as_many_real_points_fall_into_the_picture_as_its_source_counts():
    folder = DATA / "lidar-camera-distorted"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set SENSORFUSION_DATA")
    # The file says 1080 rows, the picture has 1200.
    rig = import_rig(sorted(folder.glob("*.json")), size_px=(1920, 1200))
    fields = read_pcd(folder / "0.pcd").fields
    points = np.stack([np.asarray(fields[axis], dtype=np.float64) for axis in "xyz"], axis=-1)
    moved = rig.transform("center_camera", "top_center_lidar").apply(points)
    u, v = rig.cameras["center_camera"].project(moved).T
    with np.errstate(invalid="ignore"):
        inside = (u >= 0) & (u < 1920) & (v >= 0) & (v < 1200)
    assert (len(points), inside.sum()) == (78238, 9962)


def test_colmaps_pixel_centres_move_by_half_a_pixel(files):
    text = "\n".join(COLMAP_CAMERAS.splitlines()[:4]) + "\n"
    camera = read_rig(*files(cameras__txt=text)).cameras["camera_1"]
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (2559.81, 2559.81, 1536.0, 1152.0)
    assert camera.distortion.coefficients == (-0.0204997, 0, 0, 0)


@pytest.mark.parametrize(
    ("model", "parameters", "focal_px", "lens"),
    [
        ("SIMPLE_PINHOLE", "500 320 240", (500, 500), ()),
        ("PINHOLE", "500 510 320 240", (500, 510), ()),
        ("RADIAL", "500 320 240 0.1 0.2", (500, 500), (0.1, 0.2, 0, 0)),
        ("OPENCV", "500 510 320 240 0.1 0.2 0.3 0.4", (500, 510), (0.1, 0.2, 0.3, 0.4)),
        ("OPENCV_FISHEYE", "500 510 320 240 0.1 0.2 0.3 0.4", (500, 510), (0.1, 0.2, 0.3, 0.4)),
        ("FULL_OPENCV", "500 510 320 240 .1 .2 .3 .4 .5 .6 .7 .8", (500, 510),
         (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
        ("SIMPLE_RADIAL_FISHEYE", "500 320 240 0.1", (500, 500), (0.1, 0, 0, 0)),
        ("RADIAL_FISHEYE", "500 320 240 0.1 0.2", (500, 500), (0.1, 0.2, 0, 0)),
    ],
)  # fmt: skip
def test_each_colmap_model_is_read(files, model, parameters, focal_px, lens):
    camera = read_rig(*files(cameras__txt=f"7 {model} 640 480 {parameters}\n")).cameras["camera_7"]
    assert (camera.fx, camera.fy) == focal_px
    assert (camera.cx, camera.cy) == (319.5, 239.5)
    assert camera.distortion.coefficients == lens
    assert (camera.distortion.model == "kannala_brandt") == ("FISHEYE" in model)


def test_colmaps_pictures_become_cameras_where_they_stood(files):
    paths = files(cameras__txt=COLMAP_CAMERAS.replace("3 OPENCV_FISHEYE", "# 3"),
                  images__txt=COLMAP_IMAGES)  # fmt: skip
    rig = import_rig(paths, metres_per_unit=0.5)
    assert set(rig.cameras) == {"left/a", "right"}
    assert rig.cameras["left/a"].fy == 501
    # A quarter turn about z takes x to y; the translation is halved.
    np.testing.assert_allclose(
        rig.transform("left/a", "world").apply(np.array([1.0, 0.0, 0.0])), [0.5, 2.0, 1.5]
    )
    with pytest.raises(CalibrationError, match="metres-per-unit"):
        import_rig(paths)


def test_a_matrix_with_a_name_connects_a_camera_and_a_lidar(files):
    rig = import_rig(
        files(
            left_intrinsics__txt="# K\n500 0 320\n0 500 240\n0 0 1\n",
            T_left_lidar__txt="0 -1 0 0.1\n0 0 -1 0.2\n1 0 0 0.3\n0 0 0 1\n",
        ),
        size_px=(640, 480),
    )
    assert (list(rig.cameras), list(rig.lidars)) == (["left"], ["lidar"])
    np.testing.assert_allclose(
        rig.transform("left", "lidar").apply(np.array([5.0, 0, 0])), [0.1, 0.2, 5.3]
    )


MATRIX_OF_ROS = "data: [438.783367, 0., 305.593336, 0., 437.302876, 243.738352, 0., 0., 1.]"
BROKEN = {
    "YAML that ends in a list": ({"a__yaml": ROS[:150]}, r"line \d+: YAML that does not parse"),
    "a matrix of eight": (
        {"a__yaml": ROS.replace("0., 1.]", "0.]", 1)},
        r"line 7: camera_matrix.data: found a list of 8 values; expected 9 numbers",
    ),
    "a matrix of words": (
        {"a__yaml": ROS.replace("[438.783367", "[wide")},
        r"line 7: camera_matrix.data: .*expected 9 numbers",
    ),
    "an infinite focal length": (
        {"a__yaml": ROS.replace("[438.783367", "[.inf")}, r"camera 'head_camera': .*positive",
    ),
    "a mirrored skew": (
        {"a__yaml": ROS.replace("438.783367, 0.", "438.783367, 9.")}, r"skew 9",
    ),
    "a lens that nobody knows": (
        {"a__yaml": ROS.replace("plumb_bob", "barrel")},
        r"line 8: distortion_model: found 'barrel'; expected plumb_bob or",
    ),
    "an object of Python": (
        {"a__yaml": ROS.replace("head_camera", "!!python/object/apply:os.system ['true']")},
        r"line 3: YAML that does not parse",
    ),
    "a list that holds itself": (
        {"a__yaml": ROS.replace(MATRIX_OF_ROS, "data: &again [1, *again]")}, r"camera_matrix.data",
    ),
    "a chain without its first links": (
        {"a__yaml": KALIBR.replace("cam1:", "cam7:")}, r"cam7: found this name; expected cam1",
    ),
    "an omnidirectional camera": (
        {"a__yaml": KALIBR.replace("model: pinhole", "model: omni")},
        r"line 3: cam0.camera_model: found 'omni'; expected pinhole",
    ),
    "a mirrored transform": (
        {"a__yaml": KALIBR.replace("[1.0, 0.0, 0.0, -0.10]", "[-1.0, 0.0, 0.0, -0.10]")},
        r"T_cam1_cam0 is not a rigid transform: its rotation mirrors",
    ),
    "JSON that is cut": ({"a__json": '{"camera_matrix": {"rows": 3,'}, r"JSON that does not parse"),
    "JSON nested without end": ({"a__json": '{"a":' * 100_000}, r"JSON that does not parse"),
    "JSON of something else": ({"a__json": '{"hello": 1}'}, r"is no calibration that is known"),
    "a colmap model not read": (
        {"a__txt": "1 FOV 640 480 500 500 320 240 0.9\n"}, r"line 1: found '1 FOV .*FULL_OPENCV",
    ),
    "a colmap camera short of one": (
        {"a__txt": "# c\n1 PINHOLE 640 480 500 500 320\n"}, r"line 2: found '1 PINHOLE",
    ),
    "a kitti line of words": (
        {"calib_cam_to_cam__txt": CAM_TO_CAM.replace("S_02: 1.392000e+03", "S_02: wide")},
        r"line 3: found 'S_02: wide",
    ),
    "a kitti matrix of eleven": (
        {"calib_cam_to_cam__txt": CAM_TO_CAM.replace(" 0.002\n", "\n")},
        r"line 6: found P_rect_02 with 11 numbers; expected P_rect_02: and 12",
    ),
    "a kitti line twice": (
        {"calib_cam_to_cam__txt": CAM_TO_CAM + "S_02: 1 2\n"}, r"line 7: found again 'S_02",
    ),
    "a matrix without a name": ({"link__txt": "1 0 0 0 0 1 0 0 0 0 1 0"}, r"T_target_source.txt"),
    "one camera twice": ({"a__yaml": ROS, "b__yaml": ROS}, r"head_camera stands there twice"),
    "cameras that nothing connects": (
        {"a__yaml": ROS, "b__yaml": ROS.replace("head", "hand")}, r"nothing connects .*together",
    ),
    "an empty file": ({"a__yaml": ""}, r"empty"),
    "a letter": ({"a__txt": "Dear reader,\n" * 50}, r"is no calibration that is known"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_in_one_sentence(files, fault):
    contents, message = BROKEN[fault]
    with pytest.raises(CalibrationError, match=message) as caught:
        import_rig(files(**contents))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"width: 3\n\xff\xfe")
    with pytest.raises(CalibrationError, match="at byte 9: found what is not UTF-8"):
        read_rig(path)


def test_a_file_without_end_is_refused_unread(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n" * 300_000)
    with pytest.raises(CalibrationError, match="more than 1048576 bytes"):
        read_rig(path)


SOUND = {
    "ost.yaml": ROS,
    "chain.yaml": KALIBR,
    "calib_cam_to_cam.txt": CAM_TO_CAM,
    "cameras.txt": "1 PINHOLE 640 480 500 500 320 240\n",
    "color.json": '{"width": 64, "height": 48, "intrinsic_matrix": [50,0,0,0,50,0,32,24,1]}',
}


@pytest.mark.parametrize("name", SOUND)
def test_a_file_with_any_byte_changed_is_read_or_refused(tmp_path, name):
    rng = np.random.default_rng(1)
    path = tmp_path / name
    for _ in range(60):
        data = bytearray(SOUND[name].encode())
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.choice(list(b"0[]{}:-,.&*!e\n\t '\"\xff"))
        path.write_bytes(data)
        try:
            rig = read_rig(path)
        except CalibrationError as error:
            assert "\n" not in str(error)
        else:
            assert all(math.isfinite(camera.fx) for camera in rig.cameras.values())


def test_a_yaml_name_given_twice_is_refused(files):
    text = ROS.replace("rows: 3", "rows: &a 3").replace("cols: 3", "cols: &a 3")
    with pytest.raises(CalibrationError, match="does not parse: found duplicate anchor"):
        read_rig(*files(ost__yaml=text))
