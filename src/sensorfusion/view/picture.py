"""A picture of a mesh, without a window, a graphics card or Vulkan."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, ray_table
from sensorfusion.errors import OutputError
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

_BACKGROUND = 255.0
_PLAIN_GREY = 200.0
_AMBIENT = 0.55
_PASSES = 24
_STEP_M = 1e-4
_ROWS_AT_ONCE = 128


def render_mesh(
    mesh: TriangleMesh, T_mesh_view: RigidTransform, camera: Camera
) -> NDArray[np.uint8]:
    """Draw a mesh as a camera sees it, lit from the camera.

    Triangles are seen from their outside only, so that a room scanned from within opens up when
    it is drawn from above. Colours are interpolated between the corners; a mesh without colours
    is grey, the background white.

    Parameters
    ----------
    mesh : TriangleMesh
        Metres.
    T_mesh_view : RigidTransform
        From the camera's coordinates to those of the mesh.
    camera : Camera
        Its size is that of the picture.

    Returns
    -------
    ndarray of uint8, shape (camera.height, camera.width, 3)
        Red, green, blue (sRGB).
    """
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    if len(mesh.triangles):
        scene.add_triangles(
            o3d.core.Tensor(np.ascontiguousarray(mesh.vertices)),
            o3d.core.Tensor(np.ascontiguousarray(mesh.triangles, dtype=np.uint32)),
        )

    def cast(rays: NDArray[np.float32]) -> Mapping[str, NDArray[np.floating]]:
        hits = scene.cast_rays(o3d.core.Tensor(rays))
        return {name: hits[name].numpy() for name in ("t_hit", "primitive_ids", "primitive_uvs")}

    rays = np.empty((camera.height, camera.width, 6), np.float32)
    rays[..., :3] = T_mesh_view.translation_m
    inward = np.nan_to_num(np.insert(ray_table(camera), 2, 1.0, axis=-1))
    rays[..., 3:] = inward @ T_mesh_view.rotation.T
    rays[..., 3:] /= np.linalg.norm(rays[..., 3:], axis=-1, keepdims=True)
    picture = np.full((camera.height, camera.width, 3), _BACKGROUND, np.float32)
    # In bands, because the hits of a whole picture take ten times its memory.
    for row in range(0, camera.height, _ROWS_AT_ONCE):
        band = slice(row, row + _ROWS_AT_ONCE)
        _draw(cast, mesh, rays[band].reshape(-1, 6), picture[band].reshape(-1, 3))
    return picture.round().astype(np.uint8)


def view_from_above(
    mesh: TriangleMesh, width: int = 1280, height: int = 960
) -> tuple[RigidTransform, Camera]:
    """Return a view obliquely from above that shows a whole mesh.

    Parameters
    ----------
    mesh : TriangleMesh
        Metres, z up.
    width, height : int
        Pixels of the picture.

    Returns
    -------
    T_up_view : RigidTransform
        For :func:`render_mesh`, with ``up`` the coordinate system of the mesh.
    camera : Camera
        40 degrees wide.
    """
    focal_px = width / (2.0 * math.tan(math.radians(20.0)))
    camera = Camera("view", width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2)
    rotation = _from_above(_azimuth_rad(mesh))
    some = mesh.vertices[:: max(1, len(mesh.vertices) // 100_000)] @ rotation
    if not len(some):
        some = np.zeros((1, 3))
    # A few stray vertices must not shrink everything else.
    low, high = np.percentile(some, (0.5, 99.5), axis=0)
    some = some[((some >= low) & (some <= high)).all(axis=1)] if len(some) > 1000 else some
    centre = (some.min(axis=0) + some.max(axis=0)) / 2
    some = some - centre
    reach = np.abs(some[:, :2]) * focal_px / (np.array([width, height]) / 2)
    distance_m = max(float((reach - some[:, 2:]).max()) * 1.05, 0.1)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = rotation @ (centre - (0.0, 0.0, distance_m))
    return RigidTransform("up", "view", matrix), camera


def _azimuth_rad(mesh: TriangleMesh) -> float:
    """Return the side from which most of the surface shows its outside."""
    azimuths_rad = np.radians(np.arange(0.0, 360.0, 15.0))
    if not len(mesh.triangles):
        return 0.0
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    twice_area = np.cross(b - a, c - a)
    toward_viewer = np.stack([_from_above(azimuth)[:, 2] for azimuth in azimuths_rad]) * -1.0
    shown = [float((twice_area @ direction).clip(min=0).sum()) for direction in toward_viewer]
    return float(azimuths_rad[int(np.argmax(shown))])


def _from_above(azimuth_rad: float) -> NDArray[np.float64]:
    """Return the rotation of a view from a side and 50 degrees above, (3, 3), ``R_up_view``."""
    elevation_rad = math.radians(50.0)
    backward = np.array(
        [
            math.cos(elevation_rad) * math.cos(azimuth_rad),
            math.cos(elevation_rad) * math.sin(azimuth_rad),
            math.sin(elevation_rad),
        ]
    )
    right = np.array([-math.sin(azimuth_rad), math.cos(azimuth_rad), 0.0])
    return np.stack([right, np.cross(-backward, right), -backward], axis=1)


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture as PNG, whole or not at all.

    Parameters
    ----------
    path : Path
    pixels : ndarray of uint8, shape (H, W, 3)
        Red, green, blue.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import cv2

    done, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))
    if not done:
        msg = f"{path}: a picture of shape {pixels.shape} could not be encoded as PNG"
        raise OutputError(msg)
    with whole_file(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _draw(
    cast: Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.floating]]],
    mesh: TriangleMesh,
    rays: NDArray[np.float32],
    picture: NDArray[np.float32],
) -> None:
    """Fill ``picture`` (N, 3) where a ray of ``rays`` (N, 6) meets a triangle's outside."""
    rays = rays.copy()
    waiting = np.arange(len(rays))
    for _ in range(_PASSES):
        hits = cast(rays[waiting])
        distance_m = hits["t_hit"]
        hit = np.isfinite(distance_m)
        waiting, distance_m = waiting[hit], distance_m[hit]
        if not waiting.size:
            return
        corners = mesh.triangles[hits["primitive_ids"][hit].astype(np.int64)]
        a, b, c = (mesh.vertices[corners[:, i]] for i in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
        cosine = -np.einsum("ij,ij->i", normals, rays[waiting, 3:])
        front = cosine > 0
        weights = hits["primitive_uvs"][hit][front]
        picture[waiting[front]] = _color(mesh, corners[front], weights) * (
            _AMBIENT + (1 - _AMBIENT) * cosine[front, None]
        )
        waiting = waiting[~front]
        # Seen from behind: go on from just beyond.
        rays[waiting, :3] += (distance_m[~front, None] + _STEP_M) * rays[waiting, 3:]


def _color(
    mesh: TriangleMesh, corners: NDArray[np.int32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    if mesh.colors is None:
        return np.full((len(corners), 3), _PLAIN_GREY, np.float32)
    u, v = weights[:, :1], weights[:, 1:]
    a, b, c = (mesh.colors[corners[:, i]].astype(np.float32) for i in range(3))
    return np.asarray((1 - u - v) * a + u * b + v * c)
