"""Numba kernels that find where the rings of a scan meet the columns of its panorama.

Between two points of one surface a ring goes on straight; elsewhere each point stands for the way
to the middle between it and the next.
"""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion.fusion._sample_kernels import (
    BEAM,
    NX,
    PI,
    REACH,
    SAMPLE,
    SIGMA,
    TURN,
    X,
    Y,
    angle,
    between,
    joined,
    put,
)
from sensorfusion.range_image import NO_RETURN

Array = NDArray[Any]
F32 = np.float32
EMPTY_BEAM = np.int32(NO_RETURN)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def _sample_of(
    points: Array, normals: Array, n: int, origin: Array, noise: Array, half: float, out: Array
) -> float:
    """Write the sample of one point; return its range, metres.

    A point whose normal is not known counts as facing the beam when its sigma is computed, but
    keeps no normal.
    """
    x, y, z = points[n, 0] - origin[0], points[n, 1] - origin[1], points[n, 2] - origin[2]
    r = np.sqrt(x * x + y * y + z * z)
    cosine2 = F32(1)
    for c in range(3):
        out[X + c] = points[n, c]
        out[NX + c] = normals[n, c]
    if normals[n, 0] != F32(0) or normals[n, 1] != F32(0) or normals[n, 2] != F32(0):
        dot = (normals[n, 0] * x + normals[n, 1] * y + normals[n, 2] * z) / max(r, F32(1e-6))
        cosine2 = min(dot * dot, F32(1))
    along = noise[0] + noise[1] * r
    across = noise[2] * r
    out[SIGMA] = np.sqrt(cosine2 * along * along + (F32(1) - cosine2) * across * across)
    out[SIGMA] = max(out[SIGMA], F32(1e-4))
    out[BEAM] = F32(1)
    out[REACH] = half * r
    return r


@njit(parallel=True, **_OPTIONS)
def meet_columns(
    points: Array,
    normals: Array,
    index: Array,
    origins: Array,
    noise: Array,
    limits: Array,
    widest: float,
    step: float,
    wraps: bool,
    turns: Array,
    samples: Array,
    nearest: Array,
) -> None:
    """Write where each ring meets each column of the panorama.

    ``points`` and ``normals`` float32 (N, 3); ``index`` int32 (rows, columns of the scan);
    ``origins`` float32 (columns, 3) from where each was fired; ``noise`` float32 (3,): constant
    (m), per metre, and beam width (rad); ``limits`` see above; ``widest``: columns of the
    panorama between neighbours at most; ``step``: those between two firings. Written:
    ``samples`` float32 (rows, U, SAMPLE), whose column u looks along azimuth
    (u + 1/2) 2 pi / U - pi, with cosine and sine ``turns`` float32 (U, 2); ``nearest`` int32
    (rows, U): the point that each is next to.
    """
    count, rows = samples.shape[1], index.shape[0]
    scan_columns = index.shape[1]
    scale = F32(count) / TURN
    half_rad = F32(0.5) * F32(step) / scale
    for i in prange(rows):
        a, b, out = np.empty(SAMPLE, F32), np.empty(SAMPLE, F32), np.empty(SAMPLE, F32)
        first, before = -1, -1
        at_a, range_a = F32(0), F32(0)
        origin = origins[0]
        blocked = False
        for u in range(count):
            samples[i, u, SIGMA] = F32(0)
        for k in range(scan_columns + (1 if wraps else 0)):
            j = k if k < scan_columns else max(first, 0)
            n = index[i, j]
            if n < 0:
                blocked |= n == EMPTY_BEAM
                continue
            origin = origins[j]
            range_b = _sample_of(points, normals, n, origin, noise, half_rad, b)
            at_b = (angle(b[Y] - origin[1], b[X] - origin[0]) + PI) * scale
            if before < 0:
                _spread(b, at_b, at_b, n, origin, samples[i], nearest[i])
            if before >= 0 and before != n:
                gap = at_b - at_a
                gap -= F32(count) * np.rint(gap / F32(count))
                if abs(gap) <= widest and not blocked and joined(a, b, range_a, range_b, limits):
                    _connect(
                        a,
                        b,
                        at_a,
                        gap,
                        (before, n),
                        origin,
                        limits,
                        out,
                        samples[i],
                        nearest[i],
                        turns,
                    )
                else:
                    half = F32(0.5) * min(abs(gap), F32(step)) * (F32(1) if gap > 0 else F32(-1))
                    _spread(a, at_a, at_a + half, before, origin, samples[i], nearest[i])
                    _spread(b, at_b, at_b - half, n, origin, samples[i], nearest[i])
            if first < 0:
                first = j
            before, at_a, range_a = n, at_b, range_b
            for c in range(SAMPLE):
                a[c] = b[c]
            blocked = False


@njit(**_OPTIONS)
def _connect(
    a: Array,
    b: Array,
    at_a: float,
    gap: float,
    numbers: tuple[int, int],
    origin: Array,
    limits: Array,
    out: Array,
    samples: Array,
    nearest: Array,
    turns: Array,
) -> None:
    """Write the columns between two points of one surface."""
    count = samples.shape[0]
    low, high = min(at_a, at_a + gap), max(at_a, at_a + gap)
    u = int(np.ceil(low - F32(0.5)))
    while F32(u) + F32(0.5) < high:
        place = u % count
        cosine, sine = turns[place, 0], turns[place, 1]
        # Beside the column's plane by so much; along the line it changes evenly.
        beside_a = cosine * (a[Y] - origin[1]) - sine * (a[X] - origin[0])
        beside_b = cosine * (b[Y] - origin[1]) - sine * (b[X] - origin[0])
        t = min(max(beside_a / (beside_a - beside_b), F32(0)), F32(1))
        old = samples[place]
        # A beam's own plane, put there before, is less sure than the line through it.
        mine = nearest[place] == numbers[0] or nearest[place] == numbers[1]
        direct = mine or old[SIGMA] == F32(0)
        new = old if direct else out
        between(a, b, t, limits, new)
        # Within half a column of a beam, this is what the beam says.
        own = min(abs(F32(u) + F32(0.5) - at_a), abs(F32(u) + F32(0.5) - at_a - gap))
        new[BEAM] = F32(1) if own <= F32(0.5) else F32(0)
        if direct or put(out, old, origin):
            nearest[place] = numbers[0] if t < F32(0.5) else numbers[1]
        u += 1


@njit(**_OPTIONS)
def _spread(
    sample: Array, at: float, end: float, n: int, origin: Array, samples: Array, nearest: Array
) -> None:
    """Write a beam's own sample to the columns from its place to another."""
    count = samples.shape[0]
    low, high = int(np.floor(min(at, end))), int(np.floor(max(at, end)))
    if low != high:
        # Only columns whose middle lies within; the beam's own is written at once.
        low = int(np.ceil(min(at, end) - F32(0.5)))
        high = int(np.floor(max(at, end) - F32(0.5)))
    own = int(np.floor(at))
    for u in range(low, high + 1):
        place = u % count
        kept = sample[BEAM]
        sample[BEAM] = F32(1) if u == own else F32(0)
        written = samples[place, SIGMA] > F32(0) and nearest[place] == n
        if not written and put(sample, samples[place], origin):
            nearest[place] = n
        sample[BEAM] = kept
