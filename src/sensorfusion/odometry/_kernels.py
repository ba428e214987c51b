"""Numba kernels of tracking: a depth map against signed distances, a picture against a picture.

Each kernel adds up the normal equations of one Gauss-Newton step, on one thread: there are some
thirty steps a frame, and on a busy machine each meeting of threads costs more than it saves. The
other core decodes, filters and shrinks the frames ahead.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import find_slot, pack

Array = NDArray[Any]
F32 = np.float32

SUMS = 32
"""21 upper-triangle entries of J^T W J, 6 of J^T W r, cost, weight, pixels that met the model,
pixels looked at, pixels that lie where the model has seen empty space."""
_UNSEEN, _HIT, _EMPTY_SPACE = 0, 1, 2
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _add(sums: Array, jacobian: Array, residual: float, weight: float) -> None:
    k = 0
    for a in range(6):
        scaled = weight * jacobian[a]
        for b in range(a, 6):
            sums[k] += scaled * jacobian[b]
            k += 1
        sums[21 + a] += scaled * residual


@njit(**_OPTIONS)
def _corners(
    keys: Array, rows: Array, tsdf: Array, weight: Array, x: int, y: int, z: int, values: Array
) -> int:
    """Read the eight samples of a cell and say whether they hold a surface."""
    lx, ly, lz = x & 7, y & 7, z & 7
    last_key = np.int64(-1)
    row = np.int32(0)
    state = _HIT
    for c in range(8):
        cx, cy, cz = lx + (c & 1), ly + ((c >> 1) & 1), lz + (c >> 2)
        key = pack((x >> 3) + (cx >> 3), (y >> 3) + (cy >> 3), (z >> 3) + (cz >> 3))
        if key != last_key:
            slot = find_slot(keys, key)
            if keys[slot] != key:
                return _UNSEEN
            row = rows[slot]
            last_key = key
        voxel = ((cz & 7) << 6) | ((cy & 7) << 3) | (cx & 7)
        value = tsdf[row, voxel]
        if weight[row, voxel] == 0 or value < F32(-0.98):
            return _UNSEEN
        if value > F32(0.98):
            state = _EMPTY_SPACE
        values[c] = value
    return state


@njit(**_OPTIONS)
def distance_equations(
    depth: Array,
    rays: Array,
    stride: int,
    pose: Array,
    keys: Array,
    rows: Array,
    tsdf: Array,
    weight: Array,
    scales: Array,
) -> Array:
    """Return the sums of one step of a depth map against the signed distance field.

    ``depth`` (H, W), ``rays`` (H, W, 2) float32; ``pose`` float64 (4, 4) T_world_camera; buffers
    as in the volume's views; ``scales`` float64 (4,): voxel size, truncation, Huber threshold in
    standard deviations, and c of the noise model sigma = c (1 + z^2), metres. The unknowns are a
    translation (m) and a rotation (rad) about the camera's centre, world coordinates.
    """
    height, width = depth.shape
    voxel_m, truncation_m, huber, noise_m = scales[0], scales[1], scales[2], scales[3]
    sums = np.zeros(SUMS)
    jacobian = np.empty(6)
    v = np.empty(8, np.float32)
    for row in range(stride // 2, height, stride):
        for column in range(stride // 2, width, stride):
            z = np.float64(depth[row, column])
            if not z > 0.0:
                continue
            sums[30] += 1.0
            rx, ry = rays[row, column, 0] * z, rays[row, column, 1] * z
            ax = pose[0, 0] * rx + pose[0, 1] * ry + pose[0, 2] * z
            ay = pose[1, 0] * rx + pose[1, 1] * ry + pose[1, 2] * z
            az = pose[2, 0] * rx + pose[2, 1] * ry + pose[2, 2] * z
            gx = (ax + pose[0, 3]) / voxel_m
            gy = (ay + pose[1, 3]) / voxel_m
            gz = (az + pose[2, 3]) / voxel_m
            ix, iy, iz = int(np.floor(gx)), int(np.floor(gy)), int(np.floor(gz))
            state = _corners(keys, rows, tsdf, weight, ix, iy, iz, v)
            if state != _HIT:
                sums[31] += 1.0 if state == _EMPTY_SPACE else 0.0
                continue
            x, y, w = F32(gx - ix), F32(gy - iy), F32(gz - iz)
            # Trilinear value and its exact gradient.
            x00, x10 = v[0] + (v[1] - v[0]) * x, v[2] + (v[3] - v[2]) * x
            x01, x11 = v[4] + (v[5] - v[4]) * x, v[6] + (v[7] - v[6]) * x
            y0, y1 = x00 + (x10 - x00) * y, x01 + (x11 - x01) * y
            d0 = (v[1] - v[0]) + ((v[3] - v[2]) - (v[1] - v[0])) * y
            d1 = (v[5] - v[4]) + ((v[7] - v[6]) - (v[5] - v[4])) * y
            scale = truncation_m / voxel_m
            nx = np.float64(d0 + (d1 - d0) * w) * scale
            e0, e1 = x10 - x00, x11 - x01
            ny = np.float64(e0 + (e1 - e0) * w) * scale
            nz = np.float64(y1 - y0) * scale
            residual = np.float64(y0 + (y1 - y0) * w) * truncation_m
            jacobian[0], jacobian[1], jacobian[2] = nx, ny, nz
            jacobian[3] = ay * nz - az * ny
            jacobian[4] = az * nx - ax * nz
            jacobian[5] = ax * ny - ay * nx
            sigma = noise_m * (1.0 + z * z)
            deviation = abs(residual) / sigma
            robust = 1.0 if deviation <= huber else huber / deviation
            share = robust / (sigma * sigma)
            _add(sums, jacobian, residual, share)
            sums[27] += robust * deviation * deviation
            sums[28] += robust
            sums[29] += 1.0
    return sums


@njit(**_OPTIONS)
def shrink(depth: Array, colors: Array, factor: int, out_depth: Array, out_grey: Array) -> None:
    """Write depth and grey value (-1 = none) of each square of ``factor`` pixels.

    ``depth`` (H, W) float32, ``colors`` uint8 (H, W, 4) with 255 in the last channel where the
    colour is known, or (0, 0, 4); outputs float32 (H // factor, W // factor). Depth is the mean of
    the pixels on the nearest surface only, so that no level holds a depth between two surfaces.
    """
    for row in range(out_depth.shape[0]):
        for column in range(out_depth.shape[1]):
            grey, known, nearest = F32(0.0), 0, F32(1e9)
            for y in range(row * factor, (row + 1) * factor):
                for x in range(column * factor, (column + 1) * factor):
                    z = depth[y, x]
                    if z > F32(0.0):
                        nearest = min(nearest, z)
                    if colors.shape[0] > 0 and colors[y, x, 3] > 0:
                        grey += (
                            F32(0.299) * F32(colors[y, x, 0])
                            + F32(0.587) * F32(colors[y, x, 1])
                            + F32(0.114) * F32(colors[y, x, 2])
                        )
                        known += 1
            total, count = F32(0.0), 0
            limit = nearest * F32(1.04) + F32(0.01)
            for y in range(row * factor, (row + 1) * factor):
                for x in range(column * factor, (column + 1) * factor):
                    z = depth[y, x]
                    if z > F32(0.0) and z < limit:
                        total += z
                        count += 1
            enough = factor * factor // 2
            out_depth[row, column] = total / F32(count) if count >= enough else F32(0.0)
            out_grey[row, column] = grey / F32(known) if known >= enough else F32(-1.0)


@njit(**_OPTIONS)
def picture_equations(
    reference_depth: Array,
    reference_grey: Array,
    depth: Array,
    grey: Array,
    lens: Array,
    pose: Array,
    scales: Array,
) -> Array:
    """Return the sums of one step that aligns a reference picture with the current one.

    All pictures float32 (h, w), grey -1 where unknown; ``lens`` float64 (4,) fx fy cx cy;
    ``pose`` float64 (4, 4) T_current_reference; ``scales`` float64 (4,): standard deviation of
    grey, c of sigma = c (1 + z^2), Huber threshold in standard deviations, and the grey level
    that the current picture is brighter by. The unknowns are a translation (m) and a rotation
    (rad) in the current camera's coordinates, applied on the left.
    """
    height, width = reference_depth.shape
    fx, fy, cx, cy = lens[0], lens[1], lens[2], lens[3]
    sums = np.zeros(SUMS)
    jacobian = np.empty(6)
    for row in range(height):
        for column in range(width):
            z = np.float64(reference_depth[row, column])
            if not z > 0.0:
                continue
            sums[30] += 1.0
            px, py = (column - cx) / fx * z, (row - cy) / fy * z
            x = pose[0, 0] * px + pose[0, 1] * py + pose[0, 2] * z + pose[0, 3]
            y = pose[1, 0] * px + pose[1, 1] * py + pose[1, 2] * z + pose[1, 3]
            w = pose[2, 0] * px + pose[2, 1] * py + pose[2, 2] * z + pose[2, 3]
            if w < 0.05:
                continue
            u, v = fx * x / w + cx, fy * y / w + cy
            if not (u >= 1.0 and v >= 1.0 and u < width - 2.0 and v < height - 2.0):
                continue
            iu, iv = int(u), int(v)
            a, b = u - iu, v - iv
            ju, jv = fx / w, fy / w
            hit = False
            for channel in range(2):
                source = depth if channel == 0 else grey
                q00, q10 = np.float64(source[iv, iu]), np.float64(source[iv, iu + 1])
                q01, q11 = np.float64(source[iv + 1, iu]), np.float64(source[iv + 1, iu + 1])
                lowest = min(q00, q10, q01, q11)
                highest = max(q00, q10, q01, q11)
                if channel == 0:
                    sigma = scales[1] * (1.0 + w * w)
                    if lowest <= 0.0 or highest - lowest > 0.1 * lowest:
                        continue
                    target = w
                else:
                    sigma = scales[0]
                    reference = np.float64(reference_grey[row, column])
                    if lowest < 0.0 or reference < 0.0:
                        continue
                    target = reference + scales[3]
                top, bottom = q00 + (q10 - q00) * a, q01 + (q11 - q01) * a
                residual = top + (bottom - top) * b - target
                if channel == 0 and abs(residual) > 0.15 * w:
                    continue
                gu = ((q10 - q00) * (1.0 - b) + (q11 - q01) * b) * ju
                gv = (bottom - top) * jv
                gw = -(gu * x + gv * y) / w - (1.0 if channel == 0 else 0.0)
                jacobian[0], jacobian[1], jacobian[2] = gu, gv, gw
                jacobian[3] = y * gw - w * gv
                jacobian[4] = w * gu - x * gw
                jacobian[5] = x * gv - y * gu
                deviation = abs(residual) / sigma
                robust = 1.0 if deviation <= scales[2] else scales[2] / deviation
                _add(sums, jacobian, residual, robust / (sigma * sigma))
                sums[27] += robust * deviation * deviation
                sums[28] += robust
                hit = hit or (channel == 0 and deviation < 3.0 * scales[2])
            if hit:
                sums[29] += 1.0
    return sums
