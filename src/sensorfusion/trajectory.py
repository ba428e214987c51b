"""Trajectory: where the camera was, and when."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sensorfusion.transform import RigidTransform


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

    def nearest(self, timestamp_ns: int, tolerance_ns: int) -> RigidTransform | None:
        """Return the pose nearest in time, or None when none lies within the tolerance."""
        after = bisect_left(self._timestamps_ns, timestamp_ns)
        near = range(max(after - 1, 0), min(after + 1, len(self._poses)))
        distance_ns, index = min(
            ((abs(self._timestamps_ns[i] - timestamp_ns), i) for i in near),
            default=(tolerance_ns + 1, -1),
        )
        return self._poses[index] if distance_ns <= tolerance_ns else None
