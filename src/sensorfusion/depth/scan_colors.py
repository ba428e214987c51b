"""What colour the points of a scan have."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth.beams import BeamSpacing, beam_spacing
from sensorfusion.depth.into_cloud import color_of_scan
from sensorfusion.frame import Frame
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig

# Intensity is shown between what all but so many per cent of the points return.
_DARKEST, _BRIGHTEST = 2.0, 98.0


class ScanColors:
    """Gives points the colours that cameras see there; without cameras, their intensity as grey.

    What is black and white of an intensity, which has no unit, is taken from the first scan that
    has one, and stays.

    Parameters
    ----------
    rig : Rig
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._spacing: BeamSpacing | None = None
        self._limits: tuple[float, float] | None = None

    def __call__(
        self, frame: Frame, cloud: PointCloud, scan_at: Callable[[int], PointCloud]
    ) -> NDArray[np.uint8] | None:
        """Return the colours of a scan's points.

        Parameters
        ----------
        frame : Frame
        cloud : PointCloud
            Its points as they were measured.
        scan_at : callable
            Returns them as they were at an instant in nanoseconds.

        Returns
        -------
        ndarray of uint8, shape (N, 4), or None
            Red, green, blue, and 255 where that was seen, else 0; None where nothing tells.
        """
        found = np.zeros((len(cloud), 4), np.uint8)
        if frame.images:
            lidar = self._rig.lidars[frame.sensor]
            # Once for a recording: where nothing is known of the LiDAR it takes long.
            self._spacing = self._spacing or beam_spacing(cloud, lidar)
            seen, found[:, :3] = color_of_scan(frame, self._rig, self._spacing, scan_at)
            found[:, 3] = 255 * seen.astype(np.uint8)
            return found
        if cloud.intensity is None or len(self._rig.cameras):
            # Grey beside colours would be taken for one.
            return None
        if self._limits is None:
            low, high = np.percentile(cloud.intensity, (_DARKEST, _BRIGHTEST))
            self._limits = float(low), float(high)
        low, high = self._limits
        share = (cloud.intensity - low) / max(high - low, 1e-6)
        found[:, :3] = np.clip(255.0 * share, 1.0, 255.0)[:, None]
        found[:, 3] = 255
        return found
