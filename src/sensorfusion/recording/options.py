"""How a recording is written, and what was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from sensorfusion.errors import ConfigError

ColorCodec = Literal["raw", "png", "jpeg"]
DepthCodec = Literal["auto", "rvl", "raw", "png"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """How a recording is written.

    Attributes
    ----------
    color : {"raw", "png", "jpeg"}
        How pictures are stored: as they are, in chunks packed by zstd; as PNG, a fifth to a third
        smaller for three times the work; or as JPEG, which loses detail.
    jpeg_quality : int
        1 to 100.
    depth : {"auto", "rvl", "raw", "png"}
        How depth in millimetres is stored, always without loss: as it is or by RVL, both in chunks
        packed by zstd, or as PNG. "auto" takes the smaller of the first two for the first picture
        of each stream. Depth in another unit is stored as metres in floating point.
    live : bool
        The source does not wait: what finds the queue full is dropped and counted, and what an IMU
        measured is written after 0.1 s at the latest. Otherwise a full queue makes the source wait.
    queue_samples, queue_mb : int
        Samples, and megabytes of them, that may wait to be written.
    device : mapping of str to str
        What the source says about the device.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    color: ColorCodec = "raw"
    jpeg_quality: int = 95
    depth: DepthCodec = "auto"
    live: bool = False
    queue_samples: int = 64
    queue_mb: int = 256
    device: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, value, most in (
            ("jpeg_quality", self.jpeg_quality, 100),
            ("queue_samples", self.queue_samples, 1_000_000),
            ("queue_mb", self.queue_mb, 1_000_000),
        ):
            if not 1 <= value <= most:
                msg = f"{name} is {value}; expected 1 to {most}"
                raise ConfigError(msg)


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished recording holds.

    Attributes
    ----------
    path : Path
    samples : dict of str to int
        Samples in the file, by stream.
    dropped : dict of str to int
        Samples that were offered and are not in it, by stream.
    size_bytes : int
    """

    path: Path
    samples: dict[str, int]
    dropped: dict[str, int]
    size_bytes: int
