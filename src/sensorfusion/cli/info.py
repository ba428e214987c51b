"""``sensorfusion info``: what a recording holds."""

from collections import Counter
from itertools import islice
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from sensorfusion.camera import Camera
from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.cli.overview import FRAMES_LOOKED_AT, spread_indices
from sensorfusion.depth.plausible import doubts
from sensorfusion.depth.scale import check_scale, to_metres
from sensorfusion.depth.stereo import glimpse_depth
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.errors import SourceError
from sensorfusion.frame import Frame, Measurement
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, LiveFrameSource, SeekableFrameSource
from sensorfusion.sources.registry import find_driver
from sensorfusion.stereo_pair import StereoPair

_PIXELS_PER_FRAME = 20_000
_LIVE_FRAMES = 30
_LENS = ("width", "height", "fx", "fy", "cx", "cy", "distortion")
_FIELDS = ("intensity", "ring", "column", "time_offset_ns", "color", "normals")


def info(
    source: str,
    /,
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
    opening: SourceOptions | None = None,
) -> None:
    """Say what a recording holds: streams, cameras, duration, depth.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    json
        Write one JSON object instead of text.
    """
    opening = opening or SourceOptions()
    with only_our_output(), opening.open(source) as opened:
        driver = opening.driver or find_driver(source)
        facts = {"driver": driver, **_describe(opened, source)}
    if json:
        write_json(facts)
    else:
        _write_text(source, facts)


def _describe(source: FrameSource, location: str) -> dict[str, Any]:
    if isinstance(source, SeekableFrameSource) and len(source):
        count = len(source)
        frames = [source[index] for index in spread_indices(count)]
        paired = Counter(dict.fromkeys((*source.rig.cameras, *source.rig.lidars), count))
    else:
        frames, count, paired = _read_through(source)
    if not frames:
        msg = f"{location}: it holds no frame; nothing can be said about its depth"
        raise SourceError(msg)
    seen = {name for frame in frames for name in _sensors(frame)}
    measured = [each for frame in frames for each in _measured(frame, source.rig)]

    def counted(name: str) -> int:
        beside = source.losses.unpaired.get(name, 0) + source.beside_frames.get(name, 0)
        return (paired[name] if name in seen else 0) + beside

    duration_ns = frames[-1].timestamp_ns - frames[0].timestamp_ns
    return {
        "frames": count,
        "duration_s": duration_ns * 1e-9,
        "streams": [
            {"name": name, "kind": "lidar", **_lidar(lidar, frames), "count": counted(name)}
            for name, lidar in source.rig.lidars.items()
        ]
        + [
            {
                "name": name,
                "kind": _kind(name, frames),
                **_camera(camera),
                "count": counted(name),
            }
            for name, camera in source.rig.cameras.items()
        ]
        + [
            {"name": name, "kind": "imu", **dict.fromkeys(_LENS), "count": count}
            for name, count in _inertial(source).items()
        ],
        "depth_m": _depth(measured),
        "poses": len(source.trajectory) if source.trajectory is not None else 0,
        "unpaired": dict(source.losses.unpaired),
        "dropped": dict(source.losses.dropped),
        "metadata": dict(source.metadata),
        "notes": [*source.notes, *_doubts(measured)],
    }


def _inertial(source: FrameSource) -> dict[str, int]:
    """Return how many readings there are of each inertial sensor, or half of one."""
    pictured = (*source.rig.cameras, *source.rig.lidars)
    beside = {name: n for name, n in source.beside_frames.items() if name not in pictured}
    return beside or ({} if source.imu is None else {source.imu.name: len(source.imu)})


def _read_through(source: FrameSource) -> tuple[list[Frame], int, Counter[str]]:
    """Count the frames of a source that has no index; keep some, the first and the last."""
    kept: list[Frame] = []
    paired: Counter[str] = Counter()
    count = 0
    stride = 1
    last = None
    # A camera has no end; what it is shows in a second.
    frames = islice(source, _LIVE_FRAMES) if isinstance(source, LiveFrameSource) else source
    for last in frames:
        paired.update(_sensors(last))
        if count % stride == 0:
            kept.append(last)
        if len(kept) > 2 * FRAMES_LOOKED_AT:
            kept, stride = kept[::2], stride * 2
        count += 1
    if last is not None and kept[-1] is not last:
        kept.append(last)
    return kept, count, paired


def _sensors(frame: Frame) -> tuple[str, ...]:
    return (*(_pair(frame) or (frame.sensor,)), *frame.images, *frame.depths)


def _pair(frame: Frame) -> tuple[str, ...]:
    """Return the names of the cameras of a stereo pair; none if it is no pair."""
    if not isinstance(frame.measurement, StereoPair):
        return ()
    return tuple(image.camera_name for image in frame.measurement.images)


def _kind(camera: str, frames: list[Frame]) -> str:
    if any(camera in _pair(frame) for frame in frames):
        return "stereo"
    measures = any(camera == frame.sensor or camera in frame.depths for frame in frames)
    return "depth" if measures else "color"


def _lidar(lidar: Lidar, frames: list[Frame]) -> dict[str, Any]:
    """Describe a LiDAR under the keys of a camera, and its points."""
    clouds = [frame.measurement for frame in frames if frame.sensor == lidar.name]
    scans = [cloud for cloud in clouds if isinstance(cloud, PointCloud)]
    held = {name for scan in scans for name in _FIELDS if getattr(scan, name) is not None}
    extra = {name for scan in scans for name in scan.extra}
    return {
        "width": lidar.columns or None,
        "height": lidar.rings or None,
        **dict.fromkeys(("fx", "fy", "cx", "cy", "distortion")),
        "points": int(np.median([len(scan) for scan in scans])) if scans else 0,
        "missing": int(np.median([scan.missing for scan in scans])) if scans else 0,
        "fields": [name for name in _FIELDS if name in held] + sorted(extra),
    }


def _camera(camera: Camera) -> dict[str, Any]:
    return {
        "width": camera.width,
        "height": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "distortion": camera.distortion.model,
        "coefficients": list(camera.distortion.coefficients),
    }


def _measured(frame: Frame, rig: Rig) -> tuple[Measurement, ...]:
    """Return what says how far the scene is: of a stereo pair, depth beside it, or coarse depth."""
    if isinstance(frame.measurement, StereoPair):
        return tuple(frame.depths.values()) or (glimpse_depth(frame.measurement, rig),)
    return (frame.measurement,)


def _doubts(measured: list[Measurement]) -> tuple[str, ...]:
    """Say what is doubtful about the depth of cameras; a LiDAR's bytes are its driver's matter."""
    return doubts([each for each in measured if isinstance(each, (RawDepth, DepthMap))])


def _depth(measurements: list[Measurement]) -> dict[str, float | None]:
    check_scale(measurements)
    samples, pixels = [np.empty(0, np.float32)], 0
    for measurement in measurements:
        if isinstance(measurement, (StereoPair, RelativeDepth, Image)):
            continue
        if isinstance(measurement, PointCloud):
            samples.append(np.linalg.norm(measurement.points, axis=1))
            pixels += len(measurement) + measurement.missing
            continue
        depth = to_metres(measurement) if isinstance(measurement, RawDepth) else measurement
        step = max(1, int(np.sqrt(depth.metres.size / _PIXELS_PER_FRAME)))
        some = depth.metres[::step, ::step]
        pixels += some.size
        samples.append(some[some > 0])
    metres = np.concatenate(samples)
    if not metres.size:
        return {"p5": None, "p50": None, "p95": None, "fill": 0.0}
    p5, p50, p95 = (round(float(value), 4) for value in np.percentile(metres, (5, 50, 95)))
    return {"p5": p5, "p50": p50, "p95": p95, "fill": round(metres.size / pixels, 4)}


def _stream_line(stream: dict[str, Any]) -> str:
    if stream["kind"] == "imu":
        return f"{stream['count']} readings"
    if stream["kind"] != "lidar":
        return (
            f"{stream['count']} x {stream['width']}x{stream['height']}, "
            f"fx {stream['fx']:.2f} fy {stream['fy']:.2f} cx {stream['cx']:.2f} "
            f"cy {stream['cy']:.2f}, distortion {stream['distortion']}"
            f"{', of a stereo pair' if stream['kind'] == 'stereo' else ''}"
        )
    rings = f", {stream['height']} rings" if stream["height"] else ""
    columns = f" of {stream['width']}" if stream["height"] and stream["width"] else ""
    missing = f" ({stream['missing']} without a return)" if stream["missing"] else ""
    fields = ", ".join(("x y z", *stream["fields"]))
    return (
        f"{stream['count']} scans of {stream['points']} points{missing}{rings}{columns}: {fields}"
    )


def _write_text(source: str, facts: dict[str, Any]) -> None:
    depth = facts["depth_m"]
    write_line(f"{source} ({facts['driver']})")
    write_line(f"  {facts['frames']} frames, {facts['duration_s']:.2f} s, {facts['poses']} poses")
    for stream in facts["streams"]:
        write_line(f"  {stream['name']}: {_stream_line(stream)}")
    if depth["p50"] is None:
        write_line("  depth: none in the frames looked at")
    else:
        of = "beams" if facts["streams"][0]["kind"] == "lidar" else "pixels"
        write_line(
            f"  depth: 5 % below {depth['p5']:.3f} m, median {depth['p50']:.3f} m, 95 % below "
            f"{depth['p95']:.3f} m; {100 * depth['fill']:.0f} % of the {of} have depth"
        )
    for name, value in facts["metadata"].items():
        write_line(f"  {name}: {value}")
    for note in facts["notes"]:
        write_line(f"  note: {note}")
    for title in ("unpaired", "dropped"):
        for name, number in facts[title].items():
            if number:
                write_line(f"  {title}: {number} {name}")
