"""What ``info`` says about recordings whose content is known."""

import json
import os
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sensorfusion.cli import app as cli

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[3] / "shared" / "data"))
ROOM = ["info", "synthetic:room", "-o", "frames=3", "-o", "scale=0.25"]


def test_json_is_one_object_with_the_agreed_keys(capsys):
    assert cli.run([*ROOM, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["driver"] == "synthetic"
    assert facts["frames"] == 3
    assert facts["duration_s"] == pytest.approx(2 / 30, abs=1e-6)
    assert [stream["name"] for stream in facts["streams"]] == ["depth", "color"]
    for stream in facts["streams"]:
        assert {
            "name",
            "kind",
            "width",
            "height",
            "fx",
            "fy",
            "cx",
            "cy",
            "distortion",
            "count",
        } <= stream.keys()
        assert stream["count"] == 3
    assert facts["depth_m"].keys() == {"p5", "p50", "p95", "fill"}
    assert 0.3 < facts["depth_m"]["p5"] < facts["depth_m"]["p50"] < facts["depth_m"]["p95"] < 6


def test_text_names_each_stream(capsys):
    assert cli.run(ROOM) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "synthetic:room (synthetic)"
    assert lines[1].startswith("  3 frames, 0.07 s, 3 poses")
    assert lines[2].startswith("  depth: 3 x 160x120")
    assert lines[3].startswith("  color: 3 x ")


def test_a_misspelt_driver_option_gets_a_suggestion(capsys):
    assert cli.run(["info", "synthetic:room", "-o", "frame=3"]) == 2
    assert "did you mean frames?" in capsys.readouterr().err


def test_a_driver_option_without_a_value_is_refused(capsys):
    assert cli.run(["info", "synthetic:room", "-o", "frames"]) == 2
    assert "-o frames: expected KEY=VALUE" in capsys.readouterr().err


def test_a_driver_option_given_twice_is_refused(capsys):
    assert cli.run(["info", "synthetic:room", "-o", "frames=2", "-o", "frames=3"]) == 2
    assert "-o frames is given twice" in capsys.readouterr().err


def test_a_misspelt_driver_is_wrong_usage(capsys):
    assert cli.run(["info", "synthetic:room", "--driver", "syntetic"]) == 2
    assert "did you mean synthetic?" in capsys.readouterr().err


def test_a_driver_option_of_the_wrong_type_is_wrong_usage(capsys):
    assert cli.run(["info", "synthetic:room", "-o", "frames=few"]) == 2
    assert "option frames is 'few'; expected int" in capsys.readouterr().err


def test_a_driver_that_cannot_be_loaded_is_no_wrong_usage(capsys, monkeypatch):
    def broken(_self):
        msg = "no such library"
        raise ImportError(msg)

    monkeypatch.setattr(EntryPoint, "load", broken)
    assert cli.run(["info", "synthetic:room", "--driver", "synthetic"]) == 1
    assert "cannot be loaded" in capsys.readouterr().err


def test_unpaired_pictures_are_counted(capsys):
    recording = DATA / "rgbd-tum"
    if not recording.is_dir():
        pytest.skip("shared/data is not here")
    assert cli.run(["info", str(recording), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    depth, color = facts["streams"]
    assert facts["frames"] == 9
    assert depth["count"] == 9 + facts["unpaired"]["depth"]
    assert color["count"] == 9 + facts["unpaired"]["color"]
