"""Stereo pair: what two or more cameras beside each other saw at one instant."""

from dataclasses import dataclass

from sensorfusion.image import Image


@dataclass(frozen=True, slots=True, eq=False)
class StereoPair:
    """Two or more pictures of one scene, rectified or not, by cameras whose places the rig knows.

    That both were taken at one instant is for the source to see to.

    Attributes
    ----------
    left : Image
        Of the reference camera, whose depth is computed; of two, the one that looks from the left.
    right : Image
        Of another camera of the rig, of the same size.
    others : tuple of Image
        Of further cameras of the rig that see the same; of any size.

    Raises
    ------
    ValueError
        If two are of one camera, or the sizes of left and right differ.
    """

    left: Image
    right: Image
    others: tuple[Image, ...] = ()

    def __post_init__(self) -> None:
        names = [image.camera_name for image in self.images]
        if len(set(names)) < len(names):
            msg = f"stereo pair: pictures are of {', '.join(names)}; expected each camera once"
            raise ValueError(msg)
        left, right = self.left.pixels.shape[:2], self.right.pixels.shape[:2]
        if left != right:
            msg = (
                f"stereo pair of {self.left.camera_name!r} and {self.right.camera_name!r}: "
                f"{left} and {right} pixels (H, W); expected pictures of one size"
            )
            raise ValueError(msg)

    @property
    def images(self) -> tuple[Image, ...]:
        """Return all pictures, the reference first."""
        return (self.left, self.right, *self.others)
