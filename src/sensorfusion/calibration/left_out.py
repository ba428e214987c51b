"""How a result changes when parts of a recording are left out: what a peak's shape cannot tell."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MOST_GROUPS: Final = 10
_FEWEST_GROUPS: Final = 4


def covariance_by_leaving_out(
    result_of: Callable[[NDArray[np.int64]], NDArray[np.float64]], scenes: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return the covariance of a result from those without each scene (delete-a-group jackknife).

    Parameters
    ----------
    result_of : callable
        Returns the result, float64 (K,), of some observations, by their rows.
    scenes : ndarray of int64, shape (N,)
        Number of the scene of each observation; of many, neighbours are left out together.

    Returns
    -------
    ndarray of float64, shape (K, K), or None
        None where there are fewer than four scenes.

    References
    ----------
    Quenouille, "Notes on bias in estimation", Biometrika 1956; Kott, "The delete-a-group
    jackknife", Journal of Official Statistics 2001.
    """
    numbers, scene = np.unique(scenes, return_inverse=True)
    groups = min(len(numbers), _MOST_GROUPS)
    if groups < _FEWEST_GROUPS:
        return None
    group = scene.ravel() * groups // len(numbers)
    results = np.stack([result_of(np.flatnonzero(group != each)) for each in range(groups)])
    off = results - results.mean(axis=0)
    return np.asarray(off.T @ off * (groups - 1) / groups)


def larger_covariance(
    covariance: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a covariance that is nowhere smaller than the first, and as large as the second.

    Parameters
    ----------
    covariance, other : ndarray of float64, shape (K, K)
        The first without zero variances.
    """
    root = np.linalg.cholesky(covariance)
    inner = np.linalg.solve(root, np.linalg.solve(root, other).T)
    values, vectors = np.linalg.eigh(0.5 * (inner + inner.T))
    return np.asarray(root @ (vectors * np.maximum(values, 1.0)) @ vectors.T @ root.T)
