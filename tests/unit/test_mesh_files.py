import errno
import json
import os
import struct
from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.errors import (
    CorruptRecordingError,
    OutputError,
    SensorFusionError,
    SourceError,
    UnsupportedRecordingError,
)
from sensorfusion.export.mesh import write_mesh
from sensorfusion.export.ply import read_mesh
from sensorfusion.triangle_mesh import TriangleMesh

TETRAHEDRON = TriangleMesh(
    np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0.1, 0.2, 3]], dtype=np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32),
    np.array([[-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32),
    np.array([[0, 128, 255], [255, 0, 0], [10, 20, 30], [1, 2, 3]], dtype=np.uint8),
)
BARE = TriangleMesh(TETRAHEDRON.vertices, TETRAHEDRON.triangles)
# 70000 does not fit 16 bits, 16777217 not the 24 of a float32.
MEASURED = replace(
    TETRAHEDRON,
    sigma_m=np.float32([0.00125, 0.1, 0, 3e-7]),
    observations=np.uint32([0, 1, 70_000, 16_777_217]),
)
ASCII_SQUARE = """ply
format ascii 1.0
comment by hand
element vertex 4
property double x
property double y
property double z
property uchar red
property uchar green
property uchar blue
element face 1
property list uchar int vertex_index
end_header
0 0 0 255 0 0
1 0 0 0 255 0
1 1 0 0 0 255
0 1 0.5 1 1 1
4 0 1 2 3
"""


def square(path, *changes):
    text = ASCII_SQUARE
    for old, new in changes:
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_a_ply_file_comes_back_equal_in_every_value(tmp_path):
    write_mesh(tmp_path / "a.ply", TETRAHEDRON)
    found = read_mesh(tmp_path / "a.ply")
    np.testing.assert_array_equal(found.vertices, TETRAHEDRON.vertices)
    np.testing.assert_array_equal(found.triangles, TETRAHEDRON.triangles)
    np.testing.assert_array_equal(found.normals, TETRAHEDRON.normals)
    np.testing.assert_array_equal(found.colors, TETRAHEDRON.colors)


def test_a_mesh_without_normals_and_colours_has_none_when_it_comes_back(tmp_path):
    write_mesh(tmp_path / "a.ply", BARE)
    found = read_mesh(tmp_path / "a.ply")
    assert found.normals is None
    assert found.colors is None
    assert len(found.triangles) == 4


def test_error_and_count_of_each_vertex_come_back_equal_from_a_ply_file(tmp_path):
    write_mesh(tmp_path / "a.ply", MEASURED)
    found = read_mesh(tmp_path / "a.ply")
    for name in ("sigma_m", "observations"):
        np.testing.assert_array_equal(getattr(found, name), getattr(MEASURED, name))
        assert getattr(found, name).dtype == getattr(MEASURED, name).dtype
    header = (tmp_path / "a.ply").read_bytes().split(b"element face")[0].decode().splitlines()
    assert header[-3:] == [
        "property uchar blue",
        "property float sigma_m",
        "property uint observations",
    ]


def test_a_mesh_that_nobody_measured_has_neither_error_nor_count_when_it_comes_back(tmp_path):
    write_mesh(tmp_path / "a.ply", TETRAHEDRON)
    found = read_mesh(tmp_path / "a.ply")
    assert found.sigma_m is None
    assert found.observations is None


def measured_square(path, sigma_m, observations):
    """A text mesh as another program may write it back: everything double."""
    changes = [
        ("element face", "property double sigma_m\nproperty double observations\nelement face"),
        ("255 0 0\n", f"255 0 0 {sigma_m} {observations}\n"),
        ("0 255 0\n", "0 255 0 0.002 8\n"),
        ("0 0 255\n", "0 0 255 0.004 9\n"),
        ("1 1 1\n", "1 1 1 0 0\n"),
    ]
    return square(path, *changes)


def test_error_and_count_are_read_in_any_number_type(tmp_path):
    found = read_mesh(measured_square(tmp_path / "a.ply", 0.001, 7))
    np.testing.assert_array_equal(found.sigma_m, np.float32([0.001, 0.002, 0.004, 0]))
    np.testing.assert_array_equal(found.observations, np.uint32([7, 8, 9, 0]))


@pytest.mark.parametrize(
    ("sigma_m", "observations", "reason"),
    [
        ("-0.001", "7", "a sigma_m of -0.001; expected finite metres"),
        ("nan", "7", "a sigma_m of nan"),
        ("1e300", "7", "a sigma_m of inf"),
        ("0.001", "-1", "observations of -1.0; expected a count of frames"),
        ("0.001", "2.5", "observations of 2.5"),
        ("0.001", "4294967296", "observations of 4294967296.0"),
        ("0.001", "nan", "observations of nan"),
    ],
)
def test_an_error_or_count_that_cannot_be_is_refused(tmp_path, sigma_m, observations, reason):
    with pytest.raises(CorruptRecordingError, match=reason):
        read_mesh(measured_square(tmp_path / "a.ply", sigma_m, observations))


def test_an_empty_mesh_is_a_ply_file_too(tmp_path):
    empty = TriangleMesh(np.empty((0, 3), np.float32), np.empty((0, 3), np.int32))
    write_mesh(tmp_path / "a.ply", empty)
    assert len(read_mesh(tmp_path / "a.ply").triangles) == 0


@pytest.mark.parametrize("mesh", [TETRAHEDRON, MEASURED])
@pytest.mark.parametrize("suffix", ["ply", "obj", "stl"])
def test_another_program_reads_the_same_mesh(tmp_path, suffix, mesh):
    import open3d

    write_mesh(tmp_path / f"a.{suffix}", mesh)
    found = open3d.io.read_triangle_mesh(str(tmp_path / f"a.{suffix}"))
    corners = np.asarray(found.vertices)[np.asarray(found.triangles)]
    expected = TETRAHEDRON.vertices[TETRAHEDRON.triangles]
    order, expected_order = (np.lexsort(c.reshape(4, 9).T) for c in (corners, expected))
    np.testing.assert_allclose(corners[order], expected[expected_order], atol=1e-7)
    if suffix != "stl":
        colors = np.rint(np.asarray(found.vertex_colors) * 255)[np.asarray(found.triangles)]
        expected_colors = TETRAHEDRON.colors[TETRAHEDRON.triangles]
        np.testing.assert_array_equal(colors[order], expected_colors[expected_order])


def test_an_stl_triangle_points_out_by_its_right_hand(tmp_path):
    write_mesh(tmp_path / "a.stl", TETRAHEDRON)
    data = (tmp_path / "a.stl").read_bytes()
    assert len(data) == 84 + 4 * 50
    assert struct.unpack("<I", data[80:84]) == (4,)
    # (0, 2, 1) lies in the plane z = 0 and turns clockwise seen from above.
    assert struct.unpack("<3f", data[84:96]) == (0, 0, -1)


def test_equal_meshes_give_equal_bytes(tmp_path):
    for suffix in ("ply", "obj", "stl", "glb"):
        write_mesh(tmp_path / f"a.{suffix}", MEASURED)
        write_mesh(tmp_path / f"b.{suffix}", MEASURED)
        first, second = ((tmp_path / f"{n}.{suffix}").read_bytes() for n in "ab")
        assert first == second


def test_an_unknown_ending_names_those_that_exist(tmp_path):
    with pytest.raises(OutputError, match=r"'\.fbx'.*\.ply, \.obj, \.stl, \.glb"):
        write_mesh(tmp_path / "a.fbx", TETRAHEDRON)


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "glb"])
def test_a_full_disk_leaves_the_old_mesh_and_says_so(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_mesh(path, TETRAHEDRON)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "glb"])
def test_a_disk_that_loses_bytes_is_noticed_before_the_old_mesh_is_gone(
    tmp_path, suffix, monkeypatch
):
    import sensorfusion.export.mesh as module

    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")
    encode = module._ENCODERS[f".{suffix}"]
    monkeypatch.setitem(module._ENCODERS, f".{suffix}", lambda mesh: [b"".join(encode(mesh))[:-30]])
    with pytest.raises(OutputError, match="came back"):
        write_mesh(path, TETRAHEDRON)
    assert path.read_bytes() == b"old"


def read_glb(path):
    data = path.read_bytes()
    magic, version, size, text_size, text_kind = struct.unpack("<4sII I4s", data[:20])
    assert (magic, version, size, text_kind) == (b"glTF", 2, len(data), b"JSON")
    document = json.loads(data[20 : 20 + text_size])
    binary_size, binary_kind = struct.unpack("<I4s", data[20 + text_size : 28 + text_size])
    assert binary_kind == b"BIN\0"
    binary = data[28 + text_size :]
    assert len(binary) == binary_size == document["buffers"][0]["byteLength"]
    types = {5125: "<u4", 5126: "<f4", 5123: "<u2"}
    widths = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
    arrays = []
    for accessor in document["accessors"]:
        view = document["bufferViews"][accessor["bufferView"]]
        part = binary[view["byteOffset"] :][: view["byteLength"]]
        array = np.frombuffer(part, types[accessor["componentType"]])
        arrays.append(array.reshape(accessor["count"], widths[accessor["type"]]))
    return document, arrays


def test_a_glb_file_stands_upright_in_metres_with_y_up(tmp_path):
    write_mesh(tmp_path / "a.glb", TETRAHEDRON)
    document, (indices, positions, _) = read_glb(tmp_path / "a.glb")
    # The corner 3 m up, 0.2 m in front: y = 3, z = -0.2 in glTF.
    np.testing.assert_allclose(positions[3], [0.1, 3, -0.2], rtol=1e-7)
    np.testing.assert_array_equal(indices.reshape(-1, 3), TETRAHEDRON.triangles)
    assert document["accessors"][1]["min"] == [0, 0, -2]
    assert document["accessors"][1]["max"] == [1, 3, 0]


def test_glb_colours_are_linear_light(tmp_path):
    write_mesh(tmp_path / "a.glb", TETRAHEDRON)
    document, (_, _, colors) = read_glb(tmp_path / "a.glb")
    # sRGB 128 is linear 0.2158605 (IEC 61966-2-1), sRGB 10 is 10 / 255 / 12.92.
    np.testing.assert_array_equal(colors[0], [0, 14146, 65535, 65535])
    assert colors[2, 0] == round(10 / 255 / 12.92 * 65535)
    primitive = document["meshes"][0]["primitives"][0]
    assert document["accessors"][primitive["attributes"]["COLOR_0"]]["normalized"] is True


def test_a_glb_material_is_unlit_and_has_two_sides(tmp_path):
    write_mesh(tmp_path / "a.glb", TETRAHEDRON)
    document, _ = read_glb(tmp_path / "a.glb")
    (material,) = document["materials"]
    assert material["doubleSided"] is True
    assert "KHR_materials_unlit" in material["extensions"]
    assert document["extensionsUsed"] == ["KHR_materials_unlit"]


def test_a_mesh_without_colours_is_lit_in_a_glb_file(tmp_path):
    write_mesh(tmp_path / "a.glb", BARE)
    document, arrays = read_glb(tmp_path / "a.glb")
    assert len(arrays) == 2
    assert "extensionsUsed" not in document


def test_a_glb_file_carries_error_and_count_of_each_vertex(tmp_path):
    write_mesh(tmp_path / "a.glb", MEASURED)
    document, arrays = read_glb(tmp_path / "a.glb")
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    assert list(attributes) == ["POSITION", "COLOR_0", "_SIGMA_M", "_OBSERVATIONS"]
    np.testing.assert_array_equal(arrays[attributes["_SIGMA_M"]][:, 0], MEASURED.sigma_m)
    # A float32 has 24 bits: the largest count comes back as its even neighbour.
    counts = arrays[attributes["_OBSERVATIONS"]][:, 0]
    np.testing.assert_array_equal(counts, [0, 1, 70_000, 16_777_216])


def test_a_glb_file_without_colours_carries_the_error_too(tmp_path):
    write_mesh(tmp_path / "a.glb", replace(BARE, sigma_m=MEASURED.sigma_m))
    document, arrays = read_glb(tmp_path / "a.glb")
    assert document["meshes"][0]["primitives"][0]["attributes"] == {"POSITION": 1, "_SIGMA_M": 2}
    np.testing.assert_array_equal(arrays[2][:, 0], MEASURED.sigma_m)


def test_a_glb_file_cannot_be_empty(tmp_path):
    empty = TriangleMesh(np.empty((0, 3), np.float32), np.empty((0, 3), np.int32))
    with pytest.raises(OutputError, match="no triangles"):
        write_mesh(tmp_path / "a.glb", empty)
    assert not list(tmp_path.iterdir())


def test_a_polygon_of_a_text_file_becomes_a_fan(tmp_path):
    found = read_mesh(square(tmp_path / "a.ply"))
    assert found.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert found.vertices[3].tolist() == [0, 1, 0.5]
    assert found.colors[:3].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_polygons_of_different_length_are_read_in_both_byte_orders(tmp_path):
    for name, order in (("little", "<"), ("big", ">")):
        header = (
            f"ply\r\nformat binary_{name}_endian 1.0\r\nelement vertex 4\r\nproperty float x\r\n"
            "property float y\r\nproperty float z\r\nelement face 2\r\nproperty uchar flags\r\n"
            "property list uchar ushort vertex_indices\r\nend_header\r\n"
        )
        body = struct.pack(f"{order}12f", 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 7)
        body += struct.pack(f"{order}BB4H", 9, 4, 0, 1, 2, 3)
        body += struct.pack(f"{order}BB3H", 9, 3, 3, 2, 1)
        path = tmp_path / f"{name}.ply"
        path.write_bytes(header.encode() + body)
        found = read_mesh(path)
        assert found.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [3, 2, 1]]
        assert found.vertices[3].tolist() == [0, 1, 7]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("4 0 1 2 3", "4 0 1 2 4", "vertices 0 to 4; expected indices from 0 to 3"),
        ("4 0 1 2 3", "4 -1 1 2 3", "vertices -1 to 3"),
        ("4 0 1 2 3", "2 0 1", "a face with 2 corners"),
        ("4 0 1 2 3", "4 0 1 2", "2 numbers|3 numbers"),
        ("4 0 1 2 3", "4 0 1 2 3\n7", "1 numbers more"),
        ("4 0 1 2 3", "4 0 1 2 2.5", "2.5 for property"),
        ("0 1 0.5", "0 1 nan", "1 vertices with NaN"),
        ("0 1 0.5", "0 1 1e300", "1 vertices with NaN or infinity"),
        ("0 1 0.5", "0 1 x", "expected a number"),
        ("255 0 0", "256 0 0", "256.0 for property 'red'"),
        ("element vertex 4", "element vertex 1000000000000", "at least 6000000000000"),
        ("element vertex 4", "element vertex -4", "count -4"),
        ("property double x", "property double y", r"properties \['y', 'y'"),
        ("property double x", "property double a", "expected x, y and z"),
        ("format ascii 1.0\n", "", "no format line"),
        ("format ascii", "format morse", "header line"),
        ("end_header\n", "", "header line|no 'end_header'"),
        ("ply\n", "PLY\n", "expected a PLY file"),
    ],
)
def test_a_ply_file_that_lies_is_refused(tmp_path, old, new, reason):
    with pytest.raises(CorruptRecordingError, match=reason):
        read_mesh(square(tmp_path / "a.ply", (old, new)))


def test_points_are_not_a_mesh(tmp_path):
    changes = [
        ("element face 1\nproperty list uchar int vertex_index\n", ""),
        ("4 0 1 2 3\n", ""),
    ]
    with pytest.raises(UnsupportedRecordingError, match="not a point cloud"):
        read_mesh(square(tmp_path / "a.ply", *changes))


def test_a_missing_file_and_a_folder_are_refused_in_a_sentence(tmp_path):
    for path in (tmp_path / "none.ply", tmp_path):
        with pytest.raises(SourceError, match="cannot be read"):
            read_mesh(path)


def test_no_cut_and_no_flipped_byte_of_a_ply_file_crashes_the_reader(tmp_path):
    write_mesh(tmp_path / "a.ply", MEASURED)
    whole = (tmp_path / "a.ply").read_bytes()
    path = tmp_path / "b.ply"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(CorruptRecordingError):
            read_mesh(path)
    generator = np.random.default_rng(0)
    for _ in range(1000):
        damaged = bytearray(whole)
        damaged[generator.integers(len(whole))] ^= int(generator.integers(1, 256))
        path.write_bytes(damaged)
        try:
            read_mesh(path)
        except SensorFusionError as error:
            assert "b.ply" in str(error)
