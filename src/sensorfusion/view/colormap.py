"""Depth in colours, with a range and a legend in metres."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import ConfigError

_BAR_PX = 14
_MARGIN_PX = 8
_WHITE, _BLACK = 255, 0
_EVERY_NTH = 7


def colorize(
    metres: NDArray[np.float32], near_m: float, far_m: float, colormap: str = "turbo"
) -> NDArray[np.uint8]:
    """Return depth as a picture for people; black is no depth.

    A picture is for looking at: the numbers belong into a depth file.

    Parameters
    ----------
    metres : ndarray of float32, shape (H, W)
        Depth, metres; 0 = no depth.
    near_m, far_m : float
        Depths of the first and the last colour, metres; what lies beyond takes that colour.
    colormap : str
        Name of one of OpenCV's colour maps, in lower case.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green, blue.

    Raises
    ------
    ConfigError
        If the range is empty or the colour map is not known.

    References
    ----------
    Mikhailov, "Turbo, an improved rainbow colormap for visualization", 2019.
    """
    if not 0 <= near_m < far_m:
        msg = f"colours from {near_m} m to {far_m} m; expected 0 <= near < far"
        raise ConfigError(msg)
    table = _table(colormap)
    # The last entry of the table is black.
    steps = ((metres - np.float32(near_m)) * np.float32(255 / (far_m - near_m))).clip(0, 255)
    index = np.where(metres > 0, np.rint(steps), 256).astype(np.intp)
    return table[index]


def common_range(maps: Iterable[DepthMap]) -> tuple[float, float]:
    """Return one range of depths for a whole recording, so that its pictures can be compared.

    Parameters
    ----------
    maps : iterable of DepthMap
        All maps of the recording, or some from all over it.

    Returns
    -------
    near_m, far_m : float
        2nd and 98th percentile of the depths, metres, rounded outwards to decimetres; 0 and 1
        where no map has any depth.
    """
    found = [depth.metres.ravel()[::_EVERY_NTH] for depth in maps]
    values = np.concatenate([np.empty(0, np.float32), *(v[v > 0] for v in found)])
    if not values.size:
        return 0.0, 1.0
    near_m, far_m = np.percentile(values, [2, 98])
    low = np.floor(near_m * 10)
    return float(low / 10), float(max(np.ceil(far_m * 10), low + 1) / 10)


def with_legend(
    picture: NDArray[np.uint8], near_m: float, far_m: float, colormap: str = "turbo"
) -> NDArray[np.uint8]:
    """Return a colourised picture with a bar beneath it that says which colour is how far.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        From :func:`colorize` with the same range and colour map.
    near_m, far_m : float
        Metres.
    colormap : str

    Returns
    -------
    ndarray of uint8, shape (H + 46, W, 3)
        Red, green, blue. The picture's own pixels are untouched.

    Raises
    ------
    ConfigError
        If the range is empty or the colour map is not known.
    """
    return np.vstack([picture, _legend(picture.shape[1], near_m, far_m, colormap)])


@lru_cache(maxsize=4)
def _legend(width: int, near_m: float, far_m: float, colormap: str) -> NDArray[np.uint8]:
    import cv2

    left, right = _MARGIN_PX, max(width - _MARGIN_PX, _MARGIN_PX + 1)
    scale = np.linspace(near_m, far_m, right - left, dtype=np.float32)
    # Depth 0 would be black in a bar that starts at 0 m.
    bar = colorize(np.maximum(scale, np.finfo(np.float32).tiny), near_m, far_m, colormap)
    strip = np.full((2 * _MARGIN_PX + _BAR_PX + 16, width, 3), _BLACK, dtype=np.uint8)
    strip[_MARGIN_PX : _MARGIN_PX + _BAR_PX, left:right] = bar[: width - left]
    font, baseline = cv2.FONT_HERSHEY_SIMPLEX, len(strip) - _MARGIN_PX
    free_from = 0
    for metres in _ticks(near_m, far_m, most=max(2, width // 70)):
        at = left + round((metres - near_m) / (far_m - near_m) * (right - left - 1))
        strip[_MARGIN_PX + _BAR_PX : _MARGIN_PX + _BAR_PX + 4, at : at + 1] = _WHITE
        label = f"{metres:g} m"
        label_width = cv2.getTextSize(label, font, 0.4, 1)[0][0]
        start = min(max(at - label_width // 2, 0), width - label_width)
        if start >= free_from:
            cv2.putText(strip, label, (start, baseline), font, 0.4, (_WHITE,) * 3, 1, cv2.LINE_AA)
            free_from = start + label_width + _MARGIN_PX
    strip.flags.writeable = False
    return strip


def _ticks(near_m: float, far_m: float, most: int) -> list[float]:
    """Return round depths within a range, at most so many: steps of 1, 2 or 5 times 10^n."""
    power = 10.0 ** np.floor(np.log10((far_m - near_m) / most))
    step = next(
        (s * power for s in (1, 2, 5, 10) if (far_m - near_m) / (s * power) <= most), 10 * power
    )
    first, last = np.ceil(near_m / step - 1e-6), np.floor(far_m / step + 1e-6)
    return [float(round(i * step, 9)) for i in np.arange(first, last + 1)]


@lru_cache(maxsize=4)
def _table(colormap: str) -> NDArray[np.uint8]:
    """Return the 256 colours of a map and black, uint8 (257, 3), red green blue."""
    import cv2

    prefix = "COLORMAP_"
    names = {n[len(prefix) :].lower(): n for n in dir(cv2) if n.startswith(prefix)}
    if colormap not in names:
        near = get_close_matches(colormap, names, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(names))}"
        msg = f"there is no colour map {colormap!r}; {advice}"
        raise ConfigError(msg)
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    colors = cv2.applyColorMap(ramp, getattr(cv2, names[colormap]))[:, 0, ::-1]
    table = np.vstack([colors, [[_BLACK] * 3]]).astype(np.uint8)
    table.flags.writeable = False
    return table
