"""Two cameras beside each other from pairs of pictures of a board: both lenses and their places."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.adjust import Adjusted
from sensorfusion.calibration.board import Board, Chessboard
from sensorfusion.calibration.board_view import BoardView
from sensorfusion.calibration.bundle import Bundle, Sightings, lens_of, residuals_of
from sensorfusion.calibration.chessboard import turns
from sensorfusion.calibration.estimate_camera import (
    FARTHEST_SHARE,
    CameraEstimate,
    PictureFit,
    estimate_camera,
    outlier_limit_px,
    rms_of_boards,
    sigma_of_lens,
)
from sensorfusion.calibration.simplest_lens import adjust_simplest
from sensorfusion.calibration.well_posed import FEWEST_PICTURES
from sensorfusion.distortion import DistortionModel
from sensorfusion.errors import CalibrationError
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

# Where the left picture puts the board is less certain than both together.
_PREDICTED_RATIO, _PREDICTED_PX = 5.0, 2.0
_NOWHERE_PX = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class StereoEstimate:
    """Two cameras, how they sit to each other, and how far that is to be trusted.

    Attributes
    ----------
    left, right : CameraEstimate
        Both adjusted together; their pictures are the pairs.
    T_right_left : RigidTransform
        Takes points of the left camera to the right one's coordinates, metres.
    sigma_turn_rad, sigma_shift_m : ndarray of float64, shape (3,)
        Standard deviations of its rotation about x, y and z and of its translation.
    rms_px : float
        Over the corners of both cameras.
    """

    left: CameraEstimate
    right: CameraEstimate
    T_right_left: RigidTransform
    sigma_turn_rad: NDArray[np.float64]
    sigma_shift_m: NDArray[np.float64]
    rms_px: float

    @property
    def rig(self) -> Rig:
        """Return both cameras as a rig."""
        cameras = (self.left.camera, self.right.camera)
        return Rig({camera.name: camera for camera in cameras}, (self.T_right_left,))

    @property
    def baseline_m(self) -> float:
        """Return the distance between the cameras, metres."""
        return float(np.linalg.norm(self.T_right_left.translation_m))


def estimate_stereo(
    pairs: Sequence[tuple[BoardView, BoardView]],
    size_px: tuple[int, int],
    board: Board,
    model: DistortionModel = "brown_conrady",
) -> StereoEstimate:
    """Find the two cameras that explain the corners of all pairs best.

    Each camera is estimated alone first, then all is adjusted together: both lenses, the place of
    the right camera, and one place of the board for each pair.

    Parameters
    ----------
    pairs : sequence of (BoardView, BoardView)
        The same board at the same instant, seen by the left and by the right camera.
    size_px : tuple of int
        Width and height of the pictures.
    board : Chessboard or Charuco
    model : {"brown_conrady", "kannala_brandt"}

    Raises
    ------
    CalibrationError
        If the pairs do not determine both cameras and their places, or the left camera sits to the
        right of the right one.
    """
    if len(pairs) < FEWEST_PICTURES:
        msg = f"{len(pairs)} pairs show the board in both pictures; expected {FEWEST_PICTURES}"
        raise CalibrationError(msg)
    left, right = (
        _alone([pair[side] for pair in pairs], size_px, name, model)
        for side, name in enumerate(("left", "right"))
    )
    views, T_right_board = _same_corners(pairs, board, left, right)
    T_right_left = T_right_board @ np.linalg.inv(left.T_camera_board)
    lenses = np.stack([lens_of(left.camera, model), lens_of(right.camera, model)])
    start = Bundle(model, lenses, np.eye(4), left.T_camera_board)
    used = np.array([one.used and other.used for one, other in _fits(left, right)])
    start, used = _agreed(start, T_right_left, views, used, FARTHEST_SHARE * max(size_px))
    while True:
        # Each round leaves out a pair at least, or is the last.
        _check_majority(used)
        kept = replace(start, T_left_board=start.T_left_board[used])
        seen = _sightings([pair for pair, good in zip(views, used, strict=True) if good])
        adjusted, free = adjust_simplest(kept, seen, size_px)
        rms_px = rms_of_boards(adjusted, seen)
        good = rms_px <= outlier_limit_px(rms_px)
        if good.all():
            break
        used[np.flatnonzero(used)[~good]] = False
    places = start.T_left_board.copy()
    places[used] = adjusted.bundle.T_left_board
    found = replace(adjusted, bundle=replace(adjusted.bundle, T_left_board=places))
    sides = [_side(one, found, free, _sightings(views), used) for one in (left, right)]
    return _estimate(sides[0], sides[1], found, free)


def _alone(
    views: Sequence[BoardView], size_px: tuple[int, int], name: str, model: DistortionModel
) -> CameraEstimate:
    try:
        return estimate_camera(views, size_px, name, model)
    except CalibrationError as error:
        msg = f"{name} camera: {error}"
        raise CalibrationError(msg) from error


def _fits(left: CameraEstimate, right: CameraEstimate) -> Iterator[tuple[PictureFit, PictureFit]]:
    return zip(left.pictures, right.pictures, strict=True)


def _same_corners(
    pairs: Sequence[tuple[BoardView, BoardView]],
    board: Board,
    left: CameraEstimate,
    right: CameraEstimate,
) -> tuple[list[tuple[BoardView, BoardView]], NDArray[np.float64]]:
    """Return pairs whose corners are called alike, and the board's places before the right camera.

    A chessboard that looks the same when turned is called so that the cameras look the same way.
    """
    named, places = [], right.T_camera_board.copy()
    choices = turns(board) if isinstance(board, Chessboard) else (np.eye(4),)
    for index, (one, other) in enumerate(pairs):
        back = np.linalg.inv(left.T_camera_board[index])
        turned = [places[index] @ np.linalg.inv(turn) for turn in choices]
        # The trace of a rotation falls as its angle grows.
        best = max(range(len(choices)), key=lambda i: np.trace((turned[i] @ back)[:3, :3]))
        places[index] = turned[best]
        turn = choices[best]
        points_m = other.points_m @ turn[:3, :3].T + turn[:3, 3]
        named.append((one, replace(other, points_m=points_m)))
    return named, places


def _agreed(
    start: Bundle,
    T_right_left: NDArray[np.float64],
    views: Sequence[tuple[BoardView, BoardView]],
    used: NDArray[np.bool_],
    farthest_px: float,
) -> tuple[Bundle, NDArray[np.bool_]]:
    """Return the bundle with the place of the right camera that most pairs agree on, and which.

    Each pair proposes its own; the one that predicts the right pictures of most pairs best wins.
    """
    if not used.any():
        return start, used
    rows = []
    for T in T_right_left[used]:
        placed = replace(start, T_right_left=T)
        off = [_predicted(placed, index, pair[1]) for index, pair in enumerate(views)]
        rows.append([float(np.sqrt((one**2).sum(axis=1).mean())) for one in off])
    rms_px = np.array(rows)
    typical = np.median(rms_px[:, used], axis=1)
    best = int(np.argmin(typical))
    limit_px = max(_PREDICTED_RATIO * typical[best], _PREDICTED_PX)
    limit_px = min(limit_px, farthest_px)
    placed = replace(start, T_right_left=T_right_left[used][best])
    return placed, used & (rms_px[best] <= limit_px)


def _predicted(bundle: Bundle, index: int, right: BoardView) -> NDArray[np.float64]:
    """Return residuals (N, 2) of a right picture, the board being where the left one saw it."""
    place = bundle.T_left_board[index : index + 1]
    count = len(right.pixels)
    seen = Sightings(
        right.points_m,
        right.pixels,
        np.zeros(count, np.int64),
        np.ones(count, np.int64),
        np.ones(count),
    )
    return np.nan_to_num(residuals_of(replace(bundle, T_left_board=place), seen), nan=_NOWHERE_PX)


def _sightings(views: Sequence[tuple[BoardView, BoardView]]) -> Sightings:
    sides = [view for pair in views for view in pair]
    counts = [len(view.pixels) for view in sides]
    numbers = np.arange(len(sides))
    return Sightings(
        np.concatenate([view.points_m for view in sides]),
        np.concatenate([view.pixels for view in sides]),
        np.repeat(numbers // 2, counts),
        np.repeat(numbers % 2, counts),
        np.ones(sum(counts)),
    )


def _side(
    alone: CameraEstimate,
    found: Adjusted,
    free: NDArray[np.bool_],
    seen: Sightings,
    used: NDArray[np.bool_],
) -> CameraEstimate:
    """Return what was found of one camera alone, with what both together say in its place."""
    bundle, name = found.bundle, alone.camera.name
    side = ("left", "right").index(name)
    residuals_px = np.nan_to_num(residuals_of(bundle, seen), nan=_NOWHERE_PX)
    fits = []
    for index, fit in enumerate(alone.pictures):
        here = (seen.side == side) & (seen.board == index)
        fits.append(PictureFit(fit.pixels, residuals_px[here], bool(used[index])))
    camera = bundle.camera(side, name, (alone.camera.width, alone.camera.height))
    kept = residuals_px[(seen.side == side) & used[seen.board]]
    return replace(
        alone,
        camera=camera,
        sigma=sigma_of_lens(found, free, side),
        rms_px=float(np.sqrt((kept**2).sum(axis=1).mean())),
        pictures=tuple(fits),
        T_camera_board=(bundle.T_right_left @ bundle.T_left_board) if side else bundle.T_left_board,
    )


def _estimate(
    left: CameraEstimate, right: CameraEstimate, found: Adjusted, free: NDArray[np.bool_]
) -> StereoEstimate:
    T_right_left = RigidTransform("right", "left", found.bundle.T_right_left)
    shift_m = T_right_left.translation_m
    if shift_m[0] > 0 and abs(shift_m[0]) == np.abs(shift_m).max():
        msg = (
            f"the camera called left sits {shift_m[0]:.4g} m to the right of the other: the sides "
            "are swapped; give the pictures of --left as --right and the other way round"
        )
        raise CalibrationError(msg)
    sigmas = found.sigma_px * np.sqrt(np.diagonal(found.shared))[int(free.sum()) :]
    rms_px = float(np.sqrt((found.residuals_px**2).sum(axis=1).mean()))
    return StereoEstimate(left, right, T_right_left, sigmas[:3], sigmas[3:], rms_px)


def _check_majority(used: NDArray[np.bool_]) -> None:
    if used.sum() < FEWEST_PICTURES or 2 * used.sum() <= len(used):
        msg = (
            f"the pairs contradict each other: {int(used.sum())} of {len(used)} fit one place of "
            "the right camera; were both pictures of each pair taken at one instant, with the "
            "cameras fixed to each other, and are they paired rightly?"
        )
        raise CalibrationError(msg)
