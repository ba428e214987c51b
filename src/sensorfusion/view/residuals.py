"""What a calibration leaves unexplained, as a picture: where, which way, and in which pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PANEL_PX = 760
_MARGIN_PX = 48
_BARS_PX = 190
_ARROW_PX = 12.0
_LONGEST_ARROW_PX = 60.0
_INK, _PALE, _RULE = (40, 40, 40), (228, 236, 244), (190, 190, 190)
_USED, _LEFT_OUT = (33, 102, 172), (200, 40, 40)
_FONT_PX = 0.42


@dataclass(frozen=True, slots=True, eq=False)
class ShownPicture:
    """A picture of a board, and what of its corners the camera does not explain.

    Attributes
    ----------
    name : str
    pixels, residuals_px : ndarray of float64, shape (N, 2)
        Where its corners were seen, and that less where they should be.
    used : bool
        False: it was left out.
    """

    name: str
    pixels: NDArray[np.float64]
    residuals_px: NDArray[np.float64]
    used: bool

    @property
    def rms_px(self) -> float:
        """Return the root of the mean squared length of the residuals."""
        return float(np.sqrt((self.residuals_px**2).sum(axis=1).mean()))


def draw_residuals(
    title: str, size_px: tuple[int, int], pictures: Sequence[ShownPicture]
) -> NDArray[np.uint8]:
    """Draw the residuals of one camera.

    Above, the field of view: darker where more boards were seen, and an arrow at each corner, so
    much longer as the legend says. Residuals that point alike somewhere tell of a lens that the
    model does not fit. Below, a bar for each picture; those that were left out are red.

    Parameters
    ----------
    title : str
    size_px : tuple of int
        Width and height of the camera's pictures.
    pictures : sequence of ShownPicture
        At least one that is used.

    Returns
    -------
    ndarray of uint8, shape (H, 856, 3)
        Red, green, blue.
    """
    scale = _PANEL_PX / size_px[0]
    height = round(size_px[1] * scale)
    rows = height + 3 * _MARGIN_PX + _BARS_PX
    canvas = np.full((rows, _PANEL_PX + 2 * _MARGIN_PX, 3), 255, np.uint8)
    field = canvas[_MARGIN_PX : _MARGIN_PX + height, _MARGIN_PX : _MARGIN_PX + _PANEL_PX]
    _shade(field, [(one.pixels + 0.5) * scale for one in pictures if one.used])
    typical_px = np.median(np.concatenate([_lengths(one) for one in pictures if one.used]))
    longer = _round_number(_ARROW_PX / max(float(typical_px), 1e-9))
    for one in pictures:
        _arrows(field, (one.pixels + 0.5) * scale, one.residuals_px * longer, one.used)
    _frame(canvas, (_MARGIN_PX, _MARGIN_PX), (_PANEL_PX, height))
    _write(canvas, f"{title}; arrows {longer:g} times as long as residuals", (_MARGIN_PX, 30))
    bars = canvas[height + 2 * _MARGIN_PX : height + 2 * _MARGIN_PX + _BARS_PX]
    _bars(bars[:, _MARGIN_PX : _MARGIN_PX + _PANEL_PX], pictures)
    return canvas


def beside(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return pictures (H, W, 3) of one height beside each other."""
    return np.concatenate(list(pictures), axis=1)


def _lengths(one: ShownPicture) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(one.residuals_px, axis=1))


def _shade(field: NDArray[np.uint8], boards: Sequence[NDArray[np.float64]]) -> None:
    import cv2

    seen = np.zeros(field.shape[:2], np.float64)
    for corners in boards:
        board = np.zeros(field.shape[:2], np.uint8)
        cv2.fillConvexPoly(board, cv2.convexHull(np.rint(corners).astype(np.int32)), (1,))
        seen += board
    # Each further board at the same place adds less.
    share = (1.0 - 0.75**seen)[..., None]
    field[:] = np.rint(255 - share * (255 - np.array(_PALE)) * 2.2).clip(0, 255).astype(np.uint8)


def _arrows(
    field: NDArray[np.uint8],
    corners: NDArray[np.float64],
    arrows_px: NDArray[np.float64],
    used: bool,
) -> None:
    import cv2

    lengths = np.linalg.norm(arrows_px, axis=1, keepdims=True)
    shown = arrows_px * np.minimum(1.0, _LONGEST_ARROW_PX / np.maximum(lengths, 1e-9))
    color = _USED if used else _LEFT_OUT
    drawn = np.ascontiguousarray(field)
    for begin, arrow in zip(corners, shown, strict=True):
        ends = [tuple(map(int, np.rint(end))) for end in (begin, begin + arrow)]
        cv2.arrowedLine(drawn, ends[0], ends[1], color, 1, cv2.LINE_AA, tipLength=0.3)
    field[:] = drawn


def _bars(field: NDArray[np.uint8], pictures: Sequence[ShownPicture]) -> None:
    import cv2

    drawn = np.ascontiguousarray(field)
    bottom, top = drawn.shape[0] - 62, 18
    usual = max(one.rms_px for one in pictures if one.used)
    # What was left out may be hundreds of times worse, and would leave nothing of the others.
    highest = (1.2 if all(one.used for one in pictures) else 2.0) * usual
    step = drawn.shape[1] / len(pictures)
    for index, one in enumerate(pictures):
        color = _USED if one.used else _LEFT_OUT
        level = bottom - round((bottom - top) * min(one.rms_px / highest, 1.0))
        left, right = round((index + 0.15) * step), round((index + 0.85) * step)
        cv2.rectangle(drawn, (left, level), (max(right, left + 1), bottom), color, -1)
        if step >= 34:
            _write(drawn, f"{one.rms_px:.2f}", (left - 2, level - 4))
            name = one.name.rpartition(".")[0] or one.name
            _write(drawn, name[-max(2, int(step / 8)) :], (left - 2, bottom + 16))
    cv2.line(drawn, (0, bottom), (drawn.shape[1], bottom), _INK, 1)
    told = f"RMS of each picture, pixels (full height {highest:.2g})"
    if not all(one.used for one in pictures):
        told += "; red: left out"
    _write(drawn, told, (0, drawn.shape[0] - 20))
    field[:] = drawn


def _frame(canvas: NDArray[np.uint8], start: tuple[int, int], size: tuple[int, int]) -> None:
    import cv2

    end = (start[0] + size[0], start[1] + size[1])
    cv2.rectangle(canvas, start, end, _RULE, 1)


def _write(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    import cv2

    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, text, place, font, _FONT_PX, _INK, 1, cv2.LINE_AA)


def _round_number(value: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above a value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * max(step for step in (1, 2, 5) if step * power <= value * 1.0000001))
