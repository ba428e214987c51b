"""Numba kernels that fuse a panorama of planes into blocks of 8 x 8 x 8 voxels, x fastest.

As in ``_kernels``: a block runs through short loops over 512 contiguous values without branches,
each its own small function, so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion.fusion._kernels import COLOR_STEPS, LARGEST_WEIGHT, UNIT_WEIGHT_M, VOXELS
from sensorfusion.fusion._panorama_kernels import CLEAR, EXTENT, PIXEL, RANGE, SPREAD
from sensorfusion.fusion._sample_kernels import PI, angle

Array = NDArray[Any]
F32 = np.float32

_NEARLY_ZERO = F32(1e-7)
_UNIT = F32(UNIT_WEIGHT_M)
_KNOWN_COLOR = np.uint32(0xFF000000)
_CHUNK = 32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _look_up(
    corner: Array, local: Array, view: Array, count: int, height: int, length: Array, index: Array
) -> None:
    """Write distance from the sensor and 1 + pixel of each voxel, 0 outside of the panorama.

    ``corner`` float32 (3,) first voxel from the column's origin; ``view`` float32 (3,): columns
    per radian, elevation of the upper rim, rows per radian.
    """
    ox, oy, oz = corner[0], corner[1], corner[2]
    per_rad, top, scale = view[0], view[1], view[2]
    u_limit, v_limit = F32(count), F32(height)
    for i in range(VOXELS):
        x, y, z = ox + local[0, i], oy + local[1, i], oz + local[2, i]
        flat2 = x * x + y * y
        flat = np.sqrt(flat2)
        u = (angle(y, x) + PI) * per_rad
        v = (top - angle(z, flat)) * scale
        u = u - u_limit if u >= u_limit else u
        inside = (v >= F32(0)) & (v < v_limit) & (u >= F32(0)) & (u < u_limit)
        column = np.int32(u if inside else F32(0))
        row = np.int32(v if inside else F32(0))
        index[i] = np.uint32(column * np.int32(height) + row + 1) if inside else np.uint32(0)
        length[i] = np.sqrt(flat2 + z * z)


@njit(**_OPTIONS)
def _gather(flat: Array, index: Array, field: int, gathered: Array) -> None:
    base = np.uint32(field)
    for i in range(VOXELS):
        gathered[i] = flat[index[i] * np.uint32(PIXEL) + base]


@njit(**_OPTIONS)
def _heights(corner: Array, local: Array, planes: Array, height: Array) -> None:
    """Write how far each voxel lies before its pixel's plane; ``corner`` from the scan's origin."""
    ox, oy, oz = corner[0], corner[1], corner[2]
    for i in range(VOXELS):
        x, y, z = ox + local[0, i], oy + local[1, i], oz + local[2, i]
        height[i] = planes[0, i] * x + planes[1, i] * y + planes[2, i] * z - planes[3, i]


@njit(**_OPTIONS)
def _any_near(height: Array, sigma: Array, truncation_m: float) -> bool:
    """Tell whether a voxel lies near its plane: most of the memory of the others is not read."""
    near = np.int32(0)
    for i in range(VOXELS):
        behind = max(F32(truncation_m), F32(3.0) * sigma[i])
        inside = (sigma[i] > F32(0)) & (height[i] > -behind) & (height[i] < F32(truncation_m))
        near |= np.int32(1 if inside else 0)
    return near > np.int32(0)


@njit(**_OPTIONS)
def _any_clear(clear: Array, length: Array, truncation_m: float) -> bool:
    """Tell whether a beam may have gone through a voxel."""
    passed = np.int32(0)
    for i in range(VOXELS):
        passed |= np.int32(1 if length[i] < clear[i] - F32(truncation_m) else 0)
    return passed > np.int32(0)


@njit(**_OPTIONS)
def _update(
    height: Array,
    sigma: Array,
    surface: Array,
    extent: Array,
    length: Array,
    limits: Array,
    tsdf: Array,
    weight: Array,
    observations: Array,
    added: Array,
) -> bool:
    """Average one block; ``added`` gets the share of the new colour where it counts, else 0."""
    truncation_m, color_band, slack_m = limits[0], limits[1], limits[2]
    inverse = F32(1.0) / truncation_m
    near_surface = np.int32(0)
    for i in range(VOXELS):
        known = sigma[i]
        above = height[i]
        behind = max(truncation_m, F32(3.0) * known)
        before_m = surface[i] - length[i]
        near = (known > F32(0)) & (above > -behind) & (above < truncation_m)
        beside2 = before_m * before_m - above * above
        reach = extent[i] + slack_m
        near &= beside2 < reach * reach
        # Exactly 0 is for voxels that nothing has measured.
        value = max(F32(-1.0), min(F32(1.0), above * inverse + _NEARLY_ZERO))
        ratio = _UNIT / max(known, F32(1e-6))
        share = np.floor(min(F32(255.0), max(F32(1.0), ratio * ratio + F32(0.5))))
        share = share if near else F32(0.0)
        before = F32(np.int32(weight[i]))
        after = before + share
        part = share / max(after, F32(1.0))
        tsdf[i] = tsdf[i] + (value - tsdf[i]) * part
        weight[i] = np.uint16(np.int32(min(after, F32(LARGEST_WEIGHT))))
        count = np.int32(observations[i]) + np.int32(1 if near else 0)
        observations[i] = np.uint16(min(count, np.int32(65535)))
        colored = near & (abs(value) < color_band)
        added[i] = part if colored else F32(0.0)
        near_surface |= np.int32(1 if colored else 0)
    return near_surface > np.int32(0)


@njit(**_OPTIONS)
def _count_passes(
    height: Array,
    sigma: Array,
    clear: Array,
    length: Array,
    limits: Array,
    passes: Array,
) -> None:
    """Count the voxels that a beam went through: not those near the plane where it ended."""
    truncation_m = limits[0]
    for i in range(VOXELS):
        free = length[i] < clear[i] - truncation_m
        free &= (sigma[i] == F32(0)) | (height[i] > truncation_m)
        count = np.int32(passes[i]) + np.int32(1 if free else 0)
        passes[i] = np.uint16(min(count, np.int32(65535)))


@njit(**_OPTIONS)
def _mix(pixels: Array, owners: Array, index: Array, added: Array, color: Array) -> None:
    """Average the colour of voxels near the surface; a stored 0 means none yet."""
    for i in range(VOXELS):
        if not added[i] > F32(0):
            continue
        owner = owners[index[i]]
        if owner == np.uint32(0):
            continue
        pixel = pixels[owner - np.uint32(1)]
        if pixel < _KNOWN_COLOR:
            continue
        for c in range(3):
            old = F32(np.int32(color[3 * i + c]))
            level = F32(np.int32((pixel >> np.uint32(8 * c)) & np.uint32(0xFF)))
            new = max(level * F32(COLOR_STEPS), F32(1.0))
            share = F32(1.0) if old == F32(0) else added[i]
            color[3 * i + c] = np.uint16(np.int32(old + (new - old) * share + F32(0.5)))


@njit(**_OPTIONS)
def column_of(corner: Array, middle: Array, origins: Array, per_rad: float) -> int:
    """Return the column that looks at the middle of a block, each from its own origin."""
    x, y = corner[0] + middle[0], corner[1] + middle[1]
    count = origins.shape[0]
    u = int((np.arctan2(y, x) + PI) * per_rad) % count
    for _ in range(2):
        turned = np.arctan2(y - origins[u, 1], x - origins[u, 0])
        u = int((turned + PI) * per_rad) % count
    return u


@njit(**_OPTIONS)
def _integrate_some(
    rows: Array,
    corners: Array,
    local: Array,
    view: Array,
    origins: Array,
    table: Array,
    owners: Array,
    pixels: Array,
    limits: Array,
    tsdf: Array,
    weight: Array,
    observations: Array,
    passes: Array,
    color: Array,
) -> None:
    fields = np.empty((PIXEL, VOXELS), np.float32)
    length, height = np.empty(VOXELS, np.float32), np.empty(VOXELS, np.float32)
    added = np.empty(VOXELS, np.float32)
    index = np.empty(VOXELS, np.uint32)
    uncounted = np.zeros(VOXELS, np.uint16)
    flat = table.ravel()
    count = origins.shape[0]
    rows_of_view = (table.shape[0] - 1) // count
    seen_from = np.empty(3, np.float32)
    middle = np.empty(3, np.float32)
    for c in range(3):
        middle[c] = F32(0.5) * local[c, VOXELS - 1]
    for n in range(rows.shape[0]):
        block = rows[n]
        column = column_of(corners[n], middle, origins, view[0])
        for c in range(3):
            seen_from[c] = corners[n, c] - origins[column, c]
        _look_up(seen_from, local, view, count, rows_of_view, length, index)
        for field in range(PIXEL):
            _gather(flat, index, field, fields[field])
        _heights(corners[n], local, fields, height)
        sigma, surface, clear = fields[SPREAD], fields[RANGE], fields[CLEAR]
        if len(passes) > 0 and _any_clear(clear, length, limits[0]):
            _count_passes(height, sigma, clear, length, limits, passes[block])
        if not _any_near(height, sigma, limits[0]):
            continue
        counts = observations[block] if len(observations) > 0 else uncounted
        colored = _update(
            height,
            sigma,
            surface,
            fields[EXTENT],
            length,
            limits,
            tsdf[block],
            weight[block],
            counts,
            added,
        )
        if colored and len(pixels) > 0:
            _mix(pixels, owners, index, added, color[block])


@njit(parallel=True, **_OPTIONS)
def integrate(
    rows: Array,
    corners: Array,
    local: Array,
    view: Array,
    origins: Array,
    table: Array,
    owners: Array,
    pixels: Array,
    limits: Array,
    tsdf: Array,
    weight: Array,
    observations: Array,
    passes: Array,
    color: Array,
) -> None:
    """Fuse a panorama into blocks of the volume.

    ``rows`` int32 (N,) buffer indices; ``corners`` float32 (N, 3) of their first voxels and
    ``local`` float32 (3, 512) offsets of the voxels, metres, LiDAR coordinates; ``view`` float32
    (3,), see :func:`_look_up`; ``origins`` float32 (U, 3) of the panorama's columns; ``table``,
    ``owners`` by ``_panorama_kernels.fill_columns``; ``pixels`` uint32 (points,), red in the
    lowest byte and 255 in the highest where the colour is known, or (0,) without; ``limits``
    float32 (3,): truncation (m), the share of it within which voxels take colour, and how much
    farther than its pixel says a plane may hold (m); ``tsdf`` float32, ``weight``,
    ``observations`` and ``passes`` uint16 (capacity, 512), ``color`` uint16
    (capacity, 1536); the last three may have no rows.
    """
    for chunk in prange((rows.shape[0] + _CHUNK - 1) // _CHUNK):
        some = slice(chunk * _CHUNK, min((chunk + 1) * _CHUNK, rows.shape[0]))
        _integrate_some(
            rows[some],
            corners[some],
            local,
            view,
            origins,
            table,
            owners,
            pixels,
            limits,
            tsdf,
            weight,
            observations,
            passes,
            color,
        )
