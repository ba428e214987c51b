"""What ``sensorfusion depth`` says when it is done."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from sensorfusion.config import DepthSettings
from sensorfusion.depth.into_camera import CameraDepth, Completion
from sensorfusion.depth_map import Origin
from sensorfusion.point_cloud import PointCloud


@dataclass(slots=True)
class Said:
    """What is told of the maps at the end."""

    maps: int = 0
    with_depth: int = 0
    scans: int = 0
    moved: int = 0
    otherwise: int = 0
    without_picture: int = 0
    scales: list[float] = field(default_factory=list)
    predicted: int = 0
    trusted: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, found: CameraDepth) -> None:
        """Count a map."""
        self.maps += 1
        self.with_depth += bool(found.depth.metres.any())
        if isinstance(found.frame.measurement, PointCloud):
            timed = found.frame.measurement.time_offset_ns is not None
            self.scans += timed
            self.moved += timed and found.moved
        self.otherwise += found.completion == "smooth"
        self.without_picture += found.depth.camera.name not in found.frame.images
        if found.correction is not None and found.correction.pixels:
            self.scales.append(found.correction.scale)
        self.predicted += bool((found.depth.origins() == Origin.PREDICTED).any())
        self.trusted += found.predicted is not None and found.predicted.fit is None
        self.refused.update([found.refused] if found.refused else [])

    def previews(self, near_m: float, far_m: float, settings: DepthSettings) -> str:
        """Return the range of the previews, or that there is nothing to see."""
        if self.with_depth:
            return f"previews from {near_m:g} m to {far_m:g} m"
        kept = f"from {settings.near_m:g} m" + (
            f" to {settings.far_m:g} m" if settings.far_m else ""
        )
        return f"all empty: no pixel has depth {kept}"

    def lines(self, camera: str, completion: Completion, *, overlay: bool) -> list[str]:
        """Return what a user should know of how the maps were made."""
        lines = []
        if overlay and self.without_picture:
            lines.append(f"{self.without_picture} maps have no overlay: no picture of that camera")
        if self.scans > self.moved:
            lines.append(
                f"{self.scans - self.moved} scans are not compensated for the sensor's motion: no "
                "motion is known; give --poses"
            )
        if completion == "guided" and self.otherwise:
            lines.append(f"{self.otherwise} maps are filled without a picture, as by smooth")
        if self.predicted:
            lines.append(f"{self.predicted} maps hold depth that a model predicted")
        if self.trusted:
            own = "in the model's own metres: nothing measured holds them"
            lines.append(f"{self.trusted} of them {own}")
        lines += [f"{count} maps without it: {reason}" for reason, count in self.refused.items()]
        if self.scales:
            lines.append(
                f"depth of {camera} merged with the LiDAR, which says that it is to be "
                f"scaled by {np.median(self.scales):.4f}"
            )
        return lines
