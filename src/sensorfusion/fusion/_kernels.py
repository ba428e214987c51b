"""Numba kernels over the buffers of the volume: blocks of 8 x 8 x 8 voxels, x fastest.

The update of a block runs as short loops over 512 contiguous values (project, gather, update,
colour), each its own small function without branches, so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

VOXELS = 512
FINEST_M = 0.001
"""One standard deviation of a measurement that :func:`pack_depth` can still tell from less."""
UNIT_WEIGHT_M = 255.0 * FINEST_M / 8.0
"""One standard deviation of a measurement that weighs 1; one of a tenth of it weighs 100."""
LARGEST_WEIGHT = 65535 - 255
COLOR_STEPS = 256
THREE_SIGMA = F32(3.0 * 255.0 * FINEST_M)
_DEPTH_BITS, CERTAINTY_BITS = np.uint32(0xFFFFFF00), np.uint32(0xFF)
_NEARLY_ZERO = F32(1e-7)
_KNOWN_COLOR = np.uint32(0xFF000000)
_OFTEN = np.int32(8)
_CHUNK = 32
_SLICE = 128  # two layers of a block: what colour works on stays in the first-level cache
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


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
def _split(packed: Array, depth_bits: Array, certainty: Array) -> None:
    """Undo :func:`pack_depth`; certainty is a multiple of 1 / FINEST_M, 0 = no depth."""
    for i in range(VOXELS):
        depth_bits[i] = packed[i] & _DEPTH_BITS
        certainty[i] = F32(np.int32(packed[i] & CERTAINTY_BITS))


@njit(**_OPTIONS)
def _update(
    depth: Array,
    certainty: Array,
    z: Array,
    limits: Array,
    tsdf: Array,
    weight: Array,
    observations: Array,
    added: Array,
) -> bool:
    """Average one block; ``added`` gets the share of the new colour where it counts, else 0."""
    truncation_m, color_band = limits[0], limits[1]
    inverse = F32(1.0) / truncation_m
    near_surface = np.int32(0)
    for i in range(VOXELS):
        known = certainty[i]
        distance = depth[i] - z[i]
        behind = max(truncation_m, THREE_SIGMA / known)
        seen = (known > F32(0.0)) & (distance > -behind)
        # Exactly 0 is for voxels that nothing has measured.
        value = max(F32(-1.0), min(F32(1.0), distance * inverse + _NEARLY_ZERO))
        share = np.floor(min(F32(255.0), max(F32(1.0), known * known * F32(1.0 / 64.0) + F32(0.5))))
        share = share if seen else F32(0.0)
        before = F32(np.int32(weight[i]))
        after = before + share
        part = share / max(after, F32(1.0))
        tsdf[i] = tsdf[i] + (value - tsdf[i]) * part
        weight[i] = np.uint16(np.int32(min(after, F32(LARGEST_WEIGHT))))
        measured = seen & (value < F32(1.0))
        count = np.int32(observations[i]) + np.int32(1 if measured else 0)
        observations[i] = np.uint16(min(count, np.int32(65535)))
        # A colour seen often changes slowly: every second frame counts twice.
        often = count >= _OFTEN
        colored = seen & (abs(value) < color_band) & ~(often & (count & np.int32(1) == 1))
        part = min(F32(2.0) * part, F32(1.0)) if often else part
        added[i] = part if colored else F32(0.0)
        # Not a maximum of floats: LLVM does not vectorise that.
        near_surface |= np.int32(1 if colored else 0)
    return near_surface > np.int32(0)


@njit(**_OPTIONS)
def _spread(
    pixels: Array, index: Array, added: Array, gathered: Array, levels: Array, shares: Array
) -> bool:
    """Write the channels of each voxel's pixel side by side, and what each counts.

    Returns False, and writes nothing, where none counts.
    """
    any_counts = np.int32(0)
    for i in range(_SLICE):
        any_counts |= np.int32(1 if added[i] > F32(0.0) else 0)
    if any_counts == np.int32(0):
        return False
    for i in range(_SLICE):
        # Where there is no pixel, ``added`` is 0.
        gathered[i] = pixels[max(index[i], np.uint32(1)) - np.uint32(1)]
    for i in range(_SLICE):
        pixel = gathered[i]
        share = added[i] if pixel >= _KNOWN_COLOR else F32(0.0)
        shares[3 * i] = shares[3 * i + 1] = shares[3 * i + 2] = share
        levels[3 * i] = pixel & np.uint32(0xFF)
        levels[3 * i + 1] = (pixel >> np.uint32(8)) & np.uint32(0xFF)
        levels[3 * i + 2] = (pixel >> np.uint32(16)) & np.uint32(0xFF)
    return True


@njit(**_OPTIONS)
def _mix(levels: Array, shares: Array, color: Array) -> None:
    """Average the colour of voxels near the surface; a stored 0 means none yet."""
    for i in range(3 * _SLICE):
        old, share = F32(np.int32(color[i])), shares[i]
        new = max(F32(np.int32(levels[i])) * F32(COLOR_STEPS), F32(1.0))
        share = F32(1.0) if (old == F32(0.0)) & (share > F32(0.0)) else share
        color[i] = np.uint16(np.int32(old + (new - old) * share + F32(0.5)))


@njit(**_OPTIONS)
def pack_depth(depth: Array, sigma_m: Array, packed: Array) -> None:
    """Write depth and its certainty as one word a pixel, so that one read fetches both.

    ``depth`` and ``sigma_m`` float32 (N,), metres; ``packed`` uint32 (1 + N,), its first word 0:
    the upper 24 bits of the rounded float, and FINEST_M / sigma * 255 from 1 to 255, 0 = no depth.
    """
    bits = depth.view(np.uint32)
    packed[0] = np.uint32(0)
    for i in range(depth.shape[0]):
        certainty = F32(255.0 * FINEST_M) / sigma_m[i] + F32(0.5)
        certainty = min(max(certainty, F32(1.0)), F32(255.0))
        word = (bits[i] + np.uint32(0x80)) & _DEPTH_BITS
        word |= np.uint32(np.int32(certainty))
        packed[i + 1] = word if depth[i] > F32(0.0) else np.uint32(0)


@njit(**_OPTIONS)
def _integrate_some(
    blocks: Array,
    origins: Array,
    local: Array,
    lens: Array,
    size: Array,
    pixel_table: Array,
    packed: Array,
    pixels: Array,
    limits: Array,
    tsdf: Array,
    weight: Array,
    observations: Array,
    color: Array,
) -> None:
    z = np.empty(VOXELS, np.float32)
    added = np.empty(VOXELS, np.float32)
    certainty = np.empty(VOXELS, np.float32)
    depth_bits = np.empty(VOXELS, np.uint32)
    depth = depth_bits.view(np.float32)
    index = np.empty(VOXELS, np.uint32)
    real = np.empty(VOXELS, np.uint32)
    measured = np.empty(VOXELS, np.uint32)
    levels = np.empty(3 * _SLICE, np.uint32)
    uncounted = np.zeros(VOXELS, np.uint16)
    shares = np.empty(3 * _SLICE, np.float32)
    for n in range(blocks.shape[0]):
        block = blocks[n]
        _project(origins[n], local, lens, size[0], size[1], z, index)
        if pixel_table.shape[0] > 1:
            _gather(pixel_table, index, real)
        else:
            real[:] = index
        _gather(packed, real, measured)
        _split(measured, depth_bits, certainty)
        counts = observations[block] if len(observations) > 0 else uncounted
        colored = _update(depth, certainty, z, limits, tsdf[block], weight[block], counts, added)
        if colored and len(pixels) > 0:
            for first in range(0, VOXELS, _SLICE):
                some = slice(first, first + _SLICE)
                if _spread(pixels, real[some], added[some], measured[some], levels, shares):
                    _mix(levels, shares, color[block, 3 * first : 3 * (first + _SLICE)])


@njit(parallel=True, **_OPTIONS)
def integrate(
    blocks: Array,
    origins: Array,
    local: Array,
    lens: Array,
    size: Array,
    pixel_table: Array,
    packed: Array,
    pixels: Array,
    limits: Array,
    tsdf: Array,
    weight: Array,
    observations: Array,
    color: Array,
) -> None:
    """Fuse a depth map into blocks of the volume.

    ``blocks`` int32 (N,) buffer indices; ``origins`` float32 (N, 3) of their first voxels and
    ``local`` float32 (3, 512) offsets of the voxels, metres, camera coordinates; ``lens``
    float32 (4,) fx fy cx+.5 cy+.5 and ``size`` int (2,) width, height of the ideal pinhole;
    ``pixel_table`` uint32 (1 + width height,) from pinhole pixel to 1 + real pixel, or (1,) when
    they are the same; ``packed`` by :func:`pack_depth`; ``pixels`` uint32 (H W,), red in the lowest
    byte and 255 in the highest where the colour is known, or (0,) without colour; ``limits``
    float32 (2,): truncation, metres, and the share of it within which voxels take colour;
    ``tsdf`` float32, ``weight`` and ``observations`` uint16 (capacity, 512), ``color`` uint16
    (capacity, 1536); the last two may have no rows.
    """
    for chunk in prange((blocks.shape[0] + _CHUNK - 1) // _CHUNK):
        some = slice(chunk * _CHUNK, min((chunk + 1) * _CHUNK, blocks.shape[0]))
        _integrate_some(
            blocks[some],
            origins[some],
            local,
            lens,
            size,
            pixel_table,
            packed,
            pixels,
            limits,
            tsdf,
            weight,
            observations,
            color,
        )
