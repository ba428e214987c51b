"""A trajectory against the true one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import EvaluationError
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion.trajectory import SAME_TIME_NS, Trajectory

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class TrajectoryError:
    """How far an estimated trajectory is from the truth.

    Attributes
    ----------
    ate_rmse_m : float
        Absolute trajectory error: root mean square distance between estimated and true
        positions after the best rigid alignment (no scale), metres.
    rpe_1_rmse_m, rpe_30_rmse_m : float or None
        Relative pose error over 1 and 30 frames: root mean square length of the translation by
        which the estimated motion misses the true one, metres; None when no two poses are that
        far apart in time.
    rpe_1_rmse_rad, rpe_30_rmse_rad : float or None
        The same for the rotation by which it misses.
    scale : float or None
        Factor on the estimate's size that would fit best: 1.02 means that the estimate is 2 %
        too small; None for an estimate that does not move.
    matched : int
        Poses of the estimate that have a true pose in time.
    coverage : float
        ``matched`` as a share of the true poses, 0 to 1.
    """

    ate_rmse_m: float
    rpe_1_rmse_m: float | None
    rpe_30_rmse_m: float | None
    rpe_1_rmse_rad: float | None
    rpe_30_rmse_rad: float | None
    scale: float | None
    matched: int
    coverage: float


def compare_trajectories(
    estimate: Trajectory, truth: Trajectory, tolerance_ns: int = SAME_TIME_NS
) -> TrajectoryError:
    """Measure an estimated trajectory against the true one.

    Poses are paired by time, each at most once. The worlds of the two may differ by any rigid
    transform; their cameras must be the same one.

    Parameters
    ----------
    estimate, truth : Trajectory
        ``T_world_camera``, each in its own world, on one clock.
    tolerance_ns : int
        Largest difference in time within a pair.

    Returns
    -------
    TrajectoryError

    Raises
    ------
    EvaluationError
        If fewer than three poses pair: an alignment of less says nothing.

    References
    ----------
    Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems", IROS 2012 (ATE, RPE).
    Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", PAMI 1991 (alignment and scale).
    """
    pairs = pair_by_time(estimate.timestamps_ns, truth.timestamps_ns, tolerance_ns)
    if len(pairs) < _FEWEST:
        raise EvaluationError(_nothing_matches(estimate, truth, len(pairs), tolerance_ns))
    estimated, true = estimate.matrices[pairs[:, 0]], truth.matrices[pairs[:, 1]]
    positions_m, true_positions_m = estimated[:, :3, 3], true[:, :3, 3]
    T_truth_estimate, scale = align(positions_m, true_positions_m)
    aligned_m = positions_m @ T_truth_estimate[:3, :3].T + T_truth_estimate[:3, 3]
    timestamps_ns = estimate.timestamps_ns[pairs[:, 0]]
    rpe_1_m, rpe_1_rad = _relative_error(estimated, true, timestamps_ns, 1)
    rpe_30_m, rpe_30_rad = _relative_error(estimated, true, timestamps_ns, 30)
    return TrajectoryError(
        ate_rmse_m=_rms(np.linalg.norm(aligned_m - true_positions_m, axis=1)),
        rpe_1_rmse_m=rpe_1_m,
        rpe_30_rmse_m=rpe_30_m,
        rpe_1_rmse_rad=rpe_1_rad,
        rpe_30_rmse_rad=rpe_30_rad,
        scale=scale,
        matched=len(pairs),
        coverage=len(pairs) / len(truth),
    )


def align(
    source_m: NDArray[np.float64], target_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float | None]:
    """Return the rigid motion that brings points closest to their partners.

    Parameters
    ----------
    source_m, target_m : ndarray of float64, shape (N, 3)
        Metres, row by row the same points.

    Returns
    -------
    ndarray of float64, shape (4, 4)
        ``T_target_source``, without scale.
    float or None
        The scale that would fit best beside the rotation; None if the source is one point.
    """
    source_mean, target_mean = source_m.mean(axis=0), target_m.mean(axis=0)
    spread = source_m - source_mean
    u, singular, vt = np.linalg.svd((target_m - target_mean).T @ spread)
    # The last axis turns round where the best orthogonal matrix would be a mirror image.
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    matrix = np.eye(4)
    matrix[:3, :3] = (u * signs) @ vt
    matrix[:3, 3] = target_mean - matrix[:3, :3] @ source_mean
    variance = float((spread**2).sum())
    return matrix, float((singular * signs).sum() / variance) if variance > 1e-12 else None


def _relative_error(
    estimated: NDArray[np.float64],
    true: NDArray[np.float64],
    timestamps_ns: NDArray[np.int64],
    frames: int,
) -> tuple[float | None, float | None]:
    """Return the RPE in metres and radians over pairs of poses that many frames apart.

    Frames are counted in time, so that a gap in the estimate does not stretch a pair over it.
    """
    period_ns = median_period_ns(timestamps_ns)
    wanted_ns = timestamps_ns + frames * period_ns
    after = np.searchsorted(timestamps_ns, wanted_ns - period_ns // 2).clip(
        max=len(timestamps_ns) - 1
    )
    nearer = np.minimum(after + 1, len(timestamps_ns) - 1)
    closer = np.abs(timestamps_ns[nearer] - wanted_ns) < np.abs(timestamps_ns[after] - wanted_ns)
    second = np.where(closer, nearer, after)
    first = np.arange(len(timestamps_ns))
    found = (np.abs(timestamps_ns[second] - wanted_ns) <= period_ns // 2) & (second > first)
    first, second = first[found], second[found]
    if not first.size:
        return None, None
    motion = np.linalg.inv(estimated[first]) @ estimated[second]
    true_motion = np.linalg.inv(true[first]) @ true[second]
    error = np.linalg.inv(true_motion) @ motion
    # The half-angle form stays exact for small angles, where the arc cosine of the trace is not.
    departure = np.linalg.norm(error[:, :3, :3] - np.eye(3), axis=(1, 2))
    angle_rad = 2 * np.arcsin((departure / np.sqrt(8)).clip(max=1))
    return _rms(np.linalg.norm(error[:, :3, 3], axis=1)), _rms(angle_rad)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean()))


def _nothing_matches(estimate: Trajectory, truth: Trajectory, found: int, tolerance_ns: int) -> str:
    def span(trajectory: Trajectory) -> str:
        if not len(trajectory):
            return "is empty"
        first, last = trajectory.timestamps_ns[[0, -1]] / 1e9
        return f"runs from {first:.3f} s to {last:.3f} s"

    return (
        f"{found} poses match within {tolerance_ns / 1e6:g} ms, at least {_FEWEST} are needed; the "
        f"estimate {span(estimate)}, the truth {span(truth)}; are both of one recording?"
    )
