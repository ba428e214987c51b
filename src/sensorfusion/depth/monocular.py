"""Relative depth made absolute: what a monocular model says, held by what is known in metres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth._nearby_kernels import average_nearby
from sensorfusion.depth.anchor_fit import Fit, fit_to_anchors
from sensorfusion.depth.kriging import fit_field
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.relative_depth import RelativeDepth

Floats = NDArray[np.float64]

_MOST_PLACES = 300
_PIXELS_AT_ONCE = 20_000
# Anchors of one cell stand for one place only where the model sees one surface: this step in log z.
_LAYER = 0.2
# What tells one surface from another: grey levels, or a step in log z where there is no picture.
_UNLIKE_LEVELS, _UNLIKE_LOG_Z = 10.0, 0.1
# How much log z changes over the width of a picture, along a surface of one colour; measured on
# simulated rooms, as is the least that colours leave open.
_CHANGE, _LEAST_SPREAD = 4.0, 0.005
# A picture's anchors are dense where this share of a square of pixels is known.
_AROUND_PX, _DENSE = 5, 0.3
_PASSED = 2.0
# How often colours beside an edge choose the wrong side of it.
_WRONG_SIDE = 0.3
# Reach of the mean over the anchors beside a pixel: at least, and as a share of the width.
_LEAST_AWAY_PX, _MOST_AWAY, _SAMPLES = 2.0, 0.03, 21
# What would count for less than a fifth is not looked at.
_LEAST_COUNT, _LEAST_WEIGHT = 4.0, 1e-4
# How far a model's edges lie beside the real ones, as a share of the picture's width.
_EDGE = 1 / 300


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where anchors lie, (N, 3) in shares of the width and log z, and how far the model is off."""

    at: Floats
    off: Floats
    sigma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Depth of each pixel in metres: its logarithm (NaN: none) and the variance of that, (H, W)."""

    log_z: Floats
    variance: Floats


def anchored_depth(
    relative: RelativeDepth, anchors: DepthMap, picture: NDArray[np.uint8] | None = None
) -> tuple[DepthMap, Fit]:
    """Return the metres of relative depth, by what is known in metres of the same picture.

    First the scale, and the shift where the kind has one, are fitted to all anchors
    (:func:`fit_to_anchors`). What is left, log(anchor / model), is a smooth field over the picture
    and over the model's own depth, so that it does not reach across the model's edges; far from
    the anchors it is nothing (:func:`fit_field`). Beside anchors, their mean over pixels of like
    colour counts as well, by what each is certain to: most models draw edges softer than a
    picture has them. Anchors stay as they were measured.

    Parameters
    ----------
    relative : RelativeDepth
    anchors : DepthMap
        Metres in the same camera, in some of its pixels, with ``sigma_m`` as far as it is known.
    picture : ndarray of uint8, shape (H, W) or (H, W, 3), optional
        What the model saw.

    Returns
    -------
    DepthMap
        Metres along z of the camera. Pixels that are not anchors are :attr:`Origin.PREDICTED`;
        their ``sigma_m`` is what anchors left out show, grows with the distance to the anchors,
        and beside the model's edges with what an edge one pixel aside would change.
    Fit
        Of the whole picture, before the field.

    Raises
    ------
    AnchorError
        If the anchors do not tell how long a metre is; see :func:`fit_to_anchors`.
    CoordinateSystemMismatchError
        If the anchors belong to another camera.
    """
    if relative.camera != anchors.camera:
        msg = (
            f"relative depth of {relative.camera.name!r} with anchors of {anchors.camera.name!r}; "
            "draw both into one camera"
        )
        raise CoordinateSystemMismatchError(msg)
    known = np.flatnonzero(anchors.valid & np.isfinite(relative.values))
    metres = anchors.metres.ravel()[known].astype(np.float64)
    sigma_m = np.maximum(anchors.sigmas_m().ravel()[known], 1e-6).astype(np.float64)
    values = relative.values.ravel()[known].astype(np.float64)
    fit, agrees = fit_to_anchors(values, metres, sigma_m, relative.kind)
    model = fit.metres(relative.values)
    width = relative.camera.width
    places = _places(model, known[agrees], metres[agrees], sigma_m[agrees])
    held = _corrected(model, places, fit.residual, width)
    # Where anchors are dense, what contradicts the model is an edge that the model draws softer.
    # One alone that the field does not pass through is a mistake, or of something very small.
    off = np.abs(np.log(metres) - held.log_z.ravel()[known])
    passed = off < _PASSED * np.sqrt(held.variance.ravel()[known])
    sound = (agrees & passed) | _dense(anchors.valid).ravel()[known]
    drawn = np.full(model.shape, np.nan, np.float32)
    drawn.ravel()[known[sound]] = np.log(metres[sound])
    guide = held.log_z / _UNLIKE_LOG_Z if picture is None else picture / _UNLIKE_LEVELS
    held = _with_nearby(held, drawn, np.atleast_3d(guide).astype(np.float32))
    return _merged(anchors, held), fit


def _dense(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which pixels have so many anchors around them that a wrong one would not be alone."""
    import cv2

    share = cv2.boxFilter(valid.astype(np.float32), -1, (_AROUND_PX, _AROUND_PX))
    return np.asarray(share > _DENSE)


def _places(model: Floats, known: NDArray[np.intp], metres: Floats, sigma_m: Floats) -> _Places:
    """Return the anchors, of many the means of those that lie together on one surface."""
    width = model.shape[1]
    log_z = np.log(model.ravel()[known])
    off = np.log(metres) - log_z
    rows, columns = np.divmod(known, width)
    share = sigma_m / metres
    layers = np.floor((log_z - log_z.min()) / _LAYER).astype(np.int64)
    cell_px = 1
    while True:
        cells = (rows // cell_px * width + columns // cell_px) * (layers.max() + 1) + layers
        _, which, count = np.unique(cells, return_inverse=True, return_counts=True)
        if len(count) <= _MOST_PLACES:
            break
        cell_px *= 2

    def mean(of: Floats) -> Floats:
        return np.asarray(np.bincount(which, of) / count)

    at = np.stack([mean(columns / width), mean(rows / width), mean(log_z)], axis=1)
    # Neighbours err alike: of n, as if every fourth were its own.
    sigma = np.sqrt(mean(share**2) / np.maximum(1, count / 4))
    return _Places(at, mean(off), sigma)


def _corrected(model: Floats, places: _Places, residual: float, width: int) -> _Held:
    """Return the model with the field that what is left of the anchors makes."""
    import cv2

    height = len(model)
    step = max(1, int(np.ceil(np.sqrt(model.size / _PIXELS_AT_ONCE))))
    size = (-(-width // step), -(-height // step))
    field = fit_field(places.at, places.off, places.sigma, residual)
    columns = np.minimum(np.arange(size[0]) * step + step // 2, width - 1)
    rows = np.minimum(np.arange(size[1]) * step + step // 2, height - 1)
    with np.errstate(divide="ignore"):
        log_z = np.where(model > 0, np.log(model), np.nan)
    across, down = np.meshgrid(columns / width, rows / width)
    at = np.dstack([across, down, log_z[np.ix_(rows, columns)]])
    there = np.isfinite(at[..., 2])
    off, variance = np.zeros(there.shape), np.zeros(there.shape)
    off[there], variance[there] = field(at[there])
    layers = [
        cv2.resize(layer, (size[0] * step, size[1] * step), interpolation=cv2.INTER_LINEAR)
        for layer in (off, variance)
    ]
    off, variance = (layer[:height, :width] for layer in layers)
    return _Held(log_z + off, variance + _beside_edges(log_z, width))


def _with_nearby(held: _Held, drawn: NDArray[np.float32], guide: NDArray[np.float32]) -> _Held:
    """Return depth to which the anchors beside a pixel have been added, by their certainty."""
    import cv2

    width = drawn.shape[1]
    away_px = cv2.distanceTransform(np.isnan(drawn).astype(np.uint8), cv2.DIST_L2, 5)
    farther = np.square(_CHANGE * away_px / width)
    most_px = _MOST_AWAY * width
    near = (away_px > 0) & (away_px < 2 * most_px) & (farther < _LEAST_COUNT * held.variance)
    wanted = np.argwhere(near)
    found = np.zeros((len(wanted), 4), np.float32)
    numbers = np.array((_LEAST_AWAY_PX, most_px, _SAMPLES), np.float32)
    average_nearby(wanted, away_px[near].astype(np.float32), drawn, guide, numbers, found)
    total, mean, spread, jump = found.T.astype(np.float64)
    beside = spread + farther[near] + _LEAST_SPREAD**2
    # Beside an edge, the colour of one pixel may be that of the other side.
    doubt = _WRONG_SIDE * np.maximum(jump - spread, 0.0)
    variance = held.variance[near]
    # Ends where it is no longer looked at, so that no step is left there.
    taper = 1 - farther[near] / (_LEAST_COUNT * variance)
    part = np.where(total > _LEAST_WEIGHT, taper * variance / (variance + beside), 0.0)
    log_z, both = held.log_z.copy(), held.variance.copy()
    log_z[near] = part * mean + (1 - part) * log_z[near]
    both[near] = part * beside + np.square(1 - part) * variance + doubt
    return _Held(log_z, both)


def _beside_edges(log_z: Floats, width: int) -> Floats:
    """Return what depth changes by, squared, where an edge of the model lies a little aside."""
    down, across = (np.nan_to_num(rise) for rise in np.gradient(log_z))
    return np.asarray(np.square(_EDGE * width) * (np.square(down) + np.square(across)))


def _merged(anchors: DepthMap, held: _Held) -> DepthMap:
    predicted = ~anchors.valid & np.isfinite(held.log_z)
    metres = np.exp(np.where(predicted, held.log_z, 0.0))
    sigma_m = metres * np.sqrt(np.where(predicted, held.variance, 0.0))
    origin = anchors.origins()
    origin[predicted] = Origin.PREDICTED
    return DepthMap(
        np.where(predicted, metres, anchors.metres).astype(np.float32),
        anchors.camera,
        anchors.timestamp_ns,
        np.where(predicted, sigma_m, anchors.sigmas_m() * anchors.valid).astype(np.float32),
        origin,
    )
