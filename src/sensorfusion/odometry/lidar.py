"""Where a LiDAR is, by its scans alone: engine ``plane``.

Each scan is laid on a map of small planes, and its points are then added to it. See
:mod:`sensorfusion.odometry.registration` for how, :mod:`sensorfusion.odometry.recovery` for what
is done when a scan does not lie where it was expected.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.odometry import _scan_kernels
from sensorfusion.odometry._screw_kernels import between, exponential, logarithm
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.odometry.recovery import search, starts
from sensorfusion.odometry.registration import Expected, Fit, Motion, lay_on_map
from sensorfusion.odometry.scan import PreparedScan, ScanMotion, ScanResult, ScanScale
from sensorfusion.odometry.surfels import SurfelMap
from sensorfusion.odometry.timed_scan import TimedScan
from sensorfusion.transform import RigidTransform

_FEWEST_POINTS: Final = 100
_FIRST_NOISE_M, _NOISE_LIMITS_M = 0.02, (0.005, 0.1)
# How fast the noise, the threshold and the usual overlap follow what is seen.
_ADAPTATION = 0.1
_REACH_SIGMAS, _LEAST_REACH_M = 3.0, 0.12
# A scan is looked at twice when it overlaps by less than this share of what is usual, or lies
# farther from where it was expected than brakes explain, or off its surface.
_USUAL_SHARE, _SURPRISE_M, _SURPRISE_RAD = 0.7, 0.3, np.deg2rad(5.0)
_LEAST_OVERLAP, _OVERLAP_TO_REGAIN = 0.25, 0.4
_LARGEST_JUMP_M, _LARGEST_JUMP_RAD = 1.0, np.deg2rad(15.0)
_ROUGHER, _ROUGHER_M = 2.0, 0.01
_FIRST_ROUNDS = 4
_SPARSE_SCANS = 10
# While nothing holds a scan along a line, its speed wanders by so much (m/s/sqrt(s)).
_SPEED_WALK = 0.5
# Velocities older than this say nothing of where a lost LiDAR went.
_LONGEST_PREDICTION_S = 1.0
_MIDDLE_RANGE_EDGES = 7.0


class PlaneTracker:
    """Tracks a LiDAR by laying its scans on a map of small planes that it makes of them.

    Parameters
    ----------
    scale : ScanScale
    T_world_first : RigidTransform
        Where the first scan was taken, at its time stamp.
    gyro : GyroPrior, optional
        Turns of the LiDAR from an IMU that is fixed to it.
    """

    def __init__(
        self, scale: ScanScale, T_world_first: RigidTransform, gyro: GyroPrior | None = None
    ) -> None:
        self._scale, self._gyro, self._T_world_first = scale, gyro, T_world_first
        self._map = self._empty_map()
        self._seen: TimedScan | None = None
        # The last scan that was placed, where, and how the LiDAR moved then, in a second.
        self._last: TimedScan | None = None
        self._motion = Motion(T_world_first.matrix, np.zeros(6))
        self._velocity = np.zeros(6)
        self._placed, self._lost = 0, False
        self._noise_m, self._usual_overlap = _FIRST_NOISE_M, 0.0
        self._surprise_m2 = (_LEAST_REACH_M / _REACH_SIGMAS) ** 2
        self._sigma_m, self._slid_m, self._speed_sigma_m_s = 0.0, 0.0, 0.0

    def track(self, scan: PreparedScan) -> ScanResult:
        """Return where a scan was taken.

        Parameters
        ----------
        scan : PreparedScan
            Of the same LiDAR as the one before, and later.
        """
        here = TimedScan.of(scan)
        fault = self._fault(here)
        self._seen = here
        if fault:
            return self._result(fault)
        if self._last is None:
            return self._start(here)
        if self._placed == 1:
            return self._second(here, self._last)
        return self._next(here, self._last)

    def _empty_map(self) -> SurfelMap:
        return SurfelMap(self._scale.edge_m, 1.5 * self._scale.far_m)

    def _fault(self, here: TimedScan) -> str:
        """Return what is wrong with a scan before it is laid on anything."""
        before = self._seen
        if len(here.points.points) < _FEWEST_POINTS:
            return "too few points"
        if before is None:
            return ""
        if np.array_equal(here.prepared.cloud.points, before.prepared.cloud.points):
            return "the same scan again"
        if self._last is not None and here.middle_ns <= self._last.middle_ns:
            return "time does not increase"
        return ""

    def _start(self, here: TimedScan) -> ScanResult:
        """Take the first scan as it is: nobody knows yet how it moved."""
        self._place(here, Motion(self._T_world_first.matrix, np.zeros(6)))
        return self._result("")

    def _second(self, here: TimedScan, first: TimedScan) -> ScanResult:
        """Place the second scan, and the first again with the motion between the two."""
        still = Motion(self._motion.pose, np.zeros(6))
        at_once = replace(here.points, timed=False)
        scales = (self._scale.edge_m, self._noise_m)
        found = search(at_once, self._map, starts(still, (), self._scale.edge_m), self._noise_m)
        if found is None or found.overlap < _LEAST_OVERLAP:
            return self._result("overlap too small")
        elapsed_s, motion, origin = 1e-9 * (here.middle_ns - first.middle_ns), found.motion, still
        for _ in range(_FIRST_ROUNDS):
            velocity = logarithm(between(origin.pose, motion.pose)) / elapsed_s
            origin = self._begun(first, velocity)
            motion = Motion(motion.pose, velocity * here.span_s)
            fit = lay_on_map(at_once, self._map, Expected(motion), scales)
            motion = fit.motion
        if here.points.timed:
            fit = lay_on_map(here.points, self._map, Expected(motion), scales)
        if len(fit.free):
            self._begun(first, np.zeros(6))
            return self._result("free to slide, and nothing says how fast", fit)
        self._motion = origin
        self._last = first
        self._accept(here, fit)
        return replace(self._result("", fit), first=self._told(first, origin))

    def _begun(self, first: TimedScan, velocity: NDArray[np.float64]) -> Motion:
        """Begin the map anew with the first scan, moved like this; return where it was."""
        twist = velocity * first.span_s
        pose = self._T_world_first.matrix @ np.linalg.inv(exponential(first.tau_of_stamp() * twist))
        self._map = self._empty_map()
        motion = Motion(pose, twist)
        self._add(first, motion)
        return motion

    def _next(self, here: TimedScan, last: TimedScan) -> ScanResult:
        expected = self._expected(here, last)
        scales = (max(self._reach_m(), _LEAST_REACH_M), self._noise_m)
        fit = lay_on_map(here.points, self._map, expected, scales)
        doubt = "lost" if self._lost else self._doubt(fit, expected)
        notes: tuple[str, ...] = ()
        if doubt:
            still = Motion(self._motion.pose, expected.motion.twist)
            others = starts(expected.motion, (still,), self._scale.edge_m)
            found = search(here.points, self._map, others, self._noise_m, fit)
            if found is not None:
                wider = (self._scale.edge_m, self._noise_m)
                fit = lay_on_map(here.points, self._map, Expected(found.motion), wider)
                notes = (f"{doubt}: found elsewhere",)
        refused = self._judge(fit, expected)
        if refused:
            self._lost = True
            return replace(self._result(refused, fit), notes=notes)
        self._learn_turn(here, last, fit)
        self._accept(here, fit, expected)
        return replace(self._result("", fit), notes=notes)

    def _expected(self, here: TimedScan, last: TimedScan) -> Expected:
        """Return where constant velocity, or the gyroscope, leads."""
        elapsed_s = 1e-9 * (here.middle_ns - last.middle_ns)
        velocity = self._velocity if elapsed_s <= _LONGEST_PREDICTION_S else np.zeros(6)
        pose = self._motion.pose @ exponential(elapsed_s * velocity)
        twist = velocity * here.span_s
        if self._gyro is None:
            return Expected(Motion(pose, twist))
        turned = self._gyro.rotation(last.middle_ns, here.middle_ns)
        if turned is not None:
            pose[:3, :3] = self._motion.pose[:3, :3] @ turned.R_from_to
        first_ns, last_ns = here.prepared.span_ns
        during = self._gyro.rotation(first_ns, last_ns) if here.span_ns else None
        if during is None:
            return Expected(Motion(pose, twist))
        whole = np.eye(4)
        whole[:3, :3] = during.R_from_to
        twist = np.concatenate([twist[:3], logarithm(whole)[3:]])
        return Expected(Motion(pose, twist), during.sigma_rad)

    def _learn_turn(self, here: TimedScan, last: TimedScan, fit: Fit) -> None:
        if self._gyro is not None:
            R_from_to = self._motion.pose[:3, :3].T @ fit.motion.pose[:3, :3]
            self._gyro.learn(last.middle_ns, here.middle_ns, R_from_to)

    def _reach_m(self) -> float:
        return float(np.clip(_REACH_SIGMAS * np.sqrt(self._surprise_m2), 0.0, self._scale.edge_m))

    def _doubt(self, fit: Fit, expected: Expected) -> str:
        """Return why a fit should be looked at twice, or nothing."""
        off_m, off_rad = _apart(fit.motion.pose, expected.motion.pose)
        if fit.overlap < _USUAL_SHARE * self._usual_overlap:
            return "overlap fell"
        if off_m > _SURPRISE_M or off_rad > _SURPRISE_RAD:
            return "not where it was expected"
        if fit.residual_m > _ROUGHER * self._noise_m + _ROUGHER_M:
            return "residual rose"
        return ""

    def _judge(self, fit: Fit, expected: Expected) -> str:
        """Return why a pose must not be used, or nothing."""
        off_m, off_rad = _apart(fit.motion.pose, expected.motion.pose)
        if fit.overlap < (_OVERLAP_TO_REGAIN if self._lost else _LEAST_OVERLAP):
            return "overlap too small"
        if fit.residual_m > _ROUGHER * self._noise_m + _ROUGHER_M:
            return "residual too large"
        if not self._lost and (off_m > _LARGEST_JUMP_M or off_rad > _LARGEST_JUMP_RAD):
            return "jump"
        return ""

    def _accept(self, here: TimedScan, fit: Fit, expected: Expected | None = None) -> None:
        """Take a fit for true: learn from it, and add the scan to the map."""
        if self._last is not None:
            elapsed_s = 1e-9 * (here.middle_ns - self._last.middle_ns)
            way = logarithm(between(self._motion.pose, fit.motion.pose))
            # What the scan says of its own motion is more recent; where it says little, the way
            # from the last scan keeps it from growing old.
            self._velocity = way / elapsed_s
            if here.span_ns:
                self._velocity = 0.5 * (self._velocity + fit.motion.twist / here.span_s)
            self._slide(fit, elapsed_s)
        rate = _ADAPTATION
        if expected is not None:
            off_m, off_rad = _apart(fit.motion.pose, expected.motion.pose)
            off_m += off_rad * _MIDDLE_RANGE_EDGES * self._scale.edge_m
            self._surprise_m2 += rate * (off_m**2 - self._surprise_m2)
            self._usual_overlap += rate * (fit.overlap - self._usual_overlap)
        else:
            self._usual_overlap = fit.overlap
        noise_m = float(np.clip(fit.residual_m, *_NOISE_LIMITS_M))
        self._noise_m += rate * (noise_m - self._noise_m)
        self._lost = False
        self._place(here, fit.motion)

    def _slide(self, fit: Fit, elapsed_s: float) -> None:
        """Keep account of how far a scan may have slid where nothing holds it."""
        if not (np.linalg.norm(fit.free[:, :3], axis=1) > 0.3).any():
            self._speed_sigma_m_s, self._sigma_m = 0.0, fit.sigma_m
            return
        self._speed_sigma_m_s = float(
            np.sqrt(self._speed_sigma_m_s**2 + _SPEED_WALK**2 * elapsed_s)
        )
        self._slid_m += self._speed_sigma_m_s * elapsed_s

    def _place(self, here: TimedScan, motion: Motion) -> None:
        self._add(here, motion)
        self._last, self._motion = here, motion
        self._placed += 1

    def _add(self, here: TimedScan, motion: Motion) -> None:
        """Add the points of a scan to the map; every other one, when scans have made it dense."""
        points = here.points
        if self._placed > _SPARSE_SCANS:
            points = points.some(len(points.points) // 2)
        at, facing = np.empty((len(points.points), 3)), np.empty((len(points.points), 3))
        _scan_kernels.place(
            points.points, points.normals, points.tau, motion.pose, motion.twist, at, facing
        )
        self._map.insert(at, facing, motion.pose[:3, 3].copy(), self._noise_m)

    def _told(self, scan: TimedScan, motion: Motion) -> ScanMotion:
        """Return a motion as it is told to others: at the time stamp, and in a second."""
        first = self._T_world_first
        pose = motion.at(scan.tau_of_stamp())
        T_world_lidar = RigidTransform.nearest(first.target, first.source, pose)
        if not scan.span_ns:
            return ScanMotion(T_world_lidar)
        velocity = motion.twist / scan.span_s
        return ScanMotion(T_world_lidar, velocity[:3], velocity[3:])

    def _result(self, refused: str, fit: Fit | None = None) -> ScanResult:
        motion = ScanMotion(self._T_world_first)
        if self._last is not None:
            motion = self._told(self._last, self._motion)
        sigma_m = float(np.hypot(self._sigma_m, self._slid_m))
        if fit is None:
            return ScanResult(motion, sigma_m=sigma_m, refused=refused)
        return ScanResult(
            motion, fit.overlap, fit.residual_m, fit.conditioning, fit.free, sigma_m, refused
        )


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Return how far apart two poses are, metres and radians."""
    way = logarithm(between(one, other))
    return float(np.linalg.norm(other[:3, 3] - one[:3, 3])), float(np.linalg.norm(way[3:]))
