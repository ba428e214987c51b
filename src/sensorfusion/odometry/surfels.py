"""The map that scans are laid on: pieces of surface in cubes, found by hashing."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry import _surfel_kernels

_FIRST_ROOM: Final = 1 << 15
# At most this share of the table is in use, so that a search ends soon.
_SLOTS_PER_ROW: Final = 4


class SurfelMap:
    """Pieces of surface, each with a plane, or a distribution where there are no planes.

    Parameters
    ----------
    edge_m : float
        Edge of a cube, metres: as far as a surface counts as flat.
    far_m : float
        Pieces farther away than this from where scans are added are given up when room is short.

    References
    ----------
    Vizzo et al., "KISS-ICP: in defense of point-to-point ICP", RA-L 2023 (a local map in a hash).
    Biber and Strasser, "The normal distributions transform", IROS 2003 (distributions in cells).
    """

    def __init__(self, edge_m: float, far_m: float) -> None:
        self.edge_m = edge_m
        self._far_m = far_m
        self._count = 0
        self._keys_of_rows = np.empty(0, np.int64)
        self._sums = np.empty((0, _surfel_kernels.SUMS))
        self._pieces = np.empty((0, _surfel_kernels.PIECE))
        self._make_room(_FIRST_ROOM)

    def __len__(self) -> int:
        return self._count

    @property
    def table(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the keys and rows of the hash table; both void after an insertion."""
        return self._table

    @property
    def pieces(self) -> NDArray[np.float64]:
        """Return the pieces, see ``_surfel_kernels``; void after an insertion."""
        return self._pieces

    def insert(
        self,
        points: NDArray[np.float64],
        normals: NDArray[np.float64],
        centre_m: NDArray[np.float64],
        sigma_m: float,
    ) -> None:
        """Add the points of a scan.

        Parameters
        ----------
        points, normals : ndarray of float64, shape (N, 3)
            World coordinates, metres; a normal of 0 where there is none.
        centre_m : ndarray of float64, shape (3,)
            Where the sensor is.
        sigma_m : float
            Standard deviation of a point along its normal, metres.
        """
        if self._count + len(points) > len(self._keys_of_rows):
            self._count = _surfel_kernels.keep_near(
                self._keys_of_rows, self._sums, self._pieces, self._count, centre_m, self._far_m
            )
            room = len(self._keys_of_rows)
            while self._count + len(points) > room // 2:
                room *= 2
            self._make_room(room)
        scales = np.array([self.edge_m, sigma_m, 4.0 * sigma_m])
        self._count = _surfel_kernels.insert(
            self._table,
            self._keys_of_rows,
            self._sums,
            self._pieces,
            points,
            normals,
            scales,
            self._count,
        )

    def _make_room(self, room: int) -> None:
        """Make room for so many pieces and enter those that there are in a new table."""
        count = self._count
        keys_of_rows = np.empty(room, np.int64)
        sums = np.empty((room, _surfel_kernels.SUMS))
        pieces = np.empty((room, _surfel_kernels.PIECE))
        if count:
            keys_of_rows[:count] = self._keys_of_rows[:count]
            sums[:count], pieces[:count] = self._sums[:count], self._pieces[:count]
        self._keys_of_rows, self._sums, self._pieces = keys_of_rows, sums, pieces
        slots = _SLOTS_PER_ROW * room
        self._table = (np.empty(slots, np.int64), np.empty(slots, np.int32))
        _surfel_kernels.enter_all(self._table, keys_of_rows, count)
