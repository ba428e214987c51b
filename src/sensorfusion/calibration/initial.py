"""First guesses: where a board is before a known camera, and the focal length of an unknown one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board_view import BoardView
from sensorfusion.calibration.bundle import PLACE_COLUMNS, first_lens
from sensorfusion.distortion import Distortion, DistortionModel

_FOCAL_SHARES = np.geomspace(0.2, 8.0, 24)
_FEWEST_POINTS = 4
_VIEWS_ASKED = 12
_FAR_OFF_PX = 1e3


def place_board(
    view: BoardView, lens: NDArray[np.float64], distortion: Distortion
) -> tuple[NDArray[np.float64], float]:
    """Return where a board is before a camera, and how well that explains its corners.

    Parameters
    ----------
    view : BoardView
    lens : ndarray of float64, shape (4 or more,)
        fx, fy, cx, cy, pixels.
    distortion : Distortion

    Returns
    -------
    T_camera_board : ndarray of float64, shape (4, 4)
        Metres.
    rms_px : float
        Root of the mean squared distance between a corner and where it should be, pixels; 1000
        where the board cannot be before this camera.

    References
    ----------
    Collins and Bartoli, "Infinitesimal plane-based pose estimation", IJCV 2014, whose two
    solutions are both refined: of a small board the better one changes.
    """
    import cv2

    nowhere = np.eye(4)
    nowhere[2, 3] = 1.0
    xy = distortion.undistort((view.pixels - lens[2:4]) / lens[:2])
    usable = np.isfinite(xy).all(axis=1)
    if usable.sum() < _FEWEST_POINTS:
        return nowhere, _FAR_OFF_PX
    points, rays = view.points_m[usable], np.ascontiguousarray(xy[usable])
    best, least = nowhere, _FAR_OFF_PX
    none = np.zeros(4)
    _, turns, shifts, _ = cv2.solvePnPGeneric(
        points, rays, np.eye(3), none, flags=cv2.SOLVEPNP_IPPE
    )
    for turn, shift in zip(turns, shifts, strict=True):
        refined = cv2.solvePnPRefineLM(points, rays, np.eye(3), none, turn, shift)
        T = np.eye(4)
        T[:3, :3] = cv2.Rodrigues(refined[0])[0]
        T[:3, 3] = np.ravel(refined[1])
        rms_px = _rms_px(T, view, lens, distortion)
        if rms_px < least:
            best, least = T, rms_px
    return best, least


def first_guess(
    views: Sequence[BoardView], model: DistortionModel, size_px: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the lens without distortion that explains most of the pictures best.

    Focal lengths are tried one by one and judged by the median over the pictures, so that a few
    bad ones do no harm, unlike in a closed form.
    """
    step = max(1, len(views) // _VIEWS_ASKED)
    best, least = first_lens(model, float(max(size_px)), size_px), np.inf
    for share in _FOCAL_SHARES:
        lens = first_lens(model, float(share * max(size_px)), size_px)
        straight = Distortion.of(model, tuple(lens[PLACE_COLUMNS:]))
        rms_px = float(np.median([place_board(one, lens, straight)[1] for one in views[::step]]))
        if rms_px < least:
            best, least = lens, rms_px
    return best


def _rms_px(
    T: NDArray[np.float64], view: BoardView, lens: NDArray[np.float64], distortion: Distortion
) -> float:
    there = view.points_m @ T[:3, :3].T + T[:3, 3]
    if not (there[:, 2] > 0).all():
        return _FAR_OFF_PX
    pixels = distortion.distort(there[:, :2] / there[:, 2:]) * lens[:2] + lens[2:4]
    rms_px = float(np.sqrt(((pixels - view.pixels) ** 2).sum(axis=1).mean()))
    return min(rms_px, _FAR_OFF_PX) if np.isfinite(rms_px) else _FAR_OFF_PX
