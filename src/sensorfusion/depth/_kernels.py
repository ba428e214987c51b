"""Numba kernels of the depth stage; float32, without the GIL.

Loops over a row are short functions without branches, so that LLVM vectorises them.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion.depth_map import Origin

Array = NDArray[Any]
F32 = np.float32

TOO_NEAR, TOO_FAR = np.uint8(Origin.TOO_NEAR), np.uint8(Origin.TOO_FAR)
FILTERED = np.uint8(Origin.FILTERED)

_BANDS = 8
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def metres(values: Array, unit_m: float, end: float, out: Array) -> None:
    """Write ``values`` (N,) times the unit to ``out`` float32 (N,), 0 where there is no depth.

    No depth: 0, negative, NaN, and from ``end`` on; also what overflows float32.
    """
    unit, last = F32(unit_m), F32(end)
    for n in range(out.shape[0]):
        value = F32(values[n])
        z = value * unit
        sound = (value > F32(0)) & (value < last) & (z < F32(np.inf))
        out[n] = z if sound else F32(0)


@njit(**_OPTIONS)
def limit(values: Array, near_m: float, far_m: float, out: Array, origin: Array) -> None:
    """Write ``values`` float32 (N,) within the range to ``out`` and the others' ``origin``."""
    near, far = F32(near_m), F32(far_m)
    for n in range(out.shape[0]):
        z = values[n]
        too_near = (z > F32(0)) & (z < near)
        too_far = z > far
        out[n] = F32(0) if too_near | too_far else z
        origin[n] = TOO_NEAR if too_near else (TOO_FAR if too_far else origin[n])


@njit(parallel=True, **_OPTIONS)
def remove_flying(
    padded: Array, slope: float, noise_per_m: float, out: Array, origin: Array
) -> None:
    """Write depth without flying pixels to ``out`` float32 (H, W), and FILTERED to ``origin``.

    ``padded`` float32 (H + 2, W + 2): metres with a rim of no depth.
    """
    height = out.shape[0]
    for band in prange(_BANDS):
        for v in range(height * band // _BANDS, height * (band + 1) // _BANDS):
            _remove_flying_row(padded[v : v + 3], F32(slope), F32(noise_per_m), out[v], origin[v])


@njit(**_OPTIONS)
def _remove_flying_row(
    rows: Array, slope: float, noise_per_m: float, out: Array, origin: Array
) -> None:
    above, here, below = rows[0], rows[1], rows[2]
    for u in range(out.shape[0]):
        z = here[u + 1]
        tolerance = z * (slope + noise_per_m * z)
        near, far = max(z - tolerance, F32(1e-6)), z + tolerance
        a, b, c, d = above[u], above[u + 1], above[u + 2], here[u]
        e, f, g, h = here[u + 2], below[u], below[u + 1], below[u + 2]
        between = (
            _between(a, h, near, far)
            | _between(b, g, near, far)
            | _between(c, f, near, far)
            | _between(d, e, near, far)
        )
        jump = (
            _jumps(a, near, far)
            | _jumps(b, near, far)
            | _jumps(c, near, far)
            | _jumps(d, near, far)
            | _jumps(e, near, far)
            | _jumps(f, near, far)
            | _jumps(g, near, far)
            | _jumps(h, near, far)
        )
        support = (
            _supports(a, near, far)
            + _supports(b, near, far)
            + _supports(c, near, far)
            + _supports(d, near, far)
            + _supports(e, near, far)
            + _supports(f, near, far)
            + _supports(g, near, far)
            + _supports(h, near, far)
        )
        flying = (z > F32(0)) & (
            (between & (support <= np.int32(4))) | (jump & (support <= np.int32(2)))
        )
        out[u] = F32(0) if flying else z
        origin[u] = FILTERED if flying else origin[u]


@njit(**_OPTIONS)
def _between(one: float, other: float, near: float, far: float) -> bool:
    """Tell whether one of two opposite neighbours is nearer and the other one farther."""
    return ((one > F32(0)) & (one < near) & (other > far)) | (
        (other > F32(0)) & (other < near) & (one > far)
    )


@njit(**_OPTIONS)
def _jumps(z: float, near: float, far: float) -> bool:
    return (z > far) | ((z > F32(0)) & (z < near))


@njit(**_OPTIONS)
def _supports(z: float, near: float, far: float) -> int:
    return np.int32(1) if (z >= near) & (z <= far) else np.int32(0)


@njit(**_OPTIONS)
def project_row(depth: Array, rays: Array, view: Array, out: Array) -> None:
    """Project a row of pixels into another camera.

    ``depth`` float32 (W,) metres and ``rays`` float32 (2, W) of the measuring camera; ``view``
    float32 (26,) of the other one (``align.view_of``). ``out`` float32 (3, W): u, v in pixels, z
    in metres of the other camera; u and v are NaN where there is no depth, where the point is not
    in front of it and where it is beyond its lens model.
    """
    m00, m01, m02, m03 = view[0], view[1], view[2], view[3]
    m10, m11, m12, m13 = view[4], view[5], view[6], view[7]
    m20, m21, m22, m23 = view[8], view[9], view[10], view[11]
    fx, fy, cx, cy, limit2, inverse = view[12], view[13], view[14], view[15], view[16], view[17]
    k1, k2, p1, p2, k3 = view[18], view[19], view[20], view[21], view[22]
    k4, k5, k6 = view[23], view[24], view[25]
    one, two = F32(1), F32(2)
    # Slices of one row each: with an index on another axis LLVM does not vectorise the loop.
    rays_x, rays_y, out_u, out_v, out_z = rays[0], rays[1], out[0], out[1], out[2]
    for n in range(depth.shape[0]):
        z = depth[n]
        sx, sy = rays_x[n] * z, rays_y[n] * z
        tz = m20 * sx + m21 * sy + m22 * z + m23
        x = (m00 * sx + m01 * sy + m02 * z + m03) / tz
        y = (m10 * sx + m11 * sy + m12 * z + m13) / tz
        r2 = x * x + y * y
        radial = (one + r2 * (k1 + r2 * (k2 + r2 * k3))) / (one + r2 * (k4 + r2 * (k5 + r2 * k6)))
        xr, yr = x * radial, y * radial
        # The inverse model puts the radially distorted point into the tangential term.
        a, b = x + inverse * (xr - x), y + inverse * (yr - y)
        u = fx * (xr + two * p1 * a * b + p2 * (r2 + two * a * a)) + cx
        v = fy * (yr + two * p2 * a * b + p1 * (r2 + two * b * b)) + cy
        seen = (z > F32(0)) & (tz > F32(0)) & (r2 <= limit2)
        out_u[n] = u if seen else F32(np.nan)
        out_v[n] = v if seen else F32(np.nan)
        out_z[n] = tz


@njit(parallel=True, **_OPTIONS)
def nearest_per_cell(
    depth: Array, rays: Array, view: Array, cells_per_px: float, layers: Array
) -> None:
    """Keep the smallest z in every cell of another camera's picture.

    ``layers`` float32 (bands, rows, columns): each band of rows of the source writes its own, so
    that threads never meet; the minimum over layers does not depend on their order.
    """
    height, width = depth.shape
    bands, rows, columns = layers.shape
    right, bottom, per_px, half = F32(columns), F32(rows), F32(cells_per_px), F32(0.5)
    for band in prange(bands):
        layer = layers[band]
        layer[:] = np.inf
        points = np.empty((3, width), np.float32)
        for row in range(height * band // bands, height * (band + 1) // bands):
            project_row(depth[row], rays[row], view, points)
            for n in range(width):
                u, v = (points[0, n] + half) * per_px, (points[1, n] + half) * per_px
                if u >= F32(0) and v >= F32(0) and u < right and v < bottom:
                    i, j = np.uint32(v), np.uint32(u)
                    layer[i, j] = min(layer[i, j], points[2, n])


@njit(parallel=True, **_OPTIONS)
def look_up_color(
    depth: Array,
    rays: Array,
    view: Array,
    cells: tuple[Array, float],
    picture: Array,
    out: Array,
) -> None:
    """Write the colour of every depth pixel to ``out`` uint8 (H, W, 4).

    ``cells``: the largest z that is visible in each cell, float32 (rows, columns), and cells per
    pixel. ``picture`` uint8 (rows, columns, 3).
    """
    height, width = depth.shape
    for band in prange(_BANDS):
        points = np.empty((3, width), np.float32)
        for row in range(height * band // _BANDS, height * (band + 1) // _BANDS):
            project_row(depth[row], rays[row], view, points)
            _sample_row(points, cells[0], F32(cells[1]), picture, out[row])


@njit(**_OPTIONS)
def _sample_row(
    points: Array, farthest: Array, cells_per_px: float, picture: Array, out: Array
) -> None:
    height, width = picture.shape[0], picture.shape[1]
    right, bottom, half = F32(width) - F32(0.5), F32(height) - F32(0.5), F32(0.5)
    last_u, last_v = F32(width - 1), F32(height - 1)
    for n in range(points.shape[1]):
        u, v = points[0, n], points[1, n]
        visible = u >= -half and v >= -half and u < right and v < bottom
        if visible:
            i, j = np.uint32((v + half) * cells_per_px), np.uint32((u + half) * cells_per_px)
            visible = points[2, n] <= farthest[i, j]
        if not visible:
            out[n, 0] = out[n, 1] = out[n, 2] = out[n, 3] = np.uint8(0)
            continue
        u, v = min(max(u, F32(0)), last_u), min(max(v, F32(0)), last_v)
        u0, v0 = np.uint32(u), np.uint32(v)
        u1, v1 = min(u0 + 1, np.uint32(width - 1)), min(v0 + 1, np.uint32(height - 1))
        # Weights in 1/256 keep the sum in integers; the error is below half a grey level.
        wu, wv = np.int32((u - F32(u0)) * F32(256)), np.int32((v - F32(v0)) * F32(256))
        for channel in range(3):
            upper = picture[v0, u0, channel] * (256 - wu) + picture[v0, u1, channel] * wu
            lower = picture[v1, u0, channel] * (256 - wu) + picture[v1, u1, channel] * wu
            out[n, channel] = np.uint8((upper * (256 - wv) + lower * wv + 32768) >> 16)
        out[n, 3] = np.uint8(255)


@njit(**_OPTIONS)
def copy_color(depth: Array, picture: Array, out: Array) -> None:
    """Write ``picture`` uint8 (H, W, 3) and 255 to ``out`` (H, W, 4) where there is depth."""
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            seen = np.uint8(255) if depth[v, u] > F32(0) else np.uint8(0)
            for channel in range(3):
                out[v, u, channel] = picture[v, u, channel] & seen
            out[v, u, 3] = seen
