"""IP-Basic, written from its paper: what depth completion is measured against.

Ku, Harakeh, Waslander, "In Defense of Classical Image Processing: Fast Depth Completion on the
CPU", CRV 2018. Both take and give float32 metres (H, W), 0 where there is none. Depth is inverted
(100 m - z), so that a dilation, which takes the largest, lets the nearer of two surfaces grow.
"""

from typing import Final

import cv2  # noqa: TID253
import numpy as np
from numpy.typing import NDArray

Depth = NDArray[np.float32]

FARTHEST_M: Final = 100.0
EMPTY_M: Final = 0.1
NEAR_M, MIDDLE_M = 15.0, 30.0
FILLS: Final = 6


def _full(size: int) -> NDArray[np.uint8]:
    return np.ones((size, size), np.uint8)


def _cross(size: int) -> NDArray[np.uint8]:
    kernel = np.zeros((size, size), np.uint8)
    kernel[size // 2], kernel[:, size // 2] = 1, 1
    return kernel


def _diamond(size: int) -> NDArray[np.uint8]:
    away = np.abs(np.arange(size) - size // 2)
    return (away[:, None] + away <= size // 2).astype(np.uint8)


def gaussian_extrapolated(depth_m: Depth) -> Depth:
    """Complete as the paper's submission does: Gaussian blur, columns extrapolated to the top."""
    depth = _inverted(depth_m)
    depth = cv2.dilate(depth, _diamond(5))
    depth = cv2.morphologyEx(depth, cv2.MORPH_CLOSE, _full(5))
    depth = _where_empty(depth, cv2.dilate(depth, _full(7)))
    top, values = _top(depth)
    above = np.arange(len(depth))[:, None] < top
    depth = np.where(above, values, depth)
    depth = _where_empty(depth, cv2.dilate(depth, _full(31)))
    depth = cv2.medianBlur(depth, 5)
    depth = np.where(depth > EMPTY_M, cv2.GaussianBlur(depth, (5, 5), 0), depth)
    return _inverted(depth)


def multiscale_bilateral(depth_m: Depth) -> Depth:
    """Complete at a scale by distance, blurred bilaterally, without extrapolation."""
    inverted = _inverted(depth_m)
    depth = np.zeros_like(inverted)
    # The nearer is written last: it covers what is behind it.
    for nearest_m, farthest_m, kernel in (
        (MIDDLE_M, np.inf, _cross(3)),
        (NEAR_M, MIDDLE_M, _cross(5)),
        (EMPTY_M, NEAR_M, _cross(7)),
    ):
        part = np.where((depth_m > nearest_m) & (depth_m <= farthest_m), inverted, np.float32(0))
        part = cv2.dilate(part, kernel)
        depth = np.where(part > EMPTY_M, part, depth)
    depth = cv2.morphologyEx(depth, cv2.MORPH_CLOSE, _full(5))
    depth = np.where(depth > EMPTY_M, cv2.medianBlur(depth, 5), depth)
    rows = np.arange(len(depth))[:, None]
    below_top = rows >= _top(depth)[0]
    depth = _where_empty(depth, cv2.dilate(depth, _full(9)), below_top)
    below_top = rows >= _top(depth)[0]
    for _ in range(FILLS):
        depth = _where_empty(depth, cv2.dilate(depth, _full(5)), below_top)
    filled = (depth > EMPTY_M) & below_top
    depth = np.where(filled, cv2.medianBlur(depth, 5), depth)
    filled = (depth > EMPTY_M) & below_top
    depth = np.where(filled, cv2.bilateralFilter(depth, 5, 0.5, 2.0), depth)
    return _inverted(depth)


def _inverted(depth: Depth) -> Depth:
    return np.where(depth > EMPTY_M, np.float32(FARTHEST_M) - depth, np.float32(0))


def _where_empty(depth: Depth, fill: Depth, among: NDArray[np.bool_] | bool = True) -> Depth:
    return np.where((depth < EMPTY_M) & among, fill, depth)


def _top(depth: Depth) -> tuple[NDArray[np.intp], Depth]:
    """Return the row of the topmost depth of each column, and that depth."""
    top = np.argmax(depth > EMPTY_M, axis=0)
    return top, depth[top, np.arange(depth.shape[1])]
