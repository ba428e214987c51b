"""Numba kernels that draw a scan's triangles into a camera; float32, without the GIL, one thread.

A vertex is a column of ``vertices``, float32 (VERTEX, N): U, V in pixels; W, the inverse of its depth
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
FILLED = np.uint8(Origin.FILLED)

U, V, W, X, Y, Z, RANGE, KEY, INVERSE, SLOPE, NOISE = range(11)
VERTEX = 11
"""INVERSE is 1 / distance from the z axis, SLOPE the tangent of the elevation, NOISE sigma / range."""

# A triangle's pixels reach this far over its rim, so that rounding leaves no crack between two.
_RIM = F32(1e-4)
_FLAT = F32(1e-6)
# Points farther from the picture than this would overflow an int.
_LEFT, _RIGHT = F32(-1e6), F32(1e6)
_FULL_KEY = F32(4)
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
            vertices[X, at], vertices[Y, at], vertices[Z, at] = px, py, pz
            vertices[RANGE, at], vertices[KEY, at] = row_range[m], row_key[m]
            vertices[INVERSE, at], vertices[SLOPE, at] = inverse, pz * inverse
            in_camera[0, at], in_camera[1, at] = row_camera[0, m], row_camera[1, m]
            in_camera[2, at] = row_camera[2, m]
            number[at], blocked[at] = n, row_blocked[m]
            at += 1
    starts[index.shape[0]] = at


@njit(**_OPTIONS)
def pair_rows(vertices: Array, starts: Array, nearest_above: Array, nearest_below: Array) -> None:
    """Write the vertex of the rows above and below that is nearest in azimuth; -1 for none."""
    nearest_above[:] = -1
    nearest_below[:] = -1
    keys = vertices[KEY]
    upper = -1
    for row in range(starts.shape[0] - 1):
        if starts[row] == starts[row + 1]:
            continue
        if upper >= 0:
            _pair(
                keys, starts[upper], starts[upper + 1], starts[row], starts[row + 1], nearest_below
            )
            _pair(
                keys, starts[row], starts[row + 1], starts[upper], starts[upper + 1], nearest_above
            )
        upper = row


@njit(**_OPTIONS)
def _pair(keys: Array, first: int, end: int, other: int, other_end: int, nearest: Array) -> None:
    m = other
    for k in range(first, end):
        while m + 1 < other_end and abs(keys[m + 1] - keys[k]) <= abs(keys[m] - keys[k]):
            m += 1
        nearest[k] = m


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


@njit(**_OPTIONS)
def _beside(vertices: Array, a: int, b: int, widest: float) -> bool:
    """Tell whether the azimuths of two vertices differ by less than an angle of this sine."""
    cross = vertices[X, a] * vertices[Y, b] - vertices[Y, a] * vertices[X, b]
    dot = vertices[X, a] * vertices[X, b] + vertices[Y, a] * vertices[Y, b]
    per = vertices[INVERSE, a] * vertices[INVERSE, b]
    return dot > F32(0) and abs(cross) * per <= widest


@njit(**_OPTIONS)
def _level(vertices: Array, a: int, b: int, limits: Array) -> bool:
    """Tell whether a line between two vertices is not too steep against the beams."""
    dx, dy = vertices[X, a] - vertices[X, b], vertices[Y, a] - vertices[Y, b]
    dz, along = vertices[Z, a] - vertices[Z, b], abs(vertices[RANGE, a] - vertices[RANGE, b])
    across2 = dx * dx + dy * dy + dz * dz - along * along
    nearer = min(vertices[RANGE, a], vertices[RANGE, b])
    noise = F32(3) * nearer * vertices[NOISE, a]
    past = along - noise
    return past <= F32(0) or (
        past * past <= limits[0] * limits[0] * across2 and past <= limits[1] * nearer
    )


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
    wa, wb, wc = vertices[INVERSE, a], vertices[INVERSE, b], vertices[INVERSE, c]
    expected = wa + (wa - wc) * _angle(vertices, a, b) / first
    return abs(expected - wb) <= limits[2] * abs(wb - wa)


@njit(**_OPTIONS)
def _angle(vertices: Array, a: int, b: int) -> float:
    cross = vertices[X, a] * vertices[Y, b] - vertices[Y, a] * vertices[X, b]
    return abs(cross) * vertices[INVERSE, a] * vertices[INVERSE, b]


@njit(**_OPTIONS)
def _explained_across(vertices: Array, c: int, a: int, b: int, limits: Array) -> bool:
    """Tell whether b lies where the line from c through a goes on, each in another row.

    1 / distance is linear in the tangent of the elevation on a plane.
    """
    wa, wb, wc = vertices[INVERSE, a], vertices[INVERSE, b], vertices[INVERSE, c]
    first = vertices[SLOPE, a] - vertices[SLOPE, c]
    if abs(first) < F32(1e-5):
        return False
    expected = wa + (wa - wc) * (vertices[SLOPE, b] - vertices[SLOPE, a]) / first
    return abs(expected - wb) <= limits[2] * abs(wb - wa)


@njit(**_OPTIONS)
def draw_mesh(
    vertices: Array,
    starts: Array,
    pairs: tuple[Array, Array],
    joined: Array,
    widest: float,
    limits: Array,
    turn_px: float,
    inverse: Array,
    sigma: Array,
    drawn: Array,
) -> None:
    """Draw the triangles between each row and the next, as strips along both.

    ``pairs`` as of :func:`pair_rows`. ``inverse`` float32 (H, W): the largest inverse depth on
    each pixel; ``sigma`` float32 (H, W): relative standard deviation. ``drawn`` uint8 (N,): 1 for
    vertices of a triangle.
    """
    above, below = pairs
    upper = -1
    for row in range(starts.shape[0] - 1):
        if starts[row] == starts[row + 1]:
            continue
        if upper >= 0:
            a0, a1, b0, b1 = starts[upper], starts[upper + 1], starts[row], starts[row + 1]
            _draw_strip(
                vertices,
                a0,
                a1,
                b0,
                b1,
                above,
                below,
                joined,
                F32(widest),
                limits,
                F32(turn_px),
                inverse,
                sigma,
                drawn,
            )
        upper = row


@njit(**_OPTIONS)
def _draw_strip(
    vertices: Array,
    a0: int,
    a1: int,
    b0: int,
    b1: int,
    above: Array,
    below: Array,
    joined: Array,
    widest: float,
    limits: Array,
    turn_px: float,
    inverse: Array,
    sigma: Array,
    drawn: Array,
) -> None:
    """Draw the strip between two rows: always on from the one that lags behind in azimuth.

    A row ends with its first vertex, one turn on, so that a full revolution is closed.
    """
    i, j = a0, b0
    a, b = a0, b0
    bridged = _bridged(vertices, a, b, above, below, widest, limits)
    while i < a1 or j < b1:
        i_next, j_next = i + 1, j + 1
        key_a = F32(9)
        if i < a1:
            key_a = vertices[KEY, i_next] if i_next < a1 else vertices[KEY, a0] + _FULL_KEY
        key_b = F32(9)
        if j < b1:
            key_b = vertices[KEY, j_next] if j_next < b1 else vertices[KEY, b0] + _FULL_KEY
        if key_a <= key_b:
            c = i_next if i_next < a1 else a0
            i = i_next
            across = _bridged(vertices, c, b, above, below, widest, limits)
            if bridged and across and joined[c]:
                _draw(vertices, a, c, b, turn_px, inverse, sigma)
                drawn[a] = drawn[b] = drawn[c] = 1
            a = c
        else:
            c = j_next if j_next < b1 else b0
            j = j_next
            across = _bridged(vertices, a, c, above, below, widest, limits)
            if bridged and across and joined[c]:
                _draw(vertices, b, c, a, turn_px, inverse, sigma)
                drawn[a] = drawn[b] = drawn[c] = 1
            b = c
        bridged = across


@njit(**_OPTIONS)
def _bridged(
    vertices: Array, a: int, b: int, above: Array, below: Array, widest: float, limits: Array
) -> bool:
    """Tell whether a vertex and one of the row below are of one surface."""
    if not _beside(vertices, a, b, widest):
        return False
    if _level(vertices, a, b, limits):
        return True
    c = above[a]
    if c >= 0 and _beside(vertices, c, a, widest) and _explained_across(vertices, c, a, b, limits):
        return True
    d = below[b]
    return (
        d >= 0 and _beside(vertices, d, b, widest) and _explained_across(vertices, d, b, a, limits)
    )


@njit(**_OPTIONS)
def _draw(
    vertices: Array, a: int, b: int, c: int, turn_px: float, inverse: Array, sigma: Array
) -> None:
    """Draw a triangle at the pixel centres that it holds, rim included; the nearest surface wins."""
    au, av, wa = vertices[U, a], vertices[V, a], vertices[W, a]
    bu, bv = vertices[U, b] - au, vertices[V, b] - av
    cu, cv = vertices[U, c] - au, vertices[V, c] - av
    if turn_px > F32(0):
        bu -= turn_px * np.rint(bu / turn_px)
        cu -= turn_px * np.rint(cu / turn_px)
    wb, wc = vertices[W, b] - wa, vertices[W, c] - wa
    area = bu * cv - bv * cu
    left, right = au + min(F32(0), bu, cu), au + max(F32(0), bu, cu)
    top, bottom = av + min(F32(0), bv, cv), av + max(F32(0), bv, cv)
    if not (
        abs(area) > _FLAT and left > _LEFT and top > _LEFT and right < _RIGHT and bottom < _RIGHT
    ):
        return
    height, width = inverse.shape
    per_area = F32(1) / area
    noise = (vertices[NOISE, a] + vertices[NOISE, b] + vertices[NOISE, c]) / F32(3)
    first_row, end_row = max(int(np.ceil(top - _RIM)), 0), min(int(bottom + _RIM) + 1, height)
    first, end = max(int(np.ceil(left - _RIM)), 0), min(int(right + _RIM) + 1, width)
    su, sv = cv * per_area, -cu * per_area
    tu, tv = -bv * per_area, bu * per_area
    for i in range(first_row, end_row):
        v = F32(i) - av
        for j in range(first, end):
            u = F32(j) - au
            s, t = u * su + v * sv, u * tu + v * tv
            if s >= -_RIM and t >= -_RIM and s + t <= F32(1) + _RIM:
                w = wa + s * wb + t * wc
                if w > inverse[i, j]:
                    inverse[i, j] = w
                    sigma[i, j] = noise


@njit(**_OPTIONS)
def merge(inverse: Array, sigma: Array, metres: Array, sigma_m: Array, origin: Array) -> None:
    """Lay the mesh over the measured points: it fills, and covers those that lie behind it.

    ``metres`` and ``sigma_m`` float32, ``origin`` uint8, all (H, W), those of the points, are
    written.
    """
    for i in range(metres.shape[0]):
        for j in range(metres.shape[1]):
            w = inverse[i, j]
            if w <= F32(0):
                continue
            z = F32(1) / w
            at = metres[i, j]
            if at > F32(0) and at <= z * F32(1.05) + F32(0.1):
                continue
            metres[i, j], sigma_m[i, j], origin[i, j] = z, z * sigma[i, j], FILLED
