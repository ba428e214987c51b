"""OBJ meshes: text, for programs that read nothing else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.triangle_mesh import TriangleMesh

_ROWS_AT_ONCE = 65536


def encode_obj(mesh: TriangleMesh) -> Iterator[bytes]:
    """Yield the parts of an OBJ file, metres, colours behind the positions (0 to 1, sRGB).

    Triangles that nobody measured stand last, as group ``invented``, the others as ``measured``.

    Nine digits are enough for a float32 to come back equal.

    References
    ----------
    Wavefront, "Object Files (.obj)", Advanced Visualizer manual, appendix B1; colours as
    MeshLab and Blender read and write them.
    """
    yield b"# metres\n"
    table, line = mesh.vertices.astype(np.float64), "v %.9g %.9g %.9g\n"
    if mesh.colors is not None:
        table = np.hstack([table, mesh.colors / 255.0])
        line = "v %.9g %.9g %.9g %.4f %.4f %.4f\n"
    yield from _lines(line, table)
    if mesh.normals is not None:
        yield from _lines("vn %.5f %.5f %.5f\n", mesh.normals.astype(np.float64))
    corners, measured = mesh.triangles + 1, mesh.measured()
    if measured.all():
        yield from _faces(corners, mesh.normals is not None)
        return
    for name, part in (("measured", measured), ("invented", ~measured)):
        yield f"g {name}\n".encode("ascii")
        yield from _faces(corners[part], mesh.normals is not None)


def count_obj(path: Path) -> tuple[int, int]:
    """Return how many vertices and triangles a file holds."""
    vertices = triangles = 0
    with path.open("rb") as file:
        for line in file:
            vertices += line.startswith(b"v ")
            triangles += line.startswith(b"f ")
    return vertices, triangles


def _faces(corners: NDArray[np.int32], with_normals: bool) -> Iterator[bytes]:
    if with_normals:
        return _lines("f %d//%d %d//%d %d//%d\n", np.repeat(corners, 2, axis=1))
    return _lines("f %d %d %d\n", corners)


def _lines(line: str, table: NDArray[np.generic]) -> Iterator[bytes]:
    # One format call for many rows: ten times as fast as one for each.
    for start in range(0, len(table), _ROWS_AT_ONCE):
        rows = table[start : start + _ROWS_AT_ONCE]
        yield (line * len(rows) % tuple(rows.ravel().tolist())).encode("ascii")
