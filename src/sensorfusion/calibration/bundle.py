"""What is known and unknown when boards stand before one camera or two, and what they would see."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion, DistortionModel

PLACE_COLUMNS = 4
"""fx, fy, cx and cy stand before a lens's coefficients."""
_COEFFICIENTS = {"brown_conrady": 5, "kannala_brandt": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Every corner of every board that every camera saw.

    Attributes
    ----------
    points_m : ndarray of float64, shape (N, 3)
        In the board's coordinates, metres.
    pixels : ndarray of float64, shape (N, 2)
        (u, v).
    board : ndarray of int64, shape (N,)
        Which place of the board, rising from 0, each at least once.
    side : ndarray of int64, shape (N,)
        Which camera, 0 or 1.
    weight : ndarray of float64, shape (N,)
    """

    points_m: NDArray[np.float64]
    pixels: NDArray[np.float64]
    board: NDArray[np.int64]
    side: NDArray[np.int64]
    weight: NDArray[np.float64]

    def weighed(self, of_board: NDArray[np.float64]) -> "Sightings":
        """Return these with a weight for each place of the board."""
        return replace(self, weight=of_board[self.board])


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """What is to be found: all unknowns of a calibration.

    Attributes
    ----------
    model : {"brown_conrady", "kannala_brandt"}
    lenses : ndarray of float64, shape (1 or 2, 4 + coefficients)
        fx, fy, cx, cy in pixels, then the coefficients.
    T_right_left : ndarray of float64, shape (4, 4)
        Metres; of one camera, the identity.
    T_left_board : ndarray of float64, shape (B, 4, 4)
        Each place of the board, metres.
    """

    model: DistortionModel
    lenses: NDArray[np.float64]
    T_right_left: NDArray[np.float64]
    T_left_board: NDArray[np.float64]

    def camera(self, side: int, name: str, size_px: tuple[int, int]) -> Camera:
        """Return a camera; ``CalibrationError`` if its numbers are impossible."""
        fx, fy, cx, cy = map(float, self.lenses[side, :PLACE_COLUMNS])
        coefficients = tuple(map(float, self.lenses[side, PLACE_COLUMNS:]))
        return Camera(name, *size_px, fx, fy, cx, cy, Distortion.of(self.model, coefficients))


def moved(
    bundle: Bundle,
    free: NDArray[np.bool_],
    shared: NDArray[np.float64],
    boards: NDArray[np.float64],
) -> Bundle:
    """Return a bundle a step away.

    Parameters
    ----------
    bundle : Bundle
    free : ndarray of bool, shape of ``bundle.lenses``
    shared : ndarray of float64, shape (P,)
        Added to the free numbers of the lenses; then, for two cameras, turn (rad) and shift (m) of
        ``T_right_left``.
    boards : ndarray of float64, shape (B, 6)
        Turn and shift of each place of the board, in the left camera's coordinates.
    """
    lenses = bundle.lenses.copy()
    count = int(free.sum())
    lenses[free] += shared[:count]
    T_right_left = bundle.T_right_left
    if len(shared) > count:
        T_right_left = _shifted(T_right_left[None], shared[None, count:])[0]
    return Bundle(bundle.model, lenses, T_right_left, _shifted(bundle.T_left_board, boards))


def _shifted(transforms: NDArray[np.float64], moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return transforms (B, 4, 4) turned and shifted by moves (B, 6) in target coordinates."""
    moved = transforms.copy()
    moved[:, :3, :3] = _turns_by(moves[:, :3]) @ transforms[:, :3, :3]
    moved[:, :3, 3] += moves[:, 3:]
    return moved


def _turns_by(vectors_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotations about vectors (B, 3) by their lengths, (B, 3, 3) (Rodrigues)."""
    angle = np.linalg.norm(vectors_rad, axis=1)[:, None, None]
    x, y, z = vectors_rad.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    small = angle < 1e-9
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, 2.0 * (np.sin(safe / 2) / safe) ** 2)
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def residuals_of(bundle: Bundle, seen: Sightings) -> NDArray[np.float64]:
    """Return where each corner was seen, less where it should be, float64 (N, 2), pixels.

    NaN where a camera cannot see it.
    """
    return seen.pixels - pixels_of(bundle, seen)


def pixels_of(bundle: Bundle, seen: Sightings) -> NDArray[np.float64]:
    """Return where each camera sees each corner, float64 (N, 2); NaN where it cannot."""
    T = bundle.T_left_board[seen.board]
    points = np.einsum("nij,nj->ni", T[:, :3, :3], seen.points_m) + T[:, :3, 3]
    pixels = np.empty((len(points), 2))
    for side, lens in enumerate(bundle.lenses):
        mine = seen.side == side
        there = points[mine]
        if side:
            there = there @ bundle.T_right_left[:3, :3].T + bundle.T_right_left[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = np.where(there[:, 2:] > 0, there[:, :2] / there[:, 2:], np.nan)
        bent = _distortion(bundle.model, tuple(lens[PLACE_COLUMNS:].tolist())).distort(xy)
        pixels[mine] = bent * lens[:2] + lens[2:PLACE_COLUMNS]
    return pixels


@lru_cache(maxsize=64)
def _distortion(model: DistortionModel, coefficients: tuple[float, ...]) -> Distortion:
    # Where a model turns back takes longer to find than all pixels of a picture.
    return Distortion(model, coefficients)


def first_lens(
    model: DistortionModel, focal_px: float, size_px: tuple[int, int]
) -> NDArray[np.float64]:
    """Return a lens without distortion that looks through the middle of the picture."""
    middle = (size_px[0] - 1) / 2, (size_px[1] - 1) / 2
    return np.array([focal_px, focal_px, *middle, *[0.0] * _COEFFICIENTS[model]])


def lens_of(camera: Camera, model: DistortionModel) -> NDArray[np.float64]:
    """Return a camera as the numbers of a lens, with zeros for coefficients that it has not."""
    given = camera.distortion.coefficients
    zeros = (0.0,) * (_COEFFICIENTS.get(model, 0) - len(given))
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy, *given, *zeros])
