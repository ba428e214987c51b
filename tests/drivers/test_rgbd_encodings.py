"""Encodings and formats of depth in folders: each decodes to metres, and tells of a wrong name."""

import os
from pathlib import Path

import cv2  # noqa: TID253 - an independent writer of pictures
import numpy as np
import pytest

from sensorfusion.cli import app as cli
from sensorfusion.depth.scale import to_metres
from sensorfusion.errors import (
    CorruptRecordingError,
    DepthScaleError,
    DriverError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.sources.registry import find_driver, open_source

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))
ENCODINGS = DATA / "depth-encodings"
needs_data = pytest.mark.skipif(not ENCODINGS.is_dir(), reason=f"{ENCODINGS} is absent")
NAMES = ("nyu", "sun", "tum", "kitti", "void", "scannet", "redwood", "mm", "metres")
WRITTEN = ("nyu", "sun", "tum", "kitti", "void", "mm", "metres")
MILLIMETRES = {"scannet", "redwood", "mm"}
WRONG = [
    (written, name)
    for written in WRITTEN
    for name in NAMES
    if written != name and not {written, name} <= MILLIMETRES
]
REAL_WRONG = [
    (scene, name) for scene in ("NYU", "SUN", "TUM") for name in NAMES if scene.lower() != name
]
HEIGHT, WIDTH = 48, 64


def room():
    """A floor from 1.2 m to 3.4 m before a wall, millimetres with noise and holes."""
    rng = np.random.default_rng(5)
    rows = np.linspace(3400, 1200, HEIGHT)[:, None] + rng.normal(0, 4, (HEIGHT, WIDTH))
    rows[:, :6] = 2900
    rows[rng.random(rows.shape) < 0.1] = 0
    return rows.round().astype(np.uint16)


def street():
    """A street as a LiDAR sees it: 5 m to 60 m, in few pixels; 1/256 m."""
    rng = np.random.default_rng(6)
    metres = np.repeat(60 / np.linspace(1, 12, HEIGHT)[:, None], WIDTH, axis=1)
    metres[rng.random(metres.shape) > 0.2] = 0
    return np.repeat((metres * 256).astype(np.uint16), 4, axis=1)


def disparity(millimetres):
    known = 1092.5 - 351.3 / np.maximum(millimetres * 1e-3, 0.4)
    return np.where(millimetres > 0, known, 2047).round().astype(np.uint16)


def written(encoding):
    """The room, or for KITTI a street, as data sets of an encoding write it."""
    depth = room()
    return {
        "nyu": disparity(depth).byteswap(),
        "sun": (depth << 3) | (depth >> 13),
        "tum": depth * 5,
        "kitti": street(),
        "void": (depth * 0.256).round().astype(np.uint16),
        "metres": depth.astype(np.float32) / 1000,
    }.get(encoding, depth)


def folder_of(folder, pixels, name="scene", ending="png"):
    """A folder with NAME_depth, NAME_color and intrinsics of its size."""
    folder.mkdir(exist_ok=True)
    height, width = pixels.shape
    path = folder / f"{name}_depth.{ending}"
    if ending == "npy":
        np.save(path, pixels)
    else:
        cv2.imwrite(str(path), pixels)
    cv2.imwrite(str(folder / f"{name}_color.png"), np.full((height, width, 3), 90, np.uint8))
    matrix = f"{width} 0 {width / 2 - 0.5} 0 {width} {height / 2 - 0.5} 0 0 1"
    (folder / "intrinsics.txt").write_text(matrix)
    return folder


def ending_of(encoding):
    return "npy" if encoding == "metres" else "png"


def metres_of(source):
    return to_metres(source[0].measurement).metres


@pytest.mark.parametrize("encoding", NAMES)
def test_each_encoding_comes_out_in_metres_and_without_doubt(tmp_path, encoding):
    folder = folder_of(tmp_path / "a", written(encoding), ending=ending_of(encoding))
    source = open_source(folder, None, {"encoding": encoding})
    expected = street() / 256.0 if encoding == "kitti" else room() / 1000.0
    # A step of the Kinect's disparity is 3.4 cm at 3.4 m.
    tolerance = 0.018 if encoding == "nyu" else 0.002
    np.testing.assert_allclose(metres_of(source), expected, atol=tolerance)
    assert source.notes == ()


@pytest.mark.parametrize(("encoding", "wrong"), WRONG)
def test_under_a_wrong_name_each_is_refused_or_told(tmp_path, encoding, wrong):
    folder = folder_of(tmp_path / "a", written(encoding), ending=ending_of(encoding))
    told = f"looks like {encoding}"
    if encoding == "metres":
        # What floats in metres are under another unit is nearer than any sensor sees.
        assert cli.run(["info", str(folder), "-o", f"encoding={wrong}"]) == 1
        return
    try:
        notes = open_source(folder, None, {"encoding": wrong}).notes
    except DepthScaleError as error:
        notes = (str(error),)
    assert len(notes) == 1
    assert told in notes[0]
    assert f"try -o encoding={encoding}" in notes[0]


@needs_data
@pytest.mark.parametrize(
    ("name", "encoding", "median_m"),
    [("NYU", "nyu", 3.268), ("SUN", "sun", 2.723), ("TUM", "tum", 2.415)],
)
def test_the_real_files_decode_to_metres_that_fit_a_room(name, encoding, median_m):
    options = {"name": name, "encoding": encoding, "intrinsics": "primesense"}
    source = open_source(ENCODINGS, None, options)
    metres = metres_of(source)
    assert np.median(metres[metres > 0]) == pytest.approx(median_m, abs=0.001)
    assert 0.9 < np.percentile(metres[metres > 0], 1) < 2
    assert np.percentile(metres[metres > 0], 99) < 9.5
    assert [note for note in source.notes if "doubtful" in note] == []
    assert source[0].images["color"].pixels.shape == (480, 640, 3)


@needs_data
@pytest.mark.parametrize(("name", "wrong"), REAL_WRONG)
def test_the_real_files_tell_of_a_wrong_name(name, wrong):
    options = {"name": name, "encoding": wrong, "intrinsics": "primesense"}
    try:
        said = " ".join(open_source(ENCODINGS, None, options).notes)
    except DepthScaleError as error:
        said = str(error)
    assert f"try -o encoding={name.lower()}" in said


def test_info_warns_and_reads_on_where_only_the_scale_is_doubtful(tmp_path, capsys):
    folder = folder_of(tmp_path / "a", written("tum"))
    assert cli.run(["info", str(folder), "-o", "encoding=mm"]) == 0
    said = capsys.readouterr().out
    assert "note: scene_depth.png is doubtful under encoding mm: median 12" in said
    assert "try -o encoding=tum" in said


def test_info_refuses_what_its_bits_give_away(tmp_path, capsys):
    folder = folder_of(tmp_path / "a", written("nyu"))
    assert cli.run(["info", str(folder), "-o", "encoding=tum"]) == 1
    assert capsys.readouterr().err.startswith("sensorfusion: ")


def test_the_unit_of_pairs_by_name_is_asked_for(tmp_path):
    folder = folder_of(tmp_path / "a", written("mm"))
    with pytest.raises(DepthScaleError, match="whose unit nobody says; it looks like mm"):
        open_source(folder)
    source = open_source(folder, None, {"depth_unit_m": "0.001"})
    np.testing.assert_allclose(metres_of(source), room() / 1000.0, atol=1e-4)


def test_floats_have_no_unit_but_the_one_that_is_given(tmp_path):
    folder = folder_of(tmp_path / "a", written("metres"), ending="npy")
    with pytest.raises(DepthScaleError, match="float32 numbers, whose unit nobody says"):
        open_source(folder)[0]


def test_floats_in_a_layout_of_millimetres_are_not_taken_for_millimetres(tmp_path):
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth/0.npy", written("metres"))
    (tmp_path / "intrinsics.txt").write_text(f"{WIDTH} 0 31.5 0 {WIDTH} 23.5 0 0 1")
    with pytest.raises(DepthScaleError, match="whose unit nobody says"):
        open_source(tmp_path)[0]
    source = open_source(tmp_path, None, {"encoding": "metres"})
    np.testing.assert_allclose(metres_of(source), room() / 1000.0, atol=1e-6)


def test_numbered_folders_say_that_millimetres_are_assumed(tmp_path):
    (tmp_path / "depth").mkdir()
    cv2.imwrite(str(tmp_path / "depth/0.png"), room())
    (tmp_path / "intrinsics.txt").write_text(f"{WIDTH} 0 31.5 0 {WIDTH} 23.5 0 0 1")
    (note,) = open_source(tmp_path).notes
    assert note.startswith("one unit of depth is taken to be a millimetre")
    assert open_source(tmp_path, None, {"encoding": "mm"}).notes == ()


@pytest.mark.parametrize("ending", ["png", "pgm", "tiff", "npy"])
def test_each_format_of_whole_numbers_is_read(tmp_path, ending):
    folder = folder_of(tmp_path / "a", room(), ending=ending)
    source = open_source(folder, None, {"encoding": "mm"})
    assert source[0].measurement.values.dtype == np.uint16
    assert np.array_equal(source[0].measurement.values, room())


@pytest.mark.parametrize("ending", ["tiff", "npy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_format_of_floats_is_read(tmp_path, ending, dtype):
    folder = folder_of(tmp_path / "a", written("metres").astype(dtype), ending=ending)
    values = open_source(folder, None, {"encoding": "metres"})[0].measurement.values
    assert values.dtype == np.float32
    assert np.array_equal(values, written("metres"))


def test_scenes_of_a_folder_are_chosen_by_name(tmp_path):
    folder = tmp_path / "a"
    folder_of(folder, room(), "kitchen")
    folder_of(folder, room() + 1, "hall")
    assert find_driver(folder) == "rgbd_folder"
    with pytest.raises(SourceError, match=r"scenes hall, kitchen; choose one with -o name=hall"):
        open_source(folder, None, {"encoding": "mm"})
    with pytest.raises(SourceError, match=r"no scene 'attic'; it holds hall, kitchen"):
        open_source(folder, None, {"encoding": "mm", "name": "attic"})
    values = open_source(folder, None, {"encoding": "mm", "name": "hall"})[0].measurement.values
    assert np.array_equal(values, room() + 1)


def test_numbered_pairs_by_name_are_one_recording(tmp_path):
    for number in range(3):
        folder_of(tmp_path / "a", room() + number, f"{number:06d}")
    (tmp_path / "a/000001_color.png").unlink()
    source = open_source(tmp_path / "a", None, {"encoding": "mm"})
    assert [frame.timestamp_ns for frame in source] == [0, 66_666_667]
    assert source.losses.unpaired == {"depth": 1, "color": 0}


def test_a_name_says_nothing_in_other_layouts(tmp_path):
    (tmp_path / "depth").mkdir()
    cv2.imwrite(str(tmp_path / "depth/0.png"), room())
    with pytest.raises(SourceError, match="leave out -o name=x"):
        open_source(tmp_path, None, {"name": "x"})


def test_an_encoding_and_a_unit_are_one_too_many(tmp_path):
    folder = folder_of(tmp_path / "a", room())
    with pytest.raises(DriverError, match="encoding=mm says the unit of depth already"):
        open_source(folder, None, {"encoding": "mm", "depth-unit-m": "0.001"})


def test_nominal_intrinsics_are_told_and_hold_for_one_size_only(tmp_path):
    folder = folder_of(tmp_path / "a", np.full((480, 640), 2000, np.uint16))
    source = open_source(folder, None, {"encoding": "mm", "intrinsics": "primesense"})
    assert (source.rig.cameras["depth"].fx, source.rig.cameras["depth"].cx) == (525, 319.5)
    assert "nominal" in source.notes[0]
    small = folder_of(tmp_path / "b", room())
    with pytest.raises(SensorFusionError, match="640x480"):
        open_source(small, None, {"encoding": "mm", "intrinsics": "primesense"})


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"P5 64 48 255\n" + bytes(64 * 48), UnsupportedRecordingError, "is this a preview"),
        (b"P6 64 48 65535\n" + bytes(64 * 48 * 6), UnsupportedRecordingError, "must be grey"),
        (b"P5 64 48 65535\n" + bytes(99), CorruptRecordingError, "found 99 bytes of pixels"),
        (b"P7 64 48 65535\n" + bytes(99), CorruptRecordingError, "at byte 0"),
    ],
)
def test_a_damaged_pgm_says_where(tmp_path, data, error, said):
    folder = folder_of(tmp_path / "a", room(), ending="pgm")
    (folder / "scene_depth.pgm").write_bytes(data)
    with pytest.raises(error, match=said):
        open_source(folder, None, {"encoding": "mm"})[0]


@pytest.mark.parametrize(
    "array", [np.zeros((48, 64, 2), np.float32), np.full((48, 64), 70000), np.full((48, 64), -1)]
)
def test_arrays_that_are_no_depth_are_refused(tmp_path, array):
    folder = folder_of(tmp_path / "a", room(), ending="npy")
    np.save(folder / "scene_depth.npy", array)
    with pytest.raises(UnsupportedRecordingError, match="depth must be one layer"):
        open_source(folder, None, {"encoding": "mm"})


def test_colour_is_read_from_ppm_and_pgm(tmp_path):
    folder = folder_of(tmp_path / "a", room())
    (folder / "scene_color.png").unlink()
    cv2.imwrite(str(folder / "scene_color.ppm"), np.full((HEIGHT, WIDTH, 3), (3, 2, 1), np.uint8))
    pixels = open_source(folder, None, {"encoding": "mm"})[0].images["color"].pixels
    assert pixels[4, 5].tolist() == [1, 2, 3]
    (folder / "scene_color.ppm").write_bytes(b"P5 64 48 4\n" + bytes([2]) * (64 * 48))
    pixels = open_source(folder, None, {"encoding": "mm"})[0].images["color"].pixels
    # 2 of 4 is half of 255, rounded to the even one of its neighbours.
    assert pixels[4, 5].tolist() == [128, 128, 128]


def test_a_preview_in_steps_of_256_is_no_disparity(tmp_path):
    preview = (np.linspace(20, 120, HEIGHT).astype(np.uint16) * 256)[:, None].repeat(WIDTH, 1)
    with pytest.raises(DepthScaleError, match="none of encoding nyu"):
        open_source(folder_of(tmp_path / "a", preview), None, {"encoding": "nyu"})
    assert "farther" in open_source(tmp_path / "a", None, {"encoding": "mm"}).notes[0]
