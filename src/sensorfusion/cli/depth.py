"""``sensorfusion depth``: every depth map of a recording, in metres."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from cyclopts import Parameter

from sensorfusion.camera import Camera, ray_table
from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, prepare_folder, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth, with_metric_scale
from sensorfusion.depth.align import align_depth
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import CalibrationError
from sensorfusion.export.depth_maps import DepthMapWriter
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.sources.prefetch import prefetch
from sensorfusion.transform import RigidTransform
from sensorfusion.view.colormap import colorize, common_range, with_legend

_MAPS_FOR_RANGE = 12


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
    metres_per_unit : float
        Of the PNG; 0.001 reaches 65.534 m.
    """

    out: Path
    format: Literal["png", "tiff"] = "png"
    metres_per_unit: float = 0.001


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


def depth(
    source: str,
    /,
    *,
    files: MapFiles,
    camera: str | None = None,
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
    """
    opening, kept = opening or SourceOptions(), kept or Kept()
    settings = DepthSettings(
        near_m=kept.near_m, far_m=kept.far_m, flying_pixel_filter=kept.flying_pixel_filter
    )
    prepare_folder(files.out)
    with only_our_output(), opening.open(source) as opened, Watch("depth") as watch:
        target = _target(opened.rig, camera)
        near_m, far_m = _range(opened, settings)
        total = len(opened) if isinstance(opened, SeekableFrameSource) else None
        done = 0
        with (
            DepthMapWriter(files.out, opened.rig, files.format, files.metres_per_unit) as writer,
            closing(prefetch(opened)) as frames,
        ):
            for frame in with_metric_scale(frames):
                found, points = _in_camera(absolute_depth(frame, settings), target, opened.rig)
                preview = with_legend(colorize(found.metres, near_m, far_m), near_m, far_m)
                writer.write(frame.index, found, preview, points)
                done += 1
                if not watch(done, total):
                    break
        losses = opened.losses
    write_line(f"{done} depth maps in {files.out}, previews from {near_m:g} m to {far_m:g} m")
    for reason, count in losses.dropped.items():
        write_line(f"  dropped {count}: {reason}")
    for stream, count in losses.unpaired.items():
        if count:
            write_line(f"  without a partner: {count} {stream}")
    if watch.interrupted:
        raise KeyboardInterrupt


def _target(rig: Rig, name: str | None) -> Camera | None:
    if name is not None and name not in rig.cameras:
        msg = f"there is no camera {name!r}; the rig has {', '.join(rig.cameras)}"
        raise CalibrationError(msg)
    return None if name is None else rig.cameras[name]


def _range(source: FrameSource, settings: DepthSettings) -> tuple[float, float]:
    """Return one range of depths for all previews."""
    if not isinstance(source, SeekableFrameSource) or not len(source):
        # What can be read only once has no look ahead: the range that is kept.
        return settings.near_m, settings.far_m
    chosen = sorted({round(i) for i in np.linspace(0, len(source) - 1, _MAPS_FOR_RANGE)})
    return common_range(absolute_depth(source[index], settings) for index in chosen)


def _in_camera(found: DepthMap, target: Camera | None, rig: Rig) -> tuple[DepthMap, int | None]:
    """Return a map as the target sees it, and how many measured points fell into its picture."""
    if target is None or target == found.camera:
        return found, None
    T_target_depth = rig.transform(target.name, found.camera.name)
    return align_depth(found, target, T_target_depth), _points_in(target, found, T_target_depth)


def _points_in(target: Camera, found: DepthMap, T_target_depth: RigidTransform) -> int:
    measured = found.metres > 0
    rays = np.insert(ray_table(found.camera)[measured], 2, 1.0, axis=1)
    pixels = target.project(T_target_depth.apply(rays * found.metres[measured, None]))
    inside = (pixels >= -0.5) & (pixels < (target.width - 0.5, target.height - 0.5))
    return int(inside.all(axis=1).sum())
