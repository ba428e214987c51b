"""``sensorfusion reconstruct``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sensorfusion.cli.model import ModelSourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.config import Settings
from sensorfusion.errors import TrackingError
from sensorfusion.export.reconstruction import Reconstruction
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.pipeline import reconstruct as run
from sensorfusion.view.picture import render_mesh, view_from_above, write_picture


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What is written, and where.

    Attributes
    ----------
    out : Path
        Folder for the mesh, the trajectory and the report; made if it is not there.
    picture : bool
        Also draw the mesh from above as mesh.png.
    """

    out: Path
    picture: Annotated[bool, Parameter(negative=())] = False


def reconstruct(
    source: str,
    /,
    *,
    destination: Destination,
    poses: str | None = None,
    config: Path | None = None,
    opening: ModelSourceOptions | None = None,
    settings: Annotated[Settings | None, Parameter(name="*")] = None,
) -> None:
    """Turn a recording into a mesh, a trajectory and a report.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    poses
        Take the sensor's poses from a file (TUM; KITTI or a log of 4x4 matrices, one for each
        frame), or from the recording itself ("recording"), instead of tracking it.
    config
        TOML file with settings, such as the config.toml of an earlier run.
    """
    del config  # read by apply_config_file before the command runs
    opening = opening or ModelSourceOptions()
    opening.check(source)
    settings = _with_model(settings or Settings(), opening)
    with only_our_output(), Watch("reconstruct", destination.out) as watch:

        def go_on(done: int, total: int | None) -> bool:
            if done == 1:
                # Not before a frame was read: a mistyped source must leave nothing behind.
                make_folder(destination.out)
            return watch(done, total)

        try:
            result = run(
                source,
                settings,
                driver=opening.driver,
                options=opening.values,
                poses=poses,
                go_on=go_on,
                on_open=watch.closes,
            )
        except TrackingError as error:
            if destination.out.is_dir():
                with whole_file(destination.out / "report.json") as path:
                    path.write_text(error.report_json, encoding="utf-8")
            if watch.interrupted:
                raise KeyboardInterrupt from None
            raise
        if watch.ended_camera:
            # Perhaps while no frame came.
            result.report.facts["interrupted"] = True
        result.save(destination.out)
        if destination.picture:
            upright = result.mesh.moved(result.T_up_world)
            picture = render_mesh(upright, *view_from_above(upright))
            write_picture(destination.out / "mesh.png", picture)
    _summarise(result, destination.out)
    if watch.interrupted:
        raise KeyboardInterrupt


def _with_model(settings: Settings, opening: ModelSourceOptions) -> Settings:
    """Return settings with the model that the options name, if any."""
    model = opening.model(settings.depth.model)
    return replace(settings, depth=replace(settings.depth, model=model))


def _summarise(result: Reconstruction, out: Path) -> None:
    report = result.report.to_dict()
    frames = report["frames"]
    write_line(
        f"{frames['used']} of {frames['in']} frames used, {report['frames_per_second']} frames/s"
    )
    for reason, count in frames["dropped"].items():
        write_line(f"  dropped {count}: {reason}")
    for stream, count in report["unpaired"].items():
        if count:
            write_line(f"  without a partner: {count} {stream}")
    for start_ns, end_ns in report["lost"]:
        write_line(f"  lost from {start_ns * 1e-9:.3f} s to {end_ns * 1e-9:.3f} s")
    if "predicted" in report:
        predicted = report["predicted"]
        write_line(f"  {predicted['frames']} frames hold depth that a model predicted")
        if trusted := predicted["in_the_models_own_metres"]:
            write_line(
                f"  {trusted} of them in the model's own metres: nothing measured holds them"
            )
        for reason, count in predicted["without"].items():
            write_line(f"  {count} frames without it: {reason}")
    if "scale" in report:
        _tell_of_scans(report)
    for note in report.get("notes", ()):
        write_line(f"  note: {note}")
    write_line(f"  upright by {report['upright_by']}")
    _tell_of_mesh(report["mesh"], out)


def _tell_of_scans(report: dict[str, Any]) -> None:
    write_line(f"  {report['scale']}")
    for start_ns, end_ns in report["free_to_slide"]:
        write_line(
            f"  nothing held the LiDAR in some direction from {start_ns * 1e-9:.3f} s to "
            f"{end_ns * 1e-9:.3f} s: its place along it was continued"
        )
    for doubt, count in report["overcome"].items():
        write_line(f"  {count} x {doubt}")


def _tell_of_mesh(mesh: dict[str, Any], out: Path) -> None:
    if not mesh["triangles"]:
        write_line(
            "  no surface, mesh.ply is empty: the depth may lie outside --near-m to --far-m, the "
            "voxels may be too small or too large for it, or the intrinsics may be wrong"
        )
    write_line(f"{mesh['vertices']} vertices, {mesh['triangles']} triangles in {out}")
    if "invented" in mesh:
        share = mesh["invented"]["area_share"]
        write_line(f"  {share:.2%} of the area closes holes; nobody measured it")
