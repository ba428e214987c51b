"""Stereo pair: what two cameras beside each other saw at one instant."""

from dataclasses import dataclass

from sensorfusion.image import Image


@dataclass(frozen=True, slots=True, eq=False)
class StereoPair:
    """Two pictures of one scene, rectified or not, by cameras whose places the rig knows.

    That both were taken at one instant is for the source to see to.

    Attributes
    ----------
    left : Image
        Of the camera that looks from the left, along its viewing direction.
    right : Image
        Of another camera of the rig, of the same size.

    Raises
    ------
    ValueError
        If both are of one camera, or their sizes differ.
    """

    left: Image
    right: Image

    def __post_init__(self) -> None:
        if self.left.camera_name == self.right.camera_name:
            msg = (
                f"stereo pair: both pictures are of {self.left.camera_name!r}; expected two cameras"
            )
            raise ValueError(msg)
        left, right = self.left.pixels.shape[:2], self.right.pixels.shape[:2]
        if left != right:
            msg = (
                f"stereo pair of {self.left.camera_name!r} and {self.right.camera_name!r}: "
                f"{left} and {right} pixels (H, W); expected pictures of one size"
            )
            raise ValueError(msg)
