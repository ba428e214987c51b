"""From the weights in the volume to how far each vertex may be off."""

import math
from dataclasses import replace

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.triangle_mesh import TriangleMesh

# A measurement errs along its ray and the surface along its normal; measured on simulated rooms
# with exact poses, where this share of it is left in the mean.
_MEAN_COSINE = 0.94
_USUAL_DEPTH_M = 2.0
_USUAL_RANGE_M = 5.0


def with_errors(
    mesh: TriangleMesh,
    noise: DepthNoise,
    camera: Camera,
    voxel_size_m: float,
    tracking_sigma_m: float,
) -> TriangleMesh:
    """Return a mesh whose ``sigma_m`` says how far each vertex may be off along its normal.

    Parameters
    ----------
    mesh : TriangleMesh
        Its ``sigma_m`` is that of one voxel's measurements, along their rays; metres.
    noise : DepthNoise
    camera : Camera
        That measured depth.
    voxel_size_m : float
    tracking_sigma_m : float
        One standard deviation of where the camera was, metres; 0 where poses were given, which
        are taken to be exact.

    Returns
    -------
    TriangleMesh
        As it was where it says nothing about errors.
    """
    voxel_px = camera.fx * voxel_size_m / _USUAL_DEPTH_M
    return _scaled(mesh, noise.variance_between(voxel_px) * _MEAN_COSINE**2, tracking_sigma_m)


def with_scan_errors(
    mesh: TriangleMesh, lidar: Lidar, voxel_size_m: float, tracking_sigma_m: float
) -> TriangleMesh:
    """Return a mesh fused from scans whose ``sigma_m`` says how far each vertex may be off.

    Beams err each for itself. Voxels that lie closer together than beams see the same ones, those
    farther apart others, and a vertex between two errs less then, as for the pixels of a camera
    (:meth:`sensorfusion.noise.DepthNoise.variance_between`).

    Parameters
    ----------
    mesh : TriangleMesh
        Its ``sigma_m`` is that of one voxel's measurements, along the normal; metres.
    lidar : Lidar
        That measured. Where it does not know its elevations, all voxels count as seeing the same.
    voxel_size_m : float
    tracking_sigma_m : float
        One standard deviation of where the LiDAR was, metres; 0 where poses were given.

    Returns
    -------
    TriangleMesh
        As it was where it says nothing about errors.
    """
    alike = 1.0
    if len(lidar.elevation_rad) > 1:
        gap_rad = float(np.median(np.abs(np.diff(np.sort(lidar.elevation_rad)))))
        alike = math.exp(-((voxel_size_m / max(gap_rad * _USUAL_RANGE_M, 1e-9)) ** 2))
    return _scaled(mesh, 1.0 - (1.0 - alike) / 2.0, tracking_sigma_m)


def _scaled(mesh: TriangleMesh, share: float, tracking_sigma_m: float) -> TriangleMesh:
    """Return the mesh with a share of its variance, and that of where the sensor was."""
    if mesh.sigma_m is None:
        return mesh
    squares = share * mesh.sigma_m**2 + tracking_sigma_m**2
    return replace(mesh, sigma_m=np.sqrt(squares).astype(np.float32))
