"""Measured depth against a calibration board, whose plane its corners tell in metres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board_plane import BoardPlane
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.transform import RigidTransform

_FEWEST_PIXELS = 10
_MOST_PIXELS = 60_000
_RIM_POINTS = 30
_FEWEST_IN_CELL = 3


@dataclass(frozen=True, slots=True, eq=False)
class BoardDepth:
    """Depth that was measured on a board, against the board's plane.

    Attributes
    ----------
    pixels : int
        Measured pixels on the board that were compared.
    distance_m : float
        Median of what the plane says, metres.
    ratio : float
        Median of measured depth over that of the plane.
    bias_m, mad_m : float
        Median of measured depth less that of the plane, and the median distance from it.
    cells : ndarray of float64, shape (C, 2)
        Of each square of the board: length of the ray over z, less 1, and the ratio; medians.
    """

    pixels: int
    distance_m: float
    ratio: float
    bias_m: float
    mad_m: float
    cells: NDArray[np.float64]


def compare_depth(
    plane: BoardPlane, depth: DepthMap, T_depth_picture: RigidTransform
) -> BoardDepth | str:
    """Compare measured depth on a board with the board's plane.

    The plane is taken to the camera that measured depth, so that no depth has to be moved.

    Parameters
    ----------
    plane : BoardPlane
    depth : DepthMap
        Only what was measured is compared, not what was filled in.
    T_depth_picture : RigidTransform
        From the camera of the board's picture to that of the depth map.

    Returns
    -------
    BoardDepth or str
        Or why there is nothing to compare, for people.
    """
    u, v = _candidates(plane, depth, T_depth_picture.matrix @ plane.T_camera_board)
    rays = depth.camera.directions(np.stack([u, v], axis=-1))
    met = plane.met_by(rays, T_depth_picture.matrix)
    inside = met.inside
    if inside.sum() < _FEWEST_PIXELS:
        return f"no depth on the board ({int(inside.sum())} pixels of it were measured)"
    reach = met.reach if depth.camera.is_spherical else met.reach * rays[:, 2]
    expected_m = reach[inside]
    measured_m = depth.metres[v[inside], u[inside]].astype(np.float64)
    ratios, errors_m = measured_m / expected_m, measured_m - expected_m
    bias_m = float(np.median(errors_m))
    longer = 1.0 / rays[inside, 2] - 1.0
    squares = np.floor((met.on_board[inside] - plane.low_m) / plane.square_m).astype(np.int64)
    return BoardDepth(
        int(inside.sum()),
        float(np.median(expected_m)),
        float(np.median(ratios)),
        bias_m,
        float(np.median(np.abs(errors_m - bias_m))),
        np.empty((0, 2)) if depth.camera.is_spherical else _cells(squares, longer, ratios),
    )


def _candidates(
    plane: BoardPlane, depth: DepthMap, T: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return columns and rows of measured pixels about the board, at most so many."""
    share = np.linspace(0.0, 1.0, _RIM_POINTS)
    sides = [(share, 0 * share), (share, 0 * share + 1), (0 * share, share), (0 * share + 1, share)]
    rim = np.concatenate([np.stack(side, axis=-1) for side in sides])
    flat = plane.low_m + rim * (plane.high_m - plane.low_m)
    seen = depth.camera.project(flat @ T[:3, :2].T + T[:3, 3])
    nowhere = np.empty(0, np.int64)
    if np.isnan(seen).any():
        seen = seen[np.isfinite(seen).all(axis=1)]
    if not len(seen):
        return nowhere, nowhere
    low = np.maximum(np.floor(seen.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 1, depth.metres.shape[::-1])
    if (high <= low).any():
        return nowhere, nowhere
    box = slice(low[1], high[1]), slice(low[0], high[0])
    measured = depth.valid[box]
    if depth.origin is not None:
        measured &= depth.origin[box] == Origin.MEASURED
    rows, columns = np.nonzero(measured)
    step = 1 + len(rows) // _MOST_PIXELS
    return columns[::step] + low[0], rows[::step] + low[1]


def _cells(
    squares: NDArray[np.int64], longer: NDArray[np.float64], ratios: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return medians in each square of the board: neighbouring pixels err alike, squares less."""
    _, which, counts = np.unique(squares, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(counts)[:-1]
    cells = [
        (float(np.median(longer[part])), float(np.median(ratios[part])))
        for part in np.split(order, ends)
        if len(part) >= _FEWEST_IN_CELL
    ]
    return np.array(cells, np.float64).reshape(-1, 2)
