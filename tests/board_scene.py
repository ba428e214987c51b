"""Boards before cameras, with exact truth: corners by projection, pictures by casting rays."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from sensorfusion.calibration.board import Charuco, Chessboard
from sensorfusion.calibration.board_view import BoardView
from sensorfusion.camera import Camera
from sensorfusion.transform import RigidTransform

_ACROSS = 5


def turned(x_deg, y_deg, z_deg):
    """Return the rotation about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([x_deg, y_deg, z_deg])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x


def placed(board, rotation, middle_m):
    """Return T_camera_board of a board whose middle is at a place."""
    centre = 0.5 * (board.points_m[0] + board.points_m[-1])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, np.asarray(middle_m) - rotation @ centre
    return RigidTransform("camera", "board", matrix)


def many_places(board, count, seed, distance_m=(0.35, 0.6), tilt_deg=35.0, aside=0.25):
    """Return places of a board all over the picture, tilted to all sides."""
    rng = np.random.default_rng(seed)
    places = []
    for _ in range(count):
        z = rng.uniform(*distance_m)
        x, y = rng.uniform(-aside, aside, 2) * z * (1.0, 0.7)
        tilts = rng.uniform(-tilt_deg, tilt_deg, 2)
        places.append(placed(board, turned(*tilts, rng.uniform(-20, 20)), (x, y, z)))
    return places


def seen(board, camera, T_camera_board, noise_px=0.0, rng=None):
    """Return the corners as a camera sees them."""
    pixels = camera.project(T_camera_board.apply(board.points_m))
    if noise_px:
        pixels = pixels + rng.normal(0, noise_px, pixels.shape)
    return BoardView(board.points_m, pixels)


def picture(board, camera, T_camera_board, legacy=False):
    """Return what a camera sees of a board in an otherwise grey world, uint8 (H, W).

    Of a camera without distortion: to undo that at every ray would take minutes.
    """
    rays = _rays(camera)
    T = T_camera_board.matrix.astype(np.float32)
    reach = (T[:3, 2] @ T[:3, 3]) / (rays @ T[:3, 2])
    on_board = ((rays * reach[..., None] - T[:3, 3]) @ T[:3, :2]) / board.square_m
    levels = _levels(board, on_board, legacy)
    levels[~(reach > 0)] = 128
    shape = (camera.height, _ACROSS, camera.width, _ACROSS)
    return levels.reshape(shape).mean(axis=(1, 3)).round().astype(np.uint8)


@lru_cache(maxsize=1)
def _rays(camera):
    """Return where the parts of each pixel look, float32 (H, W, 3): cast many times."""
    big = replace(
        camera,
        width=camera.width * _ACROSS,
        height=camera.height * _ACROSS,
        fx=camera.fx * _ACROSS,
        fy=camera.fy * _ACROSS,
        cx=(camera.cx + 0.5) * _ACROSS - 0.5,
        cy=(camera.cy + 0.5) * _ACROSS - 0.5,
    )
    u, v = np.meshgrid(np.arange(big.width), np.arange(big.height))
    return big.directions(np.stack([u, v], axis=-1)).astype(np.float32)


def _levels(board, on_board, legacy):
    """Return brightness at places on the board, in squares from its first inner corner."""
    columns, rows = board.corners
    x, y = on_board[..., 0], on_board[..., 1]
    # A white rim of one square, and grey beyond.
    levels = np.full(x.shape, 128, np.float32)
    levels[(x > -2) & (x < columns + 1) & (y > -2) & (y < rows + 1)] = 230
    inside = (x >= -1) & (x < columns) & (y >= -1) & (y < rows)
    if isinstance(board, Chessboard):
        levels[inside & ((np.floor(x) + np.floor(y)) % 2 == 0)] = 25
        return levels
    side = 80
    pattern = _charuco_pattern(board, side, legacy)
    at_x = ((x[inside] + 1) * side).astype(int)
    at_y = ((y[inside] + 1) * side).astype(int)
    levels[inside] = 25 + pattern[at_y, at_x] * (205 / 255)
    return levels


def _charuco_pattern(board: Charuco, side: int, legacy: bool):
    from cv2 import aruco

    dictionary = aruco.getPredefinedDictionary(getattr(aruco, board.dictionary))
    size = (board.columns, board.rows)
    drawn = aruco.CharucoBoard(size, board.square_m, board.marker_m, dictionary)
    drawn.setLegacyPattern(legacy)
    return drawn.generateImage((board.columns * side, board.rows * side))


def small_camera(distortion=None):
    """Return a camera of 480 x 360 pixels."""
    camera = Camera("camera", 480, 360, 420.0, 418.0, 243.0, 176.0)
    return camera if distortion is None else replace(camera, distortion=distortion)
