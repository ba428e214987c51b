"""Numba helpers for samples of a scan's surface, and for what joins two of them."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

X, Y, Z, NX, NY, NZ, SIGMA, BEAM, REACH = range(9)
SAMPLE = 9
"""Where a ring meets a column: place and normal; standard deviation along the normal, 0 = nothing;
1 where a beam went, 0 between beams; how far around the plane holds, metres."""

STEEPEST, PARALLEL, BEND, WIDEST_M, LEAN, TWIST = range(6)
"""Limits of what joins two samples: of a line between points without normals, along the beam for
each metre across; by how much two normals may disagree on which way the line leads, for each metre
of it; by how much it may leave either plane; how long it may be (m); by how much a normal may be
off (rad); how far two normals may turn that the line does not show."""

TURN, PI = F32(2 * np.pi), F32(np.pi)
_HALF_PI = F32(np.pi / 2)
_HELD = F32(0.6)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(inline="always", **_OPTIONS)
def angle(y: float, x: float) -> float:
    """Return atan2 to 1e-5 rad, without a branch (a minimax polynomial)."""
    ax, ay = abs(x), abs(y)
    low, high = min(ax, ay), max(ax, ay)
    t = low / (high + F32(1e-20))
    s = t * t
    p = F32(-0.01348047) * s + F32(0.05747731)
    p = p * s - F32(0.12123907)
    p = p * s + F32(0.19563592)
    p = p * s - F32(0.33299461)
    p = p * s + F32(0.99999563)
    a = p * t
    a = _HALF_PI - a if ay > ax else a
    a = PI - a if x < F32(0) else a
    return -a if y < F32(0) else a


@njit(**_OPTIONS)
def joined(a: Array, b: Array, range_a: float, range_b: float, limits: Array) -> bool:
    """Tell whether two samples lie on one surface, by their normals where they are known.

    Along a curve the line between two points leaves both planes on the same side. At a step it
    leaves them on different sides.
    """
    x, y, z = b[X] - a[X], b[Y] - a[Y], b[Z] - a[Z]
    length2 = x * x + y * y + z * z
    if length2 > limits[WIDEST_M] * limits[WIDEST_M]:
        return False
    noise = F32(3) * (a[SIGMA] + b[SIGMA])
    off_a = a[NX] * x + a[NY] * y + a[NZ] * z
    off_b = b[NX] * x + b[NY] * y + b[NZ] * z
    known_a = a[NX] != F32(0) or a[NY] != F32(0) or a[NZ] != F32(0)
    known_b = b[NX] != F32(0) or b[NY] != F32(0) or b[NZ] != F32(0)
    if not (known_a and known_b):
        along = max(abs(range_b - range_a) - noise, F32(0))
        flat = along * along * (F32(1) + limits[STEEPEST] ** 2) <= limits[STEEPEST] ** 2 * length2
        if known_a or known_b:
            return abs(off_a + off_b) <= noise + limits[PARALLEL] * np.sqrt(length2)
        return flat
    length = np.sqrt(length2)
    turn2 = (b[NX] - a[NX]) ** 2 + (b[NY] - a[NY]) ** 2 + (b[NZ] - a[NZ]) ** 2
    most = max(abs(off_a), abs(off_b))
    # Normals of an arc turn by twice the angle between chord and plane, not in another direction.
    return (
        (F32(0.5) * abs(off_a + off_b) <= noise + limits[PARALLEL] * length)
        & (most <= noise + limits[BEND] * length)
        & (F32(0.5) * np.sqrt(turn2) * length <= most + noise + limits[TWIST] * length)
    )


@njit(**_OPTIONS)
def between(a: Array, b: Array, t: float, limits: Array, out: Array) -> None:
    """Write the sample at a share of the way between two of one surface."""
    s = F32(1) - t
    for c in range(6):
        out[c] = s * a[c] + t * b[c]
    length2 = out[NX] ** 2 + out[NY] ** 2 + out[NZ] ** 2
    if length2 > F32(0):
        inverse = F32(1) / np.sqrt(length2)
        for c in range(NX, NZ + 1):
            out[c] *= inverse
    x, y, z = b[X] - a[X], b[Y] - a[Y], b[Z] - a[Z]
    turn2 = (b[NX] - a[NX]) ** 2 + (b[NY] - a[NY]) ** 2 + (b[NZ] - a[NZ]) ** 2
    # An arc between two points departs from their chord by length * turn / 8 in the middle.
    bow2 = (x * x + y * y + z * z) * (turn2 / F32(64) + limits[LEAN] ** 2)
    bow2 *= (F32(4) * s * t) ** 2
    out[SIGMA] = np.sqrt((s * a[SIGMA]) ** 2 + (t * b[SIGMA]) ** 2 + bow2)
    out[BEAM] = F32(0)
    own = _HELD * np.sqrt(x * x + y * y + z * z)
    out[REACH] = max(own, s * a[REACH] + t * b[REACH])


@njit(**_OPTIONS)
def put(found: Array, out: Array, origin: Array) -> bool:
    """Keep the nearer of two samples in one place; tell whether it is the new one."""
    if out[SIGMA] > F32(0):
        old2 = (out[X] - origin[0]) ** 2 + (out[Y] - origin[1]) ** 2 + (out[Z] - origin[2]) ** 2
        new2 = (found[X] - origin[0]) ** 2 + (found[Y] - origin[1]) ** 2
        new2 += (found[Z] - origin[2]) ** 2
        if new2 >= old2:
            return False
    for c in range(SAMPLE):
        out[c] = found[c]
    return True
