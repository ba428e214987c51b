"""Numba kernels between two cameras; float32, without the GIL, one thread.

One thread on purpose: frames run beside each other instead, and a parallel loop of a millisecond
waits tens of milliseconds for its partner when the cores are busy.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sensorfusion.depth._view_kernels import project_row
from sensorfusion.depth_map import Origin

Array = NDArray[Any]
Point = tuple[float, float, float]
F32 = np.float32
NO_RETURN, MEASURED = np.uint8(Origin.NO_RETURN), np.uint8(Origin.MEASURED)
FILLED = np.uint8(Origin.FILLED)

# A triangle's pixels reach this far over its rim, so that rounding leaves no crack between two.
_RIM = F32(1e-4)
_FLAT = F32(1e-6)
# Points farther from the picture than this would overflow an int.
_LEFT, _RIGHT = F32(-1e6), F32(1e6)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def nearest_per_cell(
    depth: Array, rays: Array, view: Array, cells_per_px: float, nearest: Array
) -> None:
    """Write the smallest z in every cell of another camera's picture to ``nearest`` float32."""
    rows, columns = nearest.shape
    right, bottom, per_px, half = F32(columns), F32(rows), F32(cells_per_px), F32(0.5)
    nearest[:] = np.inf
    points = np.empty((3, depth.shape[1]), np.float32)
    for row in range(depth.shape[0]):
        project_row(depth[row], rays[row], view, points)
        for n in range(depth.shape[1]):
            u, v = (points[0, n] + half) * per_px, (points[1, n] + half) * per_px
            if u >= F32(0) and v >= F32(0) and u < right and v < bottom:
                i, j = np.uint32(v), np.uint32(u)
                nearest[i, j] = min(nearest[i, j], points[2, n])


@njit(**_OPTIONS)
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
    points = np.empty((3, depth.shape[1]), np.float32)
    for row in range(depth.shape[0]):
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
            # Rounding can carry the last pixel's edge one cell too far.
            i = min(np.uint32((v + half) * cells_per_px), np.uint32(farthest.shape[0] - 1))
            j = min(np.uint32((u + half) * cells_per_px), np.uint32(farthest.shape[1] - 1))
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


@njit(**_OPTIONS)
def render(
    depth: Array,
    rays: Array,
    view: Array,
    footprint_px: tuple[float, float],
    tolerance: tuple[float, float],
    layers: Array,
) -> None:
    """Draw a depth map into another camera: surfaces as triangles, the rest as rectangles.

    ``footprint_px``: width and height of a source pixel at equal depth, in target pixels;
    ``tolerance``: slope and noise within which neighbours are one surface. ``layers`` float32
    (2, H, W) of the target, 0 at first: 1 / z of surfaces and of rectangles, the nearest kept.
    """
    height, width = depth.shape
    points = np.empty((2, 3, width), np.float32)
    surface = np.zeros((2, width + 1), np.uint8)
    project_row(depth[0], rays[0], view, points[0])
    for v in range(height):
        this, other = v % 2, (v + 1) % 2
        if v + 1 < height:
            project_row(depth[v + 1], rays[v + 1], view, points[other])
            _mark_surface(depth[v], depth[v + 1], tolerance, surface[this])
            _draw_cells(points[this], points[other], surface[this], layers[0])
        else:
            surface[this] = 0
        _draw_rectangles(depth[v], points[this], surface, footprint_px, layers[1])


@njit(**_OPTIONS)
def merge(layers: Array, tolerance: tuple[float, float], metres: Array, origin: Array) -> None:
    """Merge what was drawn into ``metres`` float32 and ``origin`` uint8 (H, W).

    ``layers`` float32 (3, H, W): those of :func:`render`, then that of :func:`draw_points`.
    """
    slope, noise_per_m = F32(1) + F32(tolerance[0]), F32(tolerance[1])
    for v in range(metres.shape[0]):
        for u in range(metres.shape[1]):
            surface, rest, point = layers[0, v, u], layers[1, v, u], layers[2, v, u]
            # A rectangle has one depth for all of a pixel: it yields to a surface unless it is in
            # front by more than a jump. A difference dz is dz / z^2 in 1 / z.
            in_front = surface == F32(0) or rest > surface * slope + noise_per_m
            per_m = rest if in_front else surface
            # A point hidden by more than a jump was not measured here.
            measured = point > F32(0) and per_m <= point * slope + noise_per_m
            seen = per_m > F32(0)
            metres[v, u] = F32(1) / per_m if seen else F32(0)
            origin[v, u] = (MEASURED if measured else FILLED) if seen else NO_RETURN


@njit(**_OPTIONS)
def draw_points(depth: Array, origin: Array, rays: Array, view: Array, layer: Array) -> None:
    """Keep the largest 1 / z of the measured points that fall on each pixel of ``layer``.

    ``origin`` uint8, like ``depth``; ``layer`` float32 (H, W) of the target, 0 at first.
    """
    half = F32(0.5)
    right, bottom = F32(layer.shape[1]) - half, F32(layer.shape[0]) - half
    points = np.empty((3, depth.shape[1]), np.float32)
    for row in range(depth.shape[0]):
        project_row(depth[row], rays[row], view, points)
        for n in range(depth.shape[1]):
            u, v = points[0, n], points[1, n]
            inside = u >= -half and v >= -half and u < right and v < bottom
            if inside and origin[row, n] == MEASURED:
                i, j = np.uint32(v + half), np.uint32(u + half)
                layer[i, j] = max(layer[i, j], F32(1) / points[2, n])


@njit(**_OPTIONS)
def _mark_surface(
    upper: Array, lower: Array, tolerance: tuple[float, float], surface: Array
) -> None:
    """Mark the cells between two rows of depth whose four pixels belong to one surface.

    ``surface`` uint8 (W + 1,): cell n lies left of pixel n; the first and last are outside.
    """
    slope, noise_per_m = F32(tolerance[0]), F32(tolerance[1])
    for n in range(upper.shape[0] - 1):
        a, b, c, d = upper[n], upper[n + 1], lower[n], lower[n + 1]
        near, far = min(a, b, c, d), max(a, b, c, d)
        whole = (near > F32(0)) & (far - near <= near * (slope + noise_per_m * near))
        surface[n + 1] = np.uint8(1) if whole else np.uint8(0)


@njit(**_OPTIONS)
def _draw_rectangles(
    depth: Array, points: Array, surface: Array, footprint_px: tuple[float, float], layer: Array
) -> None:
    """Draw each pixel that is no corner of four surface cells as the rectangle it covers.

    A rectangle is at least one target pixel, so that nothing vanishes in a coarser camera.
    """
    footprint_u, footprint_v, half = F32(footprint_px[0]), F32(footprint_px[1]), F32(0.5)
    height, width = layer.shape
    for n in range(depth.shape[0]):
        if surface[0, n] & surface[0, n + 1] & surface[1, n] & surface[1, n + 1]:
            continue
        u, v, z = points[0, n], points[1, n], points[2, n]
        if not (u > _LEFT and v > _LEFT and u < _RIGHT and v < _RIGHT):
            continue
        nearer = depth[n] / z
        half_u, half_v = (
            half * max(F32(1), footprint_u * nearer),
            half * max(F32(1), footprint_v * nearer),
        )
        first_row, end_row = max(int(np.ceil(v - half_v)), 0), int(np.floor(v + half_v)) + 1
        first, end = max(int(np.ceil(u - half_u)), 0), int(np.floor(u + half_u)) + 1
        for i in range(first_row, min(end_row, height)):
            for j in range(first, min(end, width)):
                layer[i, j] = max(layer[i, j], F32(1) / z)


@njit(**_OPTIONS)
def _draw_cells(upper: Array, lower: Array, surface: Array, layer: Array) -> None:
    """Draw the surface cells between two rows of points, each as two triangles.

    1 / z is linear over the picture of a plane, so planes are drawn exactly.
    """
    for n in range(upper.shape[1] - 1):
        if surface[n + 1]:
            a = upper[0, n], upper[1, n], upper[2, n]
            b = upper[0, n + 1], upper[1, n + 1], upper[2, n + 1]
            c = lower[0, n], lower[1, n], lower[2, n]
            d = lower[0, n + 1], lower[1, n + 1], lower[2, n + 1]
            _draw_triangle(a, b, c, layer)
            _draw_triangle(d, c, b, layer)


@njit(**_OPTIONS)
def _draw_triangle(a: Point, b: Point, c: Point, layer: Array) -> None:
    """Draw a triangle of points (u, v, z) at the pixel centres that it holds, rim included."""
    bu, bv, cu, cv = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
    left, right = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
    top, bottom = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
    area = bu * cv - bv * cu
    if not (
        abs(area) > _FLAT and left > _LEFT and top > _LEFT and right < _RIGHT and bottom < _RIGHT
    ):
        return
    per_area, wa = F32(1) / area, F32(1) / a[2]
    wb, wc = F32(1) / b[2] - wa, F32(1) / c[2] - wa
    height, width = layer.shape
    for i in range(max(int(np.ceil(top - _RIM)), 0), min(int(bottom + _RIM) + 1, height)):
        for j in range(max(int(np.ceil(left - _RIM)), 0), min(int(right + _RIM) + 1, width)):
            u, v = F32(j) - a[0], F32(i) - a[1]
            s, t = (u * cv - v * cu) * per_area, (v * bu - u * bv) * per_area
            if s >= -_RIM and t >= -_RIM and s + t <= F32(1) + _RIM:
                layer[i, j] = max(layer[i, j], wa + s * wb + t * wc)
