"""PLY meshes: the form that keeps everything exactly."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.formats.ply import PlyColumn, PlyList, read_ply
from sensorfusion.formats.ply_header import read_ply_header
from sensorfusion.triangle_mesh import TriangleMesh

_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", 3)])
_POSITION = ("x", "y", "z")
_NORMAL = ("nx", "ny", "nz")
_COLOR = ("red", "green", "blue")
_SIGMA, _OBSERVATIONS, _INVENTED = "sigma_m", "observations", "invented"
_TYPES = {np.dtype(np.float32): "float", np.dtype(np.uint8): "uchar", np.dtype(np.uint32): "uint"}


def encode_ply(mesh: TriangleMesh) -> Iterator[bytes]:
    """Yield the parts of a binary little-endian PLY file.

    Vertices and normals are float32 (metres), colours uchar, indices int32. Behind them stand
    ``sigma_m`` (float, metres), ``observations`` (uint) and ``invented`` (uchar, 1 where nobody
    measured) where the mesh has them; readers that do not know a property pass over it.

    References
    ----------
    Turk, "The PLY Polygon File Format", 1994.
    """
    columns: dict[str, NDArray[np.generic]] = {}
    for names, array in (
        (_POSITION, mesh.vertices),
        (_NORMAL, mesh.normals),
        (_COLOR, mesh.colors),
    ):
        if array is not None:
            columns |= {name: array[:, axis] for axis, name in enumerate(names)}
    for name, layer in ((_SIGMA, mesh.sigma_m), (_OBSERVATIONS, mesh.observations)):
        if layer is not None:
            columns[name] = layer
    if mesh.invented is not None:
        columns[_INVENTED] = mesh.invented.view(np.uint8)
    lines = ["ply", "format binary_little_endian 1.0", "comment metres"]
    lines.append(f"element vertex {len(mesh.vertices)}")
    lines += [f"property {_TYPES[column.dtype]} {name}" for name, column in columns.items()]
    lines.append(f"element face {len(mesh.triangles)}")
    lines += ["property list uchar int vertex_indices", "end_header", ""]
    yield "\n".join(lines).encode("ascii")
    dtype = np.dtype([(name, column.dtype.newbyteorder("<")) for name, column in columns.items()])
    vertices = np.empty(len(mesh.vertices), dtype)
    for name, column in columns.items():
        vertices[name] = column
    yield vertices.tobytes()
    faces = np.empty(len(mesh.triangles), _FACE)
    faces["count"] = 3
    faces["vertices"] = mesh.triangles
    yield faces.tobytes()


def count_ply(path: Path) -> tuple[int, int]:
    """Return how many vertices and triangles a file of ours holds, by its bytes."""
    header = read_ply_header(path)
    vertex_bytes = next(e.smallest_bytes() for e in header.elements if e.name == "vertex")
    vertices = header.count("vertex")
    faces = path.stat().st_size - header.size - vertices * vertex_bytes
    return vertices, faces // _FACE.itemsize


def read_mesh(path: Path | str) -> TriangleMesh:
    """Read a triangle mesh from a PLY file, text or binary, from any program.

    Polygons become triangle fans; elements other than vertices and faces are skipped; colours
    are taken if they are 8 bits each. Vertex properties ``sigma_m``, ``observations`` and
    ``invented`` are those that :func:`encode_ply` writes, in any number type.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    TriangleMesh
        Units and coordinate system are the file's; metres by this project's convention.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is no PLY file, data is missing or left over, an index is out of range, a vertex
        is not finite, a ``sigma_m`` is negative or not finite, an ``observations`` is no count,
        an ``invented`` is neither 0 nor 1, or a face has fewer than three corners.
    UnsupportedRecordingError
        If it holds points without faces.
    """
    path = Path(path)
    data = read_ply(path)
    vertex, face = data.get("vertex", {}), data.get("face")
    faces = None if face is None else face.get("vertex_indices", face.get("vertex_index"))
    if not isinstance(faces, PlyList):
        msg = f"{path}: a PLY file without faces; a mesh is needed, not a point cloud"
        raise UnsupportedRecordingError(msg)
    vertices = _columns(vertex, _POSITION)
    if vertices is None:
        raise _corrupt(path, f"vertex properties {list(vertex)}", "x, y and z")
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise _corrupt(path, f"{bad} vertices with NaN or infinity", "finite positions")
    normals, colors = _columns(vertex, _NORMAL), None
    if all(name in vertex for name in _COLOR):
        read = np.stack([np.asarray(vertex[name]) for name in _COLOR], axis=1)
        colors = read if read.dtype == np.uint8 else None
    triangles = _fans(faces, len(vertices), path)
    sigma_m, observations = _sigma_m(vertex, path), _observations(vertex, path)
    invented = _invented(vertex, path)
    return TriangleMesh(vertices, triangles, normals, colors, sigma_m, observations, invented)


def _columns(
    element: dict[str, PlyColumn], names: tuple[str, str, str]
) -> NDArray[np.float32] | None:
    columns = [element[name] for name in names if name in element]
    if len(columns) < 3 or any(isinstance(column, PlyList) for column in columns):
        return None
    # A value too large for float32 becomes infinite, which the caller refuses.
    with np.errstate(over="ignore"):
        return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _sigma_m(vertex: dict[str, PlyColumn], path: Path) -> NDArray[np.float32] | None:
    column = vertex.get(_SIGMA)
    if column is None or isinstance(column, PlyList):
        return None
    with np.errstate(over="ignore"):
        sigma_m = np.ascontiguousarray(column, dtype=np.float32)
    bad = ~((sigma_m >= 0) & (sigma_m < np.inf))
    if bad.any():
        raise _corrupt(path, f"a {_SIGMA} of {sigma_m[bad][0]:.6g}", "finite metres, 0 or more")
    return sigma_m


def _observations(vertex: dict[str, PlyColumn], path: Path) -> NDArray[np.uint32] | None:
    column = vertex.get(_OBSERVATIONS)
    if column is None or isinstance(column, PlyList):
        return None
    # Programs that edit meshes write such a property back as float or double.
    values = np.asarray(column, dtype=np.float64)
    bad = ~((values >= 0) & (values < 2**32) & (values == np.rint(values)))
    if bad.any():
        raise _corrupt(path, f"{_OBSERVATIONS} of {values[bad][0]}", "a count of frames")
    return values.astype(np.uint32)


def _invented(vertex: dict[str, PlyColumn], path: Path) -> NDArray[np.bool_] | None:
    column = vertex.get(_INVENTED)
    if column is None or isinstance(column, PlyList):
        return None
    values = np.asarray(column, dtype=np.float64)
    bad = ~((values == 0) | (values == 1))
    if bad.any():
        raise _corrupt(path, f"{_INVENTED} of {values[bad][0]}", "0 (measured) or 1")
    return np.asarray(values == 1)


def _fans(faces: PlyList, vertex_count: int, path: Path) -> NDArray[np.int32]:
    """Return polygons as triangles that all begin at the polygon's first corner."""
    lengths = faces.lengths
    if lengths.size and lengths.min() < 3:
        raise _corrupt(path, f"a face with {lengths.min()} corners", "3 corners or more")
    indices = np.asarray(faces.items, dtype=np.int64)
    if indices.size and not (indices.min() >= 0 and indices.max() < vertex_count):
        raise _corrupt(
            path,
            f"faces of vertices {indices.min()} to {indices.max()}",
            f"indices from 0 to {vertex_count - 1}",
        )
    starts = np.cumsum(lengths) - lengths
    fan = np.repeat(np.arange(len(lengths)), lengths - 2)
    corner = np.arange(len(fan)) - np.repeat(np.cumsum(lengths - 2) - (lengths - 2), lengths - 2)
    first = starts[fan]
    corners = np.stack([first, first + corner + 1, first + corner + 2], axis=1)
    return indices[corners].reshape(-1, 3).astype(np.int32)


def _corrupt(path: Path, found: str, expected: str) -> CorruptRecordingError:
    offset = read_ply_header(path).size
    return CorruptRecordingError(path, offset, found, expected, "export the mesh anew")
