import errno
import json
import os

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.distortion import Distortion
from sensorfusion.errors import ConfigError, OutputError
from sensorfusion.export.depth_map_files import find_depth_maps
from sensorfusion.export.depth_maps import DepthMapWriter
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

LENS = Distortion("brown_conrady", (0.1, -0.05, 0.001, 0.002))
DEPTH = Camera("depth", 4, 3, 100.0, 101.0, 1.5, 1.0)
COLOR = Camera("color", 8, 6, 200.0, 201.0, 3.5, 2.5, LENS)
OFFSET = np.eye(4)
OFFSET[0, 3] = 0.015
RIG = Rig({"depth": DEPTH, "color": COLOR}, (RigidTransform("color", "depth", OFFSET),))
METRES = np.array(
    [[0, 1.482, 1.4824, 1.4826], [0.0002, 65.534, 3, 4], [0.5, 0, 0, 1]], dtype=np.float32
)


def depth_map(metres=METRES, timestamp_ns=7, origin=None, camera=DEPTH):
    return DepthMap(metres, camera, timestamp_ns, origin=origin)


def read(path):
    import cv2

    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def document(folder):
    return json.loads((folder / "depth.json").read_text())


def test_a_png_holds_millimetres_and_0_only_where_there_is_no_depth(tmp_path):
    with DepthMapWriter(tmp_path / "out", RIG) as writer:
        writer.write(12, depth_map())
    found = read(tmp_path / "out" / "000012.png")
    assert found.dtype == np.uint16
    assert found.tolist() == [[0, 1482, 1482, 1483], [1, 65534, 3000, 4000], [500, 0, 0, 1000]]
    assert document(tmp_path / "out")["metres_per_unit"] == 0.001


def test_a_tiff_holds_the_metres_themselves(tmp_path):
    with DepthMapWriter(tmp_path, RIG, "tiff") as writer:
        writer.write(0, depth_map())
    found = read(tmp_path / "000000.tiff")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, METRES)
    assert document(tmp_path)["metres_per_unit"] == 1.0


def test_the_json_file_says_what_camera_rig_and_time_each_map_has(tmp_path):
    with DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(3, depth_map(timestamp_ns=1_305_031_102_175_304_001))
        writer.write(5, depth_map(timestamp_ns=1_305_031_102_208_637_334), points_in_image=99)
    found = document(tmp_path)
    assert found["camera"]["name"] == "depth"
    assert [found["camera"][k] for k in ("width", "height", "fx", "fy", "cx", "cy")] == [
        4, 3, 100.0, 101.0, 1.5, 1.0,
    ]  # fmt: skip
    assert found["rig"]["cameras"][1]["distortion"] == {
        "model": "brown_conrady",
        "coefficients": [0.1, -0.05, 0.001, 0.002],
    }
    (transform,) = found["rig"]["transforms"]
    assert (transform["target"], transform["source"]) == ("color", "depth")
    assert transform["matrix"] == OFFSET.tolist()
    first, second = found["maps"]
    assert first == {
        "file": "000003.png",
        "index": 3,
        "timestamp_ns": 1_305_031_102_175_304_001,
        "points_in_image": 9,
        "origin": {"measured": 9, "no_return": 3},
    }
    assert second["points_in_image"] == 99


def test_the_json_file_counts_what_filled_each_map(tmp_path):
    origin = np.full((3, 4), Origin.MEASURED, dtype=np.uint8)
    origin[0, 0] = Origin.FILTERED
    origin[2, 1:3] = Origin.TOO_FAR
    origin[1] = Origin.FILLED
    with DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, depth_map(origin=origin))
    assert document(tmp_path)["maps"][0]["origin"] == {
        "measured": 5, "too_far": 2, "filtered": 1, "filled": 4,
    }  # fmt: skip


def test_the_preview_keeps_red_red(tmp_path):
    preview = np.zeros((16, 16, 3), np.uint8)
    preview[..., 0] = 255
    with DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, depth_map(), preview)
    blue, green, red = read(tmp_path / "preview" / "000000.jpg")[8, 8]
    assert red > 240
    assert max(blue, green) < 15


def test_depth_that_16_bits_cannot_hold_is_refused_and_not_cut(tmp_path):
    far = np.full((3, 4), 80.0, np.float32)
    with (
        pytest.raises(OutputError, match=r"map 4 reaches 80\.000 m.*65\.534 m.*a unit of 0\.01 m"),
        DepthMapWriter(tmp_path, RIG) as writer,
    ):
        writer.write(4, depth_map(far))
    with DepthMapWriter(tmp_path, RIG, metres_per_unit=0.01) as writer:
        writer.write(4, depth_map(far))
    assert (read(tmp_path / "000004.png") == 8000).all()
    assert document(tmp_path)["metres_per_unit"] == 0.01


def test_an_interruption_leaves_a_description_of_what_was_written(tmp_path):
    with pytest.raises(KeyboardInterrupt), DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, depth_map())
        raise KeyboardInterrupt
    assert [entry["file"] for entry in document(tmp_path)["maps"]] == ["000000.png"]


def test_a_map_that_cannot_be_written_does_not_cost_the_description_of_the_others(tmp_path):
    with pytest.raises(OutputError, match="map 1 reaches"), DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, depth_map())
        writer.write(1, depth_map(METRES * 2))
    assert [entry["file"] for entry in document(tmp_path)["maps"]] == ["000000.png"]


def test_an_old_description_does_not_outlive_its_maps(tmp_path):
    (tmp_path / "depth.json").write_text("{}")
    DepthMapWriter(tmp_path, RIG)
    assert not (tmp_path / "depth.json").exists()


def test_a_full_disk_is_one_sentence_and_leaves_no_half_map(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match="No space left"),
        DepthMapWriter(tmp_path, RIG) as writer,
    ):
        writer.write(0, depth_map())
    assert [entry.name for entry in tmp_path.iterdir()] == ["preview"]


def test_maps_of_two_cameras_do_not_share_a_folder(tmp_path):
    other = Camera("depth", 4, 3, 100.0, 101.0, 1.6, 1.0)
    with DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, depth_map())
        with pytest.raises(ValueError, match="map 1 is of"):
            writer.write(1, depth_map(camera=other))


def test_a_folder_that_is_a_file_and_a_wrong_unit_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used as a folder"):
        DepthMapWriter(tmp_path / "file", RIG)
    for unit in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="positive unit"):
            DepthMapWriter(tmp_path, RIG, metres_per_unit=unit)


def test_uncertainty_of_maps_that_were_replaced_is_not_taken_for_that_of_the_new_ones(tmp_path):
    certain = DepthMap(METRES, DEPTH, 7, sigma_m=np.where(METRES > 0, np.float32(0.5), 0))
    with DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, certain)
        writer.write_sigma(0, certain)
    assert find_depth_maps(tmp_path).sigma_m("0")[0].tolist() == [0, 0.5, 0.5, 0.5]
    with DepthMapWriter(tmp_path, RIG) as writer:
        writer.write(0, depth_map())
    assert find_depth_maps(tmp_path).sigma_m("0") is None
