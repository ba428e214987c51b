import json

import pytest

from sensorfusion.errors import CalibrationError
from sensorfusion.formats.intrinsics import PinholeIntrinsics, read_intrinsics

MATRIX = "585 0 320\n0 586 240\n0 0 1\n"
OPEN3D = {"width": 640, "height": 480, "intrinsic_matrix": [525, 0, 0, 0, 526, 0, 319.5, 239.5, 1]}


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        path = tmp_path / "intrinsics"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_intrinsics(path)

    return write_and_read


def test_a_text_matrix_is_read_row_by_row(read):
    assert read(MATRIX) == PinholeIntrinsics(585, 586, 320, 240)


def test_commas_and_comments_are_allowed(read):
    assert read("# kinect\n585, 0, 320,\n0, 586, 240\n0 0 1") == PinholeIntrinsics(
        585, 586, 320, 240
    )


def test_the_json_of_open3d_is_read_column_by_column(read):
    assert read(OPEN3D) == PinholeIntrinsics(525, 526, 319.5, 239.5, 640, 480)


def test_a_depth_scale_of_1000_per_metre_is_a_unit_of_a_millimetre(read):
    assert read(OPEN3D | {"depth_scale": 1000.0}).depth_unit_m == 0.001


@pytest.mark.parametrize(
    "content",
    [
        "",
        "585 0 320 0 585",
        "a b c d e f g h i",
        "nan 0 320 0 585 240 0 0 1",
        "-585 0 320 0 585 240 0 0 1",
        "585 0.5 320 0 585 240 0 0 1",
        "585 0 0 0 585 0 320 240 1",
        "{",
        "{" * 100_000,
        '{"a": ' * 100_000,
        {},
        OPEN3D | {"intrinsic_matrix": [1, 2]},
        OPEN3D | {"intrinsic_matrix": "525"},
        OPEN3D | {"intrinsic_matrix": [True] * 9},
        OPEN3D | {"width": "640"},
        OPEN3D | {"height": 0},
        OPEN3D | {"intrinsic_matrix": [10**400, 0, 0, 0, 526, 0, 319.5, 239.5, 1]},
    ],
)
def test_what_is_no_intrinsics_is_refused_with_what_was_expected(read, content):
    with pytest.raises(CalibrationError, match="expected intrinsics"):
        read(content)


@pytest.mark.parametrize("scale", [0, 0.001, "1000", True, float("nan")])
def test_a_depth_scale_that_is_no_units_per_metre_is_refused_with_its_meaning(read, scale):
    with pytest.raises(
        CalibrationError,
        match=r"depth_scale .*units per metre, at least 1 \(1000 for millimetres\)",
    ):
        read(OPEN3D | {"depth_scale": scale})


def test_a_file_of_megabytes_is_not_read(read):
    with pytest.raises(CalibrationError, match="1048576 bytes"):
        read("1" * (1 << 21))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CalibrationError, match=r"gone\.json: cannot read"):
        read_intrinsics(tmp_path / "gone.json")
