"""Relative depth made absolute: what a monocular model says, held by what is known in metres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth.anchor_fit import FEWEST_ANCHORS, Fit, fit_to_anchors
from sensorfusion.depth.kriging import fit_field
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import AnchorError, CoordinateSystemMismatchError
from sensorfusion.relative_depth import RelativeDepth

Floats = NDArray[np.float64]

_MOST_PLACES = 300
_PIXELS_AT_ONCE = 20_000
# Anchors of one cell stand for one place only where the model sees one surface: this step in log z.
_LAYER = 0.2
# How far a model's edges lie beside the real ones, as a share of the picture's width.
_EDGE = 1 / 300


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where anchors lie, (N, 3) in shares of the width and log z, and how far the model is off."""

    at: Floats
    off: Floats
    sigma: Floats


def anchored_depth(relative: RelativeDepth, anchors: DepthMap) -> tuple[DepthMap, Fit]:
    """Return the metres of relative depth, by what is known in metres of the same picture.

    First the scale, and the shift where the kind has one, are fitted to all anchors
    (:func:`fit_to_anchors`). What is left, log(anchor / model), is a smooth field over the picture
    and over the model's own depth, so that it does not reach across the model's edges; far from
    the anchors it is nothing (:func:`fit_field`). Anchors stay as they were measured.

    Parameters
    ----------
    relative : RelativeDepth
    anchors : DepthMap
        Metres in the same camera, in some of its pixels, with ``sigma_m`` as far as it is known.

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
    factor, share = _corrected(model, places, fit.residual, width)
    return _merged(anchors, model * factor, model * factor * share), fit


def _places(model: Floats, known: NDArray[np.intp], metres: Floats, sigma_m: Floats) -> _Places:
    """Return the anchors, of many the means of those that lie together on one surface."""
    height, width = model.shape
    log_z = np.log(model.ravel()[known])
    off = np.log(metres) - log_z
    rows, columns = np.divmod(known, width)
    share = sigma_m / metres
    cell_px = 1
    while True:
        cells = (rows // cell_px, columns // cell_px, np.floor(log_z / _LAYER).astype(np.intp))
        keys = cells if cell_px > 1 else (known,)
        _, which, count = np.unique(np.stack(keys), axis=1, return_inverse=True, return_counts=True)
        if len(count) <= _MOST_PLACES:
            break
        cell_px *= 2

    def mean(of: Floats) -> Floats:
        return np.asarray(np.bincount(which, of) / count)

    at = np.stack([mean(columns / width), mean(rows / width), mean(log_z)], axis=1)
    # Neighbours err alike: of n, as if every fourth were its own.
    sigma = np.sqrt(mean(share**2) / np.maximum(1, count / 4))
    return _Places(at, mean(off), sigma)


def _corrected(
    model: Floats, places: _Places, residual: float, width: int
) -> tuple[Floats, Floats]:
    """Return the factor that the field puts on each pixel, and its deviation as a share of z."""
    import cv2

    height = len(model)
    step = max(1, int(np.ceil(np.sqrt(model.size / _PIXELS_AT_ONCE))))
    size = (-(-width // step), -(-height // step))
    field = fit_field(places.at, places.off, places.sigma, residual)
    columns = np.minimum(np.arange(size[0]) * step + step // 2, width - 1)
    rows = np.minimum(np.arange(size[1]) * step + step // 2, height - 1)
    with np.errstate(divide="ignore"):
        log_z = np.log(model)
    at = np.stack([*np.meshgrid(columns / width, rows / width), log_z[np.ix_(rows, columns)]], 2)
    there = np.isfinite(at[..., 2])
    off, variance = np.zeros(there.shape), np.zeros(there.shape)
    off[there], variance[there] = field(at[there])
    layers = [
        cv2.resize(layer, (size[0] * step, size[1] * step), interpolation=cv2.INTER_LINEAR)
        for layer in (off, variance)
    ]
    off, variance = (layer[:height, :width] for layer in layers)
    return np.exp(off), np.sqrt(variance + _beside_edges(log_z, width))


def _beside_edges(log_z: Floats, width: int) -> Floats:
    """Return what depth changes by, squared, where an edge of the model lies a little aside."""
    there = np.where(np.isfinite(log_z), log_z, np.nan)
    rise = np.nan_to_num(np.stack(np.gradient(there)))
    return np.asarray(np.square(_EDGE * width) * np.square(rise).sum(axis=0))


def _merged(anchors: DepthMap, metres: Floats, sigma_m: Floats) -> DepthMap:
    predicted = ~anchors.valid & (metres > 0)
    origin = anchors.origins()
    origin[predicted] = Origin.PREDICTED
    return DepthMap(
        np.where(predicted, metres, anchors.metres).astype(np.float32),
        anchors.camera,
        anchors.timestamp_ns,
        np.where(predicted, sigma_m, anchors.sigmas_m() * anchors.valid).astype(np.float32),
        origin,
    )
