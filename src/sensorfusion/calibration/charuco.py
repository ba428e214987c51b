"""ChArUco boards in pictures: corners by number, so that a part of a board is enough."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board import Charuco, dictionaries

_FEWEST_CORNERS = 6


def find_charuco(
    board: Charuco, grey: NDArray[np.uint8], *, explain: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | str:
    """Find the inner corners of a ChArUco board.

    Boards of old OpenCV versions, which begin with a white square where they have an even number
    of rows, are found as well.

    Parameters
    ----------
    board : Charuco
    grey : ndarray of uint8, shape (H, W)
    explain : bool
        Look for markers of other dictionaries where there are none of this, which takes longer.

    Returns
    -------
    indices : ndarray of int64, shape (N,)
        Which of the board's corners, six or more, not all in one row.
    pixels : ndarray of float64, shape (N, 2)
        Where, (u, v). Or, in place of both, why there are none.
    """
    indices, pixels, markers = _best(board, grey)
    if len(indices) < _FEWEST_CORNERS:
        if not (markers or explain):
            return f"has no marker of {board.dictionary}"
        return _reason(board, grey, len(indices), markers)
    places = board.points_m[indices]
    if not (places[:, :2].max(axis=0) > places[:, :2].min(axis=0)).all():
        return f"shows {len(indices)} corners in one row; a plane needs more"
    return indices, pixels


def _best(
    board: Charuco, grey: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Return indices and pixels of the corners, and the number of markers that were seen."""
    from cv2 import aruco

    dictionary = aruco.getPredefinedDictionary(getattr(aruco, board.dictionary))
    size = (board.columns, board.rows)
    best = np.empty(0, np.int64), np.empty((0, 2)), 0
    for legacy in (False, True) if board.rows % 2 == 0 else (False,):
        pattern = aruco.CharucoBoard(size, board.square_m, board.marker_m, dictionary)
        pattern.setLegacyPattern(legacy)
        corners, ids, _, marker_ids = aruco.CharucoDetector(pattern).detectBoard(grey)
        markers = 0 if marker_ids is None else len(marker_ids)
        if ids is None or len(ids) <= len(best[0]):
            best = (*best[:2], max(best[2], markers))
            continue
        indices = np.asarray(ids, np.int64).ravel()
        best = indices, np.asarray(corners, np.float64).reshape(-1, 2), markers
    return best


def _reason(board: Charuco, grey: NDArray[np.uint8], corners: int, markers: int) -> str:
    """Return why a board was not found, trying what people mistake."""
    if not markers:
        seen = _other_dictionary(board, grey)
        return f"has no marker of {board.dictionary}" + (f", but of {seen}" if seen else "")
    turned = Charuco(board.rows, board.columns, board.square_m, board.marker_m, board.dictionary)
    if board.rows != board.columns and len(_best(turned, grey)[0]) >= _FEWEST_CORNERS:
        shown = f"{board.rows}x{board.columns}"
        return f"shows a board of {shown} squares, not {board.columns}x{board.rows}"
    few = f"shows {markers} markers, but {corners} corners of a {board.columns}x{board.rows} board"
    return f"{few}; {_FEWEST_CORNERS} are needed"


def _other_dictionary(board: Charuco, grey: NDArray[np.uint8]) -> str:
    """Return the dictionary whose markers a picture shows, if it shows several of any."""
    from cv2 import aruco

    best, most = "", 3
    for name in dictionaries():
        if name == board.dictionary:
            continue
        detector = aruco.ArucoDetector(aruco.getPredefinedDictionary(getattr(aruco, name)))
        ids = detector.detectMarkers(grey)[1]
        # The first dictionary of a family is the smallest that holds these numbers.
        if ids is not None and len(set(ids.ravel().tolist())) > most:
            best, most = name, len(set(ids.ravel().tolist()))
    return best
