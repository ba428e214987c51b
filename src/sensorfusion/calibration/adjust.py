"""Bundle adjustment of boards before one camera or two: lenses, their places, and the boards'."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.bundle import (
    PLACE_COLUMNS,
    Bundle,
    Sightings,
    moved,
    pixels_of,
    residuals_of,
)
from sensorfusion.errors import CalibrationError

_STEP_PX, _STEP = 1e-3, 1e-6
_ROUNDS = 100
_DONE = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """The bundle with the smallest sum of squared residuals.

    Attributes
    ----------
    bundle : Bundle
    residuals_px : ndarray of float64, shape (N, 2)
        Where each corner was seen, less where it should be.
    shared : ndarray of float64, shape (P, P)
        Covariance of the free numbers of the lenses, then of ``T_right_left`` (turn, shift), for
        corners that err by one pixel in u and in v; the places of the board are unknown, too.
    boards : ndarray of float64, shape (B, 6, 6)
        Covariance of each place of the board (turn in radians, shift in metres, both in the left
        camera's coordinates) for the same corners and known cameras.
    """

    bundle: Bundle
    residuals_px: NDArray[np.float64]
    shared: NDArray[np.float64]
    boards: NDArray[np.float64]

    @property
    def sigma_px(self) -> float:
        """Return the standard deviation of a corner in u or v, as the residuals show it."""
        unknown = len(self.shared) + 6 * len(self.boards)
        spare = max(self.residuals_px.size - unknown, 1)
        return float(np.sqrt((self.residuals_px**2).sum() / spare))


def adjust(bundle: Bundle, seen: Sightings, free: NDArray[np.bool_]) -> Adjusted:
    """Move all unknowns to where the sum of squared residuals is smallest.

    Levenberg and Marquardt's method; the places of the board, which do not depend on each other,
    are eliminated first (Schur complement). A second camera's place is free where there is one.

    Parameters
    ----------
    bundle : Bundle
        Where to begin: each corner must be in front of its cameras.
    seen : Sightings
    free : ndarray of bool, shape of ``bundle.lenses``
        Which numbers of the lenses may move.

    Raises
    ------
    CalibrationError
        If a corner lies where the lens cannot show it, at the beginning.

    References
    ----------
    Triggs et al., "Bundle adjustment: a modern synthesis", 1999; Marquardt, "An algorithm for
    least-squares estimation of nonlinear parameters", 1963.
    """
    residuals = residuals_of(bundle, seen)
    cost = _cost(residuals, seen)
    if not np.isfinite(cost):
        msg = "a corner of a board lies where the camera, as first guessed, can see nothing"
        raise CalibrationError(msg)
    damping, system = 1e-3, _system(bundle, seen, free, residuals)
    for _ in range(_ROUNDS):
        next_bundle = moved(bundle, free, *system.step(damping))
        tried = residuals_of(next_bundle, seen)
        new_cost = _cost(tried, seen)
        if not new_cost <= cost:
            damping *= 10.0
            if damping > 1e10:
                break
            continue
        ended = cost - new_cost <= _DONE * cost
        bundle, residuals, cost, damping = next_bundle, tried, new_cost, max(damping / 10.0, 1e-12)
        system = _system(bundle, seen, free, residuals)
        if ended:
            break
    return Adjusted(bundle, residuals, *system.covariance())


@dataclass(frozen=True, slots=True, eq=False)
class _System:
    """Normal equations: of what is shared (s), of each place of the board (b), and between."""

    ss: NDArray[np.float64]
    sb: NDArray[np.float64]
    bb: NDArray[np.float64]
    rs: NDArray[np.float64]
    rb: NDArray[np.float64]

    def step(self, damping: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ss, bb = _damped(self.ss, damping), _damped(self.bb, damping)
        inverse = np.linalg.pinv(bb, hermitian=True)
        through = self.sb @ inverse
        reduced = ss - (through @ self.sb.transpose(0, 2, 1)).sum(axis=0)
        right = self.rs - (through @ self.rb[..., None])[..., 0].sum(axis=0)
        shared = np.linalg.lstsq(reduced, right)[0] if len(right) else right
        boards = (inverse @ (self.rb - shared @ self.sb)[..., None])[..., 0]
        return shared, boards

    def covariance(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        inverse = np.linalg.pinv(self.bb, hermitian=True)
        reduced = self.ss - (self.sb @ inverse @ self.sb.transpose(0, 2, 1)).sum(axis=0)
        return _inverse(reduced), np.asarray(inverse, np.float64)


def _damped(normal: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    diagonal = np.diagonal(normal, axis1=-2, axis2=-1)
    return normal + damping * diagonal[..., None] * np.eye(normal.shape[-1])


def _inverse(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse, with infinite variances where nothing determines a number."""
    if not len(normal):
        return normal
    scale = np.sqrt(np.maximum(np.diagonal(normal), 1e-200))
    scaled = normal / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(scaled)
    # What elimination leaves of zero is rounding, and may be negative.
    inverse = np.asarray((vectors / np.maximum(values, 1e-14)) @ vectors.T, np.float64)
    return np.asarray(inverse / np.outer(scale, scale))


def _system(
    bundle: Bundle, seen: Sightings, free: NDArray[np.bool_], residuals: NDArray[np.float64]
) -> _System:
    shared, boards = _derivatives(bundle, seen, free)
    heavy = seen.weight[:, None, None]
    right = residuals.ravel()
    flat = shared.reshape(right.size, shared.shape[-1])
    weighed = (heavy * shared).reshape(flat.shape)
    # Corners are in order of the boards: one product each, too small for threads,
    # which would be slower and add up in another order on another machine.
    ends = 2 * np.flatnonzero(np.diff(seen.board, append=-1)) + 2
    parts = [slice(start, end) for start, end in pairwise((0, *ends.tolist()))]
    of_board, heavy_board = boards.reshape(-1, 6), (heavy * boards).reshape(-1, 6)
    return _System(
        np.sum([weighed[part].T @ flat[part] for part in parts], axis=0),
        np.stack([flat[part].T @ heavy_board[part] for part in parts]),
        np.stack([of_board[part].T @ heavy_board[part] for part in parts]),
        np.sum([right[part] @ weighed[part] for part in parts], axis=0),
        np.stack([right[part] @ heavy_board[part] for part in parts]),
    )


def _derivatives(
    bundle: Bundle, seen: Sightings, free: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return derivatives of the pixels: (N, 2, P) of what is shared, (N, 2, 6) of the boards.

    By central differences, which serve every lens model alike; all places of the board move at
    once, because a corner depends on one of them only.
    """
    steps = [_STEP_PX if column < PLACE_COLUMNS else _STEP for _, column in np.argwhere(free)]
    steps += [_STEP] * (6 if len(bundle.lenses) > 1 else 0)
    still = np.zeros((len(bundle.T_left_board), 6))
    shared = np.empty((len(seen.pixels), 2, len(steps)))
    for index, step in enumerate(steps):
        move = np.zeros(len(steps))
        move[index] = step
        ahead = pixels_of(moved(bundle, free, move, still), seen)
        behind = pixels_of(moved(bundle, free, -move, still), seen)
        shared[..., index] = (ahead - behind) / (2 * step)
    nothing = np.zeros(len(steps))
    boards = np.empty((len(seen.pixels), 2, 6))
    for index in range(6):
        turn = still.copy()
        turn[:, index] = _STEP
        ahead = pixels_of(moved(bundle, free, nothing, turn), seen)
        behind = pixels_of(moved(bundle, free, nothing, -turn), seen)
        boards[..., index] = (ahead - behind) / (2 * _STEP)
    # A corner on the rim of what the lens can show has no derivative; it holds nothing.
    return np.nan_to_num(shared), np.nan_to_num(boards)


def _cost(residuals: NDArray[np.float64], seen: Sightings) -> float:
    cost = float((seen.weight * (residuals**2).sum(axis=1)).sum())
    return cost if np.isfinite(cost) else float("inf")
