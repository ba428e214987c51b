"""What tracking needs, and what it answers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry._kernels import unpack_sums
from sensorfusion.transform import RigidTransform

_FAR_OFF = 6.0  # standard deviations
_HELD, _HELD_M = 0.0005, 0.002


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
        """Signed distance over truncation, exactly 0 = never seen, (capacity, 512)."""

    @property
    def weight(self) -> NDArray[np.uint16]:
        """Information, 0 = never seen, (capacity, 512)."""

    @property
    def unit_weight_m(self) -> float:
        """One standard deviation of what weighs 1."""

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
        Root mean square distance to that surface, metres, outliers weighted down and points
        weighted by their certainty.
    conditioning : float
        How well the frame holds the weakest of the six directions of motion: mean square of its
        effect on the distances, 0 (free to slide) to about 0.3 (held from all sides); what the
        picture holds to 2 mm counts as 0.0005.
    refused : str
        Why the pose must not be used, or empty.
    sigma_m : float
        One standard deviation of where the camera was, metres, beside the model; 0 for the first
        frame.
    """

    T_world_camera: RigidTransform
    overlap: float
    residual_m: float
    conditioning: float
    refused: str = ""
    sigma_m: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceFit:
    """How a frame lies on the model.

    Attributes
    ----------
    cost : float
        Robust mean square distance in standard deviations.
    noise_m : float
        The sensor's standard deviation, over the points that met the model, metres.
    conditioning : float
        As in :class:`TrackingResult`.
    matrix : ndarray of float64, shape (6, 6)
        J^T W J of all that holds the frame; translation in metres first, then rotation in
        radians, world axes.
    free_step : ndarray of float64, shape (6,)
        To where the frame would lie if nothing had been expected of it; m, rad, world axes.
    hits, points, misplaced : float
        Points that met the model, that were looked at, and that lie where it has seen space.
    """

    cost: float
    noise_m: float
    conditioning: float
    matrix: NDArray[np.float64]
    free_step: NDArray[np.float64]
    hits: float
    points: float
    misplaced: float

    @classmethod
    def from_sums(
        cls,
        sums: NDArray[np.float64],
        matrix: NDArray[np.float64],
        free_step: NDArray[np.float64],
        metres: NDArray[np.float32],
    ) -> "SurfaceFit":
        """Unpack what a kernel added up.

        Parameters
        ----------
        sums : ndarray of float64, shape (32,)
        matrix : ndarray of float64, shape (6, 6)
        free_step : ndarray of float64, shape (6,)
        metres : ndarray of float32, shape (h, w)
            Depth of the frame, 0 = none.
        """
        robust, certainty = sums[28], sums[0] + sums[6] + sums[11]
        known = bool(robust > 0 and certainty > 0)
        return cls(
            float(sums[27] / robust) if known else np.inf,
            float(np.sqrt(robust / certainty)) if known else np.inf,
            _conditioning(sums, matrix, metres) if known else 0.0,
            matrix,
            free_step,
            *map(float, sums[29:32]),
        )

    @property
    def residual_m(self) -> float:
        """Return the robust distance to the surface, metres; certain points count more."""
        return float(np.sqrt(self.cost)) * self.noise_m if np.isfinite(self.cost) else np.inf

    @property
    def overlap(self) -> float:
        """Return hits / points."""
        return self.hits / self.points if self.points else 0.0

    @property
    def contradiction(self) -> float:
        """Return the share of comparable points that lie where the model has seen space."""
        comparable = self.hits + self.misplaced
        return self.misplaced / comparable if comparable else 0.0

    @property
    def misfit(self) -> float:
        """Return a cost that a pose cannot lower by moving its points off the model."""
        if not self.points or not self.hits:
            return float(np.inf)
        outside = 2.0 * _FAR_OFF**2
        return (
            (min(self.cost, outside) * self.hits + outside * self.misplaced)
            / (self.hits + self.misplaced)
            / (0.1 + self.overlap)
        )


def _conditioning(
    sums: NDArray[np.float64], matrix: NDArray[np.float64], metres: NDArray[np.float32]
) -> float:
    """Return how well the weakest direction of motion is held, rotations scaled to metres.

    By the surface: its J^T W J per unit of weight, because noise on a bare wall holds, too, and
    the more the more points there are. By the picture: ``_HELD`` where it alone is certain to
    ``_HELD_M``.
    """
    surface = np.empty((6, 6))
    unpack_sums(sums, surface, np.empty(6))
    held = surface / np.trace(surface[:3, :3]) + (matrix - surface) * _HELD * _HELD_M**2
    scale_m = float(np.median(metres[metres > 0])) if (metres > 0).any() else 1.0
    scaling = np.array([1.0, 1.0, 1.0, scale_m, scale_m, scale_m])
    return float(np.linalg.eigvalsh(held / np.outer(scaling, scaling))[0])
