"""Numba kernels from the pixels of one camera into the picture of another; float32, one thread."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def project_row(depth: Array, rays: Array, view: Array, out: Array) -> None:
    """Project a row of pixels into another camera.

    ``depth`` float32 (W,) metres and ``rays`` float32 (2, W) of the measuring camera; ``view``
    float32 (26,) of the other one (``align.view_of``). ``out`` float32 (3, W): u, v in pixels, z
    in metres of the other camera; u and v are NaN where there is no depth, where the point is not
    in front of it and where it is beyond its lens model.
    """
    if view[17] == F32(2):
        _project_row_fisheye(depth, rays, view, out)
        return
    m00, m01, m02, m03 = view[0], view[1], view[2], view[3]
    m10, m11, m12, m13 = view[4], view[5], view[6], view[7]
    m20, m21, m22, m23 = view[8], view[9], view[10], view[11]
    fx, fy, cx, cy, limit2, inverse = view[12], view[13], view[14], view[15], view[16], view[17]
    k1, k2, p1, p2, k3 = view[18], view[19], view[20], view[21], view[22]
    k4, k5, k6 = view[23], view[24], view[25]
    one, two = F32(1), F32(2)
    # Slices of one row each: with an index on another axis LLVM does not vectorise the loop.
    rays_x, rays_y, out_u, out_v, out_z = rays[0], rays[1], out[0], out[1], out[2]
    for n in range(depth.shape[0]):
        z = depth[n]
        sx, sy = rays_x[n] * z, rays_y[n] * z
        tz = m20 * sx + m21 * sy + m22 * z + m23
        x = (m00 * sx + m01 * sy + m02 * z + m03) / tz
        y = (m10 * sx + m11 * sy + m12 * z + m13) / tz
        r2 = x * x + y * y
        radial = (one + r2 * (k1 + r2 * (k2 + r2 * k3))) / (one + r2 * (k4 + r2 * (k5 + r2 * k6)))
        xr, yr = x * radial, y * radial
        # The inverse model puts the radially distorted point into the tangential term.
        a, b = x + inverse * (xr - x), y + inverse * (yr - y)
        u = fx * (xr + two * p1 * a * b + p2 * (r2 + two * a * a)) + cx
        v = fy * (yr + two * p2 * a * b + p1 * (r2 + two * b * b)) + cy
        seen = (z > F32(0)) & (tz > F32(0)) & (r2 <= limit2)
        out_u[n] = u if seen else F32(np.nan)
        out_v[n] = v if seen else F32(np.nan)
        out_z[n] = tz


@njit(**_OPTIONS)
def _project_row_fisheye(depth: Array, rays: Array, view: Array, out: Array) -> None:
    """Project as :func:`project_row` does, through a Kannala-Brandt lens."""
    m00, m01, m02, m03 = view[0], view[1], view[2], view[3]
    m10, m11, m12, m13 = view[4], view[5], view[6], view[7]
    m20, m21, m22, m23 = view[8], view[9], view[10], view[11]
    fx, fy, cx, cy, limit2 = view[12], view[13], view[14], view[15], view[16]
    k1, k2, k3, k4 = view[18], view[19], view[20], view[21]
    one = F32(1)
    for n in range(depth.shape[0]):
        z = depth[n]
        sx, sy = rays[0, n] * z, rays[1, n] * z
        tz = m20 * sx + m21 * sy + m22 * z + m23
        x = m00 * sx + m01 * sy + m02 * z + m03
        y = m10 * sx + m11 * sy + m12 * z + m13
        across2 = x * x + y * y
        across = np.sqrt(across2)
        theta = np.arctan2(across, tz)
        t2 = theta * theta
        bent = theta * (one + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        scale = bent / across if across > F32(0) else F32(0)
        seen = (z > F32(0)) & (tz > F32(0)) & (across2 <= limit2 * tz * tz)
        out[0, n] = fx * x * scale + cx if seen else F32(np.nan)
        out[1, n] = fy * y * scale + cy if seen else F32(np.nan)
        out[2, n] = tz
