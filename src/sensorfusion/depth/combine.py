"""Two sensors, one depth map: a LiDAR and a depth camera merged by what each is certain of."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CoordinateSystemMismatchError

_FEWEST_PIXELS = 200
_ROUNDS = 8
_HUBER = 1.345
# Beyond this many standard deviations two measurements are of different things.
_APART = 4.0
_LARGEST_SCALE = 0.2


@dataclass(frozen=True, slots=True)
class Correction:
    """What a LiDAR says about a depth camera: ``z = scale * measured + bias_m``.

    Attributes
    ----------
    scale : float
        1 for a camera whose metres are right.
    bias_m : float
        Metres.
    pixels : int
        Pixels that both measured; 0 where they were too few, and nothing is corrected.
    """

    scale: float = 1.0
    bias_m: float = 0.0
    pixels: int = 0


def combine(lidar: DepthMap, other: DepthMap) -> tuple[DepthMap, Correction]:
    """Merge the depth of a LiDAR with that of another sensor in the same camera.

    Scale and bias of the other sensor are first corrected by the pixels that the LiDAR measured
    too (robust weighted least squares). Then each pixel is the mean of both, weighted by inverse
    variance; what one sensor alone saw is taken from it. Where the two are more than four standard
    deviations apart, they saw different things (an edge, glass): the nearer one stands, because
    nothing can be seen behind it, and its uncertainty grows by half their distance.

    Parameters
    ----------
    lidar, other : DepthMap
        Metres in one camera; ``sigma_m`` as the sensor or the completion states it.

    Returns
    -------
    DepthMap
        ``origin`` MEASURED where either sensor measured, FILLED where only filled depth was, else
        as the LiDAR says.
    Correction

    Raises
    ------
    CoordinateSystemMismatchError
        If the maps belong to different cameras.

    References
    ----------
    Huber, "Robust estimation of a location parameter", 1964, for the weights of the fit.
    """
    if lidar.camera != other.camera:
        msg = (
            f"depth of {lidar.camera.name!r} cannot be merged with that of {other.camera.name!r}; "
            "draw both into one camera"
        )
        raise CoordinateSystemMismatchError(msg)
    correction = fit_correction(lidar, other)
    corrected = _corrected(other, correction)
    return _merged(lidar, corrected), correction


def fit_correction(lidar: DepthMap, other: DepthMap) -> Correction:
    """Return the scale and bias that bring a sensor's depth to that of a LiDAR.

    Parameters
    ----------
    lidar, other : DepthMap
        Of one camera. Only pixels that both measured count, none that were filled.

    Returns
    -------
    Correction
        Without effect where fewer than 200 pixels were measured by both; without a scale where
        their depths are too alike to tell it from a bias.
    """
    both = (lidar.origins() == Origin.MEASURED) & (other.origins() == Origin.MEASURED)
    if both.sum() < _FEWEST_PIXELS:
        return Correction()
    target = lidar.metres[both].astype(np.float64)
    measured = other.metres[both].astype(np.float64)
    variance = np.square(lidar.sigmas_m()[both].astype(np.float64))
    variance += np.square(other.sigmas_m()[both].astype(np.float64))
    usual = 1.0 / np.sqrt(variance)
    centre = float(np.median(measured))
    # A scale is only told from a bias where depths differ by more than they are uncertain.
    spread = np.std(measured) > 10 * float(np.sqrt(np.median(variance)))
    columns = np.stack([np.ones_like(measured), measured - centre], axis=1)[:, : 2 if spread else 1]
    residual = target - measured
    offset = np.zeros(columns.shape[1])
    offset[0] = float(np.median(residual))
    for _ in range(_ROUNDS):
        standard = np.abs(residual - columns @ offset) * usual
        # Edges, where both see different things, must not count at all.
        weight = usual**2 * np.where(
            standard < _APART, np.minimum(1, _HUBER / (standard + 1e-12)), 0
        )
        normal = columns.T @ (columns * weight[:, None])
        if np.linalg.cond(normal) > 1e12:
            return Correction()
        offset = np.linalg.solve(normal, columns.T @ (weight * residual))
    slope = float(offset[1]) if spread else 0.0
    if abs(slope) > _LARGEST_SCALE:
        return Correction()
    return Correction(1.0 + slope, float(offset[0]) - slope * centre, int(both.sum()))


def _corrected(depth: DepthMap, correction: Correction) -> DepthMap:
    if not correction.pixels:
        return depth
    scale, bias_m = np.float32(correction.scale), np.float32(correction.bias_m)
    metres = np.where(depth.valid, np.maximum(scale * depth.metres + bias_m, 0), np.float32(0))
    return replace(depth, metres=metres, sigma_m=depth.sigmas_m(), origin=depth.origins())


def _merged(lidar: DepthMap, other: DepthMap) -> DepthMap:
    first, second = lidar.valid, other.valid
    sigmas = np.stack([lidar.sigmas_m(), other.sigmas_m()])
    metres = np.stack([lidar.metres, other.metres])
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(np.stack([first, second]), 1.0 / np.square(sigmas), 0).astype(np.float32)
        total = weights.sum(axis=0)
        merged = np.where(total > 0, (weights * metres).sum(axis=0) / total, 0)
        sigma_m = np.where(total > 0, 1.0 / np.sqrt(total), 0)
    apart_m = np.abs(metres[0] - metres[1])
    different = first & second & (apart_m > _APART * np.hypot(sigmas[0], sigmas[1]))
    nearer = (metres[1] < metres[0]).astype(np.intp)[None]
    merged = np.where(different, np.take_along_axis(metres, nearer, 0)[0], merged)
    doubt_m = np.hypot(np.take_along_axis(sigmas, nearer, 0)[0], apart_m / 2)
    sigma_m = np.where(different, doubt_m, sigma_m)
    return DepthMap(
        merged.astype(np.float32),
        lidar.camera,
        lidar.timestamp_ns,
        sigma_m=sigma_m.astype(np.float32),
        origin=_origins(lidar, other),
    )


def _origins(lidar: DepthMap, other: DepthMap) -> NDArray[np.uint8]:
    first, second = lidar.origins(), other.origins()
    # Where neither has depth the LiDAR says why: it tells free space from what nobody looked at.
    origin = np.where(other.valid & ~lidar.valid, second, first)
    measured = (lidar.valid & (first == Origin.MEASURED)) | (
        other.valid & (second == Origin.MEASURED)
    )
    return np.where(measured, np.uint8(Origin.MEASURED), origin).astype(np.uint8)
