"""The simplest lens that explains the corners: coefficients that nothing determines stay zero."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.adjust import Adjusted, adjust
from sensorfusion.calibration.bundle import PLACE_COLUMNS, Bundle, Sightings
from sensorfusion.distortion import Distortion

_SIGNIFICANT = 3.0
_MUCH_WORSE = 1.1
# What may be left out together, in this order, as columns of a lens. The tangential pair stands
# for itself; each radial coefficient carries those before it.
_RADIAL: Mapping[str, tuple[int, ...]] = {
    "brown_conrady": (8, 5, 4),
    "kannala_brandt": (7, 6, 5, 4),
}
_TANGENTIAL: Mapping[str, tuple[int, ...]] = {"brown_conrady": (6, 7), "kannala_brandt": ()}


def adjust_simplest(
    bundle: Bundle, seen: Sightings, size_px: tuple[int, int]
) -> tuple[Adjusted, NDArray[np.bool_]]:
    """Adjust a bundle with as few coefficients of each lens as explain the corners.

    Radial coefficients are left out from the last one on, while they are within three standard
    deviations of zero, or while the lens turns back inside the picture and does without them
    nearly as well; the tangential ones if both are within three.

    Parameters
    ----------
    bundle : Bundle
    seen : Sightings
    size_px : tuple of int
        Width and height of the pictures.

    Returns
    -------
    adjusted : Adjusted
    free : ndarray of bool, shape of the lenses
        Which numbers were determined.

    Raises
    ------
    CalibrationError
        As :func:`~sensorfusion.calibration.bundle.adjust`.
    """
    free = np.ones(bundle.lenses.shape, bool)
    adjusted = adjust(bundle, seen, free)
    for side in range(len(free)):
        for column in _RADIAL[bundle.model]:
            needed = _is_needed(adjusted, free, side, (column,))
            if needed and _covers(adjusted.bundle, side, size_px):
                break
            simpler, fewer = _without(adjusted, seen, free, side, (column,))
            if needed and simpler.sigma_px > _MUCH_WORSE * adjusted.sigma_px:
                break
            adjusted, free = simpler, fewer
        pair = _TANGENTIAL[bundle.model]
        if pair and not _is_needed(adjusted, free, side, pair):
            adjusted, free = _without(adjusted, seen, free, side, pair)
    return adjusted, free


def _is_needed(
    adjusted: Adjusted, free: NDArray[np.bool_], side: int, columns: tuple[int, ...]
) -> bool:
    places = [int(free[:side].sum() + free[side, :column].sum()) for column in columns]
    sigmas = adjusted.sigma_px * np.sqrt(np.diagonal(adjusted.shared)[places])
    values = np.abs(adjusted.bundle.lenses[side, list(columns)])
    return bool((values > _SIGNIFICANT * sigmas).any())


def _covers(bundle: Bundle, side: int, size_px: tuple[int, int]) -> bool:
    """Say whether a lens has a ray for each corner of the picture."""
    lens = bundle.lenses[side]
    width, height = size_px
    rim = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    distortion = Distortion(bundle.model, tuple(map(float, lens[PLACE_COLUMNS:])))
    rays = distortion.undistort((rim - lens[2:PLACE_COLUMNS]) / lens[:2])
    return bool(np.isfinite(rays).all())


def _without(
    adjusted: Adjusted,
    seen: Sightings,
    free: NDArray[np.bool_],
    side: int,
    columns: tuple[int, ...],
) -> tuple[Adjusted, NDArray[np.bool_]]:
    fewer, lenses = free.copy(), adjusted.bundle.lenses.copy()
    fewer[side, list(columns)] = False
    lenses[side, list(columns)] = 0.0
    # A lens that turned back may have shown corners that it no longer does.
    return adjust(replace(adjusted.bundle, lenses=lenses), seen, fewer), fewer
