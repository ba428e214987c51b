"""How the scale and shift of a monocular model drift from frame to frame, and what anchors mend."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth.anchor_fit import Fit
from sensorfusion.depth.monocular import anchored_depth
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import AnchorError, EvaluationError
from sensorfusion.evaluate.consistency import Consistency, ConsistencyCheck
from sensorfusion.relative_depth import RelativeDepth, RelativeKind
from sensorfusion.transform import RigidTransform

# Anchors are left out in squares of this share of the width: what lies between dense ones is easy.
_SQUARE = 1 / 16
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class FrameDrift:
    """What a frame's values are, beside those of the first frame for the same depth.

    Attributes
    ----------
    index : int
        Of the frame in its source.
    scale, shift : float
        ``v = scale * v_first + shift``, in the model's own units.
    metres_ratio : float or None
        Median of depth by the first frame's fit over depth by its own: what the model's jump
        would do to metres. None where the first frame's fit gives no depth at all.
    fit : Fit
    abs_rel_before, abs_rel_after : float or None
        Mean of abs(metres / anchor - 1) at anchors left out: by the first frame's fit, and by the
        frame's other anchors. None where too few are left.
    """

    index: int
    scale: float
    shift: float
    metres_ratio: float | None
    fit: Fit
    abs_rel_before: float | None
    abs_rel_after: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What all frames say together.

    Attributes
    ----------
    kind : {"inverse", "affine_inverse", "affine_depth", "log"}
    frames : tuple of FrameDrift
    log_scale_spread : float
        Robust standard deviation of the logarithm of the frames' scales.
    metres_spread : float
        The same of ``metres_ratio``: of depth by one fit for all frames.
    abs_rel_before, abs_rel_after : float or None
        Means over the frames.
    consistency_before, consistency_after : Consistency or None
        Of depth by the first frame's fit, and of anchored depth; None without poses.
    """

    kind: RelativeKind
    frames: tuple[FrameDrift, ...]
    log_scale_spread: float
    metres_spread: float
    abs_rel_before: float | None
    abs_rel_after: float | None
    consistency_before: Consistency | None
    consistency_after: Consistency | None


class DriftCheck:
    """Compares the frames of a source as they come by."""

    def __init__(self) -> None:
        self._frames: list[FrameDrift] = []
        self._first: Fit | None = None
        self._before, self._after = ConsistencyCheck(), ConsistencyCheck()

    def add(
        self,
        index: int,
        relative: RelativeDepth,
        anchors: DepthMap,
        picture: NDArray[np.uint8] | None = None,
        T_world_camera: RigidTransform | None = None,
    ) -> FrameDrift:
        """Take a frame.

        Parameters
        ----------
        index : int
        relative : RelativeDepth
        anchors : DepthMap
            Metres in the same camera.
        picture : ndarray of uint8, shape (H, W, 3), optional
        T_world_camera : RigidTransform, optional

        Raises
        ------
        AnchorError
            If the anchors do not say how long a metre is.
        """
        depth, fit = anchored_depth(relative, anchors, picture)
        first = self._first = self._first or fit
        by_first = first.metres(relative.values).astype(np.float32)
        scale, shift = _beside(first, fit)
        both = (by_first > 0) & (fit.metres(relative.values) > 0)
        ratio = by_first[both] / fit.metres(relative.values)[both]
        before, after = _left_out(relative, anchors, picture, by_first)
        metres_ratio = float(np.median(ratio)) if ratio.size else None
        found = FrameDrift(index, scale, shift, metres_ratio, fit, before, after)
        if T_world_camera is not None:
            by_one_fit = DepthMap(by_first, depth.camera, depth.timestamp_ns)
            self._before.add(by_one_fit, T_world_camera)
            self._after.add(depth, T_world_camera)
        self._frames.append(found)
        return found

    def result(self) -> Drift:
        """Return what all frames say.

        Raises
        ------
        EvaluationError
            If no frame could be anchored.
        """
        if not self._frames:
            msg = "no frame could be anchored, so that nothing is known of its scale"
            raise EvaluationError(msg)
        frames = tuple(self._frames)
        return Drift(
            frames[0].fit.kind,
            frames,
            _spread([math.log(frame.fit.scale) for frame in frames]),
            _spread([math.log(frame.metres_ratio) for frame in frames if frame.metres_ratio]),
            _mean([frame.abs_rel_before for frame in frames]),
            _mean([frame.abs_rel_after for frame in frames]),
            self._before.result() if self._before.pairs else None,
            self._after.result() if self._after.pairs else None,
        )


def _beside(first: Fit, fit: Fit) -> tuple[float, float]:
    """Return scale and shift that lead from the values of the first frame to those of another."""
    if fit.kind == "log":
        return 1.0, math.log(first.scale / fit.scale)
    return first.scale / fit.scale, (first.shift - fit.shift) / fit.scale


def _left_out(
    relative: RelativeDepth,
    anchors: DepthMap,
    picture: NDArray[np.uint8] | None,
    by_first: NDArray[np.float32],
) -> tuple[float | None, float | None]:
    """Return the errors at every other square of anchors, by the first fit and by the others."""
    height, width = anchors.metres.shape
    square_px = max(1, round(_SQUARE * width))
    rows, columns = np.indices((height, width)) // square_px
    kept = (rows + columns) % 2 == 0
    known = DepthMap(
        np.where(kept, anchors.metres, np.float32(0)),
        anchors.camera,
        anchors.timestamp_ns,
        np.where(kept, anchors.sigmas_m(), np.float32(0)),
    )
    try:
        made, fit = anchored_depth(relative, known, picture)
    except AnchorError:
        return None, None
    asked = anchors.valid & ~kept & made.valid
    # What contradicts a fit of the whole frame by far was measured wrong.
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(np.log(fit.metres(relative.values) / anchors.metres))
        asked &= off < 4 * max(fit.residual, 0.01)
        if not asked.any():
            return None, None
        truth = anchors.metres[asked]
        errors = (np.abs(one[asked] / truth - 1).mean() for one in (by_first, made.metres))
        before, after = errors
    return float(before), float(after)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _spread(values: list[float]) -> float:
    middle = np.median(values)
    return _MAD_TO_SIGMA * float(np.median(np.abs(np.array(values) - middle)))
