"""Numba kernels that draw a scan's triangles into a camera; float32, without the GIL, one thread.

A vertex is a row of ``vertices``, float32 (N, VERTEX): U, V in pixels; W, the inverse of its depth
(z, or the range in a panorama); X, Y, Z and RANGE in metres of the LiDAR; KEY, a number that rises
with the azimuth. Vertices stand row by row, each row in the order of its keys.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth_map import Origin
from sensorfusion.range_image import NO_RETURN

Array = NDArray[Any]
F32 = np.float32
EMPTY_BEAM = np.int32(NO_RETURN)
MEASURED = np.uint8(Origin.MEASURED)
FILLED, OCCLUDED = np.uint8(Origin.FILLED), np.uint8(Origin.OCCLUDED)

U, V, W, X, Y, Z, RANGE, KEY, INVERSE, SLOPE, NOISE, ABOVE, BELOW = range(13)
VERTEX = 13
"""INVERSE is 1 / distance from the z axis, SLOPE the tangent of the elevation, NOISE sigma / range."""

# A triangle's pixels reach this far over its rim, so that rounding leaves no crack between two.
_RIM, _FAR_RIM = F32(1e-4), F32(1 + 3e-4)
_FLAT = F32(1e-6)
# Points farther from the picture than this would overflow an int.
_LEFT, _RIGHT = F32(-1e6), F32(1e6)
_FULL_KEY = F32(4)
UNIT = 2.0**30
"""Of inverse depth, in 1 / m: a pixel is a whole number of them, and its relative standard deviation
stands behind the point. So the nearest wins, and of equals the least certain."""
_MOST = F32(0.99)
# What lies farther behind a surface than this is hidden by it.
_HIDDEN, _HIDDEN_M = F32(1.05), F32(0.1)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def measure_steps(points: Array, index: Array, every: int) -> tuple[float, float]:
    """Return the direction in which columns turn (1 or -1) and the angle between two of them.

    Asks every so many rows; 0 radians where no two columns stand side by side.
    """
    turns, total, count = 0, F32(0), 0
    for i in range(0, index.shape[0], every):
        for j in range(1, index.shape[1]):
            a, b = index[i, j - 1], index[i, j]
            if a < 0 or b < 0:
                continue
            cross = points[a, 0] * points[b, 1] - points[a, 1] * points[b, 0]
            dot = points[a, 0] * points[b, 0] + points[a, 1] * points[b, 1]
            turns += 1 if cross > F32(0) else -1
            total += abs(cross) / np.sqrt(cross * cross + dot * dot + F32(1e-20))
            count += 1
    return (1.0 if turns >= 0 else -1.0), (total / F32(count) if count else F32(0))


@njit(**_OPTIONS)
def gather(
    points: Array,
    index: Array,
    range_m: Array,
    matrix: Array,
    bounds: Array,
    seam: tuple[float, float, float],
    vertices: Array,
    in_camera: Array,
    number: Array,
    blocked: Array,
    starts: Array,
) -> None:
    """Collect the points of each row that the camera may see, in the order of their keys.

    ``matrix`` float32 (3, 4) takes them to the camera. ``bounds`` float32 (5,): smallest and
    largest x / z and y / z that are wanted, and 1, or 0 where every direction is wanted. ``seam``: cosine
    and sine of the azimuth at which keys begin, and the direction in which columns turn.
    Written: ``vertices`` X to SLOPE, ``in_camera`` float32 (3, N) metres of the camera, ``number``
    int32 (N,) of the point, ``blocked`` uint8 (N,), 1 where a beam without return lies between a
    vertex and the one before it (before the row's first: its last), and ``starts`` int64 (rows +
    1,).
    """
    m00, m01, m02, m03 = matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[0, 3]
    m10, m11, m12, m13 = matrix[1, 0], matrix[1, 1], matrix[1, 2], matrix[1, 3]
    m20, m21, m22, m23 = matrix[2, 0], matrix[2, 1], matrix[2, 2], matrix[2, 3]
    cosine, sine, way = F32(seam[0]), F32(seam[1]), F32(seam[2])
    everywhere = bounds[4] == F32(0)
    columns = index.shape[1]
    row_number, row_key = np.empty(columns, np.int32), np.empty(columns, np.float32)
    row_camera, row_blocked = np.empty((3, columns), np.float32), np.empty(columns, np.uint8)
    row_range = np.empty(columns, np.float32)
    at = 0
    for i in range(index.shape[0]):
        starts[i] = at
        count, first, least = 0, 0, F32(5)
        block = np.uint8(0)
        for j in range(columns):
            n = index[i, j]
            if n < 0:
                block |= np.uint8(n == EMPTY_BEAM)
                continue
            px, py, pz = points[n, 0], points[n, 1], points[n, 2]
            z = m20 * px + m21 * py + m22 * pz + m23
            x = m00 * px + m01 * py + m02 * pz + m03
            y = m10 * px + m11 * py + m12 * pz + m13
            inside = (
                (z > F32(0))
                & (x >= bounds[0] * z)
                & (x <= bounds[1] * z)
                & (y >= bounds[2] * z)
                & (y <= bounds[3] * z)
            )
            if not (inside | everywhere):
                continue
            # An angle without a transcendental: it rises from 0 to 4 in a turn.
            a, b = cosine * px + sine * py, (cosine * py - sine * px) * way
            part = a / (abs(a) + abs(b) + F32(1e-30))
            key = F32(1) - part if b >= F32(0) else F32(3) + part
            if key < least:
                least, first = key, count
            row_number[count], row_key[count], row_range[count] = n, key, range_m[i, j]
            row_camera[0, count], row_camera[1, count], row_camera[2, count] = x, y, z
            row_blocked[count] = block
            block = np.uint8(0)
            count += 1
        if count:
            row_blocked[0] |= block
        for k in range(count):
            m = first + k
            m -= count if m >= count else 0
            n = row_number[m]
            px, py, pz = points[n, 0], points[n, 1], points[n, 2]
            inverse = F32(1) / np.sqrt(px * px + py * py + F32(1e-12))
            vertices[at, X], vertices[at, Y], vertices[at, Z] = px, py, pz
            vertices[at, RANGE], vertices[at, KEY] = row_range[m], row_key[m]
            vertices[at, INVERSE], vertices[at, SLOPE] = inverse, pz * inverse
            in_camera[0, at], in_camera[1, at] = row_camera[0, m], row_camera[1, m]
            in_camera[2, at] = row_camera[2, m]
            number[at], blocked[at] = n, row_blocked[m]
            at += 1
    starts[index.shape[0]] = at


@njit(**_OPTIONS)
def lean_rows(vertices: Array, starts: Array, widest: float) -> None:
    """Write how the surface leans at each vertex, towards the row above and the row below.

    ``vertices`` ABOVE and BELOW: the change of INVERSE for one of SLOPE, from the vertex of that
    row that is nearest in azimuth; it is constant on a plane. NaN where there is none.
    """
    vertices[:, ABOVE] = np.nan
    vertices[:, BELOW] = np.nan
    upper = -1
    for row in range(starts.shape[0] - 1):
        if starts[row] == starts[row + 1]:
            continue
        if upper >= 0:
            a0, a1, b0, b1 = starts[upper], starts[upper + 1], starts[row], starts[row + 1]
            _lean(vertices, a0, a1, b0, b1, F32(widest), BELOW)
            _lean(vertices, b0, b1, a0, a1, F32(widest), ABOVE)
        upper = row


@njit(**_OPTIONS)
def _lean(
    vertices: Array, first: int, end: int, other: int, other_end: int, widest: float, field: int
) -> None:
    m = other
    for k in range(first, end):
        key = vertices[k, KEY]
        while m + 1 < other_end and abs(vertices[m + 1, KEY] - key) <= abs(vertices[m, KEY] - key):
            m += 1
        if _beside(vertices, k, m, widest):
            up = vertices[m, SLOPE] - vertices[k, SLOPE]
            vertices[k, field] = (vertices[m, INVERSE] - vertices[k, INVERSE]) / up


@njit(**_OPTIONS)
def join_rows(
    vertices: Array, starts: Array, blocked: Array, widest: float, limits: Array, joined: Array
) -> None:
    """Write 1 to ``joined`` uint8 (N,) where a vertex and the one before it in its row are of one surface.

    Before a row's first comes its last. ``widest``: sine of the largest angle between them.
    """
    for row in range(starts.shape[0] - 1):
        first, end = starts[row], starts[row + 1]
        count = end - first
        for k in range(first, end):
            before = k - 1 if k > first else end - 1
            near = count > 1 and blocked[k] == 0 and _beside(vertices, before, k, F32(widest))
            if near and not _level(vertices, before, k, limits):
                beyond = before - 1 if before > first else end - 1
                after = k + 1 if k + 1 < end else first
                near = _explained_along(vertices, beyond, before, k, widest, limits) or (
                    _explained_along(vertices, after, k, before, widest, limits)
                )
            joined[k] = np.uint8(near)


@njit(inline="always", **_OPTIONS)
def _beside(vertices: Array, a: int, b: int, widest: float) -> bool:
    """Tell whether the azimuths of two vertices differ by less than an angle of this sine."""
    cross = vertices[a, X] * vertices[b, Y] - vertices[a, Y] * vertices[b, X]
    dot = vertices[a, X] * vertices[b, X] + vertices[a, Y] * vertices[b, Y]
    per = vertices[a, INVERSE] * vertices[b, INVERSE]
    return (dot > F32(0)) & (abs(cross) * per <= widest)


@njit(inline="always", **_OPTIONS)
def _level(vertices: Array, a: int, b: int, limits: Array) -> bool:
    """Tell whether a line between two vertices is not too steep against the beams."""
    dx, dy = vertices[a, X] - vertices[b, X], vertices[a, Y] - vertices[b, Y]
    dz, along = vertices[a, Z] - vertices[b, Z], abs(vertices[a, RANGE] - vertices[b, RANGE])
    across2 = dx * dx + dy * dy + dz * dz - along * along
    nearer = min(vertices[a, RANGE], vertices[b, RANGE])
    noise = F32(3) * nearer * vertices[a, NOISE]
    past = along - noise
    flat = (past * past <= limits[0] * limits[0] * across2) & (past <= limits[1] * nearer)
    return (past <= F32(0)) | flat


@njit(**_OPTIONS)
def _explained_along(vertices: Array, c: int, a: int, b: int, widest: float, limits: Array) -> bool:
    """Tell whether b lies where the line from c through a goes on, all in one row.

    1 / distance is linear in the azimuth, for the small angles between them.
    """
    if not _beside(vertices, c, a, F32(widest)):
        return False
    first = _angle(vertices, c, a)
    if first < F32(1e-5):
        return False
    wa, wb, wc = vertices[a, INVERSE], vertices[b, INVERSE], vertices[c, INVERSE]
    expected = wa + (wa - wc) * _angle(vertices, a, b) / first
    return abs(expected - wb) <= limits[2] * abs(wb - wa)


@njit(inline="always", **_OPTIONS)
def _angle(vertices: Array, a: int, b: int) -> float:
    cross = vertices[a, X] * vertices[b, Y] - vertices[a, Y] * vertices[b, X]
    return abs(cross) * vertices[a, INVERSE] * vertices[b, INVERSE]


@njit(**_OPTIONS)
def triangulate(
    vertices: Array,
    starts: Array,
    joined: Array,
    widest: float,
    limits: Array,
    triangles: Array,
    rim: Array,
) -> int:
    """Write the triangles between each row and the next; return how many there are.

    A strip goes on from the row that lags behind in azimuth, so that rows may be staggered. Rows
    end with their first vertex, one turn on, so that a full revolution is closed. ``triangles`` int32 (2 N, 3) of vertices; ``rim`` uint8 (N,), zero before:
    set to 1 for vertices at which the surface ends.
    """
    wide = F32(widest)
    count, upper = 0, -1
    for row in range(starts.shape[0] - 1):
        b0, b1 = starts[row], starts[row + 1]
        if b0 == b1:
            continue
        if upper < 0:
            upper = row
            continue
        a0, a1 = starts[upper], starts[upper + 1]
        upper = row
        i, j, a, b = a0, b0, a0, b0
        key_a, key_b = _next_key(vertices, i, a0, a1), _next_key(vertices, j, b0, b1)
        bridged = _bridged(vertices, a, b, wide, limits)
        for _ in range(a1 - a0 + b1 - b0):
            if key_a <= key_b:
                i += 1
                c = i if i < a1 else a0
                key_a = _next_key(vertices, i, a0, a1)
                next_a, next_b = c, b
            else:
                j += 1
                c = j if j < b1 else b0
                key_b = _next_key(vertices, j, b0, b1)
                next_a, next_b = a, c
            across = _bridged(vertices, next_a, next_b, wide, limits)
            if bridged and across and joined[c]:
                triangles[count, 0], triangles[count, 1], triangles[count, 2] = a, b, c
                count += 1
            else:
                ra, rb, rc = vertices[a, RANGE], vertices[b, RANGE], vertices[c, RANGE]
                limit = min(ra, rb, rc) * F32(1.05)
                rim[a] |= np.uint8(ra <= limit)
                rim[b] |= np.uint8(rb <= limit)
                rim[c] |= np.uint8(rc <= limit)
            a, b, bridged = next_a, next_b, across
    return count


@njit(inline="always", **_OPTIONS)
def _next_key(vertices: Array, at: int, first: int, end: int) -> float:
    """Return the key of the vertex after one, beyond a row's end that of its first, a turn on."""
    if at >= end:
        return F32(9)
    return vertices[at + 1, KEY] if at + 1 < end else vertices[first, KEY] + _FULL_KEY


@njit(**_OPTIONS)
def _bridged(vertices: Array, a: int, b: int, widest: float, limits: Array) -> bool:
    """Tell whether a vertex and one of the row below are of one surface.

    They are if the line between them is not too steep, or one lies where the surface leads that
    the other has with the row beyond.
    """
    step = vertices[b, INVERSE] - vertices[a, INVERSE]
    down = vertices[b, SLOPE] - vertices[a, SLOPE]
    allowed = limits[2] * abs(step)
    explained = (abs(vertices[a, ABOVE] * down - step) <= allowed) | (
        abs(vertices[b, BELOW] * down - step) <= allowed
    )
    return _beside(vertices, a, b, widest) & (_level(vertices, a, b, limits) | explained)


@njit(**_OPTIONS)
def draw_triangles(vertices: Array, triangles: Array, turn_px: float, layer: Array) -> None:
    """Draw triangles at the pixel centres that they hold, rim included; the nearest surface wins.

    ``layer`` float64 (H, W): inverse depth and uncertainty in one number (:data:`UNIT`), so that
    a pixel is one comparison and one store, without a branch: half the triangles' pixels lie
    outside, and no processor guesses which. 1 / z is linear over the picture of a plane.
    ``turn_px`` is that of a panorama, else 0.
    """
    turn = F32(turn_px)
    height, width = layer.shape
    for n in range(triangles.shape[0]):
        a, b, c = triangles[n, 0], triangles[n, 1], triangles[n, 2]
        au, av, wa = vertices[a, U], vertices[a, V], vertices[a, W]
        bu, bv = vertices[b, U] - au, vertices[b, V] - av
        cu, cv = vertices[c, U] - au, vertices[c, V] - av
        if turn > F32(0):
            bu -= turn * np.rint(bu / turn)
            cu -= turn * np.rint(cu / turn)
        area = bu * cv - bv * cu
        left, right = au + min(F32(0), bu, cu), au + max(F32(0), bu, cu)
        top, bottom = av + min(F32(0), bv, cv), av + max(F32(0), bv, cv)
        if not (
            abs(area) > _FLAT
            and left > _LEFT
            and top > _LEFT
            and right < _RIGHT
            and bottom < _RIGHT
        ):
            continue
        per_area = F32(1) / area
        su, sv, tu, tv = cv * per_area, -cu * per_area, -bv * per_area, bu * per_area
        wb, wc = vertices[b, W] - wa, vertices[c, W] - wa
        wu, wv = su * wb + tu * wc, sv * wb + tv * wc
        noise = (vertices[a, NOISE] + vertices[b, NOISE] + vertices[c, NOISE]) * F32(1 / 3)
        part = np.float64(min(noise, _MOST))
        first_row, end_row = max(int(np.ceil(top - _RIM)), 0), min(int(bottom + _RIM) + 1, height)
        first, end = max(int(np.ceil(left - _RIM)), 0), min(int(right + _RIM) + 1, width)
        for i in range(first_row, end_row):
            line = layer[i]
            v, u = F32(i) - av, F32(first) - au
            s_row, t_row, w_row = v * sv + _RIM, v * tv + _RIM, wa + v * wv
            for j in range(first, end):
                s, t = s_row + u * su, t_row + u * tu
                key = np.floor(np.float64(w_row + u * wu) * UNIT) + part
                before = line[j]
                inside = (s >= F32(0)) & (t >= F32(0)) & (s + t <= _FAR_RIM) & (key > before)
                line[j] = key if inside else before
                u += F32(1)


@njit(**_OPTIONS)
def hide_rims(vertices: Array, rim: Array, view: Array, steps: Array, layer: Array) -> None:
    """Take away what the surface may hide beyond its last beams: it reaches up to the next ones.

    ``view`` float32 (16,): the matrix to the camera, row by row, and fx, fy, cx, cy. ``steps``
    float32 (2,): angles between firings and between rings. ``layer`` as of
    :func:`draw_triangles`: what lies behind becomes minus the inverse depth of what may hide it.
    """
    fx, fy, cx, cy = view[12], view[13], view[14], view[15]
    height, width = layer.shape
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
        half_u, half_v = (
            fx * w * (abs(across_a) + abs(across_b)),
            fy * w * (abs(down_a) + abs(down_b)),
        )
        threshold, hiding = UNIT * w / (_HIDDEN + _HIDDEN_M * w), -UNIT * w
        first_row, first = max(int(np.ceil(v - half_v)), 0), max(int(np.ceil(u - half_u)), 0)
        for i in range(first_row, min(int(np.floor(v + half_v)) + 1, height)):
            for j in range(first, min(int(np.floor(u + half_u)) + 1, width)):
                before = layer[i, j]
                layer[i, j] = min(before, hiding) if before < threshold else before


@njit(**_OPTIONS)
def draw_points(vertices: Array, layer: Array, origin: Array) -> None:
    """Draw each vertex at its nearest pixel, unless something hides it; the nearest of several wins.

    ``layer`` as of :func:`hide_rims`.
    """
    half = F32(0.5)
    bottom, right = F32(layer.shape[0]), F32(layer.shape[1])
    for n in range(vertices.shape[0]):
        u, v, w = vertices[n, U] + half, vertices[n, V] + half, vertices[n, W]
        if not (u >= F32(0) and v >= F32(0) and u < right and v < bottom and w > F32(0)):
            continue
        i, j = np.int64(v), np.int64(u)
        before = layer[i, j]
        nearest, measured = F32(abs(before) * (1 / UNIT)), origin[i, j] == MEASURED
        allowed = nearest if measured else nearest / (_HIDDEN + _HIDDEN_M * nearest)
        if w > allowed or before == 0.0:
            layer[i, j] = np.floor(UNIT * w) + np.float64(min(vertices[n, NOISE], _MOST))
            origin[i, j] = MEASURED
        elif before < 0.0:
            origin[i, j] = OCCLUDED


@njit(**_OPTIONS)
def finish(layer: Array, metres: Array, sigma_m: Array, origin: Array) -> None:
    """Write depth and its standard deviation in metres, and FILLED where no point fell."""
    for i in range(layer.shape[0]):
        for j in range(layer.shape[1]):
            key = layer[i, j]
            units = np.floor(key)
            seen = key > 0.0
            z = F32(UNIT / units) if seen else F32(0)
            metres[i, j] = z
            sigma_m[i, j] = z * F32(key - units)
            filled = seen & (origin[i, j] != MEASURED)
            origin[i, j] = FILLED if filled else origin[i, j]
