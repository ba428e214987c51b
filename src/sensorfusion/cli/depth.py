"""``sensorfusion depth``: every depth map of a recording, in metres."""

import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.overview import spread_indices
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.usage import UsageError
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.errors import ConfigError
from sensorfusion.export.depth_maps import DepthMapWriter
from sensorfusion.formats.whole_file import make_folder
from sensorfusion.pipeline import depth_maps
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.view.colormap import colorize, common_range, with_legend

_METRES_PER_UNIT = 0.001


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class MapFiles:
    """What is written, and where.

    Attributes
    ----------
    out : Path
        Folder for the maps, depth.json and preview/; made if it is not there.
    format : {"png", "tiff"}
        16-bit PNG in units of metres_per_unit, or TIFF with float32 metres.
    metres_per_unit : float or None
        Of the PNG, by default 0.001, which reaches 65.534 m; not for TIFF.
    """

    out: Path
    format: Literal["png", "tiff"] = "png"
    metres_per_unit: float | None = None

    def __post_init__(self) -> None:
        if self.metres_per_unit is None:
            return
        if self.format != "png":
            msg = f"--metres-per-unit says nothing for --format {self.format}, which holds metres"
            raise UsageError(msg)
        if not 0 < self.metres_per_unit < math.inf:
            msg = f"--metres-per-unit is {self.metres_per_unit}; expected a positive number"
            raise UsageError(msg)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Which depth is kept.

    Attributes
    ----------
    near_m : float
        Nearer measurements are left out, metres.
    far_m : float
        Farther measurements are left out, metres.
    flying_pixel_filter : bool
        Leave out pixels that hang between a near edge and what is behind it.
    """

    near_m: float = 0.0
    far_m: float = 65.0
    flying_pixel_filter: bool = True

    @property
    def settings(self) -> DepthSettings:
        """Return these as settings of the depth stage; ``UsageError`` if one is out of range."""
        try:
            return DepthSettings(
                near_m=self.near_m,
                far_m=self.far_m,
                flying_pixel_filter=self.flying_pixel_filter,
            )
        except ConfigError as error:
            raise UsageError(str(error)) from error


def depth(
    source: str,
    /,
    *,
    files: MapFiles,
    camera: str | None = None,
    completion: Literal["none"] = "none",
    kept: Kept | None = None,
    opening: SourceOptions | None = None,
) -> None:
    """Write a recording's depth maps in metres, with previews that share one range of colours.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    camera
        Give depth as this camera of the rig sees it; by default as it was measured.
    completion
        How pixels without depth are filled: not at all.
    """
    del completion  # the only choice yet
    opening, kept = opening or SourceOptions(), kept or Kept()
    settings = kept.settings
    with only_our_output(), opening.open(source) as opened, Watch("depth", files.out) as watch:
        # Not before the source is open: a mistyped one must leave nothing behind.
        make_folder(files.out)
        near_m, far_m = _range(opened, kept)
        total = len(opened) if isinstance(opened, SeekableFrameSource) else None
        done, filled = 0, 0
        unit_m = files.metres_per_unit or _METRES_PER_UNIT
        with (
            DepthMapWriter(files.out, opened.rig, files.format, unit_m) as writer,
            closing(depth_maps(opened, settings, camera)) as measured,
        ):
            for frame, found, points in measured:
                preview = with_legend(colorize(found.metres, near_m, far_m), near_m, far_m)
                writer.write(frame.index, found, preview, points)
                done += 1
                filled += bool(found.metres.any())
                if not watch(done, total):
                    break
        losses = opened.losses
    said = (
        f"previews from {near_m:g} m to {far_m:g} m"
        if filled
        else f"all empty: no pixel has depth from {kept.near_m:g} m to {kept.far_m:g} m"
    )
    write_line(f"{done} depth maps in {files.out}, {said}")
    for reason, count in losses.dropped.items():
        write_line(f"  dropped {count}: {reason}")
    for stream, count in losses.unpaired.items():
        if count:
            write_line(f"  without a partner: {count} {stream}")
    if watch.interrupted:
        raise KeyboardInterrupt


def _range(source: FrameSource, kept: Kept) -> tuple[float, float]:
    """Return one range of depths for all previews."""
    if not isinstance(source, SeekableFrameSource) or not len(source):
        # What can be read only once has no look ahead: the range that is kept.
        return kept.near_m, kept.far_m
    settings, rig = kept.settings, source.rig
    frames = (source[index] for index in spread_indices(len(source)))
    return common_range(
        absolute_depth(frame, settings, rig.noise_of(frame.sensor)) for frame in frames
    )
