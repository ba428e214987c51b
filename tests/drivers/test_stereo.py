"""Folders of stereo pictures: which belong together, when they were taken, and their cameras."""

import os
from pathlib import Path

import cv2  # noqa: TID253
import numpy as np
import pytest

from sensorfusion.calibration.rig_file import write_rig
from sensorfusion.camera import Camera
from sensorfusion.cli import app as cli
from sensorfusion.errors import (
    CalibrationError,
    CorruptRecordingError,
    DriverError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import find_driver, open_source, read_truth
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.stereo.driver import StereoDriver

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
WIDTH, HEIGHT = 16, 12
CALIB = """\
cam0=[20 0 7.25; 0 20 5.5; 0 0 1]
cam1=[20 0 9.75; 0 20 5.5; 0 0 1]
doffs=2.5
baseline=150
width=16
height=12
"""
KITTI = "P0: 20 0 7 0 0 20 5 0 0 0 1 0\nP1: 20 0 7 -8 0 20 5 0 0 0 1 0\n"


def picture(path, grey, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size, grey, np.uint8))


def pictures(folder, names, calib=CALIB):
    """Write pictures whose grey level is their number; ``calib`` as calib.txt."""
    for grey, name in enumerate(names):
        picture(folder / name, grey)
    if calib:
        (folder / "calib.txt").write_text(calib)
    return str(folder)


def greys(source):
    return [
        tuple(int(image.pixels[0, 0, 0]) for image in frame.measurement.images) for frame in source
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("left/1.png", "left/2.png", "right/1.png", "right/2.png"), [(0, 2), (1, 3)]),
        (
            ("left/left1.png", "left/left10.png", "right/right1.png", "right/right10.png"),
            [(0, 2), (1, 3)],
        ),
        (("left1.png", "right1.png", "left2.png", "right2.png"), [(0, 1), (2, 3)]),
        (("left.png", "right.png"), [(0, 1)]),
        (("room_left.png", "room_right.png", "room_left_thumb.jpg"), [(0, 1)]),
        (("im0.png", "im1.png", "im1E.png", "im1L.png"), [(0, 1)]),
        (("view1.png", "view5.png", "view3.png"), [(0, 1)]),
        (("aloeL.jpg", "aloeR.jpg"), [(0, 1)]),
        (("inner/deep/left.png", "inner/deep/right.png"), [(0, 1)]),
        (("a/data/x.png", "left/data/x.png", "right/data/x.png"), [(1, 2)]),
    ],
)
def test_pairs_are_found_in_the_usual_layouts(tmp_path, names, expected):
    location = pictures(tmp_path, names)
    assert find_driver(location) == "stereo"
    with open_source(location) as source:
        assert greys(source) == expected
        assert list(source.rig.cameras) == ["left", "right"]


@pytest.mark.parametrize(
    "names",
    [
        ("left1.png", "left1.jpg", "right1.png"),
        ("left/1.png", "left/left1.png", "right/1.png"),
    ],
)
def test_of_two_pictures_with_one_name_neither_is_taken_in_silence(tmp_path, names):
    location = pictures(tmp_path, names)
    assert find_driver(location) == "stereo"
    with pytest.raises(SourceError, match="may both be the picture of one instant; remove one"):
        open_source(location)


def test_a_rig_file_that_cannot_be_read_is_told_and_not_that_no_driver_fits(tmp_path):
    location = pictures(tmp_path, ("left/1.png", "right/1.png"))
    (tmp_path / "rig.toml").write_text("bad [")
    with pytest.raises(CalibrationError, match=r"rig\.toml"):
        open_source(location)


def test_the_folders_of_kitti_name_its_cameras(tmp_path):
    names = ("image_0/000000.png", "image_1/000000.png")
    with open_source(pictures(tmp_path, names, KITTI)) as source:
        assert list(source.rig.cameras) == ["image_0", "image_1"]
        moved = source.rig.transform("image_1", "image_0").translation_m
        # P1's fourth column over its focal length: -8 / 20.
        assert moved == pytest.approx([-0.4, 0, 0], abs=1e-9)
        assert greys(source) == [(0, 1)]


@pytest.mark.parametrize(
    "names",
    [
        ("im0.png", "im1.png", "im2.png", "im3.png"),
        ("left/1.png",),
        ("color/1.png", "depth/1.png"),
        ("left/1.png", "right/1.png", "depth/1.png"),
        ("image_0/1.png", "image_1/1.png", "velodyne/1.png"),
        ("one.png", "two.png"),
    ],
)
def test_what_is_no_stereo_folder_is_left_to_others(tmp_path, names):
    assert not StereoDriver().can_open(pictures(tmp_path, names))


def test_middlebury_s_calibration_is_millimetres_and_keeps_doffs(tmp_path):
    with open_source(pictures(tmp_path, ("im0.png", "im1.png"))) as source:
        left, right = source.rig.cameras.values()
        assert (left.fx, left.cx, left.cy) == (20, 7.25, 5.5)
        assert right.cx - left.cx == 2.5
        at_m = source.rig.transform("left", "right").translation_m
        assert at_m == pytest.approx([0.15, 0, 0], abs=1e-12)
        # 0.12 px of disparity: z^2 0.12 / (20 px 0.15 m).
        assert source.rig.noise_of("left").sigma_m(np.float64(2.0)) == pytest.approx(4 * 0.12 / 3)


def rig(*names, widths=None):
    """Return cameras 0.1 m beside each other, in this order."""
    cameras = {
        name: Camera(name, width, HEIGHT, 20.0, 20.0, 7.5, 5.5)
        for name, width in zip(names, widths or [WIDTH] * len(names), strict=True)
    }
    links = []
    for number, name in enumerate(names[1:], start=1):
        matrix = np.eye(4)
        matrix[0, 3] = 0.1 * number
        links.append(RigidTransform(names[0], name, matrix))
    return Rig(cameras, tuple(links))


def test_a_rig_of_three_cameras_takes_the_folders_of_their_names(tmp_path):
    names = ("mid/7.png", "side/7.png", "top/7.png")
    pictures(tmp_path, names, calib=None)
    write_rig(rig("mid", "side", "top"), tmp_path / "rig.toml")
    assert find_driver(str(tmp_path)) == "stereo"
    with open_source(tmp_path) as source:
        assert list(source.rig.cameras) == ["mid", "side", "top"]
        assert greys(source) == [(0, 1, 2)]
        frame = source[0]
        assert [image.camera_name for image in frame.measurement.images] == ["mid", "side", "top"]
        assert list(frame.images) == ["mid"]
        assert source.rig.transform("top", "mid").translation_m[0] == pytest.approx(-0.2)


def test_a_rig_of_two_cameras_fits_a_left_and_a_right_one(tmp_path):
    pictures(tmp_path / "p", ("left.png", "right.png"), calib=None)
    write_rig(rig("cam_a", "cam_b"), tmp_path / "two.toml")
    with open_source(tmp_path / "p", options={"rig": str(tmp_path / "two.toml")}) as source:
        assert list(source.rig.cameras) == ["left", "right"]
        assert source.rig.transform("left", "right").translation_m[0] == pytest.approx(0.1)


def test_pictures_without_a_partner_are_counted(tmp_path):
    names = ("left/1.png", "left/2.png", "left/3.png", "right/3.png", "right/1.png", "right/4.png")
    with open_source(pictures(tmp_path, names)) as source:
        assert greys(source) == [(0, 4), (2, 3)]
        assert source.losses.unpaired == {"left": 1, "right": 1}


def test_times_in_names_pair_and_stamp_pictures(tmp_path):
    begin = 1_700_000_000_000_000_000
    left = [f"left/{begin + k * 50_000_000}.png" for k in range(3)]
    right = [f"right/{begin + k * 50_000_000 + 3_000_000}.png" for k in (0, 2)]
    with open_source(pictures(tmp_path, (*left, *right))) as source:
        assert [frame.timestamp_ns for frame in source] == [begin, begin + 100_000_000]
        assert greys(source) == [(0, 3), (2, 4)]
        assert source.losses.unpaired == {"left": 1, "right": 0}
        assert source.notes == ()


def test_without_times_a_rate_is_assumed_and_said(tmp_path):
    names = ("left/1.png", "left/2.png", "right/1.png", "right/2.png")
    with open_source(pictures(tmp_path, names), options={"rate_hz": "20"}) as source:
        assert [frame.timestamp_ns for frame in source] == [0, 50_000_000]
        assert source.notes == ("no time stamps: 20 pictures/s are assumed",)


def test_the_times_of_kitti_s_list_are_taken(tmp_path):
    names = ("image_2/0.png", "image_2/1.png", "image_3/0.png", "image_3/1.png")
    location = pictures(tmp_path, names, KITTI.replace("P0", "P2").replace("P1", "P3"))
    (tmp_path / "times.txt").write_text("0.000000e+00\n1.037e-01\n")
    with open_source(location) as source:
        assert [frame.timestamp_ns for frame in source] == [0, 103_700_000]
        assert source.notes == ()
    (tmp_path / "times.txt").write_text("0.1\n")
    with pytest.raises(CorruptRecordingError, match=r"times\.txt.*one for each of 2 pictures"):
        open_source(location)


def test_pictures_of_other_names_belong_together_in_their_order_if_as_many(tmp_path):
    names = ("left/a.png", "left/b.png", "right/x.png", "right/y.png")
    with open_source(pictures(tmp_path, names)) as source:
        assert greys(source) == [(0, 2), (1, 3)]
        assert "pictures of different names belong together in their order" in source.notes
    picture(tmp_path / "right" / "z.png", 9)
    with pytest.raises(SourceError, match="2 of left, 3 of right with other names and without"):
        open_source(tmp_path)


# What cannot be meant.


def test_a_missing_calibration_is_asked_for(tmp_path):
    location = pictures(tmp_path / "inner", ("left.png", "right.png"), calib=None)
    with pytest.raises(CalibrationError, match=r"no calibration; expected rig\.toml or calib\.txt"):
        open_source(location)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("width=16", "width=32"),
            "calibration of left is for 32x12 pixels; its pictures have 16x12",
        ),
        (("doffs=2.5", "doffs=5"), "doffs is 5; cam0 and cam1 say 2.5"),
        (("baseline=150", "baseline=wide"), "baseline=wide; expected a number"),
        (("baseline=150", "baseline=0"), "sit at one place"),
        (("cam1=[20 0 9.75;", "cam1=[20 0"), "cam1=.*; expected "),
        (("cam0=[20", "cam0=[nan"), "cam0=.*; expected "),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(tmp_path, change, said):
    location = pictures(tmp_path, ("left.png", "right.png"), CALIB.replace(*change))
    with pytest.raises(CalibrationError, match=said) as caught:
        open_source(location)
    assert "calib.txt" in str(caught.value)


def test_cameras_of_a_rig_that_took_no_pictures_are_named(tmp_path):
    pictures(tmp_path / "p", ("left.png", "right.png"), calib=None)
    write_rig(rig("a", "b", "c"), tmp_path / "r.toml")
    with pytest.raises(CalibrationError, match="cameras a, b, c; the pictures are of left, right"):
        open_source(tmp_path / "p", options={"rig": str(tmp_path / "r.toml")})


def test_pictures_of_two_sizes_are_refused(tmp_path):
    picture(tmp_path / "left.png", 1)
    picture(tmp_path / "right.png", 1, (HEIGHT, WIDTH + 2))
    (tmp_path / "calib.txt").write_text(CALIB)
    with pytest.raises(CalibrationError, match="left and right have 16x12 and 18x12 pixels"):
        open_source(tmp_path)


def test_a_later_picture_of_another_size_is_named(tmp_path):
    location = pictures(tmp_path, ("left/1.png", "right/1.png", "left/2.png"))
    picture(tmp_path / "right" / "2.png", 1, (HEIGHT, 20))
    with (
        open_source(location) as source,
        pytest.raises(CalibrationError, match=r"right.2\.png: 20x12"),
    ):
        source[1]


def test_a_damaged_picture_is_named(tmp_path):
    location = pictures(tmp_path, ("left.png", "right.png"))
    data = (tmp_path / "right.png").read_bytes()
    (tmp_path / "right.png").write_bytes(data[:-20])
    with open_source(location) as source, pytest.raises(CorruptRecordingError, match=r"right\.png"):
        source[0]


def test_a_rate_must_be_positive(tmp_path):
    location = pictures(tmp_path, ("left.png", "right.png"))
    with pytest.raises(DriverError, match="rate-hz is 0"):
        open_source(location, options={"rate_hz": "0"})


# Truth.


def pfm(values):
    return b"Pf\n16 12\n-1.0\n" + values[::-1].astype("<f4").tobytes()


def test_the_disparity_beside_a_pair_is_its_true_depth(tmp_path):
    location = pictures(tmp_path, ("im0.png", "im1.png"))
    disparity = np.arange(HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH) / 10
    disparity[0, 0] = np.inf
    (tmp_path / "disp0.pfm").write_bytes(pfm(disparity))
    depth = read_truth(location).depth("left", 0)
    expected = 20 * 0.15 / (disparity + 2.5)
    expected[0, 0] = 0
    np.testing.assert_allclose(depth.metres, expected, rtol=1e-6)
    with pytest.raises(SourceError, match="true depth is of 'left'; 'right' was asked for"):
        read_truth(location).depth("right", 0)
    with pytest.raises(SourceError, match="no frame 1; there are 1"):
        read_truth(location).depth("left", 1)


def test_the_disparity_of_kitti_is_pixels_times_256(tmp_path):
    names = ("image_2/000000_10.png", "image_3/000000_10.png")
    location = pictures(tmp_path, names, KITTI.replace("P0", "P2").replace("P1", "P3"))
    stored = np.full((HEIGHT, WIDTH), 5 * 256, np.uint16)
    stored[0, 0] = 0
    (tmp_path / "disp_occ_0").mkdir()
    cv2.imwrite(str(tmp_path / "disp_occ_0" / "000000_10.png"), stored)
    depth = read_truth(location).depth("image_2", 0)
    assert depth.metres[0, 0] == 0
    assert depth.metres[1, 1] == pytest.approx(20 * 0.4 / 5)


def test_a_pair_without_disparity_has_no_truth(tmp_path):
    assert read_truth(pictures(tmp_path, ("left.png", "right.png"))).depth is None


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"PF\n16 12\n-1.0\n" + bytes(16 * 12 * 12), CorruptRecordingError, "PFM of one channel"),
        (b"Pf\n16 12\n-1.0\n" + bytes(100), CorruptRecordingError, "100 bytes for 16x12 floats"),
        (b"Pf\n8 12\n-1.0\n" + bytes(8 * 12 * 4), CalibrationError, r"\(8, 12\) pixels"),
    ],
)
def test_a_disparity_that_cannot_be_meant_is_refused(tmp_path, content, error, said):
    location = pictures(tmp_path, ("im0.png", "im1.png"))
    (tmp_path / "disp0.pfm").write_bytes(content)
    truth = read_truth(location)
    with pytest.raises(error, match=said):
        truth.depth("left", 0)


def test_an_archive_must_hold_one_disparity(tmp_path):
    location = pictures(tmp_path, ("im0.png", "im1.png"))
    np.savez(tmp_path / "disp.npz", a=np.zeros((3, 3)), b=np.zeros((3, 3)))
    with pytest.raises(UnsupportedRecordingError, match="2 tables; expected one"):
        read_truth(location).depth("left", 0)


def test_the_disparity_of_a_rig_that_is_not_rectified_is_refused(tmp_path):
    location = pictures(tmp_path, ("im0.png", "im1.png"), calib=None)
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    turned[0, 3] = 0.1
    cameras = rig("left", "right").cameras
    write_rig(Rig(cameras, (RigidTransform("left", "right", turned),)), tmp_path / "rig.toml")
    (tmp_path / "disp0.pfm").write_bytes(pfm(np.ones((HEIGHT, WIDTH))))
    with pytest.raises(CalibrationError, match="only of a rectified pair"):
        read_truth(location).depth("left", 0)


# The way of a user, on real pictures.


@pytest.mark.parametrize(
    ("calib", "said"),
    [(CALIB.replace("baseline=150", "baseline=150000"), "did you pass millimetres as metres?")],
)
def test_a_calibration_in_another_unit_is_one_line(tmp_path, capsys, calib, said):
    location = pictures(tmp_path / "p", ("left.png", "right.png"), calib)
    assert cli.run(["depth", location, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


needs_data = pytest.mark.skipif(
    not (DATA / "stereo-motorcycle").is_dir(),
    reason=f"no pictures at {DATA}: set SENSORFUSION_DATA",
)


@needs_data
def test_the_motorcycle_is_measured_as_exactly_as_promised(tmp_path, capsys):
    location = str(DATA / "stereo-motorcycle")
    out = tmp_path / "out"
    assert cli.run(["depth", location, "--out", str(out), "--sigma", "--format", "tiff"]) == 0
    capsys.readouterr()
    metres = cv2.imread(str(out / "000000.tiff"), cv2.IMREAD_UNCHANGED).astype(float)
    sigma_m = cv2.imread(str(out / "sigma" / "000000.tiff"), cv2.IMREAD_UNCHANGED)
    # As its SOURCE.md says it, not as our reader does.
    true_px = np.load(DATA / "stereo-motorcycle" / "motorcycle_disp.npz")["arr_0"]
    known = np.isfinite(true_px)
    matched = known & (metres > 0)
    assert matched.sum() >= 0.80 * known.sum()
    true_m = 994.978 * 0.193001 / (true_px[matched] + 31.086)
    found_m = metres[matched]
    off_px = np.abs(994.978 * 0.193001 / found_m - 31.086 - true_px[matched])
    assert np.median(off_px) <= 0.18
    assert np.mean(off_px > 2) <= 0.057
    assert np.median(np.abs(found_m / true_m - 1)) <= 0.0025
    order = np.argsort(sigma_m[matched], kind="stable")
    for part in np.array_split(order, 5):
        ratio = np.percentile(np.abs(found_m - true_m)[part] / sigma_m[matched][part], 68)
        assert 0.7 <= ratio <= 1.3


@needs_data
def test_the_road_of_kitti_lies_as_deep_as_its_camera_is_high(tmp_path, capsys):
    out = tmp_path / "out"
    assert (
        cli.run(["depth", str(DATA / "stereo-kitti"), "--out", str(out), "--format", "tiff"]) == 0
    )
    capsys.readouterr()
    metres = cv2.imread(str(out / "000000.tiff"), cv2.IMREAD_UNCHANGED).astype(float)
    v, u = np.indices(metres.shape)
    x, y = (u - 607.1928) / 718.856 * metres, (v - 185.2157) / 718.856 * metres
    road = (metres > 6) & (metres < 20) & (np.abs(x) < 2) & (y > 1)
    assert road.sum() > 5000
    # Geiger et al. 2013: the cameras stand 1.65 m above the ground.
    assert np.median(y[road]) == pytest.approx(1.65, abs=0.06)
