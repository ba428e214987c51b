"""Fuse scans of a LiDAR into the volume: distances to the planes on and between its beams."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion._kernels import unpack
from sensorfusion.errors import ConfigError, CoordinateSystemMismatchError
from sensorfusion.fusion import _ray_kernels, _ray_touch_kernels
from sensorfusion.fusion.integrate_depth import COLOR_BAND_VOXELS, voxel_offsets
from sensorfusion.fusion.panorama import Panorama, RayScan, panorama_of
from sensorfusion.fusion.volume import Volume
from sensorfusion.transform import RigidTransform

_BAND_VOXELS = np.array([1.5, 2.0])
_HALF_DIAGONAL = 0.87
_NO_COLOR = np.zeros(0, np.uint32)


def integrate_rays(volume: Volume, scan: RayScan, T_world_lidar: RigidTransform) -> None:
    """Fuse one scan.

    Each voxel near the surface is looked up by its direction in a panorama of the scan, which
    holds the tangent plane of what stands there: the distance along the ray times the cosine of
    incidence, without bias where beams graze. Between beams of one surface the planes are
    interpolated. A voxel weighs as 1 / variance along the normal. What lies farther before a
    surface than the truncation is not changed, but counted as passed, where a beam went, in a
    volume made ``with_passes``; see :func:`sensorfusion.fusion.carve.forget_passed`.

    Parameters
    ----------
    volume : Volume
        May hold depth maps as well.
    scan : RayScan
    T_world_lidar : RigidTransform
        Where the LiDAR was at the instant that the scan was deskewed to.

    Raises
    ------
    CoordinateSystemMismatchError
        If the pose is that of another sensor.
    ConfigError
        If the volume is one of Open3D's own kernels, which know no rays.

    References
    ----------
    Curless and Levoy, "A volumetric method for building complex models from range images", 1996;
    Vizzo et al., "VDBFusion: flexible and efficient TSDF integration of range sensor data", 2022.
    """
    source = scan.image.cloud.coordinate_system
    if T_world_lidar.source != source:
        msg = f"{T_world_lidar.name} cannot place a scan of {source!r}"
        raise CoordinateSystemMismatchError(msg)
    if not volume.own_kernels:
        msg = f"scans of {source!r} are fused on the CPU only; use --device CPU:0"
        raise ConfigError(msg)
    panorama = panorama_of(scan, volume.voxel_size_m)
    if panorama is None:
        return
    keys = touched_blocks(volume, panorama, T_world_lidar)
    rows = volume.rows_of(keys)
    views = volume.views
    T_lidar_world = T_world_lidar.inverse()
    offsets = voxel_offsets(T_lidar_world.rotation * volume.voxel_size_m)
    corners = T_lidar_world.apply(unpack(keys) * volume.block_size_m).astype(np.float32)
    if len(views.passes):
        others, their_corners = _other_blocks(volume, keys, T_lidar_world)
        passed = _may_be_passed(volume, panorama, their_corners, offsets)
        rows = np.concatenate([rows, others[passed]])
        corners = np.concatenate([corners, their_corners[passed]])
    color_band = COLOR_BAND_VOXELS * volume.voxel_size_m / volume.truncation_m
    _ray_kernels.integrate(
        rows,
        corners,
        offsets,
        panorama.view,
        panorama.origins,
        panorama.table,
        panorama.owners,
        _pixels(views.color, scan.colors),
        np.array([volume.truncation_m, color_band, volume.voxel_size_m], np.float32),
        views.tsdf,
        views.weight,
        views.observations,
        views.passes,
        views.color,
    )


def touched_blocks(
    volume: Volume, panorama: Panorama, T_world_lidar: RigidTransform
) -> NDArray[np.int64]:
    """Return the keys of the blocks near the surface that a scan shows, sorted, int64 (N,).

    They hold the cells that the surface may lie in: along the normal from 1.5 voxels before it to
    two, or three standard deviations if that is more, behind it.
    """
    size, fits = 1 << 14, False
    while not fits:
        size *= 4
        keys, fits = _ray_touch_kernels.touch(
            panorama.samples,
            panorama.joins,
            T_world_lidar.matrix,
            _BAND_VOXELS * volume.voxel_size_m,
            volume.voxel_size_m,
            volume.block_size_m,
            np.empty(size, np.int64),
        )
    return np.asarray(keys)


def _other_blocks(
    volume: Volume, keys: NDArray[np.int64], T_lidar_world: RigidTransform
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return rows and corners, LiDAR coordinates, of the blocks without these, by their keys."""
    views = volume.views
    filled = views.keys >= 0
    every = views.keys[filled]
    order = np.argsort(every)
    every, rows = every[order], views.indices[filled][order]
    others = np.ones(len(every), bool)
    others[np.searchsorted(every, keys)] = False
    corners = T_lidar_world.apply(unpack(every[others]) * volume.block_size_m)
    return rows[others], corners.astype(np.float32)


def _may_be_passed(
    volume: Volume, panorama: Panorama, corners: NDArray[np.float32], offsets: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Tell which blocks are not hidden, bool (N,)."""
    passed = np.empty(len(corners), bool)
    _ray_touch_kernels.may_be_passed(
        corners,
        np.float32(_HALF_DIAGONAL * volume.block_size_m),
        offsets[:, -1] * np.float32(0.5),
        panorama.view,
        panorama.origins,
        panorama.tiles,
        passed,
    )
    return passed


def _pixels(color: NDArray[np.uint16], colors: NDArray[np.uint8] | None) -> NDArray[np.uint32]:
    """Return colours as one word a point; none where there are none, or no room for them."""
    if colors is None or not len(color):
        return _NO_COLOR
    return np.ascontiguousarray(colors).view("<u4").ravel()
