import os
import struct
import sys
from pathlib import Path

import cv2  # noqa: TID253 - an independent writer of pictures
import numpy as np
import pytest

from sensorfusion.errors import (
    CalibrationError,
    CorruptRecordingError,
    DriverError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.image import Image
from sensorfusion.sources.registry import find_driver, open_source, read_truth

DATA = Path(os.environ.get("SENSORFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))
CLOUDS = DATA / "point-clouds"
needs_data = pytest.mark.skipif(not CLOUDS.exists(), reason="the shared data are not here")

POINTS = np.array([[1, 2, 3], [-4, 5, 6], [7, 8, 9.5], [10, -11, 12]], dtype=np.float32)
NAN = float("nan")


def pcd(path, fields, *, viewpoint="0 0 0 1 0 0 0", shape=None):
    """Write fields {name: array} as a binary PCD."""
    arrays = {name: np.asarray(values) for name, values in fields.items()}
    count = len(next(iter(arrays.values())))
    width, height = shape or (count, 1)
    kinds = {"f": "F", "i": "I", "u": "U"}
    head = "VERSION 0.7\n" + f"FIELDS {' '.join(arrays)}\n"
    head += f"SIZE {' '.join(str(a.dtype.itemsize) for a in arrays.values())}\n"
    head += f"TYPE {' '.join(kinds[a.dtype.kind] for a in arrays.values())}\n"
    head += f"WIDTH {width}\nHEIGHT {height}\nVIEWPOINT {viewpoint}\nDATA binary\n"
    rows = np.zeros(count, [(name, a.dtype) for name, a in arrays.items()])
    for name, values in arrays.items():
        rows[name] = values
    path.write_bytes(head.encode() + rows.tobytes())
    return path


def xyz(points=POINTS):
    return {axis: np.asarray(points)[:, k] for k, axis in enumerate("xyz")}


def cloud(location, **options):
    with open_source(location, options=options) as source:
        return source[0].measurement


# -- kinds of files


def test_a_kitti_scan_has_four_numbers_a_point(tmp_path):
    np.c_[POINTS, [0, 0.25, 0.5, 1]].astype("<f4").tofile(tmp_path / "000000.bin")
    read = cloud(tmp_path / "000000.bin")
    assert np.array_equal(read.points, POINTS)
    assert read.intensity.tolist() == [0, 0.25, 0.5, 1]
    assert read.ring is None


def test_a_nuscenes_scan_has_the_ring_in_its_fifth_number(tmp_path):
    np.c_[POINTS, [1, 2, 3, 4], [31, 0, 7, 7]].astype("<f4").tofile(tmp_path / "a.pcd.bin")
    read = cloud(tmp_path / "a.pcd.bin")
    assert np.array_equal(read.points, POINTS)
    assert read.ring.tolist() == [31, 0, 7, 7]


def test_five_points_of_four_numbers_are_no_four_points_of_five(tmp_path):
    rows = np.random.default_rng(1).uniform(0, 1, (5, 4)).astype("<f4")
    rows.tofile(tmp_path / "a.bin")
    assert np.array_equal(cloud(tmp_path / "a.bin").points, rows[:, :3])


def test_a_scan_that_ends_within_a_point_is_refused(tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.bin").write_bytes(np.ones((4, 4), "<f4").tobytes()[: 64 - number])
    with (
        open_source(tmp_path) as source,
        pytest.raises(CorruptRecordingError, match=r"1\.bin: at byte 48: found 63 bytes"),
    ):
        source[1]


@pytest.mark.parametrize("order", ["little_endian", "big_endian", "ascii"])
def test_every_property_of_a_ply_file_is_kept(tmp_path, order):
    byte = {"little_endian": "<", "big_endian": ">", "ascii": "<"}[order]
    kinds = {"x": "f8", "y": "f8", "z": "f8", "ring": "u1", "nx": "f4", "ny": "f4", "nz": "f4"}
    kinds |= {"red": "u1", "green": "u1", "blue": "u1", "scalar_Intensity": "f4", "label": "i4"}
    rows = np.zeros(2, [(name, byte + kind) for name, kind in kinds.items()])
    rows["x"], rows["z"], rows["ring"], rows["nz"] = [1.5, -2], [0.25, 4], [3, 63], 1
    rows["red"], rows["blue"], rows["scalar_Intensity"], rows["label"] = 255, 7, [0.5, 9], [-1, 2]
    words = {"f8": "double", "f4": "float", "u1": "uchar", "i4": "int"}
    form = order if order == "ascii" else f"binary_{order}"
    head = f"ply\nformat {form} 1.0\nelement vertex 2\n"
    head += "".join(f"property {words[kind]} {name}\n" for name, kind in kinds.items())
    text = "\n".join(" ".join(map(str, row)) for row in rows.tolist()) + "\n"
    body = text.encode() if order == "ascii" else rows.tobytes()
    (tmp_path / "a.ply").write_bytes(head.encode() + b"end_header\n" + body)
    read = cloud(tmp_path / "a.ply")
    assert read.points.tolist() == [[1.5, 0, 0.25], [-2, 0, 4]]
    assert read.ring.tolist() == [3, 63]
    assert read.normals.tolist() == [[0, 0, 1], [0, 0, 1]]
    assert read.color.tolist() == [[255, 0, 7], [255, 0, 7]]
    assert read.intensity.tolist() == [0.5, 9]
    assert read.extra["label"].tolist() == [-1, 2]


def test_arrays_of_numpy_are_read(tmp_path):
    np.save(tmp_path / "a.npy", np.c_[POINTS, [1, 2, 3, 4]])
    assert cloud(tmp_path / "a.npy").intensity.tolist() == [1, 2, 3, 4]
    structured = np.zeros(4, [("x", "f4"), ("y", "f4"), ("z", "f4"), ("ring", "i4")])
    structured["x"], structured["ring"] = POINTS[:, 0], 5
    np.save(tmp_path / "b.npy", structured)
    assert cloud(tmp_path / "b.npy").ring.tolist() == [5] * 4
    times = np.array([0, 0.02, 0.05, 0.1])
    for name, save in (("c.npz", np.savez), ("d.npz", np.savez_compressed)):
        save(tmp_path / name, points=POINTS, intensity=POINTS[:, 0], time=times)
        read = cloud(tmp_path / name)
        assert np.array_equal(read.points, POINTS)
        assert read.intensity.tolist() == POINTS[:, 0].tolist()
        assert read.time_offset_ns.tolist() == [0, 20_000_000, 50_000_000, 100_000_000]


def test_what_else_stands_beside_points_in_an_archive_is_no_field_of_them(tmp_path):
    np.savez(tmp_path / "a.npz", points=POINTS, T_world_lidar=np.eye(3), stamp=np.float64(5))
    read = cloud(tmp_path / "a.npz")
    assert np.array_equal(read.points, POINTS)
    assert not read.extra


@pytest.mark.parametrize("name", ["z", "intensity", "ring"])
def test_fields_of_other_lengths_than_x_are_refused(tmp_path, name):
    fields = dict(zip("xyz", POINTS.T, strict=True)) | {name: np.ones(len(POINTS) - 1)}
    np.savez(tmp_path / "a.npz", **fields)
    with pytest.raises(CorruptRecordingError, match=f"4 values of x and 3 of {name}"):
        cloud(tmp_path / "a.npz")


def test_the_fifth_of_six_columns_is_no_ring(tmp_path):
    np.save(tmp_path / "a.npy", np.c_[POINTS, np.full((4, 3), [200, 100, 50])])
    read = cloud(tmp_path / "a.npy")
    assert read.ring is None
    assert read.extra["column 4"].tolist() == [100] * 4


def test_arrays_of_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    with pytest.raises(SensorFusionError, match="may run code"):
        open_source(tmp_path / "a.npy", driver="clouds")


@pytest.mark.parametrize(
    "arrays", [{"depth": np.ones((480, 640))}, {"points": np.ones(7)}, {"a": POINTS, "b": POINTS}]
)
def test_arrays_that_are_no_points_are_left_to_others(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(SourceError, match="no driver recognises it"):
        find_driver(tmp_path / "a.npz")


@pytest.mark.parametrize("head", ["", "2\n", "# 2 points\n2\n"])
def test_lines_of_numbers_are_read_with_or_without_their_count(tmp_path, head):
    (tmp_path / "a.pts").write_text(f"{head}1 2 3 -9 255 128 0\n4 5 6 8 1 2 3\n")
    read = cloud(tmp_path / "a.pts")
    assert read.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert read.intensity.tolist() == [-9, 8]
    assert read.color.tolist() == [[255, 128, 0], [1, 2, 3]]


def las(path, unit=None, color=(300, 65535, 256)):
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(version="1.2", point_format=3)
    header.scales, header.offsets = [0.001] * 3, [0, 0, 0]
    file = laspy.LasData(header)
    file.x, file.y, file.z = POINTS.T
    file.intensity = [1, 2, 3, 65535]
    file.gps_time = np.array([0, 0.01, 0.02, 0.1]) + 1.3e9
    file.red, file.green, file.blue = np.array([color] * 4, dtype=np.uint16).T
    if unit is not None:
        pairs = zip(unit[::2], unit[1::2], strict=True)
        keys = struct.pack("<4H", 1, 1, 0, len(unit) // 2)
        keys += b"".join(struct.pack("<4H", key, 0, 1, value) for key, value in pairs)
        file.header.vlrs.append(laspy.VLR("LASF_Projection", 34735, "", keys))
    file.write(str(path))
    return path


@pytest.mark.parametrize("ending", ["las", "laz"])
def test_las_and_laz_are_read_with_time_and_colour(tmp_path, ending):
    read = cloud(las(tmp_path / f"a.{ending}"))
    assert np.abs(read.points - POINTS).max() <= 0.0006
    assert read.intensity.tolist() == [1, 2, 3, 65535]
    assert read.color.tolist() == [[1, 255, 1]] * 4
    assert np.abs(read.time_offset_ns - [0, 10_000_000, 20_000_000, 100_000_000]).max() < 1000
    assert "classification" in read.extra


def test_colours_of_8_bits_in_fields_of_16_stay_what_they_are(tmp_path):
    assert cloud(las(tmp_path / "a.las", color=(255, 128, 3))).color[0].tolist() == [255, 128, 3]


def test_feet_become_metres(tmp_path):
    path = las(tmp_path / "a.las", unit=(3076, 9002))
    assert np.allclose(cloud(path).points, POINTS * 0.3048, atol=0.0004)
    with open_source(path) as source:
        assert "coordinates in units of 0.3048 m were taken to metres" in source.notes


def test_heights_may_have_another_unit_than_what_is_across(tmp_path):
    path = las(tmp_path / "a.las", unit=(3076, 9001, 4099, 9002))
    assert np.allclose(cloud(path).points, POINTS * [1, 1, 0.3048], atol=0.0006)
    with open_source(path) as source:
        assert any("heights in units of 0.3048 m" in note for note in source.notes)


def test_degrees_are_refused(tmp_path):
    with pytest.raises(UnsupportedRecordingError, match="degrees"):
        open_source(las(tmp_path / "a.las", unit=(1024, 2)))


def e57(path):
    pye57 = pytest.importorskip("pye57")
    file = pye57.E57(str(path), mode="w")
    half = np.sqrt(0.5)
    for number in range(3):
        columns = {f"cartesian{a.upper()}": POINTS[:, k].astype(float) for k, a in enumerate("xyz")}
        columns |= {f"color{name}": np.full(4, 9, np.uint8) for name in ("Red", "Green", "Blue")}
        columns |= {"intensity": POINTS[:, 0], "rowIndex": np.arange(4, dtype=np.int32)}
        columns["columnIndex"] = columns["rowIndex"]
        turn, where = np.array([half, 0, 0, half]), np.array([number, 2.0, 0])
        file.write_scan_raw(columns, rotation=turn, translation=where)
    file.close()
    return path


def test_each_scan_of_an_e57_file_is_a_frame_in_its_scanners_coordinates(tmp_path):
    with open_source(e57(tmp_path / "a.e57")) as source:
        assert len(source) == 3
        for frame in source:
            assert np.array_equal(frame.measurement.points, POINTS)
        read = source[2].measurement
        # A quarter turn about z, then 2 m along x and y.
        expected = [[0, -1, 0, 2], [1, 0, 0, 2], [0, 0, 1, 0], [0, 0, 0, 1]]
        assert np.allclose(source.trajectory.matrices[2], expected)
    assert read.color.tolist() == [[9, 9, 9]] * 4
    assert read.ring.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("make", "module"), [(las, "laspy"), (e57, "pye57")])
def test_a_missing_package_is_named_with_what_installs_it(tmp_path, monkeypatch, make, module):
    path = make(tmp_path / ("a.las" if make is las else "a.e57"))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedRecordingError, match=r"pip install 'sensorfusion\[lidar\]'"):
        open_source(path)


@pytest.mark.parametrize("make", [las, e57])
def test_half_a_file_is_refused_before_a_library_sees_it(tmp_path, make):
    path = make(tmp_path / ("a.las" if make is las else "a.e57"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorruptRecordingError, match=path.name):
        open_source(path)


# -- meaning of fields


def test_points_without_a_return_are_left_out_and_counted(tmp_path):
    points = np.array([[1, 2, 3], [NAN, 0, 0], [0, 0, 0], [4, np.inf, 6], [7, 8, 9]], "f4")
    path = pcd(tmp_path / "a.pcd", xyz(points) | {"ring": np.arange(5, dtype="u2")})
    read = cloud(path)
    assert read.points.tolist() == [[1, 2, 3], [7, 8, 9]]
    assert read.ring.tolist() == [0, 4]
    assert read.missing == 3


def test_an_organised_cloud_says_row_and_column_of_each_point(tmp_path):
    points = np.ones((6, 3), "f4")
    points[1] = NAN
    with open_source(pcd(tmp_path / "a.pcd", xyz(points), shape=(3, 2))) as source:
        read = source[0].measurement
        assert (source.rig.lidars["lidar"].rings, source.rig.lidars["lidar"].columns) == (2, 3)
    assert read.ring.tolist() == [0, 0, 1, 1, 1]
    assert read.column.tolist() == [0, 2, 0, 1, 2]


@pytest.mark.parametrize("name", ["intensity", "Intensity", "reflectivity", "i"])
def test_intensity_goes_by_several_names(tmp_path, name):
    values = np.array([1, 2, 3, 200], "u1")
    read = cloud(pcd(tmp_path / "a.pcd", xyz() | {name: values}))
    assert read.intensity.tolist() == [1, 2, 3, 200]
    assert not read.extra


@pytest.mark.parametrize("name", ["ring", "channel", "line"])
def test_rings_go_by_several_names_and_may_be_floats(tmp_path, name):
    read = cloud(pcd(tmp_path / "a.pcd", xyz() | {name: np.array([0, 5, 127, 5], "f4")}))
    assert read.ring.tolist() == [0, 5, 127, 5]
    odd = cloud(pcd(tmp_path / "a.pcd", xyz() | {name: np.array([0, 0.5, 1, 2], "f4")}))
    assert odd.ring is None
    assert name in odd.extra


@pytest.mark.parametrize("name", ["rgb", "rgba"])
@pytest.mark.parametrize("kind", ["f4", "u4"])
def test_packed_colours_are_unpacked_from_numbers_and_from_bits(tmp_path, name, kind):
    packed = np.array([0xFF0A0B0C, 0x00FF8001, 0, 0xFFFFFFFF], "u4").view(kind)
    read = cloud(pcd(tmp_path / "a.pcd", xyz() | {name: packed}))
    assert read.color.tolist() == [[10, 11, 12], [255, 128, 1], [0, 0, 0], [255, 255, 255]]


def test_colours_that_old_files_hold_as_plain_floats_are_numbers(tmp_path):
    packed = np.array([0x404040, 0x0A0B0C, 0, 0x010203], "f4")
    read = cloud(pcd(tmp_path / "a.pcd", xyz() | {"rgb": packed}))
    assert read.color.tolist() == [[64] * 3, [10, 11, 12], [0, 0, 0], [1, 2, 3]]


def test_coordinates_far_from_the_origin_keep_their_millimetres(tmp_path):
    far = POINTS.astype("f8") + np.array([500_000.25, 5_400_000.5, 100.001])
    with open_source(pcd(tmp_path / "a.pcd", xyz(far))) as source:
        read = source[0].measurement
        note = next(note for note in source.notes if "far from the origin" in note)
    shift = [float(word) for word in note.split("(")[1].split(")")[0].split(", ")]
    assert all(value == int(value) for value in shift)
    assert np.abs(read.points + np.array(shift) - far).max() < 1e-5


# -- VIEWPOINT

QUARTER = "0.70710678118654757 0 0 0.70710678118654757"


def test_a_viewpoint_that_is_the_identity_changes_nothing(tmp_path):
    path = pcd(tmp_path / "a.pcd", xyz())
    with open_source(path) as source:
        assert source.trajectory is None
    for points in ("sensor", "world"):
        assert np.array_equal(cloud(path, points=points).points, POINTS)


def test_viewpoints_are_the_trajectory_and_leave_points_in_the_sensors_coordinates(tmp_path):
    for number in range(3):
        pcd(tmp_path / f"{number}.pcd", xyz(), viewpoint=f"{number} 2 3 {QUARTER}")
    with open_source(tmp_path) as source:
        assert np.array_equal(source[2].measurement.points, POINTS)
        pose = source.trajectory.poses[2]
    assert pose.name == "T_world_lidar"
    assert np.allclose(pose.apply(np.array([1.0, 0, 0])), [2, 3, 3])
    truth = read_truth(tmp_path).trajectory
    assert np.array_equal(truth.matrices, source.trajectory.matrices)


def test_points_of_the_world_are_taken_back_to_the_sensor(tmp_path):
    # The sensor stands at (10, 0, 0) and looks along the world's y: 5 m before it is (10, 5, 0).
    world = np.array([[10, 5, 0], [10, 0, 1]], "f4")
    normals = {"normal_x": [0, 0], "normal_y": [-1, 0], "normal_z": [0, 1]}
    layers = {name: np.array(values, "f4") for name, values in normals.items()}
    path = pcd(tmp_path / "a.pcd", xyz(world) | layers, viewpoint=f"10 0 0 {QUARTER}")
    read = cloud(path, points="world")
    assert np.allclose(read.points, [[5, 0, 0], [0, 0, 1]], atol=1e-6)
    assert np.allclose(read.normals, [[-1, 0, 0], [0, 0, 1]], atol=1e-6)


def test_one_and_the_same_viewpoint_in_all_files_is_no_trajectory(tmp_path):
    for number in range(3):
        pcd(tmp_path / f"{number}.pcd", xyz(), viewpoint="0 0 0 0 1 0 0")
    with open_source(tmp_path) as source:
        assert source.trajectory is None


def test_a_far_world_comes_near_with_the_poses(tmp_path):
    far = np.array([600_000.0, 5_000_000.0, 0])
    for number in range(2):
        where = far + np.array([number, 0, 0])
        viewpoint = " ".join(map(str, where)) + " 1 0 0 0"
        pcd(tmp_path / f"{number}.pcd", xyz(POINTS.astype("f8") + where), viewpoint=viewpoint)
    with open_source(tmp_path, options={"points": "world"}) as source:
        assert np.allclose(source[1].measurement.points, POINTS, atol=1e-6)
        first, second = source.trajectory.poses
    assert np.abs(first.translation_m).max() < 100
    assert np.allclose(second.translation_m - first.translation_m, [1, 0, 0])


def test_points_of_the_world_need_a_viewpoint(tmp_path):
    np.save(tmp_path / "a.npy", POINTS)
    with pytest.raises(UnsupportedRecordingError, match="no VIEWPOINT"):
        cloud(tmp_path / "a.npy", points="world")


# -- folders and time


def test_files_follow_each_other_as_people_count(tmp_path):
    for number in (10, 9, 100, 1):
        pcd(tmp_path / f"scan{number}.pcd", xyz(np.full((1, 3), number, "f4")))
    with open_source(tmp_path, options={"rate-hz": "20"}) as source:
        assert [frame.measurement.points[0, 0] for frame in source] == [1, 9, 10, 100]
        assert [frame.timestamp_ns for frame in source] == [0, 50_000_000, 100_000_000, 150_000_000]
        assert source.notes == ("no time stamps: 20 scans/s are assumed",)


@pytest.mark.parametrize(
    ("names", "first_ns"),
    [
        (("1600000000000000000", "1600000000100000000"), 1_600_000_000_000_000_000),
        (("1600000000000000", "1600000000100000"), 1_600_000_000_000_000_000),
        (("1600000000000", "1600000000100"), 1_600_000_000_000_000_000),
        (("1600000000.5", "1600000000.6"), 1_600_000_000_500_000_000),
        (("lidar_1600000000_500000000", "lidar_1600000000_600000000"), 1_600_000_000_500_000_000),
    ],
)
def test_times_in_names_are_read(tmp_path, names, first_ns):
    for name in names:
        pcd(tmp_path / f"{name}.pcd", xyz())
    with open_source(tmp_path) as source:
        assert [frame.timestamp_ns for frame in source] == [first_ns, first_ns + 100_000_000]
        assert source.notes == ()


@pytest.mark.parametrize("names", [("0000000000", "0000000001"), ("20200101", "20200102")])
def test_numbers_in_names_that_are_no_times_are_none(tmp_path, names):
    for name in names:
        pcd(tmp_path / f"{name}.pcd", xyz())
    with open_source(tmp_path) as source:
        assert [frame.timestamp_ns for frame in source] == [0, 100_000_000]


@pytest.mark.parametrize(
    "lines",
    [
        "2011-09-26 13:02:25.000000005\n2011-09-26 13:02:25.100000005\n",
        "1317042145.000000005\n1317042145.100000005",
        "# ns\n1317042145000000005\n1317042145100000005\n",
    ],
)
def test_a_list_of_times_beside_the_files_is_taken(tmp_path, lines):
    for number in range(2):
        pcd(tmp_path / f"{number}.pcd", xyz())
    (tmp_path / "timestamps.txt").write_text(lines)
    with open_source(tmp_path) as source:
        assert source[1].timestamp_ns == 1_317_042_145_100_000_005


@pytest.mark.parametrize("lines", ["1.0\n", "2.0\n1.0\n", "1.0\nlater\n", "1.0\n2.0\n3.0\n"])
def test_a_list_of_times_that_does_not_fit_is_refused(tmp_path, lines):
    for number in range(2):
        pcd(tmp_path / f"{number}.pcd", xyz())
    (tmp_path / "timestamps.txt").write_text(lines)
    with pytest.raises(CorruptRecordingError, match=r"timestamps\.txt"):
        open_source(tmp_path)


def test_points_know_their_time_after_that_of_the_scan(tmp_path):
    start = 1_600_000_000_000_000_000
    times = start + np.array([0, 10, 20, 100_000_000], "u8") + np.uint64(5)
    pcd(tmp_path / f"{start}.pcd", xyz() | {"timestamp": times})
    read = cloud(tmp_path)
    assert read.timestamp_ns == start
    assert read.time_offset_ns.tolist() == [5, 15, 25, 100_000_005]


def test_of_files_of_several_kinds_the_largest_group_is_taken_and_said(tmp_path):
    for number in range(3):
        pcd(tmp_path / f"{number}.pcd", xyz())
    np.save(tmp_path / "map.npy", POINTS)
    with open_source(tmp_path) as source:
        assert len(source) == 3
        assert source.losses.dropped == {"file of another kind": 1}
        assert "1 cloud files that do not end in .pcd left out" in source.notes


@pytest.mark.parametrize("beside", ["depth/", "velodyne/", "calib.txt", "a.depth.png"])
def test_folders_of_other_drivers_are_left_to_them(tmp_path, beside):
    np.ones((4, 4), "<f4").tofile(tmp_path / "000000.bin")
    assert find_driver(tmp_path) == "clouds"
    (tmp_path / beside).mkdir() if beside.endswith("/") else (tmp_path / beside).touch()
    from sensorfusion_drivers.clouds.driver import CloudsDriver

    assert not CloudsDriver().can_open(str(tmp_path))


def test_a_rate_that_is_none_is_refused(tmp_path):
    with pytest.raises(DriverError, match="rate-hz is 0"):
        open_source(pcd(tmp_path / "a.pcd", xyz()), options={"rate-hz": "0"})


# -- rig and pictures


@pytest.fixture
def rig_file(tmp_path):
    from sensorfusion.calibration.rig_file import write_rig
    from sensorfusion.camera import Camera
    from sensorfusion.lidar import Lidar
    from sensorfusion.rig import Rig
    from sensorfusion.transform import RigidTransform

    def write(cameras=("left",), lidars=("top",)):
        names = [*cameras, *lidars]
        links = [RigidTransform.identity(names[0], name) for name in names[1:]]
        rig = Rig(
            {name: Camera(name, 8, 6, 8.0, 8.0, 3.5, 2.5) for name in cameras},
            tuple(links),
            lidars={name: Lidar(name=name) for name in lidars},
        )
        write_rig(rig, tmp_path / "rig.toml")
        return tmp_path / "rig.toml"

    return write


def scans(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        pcd(folder / f"{name}.pcd", xyz())
    return folder


def pictures(folder, names, size=(6, 8)):
    folder.mkdir(parents=True)
    for value, name in enumerate(names):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((*size, 3), value, np.uint8))
    return folder


def opened(location, **options):
    return open_source(location, options={key: str(value) for key, value in options.items()})


def test_the_rig_names_the_lidar_and_its_cameras(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "ab")
    with opened(folder, rig=rig_file()) as source:
        assert source[0].sensor == source[0].measurement.coordinate_system == "top"
        assert source.rig.transform("left", "top").name == "T_left_top"
        assert source.losses.unpaired == {"top": 0, "left": 0}


def test_a_folder_that_holds_its_rig_and_pictures_needs_no_options(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "ab")
    rig_file().rename(folder / "rig.toml")
    pictures(folder / "images", "ab")
    with opened(folder) as source:
        assert source[1].sensor == "top"
        assert source[1].images["left"].pixels[0, 0, 0] == 1


def test_of_several_lidars_one_must_be_chosen(tmp_path, rig_file):
    folder, rig = scans(tmp_path / "scans", "ab"), rig_file(lidars=("top", "front"))
    with pytest.raises(CalibrationError, match="lidar=NAME"):
        opened(folder, rig=rig)
    with pytest.raises(CalibrationError, match="'rear'"):
        opened(folder, rig=rig, lidar="rear")
    with opened(folder, rig=rig, lidar="front") as source:
        assert source[0].sensor == "front"


def test_a_rig_without_a_lidar_is_refused(tmp_path, rig_file):
    with pytest.raises(CalibrationError, match="LiDARs none"):
        opened(scans(tmp_path / "scans", "ab"), rig=rig_file(lidars=()))


def test_pictures_of_the_same_name_belong_to_a_scan(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "abc")
    images = pictures(tmp_path / "images", "bcd")
    with opened(folder, rig=rig_file(), images=images) as source:
        assert [set(frame.images) for frame in source] == [set(), {"left"}, {"left"}]
        assert source[2].images["left"].pixels[0, 0, 0] == 1
        assert source.losses.unpaired == {"top": 0, "left": 1}


def test_only_the_ending_of_a_name_is_left_out_where_pictures_have_equal_ones(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", ["scan.1", "scan.2"])
    images = pictures(tmp_path / "images", ["scan.2"])
    with opened(folder, rig=rig_file(), images=images) as source:
        assert [set(frame.images) for frame in source] == [set(), {"left"}]
        assert source.losses.unpaired["left"] == 0


def test_the_truth_of_a_folder_with_a_rig_is_that_of_the_rigs_lidar(tmp_path, rig_file):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(2):
        pcd(folder / f"{number}.pcd", xyz(), viewpoint=f"{number} 2 3 {QUARTER}")
    rig_file().rename(folder / "rig.toml")
    assert read_truth(folder).trajectory.poses[0].name == "T_world_top"


def test_pictures_of_other_names_belong_to_scans_in_their_order_and_it_is_said(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", ["s1", "s2", "s10"])
    images = pictures(tmp_path / "images", ["p1", "p2", "p10"])
    with opened(folder, rig=rig_file(), images=images) as source:
        assert [frame.images["left"].pixels[0, 0, 0] for frame in source] == [0, 1, 2]
        assert "camera left: pictures belong to scans in their order" in source.notes


def test_pictures_with_times_are_paired_by_time(tmp_path, rig_file):
    start = 1_600_000_000_000_000_000
    folder = scans(tmp_path / "scans", [start + k * 100_000_000 for k in range(3)])
    stamps = [start + k * 100_000_000 + 3_000_000 for k in (0, 2, 9)]
    images = pictures(tmp_path / "images", stamps)
    with opened(folder, rig=rig_file(), images=images) as source:
        paired = [frame.images.get("left") for frame in source]
        assert [None if p is None else p.timestamp_ns for p in paired] == [
            stamps[0], None, stamps[1],
        ]  # fmt: skip
        assert source.losses.unpaired == {"top": 0, "left": 1}
        taken = [s.timestamp_ns for s in source.samples() if isinstance(s.data, Image)]
        assert taken == stamps


def test_each_camera_has_a_folder_of_its_name(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "ab")
    for camera in ("left", "right"):
        pictures(tmp_path / "images" / camera, "ab")
    with opened(folder, rig=rig_file(cameras=("left", "right")), images=tmp_path / "images") as s:
        assert [set(frame.images) for frame in s] == [{"left", "right"}] * 2


def test_pictures_need_a_camera_and_one_that_is_plain(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "ab")
    images = pictures(tmp_path / "images", "ab")
    with pytest.raises(CalibrationError, match="rig=FILE"):
        opened(folder, images=images)
    with pytest.raises(CalibrationError, match="left, right"):
        opened(folder, rig=rig_file(cameras=("left", "right")), images=images)
    with pytest.raises(SourceError, match="no PNG or JPEG"):
        opened(folder, rig=rig_file(), images=tmp_path / "none")


def test_pictures_that_nothing_pairs_are_refused(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "abc")
    with pytest.raises(SourceError, match="2 pictures for 3 scans"):
        opened(folder, rig=rig_file(), images=pictures(tmp_path / "images", "xy"))


def test_a_picture_of_another_size_is_refused(tmp_path, rig_file):
    folder = scans(tmp_path / "scans", "a")
    images = pictures(tmp_path / "images", "a", size=(5, 8))
    with (
        opened(folder, rig=rig_file(), images=images) as source,
        pytest.raises(UnsupportedRecordingError, match="8x5 pixels; expected 8x6"),
    ):
        source[0]


# -- real files


@needs_data
@pytest.mark.parametrize(
    ("name", "points", "missing"),
    [
        ("pcd/data__tutorials__pairwise__capture0002.pcd", 249931, 57269),
        ("pcd/pcl__mobile_apps__android__KiwiPCL__assets__inputCloud0.pcd", 39810, 36990),
        ("pcd/PDAL__test__data__pcd__autzen-utm.pcd", 1065, 0),
        ("ply/examples__test_data__bathtub_0154.ply", 1494, 0),
        ("ply/examples__test_data__color.ply", 3017, 0),
        ("ply/examples__test_data__knot.ply", 1440, 0),
        (
            "ply/examples__test_data__reconstruction_system__livingroom1_clean_micro__output_slac"
            "__0.050__fragment_002.ply",
            3053,
            0,
        ),
        ("las/autzen_trim.laz", 110000, 0),
        ("las/extrabytes.las", 1065, 0),
        ("las/plane.laz", 28185, 0),
        ("las/simple.las", 1065, 0),
        ("las/simple.laz", 1065, 0),
        ("las/simple1_1.las", 1065, 0),
        ("las/simple1_3.las", 999, 0),
    ],
)
def test_real_files_are_read(name, points, missing):
    read = cloud(CLOUDS / name)
    assert (len(read), read.missing) == (points, missing)


@needs_data
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pcd/pcl__test__brisk_image_gt.pcd", "expected x, y and z"),
        ("pcd/pcl__io__test__all_types.pcd", "expected x, y and z"),
        ("ply/examples__test_data__point_cloud_sample3.pts", "'-65.089279:'; expected a number"),
        ("las/simple1_4.las", "degrees"),
    ],
)
def test_real_files_that_are_no_sound_points_are_refused_with_the_reason(name, reason):
    with pytest.raises(SensorFusionError, match=reason):
        open_source(CLOUDS / name, driver="clouds")


@needs_data
def test_laspy_and_open3d_read_the_same_points():
    import laspy
    import open3d as o3d

    path = CLOUDS / "las" / "plane.laz"
    theirs = laspy.read(path).xyz
    ours = cloud(path).points.astype(float)
    shift = np.round(np.median(theirs, axis=0))
    assert np.abs(ours + shift - theirs).max() < 1e-4
    path = CLOUDS / "ply" / "examples__test_data__color.ply"
    read, other = cloud(path), o3d.t.io.read_point_cloud(str(path)).point
    assert np.array_equal(read.points, other["positions"].numpy())
    assert np.array_equal(read.color, other["colors"].numpy())
    assert np.array_equal(read.normals, other["normals"].numpy())


@needs_data
def test_a_real_scan_meets_its_picture_through_its_rig(tmp_path):
    from sensorfusion.calibration.rig_file import import_rig, write_rig

    folder = DATA / "lidar-camera-distorted"
    rig = import_rig(sorted(folder.glob("*.json")), size_px=(1920, 1200))
    write_rig(rig, tmp_path / "rig.toml")
    with opened(folder, rig=tmp_path / "rig.toml", images=folder) as source:
        frame = source[0]
        assert frame.sensor == "top_center_lidar"
        assert len(frame.measurement) == 78238
        assert frame.images["center_camera"].pixels.shape == (1200, 1920, 3)
        T_camera_lidar = source.rig.transform("center_camera", "top_center_lidar")
        assert np.isclose(T_camera_lidar.matrix[2, 0], 0.99985, atol=1e-4)
