"""Numba kernels of small pictures: made smaller, and aligned with one another."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.odometry._kernels import CHUNK, SUMS, add_up

Array = NDArray[Any]
F32 = np.float32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
_FARTHEST = F32(1e9)
# A square whose depths differ by more than this share and so many standard deviations, or that has
# holes, lies on an edge: its mean is at no place of the surface.
_SLOPE, _SPREAD_SIGMAS = F32(0.02), F32(4.0)
_EDGE_SIGMAS = F32(10.0)


@njit(**_OPTIONS)
def shrink_depth(
    depth: Array, sigma_m: Array, factor: int, out_depth: Array, out_sigma_m: Array
) -> None:
    """Write depth and its mean sigma of each square of ``factor`` pixels, 0 = none.

    All float32, metres; ``depth`` and ``sigma_m`` (H, W), outputs (H // factor, W // factor).
    Depth is the harmonic mean (which keeps planes plane) of the pixels on the nearest surface
    only, so that no level holds a depth between two surfaces; half of the square must have one.
    Sigma is ten times the mean where the square lies on an edge.
    """
    enough = max(1, factor * factor // 2)
    for row in range(out_depth.shape[0]):
        for column in range(out_depth.shape[1]):
            nearest: Any = _FARTHEST
            farthest: Any = F32(0.0)
            for y in range(row * factor, (row + 1) * factor):
                for x in range(column * factor, (column + 1) * factor):
                    z = depth[y, x]
                    nearest = min(nearest, z if z > F32(0.0) else _FARTHEST)
                    farthest = max(farthest, z)
            total, sigma, count = F32(0.0), F32(0.0), np.int32(0)
            limit = nearest * F32(1.04) + F32(0.01)
            for y in range(row * factor, (row + 1) * factor):
                for x in range(column * factor, (column + 1) * factor):
                    z = depth[y, x]
                    near = (z > F32(0.0)) & (z < limit)
                    total += F32(1.0) / z if near else F32(0.0)
                    sigma += sigma_m[y, x] if near else F32(0.0)
                    count += np.int32(1 if near else 0)
            known = count >= enough
            out_depth[row, column] = F32(count) / total if known else F32(0.0)
            mean = sigma / F32(max(count, np.int32(1)))
            spread = farthest - nearest
            edge = (count < factor * factor) | (spread > _SLOPE * nearest + _SPREAD_SIGMAS * mean)
            mean = mean * _EDGE_SIGMAS if edge else mean
            out_sigma_m[row, column] = mean if known else F32(0.0)


@njit(**_OPTIONS)
def shrink_colors(colors: Array, factor: int, out: Array) -> None:
    """Write the grey value of each square of ``factor`` pixels, 0 to 255, -1 = none.

    ``colors`` uint8 (H, W, 4), 255 in the last channel where the colour is known; ``out`` float32
    (H // factor, W // factor).
    """
    enough = max(1, factor * factor // 2)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            red, green, blue, known = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
            for y in range(row * factor, (row + 1) * factor):
                for x in range(column * factor, (column + 1) * factor):
                    one = np.int32(1 if colors[y, x, 3] > 0 else 0)
                    red += one * np.int32(colors[y, x, 0])
                    green += one * np.int32(colors[y, x, 1])
                    blue += one * np.int32(colors[y, x, 2])
                    known += one
            grey = F32(0.299) * F32(red) + F32(0.587) * F32(green) + F32(0.114) * F32(blue)
            out[row, column] = grey / F32(known) if known >= enough else F32(-1.0)


@njit(**_OPTIONS)
def shrink_grey(grey: Array, out: Array) -> None:
    """Write the mean of each square of two pixels, -1 where one of the four is unknown."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            a, b = grey[2 * row, 2 * column], grey[2 * row, 2 * column + 1]
            c, d = grey[2 * row + 1, 2 * column], grey[2 * row + 1, 2 * column + 1]
            known = min(min(a, b), min(c, d)) >= F32(0.0)
            out[row, column] = F32(0.25) * (a + b + c + d) if known else F32(-1.0)


@njit(**_OPTIONS)
def gather_points(
    depth: Array, sigma_m: Array, lens: Array, points: Array, certainty: Array
) -> int:
    """Write the points of a small picture to ``points`` float32 (3, h w), camera coordinates.

    ``certainty`` float32 (h w,) gets 1 / sigma, 1/m. Returns how many there are.
    """
    count = 0
    fx, fy = F32(1.0 / lens[0]), F32(1.0 / lens[1])
    cx, cy = F32(lens[2]), F32(lens[3])
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            z = depth[row, column]
            if z > F32(0.0):
                points[0, count] = (F32(column) - cx) * fx * z
                points[1, count] = (F32(row) - cy) * fy * z
                points[2, count] = z
                certainty[count] = F32(1.0) / sigma_m[row, column]
                count += 1
    return count


@njit(**_OPTIONS)
def picture_equations(
    reference: tuple[Array, ...],
    current: tuple[Array, ...],
    lens: Array,
    pose: Array,
    light: Array,
    scales: Array,
) -> Array:
    """Return the sums of one step that aligns a reference picture with the current one.

    ``reference`` and ``current``: depth, sigma (metres, 0 = none) and grey (-1 = unknown), all
    float32 (h, w); ``lens`` float64 (4,) fx fy cx cy; ``pose`` float64 (4, 4)
    T_current_reference; ``light`` float64 (2,): the current grey is ``light[0] * reference +
    light[1]``, and is set to what this step found; ``scales`` float64 (4,): standard deviation
    of grey, what grey counts, what depth counts, Huber threshold in standard deviations. The
    unknowns are a translation (m) and a rotation (rad) about the current camera's centre, its
    axes.
    """
    depth_0, sigma_0, grey_0 = reference
    depth, sigma_m, grey = current
    height, width = depth_0.shape
    fx, fy, cx, cy = F32(lens[0]), F32(lens[1]), F32(lens[2]), F32(lens[3])
    p = pose.astype(np.float32)
    gain, offset = F32(light[0]), F32(light[1])
    by_grey = F32(1.0 / (scales[0] * max(1.0, light[0])))
    grey_share, depth_share, huber = F32(scales[1]), F32(scales[2]), F32(scales[3])
    sums = np.zeros(SUMS)
    tone = np.zeros(5)
    rows, weighted = np.zeros((7, CHUNK), np.float32), np.empty(CHUNK, np.float32)
    weight = np.zeros(CHUNK, np.float32)
    filled = 0
    for row in range(height):
        for column in range(width):
            z = depth_0[row, column]
            if not z > F32(0.0):
                continue
            sums[30] += 1.0
            px, py = (F32(column) - cx) / fx * z, (F32(row) - cy) / fy * z
            x = p[0, 0] * px + p[0, 1] * py + p[0, 2] * z + p[0, 3]
            y = p[1, 0] * px + p[1, 1] * py + p[1, 2] * z + p[1, 3]
            w = p[2, 0] * px + p[2, 1] * py + p[2, 2] * z + p[2, 3]
            if w < F32(0.05):
                continue
            ju, jv = fx / w, fy / w
            u, v = ju * x + cx, jv * y + cy
            if not (u >= 1.0 and v >= 1.0 and u < width - 2 and v < height - 2):
                continue
            iu, iv = int(u), int(v)
            a, b = u - F32(iu), v - F32(iv)
            if filled > CHUNK - 2:
                add_up(rows, weight, weighted, sums)
                weight[:] = F32(0.0)
                filled = 0
            hit = False
            q00, q10 = depth[iv, iu], depth[iv, iu + 1]
            q01, q11 = depth[iv + 1, iu], depth[iv + 1, iu + 1]
            lowest = min(min(q00, q10), min(q01, q11))
            highest = max(max(q00, q10), max(q01, q11))
            far = F32(1.0)
            if lowest > F32(0.0) and highest - lowest <= F32(0.1) * lowest:
                top, bottom = q00 + (q10 - q00) * a, q01 + (q11 - q01) * a
                residual = top + (bottom - top) * b - w
                if abs(residual) <= F32(0.15) * w:
                    far = F32(0.0)
                    inverse = F32(0.5) / max(sigma_m[iv, iu], sigma_0[row, column])
                    deviation = abs(residual) * inverse
                    robust = min(F32(1.0), huber / max(deviation, F32(1e-6)))
                    gu = ((q10 - q00) * (F32(1.0) - b) + (q11 - q01) * b) * ju
                    gv = (bottom - top) * jv
                    gw = -(gu * x + gv * y) / w - F32(1.0)
                    rows[0, filled], rows[1, filled], rows[2, filled] = gu, gv, gw
                    rows[3, filled] = y * gw - w * gv
                    rows[4, filled] = w * gu - x * gw
                    rows[5, filled] = x * gv - y * gu
                    rows[6, filled] = residual
                    weight[filled] = robust * inverse * inverse * depth_share
                    filled += 1
                    sums[27] += robust * deviation * deviation
                    sums[28] += robust
                    hit = deviation < F32(3.0) * huber
            if hit:
                sums[29] += 1.0
            elif far == F32(0.0):
                # Another surface stands there: its grey says nothing.
                continue
            before = grey_0[row, column]
            q00, q10 = grey[iv, iu], grey[iv, iu + 1]
            q01, q11 = grey[iv + 1, iu], grey[iv + 1, iu + 1]
            if before < F32(0.0) or min(min(q00, q10), min(q01, q11)) < F32(0.0):
                continue
            top, bottom = q00 + (q10 - q00) * a, q01 + (q11 - q01) * a
            now = top + (bottom - top) * b
            tone[0] += 1.0
            tone[1] += before
            tone[2] += now
            tone[3] += before * before
            tone[4] += now * now
            residual = now - gain * before - offset
            deviation = abs(residual) * by_grey
            robust = min(F32(1.0), huber / max(deviation, F32(1e-6)))
            gu = ((q10 - q00) * (F32(1.0) - b) + (q11 - q01) * b) * ju
            gv = (bottom - top) * jv
            gw = -(gu * x + gv * y) / w
            rows[0, filled], rows[1, filled], rows[2, filled] = gu, gv, gw
            rows[3, filled] = y * gw - w * gv
            rows[4, filled] = w * gu - x * gw
            rows[5, filled] = x * gv - y * gu
            rows[6, filled] = residual
            weight[filled] = robust * by_grey * by_grey * grey_share
            filled += 1
            sums[27] += robust * deviation * deviation
            sums[28] += robust
    add_up(rows, weight, weighted, sums)
    _balance(tone, light)
    return sums


@njit(**_OPTIONS)
def _balance(tone: Array, light: Array) -> None:
    """Set gain and offset from the moments of two greys: count, means and mean squares."""
    if tone[0] < 100.0:
        return
    before, now = tone[1] / tone[0], tone[2] / tone[0]
    spread_before = max(tone[3] / tone[0] - before * before, 1.0)
    spread_now = max(tone[4] / tone[0] - now * now, 1.0)
    light[0] = min(max(np.sqrt(spread_now / spread_before), 0.33), 3.0)
    light[1] = now - light[0] * before
