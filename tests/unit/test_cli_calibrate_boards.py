import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from board_scene import many_places, picture, placed, small_camera, turned
from sensorfusion.calibration.board import Chessboard
from sensorfusion.calibration.rig_file import read_rig, write_rig
from sensorfusion.cli import app as cli
from sensorfusion.cli.location import SourceOptions
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.transform import RigidTransform

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
PAIRS, CHARUCO = DATA / "stereo-chessboards", DATA / "realsense-d435-charuco"
no_data = pytest.mark.skipif(
    not (PAIRS.is_dir() and CHARUCO.is_dir()),
    reason=f"no recordings at {DATA}: set SENSORFUSION_DATA",
)
BOARD, NAMED = Chessboard(8, 5, 0.03), "8x5:0.03"
CAMERA = small_camera()


def _write(path, pixels):
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of six pictures of a board, and of what stands beside them in real life."""
    folder = tmp_path_factory.mktemp("board")
    for index, T in enumerate(many_places(BOARD, 6, 21)):
        _write(folder / f"view{index}.png", picture(BOARD, CAMERA, T))
    _write(folder / "grey.png", np.full((360, 480), 128, np.uint8))
    whole = _write(folder / "cut.jpg", picture(BOARD, CAMERA, many_places(BOARD, 1, 2)[0]))
    whole.write_bytes(whole.read_bytes()[:-2000])
    (folder / "notes.txt").write_text("the board is 8x5")
    return folder


def _run(capsys, *arguments):
    code = cli.run(["calibrate", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_a_folder_of_pictures_becomes_a_rig_file_and_what_is_bad_is_named(folder, tmp_path, capsys):
    out, drawn = tmp_path / "rig.toml", tmp_path / "residuals.png"
    arguments = ["--chessboard", NAMED, "--name", "front", "--out", out, "--picture", drawn]
    code, said, error = _run(capsys, "camera", folder, *arguments)
    assert (code, error) == (0, "")
    assert "camera 'front' from 6 of 8 pictures, RMS 0." in said
    assert "grey.png   left out: no chessboard was found" in said
    assert "cut.jpg    left out: is damaged or no picture (at byte" in said
    assert "1 files beside the pictures were not looked at: notes.txt" in said
    camera = read_rig(out).cameras["front"]
    assert camera.fx == pytest.approx(CAMERA.fx, rel=0.01)
    import cv2

    assert cv2.imread(str(drawn)).shape[1] == 856


def test_json_holds_every_number_and_picture(folder, tmp_path, capsys):
    arguments = ["--chessboard", NAMED, "--out", tmp_path / "rig.toml", "--json"]
    code, said, _ = _run(capsys, "camera", folder, *arguments)
    found = json.loads(said)
    assert code == 0
    assert found["camera"]["width"] == 480
    assert found["rms_px"] < 0.3
    assert found["sigma"]["fx"] > 0
    used = [Path(one["file"]).name for one in found["pictures"] if one["used"]]
    assert used == [f"view{index}.png" for index in range(6)]
    reasons = {Path(one["file"]).name: one.get("reason") for one in found["pictures"]}
    assert reasons["grey.png"] == "no chessboard was found"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--chessboard", "9x6:0.03"], 1, "shows 8x5 inner corners, not 9x6 (inner corners"),
        (["--chessboard", "8x5:30"], 2, "if these are millimetres, give 0.03"),
        ([], 2, "which board is it? give --chessboard"),
        (["--chessboard", NAMED, "--charuco", "7x5:0.1:0.08:4X4_50"], 2, "which board is it?"),
        (["--charuco", "7x5:0.1:0.08:4X4_50"], 1, "has no marker of DICT_4X4_50 (7 times)"),
    ],
)
def test_a_wrong_board_ends_in_a_sentence(folder, tmp_path, capsys, arguments, code, told):
    out = tmp_path / "rig.toml"
    found, _, error = _run(capsys, "camera", folder, *arguments, "--out", out)
    assert found == code
    assert told in error
    assert not out.exists()


def test_pictures_of_several_sizes_are_refused(folder, tmp_path, capsys):
    other = _write(tmp_path / "other.png", np.full((100, 100), 9, np.uint8))
    arguments = ["--chessboard", NAMED, "--out", tmp_path / "rig.toml"]
    code, _, error = _run(capsys, "camera", folder, other, *arguments)
    assert code == 1
    assert "480x360 (7, such as grey.png), 100x100 (1, such as other.png)" in error


def test_a_place_without_pictures_is_refused(tmp_path, capsys):
    arguments = ["--chessboard", NAMED, "--out", tmp_path / "rig.toml"]
    assert "holds no picture" in _run(capsys, "camera", tmp_path, *arguments)[2]
    assert "no such file or folder" in _run(capsys, "camera", tmp_path / "x", *arguments)[2]
    code, _, error = _run(capsys, "camera", *arguments)
    assert code == 2
    assert "give files or a folder" in error


def test_sides_of_unequal_counts_are_refused_with_who_is_alone(folder, tmp_path, capsys):
    left = [folder / f"view{index}.png" for index in range(4)]
    sides = ["--left", *left, "--right", *left[:3]]
    arguments = [*sides, "--chessboard", NAMED, "--out", tmp_path / "rig.toml"]
    code, _, error = _run(capsys, "stereo", *arguments)
    assert code == 1
    assert "4 left and 3 right pictures; expected pairs; without a partner: view3.png" in error


def test_a_mixed_folder_whose_names_say_no_side_is_refused(folder, tmp_path, capsys):
    arguments = ["--chessboard", NAMED, "--out", tmp_path / "rig.toml"]
    code, _, error = _run(capsys, "stereo", folder, *arguments)
    assert code == 1
    assert "is it left or right?" in error


@no_data
@pytest.mark.parametrize("side", ["left", "right"])
def test_real_cameras_are_found_to_a_fifth_of_a_pixel(side, tmp_path, capsys):
    pictures = sorted(PAIRS.glob(f"{side}*.jpg"))
    arguments = ["--chessboard", "9x6:0.025", "--out", tmp_path / "rig.toml", "--json"]
    code, said, _ = _run(capsys, "camera", *pictures, *arguments)
    found = json.loads(said)
    assert code == 0
    assert found["rms_px"] <= 0.21
    assert sum(one["used"] for one in found["pictures"]) == 13


@no_data
def test_real_pairs_are_found_with_their_baseline(tmp_path, capsys):
    # Squares of unknown size: with 1 m each, the baseline is in squares.
    out = tmp_path / "rig.toml"
    code, said, _ = _run(capsys, "stereo", PAIRS, "--chessboard", "9x6:1", "--out", out, "--json")
    found = json.loads(said)
    assert code == 0
    assert found["rms_px"] <= 0.22
    assert max(found["left"]["rms_px"], found["right"]["rms_px"]) <= 0.21
    # OpenCV, as the recording's description has it: 3.328.
    assert found["baseline_m"] == pytest.approx(3.33, abs=0.01)
    assert read_rig(out).transform("right", "left").translation_m[0] < -3.3


@no_data
def test_depth_of_a_real_camera_is_right_but_for_one_bad_frame(capsys):
    board = "7x5:0.075:0.05625:DICT_4X4_50"
    code, said, error = _run(capsys, "check-depth", CHARUCO, "--charuco", board, "--json")
    found = json.loads(said)["frames"]
    assert code == 1
    assert "1 of 5 frames is more than 2.0% off the board: frame 0 (0.89" in error
    assert found[0]["ratio"] == pytest.approx(0.895, abs=0.005)
    assert not found[0]["within_tolerance"]
    for frame in found[1:]:
        assert frame["ratio"] == pytest.approx(1, abs=0.02)
        assert frame["within_tolerance"]


@pytest.fixture
def recording(tmp_path):
    """Return a function that writes an RGB-D folder of a board, with depth changed by another."""

    def write(change):
        camera = small_camera()
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        rays = camera.directions(np.stack([u, v], axis=-1))
        for index, (x, y) in enumerate([(-0.08, -0.05), (0.07, 0.05), (0.0, 0.0)]):
            T = placed(BOARD, turned(10, -14, 5), (x, y, 0.4))
            reach = (T.matrix[:3, 2] @ T.matrix[:3, 3]) / (rays @ T.matrix[:3, 2])
            metres = np.where((reach > 0) & (reach < 3), reach * rays[..., 2], 0)
            _write(tmp_path / "color" / f"{index}.png", picture(BOARD, camera, T))
            # A unit of a tenth of a millimetre, for no rounding to speak of.
            depth = np.rint(1e4 * change(metres, 1 / rays[..., 2])).astype(np.uint16)
            _write(tmp_path / "depth" / f"{index}.png", depth)
        _write(tmp_path / "color" / "3.png", np.full((360, 480), 128, np.uint8))
        _write(tmp_path / "depth" / "3.png", np.full((360, 480), 5000, np.uint16))
        np.savetxt(tmp_path / "intrinsics.txt", camera.matrix)
        return [tmp_path, "--chessboard", NAMED, "-o", "depth-unit-m=0.0001"]

    return write


def test_right_depth_passes_and_frames_without_a_board_are_counted(recording, capsys):
    code, said, error = _run(capsys, "check-depth", *recording(lambda z, _: z))
    assert (code, error) == (0, "")
    assert "not compared: no chessboard was found (1 times)" in said
    assert "WRONG" not in said
    ratios = [float(line.split()[2]) for line in said.splitlines()[1:4]]
    assert ratios == pytest.approx([1.0] * 3, abs=0.001)


def test_scaled_depth_fails_unless_it_is_tolerated(recording, capsys):
    arguments = recording(lambda z, _: 1.05 * z)
    code, said, error = _run(capsys, "check-depth", *arguments)
    assert code == 1
    assert "depth of 3 of 3 frames is more than 2.0% off the board: frame 0 (1.05" in error
    assert "the board's squares measure 31.5" in said
    assert _run(capsys, "check-depth", *arguments, "--tolerance", "0.06")[0] == 0


def test_lengths_of_rays_are_named_and_the_advice_helps(recording, capsys):
    arguments = recording(lambda z, longer: z * longer)
    code, said, _ = _run(capsys, "check-depth", *arguments)
    assert code == 1
    assert "open it with -o depth-kind=range" in said
    assert _run(capsys, "check-depth", *arguments, "-o", "depth-kind=range")[0] == 0


def test_the_depth_of_a_stereo_pair_is_checked_and_shows_a_wrong_baseline(tmp_path, capsys):
    left = replace(small_camera(), name="left")
    right = replace(left, name="right", fx=405.0, fy=404.0, cx=236.0)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turned(1.5, 2.5, -2), (-0.06, 0.002, 0.003)
    T_right_left = RigidTransform("right", "left", matrix)
    T = placed(BOARD, turned(10, -15, 4), (0.0, 0.0, 0.5)).matrix
    for camera, T_camera_left in ((left, np.eye(4)), (right, matrix)):
        seen = picture(BOARD, camera, RigidTransform("camera", "board", T_camera_left @ T))
        _write(tmp_path / camera.name / "0.png", seen)
    rig = Rig({"left": left, "right": right}, (T_right_left,))
    write_rig(rig, tmp_path / "rig.toml")
    arguments = ["check-depth", tmp_path, "--chessboard", NAMED, "--json"]
    code, said, error = _run(capsys, *arguments)
    assert (code, error) == (0, "")
    assert json.loads(said)["frames"][0]["ratio"] == pytest.approx(1, abs=0.003)
    matrix[:3, 3] *= 1.05
    longer = RigidTransform("right", "left", matrix)
    write_rig(replace(rig, transforms=(longer,)), tmp_path / "rig.toml")
    code, said, _ = _run(capsys, *arguments)
    assert code == 1
    assert json.loads(said)["frames"][0]["ratio"] == pytest.approx(1.05, abs=0.004)


class _Scan(SeekableFrameSource):
    """A LiDAR beside a camera, whose one scan of the board's plane is 4 percent short."""

    def __init__(self):
        camera = small_camera()
        matrix = np.eye(4)
        # x forward, y left, z up becomes z, -x, -y; 8 cm above the camera.
        matrix[:3] = [[0, -1, 0, 0], [0, 0, -1, -0.08], [1, 0, 0, 0]]
        T_camera_top = RigidTransform("camera", "top", matrix)
        self.rig = Rig({"camera": camera}, (T_camera_top,), lidars={"top": Lidar(name="top")})
        self.losses, self.trajectory, self.imu, self.notes = Losses(), None, None, ()
        T = placed(BOARD, turned(10, -14, 5), (0.0, 0.0, 0.4))
        T_top_board = T_camera_top.inverse() @ T
        azimuth, elevation = np.meshgrid(np.linspace(-0.5, 0.5, 300), np.linspace(-0.6, 0.2, 80))
        beams = np.stack(
            [
                np.cos(elevation) * np.cos(azimuth),
                np.cos(elevation) * np.sin(azimuth),
                np.sin(elevation),
            ],
            axis=-1,
        ).reshape(-1, 3)
        normal, origin = T_top_board.rotation[:, 2], T_top_board.translation_m
        points = 0.96 * beams * ((normal @ origin) / (beams @ normal))[:, None]
        cloud = PointCloud(np.ascontiguousarray(points, np.float32), "top", 0)
        images = {"camera": Image(picture(BOARD, camera, T), "camera", 0)}
        self._frame = Frame(0, 0, "top", cloud, images)

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self._frame

    def samples(self):
        return iter(())


def test_a_lidar_beside_a_camera_is_checked_by_its_points_in_the_picture(monkeypatch, capsys):
    monkeypatch.setattr(SourceOptions, "open", lambda *_: _Scan())
    code, said, error = _run(capsys, "check-depth", "scan", "--chessboard", NAMED, "--json")
    assert code == 1
    assert "1 of 1 frames is more than 2.0% off" in error
    # Points of a scan that is short along its beams from 8 cm above: not quite 0.96 of z.
    assert json.loads(said)["frames"][0]["ratio"] == pytest.approx(0.96, abs=0.01)


def test_a_recording_without_a_board_is_an_error(recording, capsys):
    arguments = recording(lambda z, _: z)
    arguments[2] = "9x6:0.03"
    code, said, error = _run(capsys, "check-depth", *arguments)
    assert (code, said) == (1, "")
    assert "no frame shows the chessboard 9x6:0.03 with depth on it" in error
    assert "shows 8x5 inner corners, not 9x6" in error


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--tolerance", "2"], "expected a share"), (["--camera", "x"], "the rig has")],
)
def test_wrong_usage_of_the_check_is_said(capsys, arguments, told):
    given = ["check-depth", "synthetic:room", "--chessboard", NAMED, *arguments]
    code, _, error = _run(capsys, *given)
    assert code == 2
    assert told in error
