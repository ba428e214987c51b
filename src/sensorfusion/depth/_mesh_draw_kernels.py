"""Numba kernels that draw triangles of ``_mesh_kernels`` into a camera; float32, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth._mesh_kernels import (
    ABOVE,
    BELOW,
    INVERSE,
    NOISE,
    RANGE,
    SLOPE,
    U,
    V,
    W,
    X,
    Y,
    Z,
)
from sensorfusion.depth_map import Origin

Array = NDArray[Any]
F32 = np.float32
MEASURED = np.uint8(Origin.MEASURED)
FILLED, OCCLUDED = np.uint8(Origin.FILLED), np.uint8(Origin.OCCLUDED)

# A triangle's pixels reach this far over its rim, so that rounding leaves no crack between two.
_RIM, _FAR_RIM = F32(1e-4), F32(1 + 3e-4)
_FLAT = F32(1e-6)
# Points farther from the picture than this would overflow an int.
_LEFT, _RIGHT = F32(-1e6), F32(1e6)
# What lies farther behind a surface than this is hidden by it.
_HIDDEN, _HIDDEN_M = F32(1.05), F32(0.1)
_MOST = F32(0.99)
_LEVEL = F32(1e-12)
SPARE = 2
"""Rows that a layer has below its band: triangles are drawn a few pixels at a time."""
_HALF, _LOW = np.int64(32), np.int64(0xFFFFFFFF)
_STEEPEST2 = F32(400)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(inline="always", **_OPTIONS)
def _packed(w: float, part: float) -> int:
    """Return inverse depth and relative standard deviation as one number.

    Positive floats are in the order of their bits: the nearest is the largest, and of equals the
    least certain.
    """
    return (np.int64(F32(w).view(np.int32)) << _HALF) | np.int64(F32(part).view(np.int32))


@njit(inline="always", **_OPTIONS)
def _first(key: int) -> float:
    """Return the inverse depth of a packed number."""
    return np.int32(key >> _HALF).view(np.float32)


@njit(inline="always", **_OPTIONS)
def _second(key: int) -> float:
    """Return the relative standard deviation of a packed number."""
    return np.int32(key & _LOW).view(np.float32)


@njit(**_OPTIONS)
def draw_triangles(
    vertices: Array, triangles: Array, weights: Array, turn_px: float, band: Array, layer: Array
) -> None:
    """Draw triangles at the pixel centres that they hold, rim included; the nearest surface wins.

    ``band`` int64 (2,): the first row that is drawn, and the one after the last. ``layer`` int64
    (rows of the band + SPARE, W): inverse depth and uncertainty in one number, 0 where there is
    none, so that a pixel is one comparison and one store. 1 / z is linear over the picture
    of a plane. Triangles are higher than wide: the rows of each column follow from three divisions,
    and no pixel is asked whether it is inside. ``turn_px`` is that of a panorama, else 0.
    """
    turn = F32(turn_px)
    width = layer.shape[1]
    first_row, last_row = F32(band[0]), F32(band[1] - 1)
    flat = layer.reshape(-1)
    for n in range(triangles.shape[0]):
        a, b, c = triangles[n, 0], triangles[n, 1], triangles[n, 2]
        av, bv, cv = vertices[a, V], vertices[b, V], vertices[c, V]
        bv, cv = bv - av, cv - av
        top, bottom = av + min(F32(0), bv, cv), av + max(F32(0), bv, cv)
        # Written so that NaN, beyond the lens, is outside, too.
        if not (top < last_row + F32(1) and bottom > first_row - F32(1)):
            continue
        au, wa = vertices[a, U], vertices[a, W]
        bu, cu = vertices[b, U] - au, vertices[c, U] - au
        if turn > F32(0):
            bu -= turn * np.rint(bu / turn)
            cu -= turn * np.rint(cu / turn)
        area = bu * cv - bv * cu
        left, right = au + min(F32(0), bu, cu), au + max(F32(0), bu, cu)
        outside = (right < F32(0)) | (left > F32(width - 1)) if turn == F32(0) else False
        if outside or not (abs(area) > _FLAT and left > _LEFT and right < _RIGHT):
            continue
        per_area = F32(1) / area
        su, sv, tu, tv = cv * per_area, -cu * per_area, -bv * per_area, bu * per_area
        wb, wc = vertices[b, W] - wa, vertices[c, W] - wa
        wu, wv = su * wb + tu * wc, sv * wb + tv * wc
        part = np.int64(F32(min(_uncertainty(vertices, a, b, c, weights), _MOST)).view(np.int32))
        # The weights of the corners are s, t and 1 - s - t; where each is 0 at u = 0, and how
        # that moves with u.
        zv = -(sv + tv)
        s_per, t_per, z_per = _per(sv), _per(tv), _per(zv)
        s_at, s_by = -_RIM * s_per, -su * s_per
        t_at, t_by = -_RIM * t_per, -tu * t_per
        z_at, z_by = -_FAR_RIM * z_per, (su + tu) * z_per
        top, bottom = max(top, first_row) - av - _RIM, min(bottom, last_row) - av + _RIM
        # Across a panorama's seam a triangle is drawn on both sides of the picture.
        both = turn > F32(0) and (left < F32(0) or right > F32(width - 1))
        for side in range(2 if both else 1):
            if side == 1:
                shift = turn if left < F32(0) else -turn
                au, left, right = au + shift, left + shift, right + shift
            first, end = max(int(np.ceil(left - _RIM)), 0), min(int(right + _RIM) + 1, width)
            for j in range(first, end):
                u = F32(j) - au
                s, t, z = s_at + s_by * u, t_at + t_by * u, z_at + z_by * u
                low = max(top, s if sv > F32(0) else top, t if tv > F32(0) else top)
                low = max(low, z if zv > F32(0) else top)
                high = min(bottom, bottom if sv > F32(0) else s, bottom if tv > F32(0) else t)
                high = min(high, bottom if zv > F32(0) else z)
                start = np.int64(np.ceil(low + av))
                w, v = wa + wu * u, F32(start) - av
                at = np.uint64((start - band[0]) * width + j)
                while v <= high:
                    # Most runs are as short as this: always so many cost less than a wrong guess.
                    for _ in range(SPARE + 1):
                        key = (np.int64(F32(w + wv * v).view(np.int32)) << _HALF) | part
                        flat[at] = max(flat[at], key if v <= high else np.int64(0))
                        at += np.uint64(width)
                        v += F32(1)


@njit(inline="always", **_OPTIONS)
def _per(slope: float) -> float:
    """Return 1 / slope; of hardly any slope a number that is large, not infinite."""
    return F32(1) / (slope if abs(slope) > _LEVEL else (_LEVEL if slope > F32(0) else -_LEVEL))


@njit(**_OPTIONS)
def _uncertainty(vertices: Array, a: int, b: int, c: int, weights: Array) -> float:
    """Return the relative standard deviation of depth on a triangle.

    ``a`` is of the upper row and ``b`` of the lower. ``weights`` float32 (3,): what counts of the
    noise of a point, of how far the rows beyond deviate from the plane, and of the tangent of the
    incidence.
    """
    noise = (vertices[a, NOISE] + vertices[b, NOISE] + vertices[c, NOISE]) * F32(1 / 3)
    # The normal, and how far it is from the beam.
    abx, acx = vertices[b, X] - vertices[a, X], vertices[c, X] - vertices[a, X]
    aby, acy = vertices[b, Y] - vertices[a, Y], vertices[c, Y] - vertices[a, Y]
    abz, acz = vertices[b, Z] - vertices[a, Z], vertices[c, Z] - vertices[a, Z]
    nx, ny, nz = aby * acz - abz * acy, abz * acx - abx * acz, abx * acy - aby * acx
    along = nx * vertices[a, X] + ny * vertices[a, Y] + nz * vertices[a, Z]
    along *= along
    total = (nx * nx + ny * ny + nz * nz) * vertices[a, RANGE] * vertices[a, RANGE]
    tangent2 = min(total / (along + F32(1e-20)) - F32(1), _STEEPEST2)
    step = vertices[b, INVERSE] - vertices[a, INVERSE]
    down = vertices[b, SLOPE] - vertices[a, SLOPE]
    per = F32(1) / vertices[a, INVERSE]
    up = abs(vertices[a, ABOVE] * down - step) * per
    under = abs(vertices[b, BELOW] * down - step) * per
    # A row that has no neighbour beyond says nothing.
    up = F32(0) if np.isnan(up) else min(up, F32(1))
    under = F32(0) if np.isnan(under) else min(under, F32(1))
    w0, w1, w2 = weights[0] * noise, weights[1] * max(up, under), weights[2]
    return np.sqrt(w0 * w0 + w1 * w1 + w2 * w2 * tangent2)


@njit(**_OPTIONS)
def hide_rims(
    vertices: Array, rim: Array, view: Array, steps: Array, ends: Array, band: Array, layer: Array
) -> None:
    """Take away what the surface may hide beyond its last beams: it reaches up to the next ones.

    ``view`` float32 (16,): the matrix to the camera, and fx, fy, cx, cy. ``steps`` float32 (2,):
    angles between firings and rings. ``ends`` float32 (N, 4): of a lens that bends, where those
    steps from a vertex end, pixels. ``layer`` as of :func:`draw_triangles`: what lies behind
    becomes minus the inverse depth of what may hide it.
    """
    fx, fy, cx, cy = view[12], view[13], view[14], view[15]
    width = layer.shape[1]
    for n in range(rim.shape[0]):
        u, v, w = vertices[n, U], vertices[n, V], vertices[n, W]
        if rim[n] == 0 or not (u > _LEFT and v > _LEFT and u < _RIGHT and v < _RIGHT):
            continue
        x, y, z, level = vertices[n, X], vertices[n, Y], vertices[n, Z], vertices[n, INVERSE]
        # One step on along the ring, and one up to the next.
        ax, ay = -y * steps[0], x * steps[0]
        bx, by, bz = -z * x * level * steps[1], -z * y * level * steps[1], steps[1] / level
        xn, yn = (u - cx) / fx, (v - cy) / fy
        ahead_a = view[8] * ax + view[9] * ay
        ahead_b = view[8] * bx + view[9] * by + view[10] * bz
        across_a = view[0] * ax + view[1] * ay - xn * ahead_a
        across_b = view[0] * bx + view[1] * by + view[2] * bz - xn * ahead_b
        down_a = view[4] * ax + view[5] * ay - yn * ahead_a
        down_b = view[4] * bx + view[5] * by + view[6] * bz - yn * ahead_b
        half_u = fx * w * (abs(across_a) + abs(across_b))
        half_v = fy * w * (abs(down_a) + abs(down_b))
        if ends.shape[0]:
            half_u = abs(ends[n, 0] - u) + abs(ends[n, 2] - u)
            half_v = abs(ends[n, 1] - v) + abs(ends[n, 3] - v)
        if not (half_u < _RIGHT and half_v < _RIGHT):
            continue
        threshold, hiding = _packed(w / (_HIDDEN + _HIDDEN_M * w), F32(0)), -_packed(w, F32(0))
        first_row, first = max(int(np.ceil(v - half_v)), band[0]), max(int(np.ceil(u - half_u)), 0)
        end = max(min(int(np.floor(u + half_u)) + 1, width), first)
        for i in range(first_row, min(int(np.floor(v + half_v)) + 1, band[1])):
            line = layer[i - band[0], first:end]
            for j in range(line.shape[0]):
                before = line[j]
                line[j] = min(before, hiding) if before < threshold else before


@njit(**_OPTIONS)
def draw_points(vertices: Array, band: Array, layer: Array, origin: Array) -> None:
    """Say where points were measured, and draw those that stand before the surface or alone.

    On a surface the pixel keeps its depth: it is that of the pixel's centre, which on slanted
    ground is not the point's. ``layer`` as of :func:`hide_rims`; ``origin`` uint8 (H, W).
    """
    half = F32(0.5)
    top, bottom, right = F32(band[0]), F32(band[1]), F32(layer.shape[1])
    for n in range(vertices.shape[0]):
        u, v, w = vertices[n, U] + half, vertices[n, V] + half, vertices[n, W]
        if not (v >= top and v < bottom and u >= F32(0) and u < right and w > F32(0)):
            continue
        i, j = np.int64(v), np.int64(u)
        before = layer[i - band[0], j]
        nearest = _first(abs(before))
        if w * (_HIDDEN + _HIDDEN_M * nearest) < nearest:
            # Behind a surface, or behind where one may be.
            origin[i, j] = OCCLUDED if before < 0 else origin[i, j]
            continue
        origin[i, j] = MEASURED
        noise = min(vertices[n, NOISE], _MOST)
        if before <= 0 or nearest * (_HIDDEN + _HIDDEN_M * w) < w:
            layer[i - band[0], j] = _packed(w, noise)
        else:
            # Between points noise averages out, at a point it does not.
            layer[i - band[0], j] = _packed(nearest, max(_second(before), noise))


@njit(**_OPTIONS)
def finish(band: Array, layer: Array, metres: Array, sigma_m: Array, origin: Array) -> None:
    """Write depth and its standard deviation in metres, and FILLED where no point fell."""
    first_bits, second_bits = metres.view(np.int32), sigma_m.view(np.int32)
    for i in range(band[0], band[1]):
        # In loops that mix no sizes of numbers: else LLVM does not vectorise them.
        keys, depths, deviations, origins = layer[i - band[0]], metres[i], sigma_m[i], origin[i]
        ahead, behind = first_bits[i], second_bits[i]
        for j in range(layer.shape[1]):
            ahead[j] = np.int32(keys[j] >> _HALF)
            behind[j] = np.int32(keys[j])
        for j in range(layer.shape[1]):
            # Bits of what may be hidden are those of a number below zero, or of none.
            w = depths[j]
            seen = w > F32(0)
            z = F32(1) / w
            depths[j] = z if seen else F32(0)
            deviations[j] = z * deviations[j] if seen else F32(0)
        for j in range(layer.shape[1]):
            filled = (depths[j] > F32(0)) & (origins[j] != MEASURED)
            origins[j] = FILLED if filled else origins[j]


@njit(**_OPTIONS)
def draw(
    vertices: Array,
    upper: Array,
    lower: Array,
    rim: Array,
    weights: Array,
    lens: tuple[Array, Array, Array],
    turn_px: float,
    band: Array,
    layer: Array,
    metres: Array,
    sigma_m: Array,
    origin: Array,
) -> None:
    """Draw all, two arrays of triangles, into the rows of a band; see the functions above.

    ``lens``: view, steps and ends of :func:`hide_rims`. Bands do not touch each other's rows.
    """
    layer[:] = 0
    draw_triangles(vertices, upper, weights, turn_px, band, layer)
    draw_triangles(vertices, lower, weights, turn_px, band, layer)
    if turn_px == 0.0:
        hide_rims(vertices, rim, lens[0], lens[1], lens[2], band, layer)
    draw_points(vertices, band, layer, origin)
    finish(band, layer, metres, sigma_m, origin)
