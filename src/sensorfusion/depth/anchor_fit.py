"""The scale and the shift of relative depth, from what is known in metres in the same picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import AnchorError
from sensorfusion.relative_depth import RelativeKind

Floats = NDArray[np.float64]

FEWEST_ANCHORS = 10
"""With fewer, wrong ones among them cannot be told from right ones."""

_PAIRS, _JUDGES = 500, 2000
_ROUNDS = 30
# Of Tukey's weight: 95 % as efficient as least squares where errors are normal.
_TUKEY = 4.685
_MAD_TO_SIGMA = 1.4826
# A scale that its own standard deviation reaches by a third could as well be none.
_SURE = 3.0
_LARGEST_RESIDUAL = 0.7
_SMALLEST_SHARE = 0.4
_FEW = "too few pixels are known in metres"
_LEAST_SHARE = 0.2
# Exact anchors of an exact model must not divide by nothing.
_SMALLEST_SIGMA = 1e-6


@dataclass(frozen=True, slots=True)
class Fit:
    """What turns the values of one frame into metres.

    Attributes
    ----------
    kind : {"inverse", "affine_inverse", "affine_depth", "log"}
        Says what the two numbers mean.
    scale, shift : float
        1 / z = scale v (+ shift); z = scale v + shift; for ``log``, z = scale exp(v).
    anchors : int
        Pixels that were known in metres.
    inliers : int
        Of them, those that agree with the model.
    residual : float
        Robust standard deviation of log(metres / anchor): about the error as a share of depth.
    """

    kind: RelativeKind
    scale: float
    shift: float
    anchors: int
    inliers: int
    residual: float

    def metres(self, values: NDArray[np.floating]) -> Floats:
        """Return depth in metres for values of any shape; 0 where they lie beyond infinity."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            metres = _metres(values.astype(np.float64), self.kind, self.scale, self.shift)
            return np.asarray(np.where((metres > 0) & np.isfinite(metres), metres, 0.0))


def fit_to_anchors(
    values: Floats, metres: Floats, sigma_m: Floats, kind: RelativeKind
) -> tuple[Fit, NDArray[np.bool_]]:
    """Fit the scale, and the shift where the kind has one, to pixels that are known in metres.

    A start that half of the anchors may contradict (least median of squares over random pairs,
    the same ones every time) is refined by least squares with Tukey's weights. Errors are counted
    as shares of depth, and an anchor by its own certainty and the model's.

    Parameters
    ----------
    values : ndarray of float64, shape (N,)
        What the model says at the anchors.
    metres, sigma_m : ndarray of float64, shape (N,)
        Depth of the anchors and one standard deviation of it, metres, > 0.
    kind : {"inverse", "affine_inverse", "affine_depth", "log"}

    Returns
    -------
    Fit
    ndarray of bool, shape (N,)
        Which anchors agree with it.

    Raises
    ------
    AnchorError
        If there are too few anchors, they are too alike to tell a scale from a shift, the values
        fall where they should rise, or most of the anchors contradict the model.

    References
    ----------
    Rousseeuw, "Least median of squares regression", 1984; Beaton and Tukey, "The fitting of power
    series", 1974, for the weights; Ranftl et al., "Towards robust monocular depth estimation",
    TPAMI 2022, for scale and shift in inverse depth.
    """
    usable = np.isfinite(values) & ((values > 0) if kind == "inverse" else np.isfinite(values))
    found = int(usable.sum())
    if found < FEWEST_ANCHORS:
        raise AnchorError(_FEW, f"{found} of at least {FEWEST_ANCHORS}")
    v, z = values[usable], metres[usable]
    own = (sigma_m[usable] / z) ** 2
    start = _pairwise(v, z, kind) if kind.startswith("affine") else (_median_scale(v, z, kind), 0.0)
    scale, shift, weight, sigma = _refined(v, z, own, kind, start)
    if kind.startswith("affine"):
        _check_slope(v, z, weight, kind, scale)
    agrees = np.zeros(len(values), np.bool_)
    agrees[usable] = weight > 0
    fit = Fit(kind, scale, shift, found, int(agrees.sum()), sigma)
    if sigma > _LARGEST_RESIDUAL or fit.inliers < _SMALLEST_SHARE * found:
        agree = f"{fit.inliers} of {found} agree, to {100 * sigma:.0f} % of depth"
        reason = f"what is known in metres contradicts {_asked(kind)}"
        raise AnchorError(reason, agree)
    return fit, agrees


def _metres(values: Floats, kind: RelativeKind, scale: float, shift: float) -> Floats:
    if kind == "log":
        return np.asarray(scale * np.exp(values))
    line = scale * values + shift
    return line if kind == "affine_depth" else 1.0 / line


def _median_scale(v: Floats, z: Floats, kind: RelativeKind) -> float:
    ratios = np.log(z) - v if kind == "log" else -np.log(z) - np.log(v)
    return float(np.exp(np.median(ratios)))


def _pairwise(v: Floats, z: Floats, kind: RelativeKind) -> tuple[float, float]:
    """Return the line through two anchors that the median of all anchors is nearest to."""
    rng = np.random.default_rng(len(v))
    first, second = rng.integers(0, len(v), (2, _PAIRS))
    target = z if kind == "affine_depth" else 1.0 / z
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = (target[second] - target[first]) / (v[second] - v[first])
    shifts = target[first] - scales * v[first]
    # Falling ones, too: that values fall is told once it is sure.
    apart = np.isfinite(scales) & (scales != 0)
    if not apart.any():
        raise _alike(v, z, kind)
    scales, shifts = scales[apart], shifts[apart]
    some = slice(None, None, max(1, len(v) // _JUDGES))
    lines = scales[:, None] * v[some] + shifts[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.abs(np.log(np.where(lines > 0, lines, 0.0) / target[some]))
    best = int(np.argmin(np.median(errors, axis=1)))
    return float(scales[best]), float(shifts[best])


def _refined(
    v: Floats, z: Floats, own: Floats, kind: RelativeKind, start: tuple[float, float]
) -> tuple[float, float, Floats, float]:
    """Return scale, shift, the weight of each anchor (0: contradicts), and the residual."""
    scale, shift = start
    for _ in range(_ROUNDS):
        residual = _residual(v, z, kind, scale, shift)
        sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(residual))), _SMALLEST_SIGMA)
        # The spread holds the errors of both; a share of it is the model's in any case.
        usual = np.sqrt(own + max(sigma**2 - float(np.median(own)), (_LEAST_SHARE * sigma) ** 2))
        tukey = np.square(np.maximum(0, 1 - np.square(residual / (_TUKEY * usual))))
        weight = tukey / usual**2
        if not weight.any():
            break
        before = scale, shift
        if kind.startswith("affine"):
            scale, shift = _line(v, z, weight, kind)
        else:
            step = float(np.average(residual[weight > 0], weights=weight[weight > 0]))
            scale *= float(np.exp(-step if kind == "inverse" else step))
        if np.allclose(before, (scale, shift), rtol=1e-10, atol=0):
            break
    return scale, shift, weight, sigma


def _residual(v: Floats, z: Floats, kind: RelativeKind, scale: float, shift: float) -> Floats:
    """Return log(anchor / model); infinite where the model lies beyond infinity."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        metres = _metres(v, kind, scale, shift)
        found = np.where(metres > 0, np.log(z / metres), np.inf)
    return np.asarray(np.where(np.isnan(found), np.inf, found))


def _line(v: Floats, z: Floats, weight: Floats, kind: RelativeKind) -> tuple[float, float]:
    """Return scale and shift by least squares of errors as shares of depth."""
    columns, target = _columns(v, z, kind)
    normal = columns.T @ (columns * weight[:, None])
    if np.linalg.cond(normal) > 1e14:
        raise _alike(v, z, kind)
    scale, shift = np.linalg.solve(normal, columns.T @ (weight * target))
    # Around the middle of the values the two unknowns are nearly independent.
    return float(scale), float(shift - scale * np.median(v))


def _columns(v: Floats, z: Floats, kind: RelativeKind) -> tuple[Floats, Floats]:
    share = 1.0 / z if kind == "affine_depth" else z
    return np.stack([share * (v - np.median(v)), share], axis=1), np.ones_like(v)


def _check_slope(v: Floats, z: Floats, weight: Floats, kind: RelativeKind, scale: float) -> None:
    """Refuse a scale that is not above 0 by more than it is uncertain."""
    columns, _ = _columns(v, z, kind)
    # The weights hold the inverse variances, but for how well the model itself fits.
    normal = columns.T @ (columns * weight[:, None])
    if np.linalg.cond(normal) > 1e14 or abs(scale) < _SURE * np.sqrt(np.linalg.inv(normal)[0, 0]):
        raise _alike(v, z, kind)
    if scale < 0:
        reason = f"values fall where those of {_asked(kind)} rise"
        raise AnchorError(reason, f"scale {scale:.3g}")


def _alike(v: Floats, z: Floats, kind: RelativeKind) -> AnchorError:
    reason = f"what is known in metres is too alike to tell a scale of {_asked(kind)} from a shift"
    spans = (f"{low:.4g} to {high:.4g}" for low, high in ((min(z), max(z)), (min(v), max(v))))
    return AnchorError(reason, " m are values of ".join(spans))


def _asked(kind: RelativeKind) -> str:
    return f"a model of kind {kind}"
