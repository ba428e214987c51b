"""Fuse depth maps into the volume, at the depth camera's own resolution and lens."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion._kernels import unpack
from sensorfusion.camera import Camera, nearest_pixels, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import CalibrationError, CoordinateSystemMismatchError
from sensorfusion.fusion import _kernels, _touch_kernels
from sensorfusion.fusion.volume import BLOCK_VOXELS, Volume
from sensorfusion.transform import RigidTransform

COLOR_BAND_VOXELS = 1.5
"""Voxels nearer to the surface than this take colour: all that a vertex asks."""
_LARGEST_LOOKUP_PX = 1 << 24
_NO_COLOR = np.zeros(0, np.uint32)
_VOXELS_XYZ = np.mgrid[:BLOCK_VOXELS, :BLOCK_VOXELS, :BLOCK_VOXELS].reshape(3, -1)[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class PinholeLookup:
    """An ideal pinhole picture whose pixels name the real pixels of a camera.

    Attributes
    ----------
    lens : ndarray of float32, shape (4,)
        fx, fy, cx + 0.5, cy + 0.5 of the ideal picture, pixels.
    size : ndarray of int64, shape (2,)
        Its width and height.
    table : ndarray of uint32, shape (1 + width * height,)
        1 + flat index of the real pixel, 0 for none; shape (1,) when both pictures are one.
    """

    lens: NDArray[np.float32]
    size: NDArray[np.int64]
    table: NDArray[np.uint32]


@lru_cache(maxsize=4)
def pinhole_lookup(camera: Camera) -> PinholeLookup:
    """Return how ideal pinhole pixels map to a camera's real, distorted pixels.

    A camera without distortion is its own ideal picture. Otherwise the ideal picture covers all
    rays of the camera at twice its resolution, so that the nearest pixel is off by at most a
    quarter of a pixel.

    Raises
    ------
    CalibrationError
        If the camera is spherical, or sees so far to the side that no flat picture holds it.
    """
    if camera.distortion.is_none:
        lens = np.array([camera.fx, camera.fy, camera.cx + 0.5, camera.cy + 0.5], np.float32)
        return PinholeLookup(lens, np.array([camera.width, camera.height]), np.zeros(1, np.uint32))
    rays = ray_table(camera).reshape(-1, 2)
    low, high = np.nanmin(rays, axis=0), np.nanmax(rays, axis=0)
    focal = 2.0 * np.array([camera.fx, camera.fy])
    extent_px = np.ceil((high - low) * focal) + 1
    if not extent_px.prod() <= _LARGEST_LOOKUP_PX:
        msg = (
            f"camera {camera.name!r} sees rays from {low.round(1).tolist()} to "
            f"{high.round(1).tolist()} (x / z, y / z); a flat picture of them would take "
            f"{extent_px.prod():.3g} pixels, at most {_LARGEST_LOOKUP_PX} are allowed; crop the "
            "depth to what lies farther from the rim"
        )
        raise CalibrationError(msg)
    size = extent_px.astype(np.int64)
    center = -low * focal
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays_of_ideal = (np.stack([columns, rows], axis=-1) - center) / focal
    table = np.zeros(1 + columns.size, np.uint32)
    table[1:] = (nearest_pixels(camera, rays_of_ideal).ravel() + 1).astype(np.uint32)
    return PinholeLookup(np.array([*focal, *(center + 0.5)], np.float32), size, table)


def pack_depth(depth: DepthMap) -> NDArray[np.uint32]:
    """Return depth and its certainty as one word a pixel, uint32 (1 + H * W,), the first one 0.

    Where the map has no ``sigma_m``, it is taken to be that of an unknown sensor.
    """
    packed = np.empty(1 + depth.metres.size, np.uint32)
    _kernels.pack_depth(depth.metres.ravel(), depth.sigmas_m().ravel(), packed)
    return packed


@lru_cache(maxsize=16)
def _rays(camera: Camera, stride: int) -> NDArray[np.float32]:
    """Return the rays of every ``stride``-th pixel, float32 (h, w, 2)."""
    return np.ascontiguousarray(ray_table(camera)[stride // 2 :: stride, stride // 2 :: stride])


def touched_blocks(
    volume: Volume, depth: DepthMap, T_world_camera: RigidTransform, packed: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Return the keys of the blocks that a depth map changes, sorted, int64 (N,).

    They reach from half the truncation before the measured surface to the truncation, or three
    standard deviations if that is more, behind it. ``packed`` by :func:`pack_depth`.
    """
    farthest_m = float(depth.metres.max())
    if farthest_m <= 0.0:
        return np.empty(0, np.int64)
    # Neighbouring samples lie at most about 0.7 of a block apart at the farthest depth.
    block_px_m = volume.block_size_m * depth.camera.fx
    stride = int(np.clip(0.7 * block_px_m / farthest_m, 1, 4))
    keys = _touch(volume, depth.camera, T_world_camera, packed, stride)
    # Depth at a few pixels only may fall between the samples.
    return (
        keys
        if keys.size or stride == 1
        else _touch(volume, depth.camera, T_world_camera, packed, 1)
    )


def _touch(
    volume: Volume,
    camera: Camera,
    T_world_camera: RigidTransform,
    packed: NDArray[np.uint32],
    stride: int,
) -> NDArray[np.int64]:
    # Every second sample is enough where that keeps them 0.4 of a block apart.
    near_m = 0.2 * volume.block_size_m * camera.fx / stride if stride > 1 else 0.0
    size, fits = 1 << 14, False
    while not fits:
        size *= 4
        keys, fits = _touch_kernels.touch(
            packed,
            camera.width,
            _rays(camera, stride),
            T_world_camera.matrix,
            volume.truncation_m,
            volume.block_size_m,
            stride,
            near_m,
            np.empty(size, np.int64),
        )
    return np.asarray(keys)


def integrate_depth(
    volume: Volume,
    depth: DepthMap,
    T_world_camera: RigidTransform,
    colors: NDArray[np.uint8] | None = None,
) -> None:
    """Fuse one depth map.

    Parameters
    ----------
    volume : Volume
    depth : DepthMap
        Metres, z of its camera. A pixel weighs as 1 / sigma_m^2, and is believed to hide what
        lies up to three sigma_m behind it.
    T_world_camera : RigidTransform
        Where the depth camera was.
    colors : ndarray of uint8, shape (H, W, 4), or None
        Red, green, blue of each depth pixel, and 255 where that colour was really seen, else 0.

    Raises
    ------
    CoordinateSystemMismatchError
        If the pose is that of another camera.
    """
    if T_world_camera.source != depth.camera.name:
        msg = f"{T_world_camera.name} cannot place a depth map of {depth.camera.name!r}"
        raise CoordinateSystemMismatchError(msg)
    if not volume.own_kernels:
        _integrate_on_device(volume, depth, T_world_camera, colors)
        return
    packed = pack_depth(depth)
    keys = touched_blocks(volume, depth, T_world_camera, packed)
    if not keys.size:
        return
    rows = volume.rows_of(keys)
    lookup = pinhole_lookup(depth.camera)
    views = volume.views
    T_camera_world = T_world_camera.inverse()
    color_band = COLOR_BAND_VOXELS * volume.voxel_size_m / volume.truncation_m
    corners = unpack(keys) * volume.block_size_m
    _kernels.integrate(
        rows,
        T_camera_world.apply(corners).astype(np.float32),
        voxel_offsets(T_camera_world.rotation * volume.voxel_size_m),
        lookup.lens,
        lookup.size,
        lookup.table,
        packed,
        _pixels(views.color, colors),
        np.array([volume.truncation_m, color_band], np.float32),
        views.tsdf,
        views.weight,
        views.observations,
        views.color,
    )


def _pixels(color: NDArray[np.uint16], colors: NDArray[np.uint8] | None) -> NDArray[np.uint32]:
    """Return colours as one word a pixel; none where there are none, or no room for them."""
    if colors is None or not len(color):
        return _NO_COLOR
    return np.ascontiguousarray(colors).view("<u4").ravel()


def voxel_offsets(axes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return where the 512 voxels of a block lie from its first, float32 (3, 512), x fastest."""
    return np.ascontiguousarray(axes @ _VOXELS_XYZ, dtype=np.float32)


def _integrate_on_device(
    volume: Volume,
    depth: DepthMap,
    T_world_camera: RigidTransform,
    colors: NDArray[np.uint8] | None,
) -> None:
    """Fuse with Open3D's own kernels, on whatever device the volume lives.

    Every frame weighs 1, and a depth pixel whose colour is not known counts as black: these
    kernels take neither weights nor a mask.
    """
    import open3d as o3d

    if not depth.metres.any():
        return
    lookup = pinhole_lookup(depth.camera)
    shape = (int(lookup.size[1]), int(lookup.size[0]))
    metres = depth.metres
    pixels = None if colors is None else colors[..., :3].astype(np.float32) / 255.0
    if lookup.table.size > 1:
        real = lookup.table[1:].reshape(shape)
        metres = np.concatenate([np.zeros(1, np.float32), metres.ravel()])[real]
        if pixels is not None:
            pixels = np.concatenate([np.zeros((1, 3), np.float32), pixels.reshape(-1, 3)])[real]
    fx, fy, cx, cy = lookup.lens.astype(np.float64) - (0, 0, 0.5, 0.5)
    intrinsic = o3d.core.Tensor(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))
    # To look depth up, these kernels cut the pixel's fraction off instead of rounding it.
    cut = o3d.core.Tensor(np.array([[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1.0]]))
    world = o3d.core.Tensor(T_world_camera.inverse().matrix)
    farthest_m = float(metres.max()) + volume.truncation_m
    multiplier = volume.truncation_m / volume.voxel_size_m
    picture = o3d.t.geometry.Image(o3d.core.Tensor(metres)).to(volume.device)
    grid = volume.grid
    blocks = grid.compute_unique_block_coordinates(
        picture, intrinsic, world, 1.0, farthest_m, multiplier
    )
    if pixels is None:
        grid.integrate(blocks, picture, cut, world, 1.0, farthest_m, multiplier)
        return
    color = o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(pixels))).to(volume.device)
    grid.integrate(blocks, picture, color, cut, cut, world, 1.0, farthest_m, multiplier)
