"""How high the floor is, place by place: of a room as of a street with slopes and kerbs."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import ConfigError
from sensorfusion.perception.voxels import NEAR_VOXELS, SeenVoxels

_CELL_M: Final = 1.0
_ENOUGH: Final = 0.05
"""Share of a cell's area that must lie low: less may be what a mirror shows below the floor."""
_SLOPE, _STEEPEST = 0.1, 0.25
_FREE_BELOW_M = 0.3
_WINDOW = np.ones((3, 3), np.uint8)
_UNKNOWN = np.float32(np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class LocalFloor:
    """Heights of a floor in the middles of cells of 1 m.

    Attributes
    ----------
    heights_m : ndarray of float32, shape (rows, columns)
        Rows go along y, columns along x; z up.
    first_cell : (int, int)
        x and y of the outer corner of cell (0, 0), in cells.
    """

    heights_m: NDArray[np.float32]
    first_cell: tuple[int, int]

    def above(self, places_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how high places are above the floor, metres, float32 (N,).

        Between the middles of cells the floor is interpolated; beyond the last it is level.

        Parameters
        ----------
        places_m : ndarray of float32, shape (N, 3)
            In the coordinates of the floor.
        """
        across = places_m[:, :2].astype(np.float64) / _CELL_M - self.first_cell - 0.5
        most = np.array(self.heights_m.shape[::-1]) - 1
        across = np.clip(across, 0, most)
        x, y = np.minimum(across.astype(np.int64), np.maximum(most - 1, 0)).T
        right, up = (across - np.stack([x, y], axis=1)).T
        x1, y1 = np.minimum(x + 1, most[0]), np.minimum(y + 1, most[1])
        h = self.heights_m
        near = h[y, x] * (1 - right) + h[y, x1] * right
        far = h[y1, x] * (1 - right) + h[y1, x1] * right
        return np.asarray(places_m[:, 2] - (near * (1 - up) + far * up), np.float32)


def local_floor(voxels: SeenVoxels) -> LocalFloor:
    """Return the floor below what was seen.

    The lowest surface of each cell of 1 m, unless free space was seen below it. An opening (the
    least of 3 x 3 cells, then the greatest) takes away what stands where the floor is hidden and
    is narrower than 3 m, as tables and cars are, and leaves slopes; what it lowers by no more than
    a slope of 10 % explains keeps its height (Zhang et al., "A progressive morphological filter
    for removing nonground measurements from airborne LIDAR data", IEEE TGRS 41(4), 2003, with one
    window). From cell to cell the floor climbs by no more than 25 % (Vosselman, "Slope based
    filtering of laser altimetry data", IAPRS 33, 2000), so that stairs stand in the way. Cells
    without a floor take the lowest around them.

    Parameters
    ----------
    voxels : SeenVoxels
        Metres, z up.

    Raises
    ------
    ConfigError
        If there is too little surface.
    """
    import cv2

    first, lowest_m = _lowest_surface(voxels)
    known_m = _spread(lowest_m)
    opened_m = np.asarray(cv2.morphologyEx(known_m, cv2.MORPH_OPEN, _WINDOW), np.float32)
    floor_m = np.where(known_m - opened_m <= _SLOPE * _CELL_M, known_m, opened_m)
    climbed_m = np.asarray(cv2.erode(floor_m, _WINDOW), np.float32) + _STEEPEST * _CELL_M
    return LocalFloor(np.minimum(floor_m, climbed_m).astype(np.float32), first)


def _lowest_surface(voxels: SeenVoxels) -> tuple[tuple[int, int], NDArray[np.float32]]:
    """Return the first cell and the height of each cell's lowest surface, infinite if unknown."""
    cells = np.floor(voxels.surface_m[:, :2] / _CELL_M).astype(np.int64)
    enough = int(np.ceil(_ENOUGH * (_CELL_M / voxels.voxel_size_m) ** 2))
    if len(cells) < enough:
        msg = f"{len(cells)} voxels of surface were seen; a floor needs {enough} in a square metre"
        raise ConfigError(msg)
    # One more cell all round, so that a slope goes on beyond its last cell.
    first, last = cells.min(axis=0) - 1, cells.max(axis=0) + 1
    columns, rows = (last - first + 1).tolist()
    order, starts, counts = _by_cell(voxels.surface_m, first, (rows, columns))
    z = voxels.surface_m[order, 2]
    known = np.flatnonzero(counts >= enough)
    if not len(known):
        msg = f"no square metre holds {enough} voxels of surface, so that no floor is known"
        raise ConfigError(msg)
    begins = starts[known] + enough - 1
    # The middle of the sheet of voxels that begins here, sloping as far as it may.
    sheet_m = 2 * NEAR_VOXELS * voxels.voxel_size_m + _SLOPE * _CELL_M
    cell_of = np.repeat(np.arange(rows * columns), counts)
    tops = np.full(rows * columns, -_UNKNOWN, np.float32)
    tops[known] = z[begins] + sheet_m
    within = np.bincount(cell_of, z <= tops[cell_of], rows * columns).astype(np.int64)[known]
    lowest_m = np.full(rows * columns, _UNKNOWN, np.float32)
    lowest_m[known] = z[starts[known] + (enough - 1 + within - 1) // 2]
    hanging = _free_below(lowest_m, voxels.free_m, first, (rows, columns), enough)
    # Where nothing stands on the ground, the lowest is all that is known.
    if hanging[known].all():
        hanging[:] = False
    lowest_m[hanging] = _UNKNOWN
    return (int(first[0]), int(first[1])), lowest_m.reshape(rows, columns)


def _free_below(
    lowest_m: NDArray[np.float32],
    free_m: NDArray[np.float32],
    first: NDArray[np.int64],
    shape: tuple[int, int],
    enough: int,
) -> NDArray[np.bool_]:
    """Return the cells where free space was seen below the lowest surface: a table, a ceiling."""
    order, starts, counts = _by_cell(free_m, first, shape)
    seen = counts >= enough
    lowest_free_m = np.full(len(lowest_m), _UNKNOWN, np.float32)
    lowest_free_m[seen] = free_m[order[starts[seen] + enough - 1], 2]
    return np.asarray(lowest_free_m + _FREE_BELOW_M < lowest_m)


def _by_cell(
    places_m: NDArray[np.float32], first: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the order by cell and then height, and where each cell starts and its count."""
    x, y = np.floor(places_m[:, :2] / _CELL_M).astype(np.int64).T - first[:, None]
    inside = np.flatnonzero((x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0]))
    cell = (y * shape[1] + x)[inside]
    order = inside[np.lexsort((places_m[inside, 2], cell))]
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    return order, np.cumsum(counts) - counts, counts


def _spread(heights_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return heights with every unknown one filled with the lowest of those next to it.

    The lowest, since the shadow behind a car belongs to the street.
    """
    import cv2

    while np.isinf(heights_m).any():
        around = np.asarray(
            cv2.erode(heights_m, _WINDOW, borderType=cv2.BORDER_REPLICATE), np.float32
        )
        heights_m = np.where(np.isinf(heights_m), around, heights_m)
    return heights_m
