"""STL meshes: bare triangles, for printing and CAD."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sensorfusion.triangle_mesh import TriangleMesh

_HEADER_BYTES = 84
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def encode_stl(mesh: TriangleMesh) -> Iterator[bytes]:
    """Yield the parts of a binary STL file, metres; the format has no colours.

    References
    ----------
    3D Systems, "StereoLithography Interface Specification", 1988.
    """
    # Not "solid": some readers take a file that begins so for text.
    yield b"binary STL, metres".ljust(80) + len(mesh.triangles).to_bytes(4, "little")
    corners = mesh.vertices[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    rows = np.zeros(len(mesh.triangles), _TRIANGLE)
    # A triangle without area keeps the normal 0 0 0, as the specification allows.
    rows["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    rows["corners"] = corners
    yield rows.tobytes()


def count_stl(path: Path) -> int:
    """Return how many triangles a file holds, by its bytes."""
    return (path.stat().st_size - _HEADER_BYTES) // _TRIANGLE.itemsize
