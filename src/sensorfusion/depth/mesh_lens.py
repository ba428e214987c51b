"""Where a lens shows the vertices of a scan's surface, and what is one beam beside them."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth import _mesh_kernels, _view_kernels
from sensorfusion.depth.align import view_of
from sensorfusion.depth.projection import NEAR_M
from sensorfusion.transform import RigidTransform


def project(in_camera: NDArray[np.float32], camera: Camera) -> NDArray[np.float32]:
    """Return u, v in pixels and inverse depth of points (3, N) in the camera's coordinates."""
    out = np.empty_like(in_camera)
    if camera.is_spherical:
        out[:2] = camera.project(in_camera.T).T
        out[2] = np.linalg.norm(in_camera, axis=0)
    else:
        x, y, z = in_camera
        here = RigidTransform.identity(camera.name, camera.name)
        _view_kernels.project_row(z, np.stack([x / z, y / z]), view_of(camera, here), out)
    out[2] = 1 / np.maximum(out[2], np.float32(NEAR_M))
    return out


def ends_of_steps(
    table: NDArray[np.float32],
    steps: NDArray[np.float32],
    camera: Camera,
    T_camera_lidar: RigidTransform,
) -> NDArray[np.float32]:
    """Return where a lens shows what is one firing and one ring beside each vertex.

    float32 (N, 4), pixels; without rows where x / z and y / z say it.
    """
    if camera.is_spherical or camera.distortion.is_none:
        return np.empty((0, 4), np.float32)
    x, y, z = table[:, _mesh_kernels.X : _mesh_kernels.Z + 1].T
    level = table[:, _mesh_kernels.INVERSE]
    beside = np.stack([x - y * steps[0], y + x * steps[0], z])
    up = steps[1] * np.stack([-z * x * level, -z * y * level, 1 / level])
    rotation = T_camera_lidar.rotation.astype(np.float32)
    here_m = T_camera_lidar.translation_m.astype(np.float32)[:, None]
    ends = []
    for moved in (beside, np.stack([x, y, z]) + up):
        seen = rotation @ moved + here_m
        # Beside the camera and behind it the lens shows nothing.
        seen[2] = np.where(seen[2] > NEAR_M, seen[2], np.float32(np.nan))
        ends.append(project(seen, camera)[:2])
    return np.ascontiguousarray(np.concatenate(ends).T)
