"""What tracking needs, and what it answers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.transform import RigidTransform, rotation_from_vector


class SignedDistanceBlocks(Protocol):
    """The model that a frame is tracked against: 8 x 8 x 8 blocks of signed distance.

    Arrays as in :class:`sensorfusion.fusion.volume.BlockViews`, which satisfies this.
    """

    @property
    def keys(self) -> NDArray[np.int64]:
        """Packed block coordinates, open addressing."""

    @property
    def indices(self) -> NDArray[np.int32]:
        """Buffer row of each key."""

    @property
    def tsdf(self) -> NDArray[np.float32]:
        """Signed distance over truncation, (capacity, 512)."""

    @property
    def weight(self) -> NDArray[np.uint16]:
        """Weight, 0 = never seen, (capacity, 512)."""

    @property
    def voxel_size_m(self) -> float:
        """Edge of a voxel."""

    @property
    def truncation_m(self) -> float:
        """Distance beyond which space counts as empty."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackingResult:
    """Where a frame was taken, and how well that is known.

    Attributes
    ----------
    T_world_camera : RigidTransform
    overlap : float
        Share of the frame's depth that lies on known surface, 0 to 1.
    residual_m : float
        Root mean square distance to that surface, outliers weighted down, scaled to 1 m depth.
    conditioning : float
        How well the surface holds the weakest of the six directions of motion: mean square of
        its effect on the distances, 0 (free to slide) to about 0.3 (held from all sides).
    refused : str
        Why the pose must not be used, or empty.
    """

    T_world_camera: RigidTransform
    overlap: float
    residual_m: float
    conditioning: float
    refused: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class NormalEquations:
    """The sums of one Gauss-Newton step.

    Attributes
    ----------
    matrix : ndarray of float64, shape (6, 6)
        J^T W J; translation in metres first, then rotation in radians.
    vector : ndarray of float64, shape (6,)
        J^T W r.
    cost : float
        Robust mean square residual in standard deviations.
    hits, pixels, misplaced : float
        Pixels that met the model, that were looked at, and that lie where it has seen space.
    """

    matrix: NDArray[np.float64]
    vector: NDArray[np.float64]
    cost: float
    hits: float
    pixels: float
    misplaced: float

    @classmethod
    def from_sums(cls, sums: NDArray[np.float64]) -> "NormalEquations":
        """Unpack what a kernel added up."""
        matrix = np.zeros((6, 6))
        matrix[np.triu_indices(6)] = sums[:21]
        matrix = matrix + np.triu(matrix, 1).T
        cost = sums[27] / sums[28] if sums[28] > 0 else np.inf
        return cls(matrix, sums[21:27], float(cost), *map(float, sums[29:32]))

    @property
    def overlap(self) -> float:
        """Return hits / pixels."""
        return self.hits / self.pixels if self.pixels else 0.0

    @property
    def contradiction(self) -> float:
        """Return the share of comparable pixels that lie where the model has seen space."""
        comparable = self.hits + self.misplaced
        return self.misplaced / comparable if comparable else 0.0

    def step(self) -> NDArray[np.float64] | None:
        """Return the motion that lowers the cost, float64 (6,), or None when nothing holds it."""
        damped = self.matrix + np.diag(1e-6 * np.diag(self.matrix) + 1e-9)
        if self.hits < 50 or not np.isfinite(damped).all():
            return None
        return np.asarray(-np.linalg.solve(damped, self.vector))


def step_matrix(step: NDArray[np.float64], center_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 4x4 motion of a step (translation, rotation vector) about a centre, float64."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(step[3:])
    matrix[:3, 3] = center_m - matrix[:3, :3] @ center_m + step[:3]
    return matrix
