"""Kriging: a smooth field through scattered, noisy values, and how far it may be off anywhere."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth._kriging_kernels import invert

Floats = NDArray[np.float64]

# Tried lengths, as shares of the picture's width and of a step in the third coordinate; spreads
# of field and of what no field explains, as shares of the values' own spread.
_LENGTHS = (0.08, 0.2, 0.5, 1.2)
_STEPS = (0.25, 1.0, 1e3)
_FIELDS = (0.6, 1.2, 2.5)
_NUGGETS = (0.15, 0.4)
_TRIED_ON = 100
# An error beyond so many of its own deviations is an outlier, and does not choose the lengths.
_OUTLIER = 3.5
_ROUNDS = 3
_LEAST_KEPT = 8
_WITHIN_SIGMA_PERCENT = 68.27
# What a hundred values say about their own spread is not taken for more than this.
_LEAST_STRETCH, _MOST_STRETCH = 0.6, 2.5
_ROOT_3 = np.sqrt(3.0)


@dataclass(frozen=True, slots=True, eq=False)
class Kriging:
    """A field that is zero far from its values, with the lengths that predict them best.

    Attributes
    ----------
    places : ndarray of float64, shape (N, 3)
        Where the values lie, in lengths of the field.
    lengths : ndarray of float64, shape (3,)
    weights : ndarray of float64, shape (N,)
    inverse : ndarray of float64, shape (N, N)
        Of the covariance of the values.
    field, nugget : float
        Standard deviation of the field, and of what it does not explain.
    stretch : float
        What the errors of values left out ask the stated deviations to be multiplied with.
    """

    places: Floats
    lengths: Floats
    weights: Floats
    inverse: Floats
    field: float
    nugget: float
    stretch: float

    def __call__(self, places: Floats) -> tuple[Floats, Floats]:
        """Return the field at places (M, 3), and its variance with that of the nugget, (M,)."""
        near = self.field**2 * _alike(places / self.lengths, self.places)
        known = np.einsum("ij,ij->i", near @ self.inverse, near)
        variance = np.maximum(self.field**2 - known, 0.0) + self.nugget**2
        return near @ self.weights, self.stretch**2 * variance


def fit_field(places: Floats, values: Floats, sigmas: Floats, spread: float) -> Kriging:
    """Choose the field that predicts each value best from the others, without outliers.

    Parameters
    ----------
    places : ndarray of float64, shape (N, 3)
        Column and row, as shares of the picture's width, and a third coordinate; at least 8.
    values, sigmas : ndarray of float64, shape (N,)
        And one standard deviation of each.
    spread : float
        Robust standard deviation of the values, > 0.

    Returns
    -------
    Kriging

    References
    ----------
    Matheron, "Principles of geostatistics", 1963; Rasmussen and Williams, "Gaussian processes for
    machine learning", 2006, section 5.4.2, for the errors of values left out; Matern's covariance
    of smoothness 3/2.
    """
    some = np.linspace(0, len(values) - 1, min(len(values), _TRIED_ON)).round().astype(np.intp)
    tried = [
        (
            _log_loss(places[some] / lengths, values[some], sigmas[some], model),
            index,
            lengths,
            model,
        )
        for index, (lengths, model) in enumerate(_models(spread))
    ]
    _, _, lengths, (field, nugget) = min(tried, key=lambda one: one[:2])
    scaled = places / lengths
    kept = np.arange(len(values))
    error, sigma, inverse = _left_out(scaled, values, sigmas, (field, nugget))
    for _ in range(_ROUNDS):
        sound = np.abs(error) <= _OUTLIER * sigma
        if sound.all() or sound.sum() < _LEAST_KEPT:
            break
        kept = kept[sound]
        error, sigma, inverse = _left_out(scaled[kept], values[kept], sigmas[kept], (field, nugget))
    ratio = float(np.percentile(np.abs(error) / sigma, _WITHIN_SIGMA_PERCENT))
    stretch = min(max(ratio, _LEAST_STRETCH), _MOST_STRETCH)
    return Kriging(scaled[kept], lengths, inverse @ values[kept], inverse, field, nugget, stretch)


def _models(spread: float) -> list[tuple[Floats, tuple[float, float]]]:
    return [
        (np.array((length, length, step)), (field * spread, nugget * spread))
        for length, step, field, nugget in product(_LENGTHS, _STEPS, _FIELDS, _NUGGETS)
    ]


def _log_loss(scaled: Floats, values: Floats, sigmas: Floats, model: tuple[float, float]) -> float:
    """Return how badly a model predicts values left out, and how badly it says so."""
    error, sigma, _ = _left_out(scaled, values, sigmas, model)
    ratio = np.minimum(np.abs(error / sigma), _OUTLIER)
    return float(np.mean(np.log(sigma) + ratio**2 / 2))


def _left_out(
    scaled: Floats, values: Floats, sigmas: Floats, model: tuple[float, float]
) -> tuple[Floats, Floats, Floats]:
    """Return error and deviation of each value as the others predict it, and the inverse."""
    field, nugget = model
    covariance = field**2 * _alike(scaled, scaled)
    covariance[np.diag_indices_from(covariance)] += nugget**2 + sigmas**2
    inverse = np.empty_like(covariance)
    invert(covariance, inverse)
    own = np.diag(inverse)
    return inverse @ values / own, 1.0 / np.sqrt(own), inverse


def _alike(scaled: Floats, others: Floats) -> Floats:
    """Return the correlation between places, in lengths: (1 + s) exp(-s), s = sqrt(3) distance."""
    squares = (
        np.square(scaled).sum(axis=1)[:, None]
        + np.square(others).sum(axis=1)
        - 2 * scaled @ others.T
    )
    distance = _ROOT_3 * np.sqrt(np.maximum(squares, 0.0))
    return np.asarray((1.0 + distance) * np.exp(-distance))
