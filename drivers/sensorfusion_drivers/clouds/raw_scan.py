"""What a cloud file holds, before its fields get a meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RawScan:
    """The fields of one scan, by their names in the file.

    Attributes
    ----------
    fields : mapping of str to ndarray, shape (N,) or (N, count)
    rows, columns : int
        Shape of an organised cloud; ``rows`` is 1 for a list of points.
    T_world_sensor : ndarray of float64, shape (4, 4), or None
        Where the file says it was taken.
    note : str
        What a user should know of its coordinates, or "".
    """

    fields: Mapping[str, NDArray[Any]]
    rows: int = 1
    columns: int = 0
    T_world_sensor: NDArray[np.float64] | None = None
    note: str = ""
