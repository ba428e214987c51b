"""Whether depth looks like depth: what a wrong unit, byte order or preview leaves in a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth.scale import to_metres
from sensorfusion.depth_map import DepthMap, RawDepth

# Cameras that measure depth see surfaces between these in the middle of a picture.
_NEAREST_MEDIAN_M = 0.1
_FARTHEST_MEDIAN_M = 20.0
_SATURATED = 65535
_MOST_SATURATED = 0.5
_MOST_AT_LARGEST = 0.05
_FEWEST_LEVELS = 16
_FEWEST_PIXELS = 1000
# Depths that differ less than this from the near end to the far one may be a wall's.
_SPREAD = 1.5
# Real sensors: under 0.3 % of neighbours differ by 30 %; rotated bits or swapped bytes: over 19 %.
_JUMP = 1.3
_MOST_JUMPS = 0.05


def doubts(measurements: Sequence[RawDepth | DepthMap]) -> tuple[str, ...]:
    """Say what is doubtful about the depth that a camera measured.

    Parameters
    ----------
    measurements : sequence of RawDepth or DepthMap
        Of one recording, some frames spread over it.

    Returns
    -------
    tuple of str
        Sentences: the median is nearer than 0.1 m or farther than 20 m; many pixels are saturated
        or hold the largest value; there are few different values, or only those of 8 bits; or
        neighbouring pixels differ as no surface's do. None where nothing is doubtful.
    """
    layers = [(_stored(one), _metres(one)) for one in measurements]
    known = [(stored, metres) for stored, metres in layers if (metres > 0).sum() >= _FEWEST_PIXELS]
    if not known:
        return ()
    stored = np.concatenate([stored[metres > 0] for stored, metres in known])
    depths_m = np.concatenate([metres[metres > 0] for _, metres in known])
    found = (
        _far_or_near(float(np.median(depths_m))),
        _saturated(np.concatenate([stored.reshape(-1) for stored, _ in layers])),
        _few_values(stored, depths_m),
        _rough([metres for _, metres in known]),
    )
    return tuple(sentence for sentence in found if sentence)


def share_of_jumps(metres: NDArray[np.float32]) -> float:
    """Return how many neighbouring pixels with depth differ by more than 30 %, 0 to 1.

    Parameters
    ----------
    metres : ndarray of float32, shape (H, W)
        0 = no depth.
    """
    pairs = jumps = 0
    for one, other in ((metres[:, 1:], metres[:, :-1]), (metres[1:], metres[:-1])):
        both = (one > 0) & (other > 0)
        near, far = np.minimum(one, other), np.maximum(one, other)
        pairs += int(both.sum())
        jumps += int((both & (far > _JUMP * near)).sum())
    return jumps / pairs if pairs else 0.0


def _stored(one: RawDepth | DepthMap) -> NDArray[np.generic]:
    return one.values if isinstance(one, RawDepth) else one.metres


def _metres(one: RawDepth | DepthMap) -> NDArray[np.float32]:
    return to_metres(one).metres if isinstance(one, RawDepth) else one.metres


def _far_or_near(median_m: float) -> str:
    if _NEAREST_MEDIAN_M <= median_m <= _FARTHEST_MEDIAN_M:
        return ""
    return (
        f"the median depth is {median_m:.3g} m; depth cameras see from {_NEAREST_MEDIAN_M:g} m to "
        f"{_FARTHEST_MEDIAN_M:g} m; is the unit right?"
    )


def _saturated(stored: NDArray[np.generic]) -> str:
    if stored.dtype != np.uint16:
        return ""
    share = float((stored == _SATURATED).mean())
    if share <= _MOST_SATURATED:
        return ""
    return f"{share:.0%} of the pixels hold {_SATURATED}, which is taken as no depth"


def _few_values(stored: NDArray[np.generic], depths_m: NDArray[np.float32]) -> str:
    near_m, far_m = (float(value) for value in np.percentile(depths_m, (5, 95)))
    if far_m < _SPREAD * near_m:
        return ""
    values, counts = np.unique(stored, return_counts=True)
    if len(values) < _FEWEST_LEVELS:
        return (
            f"depth from {near_m:.3g} m to {far_m:.3g} m has only {len(values)} different values; "
            "is this a label picture?"
        )
    if values.dtype == np.uint16 and any(not (values % step).any() for step in (256, 257)):
        return (
            f"all depths are {len(values)} steps of 8 bits, spread over 16; is this a preview, "
            "scaled picture by picture?"
        )
    share = counts[-1] / counts.sum()
    if share <= _MOST_AT_LARGEST:
        return ""
    return (
        f"{share:.0%} of the depths are the largest one, {depths_m.max():.4g} m: what lies farther "
        "seems to be set to it; leave it out with --far-m"
    )


def _rough(pictures: Sequence[NDArray[np.float32]]) -> str:
    share = float(np.median([share_of_jumps(metres) for metres in pictures]))
    if share <= _MOST_JUMPS:
        return ""
    return (
        f"{share:.0%} of the neighbouring pixels differ by more than 30 %, which no surface does; "
        "do bytes or bits stand in another order (of folders: -o encoding=nyu or sun)?"
    )
