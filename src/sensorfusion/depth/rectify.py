"""Rectification: two cameras become a pair whose pixels on one row see the same points."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError, DepthScaleError
from sensorfusion.transform import RigidTransform

# An endoscope's eyes are millimetres apart, the widest rigs some metres.
_SHORTEST_BASELINE_M, _LONGEST_BASELINE_M = 0.001, 10.0
# A map that moves no pixel by more than this is no map: resampling would cost more than it gives.
_SAME_PX = 0.02
# Beyond this angle to the common direction a flat picture grows without bound.
_WIDEST = float(np.tan(np.deg2rad(65.0)))
# Cameras that look along the baseline, or away from each other, have next to nothing in common.
_LEAST_FORWARD = float(np.cos(np.deg2rad(60.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """One camera of a rectified pair.

    Attributes
    ----------
    pixels : ndarray of float32, shape (H, W, 2), or None
        (u, v) in the camera's own picture of each pixel of the rectified one, NaN where it sees
        nothing; None where both pictures are the same.
    seen : ndarray of bool, shape (H, W)
        Where ``pixels`` lie in the camera's picture.
    """

    pixels: NDArray[np.float32] | None
    seen: NDArray[np.bool_]

    def look(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the camera's picture, uint8 (h, w) or (h, w, 3), rectified; edges go on."""
        if self.pixels is None:
            return picture
        import cv2

        u, v = cv2.split(np.nan_to_num(self.pixels, nan=-1e4))
        # Cubic: how sharp a picture is must not depend on where between pixels it was read.
        rectified = cv2.remap(picture, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(rectified, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Rectification:
    """How the pictures of two cameras become a rectified pair, and depth comes back.

    In the rectified coordinate system x points from the reference to the other camera, which is
    right of it, so that disparities are ``u_reference - u_other = f B / z - doffs >= -doffs``.

    Attributes
    ----------
    reference, other : Eye
    focal_px, baseline_m, doffs_px : float
        Along rows; ``doffs_px`` is ``cx`` of the other minus ``cx`` of the reference.
    back : ndarray of float32, shape (h, w, 2)
        (u, v) in the rectified picture of each pixel of the reference camera, NaN without a ray.
    z_per_depth : ndarray of float32, shape (h, w)
        z of the reference camera over that of the rectified one: a rotation has the same centre.
    """

    reference: Eye
    other: Eye
    focal_px: float
    baseline_m: float
    doffs_px: float
    back: NDArray[np.float32]
    z_per_depth: NDArray[np.float32]

    @property
    def passes_through(self) -> bool:
        """Tell whether the reference camera's picture is rectified as it is."""
        return self.reference.pixels is None


def rectification(
    reference: Camera, other: Camera, T_other_reference: RigidTransform
) -> Rectification:
    """Return how to rectify two cameras; of the same cameras, the same as before.

    Rows run along the baseline, wherever the other camera sits, and both look along the mean of
    their directions as far as that is square to it. Lens distortion is undone on the way, sizes
    and focal lengths may differ. A pair that is rectified already is not resampled, and keeps its
    principal points.

    Parameters
    ----------
    reference, other : Camera
    T_other_reference : RigidTransform

    Raises
    ------
    DepthScaleError
        If the cameras are not between 1 mm and 10 m apart: lengths in another unit.
    CalibrationError
        If they look along the baseline or away from each other, or one is spherical.

    References
    ----------
    Fusiello, Trucco and Verri, "A compact algorithm for rectification of stereo pairs", Machine
    Vision and Applications 12, 2000.
    """
    return _rectification(reference, other, T_other_reference.matrix.tobytes())


@lru_cache(maxsize=8)
def _rectification(reference: Camera, other: Camera, matrix: bytes) -> Rectification:
    T_other_reference = np.frombuffer(matrix).reshape(4, 4)
    R_other_reference = T_other_reference[:3, :3]
    # Where the other camera's centre sits, seen from the reference.
    centre_m = -R_other_reference.T @ T_other_reference[:3, 3]
    baseline_m = float(np.linalg.norm(centre_m))
    _check(reference, other, baseline_m)
    R = _common_rotation(reference, other, centre_m / baseline_m, R_other_reference[2])
    # Focal lengths along the new axes, so that a turn by 90 degrees swaps them.
    fx, fy = (
        float(np.hypot(*(axis[:2] * (reference.fx, reference.fy))) / np.hypot(*axis[:2]))
        for axis in R[:2]
    )
    back, z = _through(reference, R, np.array([fx, fy]))
    (left, top), (right, bottom) = np.nanmin(back, (0, 1)), np.nanmax(back, (0, 1))
    centre = np.array([-left, -top])
    shape = (_whole(bottom - top) + 1, _whole(right - left) + 1)
    reference_eye = _eye(reference, R, np.array([[fx, 0, centre[0]], [0, fy, centre[1]]]), shape)
    R_other = R @ R_other_reference.T
    # Principal points that differ are kept where that spares the other picture its resampling.
    own = np.array([[fx, 0, other.cx], [0, fy, centre[1]]])
    other_eye, doffs_px = _eye(other, R_other, own, shape), other.cx - centre[0]
    if other_eye.pixels is not None:
        shared = np.array([[fx, 0, centre[0]], [0, fy, centre[1]]])
        other_eye, doffs_px = _eye(other, R_other, shared, shape), 0.0
    return Rectification(
        reference_eye,
        other_eye,
        fx,
        baseline_m,
        float(doffs_px),
        (back + centre).astype(np.float32),
        (1.0 / z).astype(np.float32),
    )


def _check(reference: Camera, other: Camera, baseline_m: float) -> None:
    names = f"stereo pair of {reference.name!r} and {other.name!r}"
    if reference.is_spherical or other.is_spherical:
        msg = f"{names}: one is a panorama, which has no flat picture; expected two cameras"
        raise CalibrationError(msg)
    if not _SHORTEST_BASELINE_M <= baseline_m <= _LONGEST_BASELINE_M:
        unit = "millimetres as metres" if baseline_m > 1 else "metres as millimetres"
        msg = (
            f"{names}: the cameras are {baseline_m:.4g} m apart; expected {_SHORTEST_BASELINE_M} "
            f"to {_LONGEST_BASELINE_M:g} m; did you pass {unit}? Correct the calibration"
        )
        raise DepthScaleError(msg)


def _common_rotation(
    reference: Camera, other: Camera, along: NDArray[np.float64], forward: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return R_rectified_reference; ``along`` the baseline, ``forward`` the other camera's z."""
    mean = forward + np.array([0.0, 0.0, 1.0])
    ahead = mean - (mean @ along) * along
    length = float(np.linalg.norm(ahead))
    axis = ahead / length if length > 0 else ahead
    if min(axis[2], axis @ forward) < _LEAST_FORWARD:
        msg = (
            f"stereo pair of {reference.name!r} and {other.name!r}: they look along the line "
            "between them, or away from each other; expected cameras side by side that see the "
            "same; check the directions of the rig's transforms"
        )
        raise CalibrationError(msg)
    return np.stack([along, np.cross(axis, along), axis])


def _through(
    camera: Camera, R: NDArray[np.float64], focal: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the pixels of a camera look behind a rotation, and their z there at z = 1."""
    v, u = np.indices((camera.height, camera.width))
    rays = camera.unproject(np.stack([u, v], axis=2))
    turned = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=2) @ R.T
    z = np.where(turned[..., 2] > 0, turned[..., 2], np.nan)
    flat = turned[..., :2] / z[..., None]
    flat[np.abs(flat).max(axis=2) > _WIDEST] = np.nan
    return flat * focal, z


def _eye(
    camera: Camera, R: NDArray[np.float64], matrix: NDArray[np.float64], shape: tuple[int, int]
) -> Eye:
    """Return how a camera's picture becomes the one of a turned camera without distortion."""
    v, u = np.indices(shape, dtype=np.float64)
    rays = np.stack([(u - matrix[0, 2]) / matrix[0, 0], (v - matrix[1, 2]) / matrix[1, 1]], axis=2)
    there = np.concatenate([rays, np.ones((*shape, 1))], axis=2) @ R
    pixels = camera.project(there)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= -0.5) & (pixels <= (camera.width - 0.5, camera.height - 0.5))
    seen = inside[..., 0] & inside[..., 1]
    if shape == (camera.height, camera.width):
        moved_px = np.abs(pixels - np.stack([u, v], axis=2))
        if not np.isnan(moved_px).any() and moved_px.max() < _SAME_PX:
            return Eye(None, np.ones(shape, np.bool_))
    return Eye(pixels.astype(np.float32), seen)


def _whole(length_px: float) -> int:
    """Return a length rounded up, but for rounding errors."""
    return int(np.ceil(length_px - _SAME_PX))
