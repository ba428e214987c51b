"""One camera from pictures of a board: focal lengths, principal point and lens distortion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.adjust import Adjusted, adjust
from sensorfusion.calibration.board_view import BoardView
from sensorfusion.calibration.bundle import PLACE_COLUMNS, Bundle, Sightings
from sensorfusion.calibration.initial import first_guess, place_board
from sensorfusion.calibration.simplest_lens import adjust_simplest
from sensorfusion.calibration.well_posed import check_lens, check_pictures, coverage_of, lens_notes
from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion, DistortionModel
from sensorfusion.errors import CalibrationError

# A picture that fits three times worse than most is of something else.
OUTLIER_RATIO = 3.0
_OUTLIER_FLOOR_PX = 0.05
FARTHEST_SHARE = 0.05
"""Corners that miss by this share of the picture's size are not those of the board."""
_ROUNDS = 6
NAMES: Mapping[str, tuple[str, ...]] = {
    "brown_conrady": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3"),
    "kannala_brandt": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
}
"""What the numbers of a lens are called, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureFit:
    """How well a picture fits the camera that was found.

    Attributes
    ----------
    pixels : ndarray of float64, shape (N, 2)
        The corners as seen, (u, v).
    residuals_px : ndarray of float64, shape (N, 2)
        Seen, less where they should be.
    used : bool
        False: it contradicts the others and was left out.
    """

    pixels: NDArray[np.float64]
    residuals_px: NDArray[np.float64]
    used: bool

    @property
    def lengths_px(self) -> NDArray[np.float64]:
        """Return the length of each residual, float64 (N,)."""
        return np.asarray(np.linalg.norm(self.residuals_px, axis=1))

    @property
    def rms_px(self) -> float:
        """Return the root of the mean squared length."""
        return float(np.sqrt((self.lengths_px**2).mean()))


@dataclass(frozen=True, slots=True, eq=False)
class CameraEstimate:
    """A camera, and how far it is to be trusted.

    Attributes
    ----------
    camera : Camera
    model : {"brown_conrady", "kannala_brandt"}
        As asked; ``camera`` has none where no coefficient was determined.
    sigma : mapping of str to float
        Standard deviation of each number that was determined (fx, fy, cx, cy in pixels, k1, ...),
        as the scatter of the residuals gives it; what stands not there was left at zero.
    rms_px : float
        Root of the mean squared distance between corners and where they should be.
    pictures : tuple of PictureFit
        In the order of the views.
    coverage : float
        Share of the picture in which the board was seen, 0 to 1.
    T_camera_board : ndarray of float64, shape (V, 4, 4)
        Where the board was, metres.
    notes : tuple of str
        What a person should know.
    """

    camera: Camera
    model: DistortionModel
    sigma: Mapping[str, float]
    rms_px: float
    pictures: tuple[PictureFit, ...]
    coverage: float
    T_camera_board: NDArray[np.float64]
    notes: tuple[str, ...]


def estimate_camera(
    views: Sequence[BoardView],
    size_px: tuple[int, int],
    name: str = "camera",
    model: DistortionModel = "brown_conrady",
) -> CameraEstimate:
    """Find the camera that explains the corners of all pictures best.

    Pictures that contradict the others are left out; coefficients of the lens that the pictures do
    not determine to a third of their value stay zero.

    Parameters
    ----------
    views : sequence of BoardView
    size_px : tuple of int
        Width and height of the pictures.
    name : str
    model : {"brown_conrady", "kannala_brandt"}

    Raises
    ------
    CalibrationError
        If the pictures do not determine a camera: too few, all alike, too small a part of the
        field of view, or in contradiction.

    References
    ----------
    Zhang, "A flexible new technique for camera calibration", TPAMI 2000.
    """
    if model not in NAMES:
        msg = f"a lens of model {model!r} cannot be estimated; expected one of {', '.join(NAMES)}"
        raise CalibrationError(msg)
    check_pictures(views, size_px)
    start = first_guess(views, model, size_px)
    lens, free, used, adjusted = _settled(views, start, model, size_px)
    places, fits = _fits(views, lens, model, used, adjusted)
    kept = [view for view, good in zip(views, used, strict=True) if good]
    check_lens(adjusted, kept, size_px)
    camera = adjusted.bundle.camera(0, name, size_px)
    share = coverage_of(kept, size_px)
    rms_px = float(np.sqrt((adjusted.residuals_px**2).sum(axis=1).mean()))
    notes = lens_notes(camera, share)
    return CameraEstimate(
        camera, model, sigma_of_lens(adjusted, free), rms_px, fits, share, places, notes
    )


def sigma_of_lens(adjusted: Adjusted, free: NDArray[np.bool_], side: int = 0) -> dict[str, float]:
    """Return the standard deviation of each number of a lens that was free, by its name."""
    columns = np.flatnonzero(free[side])
    first = int(free[:side].sum())
    variances = np.diagonal(adjusted.shared)[first : first + len(columns)]
    names = NAMES[adjusted.bundle.model]
    return {
        names[column]: float(adjusted.sigma_px * np.sqrt(variance))
        for column, variance in zip(columns, variances, strict=True)
    }


def sightings_of(views: Sequence[BoardView]) -> Sightings:
    """Return the corners of all views of one camera."""
    counts = [len(view.pixels) for view in views]
    board = np.repeat(np.arange(len(views)), counts)
    return Sightings(
        np.concatenate([view.points_m for view in views]),
        np.concatenate([view.pixels for view in views]),
        board,
        np.zeros_like(board),
        np.ones(len(board)),
    )


def rms_of_boards(adjusted: Adjusted, seen: Sightings) -> NDArray[np.float64]:
    """Return the root of the mean squared residual of each place of the board, pixels."""
    squares = (adjusted.residuals_px**2).sum(axis=1)
    return np.asarray(np.sqrt(np.bincount(seen.board, squares) / np.bincount(seen.board)))


def outlier_limit_px(rms_px: NDArray[np.float64]) -> float:
    """Return the RMS above which a picture is left out, from those of the pictures in use."""
    return max(OUTLIER_RATIO * float(np.median(rms_px)), _OUTLIER_FLOOR_PX)


def _settled(
    views: Sequence[BoardView],
    start: NDArray[np.float64],
    model: DistortionModel,
    size_px: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Adjusted]:
    """Return lens, free numbers, pictures in use and the adjustment once these no longer change."""
    lens = _robust(views, start, model)
    used = np.zeros(len(views), bool)
    for _ in range(_ROUNDS):
        rms_px = np.array([place_board(view, lens, _distortion(lens, model))[1] for view in views])
        limit_px = outlier_limit_px(rms_px[used] if used.any() else rms_px)
        good = rms_px <= min(limit_px, FARTHEST_SHARE * max(size_px))
        if used.any() and (good == used).all():
            break
        used = good
        _check_majority(used, rms_px)
        kept = [view for view, one in zip(views, used, strict=True) if one]
        bundle = _bundle(kept, lens, model)
        adjusted, free = adjust_simplest(bundle, sightings_of(kept), size_px)
        lens = adjusted.bundle.lenses[0]
    return lens, free, used, adjusted


def _robust(
    views: Sequence[BoardView], lens: NDArray[np.float64], model: DistortionModel
) -> NDArray[np.float64]:
    """Return a lens that most pictures agree on: the others count less from round to round.

    Focal length first, then one coefficient, then all, as the first guess may be far away.
    """
    seen = sightings_of(views)
    bundle = _bundle(views, lens, model)
    rms_px = np.array([place_board(view, lens, _distortion(lens, model))[1] for view in views])
    for columns in (PLACE_COLUMNS, PLACE_COLUMNS + 1, len(lens), len(lens)):
        free = np.zeros((1, len(lens)), bool)
        free[0, :columns] = True
        scale = OUTLIER_RATIO * max(float(np.median(rms_px)), 1e-6)
        weight = 1.0 / (1.0 + (rms_px / scale) ** 4)
        adjusted = adjust(bundle, seen.weighed(weight), free)
        bundle, rms_px = adjusted.bundle, rms_of_boards(adjusted, seen)
    return np.asarray(bundle.lenses[0])


def _bundle(
    views: Sequence[BoardView], lens: NDArray[np.float64], model: DistortionModel
) -> Bundle:
    places = [place_board(view, lens, _distortion(lens, model))[0] for view in views]
    return Bundle(model, lens[None].copy(), np.eye(4), np.stack(places))


def _distortion(lens: NDArray[np.float64], model: DistortionModel) -> Distortion:
    return Distortion.of(model, tuple(map(float, lens[PLACE_COLUMNS:])))


def _fits(
    views: Sequence[BoardView],
    lens: NDArray[np.float64],
    model: DistortionModel,
    used: NDArray[np.bool_],
    adjusted: Adjusted,
) -> tuple[NDArray[np.float64], tuple[PictureFit, ...]]:
    places = np.empty((len(views), 4, 4))
    places[used] = adjusted.bundle.T_left_board
    ends = np.cumsum([len(view.pixels) for view, one in zip(views, used, strict=True) if one])
    residuals = iter(np.split(adjusted.residuals_px, ends[:-1]))
    fits = []
    for index, view in enumerate(views):
        if used[index]:
            fits.append(PictureFit(view.pixels, next(residuals), used=True))
            continue
        places[index] = place_board(view, lens, _distortion(lens, model))[0]
        there = view.points_m @ places[index, :3, :3].T + places[index, :3, 3]
        bent = _distortion(lens, model).distort(there[:, :2] / there[:, 2:])
        off = np.nan_to_num(view.pixels - bent * lens[:2] - lens[2:PLACE_COLUMNS])
        fits.append(PictureFit(view.pixels, off, used=False))
    return places, tuple(fits)


def _check_majority(used: NDArray[np.bool_], rms_px: NDArray[np.float64]) -> None:
    if used.sum() < 3 or 2 * used.sum() <= len(used):
        msg = (
            f"the pictures contradict each other: {int(used.sum())} of {len(used)} fit one camera "
            f"(median residual {np.median(rms_px):.2g} px); are they all from one camera at one "
            "zoom, and is the board flat?"
        )
        raise CalibrationError(msg)
