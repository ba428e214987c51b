"""``sensorfusion evaluate drift``: how the scale of a monocular model jumps from frame to frame."""

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sensorfusion.cli.model import ModelSourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.cli.usage import UsageError
from sensorfusion.config import DepthSettings
from sensorfusion.depth.into_camera import CameraDepth
from sensorfusion.depth.predicted import is_picture
from sensorfusion.errors import AnchorError, EvaluationError
from sensorfusion.evaluate.drift import Drift, DriftCheck
from sensorfusion.export.pose_files import given_or_recorded
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.odometry.given import known_pose
from sensorfusion.pipeline import depth_maps
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.view.lines import plot_lines
from sensorfusion.view.picture import write_picture


def drift(
    source: str,
    /,
    *,
    camera: str | None = None,
    poses: str | None = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    opening: ModelSourceOptions | None = None,
) -> None:
    """Measure how scale and shift of a monocular model jump from frame to frame.

    Each frame is fitted to what is known of it in metres: LiDAR, depth camera, stereo, or anchors
    beside its picture. The errors stand at anchors that were left out.

    Parameters
    ----------
    source
        A recording with pictures and something in metres, or a folder of pictures with relative/
        and anchors/.
    camera
        Camera whose pictures are shown to the model; by default the first that took one.
    poses
        T_world_sensor as a TUM file, for consistency over time; by default the recording's own.
    out
        Folder for drift.png, a plot over the frames, and drift.json.
    json
        Write one JSON object instead of text.
    """
    opening = opening or ModelSourceOptions()
    settings = DepthSettings(model=opening.model())
    check, refused = DriftCheck(), Counter[str]()
    with only_our_output(), opening.open(source) as opened:
        camera = camera or _camera(opened, settings, source)
        trajectory = given_or_recorded(poses, opened)
        maps = depth_maps(opened, settings, camera, "predicted", trajectory)
        with closing(maps) as made:
            for found in made:
                reason = _add(check, found, _pose(found, trajectory, opened, camera))
                refused.update([reason] if reason else [])
    try:
        result = check.result()
    except EvaluationError as error:
        msg = f"{source}: {error}: {', '.join(refused) or 'there is no frame'}"
        raise EvaluationError(msg) from error
    values = asdict(result) | {"source": source, "refused": dict(refused)}
    if out is not None:
        _save(make_folder(out), result, source, values)
    if json:
        write_json(values)
        return
    _write(result, refused)


def _camera(source: FrameSource, settings: DepthSettings, location: str) -> str:
    """Return the camera whose pictures the model is shown."""
    first = source[0] if isinstance(source, SeekableFrameSource) and len(source) else None
    if first is None:
        msg = f"{location}: name the camera that takes the pictures with --camera"
        raise UsageError(msg)
    if settings.model.file is None and not isinstance(first.measurement, RelativeDepth):
        msg = f"{location}: name the model that is measured: -o model=FILE.onnx"
        raise UsageError(msg)
    if is_picture(first):
        return first.sensor
    if not first.images:
        msg = f"{location}: its first frame holds no picture that a model could be shown"
        raise EvaluationError(msg)
    return next(iter(first.images))


def _pose(
    found: CameraDepth, trajectory: Trajectory | None, source: FrameSource, camera: str
) -> RigidTransform | None:
    T_world_sensor = known_pose(trajectory, found.frame)
    if T_world_sensor is None:
        return None
    return T_world_sensor @ source.rig.transform(found.frame.sensor, camera)


def _add(check: DriftCheck, found: CameraDepth, pose: RigidTransform | None) -> str:
    """Take a frame, or return why not."""
    predicted = found.predicted
    if predicted is None or predicted.relative is None:
        return found.refused or "no anchor: the model's own metres are trusted"
    relative = predicted.relative
    image = found.frame.images.get(relative.camera.name)
    pixels = None if image is None else image.pixels
    try:
        check.add(found.frame.index, relative, predicted.measured, pixels, pose)
    except AnchorError as error:
        return error.reason
    return ""


def _save(folder: Path, result: Drift, source: str, values: dict[str, Any]) -> None:
    with whole_file(folder / "drift.json") as path:
        path.write_text(dumps(values, indent=2) + "\n", encoding="utf-8")
    frames = result.frames
    panels = {
        "scale of the model's values, first frame = 1": [frame.scale for frame in frames],
        "shift of the model's values, first frame = 0": [frame.shift for frame in frames],
    }
    ratios = [frame.metres_ratio for frame in frames if frame.metres_ratio is not None]
    if len(ratios) == len(frames):
        panels["metres by the first frame's fit / by the frame's own"] = ratios
    title = f"{source}: {result.kind}, spread of log scale {result.log_scale_spread:.3f}"
    write_picture(
        folder / "drift.png", plot_lines(panels, [frame.index for frame in frames], title)
    )


def _write(result: Drift, refused: Counter[str]) -> None:
    write_line(f"frames anchored                    {len(result.frames)}, output {result.kind}")
    for reason, count in refused.items():
        write_line(f"  {count} frames left out: {reason}")
    last = result.frames[-1]
    write_line(f"last frame: v = {last.scale:.4g} v_first {last.shift:+.4g}")
    write_line(f"spread of log scale                {result.log_scale_spread:.4f}")
    write_line(f"spread of log metres by one fit    {result.metres_spread:.4f}")
    write_line(_pair("AbsRel", result.abs_rel_before, result.abs_rel_after))
    before, after = result.consistency_before, result.consistency_after
    if before is not None and after is not None:
        both = before.spread_log_ratio, after.spread_log_ratio
        write_line(_pair("consistency (spread of log ratio)", *both))


def _pair(name: str, before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return f"{name}: too few anchors are left when half of them are left out"
    return f"{name}: {before:.4f} by the first frame's fit, {after:.4f} anchored"
