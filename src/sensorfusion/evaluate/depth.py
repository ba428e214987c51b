"""Depth maps against the true ones."""

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.uncertainty import bins_by_sigma

# Sigmas kept per map: enough for the percentiles, and a drive of thousands fits in memory.
_SIGMAS_KEPT = 20_000
_DELTA = 1.25
_FIGURES = (
    *("rmse_m", "mae_m", "irmse_per_km", "imae_per_km", "abs_rel"),
    *("delta_1", "delta_2", "delta_3"),
)


@dataclass(frozen=True, slots=True)
class DepthError:
    """How far depth maps are from the truth.

    Each figure is taken over the pixels of one map that have depth in the estimate and in the
    truth, and then averaged over the maps, as KITTI does. A map that shares no pixel with its
    truth has no error, and counts in ``coverage`` alone.

    Attributes
    ----------
    rmse_m, mae_m : float
        Root mean square and mean absolute error of depth, metres.
    irmse_per_km, imae_per_km : float
        The same of inverse depth, 1/km: what near things weigh.
    abs_rel : float
        Mean of abs(error) / true depth.
    delta_1, delta_2, delta_3 : float
        Share of pixels whose ratio to the truth, or its inverse, is below 1.25, 1.25^2, 1.25^3.
    coverage : float
        Share of the truth's pixels that have depth in the estimate.
    maps : int
        Maps compared.
    sigma : tuple of float
        68th percentile of abs(error) / sigma in five bins of equal count by rising sigma; 1 where
        the stated uncertainty is right. Empty where the estimate states none.
    """

    rmse_m: float
    mae_m: float
    irmse_per_km: float
    imae_per_km: float
    abs_rel: float
    delta_1: float
    delta_2: float
    delta_3: float
    coverage: float
    maps: int
    sigma: tuple[float, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the figures under the names that they have here."""
        return asdict(self)


@dataclass(slots=True)
class DepthComparison:
    """Takes one pair of maps after the other.

    References
    ----------
    Uhrig et al., "Sparsity invariant CNNs", 3DV 2017 (the KITTI depth benchmark: RMSE, MAE,
    iRMSE, iMAE); Eigen, Puhrsch and Fergus, "Depth map prediction from a single image using a
    multi-scale deep network", NIPS 2014 (relative error, thresholds).
    """

    _rows: list[NDArray[np.float64]] = field(default_factory=list)
    _coverage: list[float] = field(default_factory=list)
    _sigmas: list[NDArray[np.float64]] = field(default_factory=list)
    _seen: int = 0

    def add(
        self,
        estimate_m: NDArray[np.float32],
        truth_m: NDArray[np.float32],
        sigma_m: NDArray[np.float32] | None = None,
    ) -> None:
        """Compare one map.

        Parameters
        ----------
        estimate_m, truth_m : ndarray of float32, shape (H, W)
            Metres in one camera; 0 = no depth.
        sigma_m : ndarray of float32, shape (H, W), or None
            Standard deviation of the estimate, metres.

        Raises
        ------
        EvaluationError
            If the sizes differ.
        """
        for what, other_m in (("truth", truth_m), ("uncertainty", sigma_m)):
            if other_m is not None and estimate_m.shape != other_m.shape:
                msg = (
                    f"the estimate has {estimate_m.shape[1]}x{estimate_m.shape[0]} pixels, the "
                    f"{what} {other_m.shape[1]}x{other_m.shape[0]}; give depth of one camera"
                )
                raise EvaluationError(msg)
        self._seen += 1
        true = truth_m > 0
        both = true & (estimate_m > 0)
        if true.any():
            self._coverage.append(float(both.sum() / true.sum()))
        if not both.any():
            return
        found, expected = estimate_m[both].astype(np.float64), truth_m[both].astype(np.float64)
        error_m, inverse = found - expected, 1000 / found - 1000 / expected
        ratio = np.maximum(found / expected, expected / found)
        shares = [(ratio < _DELTA**power).mean() for power in (1, 2, 3)]
        self._rows.append(
            np.array(
                [
                    np.sqrt(np.mean(error_m**2)),
                    np.abs(error_m).mean(),
                    np.sqrt(np.mean(inverse**2)),
                    np.abs(inverse).mean(),
                    (np.abs(error_m) / expected).mean(),
                    *shares,
                ]
            )
        )
        if sigma_m is not None:
            pairs = np.stack([sigma_m[both], np.abs(error_m)], axis=1)
            pairs = pairs[pairs[:, 0] > 0]
            self._sigmas.append(pairs[:: max(1, len(pairs) // _SIGMAS_KEPT)])

    def result(self) -> DepthError:
        """Return the errors of all maps so far.

        Raises
        ------
        EvaluationError
            If no map had a pixel with depth in both.
        """
        if not self._rows:
            msg = (
                f"{self._seen} depth maps have no pixel with depth in both estimate and truth; "
                "are both of one recording and one camera?"
            )
            raise EvaluationError(msg)
        values = dict(zip(_FIGURES, np.mean(self._rows, axis=0).tolist(), strict=True))
        return DepthError(
            **values,
            coverage=float(np.mean(self._coverage)),
            maps=self._seen,
            sigma=_ratios_68(self._sigmas),
        )


def _ratios_68(sigmas: list[NDArray[np.float64]]) -> tuple[float, ...]:
    """Return the 68th percentile of abs(error) / sigma in bins of equal count by sigma."""
    sigma_m, errors_m = np.concatenate([np.empty((0, 2)), *sigmas]).T
    return tuple(found.ratio_68 for found in bins_by_sigma(errors_m, sigma_m))
