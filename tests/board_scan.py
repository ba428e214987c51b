"""Scans of boards, with exact truth: beams of a LiDAR onto a board and the wall behind it."""

import numpy as np

from sensorfusion.transform import RigidTransform

# Of the LiDAR's x forward, y left, z up in a camera's x right, y down, z forward.
_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
WALL_M = 6.0


def T_camera_lidar(turned_by=None):
    """Return where the LiDAR sits: 5 cm to the left, 12 cm above and 8 cm behind the camera."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if turned_by is None else turned_by) @ _AXES
    matrix[:3, 3] = (-0.05, -0.12, -0.08)
    return RigidTransform("camera", "lidar", matrix)


def beams(rings=32, columns=360, high_deg=18.0, wide_deg=35.0):
    """Return the directions of a LiDAR's beams to the front, float64 (N, 3)."""
    elevation, azimuth = np.meshgrid(
        np.radians(np.linspace(-high_deg, high_deg, rings)),
        np.radians(np.linspace(-wide_deg, wide_deg, columns)),
        indexing="ij",
    )
    level = np.cos(elevation)
    return np.stack(
        [level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1
    ).reshape(-1, 3)


def scan(board, T_camera_board, T_camera_sensor, noise_m=0.0, rng=None, rays=None):
    """Return where beams end: on the board with its rim of a square, else on a wall behind it.

    float64 (N, 3), metres, in the sensor's coordinates; ranges err by ``noise_m``.
    """
    rays = beams() if rays is None else rays
    T = (T_camera_sensor.inverse() @ T_camera_board).matrix
    normal, origin = T[:3, 2], T[:3, 3]
    with np.errstate(divide="ignore"):
        reach = (normal @ origin) / (rays @ normal)
    x, y = ((rays * reach[:, None] - origin) @ T[:3, :2]).T / board.square_m
    columns, rows = board.corners
    on_board = (reach > 0) & (x > -2) & (x < columns + 1) & (y > -2) & (y < rows + 1)
    # The wall stands straight before the camera.
    inverse = T_camera_sensor.inverse()
    ahead = inverse.rotation[:, 2]
    wall = (WALL_M + inverse.translation_m @ ahead) / (rays @ ahead)
    ranges = np.where(on_board, reach, wall)
    if noise_m:
        ranges = ranges + rng.normal(0, noise_m, ranges.shape)
    return rays * ranges[:, None]
