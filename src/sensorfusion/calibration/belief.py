"""What is known of where a sensor sits to a camera, and how well: what edges and boards refine."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.edge_alignment import SECONDS, change_between, changed_transform
from sensorfusion.transform import RigidTransform


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What is known of a transform and of how late pictures are.

    Attributes
    ----------
    T_camera_sensor : RigidTransform
    late_ns : int
        How much later than stamped pictures were taken.
    covariance : ndarray of float64, shape (7, 7)
        Of turn about the camera's axes (rad), way along them (m) and lateness (s); a number
        without variance is held.
    """

    T_camera_sensor: RigidTransform
    late_ns: int
    covariance: NDArray[np.float64]

    def change_to(self, other: "Belief") -> NDArray[np.float64]:
        """Return the seven numbers that lead from here to another."""
        way = change_between(self.T_camera_sensor, other.T_camera_sensor)
        return np.append(way, 1e-9 * (other.late_ns - self.late_ns))

    def changed(self, change: NDArray[np.float64]) -> "Belief":
        """Return the same moved by seven numbers."""
        late_ns = self.late_ns + round(1e9 * float(change[SECONDS]))
        return Belief(changed_transform(self.T_camera_sensor, change), late_ns, self.covariance)
