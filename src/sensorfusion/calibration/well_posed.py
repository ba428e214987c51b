"""Whether pictures of a board determine a camera, in sentences that say what is missing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.adjust import Adjusted
from sensorfusion.calibration.board_view import BoardView
from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError

FEWEST_PICTURES = 3
_LEAST_COVERAGE, _GOOD_COVERAGE = 0.1, 0.5
_LEAST_SPREAD_DEG = 5.0
# Even flawless corners are believed to this, so that their smallness hides no bad geometry.
_CORNER_SIGMA_PX = 0.05
_WORST_FOCAL = 0.03
_WORST_RMS_SHARE = 0.005
_GRID = 64


def check_pictures(views: Sequence[BoardView], size_px: tuple[int, int]) -> None:
    """Refuse pictures that cannot determine a camera, before anything is computed.

    Raises
    ------
    CalibrationError
        If there are too few, or the board was seen in too small a part of the picture.
    """
    if len(views) < FEWEST_PICTURES:
        msg = (
            f"{len(views)} pictures show the board; expected {FEWEST_PICTURES} at least, better 10 "
            "to 20, with the board tilted differently in each"
        )
        raise CalibrationError(msg)
    share = coverage_of(views, size_px)
    if share < _LEAST_COVERAGE:
        msg = (
            f"the board was seen in {share:.0%} of the picture only, all pictures together; "
            f"expected {_LEAST_COVERAGE:.0%} at least, better all of it: bring it nearer, and to "
            "the corners"
        )
        raise CalibrationError(msg)


def check_lens(adjusted: Adjusted, views: Sequence[BoardView], size_px: tuple[int, int]) -> None:
    """Refuse a camera that the pictures do not determine.

    Raises
    ------
    CalibrationError
        If the board stood in one orientation, the focal length is uncertain, or no camera explains
        the corners.
    """
    spread_deg = np.degrees(_spread_rad(adjusted.bundle.T_left_board[:, :3, 2]))
    sigma_px = max(adjusted.sigma_px, _CORNER_SIGMA_PX)
    uncertain = sigma_px * np.sqrt(np.diagonal(adjusted.shared)[:2]) / adjusted.bundle.lenses[0, :2]
    if spread_deg < _LEAST_SPREAD_DEG or not uncertain.max() <= _WORST_FOCAL:
        msg = (
            f"the board stands in nearly one orientation in all {len(views)} pictures (they differ "
            f"by {spread_deg:.1f} degrees, the focal length is certain to "
            f"{min(float(uncertain.max()), 9.99):.0%}); expected {_WORST_FOCAL:.0%} or better: "
            "tilt it by 20 to 40 degrees to each side"
        )
        raise CalibrationError(msg)
    rms_px = float(np.sqrt((adjusted.residuals_px**2).sum(axis=1).mean()))
    if rms_px > max(_WORST_RMS_SHARE * max(size_px), 2.0):
        msg = (
            f"no camera explains the corners: {rms_px:.1f} px RMS remain; are the pictures of one "
            "camera at one zoom, is the board flat, and is the lens a fisheye (--model "
            "kannala_brandt)?"
        )
        raise CalibrationError(msg)


def lens_notes(camera: Camera, coverage: float) -> tuple[str, ...]:
    """Return what a person should know about a camera that was found."""
    notes = []
    if coverage < _GOOD_COVERAGE:
        notes.append("where no board was seen, the lens is a guess: bring it to the corners, too")
    rim = np.array([[0, 0], [camera.width - 1, 0], [0, camera.height - 1]], np.float64)
    if np.isnan(camera.unproject(rim)).any():
        notes.append(
            "the lens model ends before the corners of the picture, where no board was seen: "
            "pixels there get no ray"
        )
    return tuple(notes)


def coverage_of(views: Sequence[BoardView], size_px: tuple[int, int]) -> float:
    """Return in which share of the picture the board was seen, 0 to 1."""
    import cv2

    seen = np.zeros((_GRID, _GRID), np.uint8)
    for view in views:
        on_grid = (view.pixels + 0.5) * _GRID / np.array(size_px)
        hull = cv2.convexHull(np.floor(on_grid).astype(np.int32))
        cv2.fillConvexPoly(seen, hull, (1,))
    return float(seen.mean())


def _spread_rad(normals: NDArray[np.float64]) -> float:
    """Return the largest angle between two of some directions (N, 3)."""
    cosine = np.clip(normals @ normals.T, -1.0, 1.0)
    return float(np.arccos(cosine.min()))
