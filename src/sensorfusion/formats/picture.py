"""What a compressed picture says about itself before it is decoded."""

from dataclasses import dataclass
from typing import Final

MAX_PIXELS: Final = 64_000_000
"""A larger picture is refused: a small file can ask for gigabytes of memory."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header of a PNG or JPEG says.

    Attributes
    ----------
    width, height : int
        Pixels as stored, before any orientation from EXIF.
    bit_depth : int
        Bits per sample.
    channels : int
        1 grey or palette, 2 grey and alpha, 3 colour, 4 colour and alpha (PNG) or CMYK (JPEG).
    """

    width: int
    height: int
    bit_depth: int
    channels: int
