"""A look at a whole recording through few of its frames."""

import numpy as np

FRAMES_LOOKED_AT = 12


def spread_indices(count: int) -> list[int]:
    """Return which frames to look at, the first and the last among them.

    Parameters
    ----------
    count : int
        Frames of the recording.

    Returns
    -------
    list of int
        At most 12, evenly spread, in order; none for a recording without frames.
    """
    if not count:
        return []
    return sorted({round(i) for i in np.linspace(0, count - 1, FRAMES_LOOKED_AT)})
