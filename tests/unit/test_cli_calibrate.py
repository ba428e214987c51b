import json

from sensorfusion.calibration.rig_file import read_rig
from sensorfusion.cli import app as cli


def test_files_of_other_programs_become_one_rig_file(tmp_path, capsys):
    camera = {
        "width": 640,
        "height": 480,
        "intrinsic_matrix": [500.0, 0, 0, 0, 501.0, 0, 319.5, 239.5, 1],
    }
    (tmp_path / "left.json").write_text(json.dumps(camera))
    (tmp_path / "right.json").write_text(json.dumps(camera))
    (tmp_path / "T_left_right.txt").write_text("1 0 0 0.12\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    out = tmp_path / "rig.toml"
    assert cli.run(["calibrate", "import", *files, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: left, right; 1 transforms\n"
    rig = read_rig(out)
    assert (rig.cameras["left"].fx, rig.cameras["left"].fy) == (500.0, 501.0)
    assert rig.transform("left", "right").translation_m.tolist() == [0.12, 0.0, 0.0]


def test_a_size_that_a_file_says_wrongly_can_be_given(tmp_path):
    camera = {
        "width": 640,
        "height": 400,
        "intrinsic_matrix": [500.0, 0, 0, 0, 501.0, 0, 319.5, 239.5, 1],
    }
    (tmp_path / "left.json").write_text(json.dumps(camera))
    out = tmp_path / "rig.toml"
    arguments = [str(tmp_path / "left.json"), "--size", "640x480", "--out", str(out)]
    assert cli.run(["calibrate", "import", *arguments]) == 0
    assert read_rig(out).cameras["left"].height == 480


def test_a_size_that_is_none_is_wrong_usage(tmp_path, capsys):
    arguments = ["x.json", "--size", "640", "--out", str(tmp_path / "rig.toml")]
    assert cli.run(["calibrate", "import", *arguments]) == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err


def test_nothing_to_read_is_wrong_usage(tmp_path, capsys):
    assert cli.run(["calibrate", "import", "--out", str(tmp_path / "rig.toml")]) == 2
    assert "needs the files" in capsys.readouterr().err


def test_what_is_no_calibration_is_named(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("hello")
    out = tmp_path / "rig.toml"
    assert cli.run(["calibrate", "import", str(tmp_path / "notes.txt"), "--out", str(out)]) == 1
    assert "notes.txt: is no calibration that is known" in capsys.readouterr().err
    assert not out.exists()
