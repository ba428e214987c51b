"""Folders of pictures alone and videos: what belongs together, and what is refused."""

import re

import numpy as np
import pytest

from sensorfusion.errors import CalibrationError, DriverError, SourceError
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.sources.registry import find_driver, open_source

WIDTH, HEIGHT = 64, 48
K = "64 0 31.5\n0 64 23.5\n0 0 1\n"


@pytest.fixture
def folder(tmp_path):
    import cv2

    for number in range(3):
        picture = np.full((HEIGHT, WIDTH, 3), 50 * number + 20, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), picture)
    (tmp_path / "intrinsics.txt").write_text(K)
    return tmp_path


@pytest.fixture
def video(tmp_path):
    import cv2

    codec = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), codec, 25.0, (WIDTH, HEIGHT))
    for level in (20, 90, 160, 230):
        writer.write(np.full((HEIGHT, WIDTH, 3), level, np.uint8))
    writer.release()
    (tmp_path / "intrinsics.txt").write_text(K)
    return tmp_path / "a.avi"


def test_pictures_come_in_order_at_a_nominal_time(folder):
    with open_source(folder, options={"rate_hz": "10"}) as source:
        frames = list(source)
    assert [frame.timestamp_ns for frame in frames] == [0, 100_000_000, 200_000_000]
    assert [int(frame.measurement.pixels[0, 0, 0]) for frame in frames] == [20, 70, 120]
    assert source.rig.cameras["color"].fx == 64


def test_a_video_gives_every_picture_at_its_rate(video):
    assert find_driver(video) == "image_folder"
    with open_source(video) as source:
        frames = list(source)
        again = [frame.timestamp_ns for frame in source]
    assert [frame.timestamp_ns for frame in frames] == [0, 40_000_000, 80_000_000, 120_000_000]
    assert again == [frame.timestamp_ns for frame in frames]
    levels = [frame.measurement.pixels.mean() for frame in frames]
    np.testing.assert_allclose(levels, (20, 90, 160, 230), atol=3)


def test_what_a_cut_video_announces_and_lacks_is_counted(video):
    whole = video.read_bytes()
    # The pictures' chunks, after one mention in the header.
    chunks = [match.start() for match in re.finditer(b"00dc", whole)][1:5]
    video.write_bytes(whole[: chunks[2]])
    with open_source(video) as source:
        assert len(list(source)) == 2
    assert source.losses.dropped == {"picture that cannot be decoded": 2}


def test_a_file_that_only_begins_like_a_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    with pytest.raises(SourceError, match="OpenCV cannot open this video"):
        open_source(tmp_path / "a.mp4")


def test_relative_depth_and_anchors_belong_to_the_picture_of_their_name(folder):
    import cv2

    (folder / "relative").mkdir()
    (folder / "anchors").mkdir()
    np.save(folder / "relative" / "001.npy", np.full((HEIGHT, WIDTH), 7, np.float32))
    anchors = np.zeros((HEIGHT, WIDTH), np.uint16)
    anchors[3, 4] = 1500
    cv2.imwrite(str(folder / "anchors" / "001.png"), anchors)
    np.save(folder / "relative" / "009.npy", np.zeros((4, 4), np.float32))
    with open_source(folder, options={"relative": "inverse"}) as source:
        (frame,) = list(source)
    assert isinstance(frame.measurement, RelativeDepth)
    assert (frame.measurement.kind, frame.measurement.values[0, 0]) == ("inverse", 7)
    assert frame.depths["color"].values[3, 4] * frame.depths["color"].unit_m == 1.5
    assert source.losses.dropped == {
        "picture without relative depth": 2,
        "relative without a picture": 1,
    }


def test_relative_depth_of_another_size_is_stretched_and_nothing_stays_nothing(folder):
    import cv2

    (folder / "relative").mkdir()
    half = np.full((HEIGHT // 2, WIDTH // 2), 40, np.uint16)
    half[:, :8] = 0
    cv2.imwrite(str(folder / "relative" / "001.png"), half)
    with open_source(folder, options={"relative": "affine_depth"}) as source:
        values = source[0].measurement.values
    assert values.shape == (HEIGHT, WIDTH)
    assert np.isnan(values[:, :15]).all()
    assert (values[:, 18:] == 40).all()


def test_two_pictures_of_one_name_are_refused(folder):
    (folder / "001.jpg").write_bytes((folder / "001.png").read_bytes())
    with pytest.raises(SourceError, match=r"001\.(png|jpg) have one name.*remove one"):
        open_source(folder)


def test_what_relative_values_mean_must_be_said(folder):
    (folder / "relative").mkdir()
    np.save(folder / "relative" / "001.npy", np.ones((HEIGHT, WIDTH), np.float32))
    with pytest.raises(DriverError, match=r"-o relative=KIND: inverse, affine_inverse"):
        open_source(folder)


def test_relative_says_nothing_where_there_is_none(folder, video):
    with pytest.raises(DriverError, match=r"no file of .*relative belongs to a picture"):
        open_source(folder, "image_folder", options={"relative": "log"})
    with pytest.raises(DriverError, match="is a video"):
        open_source(video, options={"relative": "log"})


def test_without_intrinsics_nothing_is_guessed(folder):
    (folder / "intrinsics.txt").unlink()
    with pytest.raises(
        CalibrationError, match=r"no rig.toml and no \*intrinsic\* file here or above"
    ):
        open_source(folder)
    other = folder.parent / "elsewhere.txt"
    other.write_text("128 0 63.5\n0 128 47.5\n0 0 1\n")
    with pytest.raises(CalibrationError, match="far from the middle of 64x48"):
        open_source(folder, options={"intrinsics": str(other)})


@pytest.mark.parametrize("beside", ["depth/0.png", "scan.pcd", "calib.txt", "rgb.txt"])
def test_folders_of_other_drivers_are_left_to_them(folder, beside):
    (folder / beside).parent.mkdir(exist_ok=True)
    (folder / beside).write_bytes(b"x")
    from sensorfusion_drivers.image_folder.driver import ImageFolderDriver

    assert not ImageFolderDriver().can_open(str(folder))


def test_depth_pictures_are_no_pictures_alone(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "0.png"), np.ones((HEIGHT, WIDTH), np.uint16))
    from sensorfusion_drivers.image_folder.driver import ImageFolderDriver

    assert not ImageFolderDriver().can_open(str(tmp_path))
