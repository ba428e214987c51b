"""Range image: a scan as rings and firings, so that neighbours are known."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.point_cloud import PointCloud

UNSEEN: Final = -1
"""In ``RangeImage.index``: no beam looked there, or the recording does not say so."""
NO_RETURN: Final = -2
"""In ``RangeImage.index``: a beam looked there and found nothing within range: free space."""


@dataclass(frozen=True, slots=True, eq=False)
class RangeImage:
    """An organised scan: rows are rings from the highest down, columns are firing times.

    Attributes
    ----------
    cloud : PointCloud
    index : ndarray of int32, shape (rows, columns)
        Row of ``cloud.points`` in each cell, :data:`UNSEEN` or :data:`NO_RETURN`.
    range_m : ndarray of float32, shape (rows, columns)
        Distance from the sensor's origin, metres; 0 where there is no point.
    wraps : bool
        Whether the last column is the neighbour of the first: a full revolution.

    Raises
    ------
    ValueError
        If a dtype or shape is another.
    """

    cloud: PointCloud
    index: NDArray[np.int32]
    range_m: NDArray[np.float32]
    wraps: bool

    def __post_init__(self) -> None:
        if self.index.dtype != np.int32 or self.index.ndim != 2:
            msg = f"index is {self.index.dtype} {self.index.shape}; expected int32 (rows, columns)"
            raise ValueError(msg)
        if self.range_m.dtype != np.float32 or self.range_m.shape != self.index.shape:
            msg = (
                f"range_m is {self.range_m.dtype} {self.range_m.shape}; expected float32 "
                f"{self.index.shape}"
            )
            raise ValueError(msg)
