"""Trajectory: where the camera was, and when."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sensorfusion.transform import RigidTransform

SAME_TIME_NS = 20_000_000
"""Poses this near in time are taken for those of one instant."""
LARGEST_GAP_NS = 100_000_000
"""Poses farther apart than 0.1 s say too little of what a hand did between them."""


class Trajectory:
    """Time stamps and ``T_world_camera``, in order of time.

    Parameters
    ----------
    timestamps_ns : sequence of int
        Strictly increasing.
    poses : sequence of RigidTransform
        Each takes camera coordinates to world coordinates; all between the same two systems.

    Raises
    ------
    ValueError
        If the lengths differ, time does not increase or the coordinate systems change.
    """

    __slots__ = ("_poses", "_timestamps_ns")

    def __init__(
        self, timestamps_ns: Sequence[int] = (), poses: Sequence[RigidTransform] = ()
    ) -> None:
        if len(timestamps_ns) != len(poses):
            msg = f"trajectory: {len(timestamps_ns)} time stamps but {len(poses)} poses"
            raise ValueError(msg)
        self._timestamps_ns: list[int] = []
        self._poses: list[RigidTransform] = []
        for timestamp_ns, pose in zip(timestamps_ns, poses, strict=True):
            self.append(int(timestamp_ns), pose)

    def append(self, timestamp_ns: int, T_world_camera: RigidTransform) -> None:
        """Add a pose at the end."""
        if self._timestamps_ns and timestamp_ns <= self._timestamps_ns[-1]:
            msg = f"trajectory: time {timestamp_ns} ns follows {self._timestamps_ns[-1]} ns"
            raise ValueError(msg)
        if self._poses and self._poses[0].name != T_world_camera.name:
            msg = f"trajectory of {self._poses[0].name} cannot take a {T_world_camera.name}"
            raise ValueError(msg)
        self._timestamps_ns.append(timestamp_ns)
        self._poses.append(T_world_camera)

    def __len__(self) -> int:
        return len(self._poses)

    def __iter__(self) -> Iterator[tuple[int, RigidTransform]]:
        return iter(zip(self._timestamps_ns, self._poses, strict=True))

    @property
    def timestamps_ns(self) -> NDArray[np.int64]:
        """Return the time stamps, int64 (N,)."""
        return np.array(self._timestamps_ns, dtype=np.int64)

    @property
    def poses(self) -> tuple[RigidTransform, ...]:
        """Return the poses."""
        return tuple(self._poses)

    @property
    def matrices(self) -> NDArray[np.float64]:
        """Return the poses as float64 (N, 4, 4)."""
        return np.array([pose.matrix for pose in self._poses]).reshape(-1, 4, 4)

    def moved(self, T_new_world: RigidTransform) -> "Trajectory":
        """Return the same motion seen from another world: ``T_new_world @ T_world_camera``."""
        return Trajectory(self._timestamps_ns, [T_new_world @ pose for pose in self._poses])

    def carried(self, T_camera_other: RigidTransform) -> "Trajectory":
        """Return the motion of what is fixed to the camera: ``T_world_camera @ T_camera_other``."""
        return Trajectory(self._timestamps_ns, [pose @ T_camera_other for pose in self._poses])

    def at(
        self, timestamp_ns: int, largest_gap_ns: int = LARGEST_GAP_NS, tolerance_ns: int = 0
    ) -> RigidTransform | None:
        """Return the pose at an instant, or None when it is not known.

        Parameters
        ----------
        timestamp_ns : int
        largest_gap_ns : int
            Between two poses at most this far apart, the pose is interpolated.
        tolerance_ns : int
            Elsewhere the nearest pose serves if it is at most this far away.
        """
        stamps = self._timestamps_ns
        after = bisect_left(stamps, timestamp_ns)
        near = [index for index in (after, after - 1) if 0 <= index < len(stamps)]
        nearest = min(near, key=lambda index: abs(stamps[index] - timestamp_ns), default=None)
        if nearest is None:
            return None
        distance_ns = abs(stamps[nearest] - timestamp_ns)
        if distance_ns and len(near) == 2 and stamps[after] - stamps[after - 1] <= largest_gap_ns:
            share = (timestamp_ns - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
            return self._poses[after - 1].toward(self._poses[after], share)
        return self._poses[nearest] if distance_ns <= tolerance_ns else None
