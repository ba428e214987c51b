import json

import numpy as np
import pytest

from sensorfusion.cli.app import run

ROOM = ["synthetic:room", "-o", "frames=40", "-o", "scale=0.25", "-o", "noise=kinect"]


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Return a folder with the grid and the distance field of a simulated room."""
    folder = tmp_path_factory.mktemp("maps")
    arguments = [*ROOM, "--poses", "recording", "--out", str(folder)]
    assert run(["export", "grid", *arguments]) == 0
    assert run(["export", "esdf", *arguments, "--cell-size-m", "0.1"]) == 0
    return folder


def test_a_floor_map_has_free_occupied_and_unknown_cells(mapped):
    import cv2

    grey = cv2.imread(str(mapped / "map.png"), cv2.IMREAD_UNCHANGED)
    shares = {level: float((grey == level).mean()) for level in (0, 205, 254)}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) > 0.02
    text = (mapped / "map.yaml").read_text()
    assert "resolution: 0.05" in text
    assert "image: map.png" in text


def test_a_distance_field_is_zero_on_surface_and_says_what_was_seen(mapped):
    header = json.loads((mapped / "esdf.json").read_text())
    distance_m, seen = np.load(mapped / "esdf.npy"), np.load(mapped / "esdf_seen.npy")
    assert header["cell_size_m"] == 0.1
    assert distance_m.shape == seen.shape == tuple(header["shape"])
    assert distance_m.min() == 0.0
    # The room is 2.6 m high: no place in it is farther from floor and ceiling than half of that.
    assert distance_m[seen].max() < 1.6


def test_a_band_that_is_empty_is_wrong_usage(capsys, tmp_path):
    arguments = [*ROOM, "--out", str(tmp_path / "out"), "--lowest-m", "2", "--highest-m", "1"]
    assert run(["export", "grid", *arguments]) == 2
    assert "expected 0 <= lowest < highest" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_cells_smaller_than_voxels_end_in_one_sentence(capsys, tmp_path):
    arguments = ["--poses", "recording", "--out", str(tmp_path / "out"), "--cell-size-m", "0.01"]
    few = ["synthetic:room", "-o", "frames=3", "-o", "scale=0.25"]
    assert run(["export", "esdf", *few, *arguments]) == 1
    assert "expected cells that are not smaller" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
