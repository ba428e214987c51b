"""Numba kernels that find the triangles of a scan; float32, without the GIL, one thread.

A vertex is a row of ``vertices``, float32 (N, VERTEX): U, V in pixels; W, the inverse of its depth
(z, or the range in a panorama); X, Y, Z and RANGE in metres of the LiDAR; KEY, a number that rises
with the azimuth. Vertices stand row by row, each row in the order of its keys.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.range_image import NO_RETURN

Array = NDArray[Any]
F32 = np.float32
EMPTY_BEAM = np.int32(NO_RETURN)

U, V, W, X, Y, Z, RANGE, KEY, INVERSE, SLOPE, NOISE, ABOVE, BELOW = range(13)
VERTEX = 13
"""INVERSE: 1 / distance from the z axis; SLOPE: tangent of the elevation; NOISE: sigma / range."""

_FULL_KEY = F32(4)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


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
    blocked: Array,
    starts: Array,
) -> None:
    """Collect the points of each row that the camera may see, in the order of their keys.

    ``matrix`` float32 (3, 4) takes them to the camera. ``bounds`` float32 (5,): smallest and
    largest x / z and y / z that are wanted, and 1, or 0 where every direction is. ``seam``: cosine
    and sine of the azimuth at which keys begin, and the direction in which columns turn.
    Written: ``vertices`` X to SLOPE, NaN for ABOVE and BELOW; ``in_camera`` float32 (3, N) metres
    of the camera; ``blocked`` uint8 (N,), 1 where a beam without return lies between a vertex and
    the one before it (before the row's first: its last); ``starts`` int64 (rows + 1,).
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
            vertices[at, ABOVE], vertices[at, BELOW] = F32(np.nan), F32(np.nan)
            in_camera[0, at], in_camera[1, at] = row_camera[0, m], row_camera[1, m]
            in_camera[2, at] = row_camera[2, m]
            blocked[at] = row_blocked[m]
            at += 1
    starts[index.shape[0]] = at


@njit(**_OPTIONS)
def find_triangles(
    vertices: Array,
    starts: Array,
    blocked: Array,
    widest: float,
    limits: Array,
    part: tuple[int, int],
    joined: Array,
    triangles: Array,
    rim: Array,
) -> int:
    """Write the triangles between the rows of a part and the next; return how many there are.

    ``starts`` int64 (rows + 1,), no row empty; ``part``: the first row, and the last, which is
    the first of the next part. Of the rest see :func:`join_rows` and :func:`triangulate`. Threads
    may do a part each, with ``triangles`` and ``rim`` of their own: what else they write to rows
    of each other is the same.
    """
    first, last = part
    lean_rows(vertices, starts[max(first - 1, 0) : last + 3], widest)
    join_rows(vertices, starts[first : last + 2], blocked, widest, limits, joined)
    return triangulate(vertices, starts[first : last + 2], joined, widest, limits, triangles, rim)


@njit(**_OPTIONS)
def lean_rows(vertices: Array, starts: Array, widest: float) -> None:
    """Write how the surface leans at each vertex, towards the row above and the row below.

    ``vertices`` ABOVE and BELOW: the change of INVERSE for one of SLOPE, from the vertex of that
    row that is nearest in azimuth; it is constant on a plane. What has none stays.
    """
    for row in range(1, starts.shape[0] - 1):
        a0, a1, b1 = starts[row - 1], starts[row], starts[row + 1]
        _lean(vertices, a0, a1, a1, b1, F32(widest), BELOW)
        _lean(vertices, a1, b1, a0, a1, F32(widest), ABOVE)


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
    """Write to ``joined`` uint8 (N,) whether a vertex and the one before it are of one surface.

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
    """Tell whether b lies where the line from c through a goes on; 1 / distance is linear there."""
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
    end with their first vertex, one turn on, so that a full revolution is closed. ``triangles``
    int32 (2 N, 3) of vertices: of the upper row, of the lower, of either; ``rim`` uint8 (N,), zero
    before: set to 1 for vertices at which the surface ends.
    """
    wide = F32(widest)
    count = 0
    for row in range(1, starts.shape[0] - 1):
        a0, a1, b1 = starts[row - 1], starts[row], starts[row + 1]
        b0 = a1
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
