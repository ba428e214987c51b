"""Rendering: the depth that a camera would see of what has been fused so far."""

import numpy as np

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.fusion._render_kernels import cast
from sensorfusion.fusion.volume import BlockViews
from sensorfusion.transform import RigidTransform

# A surface of one frame is as certain as that frame; of many, rather as the poses.
_SMALLEST_SIGMA_VOXELS = 0.25


def render_depth(
    views: BlockViews,
    camera: Camera,
    T_world_camera: RigidTransform,
    range_m: tuple[float, float],
    every: int = 1,
) -> DepthMap:
    """Return the depth of the surface in a volume, as a camera would see it.

    Parameters
    ----------
    views : BlockViews
        Of a volume on the CPU.
    camera : Camera
        Not spherical.
    T_world_camera : RigidTransform
    range_m : (float, float)
        Nearest and farthest z.
    every : int
        Of how many rows and columns one is rendered; the others have no depth.

    Returns
    -------
    DepthMap
        float32 (H, W), metres along z; 0 where no ray comes from seen free space to a surface.
        ``sigma_m`` as the weight of the voxel says, at least a quarter of a voxel; time stamp 0.

    Raises
    ------
    CalibrationError
        If the camera is spherical.

    References
    ----------
    Newcombe et al., "KinectFusion", ISMAR 2011, section 3.4.
    """
    rays = np.ascontiguousarray(ray_table(camera)[::every, ::every])
    found = np.zeros((rays.shape[0] * rays.shape[1], 2), np.float32)
    limits = np.array((*range_m, views.voxel_size_m, views.truncation_m))
    pose = np.ascontiguousarray(T_world_camera.matrix[:3])
    cast(
        rays.reshape(-1, 2),
        pose,
        limits,
        views.keys,
        views.indices,
        views.tsdf,
        views.weight,
        found,
    )
    metres = np.zeros((camera.height, camera.width), np.float32)
    sigma_m = np.zeros_like(metres)
    z_m, weight = found.reshape(*rays.shape[:2], 2)[..., 0], found[:, 1].reshape(rays.shape[:2])
    metres[::every, ::every] = z_m
    certain_m = views.unit_weight_m / np.sqrt(np.maximum(weight, 1.0))
    least_m = _SMALLEST_SIGMA_VOXELS * views.voxel_size_m
    sigma_m[::every, ::every] = np.where(z_m > 0, np.maximum(certain_m, least_m), 0.0)
    return DepthMap(metres, camera, 0, sigma_m)
