"""``sensorfusion evaluate consistency``: whether depth means the same metres in every frame."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sensorfusion.cli.model import ModelSourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.config import DepthSettings, Settings
from sensorfusion.errors import EvaluationError, SensorFusionError
from sensorfusion.evaluate.consistency import (
    FRAMES_APART,
    SCANS_APART,
    Consistency,
    ConsistencyCheck,
)
from sensorfusion.export.pose_files import given_or_recorded
from sensorfusion.image import Image
from sensorfusion.odometry.given import known_pose
from sensorfusion.pipeline import depth_maps, reconstruct
from sensorfusion.point_cloud import PointCloud
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.stereo_pair import StereoPair

# What stands behind a location: ,key=value of its own.
_OWN_OPTIONS = re.compile(r"(.+?)((?:,[a-z][a-z0-9_-]*=[^,]*)+)")
_RECORDING, _MONOCULAR = "recording", "monocular"
_NUMBERS = {FRAMES_APART: "ten frames", SCANS_APART: "three scans"}


@dataclass(frozen=True, slots=True)
class _Row:
    """What was found of one source."""

    sensor: str
    poses: str
    found: Consistency
    apart: int


def consistency(
    source: str,
    /,
    *more: str,
    poses: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    opening: ModelSourceOptions | None = None,
) -> None:
    """Measure whether depth means the same metres in every frame of a recording.

    Depth of a frame, moved by the poses into the one ten frames later (three scans of a LiDAR), is
    compared with what was measured there. Measured sensors agree within half a percent.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room; with driver options of its own
        where it needs them, as recording.bag,infrared=pair.
    more
        Further sources: each gets a line of one table.
    poses
        Take the sensor's poses from a TUM file, or from the recording itself ("recording"),
        instead of tracking it. LiDAR scans are not tracked: theirs are the recording's by default.
    json
        Write one JSON object instead of text.
    """
    named = {
        name: _with_own_options(name, opening or ModelSourceOptions()) for name in (source, *more)
    }
    if more:
        named = _trusting_models(named)
    for location, options in named.values():
        options.check(location)
    if not more:
        _write_one(_measured(*named[source], poses), json=json)
        return
    rows: dict[str, _Row | SensorFusionError] = {}
    for name, (location, options) in named.items():
        try:
            rows[name] = _measured(location, options, poses)
        except SensorFusionError as error:
            rows[name] = error
    _write_several(rows, json=json)
    failed = [name for name, row in rows.items() if isinstance(row, SensorFusionError)]
    if failed:
        msg = f"{len(failed)} of {len(rows)} sources have no result: {', '.join(failed)}"
        raise EvaluationError(msg)


def _with_own_options(source: str, opening: ModelSourceOptions) -> tuple[str, ModelSourceOptions]:
    """Return a location, and the options behind it added to those of all sources."""
    match = None if Path(source).exists() else _OWN_OPTIONS.fullmatch(source)
    if match is None:
        return source, opening
    own = tuple(match[2][1:].split(","))
    return match[1], replace(opening, option=opening.option + own)


def _trusting_models(
    named: dict[str, tuple[str, ModelSourceOptions]],
) -> dict[str, tuple[str, ModelSourceOptions]]:
    """Return what was named with trust only where there is a model, if any source has one."""
    there = {name: options.names_model for name, (_, options) in named.items()}
    if not any(there.values()):
        return named
    return {
        name: (location, options if there[name] else replace(options, trust_model=False))
        for name, (location, options) in named.items()
    }


def _measured(location: str, options: ModelSourceOptions, poses: str | None) -> _Row:
    settings = Settings(depth=DepthSettings(model=options.model()))
    filled = " + model" if settings.depth.model.file is not None else ""
    with only_our_output(), options.open(location) as opened:
        sensor = _sensor(opened)
        if sensor == "LiDAR":
            return _of_scans(opened, location, poses)
        result = reconstruct(opened, settings, poses=poses)
    found: dict[str, Any] | None = result.report.facts["consistency"]
    if found is None:
        msg = (
            f"{location}: no two of its {result.report.used} placed frames, ten apart, saw the "
            "same surface; a longer recording is needed"
        )
        raise EvaluationError(msg)
    sensor += filled if sensor != _MONOCULAR else ""
    return _Row(sensor, poses or "tracked", Consistency(**found), FRAMES_APART)


def _sensor(source: FrameSource) -> str:
    """Return what kind of sensor measures, from the first frame where that can be read again."""
    if not isinstance(source, SeekableFrameSource) or not len(source):
        return "LiDAR" if source.rig.lidars else "depth camera"
    measured = source[0].measurement
    if isinstance(measured, PointCloud):
        return "LiDAR"
    if isinstance(measured, StereoPair):
        return "stereo"
    return _MONOCULAR if isinstance(measured, (Image, RelativeDepth)) else "depth camera"


def _of_scans(source: FrameSource, location: str, poses: str | None) -> _Row:
    """Compare the range images of scans, placed by poses that are given."""
    trajectory = given_or_recorded(poses, source)
    if trajectory is None:
        msg = (
            f"{location}: a LiDAR's scans are compared by poses, and the recording holds none; "
            "give T_world_lidar of its scans as a TUM file with --poses"
        )
        raise EvaluationError(msg)
    check = ConsistencyCheck(SCANS_APART)
    with closing(depth_maps(source, DepthSettings(), poses=trajectory)) as maps:
        for made in maps:
            T_world_sensor = known_pose(trajectory, made.frame)
            if T_world_sensor is not None and made.T_camera_sensor is not None:
                check.add(made.depth, T_world_sensor @ made.T_camera_sensor.inverse())
    try:
        found = check.result()
    except EvaluationError as error:
        msg = f"{location}: {error}"
        raise EvaluationError(msg) from error
    return _Row("LiDAR", poses or _RECORDING, found, SCANS_APART)


def _write_one(row: _Row, *, json: bool) -> None:
    if json:
        write_json(asdict(row.found))
        return
    apart = f"pairs, {_NUMBERS[row.apart]} apart"
    write_line(f"median of log(moved / measured depth)  {row.found.median_log_ratio:+.5f}")
    write_line(f"spread over pairs of frames            {row.found.spread_log_ratio:.5f}")
    write_line(f"{apart:37}  {row.found.pairs}")


def _write_several(rows: Mapping[str, _Row | SensorFusionError], *, json: bool) -> None:
    if json:
        write_json({"sources": [_described(name, row) for name, row in rows.items()]})
        return
    lines = [("source", "sensor", "poses", "median", "spread", "pairs")]
    for name, row in rows.items():
        if isinstance(row, _Row):
            found = row.found
            figures = f"{found.median_log_ratio:+.5f}", f"{found.spread_log_ratio:.5f}"
            lines.append((name, row.sensor, row.poses, *figures, f"{found.pairs}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [f"{cell:{width}}" for cell, width in zip(line[:3], widths[:3], strict=True)]
        cells += [f"{cell:>{width}}" for cell, width in zip(line[3:], widths[3:], strict=True)]
        write_line("  ".join(cells).rstrip())
    write_line("median of log(moved / measured depth) of frames ten apart, of scans three apart")
    for row in rows.values():
        if isinstance(row, SensorFusionError):
            write_line(f"no result: {row}")


def _described(name: str, row: _Row | SensorFusionError) -> dict[str, Any]:
    if isinstance(row, SensorFusionError):
        return {"source": name, "error": str(row)}
    described = {"source": name, "sensor": row.sensor, "poses": row.poses}
    return described | asdict(row.found)
