"""Numba kernels that draw points into the picture of a camera; float32, one thread.

Blocks of points go through three loops, of which the first two are straight enough for LLVM to
vectorise: into the camera's axes, with a test against a box of rays that holds the picture, so
that nothing is divided for the five of six points of a scan that the picture does not show; then,
of what is left, through the lens; then one by one into the picture.

``view`` is everywhere float32 (31,), see
:func:`sensorfusion.depth.projection.view_of_cloud`.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32
PINHOLE, BROWN_CONRADY, INVERSE_BROWN_CONRADY, KANNALA_BRANDT, SPHERICAL = range(5)

_BLOCK = 512
# Minimax fit of atan(t) / t in powers of t^2 over 0 <= t <= 1: off by 1.4e-8 rad at most.
_ATAN = tuple(
    F32(value)
    for value in (
        1.0,
        -0.333330929,
        0.199930534,
        -0.142071337,
        0.106546745,
        -0.0753367022,
        0.0430392995,
        -0.0162829664,
        0.00290354202,
    )
)
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8 = _ATAN
_HALF_PI, _PI = F32(np.pi / 2), F32(np.pi)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}


@njit(**_OPTIONS)
def project(flat: Array, stride: int, model: int, view: Array, depth: Array, rows: Array) -> int:
    """Draw points, the nearest of several wins, the first of equals; return how many are inside.

    ``flat`` float32 (N * stride,), x y z first in each of N rows of ``stride`` 3 or 4; ``depth``
    float32 (H, W) and ``rows`` int32 (H, W), the row of the point that a pixel shows: both are
    drawn over, 0 and -1 where empty. ``rows`` of another size is left alone.
    """
    count, inside = flat.shape[0] // stride, 0
    points = np.empty((3, _BLOCK), np.float32)
    triples, fourth = np.empty(3 * _BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    kept = np.empty((3, _BLOCK + 8), np.float32)
    marks = np.zeros(_BLOCK, np.uint8)
    words = marks.view(np.uint64)
    numbers = np.empty(_BLOCK + 8, np.int32)
    pixels = np.empty(_BLOCK + 8, np.int32)
    height, width = depth.shape
    target, target_rows = depth.reshape(-1), rows.reshape(-1)
    indexed = target_rows.shape[0] == target.shape[0]
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        if size < _BLOCK:
            marks[:] = 0
        block = flat[start * stride : (start + size) * stride]
        if stride == 4:
            _drop_fourth(block, triples, fourth)
            _mark(triples[: 3 * size], model, view, points, marks)
        else:
            _mark(block, model, view, points, marks)
        found = _keep(points, words, kept, numbers)
        if found == 0:
            continue
        _to_pixels(kept, found, model, view, height, width, pixels)
        if indexed:
            inside += _draw_rows(kept[2], numbers, pixels, found, start, target, target_rows)
        else:
            inside += _draw(kept[2], pixels, found, target)
    return inside


@njit(**_OPTIONS)
def number_in_box(flat: Array, view: Array, numbers: Array) -> int:
    """Write the rows of the points in the box of rays of ``view``; return how many there are.

    ``flat`` float32 (N * 3,); ``numbers`` int32 (N + 8,), of which the first are written.
    """
    count, found = flat.shape[0] // 3, np.int64(0)
    points = np.empty((3, _BLOCK), np.float32)
    marks = np.zeros(_BLOCK, np.uint8)
    words = marks.view(np.uint64)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        if size < _BLOCK:
            marks[:] = 0
        _mark(flat[start * 3 : (start + size) * 3], PINHOLE, view, points, marks)
        for w in range(words.shape[0]):
            word = words[w]
            if word == np.uint64(0):
                continue
            for k in range(8):
                numbers[found] = start + 8 * w + k
                found += np.int64((word >> np.uint64(8 * k)) & np.uint64(1))
    return found


@njit(**_OPTIONS)
def find_pixels(flat: Array, model: int, view: Array, size: tuple[int, int], pixels: Array) -> None:
    """Write the flat pixel that shows each point, -1 for none.

    ``flat`` float32 (N * 3,); ``size``: height and width; ``pixels`` int32 (N,).
    """
    count = flat.shape[0] // 3
    points, marks = np.empty((3, count), np.float32), np.empty(count, np.uint8)
    _mark(flat, model, view, points, marks)
    _to_pixels(points, count, model, view, size[0], size[1], pixels)
    for n in range(count):
        pixels[n] = pixels[n] if marks[n] else np.int32(-1)


@njit(**_OPTIONS)
def _drop_fourth(block: Array, triples: Array, fourth: Array) -> None:
    """Move x y z of rows of four together.

    The fourth is written, too, though nobody reads it: LLVM vectorises loads of all of a row, and
    leaves those of three out of four alone, which takes three times as long.
    """
    for n in range(block.shape[0] // 4):
        triples[3 * n] = block[4 * n]
        triples[3 * n + 1] = block[4 * n + 1]
        triples[3 * n + 2] = block[4 * n + 2]
        fourth[n] = block[4 * n + 3]


@njit(**_OPTIONS)
def _mark(block: Array, model: int, view: Array, points: Array, marks: Array) -> None:
    """Write points in the camera's axes, and 1 to ``marks`` where the picture may show them."""
    m00, m01, m02, m03 = view[0], view[1], view[2], view[3]
    m10, m11, m12, m13 = view[4], view[5], view[6], view[7]
    m20, m21, m22, m23 = view[8], view[9], view[10], view[11]
    near, left, right, top, bottom = view[12], view[13], view[14], view[15], view[16]
    out_x, out_y, out_z = points[0], points[1], points[2]
    for n in range(block.shape[0] // 3):
        a, b, c = block[3 * n], block[3 * n + 1], block[3 * n + 2]
        x = m00 * a + m01 * b + m02 * c + m03
        y = m10 * a + m11 * b + m12 * c + m13
        z = m20 * a + m21 * b + m22 * c + m23
        out_x[n], out_y[n], out_z[n] = x, y, z
        seen = (z > near) & (x >= left * z) & (x <= right * z) & (y >= top * z) & (y <= bottom * z)
        marks[n] = np.uint8(seen | (model == SPHERICAL))


@njit(**_OPTIONS)
def _keep(points: Array, words: Array, kept: Array, numbers: Array) -> int:
    """Move the marked points together; return how many there are.

    ``words`` uint64: the marks, eight in one, because scans come ring by ring and most of eight
    neighbours are outside together.
    """
    x, y, z = points[0], points[1], points[2]
    kept_x, kept_y, kept_z = kept[0], kept[1], kept[2]
    found = np.int64(0)
    for w in range(words.shape[0]):
        word = words[w]
        if word == np.uint64(0):
            continue
        for k in range(8):
            n = 8 * w + k
            numbers[found] = n
            kept_x[found], kept_y[found], kept_z[found] = x[n], y[n], z[n]
            found += np.int64((word >> np.uint64(8 * k)) & np.uint64(1))
    return found


@njit(**_OPTIONS)
def _to_pixels(
    kept: Array, found: int, model: int, view: Array, height: int, width: int, pixels: Array
) -> None:
    """Write the flat pixel that shows each point, -1 for none, and range as z of a panorama."""
    x, y, z = kept[0, :found], kept[1, :found], kept[2, :found]
    if model == KANNALA_BRANDT:
        _bend_fisheye(x, y, z, view)
    elif model == SPHERICAL:
        _unroll(x, y, z, view)
    else:
        _bend(x, y, z, model, view)
    half, columns, lines = F32(0.5), F32(width), F32(height)
    for n in range(found):
        u, v = x[n] + half, y[n] + half
        inside = (u >= F32(0)) & (v >= F32(0)) & (u < columns) & (v < lines)
        # What is outside would overflow an int.
        u, v = u if inside else F32(0), v if inside else F32(0)
        pixels[n] = np.int32(v) * np.int32(width) + np.int32(u) if inside else np.int32(-1)


@njit(**_OPTIONS)
def _bend(x: Array, y: Array, z: Array, model: int, view: Array) -> None:
    """Replace x and y by u and v, without a lens and through either Brown-Conrady model."""
    limit2, fx, fy, cx, cy = view[17], view[18], view[19], view[20], view[21]
    k1, k2, p1, p2, k3 = view[23], view[24], view[25], view[26], view[27]
    k4, k5, k6 = view[28], view[29], view[30]
    one, two, nowhere = F32(1), F32(2), F32(np.nan)
    if model == PINHOLE:
        for n in range(x.shape[0]):
            per_z = one / z[n]
            x[n], y[n] = fx * (x[n] * per_z) + cx, fy * (y[n] * per_z) + cy
        return
    inverse = F32(1) if model == INVERSE_BROWN_CONRADY else F32(0)
    for n in range(x.shape[0]):
        per_z = one / z[n]
        i, j = x[n] * per_z, y[n] * per_z
        r2 = i * i + j * j
        radial = (one + r2 * (k1 + r2 * (k2 + r2 * k3))) / (one + r2 * (k4 + r2 * (k5 + r2 * k6)))
        ir, jr = i * radial, j * radial
        # The inverse model puts the radially distorted point into the tangential term.
        a, b = i + inverse * (ir - i), j + inverse * (jr - j)
        u = fx * (ir + two * p1 * a * b + p2 * (r2 + two * a * a)) + cx
        v = fy * (jr + two * p2 * a * b + p1 * (r2 + two * b * b)) + cy
        x[n], y[n] = u if r2 <= limit2 else nowhere, v


@njit(**_OPTIONS)
def _bend_fisheye(x: Array, y: Array, z: Array, view: Array) -> None:
    """Replace x and y by u and v, through a Kannala-Brandt lens."""
    limit2, fx, fy, cx, cy = view[17], view[18], view[19], view[20], view[21]
    k1, k2, k3, k4 = view[23], view[24], view[25], view[26]
    one, nowhere = F32(1), F32(np.nan)
    for n in range(x.shape[0]):
        across2 = x[n] * x[n] + y[n] * y[n]
        across = np.sqrt(across2)
        theta = _angle(across, z[n])
        t2 = theta * theta
        bent = theta * (one + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        scale = bent / across if across2 > F32(0) else F32(0)
        u, v = fx * (x[n] * scale) + cx, fy * (y[n] * scale) + cy
        x[n], y[n] = u if across2 <= limit2 * (z[n] * z[n]) else nowhere, v


@njit(**_OPTIONS)
def _unroll(x: Array, y: Array, z: Array, view: Array) -> None:
    """Replace x, y, z by u, v and range, in a spherical camera."""
    near, fx, fy, cx, cy, turn = view[12], view[18], view[19], view[20], view[21], view[22]
    half, nowhere = F32(0.5), F32(np.nan)
    for n in range(x.shape[0]):
        level = np.sqrt(x[n] * x[n] + z[n] * z[n])
        away = np.sqrt(level * level + y[n] * y[n])
        up = _angle(abs(y[n]), level)
        round_ = _angle(abs(x[n]), abs(z[n]))
        round_ = round_ if z[n] >= F32(0) else _PI - round_
        u = fx * (round_ if x[n] >= F32(0) else -round_) + cx
        u = u + turn if u < -half else u
        u = u - turn if u >= turn - half else u
        x[n] = u if near < away < F32(np.inf) else nowhere
        y[n] = fy * (up if y[n] >= F32(0) else -up) + cy
        z[n] = away


@njit(inline="always", **_OPTIONS)
def _angle(across: float, along: float) -> float:
    """Return the arc tangent of across / along, both >= 0, without a call or a branch."""
    small, large = min(across, along), max(across, along)
    t = small / large if large > F32(0) else F32(0)
    s = t * t
    angle = t * (
        _A0
        + s
        * (_A1 + s * (_A2 + s * (_A3 + s * (_A4 + s * (_A5 + s * (_A6 + s * (_A7 + s * _A8)))))))
    )
    return _HALF_PI - angle if across > along else angle


@njit(**_OPTIONS)
def _draw(z: Array, pixels: Array, found: int, depth: Array) -> int:
    inside = 0
    for n in range(found):
        pixel = pixels[n]
        if pixel >= 0:
            inside += 1
            if depth[pixel] == F32(0) or z[n] < depth[pixel]:
                depth[pixel] = z[n]
    return inside


@njit(**_OPTIONS)
def _draw_rows(
    z: Array, numbers: Array, pixels: Array, found: int, start: int, depth: Array, rows: Array
) -> int:
    inside = 0
    for n in range(found):
        pixel = pixels[n]
        if pixel >= 0:
            inside += 1
            if depth[pixel] == F32(0) or z[n] < depth[pixel]:
                depth[pixel] = z[n]
                rows[pixel] = np.int32(start + numbers[n])
    return inside
