"""What a recording shows of its rig by a calibration board."""

import math
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board import Board
from sensorfusion.calibration.board_alignment import FEWEST_POINTS, BoardSeen
from sensorfusion.calibration.board_plane import BoardPlane, board_plane
from sensorfusion.calibration.board_view import grey_of, view_board
from sensorfusion.calibration.survey import EXPLAINED
from sensorfusion.camera import ray_table
from sensorfusion.cli.boards import common_reasons
from sensorfusion.cli.rig_observation import Beside, depth_of
from sensorfusion.depth_map import Origin
from sensorfusion.errors import EvaluationError
from sensorfusion.frame import Frame
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

# A sensor that is off by as much as may be still measures the board within this of its place.
_NEAR_M: Final = 0.5
_MOST_ON_BOARD: Final = 4000


def observe_boards(beside: Beside, board: Board) -> tuple[BoardSeen, ...]:
    """Return the boards in pictures of frames, with what the sensor measured about each.

    Raises
    ------
    CalibrationError
        If depth was measured by a panorama.
    EvaluationError
        If no picture shows the board with anything measured there.
    """
    seen: list[BoardSeen] = []
    without: list[str] = []
    for number, (frame, picture) in enumerate(zip(beside.frames, beside.pictures, strict=True)):
        view = view_board(board, grey_of(picture), explain=len(without) < EXPLAINED)
        if isinstance(view, str):
            without.append(view)
            continue
        plane = board_plane(view, beside.camera, board.square_m)
        cloud, alike = _measured(frame, beside.rig)
        rows = np.flatnonzero(_near(plane, cloud.points, beside.T_camera_sensor))
        if len(rows) < FEWEST_POINTS:
            without.append(f"shows a board with {len(rows)} points about it")
            continue
        # Of very many points every so many is enough, and less alike.
        step = 1 + len(rows) // _MOST_ON_BOARD
        near = cloud.subset(rows[::step])
        points_at = partial(beside.moved, near, number)
        seen.append(BoardSeen(plane, points_at, beside.twist(number, 0), alike / step))
    if not seen:
        msg = (
            f"no picture of {beside.camera.name!r} shows the {board} with points of "
            f"{beside.sensor!r} on it: {common_reasons(without)}"
        )
        raise EvaluationError(msg)
    return tuple(seen)


def _measured(frame: Frame, rig: Rig) -> tuple[PointCloud, float]:
    """Return all points that were measured, and how many neighbours of them share one error."""
    if isinstance(frame.measurement, PointCloud):
        return frame.measurement, 1.0
    depth = depth_of(frame, rig)
    measured = depth.valid & (depth.origins() == Origin.MEASURED)
    rays = np.insert(ray_table(depth.camera)[measured], 2, 1.0, axis=-1)
    points = (rays * depth.metres[measured][:, None]).astype(np.float32)
    alike = math.pi * rig.noise_of(depth.camera.name).correlation_px ** 2
    return PointCloud(points, frame.sensor, depth.timestamp_ns), max(alike, 1.0)


def _near(
    plane: BoardPlane, points: NDArray[np.float32], T_camera_sensor: RigidTransform
) -> NDArray[np.bool_]:
    """Return which points may lie on a board, wherever the sensor sits within what is believed."""
    T = plane.T_camera_board
    off = (T_camera_sensor.apply(points) - T[:3, 3]) @ T[:3, 2]
    inside = plane.met_by(points, T_camera_sensor.inverse().matrix, _NEAR_M).inside
    return np.asarray(inside & (np.abs(off) < _NEAR_M))
