"""Numba kernels of the map that scans are laid on: pieces of surface in cubes; one thread.

A piece belongs to a cube and to one of seven kinds: the six sides that its surface may face (the
axis along which its normal is largest, and its sign), so that both sides of a thin wall, and the
walls of a corner, are different pieces; and what has no normal (leaves, wires, legs of tables).

Rows of ``sums`` float64 (capacity, SUMS): points, x, y, z, xx, xy, xz, yy, yz, zz about the cube's
middle, and the sum of the normals. Rows of ``pieces`` float64 (capacity, PIECE): middle x, y, z;
for a side: normal x, y, z, variance across it; for the rest: the lower triangle of the Cholesky
root of the inverse covariance, 00, 10, 11, 20, 21, 22. POINTS: how many points made it.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion._kernels import plane_of

Array = NDArray[Any]
EMPTY = np.int64(-1)
SUMS, PIECE, POINTS = 13, 10, 9
SIDES = 6
"""Kinds below this have a normal."""
_BIAS = np.int64(1 << 19)
_SCRAMBLE = np.int64(-7046029254386353131)  # 2^64 / golden ratio: Fibonacci hashing
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
# A piece does not change any more after so many points: what came first holds the map together.
_MOST_POINTS = 400.0
# The mean of the normals counts like this spread of the points along the surface, in edges.
_STIFF = 0.06
# What was expected of the spread across a piece counts like so many points.
_DOUBT = 4.0


@njit(**_OPTIONS)
def kind_of(x: float, y: float, z: float) -> int:
    """Return the kind of a piece with this normal."""
    a, b, c = abs(x), abs(y), abs(z)
    if a == 0.0 and b == 0.0 and c == 0.0:
        return SIDES
    if a >= b and a >= c:
        return 0 if x > 0.0 else 1
    if b >= c:
        return 2 if y > 0.0 else 3
    return 4 if z > 0.0 else 5


@njit(**_OPTIONS)
def key_of(i: int, j: int, k: int, kind: int) -> int:
    """Return the key of a cube, each number within +-2^19, and a kind."""
    mask = np.int64((1 << 20) - 1)
    a, b = (np.int64(i) + _BIAS) & mask, (np.int64(j) + _BIAS) & mask
    return (a << 43) | (b << 23) | (((np.int64(k) + _BIAS) & mask) << 3) | np.int64(kind)


@njit(**_OPTIONS)
def find(keys: Array, key: int) -> int:
    """Return the slot that holds a key, or the free slot that it would take."""
    mask = keys.shape[0] - 1
    slot = ((key * _SCRAMBLE) >> 30) & mask
    while keys[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(**_OPTIONS)
def nearest_piece(
    table: tuple[Array, Array],
    pieces: Array,
    place: tuple[float, float, float],
    kind: int,
    scales: tuple[float, float, int],
) -> int:
    """Return the row of the piece that a point lies on or is nearest to, -1 for none.

    ``table``: keys and rows; ``scales``: edge of a cube (m), largest distance (m), and how many
    cubes away along the side's axis to look. A surface may run along the face of two cubes: the
    piece of the next one serves as well.
    """
    keys, rows = table
    edge_m, limit, reach = scales
    x, y, z = place
    fx, fy, fz = x / edge_m, y / edge_m, z / edge_m
    i, j, k = np.int64(np.floor(fx)), np.int64(np.floor(fy)), np.int64(np.floor(fz))
    slot = find(keys, key_of(i, j, k, kind))
    best = np.int64(-1)
    if kind == SIDES:
        return np.int64(rows[slot]) if keys[slot] >= 0 else best
    if keys[slot] >= 0:
        row = rows[slot]
        off = abs(
            pieces[row, 3] * (x - pieces[row, 0])
            + pieces[row, 4] * (y - pieces[row, 1])
            + pieces[row, 5] * (z - pieces[row, 2])
        )
        if off < limit:
            limit, best = off, np.int64(row)
    axis = kind >> 1
    share = fx - i
    if axis == 1:
        share = fy - j
    elif axis == 2:
        share = fz - k
    way = 1 if share >= 0.5 else -1
    for step in range(1, 2 * reach):
        # The nearer side first, then by turns.
        ahead = way * ((step + 1) // 2) * (1 if step & 1 else -1)
        a, b, c = i, j, k
        if axis == 0:
            a += ahead
        elif axis == 1:
            b += ahead
        else:
            c += ahead
        slot = find(keys, key_of(a, b, c, kind))
        if keys[slot] < 0:
            continue
        row = rows[slot]
        off = abs(
            pieces[row, 3] * (x - pieces[row, 0])
            + pieces[row, 4] * (y - pieces[row, 1])
            + pieces[row, 5] * (z - pieces[row, 2])
        )
        if off < limit:
            limit, best = off, np.int64(row)
    return best


@njit(**_OPTIONS)
def insert(
    table: tuple[Array, Array],
    keys_of_rows: Array,
    sums: Array,
    pieces: Array,
    points: Array,
    normals: Array,
    scales: Array,
    count: int,
) -> int:
    """Add points and normals, both float64 (N, 3), world axes; return how many pieces there are.

    ``scales`` float64 (3,): edge of a cube, standard deviation of a point (m), and the distance
    within which a point belongs to a piece that is there. The caller sees to room for N more rows.
    """
    keys, rows = table
    edge_m, sigma_m, within_m = scales[0], scales[1], scales[2]
    touched = np.empty(points.shape[0], np.int64)
    fresh = 0
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        kind = kind_of(normals[n, 0], normals[n, 1], normals[n, 2])
        row = nearest_piece(table, pieces, (x, y, z), kind, (edge_m, within_m, 1))
        if row < 0:
            i = np.int64(np.floor(x / edge_m))
            j = np.int64(np.floor(y / edge_m))
            k = np.int64(np.floor(z / edge_m))
            key = key_of(i, j, k, kind)
            slot = find(keys, key)
            if keys[slot] == EMPTY:
                keys[slot], rows[slot] = key, count
                keys_of_rows[count] = key
                sums[count] = 0.0
                pieces[count] = 0.0
                pieces[count, 0], pieces[count, 1], pieces[count, 2] = x, y, z
                for c in range(3):
                    pieces[count, 3 + c] = normals[n, c]
                count += 1
            row = np.int64(rows[slot])
        held = sums[row]
        if held[0] >= _MOST_POINTS:
            continue
        touched[fresh] = row
        fresh += 1
        middle = cube_middle(keys_of_rows[row], edge_m)
        x, y, z = x - middle[0], y - middle[1], z - middle[2]
        held[0] += 1.0
        held[1] += x
        held[2] += y
        held[3] += z
        held[4] += x * x
        held[5] += x * y
        held[6] += x * z
        held[7] += y * y
        held[8] += y * z
        held[9] += z * z
        for c in range(3):
            held[10 + c] += normals[n, c]
    refresh(keys_of_rows, sums, pieces, touched[:fresh], edge_m, sigma_m)
    return count


@njit(**_OPTIONS)
def cube_middle(key: int, edge_m: float) -> tuple[float, float, float]:
    """Return the middle of a key's cube, metres."""
    mask = np.int64((1 << 20) - 1)
    i = ((key >> 43) & mask) - _BIAS
    j = ((key >> 23) & mask) - _BIAS
    k = ((key >> 3) & mask) - _BIAS
    return ((i + 0.5) * edge_m, (j + 0.5) * edge_m, (k + 0.5) * edge_m)


@njit(**_OPTIONS)
def refresh(
    keys_of_rows: Array, sums: Array, pieces: Array, touched: Array, edge_m: float, sigma_m: float
) -> None:
    """Compute the planes and distributions of rows that have changed."""
    scatter, spread, normal = np.empty(6), np.empty(3), np.empty(3)
    for t in range(touched.shape[0]):
        row = touched[t]
        held, piece = sums[row], pieces[row]
        n = held[0]
        if piece[POINTS] == n:
            continue
        piece[POINTS] = n
        middle = cube_middle(keys_of_rows[row], edge_m)
        x, y, z = held[1] / n, held[2] / n, held[3] / n
        piece[0], piece[1], piece[2] = middle[0] + x, middle[1] + y, middle[2] + z
        scatter[0] = held[4] / n - x * x
        scatter[1] = held[5] / n - x * y
        scatter[2] = held[6] / n - x * z
        scatter[3] = held[7] / n - y * y
        scatter[4] = held[8] / n - y * z
        scatter[5] = held[9] / n - z * z
        if (keys_of_rows[row] & 7) == SIDES:
            _root_of_inverse(scatter, sigma_m * sigma_m, piece)
            continue
        a, b, c = held[10], held[11], held[12]
        length = np.sqrt(a * a + b * b + c * c)
        a, b, c = a / length, b / length, c / length
        stiff = (_STIFF * edge_m) ** 2 / n
        scatter[0] += stiff * (1.0 - a * a)
        scatter[1] -= stiff * a * b
        scatter[2] -= stiff * a * c
        scatter[3] += stiff * (1.0 - b * b)
        scatter[4] -= stiff * b * c
        scatter[5] += stiff * (1.0 - c * c)
        if n < 3.0 or not plane_of(scatter, spread, normal):
            normal[0], normal[1], normal[2] = a, b, c
        sign = 1.0 if normal[0] * a + normal[1] * b + normal[2] * c > 0.0 else -1.0
        a, b, c = sign * normal[0], sign * normal[1], sign * normal[2]
        piece[3], piece[4], piece[5] = a, b, c
        # About the fitted plane, without what the normals' mean added.
        across = (held[4] / n - x * x) * a * a + (held[7] / n - y * y) * b * b
        across += (held[9] / n - z * z) * c * c + 2.0 * (held[5] / n - x * y) * a * b
        across += 2.0 * (held[6] / n - x * z) * a * c + 2.0 * (held[8] / n - y * z) * b * c
        # Few points may lie on a plane by chance. How a beam meets the surface is in it: ranges err
        # along the beam, so that points on a slanted surface lie nearer to it.
        likely = (max(across, 0.0) * n + _DOUBT * sigma_m * sigma_m) / (n + _DOUBT)
        piece[6] = likely * (1.0 + 1.0 / n)


@njit(**_OPTIONS)
def _root_of_inverse(scatter: Array, variance: float, piece: Array) -> None:
    """Write L with L L^T = (scatter + variance I)^-1."""
    xx, yy, zz = scatter[0] + variance, scatter[3] + variance, scatter[5] + variance
    xy, xz, yz = scatter[1], scatter[2], scatter[4]
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    det = xx * a + xy * b + xz * c
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    a, b, c, d, e, f = a / det, b / det, c / det, d / det, e / det, f / det
    piece[3] = np.sqrt(a)
    piece[4] = b / piece[3]
    piece[5] = np.sqrt(max(d - piece[4] * piece[4], 1e-12))
    piece[6] = c / piece[3]
    piece[7] = (e - piece[6] * piece[4]) / piece[5]
    piece[8] = np.sqrt(max(f - piece[6] * piece[6] - piece[7] * piece[7], 1e-12))


@njit(**_OPTIONS)
def enter_all(table: tuple[Array, Array], keys_of_rows: Array, count: int) -> None:
    """Write a table anew from the keys of the rows."""
    keys, rows = table
    keys[:] = EMPTY
    for row in range(count):
        slot = find(keys, keys_of_rows[row])
        keys[slot], rows[slot] = keys_of_rows[row], row


@njit(**_OPTIONS)
def keep_near(
    keys_of_rows: Array, sums: Array, pieces: Array, count: int, centre: Array, far_m: float
) -> int:
    """Close up the rows of pieces that lie within a distance of a place; return how many."""
    kept = 0
    for row in range(count):
        x, y, z = pieces[row, 0] - centre[0], pieces[row, 1] - centre[1], pieces[row, 2] - centre[2]
        if x * x + y * y + z * z > far_m * far_m:
            continue
        keys_of_rows[kept] = keys_of_rows[row]
        sums[kept] = sums[row]
        pieces[kept] = pieces[row]
        kept += 1
    return kept
