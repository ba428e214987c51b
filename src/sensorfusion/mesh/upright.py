"""Which way is up, so that a mesh stands on its floor."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

_WIDEST_TILT = np.cos(np.radians(45))
_CELLS = 41
_SAME_DIRECTION = np.cos(np.radians(10))
_BIN_M = 0.02
_MOST_TRIANGLES = 300_000
_SMALLEST_FLOOR_M2 = 0.2
_SHARE_OF_LARGEST = 0.25
_BANDS_M = (0.08, 0.05, 0.03)
_SHORTEST_HORIZONTAL = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """How to turn a world so that z points up.

    Attributes
    ----------
    T_up_world : RigidTransform
        Takes the world to metres with z up, the origin at the first camera and y along the
        horizontal part of that camera's view (x to its right).
    how : {"gravity", "floor plane", "first camera"}
        What up was read from.
    """

    T_up_world: RigidTransform
    how: Literal["gravity", "floor plane", "first camera"]


def find_up(
    mesh: TriangleMesh, trajectory: Trajectory, down_world: NDArray[np.float64] | None = None
) -> Upright:
    """Find up: from gravity if it is known, else from the floor, else from the first camera.

    The floor is the lowest large plane among those that lie within 45 degrees of level, where
    level is taken from how the camera was held on average.

    Parameters
    ----------
    mesh : TriangleMesh
        Metres, world; triangles face out of the surface.
    trajectory : Trajectory
        ``T_world_camera``, at least one pose.
    down_world : ndarray of float64, shape (3,), or None
        Direction of gravity in the world, any length but 0.

    Returns
    -------
    Upright
    """
    first = trajectory.poses[0]
    if down_world is not None and np.linalg.norm(down_world) > 0:
        return Upright(_upright(-np.asarray(down_world, dtype=np.float64), first), "gravity")
    held = -trajectory.matrices[:, :3, 1].mean(axis=0)
    if np.linalg.norm(held) > _SHORTEST_HORIZONTAL:
        normal = _floor_normal(mesh, held / np.linalg.norm(held))
        if normal is not None:
            return Upright(_upright(normal, first), "floor plane")
    return Upright(_upright(-first.rotation[:, 1], first), "first camera")


def _upright(up: NDArray[np.float64], T_world_camera: RigidTransform) -> RigidTransform:
    z = up / np.linalg.norm(up)
    y = _horizontal(T_world_camera.rotation[:, 2], z)
    if np.linalg.norm(y) < _SHORTEST_HORIZONTAL:
        # It looks straight up or down: then the top of its picture points ahead or back.
        sign = np.sign(T_world_camera.rotation[:, 2] @ z)
        y = _horizontal(sign * T_world_camera.rotation[:, 1], z)
    y /= np.linalg.norm(y)
    matrix = np.eye(4)
    matrix[:3, :3] = [np.cross(y, z), y, z]
    matrix[:3, 3] = -matrix[:3, :3] @ T_world_camera.translation_m
    return RigidTransform.nearest("up", T_world_camera.target, matrix)


def _horizontal(direction: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(direction - (direction @ up) * up)


def _floor_normal(mesh: TriangleMesh, held: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the unit normal of the floor in the world, or None if nothing looks like one."""
    every = 1 + len(mesh.triangles) // _MOST_TRIANGLES
    corners = mesh.vertices[mesh.triangles[::every]].astype(np.float64)
    centres = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * (every / 2)
    areas_m2 = np.linalg.norm(normals, axis=1)
    level = normals @ held > _WIDEST_TILT * areas_m2
    centres, areas_m2 = centres[level], areas_m2[level]
    normals = normals[level] / areas_m2[:, None]
    if areas_m2.sum() < _SMALLEST_FLOOR_M2:
        return None
    up = _commonest_direction(normals, areas_m2, held)
    flat = normals @ up > _SAME_DIRECTION
    height_m = _lowest_large_height(centres[flat] @ up, areas_m2[flat])
    if height_m is None:
        return None
    anchor = height_m * up
    for band_m in _BANDS_M:
        on_floor = (normals @ up > _SAME_DIRECTION) & (np.abs((centres - anchor) @ up) < band_m)
        if areas_m2[on_floor].sum() < _SMALLEST_FLOOR_M2:
            return None
        anchor, up = _plane(centres[on_floor], areas_m2[on_floor], up)
    return up


def _commonest_direction(
    normals: NDArray[np.float64], areas_m2: NDArray[np.float64], held: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the direction that most area faces, from a grid on the plane that ``held`` pierces."""
    _, _, vt = np.linalg.svd(held[None])
    side, ahead = vt[1], vt[2]
    # Within 45 degrees both coordinates lie between -1 and 1.
    across = np.stack([normals @ side, normals @ ahead], axis=1) / (normals @ held)[:, None]
    cell = np.rint((across + 1) / 2 * (_CELLS - 1)).astype(np.int64).clip(0, _CELLS - 1)
    votes = np.bincount(cell @ (_CELLS, 1), areas_m2, _CELLS * _CELLS).reshape(_CELLS, _CELLS)
    # A floor on the border of two cells must not lose to a smaller one within a cell.
    padded = np.pad(votes, 1)
    shifted = [padded[i : i + _CELLS, j : j + _CELLS] for i in range(3) for j in range(3)]
    votes = np.sum(shifted, axis=0)
    best = np.array(np.unravel_index(int(votes.argmax()), votes.shape))
    near = (np.abs(cell - best) <= 1).all(axis=1)
    up = (normals[near] * areas_m2[near, None]).sum(axis=0)
    return np.asarray(up / np.linalg.norm(up))


def _lowest_large_height(
    heights_m: NDArray[np.float64], areas_m2: NDArray[np.float64]
) -> float | None:
    """Return the height of the lowest level surface that is not small beside the largest."""
    if not heights_m.size:
        return None
    lowest = heights_m.min()
    votes = np.bincount(((heights_m - lowest) / _BIN_M).astype(np.int64), areas_m2)
    slabs = np.convolve(votes, np.ones(3), mode="same")
    large = slabs >= max(_SMALLEST_FLOOR_M2, _SHARE_OF_LARGEST * slabs.max())
    if not large.any():
        return None
    start = int(large.argmax())
    peak = start + int(slabs[start : start + 5].argmax())
    return float(lowest + (peak + 0.5) * _BIN_M)


def _plane(
    points: NDArray[np.float64], weights: NDArray[np.float64], up: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre and unit normal of the plane with the least squared distance to points."""
    centre = np.average(points, axis=0, weights=weights)
    spread = (points - centre) * np.sqrt(weights)[:, None]
    normal = np.linalg.eigh(spread.T @ spread)[1][:, 0]
    return centre, normal * np.sign(normal @ up)
