"""Relative depth: what a monocular model says, in which no metre stands yet."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera

RelativeKind = Literal["inverse", "affine_inverse", "affine_depth", "log"]
"""How a value v tells depth z, with a scale s > 0 and a shift t that only an anchor can say:
``inverse`` 1 / z = s v, ``affine_inverse`` 1 / z = s v + t, ``affine_depth`` z = s v + t,
``log`` log z = v + t."""


@dataclass(frozen=True, slots=True, eq=False)
class RelativeDepth:
    """Depth up to a scale, and for some models a shift, that change from frame to frame.

    It is no :class:`~sensorfusion.depth_map.DepthMap` and cannot be fused: the depth stage makes
    one of it where something in the frame is known in metres, and refuses it elsewhere.

    Attributes
    ----------
    values : ndarray of float32, shape (H, W)
        As the model put them out, scaled to the picture's size; NaN = nothing said.
    kind : {"inverse", "affine_inverse", "affine_depth", "log"}
    camera : Camera
        The camera whose picture the model saw.
    timestamp_ns : int

    Raises
    ------
    ValueError
        If dtype or shape are others, or a value is infinite.

    References
    ----------
    Ranftl et al., "Towards robust monocular depth estimation", TPAMI 2022, for the scale and
    shift in inverse depth; Eigen et al., "Depth map prediction from a single image", NIPS 2014,
    for the scale in log depth.
    """

    values: NDArray[np.float32]
    kind: RelativeKind
    camera: Camera
    timestamp_ns: int

    def __post_init__(self) -> None:
        expected = (self.camera.height, self.camera.width)
        if self.values.dtype != np.float32 or self.values.shape != expected:
            msg = (
                f"relative depth is {self.values.dtype} {self.values.shape}; camera "
                f"{self.camera.name!r} expects float32 {expected}"
            )
            raise ValueError(msg)
        if np.isinf(self.values).any():
            msg = "relative depth holds infinite values; write NaN where a model says nothing"
            raise ValueError(msg)
