"""``sensorfusion export``: what was measured, in the files of other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.usage import UsageError
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import with_metric_scale
from sensorfusion.depth.into_cloud import IntoCloud
from sensorfusion.errors import ConfigError
from sensorfusion.export.cloud import write_cloud
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.sources.driver import SeekableFrameSource

app = App(name="export", help_format="markdown")
# By import path: only what is asked for is loaded.
app.command(
    "sensorfusion.cli.export_room:grid", name="grid", help="Write which part of the floor is free."
)
app.command(
    "sensorfusion.cli.export_room:esdf", name="esdf", help="Write how far the nearest surface is."
)
app.command(
    "sensorfusion.cli.export_map:export_map",
    name="map",
    help="Write the points of all frames in one world, one for each voxel.",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFiles:
    """What is written, and where.

    Attributes
    ----------
    out : Path
        Folder for NNNNNN.ply (or .pcd, .las), one file a frame, and timestamps.txt with the
        seconds of each; made if it is not there.
    format : {"ply", "pcd", "las"}
        PCD is written compressed; LAS needs the extra "lidar" and holds whole millimetres.
    color : bool
        Give each point the colour that the cameras see there; black where none does.
    """

    out: Path
    format: Literal["ply", "pcd", "las"] = "ply"
    color: Annotated[bool, Parameter(negative=())] = False


@app.command
def cloud(
    source: str,
    /,
    *,
    files: CloudFiles,
    near_m: float = 0.0,
    far_m: float | None = None,
    opening: SourceOptions | None = None,
) -> None:
    """Write the points of each frame, in metres, in the coordinates of what measured them.

    Scans of a recording that knows its motion are compensated for it.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:street.
    near_m
        Nearer points are left out, metres.
    far_m
        Farther points are left out, metres: by default what the sensor is good for.
    """
    opening = opening or SourceOptions()
    try:
        settings = DepthSettings(near_m=near_m, far_m=far_m)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    with only_our_output(), opening.open(source) as opened, Watch("cloud", files.out) as watch:
        watch.closes(opened)
        total = len(opened) if isinstance(opened, SeekableFrameSource) else None
        trajectory = opened.trajectory
        into_cloud = IntoCloud(opened.rig, settings, trajectory, with_color=files.color)
        frames, points, colored = 0, 0, 0
        stamps_ns: list[int] = []
        for frame in with_metric_scale(opened, opened.rig):
            found = into_cloud(frame)
            make_folder(files.out)
            path = files.out / f"{frame.index:06d}.{files.format}"
            write_cloud(found, path, compressed=files.format == "pcd")
            frames, points = frames + 1, points + len(found)
            stamps_ns.append(found.timestamp_ns)
            if found.color is not None:
                colored += int(found.color.any(axis=1).sum())
            if not watch(frames, total):
                break
        if stamps_ns:
            with whole_file(files.out / "timestamps.txt") as path:
                lines = (f"{ns // 10**9}.{ns % 10**9:09d}\n" for ns in stamps_ns)
                path.write_text("".join(lines), encoding="utf-8")
        losses, notes = opened.losses, opened.notes
    write_line(f"{frames} clouds of {points} points in {files.out}")
    if files.color and points:
        write_line(f"  {colored / points:.1%} of the points have a colour")
    for reason, count in losses.dropped.items():
        write_line(f"  dropped {count}: {reason}")
    for note in notes:
        write_line(f"  note: {note}")
    if watch.interrupted:
        raise KeyboardInterrupt
