"""Where a board stands before a camera: its plane, from the corners in a picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.adjust import adjust
from sensorfusion.calibration.board_view import BoardView
from sensorfusion.calibration.bundle import Bundle, lens_of
from sensorfusion.calibration.estimate_camera import sightings_of
from sensorfusion.calibration.initial import place_board
from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError

_CORNER_SIGMA_PX = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """Where rays of a sensor meet the plane of a board.

    Attributes
    ----------
    reach : ndarray of float64, shape (N,)
        In lengths of each ray's vector; not finite where it never meets the plane.
    on_board : ndarray of float64, shape (N, 2)
        There, in the board's x and y, metres.
    inside : ndarray of bool, shape (N,)
        Whether that is before the sensor, and on the part between the corners that were seen.
    """

    reach: NDArray[np.float64]
    on_board: NDArray[np.float64]
    inside: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class BoardPlane:
    """Where a board stands before the camera that took its picture.

    Attributes
    ----------
    T_camera_board : ndarray of float64, shape (4, 4)
        Metres; the board's x and y lie in its plane.
    low_m, high_m : ndarray of float64, shape (2,)
        The part of it between the corners that were seen, in the board's x and y.
    square_m : float
        Edge of a square.
    covariance : ndarray of float64, shape (3, 3)
        Of how far the plane is off along its normal: at the board's origin (m), and how much
        more for each metre along the board's x and y.
    rms_px : float
        Root of the mean squared distance between corners and where they should be.
    """

    T_camera_board: NDArray[np.float64]
    low_m: NDArray[np.float64]
    high_m: NDArray[np.float64]
    square_m: float
    covariance: NDArray[np.float64]
    rms_px: float

    @property
    def sigma_m(self) -> float:
        """Return the standard deviation of the plane's z in the middle of that part, metres."""
        T, middle = self.T_camera_board, np.append(1.0, 0.5 * (self.low_m + self.high_m))
        ray = T[:3, 3] + T[:3, :2] @ middle[1:]
        facing = abs(float(T[:3, 2] @ ray)) / float(ray[2])
        return float(np.sqrt(middle @ self.covariance @ middle)) / max(facing, 1e-6)

    def met_by(
        self, rays: NDArray[np.floating], T_sensor_picture: NDArray[np.float64], more_m: float = 0.0
    ) -> Met:
        """Return where rays meet the plane.

        Parameters
        ----------
        rays : ndarray of float, shape (N, 3)
            From the origin of a sensor, in its coordinates, of any length.
        T_sensor_picture : ndarray of float64, shape (4, 4)
            From the camera of the board's picture to the sensor.
        more_m : float
            How far the part that was seen is taken to reach beyond its corners, metres.
        """
        T = T_sensor_picture @ self.T_camera_board
        normal, origin = T[:3, 2], T[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = (normal @ origin) / (rays @ normal)
            on_board = (rays * reach[:, None] - origin) @ T[:3, :2]
            within = (on_board >= self.low_m - more_m) & (on_board <= self.high_m + more_m)
        return Met(reach, on_board, (reach > 0) & within.all(axis=1))


def board_plane(view: BoardView, camera: Camera, square_m: float) -> BoardPlane:
    """Return the plane of a board from its corners in a picture.

    Parameters
    ----------
    view : BoardView
    camera : Camera
        That took the picture, with its distortion.
    square_m : float
        Edge of the board's squares, metres.

    Raises
    ------
    CalibrationError
        If the camera is spherical, or cannot see such a board.
    """
    if camera.is_spherical:
        msg = f"camera {camera.name!r} is a panorama; expected a lens that sees a board"
        raise CalibrationError(msg)
    lens = lens_of(camera, camera.distortion.model)
    start, _ = place_board(view, lens, camera.distortion)
    bundle = Bundle(camera.distortion.model, lens[None], np.eye(4), start[None])
    found = adjust(bundle, sightings_of([view]), np.zeros((1, len(lens)), bool))
    T = found.bundle.T_left_board[0]
    x, y, normal = T[:3, 0], T[:3, 1], T[:3, 2]
    # A turn w about the board's origin moves a place m of the board along the normal n by
    # w . (m x n).
    along = np.zeros((3, 6))
    along[0, 3:] = normal
    along[1, :3], along[2, :3] = np.cross(x, normal), np.cross(y, normal)
    sigma_px = max(found.sigma_px, _CORNER_SIGMA_PX)
    covariance = sigma_px**2 * along @ found.boards[0] @ along.T
    rms_px = float(np.sqrt((found.residuals_px**2).sum(axis=1).mean()))
    return BoardPlane(T, *view.extent_m, square_m, covariance, rms_px)
