"""Lay a scan on the map, with the motion that bent it while it was measured.

Unknown are where the LiDAR was in the middle of the scan, and its twist during the scan: twelve
numbers, of which the six of the twist are expected to be about those of the scan before.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry import _scan_kernels, _screw_kernels
from sensorfusion.odometry._kernels import unpack_sums
from sensorfusion.odometry.surfels import SurfelMap

# Far from the solution some of the points do; the last rounds take all of them.
_COARSE_POINTS = 3000
_COARSE_ROUNDS, _FINE_ROUNDS = 12, 1
_SMALL_STEP_M, _SMALL_STEP_RAD = 2e-3, 4e-4
_LEAST_FINE_M = 0.03
# What a plane says is trusted to this, however many points made it: surfaces are never quite flat.
_FLOOR_M = 0.005
_FEWEST_POINTS = 4
_CLOUD_WEIGHT = 0.3
# Standard deviations of how the twist changes from scan to scan (m and rad in a scan).
_TWIST_SIGMA = np.array([0.03] * 3 + [0.01] * 3)
_FIXED = 1e12
_FREE = 0.001
# The errors of neighbouring points are alike, those of a surface's shape even more so.
_ALIKE = 10.0
# Overlap is that of points with a normal, if they are at least this share.
_PLANAR = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class ScanPoints:
    """Points of a scan that are laid on the map.

    Attributes
    ----------
    points, normals : ndarray of float32, shape (N, 3)
        As the LiDAR measured them, metres; normals are 0 where there is no surface.
    tau : ndarray of float32, shape (N,)
        When, from -1/2 at the beginning of the scan to 1/2 at its end.
    timed : bool
        Whether that is known; else all are 0 and the scan counts as taken at once.
    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    tau: NDArray[np.float32]
    timed: bool

    def some(self, most: int) -> "ScanPoints":
        """Return evenly chosen points, about so many."""
        every = max(1, len(self.points) // most)
        if every == 1:
            return self
        points, normals = self.points[::every], self.normals[::every]
        return ScanPoints(
            np.ascontiguousarray(points),
            np.ascontiguousarray(normals),
            np.ascontiguousarray(self.tau[::every]),
            self.timed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where a LiDAR was in the middle of a scan, and how it moved.

    Attributes
    ----------
    pose : ndarray of float64, shape (4, 4)
        T_world_lidar in the middle.
    twist : ndarray of float64, shape (6,)
        Translation (m) and rotation (rad) in one scan, in the axes of the LiDAR.
    """

    pose: NDArray[np.float64]
    twist: NDArray[np.float64]

    def at(self, tau: float) -> NDArray[np.float64]:
        """Return T_world_lidar at an instant, in scans from the middle."""
        return np.asarray(self.pose @ _screw_kernels.exponential(tau * self.twist))


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What is expected of a scan before it is looked at.

    Attributes
    ----------
    motion : Motion
    turn_sigma_rad : float or None
        How surely the turn during the scan is known, one standard deviation; None for as surely
        as it was the same in the scan before.
    """

    motion: Motion
    turn_sigma_rad: float | None = None

    def twist_information(self, *, timed: bool) -> NDArray[np.float64]:
        """Return the inverse variances of the twist, float64 (6,), axes of the LiDAR."""
        sigma = _TWIST_SIGMA.copy()
        if self.turn_sigma_rad is not None:
            sigma[3:] = self.turn_sigma_rad
        return 1.0 / sigma**2 if timed else np.full(6, _FIXED)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How a scan lies on the map.

    Attributes
    ----------
    motion : Motion
    overlap : float
        Share of the points with a normal that lie on a known piece of surface, 0 to 1; where
        hardly any have one, of all points.
    score : float
        Share of all points, those that lie off their piece counting less: what a search compares.
    residual_m : float
        1.48 times the median distance from the surface.
    conditioning : float
        How well the map holds the weakest direction of motion: the mean square of its effect on
        the distances, 0 (free to slide) to 1/3, turns scaled to the lengths of their arms.
    free : ndarray of float64, shape (K, 6)
        Directions in which the map does not hold the scan: unit vectors of a translation and a
        turn (so scaled), world axes. There the expected motion was kept.
    sigma_m : float
        One standard deviation of the translation, where it is held.
    """

    motion: Motion
    overlap: float
    score: float
    residual_m: float
    conditioning: float
    free: NDArray[np.float64]
    sigma_m: float


@dataclass(frozen=True, slots=True, eq=False)
class _Hold:
    """What holds a pose: the ``sums`` of a round, their ``blocks`` (3, 6, 6), and what is free."""

    sums: NDArray[np.float64]
    blocks: NDArray[np.float64]
    conditioning: float
    lever_m: float
    free: NDArray[np.float64]

    @classmethod
    def of(cls, sums: NDArray[np.float64]) -> "_Hold":
        blocks, vector = np.empty((3, 6, 6)), np.empty(6)
        for block, row in zip(blocks, sums, strict=True):
            unpack_sums(row, block, vector)
        moved, turned = np.trace(blocks[0][:3, :3]), np.trace(blocks[0][3:, 3:])
        if not (moved > 0 and turned > 0):
            return cls(sums, blocks, 0.0, 1.0, np.eye(6))
        lever_m = float(np.sqrt(turned / moved))
        scaling = np.array([1.0] * 3 + [lever_m] * 3)
        values, vectors = np.linalg.eigh(blocks[0] / np.outer(scaling, scaling) / moved)
        free = vectors[:, values < _FREE].T
        return cls(sums, blocks, float(values[0]), lever_m, free)


def lay_on_map(
    scan: ScanPoints,
    surfels: SurfelMap,
    expected: Expected,
    scales: tuple[float, float],
    *,
    start: Motion | None = None,
    coarse: bool = False,
) -> Fit:
    """Return how a scan lies on the map, moved there from where it is expected.

    Gauss-Newton; distances along the normals of planes, or from distributions where there are
    none; the robust kernel of Geman and McClure narrows from round to round.

    Parameters
    ----------
    scan : ScanPoints
    surfels : SurfelMap
    expected : Expected
    scales : (float, float)
        How far away the map is looked for at first, and the standard deviation of points, metres.
    start : Motion, optional
        Where to begin, if not where the scan is expected.
    coarse : bool
        Some points and few rounds, for a search.

    References
    ----------
    Vizzo et al., "KISS-ICP: in defense of point-to-point ICP", RA-L 2023 (threshold and kernel).
    Dellenbach et al., "CT-ICP: real-time elastic LiDAR odometry with loop closure", ICRA 2022
    (the motion within a scan among the unknowns). Zhang, Kaess and Singh, "On degeneracy of
    optimization-based state estimation problems", ICRA 2016 (directions that nothing holds).
    """
    reach_m, noise_m = scales
    fine_m = max(3.0 * noise_m, _LEAST_FINE_M)
    motion = start or expected.motion
    part = scan.some(_COARSE_POINTS // 2 if coarse else _COARSE_POINTS)
    rounds = 5 if coarse else _COARSE_ROUNDS
    for number in range(rounds):
        gate_m = max(reach_m * 0.5**number, 2.0 * fine_m)
        hold, _ = _equations(part, surfels, motion, gate_m, fine_m)
        motion, step = _moved(motion, hold, expected, timed=scan.timed)
        if gate_m <= 2.0 * fine_m and step[0] < _SMALL_STEP_M and step[1] < _SMALL_STEP_RAD:
            break
    if coarse:
        hold, residuals = _equations(part, surfels, motion, 4.0 * fine_m, fine_m)
        return _fit(part, motion, hold, residuals)
    for _ in range(_FINE_ROUNDS):
        hold, residuals = _equations(scan, surfels, motion, 2.0 * fine_m, fine_m)
        motion, _ = _moved(motion, hold, expected, timed=scan.timed)
    return _fit(scan, motion, hold, residuals)


def _equations(
    scan: ScanPoints, surfels: SurfelMap, motion: Motion, gate_m: float, fine_m: float
) -> tuple[_Hold, NDArray[np.float32]]:
    """Return the sums of one round, and the distance of each point, NaN without surface."""
    residuals = np.empty(len(scan.points), np.float32)
    far_off = gate_m > 0.5 * surfels.edge_m
    scales = np.array(
        [
            surfels.edge_m,
            gate_m,
            _FLOOR_M,
            max(gate_m / 3.0, fine_m),
            2.0 if far_off else 1.0,
            0.6 if far_off else 0.8,
            _FEWEST_POINTS,
            _CLOUD_WEIGHT,
        ]
    )
    sums = _scan_kernels.scan_equations(
        scan.points,
        scan.normals,
        scan.tau,
        (motion.pose, motion.twist),
        surfels.table,
        surfels.pieces,
        scales,
        residuals,
    )
    return _Hold.of(sums), residuals


def _moved(
    motion: Motion, hold: _Hold, expected: Expected, *, timed: bool
) -> tuple[Motion, tuple[float, float]]:
    """Return the motion after one step, and how large the step was (m, rad).

    Directions that the map does not hold are led back to what is expected.
    """
    pose, twist = motion.pose.copy(), motion.twist.copy()
    scaled = hold.free * np.array([1.0] * 3 + [hold.lever_m] * 3)
    kept = scaled.T @ scaled * (hold.sums[0, 0] + hold.sums[0, 6] + hold.sums[0, 11] + 1.0)
    size = _screw_kernels.step(
        hold.blocks,
        hold.sums[:2, 21:27],
        (pose, twist),
        (expected.motion.pose, expected.motion.twist),
        expected.twist_information(timed=timed),
        kept,
    )
    return Motion(pose, twist), size


def _fit(scan: ScanPoints, motion: Motion, hold: _Hold, residuals: NDArray[np.float32]) -> Fit:
    found = np.abs(residuals[np.isfinite(residuals)])
    count = max(1, len(residuals))
    faced = int(np.count_nonzero(scan.normals.any(axis=1)))
    on_planes, on_clouds = float(hold.sums[0, 27]), float(hold.sums[0, 29])
    # Clouds of points need several scans before they are known, so that planes tell alone.
    planar = faced > _PLANAR * count
    overlap = on_planes / faced if planar else (on_planes + on_clouds) / count
    sigma_m = np.inf
    if hold.conditioning >= _FREE:
        # The twist takes some of what the points say.
        held = hold.blocks[0] - hold.blocks[1] @ np.linalg.solve(
            hold.blocks[2] + np.diag(1.0 / _TWIST_SIGMA**2), hold.blocks[1]
        )
        sigma_m = float(np.sqrt(_ALIKE * np.linalg.eigvalsh(np.linalg.inv(held)[:3, :3])[-1]))
    return Fit(
        motion,
        overlap,
        float(hold.sums[0, 28] + hold.sums[0, 30]) / count,
        1.4826 * float(np.median(found)) if len(found) else np.inf,
        hold.conditioning,
        hold.free,
        sigma_m,
    )
