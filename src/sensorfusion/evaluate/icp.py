"""Points moved onto a surface: what remains of the error when the world is forgiven."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.evaluate.surface import Surface
from sensorfusion.transform import RigidTransform, rotation_from_vector

_POINTS = 20_000
_ROUNDS = 60
_WIDEST_GATE_M = 0.3
_NARROWEST_GATE_M = 0.02
_SMALLEST_STEP = 1e-6
_SMALLEST_SHARE = 1e-4


def align_to_surface(points: NDArray[np.float32], surface: Surface) -> RigidTransform:
    """Return the small motion that lays points onto a surface.

    Iterated point to plane. Points farther away than three times the median distance (at most
    30 cm, at least 2 cm) do not pull, so that what only one of the two surfaces has does not
    count. Directions in which the surface gives no hold (along a wall) are not moved in. The
    result is the best of all rounds, so it is never worse than no motion.

    Parameters
    ----------
    points : ndarray of float32, shape (N, 3)
        Metres, on the estimate; 20000 of them, evenly picked, are used.
    surface : Surface
        The truth.

    Returns
    -------
    RigidTransform
        ``T_truth_estimate``.

    References
    ----------
    Chen and Medioni, "Object modelling by registration of multiple range images", 1992.
    """
    chosen = points[:: max(1, len(points) // _POINTS)].astype(np.float64)
    T_truth_estimate = best = np.eye(4)
    best_cost = np.inf
    for _ in range(_ROUNDS):
        moved = chosen @ T_truth_estimate[:3, :3].T + T_truth_estimate[:3, 3]
        nearest, normals = surface.nearest(moved.astype(np.float32))
        distances_m = np.linalg.norm(moved - nearest, axis=1)
        cost = float(np.minimum(distances_m, _WIDEST_GATE_M).mean())
        if cost < best_cost:
            best, best_cost = T_truth_estimate, cost
        gate_m = np.clip(3 * np.median(distances_m), _NARROWEST_GATE_M, _WIDEST_GATE_M)
        near = distances_m < gate_m
        step = _step(moved[near], nearest[near], normals[near])
        T_truth_estimate = step @ T_truth_estimate
        if np.abs(step - np.eye(4)).max() < _SMALLEST_STEP:
            break
    return RigidTransform.nearest("truth", "estimate", best)


def _step(
    points: NDArray[np.float64], nearest: NDArray[np.float64], normals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the motion that brings points closest to the planes at their nearest points."""
    step = np.eye(4)
    if not len(points):
        return step
    # About the points' own centre and in units of their spread, so that the six directions
    # weigh alike and weak ones show in the eigenvalues.
    centre = points.mean(axis=0)
    spread_m = float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean())) or 1.0
    lever = np.cross((points - centre) / spread_m, normals)
    rows = np.hstack([lever, normals])
    residual_m = ((nearest - points) * normals).sum(axis=1)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    firm = values > _SMALLEST_SHARE * values[-1]
    along = (vectors.T @ (rows.T @ residual_m))[firm] / values[firm]
    solution = vectors[:, firm] @ along
    step[:3, :3] = rotation_from_vector(solution[:3] / spread_m)
    step[:3, 3] = centre + solution[3:] - step[:3, :3] @ centre
    return step
