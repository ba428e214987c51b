"""How the world of one trajectory lies in that of another."""

import numpy as np

from sensorfusion.errors import EvaluationError
from sensorfusion.sources.synchronize import pair_by_time
from sensorfusion.trajectory import SAME_TIME_NS, Trajectory
from sensorfusion.transform import RigidTransform


def fit_world(estimate: Trajectory, truth: Trajectory) -> RigidTransform:
    """Return the rigid motion that takes the world of an estimate to that of the truth.

    Uses where the camera looked as well as where it was, so that it holds for a camera that
    hardly moved: there, positions alone leave the rotation open.

    Parameters
    ----------
    estimate, truth : Trajectory
        ``T_world_camera`` of one camera on one clock, each in its own world.

    Returns
    -------
    RigidTransform
        ``T_truth_estimate``, metres.

    Raises
    ------
    EvaluationError
        If no pose of the one is within 20 ms of one of the other.

    References
    ----------
    Hartley et al., "Rotation Averaging", IJCV 2013 (the chordal L2 mean).
    """
    pairs = pair_by_time(estimate.timestamps_ns, truth.timestamps_ns, SAME_TIME_NS)
    if not len(pairs):
        msg = (
            f"none of {len(estimate)} poses matches one of {len(truth)} true poses in time within "
            f"{SAME_TIME_NS / 1e6:g} ms; are both of one recording?"
        )
        raise EvaluationError(msg)
    estimated, true = estimate.matrices[pairs[:, 0]], truth.matrices[pairs[:, 1]]
    between = np.einsum("nij,nkj->ik", true[:, :3, :3], estimated[:, :3, :3])
    u, _, vt = np.linalg.svd(between)
    matrix = np.eye(4)
    matrix[:3, :3] = (u * (1.0, 1.0, np.linalg.det(u @ vt))) @ vt
    matrix[:3, 3] = (true[:, :3, 3] - estimated[:, :3, 3] @ matrix[:3, :3].T).mean(axis=0)
    return RigidTransform("truth", "estimate", matrix)
