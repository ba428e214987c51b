"""Time offsets of a rig file: kept by it, added by drivers, and not added twice."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2  # noqa: TID253
import numpy as np
import pytest

from sensorfusion.calibration.rig_file import read_rig, write_rig
from sensorfusion.calibration.toml_rig import toml_of_rig
from sensorfusion.camera import Camera
from sensorfusion.cli import app as cli
from sensorfusion.errors import CalibrationError
from sensorfusion.rig import Rig
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

STREET = Path(__file__).parents[2] / "recordings" / "street"
LATE_NS, SCANS_NS = 2_500_000, -1_000_000


@pytest.fixture
def street(tmp_path):
    """Return the shipped street as a folder whose rig says that two clocks are off."""
    folder = tmp_path / "street"
    shutil.copytree(STREET, folder)
    rig = read_rig(folder / "rig.toml")
    offsets_ns = {"color": LATE_NS, "lidar": SCANS_NS}
    write_rig(replace(rig, time_offsets_ns=offsets_ns), folder / "rig.toml", ["made\nfor a test"])
    return folder


def test_a_rig_file_keeps_time_offsets_and_comments_are_for_people(street):
    text = (street / "rig.toml").read_text()
    assert text.startswith("# made\n# for a test\n")
    rig = read_rig(street / "rig.toml")
    assert rig.time_offsets_ns == {"color": LATE_NS, "lidar": SCANS_NS}
    assert (rig.time_offset_ns("color"), rig.on_one_clock().time_offset_ns("color")) == (LATE_NS, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("color = 0.5", "whole nanoseconds"),
        ("color = 4e12", "at most an hour"),
        ("colour = 5", "a time offset of 'colour'; there are color, lidar"),
    ],
)
def test_an_offset_that_cannot_be_is_refused(tmp_path, line, said):
    path = tmp_path / "rig.toml"
    text = toml_of_rig(read_rig(STREET / "rig.toml"))
    path.write_text(text.replace("[[transforms]]", f"[time_offsets_ns]\n{line}\n\n[[transforms]]"))
    with pytest.raises(CalibrationError, match=said):
        read_rig(path)


def test_scans_and_pictures_of_clouds_are_brought_to_one_clock(street):
    with open_source(str(STREET)) as plain, open_source(str(street)) as source:
        before, after = plain[3], source[3]
        assert after.timestamp_ns - before.timestamp_ns == SCANS_NS
        pictures = before.images["color"], after.images["color"]
        assert pictures[1].timestamp_ns - pictures[0].timestamp_ns == LATE_NS
        assert source.losses.unpaired == {"color": 0, "lidar": 0}


def test_what_is_recorded_of_corrected_samples_is_not_corrected_again(street, tmp_path):
    destination = tmp_path / "street.mcap"
    assert cli.run(["convert", str(street), str(destination)]) == 0
    with open_source(str(street)) as source, open_source(str(destination)) as copy:
        assert copy.rig.time_offsets_ns == {}
        first, second = source[2], copy[2]
        assert second.timestamp_ns == first.timestamp_ns
        assert second.images["color"].timestamp_ns == first.images["color"].timestamp_ns


@pytest.mark.parametrize("cameras", [("left", "right"), ("a", "b")])
def test_a_folder_of_stereo_pictures_refuses_offsets_of_its_cameras(tmp_path, cameras):
    folder = tmp_path / "pair"
    for name in ("left", "right"):
        (folder / name).mkdir(parents=True)
        cv2.imwrite(str(folder / name / "1.png"), np.zeros((12, 16), np.uint8))
    matrix = np.eye(4)
    matrix[0, 3] = -0.1
    rig = Rig(
        {name: Camera(name, 16, 12, 20.0, 20.0, 7.5, 5.5) for name in cameras},
        (RigidTransform(cameras[1], cameras[0], matrix),),
    )
    write_rig(replace(rig, time_offsets_ns={cameras[1]: 5}), folder / "rig.toml")
    with pytest.raises(CalibrationError, match=f"time_offsets_ns of {cameras[1]}.*times.txt"):
        open_source(str(folder))
    write_rig(replace(rig, time_offsets_ns={cameras[1]: 0}), folder / "rig.toml")
    with open_source(str(folder)) as source:
        assert source.rig.time_offsets_ns == {}


def test_a_tum_folder_refuses_offsets_and_says_what_to_do(tmp_path):
    options = ["-oframes=2", "-onoise=d435", "-oscale=0.25"]
    assert cli.run(["convert", "synthetic:room", str(tmp_path / "room"), *options]) == 0
    rig = read_rig(tmp_path / "room" / "rig.toml")
    write_rig(replace(rig, time_offsets_ns={"color": 5}), tmp_path / "room" / "rig.toml")
    with pytest.raises(CalibrationError, match="change the time stamps in the lists"):
        open_source(str(tmp_path / "room"))
