"""Numba kernels over the buffers of the volume: blocks of 8 x 8 x 8 voxels, x fastest.

The update of a block runs as short loops over 512 contiguous values (project, gather, update,
colour), each its own small function without branches, so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion._kernels import EMPTY, find_slot, pack

Array = NDArray[Any]
F32 = np.float32

VOXELS = 512
FULL_WEIGHT = 64
LARGEST_WEIGHT = 65535 - FULL_WEIGHT
COLOR_STEPS = 256
_CHUNK = 32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def touch(
    depth: Array,
    rays: Array,
    pose: Array,
    truncation_m: float,
    block_size_m: float,
    stride: int,
    scratch: Array,
) -> tuple[Array, bool]:
    """Return the keys of all blocks that lie within the truncation of a depth map, sorted.

    ``depth`` (H, W) and ``rays`` (H, W, 2) float32, ``pose`` float64 (4, 4) T_world_camera,
    ``scratch`` int64 (power of two,): room for a table. Every ``stride``-th pixel is looked at.
    The second value is False when the table is too small.
    """
    scratch[:] = EMPTY
    found = np.empty(scratch.shape[0] // 2, np.int64)
    count = 0
    steps = int(np.ceil(4.0 * truncation_m / block_size_m)) + 1
    last = EMPTY
    scale = 1.0 / block_size_m
    for row in range(stride // 2, depth.shape[0], stride):
        for column in range(stride // 2, depth.shape[1], stride):
            z = depth[row, column]
            if not z > 0.0:
                continue
            rx, ry = rays[row, column, 0], rays[row, column, 1]
            dx = (pose[0, 0] * rx + pose[0, 1] * ry + pose[0, 2]) * scale
            dy = (pose[1, 0] * rx + pose[1, 1] * ry + pose[1, 2]) * scale
            dz = (pose[2, 0] * rx + pose[2, 1] * ry + pose[2, 2]) * scale
            for step in range(steps):
                t = z + truncation_m * (2.0 * step / (steps - 1) - 1.0)
                key = pack(
                    int(np.floor(dx * t + pose[0, 3] * scale)),
                    int(np.floor(dy * t + pose[1, 3] * scale)),
                    int(np.floor(dz * t + pose[2, 3] * scale)),
                )
                if key == last:
                    continue
                last = key
                slot = find_slot(scratch, key)
                if scratch[slot] == EMPTY:
                    if count == found.shape[0]:
                        return found, False
                    scratch[slot] = key
                    found[count] = key
                    count += 1
    return np.sort(found[:count]), True


@njit(**_OPTIONS)
def _project(
    origin: Array, local: Array, lens: Array, width: int, height: int, z: Array, index: Array
) -> None:
    """Write z and 1 + pixel index of each voxel, 0 outside; ``lens`` fx fy cx+.5 cy+.5."""
    ox, oy, oz = origin[0], origin[1], origin[2]
    fx, fy, cx, cy = lens[0], lens[1], lens[2], lens[3]
    w, h = F32(width), F32(height)
    for i in range(VOXELS):
        zi = oz + local[2, i]
        inverse = F32(1.0) / zi
        u = fx * (ox + local[0, i]) * inverse + cx
        v = fy * (oy + local[1, i]) * inverse + cy
        inside = (zi > F32(0.01)) & (u >= F32(0.0)) & (v >= F32(0.0)) & (u < w) & (v < h)
        column = np.int32(u if inside else F32(0.0))
        row = np.int32(v if inside else F32(0.0))
        index[i] = np.uint32(row * np.int32(width) + column + 1) if inside else np.uint32(0)
        z[i] = zi


@njit(**_OPTIONS)
def _gather(values: Array, index: Array, gathered: Array) -> None:
    for i in range(VOXELS):
        gathered[i] = values[index[i]]


@njit(**_OPTIONS)
def _update(
    depth: Array, z: Array, truncation_m: float, tsdf: Array, weight: Array, added: Array
) -> bool:
    """Average one block; ``added`` gets the weight given to voxels near the surface, else 0."""
    inverse = F32(1.0) / truncation_m
    any_near = F32(0.0)
    for i in range(VOXELS):
        d = depth[i]
        distance = d - z[i]
        seen = (d > F32(0.0)) & (distance > -truncation_m)
        value = min(F32(1.0), distance * inverse)
        d2 = d * d
        share = min(F32(FULL_WEIGHT), max(F32(1.0), F32(FULL_WEIGHT) / (d2 * d2)))
        share = np.floor(share)
        before = F32(weight[i])
        after = before + share
        tsdf[i] = (tsdf[i] * before + value * share) / after if seen else tsdf[i]
        weight[i] = np.uint16(min(after, F32(LARGEST_WEIGHT))) if seen else weight[i]
        near = share if seen & (value < F32(1.0)) else F32(0.0)
        added[i] = near
        any_near = max(any_near, near)
    return any_near > F32(0.0)


@njit(**_OPTIONS)
def _color(pixels: Array, index: Array, added: Array, weight: Array, color: Array) -> None:
    """Average the colour of voxels near the surface; a stored 0 means none yet."""
    for i in range(VOXELS):
        if added[i] == F32(0.0):
            continue
        pixel = index[i] - np.uint32(1)
        if pixels[pixel, 3] == 0:
            continue
        share = added[i] / F32(weight[i])
        for channel in range(3):
            new = max(F32(pixels[pixel, channel]) * F32(COLOR_STEPS), F32(1.0))
            old = F32(color[3 * i + channel])
            mixed = old + (new - old) * share if old > F32(0.0) else new
            color[3 * i + channel] = np.uint16(mixed + F32(0.5))


@njit(parallel=True, **_OPTIONS)
def integrate(
    blocks: Array,
    origins: Array,
    local: Array,
    lens: Array,
    size: Array,
    pixel_table: Array,
    depth: Array,
    pixels: Array,
    truncation_m: float,
    tsdf: Array,
    weight: Array,
    color: Array,
) -> None:
    """Fuse a depth map into blocks of the volume.

    ``blocks`` int32 (N,) buffer indices; ``origins`` float32 (N, 3) of their first voxels and
    ``local`` float32 (3, 512) offsets of the voxels, metres, camera coordinates; ``lens``
    float32 (4,) fx fy cx+.5 cy+.5 and ``size`` int (2,) width, height of the ideal pinhole;
    ``pixel_table`` uint32 (1 + width height,) from pinhole pixel to 1 + real pixel, or (1,) when
    they are the same; ``depth`` float32 (1 + H W,) with a leading 0; ``pixels`` uint8 (H W, 4),
    or (0, 4) without colour; ``tsdf`` float32, ``weight`` uint16 (capacity, 512), ``color``
    uint16 (capacity, 1536).
    """
    chunks = (blocks.shape[0] + _CHUNK - 1) // _CHUNK
    truncation = F32(truncation_m)
    for chunk in prange(chunks):
        z = np.empty(VOXELS, np.float32)
        near = np.empty(VOXELS, np.float32)
        seen = np.empty(VOXELS, np.float32)
        index = np.empty(VOXELS, np.uint32)
        real = np.empty(VOXELS, np.uint32)
        for n in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, blocks.shape[0])):
            block = blocks[n]
            _project(origins[n], local, lens, size[0], size[1], z, index)
            if pixel_table.shape[0] > 1:
                _gather(pixel_table, index, real)
            else:
                real[:] = index
            _gather(depth, real, seen)
            if _update(seen, z, truncation, tsdf[block], weight[block], near) and len(pixels) > 0:
                _color(pixels, real, near, weight[block], color[block])


@njit(**_OPTIONS)
def vertex_colors(
    vertices: Array, keys: Array, rows: Array, color: Array, voxel_size_m: float, out: Array
) -> int:
    """Write the colour of each vertex to ``out`` uint8 (N, 3); return how many have one.

    ``vertices`` float32 (N, 3) metres; buffers as in the volume's views. The colour is the
    trilinear mean over those of the eight voxels around that have one; ``out`` keeps its value
    where none has.
    """
    count = 0
    mean = np.empty(3)
    for n in range(vertices.shape[0]):
        gx = np.float64(vertices[n, 0]) / voxel_size_m
        gy = np.float64(vertices[n, 1]) / voxel_size_m
        gz = np.float64(vertices[n, 2]) / voxel_size_m
        ix, iy, iz = int(np.floor(gx)), int(np.floor(gy)), int(np.floor(gz))
        mean[:] = 0.0
        total = 0.0
        for c in range(8):
            x, y, z = ix + (c & 1), iy + ((c >> 1) & 1), iz + (c >> 2)
            share = (1.0 - abs(gx - x)) * (1.0 - abs(gy - y)) * (1.0 - abs(gz - z))
            if share < 1e-4:
                continue
            key = pack(x >> 3, y >> 3, z >> 3)
            slot = find_slot(keys, key)
            if keys[slot] != key:
                continue
            voxel = ((z & 7) << 6) | ((y & 7) << 3) | (x & 7)
            row = rows[slot]
            if color[row, 3 * voxel] == 0:
                continue
            total += share
            for channel in range(3):
                mean[channel] += share * color[row, 3 * voxel + channel]
        if total > 0.0:
            count += 1
            for channel in range(3):
                level = mean[channel] / (total * COLOR_STEPS)
                out[n, channel] = np.uint8(min(level + 0.5, 255.0))
    return count
