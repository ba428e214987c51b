"""Euclidean distance fields: how far the nearest surface is, everywhere."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import ConfigError
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.perception._edt_kernels import squared_distances
from sensorfusion.perception.voxels import SeenVoxels

_MOST_CELLS = 1 << 27


@dataclass(frozen=True, slots=True, eq=False)
class DistanceField:
    """Distances to the nearest surface.

    Attributes
    ----------
    distance_m : ndarray of float32, shape (X, Y, Z)
        From the middle of each cell to that of the nearest cell with surface, metres.
    seen : ndarray of bool, shape (X, Y, Z)
        Whether the cell was seen; elsewhere something nearer may stand.
    cell_size_m : float
    origin_m : (float, float, float)
        Middle of cell (0, 0, 0), z up.
    """

    distance_m: NDArray[np.float32]
    seen: NDArray[np.bool_]
    cell_size_m: float
    origin_m: tuple[float, float, float]

    def save(self, folder: Path | str, name: str = "esdf") -> None:
        """Write ``NAME.npy``, ``NAME_seen.npy`` and, as their header, ``NAME.json``.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        folder = make_folder(folder)
        for file, array in ((name, self.distance_m), (f"{name}_seen", self.seen)):
            with whole_file(folder / f"{file}.npy") as path, path.open("wb") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
        header = {
            "distance": f"{name}.npy",
            "seen": f"{name}_seen.npy",
            "unit": "metres",
            "axes": ["x", "y", "z"],
            "shape": list(self.distance_m.shape),
            "cell_size_m": self.cell_size_m,
            "origin_m": list(self.origin_m),
        }
        with whole_file(folder / f"{name}.json") as path:
            path.write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")


def distance_field(voxels: SeenVoxels, cell_size_m: float) -> DistanceField:
    """Return the exact distance of every cell to the nearest one with surface.

    Parameters
    ----------
    voxels : SeenVoxels
        Of depth maps, scans or both; z up.
    cell_size_m : float
        Not smaller than the voxels.

    Raises
    ------
    ConfigError
        If the cells are smaller than the voxels or too many, or there is no surface.

    References
    ----------
    Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", Theory of
    Computing 8, 2012.
    """
    if not cell_size_m >= voxels.voxel_size_m:
        msg = (
            f"cells of {cell_size_m} m from voxels of {voxels.voxel_size_m} m; expected cells "
            "that are not smaller"
        )
        raise ConfigError(msg)
    if not len(voxels.surface_m):
        msg = "the volume holds no surface that a distance could be measured to"
        raise ConfigError(msg)
    every = np.concatenate([voxels.surface_m, voxels.free_m])
    first = np.rint(every.min(axis=0) / cell_size_m).astype(np.int64)
    shape = tuple((np.rint(every.max(axis=0) / cell_size_m).astype(np.int64) - first + 1).tolist())
    if int(np.prod(shape)) > _MOST_CELLS:
        msg = (
            f"a field of {' x '.join(map(str, shape))} cells of {cell_size_m} m, at most "
            f"{_MOST_CELLS} are allowed; make the cells larger"
        )
        raise ConfigError(msg)
    seen = np.zeros(shape, bool)
    squares = np.full(shape, np.inf)
    for places in (voxels.free_m, voxels.surface_m):
        cells = tuple((np.rint(places / cell_size_m).astype(np.int64) - first).T)
        seen[cells] = True
    squares[cells] = 0.0
    distance_m = (np.sqrt(squared_distance_transform(squares)) * cell_size_m).astype(np.float32)
    x, y, z = (float(part) * cell_size_m for part in first)
    return DistanceField(distance_m, seen, cell_size_m, (x, y, z))


def squared_distance_transform(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest of squared distance plus value over all cells, for each cell.

    Parameters
    ----------
    squares : ndarray of float64, any shape
        0 in the cells that distances are measured to, infinite elsewhere.

    Returns
    -------
    ndarray of float64, same shape
        In cells squared; infinite where there is nothing to measure to.
    """
    for axis in range(squares.ndim):
        moved = np.moveaxis(squares, axis, -1)
        lines = np.ascontiguousarray(moved).reshape(-1, moved.shape[-1])
        if np.shares_memory(lines, squares):
            lines = lines.copy()
        squared_distances(lines)
        squares = np.moveaxis(lines.reshape(moved.shape), -1, axis)
    return np.ascontiguousarray(squares)
