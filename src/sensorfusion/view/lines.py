"""Line plots for people: one panel beneath the other, over the same frames."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_WIDTH_PX, _HEIGHT_PX = 900, 220
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 90, 20, 34, 30
_INK, _GRID, _LINE = (40, 40, 40), (215, 215, 215), (30, 90, 190)
_FONT_SCALE = 0.45


def plot_lines(
    panels: Mapping[str, Sequence[float]], frames: Sequence[int], title: str
) -> NDArray[np.uint8]:
    """Return a picture of lines, a panel for each.

    Parameters
    ----------
    panels : mapping of str to sequence of float
        What a panel shows, and its values, one for each frame.
    frames : sequence of int
        Numbers of the frames, rising; at least one.
    title : str

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green, blue.
    """
    picture = np.full((_HEIGHT_PX * len(panels) + _TOP_PX, _WIDTH_PX, 3), 255, np.uint8)
    _write(picture, title, (_LEFT_PX, 22), 0.55)
    for number, (name, values) in enumerate(panels.items()):
        part = picture[_TOP_PX + number * _HEIGHT_PX :][:_HEIGHT_PX]
        _draw(part, name, np.asarray(values, np.float64), np.asarray(frames, np.float64))
    return picture


def _draw(
    panel: NDArray[np.uint8], name: str, values: NDArray[np.float64], frames: NDArray[np.float64]
) -> None:
    import cv2

    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or max(0.05 * abs(high), 1e-3)
    low, high = low - margin, high + margin
    right, bottom = _WIDTH_PX - _RIGHT_PX, _HEIGHT_PX - _BOTTOM_PX
    first, last = float(frames[0]), float(max(frames[-1], frames[0] + 1))
    u = _LEFT_PX + (frames - first) / (last - first) * (right - _LEFT_PX)
    v = bottom - (values - low) / (high - low) * (bottom - _TOP_PX)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        row = round(bottom - share * (bottom - _TOP_PX))
        cv2.line(panel, (_LEFT_PX, row), (right, row), _GRID, 1)
        _write(panel, f"{low + share * (high - low):.4g}", (8, row + 4))
    for frame, column in ((first, _LEFT_PX), (last, right - 40)):
        _write(panel, f"frame {frame:.0f}", (column, _HEIGHT_PX - 8))
    _write(panel, name, (_LEFT_PX, 22))
    points = np.stack([u, v], axis=1).round().astype(np.int32)
    cv2.polylines(panel, [points.reshape(-1, 1, 2)], isClosed=False, color=_LINE, thickness=2)
    for column, row in points.tolist():
        cv2.circle(panel, (column, row), 3, _LINE, -1, cv2.LINE_AA)


def _write(
    picture: NDArray[np.uint8], text: str, at: tuple[int, int], scale: float = _FONT_SCALE
) -> None:
    import cv2

    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
