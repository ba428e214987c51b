"""Points moved along a constant twist; compiled, one thread, without the GIL."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _turn(angle: np.float32) -> tuple[np.float32, np.float32]:
    """Return sine and 1 - cosine by their series, to 3e-8 up to 1 radian."""
    square = angle * angle
    sine = np.float32(1 / 5040) - square * np.float32(1 / 362880)
    sine = np.float32(1 / 120) - square * sine
    sine = np.float32(1 / 6) - square * sine
    versine = np.float32(1 / 40320) - square * np.float32(1 / 3628800)
    versine = np.float32(1 / 720) - square * versine
    versine = np.float32(1 / 24) - square * versine
    return angle * (np.float32(1) - square * sine), square * (np.float32(0.5) - square * versine)


@njit(cache=True, nogil=True)
def move_along_twist(
    points: NDArray[np.float32],
    offsets_ns: NDArray[np.int64],
    start_ns: int,
    speed_rad_s: float,
    vectors: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return each point (N, 3), float32, moved for ``start_ns`` plus its offset.

    ``vectors`` (4, 3) are the axis k of the turn, the velocity v, k x v and k x (k x v); without
    a turn k is 0.
    """
    moved = np.empty_like(points)
    kx, ky, kz = vectors[0, 0], vectors[0, 1], vectors[0, 2]
    speed = np.float32(speed_rad_s)
    slowness = np.float32(1.0 / speed_rad_s if speed_rad_s > 0.0 else 0.0)
    nanosecond = np.float32(1e-9)
    for n in range(len(points)):
        time_s = np.float32(start_ns + offsets_ns[n]) * nanosecond
        angle = speed * time_s
        if abs(angle) <= np.float32(1):
            sine, versine = _turn(angle)
        else:
            sine, versine = np.sin(angle), np.float32(1) - np.cos(angle)
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        along = kx * x + ky * y + kz * z
        # Rodrigues' formula, and its integral for the way that is gone while turning.
        b, c = versine * slowness, time_s - sine * slowness
        if slowness == np.float32(0):
            c = np.float32(0)
        moved[n, 0] = (
            x
            + sine * (ky * z - kz * y)
            + versine * (kx * along - x)
            + time_s * vectors[1, 0]
            + b * vectors[2, 0]
            + c * vectors[3, 0]
        )
        moved[n, 1] = (
            y
            + sine * (kz * x - kx * z)
            + versine * (ky * along - y)
            + time_s * vectors[1, 1]
            + b * vectors[2, 1]
            + c * vectors[3, 1]
        )
        moved[n, 2] = (
            z
            + sine * (kx * y - ky * x)
            + versine * (kz * along - z)
            + time_s * vectors[1, 2]
            + b * vectors[2, 2]
            + c * vectors[3, 2]
        )
    return moved
