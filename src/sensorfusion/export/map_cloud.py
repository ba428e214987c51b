"""All points of a recording in one world, merged by voxels."""

from typing import Final

import numpy as np

from sensorfusion._kernels import insert_all
from sensorfusion.errors import CoordinateSystemMismatchError, OutputError
from sensorfusion.export import _map_kernels as kernels
from sensorfusion.point_cloud import PointCloud
from sensorfusion.transform import RigidTransform

_FIRST_ROOM: Final = 1 << 16
# At most half of the table is in use, so that a search ends soon.
_SLOTS_PER_ROW: Final = 2


class MapCloud:
    """Gathers points voxel by voxel; holds sums of the voxels, never all points.

    Parameters
    ----------
    voxel_size_m : float
        Edge of a voxel, metres. Voxel (i, j, k) begins at (i, j, k) times it.

    Raises
    ------
    ValueError
        If the edge is not positive.
    """

    def __init__(self, voxel_size_m: float) -> None:
        if not voxel_size_m > 0:
            msg = f"a map with voxels of {voxel_size_m} m; expected a positive edge"
            raise ValueError(msg)
        self._voxel_size_m, self._count, self._world = voxel_size_m, 0, ""
        self._keys, self._sums = np.empty(0, np.int64), np.empty((0, kernels.SUMS))
        self._make_room(_FIRST_ROOM)

    def __len__(self) -> int:
        return self._count

    def add(self, cloud: PointCloud, T_world_sensor: RigidTransform) -> None:
        """Add the points of a frame; in a fixed order of frames the map is the same on every run.

        Parameters
        ----------
        cloud : PointCloud
            In the coordinates of the sensor. A black point counts as one without colour.
        T_world_sensor : RigidTransform

        Raises
        ------
        CoordinateSystemMismatchError
            If it is not of that sensor, or leads to another world than before.
        OutputError
            If a point lies too far from the origin for voxels of this size.
        """
        world = self._world or T_world_sensor.target
        if T_world_sensor.name != f"T_{world}_{cloud.coordinate_system}":
            msg = (
                f"points of {cloud.coordinate_system!r} cannot be moved to {world!r} by "
                f"{T_world_sensor.name}"
            )
            raise CoordinateSystemMismatchError(msg)
        self._world = world
        if self._count + len(cloud) > len(self._keys):
            self._make_room(max(2 * len(self._keys), self._count + len(cloud)))
        intensity, color = cloud.intensity, cloud.color
        layers = (
            np.empty(0, np.float32) if intensity is None else intensity,
            np.empty((0, 3), np.uint8) if color is None else color,
        )
        pose, voxels = T_world_sensor.matrix, (self._keys, self._sums)
        count = kernels.gather(
            cloud.points, layers, pose, self._voxel_size_m, self._table, voxels, self._count
        )
        if count < 0:
            msg = (
                f"a point lies more than {self._voxel_size_m * 2**20:.6g} m from the origin of the "
                f"world, as far as voxels of {self._voxel_size_m} m reach; take larger voxels, or "
                "subtract an offset from the poses"
            )
            raise OutputError(msg)
        self._count = count

    def cloud(self) -> PointCloud:
        """Return one point for each voxel, sorted by x, y and z of the voxels.

        Returns
        -------
        PointCloud
            World, metres: means of the places, of the intensities, and of the colours of those
            points that have one (black where none has; no such layer where no point has any).
            ``extra["observations"]``, int32, which every reader knows, says how many points a
            voxel's mean is of.
        """
        order = np.argsort(self._keys[: self._count])
        sums = self._sums[order]
        counts, bright, colored = (
            sums[:, k] for k in (kernels.COUNT, kernels.BRIGHT, kernels.COLORED)
        )
        intensity = color = None
        if bright.any():
            intensity = (sums[:, kernels.INTENSITY] / np.maximum(bright, 1)).astype(np.float32)
        if colored.any():
            rgb = sums[:, kernels.RED : kernels.BLUE + 1] / np.maximum(colored, 1)[:, None]
            color = np.rint(rgb).astype(np.uint8)
        places = sums[:, : kernels.Z + 1] / counts[:, None]
        return PointCloud(
            np.ascontiguousarray(places, np.float32),
            self._world or "world",
            intensity=intensity,
            color=color,
            extra={"observations": np.minimum(counts, 2**31 - 1).astype(np.int32)},
        )

    def _make_room(self, room: int) -> None:
        """Make room for at least so many voxels and enter those that there are in a new table."""
        room = 1 << (room - 1).bit_length()
        keys, sums = np.empty(room, np.int64), np.empty((room, kernels.SUMS))
        keys[: self._count] = self._keys[: self._count]
        sums[: self._count] = self._sums[: self._count]
        self._keys, self._sums = keys, sums
        slots = _SLOTS_PER_ROW * room
        self._table = (np.full(slots, -1, np.int64), np.empty(slots, np.int32))
        rows = np.arange(self._count, dtype=np.int32)
        insert_all(*self._table, keys[: self._count], rows)
