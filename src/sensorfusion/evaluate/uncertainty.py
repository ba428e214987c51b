"""Whether a mesh is as far from the truth as it says itself."""

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.surface import Surface, check_reach
from sensorfusion.triangle_mesh import TriangleMesh

_BINS = 5
# Of normally distributed errors, this share lies within one standard deviation.
_WITHIN_SIGMA_PERCENT = 100 * math.erf(math.sqrt(0.5))


@dataclass(frozen=True, slots=True)
class SigmaBin:
    """Vertices of similar ``sigma_m``.

    Attributes
    ----------
    sigma_m : tuple of float
        Smallest and largest of them, metres.
    count : int
        How many vertices.
    ratio_68 : float
        68.27th percentile of abs(error) / sigma: 1 when sigma is right, above when the mesh is
        worse than it says.
    """

    sigma_m: tuple[float, float]
    count: int
    ratio_68: float


@dataclass(frozen=True, slots=True)
class SigmaCheck:
    """How the ``sigma_m`` of a mesh compares with its errors.

    Attributes
    ----------
    bins : tuple of SigmaBin
        Five of equal count, by rising sigma.
    ratio_68 : float
        As in :class:`SigmaBin`, of all vertices together.
    unknown : int
        Vertices that say nothing of their error (``sigma_m`` 0); they stand in no bin.
    """

    bins: tuple[SigmaBin, ...]
    ratio_68: float
    unknown: int

    def to_json(self) -> dict[str, object]:
        """Return the figures under the names that they have here."""
        return asdict(self)


def check_sigma(mesh: TriangleMesh, truth: TriangleMesh) -> SigmaCheck:
    """Measure the errors of vertices in units of the standard deviation that each one states.

    An error is the exact distance of a vertex to the triangles of the truth. Were errors normal
    with the stated deviation, 68.27 % of them would be smaller than it, in every bin.

    Parameters
    ----------
    mesh : TriangleMesh
        Metres, with ``sigma_m``.
    truth : TriangleMesh
        Metres, in the same world.

    Returns
    -------
    SigmaCheck

    Raises
    ------
    EvaluationError
        If the mesh has no ``sigma_m``, or fewer vertices with a known one than there are bins;
        if the truth has no area, or one of the meshes reaches beyond 100 km.

    References
    ----------
    JCGM 100:2008, "Guide to the expression of uncertainty in measurement", section 4.3.6.
    """
    if mesh.sigma_m is None:
        msg = (
            f"a mesh of {len(mesh.vertices)} vertices without sigma_m; expected an error for each "
            "vertex; PLY files of 'sensorfusion reconstruct' have it"
        )
        raise EvaluationError(msg)
    known = np.flatnonzero(mesh.sigma_m > 0)
    if len(known) < _BINS:
        msg = (
            f"{len(known)} of {len(mesh.vertices)} vertices with a sigma_m above 0; expected at "
            f"least {_BINS}; reconstruct from depth that knows its noise"
        )
        raise EvaluationError(msg)
    sigma_m = mesh.sigma_m[known].astype(np.float64)
    check_reach(mesh.vertices[known])
    errors_m = Surface(truth).distances_m(mesh.vertices[known])
    bins = bins_by_sigma(errors_m, sigma_m)
    return SigmaCheck(bins, _68(errors_m / sigma_m), len(mesh.vertices) - len(known))


def bins_by_sigma(
    errors_m: NDArray[np.float64], sigma_m: NDArray[np.float64]
) -> tuple[SigmaBin, ...]:
    """Compare errors with the standard deviations that were stated for them.

    Parameters
    ----------
    errors_m, sigma_m : ndarray of float64, shape (N,)
        Metres, neither negative, ``sigma_m`` above 0.

    Returns
    -------
    tuple of SigmaBin
        Five of equal count, by rising sigma; none for fewer than five errors.
    """
    if len(sigma_m) < _BINS:
        return ()
    # Stable, so that equal sigmas fall into the same bins on every run.
    order = np.argsort(sigma_m, kind="stable")
    sigma_m, ratios = sigma_m[order], errors_m[order] / sigma_m[order]
    return tuple(
        SigmaBin((float(sigma_m[part[0]]), float(sigma_m[part[-1]])), len(part), _68(ratios[part]))
        for part in np.array_split(np.arange(len(sigma_m)), _BINS)
    )


def _68(ratios: NDArray[np.float64]) -> float:
    return float(np.percentile(ratios, _WITHIN_SIGMA_PERCENT))
