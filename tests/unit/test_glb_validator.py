import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.export.mesh import write_mesh
from sensorfusion.triangle_mesh import TriangleMesh

NPM = Path(__file__).parents[1] / "npm"


def report(glb):
    if shutil.which("node") is None or not (NPM / "node_modules" / "gltf-validator").is_dir():
        reason = "needs node and: npm ci --prefix tests/npm (./run test does it)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    command = ["node", str(NPM / "validate_glb.cjs"), str(glb)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def wave(colors, *, measured=False):
    """A surface with odd counts, so that nothing is aligned by chance."""
    x, y = np.meshgrid(np.linspace(-1, 1, 33), np.linspace(0, 2, 21))
    vertices = np.stack([x, y, np.sin(3 * x) * y / 7], axis=-1).reshape(-1, 3)
    corner = (np.arange(20)[:, None] * 33 + np.arange(32)).ravel()
    triangles = np.vstack(
        [
            np.stack([corner, corner + 1, corner + 33], axis=1),
            np.stack([corner + 1, corner + 34, corner + 33], axis=1),
        ]
    )[:-1]
    generator = np.random.default_rng(0)
    return TriangleMesh(
        vertices.astype(np.float32),
        triangles.astype(np.int32),
        colors=generator.integers(0, 256, vertices.shape).astype(np.uint8) if colors else None,
        sigma_m=generator.random(len(vertices), np.float32) if measured else None,
        observations=generator.integers(0, 70_000, len(vertices), np.uint32) if measured else None,
        invented=np.arange(len(vertices)) > 600 if measured else None,
    )


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("colors", [True, False])
def test_the_khronos_validator_finds_neither_errors_nor_warnings(tmp_path, colors, measured):
    write_mesh(tmp_path / "a.glb", wave(colors, measured=measured))
    issues = report(tmp_path / "a.glb")["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_the_khronos_validator_counts_the_same_triangles(tmp_path):
    write_mesh(tmp_path / "a.glb", wave(colors=True))
    info = report(tmp_path / "a.glb")["info"]
    assert (info["totalVertexCount"], info["totalTriangleCount"]) == (33 * 21, 2 * 32 * 20 - 1)


def test_the_khronos_validator_would_see_a_wrong_file(tmp_path):
    write_mesh(tmp_path / "a.glb", wave(colors=True))
    data = (tmp_path / "a.glb").read_bytes()
    # A largest x that no vertex has.
    damaged = data.replace(b'"max":[1.0', b'"max":[9.0')
    assert damaged != data
    (tmp_path / "a.glb").write_bytes(damaged)
    assert report(tmp_path / "a.glb")["issues"]["numErrors"] > 0
