"""Rigid transforms that know which coordinate systems they connect."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError, CoordinateSystemMismatchError

_ORTHONORMAL_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class RigidTransform:
    """``T_target_source``: takes points in ``source`` coordinates to ``target`` coordinates.

    Chains read like the formula on paper, and a chain that does not fit is refused::

        T_world_camera = T_world_lidar @ T_lidar_camera

    Attributes
    ----------
    target, source : str
        Names of the coordinate systems.
    matrix : ndarray of float64, shape (4, 4)
        Homogeneous matrix, metres. Read-only.

    Raises
    ------
    CalibrationError
        If the matrix is not finite, its rotation is not orthonormal to 1e-6 with determinant
        +1, or its last row is not (0, 0, 0, 1). :meth:`nearest` repairs small rounding.
    """

    target: str
    source: str
    matrix: NDArray[np.float64]

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4):
            msg = f"{self.name}: a transform is 4x4, found shape {matrix.shape}"
            raise ValueError(msg)
        fault = _fault(matrix)
        if fault:
            msg = f"{self.name} is not a rigid transform: {fault}"
            raise CalibrationError(msg)
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls, target: str, source: str) -> "RigidTransform":
        """Return the transform between two coordinate systems that coincide."""
        return cls(target, source, np.eye(4))

    @classmethod
    def nearest(
        cls, target: str, source: str, matrix: NDArray[np.float64], tolerance: float = 1e-3
    ) -> "RigidTransform":
        """Return the rigid transform nearest to a matrix rounded by its text file.

        Parameters
        ----------
        target, source : str
            Names of the coordinate systems.
        matrix : ndarray of float64, shape (4, 4)
            Homogeneous matrix, metres.
        tolerance : float
            Largest departure from orthonormality, as max abs(R^T R - I), that counts as rounding.

        Raises
        ------
        CalibrationError
            If the matrix is farther from rigid than the tolerance.

        References
        ----------
        Higham, "Matrix nearness problems and applications", 1989 (polar decomposition).
        """
        matrix = np.array(matrix, dtype=np.float64)
        fault = _fault(matrix, tolerance)
        if fault:
            msg = f"T_{target}_{source} is not a rigid transform: {fault}"
            raise CalibrationError(msg)
        u, _, vt = np.linalg.svd(matrix[:3, :3])
        matrix[:3, :3] = u @ vt
        return cls(target, source, matrix)

    @property
    def name(self) -> str:
        """Return the transform's name as formulas write it, ``T_target_source``."""
        return f"T_{self.target}_{self.source}"

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Return the rotation, float64 (3, 3)."""
        return self.matrix[:3, :3]

    @property
    def translation_m(self) -> NDArray[np.float64]:
        """Return the origin of ``source`` in ``target`` coordinates, float64 (3,), metres."""
        return self.matrix[:3, 3]

    def inverse(self) -> "RigidTransform":
        """Return ``T_source_target``."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation.T
        matrix[:3, 3] = -self.rotation.T @ self.translation_m
        return RigidTransform(self.source, self.target, matrix)

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points in ``target`` coordinates.

        Parameters
        ----------
        points : ndarray of float, shape (..., 3)
            Metres, in ``source`` coordinates.

        Returns
        -------
        ndarray of float64, shape (..., 3)
            Metres, in ``target`` coordinates.
        """
        return np.asarray(points @ self.rotation.T + self.translation_m)

    def toward(self, other: "RigidTransform", share: float) -> "RigidTransform":
        """Return the transform part of the way to another between the same systems.

        Parameters
        ----------
        other : RigidTransform
        share : float
            0 gives this transform, 1 the other; translation linear, rotation at constant speed
            about one axis.

        References
        ----------
        Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
        """
        matrix = np.eye(4)
        matrix[:3, 3] = (1 - share) * self.translation_m + share * other.translation_m
        matrix[:3, :3] = rotation_from_quaternion_xyzw(
            _slerp(
                quaternion_xyzw_from_rotation(self.rotation),
                quaternion_xyzw_from_rotation(other.rotation),
                share,
            )
        )
        return RigidTransform(self.target, self.source, matrix)

    def __matmul__(self, other: "RigidTransform") -> "RigidTransform":
        """Chain ``T_a_b @ T_b_c`` to ``T_a_c``.

        Raises
        ------
        CoordinateSystemMismatchError
            If the inner names differ.
        """
        if self.source != other.target:
            msg = (
                f"{self.name} @ {other.name}: {self.source!r} and {other.target!r} must be the "
                "same coordinate system; one of the two may be the inverse of what you meant"
            )
            raise CoordinateSystemMismatchError(msg)
        matrix = self.matrix @ other.matrix
        # Long chains drift off the rotation group by rounding alone.
        u, _, vt = np.linalg.svd(matrix[:3, :3])
        matrix[:3, :3] = u @ vt
        return RigidTransform(self.target, other.source, matrix)


def rotation_from_quaternion_xyzw(quaternion_xyzw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation matrix of a quaternion.

    Parameters
    ----------
    quaternion_xyzw : ndarray of float64, shape (4,)
        Scalar last, any positive length.

    Returns
    -------
    ndarray of float64, shape (3, 3)

    Raises
    ------
    CalibrationError
        If the quaternion is not finite or has length 0.
    """
    length = float(np.linalg.norm(quaternion_xyzw))
    if not np.isfinite(length) or length < 1e-12:
        msg = (
            f"quaternion {quaternion_xyzw!r} has no direction; expected 4 finite values, not all 0"
        )
        raise CalibrationError(msg)
    x, y, z, w = np.asarray(quaternion_xyzw, dtype=np.float64) / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_xyzw_from_rotation(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit quaternion of a rotation, scalar last and not negative.

    Parameters
    ----------
    rotation : ndarray of float64, shape (3, 3)

    Returns
    -------
    ndarray of float64, shape (4,)

    References
    ----------
    Bar-Itzhack, "New method for extracting the quaternion from a rotation matrix", 2000.
    """
    r = rotation
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], 0],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
        ]
    )
    quaternion: NDArray[np.float64] = np.linalg.eigh(k / 3.0)[1][:, -1]
    return -quaternion if quaternion[3] < 0 else quaternion


def rotation_from_vector(rotation_vector_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation by abs(v) radians about the axis v (Rodrigues' formula).

    Parameters
    ----------
    rotation_vector_rad : ndarray of float64, shape (3,)

    Returns
    -------
    ndarray of float64, shape (3, 3)
    """
    x, y, z = rotation_vector_rad
    angle_rad = float(np.linalg.norm(rotation_vector_rad))
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle_rad < 1e-8:
        return np.asarray(np.eye(3) + cross + 0.5 * cross @ cross)
    sine = np.sin(angle_rad) / angle_rad
    versine = (1.0 - np.cos(angle_rad)) / angle_rad**2
    return np.asarray(np.eye(3) + sine * cross + versine * cross @ cross)


def _slerp(
    first: NDArray[np.float64], second: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    cosine = float(first @ second)
    # q and -q are one rotation: take the shorter way round.
    second, cosine = (second, cosine) if cosine >= 0 else (-second, -cosine)
    angle_rad = float(np.arccos(min(cosine, 1.0)))
    if angle_rad < 1e-6:
        return (1 - share) * first + share * second
    blend = np.sin((1 - share) * angle_rad) * first + np.sin(share * angle_rad) * second
    return np.asarray(blend / np.sin(angle_rad))


def _fault(matrix: NDArray[np.float64], tolerance: float = _ORTHONORMAL_TOLERANCE) -> str:
    if not np.isfinite(matrix).all():
        return "it holds NaN or infinity"
    if np.abs(matrix[3] - (0.0, 0.0, 0.0, 1.0)).max() > tolerance:
        return f"its last row is {matrix[3].tolist()}, expected 0 0 0 1"
    rotation = matrix[:3, :3]
    # Huge numbers overflow, and infinities of both signs make NaN, which is within no bound.
    with np.errstate(over="ignore", invalid="ignore"):
        departure = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if not departure <= tolerance:
        return f"its rotation is off orthonormal by {departure:.3g}, allowed {tolerance:g}"
    if np.linalg.det(rotation) < 0:
        return "its rotation mirrors (determinant -1)"
    return ""
