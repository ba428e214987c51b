"""Colour of points on a scene's surface; compiled, one thread, without the GIL."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_CELLS_M = (0.30, 0.09, 0.028, 0.011)
_CONTRASTS = (0.55, 0.55, 0.5, 0.4)
_LIGHT_M = (0.3, -0.2, 2.0)


@njit(cache=True, nogil=True)
def _random(i: int, j: int, seed: int) -> float:
    """Return a number in [0, 1) that looks random, from two integers and a seed."""
    h = (i * 374761393 + j * 668265263 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return (h ^ (h >> 15)) * (1.0 / 4294967296.0)


@njit(cache=True, nogil=True)
def value_noise(a: float, b: float, seed: int) -> float:
    """Return noise in [0, 1) that is smooth between the integers (a, b)."""
    i, j = int(np.floor(a)), int(np.floor(b))
    x, y = a - i, b - j
    x, y = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y)
    low = _random(i, j, seed) * (1.0 - x) + _random(i + 1, j, seed) * x
    high = _random(i, j + 1, seed) * (1.0 - x) + _random(i + 1, j + 1, seed) * x
    return low * (1.0 - y) + high * y


@njit(cache=True, nogil=True)
def _grain(a_m: float, b_m: float, footprint_m: float, seed: int) -> float:
    """Return noise about 0 of several cell sizes; sizes that a pixel cannot resolve fade out."""
    total = 0.0
    for level in range(4):
        cell_m = _CELLS_M[level]
        weight = min(1.0, cell_m / footprint_m - 1.0)
        if weight > 0.0:
            noise = value_noise(a_m / cell_m, b_m / cell_m, seed + level) - 0.5
            total += weight * _CONTRASTS[level] * noise
    return total


@njit(cache=True, nogil=True)
def _square_wave(a: float, blur: float) -> float:
    """Return 0 and 1 by turns, half a unit each, with edges as soft as a pixel is wide."""
    phase = a - np.floor(a)
    distance = min(phase, 1.0 - phase, abs(phase - 0.5))
    soft = min(0.5, distance / max(blur, 1e-6))
    return float(0.5 + soft if phase < 0.5 else 0.5 - soft)


@njit(cache=True, nogil=True)
def _planks(a: float, b: float, blur: float, seed: int) -> float:
    row = int(np.floor(b))
    along = a / 9.0 + 0.37 * row
    tone = 0.7 * _random(int(np.floor(along)), row, seed)
    gap_b = min(b - row, 1.0 - b + row)
    gap_a = 9.0 * min(along - np.floor(along), 1.0 - along + np.floor(along))
    gap = min(1.0, max(0.0, 1.0 - (min(gap_a, gap_b) - 0.02) / max(blur, 0.01)))
    return float(max(tone, gap))


@njit(cache=True, nogil=True)
def _mosaic(a: float, b: float, seed: int) -> float:
    """Return the tone of squares of random size: large ones, some of them split twice."""
    for level in range(3):
        i, j = int(np.floor(a)), int(np.floor(b))
        if level == 2 or _random(i, j, seed + 31 * level) < 0.35:
            return _random(i, j, seed + 7 + level)
        a, b = 2.0 * a, 2.0 * b
    return 0.0


@njit(cache=True, nogil=True)
def _dots(a: float, b: float, blur: float) -> float:
    x, y = a - np.floor(a) - 0.5, b - np.floor(b) - 0.5
    return float(min(1.0, max(0.0, 0.5 + (0.28 - np.sqrt(x * x + y * y)) / max(blur, 0.02))))


@njit(cache=True, nogil=True)
def _tone(pattern: int, at: tuple[float, float], blur: float, seed: int) -> float:
    """Return where between its two colours a pattern stands, 0 to 1."""
    a, b = at
    tone = 0.0
    if pattern == 1:
        tone = _planks(a, b, blur, seed)
    elif pattern == 2:
        first, second = _square_wave(a / 2, blur / 2), _square_wave(b / 2, blur / 2)
        tone = first * (1.0 - second) + second * (1.0 - first)
    elif pattern == 3:
        tone = _square_wave(a / 2, blur / 2)
    elif pattern == 4:
        tone = _mosaic(a / 4, b / 4, seed)
    elif pattern == 5:
        tone = _random(int(np.floor(a)), 1, seed)
    elif pattern == 6:
        tone = _dots(a, b, blur)
    else:
        tone = value_noise(a, b, seed)
    return tone


@njit(cache=True, nogil=True)
def _light(point: NDArray[np.float64], normal: NDArray[np.float32]) -> float:
    """Return the brightness of a matt surface under a sky, a window and a lamp."""
    x, y, z = _LIGHT_M[0] - point[0], _LIGHT_M[1] - point[1], _LIGHT_M[2] - point[2]
    square = x * x + y * y + z * z
    lamp = max(0.0, (normal[0] * x + normal[1] * y + normal[2] * z) / np.sqrt(square))
    window = max(0.0, 0.9 * normal[0] + 0.2 * normal[1] + 0.39 * normal[2])
    return float(0.50 + 0.08 * normal[2] + 0.22 * window + 0.55 * lamp / (1.0 + square / 6.0))


@njit(cache=True, nogil=True)
def rays_of(
    xy: NDArray[np.float32], rotation: NDArray[np.float32], origin_m: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return rays (origin, direction) in world coordinates, float32 (N, 6).

    ``xy`` is (N, 2) of a ray table. Directions are those of (x, y, 1), not normalised, so that a
    ray reaches its hit after exactly z; where the table has no ray the direction is 0.
    """
    rays = np.zeros((len(xy), 6), dtype=np.float32)
    for n in range(len(xy)):
        x, y = xy[n, 0], xy[n, 1]
        for c in range(3):
            rays[n, c] = origin_m[c]
            if np.isfinite(x) and np.isfinite(y):
                rays[n, 3 + c] = rotation[c, 0] * x + rotation[c, 1] * y + rotation[c, 2]
    return rays


@njit(cache=True, nogil=True)
def cosines(rays: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return abs(cos) of the angles between rays (N, 6) and normals (N, 3), float32 (N,)."""
    result = np.zeros(len(rays), dtype=np.float32)
    for n in range(len(rays)):
        dot, square = np.float32(0), np.float32(0)
        for c in range(3):
            dot += rays[n, 3 + c] * normals[n, c]
            square += rays[n, 3 + c] * rays[n, 3 + c]
        if square > 0:
            result[n] = min(np.float32(1), abs(dot) / np.sqrt(square))
    return result


@njit(cache=True, nogil=True)
def shade(
    rays: NDArray[np.float32],
    z_m: NDArray[np.float32],
    normals: NDArray[np.float32],
    solid_ids: NDArray[np.int32],
    solids: NDArray[np.float64],
    pixel_rad: float,
) -> NDArray[np.uint8]:
    """Return the colour that rays (N, 6) find after ``z_m``, uint8 (N, 3).

    Rays whose solid is -1 are black. The colour depends on the place, not on the direction of
    view; ``pixel_rad`` times depth is the finest texture that is shown.
    """
    colors = np.zeros((len(rays), 3), dtype=np.uint8)
    point = np.empty(3)
    for n in range(len(rays)):
        if solid_ids[n] < 0:
            continue
        row, normal = solids[solid_ids[n]], normals[n]
        for c in range(3):
            point[c] = rays[n, c] + z_m[n] * rays[n, 3 + c]
        x, y, z = point[0] - row[9], point[1] - row[10], point[2] - row[11]
        px = row[0] * x + row[1] * y + row[2] * z
        py = row[3] * x + row[4] * y + row[5] * z
        pz = row[6] * x + row[7] * y + row[8] * z
        nx = abs(row[0] * normal[0] + row[1] * normal[1] + row[2] * normal[2])
        ny = abs(row[3] * normal[0] + row[4] * normal[1] + row[5] * normal[2])
        nz = abs(row[6] * normal[0] + row[7] * normal[1] + row[8] * normal[2])
        # Painted along the axis that the surface faces most, as on the sides of a box.
        a, b, side = px, pz, 0
        if nx > ny and nx > nz:
            a, b, side = py, pz, 1
        elif nz > ny:
            a, b, side = px, py, 2
        size_m, seed = row[19], int(row[21]) + 101 * side
        footprint_m = max(1e-6, z_m[n] * pixel_rad)
        tone = _tone(int(row[18]), (a / size_m, b / size_m), footprint_m / size_m, seed)
        bright = _light(point, normal) * (1.0 + row[20] * _grain(a, b, footprint_m, seed + 50))
        for c in range(3):
            color = row[12 + c] * (1.0 - tone) + row[15 + c] * tone
            colors[n, c] = int(min(255.0, max(0.0, 255.0 * color * bright)))
    return colors


@njit(cache=True, nogil=True)
def facing(
    middles: NDArray[np.float32],
    normals: NDArray[np.float32],
    seen: NDArray[np.bool_],
    eye_m: NDArray[np.float32],
    forward: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Return which triangles, not seen yet, face an eye and lie in front of it."""
    found = np.empty(len(middles), dtype=np.int64)
    count = 0
    for n in range(len(middles)):
        if seen[n]:
            continue
        x, y, z = middles[n, 0] - eye_m[0], middles[n, 1] - eye_m[1], middles[n, 2] - eye_m[2]
        ahead = x * forward[0] + y * forward[1] + z * forward[2]
        if ahead > 0 and x * normals[n, 0] + y * normals[n, 1] + z * normals[n, 2] < 0:
            found[count] = n
            count += 1
    return found[:count]
