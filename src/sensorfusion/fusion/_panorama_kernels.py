"""Numba kernels that draw a scan as a panorama of planes: what its beams and the gaps between say.

Two passes, each along one axis. ``_meet_kernels`` finds where each ring meets each column of the
panorama; here the rows between the rings of a column are filled. A pixel holds the tangent plane
of the surface there, not its range: looked up for a place beside the pixel's middle, the distance
to a plane is exact.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion.fusion._sample_kernels import (
    BEAM,
    NX,
    NY,
    NZ,
    REACH,
    SAMPLE,
    SIGMA,
    TURN,
    X,
    Y,
    Z,
    angle,
    between,
    joined,
)

Array = NDArray[Any]
F32 = np.float32

PLANE_X, PLANE_Y, PLANE_Z, OFFSET, SPREAD, RANGE, CLEAR, EXTENT = range(8)
PIXEL = 8
TILE = 8
"""Plane: normal and its product with a point of it; standard deviation, 0 = no surface; range from
the column's origin, metres; to where a beam went and passed by nothing, 0 = no beam; how far from
the pixel's middle the plane holds, metres."""

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(parallel=True, **_OPTIONS)
def fill_columns(
    samples: Array,
    nearest: Array,
    origins: Array,
    turns: Array,
    slopes: Array,
    heights: Array,
    half_gaps: Array,
    limits: Array,
    joins: Array,
    table: Array,
    owners: Array,
) -> None:
    """Write the pixels of each column from where the rings meet it.

    ``origins`` float32 (U, 3) of the panorama's columns; ``slopes`` float32 (V,): tangents of the
    elevations of its rows; ``heights`` float32 (3,): elevation of
    the upper rim, rows per radian, and the largest sigma that is believed (m); ``half_gaps``
    float32 (rings,): how far a sample reaches up and down where nothing continues it, rows of the
    panorama. Written: ``joins`` uint8 (rings, U): whether a sample and the next ring's are of one
    surface; ``table`` float32 (1 + U V, PIXEL), whose row 0 is nothing and is not written, and
    whose pixels run down the columns; ``owners`` uint32 (1 + U V,): 1 + the point next to it.
    """
    rings, count = samples.shape[0], samples.shape[1]
    height = (table.shape[0] - 1) // count
    top, scale, largest = heights[0], heights[1], heights[2]
    for u in prange(count):
        cosine, sine = turns[u, 0], turns[u, 1]
        origin = origins[u]
        out = np.empty(SAMPLE, F32)
        pixels = table[1 + u * height : 1 + (u + 1) * height]
        owner = owners[1 + u * height : 1 + (u + 1) * height]
        pixels[:] = F32(0)
        owner[:] = np.uint32(0)
        before, at_a, range_a, rho_a = -1, F32(0), F32(0), F32(0)
        for i in range(rings):
            joins[i, u] = np.uint8(0)
            b = samples[i, u]
            if not b[SIGMA] > F32(0):
                continue
            rho = cosine * (b[X] - origin[0]) + sine * (b[Y] - origin[1])
            up = b[Z] - origin[2]
            range_b = np.sqrt(rho * rho + up * up)
            at_b = (top - angle(up, rho)) * scale
            own = int(np.floor(at_b))
            if 0 <= own < height and b[BEAM] > F32(0):
                _paint(b, own, own + 1, nearest[i, u], F32(1), largest, origin, pixels, owner)
            if before >= 0:
                a = samples[before, u]
                near = i - before == 1 and at_b > at_a
                if near and joined(a, b, range_a, range_b, limits):
                    joins[before, u] = np.uint8(1)
                    v = max(int(np.ceil(at_a - F32(0.5))), 0)
                    while F32(v) + F32(0.5) < at_b and v < height:
                        slope = slopes[v]
                        above = (a[Z] - origin[2]) - slope * rho_a
                        below = up - slope * rho
                        t = min(max(above / (above - below), F32(0)), F32(1))
                        between(a, b, t, limits, out)
                        beside = min(F32(v) + F32(0.5) - at_a, at_b - F32(v) - F32(0.5))
                        ray = F32(0)
                        if beside <= F32(0.5):
                            ray = a[BEAM] if t < F32(0.5) else b[BEAM]
                        number = nearest[before, u] if t < F32(0.5) else nearest[i, u]
                        if ray > F32(0) or pixels[v, CLEAR] == F32(0):
                            pixels[v, SPREAD] = F32(0)
                            _paint(out, v, v + 1, number, ray, largest, origin, pixels, owner)
                        v += 1
                else:
                    low = min(at_a + half_gaps[before], F32(0.5) * (at_a + max(at_a, at_b)))
                    _reach(a, at_a, low, nearest[before, u], largest, origin, pixels, owner)
                    high = max(at_b - half_gaps[i], F32(0.5) * (at_b + min(at_a, at_b)))
                    _reach(b, high, at_b, nearest[i, u], largest, origin, pixels, owner)
            before, at_a, range_a, rho_a = i, at_b, range_b, rho


@njit(**_OPTIONS)
def _reach(
    sample: Array,
    low: float,
    high: float,
    number: int,
    largest: float,
    origin: Array,
    pixels: Array,
    owner: Array,
) -> None:
    """Paint the rows whose middle lies between two places with a ring's own sample."""
    first = max(int(np.ceil(low - F32(0.5))), 0)
    end = min(int(np.floor(high - F32(0.5))) + 1, pixels.shape[0])
    _paint(sample, first, end, number, F32(0), largest, origin, pixels, owner)


@njit(**_OPTIONS)
def _paint(
    sample: Array,
    first: int,
    end: int,
    number: int,
    ray: float,
    largest: float,
    origin: Array,
    pixels: Array,
    owner: Array,
) -> None:
    """Write a sample's plane to rows; the nearer surface wins."""
    x, y, z = sample[X] - origin[0], sample[Y] - origin[1], sample[Z] - origin[2]
    r = np.sqrt(x * x + y * y + z * z)
    nx, ny, nz = sample[NX], sample[NY], sample[NZ]
    if nx == F32(0) and ny == F32(0) and nz == F32(0):
        inverse = F32(-1) / max(r, F32(1e-6))
        nx, ny, nz = x * inverse, y * inverse, z * inverse
    if sample[SIGMA] > largest:
        return
    for v in range(first, end):
        if pixels[v, SPREAD] > F32(0) and pixels[v, RANGE] <= r:
            continue
        pixels[v, PLANE_X], pixels[v, PLANE_Y], pixels[v, PLANE_Z] = nx, ny, nz
        pixels[v, OFFSET] = nx * sample[X] + ny * sample[Y] + nz * sample[Z]
        pixels[v, SPREAD], pixels[v, RANGE], pixels[v, CLEAR] = sample[SIGMA], r, ray
        pixels[v, EXTENT] = sample[REACH]
        owner[v] = np.uint32(number + 1)


@njit(**_OPTIONS)
def mark_free(beams: Array, far_m: float, heights: Array, count: int, table: Array) -> None:
    """Mark the pixels of beams that found nothing, unless a surface stands in or beside them.

    ``beams`` float32 (M, 3) unit vectors; ``heights`` as for :func:`fill_columns`.
    """
    height = (table.shape[0] - 1) // count
    for m in range(beams.shape[0]):
        x, y, z = beams[m, 0], beams[m, 1], beams[m, 2]
        u = int(np.floor((np.arctan2(y, x) + F32(np.pi)) * (F32(count) / TURN))) % count
        v = int(np.floor((heights[0] - np.arctan2(z, np.hypot(x, y))) * heights[1]))
        if not 0 <= v < height:
            continue
        clear = True
        for i in range(-1, 2):
            for j in range(max(v - 1, 0), min(v + 2, height)):
                clear &= table[1 + (u + i) % count * height + j, SPREAD] == F32(0)
        if clear:
            table[1 + u * height + v, RANGE] = F32(far_m)
            table[1 + u * height + v, CLEAR] = F32(1)


@njit(parallel=True, **_OPTIONS)
def clear_ways(reach: tuple[int, int], limit_m: float, table: Array, clear: Array) -> None:
    """Write to where the way is certainly free: to the nearest surface in or beside a pixel.

    What a beam passes close by may be thinner than beams are apart: it hides from some of them.
    Between two beams the way is as free as theirs, up to where they are too far apart.

    ``table`` by :func:`fill_columns` and :func:`mark_free`, with CLEAR 1 where a beam went and 0
    elsewhere; ``reach``: columns and rows from any pixel to the next beams around it; ``limit_m``:
    to where a way between beams counts. ``clear`` float32 (U, V), metres.
    """
    count, height = clear.shape
    for u in prange(count):
        for v in range(height):
            own = 1 + u * height + v
            beam = table[own, CLEAR] > F32(0)
            wide = 1 if beam else reach[0]
            tall = 1 if beam else reach[1]
            nearest = table[own, RANGE] if beam else F32(limit_m)
            beams = 0
            for i in range(-wide, wide + 1):
                column = 1 + (u + i + count) % count * height
                for j in range(max(v - tall, 0), min(v + tall + 1, height)):
                    beams += table[column + j, CLEAR] > F32(0)
                    if table[column + j, SPREAD] > F32(0):
                        nearest = min(nearest, table[column + j, RANGE])
            # Beside a single beam nobody looked.
            clear[u, v] = nearest if beam or beams > 2 else F32(0)
