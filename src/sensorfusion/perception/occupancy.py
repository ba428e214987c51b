"""Two-dimensional maps for robots: where they may drive, from what was fused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import ConfigError, OutputError
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.perception.floor import LocalFloor
from sensorfusion.perception.voxels import SeenVoxels

UNKNOWN, FREE, OCCUPIED = -1, 0, 100
_GREY: Final = {UNKNOWN: 205, FREE: 254, OCCUPIED: 0}
_FLOOR_BELOW_M = 0.3
_MOST_CELLS = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class OccupancyGrid:
    """A map of what stands within a band of heights.

    Attributes
    ----------
    cells : ndarray of int8, shape (rows, columns)
        :data:`UNKNOWN`, :data:`FREE` or :data:`OCCUPIED`, as ROS' ``OccupancyGrid``; rows go along
        y, columns along x.
    cell_size_m : float
    origin_m : (float, float)
        x and y of the outer corner of cell (0, 0).
    """

    cells: NDArray[np.int8]
    cell_size_m: float
    origin_m: tuple[float, float]

    def save(self, folder: Path | str, name: str = "map") -> None:
        """Write ``NAME.png`` and ``NAME.yaml``, as ROS' ``map_server`` reads them.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        import cv2

        folder = make_folder(folder)
        grey = np.empty(self.cells.shape, np.uint8)
        for state, level in _GREY.items():
            grey[self.cells == state] = level
        # The first row of the picture is the one with the largest y.
        done, data = cv2.imencode(".png", np.ascontiguousarray(grey[::-1]))
        if not done:
            msg = f"{folder / name}.png: OpenCV could not write {self.cells.size} pixels"
            raise OutputError(msg)
        with whole_file(folder / f"{name}.png") as path:
            path.write_bytes(data.tobytes())
        x, y = self.origin_m
        text = (
            f"image: {name}.png\nmode: trinary\nresolution: {self.cell_size_m:.6g}\n"
            f"origin: [{x:.6f}, {y:.6f}, 0.0]\nnegate: 0\n"
            "occupied_thresh: 0.65\nfree_thresh: 0.196\n"
        )
        with whole_file(folder / f"{name}.yaml") as path:
            path.write_text(text, encoding="utf-8")


def occupancy_grid(
    voxels: SeenVoxels, floor: LocalFloor, band_m: tuple[float, float], cell_size_m: float
) -> OccupancyGrid:
    """Return which cells are free to drive on.

    A cell is occupied where surface stands within the band above the floor, free where no surface
    stands and either the floor was seen or free space within the band, and unknown elsewhere.

    Parameters
    ----------
    voxels : SeenVoxels
        Of depth maps, scans or both; z up.
    floor : LocalFloor
        From which heights count.
    band_m : (float, float)
        Lowest and highest height above the floor at which things are in the way.
    cell_size_m : float
        Not smaller than the voxels.

    Raises
    ------
    ConfigError
        If band or cell size make no sense, the map would be too large, or nothing was seen.
    """
    low, high = band_m
    if not 0 <= low < high:
        msg = f"heights from {low} to {high} m above the floor; expected 0 <= lowest < highest"
        raise ConfigError(msg)
    if not cell_size_m >= voxels.voxel_size_m:
        msg = (
            f"cells of {cell_size_m} m from voxels of {voxels.voxel_size_m} m; expected cells "
            "that are not smaller"
        )
        raise ConfigError(msg)
    above = floor.above(voxels.surface_m)
    standing = voxels.surface_m[(above >= low) & (above <= high), :2]
    ground = voxels.surface_m[(above < low) & (above > -_FLOOR_BELOW_M), :2]
    above = floor.above(voxels.free_m)
    empty = voxels.free_m[(above >= low) & (above <= high), :2]
    every = np.concatenate([standing, ground, empty])
    if not len(every):
        msg = f"nothing was seen within {low} to {high} m above the floor"
        raise ConfigError(msg)
    first = np.floor(every.min(axis=0) / cell_size_m).astype(np.int64)
    columns, rows = np.floor(every.max(axis=0) / cell_size_m).astype(np.int64) - first + 1
    if int(columns) * int(rows) > _MOST_CELLS:
        msg = f"a map of {columns}x{rows} cells of {cell_size_m} m; make the cells larger"
        raise ConfigError(msg)
    cells = np.full((rows, columns), UNKNOWN, np.int8)
    for places, state in ((ground, FREE), (empty, FREE), (standing, OCCUPIED)):
        x, y = (np.floor(places / cell_size_m).astype(np.int64) - first).T
        cells[y, x] = state
    return OccupancyGrid(cells, cell_size_m, (first[0] * cell_size_m, first[1] * cell_size_m))
