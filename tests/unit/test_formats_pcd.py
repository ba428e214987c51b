import os
import struct
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.errors import (
    CorruptRecordingError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.formats.lzf import lzf_compress
from sensorfusion.formats.pcd import read_pcd, read_pcd_header

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))
FILES = DATA / "point-clouds" / "pcd"

HEADER = """\
# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS x y z
SIZE 4 4 4
TYPE F F F
COUNT 1 1 1
WIDTH 2
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS 2
DATA ascii
"""
POINTS = np.array([[1, 2, 3], [-4.5, 5e-3, 6]], dtype=np.float32)
TEXT = "1 2 3\n-4.5 5e-3 6\n"


@pytest.fixture
def write(tmp_path):
    def write_file(head, body=b""):
        path = tmp_path / "cloud.pcd"
        path.write_bytes(head.encode() + (body.encode() if isinstance(body, str) else body))
        return path

    return write_file


def points(pcd):
    return np.stack([pcd.fields[axis] for axis in "xyz"], axis=1)


def compressed(planes):
    packed = lzf_compress(np.frombuffer(bytearray(planes), np.uint8)).tobytes()
    return struct.pack("<II", len(packed), len(planes)) + packed


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("ascii", TEXT.encode()),
        ("binary", POINTS.tobytes()),
        ("binary_compressed", compressed(POINTS.T.tobytes())),
    ],
)
def test_each_form_gives_the_points(write, form, body):
    pcd = read_pcd(write(HEADER.replace("ascii", form), body))
    assert np.array_equal(points(pcd), POINTS)
    assert pcd.header.form == form
    assert (pcd.header.width, pcd.header.height) == (2, 1)
    assert pcd.header.viewpoint == (0, 0, 0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("COUNT 1 1 1\n", ""),
        ("VIEWPOINT 0 0 0 1 0 0 0\n", ""),
        ("HEIGHT 1\n", ""),
        ("POINTS 2\n", ""),
        ("WIDTH 2\n", ""),
        ("WIDTH 2\nHEIGHT 1\n", ""),
        ("VERSION 0.7", "VERSION .5"),
        ("VERSION 0.7\n", "#\n\n"),
        ("FIELDS", "COLUMNS"),
        (" ", "\t"),
        ("\n", "\r\n"),
        ("DATA ascii\n", "DATA ascii"),
        ("DATA ascii\n", "DATA ascii \n"),
    ],
)
def test_headers_of_other_writers_mean_the_same(write, old, new):
    body = "+" + TEXT if new == "DATA ascii" else TEXT
    pcd = read_pcd(write(HEADER.replace(old, new), body))
    assert np.array_equal(points(pcd), POINTS)


def test_every_type_keeps_its_values(write):
    head = HEADER.replace("x y z", "a b c d e f g h i j").replace("WIDTH 2", "WIDTH 1")
    head = head.replace("SIZE 4 4 4", "SIZE 1 2 4 8 1 2 4 8 4 8").replace("POINTS 2", "POINTS 1")
    head = head.replace("TYPE F F F", "TYPE I I I I U U U U F F").replace("COUNT 1 1 1\n", "")
    values = (-128, -(2**15), -(2**31), -(2**63), 255, 2**16 - 1, 2**32 - 1, 2**64 - 1, 0.5, 0.1)
    packed = struct.pack("<bhiqBHIQfd", *values)
    text = " ".join(map(str, values)) + "\n"
    for form, body in (("ascii", text.encode()), ("binary", packed)):
        fields = read_pcd(write(head.replace("ascii", form), body)).fields
        assert [fields[name][0].item() for name in "abcdefghij"] == list(values)
    order = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]
    assert [field.dtype for field in fields.values()] == [np.dtype(f"<{kind}") for kind in order]


def test_fields_of_several_values_and_padding(write):
    head = HEADER.replace("x y z", "x _ h z").replace("SIZE 4 4 4", "SIZE 4 1 2 4")
    head = head.replace("TYPE F F F", "TYPE F F U F").replace("COUNT 1 1 1", "COUNT 1 3 2 1")
    row = [("x", "<f4"), ("pad", "V3"), ("h", "<u2", 2), ("z", "<f4")]
    rows = np.zeros(2, row)
    rows["x"], rows["h"], rows["z"] = [1, 2], [[3, 4], [5, 6]], [7, 8]
    planes = b"".join(np.ascontiguousarray(rows[name]).tobytes() for name, *_ in row)
    text = "1 0 0 0 3 4 7\n2 1 1 1 5 6 8\n"
    forms = {"ascii": text, "binary": rows.tobytes(), "binary_compressed": compressed(planes)}
    for form, body in forms.items():
        fields = read_pcd(write(head.replace("ascii", form), body)).fields
        assert list(fields) == ["x", "h", "z"]
        assert fields["x"].tolist() == [1, 2]
        assert fields["h"].tolist() == [[3, 4], [5, 6]]
        assert fields["z"].tolist() == [7, 8]


def test_the_zeros_that_old_writers_left_behind_the_data_do_not_count(write):
    path = write(HEADER.replace("ascii", "binary"), POINTS.tobytes() + bytes(3900))
    assert np.array_equal(points(read_pcd(path)), POINTS)


def test_a_cloud_without_points_is_a_cloud(write):
    head = HEADER.replace("WIDTH 2", "WIDTH 0").replace("POINTS 2", "POINTS 0")
    for form, body in (("ascii", ""), ("binary", ""), ("binary_compressed", bytes(8))):
        assert points(read_pcd(write(head.replace("ascii", form), body))).shape == (0, 3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("WIDTH 2", "WIDTH 3", "WIDTH 3, HEIGHT 1, POINTS 2"),
        ("WIDTH 2", "WIDTH -2", "WIDTH -2"),
        ("WIDTH 2", "WIDTH 2 2", "2 values of WIDTH"),
        ("WIDTH 2", "WIDTH 99999999999999999999", "whole numbers"),
        ("SIZE 4 4 4", "SIZE 4 4", "2 values of SIZE for 3 fields"),
        ("SIZE 4 4 4", "SIZE 4 4 3", "'z' of type 'F', size 3"),
        ("SIZE 4 4 4\n", "", "no line SIZE"),
        ("TYPE F F F", "TYPE F F X", "type 'X'"),
        ("COUNT 1 1 1", "COUNT 1 1 0", "count 0"),
        ("COUNT 1 1 1", "COUNT 1 1 9999999", "bytes a point"),
        ("FIELDS x y z", "FIELDS x y x", "each name once"),
        ("FIELDS x y z", "FIELDS", "no line FIELDS"),
        ("VIEWPOINT 0 0 0 1 0 0 0", "VIEWPOINT 0 0 0 0 0 0 0", "a rotation that is not 0"),
        ("VIEWPOINT 0 0 0 1 0 0 0", "VIEWPOINT 0 0 0", "VIEWPOINT 0 0 0"),
        ("HEIGHT 1", "HEIHGT 1", "b'HEIHGT 1'"),
        ("HEIGHT 1", "WIDTH 2", "b'WIDTH 2'"),
        ("DATA ascii", "DATA zipped", "DATA zipped"),
        ("DATA ascii", "", "no line 'DATA'"),
    ],
)
def test_a_header_that_means_nothing_is_refused_with_the_reason(write, old, new, reason):
    with pytest.raises(CorruptRecordingError) as caught:
        read_pcd(write(HEADER.replace(old, new)))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "body", "reason"),
    [
        ("binary", POINTS.tobytes()[:-1], "23 bytes of data; expected 24 for 2 points of 12"),
        ("binary", POINTS.tobytes() + b"\0\1", "26 bytes of data"),
        ("binary", POINTS.tobytes() + bytes(4096), "4120 bytes of data"),
        ("binary_compressed", b"1234", "8 bytes of sizes"),
        ("binary_compressed", compressed(POINTS.tobytes()[:20]), "stand for 20"),
        ("binary_compressed", compressed(POINTS.tobytes())[:-1], "compressed bytes"),
        ("binary_compressed", compressed(POINTS.tobytes()) + b"x", "compressed bytes"),
        ("binary_compressed", struct.pack("<II", 4, 24) + b"\x02abc", "after 3 of 24 bytes"),
        ("binary_compressed", struct.pack("<II", 2, 24) + b"\x20\x07", "at byte 190"),
        ("ascii", "1.0 2.0 3.0\n", "the end after 1 lines"),
        ("ascii", "10 20 30\n40 50\n", "fewer numbers in line 2"),
        ("ascii", "1 2 3\n4 5 x\n", "b'x'"),
    ],
)
def test_data_that_do_not_fit_the_header_are_refused(write, form, body, reason):
    head = HEADER.replace("ascii", form)
    expected = str(len(head.encode()) + 8) if reason == "at byte 190" else reason
    with pytest.raises(CorruptRecordingError) as caught:
        read_pcd(write(head, body))
    assert expected in str(caught.value)


@pytest.mark.parametrize("value", ["256", "-1", "70000"])
def test_a_number_that_its_field_cannot_hold_is_refused(write, value):
    head = HEADER.replace("x y z", "x y n").replace("SIZE 4 4 4", "SIZE 4 4 1")
    head = head.replace("TYPE F F F", "TYPE F F U")
    with pytest.raises(CorruptRecordingError, match=f"{value} in field 'n'"):
        read_pcd(write(head, f"1 2 3\n1 2 {value}\n"))


@pytest.mark.parametrize("form", ["ascii", "binary", "binary_compressed"])
def test_a_claim_of_billions_of_points_allocates_nothing(write, form):
    head = HEADER.replace("WIDTH 2", "WIDTH 9000000000000").replace("POINTS 2\n", "")
    with pytest.raises(CorruptRecordingError):
        read_pcd(write(head.replace("ascii", form), struct.pack("<II", 4, 2**32 - 1) + b"abcd"))


def test_a_pointer_of_git_lfs_is_refused_with_advice(write):
    with pytest.raises(UnsupportedRecordingError, match="git lfs pull"):
        read_pcd(write("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"))


@pytest.mark.parametrize("read", [read_pcd, read_pcd_header])
def test_a_missing_and_an_empty_file_are_refused(read, tmp_path):
    with pytest.raises(SourceError, match=r"no.pcd: cannot be read"):
        read(tmp_path / "no.pcd")
    (tmp_path / "empty.pcd").touch()
    with pytest.raises(CorruptRecordingError, match="0 bytes"):
        read(tmp_path / "empty.pcd")


def test_damage_anywhere_raises_one_kind_of_error(write):
    rng = np.random.default_rng(6)
    for form, body in (
        ("ascii", TEXT.encode()),
        ("binary", POINTS.tobytes()),
        ("binary_compressed", compressed(POINTS.T.tobytes())),
    ):
        sound = HEADER.replace("ascii", form).encode() + body
        for _ in range(150):
            damaged = bytearray(sound[: rng.integers(1, len(sound) + 1)])
            damaged[rng.integers(0, len(damaged))] = rng.integers(0, 256)
            try:
                read_pcd(write("", bytes(damaged)))
            except SensorFusionError as error:
                assert "\n" not in str(error)


XYZ, NORMALS = "x y z", "normal_x normal_y normal_z"
AUTZEN = "X Y Z Intensity ReturnNumber NumberOfReturns ScanDirectionFlag EdgeOfFlightLine "
AUTZEN += "Classification ScanAngleRank UserData PointSourceId GpsTime Red Green Blue"
# File, form, points, fields.
REAL = [
    ("PDAL__test__data__pcd__autzen-utm", "binary", 1065, AUTZEN),
    ("PDAL__test__data__pcd__utm17_tab", "ascii", 10, "X Y Z"),
    ("data__segmentation__mOSD__test__test43", "binary_compressed", 170986, "label x y z rgba"),
    ("data__segmentation__mOSD__test__test56", "binary_compressed", 165114, "label x y z rgba"),
    ("data__segmentation__mOSD__test__test58", "binary_compressed", 186764, "label x y z rgba"),
    ("data__terrain__samp41-utm-ground", "binary_compressed", 5602, XYZ),
    ("data__tutorials__ism_test_cat", "ascii", 3400, XYZ),
    ("data__tutorials__pairwise__capture0002", "binary_compressed", 307200, XYZ),
    ("data__tutorials__template_alignment__object_template_4", "ascii", 1159, XYZ),
    ("pcl__build__io__test__v", "ascii", 2, f"{XYZ} fpfh"),
    (
        "pcl__doc__tutorials__content__sources__alignment_prerejective__chef",
        "ascii",
        5092,
        f"{XYZ} {NORMALS}",
    ),
    (
        "pcl__doc__tutorials__content__sources__alignment_prerejective__chef_v",
        "binary_compressed",
        5092,
        f"{XYZ} {NORMALS}",
    ),
    ("pcl__io__test__all_types", "ascii", 1, "a1 a2 a3 a4 a5 a6 a7 a8"),
    ("pcl__io__test__complex_ascii", "ascii", 1, f"fpfh {XYZ}"),
    ("pcl__io__test__v", "ascii", 2, f"{XYZ} fpfh"),
    ("pcl__mobile_apps__android__KiwiPCL__assets__inputCloud0", "binary", 76800, f"{XYZ} rgba"),
    (
        "pcl__test__brisk_descriptors_gt",
        "binary",
        1534,
        "brisk_scale brisk_orientation brisk_descriptor512",
    ),
    (
        "pcl__test__brisk_descriptors_gt_v",
        "binary_compressed",
        1534,
        "brisk_scale brisk_orientation brisk_descriptor512",
    ),
    ("pcl__test__brisk_image_gt", "binary", 327680, "rgba"),
    ("pcl__test__brisk_keypoints_gt", "binary", 1860, f"{XYZ} scale"),
    ("pcl__test__brisk_keypoints_gt_v", "binary_compressed", 1860, f"{XYZ} scale"),
    ("pcl__test__bun0", "ascii", 397, f"{XYZ} {NORMALS} curvature"),
    ("pcl__test__bun01", "ascii", 200, XYZ),
    ("pcl__test__bun4", "ascii", 361, XYZ),
]

needs_data = pytest.mark.skipif(not FILES.exists(), reason="the shared data are not here")


@needs_data
@pytest.mark.parametrize(("name", "form", "count", "fields"), REAL, ids=[row[0] for row in REAL])
def test_every_real_file_is_read_whole(name, form, count, fields):
    pcd = read_pcd(FILES / f"{name}.pcd")
    assert (pcd.header.form, pcd.header.points) == (form, count)
    assert " ".join(pcd.fields) == fields
    assert all(len(values) == count for values in pcd.fields.values())


@needs_data
def test_the_table_names_every_real_file():
    assert {row[0] for row in REAL} == {path.stem for path in FILES.glob("*")}


@needs_data
def test_text_and_compressed_files_of_one_cloud_agree():
    stem = "pcl__doc__tutorials__content__sources__alignment_prerejective__chef"
    text, packed = (read_pcd(FILES / f"{stem}{end}.pcd").fields for end in ("", "_v"))
    for name in text:
        assert np.allclose(text[name], packed[name], rtol=1e-6, atol=1e-7)
    stem = "pcl__test__brisk_descriptors_gt"
    plain, packed = (read_pcd(FILES / f"{stem}{end}.pcd").fields for end in ("", "_v"))
    assert all(np.array_equal(plain[name], packed[name]) for name in plain)


@needs_data
@pytest.mark.parametrize(
    "name", ["data__tutorials__pairwise__capture0002", "pcl__test__bun0", "pcl__test__bun4"]
)
def test_open3d_reads_the_same_numbers(name):
    import open3d as o3d

    theirs = o3d.t.io.read_point_cloud(str(FILES / f"{name}.pcd")).point["positions"].numpy()
    assert np.array_equal(points(read_pcd(FILES / f"{name}.pcd")), theirs, equal_nan=True)


@needs_data
def test_the_tests_of_pcl_say_what_all_types_hold():
    fields = read_pcd(FILES / "pcl__io__test__all_types.pcd").fields
    assert [fields[f"a{k}"].reshape(-1).tolist() for k in range(1, 8)] == [
        [-50], [250, 251], [-250], [2500, 2501], [-250000], [250000, 250001], [np.float32(250.05)],
    ]  # fmt: skip
    assert fields["a8"].tolist() == [[-250.05, -251.05]]
