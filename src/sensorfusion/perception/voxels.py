"""The voxels of a volume that were seen: surface and free space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion._kernels import look_up, unpack
from sensorfusion.fusion.volume import BLOCK_VOXELS, BlockViews
from sensorfusion.transform import RigidTransform

NEAR_VOXELS = 0.87
"""A surface may pass through a voxel that is nearer to it than half of its diagonal."""
_BLOCKS_AT_ONCE = 4096
_LOCAL = np.mgrid[:BLOCK_VOXELS, :BLOCK_VOXELS, :BLOCK_VOXELS].reshape(3, -1)[::-1].T


@dataclass(frozen=True, slots=True, eq=False)
class SeenVoxels:
    """Where a volume holds surface, and where it saw that there is none.

    Attributes
    ----------
    surface_m, free_m : ndarray of float32, shape (N, 3) and (M, 3)
        Middles of the voxels, metres, in the volume's world or where they were moved.
    voxel_size_m : float
    """

    surface_m: NDArray[np.float32]
    free_m: NDArray[np.float32]
    voxel_size_m: float

    def moved(self, T_new_world: RigidTransform) -> "SeenVoxels":
        """Return the same voxels in other coordinates, such as upright ones."""
        surface, free = (
            T_new_world.apply(places).astype(np.float32) for places in (self.surface_m, self.free_m)
        )
        return SeenVoxels(surface, free, self.voxel_size_m)


def seen_voxels(views: BlockViews, smallest_weight: float) -> SeenVoxels:
    """Return the surface and the free space of a volume.

    Parameters
    ----------
    views : BlockViews
        Of a volume of depth maps, scans or both.
    smallest_weight : float
        Voxels of this weight or less count as unseen.
    """
    keys = np.sort(views.keys[views.keys >= 0])
    rows = look_up(views.keys, views.indices, keys)
    surface: list[NDArray[np.float32]] = []
    free: list[NDArray[np.float32]] = []
    near = NEAR_VOXELS * views.voxel_size_m / views.truncation_m
    for first in range(0, len(keys), _BLOCKS_AT_ONCE):
        some = slice(first, first + _BLOCKS_AT_ONCE)
        distance, weight = views.tsdf[rows[some]], views.weight[rows[some]]
        corners = unpack(keys[some])[:, None] * BLOCK_VOXELS
        for found, kept in (
            (surface, (weight > smallest_weight) & (np.abs(distance) <= near)),
            (free, (weight > smallest_weight) & (distance > near)),
        ):
            places = (corners + _LOCAL)[kept] * views.voxel_size_m
            found.append(places.astype(np.float32))
    nothing = [np.zeros((0, 3), np.float32)]
    return SeenVoxels(
        np.concatenate(surface or nothing), np.concatenate(free or nothing), views.voxel_size_m
    )
