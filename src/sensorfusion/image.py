"""Image: the pixels of one camera at one instant."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A grey or colour picture.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey, or red, green, blue in this order (sRGB).
    camera_name : str
        Name of the camera in the rig.
    timestamp_ns : int

    Raises
    ------
    ValueError
        If dtype or shape are others.
    """

    pixels: NDArray[np.uint8]
    camera_name: str
    timestamp_ns: int

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) not in (2, 3) or shape[2:] not in ((), (3,)):
            msg = (
                f"image of {self.camera_name!r}: {self.pixels.dtype} {shape}; expected uint8 "
                "(H, W) or (H, W, 3)"
            )
            raise ValueError(msg)
