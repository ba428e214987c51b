"""What a recording shows of where a sensor sits to a camera: edges of both."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.transform import RigidTransform


@dataclass(frozen=True, slots=True, eq=False)
class MovedEdges:
    """Edge points of several frames, each at the instant of its picture.

    Attributes
    ----------
    points : ndarray of float64, shape (N, 3)
        Metres, in the coordinates of the sensor at the instant of the picture.
    kinds : ndarray of uint8, shape (N,)
        As in :class:`~sensorfusion.calibration.edge_points.EdgePoints`.
    frames : ndarray of int32, shape (N,)
        Number of the picture, from 0.
    twists : ndarray of float64, shape (F, 6)
        Velocity (m/s) and turn rate (rad/s) of the sensor at each picture, in its own
        coordinates; zeros where it stands or nothing is known.
    """

    points: NDArray[np.float64]
    kinds: NDArray[np.uint8]
    frames: NDArray[np.int32]
    twists: NDArray[np.float64]

    def chosen(self, rows: NDArray[np.integer]) -> "MovedEdges":
        """Return some of the points, by their rows, int (K,)."""
        return MovedEdges(self.points[rows], self.kinds[rows], self.frames[rows], self.twists)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What a recording shows of where a sensor sits to a camera.

    Attributes
    ----------
    camera : Camera
    T_camera_sensor : RigidTransform
        As it is known so far.
    strengths : tuple of ndarray of float16, shape (2, H, W)
        Of the edges of each picture.
    edges_at : callable
        Returns the edge points if pictures were taken so many nanoseconds later than stamped.
    spacing_rad : float
        Angle between neighbours of the sensor.
    moves : bool
        Whether the motion of the sensor is known, so that instants matter.
    scenes : ndarray of int64, shape (F,)
        Number of what each picture shows: pictures of one number show the same things, and their
        edges err alike.
    """

    camera: Camera
    T_camera_sensor: RigidTransform
    strengths: tuple[NDArray[np.float16], ...]
    edges_at: Callable[[int], MovedEdges]
    spacing_rad: float
    moves: bool
    scenes: NDArray[np.int64]
