"""What is wrong with depth that does not fit a board: a mistake called by its name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board_depth import BoardDepth

_FEWEST_CELLS = 9
_CERTAIN = 0.2
_NEAR = 0.35
_SIGNIFICANT = 5.0
_MENTIONED = 0.003
_ALIKE = 0.01
# Units that are mistaken for each other: metres and millimetres, TUM's 5000, KITTI's 256.
_UNITS = {
    1000.0: "millimetres taken for metres",
    0.001: "metres taken for millimetres",
    5.0: "TUM's 5000 units a metre taken for millimetres",
    0.2: "millimetres taken for TUM's 5000 units a metre",
    1000 / 256: "millimetres taken for KITTI's 256 units a metre",
    0.256: "KITTI's 256 units a metre taken for millimetres",
}


@dataclass(frozen=True, slots=True)
class Bowing:
    """How the ratio of measured depth to the plane grows away from the axis.

    Attributes
    ----------
    slope : float
        Change of the ratio for each unit of (length of the ray / z - 1), as a share of the ratio: 0
        for depth along z, 1 where lengths of rays were taken for it.
    sigma : float
        Its standard deviation, as the scatter of the squares gives it.
    span : float
        Largest (length of the ray / z - 1) on the boards, less the smallest.
    """

    slope: float
    sigma: float
    span: float


def bowing_of(frames: Sequence[BoardDepth]) -> Bowing | None:
    """Return how depth is bowed, over all frames; None where too few squares tell.

    Each frame keeps a scale of its own, so that what is bent is told from what is scaled.
    """
    pairs = []
    for frame in frames:
        if len(frame.cells) >= _FEWEST_CELLS:
            relative = frame.cells / (1.0, np.median(frame.cells[:, 1]))
            pairs.append(relative - relative.mean(axis=0))
    if not pairs:
        return None
    longer, ratio = np.concatenate(pairs).T
    spread = float((longer**2).sum())
    if spread < 1e-12:
        return None
    slope = float((longer * ratio).sum()) / spread
    spare = len(longer) - len(pairs) - 1
    sigma = float(np.sqrt(((ratio - slope * longer) ** 2).sum() / spare / spread))
    return Bowing(slope, sigma, float(longer.max() - longer.min()))


def name_faults(frames: Sequence[BoardDepth], square_m: float, tolerance: float) -> tuple[str, ...]:
    """Return what explains the errors of several frames, for people; nothing where nothing does.

    Parameters
    ----------
    frames : sequence of BoardDepth
    square_m : float
        Edge of the board's squares, metres.
    tolerance : float
        By which a ratio may differ from 1.
    """
    bowing = bowing_of(frames)
    bent = _bent(bowing) if bowing is not None else ()
    # Ratios of what is bowed as rays are differ from 1 for that alone, by less than a unit would.
    scaled = _scaled(np.array([frame.ratio for frame in frames]), square_m, tolerance)
    return bent if bent and "of rays" in bent[0] else (*scaled, *bent)


def _scaled(ratios: NDArray[np.float64], square_m: float, tolerance: float) -> tuple[str, ...]:
    """Return what one factor of most frames would mean."""
    middle = float(np.median(ratios))
    alike = int((np.abs(ratios - middle) < _ALIKE * middle).sum())
    if len(ratios) < 2 or abs(middle - 1) <= tolerance or alike <= len(ratios) / 2:
        return ()
    which = "every frame is" if alike == len(ratios) else f"{alike} of {len(ratios)} frames are"
    for factor, meaning in _UNITS.items():
        if abs(middle / factor - 1) < 0.05:
            return (f"{which} {middle:.4g} times the plane: {meaning}?",)
    return (
        f"{which} {middle:.4g} times the plane: either the depth's unit or scale is wrong, or the "
        f"board's squares measure {1e3 * square_m * middle:.2f} mm, not {1e3 * square_m:.2f}",
    )


def _bent(bowing: Bowing) -> tuple[str, ...]:
    told = f"(bowing {bowing.slope:.2f} +- {bowing.sigma:.2f})"
    if bowing.sigma < _CERTAIN and abs(bowing.slope - 1) < _NEAR:
        return (
            f"bowed as if lengths of rays had been taken for z {told}; if the recording stores "
            "them, open it with -o depth-kind=range",
        )
    if bowing.sigma < _CERTAIN and abs(bowing.slope + 1) < _NEAR:
        return (
            f"bowed as if z had been taken for lengths of rays {told}; is -o depth-kind=range "
            "right?",
        )
    share = abs(bowing.slope) * bowing.span
    if abs(bowing.slope) > _SIGNIFICANT * bowing.sigma and share > _MENTIONED:
        return (
            f"bowed by {share:.1%} of depth from the middle to the edge {told}: the lens of the "
            "depth camera may not be as calibrated",
        )
    return ()
