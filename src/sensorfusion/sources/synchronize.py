"""Pair the samples of two streams by time stamp."""

import numpy as np
from numpy.typing import NDArray


def pair_by_time(
    first_ns: NDArray[np.int64], second_ns: NDArray[np.int64], tolerance_ns: int
) -> NDArray[np.int64]:
    """Pair samples nearest in time, each at most once.

    The closest pairs are made first (ties: the earlier sample first), so that a sample never
    takes a partner that another one fits better. What finds no partner is left out.

    Parameters
    ----------
    first_ns, second_ns : ndarray of int64, shape (N,) and (M,)
        Time stamps of the two streams on one clock, nanoseconds, in any order.
    tolerance_ns : int
        Largest difference within a pair.

    Returns
    -------
    ndarray of int64, shape (K, 2)
        Indices into the first and the second stream, in order of the first's time.
    """
    order = np.argsort(second_ns, kind="stable")
    ordered_ns = second_ns[order]
    low = np.searchsorted(ordered_ns, first_ns - tolerance_ns, side="left")
    high = np.searchsorted(ordered_ns, first_ns + tolerance_ns, side="right")
    counts = high - low
    first = np.repeat(np.arange(len(first_ns)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    second = order[np.repeat(low, counts) + offsets]
    distance_ns = np.abs(first_ns[first] - second_ns[second])
    free_first = np.ones(len(first_ns), dtype=bool)
    free_second = np.ones(len(second_ns), dtype=bool)
    pairs = []
    for candidate in np.lexsort((second_ns[second], first_ns[first], distance_ns)):
        i, j = first[candidate], second[candidate]
        if free_first[i] and free_second[j]:
            free_first[i] = free_second[j] = False
            pairs.append((i, j))
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[np.argsort(first_ns[found[:, 0]], kind="stable")]


def median_period_ns(timestamps_ns: NDArray[np.int64]) -> int:
    """Return the median time between samples in order of time, or 0 for fewer than two."""
    if len(timestamps_ns) < 2:
        return 0
    return int(np.median(np.diff(np.sort(timestamps_ns))))
