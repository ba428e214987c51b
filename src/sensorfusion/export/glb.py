"""GLB meshes (binary glTF): what browsers, phones and headsets show."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import OutputError
from sensorfusion.triangle_mesh import TriangleMesh

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_FLOAT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5123, 5125
_VERTICES, _INDICES = 34962, 34963
_COLOR = "COLOR_0"


@dataclass(frozen=True, slots=True)
class _Part:
    """One array of the file: its name among the attributes, what describes it, its bytes."""

    attribute: str
    accessor: dict[str, Any]
    data: bytes


def encode_glb(mesh_z_up: TriangleMesh) -> Iterator[bytes]:
    """Yield the parts of a GLB file.

    Colours are shown as they were seen, without lamps of the viewer: unlit, stored linear as
    the format demands (16 bits, so that no dark sRGB step is lost), both sides visible. A mesh
    without colours is lit instead, with flat shading by the viewer.

    Where the mesh has them, vertices carry the attributes ``_SIGMA_M`` (metres),
    ``_OBSERVATIONS`` and ``_INVENTED`` (1 where nobody measured), FLOAT scalars: the format begins
    names of its users' own with an underscore, allows no UNSIGNED_INT in a vertex and wants each
    vertex aligned to 4 bytes, and a float holds every count up to 2^24 exactly.

    Parameters
    ----------
    mesh_z_up : TriangleMesh
        Metres, z up. The file is y up, as glTF demands: (x, y, z) becomes (x, z, -y).

    Raises
    ------
    OutputError
        If the mesh has no triangles: the format cannot hold an empty mesh.

    References
    ----------
    Khronos, "glTF 2.0 Specification", sections 3.4, 3.6.2.4, 3.7.2.1 and 4.4; KHR_materials_unlit.
    IEC 61966-2-1 (sRGB).
    """
    if not len(mesh_z_up.triangles):
        msg = "the mesh has no triangles, and a GLB file cannot hold an empty mesh; write a PLY"
        raise OutputError(msg)
    parts = _parts(mesh_z_up)
    text = json.dumps(_document(parts), separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    # Every part is a multiple of 4 bytes by its types, so the binary chunk needs no padding.
    size = sum(len(part.data) for part in parts)
    yield struct.pack("<III", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + size)
    yield struct.pack("<II", len(text), _JSON)
    yield text
    yield struct.pack("<II", size, _BIN)
    yield from (part.data for part in parts)


def count_glb(path: Path) -> tuple[int, int]:
    """Return how many vertices and triangles a file of ours holds; 0 if bytes are missing."""
    with path.open("rb") as file:
        size, text_size = struct.unpack("<8xII4x", file.read(20))
        accessors = json.loads(file.read(text_size))["accessors"]
    if path.stat().st_size != size:
        return 0, 0
    return accessors[1]["count"], accessors[0]["count"] // 3


def _linear(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    srgb = np.arange(256) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    table = np.rint(linear * 65535).astype("<u2")
    # RGBA, because 3 x 2 bytes would break the alignment to 4 that the format demands.
    rgba = np.full((len(colors), 4), 65535, dtype="<u2")
    rgba[:, :3] = table[colors]
    return rgba


def _parts(mesh: TriangleMesh) -> list[_Part]:
    """Return the arrays of the file: indices, then positions, then the other attributes."""
    count = len(mesh.vertices)
    positions = (mesh.vertices[:, [0, 2, 1]] * (1, 1, -1)).astype("<f4")
    corners = {"componentType": _UNSIGNED_INT, "type": "SCALAR", "count": mesh.triangles.size}
    scalar = {"componentType": _FLOAT, "type": "SCALAR", "count": count}
    place = {
        "componentType": _FLOAT,
        "type": "VEC3",
        "count": count,
        "min": positions.min(axis=0).tolist(),
        "max": positions.max(axis=0).tolist(),
    }
    rgba = {"componentType": _UNSIGNED_SHORT, "type": "VEC4", "normalized": True, "count": count}
    parts = [
        _Part("", corners, mesh.triangles.astype("<u4").tobytes()),
        _Part("POSITION", place, positions.tobytes()),
    ]
    if mesh.colors is not None:
        parts.append(_Part(_COLOR, rgba, _linear(mesh.colors).tobytes()))
    for name, layer in (
        ("_SIGMA_M", mesh.sigma_m),
        ("_OBSERVATIONS", mesh.observations),
        ("_INVENTED", mesh.invented),
    ):
        if layer is not None:
            parts.append(_Part(name, scalar, layer.astype("<f4").tobytes()))
    return parts


def _document(parts: list[_Part]) -> dict[str, Any]:
    attributes = {part.attribute: i for i, part in enumerate(parts) if part.attribute}
    material: dict[str, Any] = {
        "doubleSided": True,
        "pbrMetallicRoughness": {"metallicFactor": 0, "roughnessFactor": 1},
    }
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "sensorfusion"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "mesh"}],
    }
    if _COLOR in attributes:
        material["extensions"] = {"KHR_materials_unlit": {}}
        document["extensionsUsed"] = ["KHR_materials_unlit"]
    starts = np.cumsum([0, *(len(part.data) for part in parts)]).tolist()
    return document | {
        "meshes": [{"primitives": [{"indices": 0, "attributes": attributes, "material": 0}]}],
        "materials": [material],
        "accessors": [part.accessor | {"bufferView": i} for i, part in enumerate(parts)],
        "bufferViews": [
            {
                "buffer": 0,
                "byteOffset": starts[i],
                "byteLength": len(part.data),
                "target": _VERTICES if i else _INDICES,
            }
            for i, part in enumerate(parts)
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }
