"""Surface that nobody measured stays marked in files, reports and scores."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.cli import app as cli
from sensorfusion.errors import CorruptRecordingError
from sensorfusion.export.mesh import write_mesh
from sensorfusion.export.ply import read_mesh
from sensorfusion.triangle_mesh import TriangleMesh

# Three unit squares side by side; the last stands 0.1 m too high and was invented.
CORNERS = [(x, y, 0.1 * (k == 2)) for k in range(3) for x in (k, k + 1) for y in (0, 1)]
FACES = [face for k in range(0, 12, 4) for face in ((k, k + 2, k + 1), (k + 1, k + 2, k + 3))]
MESH = TriangleMesh(
    np.array(CORNERS, np.float32),
    np.array(FACES, np.int32),
    sigma_m=np.repeat(np.float32([0.01, 0.01, 0]), 4),
    observations=np.repeat(np.uint32([3, 2, 0]), 4),
    invented=np.repeat([False, False, True], 4),
)


def test_a_ply_file_says_what_was_invented(tmp_path):
    write_mesh(tmp_path / "a.ply", MESH)
    assert np.array_equal(read_mesh(tmp_path / "a.ply").invented, MESH.invented)
    assert b"property uchar invented\n" in (tmp_path / "a.ply").read_bytes()


def test_a_mesh_all_of_which_was_measured_says_nothing_of_it(tmp_path):
    write_mesh(tmp_path / "a.ply", replace(MESH, invented=None))
    assert read_mesh(tmp_path / "a.ply").invented is None


def test_a_mark_that_is_neither_0_nor_1_is_refused(tmp_path):
    write_mesh(tmp_path / "a.ply", MESH)
    data = (tmp_path / "a.ply").read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    # x, y, z, sigma_m and observations are 20 bytes.
    (tmp_path / "a.ply").write_bytes(data[: end + 20] + b"\x02" + data[end + 21 :])
    with pytest.raises(CorruptRecordingError, match=r"invented of 2.0; expected 0 .measured. or 1"):
        read_mesh(tmp_path / "a.ply")


def test_a_glb_file_says_what_was_invented(tmp_path):
    write_mesh(tmp_path / "a.glb", MESH)
    data = (tmp_path / "a.glb").read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + size])
    number = document["meshes"][0]["primitives"][0]["attributes"]["_INVENTED"]
    view = document["bufferViews"][document["accessors"][number]["bufferView"]]
    start = 20 + size + 8 + view["byteOffset"]
    values = np.frombuffer(data[start : start + view["byteLength"]], "<f4")
    assert values.tolist() == [0.0] * 8 + [1.0] * 4


def test_an_obj_file_has_what_was_invented_in_a_group_of_its_own(tmp_path):
    write_mesh(tmp_path / "a.obj", MESH)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    kinds = [line.split()[0] if line[0] == "f" else line for line in lines if line[0] in "gf"]
    assert kinds == ["g measured", *["f"] * 4, "g invented", *["f"] * 2]


def test_shares_of_area_are_by_triangle():
    assert MESH.invented_share() == pytest.approx(1 / 3)
    assert replace(MESH, invented=None).invented_share() == 0.0


def test_evaluate_scores_what_was_measured_alone(tmp_path, capsys):
    write_mesh(tmp_path / "a.ply", MESH)
    flat = MESH.vertices * np.float32([1, 1, 0])
    write_mesh(tmp_path / "truth.ply", TriangleMesh(flat, MESH.triangles))
    files = [str(tmp_path / "a.ply"), str(tmp_path / "truth.ply")]
    assert cli.run(["evaluate", "mesh", *files, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["invented_share"] == pytest.approx(1 / 3)
    assert values["precision_2cm"] == pytest.approx(2 / 3, abs=0.001)
    assert values["measured"]["precision_2cm"] == 1.0
    assert values["measured"]["recall_1cm"] == pytest.approx(2 / 3, abs=0.01)
    assert values["sigma"]["unknown"] == 4
    assert cli.run(["evaluate", "mesh", *files]) == 0
    assert "33.33% of the area was invented; without that:" in capsys.readouterr().out


def test_reconstruct_closes_holes_and_says_how_much_nobody_measured(tmp_path, capsys):
    recording = ["synthetic:room", "-o", "frames=6", "-o", "scale=0.25", "--poses", "recording"]
    run = ["reconstruct", *recording, "--voxel-size-m", "0.03"]
    assert cli.run([*run, "--out", str(tmp_path / "open")]) == 0
    capsys.readouterr()
    assert cli.run([*run, "--fill", "poisson", "--out", str(tmp_path / "filled")]) == 0
    measured = read_mesh(tmp_path / "open" / "mesh.ply")
    filled = read_mesh(tmp_path / "filled" / "mesh.ply")
    count = len(measured.vertices)
    assert np.array_equal(filled.vertices[:count], measured.vertices)
    assert np.array_equal(filled.triangles[: len(measured.triangles)], measured.triangles)
    assert not filled.invented[:count].any()
    assert filled.invented[count:].all()
    told = json.loads((tmp_path / "filled" / "report.json").read_text())["mesh"]["invented"]
    assert told["vertices"] == len(filled.vertices) - count > 0
    assert told["triangles"] == len(filled.triangles) - len(measured.triangles)
    assert told["area_share"] == pytest.approx(filled.invented_share(), abs=1e-6)
    assert f"{told['area_share']:.2%} of the area closes holes" in capsys.readouterr().out
