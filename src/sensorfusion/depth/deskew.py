"""Points of a scan moved to where the LiDAR would have seen them at one instant."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth._deskew_kernels import move_along_twist
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import RangeImage
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform, quaternion_xyzw_from_rotation

LARGEST_GAP_NS: Final = 250_000_000
"""Poses farther apart than a scan or two say too little of how a LiDAR moved in between."""


@dataclass(frozen=True, slots=True, eq=False)
class Twist:
    """How a sensor moves: a velocity and a turn rate in its own coordinates, both constant.

    Attributes
    ----------
    coordinate_system : str
        Name of the sensor.
    linear_m_s : ndarray of float64, shape (3,)
        Velocity of its origin, metres per second.
    angular_rad_s : ndarray of float64, shape (3,)
        Turn rate about its axes, radians per second.

    Raises
    ------
    ValueError
        If a shape is another or a number is not finite.
    """

    coordinate_system: str
    linear_m_s: NDArray[np.float64]
    angular_rad_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("linear_m_s", "angular_rad_s"):
            values = np.array(getattr(self, name), dtype=np.float64)
            if values.shape != (3,) or not np.isfinite(values).all():
                msg = f"twist of {self.coordinate_system!r}: {name} is {values}; expected 3 numbers"
                raise ValueError(msg)
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def between(
        cls,
        first_ns: int,
        T_world_first: RigidTransform,
        second_ns: int,
        T_world_second: RigidTransform,
    ) -> "Twist":
        """Return the constant twist that carries a sensor from one place to another.

        Parameters
        ----------
        first_ns, second_ns : int
            Instants of the two, nanoseconds; the second is later.
        T_world_first, T_world_second : RigidTransform
            Where the sensor is at each, ``T_world_sensor``.

        Raises
        ------
        ValueError
            If time does not increase.
        CoordinateSystemMismatchError
            If the two are not of one sensor in one world.

        References
        ----------
        Lynch and Park, "Modern Robotics", 2017, section 3.3.3 (matrix logarithm on SE(3)).
        """
        if second_ns <= first_ns:
            msg = f"twist from {first_ns} to {second_ns} ns: time must increase"
            raise ValueError(msg)
        if T_world_first.name != T_world_second.name:
            msg = f"no twist leads from {T_world_first.name} to {T_world_second.name}"
            raise CoordinateSystemMismatchError(msg)
        relative = T_world_first.inverse() @ T_world_second
        turn_rad = _rotation_vector(relative.rotation)
        seconds = 1e-9 * (second_ns - first_ns)
        way_m = _inverse_jacobian(turn_rad) @ relative.translation_m
        return cls(T_world_first.source, way_m / seconds, turn_rad / seconds)


def deskew(cloud: PointCloud, twist: Twist, to_ns: int) -> PointCloud:
    """Return a scan as if all of it had been measured at one instant.

    Parameters
    ----------
    cloud : PointCloud
        In the coordinates of the moving LiDAR. Without ``time_offset_ns`` all its points count as
        measured at ``timestamp_ns``.
    twist : Twist
        Of that LiDAR during the scan, and until ``to_ns``.
    to_ns : int
        Any instant: the exposure of a camera, the start of the scan. The farther away, the more
        an error of the twist matters.

    Returns
    -------
    PointCloud
        In the coordinates of the LiDAR at ``to_ns``, which is its time stamp; without
        ``time_offset_ns``. Normals turn along. Empty beams stay as they are: of a beam without
        a point the time is not known.

    Raises
    ------
    CoordinateSystemMismatchError
        If the twist is another sensor's.

    References
    ----------
    Lynch and Park, "Modern Robotics", 2017, section 3.3.3 (matrix exponential on SE(3)).
    """
    if twist.coordinate_system != cloud.coordinate_system:
        msg = (
            f"points of {cloud.coordinate_system!r} cannot be moved by the twist of "
            f"{twist.coordinate_system!r}"
        )
        raise CoordinateSystemMismatchError(msg)
    offsets_ns = cloud.time_offset_ns
    if offsets_ns is None:
        offsets_ns = np.zeros(len(cloud), dtype=np.int64)
    start_ns = cloud.timestamp_ns - to_ns
    speed_rad_s = float(np.linalg.norm(twist.angular_rad_s))
    axis = twist.angular_rad_s / speed_rad_s if speed_rad_s > 0 else np.zeros(3)
    across = np.cross(axis, twist.linear_m_s)
    vectors = np.array([axis, twist.linear_m_s, across, np.cross(axis, across)], dtype=np.float32)
    moved = move_along_twist(cloud.points, offsets_ns, start_ns, speed_rad_s, vectors)
    normals = cloud.normals
    if normals is not None:
        vectors[1:] = 0.0
        normals = move_along_twist(normals, offsets_ns, start_ns, speed_rad_s, vectors)
    return replace(cloud, points=moved, normals=normals, timestamp_ns=to_ns, time_offset_ns=None)


def firing_origins(image: RangeImage, twist: Twist) -> NDArray[np.float32] | None:
    """Return where a LiDAR was at each of its firings, beside where it was at the time stamp.

    Parameters
    ----------
    image : RangeImage
        Of points as they were measured, with their times.
    twist : Twist

    Returns
    -------
    ndarray of float32, shape (columns, 3), or None
        Metres, in its own coordinates at the time stamp; None where points have no times. Firings
        without a point are taken to lie evenly between those beside them.

    Raises
    ------
    CoordinateSystemMismatchError
        If the twist is another sensor's.
    """
    cloud, index = image.cloud, image.index
    if cloud.time_offset_ns is None or not index.size:
        return None
    seen = index >= 0
    fired = seen.any(axis=0)
    if not fired.any():
        return None
    row = seen.argmax(axis=0)[fired]
    columns = np.flatnonzero(fired)
    offsets_ns = np.interp(
        np.arange(index.shape[1]), columns, cloud.time_offset_ns[index[row, columns]]
    )
    still = PointCloud(
        np.zeros((index.shape[1], 3), np.float32),
        cloud.coordinate_system,
        cloud.timestamp_ns,
        time_offset_ns=offsets_ns.astype(np.int64),
    )
    return deskew(still, twist, cloud.timestamp_ns).points


def deskew_along(cloud: PointCloud, trajectory: Trajectory | None, to_ns: int) -> PointCloud | None:
    """Move a scan to an instant by the motion of a trajectory; None where that is unknown.

    Parameters
    ----------
    cloud : PointCloud
    trajectory : Trajectory or None
        ``T_world_sensor`` of the LiDAR, whatever it calls it; see :func:`twist_at`.
    to_ns : int
        As for :func:`deskew`.
    """
    twist = None if trajectory is None else twist_of(cloud, trajectory)
    return None if twist is None else deskew(cloud, twist, to_ns)


def twist_of(cloud: PointCloud, trajectory: Trajectory) -> Twist | None:
    """Return how the LiDAR of a scan moved in the middle of it, or None where that is unknown.

    Parameters
    ----------
    cloud : PointCloud
    trajectory : Trajectory
        ``T_world_sensor`` of the LiDAR, whatever it calls it; see :func:`twist_at`.
    """
    middle_ns = cloud.timestamp_ns
    if cloud.time_offset_ns is not None and len(cloud):
        middle_ns += (int(cloud.time_offset_ns.min()) + int(cloud.time_offset_ns.max())) // 2
    twist = twist_at(trajectory, middle_ns)
    return None if twist is None else replace(twist, coordinate_system=cloud.coordinate_system)


def twist_at(
    trajectory: Trajectory, timestamp_ns: int, largest_gap_ns: int = LARGEST_GAP_NS
) -> Twist | None:
    """Return how the sensor of a trajectory moves at an instant, or None where that is unknown.

    Between two poses the mean twist holds in the middle; from middle to middle it changes evenly,
    before the first and after the last it stays.

    Parameters
    ----------
    trajectory : Trajectory
        ``T_world_lidar``.
    timestamp_ns : int
        For the points of a scan, the middle of the scan.
    largest_gap_ns : int
        Poses farther apart say nothing, nor does one farther away than this.
    """
    stamps_ns = trajectory.timestamps_ns
    if (
        len(stamps_ns) < 2
        or not stamps_ns[0] - largest_gap_ns <= timestamp_ns <= stamps_ns[-1] + largest_gap_ns
    ):
        return None
    last = len(stamps_ns) - 2
    here = int(np.clip(np.searchsorted(stamps_ns, timestamp_ns, "right") - 1, 0, last))
    found = _mean_twist(trajectory, here, largest_gap_ns)
    middles_ns = (stamps_ns[:-1] + stamps_ns[1:]) // 2
    next_to = here + (1 if timestamp_ns > middles_ns[here] else -1)
    if found is None or not 0 <= next_to <= last:
        return found
    other = _mean_twist(trajectory, next_to, largest_gap_ns)
    if other is None:
        return found
    share = float((timestamp_ns - middles_ns[here]) / (middles_ns[next_to] - middles_ns[here]))
    return Twist(
        found.coordinate_system,
        (1 - share) * found.linear_m_s + share * other.linear_m_s,
        (1 - share) * found.angular_rad_s + share * other.angular_rad_s,
    )


def _mean_twist(trajectory: Trajectory, index: int, largest_gap_ns: int) -> Twist | None:
    """Return the twist from one pose to the next, None over a gap."""
    first_ns, second_ns = (int(stamp) for stamp in trajectory.timestamps_ns[index : index + 2])
    if second_ns - first_ns > largest_gap_ns:
        return None
    poses = trajectory.poses
    return Twist.between(first_ns, poses[index], second_ns, poses[index + 1])


def _rotation_vector(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the axis of a rotation times its angle, 0 to pi radians."""
    quaternion = quaternion_xyzw_from_rotation(rotation)
    sine = float(np.linalg.norm(quaternion[:3]))
    if sine < 1e-12:
        return np.asarray(2.0 * quaternion[:3])
    return np.asarray(2.0 * np.arctan2(sine, quaternion[3]) / sine * quaternion[:3])


def _inverse_jacobian(turn_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix that takes the end of a way gone while turning to its velocity."""
    x, y, z = turn_rad
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle_rad = float(np.linalg.norm(turn_rad))
    factor = 1 / 12
    if angle_rad > 1e-4:
        half = angle_rad / 2
        factor = (1 - half / np.tan(half)) / angle_rad**2
    return np.asarray(np.eye(3) - 0.5 * cross + factor * cross @ cross)
