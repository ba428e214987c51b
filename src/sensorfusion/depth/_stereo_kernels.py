"""Numba kernels of stereo: check, sub-pixel refinement, and the way back; float32, no GIL.

Disparities are float32 (H, W) in pixels, NaN where there is none.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
F32 = np.float32

MATCHED, OCCLUDED, MISMATCHED = 1, 5, 4
"""As :class:`Origin` has them: measured, occluded, filtered."""

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
# A plane needs three pixels; two more make their scatter mean something.
_FEWEST = 5
# Of the slopes of a plane, so that a few pixels beside each other do not tilt it at will.
_FLAT = F32(4.0)


@njit(**_OPTIONS)
def check(there: Array, back: Array, tolerance: float, origin: Array) -> None:
    """Take away disparities ``there`` that those of the other picture contradict.

    ``back`` has them as positive numbers, too: pixel u of the one is pixel ``u - there[u]`` of the
    other, whose ``back`` says the way home. ``origin`` uint8 (H, W) becomes MATCHED; OCCLUDED where
    the other picture shows something nearer there or does not reach so far; MISMATCHED.
    """
    height, width = there.shape
    within = F32(tolerance)
    for v in range(height):
        for u in range(width):
            d = there[v, u]
            if np.isnan(d):
                continue
            place = int(np.floor(F32(u) - d + F32(0.5)))
            origin[v, u] = MATCHED
            if place < 0 or place >= width:
                origin[v, u] = OCCLUDED
            elif not abs(back[v, place] - d) <= within:
                origin[v, u] = OCCLUDED if back[v, place] > d else MISMATCHED
            if origin[v, u] != MATCHED:
                there[v, u] = np.nan


@njit(**_OPTIONS)
def explain(there: Array, back: Array, tolerance: float, origin: Array) -> None:
    """Mark as OCCLUDED what the other picture would show if it went on as what is beside it.

    Of the next disparities to both sides on a row the farther one counts: behind an edge, the
    ground goes on. Where the other picture shows something nearer at its place, or ends before,
    nobody could have matched the pixel. ``there``, ``back`` and ``origin`` as of :func:`check`.
    """
    height, width = there.shape
    behind = np.empty(width, F32)
    for v in range(height):
        d = F32(np.nan)
        for u in range(width - 1, -1, -1):
            if not np.isnan(there[v, u]):
                d = there[v, u]
            behind[u] = d
        d = F32(np.nan)
        for u in range(width):
            if not np.isnan(there[v, u]):
                d = there[v, u]
                continue
            farther = behind[u]
            if np.isnan(farther) or d < farther:
                farther = d
            if np.isnan(farther):
                continue
            place = int(np.floor(F32(u) - farther + F32(0.5)))
            if place < 0 or place >= width or back[v, place] > farther + F32(tolerance):
                origin[v, u] = OCCLUDED


@njit(**_OPTIONS)
def refine(
    left: Array, right: Array, disparity: Array, settings: Array, refined: Array, told: Array
) -> None:
    """Lay a window around each pixel onto the other picture, and say how sure that is.

    A plane is laid through the disparities of the window that belong to one surface. One step of
    Gauss and Newton moves it to where the grey levels agree best, each picture free in its
    brightness, the plane itself counting as a measurement, too.

    ``left`` and ``right`` float32 (H, W) grey levels; ``settings`` float32 (4): half the window's
    width in pixels, how far disparities of one surface are off a plane in pixels, variance of
    grey levels below which nothing is sure, 1 over the variance of the plane; ``refined`` float32
    (H, W), NaN where it fails; ``told`` float32 (H, W, 4): residual variance of the grey levels,
    sum of squared gradients along the row, share of the window on the surface, and mean square of
    the disparities around the plane.

    References
    ----------
    Lucas and Kanade, "An iterative image registration technique with an application to stereo
    vision", IJCAI 1981; Keys, "Cubic convolution interpolation", IEEE ASSP 29, 1981.
    """
    height, width = left.shape
    radius = int(settings[0])
    tolerance, least, prior = settings[1], settings[2], settings[3]
    most = (2 * radius + 1) ** 2
    rows, columns = np.empty(most, np.int64), np.empty(most, np.int64)
    planes = np.empty(most, F32)
    refined[:] = np.nan
    for v in range(height):
        top, bottom = max(v - radius, 0), min(v + radius, height - 1)
        for u in range(width):
            d0 = disparity[v, u]
            if np.isnan(d0):
                continue
            first, last = max(u - radius, 0), min(u + radius, width - 1)
            a, b, c = F32(0), F32(0), F32(0)
            count, scatter = 0, F32(0)
            for loose in (True, False):
                n, sx, sy, sd = F32(0), F32(0), F32(0), F32(0)
                sxx, syy, sxy, sxd, syd = F32(0), F32(0), F32(0), F32(0), F32(0)
                for y in range(top, bottom + 1):
                    fy = F32(y - v)
                    for x in range(first, last + 1):
                        fx = F32(x - u)
                        d = disparity[y, x] - d0
                        # Before its tilt is known, a surface may rise by half of that a pixel.
                        limit = tolerance
                        if loose:
                            limit += tolerance * F32(0.5) * max(abs(fx), abs(fy))
                        if abs(d - (a + b * fx + c * fy)) < limit:
                            n += F32(1)
                            sx += fx
                            sy += fy
                            sd += d
                            sxx += fx * fx
                            syy += fy * fy
                            sxy += fx * fy
                            sxd += fx * d
                            syd += fy * d
                m = F32(1) / max(n, F32(1))
                cxx, cyy = sxx - sx * sx * m + _FLAT, syy - sy * sy * m + _FLAT
                cxy = sxy - sx * sy * m
                cxd, cyd = sxd - sx * sd * m, syd - sy * sd * m
                determinant = cxx * cyy - cxy * cxy
                b = (cxd * cyy - cyd * cxy) / determinant
                c = (cyd * cxx - cxd * cxy) / determinant
                a = (sd - b * sx - c * sy) * m
                count, scatter = 0, F32(0)
                for y in range(top, bottom + 1):
                    for x in range(first, last + 1):
                        plane = a + b * F32(x - u) + c * F32(y - v)
                        off = disparity[y, x] - d0 - plane
                        if abs(off) < tolerance:
                            rows[count], columns[count], planes[count] = y, x, d0 + plane
                            scatter += off * off
                            count += 1
                # The whole window lies on the plane: to fit it again would change nothing.
                if count == (bottom - top + 1) * (last - first + 1) and n == F32(count):
                    break
            n, sg, sr, sgg, sgr, srr = F32(0), F32(0), F32(0), F32(0), F32(0), F32(0)
            for i in range(count):
                place = F32(columns[i]) - planes[i]
                j = int(np.floor(place))
                if j < 1 or j + 2 >= width:
                    continue
                t = place - F32(j)
                p0, p1 = right[rows[i], j - 1], right[rows[i], j]
                p2, p3 = right[rows[i], j + 1], right[rows[i], j + 2]
                k1 = F32(0.5) * (p2 - p0)
                k2 = p0 - F32(2.5) * p1 + F32(2) * p2 - F32(0.5) * p3
                k3 = F32(0.5) * (p3 - p0) + F32(1.5) * (p1 - p2)
                g = k1 + t * (F32(2) * k2 + t * F32(3) * k3)
                r = left[rows[i], columns[i]] - (p1 + t * (k1 + t * (k2 + t * k3)))
                n += F32(1)
                sg += g
                sr += r
                sgg += g * g
                sgr += g * r
                srr += r * r
            if n < _FEWEST:
                continue
            gg, gr, rr = sgg - sg * sg / n, sgr - sg * sr / n, srr - sr * sr / n
            rest = max(rr - gr * gr / (gg + F32(1e-3)), F32(0)) / (n - F32(2))
            variance = max(rest, least)
            step = -gr / (gg + variance * prior)
            if abs(step) > F32(1):
                continue
            refined[v, u] = d0 + a + step
            told[v, u, 0] = rest
            told[v, u, 1] = gg
            told[v, u, 2] = F32(count) / F32(most)
            told[v, u, 3] = scatter / F32(count)


@njit(**_OPTIONS)
def bring_back(
    disparity: Array, sigma: Array, origin: Array, pixels: Array, out: Array, out_origin: Array
) -> None:
    """Read disparities of a rectified picture at places between its pixels.

    Of the four pixels around a place those count that lie on the surface of the nearest one, by
    how near they are: a plane is read exactly, and an edge is not blurred. ``pixels`` float32
    (h, w, 2), NaN for none; ``out`` float32 (h, w, 2): disparity and its deviation, 0 where there
    is none; ``out_origin`` uint8 (h, w), as it was where a place lies outside.
    """
    height, width = disparity.shape
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            out[y, x, 0] = out[y, x, 1] = F32(0)
            u, v = pixels[y, x]
            if not (
                u >= -0.5 and v >= -0.5 and u < F32(width) - F32(0.5) and v < F32(height) - F32(0.5)
            ):
                continue
            nearest_v, nearest_u = int(np.floor(v + F32(0.5))), int(np.floor(u + F32(0.5)))
            out_origin[y, x] = origin[nearest_v, nearest_u]
            d0 = disparity[nearest_v, nearest_u]
            if np.isnan(d0):
                continue
            j, i = int(np.floor(u)), int(np.floor(v))
            weights, found, deviation = F32(0), F32(0), F32(0)
            for row in (i, i + 1):
                for column in (j, j + 1):
                    if row < 0 or column < 0 or row >= height or column >= width:
                        continue
                    d = disparity[row, column]
                    if abs(d - d0) < F32(1):
                        w = (F32(1) - abs(v - F32(row))) * (F32(1) - abs(u - F32(column)))
                        weights += w
                        found += w * d
                        deviation += w * sigma[row, column]
            # The nearest pixel counts for at least a quarter.
            out[y, x, 0], out[y, x, 1] = found / weights, deviation / weights


@njit(**_OPTIONS)
def fuse(
    metres: Array,
    sigma_m: Array,
    alone_per_m: Array,
    settings: Array,
    fused: Array,
    fused_sigma: Array,
) -> None:
    """Average the depths of a pixel that agree, in inverse depth.

    ``metres``, ``sigma_m`` float32 (N, H, W), 0 for none; ``alone_per_m`` float32 (N): largest
    standard deviation of inverse depth, 1/m, with which a view that is alone is believed;
    ``settings`` float32 (2): standard deviations within which two agree, and the share of each
    variance that all views have in common; ``fused``, ``fused_sigma`` float32 (H, W), zeros before.
    """
    views, height, width = metres.shape
    within, shared = settings[0] * settings[0], settings[1]
    inverse, variance = np.empty(views, F32), np.empty(views, F32)
    for v in range(height):
        for u in range(width):
            count, believed = 0, False
            for k in range(views):
                z = metres[k, v, u]
                if z > 0:
                    inverse[count] = F32(1) / z
                    deviation = sigma_m[k, v, u] / (z * z)
                    variance[count] = deviation * deviation
                    believed = deviation <= alone_per_m[k]
                    count += 1
            best, most, best_weight = 0, 0, F32(0)
            for i in range(count):
                agree, weight = 0, F32(0)
                for k in range(count):
                    off = inverse[i] - inverse[k]
                    if off * off <= within * (variance[i] + variance[k]):
                        agree += 1
                        weight += F32(1) / variance[k]
                if agree > most or (agree == most and weight > best_weight):
                    best, most, best_weight = i, agree, weight
            if most == 0 or (most == 1 and (count > 1 or not believed)):
                continue
            total = F32(0)
            for k in range(count):
                off = inverse[best] - inverse[k]
                if off * off <= within * (variance[best] + variance[k]):
                    total += inverse[k] / variance[k]
            z = best_weight / total
            fused[v, u] = z
            # Of the common share, nothing is averaged away.
            left_over = (F32(1) - shared + shared * F32(most)) / best_weight
            fused_sigma[v, u] = np.sqrt(left_over) * z * z
