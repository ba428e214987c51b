"""Mesh files: the ending of the name chooses the format."""

from pathlib import Path

from sensorfusion.errors import OutputError
from sensorfusion.export.glb import count_glb, encode_glb
from sensorfusion.export.obj import count_obj, encode_obj
from sensorfusion.export.ply import count_ply, encode_ply
from sensorfusion.export.stl import count_stl, encode_stl
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.triangle_mesh import TriangleMesh

_ENCODERS = {".ply": encode_ply, ".obj": encode_obj, ".stl": encode_stl, ".glb": encode_glb}


def write_mesh(path: Path | str, mesh: TriangleMesh) -> None:
    """Write a mesh, whole or not at all, and read its counts back.

    Parameters
    ----------
    path : Path or str
        Ends in ``.ply`` (binary; normals, colours, sigma and observations), ``.obj`` (text;
        normals and colours), ``.stl`` (binary; bare triangles) or ``.glb`` (colours, sigma and
        observations). OBJ and STL have no place for ``sigma_m`` and ``observations``; what was
        invented is marked in PLY and GLB, a group of its own in OBJ, and not told from the rest
        in STL.
    mesh : TriangleMesh
        Metres. A ``.glb`` takes a mesh that stands upright, z up, and turns it y up as its
        format demands; the others are written as they are.

    Raises
    ------
    OutputError
        If the ending is another, the file cannot be written whole, or its counts come back
        different; an old file of that name is untouched.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _ENCODERS:
        msg = f"{path}: unknown mesh format {suffix!r}; expected {', '.join(_ENCODERS)}"
        raise OutputError(msg)
    with whole_file(path) as temporary:
        with temporary.open("wb") as file:
            file.writelines(_ENCODERS[suffix](mesh))
        found = _count(temporary, suffix, mesh)
        expected = (len(mesh.vertices), len(mesh.triangles))
        if found != expected:
            msg = (
                f"{path}: {found[0]} vertices and {found[1]} triangles came back of {expected[0]} "
                f"and {expected[1]} written; is the disk sound?"
            )
            raise OutputError(msg)


def _count(path: Path, suffix: str, mesh: TriangleMesh) -> tuple[int, int]:
    if suffix == ".stl":
        # The format stores corners, not vertices.
        return len(mesh.vertices), count_stl(path)
    return {".ply": count_ply, ".obj": count_obj, ".glb": count_glb}[suffix](path)
